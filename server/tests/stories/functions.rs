//! The pages' server functions: every one that names a thing, every role, one's own team's and another's; what the others list is of
//! one's own team.

use crate::app::{Browser, TestApp};
use crate::fleet::{Fleet, Of, ROLES};
use headroom_model::auth::Permission;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a function takes: the arguments of a read, or the fields of a form.
enum Sent {
    Json(Value),
    Form(Vec<(&'static str, String)>),
}

/// Every function that names one thing of a team: address, what is sent, permission.
fn functions(of: &Of) -> Vec<(&'static str, Sent, Permission)> {
    use Permission as P;
    let read = |path, arguments: Value| (path, Sent::Json(arguments), P::Read);
    let act = |path, mut fields: Vec<(&'static str, String)>, permission| {
        fields.push(("id", of.recommendation.clone()));
        (path, Sent::Form(fields), permission)
    };
    let hash = || ("plan_hash", "0".repeat(64));
    let reason = || ("reason", "because".to_owned());
    let service = || ("service_name", of.service.clone());
    vec![
        read("service", json!({ "name": of.service })),
        read("service/charts", json!({ "name": of.service, "range": "1d" })),
        read("service/insights", json!({ "name": of.service, "at": null })),
        read("recommendation", json!({ "id": of.recommendation })),
        read("recommendation/charts", json!({ "id": of.recommendation })),
        read("recommendation/insights", json!({ "id": of.recommendation })),
        read("benchmark", json!({ "id": of.benchmark })),
        read("benchmark/chart", json!({ "id": of.benchmark })),
        ("analyze", Sent::Form(vec![service()]), P::Analyze),
        ("job/cancel", Sent::Form(vec![("id", of.job.clone())]), P::Analyze),
        ("propose", Sent::Form(vec![service(), reason(), ("fields[replicas]", "many".to_owned())]), P::Propose),
        act("recommendation/comment", vec![("text", "why?".to_owned())], P::Comment),
        act("recommendation/approve", vec![hash()], P::Approve),
        act("recommendation/apply", vec![hash()], P::Apply),
        act("recommendation/break-glass", vec![reason()], P::BreakGlass),
        act("recommendation/request-changes", vec![reason()], P::Approve),
        act("recommendation/reject", vec![reason()], P::Approve),
        act("recommendation/roll-back", vec![reason()], P::RollBack),
        act("recommendation/withdraw", vec![], P::Submit),
        act("recommendation/reopen", vec![], P::Submit),
        act("recommendation/dismiss", vec![reason()], P::Submit),
        act("recommendation/submit", vec![], P::Submit),
    ]
}

/// Reads that name no single thing.
const LISTS: [(&str, &str); 15] = [
    ("overview", "{}"),
    ("overview/ledger", "{}"),
    ("frame", "{}"),
    ("services", "{\"query\":{\"limit\":200}}"),
    ("services", "{\"query\":{\"team\":\"OTHER\"}}"),
    ("recommendations", "{\"query\":{\"view\":\"all\",\"limit\":200}}"),
    ("recommendations", "{\"query\":{\"view\":\"all\",\"team\":\"OTHER\"}}"),
    ("changes", "{\"query\":{}}"),
    ("changes", "{\"query\":{\"team\":\"OTHER\"}}"),
    ("audit", "{\"query\":{\"limit\":200}}"),
    ("benchmarks", "{\"query\":{}}"),
    ("benchmarks/suites", "{}"),
    ("jobs", "{}"),
    ("teams", "{}"),
    ("policies", "{}"),
];

/// Several things at once, looked at by itself; and what is no team's: oneself, users, rules, colours.
const OTHERS: [&str; 17] = [
    "recommendations/submit",
    "account",
    "entry",
    "provider",
    "second-factor",
    "session/end",
    "session/end-others",
    "theme",
    "token/create",
    "token/revoke",
    "tokens",
    "users",
    "user/create",
    "user/lock",
    "user/reset",
    "user/role",
    "policy/set",
];

/// The kind of problem that a function answers with, if it does, and all that it says.
async fn call(browser: &mut Browser<'_>, path: &str, sent: &Sent, key: &str) -> (Option<String>, String) {
    let request = browser.app.request(Method::POST, &format!("/fn/{path}"));
    let request = request.header("accept", "application/json").header("sec-fetch-site", "same-origin");
    let request = match sent {
        Sent::Json(arguments) => request.json(arguments),
        Sent::Form(fields) => {
            let fields = fields.iter().map(|(name, value)| (*name, value.clone())).chain([("key", key.to_owned())]);
            let pairs: Vec<String> = fields.map(|(name, value)| format!("{name}={}", headroom_server::identity::encode(&value))).collect();
            request.header("content-type", "application/x-www-form-urlencoded").body(pairs.join("&"))
        }
    };
    let response = browser.send(request).await;
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let said: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text:?}"));
    assert_eq!(said["kind"].as_str().map_or(200, |_| said["status"].as_u64().unwrap()), u64::from(status), "{path}: {text}");
    (said["kind"].as_str().map(str::to_owned), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_teams_things_are_not_there_for_pages_either() {
    let fleet = Fleet::analysed().await;
    let mut sent_so_far = 0;
    for (user, role) in ROLES {
        let mut browser = fleet.app.browser(user).await;
        for (of, own) in [(&fleet.other, false), (&fleet.own, true)] {
            for (path, sent, permission) in functions(of) {
                sent_so_far += 1;
                let (kind, said) = call(&mut browser, path, &sent, &format!("key-{sent_so_far}")).await;
                let kind = kind.as_deref();
                let wanted = match (role.permits(permission), own) {
                    // It looks at the service before it asks whether somebody may propose anything for it.
                    (false, false) if path == "propose" => kind == Some("not-found"),
                    (false, _) => kind == Some("forbidden"),
                    (true, false) => kind == Some("not-found"),
                    (true, true) => !matches!(kind, Some("unauthenticated" | "forbidden" | "not-found" | "malformed" | "internal")),
                };
                assert!(wanted, "{user} {path} of {}: {said}", of.team);
            }
        }
        let fields = vec![("ids[0]", fleet.other.recommendation.clone())];
        let (kind, said) = call(&mut browser, "recommendations/submit", &Sent::Form(fields), &format!("several-{user}")).await;
        let refused = if role.permits(Permission::Submit) { "there is no recommendation" } else { "you need the role" };
        assert!(kind.as_deref() == Some("conflict") && said.contains(refused), "{user}: {said}");
    }
    let row = fleet.app.headroom.store().recommendation_row(fleet.other.recommendation.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(row.status.as_str(), "RECOMMENDATIONS_READY", "what was refused has left nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_pages_list_is_of_ones_own_team() {
    let fleet = Fleet::analysed().await;
    let (mut browser, mut everybody) = (fleet.app.browser("her-engineer").await, fleet.app.browser("engineer").await);
    let other = [&fleet.other.service, &fleet.other.recommendation, &fleet.other.job, &fleet.other.benchmark, &fleet.other.team];
    let names = |text: &str| other.iter().filter(|name| text.contains(&format!("\"{name}\""))).count();
    let mut found = 0;
    for (path, arguments) in LISTS {
        let arguments: Value = serde_json::from_str(&arguments.replace("OTHER", &fleet.other.team)).unwrap();
        let (kind, said) = call(&mut browser, path, &Sent::Json(arguments.clone()), "").await;
        assert_eq!((kind, names(&said)), (None, 0), "{path} {arguments}: {said}");
        let (_, all) = call(&mut everybody, path, &Sent::Json(arguments), "").await;
        found += names(&all);
    }
    assert!(found > 8, "who is in every team finds the other's things: {found}");
}

#[tokio::test]
async fn what_cannot_be_read_is_the_askers_fault() {
    let app = TestApp::start().await;
    let mut browser = app.browser("engineer").await;
    let (kind, said) = call(&mut browser, "service", &Sent::Form(vec![("name", "x".to_owned())]), "").await;
    assert_eq!(kind.as_deref(), Some("malformed"), "{said}");
}

/// A function that is added has to be looked at here, too.
#[tokio::test]
async fn every_function_is_looked_at() {
    let of =
        Of { team: String::new(), service: String::new(), recommendation: String::new(), job: String::new(), benchmark: String::new() };
    let looked_at: BTreeSet<&str> = functions(&of).iter().map(|f| f.0).chain(LISTS.iter().map(|l| l.0)).chain(OTHERS).collect();
    let all: BTreeSet<&str> = leptos::server_fn::axum::server_fn_paths().map(|(path, _)| path.trim_start_matches("/fn/")).collect();
    let missing: Vec<&&str> = all.difference(&looked_at).collect();
    assert!(missing.is_empty() && all.len() > 30, "not looked at: {missing:?}");
}
