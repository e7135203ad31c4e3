//! Recommendations: immutable proposals with their evidence.

use crate::ids::{JobId, RecommendationId, ServiceId};
use crate::job::{OptimizationType, words};
use crate::metric::Metric;
use crate::plan::FieldChange;
use crate::schedule::Predicted;
use crate::service::ResourceState;
use crate::time::{Span, Timestamp};
use crate::units::{Confidence, Money};
use serde::{Deserialize, Serialize};
use std::fmt;

words! {
    /// What may go wrong, at most.
    Risk, "a risk" {
        /// Little can happen.
        Low = "low", "Low";
        /// Watch it.
        Medium = "medium", "Medium";
        /// Think first.
        High = "high", "High";
    }
}

words! {
    /// What was found about one resource of a service.
    Verdict, "a verdict" {
        /// More than it uses.
        Over = "over_provisioned", "Over-provisioned";
        /// Less than it needs.
        Under = "under_provisioned", "Under-provisioned";
        /// As it should be.
        Optimal = "optimal", "Right size";
        /// There is use, but no request to compare it with.
        NoRequest = "no_request_set", "No request set";
        /// Too few samples.
        NotEnoughData = "not_enough_data", "Not enough data";
    }
}

words! {
    /// The fine state of a recommendation.
    RecommendationState, "a recommendation state" {
        /// To be judged.
        Open = "OPEN", "New";
        /// Put aside by a person.
        Dismissed = "DISMISSED", "Dismissed";
        /// A newer one took its place.
        Superseded = "SUPERSEDED", "Superseded";
        /// A change carries it.
        Submitted = "SUBMITTED", "Submitted";
    }
}

/// What the change is expected to bring, from this service's own data.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExpectedImprovement {
    /// Better performance, percent.
    pub performance_gain_percent: f64,
    /// Lower cost, percent of the service's cost; negative where it costs more; `None` without a request to price.
    pub cost_reduction_percent: Option<f64>,
    /// Lower p95 latency, milliseconds.
    pub latency_reduction_ms: f64,
    /// How likely it keeps this promise.
    pub confidence: Confidence,
    /// The same before what came of earlier ones corrected it: later ones are corrected by that. What an older version kept has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncorrected: Option<Confidence>,
}

impl ExpectedImprovement {
    /// The largest improvement in percent, which the threshold of policy is compared with.
    #[must_use]
    pub fn largest_percent(&self) -> f64 {
        self.performance_gain_percent.max(self.cost_reduction_percent.unwrap_or(0.0))
    }
}

/// One line of evidence: what was measured, in words and in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Whether it speaks for the proposal (`true`) or asks for care (`false`).
    pub supports: bool,
    /// A sentence a colleague would say.
    pub text: String,
}

/// What was found, recommendation or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// `cpu`, `memory`, `storage`, `network`, `gpu`, `latency`, `replicas`, `cache`, `pool`, `balancing`…
    pub resource: String,
    /// The verdict.
    pub verdict: Verdict,
    /// A sentence with its numbers.
    pub text: String,
    /// Whether it limits the service now: throttling, OOM kills, saturation.
    #[serde(default)]
    pub bottleneck: bool,
}

/// What one policy would have asked for on the service's own history, and what that would have done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayRow {
    /// `headroom` (the proposal, held) or `proposed` (a person's values), `today`, `daily` (what Headroom's learner would have held, day by
    /// day), `vpa`, `krr`, `autopilot`, `aws`.
    pub policy: String,
    /// The newest value it asked for, in the metric's unit.
    pub asked: f64,
    /// Share of what was asked that was not used, 0 to 1.
    pub slack: f64,
    /// Share of samples above the value (CPU: throttled time at that limit; memory: use above it), 0 to 1.
    pub breached: f64,
    /// The same on the worst day.
    pub worst_day: f64,
    /// Days with at least one sample above the value (for memory: OOM days).
    pub breached_days: u32,
    /// Changes of the value per week by more than 0.1 %.
    pub changes_per_week: f64,
    /// Cost of the asked resource per month, over all replicas; `None` without a price.
    pub cost_month: Option<Money>,
}

/// A replay of one resource over the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// What was replayed: CPU against the request, or memory against the limit.
    pub metric: Metric,
    /// Seconds since the epoch.
    pub from: Timestamp,
    /// Seconds since the epoch.
    pub to: Timestamp,
    /// One row per policy.
    pub rows: Vec<ReplayRow>,
}

/// Use of one resource against what is asked for and proposed: what the headroom bar shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UseBar {
    /// What is shown.
    pub metric: Metric,
    /// Median of use.
    pub p50: f64,
    /// 99th percentile of use.
    pub p99: f64,
    /// Largest use.
    pub peak: f64,
    /// Asked for now.
    pub request: Option<f64>,
    /// Proposed.
    pub proposed: Option<f64>,
}

/// One thing that makes a promise surer or less sure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Driver {
    /// In plain words.
    pub text: String,
    /// By how much the confidence would differ without it, −1 to 1.
    pub effect: f64,
}

/// How sure, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskNote {
    /// The overall level: the highest of its dimensions.
    pub level: Risk,
    /// What drives it, in words, the gravest first.
    pub reasons: Vec<String>,
    /// The same with what each is about and how grave it is.
    #[serde(default)]
    pub dimensions: Vec<RiskOf>,
}

/// A risk in one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskOf {
    /// What it is about.
    pub kind: RiskKind,
    /// How grave it is.
    pub level: Risk,
    /// Why, in words.
    pub reason: String,
}

words! {
    /// What a risk is about.
    RiskKind, "a kind of risk" {
        /// How much is taken away at once.
        Step = "step", "Size of the step";
        /// It may have too little: throttling, kills, saturation.
        Shortage = "shortage", "Shortage";
        /// Pods are replaced.
        Restart = "restart", "Restart";
        /// How little it rests on.
        Data = "data", "Data";
        /// Whether the cluster has room for it.
        Room = "room", "Room in the cluster";
        /// What else it does.
        SideEffect = "side_effect", "Side effects";
    }
}

/// A proposal as the engine makes it, before it has an id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The strategy that made it, or `person` for an own value.
    pub strategy: String,
    /// What it improves.
    pub optimization_type: OptimizationType,
    /// One line: `CPU 4 → 2 cores`.
    pub title: String,
    /// A paragraph.
    pub description: String,
    /// The state after.
    pub recommended: ResourceState,
    /// What it should bring.
    pub expected: ExpectedImprovement,
    /// What drives the confidence in that, the strongest first; proposals of older versions have none.
    #[serde(default)]
    pub confidence_drivers: Vec<Driver>,
    /// What it saves a month (negative: costs); `None` when unknown.
    pub saving_month: Option<Money>,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// What it would have done.
    pub replays: Vec<Replay>,
    /// What may go wrong.
    pub risk: RiskNote,
    /// Larger is more urgent.
    pub priority: f64,
    /// Whether it cures OOM kills, throttling or saturation, and so may cost more.
    pub cure: bool,
    /// Use against request and proposal.
    pub bars: Vec<UseBar>,
    /// A week of replicas that an autoscaler could follow, where demand has a season; not part of what is applied.
    #[serde(default)]
    pub schedule: Option<Predicted>,
}

/// An immutable proposal for one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Its id.
    pub id: RecommendationId,
    /// The analysis it came from.
    pub job_id: JobId,
    /// The service.
    pub service_id: ServiceId,
    /// The service's name in interfaces.
    pub service_name: String,
    /// The owner.
    pub team: String,
    /// The state it was made from.
    pub current: ResourceState,
    /// What is proposed, and why.
    pub proposal: Proposal,
    /// The touched fields.
    pub changes: Vec<FieldChange>,
    /// Its state.
    pub state: RecommendationState,
    /// Why it was dismissed or superseded.
    pub reason: Option<String>,
    /// Cluster time at which it is open again by itself, where it was dismissed until then.
    #[serde(default)]
    pub dismissed_until: Option<Timestamp>,
    /// Who proposed it: `engine` or a user's name.
    pub proposed_by: String,
    /// Wall time.
    pub created_at: Timestamp,
    /// Cluster time: the end of the window.
    pub data_until: Timestamp,
    /// The window.
    pub window: Span,
}
