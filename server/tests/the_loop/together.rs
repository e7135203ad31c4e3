//! Two Headrooms on one PostgreSQL share the work; when one is killed in the middle of a change, the other carries it on, and the
//! target saw every write once.

use crate::{Api, text};
use headroom_infra::Infrastructure;
use headroom_infra::simulator::Client as Simulator;
use reqwest::Client;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[path = "../../store/tests/contract/postgres.rs"]
mod postgres;

const HEADROOM: &str = env!("CARGO_BIN_EXE_headroom");

/// A process that is killed when it goes out of scope.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What both processes are told.
struct Place {
    database: String,
    simulator: String,
    dir: TempDir,
}

impl Place {
    fn headroom(&self) -> Command {
        let mut command = Command::new(HEADROOM);
        command
            .current_dir(self.dir.path())
            .env("HEADROOM_DATABASE__URL", &self.database)
            .env("HEADROOM_SIMULATOR__URL", &self.simulator)
            .env("HEADROOM_DATA_DIR", self.dir.path());
        command
    }

    fn said(&self, arguments: &[&str]) -> String {
        let output = self.headroom().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn serve(&self) -> (Process, String) {
        let mut child = self.headroom().args(["serve", "--bind", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("headroom serve ended before it listened").unwrap();
            if let Some((_, address)) = line.split_once("Headroom listens at ") {
                break address.trim().to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        (Process(child), address)
    }

    fn token(&self, user: &str) -> String {
        self.said(&["token", "create", "--user", user])
    }
}

fn simulator(dir: &Path) -> (Process, String) {
    let mut child = Command::new(HEADROOM)
        .args(["simulator", "--listen", "127.0.0.1:0", "--speed", "600", "--data-dir"])
        .arg(dir.join("simulator"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Process(child), line.trim().rsplit(' ').next().unwrap().to_owned())
}

fn api(address: &str, token: &str) -> Api {
    Api { base: format!("{address}/api/v1"), token: token.to_owned(), client: Client::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_began_another_ends() {
    let dir = TempDir::new().unwrap();
    let (_simulator, address) = simulator(dir.path());
    let place = Place { database: postgres::database().await, simulator: address.clone(), dir };
    for (name, role) in [("engineer", "engineer"), ("approver", "approver")] {
        place.said(&["user", "create", name, "--role", role]);
    }
    let (engineer, approver) = (place.token("engineer"), place.token("approver"));
    let ((one, at_one), (_two, at_two)) = (place.serve(), place.serve());

    // One process looks at the cluster; both show it.
    let (asks, decides) = (api(&at_one, &engineer), api(&at_two, &approver));
    asks.until("/services?limit=1", |list| !list["items"].as_array().unwrap().is_empty()).await;
    decides.until("/optimization/recommendations?limit=1", |list| !list["items"].as_array().unwrap().is_empty()).await;
    let found = proposal(&asks).await;
    let id = text(&found, "recommendation_id");
    let (status, submitted) = asks.act(id, "submit", json!({})).await;
    assert_eq!(status, 200, "{submitted}");
    let plan = json!({ "plan_hash": text(&submitted, "plan_hash") });
    let (status, approved) = decides.act(id, "approve", plan.clone()).await;
    assert_eq!(status, 200, "{approved}");
    let (status, applying) = api(&at_one, &approver).act(id, "apply", plan).await;
    assert_eq!(status, 202, "{applying}");
    drop(one);

    let began = Instant::now();
    let path = format!("/optimization/recommendations/{id}");
    let after = decides.until(&path, |r| ["OBSERVING", "APPLIED"].contains(&r["substate"].as_str().unwrap_or_default())).await;
    assert!(began.elapsed() < Duration::from_secs(60), "taken over after {:?}", began.elapsed());
    let change: headroom_model::ids::ChangeId = text(&after, "change_id").parse().unwrap();
    let seen = Simulator::connect(&address).await.unwrap().mutations(change).await.unwrap();
    assert_eq!(seen.len(), 1, "{seen:?}");

    // The one that is left also looks at the cluster now.
    let newest = newest_sample(&decides, &found).await;
    decides.until(&service_path(&found), |s| latest(s) > newest.clone()).await;
    assert!(place.said(&["verify-audit"]).contains("every link holds"));
    assert!(place.said(&["doctor"]).contains("answers; schema"));
}

/// A resource recommendation of a service that Headroom may write to.
async fn proposal(api: &Api) -> Value {
    let path = "/optimization/recommendations?optimization_type=RESOURCE_OPTIMIZATION&limit=200";
    let ours = |r: &&Value| r["refusal"].is_null() && r["substate"] == "OPEN" && text(r, "risk") == "low";
    let list = api.until(path, |list| list["items"].as_array().unwrap().iter().any(|r| ours(&r))).await;
    list["items"].as_array().unwrap().iter().find(ours).unwrap().clone()
}

fn service_path(found: &Value) -> String {
    format!("/services/{}", text(found, "service_name"))
}

fn latest(service: &Value) -> String {
    service["latest_metrics"]["cpu_usage_cores"]["at"].as_str().unwrap_or_default().to_owned()
}

async fn newest_sample(api: &Api, found: &Value) -> String {
    latest(&api.get(&service_path(found)).await)
}
