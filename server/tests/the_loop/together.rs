//! Two Headrooms on one PostgreSQL share the work; when one is killed in the middle of a change, the other carries it on, and the
//! target saw every write once.

use crate::processes::Place;
use crate::{Api, text};
use headroom_infra::Infrastructure;
use headroom_infra::simulator::Client as Simulator;
use reqwest::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn api(address: &str, token: &str) -> Api {
    headroom_infra::install_tls();
    Api { base: format!("{address}/api/v1"), token: token.to_owned(), client: Client::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_began_another_ends() {
    let place = Place::new("postgres", 34, 600).await;
    let (engineer, approver) = (place.user("engineer", "engineer"), place.user("approver", "approver"));
    let ((one, at_one), (_two, at_two)) = (place.serve(), place.serve());

    // One process looks at the cluster; both show it.
    let (asks, decides) = (api(&at_one, &engineer), api(&at_two, &approver));
    asks.until("/services?limit=1", |list| !list["items"].as_array().unwrap().is_empty()).await;
    decides.until("/optimization/recommendations?limit=1", |list| !list["items"].as_array().unwrap().is_empty()).await;
    let found = proposal(&asks).await;
    let id = text(&found, "recommendation_id");
    let (status, submitted) = asks.act(id, "submit", json!({})).await;
    assert_eq!(status, 200, "{submitted}");
    let plan = json!({ "plan_hash": text(&submitted, "plan_hash") });
    let (status, approved) = decides.act(id, "approve", plan.clone()).await;
    assert_eq!(status, 200, "{approved}");
    let (status, applying) = api(&at_one, &approver).act(id, "apply", plan).await;
    assert_eq!(status, 202, "{applying}");
    drop(one);

    let began = Instant::now();
    let path = format!("/optimization/recommendations/{id}");
    let after = decides.until(&path, |r| ["OBSERVING", "APPLIED"].contains(&r["substate"].as_str().unwrap_or_default())).await;
    assert!(began.elapsed() < Duration::from_secs(60), "taken over after {:?}", began.elapsed());
    let change: headroom_model::ids::ChangeId = text(&after, "change_id").parse().unwrap();
    let seen = Simulator::connect(&place.simulator, &headroom_infra::Allowed::default()).await.unwrap().mutations(change).await.unwrap();
    assert_eq!(seen.len(), 1, "{seen:?}");

    // The one that is left also looks at the cluster now.
    let newest = newest_sample(&decides, &found).await;
    decides.until(&service_path(&found), |s| latest(s) > newest.clone()).await;
    assert!(place.said(&["verify-audit"]).contains("every link holds"));
    let doctor = place.said(&["doctor"]);
    for part in ["ok    configuration", "ok    database", "ok    audit chain", "ok    clock", "ok    target", "ok    source"] {
        assert!(doctor.contains(part), "{doctor}");
    }
}

/// A resource recommendation of a service that Headroom may write to.
async fn proposal(api: &Api) -> Value {
    let path = "/optimization/recommendations?optimization_type=RESOURCE_OPTIMIZATION&limit=200";
    let ours = |r: &&Value| r["refusal"].is_null() && r["substate"] == "OPEN" && text(r, "risk") == "low";
    let list = api.until(path, |list| list["items"].as_array().unwrap().iter().any(|r| ours(&r))).await;
    list["items"].as_array().unwrap().iter().find(ours).unwrap().clone()
}

fn service_path(found: &Value) -> String {
    format!("/services/{}", text(found, "service_name"))
}

fn latest(service: &Value) -> String {
    service["latest_metrics"]["cpu_usage_cores"]["at"].as_str().unwrap_or_default().to_owned()
}

async fn newest_sample(api: &Api, found: &Value) -> String {
    latest(&api.get(&service_path(found)).await)
}
