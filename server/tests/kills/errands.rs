//! People who go on with their work through every restart: each request has an idempotency key and is sent until it is answered.

use headroom_infra::simulator::Client as Simulator;
use headroom_infra::{Allowed, Infrastructure, Mutation, Purpose};
use headroom_model::auth::Teams;
use headroom_model::ids::{ChangeId, RecommendationId};
use headroom_model::service::Service;
use headroom_model::view::AuditQuery;
use headroom_store::Store;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a change may take to come to rest after a restart.
const REST: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(40);

/// What was seen, over all people.
#[derive(Default)]
pub struct Tally {
    errands: AtomicU64,
    sent_again: AtomicU64,
    answers_lost: AtomicU64,
    longest_rest_ms: AtomicU64,
}

impl Tally {
    pub fn said(&self) -> Value {
        let of = |n: &AtomicU64| n.load(Ordering::Relaxed);
        json!({ "errands": of(&self.errands), "sent again": of(&self.sent_again), "answers lost": of(&self.answers_lost),
            "longest rest, ms": of(&self.longest_rest_ms) })
    }
}

/// What one errand made; `mark` is in the reason of its proposal and in its comment.
pub struct Errand {
    mark: String,
    recommendation: RecommendationId,
}

/// The API, through an engineer and an approver, and the cluster behind it.
#[derive(Clone)]
pub struct Api {
    base: String,
    engineer: String,
    approver: String,
    client: Client,
    simulator: Simulator,
    restarts: watch::Receiver<Instant>,
    tally: Arc<Tally>,
}

/// Which errand of which person, and its next key.
struct Keys {
    mark: String,
    next: u32,
}

impl Keys {
    fn next(&mut self) -> String {
        self.next += 1;
        format!("{}-{}", self.mark, self.next)
    }
}

impl Api {
    pub fn new(
        port: u16,
        engineer: String,
        approver: String,
        simulator: String,
        restarts: watch::Receiver<Instant>,
        tally: Arc<Tally>,
    ) -> Self {
        headroom_infra::install_tls();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let base = format!("http://127.0.0.1:{port}/api/v1/optimization");
        Self { base, engineer, approver, client, simulator: Simulator::new(&simulator, &Allowed::default()), restarts, tally }
    }

    /// The services whose replicas Headroom may set, once it has seen the cluster.
    pub async fn services(&self) -> Vec<Service> {
        let all = self.simulator.inventory().await.unwrap();
        let ours = |s: &Service| s.managed.refusal().is_none() && s.state.autoscaler.is_none() && s.state.replicas.is_some();
        let ours: Vec<Service> = all.into_iter().filter(ours).collect();
        for service in &ours {
            let path = self.base.replace("/optimization", &format!("/services/{}", service.key.name));
            self.until(|| self.client.get(&path).bearer_auth(&self.engineer), |status, _| status == 200).await;
        }
        ours
    }

    /// Has changes of a service carried out and taken back, until it is time to finish.
    pub async fn errands(self, person: usize, service: Service, finishing: watch::Receiver<bool>) -> Vec<Errand> {
        let mut done = Vec::new();
        while !*finishing.borrow() {
            let keys = Keys { mark: format!("person {person}, errand {}", done.len()), next: 0 };
            done.push(self.errand(keys, &service, done.len()).await);
            self.tally.errands.fetch_add(1, Ordering::Relaxed);
        }
        done
    }

    async fn errand(&self, mut keys: Keys, service: &Service, number: usize) -> Errand {
        let before = service.state.replicas.unwrap();
        let wanted = before + 1;
        let mark = keys.mark.clone();
        let fields = json!({ "replicas": wanted.to_string() });
        let proposal = json!({ "service_name": service.key.name, "fields": fields, "reason": mark });
        let id = self.made(&mut keys, "propose", &proposal).await;
        let act = |verb: &str| format!("recommendations/{id}/{verb}");
        self.post(&self.engineer, &keys.next(), &act("comment"), &json!({ "text": mark })).await;
        self.post(&self.engineer, &keys.next(), &act("submit"), &json!({})).await;
        let submitted = self.shown(&id).await;
        let plan = json!({ "plan_hash": submitted["plan_hash"] });
        self.post(&self.approver, &keys.next(), &act("approve"), &plan).await;
        self.post(&self.approver, &keys.next(), &act("apply"), &plan).await;
        // Every fourth is taken back as soon as that is possible, wherever it is.
        let pre_empted = number % 4 == 3;
        if !pre_empted {
            self.at_rest(&id, &["OBSERVING"]).await;
        }
        self.take_back(&mut keys, &act("rollback")).await;
        let ended = self.at_rest(&id, &["ROLLED_BACK"]).await;
        let change: ChangeId = ended["change_id"].as_str().unwrap().parse().unwrap();
        let writes = self.simulator.mutations(change).await.unwrap();
        let live = self.simulator.read(&service.key).await.unwrap().state.replicas;
        let say = format!("{mark}: {writes:?}, and now there are {live:?}: {ended}");
        assert!(each_once_in_order(&writes, wanted, before) || (pre_empted && writes.is_empty()), "{say}");
        assert_eq!(live, Some(before), "{say}");
        Errand { mark, recommendation: id.parse().unwrap() }
    }

    /// Proposes; the id, also where the answer was lost.
    async fn made(&self, keys: &mut Keys, path: &str, body: &Value) -> String {
        let began = Instant::now();
        loop {
            let (status, answer) = self.send(&self.engineer, &keys.next(), path, body).await;
            let detail = answer["detail"].as_str().unwrap_or_default();
            if status == 201 {
                return answer["recommendation_id"].as_str().unwrap().to_owned();
            } else if answer["kind"] == "answer-lost" {
                let mut ids = detail.split([' ', ',']).filter(|word| word.parse::<RecommendationId>().is_ok());
                return ids.next_back().expect("the problem names it").to_owned();
            }
            // Right after a restart Headroom may know the cluster from before its last write: it looks within a second.
            assert!(status == 422 && detail.starts_with("nothing differs"), "{path}: {status} {answer}");
            self.patience(began, &answer).await;
        }
    }

    /// Asks for the roll-back until there is something to take back.
    async fn take_back(&self, keys: &mut Keys, path: &str) {
        let began = Instant::now();
        loop {
            let (status, answer) = self.send(&self.approver, &keys.next(), path, &json!({ "reason": "the errand is done" })).await;
            match status {
                202 => return,
                409 if answer["kind"] == "answer-lost" => return,
                409 => self.patience(began, &answer).await,
                _ => panic!("{path}: {status} {answer}"),
            }
        }
    }

    /// Sends a request that must succeed, once or again.
    async fn post(&self, token: &str, key: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, answer) = self.send(token, key, path, body).await;
        assert!(status < 300 || answer["kind"] == "answer-lost", "{path}: {status} {answer}");
        (status, answer)
    }

    async fn send(&self, token: &str, key: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = || self.client.post(format!("{}/{path}", self.base)).bearer_auth(token).header("idempotency-key", key).json(body);
        let answer = self.until(request, |status, _| status < 500).await;
        if answer.1["kind"] == "answer-lost" {
            self.tally.answers_lost.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// A recommendation as it is now.
    async fn shown(&self, id: &str) -> Value {
        let request = || self.client.request(Method::GET, format!("{}/recommendations/{id}", self.base)).bearer_auth(&self.engineer);
        self.until(request, |status, _| status == 200).await.1
    }

    /// Waits until a change has come to rest, counted from the newest restart.
    async fn at_rest(&self, id: &str, states: &[&str]) -> Value {
        let began = Instant::now();
        loop {
            let shown = self.shown(id).await;
            let waited = self.since(began).elapsed();
            if states.contains(&shown["substate"].as_str().unwrap_or_default()) {
                self.tally.longest_rest_ms.fetch_max(u64::try_from(waited.as_millis()).unwrap(), Ordering::Relaxed);
                return shown;
            }
            self.patience(began, &shown).await;
        }
    }

    /// Sends again and again, through every restart, until it is answered as wanted.
    async fn until(&self, request: impl Fn() -> reqwest::RequestBuilder, wanted: impl Fn(u16, &Value) -> bool) -> (u16, Value) {
        let began = Instant::now();
        loop {
            let answer = match request().send().await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    response.json::<Value>().await.map(|body| (status, body)).map_err(|e| e.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            match answer {
                Ok((status, body)) if wanted(status, &body) => return (status, body),
                other => self.patience(began, &json!(format!("{other:?}"))).await,
            }
            self.tally.sent_again.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn since(&self, began: Instant) -> Instant {
        began.max(*self.restarts.borrow())
    }

    async fn patience(&self, began: Instant, found: &Value) {
        assert!(self.since(began).elapsed() < REST, "a minute after the restart it is still {found}");
        tokio::time::sleep(PAUSE).await;
    }
}

fn each_once_in_order(writes: &[Mutation], wanted: u32, before: u32) -> bool {
    let wrote = |m: &Mutation, purpose, to: u32| m.purpose == purpose && m.changes.iter().all(|c| c.to == Some(to.to_string()));
    matches!(writes, [first, second] if wrote(first, Purpose::Apply, wanted) && wrote(second, Purpose::Restore, before))
}

/// What was proposed and said once is there once, however often it was sent.
pub async fn each_once(store: &Store, done: &[Errand]) {
    let mut proposed: BTreeMap<String, u32> = BTreeMap::new();
    let mut query = AuditQuery { event: "recommendation.proposed".to_owned(), limit: 200, ..AuditQuery::default() };
    loop {
        let page = store.audit_rows(&query, "reader", &Teams::ALL).await.unwrap();
        page.items.into_iter().filter_map(|row| row.event.reason).for_each(|mark| *proposed.entry(mark).or_default() += 1);
        let Some(cursor) = page.next_cursor else { break };
        query.cursor = cursor;
    }
    for errand in done {
        assert_eq!(proposed.get(&errand.mark), Some(&1), "{} was proposed more or less than once", errand.mark);
        let comments = store.comments(errand.recommendation, 10_000).await.unwrap();
        assert_eq!(comments.iter().filter(|c| c.text == errand.mark).count(), 1, "{}: {comments:?}", errand.mark);
    }
}
