//! The exact shapes of the API, built from what the use cases return.

use headroom_model::change::Substate;
use headroom_model::effect::Effect;
use headroom_model::job::{Job, JobState, OptimizationStatus, OptimizationType, Prediction};
use headroom_model::metric::{Metric, Unit};
use headroom_model::plan::{Drift, FieldChange};
use headroom_model::recommendation::{Evidence, ExpectedImprovement, Finding, RecommendationState, Replay, Risk, RiskNote, Verdict};
use headroom_model::schedule::Predicted;
use headroom_model::service::Managed;
use headroom_model::units;
use headroom_model::view::{AuditRow, ChangeRow, Comment, PageOf, PolicyRow, RecommendationPage, ServicePage, ServiceRow, TimelineEntry};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

// The model's words as enumerations in the OpenAPI document.
macro_rules! words {
    ($($name:ident = $type:ty;)*) => {$(
        /// The words of a type of the model, for the OpenAPI document.
        pub struct $name;
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words: Vec<&str> = <$type>::ALL.iter().map(|v| v.as_str()).collect();
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
            }
        }
        impl ToSchema for $name {
            fn name() -> Cow<'static, str> { stringify!($type).into() }
        }
    )*};
}

words! {
    TypeWord = OptimizationType;
    StatusWord = OptimizationStatus;
    SubstateWord = Substate;
    JobStateWord = JobState;
    RiskWord = Risk;
    VerdictWord = Verdict;
    StateWord = RecommendationState;
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct List<T: ToSchema> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T: ToSchema> List<T> {
    /// A page of rows as the API shows them.
    pub fn of<R>(page: PageOf<R>, shape: impl FnMut(R) -> T) -> Self {
        Self { items: page.items.into_iter().map(shape).collect(), next_cursor: page.next_cursor }
    }
}

/// An amount of money.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Money {
    /// Whole units of the currency, with their fraction.
    pub amount: f64,
    /// ISO 4217 code.
    #[schema(example = "USD")]
    pub currency: String,
}

impl From<units::Money> for Money {
    fn from(money: units::Money) -> Self {
        Self { amount: money.units(), currency: money.currency.code().to_owned() }
    }
}

/// One service in the list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServiceItem {
    /// The name to ask for it by.
    #[schema(example = "market-data-api")]
    pub service_name: String,
    /// Headroom's own id.
    pub service_id: String,
    /// Namespace.
    pub namespace: String,
    /// Owner.
    pub team: String,
    /// `direct`, `git` or `observed`: whether Headroom may write to it.
    #[schema(value_type = String)]
    pub managed: Managed,
    /// The worst verdict of its resources.
    #[schema(value_type = VerdictWord)]
    pub verdict: Verdict,
    /// Replicas now.
    pub replicas: Option<u32>,
    /// Requests per second.
    pub request_rate: Option<f64>,
    /// 99th percentile of latency, milliseconds.
    pub latency_p99_ms: Option<f64>,
    /// Cost a month; null without a request to price.
    pub cost_month: Option<Money>,
    /// What its open recommendations would save a month.
    pub saving_month: Option<Money>,
    /// Open recommendations.
    pub open_recommendations: u32,
}

impl From<ServiceRow> for ServiceItem {
    fn from(row: ServiceRow) -> Self {
        Self {
            service_name: row.service_name,
            service_id: row.id.to_string(),
            namespace: row.namespace,
            team: row.team,
            managed: row.managed,
            verdict: row.verdict,
            replicas: row.replicas,
            request_rate: row.request_rate,
            latency_p99_ms: row.latency_p99_ms,
            cost_month: row.cost_month.map(Money::from),
            saving_month: row.saving_month.map(Money::from),
            open_recommendations: row.open,
        }
    }
}

/// A metric's newest value.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LatestValue {
    /// In `unit`.
    pub value: f64,
    /// What it counts.
    #[schema(value_type = String, example = "Cores")]
    pub unit: Unit,
    /// Cluster time, RFC 3339.
    pub at: String,
}

/// One service with its state, parameters and newest metrics.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Service {
    /// What the list shows.
    #[serde(flatten)]
    pub item: ServiceItem,
    /// The cluster.
    pub cluster: String,
    /// `Deployment`, `StatefulSet`…
    pub kind: String,
    /// The target's own id.
    pub uid: String,
    /// `production`, `staging`…
    pub environment: String,
    /// Labels as the cluster has them.
    pub labels: BTreeMap<String, String>,
    /// What it calls.
    pub calls: Vec<String>,
    /// Requests, limits and replicas: flat values are per replica, summed over containers.
    #[schema(value_type = Object)]
    pub state: Value,
    /// Tunable parameters and their values.
    #[schema(value_type = BTreeMap<String, String>)]
    pub parameters: Value,
    /// Newest value of every metric.
    pub latest_metrics: BTreeMap<String, LatestValue>,
    /// What the newest analysis found.
    #[schema(value_type = Vec<Object>)]
    pub findings: Vec<Finding>,
    /// Why there is no recommendation, when there is none.
    pub no_action: Option<String>,
    /// End of the newest analysis, cluster time.
    pub analysed_at: Option<String>,
    /// The change that holds it now.
    pub held_by: Option<String>,
}

impl From<ServicePage> for Service {
    fn from(page: ServicePage) -> Self {
        let mut state = page.service.state.api_view();
        let parameters = state.as_object_mut().and_then(|s| s.remove("parameters")).unwrap_or_default();
        let latest = |(metric, latest): (Metric, headroom_model::view::Latest)| {
            (metric.name().to_owned(), LatestValue { value: latest.value, unit: metric.unit(), at: latest.at.to_string() })
        };
        Self {
            item: page.row.into(),
            cluster: page.service.key.cluster,
            kind: page.service.key.kind,
            uid: page.service.uid,
            environment: page.service.environment,
            labels: page.service.labels,
            calls: page.service.calls,
            state,
            parameters,
            latest_metrics: page.latest.into_iter().map(latest).collect(),
            findings: page.findings,
            no_action: page.no_action,
            analysed_at: page.analysed_at.map(|t| t.to_string()),
            held_by: page.held_by.map(|c| c.to_string()),
        }
    }
}

/// What a change is expected to bring.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Improvement {
    /// Better performance, percent.
    pub performance_gain_percent: f64,
    /// Lower cost, percent; negative where it costs more; null without a request to price.
    pub cost_reduction_percent: Option<f64>,
    /// Lower p95 latency, milliseconds.
    pub latency_reduction_ms: f64,
    /// How likely it keeps this promise, 0 to 1.
    pub confidence: f64,
}

impl From<ExpectedImprovement> for Improvement {
    fn from(e: ExpectedImprovement) -> Self {
        Self {
            performance_gain_percent: e.performance_gain_percent,
            cost_reduction_percent: e.cost_reduction_percent,
            latency_reduction_ms: e.latency_reduction_ms,
            confidence: e.confidence.get(),
        }
    }
}

/// One recommendation, with the state of the change that carries it out.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Recommendation {
    /// Its id.
    pub recommendation_id: String,
    /// The service's name.
    pub service_name: String,
    /// What it improves.
    #[schema(value_type = TypeWord)]
    pub optimization_type: OptimizationType,
    /// The coarse state.
    #[schema(value_type = StatusWord)]
    pub status: OptimizationStatus,
    /// The fine state: the change's where there is one, else the recommendation's own.
    #[schema(example = "PENDING_APPROVAL")]
    pub substate: String,
    /// One line.
    pub title: String,
    /// A paragraph.
    pub description: String,
    /// The state it was made from: quantities as text, unknown as null.
    #[schema(value_type = Object)]
    pub current_state: Value,
    /// The state after.
    #[schema(value_type = Object)]
    pub recommended_state: Value,
    /// Exactly which fields change.
    #[schema(value_type = Vec<Object>)]
    pub changes: Vec<FieldChange>,
    /// What it should bring.
    pub expected_improvement: Improvement,
    /// What it saves a month; null when unknown.
    pub saving_month: Option<Money>,
    /// What may go wrong, at most.
    #[schema(value_type = RiskWord)]
    pub risk: Risk,
    /// What drives the risk.
    #[schema(value_type = Object)]
    pub risk_note: RiskNote,
    /// Larger is more urgent.
    pub priority: f64,
    /// The strategy that made it, or `person`.
    pub strategy: String,
    /// `engine`, or the name of the person who proposed it.
    pub proposed_by: String,
    /// Why.
    #[schema(value_type = Vec<Object>)]
    pub evidence: Vec<Evidence>,
    /// What it would have done on the service's own history, beside other policies.
    #[schema(value_type = Vec<Object>)]
    pub replays: Vec<Replay>,
    /// A week of replicas that an autoscaler could follow; null where demand has no season. Not part of what is applied.
    #[schema(value_type = Option<Object>)]
    pub schedule: Option<Predicted>,
    /// The newest change that carries it out; null until submitted.
    pub change_id: Option<String>,
    /// What an approval and an apply have to carry; null until submitted.
    pub plan_hash: Option<String>,
    /// Who submitted it.
    pub requested_by: Option<String>,
    /// Who approved this plan.
    pub approved_by: Vec<String>,
    /// Whether it is in force: applied, and not taken back.
    pub applied: bool,
    /// Cluster time of the write.
    pub applied_at: Option<String>,
    /// Cluster time of the roll-back.
    pub rolled_back_at: Option<String>,
    /// What was measured after it was applied; null before.
    #[schema(value_type = Option<Object>)]
    pub effect: Option<Effect>,
    /// Why it ended, was dismissed or taken back.
    pub reason: Option<String>,
    /// Cluster time at which it is open again by itself, where it was dismissed until then.
    pub dismissed_until: Option<String>,
    /// Why Headroom does not apply it here, if so.
    pub refusal: Option<String>,
    /// Touched fields that are no longer as the plan expects.
    #[schema(value_type = Vec<Object>)]
    pub drift: Vec<Drift>,
    /// What was said, oldest first, the newest 100; in a list nothing, ask for the recommendation itself. The audit has all.
    #[schema(value_type = Vec<Object>)]
    pub comments: Vec<Comment>,
    /// What happened, newest first, the newest 100; in a list nothing, ask for the recommendation itself. The audit has all.
    #[schema(value_type = Vec<Object>)]
    pub timeline: Vec<TimelineEntry>,
    /// The analysis it came from.
    pub job_id: String,
    /// Wall time.
    pub created_at: String,
}

impl From<RecommendationPage> for Recommendation {
    fn from(page: RecommendationPage) -> Self {
        let RecommendationPage { recommendation: r, change, row, .. } = page;
        let reason = change.as_ref().and_then(|c| c.reason.clone()).or(r.reason);
        let reopened = change.as_ref().is_some_and(|c| c.state.reopens());
        let current = change.as_ref().filter(|_| !reopened);
        Self {
            recommendation_id: r.id.to_string(),
            service_name: r.service_name,
            optimization_type: r.proposal.optimization_type,
            status: row.status,
            substate: change.as_ref().map_or_else(|| r.state.to_string(), |c| c.state.to_string()),
            title: r.proposal.title,
            description: r.proposal.description,
            current_state: r.current.api_view(),
            recommended_state: r.proposal.recommended.api_view(),
            changes: r.changes,
            expected_improvement: r.proposal.expected.into(),
            saving_month: r.proposal.saving_month.map(Money::from),
            risk: r.proposal.risk.level,
            risk_note: r.proposal.risk,
            priority: r.proposal.priority,
            strategy: r.proposal.strategy,
            proposed_by: r.proposed_by,
            evidence: r.proposal.evidence,
            replays: r.proposal.replays,
            schedule: r.proposal.schedule,
            dismissed_until: r.dismissed_until.map(|t| t.to_string()),
            change_id: change.as_ref().map(|c| c.id.to_string()),
            plan_hash: current.map(|c| c.plan_hash.to_string()),
            requested_by: change.as_ref().map(|c| c.requested_by.clone()),
            approved_by: current.map(|c| c.approvals.iter().map(|a| a.by.clone()).collect()).unwrap_or_default(),
            applied: change.as_ref().is_some_and(|c| c.applied_at.is_some() && c.rolled_back_at.is_none()),
            applied_at: change.as_ref().and_then(|c| c.applied_at).map(|t| t.to_string()),
            rolled_back_at: change.as_ref().and_then(|c| c.rolled_back_at).map(|t| t.to_string()),
            effect: change.and_then(|c| c.effect),
            reason,
            refusal: page.refusal,
            drift: page.drift,
            comments: page.comments,
            timeline: page.timeline,
            job_id: r.job_id.to_string(),
            created_at: r.created_at.to_string(),
        }
    }
}

/// One analysis with what came of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobAnswer {
    /// Its id.
    pub job_id: String,
    /// The service's name, `team:NAME` or `fleet`.
    pub service_name: String,
    /// The first of the types.
    #[schema(value_type = TypeWord)]
    pub optimization_type: Option<OptimizationType>,
    /// All types it looks for.
    #[schema(value_type = Vec<TypeWord>)]
    pub optimization_types: Vec<OptimizationType>,
    /// The coarse state.
    #[schema(value_type = StatusWord)]
    pub status: OptimizationStatus,
    /// The fine state.
    #[schema(value_type = JobStateWord)]
    pub substate: JobState,
    /// The window.
    #[schema(example = "14d")]
    pub analysis_period: String,
    /// What it recommends.
    pub recommendations: Vec<Recommendation>,
    /// Why there is nothing to recommend, or what broke.
    pub reason: Option<String>,
    /// Forecasts, if they were asked for.
    pub predictions: Vec<Forecast>,
    /// Why `auto_apply` was not honoured, if it was asked for.
    pub auto_apply_refused: Option<String>,
    /// Who asked.
    pub requested_by: String,
    /// Wall time.
    pub created_at: String,
    /// Wall time.
    pub completed_at: Option<String>,
}

impl JobAnswer {
    /// The job with its recommendations.
    pub fn of(job: Job, recommendations: Vec<RecommendationPage>) -> Self {
        Self {
            job_id: job.id.to_string(),
            service_name: job.service_name,
            optimization_type: job.optimization_types.first().copied(),
            optimization_types: job.optimization_types,
            status: job.state.status(),
            substate: job.state,
            analysis_period: job.analysis_period.to_string(),
            recommendations: recommendations.into_iter().map(Recommendation::from).collect(),
            reason: job.reason,
            predictions: job.predictions.into_iter().map(Forecast::from).collect(),
            auto_apply_refused: job.auto_apply_refused,
            requested_by: job.requested_by,
            created_at: job.created_at.to_string(),
            completed_at: job.completed_at.map(|t| t.to_string()),
        }
    }
}

/// A forecast value.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Forecast {
    /// The service's name.
    pub service_name: String,
    /// The metric.
    #[schema(value_type = String, example = "cpu_usage_cores")]
    pub metric: Metric,
    /// Cluster time.
    pub time: String,
    /// Expected value, in the metric's unit.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub lo95: f64,
    /// Upper end of the 95 % interval.
    pub hi95: f64,
}

impl From<Prediction> for Forecast {
    fn from(p: Prediction) -> Self {
        Self { service_name: p.service_name, metric: p.metric, time: p.time.to_string(), mean: p.mean, lo95: p.lo95, hi95: p.hi95 }
    }
}

/// One change in the list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChangeItem {
    /// Its id.
    pub change_id: String,
    /// What it carries out.
    pub recommendation_id: String,
    /// The service's name.
    pub service_name: String,
    /// Owner.
    pub team: String,
    /// One line.
    pub title: String,
    /// The coarse state.
    #[schema(value_type = StatusWord)]
    pub status: OptimizationStatus,
    /// The fine state.
    #[schema(value_type = SubstateWord)]
    pub substate: Substate,
    /// Exactly which fields change.
    #[schema(value_type = Vec<Object>)]
    pub changes: Vec<FieldChange>,
    /// Who submitted it.
    pub requested_by: String,
    /// Who approved it.
    pub approved_by: Vec<String>,
    /// What it promised a month.
    pub promised_month: Option<Money>,
    /// What was achieved a month; null until measured.
    pub achieved_month: Option<Money>,
    /// What was measured.
    #[schema(value_type = Option<Object>)]
    pub effect: Option<Effect>,
    /// Why it ended or was taken back.
    pub reason: Option<String>,
    /// Wall time.
    pub submitted_at: String,
    /// Cluster time.
    pub applied_at: Option<String>,
    /// Cluster time.
    pub rolled_back_at: Option<String>,
    /// How far the observation is, 0 to 1, while it runs.
    pub progress: Option<f64>,
}

impl From<ChangeRow> for ChangeItem {
    fn from(row: ChangeRow) -> Self {
        Self {
            change_id: row.id.to_string(),
            recommendation_id: row.recommendation_id.to_string(),
            service_name: row.service_name,
            team: row.team,
            title: row.title,
            status: row.state.status(),
            substate: row.state,
            changes: row.changes,
            requested_by: row.requested_by,
            approved_by: row.approved_by,
            promised_month: row.promised_month.map(Money::from),
            achieved_month: row.achieved_month.map(Money::from),
            effect: row.effect,
            reason: row.reason,
            submitted_at: row.submitted_at.to_string(),
            applied_at: row.applied_at.map(|t| t.to_string()),
            rolled_back_at: row.rolled_back_at.map(|t| t.to_string()),
            progress: row.progress,
        }
    }
}

/// One entry of the audit chain.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditItem {
    /// Its number in the chain.
    pub seq: i64,
    /// What happened, such as `change.approved`.
    pub event: String,
    /// Who did it.
    pub actor: String,
    /// Wall time.
    pub wall: String,
    /// Cluster time.
    pub cluster: String,
    /// The request that caused it.
    pub request_id: String,
    /// What it is about.
    pub subject_kind: String,
    /// The id of what it is about.
    pub subject: String,
    /// Why.
    pub reason: Option<String>,
    /// The state before.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// The state after.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// The hash of the entry before it, hexadecimal.
    pub prev_hash: String,
    /// The text that is hashed, in the canonical form of RFC 8785.
    pub hashed: String,
    /// The entry's hash, hexadecimal: SHA-256 of `prev_hash` and `hashed`, one after the other.
    pub hash: String,
}

impl From<AuditRow> for AuditItem {
    fn from(row: AuditRow) -> Self {
        let event = row.event;
        Self {
            seq: row.seq,
            event: event.name,
            actor: event.actor,
            wall: event.at.wall.to_string(),
            cluster: event.at.cluster.to_string(),
            request_id: event.request_id,
            subject_kind: event.subject_kind,
            subject: event.subject,
            reason: event.reason,
            before: event.before,
            after: event.after,
            prev_hash: row.prev_hash,
            hashed: row.hashed,
            hash: row.hash,
        }
    }
}

/// The rules that one scope sets.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PolicyItem {
    /// `fleet`, `environment:NAME`, `team:NAME` or `service:ID`.
    pub scope: String,
    /// The scope for people.
    pub label: String,
    /// The rules it sets; the others are inherited.
    #[schema(value_type = Object)]
    pub rules: headroom_model::policy::PolicyPatch,
    /// Who changed it last.
    pub by: String,
    /// Wall time.
    pub at: String,
}

impl From<PolicyRow> for PolicyItem {
    fn from(row: PolicyRow) -> Self {
        Self { scope: row.scope, label: row.label, rules: row.patch, by: row.by, at: row.at.to_string() }
    }
}

/// A refusal or fault (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemAnswer {
    /// A reference to the kind.
    pub r#type: String,
    /// The kind, stable.
    #[schema(example = "plan-mismatch")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, and what to do next.
    pub detail: String,
    /// The field or parameter it is about.
    pub field: Option<String>,
    /// The request, for the log.
    pub request_id: Option<String>,
}
