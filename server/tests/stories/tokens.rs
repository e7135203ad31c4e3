//! Tokens may what their scope says and their user may, while they last.

use crate::app::{TestApp, answer};
use headroom_model::auth::Permission;
use headroom_service::{Error, NewToken};
use reqwest::Method;
use serde_json::json;

const NOBODY: &str = "0199a000-0000-7000-8000-000000000000";

#[tokio::test]
async fn a_scope_narrows_and_never_widens() {
    let app = TestApp::start().await;
    let reader = app.narrow_api("approver", &[Permission::Read]).await;
    assert_eq!(reader.get("/services").await.0, 200);
    let submit = format!("/optimization/recommendations/{NOBODY}/submit");
    let (status, problem) = answer(reader.request(Method::POST, &submit).json(&json!({})).send().await.unwrap()).await;
    assert_eq!((status, problem["kind"].as_str()), (403, Some("forbidden")));
    assert_eq!(problem["detail"], "this token may not submit: make one with the scope submit");
    let writer = app.narrow_api("approver", &[Permission::Submit]).await;
    assert_eq!(writer.get("/services").await.0, 403, "not even reading comes by itself");
    assert_eq!(answer(writer.request(Method::POST, &submit).json(&json!({})).send().await.unwrap()).await.0, 404);
    let wide = app.narrow_api("viewer", Permission::ALL).await;
    let (status, problem) = answer(wide.request(Method::POST, &submit).json(&json!({})).send().await.unwrap()).await;
    assert_eq!(status, 403, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("you need the role engineer"), "{problem}");
}

#[tokio::test]
async fn a_token_ends_by_itself_by_hand_and_with_its_user() {
    let app = TestApp::start().await;
    let ctx = app.headroom.own_context("story");
    for (scope, days, field) in [(Some(vec![]), 30, "scope"), (None, 0, "days"), (None, 367, "days")] {
        let refused = app.headroom.create_token(&ctx, "engineer", &NewToken { label: "x".into(), scope, days }).await;
        assert!(matches!(&refused, Err(Error::Invalid { field: named, .. }) if named == field), "{refused:?}");
    }
    let api = app.api("engineer").await;
    let listed = app.headroom.tokens(&ctx).await.unwrap();
    assert!(listed.is_empty(), "Headroom itself has none of its own: {listed:?}");
    let stored = app.headroom.store().tokens().await.unwrap();
    let (token, _) = &stored[0];
    assert!(!api.token.contains(&token.hash) && token.hash.len() == 64, "its hash is kept, not the token");
    let ends = token.expires_at.unwrap();
    assert_eq!(ends.secs_since(token.created_at), 86_400);
    assert!(app.headroom.store().token_user(&token.hash, ends).await.unwrap().is_none());
    assert_eq!(api.get("/services").await.0, 200);
    app.headroom.revoke_token(&ctx, token.id).await.unwrap();
    let (status, problem) = api.get("/services").await;
    assert_eq!((status, problem["kind"].as_str()), (401, Some("unauthenticated")));
}

#[tokio::test]
async fn one_makes_and_revokes_ones_own_only() {
    let app = TestApp::start().await;
    let ctx = |name: &str, role| {
        let person = headroom_model::auth::Person { name: name.to_owned(), role, teams: headroom_model::auth::Teams::ALL };
        headroom_model::auth::OpContext::of(person, "story".to_owned(), app.headroom.clocks())
    };
    use headroom_model::auth::Role::{Administrator, Engineer, Manager};
    let wanted = NewToken { label: "x".into(), scope: None, days: 30 };
    app.headroom.create_token(&ctx("engineer", Engineer), "engineer", &wanted).await.unwrap();
    let foreign = app.headroom.create_token(&ctx("engineer", Engineer), "manager", &wanted).await;
    assert!(matches!(foreign, Err(Error::Forbidden(_))));
    let id = app.headroom.tokens(&ctx("engineer", Engineer)).await.unwrap()[0].id;
    assert!(app.headroom.tokens(&ctx("manager", Manager)).await.unwrap().is_empty());
    assert!(matches!(app.headroom.revoke_token(&ctx("manager", Manager), id).await, Err(Error::Forbidden(_))));
    app.headroom.create_token(&ctx("admin", Administrator), "manager", &wanted).await.unwrap();
    assert_eq!(app.headroom.tokens(&ctx("admin", Administrator)).await.unwrap().len(), 2);
    app.headroom.revoke_token(&ctx("admin", Administrator), id).await.unwrap();
}
