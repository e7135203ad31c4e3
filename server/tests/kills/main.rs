//! Headroom is killed at a thousand moments, while changes are carried out and taken back: nothing that was answered is lost, the
//! target sees every write once, and after a restart no change hangs. Each kill is a seed; seeds.rs says how many there are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod errands;
#[path = "../processes/mod.rs"]
mod processes;
#[path = "../../service/tests/workflow/house/seeds.rs"]
mod seeds;

use errands::{Api, Tally};
use headroom_infra::simulator::{Client as Simulator, Fault, FaultKind};
use headroom_infra::{Allowed, Infrastructure, Purpose};
use headroom_model::change::Substate;
use headroom_model::ids::{ChangeId, RecommendationId};
use headroom_server::serve::wall;
use headroom_store::{Store, StoreConfig};
use processes::{Place, free_port, listening};
use seeds::{Dice, Row, Run};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

const ROW: Row = Row { name: "kills", full: 1_000, short: 6, batch: 60 };
/// Headrooms at the same time, each with a database and a cluster of its own: most of a trial is waiting for leases to run out.
const HANDS: u64 = 3;
/// How long a process may live if it never gets to its moment; then it is killed wherever it is.
const LIFE: Duration = Duration::from_secs(12);
/// Moments around the writes, which most of the kills are meant for.
const NAMED: [&str; 14] = [
    "before apply",
    "after apply",
    "before restore",
    "after restore",
    "before mutations",
    "after mutations",
    "before preview",
    "after preview",
    "before read",
    "after read",
    "before commit",
    "after commit",
    "before inventory",
    "after inventory",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    ROW.run("sqlite", several).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    ROW.run("postgres", several).await;
}

async fn several(run: &Run, seeds: Range<u64>) {
    let tally = Arc::new(Tally::default());
    let moments = Arc::new(Mutex::new(BTreeMap::new()));
    let mut hands = JoinSet::new();
    for hand in 0..HANDS {
        let mine: Vec<u64> = seeds.clone().filter(|seed| seed % HANDS == hand).collect();
        if !mine.is_empty() {
            let (run, tally, moments) = (run.clone(), tally.clone(), moments.clone());
            hands.spawn(async move { one_after_the_other(&run, mine, tally, &moments).await });
        }
    }
    while let Some(ended) = hands.join_next().await {
        ended.unwrap();
    }
    let moments = moments.lock().unwrap();
    println!("{}", json!({ "killed": *moments, "tally": tally.said() }));
}

/// Kills one Headroom after the other on one database, while three people have errands; in the end, all errands are done.
async fn one_after_the_other(run: &Run, seeds: Vec<u64>, tally: Arc<Tally>, moments: &Mutex<BTreeMap<String, u32>>) {
    let place = Place::new(run.database(), 12, 10).await;
    let (engineer, approver) = (place.user("engineer", "engineer"), place.user("approver", "approver"));
    let port = free_port();
    let (finish, finishing) = watch::channel(false);
    let (restarted, restarts) = watch::channel(Instant::now());
    let api = Api::new(port, engineer, approver, place.simulator.clone(), restarts, tally);
    let first = serve(&place, port, None);
    let services = api.services().await;
    let mut people = JoinSet::new();
    for (n, service) in services.into_iter().take(3).enumerate() {
        let (api, finishing) = (api.clone(), finishing.clone());
        people.spawn(async move { api.errands(n, service, finishing).await });
    }
    drop(first);
    for seed in seeds {
        let _trial = run.trial(seed);
        restarted.send_replace(Instant::now());
        let moment = one_life(&place, port, &mut Dice::new(seed), &mut people).await;
        *moments.lock().unwrap().entry(moment).or_default() += 1;
    }
    restarted.send_replace(Instant::now());
    finish.send_replace(true);
    let last = serve(&place, port, None);
    let mut done = Vec::new();
    while let Some(ended) = people.join_next().await {
        done.extend(ended.unwrap());
    }
    drop(last);
    assert_eq!(simulator(&place).repeats().await.unwrap(), 0, "a write was asked for twice");
    let store = Store::open(&StoreConfig::at(&place.database)).await.unwrap();
    assert_eq!(store.verify_audit(None).await.unwrap().fault, None);
    errands::each_once(&store, &done).await;
    store.close().await;
}

fn simulator(place: &Place) -> Simulator {
    headroom_infra::install_tls();
    Simulator::new(&place.simulator, &Allowed::default())
}

struct Life {
    process: processes::Process,
    last_words: Arc<Mutex<Option<String>>>,
}

fn serve(place: &Place, port: u16, crash: Option<&str>) -> Life {
    let mut command = place.headroom();
    command.args(["serve", "--bind", &format!("127.0.0.1:{port}")]).env("HEADROOM_LEASE_SECS", "2");
    command.env("HEADROOM_LOG__LEVEL", "warn,headroom_server=info");
    if let Some(moment) = crash {
        command.env("HEADROOM_CRASH_AT", moment);
    }
    let last_words = Arc::new(Mutex::new(None));
    let heard = last_words.clone();
    let (process, _) = listening(command, move |line| {
        if let Some(moment) = line.strip_prefix("crash point: ") {
            *heard.lock().unwrap() = Some(moment.to_owned());
        }
    });
    Life { process, last_words }
}

/// Starts Headroom with a crash point and waits for its end; the moment at which it came.
async fn one_life(place: &Place, port: u16, dice: &mut Dice, people: &mut JoinSet<Vec<errands::Errand>>) -> String {
    let moment = match dice.roll(3) {
        0 => (1 + dice.roll(150)).to_string(),
        _ => format!("{} {}", dice.pick(&NAMED), 1 + dice.roll(3)),
    };
    let mut life = tokio::task::block_in_place(|| serve(place, port, Some(&moment)));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = life.process.0.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > LIFE {
            life.process.0.kill().unwrap();
        }
        if let Some(ended) = people.try_join_next() {
            panic!("an errand ended early: {:?}", ended.map(|errands| errands.len()));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(status.signal(), Some(9), "{moment}: it ended by itself: {status}");
    // The line may still be on its way.
    tokio::time::sleep(Duration::from_millis(5)).await;
    life.last_words.lock().unwrap().take().unwrap_or_else(|| "anywhere".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_when_it_is_told_to_end_is_answered() {
    let place = Place::new("sqlite", 12, 10).await;
    let token = place.user("ann", "engineer");
    let (mut server, address) = place.serve();
    let host = address.strip_prefix("http://").unwrap();
    let body = json!({ "service_name": "fleet" }).to_string();
    let (first, rest) = body.split_at(5);
    let mut request = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST /api/v1/optimization/analyze HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{first}",
        body.len()
    );
    request.write_all(head.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().unwrap().success());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(server.0.try_wait().unwrap().is_none(), "it waits for the request");
    assert!(TcpStream::connect(host).is_err(), "and takes no other");
    request.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    request.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(server.0.wait().unwrap().success(), "and ends of itself");
    let (_again, address) = place.serve();
    let (_, job) = answer.split_once("\"job_id\":\"").unwrap();
    let path = format!("{address}/api/v1/optimization/jobs/{}", job.split('"').next().unwrap());
    let kept = reqwest::Client::new().get(path).bearer_auth(token).send().await.unwrap();
    assert_eq!(kept.status(), 200, "what was answered is there after the next start");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_in_hand_when_it_is_told_to_end_is_made_once_and_found_on_sqlite() {
    a_write_in_hand_is_made_once_and_found("sqlite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_in_hand_when_it_is_told_to_end_is_made_once_and_found_on_postgres() {
    a_write_in_hand_is_made_once_and_found("postgres").await;
}

/// The cluster has written and is slow to say so when the signal comes: the answer is waited for, and kept.
async fn a_write_in_hand_is_made_once_and_found(database: &str) {
    let place = Place::new(database, 12, 10).await;
    let (engineer, approver) = (place.user("engineer", "engineer"), place.user("approver", "approver"));
    let cluster = simulator(&place);
    let (mut server, address) = place.serve();
    let service = cluster
        .inventory()
        .await
        .unwrap()
        .into_iter()
        .find(|s| s.managed.refusal().is_none() && s.state.autoscaler.is_none() && s.state.replicas.is_some());
    let service = service.unwrap();
    let wanted = (service.state.replicas.unwrap() + 1).to_string();
    let http = reqwest::Client::new();
    let post = async |token: &str, path: &str, body: Value| -> Value {
        let path = format!("{address}/api/v1/optimization/{path}");
        let began = Instant::now();
        loop {
            let answer = http.post(&path).bearer_auth(token).json(&body).send().await.unwrap();
            let (status, said): (u16, Value) = (answer.status().as_u16(), answer.json().await.unwrap());
            if status < 300 {
                return said;
            }
            assert!(status == 404 && began.elapsed() < Duration::from_secs(30), "the cluster is seen within a second: {status} {said}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let proposal = json!({ "service_name": service.key.name, "fields": { "replicas": wanted } });
    let id = post(&engineer, "propose", proposal).await["recommendation_id"].as_str().unwrap().to_owned();
    let submitted = post(&engineer, &format!("recommendations/{id}/submit"), json!({})).await;
    let plan = json!({ "plan_hash": submitted["plan_hash"] });
    let change: ChangeId = submitted["change_id"].as_str().unwrap().parse().unwrap();
    post(&approver, &format!("recommendations/{id}/approve"), plan.clone()).await;
    cluster.inject_fault(Fault { kind: FaultKind::SlowAnswer, calls: 1, apply_only: true }).await.unwrap();
    post(&approver, &format!("recommendations/{id}/apply"), plan).await;
    while cluster.mutations(change).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let told = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().unwrap().success());
    assert!(server.0.wait().unwrap().success());
    assert!(told.elapsed() > Duration::from_secs(1), "it waited for the cluster's answer: {:?}", told.elapsed());
    let kept = async || {
        let store = Store::open(&StoreConfig::at(&place.database)).await.unwrap();
        let kept = store.latest_change(id.parse::<RecommendationId>().unwrap()).await.unwrap().unwrap();
        store.close().await;
        kept
    };
    let written = cluster.mutations(change).await.unwrap();
    assert_eq!(written.iter().map(|m| m.purpose).collect::<Vec<_>>(), [Purpose::Apply]);
    let found = kept().await;
    assert_eq!((found.state, found.applied_at), (Substate::Observing, Some(written[0].at)), "{:?}", found.reason);
    // The next start takes it up where it was.
    let (_again, _) = place.serve();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(matches!(kept().await.state, Substate::Observing | Substate::Applied));
    assert_eq!((cluster.mutations(change).await.unwrap().len(), cluster.repeats().await.unwrap()), (1, 0));
}
