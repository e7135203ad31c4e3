//! Where somebody is signed in, and how that ends.

use crate::app::{Browser, TestApp};
use headroom_model::auth::{OpContext, Person, Role, Teams};
use headroom_model::time::DAY;
use reqwest::{Method, StatusCode};

fn place(response: &reqwest::Response) -> &str {
    response.headers()["location"].to_str().unwrap()
}

fn engineer(app: &TestApp) -> OpContext {
    let person = Person { name: "engineer".to_owned(), role: Role::Engineer, teams: Teams::ALL };
    OpContext::of(person, "story".to_owned(), app.headroom.clocks())
}

#[tokio::test]
async fn one_sees_ones_own_sessions_and_ends_them_one_by_one_or_all() {
    let app = TestApp::start().await;
    let (mut first, mut second, mut third) = (app.browser("engineer").await, app.browser("engineer").await, app.browser("engineer").await);
    let mut manager = app.browser("manager").await;
    let ctx = engineer(&app);
    let rows = app.headroom.account(&ctx, "").await.unwrap().sessions;
    assert_eq!(rows.len(), 3, "and none of the manager's");
    assert!(rows.iter().all(|s| s.address == "127.0.0.1" && s.id.len() == 64));
    let held = first.cookie.split_once('=').unwrap().1;
    assert!(rows.iter().all(|s| !s.id.contains(held)), "what a browser holds is not shown");

    let oldest = &rows.last().unwrap().id;
    app.headroom.end_session(&ctx, oldest).await.unwrap();
    assert!(place(&first.get("/").await).starts_with("/sign-in"));
    assert_eq!(second.get("/").await.status(), StatusCode::OK);
    let foreign = OpContext { actor: "manager".to_owned(), ..ctx.clone() };
    let theirs = &rows[0].id;
    assert!(app.headroom.end_session(&foreign, theirs).await.is_err(), "a session is its owner's to end");
    let newest = rows[0].id.clone();
    assert_eq!(app.headroom.end_other_sessions(&ctx, &newest).await.unwrap(), 1);
    assert!(place(&second.get("/").await).starts_with("/sign-in"));
    assert_eq!(third.get("/").await.status(), StatusCode::OK);
    assert_eq!(manager.get("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_new_password_takes_the_old_one_and_ends_the_other_sessions() {
    let app = TestApp::start().await;
    let (mut here, mut elsewhere) = (app.browser("engineer").await, app.browser("engineer").await);
    let response = here.post("/account/password", &[("password", "a long enough secret")]).await;
    assert_eq!(place(&response), "/account?done=password");
    assert!(place(&elsewhere.get("/").await).starts_with("/sign-in"));
    assert_eq!(here.get("/").await.status(), StatusCode::OK);
    let response = here.post("/account/password", &[("current", "wrong and long"), ("password", "another long secret")]).await;
    assert_eq!(place(&response), "/account?error=invalid&field=current");
    let response = here.post("/account/password", &[("current", "a long enough secret"), ("password", "password1234")]).await;
    assert_eq!(place(&response), "/account?error=invalid&field=password", "a common one");
    let response = here.post("/account/password", &[("current", "a long enough secret"), ("password", "another long secret")]).await;
    assert_eq!(place(&response), "/account?done=password");
}

/// The forms of an account need no key under which they are done once: each is of use once by itself.
#[tokio::test]
async fn a_form_of_the_account_that_is_sent_twice_is_done_once() {
    let app = TestApp::start().await;
    let mut browser = app.browser("engineer").await;
    browser.post("/account/password", &[("password", "a long enough secret")]).await;
    let form = [("current", "a long enough secret"), ("password", "another long secret")];
    assert_eq!(place(&browser.post("/account/password", &form).await), "/account?done=password");
    assert_eq!(place(&browser.post("/account/password", &form).await), "/account?error=invalid&field=current");
    let set = headroom_model::view::AuditQuery { event: "user.password_set".into(), ..Default::default() };
    assert_eq!(app.headroom.store().audit_rows(&set, "story", &Teams::ALL).await.unwrap().total, 2);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_in_the_end_anyhow() {
    let app = TestApp::start().await;
    let mut browser = app.browser("engineer").await;
    assert_eq!(browser.get("/").await.status(), StatusCode::OK);
    let store = app.headroom.store();
    let now = app.headroom.clocks().wall;
    let id = app.headroom.account(&engineer(&app), "").await.unwrap().sessions[0].id.clone();
    let record = store.load_session(&id, now, app.headroom.idle_since()).await.unwrap().unwrap();
    let lives = record.expires_at.secs_since(record.created_at);
    assert!((6 * DAY..=7 * DAY).contains(&lives), "{lives}");
    store.touch_session(&id, now.plus_secs(-DAY)).await.unwrap();
    assert_eq!(browser.get("/").await.status(), StatusCode::OK);
    let seen = store.load_session(&id, now, app.headroom.idle_since()).await.unwrap().unwrap().seen_at;
    assert!(seen >= now, "its use was noted");
    store.touch_session(&id, now.plus_secs(-3 * DAY)).await.unwrap();
    assert!(place(&browser.get("/").await).starts_with("/sign-in"));
}

#[tokio::test]
async fn a_forged_or_foreign_cookie_is_nobody() {
    let app = TestApp::start().await;
    let real = app.browser("engineer").await.cookie;
    let (name, value) = real.split_once('=').unwrap();
    let flipped: String = value.chars().rev().collect();
    let values =
        [flipped.as_str(), "", "AAAAAAAAAAAAAAAAAAAAAA", "../../etc/passwd", "%00", "'; DROP TABLE sessions; --", &"A".repeat(4000)];
    for forged in values {
        let mut browser = Browser { app: &app, cookie: format!("{name}={forged}") };
        assert!(place(&browser.get("/").await).starts_with("/sign-in"), "{forged:.40}");
        let response = app.request(Method::POST, "/fn/overview").header("cookie", format!("{name}={forged}")).send().await.unwrap();
        assert_ne!(response.status(), StatusCode::OK, "{forged:.40}");
    }
    let mut browser = Browser { app: &app, cookie: real };
    assert_eq!(browser.get("/").await.status(), StatusCode::OK);
}
