//! What is seen in services beyond their size, on a simulated cluster in which something goes wrong.

use crate::house::House;
use headroom_infra::Infrastructure;
use headroom_model::auth::{Role, Teams};
use headroom_model::chart::Ink;
use headroom_model::deployment::Deploy;
use headroom_model::metric::Metric;
use headroom_model::plan::FieldChange;
use headroom_model::service::Service;
use headroom_model::view::{Insights, Outlook};
use headroom_service::Error;
use std::time::{Duration, Instant};

/// The service that is starved, and one that calls it.
const STARVED: &str = "session-store";
const CALLER: &str = "api-gateway";
const PATIENCE: Duration = Duration::from_secs(120);

async fn named(house: &House, name: &str) -> Service {
    house.headroom.store().service_named(name).await.unwrap()
}

/// Somebody writes a CPU limit into the cluster, past Headroom.
async fn limited(house: &House, name: &str, cpu: &str) {
    let service = named(house, name).await;
    let fields = house.simulator.read(&service.key).await.unwrap().state.fields();
    let edits: Vec<FieldChange> = fields
        .into_iter()
        .filter(|(field, _)| field.starts_with("containers.") && field.ends_with(".cpu"))
        .map(|(field, from)| FieldChange { field, from: Some(from), to: Some(cpu.to_owned()) })
        .collect();
    assert!(edits.len() >= 2, "a request and a limit: {edits:?}");
    house.simulator.edit(&service.key, &edits).await.unwrap();
}

async fn seen(house: &House, name: &str) -> Insights {
    house.headroom.insights(&house.engineer(), name, None).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_starved_service_is_an_anomaly_of_its_caller_and_its_cause() {
    let house = House::start(1800.0).await;
    let before = seen(&house, CALLER).await;
    let edited = house.headroom.clocks().cluster;
    let deploy = Deploy { version: "1.1.0".into(), at: Some(house.headroom.clocks().wall.plus_secs(-900)), ..Deploy::default() };
    let deployed = house.headroom.record_deployment(&house.engineer(), STARVED, &deploy).await.unwrap();
    limited(&house, STARVED, "10m").await;
    let began = Instant::now();
    let found = loop {
        let now = seen(&house, CALLER).await;
        let causes = now.causes.clone().filter(|c| c.at.secs() >= edited.secs() - 600 && !c.suspects.is_empty());
        if let Some(causes) = causes {
            break causes;
        }
        assert!(began.elapsed() < PATIENCE, "no anomaly since {edited}: {:?}; before {:?}", now.anomalies, before.anomalies);
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!([Metric::LatencyP95, Metric::LatencyP99, Metric::ErrorRatio].contains(&found.metric), "{found:?}");
    assert!(found.looked_at >= 3, "{found:?}");
    let first = &found.suspects[0];
    assert_eq!((first.service_name.as_str(), first.metric), (STARVED, Some(Metric::CpuThrottled)), "{found:?}");
    assert!(first.reason.starts_with("throttled time in % rose from"), "{}", first.reason);
    assert_eq!(first.after.as_deref(), Some("1.1.0 deployed"), "{found:?}");
    let own = seen(&house, STARVED).await;
    assert!(own.anomalies.iter().any(|a| a.metric == Metric::LatencyP99 && a.observed > 2.0 * a.usual), "{:?}", own.anomalies);

    let marks = house.headroom.service_charts(&house.engineer(), STARVED, headroom_model::time::Span::days(1)).await.unwrap();
    let latency = marks.iter().find(|c| c.title == "Latency").unwrap();
    assert!(latency.marks.iter().any(|m| m.label == "anomaly"), "{:?}", latency.marks);
    let at = deployed.cluster_at.secs();
    assert!(latency.marks.iter().any(|m| (m.at, m.ink) == (at, Ink::Aside)), "{:?}", latency.marks);

    // Who does not see the starved service's team is not told of it.
    let team = named(&house, CALLER).await.team;
    let hers = house.in_teams("gwen", Role::Viewer, Teams::of([team]));
    let other = house.in_teams("otto", Role::Viewer, Teams::of(["verification"]));
    assert!(house.headroom.insights(&hers, CALLER, None).await.is_ok());
    assert!(matches!(house.headroom.insights(&other, CALLER, None).await, Err(Error::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_has_forecasts_and_classes() {
    let house = House::start(60.0).await;
    assert_eq!(seen(&house, CALLER).await.class, None, "before the fleet is analysed");
    house.analysed().await;
    let (insights, charts) = house.headroom.insights(&house.engineer(), CALLER, None).await.unwrap();
    assert_eq!(charts.len(), insights.forecasts.len());
    let metrics: Vec<Metric> = insights.forecasts.iter().map(|f| f.metric).collect();
    assert_eq!(metrics, [Metric::CpuUsage, Metric::MemoryWorkingSet, Metric::RequestRate]);
    for forecast in &insights.forecasts {
        let Outlook::Ahead(ahead) = &forecast.outlook else { panic!("two weeks are enough: {forecast:?}") };
        assert_eq!(ahead.steps.len(), 7 * 24);
        assert!(ahead.steps.iter().all(|s| s.lo95 <= s.mean && s.mean <= s.hi95), "{forecast:?}");
        assert!(ahead.error.is_some() && ahead.origins > 0 && !ahead.method.is_empty(), "{forecast:?}");
    }
    let memory = charts.iter().find(|c| c.title == "Memory per replica").unwrap();
    assert!(memory.thresholds.iter().any(|t| t.label == "limit"), "{:?}", memory.thresholds);
    let volume = seen(&house, "tick-archive").await.forecasts.into_iter().find(|f| f.metric == Metric::VolumeUsed).unwrap();
    let Outlook::Ahead(volume) = volume.outlook else { panic!("two weeks are enough") };
    let full = volume.runs_out.unwrap();
    assert!(full.earliest.is_some() && full.earliest <= full.likely.or(full.earliest), "its volume fills up: {full:?}");

    let class = insights.class.expect("34 services make classes");
    assert!(!class.name.is_empty() && class.members >= 1 && (0.0..=1.0).contains(&class.fit), "{class:?}");
    let mut compared = 0;
    for service in house.headroom.store().all_services().await.unwrap() {
        let class = house.headroom.store().class_of(service.id).await.unwrap().expect("every service has samples");
        assert!(class.standing.iter().all(|c| (0.0..=100.0).contains(&c.percentile) && c.peers >= 3), "{class:?}");
        compared += usize::from(!class.standing.is_empty());
    }
    assert!(compared >= 20, "{compared} of 34 services are compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_samples_nothing_is_said() {
    let clock = crate::house::Clock::new();
    let house = House::by_hand("sqlite", &clock, crate::house::CALL).await;
    let insights = seen(&house, "market-data-api").await;
    assert_eq!((insights.forecasts, insights.anomalies), (Vec::new(), Vec::new()));
    assert_eq!((insights.class, insights.causes), (None, None));
}
