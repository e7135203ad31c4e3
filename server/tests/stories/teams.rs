//! Who is in some teams sees and touches these teams' services only: every route of the API, every role, one's own team and another's.

use crate::app::{Api, TestApp, answer};
use crate::fleet::{Fleet, Of, ROLES};
use headroom_model::auth::{Permission, Teams};
use headroom_model::policy::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Every route of the API that names one thing: method, path in the description, path, body, permission.
fn routes(of: &Of) -> Vec<(Method, &'static str, String, Value, Permission)> {
    use Permission as P;
    let hash = "0".repeat(64);
    let recommendation = |verb: &str| format!("/optimization/recommendations/{}{verb}", of.recommendation);
    vec![
        (Method::GET, "/services/{service_name}", format!("/services/{}", of.service), Value::Null, P::Read),
        (Method::GET, "/services/{service_name}/insights", format!("/services/{}/insights", of.service), Value::Null, P::Read),
        (Method::GET, "/optimization/jobs/{job_id}", format!("/optimization/jobs/{}", of.job), Value::Null, P::Read),
        (Method::POST, "/optimization/jobs/{job_id}/cancel", format!("/optimization/jobs/{}/cancel", of.job), json!({}), P::Analyze),
        (Method::GET, "/optimization/recommendations/{recommendation_id}", recommendation(""), Value::Null, P::Read),
        (Method::GET, "/benchmarks/{benchmark_id}", format!("/benchmarks/{}", of.benchmark), Value::Null, P::Read),
        (
            Method::POST,
            "/benchmarks/runs",
            "/benchmarks/runs".into(),
            json!({ "suite": "s", "service_name": of.service, "runs": [{ "benchmark": "b", "unit": "ns", "values": [1.0] }] }),
            P::Analyze,
        ),
        (
            Method::POST,
            "/deployments",
            "/deployments".into(),
            json!({ "service_name": of.service, "version": "1.2", "commit": "abc" }),
            P::Analyze,
        ),
        (Method::GET, "/policy", format!("/policy?service_name={}", of.service), Value::Null, P::Read),
        (Method::POST, "/optimization/analyze", "/optimization/analyze".into(), json!({ "service_name": of.service }), P::Analyze),
        (
            Method::POST,
            "/optimization/propose",
            "/optimization/propose".into(),
            json!({ "service_name": of.service, "fields": { "replicas": "many" } }),
            P::Propose,
        ),
        (Method::POST, "/comment", recommendation("/comment"), json!({ "text": "why?" }), P::Comment),
        (Method::POST, "/approve", recommendation("/approve"), json!({ "plan_hash": hash }), P::Approve),
        (Method::POST, "/apply", recommendation("/apply"), json!({ "plan_hash": hash }), P::Apply),
        (Method::POST, "/break-glass", recommendation("/break-glass"), json!({ "reason": "now" }), P::BreakGlass),
        (Method::POST, "/request-changes", recommendation("/request-changes"), json!({ "reason": "less" }), P::Approve),
        (Method::POST, "/reject", recommendation("/reject"), json!({ "reason": "no" }), P::Approve),
        (Method::POST, "/rollback", recommendation("/rollback"), json!({ "reason": "slow" }), P::RollBack),
        (Method::POST, "/withdraw", recommendation("/withdraw"), json!({}), P::Submit),
        (Method::POST, "/reopen", recommendation("/reopen"), json!({}), P::Submit),
        (Method::POST, "/dismiss", recommendation("/dismiss"), json!({ "reason": "later" }), P::Submit),
        (Method::POST, "/submit", recommendation("/submit"), json!({}), P::Submit),
    ]
}

/// Routes that name no single thing; what they list is looked at in the stories below, and who may set rules in `roles`.
const OF_NO_ONE_THING: [(&str, &str); 8] = [
    ("get", "/benchmarks"),
    ("get", "/deployments"),
    ("get", "/services"),
    ("get", "/optimization/recommendations"),
    ("get", "/changes"),
    ("get", "/audit"),
    ("put", "/policy"),
    ("post", "/nothing"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_teams_things_are_not_there() {
    let fleet = Fleet::analysed().await;
    for (user, role) in ROLES {
        let api = fleet.app.api(user).await;
        for (of, own) in [(&fleet.other, false), (&fleet.own, true)] {
            for (method, _, path, body, permission) in routes(of) {
                let (status, problem) = send(&api, &method, &path, &body).await;
                let wanted = match (role.permits(permission), own) {
                    (false, _) => status == 403,
                    (true, false) => status == 404,
                    (true, true) => !matches!(status, 401 | 403 | 404 | 500..),
                };
                assert!(wanted, "{user} {method} {path} of {}: {status} {problem}", of.team);
            }
        }
    }
    // What was refused has left nothing.
    let row = fleet.app.headroom.store().recommendation_row(fleet.other.recommendation.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(row.status.as_str(), "RECOMMENDATIONS_READY");
    let queued = fleet.app.headroom.store().job_rows(50, &Teams::of([fleet.other.team.clone()])).await.unwrap();
    assert_eq!(queued.len(), 1, "the analysis that the story itself asked for");
}

async fn send(api: &Api<'_>, method: &Method, path: &str, body: &Value) -> (u16, Value) {
    let request = api.request(method.clone(), path);
    answer(if body.is_null() { request } else { request.json(body) }.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_sums_and_pages_are_of_ones_own_team() {
    let fleet = Fleet::analysed().await;
    let api = fleet.app.api("her-engineer").await;
    let everybody = fleet.app.api("engineer").await;
    let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
    let (_, fleet_list) = everybody.get("/services?limit=200").await;
    let team_of: BTreeMap<String, String> =
        fleet_list["items"].as_array().unwrap().iter().map(|i| (text(i, "service_name"), text(i, "team"))).collect();
    let benchmarks = async |api: &Api<'_>| {
        let (_, list) = api.get("/benchmarks").await;
        list["items"].as_array().unwrap().iter().map(|i| text(i, "team")).collect::<Vec<_>>()
    };
    assert_eq!(benchmarks(&api).await, std::slice::from_ref(&fleet.own.team));
    assert_eq!(benchmarks(&everybody).await.len(), 2);
    for of in [&fleet.own, &fleet.other] {
        assert_eq!(send(&everybody, &Method::POST, "/deployments", &json!({ "service_name": of.service, "version": "9" })).await.0, 200);
    }
    let (_, first) = everybody.get("/deployments?limit=1").await;
    let (_, second) = everybody.get(&format!("/deployments?limit=1&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!(
        (&first["items"][0]["service_name"], &second["items"][0]["service_name"]),
        (&json!(fleet.other.service), &json!(fleet.own.service))
    );
    assert_eq!((&second["next_cursor"], &second["items"][0]["source"]), (&Value::Null, &json!("told")));
    for (field, value) in [("link", "ftp://a"), ("at", "2999-01-01T00:00:00Z"), ("version", "")] {
        let mut deploy = json!({ "service_name": fleet.own.service, "version": "9" });
        deploy[field] = json!(value);
        let (status, problem) = send(&everybody, &Method::POST, "/deployments", &deploy).await;
        assert_eq!((status, problem["field"].as_str()), (422, Some(field)), "{problem}");
    }
    for path in ["/services?limit=200", "/optimization/recommendations?limit=200", "/deployments?limit=200"] {
        let teams = async |api: &Api<'_>| -> BTreeSet<String> {
            let (_, list) = api.get(path).await;
            list["items"].as_array().unwrap().iter().map(|i| team_of[&text(i, "service_name")].clone()).collect()
        };
        assert_eq!(teams(&api).await, BTreeSet::from([fleet.own.team.clone()]), "{path}");
        assert!(teams(&everybody).await.len() > 1, "{path}");
        if path.starts_with("/deployments") {
            continue;
        }
        let (_, asked) = api.get(&format!("{path}&team={}", fleet.other.team)).await;
        assert_eq!(asked["items"], json!([]), "{path}: asking for another team finds nothing");
    }
    let (_, audit) = api.get("/audit?limit=200").await;
    let text = audit.to_string();
    assert!(text.contains(&fleet.own.recommendation) && !text.contains(&fleet.other.recommendation), "{text}");
    let (status, problem) = send(&api, &Method::POST, "/optimization/analyze", &json!({ "service_name": "fleet" })).await;
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().unwrap().contains("you must be in every team"), "{problem}");
    let team = format!("team:{}", fleet.other.team);
    assert_eq!(send(&api, &Method::POST, "/optimization/analyze", &json!({ "service_name": team })).await.0, 404);

    let mut browser = fleet.app.browser("her-engineer").await;
    for (of, status) in [(&fleet.own, 200), (&fleet.other, 404)] {
        for path in [format!("/services/{}", of.service), format!("/recommendations/{}", of.recommendation)] {
            assert_eq!(browser.get(&path).await.status(), status, "{path}");
        }
    }
    let overview = browser.get("/").await.text().await.unwrap();
    let named =
        |team: &str| overview.match_indices(team).map(|(at, _)| &overview[at.saturating_sub(60)..at + team.len() + 20]).collect::<Vec<_>>();
    assert!(!named(&fleet.own.team).is_empty());
    assert!(named(&fleet.other.team).is_empty(), "{:?}", named(&fleet.other.team));
    let export = browser.get("/audit/export.csv").await.text().await.unwrap();
    assert!(!export.contains(&fleet.other.recommendation));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_and_rules_are_of_ones_own_team() {
    let fleet = Fleet::analysed().await;
    let ctx = fleet.app.headroom.own_context("story");
    let everybody = fleet.app.api("engineer").await;
    let mut scopes = Vec::new();
    for of in [&fleet.own, &fleet.other] {
        let service = fleet.app.headroom.store().service_named(&of.service).await.unwrap().id;
        for scope in [Scope::Team(of.team.clone()), Scope::Service(service.to_string())] {
            fleet.app.headroom.set_policy(&ctx, &scope, "confidence_threshold", "0.5").await.unwrap();
            scopes.push((scope.to_string(), of.team.clone()));
        }
        let submit = format!("/optimization/recommendations/{}/submit", of.recommendation);
        assert_eq!(send(&everybody, &Method::POST, &submit, &json!({})).await.0, 200, "{}", of.service);
    }
    for (user, _) in ROLES {
        let api = fleet.app.api(user).await;
        let services = async |path: &str| -> Vec<String> {
            let (_, list) = api.get(path).await;
            list["items"].as_array().unwrap().iter().map(|i| i["service_name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(services("/changes").await, std::slice::from_ref(&fleet.own.service), "{user}");
        for asked in [format!("team={}", fleet.other.team), format!("service_name={}", fleet.other.service)] {
            assert!(services(&format!("/changes?{asked}")).await.is_empty(), "{user}: {asked}");
        }
        let (_, rules) = api.get("/policy").await;
        let seen: BTreeSet<&str> = rules["items"].as_array().unwrap().iter().map(|i| i["scope"].as_str().unwrap()).collect();
        for (scope, team) in &scopes {
            assert_eq!(seen.contains(scope.as_str()), *team == fleet.own.team, "{user}: {scope}");
        }
        assert!(seen.contains("fleet") && !rules.to_string().contains(&fleet.other.service), "{user}: {rules}");
    }
    let (_, changes) = everybody.get("/changes").await;
    assert_eq!(changes["items"].as_array().unwrap().len(), 2);
    let (_, rules) = everybody.get("/policy").await;
    assert!(scopes.iter().all(|(scope, _)| rules.to_string().contains(scope)), "{rules}");
}

/// A route that is added has to be looked at here, too.
#[tokio::test]
async fn every_route_of_the_description_is_looked_at() {
    let app = TestApp::start().await;
    let description: Value = app.request(Method::GET, "/api/openapi.json").send().await.unwrap().json().await.unwrap();
    let of =
        Of { team: String::new(), service: String::new(), recommendation: String::new(), job: String::new(), benchmark: String::new() };
    let looked_at = routes(&of);
    let mut count = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        let short = path.strip_prefix("/api/v1").unwrap_or(path);
        for method in item.as_object().unwrap().keys() {
            let known = looked_at.iter().any(|r| {
                r.0.as_str().eq_ignore_ascii_case(method)
                    && (r.1 == short || short == format!("/optimization/recommendations/{{recommendation_id}}{}", r.1))
            });
            assert!(known || OF_NO_ONE_THING.contains(&(method.as_str(), short)), "{method} {path} is not looked at");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
