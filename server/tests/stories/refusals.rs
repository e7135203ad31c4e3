//! What comes too late, too early or for something else: each has its own answer, to a program and on the page, and changes nothing.

use crate::app::{Api, Browser, answer};
use crate::fleet::Fleet;
use headroom_model::auth::{OpContext, Person, Role, Teams};
use headroom_model::change::Change;
use headroom_model::view::{AuditQuery, RecommendationQuery};
use reqwest::Method;
use serde_json::{Value, json};

/// A fleet, and the recommendation that the story is about.
struct Story {
    fleet: Fleet,
    id: String,
}

/// All that a refusal could have changed: the change, how its recommendation is listed, and how long the chain is.
type Seen = (Option<Change>, String, i64);

impl Story {
    /// With an open recommendation of a service that Headroom may write to.
    async fn begins() -> Self {
        let fleet = Fleet::analysed().await;
        let headroom = &fleet.app.headroom;
        let person = Person { name: "engineer".to_owned(), role: Role::Engineer, teams: Teams::ALL };
        let ctx = OpContext::of(person, "story".to_owned(), headroom.clocks());
        let open = RecommendationQuery { view: "open".into(), limit: 200, ..RecommendationQuery::default() };
        for row in headroom.recommendations(&ctx, &open).await.unwrap().items {
            if headroom.recommendation(&ctx, row.id).await.unwrap().refusal.is_none() {
                return Self { id: row.id.to_string(), fleet };
            }
        }
        panic!("nothing can be submitted");
    }

    async fn seen(&self) -> Seen {
        let store = self.fleet.app.headroom.store();
        let id = self.id.parse().unwrap();
        let row = store.recommendation_row(id).await.unwrap().unwrap();
        let newest = store.audit_rows(&AuditQuery { limit: 1, ..AuditQuery::default() }, "story", &Teams::ALL).await.unwrap();
        (store.latest_change(id).await.unwrap(), format!("{row:?}"), newest.items[0].seq)
    }

    async fn acts(&self, api: &Api<'_>, verb: &str, body: &Value) -> (u16, Value) {
        answer(api.request(Method::POST, &format!("/optimization/recommendations/{}/{verb}", self.id)).json(body).send().await.unwrap())
            .await
    }

    /// The program is refused with this problem, the page says the same in words, and nothing has changed.
    async fn is_refused(&self, who: &str, verb: &str, body: &Value, kind: &str, words: &str) {
        let app = &self.fleet.app;
        let api = app.api(who).await;
        let mut browser = app.browser(who).await;
        let before = self.seen().await;
        let (status, problem) = self.acts(&api, verb, body).await;
        assert!((400..500).contains(&status), "{verb}: {problem}");
        assert_eq!(problem["kind"], kind, "{verb}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{verb}: {problem}");
        let page = self.page_after(&mut browser, verb, body, &format!("{kind}-{verb}")).await;
        assert!(page.contains(words), "{verb}: the page does not say {words:?}");
        assert_eq!(self.seen().await, before, "{verb}: something has changed");
    }

    /// What the page says after a form of it was sent by a browser without script.
    async fn page_after(&self, browser: &mut Browser<'_>, verb: &str, body: &Value, key: &str) -> String {
        self.request_and_page(browser, verb, body, key).await.1
    }

    /// The same, with the id of the form's request.
    async fn request_and_page(&self, browser: &mut Browser<'_>, verb: &str, body: &Value, key: &str) -> (String, String) {
        let path = format!("/recommendations/{}", self.id);
        let form = body.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap().to_owned()));
        let form: Vec<(&str, String)> = form.chain([("id", self.id.clone()), ("key", key.to_owned())]).collect();
        let form = form.iter().map(|(name, value)| format!("{name}={}", headroom_server::identity::encode(value)));
        let form = form.collect::<Vec<_>>().join("&");
        let form_of = if verb == "rollback" { "roll-back" } else { verb };
        let request = self.fleet.app.request(Method::POST, &format!("/fn/recommendation/{form_of}"));
        let sent = request
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin")
            .header("referer", format!("{}{path}", self.fleet.app.address))
            .header("cookie", &browser.cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let answer = sent.send().await.unwrap();
        assert!(answer.status().is_redirection(), "{verb}: {}", answer.status());
        assert_eq!(answer.headers()["location"], path.as_str());
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let flash = answer.headers().get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).find(|c| c.starts_with("headroom_flash="));
        let flash = flash.expect("the outcome is kept for the page").split(';').next().unwrap();
        let request = self.fleet.app.request(Method::GET, &path).header("accept", "text/html");
        let page = request.header("cookie", format!("{}; {flash}", browser.cookie)).send().await.unwrap().text().await.unwrap();
        // What the page says, not what it carries along for its script.
        let page: String = page.split("<script").map(|part| part.split_once("</script>").map_or(part, |(_, shown)| shown)).collect();
        (id, page.replace("&quot;", "\"").replace("&#39;", "'").replace("&#x27;", "'"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_done_to_a_change_is_said_and_not_done() {
    let story = Story::begins().await;
    let app = &story.fleet.app;
    let (engineer, approver) = (app.api("engineer").await, app.api("approver").await);
    let because = json!({ "reason": "because" });
    let other = json!({ "plan_hash": "0".repeat(64) });
    story.is_refused("approver", "approve", &other, "conflict", "has not been submitted").await;

    let (status, submitted) = story.acts(&engineer, "submit", &json!({})).await;
    assert_eq!(status, 200, "{submitted}");
    let seen = json!({ "plan_hash": submitted["plan_hash"] });
    story.is_refused("engineer", "submit", &json!({}), "conflict", "only an open one can be submitted").await;
    story.is_refused("approver", "approve", &other, "plan-mismatch", "plan").await;
    story.is_refused("approver", "apply", &other, "plan-mismatch", "plan").await;
    story.is_refused("approver", "apply", &seen, "illegal-transition", "approv").await;
    story.is_refused("approver", "rollback", &because, "conflict", "there is nothing to roll back").await;

    assert_eq!(story.acts(&approver, "approve", &seen).await.0, 200);
    for verb in ["reject", "request-changes"] {
        story.is_refused("approver", verb, &because, "illegal-transition", "approved").await;
    }
    story.is_refused("approver", "approve", &seen, "illegal-transition", "approved").await;
    story.is_refused("approver", "break-glass", &because, "conflict", "freeze").await;

    let (_, told) = story.acts(&approver, "approve", &seen).await;
    assert!(told["detail"].as_str().unwrap().contains("apply it or withdraw it"), "{told}");

    // Nobody starts it for a week.
    let mut later = app.headroom.own_context("later");
    later.now.cluster = later.now.cluster.plus_secs(8 * 86_400);
    assert_eq!(app.headroom.expire(&later).await.unwrap(), 1);
    for verb in ["apply", "approve"] {
        story.is_refused("approver", verb, &seen, "expired", "this change has expired").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_another_form_is_refused_on_the_page_too() {
    let story = Story::begins().await;
    let mut browser = story.fleet.app.browser("engineer").await;
    let open = story.seen().await;
    story.page_after(&mut browser, "dismiss", &json!({ "reason": "not now" }), "once").await;
    let before = story.seen().await;
    assert_ne!(before, open, "it was done");
    let said = story.page_after(&mut browser, "dismiss", &json!({ "reason": "never" }), "once").await;
    assert!(said.contains("this idempotency key was used for another request"), "the page says why nothing was done");
    assert_eq!(story.seen().await, before);
    story.page_after(&mut browser, "dismiss", &json!({ "reason": "not now" }), "once").await;
    assert_eq!(story.seen().await, before, "the same form sent twice is done once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_role_may_not_do_is_refused_on_the_page_with_the_requests_id() {
    let story = Story::begins().await;
    let mut browser = story.fleet.app.browser("viewer").await;
    let before = story.seen().await;
    let (id, page) = story.request_and_page(&mut browser, "dismiss", &json!({ "reason": "not now" }), "k").await;
    assert!(page.contains("you need the role engineer"), "the page says what is missing");
    assert!(page.contains(&id), "and under which id the log has it");
    assert_eq!(story.seen().await, before);
}
