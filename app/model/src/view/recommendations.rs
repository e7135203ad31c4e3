//! Recommendations, and the changes that carry them out, whole.

use crate::change::{Approval, Substate};
use crate::effect::Effect;
use crate::ids::{ChangeId, RecommendationId};
use crate::job::{OptimizationStatus, OptimizationType};
use crate::plan::{Drift, PlanHash};
use crate::recommendation::{ExpectedImprovement, Recommendation, RecommendationState, Risk, UseBar};
use crate::service::Service;
use crate::time::{Span, Timestamp};
use crate::units::Money;
use serde::{Deserialize, Serialize};

/// Comments, and entries of the timeline, that a recommendation comes with at most; the audit has all.
pub const NEWEST_TOLD: usize = 100;

/// Which recommendations. Empty texts do not filter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecommendationQuery {
    /// `open`, `waiting` (on an approver), `progress`, `done`, `all`; empty means `open` on the page and all in interfaces.
    pub view: String,
    /// Exact service name in interfaces.
    pub service_name: String,
    /// An [`OptimizationType`]'s wire name.
    pub optimization_type: String,
    /// An [`OptimizationStatus`]'s wire name.
    pub status: String,
    /// Exact team.
    pub team: String,
    /// A [`Risk`]'s wire name.
    pub risk: String,
    /// `saving`, `confidence`, `service`, `priority`, `created`; `-` before it turns it round.
    pub sort: String,
    /// Where to go on.
    pub cursor: String,
    /// Rows per page, 1 to 200; 0 means 50.
    pub limit: u32,
    /// Whether nobody asks how many there are over all pages: counting costs more than a page.
    pub uncounted: bool,
}

/// One recommendation in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecommendationRow {
    /// Its id.
    pub id: RecommendationId,
    /// The service's name in interfaces.
    pub service_name: String,
    /// Namespace.
    pub namespace: String,
    /// Owner.
    pub team: String,
    /// What it improves.
    pub optimization_type: OptimizationType,
    /// One line.
    pub title: String,
    /// The bar of the resource it changes.
    pub bar: Option<UseBar>,
    /// What it saves a month.
    pub saving_month: Option<Money>,
    /// What it should bring.
    pub expected: ExpectedImprovement,
    /// What may go wrong.
    pub risk: Risk,
    /// Its own state.
    pub state: RecommendationState,
    /// The state of its newest change.
    pub substate: Option<Substate>,
    /// The coarse view.
    pub status: OptimizationStatus,
    /// Whether pods would be replaced.
    pub restarts_pods: bool,
    /// Wall time.
    pub created_at: Timestamp,
}

/// One recommendation, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecommendationPage {
    /// The proposal.
    pub recommendation: Recommendation,
    /// The service now.
    pub service: Service,
    /// The row of the list.
    pub row: RecommendationRow,
    /// Its newest change, if it was submitted.
    pub change: Option<ChangePage>,
    /// Exactly what will change, line by line, per object.
    pub diff: Vec<DiffObject>,
    /// Touched fields that are no longer as the plan expects.
    pub drift: Vec<Drift>,
    /// What was said, oldest first; the newest [`NEWEST_TOLD`].
    pub comments: Vec<Comment>,
    /// What happened, newest first; the newest [`NEWEST_TOLD`].
    pub timeline: Vec<TimelineEntry>,
    /// The rules it is judged by: how far a guard may degrade, percent, and how long it is watched.
    pub rollback_threshold: f64,
    /// How long it is watched.
    pub observation: Span,
    /// How long the guards stay armed.
    pub guard_period: Span,
    /// Share of changes of this strategy that kept their promise, and of how many; `None` before the first.
    pub track_record: Option<(u32, u32)>,
    /// Why Headroom will not apply it here, if so.
    pub refusal: Option<String>,
    /// Now, cluster time.
    pub now: Timestamp,
}

/// The state of a change, with what its page needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangePage {
    /// Its id.
    pub id: ChangeId,
    /// Where it stands.
    pub state: Substate,
    /// What an approval is bound to.
    pub plan_hash: PlanHash,
    /// For optimistic locking.
    pub version: u64,
    /// Who submitted it.
    pub requested_by: String,
    /// Approvals so far.
    pub approvals: Vec<Approval>,
    /// How many it needs.
    pub approvals_required: u32,
    /// Why it ended or was taken back.
    pub reason: Option<String>,
    /// What was measured.
    pub effect: Option<Effect>,
    /// Cluster time at which it expires, unless it has begun.
    pub expires_at: Timestamp,
    /// Cluster time before which it is not carried out.
    pub not_before: Timestamp,
    /// Cluster time of the write.
    pub applied_at: Option<Timestamp>,
    /// Cluster time until which it is watched.
    pub observing_until: Option<Timestamp>,
    /// Cluster time of the verdict.
    pub verified_at: Option<Timestamp>,
    /// Cluster time of the roll-back.
    pub rolled_back_at: Option<Timestamp>,
    /// What may be done with it now, by a person who has the role.
    pub can: Vec<ChangeAct>,
}

/// What a person may do with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAct {
    /// Approve the plan.
    Approve,
    /// Send it back with a wish.
    RequestChanges,
    /// Reject it.
    Reject,
    /// Take the submission back.
    Withdraw,
    /// Start it.
    Apply,
    /// Carry it out in spite of a freeze.
    BreakGlass,
    /// Take it back.
    RollBack,
}

/// One object of the diff: a breadcrumb and its lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiffObject {
    /// `Deployment prices/market-data-api · uid 5d1e… · spec.template.spec.containers[api].resources`
    pub path: String,
    /// Its lines with context; nothing is hidden inside a hunk.
    pub lines: Vec<DiffLine>,
}

/// One line of the diff.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiffLine {
    /// Line number before; `None` for an added line.
    pub old: Option<u32>,
    /// Line number after; `None` for a removed line.
    pub new: Option<u32>,
    /// The line.
    pub text: String,
    /// Why, beside an added line.
    pub note: Option<String>,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comment {
    /// Who.
    pub by: String,
    /// Wall time.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// The event's name, such as `change.approved`.
    pub name: String,
    /// A sentence: "Approved by approver".
    pub text: String,
    /// The reason or comment.
    pub detail: Option<String>,
    /// Wall time.
    pub wall: Timestamp,
    /// Cluster time.
    pub cluster: Timestamp,
}
