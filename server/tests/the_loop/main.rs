//! The whole loop through REST alone, against the binary itself with its simulated cluster: observe, analyse, recommend, approve, apply,
//! observe again, verified or rolled back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[path = "../processes/mod.rs"]
mod processes;
mod together;

/// `headroom demo` on a free port, where an hour passes in a second.
struct Demo {
    process: Child,
    address: String,
    links: Vec<String>,
    /// What it logged so far.
    log: Arc<Mutex<String>>,
    dir: TempDir,
}

impl Demo {
    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_headroom"))
            .args(["demo", "--port", "0", "--speed", "3600", "--data-dir"])
            .arg(dir.path().join("data"))
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (said, kept) = (BufReader::new(process.stderr.take().unwrap()).lines(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in said.map_while(Result::ok) {
                eprintln!("{line}");
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (mut address, mut links) = (String::new(), Vec::new());
        while links.len() < 4 {
            let line = lines.next().expect("the demonstration ended before it was ready").unwrap();
            if let Some(rest) = line.strip_prefix("Headroom is at ") {
                address = rest.split_whitespace().next().unwrap().to_owned();
            }
            links.extend(line.split_whitespace().filter(|w| w.contains("/sign-in/code?code=")).map(str::to_owned));
        }
        Self { process, address, links, log, dir }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn user(&self, name: &str) -> Api {
        let output = Command::new(env!("CARGO_BIN_EXE_headroom"))
            .args(["token", "create", "--user", name, "--data-dir"])
            .arg(self.data())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        headroom_infra::install_tls();
        Api { base: format!("{}/api/v1", self.address), token, client: Client::new() }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Api {
    base: String,
    token: String,
    client: Client,
}

impl Api {
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }
    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, Some(body)).await
    }
    async fn act(&self, recommendation: &str, verb: &str, body: Value) -> (u16, Value) {
        self.post(&format!("/optimization/recommendations/{recommendation}/{verb}"), body).await
    }
    /// Asks again until it is as wanted.
    async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let body = self.get(path).await;
            if wanted(&body) {
                return body;
            }
            assert!(begin.elapsed() < Duration::from_secs(120), "{path} stays {body}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is missing: {value}"))
}

#[tokio::test]
async fn from_nothing_to_a_change_applied_observed_and_rolled_back() {
    let demo = Demo::start();
    assert!(demo.address.starts_with("http://127.0.0.1:"), "loopback only");
    assert!(demo.links.iter().all(|l| l.starts_with(&format!("{}/sign-in/code?code=", demo.address))));
    let (engineer, approver, manager) = (demo.user("engineer"), demo.user("approver"), demo.user("manager"));

    // At this speed an hour is short: without this, the schedule would supersede what is being looked at.
    let rule = json!({ "scope": "fleet", "key": "analysis_interval", "value": "30d" });
    let (status, body) = demo.user("admin").send(Method::PUT, "/policy", Some(rule)).await;
    assert_eq!(status, 200, "{body}");

    services_are_listed_in_pages(&manager).await;
    let recommendation = something_to_do(&engineer).await;
    let id = text(&recommendation, "recommendation_id").to_owned();
    let path = format!("/optimization/recommendations/{id}");
    let plan = submitted_and_approved(&engineer, &approver, &id).await;
    what_was_refused_is_in_the_log(&demo, &engineer, &id).await;
    applied_and_verified(&approver, &id, &plan).await;
    rolled_back_by_hand(&approver, &manager, &id, &recommendation).await;
    harm_is_rolled_back_by_itself(&engineer, &approver).await;

    let events: Vec<String> =
        manager.get("/audit?limit=200").await["items"].as_array().unwrap().iter().map(|i| text(i, "event").to_owned()).collect();
    for event in ["change.submitted", "change.approved", "change.rolled_back"] {
        assert!(events.iter().any(|e| e == event), "{event} is not in the audit chain: {events:?}");
    }
    assert_eq!(manager.get(&path).await["status"], "ROLLED_BACK");
    the_end_is_orderly(demo).await;
}

async fn services_are_listed_in_pages(manager: &Api) {
    let first = manager.get("/services?limit=10").await;
    assert_eq!(first["items"].as_array().unwrap().len(), 10);
    let (mut cursor, mut seen) = (first["next_cursor"].as_str().map(str::to_owned), 10);
    while let Some(at) = cursor {
        let page = manager.get(&format!("/services?limit=10&cursor={}", headroom_server::identity::encode(&at))).await;
        seen += page["items"].as_array().unwrap().len();
        cursor = page["next_cursor"].as_str().map(str::to_owned);
    }
    assert!(seen >= 24, "{seen} services");
    let name = text(&first["items"][0], "service_name").to_owned();
    let service = manager.get(&format!("/services/{name}")).await;
    assert!(service["state"]["containers"].as_object().is_some_and(|c| !c.is_empty()));
    assert!(service["latest_metrics"]["cpu_usage_cores"]["value"].as_f64().is_some_and(|v| v >= 0.0), "{service}");
    assert!(service["parameters"].is_object());
}

/// Analyses the fleet; returns a resource recommendation of a service that Headroom may write to.
async fn something_to_do(engineer: &Api) -> Value {
    let body = json!({ "service_name": "fleet", "optimization_types": ["RESOURCE_OPTIMIZATION", "SCALING_OPTIMIZATION"], "analysis_period": "14d" });
    let (status, job) = engineer.post("/optimization/analyze", body).await;
    assert_eq!(status, 202, "{job}");
    assert_eq!(job["optimization_type"], "RESOURCE_OPTIMIZATION");
    assert_eq!(job["optimization_types"].as_array().unwrap().len(), 2);
    let job = engineer.until(&format!("/optimization/jobs/{}", text(&job, "job_id")), |j| j["status"] != "ANALYZING").await;
    assert_eq!(job["status"], "RECOMMENDATIONS_READY", "{}", job["reason"]);
    let list =
        engineer.get("/optimization/recommendations?optimization_type=RESOURCE_OPTIMIZATION&status=RECOMMENDATIONS_READY&limit=200").await;
    let mut ours: Vec<&Value> =
        list["items"].as_array().unwrap().iter().filter(|r| r["refusal"].is_null() && r["substate"] == "OPEN").collect();
    // The safest first: this story is about one that works.
    ours.sort_by_key(|r| match text(r, "risk") {
        "low" => 0,
        "medium" => 1,
        _ => 2,
    });
    let found = (*ours.first().expect("the demonstration has waste to find")).clone();
    for key in ["description", "current_state", "recommended_state", "expected_improvement"] {
        assert!(!found[key].is_null(), "{key}: {found}");
    }
    let expected = &found["expected_improvement"];
    assert!((0.7..=1.0).contains(&expected["confidence"].as_f64().unwrap()), "{expected}");
    assert_ne!(found["current_state"], found["recommended_state"]);
    found
}

async fn submitted_and_approved(engineer: &Api, approver: &Api, id: &str) -> String {
    let (status, submitted) = engineer.act(id, "submit", json!({})).await;
    assert_eq!((status, text(&submitted, "substate")), (200, "PENDING_APPROVAL"));
    let plan = text(&submitted, "plan_hash").to_owned();
    let (status, refused) = engineer.act(id, "approve", json!({ "plan_hash": plan })).await;
    assert_eq!(status, 403);
    assert!(text(&refused, "detail").contains("role approver"), "{refused}");
    for verb in ["approve", "apply"] {
        let (status, refused) = approver.act(id, verb, json!({ "plan_hash": "0".repeat(64) })).await;
        assert_eq!((status, text(&refused, "kind")), (409, "plan-mismatch"), "{verb}");
    }
    let unchanged = approver.get(&format!("/optimization/recommendations/{id}")).await;
    assert_eq!((text(&unchanged, "substate"), text(&unchanged, "plan_hash")), ("PENDING_APPROVAL", plan.as_str()));
    let (status, early) = approver.act(id, "apply", json!({ "plan_hash": plan })).await;
    assert_eq!(status, 409, "nobody has approved it: {early}");
    let (status, approved) = approver.act(id, "approve", json!({ "plan_hash": plan })).await;
    assert_eq!((status, &approved["approved_by"]), (200, &json!(["approver"])), "{approved}");
    plan
}

/// Who was refused what, with the id that the answer carries.
async fn what_was_refused_is_in_the_log(demo: &Demo, engineer: &Api, id: &str) {
    let (status, refused) = engineer.act(id, "reject", json!({ "reason": "mine" })).await;
    assert_eq!(status, 403, "{refused}");
    let request = text(&refused, "request_id");
    let begin = Instant::now();
    let line = loop {
        let log = demo.log.lock().unwrap().clone();
        if let Some(line) = log.lines().find(|line| line.contains(request)) {
            break line.to_owned();
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{request} is not in the log:\n{log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for part in ["WARN", "refused", "role approver", "engineer", id] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
}

async fn applied_and_verified(approver: &Api, id: &str, plan: &str) {
    let path = format!("/optimization/recommendations/{id}");
    let (status, job) = approver.act(id, "apply", json!({ "plan_hash": plan })).await;
    assert_eq!(status, 202, "{job}");
    assert!(job["recommendations"].as_array().unwrap().iter().any(|r| r["recommendation_id"] == id));
    let ended = |r: &Value| matches!(text(r, "status"), "APPLIED" | "ROLLED_BACK" | "FAILED");
    let done = approver.until(&path, ended).await;
    assert_eq!(done["status"], "APPLIED", "{} {}", done["reason"], done["effect"]);
    assert_eq!(done["applied"], true);
    assert!(done["effect"]["metrics"].as_array().is_some_and(|m| !m.is_empty()), "{done}");
    let service = approver.get(&format!("/services/{}", text(&done, "service_name"))).await;
    for change in done["changes"].as_array().unwrap() {
        assert!(in_force(&service, change, "to"), "{change} is not in force: {service}");
    }
}

async fn rolled_back_by_hand(approver: &Api, manager: &Api, id: &str, before: &Value) {
    let (status, refused) = manager.act(id, "rollback", json!({ "reason": "I would rather not" })).await;
    assert_eq!(status, 403, "{refused}");
    let (status, answer) = approver.act(id, "rollback", json!({ "reason": "to see it work" })).await;
    assert_eq!(status, 202, "{answer}");
    let path = format!("/optimization/recommendations/{id}");
    let back = approver.until(&path, |r| matches!(text(r, "status"), "ROLLED_BACK" | "FAILED")).await;
    assert_eq!((text(&back, "status"), &back["applied"]), ("ROLLED_BACK", &json!(false)), "{}", back["reason"]);
    let name = text(before, "service_name");
    let service = approver
        .until(&format!("/services/{name}"), |s| before["changes"].as_array().unwrap().iter().all(|c| in_force(s, c, "from")))
        .await;
    assert_eq!(service["state"]["containers"], before["current_state"]["containers"]);
}

/// Whether a container's field of a change has its value before (`from`) or after (`to`); other fields are not looked at.
fn in_force(service: &Value, change: &Value, which: &str) -> bool {
    let field = text(change, "field");
    let Some(rest) = field.strip_prefix("containers.") else { return true };
    let (container, rest) = rest.split_once('.').unwrap();
    let key = match rest {
        "requests.cpu" => "cpu_request",
        "requests.memory" => "memory_request",
        "limits.cpu" => "cpu_limit",
        "limits.memory" => "memory_limit",
        _ => return true,
    };
    service["state"]["containers"][container][key] == change[which]
}

/// An engineer asks for far too little CPU; it is approved, applied, and taken back without anyone doing anything.
async fn harm_is_rolled_back_by_itself(engineer: &Api, approver: &Api) {
    let services = engineer.get("/services?limit=200&sort=-requests").await;
    let mut harmed = None;
    for row in services["items"].as_array().unwrap() {
        let service = engineer.get(&format!("/services/{}", text(row, "service_name"))).await;
        let busy = service["latest_metrics"]["cpu_usage_cores"]["value"].as_f64().is_some_and(|v| v > 0.2);
        let waits = service["latest_metrics"]["latency_p99_ms"]["value"].as_f64().is_some_and(|v| v > 0.0);
        if busy && waits && service["managed"] == "direct" && service["held_by"].is_null() && service["state"]["autoscaler"].is_null() {
            harmed = Some(service);
            break;
        }
    }
    let service = harmed.expect("the demonstration has a busy service");
    let container = service["state"]["containers"].as_object().unwrap().keys().next().unwrap();
    let fields = json!({
        format!("containers.{container}.requests.cpu"): "50m",
        format!("containers.{container}.limits.cpu"): "60m",
    });
    let body = json!({ "service_name": service["service_name"], "fields": fields, "reason": "to see what happens" });
    let (status, proposed) = engineer.post("/optimization/propose", body).await;
    assert_eq!((status, text(&proposed, "strategy")), (201, "person"), "{proposed}");
    let id = text(&proposed, "recommendation_id").to_owned();
    let (status, submitted) = engineer.act(&id, "submit", json!({})).await;
    assert_eq!(status, 200, "{submitted}");
    let seen = json!({ "plan_hash": submitted["plan_hash"] });
    assert_eq!(approver.act(&id, "approve", seen.clone()).await.0, 200);
    assert_eq!(approver.act(&id, "apply", seen).await.0, 202);
    let path = format!("/optimization/recommendations/{id}");
    let ended = approver.until(&path, |r| matches!(text(r, "status"), "APPLIED" | "ROLLED_BACK" | "FAILED")).await;
    assert_eq!(ended["status"], "ROLLED_BACK", "{} {}", ended["reason"], ended["effect"]);
    assert_eq!(ended["effect"]["judgement"], "worse", "{ended}");
}

/// SIGTERM ends Headroom and its simulator, and leaves nothing behind.
async fn the_end_is_orderly(mut demo: Demo) {
    let status = Command::new("kill").args(["-TERM", &demo.process.id().to_string()]).status().unwrap();
    assert!(status.success());
    let begin = Instant::now();
    let code = loop {
        if let Some(status) = demo.process.try_wait().unwrap() {
            break status.code();
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "it does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(code, Some(0));
    let left = Command::new("pgrep").arg("-f").arg(demo.data().join("simulator")).output().unwrap();
    assert!(left.stdout.is_empty(), "the simulator is still there");
}
