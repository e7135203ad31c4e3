//! Small services, recommendations and changes to tell stories with.

use headroom_model::change::{Approval, Change, Substate};
use headroom_model::event::Event;
use headroom_model::ids::{ChangeId, JobId, RecommendationId, ServiceId};
use headroom_model::job::{Job, JobScope, JobState, OptimizationType};
use headroom_model::metric::Metric;
use headroom_model::plan::Plan;
use headroom_model::recommendation::{
    Driver, ExpectedImprovement, Proposal, Recommendation, RecommendationState, Risk, RiskNote, UseBar, Verdict,
};
use headroom_model::service::{Container, Managed, ResourceState, Service, ServiceKey};
use headroom_model::time::{Clocks, Span, Timestamp};
use headroom_model::units::{Confidence, Currency, Money};
use headroom_store::{Error, ServiceSummary, Store};
use uuid::Uuid;

pub const CLUSTER: &str = "demo";

/// Seconds after an arbitrary Monday.
pub fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

pub fn usd(units: f64) -> Money {
    Money::from_units(units, Currency::USD)
}

pub fn service_in(cluster: &str, namespace: &str, name: &str, team: &str) -> Service {
    let key = ServiceKey { cluster: cluster.into(), namespace: namespace.into(), kind: "Deployment".into(), name: name.into() };
    let container = Container { cpu_request: Some("2".parse().unwrap()), ..Container::default() };
    Service {
        id: ServiceId(Uuid::now_v7()),
        uid: format!("uid-{name}"),
        key,
        team: team.into(),
        environment: "production".into(),
        labels: [("app".to_owned(), name.to_owned())].into(),
        state: ResourceState { containers: [("api".to_owned(), container)].into(), replicas: Some(3), ..ResourceState::default() },
        calls: vec!["other".into()],
        managed: Managed::Direct,
    }
}

pub fn service(name: &str) -> Service {
    service_in(CLUSTER, "prices", name, "trading")
}

/// Stores services, as one inventory of their cluster.
pub async fn with_services(store: &Store, services: &[Service]) {
    let mut tx = store.begin().await.unwrap();
    tx.put_inventory(&services[0].key.cluster, services, at(0)).await.unwrap();
    tx.commit().await.unwrap();
}

/// A stored service.
pub async fn stored_service(store: &Store, name: &str) -> Service {
    let service = service(name);
    let mut tx = store.begin().await.unwrap();
    tx.put_cluster(&headroom_store::Cluster { name: CLUSTER.into(), kind: "simulated".into(), created_at: at(0), newest_sample: None })
        .await
        .unwrap();
    tx.put_service(&service, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    service
}

pub fn bar(metric: Metric, peak: f64, request: Option<f64>, proposed: Option<f64>) -> UseBar {
    UseBar { metric, p50: peak / 2.0, p99: peak * 0.9, peak, request, proposed }
}

pub fn summary(service: &Service, cost: Option<f64>) -> ServiceSummary {
    ServiceSummary {
        service_id: service.id,
        verdict: Verdict::Over,
        cpu: Some(bar(Metric::CpuUsage, 1.0, Some(2.0), Some(1.2))),
        memory: None,
        latency_p99_ms: Some(120.5),
        request_rate: None,
        cost_month: cost.map(usd),
        idle_share: cost.map(|_| 0.5),
        spark: vec![Some(0.5), None, Some(0.75)],
        findings: Vec::new(),
        no_action: Some("nothing to gain".into()),
        analysed_at: at(60),
    }
}

pub fn recommendation(service: &Service) -> Recommendation {
    let mut recommended = service.state.clone();
    recommended.set("containers.api.requests.cpu", Some("1")).unwrap();
    let changes = Plan::difference(&service.state, &recommended);
    Recommendation {
        id: RecommendationId(Uuid::now_v7()),
        job_id: JobId(Uuid::now_v7()),
        service_id: service.id,
        service_name: service.key.name.clone(),
        team: service.team.clone(),
        current: service.state.clone(),
        proposal: Proposal {
            strategy: "cpu_right_size".into(),
            optimization_type: OptimizationType::Resource,
            title: "CPU 2 → 1".into(),
            description: "It uses half a core.".into(),
            recommended,
            expected: ExpectedImprovement {
                performance_gain_percent: 0.0,
                cost_reduction_percent: Some(50.0),
                latency_reduction_ms: 0.0,
                confidence: Confidence::clamped(0.9),
                uncorrected: Some(Confidence::clamped(0.8)),
            },
            confidence_drivers: vec![Driver { text: "it held on 9 of 10 days".into(), effect: 0.33 }],
            saving_month: Some(usd(40.0)),
            evidence: Vec::new(),
            replays: Vec::new(),
            risk: RiskNote { level: Risk::Low, reasons: vec!["slack".into()], dimensions: Vec::new() },
            priority: 10.0,
            cure: false,
            bars: vec![bar(Metric::CpuUsage, 0.5, Some(2.0), Some(1.0))],
            schedule: None,
        },
        changes,
        state: RecommendationState::Open,
        reason: None,
        dismissed_until: None,
        proposed_by: "engine".into(),
        created_at: at(100),
        data_until: at(90),
        window: Span::days(14),
    }
}

pub async fn stored_recommendation(store: &Store, recommendation: &Recommendation) {
    let mut tx = store.begin().await.unwrap();
    tx.put_recommendation(recommendation).await.unwrap();
    tx.commit().await.unwrap();
}

pub fn change(service: &Service, recommendation: &Recommendation, state: Substate) -> Change {
    let plan = Plan {
        service_id: service.id,
        target: service.key.clone(),
        uid: service.uid.clone(),
        changes: recommendation.changes.clone(),
        policy_hash: "policy".into(),
    };
    let plan_hash = plan.hash();
    Change {
        id: ChangeId(Uuid::now_v7()),
        recommendation_id: recommendation.id,
        service_id: service.id,
        service_name: service.key.name.clone(),
        team: service.team.clone(),
        plan,
        plan_hash: plan_hash.clone(),
        state,
        requested_by: "engineer".into(),
        approvals_required: 1,
        approvals: vec![Approval { by: "approver".into(), plan_hash, at: at(210) }],
        reason: None,
        version: 0,
        submitted_at: at(200),
        expires_at: at(900_000),
        not_before: at(0),
        apply_requested_by: None,
        break_glass: None,
        applied_at: None,
        verified_at: None,
        rolled_back_at: None,
        effect: None,
        promised_month: Some(usd(40.0)),
    }
}

/// Stores a change of a new recommendation for a new service.
pub async fn stored_change(store: &Store, name: &str, state: Substate) -> (Service, Recommendation, Change) {
    let service = stored_service(store, name).await;
    let recommendation = recommendation(&service);
    stored_recommendation(store, &recommendation).await;
    let change = change(&service, &recommendation, state);
    insert_change(store, &change).await.unwrap();
    (service, recommendation, change)
}

pub async fn insert_change(store: &Store, change: &Change) -> Result<(), Error> {
    let mut tx = store.begin().await.unwrap();
    tx.insert_change(change).await?;
    tx.commit().await
}

pub async fn save_change(store: &Store, change: &Change, expected: u64) -> Result<(), Error> {
    let mut tx = store.begin().await.unwrap();
    tx.save_change(change, expected).await?;
    tx.commit().await
}

pub fn job(service: &Service) -> Job {
    Job {
        id: JobId(Uuid::now_v7()),
        scope: JobScope::Service(service.id),
        service_name: service.key.name.clone(),
        optimization_types: vec![OptimizationType::Cost, OptimizationType::Latency],
        analysis_period: Span::days(14),
        include_predictions: false,
        auto_apply: false,
        state: JobState::Queued,
        reason: None,
        auto_apply_refused: None,
        requested_by: "engineer".into(),
        created_at: at(10),
        completed_at: None,
        predictions: Vec::new(),
        recommendations: Default::default(),
    }
}

pub fn event(name: &str, kind: &str, subject: &str) -> Event {
    Event {
        name: name.into(),
        actor: "approver".into(),
        at: Clocks { wall: at(1), cluster: at(2) },
        request_id: "r-1".into(),
        subject_kind: kind.into(),
        subject: subject.into(),
        service_id: None,
        reason: Some("because 100% sure".into()),
        before: None,
        after: Some(serde_json::json!({"z": 1, "a": [1.5, "ü"]})),
    }
}

pub async fn record(store: &Store, event: &Event) -> i64 {
    let mut tx = store.begin().await.unwrap();
    let seq = tx.record(event).await.unwrap();
    tx.commit().await.unwrap();
    seq
}
