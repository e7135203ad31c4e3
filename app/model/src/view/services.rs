//! Services, their analyses and what is asked of them.

use super::{ChangeRow, RecommendationRow};
use crate::deployment::Deployment;
use crate::ids::{ChangeId, JobId, RecommendationId, ServiceId};
use crate::job::{JobState, OptimizationType};
use crate::metric::Metric;
use crate::recommendation::{Driver, Finding, Proposal, Recommendation, Replay, UseBar, Verdict};
use crate::service::{Managed, Service};
use crate::time::{Span, Timestamp};
use crate::units::Money;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which services, in which order. Empty texts do not filter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceQuery {
    /// Part of the name.
    pub q: String,
    /// Exact team.
    pub team: String,
    /// Exact namespace.
    pub namespace: String,
    /// A [`Verdict`]'s wire name.
    pub verdict: String,
    /// `name`, `cost`, `cpu`, `memory`, `latency`, `requests`, `saving`; `-` before it turns it round.
    pub sort: String,
    /// Where to go on; from `next_cursor`.
    pub cursor: String,
    /// Rows per page, 1 to 200; 0 means 50.
    pub limit: u32,
}

/// One service in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// Its id.
    pub id: ServiceId,
    /// The name in interfaces: bare where unique, else `cluster:namespace:name`.
    pub service_name: String,
    /// Namespace.
    pub namespace: String,
    /// Owner.
    pub team: String,
    /// Who may write to it.
    pub managed: Managed,
    /// The worst verdict of its resources.
    pub verdict: Verdict,
    /// CPU against its request.
    pub cpu: Option<UseBar>,
    /// Memory against its request.
    pub memory: Option<UseBar>,
    /// Replicas now.
    pub replicas: Option<u32>,
    /// Newest p99 latency, milliseconds.
    pub latency_p99_ms: Option<f64>,
    /// Newest requests per second.
    pub request_rate: Option<f64>,
    /// What it costs a month; `None` without a request to price.
    pub cost_month: Option<Money>,
    /// What its open recommendations would save a month.
    pub saving_month: Option<Money>,
    /// Open recommendations.
    pub open: u32,
    /// CPU use over the last 24 h, about 48 points, gaps as `None`.
    pub spark: Vec<Option<f32>>,
}

/// One service, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServicePage {
    /// The row of the list.
    pub row: ServiceRow,
    /// The service and its state.
    pub service: Service,
    /// Newest value of every metric, with the cluster time of its sample.
    pub latest: BTreeMap<Metric, Latest>,
    /// What the newest analysis found.
    pub findings: Vec<Finding>,
    /// Why there is no recommendation, when there is none.
    pub no_action: Option<String>,
    /// End of the newest analysis, cluster time.
    pub analysed_at: Option<Timestamp>,
    /// Its open recommendations.
    pub recommendations: Vec<RecommendationRow>,
    /// What each of them stands on, in the same order.
    pub grounds: Vec<Grounds>,
    /// Its changes, newest first.
    pub changes: Vec<ChangeRow>,
    /// Its newest deploys, newest first.
    pub deployments: Vec<Deployment>,
    /// The services it calls: name, newest p99 latency in ms, CPU spark.
    pub calls: Vec<ServiceRow>,
    /// Whether a change holds it now.
    pub held_by: Option<ChangeId>,
    /// Cluster time of the newest sample.
    pub newest_sample: Option<Timestamp>,
    /// Now, cluster time.
    pub now: Timestamp,
}

/// What a recommendation stands on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grounds {
    /// The recommendation.
    pub id: RecommendationId,
    /// What it proposes, in a line.
    pub title: String,
    /// What drives its confidence, the strongest first.
    pub drivers: Vec<Driver>,
    /// What it would have done in the days before.
    pub replays: Vec<Replay>,
}

impl From<Recommendation> for Grounds {
    fn from(of: Recommendation) -> Self {
        let Proposal { title, confidence_drivers: drivers, replays, .. } = of.proposal;
        Self { id: of.id, title, drivers, replays }
    }
}

/// A newest value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    /// In the metric's unit.
    pub value: f64,
    /// Cluster time of its interval's begin.
    pub at: Timestamp,
}

/// A request to analyse.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalyzeRequest {
    /// A service's name, `team:NAME` or `fleet`.
    pub service_name: String,
    /// Empty means all.
    #[serde(default)]
    pub optimization_types: Vec<OptimizationType>,
    /// `14d`; `None` means policy's window.
    #[serde(default)]
    pub analysis_period: Option<Span>,
    /// Whether predictions are wanted.
    #[serde(default)]
    pub include_predictions: bool,
    /// Whether low-risk results are to be applied, where policy allows.
    #[serde(default)]
    pub auto_apply: bool,
}

/// A request to propose own values.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposeRequest {
    /// The service's name.
    pub service_name: String,
    /// Field path → wanted value in wire form; see `ResourceState::fields`.
    pub fields: BTreeMap<String, String>,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// One analysis in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRow {
    /// Its id.
    pub id: JobId,
    /// What it covered.
    pub service_name: String,
    /// Its state.
    pub state: JobState,
    /// Why nothing, or what broke.
    pub reason: Option<String>,
    /// Recommendations it made.
    pub recommendations: u32,
    /// Wall time.
    pub created_at: Timestamp,
    /// Wall time.
    pub completed_at: Option<Timestamp>,
}
