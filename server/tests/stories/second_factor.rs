//! Approvers prove who they are twice.

use crate::app::{Browser, TestApp};
use headroom_model::auth::{Permission, Role, Teams};
use headroom_server::config::Config;
use reqwest::StatusCode;
use tempfile::TempDir;
use totp_rs::{Builder, Secret};

/// As `headroom serve` runs: approvers and administrators need a second factor.
async fn strict() -> TestApp {
    let app = TestApp::configured(Vec::new(), TempDir::new().unwrap(), Config::default()).await;
    app.create_users().await;
    app
}

fn place(response: &reqwest::Response) -> &str {
    response.headers()["location"].to_str().unwrap()
}

/// What an authenticator shows so many steps from now.
async fn shown_by_authenticator(app: &TestApp, user: &str, steps: i64) -> String {
    let id = app.headroom.store().user(user).await.unwrap().unwrap().id;
    let secret = app.headroom.store().second_factor(id).await.unwrap().unwrap().secret;
    let totp = Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap();
    let at = app.headroom.clocks().wall.secs() + steps * 30;
    totp.generate(at.unsigned_abs()).to_string()
}

async fn with_password<'a>(app: &'a TestApp, user: &str) -> Browser<'a> {
    let mut browser = Browser { app, cookie: String::new() };
    let response = browser.post("/sign-in", &[("name", user), ("password", "a long enough secret"), ("next", "/audit")]).await;
    assert_eq!(place(&response), "/audit");
    browser
}

async fn set_password(app: &TestApp, user: &str, role: Role) {
    let person = headroom_model::auth::Person { name: user.to_owned(), role, teams: Teams::ALL };
    let ctx = headroom_model::auth::OpContext::of(person, "story".to_owned(), app.headroom.clocks());
    app.headroom.set_password(&ctx, "", "a long enough secret", "").await.unwrap();
}

#[tokio::test]
async fn an_approver_gets_no_further_than_the_second_factor() {
    let app = strict().await;
    set_password(&app, "approver", Role::Approver).await;
    let mut browser = with_password(&app, "approver").await;
    assert_eq!(place(&browser.get("/audit?q=x").await), "/second-factor?next=/audit%3Fq%3Dx");
    for path in ["/", "/settings/users", "/audit/export.csv", "/account"] {
        let response = browser.get(path).await;
        assert!(place(&response).starts_with("/second-factor"), "{path}");
    }
    for path in ["/fn/overview", "/fn/account", "/fn/recommendation/approve", "/account/password"] {
        let response = browser.post(path, &[]).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(browser.get("/events").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/second-factor").await.status(), StatusCode::OK);
    assert_eq!(place(&browser.post("/sign-out", &[]).await), "/sign-in");
}

#[tokio::test]
async fn a_code_counts_once_and_a_new_session_needs_another() {
    let app = strict().await;
    set_password(&app, "approver", Role::Approver).await;
    let mut browser = with_password(&app, "approver").await;
    let half = browser.cookie.clone();
    assert_eq!(place(&browser.post("/second-factor/new", &[("next", "/audit")]).await), "/second-factor?next=/audit");
    let response = browser.post("/second-factor", &[("code", "000000"), ("next", "/audit")]).await;
    assert_eq!(place(&response), "/second-factor?error=code&field=code&next=/audit");
    let code = shown_by_authenticator(&app, "approver", -1).await;
    assert_eq!(place(&browser.post("/second-factor", &[("code", &code), ("next", "/audit")]).await), "/audit");
    assert_ne!(browser.cookie, half, "what was half-way is worth nothing now");
    assert_eq!(browser.get("/audit").await.status(), StatusCode::OK);
    let mut old = Browser { app: &app, cookie: half };
    assert!(place(&old.get("/audit").await).starts_with("/sign-in"));

    let mut second = with_password(&app, "approver").await;
    assert!(place(&second.get("/audit").await).starts_with("/second-factor"));
    let response = second.post("/second-factor", &[("code", &code)]).await;
    assert_eq!(place(&response), "/second-factor?error=code&field=code", "a code that was seen over a shoulder");
    let response = second.post("/second-factor/new", &[]).await;
    assert_eq!(place(&response), "/second-factor?error=invalid", "whoever knows the password only sets up no other authenticator");
    let next = shown_by_authenticator(&app, "approver", 0).await;
    assert_eq!(place(&second.post("/second-factor", &[("code", &next)]).await), "/");
}

#[tokio::test]
async fn guessing_codes_ends_soon() {
    let app = strict().await;
    set_password(&app, "approver", Role::Approver).await;
    let mut browser = with_password(&app, "approver").await;
    browser.post("/second-factor/new", &[]).await;
    for _ in 0..8 {
        let response = browser.post("/second-factor", &[("code", "000000")]).await;
        assert_eq!(place(&response), "/second-factor?error=code&field=code");
    }
    let right = shown_by_authenticator(&app, "approver", 0).await;
    let response = browser.post("/second-factor", &[("code", &right)]).await;
    assert_eq!(place(&response), "/second-factor?error=wait&field=code");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_that_are_guessed_together_are_no_more_than_those_that_come_one_by_one() {
    let app = strict().await;
    set_password(&app, "approver", Role::Approver).await;
    let mut browser = with_password(&app, "approver").await;
    browser.post("/second-factor/new", &[]).await;
    let cookie = &browser.cookie;
    let tries = (0..40).map(|_| {
        let mut browser = Browser { app: &app, cookie: cookie.clone() };
        async move { place(&browser.post("/second-factor", &[("code", "000000")]).await).to_owned() }
    });
    let places = futures::future::join_all(tries).await;
    let refused = |word: &str| places.iter().filter(|place| **place == format!("/second-factor?error={word}&field=code")).count();
    assert_eq!((refused("code"), refused("wait")), (8, 32), "{places:?}");
}

#[tokio::test]
async fn what_a_second_factor_has_proved_goes_with_it() {
    let app = strict().await;
    set_password(&app, "approver", Role::Approver).await;
    let (mut browser, mut elsewhere) = (with_password(&app, "approver").await, with_password(&app, "approver").await);
    browser.post("/second-factor/new", &[]).await;
    let code = shown_by_authenticator(&app, "approver", -1).await;
    browser.post("/second-factor", &[("code", &code)]).await;
    assert_eq!(browser.get("/audit").await.status(), StatusCode::OK);
    let before = browser.cookie.clone();
    let code = shown_by_authenticator(&app, "approver", 0).await;
    assert_eq!(place(&browser.post("/account/second-factor/remove", &[("code", &code)]).await), "/account?done=removed");
    assert!(place(&browser.get("/audit").await).starts_with("/second-factor"), "an approver needs another one now");
    assert!(place(&elsewhere.get("/audit").await).starts_with("/sign-in"), "other browsers are signed out");
    assert!(place(&Browser { app: &app, cookie: before }.get("/audit").await).starts_with("/sign-in"), "and so is the id from before");
}

#[tokio::test]
async fn engineers_may_have_one_and_then_need_it_until_they_remove_it() {
    let app = strict().await;
    set_password(&app, "engineer", Role::Engineer).await;
    let mut browser = with_password(&app, "engineer").await;
    assert_eq!(browser.get("/audit").await.status(), StatusCode::OK, "nobody asks an engineer");
    assert_eq!(place(&browser.post("/second-factor/new", &[]).await), "/account");
    let code = shown_by_authenticator(&app, "engineer", -1).await;
    assert_eq!(place(&browser.post("/second-factor", &[("code", &code)]).await), "/account?done=second-factor");
    let mut second = with_password(&app, "engineer").await;
    assert!(place(&second.get("/audit").await).starts_with("/second-factor"));
    let response = browser.post("/account/second-factor/remove", &[("code", "000000")]).await;
    assert_eq!(place(&response), "/account?error=code&field=code");
    let code = shown_by_authenticator(&app, "engineer", 0).await;
    assert_eq!(place(&browser.post("/account/second-factor/remove", &[("code", &code)]).await), "/account?done=removed");
    assert_eq!(browser.get("/audit").await.status(), StatusCode::OK);
    assert!(place(&second.get("/audit").await).starts_with("/sign-in"), "what was half-way has ended");
}

#[tokio::test]
async fn a_reset_ends_the_second_factor_and_every_session_and_token() {
    let app = strict().await;
    set_password(&app, "approver", Role::Approver).await;
    let mut browser = with_password(&app, "approver").await;
    browser.post("/second-factor/new", &[]).await;
    let code = shown_by_authenticator(&app, "approver", 0).await;
    browser.post("/second-factor", &[("code", &code)]).await;
    let api = app.narrow_api("approver", &[Permission::Read]).await;
    assert_eq!(api.get("/services").await.0, 200);
    let ctx = app.headroom.own_context("story");
    let reset = app.headroom.reset_user(&ctx, "approver").await.unwrap().0;
    assert_eq!(api.get("/services").await.0, 401);
    assert!(place(&browser.get("/audit").await).starts_with("/sign-in"));
    let mut fresh = Browser { app: &app, cookie: String::new() };
    assert_eq!(place(&fresh.post("/sign-in/code", &[("code", &reset)]).await), "/");
    assert_eq!(place(&fresh.get("/").await), "/second-factor?next=/", "a new authenticator comes first");
    assert_eq!(place(&fresh.post("/second-factor/new", &[]).await), "/second-factor");
}
