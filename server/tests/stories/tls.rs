//! Behind a proxy with TLS: what browsers are told there, and on plain HTTP not.

use crate::app::TestApp;
use headroom_server::config::{Config, SecondFactor, SignIn};
use reqwest::Method;
use tempfile::TempDir;

#[tokio::test]
async fn behind_tls_cookies_are_the_hosts_own_and_stay_there() {
    let sign_in = SignIn { second_factor: SecondFactor::Off };
    let public_url = Some("https://headroom.example.com".to_owned());
    let config = Config { sign_in, public_url, ..Config::default() };
    let app = TestApp::configured(Vec::new(), TempDir::new().unwrap(), config).await;
    app.create_users().await;
    let code = app.code("engineer").await;
    let request = app.request(Method::POST, "/sign-in/code").header("content-type", "application/x-www-form-urlencoded");
    // What a browser sends that has the page from the proxy's address.
    let request = request.header("origin", "https://headroom.example.com").header("sec-fetch-site", "same-origin");
    let response = request.body(format!("code={code}")).send().await.unwrap();
    assert_eq!(response.headers()["location"], "/");
    let cookies: Vec<&str> = response.headers().get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
    let session = cookies.iter().find(|c| c.starts_with("__Host-headroom=")).unwrap_or_else(|| panic!("{cookies:?}"));
    let parts: Vec<&str> = session.split(';').map(str::trim).collect();
    for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(parts.contains(&part), "{part}: {session}");
    }
    assert!(!session.to_lowercase().contains("domain="), "a __Host- cookie has none: {session}");
    let mut browser = app.browser("engineer").await;
    assert!(browser.cookie.starts_with("__Host-headroom="));
    let page = browser.get("/").await;
    assert_eq!(page.status(), 200);
    for cookie in page.headers().get_all("set-cookie") {
        assert!(cookie.to_str().unwrap().contains("Secure"), "{cookie:?}");
    }
    for path in ["/", "/sign-in", "/livez", "/api/v1/services", "/nothing"] {
        let response = app.request(Method::GET, path).send().await.unwrap();
        let promised = response.headers().get("strict-transport-security").unwrap_or_else(|| panic!("{path}"));
        assert_eq!(promised, "max-age=31536000; includeSubDomains", "{path}");
    }
    let foreign = app.request(Method::POST, "/sign-out").header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
}
