//! Signing in and out, and what other sites may not do.

use crate::app::{Browser, TestApp};
use reqwest::{Method, StatusCode};

fn place(response: &reqwest::Response) -> &str {
    response.headers()["location"].to_str().unwrap()
}

#[tokio::test]
async fn a_link_shows_a_page_and_only_its_button_uses_the_code_up() {
    let app = TestApp::start().await;
    let code = app.code("engineer").await;
    let mut browser = Browser { app: &app, cookie: String::new() };
    for _ in 0..3 {
        let response = browser.get(&format!("/sign-in/code?code={code}")).await;
        assert!(response.status() != StatusCode::SEE_OTHER);
        assert_eq!(browser.cookie, "", "looking at a link starts no session");
    }
    let response = browser.post("/sign-in/code", &[("code", &code), ("next", "/recommendations")]).await;
    assert_eq!(place(&response), "/recommendations");
    assert!(browser.cookie.starts_with("headroom="));
    let mut second = Browser { app: &app, cookie: String::new() };
    let response = second.post("/sign-in/code", &[("code", &code)]).await;
    assert_eq!(place(&response), "/sign-in/code?error=code");
}

#[tokio::test]
async fn the_session_has_a_new_id_after_signing_in_and_ends_with_signing_out() {
    let app = TestApp::start().await;
    let mut browser = app.browser("engineer").await;
    let first = browser.cookie.clone();
    let code = app.code("manager").await;
    browser.post("/sign-in/code", &[("code", &code)]).await;
    assert_ne!(browser.cookie, first);
    let mut old = Browser { app: &app, cookie: first };
    assert_eq!(place(&old.get("/").await), "/sign-in?next=/", "the id from before is worth nothing");
    let held = browser.cookie.clone();
    assert_eq!(place(&browser.post("/sign-out", &[]).await), "/sign-in");
    let mut gone = Browser { app: &app, cookie: held };
    assert_eq!(place(&gone.get("/").await), "/sign-in?next=/");
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_other_sites() {
    let app = TestApp::start().await;
    let code = app.code("engineer").await;
    let request = app.request(Method::POST, "/sign-in/code").header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(format!("code={code}")).send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "plain HTTP on loopback: some browsers refuse it");
}

#[tokio::test]
async fn a_password_is_set_used_and_guarded() {
    let app = TestApp::start().await;
    let mut browser = app.browser("engineer").await;
    let response = browser.post("/account/password", &[("password", "short")]).await;
    assert_eq!(place(&response), "/account?error=invalid&field=password");
    let response = browser.post("/account/password", &[("password", "a long enough secret")]).await;
    assert_eq!(place(&response), "/account?done=password");
    let mut other = Browser { app: &app, cookie: String::new() };
    let response = other.post("/sign-in", &[("name", "engineer"), ("password", "a long enough secret"), ("next", "//evil.example")]).await;
    assert_eq!(place(&response), "/", "a foreign address is not gone to");
    let mut guesser = Browser { app: &app, cookie: String::new() };
    for _ in 0..8 {
        let response = guesser.post("/sign-in", &[("name", "engineer"), ("password", "a wrong long secret"), ("next", "/audit")]).await;
        assert_eq!(place(&response), "/sign-in?error=credentials&name=engineer&next=/audit");
    }
    let response = guesser.post("/sign-in", &[("name", "engineer"), ("password", "a long enough secret")]).await;
    assert_eq!(place(&response), "/sign-in?error=wait&name=engineer");
    assert_eq!(guesser.cookie, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_that_come_together_are_no_more_than_those_that_come_one_by_one() {
    let app = TestApp::start().await;
    let mut browser = app.browser("engineer").await;
    browser.post("/account/password", &[("password", "a long enough secret")]).await;
    let all_at_once = async |password: &str| {
        let form = [("name", "engineer"), ("password", password)];
        let tries = (0..40).map(|_| {
            let app = &app;
            async move { place(&Browser { app, cookie: String::new() }.post("/sign-in", &form).await).to_owned() }
        });
        futures::future::join_all(tries).await
    };
    let right = all_at_once("a long enough secret").await;
    assert!(right.iter().all(|place| place == "/"), "who knows it is not in their own way: {right:?}");
    let wrong = all_at_once("a wrong long secret").await;
    let refused = |word: &str| wrong.iter().filter(|place| **place == format!("/sign-in?error={word}&name=engineer")).count();
    assert_eq!((refused("credentials"), refused("wait")), (8, 32), "{wrong:?}");
}

#[tokio::test]
async fn signing_out_is_noted() {
    let app = TestApp::start().await;
    let mut browser = app.browser("engineer").await;
    assert_eq!(place(&browser.post("/sign-out", &[]).await), "/sign-in");
    let newest = headroom_model::view::AuditQuery { limit: 1, ..Default::default() };
    let noted =
        async || app.headroom.store().audit_rows(&newest, "story", &headroom_model::auth::Teams::ALL).await.unwrap().items[0].clone();
    let entry = noted().await;
    assert_eq!((entry.event.name.as_str(), entry.event.actor.as_str()), ("session.signed_out", "engineer"));
    Browser { app: &app, cookie: String::new() }.post("/sign-out", &[]).await;
    assert_eq!(noted().await.seq, entry.seq, "nobody has signed out");
}

#[tokio::test]
async fn what_another_site_sends_is_refused() {
    let app = TestApp::start().await;
    let mut browser = app.browser("engineer").await;
    for path in ["/sign-in", "/sign-in/code", "/sign-out", "/account/password", "/first-run", "/anything"] {
        for (name, value) in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")] {
            let request = app.request(Method::POST, path).header(name, value).header("content-type", "application/x-www-form-urlencoded");
            let response = browser.send(request.body("code=x")).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path} {name}: {value}");
        }
    }
    assert_eq!(browser.get("/sign-out").await.status(), StatusCode::METHOD_NOT_ALLOWED, "looking changes nothing");
    assert_ne!(browser.get("/").await.status(), StatusCode::SEE_OTHER, "still signed in");
}

#[tokio::test]
async fn the_first_run_makes_one_administrator() {
    let app = TestApp::fresh().await;
    let mut browser = Browser { app: &app, cookie: String::new() };
    assert_eq!(place(&browser.get("/").await), "/first-run");
    let code = app.headroom.first_run_code().await.unwrap().0;
    let response = browser.post("/first-run", &[("code", "wrong"), ("name", "root"), ("password", "a long enough secret")]).await;
    assert_eq!(place(&response), "/first-run?error=invalid&field=code&name=root");
    let response = browser.post("/first-run", &[("code", &code), ("name", "root"), ("password", "short")]).await;
    assert_eq!(place(&response), "/first-run?error=invalid&field=password&name=root");
    let response = browser.post("/first-run", &[("code", &code), ("name", "root"), ("password", "a long enough secret")]).await;
    assert_eq!(place(&response), "/");
    let api = app.api("root").await;
    assert_eq!(api.get("/policy").await.0, 200);
    let response = browser.post("/first-run", &[("code", &code), ("name", "eve"), ("password", "a long enough secret")]).await;
    assert!(place(&response).starts_with("/first-run?error="), "there is one already");
}
