//! What is noted of what Headroom does by itself, and that whoever takes the chain away can check it.

use crate::fleet::Fleet;
use headroom_model::auth::{OpContext, Person, Role, Teams};
use headroom_model::policy::Scope;
use headroom_model::view::{AnalyzeRequest, AuditQuery};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_begin_of_an_analysis_and_the_end_of_what_it_replaces_are_noted() {
    let fleet = Fleet::analysed().await;
    let headroom = &fleet.app.headroom;
    // Nothing is proposed on so little data any more.
    headroom.set_policy(&headroom.own_context("story"), &Scope::Fleet, "min_data_points", "100000").await.unwrap();
    let person = Person { name: "engineer".to_owned(), role: Role::Engineer, teams: Teams::ALL };
    let ctx = OpContext::of(person, "story".to_owned(), headroom.clocks());
    let request = AnalyzeRequest { service_name: fleet.own.service.clone(), ..AnalyzeRequest::default() };
    let job = headroom.analyze(&ctx, &request).await.unwrap().id;
    while !headroom.job(&ctx, job).await.unwrap().0.state.ended() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let about = headroom.store().events_about(&[job.to_string()], &[], 100).await.unwrap();
    let names: Vec<&str> = about.iter().rev().map(|row| row.event.name.as_str()).collect();
    assert_eq!((names.len(), &names[..2]), (3, &["job.queued", "job.analyzing"][..]), "{names:?}");
    let about = headroom.store().events_about(std::slice::from_ref(&fleet.own.recommendation), &[], 100).await.unwrap();
    let newest = &about[0].event;
    assert_eq!((newest.name.as_str(), newest.actor.as_str()), ("recommendation.superseded", "headroom"));
    assert!(newest.service_id.is_some() && newest.reason.as_deref().is_some_and(|why| why.contains("no longer")), "{newest:?}");
    // Whoever sees the service sees that.
    let mine = AuditQuery { event: "recommendation.superseded".into(), ..AuditQuery::default() };
    let team = |of: &crate::fleet::Of| Teams::of([of.team.clone()]);
    assert!(headroom.store().audit_rows(&mine, "nobody", &team(&fleet.own)).await.unwrap().total > 0);
    assert_eq!(headroom.store().audit_rows(&mine, "nobody", &team(&fleet.other)).await.unwrap().total, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_takes_the_chain_away_can_check_it() {
    let fleet = Fleet::analysed().await;
    let mut browser = fleet.app.browser("manager").await;
    let text = browser.get("/audit/export.json").await.text().await.unwrap();
    let mut entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    entries.reverse();
    assert!(entries.len() > 20, "{}", entries.len());
    let mut before = "0".repeat(64);
    for entry in &entries {
        assert_eq!(entry["prev_hash"], before.as_str(), "{entry}");
        let hashed = entry["hashed"].as_str().unwrap();
        before = hex::encode(Sha256::new().chain_update(&before).chain_update(hashed).finalize());
        assert_eq!(entry["hash"], before.as_str(), "{entry}");
        let content: Value = serde_json::from_str(hashed).unwrap();
        assert_eq!((&content["name"], &content["actor"]), (&entry["event"], &entry["actor"]));
        assert_eq!(content["team"].is_null(), content["service_id"].is_null(), "whoever sees it is under the hash: {content}");
    }
    let newest = entries.last().unwrap();
    let noted = ["event", "actor", "subject", "reason"].map(|name| newest[name].as_str().unwrap());
    assert_eq!(noted, ["audit.exported", "manager", "json", "all of it"]);
    let csv = browser.get("/audit/export.csv?event=audit.").await.text().await.unwrap();
    let head = csv.lines().next().unwrap();
    assert!(head.ends_with(",prev_hash,hashed,hash"), "{head}");
    assert!(csv.contains(",event = audit.,") && csv.contains("\"\"form\"\":2"), "{csv}");
}
