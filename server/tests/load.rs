//! A hundred people read and write at the same time, for `MINUTES`, against the real binary: no answer is a fault of the server's, no
//! lock shows, and neither memory nor open files grow. `make test` does a few seconds of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod processes;
#[path = "../service/tests/workflow/house/seeds.rs"]
mod seeds;

use headroom_model::auth::{Role, Teams};
use headroom_server::config::Config;
use headroom_server::serve::{self, wall};
use headroom_service::NewToken;
use processes::{Place, Process, listening};
use reqwest::{Client, Method};
use seeds::{Dice, Row};
use serde_json::{Value, json};
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const ROW: Row = Row { name: "load", full: 1, short: 1, batch: 1 };
const PEOPLE: usize = 100;
/// What `make test` does.
const SHORT: Duration = Duration::from_secs(5);
/// Mean time between an answer and the next request.
const THINK_MS: usize = 500;

/// One answer: when since the start, how long it took.
type Answered = (Duration, Duration);

/// What came back.
#[derive(Default)]
struct Seen {
    reads: Mutex<Vec<Answered>>,
    writes: Mutex<Vec<Answered>>,
    faults: Mutex<Vec<String>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    a_hundred_people("sqlite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    a_hundred_people("postgres").await;
}

async fn a_hundred_people(database: &'static str) {
    let minutes: Option<u64> = std::env::var("MINUTES").ok().map(|m| m.parse().unwrap());
    let long = minutes.map_or(SHORT, |m| Duration::from_secs(60 * m));
    let place = Place::new(database, 34, 60).await;
    let tokens = tokens(&place).await;
    let seen = Arc::new(Seen::default());
    let (server, address) = server(&place, &seen);
    let base = format!("{address}/api/v1");
    let services = services(&base, &tokens[0]).await;
    let mut coming = JoinSet::new();
    for (n, token) in tokens.into_iter().enumerate() {
        headroom_infra::install_tls();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let person =
            Person { base: base.clone(), token, client, services: services.clone(), seen: seen.clone(), dice: Dice::new(n as u64) };
        coming.spawn(person.come());
    }
    // Time begins when everyone is there, with their connections and as many of the database's as all need at once.
    let people = coming.join_all().await;
    let began = Instant::now();
    let people: Vec<_> = people.into_iter().map(|person| tokio::spawn(person.live(began, long))).collect();
    let sizes = watched(&server, began, long).await;
    for person in people {
        person.await.unwrap();
    }
    let result = result(&seen, &sizes, long);
    println!("{database}: {result}");
    if minutes.is_some() {
        ROW.noted(database, &result);
    }
    assert_eq!(seen.faults.lock().unwrap().as_slice(), &[] as &[String], "{result}");
    let (first, last) = (sizes[sizes.len() / 4], sizes[sizes.len() - 1]);
    // A few seconds are not enough for the pools to fill, of writers above all, who wait with a connection each; what is open is bounded by them.
    let most = if minutes.is_some() { first.files + 20 } else { 2 * PEOPLE };
    assert!(last.files <= most, "open files grow: {result}");
    assert!(result["writes"].as_u64() > Some(0), "{result}");
}

/// A user with a token for each person; every third may approve.
async fn tokens(place: &Place) -> Vec<String> {
    let mut config = Config { data_dir: place.dir.path().to_owned(), ..Config::default() };
    config.database.url = Some(place.database.clone());
    let headroom = serve::open(&config, Vec::new(), false).await.unwrap();
    let ctx = headroom.own_context("load");
    let mut tokens = Vec::new();
    for n in 0..PEOPLE {
        let (name, role) = (format!("person{n}"), if n % 3 == 0 { Role::Approver } else { Role::Engineer });
        headroom.create_user(&ctx, &name, role, &Teams::ALL).await.unwrap();
        tokens.push(headroom.create_token(&ctx, &name, &NewToken { label: "load".to_owned(), scope: None, days: 1 }).await.unwrap());
    }
    headroom.store().close().await;
    tokens
}

/// The server; what it logs of locks counts as a fault.
fn server(place: &Place, seen: &Arc<Seen>) -> (Process, String) {
    let mut command = place.headroom();
    command.args(["serve", "--bind", "127.0.0.1:0"]);
    let heard = seen.clone();
    let (process, address) = listening(command, move |line| {
        if ["locked", "deadlock", "PoolTimedOut", "panicked"].iter().any(|word| line.contains(word)) {
            heard.faults.lock().unwrap().push(line.to_owned());
        }
    });
    (process, address.expect("headroom serve ended before it listened"))
}

/// The names of all services, once Headroom has seen them and has something to recommend.
async fn services(base: &str, token: &str) -> Vec<String> {
    headroom_infra::install_tls();
    let client = Client::builder().no_proxy().build().unwrap();
    let list = async |path: &str| -> Vec<Value> {
        let answer = client.get(format!("{base}{path}")).bearer_auth(token).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["items"].as_array().cloned().unwrap_or_default()
    };
    while list("/optimization/recommendations?limit=1").await.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    list("/services?limit=200").await.iter().map(|s| s["service_name"].as_str().unwrap().to_owned()).collect()
}

struct Person {
    base: String,
    token: String,
    client: Client,
    services: Vec<String>,
    seen: Arc<Seen>,
    dice: Dice,
}

impl Person {
    /// Looks once; what that took is not counted.
    async fn come(self) -> Self {
        let look = self.client.get(format!("{}/services?limit=20", self.base)).bearer_auth(&self.token).send().await.unwrap();
        look.bytes().await.unwrap();
        self
    }

    async fn live(mut self, began: Instant, long: Duration) {
        while began.elapsed() < long {
            let think = self.dice.roll(2 * THINK_MS);
            tokio::time::sleep(Duration::from_millis(think as u64)).await;
            if self.dice.roll(10) < 7 {
                self.read(began).await
            } else {
                self.write(began).await
            };
        }
    }

    async fn read(&mut self, began: Instant) {
        let path = match self.dice.roll(6) {
            0 => "/services?limit=20".to_owned(),
            1 => format!("/services/{}", self.dice.pick(&self.services)),
            2 => "/optimization/recommendations?view=open&limit=10".to_owned(),
            3 => "/changes?limit=20".to_owned(),
            4 => "/audit?limit=20".to_owned(),
            _ => "/optimization/recommendations?view=waiting&limit=10".to_owned(),
        };
        self.send(began, Method::GET, &path, None).await;
    }

    /// Something to a recommendation of one's choice; most of it is done, some comes too late.
    async fn write(&mut self, began: Instant) {
        let list = self.send(began, Method::GET, "/optimization/recommendations?limit=20&sort=-created", None).await;
        let of = |item: &Value| item["recommendation_id"].as_str().map(str::to_owned);
        let ids: Vec<(String, Value)> =
            list["items"].as_array().into_iter().flatten().filter_map(|i| Some((of(i)?, i["plan_hash"].clone()))).collect();
        if ids.is_empty() || self.dice.one_in(4) {
            let cpu = format!("{}m", 100 + self.dice.roll(400));
            let service = self.dice.pick(&self.services).clone();
            let replicas = (1 + self.dice.roll(5)).to_string();
            let fields = if self.dice.one_in(2) { json!({ "replicas": replicas }) } else { json!({ "containers.app.requests.cpu": cpu }) };
            let body = json!({ "service_name": service, "fields": fields, "reason": "load" });
            self.send(began, Method::POST, "/optimization/propose", Some(body)).await;
            return;
        }
        let (id, plan) = self.dice.pick(&ids).clone();
        let (verb, body) = match self.dice.roll(8) {
            0 | 1 => ("submit", json!({})),
            2 => ("approve", json!({ "plan_hash": plan })),
            3 => ("withdraw", json!({})),
            4 => ("dismiss", json!({ "reason": "load" })),
            5 => ("reopen", json!({})),
            _ => ("comment", json!({ "text": "seen" })),
        };
        self.send(began, Method::POST, &format!("/optimization/recommendations/{id}/{verb}"), Some(body)).await;
    }

    async fn send(&mut self, began: Instant, method: Method, path: &str, body: Option<Value>) -> Value {
        let write = body.is_some();
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = &body {
            request = request.json(body).header("idempotency-key", uuid::Uuid::now_v7().to_string());
        }
        let sent = Instant::now();
        let answer = async {
            let response = request.send().await?;
            Ok::<_, reqwest::Error>((response.status().as_u16(), response.json::<Value>().await?))
        };
        match answer.await {
            Ok((status, value)) if status < 500 => {
                let times = if write { &self.seen.writes } else { &self.seen.reads };
                times.lock().unwrap().push((began.elapsed(), sent.elapsed()));
                value
            }
            other => {
                self.seen.faults.lock().unwrap().push(format!("{path}: {other:?}"));
                Value::Null
            }
        }
    }
}

/// How large the server is, and what it has worked.
#[derive(Clone, Copy)]
struct Size {
    /// Since the start.
    at: Duration,
    rss_kib: u64,
    files: usize,
    /// Seconds of all cores.
    cpu: f64,
}

/// Looks at the server's size, forty times and at least every half minute.
async fn watched(server: &Process, began: Instant, long: Duration) -> Vec<Size> {
    let mut sizes = Vec::new();
    while began.elapsed() < long {
        tokio::time::sleep((long / 40).min(Duration::from_secs(30))).await;
        sizes.push(size(server.0.id(), began.elapsed()));
    }
    sizes
}

fn size(process: u32, at: Duration) -> Size {
    let read = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}")).unwrap();
    let status = read("status");
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    // User and system time, in hundredths of a second: the 14th and 15th word, counted from behind the name in brackets.
    let stat = read("stat");
    let ticks = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2).map(|n| n.parse::<f64>().unwrap()).sum::<f64>();
    let files = fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    Size { at, rss_kib: rss.trim().trim_end_matches(" kB").parse().unwrap(), files, cpu: ticks / 100.0 }
}

fn result(seen: &Seen, sizes: &[Size], long: Duration) -> Value {
    let (reads, writes) = (seen.reads.lock().unwrap(), seen.writes.lock().unwrap());
    let quarter = |times: &[Answered], n: u32| {
        let within = |t: &&Answered| t.0 >= long / 4 * n && t.0 < long / 4 * (n + 1);
        p99_ms(times.iter().filter(within).map(|t| t.1).collect())
    };
    let whole = |times: &[Answered]| p99_ms(times.iter().map(|t| t.1).collect());
    let (first, last) = (sizes[sizes.len() / 4], sizes[sizes.len() - 1]);
    // What an answer costs does not depend on what else the machine does.
    let cpu = |n: usize| {
        let (from, to) = (sizes[sizes.len() * n / 4], sizes[(sizes.len() * (n + 1) / 4).min(sizes.len() - 1)]);
        let answers = reads.iter().chain(writes.iter()).filter(|t| t.0 >= from.at && t.0 < to.at).count();
        ((to.cpu - from.cpu) * 100_000.0 / answers.max(1) as f64).round() / 100.0
    };
    json!({
        "people": PEOPLE, "seconds": long.as_secs(), "reads": reads.len(), "writes": writes.len(),
        "violations": seen.faults.lock().unwrap().len(),
        "read p99 ms": whole(&reads), "write p99 ms": whole(&writes),
        "read p99 ms, second and last quarter": [quarter(&reads, 1), quarter(&reads, 3)],
        "write p99 ms, second and last quarter": [quarter(&writes, 1), quarter(&writes, 3)],
        "cpu ms per answer, second and last quarter": [cpu(1), cpu(3)],
        "rss MiB, after a quarter and at the end": [first.rss_kib / 1024, last.rss_kib / 1024],
        "files, after a quarter and at the end": [first.files, last.files],
    })
}

fn p99_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let at = times.len().saturating_sub(1) * 99 / 100;
    times.get(at).map_or(0.0, |t| (t.as_secs_f64() * 10_000.0).round() / 10.0)
}
