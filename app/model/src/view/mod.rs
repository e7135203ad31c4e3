//! What pages show and interfaces send: plain data, built by the use cases that read, compiled for both sides.

mod audit;
mod benchmarks;
mod changes;
mod deployments;
mod insights;
mod overview;
mod people;
mod recommendations;
mod services;

pub use audit::{AuditQuery, AuditRow};
pub use benchmarks::{BenchmarkPage, BenchmarkPoint, BenchmarkQuery, BenchmarkRow};
pub use changes::{ChangeQuery, ChangeRow};
pub use deployments::DeploymentQuery;
pub use insights::{Ahead, Anomaly, Causes, Comparison, Expected, Forecast, Insights, Measure, Outlook, RunsOut, ServiceClass, Suspect};
pub use overview::{Attention, HeadroomDot, Overview, TeamCost};
pub use people::{Account, Enrolment, SessionRow, TokenRow, UserRow};
pub use recommendations::{
    ChangeAct, ChangePage, Comment, DiffLine, DiffObject, NEWEST_TOLD, RecommendationPage, RecommendationQuery, RecommendationRow,
    TimelineEntry,
};
pub use services::{AnalyzeRequest, Grounds, JobRow, Latest, ProposeRequest, ServicePage, ServiceQuery, ServiceRow};

use crate::auth::Role;
use crate::recommendation::{Evidence, Replay, RiskNote};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageOf<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Rows over all pages; 0 where the question was `uncounted`.
    pub total: u64,
    /// What to ask for next; `None` on the last page.
    pub next_cursor: Option<String>,
}

/// The rules one scope sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyRow {
    /// `fleet`, `environment:NAME`, `team:NAME` or `service:ID`.
    pub scope: String,
    /// The scope for people.
    pub label: String,
    /// What it sets.
    pub patch: crate::policy::PolicyPatch,
    /// Who changed it last.
    pub by: String,
    /// Wall time.
    pub at: Timestamp,
}

/// The parts of a page's frame: who is here, what waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The signed-in user; `None` on the sign-in page.
    pub user: Option<String>,
    /// Their role.
    pub role: Option<Role>,
    /// Recommendations that wait on this person, or open ones for those who do not approve.
    pub waiting: u32,
    /// Changes under way.
    pub active_changes: u32,
    /// Services.
    pub services: u32,
    /// The first cluster's name, and how many there are.
    pub clusters: Vec<String>,
    /// Cluster time of the newest sample.
    pub newest_sample: Option<Timestamp>,
    /// Now, cluster time.
    pub now: Timestamp,
    /// Whether this is the demonstration.
    pub demo: bool,
}

/// A small message that something changed: readers fetch anew what they show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveEvent {
    /// `samples`, `recommendations`, `changes`, `deployments`, `jobs`, `policy`, `users`.
    pub topic: String,
    /// Grows with every message.
    pub rev: u64,
}

/// The evidence and replays of a proposal, for an own value that is only tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Why.
    pub evidence: Vec<Evidence>,
    /// What it would have done.
    pub replays: Vec<Replay>,
    /// What may go wrong.
    pub risk: RiskNote,
}
