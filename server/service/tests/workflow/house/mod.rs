//! A whole Headroom over a real simulator and a real database in a temporary folder.
#![allow(dead_code, reason = "each test file uses its own part of the house")]

use headroom_engine::prices::PriceBook;
use headroom_infra::Allowed;
use headroom_infra::simulator::{Client, Options, bind};
use headroom_model::auth::{OpContext, Person, Role, Teams};
use headroom_model::change::{Change, Substate};
use headroom_model::ids::RecommendationId;
use headroom_model::job::Job;
use headroom_model::policy::Scope;
use headroom_model::service::Service;
use headroom_model::time::Timestamp;
use headroom_model::view::{AnalyzeRequest, ProposeRequest, RecommendationPage, RecommendationQuery};
use headroom_service::{Cluster, Headroom, WallClock, WorkerOptions};
use headroom_store::{Store, StoreConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::sync::watch;

pub mod seeds;

#[path = "../../../../store/tests/contract/postgres.rs"]
mod postgres;

/// How long a test waits for what takes seconds: enough for a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long a call to a cluster that answers may take.
pub const CALL: Duration = Duration::from_secs(10);

/// A wall clock that stands until it is moved.
#[derive(Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(wall().micros())))
    }
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
    pub fn pass(&self, secs: i64) {
        self.0.fetch_add(secs * 1_000_000, Ordering::Relaxed);
    }
}

/// Wall time.
pub fn wall() -> Timestamp {
    Timestamp::from_micros(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap())
}

/// A running Headroom with a simulated cluster.
pub struct House {
    pub headroom: Arc<Headroom>,
    pub simulator: Client,
    stop: watch::Sender<bool>,
    _dir: TempDir,
}

impl House {
    /// Starts everything, with SQLite; cluster time runs `speed` times as fast as the wall.
    pub async fn start(speed: f64) -> Self {
        Self::with_store(speed, None).await
    }

    /// The same, with PostgreSQL.
    pub async fn start_on_postgres(speed: f64) -> Self {
        Self::with_store(speed, Some(postgres::database().await)).await
    }

    /// Whichever of the two databases is named.
    async fn with_store(speed: f64, postgres: Option<String>) -> Self {
        let house = Self::quiet(postgres, Arc::new(wall), CALL, |options| options.speed = speed).await;
        house.headroom.ingest().await.unwrap();
        house.work(Duration::from_millis(50));
        house
    }

    /// A small fleet whose clock stands, with the wall clock of the test and without workers: the test takes their steps. Headroom
    /// waits for the cluster's answers with this patience.
    pub async fn by_hand(database: &str, clock: &Clock, patience: Duration) -> Self {
        let clock = clock.clone();
        Self::small(database, Arc::new(move || clock.now()), patience).await
    }

    /// The same with two weeks of samples: there is something to find.
    pub async fn by_hand_with_history(database: &str, clock: &Clock, patience: Duration) -> Self {
        let clock = clock.clone();
        let postgres = if database == "postgres" { Some(postgres::database().await) } else { None };
        let adjust = |options: &mut Options| (options.speed, options.services) = (0.0, 12);
        let house = Self::quiet(postgres, Arc::new(move || clock.now()), patience, adjust).await;
        while house.headroom.ingest().await.is_err() {}
        house
    }

    /// The same with workers, and with time as it passes.
    pub async fn small_and_busy(database: &str) -> Self {
        let house = Self::small(database, Arc::new(wall), CALL).await;
        house.work(Duration::from_secs(1));
        house
    }

    async fn small(database: &str, wall: WallClock, patience: Duration) -> Self {
        let postgres = if database == "postgres" { Some(postgres::database().await) } else { None };
        let house = Self::quiet(postgres, wall, patience, |options| {
            (options.speed, options.services, options.history_days) = (0.0, 12, 1);
        })
        .await;
        while house.headroom.ingest().await.is_err() {}
        // Own values are replayed on what there is; a little is enough.
        house.headroom.set_policy(&house.admin(), &Scope::Fleet, "analysis_window", "1h").await.unwrap();
        house.headroom.set_policy(&house.admin(), &Scope::Fleet, "max_recommendations", "1000").await.unwrap();
        house
    }

    /// Starts the workers, who look at the cluster as often as this.
    fn work(&self, poll: Duration) {
        let options = WorkerOptions { owner: "test".to_owned(), lease_secs: 30, poll };
        tokio::spawn(self.headroom.clone().run(options, self.stop.subscribe()));
    }

    async fn quiet(postgres: Option<String>, wall: WallClock, patience: Duration, adjust: impl FnOnce(&mut Options)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start = "2026-11-18T10:00:00Z".parse().unwrap();
        let mut options = Options::new(dir.path().join("simulator"), start);
        adjust(&mut options);
        let bound = bind(options).await.unwrap();
        let url = bound.url();
        let (stop, mut stopped) = watch::channel(false);
        tokio::spawn(bound.run(async move {
            let _ = stopped.wait_for(|s| *s).await;
        }));
        let simulator = Client::connect(&url, &Allowed::default()).await.unwrap();
        let client = Arc::new(simulator.clone().with_timeout(patience));
        let cluster = Cluster { infrastructure: client.clone(), metrics: client };
        let place = postgres.map_or_else(|| StoreConfig::sqlite(dir.path().join("headroom.db")), StoreConfig::at);
        let store = Store::open(&place).await.unwrap();
        let headroom = Headroom::new(store, vec![cluster], PriceBook::on_prem_default(), wall, true);
        Self { headroom, simulator, stop, _dir: dir }
    }

    /// Somebody who asks.
    pub fn as_role(&self, name: &str, role: Role) -> OpContext {
        self.in_teams(name, role, Teams::ALL)
    }
    /// Somebody who sees some teams' services only.
    pub fn in_teams(&self, name: &str, role: Role, teams: Teams) -> OpContext {
        OpContext::of(Person { name: name.to_owned(), role, teams }, "test".to_owned(), self.headroom.clocks())
    }
    pub fn engineer(&self) -> OpContext {
        self.as_role("engineer", Role::Engineer)
    }
    pub fn approver(&self) -> OpContext {
        self.as_role("approver", Role::Approver)
    }
    pub fn admin(&self) -> OpContext {
        self.as_role("admin", Role::Administrator)
    }

    /// Analyses the fleet and waits for it.
    pub async fn analysed(&self) {
        let job = self.analysis(AnalyzeRequest { service_name: "fleet".to_owned(), ..AnalyzeRequest::default() }).await;
        assert_eq!(job.state.status(), headroom_model::job::OptimizationStatus::RecommendationsReady, "{:?}", job.reason);
    }

    /// Analyses a service and lets policy apply what it found; why it did not.
    pub async fn analysed_and_applied(&self, service: &str) -> Option<String> {
        let request = AnalyzeRequest { service_name: service.to_owned(), auto_apply: true, ..AnalyzeRequest::default() };
        self.analysis(request).await.auto_apply_refused
    }

    async fn analysis(&self, request: AnalyzeRequest) -> Job {
        let job = self.headroom.analyze(&self.engineer(), &request).await.unwrap();
        let began = Instant::now();
        loop {
            let (job, _) = self.headroom.job(&self.engineer(), job.id).await.unwrap();
            if job.state.ended() {
                return job;
            }
            assert!(began.elapsed() < PATIENCE, "the analysis does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The open recommendations, most urgent first.
    pub async fn open(&self) -> Vec<RecommendationPage> {
        let query = RecommendationQuery { view: "open".into(), limit: 200, ..RecommendationQuery::default() };
        let rows = self.headroom.recommendations(&self.engineer(), &query).await.unwrap().items;
        let mut pages = Vec::new();
        for row in rows {
            pages.push(self.page(row.id).await);
        }
        pages
    }

    pub async fn page(&self, id: RecommendationId) -> RecommendationPage {
        self.headroom.recommendation(&self.approver(), id).await.unwrap()
    }

    /// Own values for a service.
    pub async fn propose(&self, service: &str, fields: &[(&str, &str)]) -> RecommendationId {
        let fields = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let request = ProposeRequest { service_name: service.to_owned(), fields, reason: "a test".to_owned() };
        self.headroom.propose(&self.engineer(), &request).await.unwrap()
    }

    /// Submits as engineer; approves and starts as approver.
    pub async fn carry_out(&self, id: RecommendationId) {
        let change = self.headroom.submit(&self.engineer(), id).await.unwrap();
        self.headroom.approve(&self.approver(), id, &change.plan_hash).await.unwrap();
        self.headroom.apply(&self.approver(), id, &change.plan_hash).await.unwrap();
    }

    /// The services whose replicas Headroom may set.
    pub async fn with_replicas(&self) -> Vec<Service> {
        let all = self.headroom.store().all_services().await.unwrap();
        let ours = |s: &Service| s.managed.refusal().is_none() && s.state.autoscaler.is_none() && s.state.replicas.is_some();
        all.into_iter().filter(ours).collect()
    }

    /// The services that have an autoscaler, and Headroom may set it.
    pub async fn with_autoscaler(&self) -> Vec<Service> {
        let all = self.headroom.store().all_services().await.unwrap();
        all.into_iter().filter(|s| s.managed.refusal().is_none() && s.state.autoscaler.is_some()).collect()
    }

    /// The newest change of a recommendation.
    pub async fn change(&self, id: RecommendationId) -> Change {
        self.headroom.store().latest_change(id).await.unwrap().expect("there is a change")
    }

    /// Takes the step that is due, if there is one.
    pub async fn step(&self) -> bool {
        let options = WorkerOptions { owner: "test".to_owned(), lease_secs: 30, poll: Duration::from_secs(1) };
        self.headroom.work_once(&options, &["change"]).await.unwrap()
    }

    /// Lets the clock pass to when the next step is due, at least a second.
    pub async fn wait(&self, clock: &Clock) {
        let open = self.headroom.store().open_work().await.unwrap();
        let due = open.first().map_or(0, |work| work.run_at.secs_since(clock.now()));
        clock.pass(due.max(1));
    }

    /// Waits until the change of a recommendation is in one of these states.
    pub async fn until(&self, id: RecommendationId, states: &[Substate]) -> RecommendationPage {
        let began = Instant::now();
        loop {
            let change = self.headroom.store().latest_change(id).await.unwrap();
            if change.as_ref().is_some_and(|c| states.contains(&c.state)) {
                let page = self.page(id).await;
                if page.change.as_ref().is_some_and(|c| states.contains(&c.state)) {
                    return page;
                }
            }
            assert!(began.elapsed() < PATIENCE, "still {change:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
