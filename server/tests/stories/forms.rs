//! Every form that changes something carries a key under which that is done once.

use crate::app::{Api, TestApp, answer};
use crate::fleet::{Fleet, Of};
use headroom_app::App;
use headroom_model::auth::Role;
use headroom_model::change::Substate;
use headroom_model::ids::JobId;
use headroom_model::job::{Job, JobState};
use headroom_model::policy::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// The forms of a page that call the server, as (address, fields that the page fills in).
fn forms(page: &str) -> Vec<(String, BTreeSet<String>)> {
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let form = |text: &str| {
        let (tag, rest) = text.split_once('>').unwrap();
        let inside = rest.split("</form>").next().unwrap();
        let filled = inside.split("<input").skip(1).map(|input| input.split('>').next().unwrap());
        let filled = filled.filter(|input| attribute(input, "value").is_some_and(|value| !value.is_empty()));
        let address = attribute(tag, "action").filter(|address| address.starts_with("/fn/"))?;
        Some((address, filled.filter_map(|input| attribute(input, "name")).collect()))
    };
    page.split("<form").skip(1).filter_map(form).collect()
}

/// The addresses of the forms on every page that somebody sees, each of which has a key.
async fn seen(fleet: &Fleet, user: &str, found: &mut BTreeSet<String>) {
    let mut browser = fleet.app.browser(user).await;
    let _another = fleet.app.browser(user).await;
    let mut pages: Vec<String> = Vec::new();
    for route in leptos_axum::generate_route_list(App) {
        let path = route.path().replace("{name}", &fleet.own.service);
        if path.contains("/benchmarks/") {
            pages.push(path.replace("{id}", &fleet.own.benchmark));
        } else if path.contains("{id}") {
            pages.extend([&fleet.own, &fleet.other].map(|of| path.replace("{id}", &of.recommendation)));
        } else {
            pages.push(path);
        }
    }
    for page in pages {
        let text = browser.get(&page).await.text().await.unwrap();
        for (address, filled) in forms(&text) {
            // The colours of pages are kept in the browser.
            assert!(filled.contains("key") || address == "/fn/theme", "{page} as {user}: {address} has no key, only {filled:?}");
            found.insert(address);
        }
    }
}

/// An analysis that no worker takes up: while it waits, it can be cancelled.
async fn waits(fleet: &Fleet) {
    let store = fleet.app.headroom.store();
    let done = store.job(fleet.own.job.parse().unwrap()).await.unwrap().unwrap();
    let now = fleet.app.headroom.clocks().wall;
    let job = Job { id: JobId(Uuid::now_v7()), state: JobState::Queued, created_at: now, completed_at: None, ..done };
    let mut tx = store.begin().await.unwrap();
    tx.put_job(&job).await.unwrap();
    tx.commit().await.unwrap();
}

async fn reaches(fleet: &Fleet, of: &Of, state: Substate) {
    let id = of.recommendation.parse().unwrap();
    for _ in 0..600 {
        if fleet.app.headroom.store().latest_change(id).await.unwrap().unwrap().state == state {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} never reached {state:?}", of.service);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_has_its_key() {
    let fleet = Fleet::analysed().await;
    let (engineer, approver) = (fleet.app.api("engineer").await, fleet.app.api("approver").await);
    let mut found = BTreeSet::new();
    let own = format!("/optimization/recommendations/{}", fleet.own.recommendation);
    waits(&fleet).await;
    for user in ["engineer", "admin"] {
        seen(&fleet, user, &mut found).await;
    }
    let other = format!("/optimization/recommendations/{}/dismiss", fleet.other.recommendation);
    let sent = engineer.request(Method::POST, &other).json(&json!({ "reason": "later" })).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    let submitted = engineer.request(Method::POST, &format!("{own}/submit")).json(&json!({})).send().await.unwrap();
    assert_eq!(submitted.status(), 200);
    let submitted: serde_json::Value = submitted.json().await.unwrap();
    for user in ["engineer", "approver"] {
        seen(&fleet, user, &mut found).await;
    }
    let plan = json!({ "plan_hash": submitted["plan_hash"] });
    let approved = approver.request(Method::POST, &format!("{own}/approve")).json(&plan).send().await.unwrap();
    assert_eq!(approved.status(), 200);
    seen(&fleet, "approver", &mut found).await;
    // While it is watched, it can be rolled back; what a freeze holds can be carried out in spite of it.
    let act = async |api: &Api<'_>, of: &Of, verb: &str, body: &Value| {
        let path = format!("/optimization/recommendations/{}/{verb}", of.recommendation);
        let (status, said) = answer(api.request(Method::POST, &path).json(body).send().await.unwrap()).await;
        assert!(status < 300, "{verb}: {said}");
        said
    };
    act(&approver, &fleet.own, "apply", &plan).await;
    reaches(&fleet, &fleet.own, Substate::Observing).await;
    seen(&fleet, "approver", &mut found).await;
    let ctx = fleet.app.headroom.own_context("story");
    fleet.app.headroom.set_policy(&ctx, &Scope::Fleet, "change_windows", "deny * * * * * for 1d").await.unwrap();
    act(&engineer, &fleet.other, "reopen", &json!({})).await;
    let submitted = act(&engineer, &fleet.other, "submit", &json!({})).await;
    let plan = json!({ "plan_hash": submitted["plan_hash"] });
    act(&approver, &fleet.other, "approve", &plan).await;
    act(&approver, &fleet.other, "apply", &plan).await;
    reaches(&fleet, &fleet.other, Substate::HeldByFreeze).await;
    seen(&fleet, "approver", &mut found).await;

    let expected = [
        "analyze",
        "job/cancel",
        "policy/set",
        "propose",
        "recommendation/apply",
        "recommendation/approve",
        "recommendation/break-glass",
        "recommendation/comment",
        "recommendation/dismiss",
        "recommendation/reject",
        "recommendation/reopen",
        "recommendation/request-changes",
        "recommendation/roll-back",
        "recommendation/submit",
        "recommendation/withdraw",
        "recommendations/submit",
        "session/end",
        "session/end-others",
        "token/create",
        "token/revoke",
        "user/create",
        "user/lock",
        "user/reset",
        "user/role",
    ];
    let missing: Vec<&str> = expected.into_iter().filter(|name| !found.contains(&format!("/fn/{name}"))).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}; seen: {found:?}");
}

#[tokio::test]
async fn a_reset_that_is_sent_twice_makes_one_code() {
    let app = TestApp::start().await;
    let mut browser = app.browser("admin").await;
    let entries = async || {
        let newest = headroom_model::view::AuditQuery { limit: 1, ..Default::default() };
        app.headroom.store().audit_rows(&newest, "story", &headroom_model::auth::Teams::ALL).await.unwrap().items[0].seq
    };
    let before = entries().await;
    for _ in 0..2 {
        let form = [("name", "engineer"), ("key", "once")];
        assert!(browser.post("/fn/user/reset", &form).await.status().is_redirection());
    }
    assert_eq!(entries().await, before + 1, "the second time nothing was done");
}

#[tokio::test]
async fn changing_a_role_gives_nobody_teams_that_nobody_named() {
    let app = TestApp::start().await;
    let mut browser = app.browser("admin").await;
    for (key, role, asked, wanted) in [
        ("1", Role::Engineer, "web, ops", "ops, web"),
        ("2", Role::Viewer, "", "ops, web"),
        ("3", Role::Viewer, " , ", "ops, web"),
        ("4", Role::Viewer, "*", ""),
        ("5", Role::Engineer, "", ""),
        ("6", Role::Engineer, "web", "web"),
        ("7", Role::Administrator, "", ""),
    ] {
        let form = [("name", "engineer"), ("role", role.as_str()), ("teams", asked), ("key", key)];
        assert!(browser.post("/fn/user/role", &form).await.status().is_redirection());
        let user = app.headroom.store().user("engineer").await.unwrap().unwrap();
        assert_eq!((user.role, user.teams.to_string().as_str()), (role, wanted), "{asked:?} as {role}");
    }
}
