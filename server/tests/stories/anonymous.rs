//! What somebody gets who has not signed in: the way in, and nothing else.

use crate::app::{TestApp, answer};
use reqwest::{Method, StatusCode};

const READS: [&str; 9] = [
    "/services",
    "/services/x",
    "/optimization/recommendations",
    "/optimization/recommendations/0199a000-0000-7000-8000-000000000000",
    "/optimization/jobs/0199a000-0000-7000-8000-000000000000",
    "/changes",
    "/audit",
    "/policy",
    "/nothing/here",
];

#[tokio::test]
async fn the_api_asks_for_a_token() {
    let app = TestApp::start().await;
    for path in READS {
        let response = app.request(Method::GET, &format!("/api/v1{path}")).send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer", "{path}");
        let (status, body) = answer(response).await;
        assert_eq!((status, body["kind"].as_str()), (401, Some("unauthenticated")), "{path}");
    }
    for authorization in ["Bearer hr_0000", "Basic YTpi", "Bearer", ""] {
        let response = app.request(Method::GET, "/api/v1/services").header("authorization", authorization).send().await.unwrap();
        assert_eq!(answer(response).await.0, 401, "{authorization}");
    }
}

#[tokio::test]
async fn a_session_cookie_is_no_token_and_a_token_no_session() {
    let app = TestApp::start().await;
    let mut browser = app.browser("engineer").await;
    let response = browser.send(app.request(Method::GET, "/api/v1/services")).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let api = app.api("engineer").await;
    let response = app.request(Method::GET, "/").bearer_auth(&api.token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn pages_lead_to_the_sign_in_page_and_back() {
    let app = TestApp::start().await;
    for (path, next) in
        [("/", "/"), ("/recommendations?view=open&team=a", "/recommendations%3Fview%3Dopen%26team%3Da"), ("/settings", "/settings")]
    {
        let response = app.request(Method::GET, path).header("accept", "text/html").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        assert_eq!(response.headers()["location"].to_str().unwrap(), format!("/sign-in?next={next}"));
    }
    let response = app.request(Method::GET, "/events").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn health_and_the_reference_are_open() {
    let app = TestApp::start().await;
    for (path, content) in
        [("/livez", "alive"), ("/readyz", "ready"), ("/metrics", "# EOF"), ("/api/docs", "Headroom API"), ("/api/openapi.json", "3.1")]
    {
        let response = app.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(response.text().await.unwrap().contains(content), "{path}");
    }
}

#[tokio::test]
async fn answers_tell_browsers_to_be_careful() {
    let app = TestApp::start().await;
    for path in ["/api/docs", "/livez", "/sign-in", "/api/v1/services"] {
        let response = app.request(Method::GET, path).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "same-origin", "{path}");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("'unsafe-inline'") && !policy.contains("'unsafe-eval'"), "{path}: {policy}");
        assert!(path != "/sign-in" || policy.starts_with("script-src 'nonce-"), "{path}: {policy}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert!(!headers.contains_key("strict-transport-security"), "plain HTTP promises no TLS");
    }
}
