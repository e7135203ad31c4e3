//! Who asks too much is told when to come again, and others are not disturbed.

use crate::app::{TestApp, answer};
use headroom_server::config::{Config, Limits, SecondFactor, SignIn};
use reqwest::Method;
use std::num::NonZeroU32;
use tempfile::TempDir;

async fn limited(per_user: u32, per_address: u32) -> TestApp {
    let each = |n| NonZeroU32::new(n).unwrap();
    let limits = Limits { per_user: each(per_user), per_address: each(per_address) };
    let sign_in = SignIn { second_factor: SecondFactor::Off };
    let app = TestApp::configured(Vec::new(), TempDir::new().unwrap(), Config { limits, sign_in, ..Config::default() }).await;
    app.create_users().await;
    app
}

#[tokio::test]
async fn a_user_who_asks_too_much_waits_and_others_do_not() {
    let app = limited(5, 1000).await;
    let (api, other) = (app.api("engineer").await, app.api("manager").await);
    let mut refused = None;
    for _ in 0..50 {
        let response = api.request(Method::GET, "/services").send().await.unwrap();
        assert_eq!(response.headers()["ratelimit-policy"], "\"user\";q=5;w=1");
        if response.status() == 429 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("fifty requests at once are more than five a second");
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let (status, problem) = answer(refused).await;
    assert_eq!((status, problem["kind"].as_str()), (429, Some("too-many")));
    assert_eq!(other.get("/services").await.0, 200);
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    assert_eq!(api.get("/services").await.0, 200, "it is as the header says");
}

#[tokio::test]
async fn an_address_that_asks_too_much_waits_before_anything_is_done_for_it() {
    let app = limited(1000, 20).await;
    let mut seen = Vec::new();
    for _ in 0..100 {
        let response = app.request(Method::GET, "/livez").send().await.unwrap();
        seen.push(response.status().as_u16());
    }
    assert_eq!(seen[..10], [200; 10]);
    assert!(seen.contains(&429), "{seen:?}");
}

#[tokio::test]
async fn a_hundred_users_behind_one_address_are_not_in_each_others_way() {
    let app = limited(1000, 5000).await;
    assert_eq!(Limits::default(), Limits { per_user: NonZeroU32::new(1000).unwrap(), per_address: NonZeroU32::new(5000).unwrap() });
    let api = app.api("engineer").await;
    for _ in 0..10 {
        let hundred = (0..100).map(|_| api.request(Method::GET, "/services").send());
        for answer in futures::future::join_all(hundred).await {
            assert_eq!(answer.unwrap().status(), 200);
        }
    }
}
