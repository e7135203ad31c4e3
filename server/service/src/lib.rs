//! The use cases of Headroom, one file per verb: the only place that joins engine, infra and store.
//!
//! Every use case takes an [`OpContext`] first, authorises, loads, decides with pure functions of `model` and `engine`, and writes
//! state, audit entry and outbox event in one transaction. Workers come back through the same doors.
//!
//! A use case is `#[boxed]`: an `async fn` is compiled again in every crate that awaits it, a boxed future once, here. With the store
//! beneath, that is most of what building `app` and `server` would cost.

mod analyze;
mod apply;
mod approve;
mod auto_apply;
mod benchmarks;
mod break_glass;
mod cancel;
mod carry_out;
mod classes;
mod comment;
mod days;
mod deployments;
pub mod diff;
mod dismiss;
mod error;
mod expire;
mod idempotency;
mod identity;
mod import;
mod ingest;
mod kept;
mod observe;
mod policies;
mod promises;
mod propose;
mod read;
mod reject;
mod reopen;
mod request_changes;
mod roll_back;
mod second_factor;
mod sessions;
mod submit;
mod supersede;
mod users;
pub mod windows;
mod withdraw;
mod worker;

pub use error::{Error, Result, parse_minute, parse_plan_hash};
pub use identity::{Known, OneTimeCode, Provided};
pub use import::ImportSummary;
pub use promises::PromiseRow;
pub use users::NewToken;
pub use worker::WorkerOptions;

use crate::kept::Kept;
use crate::read::insights::Drawn;
use async_recursion::async_recursion as boxed;
use headroom_engine::prices::PriceBook;
use headroom_infra::Error::Unreachable;
use headroom_infra::{Infrastructure, MetricsSource};
use headroom_model::auth::{OpContext, Permission, Teams};
use headroom_model::event::Event;
use headroom_model::fault::chain;
use headroom_model::ids::RecommendationId;
use headroom_model::service::Service;
use headroom_model::time::{Clocks, Timestamp};
use headroom_model::view::{Anomaly, LiveEvent};
use headroom_store::Store;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

/// A cluster that Headroom reads and writes.
#[derive(Clone)]
pub struct Cluster {
    /// What reads and writes its objects.
    pub infrastructure: Arc<dyn Infrastructure>,
    /// What delivers its samples.
    pub metrics: Arc<dyn MetricsSource>,
}

impl Cluster {
    /// Its name, part of every service's key; empty until it has answered for the first time.
    #[must_use]
    pub fn name(&self) -> &str {
        self.infrastructure.name()
    }
}

/// The clock of the wall, given by the binary.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What Headroom is made of; shared by routes and workers in an [`Arc`].
pub struct Headroom {
    store: Store,
    clusters: Vec<Cluster>,
    prices: PriceBook,
    wall: WallClock,
    /// Newest polled cluster time, microseconds; 0 before the first poll.
    cluster_time: AtomicI64,
    live: broadcast::Sender<LiveEvent>,
    rev: AtomicU64,
    wake: Notify,
    /// When each API token's use was last noted, wall time.
    token_used: Mutex<HashMap<Uuid, Timestamp>>,
    demo: bool,
    /// What is expected of services' metrics, as of an hour.
    forecasts: Arc<Kept<Vec<Drawn>>>,
    /// What was odd in services' metrics, as of a sample.
    anomalies: Arc<Kept<Vec<Anomaly>>>,
    /// This process among those on one database.
    me: Uuid,
}

impl Headroom {
    /// Joins the parts. Nothing runs until [`Headroom::ingest`] and the workers are started.
    #[must_use]
    pub fn new(store: Store, clusters: Vec<Cluster>, prices: PriceBook, wall: WallClock, demo: bool) -> Arc<Self> {
        let (live, _) = broadcast::channel(256);
        Arc::new(Self {
            store,
            clusters,
            prices,
            wall,
            cluster_time: AtomicI64::new(0),
            live,
            rev: AtomicU64::new(0),
            wake: Notify::new(),
            token_used: Mutex::default(),
            demo,
            forecasts: Kept::new(),
            anomalies: Kept::new(),
            me: Uuid::now_v7(),
        })
    }

    /// Both clocks, now. Cluster time is that of the newest poll, and wall time where no cluster is watched.
    #[must_use]
    pub fn clocks(&self) -> Clocks {
        let wall = (self.wall)();
        let cluster = match self.cluster_time.load(Ordering::Relaxed) {
            0 => wall,
            micros => Timestamp::from_micros(micros),
        };
        Clocks { wall, cluster }
    }

    /// Until a cluster answers, its time is where its samples end: by the wall's clock, which may be ahead, things would be due.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn stand_by(&self) -> Result<()> {
        if let Some(newest) = self.store.newest_sample(None).await? {
            self.cluster_time.store(Timestamp::from_secs(newest).micros(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// The context of Headroom's own workers.
    #[must_use]
    pub fn own_context(&self, request_id: impl Into<String>) -> OpContext {
        OpContext::own("headroom", request_id.into(), self.clocks())
    }

    /// Small messages that something changed.
    #[must_use]
    pub fn live(&self) -> broadcast::Receiver<LiveEvent> {
        self.live.subscribe()
    }

    /// The durable state, for sessions and operations.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where prices come from.
    #[must_use]
    pub fn prices(&self) -> &PriceBook {
        &self.prices
    }

    /// Whether this is the demonstration.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.demo
    }

    /// Whether every cluster answers.
    ///
    /// # Errors
    /// [`Error::Infra`] of the first that does not, [`Error::Store`] when the database does not.
    #[boxed]
    pub async fn ready(&self) -> Result<()> {
        self.store.ping().await?;
        for cluster in &self.clusters {
            cluster.infrastructure.clock().await?;
        }
        Ok(())
    }

    /// Says here, and to the other processes on this database, that something changed.
    fn announce(&self, topic: &str) {
        self.announce_here(topic);
        if self.store.is_shared() {
            let (store, me, topic) = (self.store.clone(), self.me.to_string(), topic.to_owned());
            tokio::spawn(async move {
                if let Err(error) = store.tell(&me, &topic).await {
                    tracing::warn!(error = %chain(&error), topic, "other processes were not told; their pages show it with the next change");
                }
            });
        }
    }

    fn announce_here(&self, topic: &str) {
        let rev = self.rev.fetch_add(1, Ordering::Relaxed) + 1;
        // Nobody listening is no fault.
        let _ = self.live.send(LiveEvent { topic: topic.to_owned(), rev });
        self.wake.notify_waiters();
    }

    /// Checks a permission on a recommendation. One of a team that the actor does not see is as good as not there.
    async fn require_on(&self, ctx: &OpContext, permission: Permission, id: RecommendationId) -> Result<()> {
        ctx.require(permission)?;
        if ctx.teams == Teams::ALL {
            return Ok(());
        }
        let seen = self.store.team_of(id).await?.is_some_and(|team| ctx.teams.include(&team));
        if seen { Ok(()) } else { Err(Error::not_found("recommendation", id)) }
    }

    /// A service by its name in interfaces, if the actor sees its team.
    async fn service_seen(&self, ctx: &OpContext, name: &str) -> Result<Service> {
        if name.trim().is_empty() {
            return Err(Error::invalid("service_name", "the service_name is missing: say which service"));
        }
        let service = self.store.service_named(name).await?;
        if ctx.teams.include(&service.team) { Ok(service) } else { Err(Error::not_found("service", name)) }
    }

    fn cluster_of(&self, service: &Service) -> Result<&Cluster> {
        self.clusters.iter().find(|c| c.name() == service.key.cluster).ok_or_else(|| self.not_connected(&service.key.cluster))
    }

    /// A cluster that has not answered yet may be any.
    fn not_connected(&self, name: &str) -> Error {
        if self.clusters.iter().any(|c| c.name().is_empty()) {
            return Error::Infra(Unreachable("it has not answered since Headroom started".to_owned()));
        }
        Error::Refused(format!("Headroom is not connected to the cluster {name:?} of this service"))
    }
}

impl From<headroom_store::Error> for Error {
    fn from(error: headroom_store::Error) -> Self {
        use headroom_store::Error as E;
        match error {
            E::Stale { .. } => Self::Conflict("it has changed meanwhile: load it again, then decide".to_owned()),
            E::TargetBusy { .. } | E::Taken { .. } => Self::Conflict(error.to_string()),
            E::BadCursor => Self::invalid("cursor", error),
            E::Nul => Self::invalid("text", error),
            E::BadFilter { field, .. } => Self::invalid(field, error),
            E::AmbiguousName { .. } => Self::invalid("service_name", error),
            E::KeyReused { .. } => Self::KeyReused,
            E::NotFound { what, id } => Self::NotFound { what, id },
            other => Self::Store(other),
        }
    }
}

/// Starts an event of the audit chain from a context.
fn event(ctx: &OpContext, name: &str, kind: &str, subject: impl ToString) -> Event {
    Event {
        name: name.to_owned(),
        actor: ctx.actor.clone(),
        at: ctx.now,
        request_id: ctx.request_id.clone(),
        subject_kind: kind.to_owned(),
        subject: subject.to_string(),
        service_id: None,
        reason: None,
        before: None,
        after: None,
    }
}
