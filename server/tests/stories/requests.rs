//! Bad requests: each is told what is wrong with it, and changes nothing.

use crate::app::{TestApp, answer};
use reqwest::Method;
use serde_json::json;

const NOBODY: &str = "0199a000-0000-7000-8000-000000000000";

#[tokio::test]
async fn what_is_not_there_is_a_problem_of_its_own() {
    let app = TestApp::start().await;
    let api = app.api("approver").await;
    for path in [
        "/nothing",
        "/",
        "/services/nothing",
        &format!("/optimization/jobs/{NOBODY}"),
        "/optimization/jobs/not-an-id",
        &format!("/optimization/recommendations/{NOBODY}"),
        "/optimization/recommendations/42",
    ] {
        let (status, problem) = api.get(path).await;
        assert_eq!((status, problem["kind"].as_str()), (404, Some("not-found")), "{path}");
    }
    let (status, problem) = answer(api.request(Method::DELETE, "/services").send().await.unwrap()).await;
    assert_eq!((status, problem["kind"].as_str()), (405, Some("method-not-allowed")));
    for path in ["/services/%ff", "/services/%ff/insights"] {
        let (status, problem) = api.get(path).await;
        assert_eq!((status, problem["kind"].as_str()), (400, Some("malformed")), "{path}");
    }
}

#[tokio::test]
async fn bodies_are_json_with_known_fields() {
    let app = TestApp::start().await;
    let api = app.api("engineer").await;
    let send = async |kind: &str, body: String| {
        let request = api.request(Method::POST, "/optimization/analyze").header("content-type", kind).body(body);
        answer(request.send().await.unwrap()).await
    };
    assert_eq!(send("application/json", "{\"service_name\":".into()).await.0, 400);
    assert_eq!(send("text/plain", "{}".into()).await.0, 415);
    assert_eq!(send("application/json", "x".repeat(2 << 20)).await.0, 413);
    let (status, problem) = send("application/json", "{\"service\":\"a\"}".into()).await;
    assert_eq!((status, problem["field"].as_str()), (422, Some("service")));
    let (status, problem) = send("application/json", "{\"service_name\":\"a\",\"optimization_types\":[\"X\"]}".into()).await;
    assert_eq!((status, problem["field"].as_str()), (422, Some("optimization_types[0]")));
    assert_eq!(send("application/json", String::new()).await.0, 422, "a field is missing");
    let (status, problem) = send("application/json", "[\"fleet\"]".into()).await;
    assert_eq!((status, problem["field"].as_str()), (422, None), "an array names no fields: {problem}");
}

#[tokio::test]
async fn queries_have_known_parameters_and_values() {
    let app = TestApp::start().await;
    let api = app.api("viewer").await;
    for (query, field) in [
        ("/services?colour=red", "colour"),
        ("/services?verdict=lovely", "verdict"),
        ("/services?limit=0", "limit"),
        ("/services?limit=201", "limit"),
        ("/services?limit=many", "limit"),
        ("/services?limit=-1", "limit"),
        ("/services?limit=99999999999999", "limit"),
        ("/optimization/recommendations?status=DONE", "status"),
        ("/optimization/recommendations?optimization_type=SPEED", "optimization_type"),
        ("/changes?page=2", "page"),
    ] {
        let (status, problem) = api.get(query).await;
        assert_eq!((status, problem["field"].as_str()), (422, Some(field)), "{query}: {problem}");
        assert!(field != "limit" || problem["detail"].as_str().unwrap().ends_with("from 1 to 200"), "{query}: {problem}");
    }
    let (status, list) = api.get("/optimization/recommendations?status=RECOMMENDATIONS_READY&limit=5").await;
    assert_eq!((status, list), (200, json!({ "items": [], "next_cursor": null })));
}

#[tokio::test]
async fn a_key_has_one_request_and_one_answer() {
    let app = TestApp::start().await;
    let api = app.api("engineer").await;
    let send = async |key: &str, service: &str| {
        let request = api.request(Method::POST, "/optimization/analyze").header("idempotency-key", key);
        let response = request.json(&json!({ "service_name": service })).send().await.unwrap();
        let replayed = response.headers().contains_key("idempotency-replayed");
        (answer(response).await, replayed)
    };
    let ((status, first), replayed) = send("a", "fleet").await;
    assert_eq!((status, replayed), (202, false), "{first}");
    let ((status, second), replayed) = send("a", "fleet").await;
    assert_eq!((status, replayed, &second), (202, true, &first), "the same job, not another one");
    let ((status, problem), _) = send("a", "another").await;
    assert_eq!((status, problem["kind"].as_str()), (422, Some("key-reused")));
    let ((_, third), replayed) = send("b", "fleet").await;
    assert!(!replayed);
    assert_ne!(third["job_id"], first["job_id"]);
    let ((status, refused), _) = send("c", "nothing").await;
    let ((again, same), replayed) = send("c", "nothing").await;
    assert_eq!((status, again, replayed, &same), (404, 404, true, &refused), "a refusal is an answer, too");
    let unread = api.request(Method::POST, "/optimization/analyze").header("idempotency-key", "d").body("service_name=fleet");
    assert_eq!(answer(unread.send().await.unwrap()).await.0, 415);
    assert_eq!(send("d", "fleet").await.0.0, 202, "what was not read has not used the key");
    let ((status, problem), _) = send(&"k".repeat(201), "fleet").await;
    assert_eq!((status, problem["field"].as_str()), (422, Some("Idempotency-Key")));
    let other = app.api("approver").await;
    let request = other.request(Method::POST, "/optimization/analyze").header("idempotency-key", "a");
    let (status, theirs) = answer(request.json(&json!({ "service_name": "fleet" })).send().await.unwrap()).await;
    assert_eq!(status, 202, "another person's key is another key");
    assert_ne!(theirs["job_id"], first["job_id"]);
}

#[tokio::test]
async fn an_analysis_is_cancelled_once_and_where_it_is_shown() {
    let app = TestApp::start().await;
    let api = app.api("engineer").await;
    let queued = async || {
        let request = api.request(Method::POST, "/optimization/analyze").json(&json!({ "service_name": "fleet" }));
        answer(request.send().await.unwrap()).await.1["job_id"].as_str().unwrap().to_owned()
    };
    let cancel = async |id: &str, key: &str| {
        let request = api.request(Method::POST, &format!("/optimization/jobs/{id}/cancel")).header("idempotency-key", key);
        answer(request.json(&json!({})).send().await.unwrap()).await
    };
    let id = queued().await;
    let (status, first) = cancel(&id, "a").await;
    let said = (first["status"].as_str(), first["substate"].as_str(), first["reason"].as_str());
    assert_eq!((status, said), (200, (Some("FAILED"), Some("CANCELLED"), Some("cancelled by engineer"))));
    assert_eq!(cancel(&id, "a").await, (200, first), "sent again, it has the same answer");
    let (status, problem) = cancel(&id, "b").await;
    assert_eq!((status, problem["kind"].as_str()), (409, Some("conflict")), "{problem}");

    let id = queued().await;
    let mut browser = app.browser("engineer").await;
    let page = browser.get("/recommendations").await.text().await.unwrap();
    assert!(page.contains("/fn/job/cancel") && page.contains(&id));
    assert!(browser.post("/fn/job/cancel", &[("id", id.as_str()), ("key", "once")]).await.status().is_redirection());
    assert_eq!(api.get(&format!("/optimization/jobs/{id}")).await.1["substate"], "CANCELLED");
    let page = browser.get("/recommendations").await.text().await.unwrap();
    assert!(!page.contains("action=\"/fn/job/cancel"), "what has ended cannot be cancelled");
}
