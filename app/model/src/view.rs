//! What pages show and interfaces send: plain data, built by the use cases that read, compiled for both sides.

use crate::auth::{Permission, Role, Teams};
use crate::change::{Approval, Substate};
use crate::effect::Effect;
use crate::ids::{ChangeId, JobId, RecommendationId, ServiceId};
use crate::job::{JobState, OptimizationStatus, OptimizationType};
use crate::metric::Metric;
use crate::plan::{Drift, FieldChange, PlanHash};
use crate::recommendation::{
    Evidence, ExpectedImprovement, Finding, Recommendation, RecommendationState, Replay, Risk, RiskNote, UseBar, Verdict,
};
use crate::service::{Managed, Service};
use crate::time::{Span, Timestamp};
use crate::units::Money;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageOf<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Rows over all pages.
    pub total: u64,
    /// What to ask for next; `None` on the last page.
    pub next_cursor: Option<String>,
}

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
    /// Its changes, newest first.
    pub changes: Vec<ChangeRow>,
    /// The services it calls: name, newest p99 latency in ms, CPU spark.
    pub calls: Vec<ServiceRow>,
    /// Whether a change holds it now.
    pub held_by: Option<ChangeId>,
    /// Cluster time of the newest sample.
    pub newest_sample: Option<Timestamp>,
    /// Now, cluster time.
    pub now: Timestamp,
}

/// A newest value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    /// In the metric's unit.
    pub value: f64,
    /// Cluster time of its interval's begin.
    pub at: Timestamp,
}

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
    /// What was said, oldest first.
    pub comments: Vec<Comment>,
    /// What happened, newest first.
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
    /// Cluster time at which it expires undecided.
    pub expires_at: Timestamp,
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

/// Which changes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangeQuery {
    /// `active`, `waiting`, `done` or empty for all.
    pub view: String,
    /// Exact service name in interfaces.
    pub service_name: String,
    /// Exact team.
    pub team: String,
    /// Where to go on.
    pub cursor: String,
    /// Rows per page.
    pub limit: u32,
}

/// One change in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeRow {
    /// Its id.
    pub id: ChangeId,
    /// What it carries out.
    pub recommendation_id: RecommendationId,
    /// The service's name in interfaces.
    pub service_name: String,
    /// Owner.
    pub team: String,
    /// One line.
    pub title: String,
    /// The touched fields.
    pub changes: Vec<FieldChange>,
    /// Where it stands.
    pub state: Substate,
    /// Who submitted it.
    pub requested_by: String,
    /// Who approved it.
    pub approved_by: Vec<String>,
    /// What it promised a month.
    pub promised_month: Option<Money>,
    /// What was achieved a month; `None` until measured.
    pub achieved_month: Option<Money>,
    /// What was measured.
    pub effect: Option<Effect>,
    /// Why it ended or was taken back.
    pub reason: Option<String>,
    /// Wall time.
    pub submitted_at: Timestamp,
    /// Cluster time of the write.
    pub applied_at: Option<Timestamp>,
    /// Cluster time of the roll-back.
    pub rolled_back_at: Option<Timestamp>,
    /// How far the observation is, 0 to 1, while it runs.
    pub progress: Option<f64>,
}

/// Which audit entries.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditQuery {
    /// Part of event, actor, subject or reason.
    pub q: String,
    /// Exact actor.
    pub actor: String,
    /// Beginning of the event's name.
    pub event: String,
    /// Where to go on.
    pub cursor: String,
    /// Rows per page.
    pub limit: u32,
}

/// One audit entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Its number in the chain.
    pub seq: i64,
    /// What happened.
    pub event: crate::event::Event,
    /// The entry's hash, hexadecimal.
    pub hash: String,
    /// Where it can be seen: `/recommendations/…`, `/services/…`.
    pub link: Option<String>,
}

/// A team's cost and idle share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TeamCost {
    /// The team.
    pub team: String,
    /// Services.
    pub services: u32,
    /// Cost a month of what is asked for.
    pub cost_month: Money,
    /// Share of that cost that is not used, 0 to 1.
    pub idle: f64,
}

/// Something a person should look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    /// `bad`, `warn` or `act`.
    pub tone: String,
    /// One line.
    pub title: String,
    /// What makes it believable.
    pub detail: String,
    /// Where to go.
    pub link: String,
    /// The word on the link.
    pub act: String,
}

/// One dot of "where the headroom is".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadroomDot {
    /// The service.
    pub service_name: String,
    /// Peak use as a share of the request, 1 = all of it.
    pub peak_share: f64,
    /// Cost a month, units of the currency.
    pub cost_month: f64,
}

/// The manager's first page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// The clusters' names.
    pub clusters: Vec<String>,
    /// Services.
    pub services: u32,
    /// Teams.
    pub teams: u32,
    /// End of the newest analysis, cluster time.
    pub analysed_at: Option<Timestamp>,
    /// Cost a month of what is asked for.
    pub spend_month: Money,
    /// Services without a request, which have no cost.
    pub unpriced: u32,
    /// Savings a month measured and in force.
    pub achieved_month: Money,
    /// What those changes had promised.
    pub promised_month: Money,
    /// Open recommendations.
    pub open: u32,
    /// What they would save a month.
    pub open_month: Money,
    /// Changes that were verified.
    pub verified: u32,
    /// Changes that were rolled back.
    pub rolled_back: u32,
    /// Verified and rolled back together with the inconclusive.
    pub finished: u32,
    /// What needs a person.
    pub attention: Vec<Attention>,
    /// By team, most expensive first.
    pub team_costs: Vec<TeamCost>,
    /// CPU: peak share and cost by service.
    pub cpu: Vec<HeadroomDot>,
    /// Memory: peak share and cost by service.
    pub memory: Vec<HeadroomDot>,
    /// Promised against achieved, cumulative per month over cluster time: (seconds since the epoch, promised, achieved), units of the currency.
    pub ledger: Vec<(i64, f64, f64)>,
    /// Source and date of the prices.
    pub prices: String,
    /// Age of the prices, days.
    pub prices_age_days: i64,
    /// Now, cluster time.
    pub now: Timestamp,
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

/// A user in settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserRow {
    /// The name they sign in with.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Locked users cannot sign in, and their sessions and tokens are void.
    pub locked: bool,
    /// Whose services they see and act on.
    pub teams: Teams,
    /// Whether they have set a password.
    pub has_password: bool,
    /// Whether a second factor is set up.
    pub second_factor: bool,
    /// Whether an identity provider signs them in: it decides role and teams then.
    pub from_provider: bool,
    /// Wall time.
    pub created_at: Timestamp,
    /// Wall time.
    pub last_sign_in: Option<Timestamp>,
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
    /// `samples`, `recommendations`, `changes`, `jobs`, `policy`, `users`.
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

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Its id, for revocation.
    pub id: uuid::Uuid,
    /// Whose it is.
    pub user: String,
    /// What it is called.
    pub label: String,
    /// What it may do; everything that its user's role permits without.
    pub scope: Option<Vec<Permission>>,
    /// Wall time.
    pub created_at: Timestamp,
    /// Wall time; `None` for one that does not end by itself.
    pub expires_at: Option<Timestamp>,
    /// Wall time.
    pub last_used: Option<Timestamp>,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Its id, for revocation; a hash of what the browser holds.
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// Where it signed in from.
    pub address: String,
    /// What the browser says it is.
    pub agent: String,
    /// Wall time.
    pub created_at: Timestamp,
    /// Wall time, to a few minutes.
    pub seen_at: Timestamp,
}

/// How somebody signs in, as they see it themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Whether a password is set; one that is has to be given to set another.
    pub has_password: bool,
    /// Whether an identity provider signs them in.
    pub from_provider: bool,
    /// Whether a second factor is set up.
    pub second_factor: bool,
    /// A second factor that waits for its first code.
    pub pending: Option<Enrolment>,
    /// The browsers that are signed in, newest first.
    pub sessions: Vec<SessionRow>,
    /// Whether this is the demonstration, which asks nobody for a second factor.
    pub demo: bool,
}

/// A second factor to be set up in an authenticator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The secret, base32.
    pub secret: String,
    /// The same as a picture, SVG.
    pub picture: String,
}
