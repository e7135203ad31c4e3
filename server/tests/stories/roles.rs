//! Every role and every act: who may, and what the others are told.

use crate::app::{TestApp, answer};
use headroom_model::auth::{Permission, Role};
use reqwest::Method;
use serde_json::{Value, json};

const NOBODY: &str = "0199a000-0000-7000-8000-000000000000";

fn acts() -> Vec<(Method, String, Value, Permission)> {
    let hash = "0".repeat(64);
    let on = |verb: &str| format!("/optimization/recommendations/{NOBODY}/{verb}");
    vec![
        (Method::POST, "/optimization/analyze".into(), json!({ "service_name": "nothing" }), Permission::Analyze),
        (Method::POST, format!("/optimization/jobs/{NOBODY}/cancel"), json!({}), Permission::Analyze),
        (Method::POST, "/optimization/propose".into(), json!({ "service_name": "nothing", "fields": {} }), Permission::Propose),
        (Method::POST, on("submit"), json!({}), Permission::Submit),
        (Method::POST, on("withdraw"), json!({}), Permission::Submit),
        (Method::POST, on("dismiss"), json!({ "reason": "later" }), Permission::Submit),
        (Method::POST, on("reopen"), json!({}), Permission::Submit),
        (Method::POST, on("comment"), json!({ "text": "why?" }), Permission::Comment),
        (Method::POST, on("approve"), json!({ "plan_hash": hash }), Permission::Approve),
        (Method::POST, on("request-changes"), json!({ "reason": "less" }), Permission::Approve),
        (Method::POST, on("break-glass"), json!({ "reason": "now" }), Permission::BreakGlass),
        (Method::POST, on("reject"), json!({ "reason": "no" }), Permission::Approve),
        (Method::POST, on("apply"), json!({ "plan_hash": hash }), Permission::Apply),
        (Method::POST, on("rollback"), json!({ "reason": "slow" }), Permission::RollBack),
        (
            Method::POST,
            "/benchmarks/runs".into(),
            json!({ "suite": "s", "runs": [{ "benchmark": "b", "unit": "ns", "values": [1.0] }] }),
            Permission::Analyze,
        ),
        (Method::POST, "/deployments".into(), json!({ "service_name": "nothing", "version": "1.2" }), Permission::Analyze),
        (Method::PUT, "/policy".into(), json!({ "key": "max_recommendations", "value": 7 }), Permission::ManagePolicy),
    ]
}

#[tokio::test]
async fn each_role_may_what_it_may_and_is_told_what_is_missing() {
    let app = TestApp::start().await;
    let users = [
        ("viewer", Role::Viewer),
        ("manager", Role::Manager),
        ("engineer", Role::Engineer),
        ("approver", Role::Approver),
        ("admin", Role::Administrator),
    ];
    for (user, role) in users {
        let api = app.api(user).await;
        for path in ["/services", "/optimization/recommendations", "/changes", "/audit", "/policy", "/benchmarks", "/deployments"] {
            assert_eq!(api.get(path).await.0, 200, "{user} reads {path}");
        }
        for (method, path, body, permission) in acts() {
            let (status, problem) = answer(api.request(method, &path).json(&body).send().await.unwrap()).await;
            if role.permits(permission) {
                assert!(matches!(status, 200 | 404), "{user} {path}: {status} {problem}");
            } else {
                assert_eq!(status, 403, "{user} {path}: {problem}");
                let told = problem["detail"].as_str().unwrap();
                assert!(told.contains(&format!("you need the role {}", permission.least_role())), "{told}");
            }
        }
    }
}

#[tokio::test]
async fn a_lock_acts_at_once_on_tokens_and_sessions() {
    let app = TestApp::start().await;
    let api = app.api("engineer").await;
    let mut browser = app.browser("engineer").await;
    assert_eq!(api.get("/services").await.0, 200);
    let ctx = app.headroom.own_context("story");
    app.headroom.lock_user(&ctx, "engineer", true).await.unwrap();
    assert_eq!(api.get("/services").await.0, 401);
    let response = browser.get("/").await;
    assert_eq!(response.headers()["location"], "/sign-in?next=/");
}

#[tokio::test]
async fn policy_changes_at_run_time_and_wrong_values_are_named() {
    let app = TestApp::start().await;
    let api = app.api("admin").await;
    let set = async |body: Value| answer(api.request(Method::PUT, "/policy").json(&body).send().await.unwrap()).await;
    let (status, body) = set(json!({ "scope": "fleet", "key": "confidence_threshold", "value": 0.9 })).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["items"][0]["rules"]["confidence_threshold"], 0.9);
    for (value, field) in [
        (json!({ "key": "confidence_threshold", "value": 7 }), "confidence_threshold"),
        (json!({ "key": "nonsense", "value": 7 }), "nonsense"),
        (json!({ "scope": "planet", "key": "max_recommendations", "value": 7 }), "scope"),
    ] {
        let (status, problem) = set(value).await;
        assert_eq!((status, problem["field"].as_str()), (422, Some(field)), "{problem}");
    }
    let (_, body) = api.get("/policy").await;
    assert_eq!(body["items"][0]["rules"], json!({ "confidence_threshold": 0.9 }));
}
