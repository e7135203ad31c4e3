//! The workers: they lease work from the store, do it, and come back through the use cases.

use crate::carry_out::Next;
use crate::{Error, Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::OpContext;
use headroom_model::change::Substate;
use headroom_model::fault::chain;
use headroom_model::ids::{ChangeId, JobId};
use headroom_model::time::Timestamp;
use headroom_store::{Error as StoreError, Leadership, Leased, Work};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::Instrument;

/// Work of the kind: do a job.
const WORK_ANALYZE: &str = "analyze";
/// Work of the kind: carry a change on.
const WORK_CHANGE: &str = "change";
/// Wall seconds before work that failed is tried again.
const RETRY_SECS: i64 = 2;

/// Do a job, as soon as a worker is free.
pub(crate) fn analyze_work(id: JobId, now: Timestamp) -> Work {
    Work { kind: WORK_ANALYZE.to_owned(), subject: id.to_string(), payload: serde_json::Value::Null, run_at: now }
}

/// Carry a change on, as soon as a worker is free.
pub(crate) fn change_work(id: ChangeId, now: Timestamp) -> Work {
    Work { kind: WORK_CHANGE.to_owned(), subject: id.to_string(), payload: serde_json::Value::Null, run_at: now }
}

/// Where the time of the newest scheduled analysis is kept.
const LAST_SCHEDULED: &str = "last_scheduled_analysis";

/// How the workers run.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Name of this process among those on one database.
    pub owner: String,
    /// Wall seconds that a piece of work is held; another process takes it over when its holder has died.
    pub lease_secs: i64,
    /// Pause between looks at clusters.
    pub poll: Duration,
}

impl Headroom {
    /// Runs ingestion, the schedule and the workers until `stop` turns true; then what is in hand is finished first.
    #[boxed]
    pub async fn run(self: Arc<Self>, options: WorkerOptions, stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&self).poll_clusters(options.clone(), stop.clone()));
        tasks.spawn(Arc::clone(&self).hear_others(stop.clone()));
        tasks.spawn(Arc::clone(&self).work(options.clone(), stop.clone(), &[WORK_CHANGE]));
        tasks.spawn(Arc::clone(&self).work(options, stop, &[WORK_ANALYZE]));
        while tasks.join_next().await.is_some() {}
    }

    /// One process of those on a database looks at the clusters and keeps the schedule; the others keep time and stand by.
    async fn poll_clusters(self: Arc<Self>, options: WorkerOptions, mut stop: watch::Receiver<bool>) {
        let mut lead = None;
        while !*stop.borrow() {
            lead = self.still_leading(lead).await;
            let looked = if lead.is_some() { self.tick().await } else { self.keep_time().await };
            if let Err(error) = looked {
                tracing::warn!(error = %chain(&error), "a look at the clusters failed; it is repeated");
            }
            tokio::select! { () = tokio::time::sleep(options.poll) => {}, _ = stop.changed() => {} }
        }
    }

    async fn still_leading(&self, lead: Option<Leadership>) -> Option<Leadership> {
        if let Some(mut lead) = lead
            && lead.confirm().await.is_ok()
        {
            return Some(lead);
        }
        self.store.try_lead().await.unwrap_or_else(|error| {
            tracing::warn!(error = %chain(&error), "whether another process looks at the clusters is not known; asked again");
            None
        })
    }

    /// Passes on to this process's pages what other processes tell.
    async fn hear_others(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let heard = tokio::select! { heard = self.listen() => heard, _ = stop.changed() => return };
            match heard {
                Ok(()) => return,
                Err(error) => tracing::warn!(error = %chain(&error), "other processes are not heard; listening again"),
            }
            tokio::select! { () = tokio::time::sleep(Duration::from_secs(RETRY_SECS.unsigned_abs())) => {}, _ = stop.changed() => {} }
        }
    }

    async fn listen(&self) -> Result<()> {
        let Some(mut ears) = self.store.hear().await? else { return Ok(()) };
        let me = self.me.to_string();
        loop {
            let (from, topic) = ears.next().await?;
            if from != me {
                self.announce_here(&topic);
            }
        }
    }

    /// One look: new samples, the schedule, what has expired, what comes back.
    ///
    /// # Errors
    /// [`Error::Infra`] or [`Error::Store`]; the next look tries again.
    pub async fn tick(self: &Arc<Self>) -> Result<()> {
        let polled = self.ingest().await;
        let ctx = self.own_context("schedule");
        self.expire(&ctx).await?;
        self.reopen_due(&ctx).await?;
        self.resume(&ctx).await?;
        let interval = self.fleet_policy().await?.analysis_interval;
        let last = self.store.setting(LAST_SCHEDULED).await?.and_then(|t| t.parse::<Timestamp>().ok());
        if !self.clusters.is_empty() && last.is_none_or(|at| ctx.now.cluster.secs_since(at) >= interval.secs()) && polled.is_ok() {
            self.analyze_on_schedule(&ctx).await?;
            let mut tx = self.store.begin().await?;
            tx.put_setting(LAST_SCHEDULED, &ctx.now.cluster.to_string()).await?;
            tx.commit().await?;
        }
        polled
    }

    /// Puts every change that somebody must take further back into the queue, where a crash left it without work.
    async fn resume(&self, ctx: &OpContext) -> Result<()> {
        let open = self.store.open_work().await?;
        let states: Vec<Substate> = Substate::ALL
            .iter()
            .copied()
            .filter(|s| s.active() || matches!(s, Substate::Applied | Substate::Scheduled | Substate::HeldByFreeze))
            .collect();
        for change in self.store.changes_in(&states).await? {
            let subject = change.id.to_string();
            if !open.iter().any(|w| w.kind == WORK_CHANGE && w.subject == subject) {
                let mut tx = self.store.begin().await?;
                tx.enqueue(&change_work(change.id, ctx.now.wall)).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    async fn work(self: Arc<Self>, options: WorkerOptions, mut stop: watch::Receiver<bool>, kinds: &'static [&'static str]) {
        while !*stop.borrow() {
            match self.work_once(&options, kinds).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(error = %chain(&error), "a worker could not take work; it tries again"),
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
                () = self.wake.notified() => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Takes one piece of work, if there is any, and does it.
    ///
    /// # Errors
    /// [`Error::Store`] when the queue cannot be read.
    pub async fn work_once(self: &Arc<Self>, options: &WorkerOptions, kinds: &[&str]) -> Result<bool> {
        let now = (self.wall)();
        let Some(leased) = self.store.lease_work(&options.owner, now, options.lease_secs, kinds).await? else { return Ok(false) };
        let lease = self.keep_lease(&leased, options);
        let span = tracing::info_span!("work", kind = %leased.kind, subject = %leased.subject, attempts = leased.attempts);
        let done = tokio::select! { done = leased.clone().during(self.do_work(&leased)).instrument(span) => done, never = lease => never };
        match done {
            Ok(Next::Never) => self.settle(self.finish(&leased).await, &leased),
            Ok(Next::Now) => self.settle(self.again(&leased, now).await, &leased),
            Ok(Next::At(at)) => self.settle(self.again(&leased, at).await, &leased),
            Err(error) => {
                tracing::warn!(kind = %leased.kind, subject = %leased.subject, attempts = leased.attempts, error = %chain(&error), "work is tried again");
                self.settle(self.again(&leased, (self.wall)().plus_secs(RETRY_SECS)).await, &leased);
            }
        }
        Ok(true)
    }

    /// Renews the lease for as long as the work takes; ends only when another worker has it.
    async fn keep_lease(&self, leased: &Leased, options: &WorkerOptions) -> Result<Next> {
        loop {
            tokio::time::sleep(Duration::from_secs((options.lease_secs / 3).max(1) as u64)).await;
            match self.store.renew_lease(leased, (self.wall)(), options.lease_secs).await {
                Ok(_) => {}
                Err(lost @ StoreError::Fenced { .. }) => return Err(lost.into()),
                // A database that is away for a moment takes no lease from anybody; each write looks at the lease in any case.
                Err(error) => tracing::warn!(error = %chain(&error), "the lease of this work could not be renewed; it is tried again"),
            }
        }
    }

    async fn do_work(self: &Arc<Self>, leased: &Leased) -> Result<Next> {
        let bad = |e: &dyn std::fmt::Display| Error::Internal(format!("work about {:?} cannot be read: {e}", leased.subject));
        match leased.kind.as_str() {
            WORK_ANALYZE => {
                let id: JobId = leased.subject.parse().map_err(|e| bad(&e))?;
                self.do_job(id).await.map(|()| Next::Never)
            }
            WORK_CHANGE => {
                let id: ChangeId = leased.subject.parse().map_err(|e| bad(&e))?;
                match self.step(id).await {
                    // Somebody else moved the change on while this step ran: look again.
                    Err(Error::Conflict(_) | Error::Refusal(_)) => Ok(Next::Now),
                    other => other,
                }
            }
            other => Err(Error::Internal(format!("there is no work of the kind {other:?}"))),
        }
    }

    async fn finish(&self, leased: &Leased) -> Result<()> {
        let mut tx = self.store.begin().await?;
        tx.finish_work(leased).await?;
        Ok(tx.commit().await?)
    }

    async fn again(&self, leased: &Leased, at: Timestamp) -> Result<()> {
        let mut tx = self.store.begin().await?;
        tx.reschedule_work(leased, at).await?;
        Ok(tx.commit().await?)
    }

    /// A lost lease means that another worker has the work: that is no fault.
    fn settle(&self, result: Result<()>, leased: &Leased) {
        let (kind, subject) = (&leased.kind, &leased.subject);
        match result {
            Ok(()) => {}
            Err(Error::Store(StoreError::Fenced { .. })) => tracing::info!(%kind, %subject, "the lease of this work is no longer ours"),
            Err(error) => tracing::warn!(
                %kind, %subject, error = %chain(&error),
                "that this work was done, or has to be done again, could not be kept; it is taken up again once its lease has run out"
            ),
        }
    }
}
