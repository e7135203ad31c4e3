//! Carries an approved change through: preflight, write, observe, roll back. Run by workers, one step at a time.
//!
//! Every step reads the change anew, does at most one thing to the outside world, and saves what it saw, so that a crash
//! between any two steps leaves the change resumable. Before a write is repeated, the target is read.

use crate::expire::late;
use crate::observe::Observation;
use crate::{Cluster, Error, Headroom, Result, event, windows};
use headroom_infra::{Error as InfraError, Purpose};
use headroom_model::auth::OpContext;
use headroom_model::change::{Change, Substate};
use headroom_model::fault::chain;
use headroom_model::ids::ChangeId;
use headroom_model::plan::{FieldChange, Plan};
use headroom_model::recommendation::RecommendationState;
use headroom_model::service::Service;
use headroom_model::time::Timestamp;
use std::collections::BTreeSet;

/// Wall seconds after which a write that never succeeds is given up.
const GIVE_UP_SECS: i64 = 300;
/// Wall seconds between looks at a change that is being watched.
const WATCH_SECS: i64 = 2;
/// Wall seconds between looks at a verified change whose guards are armed.
const GUARD_SECS: i64 = 20;

/// When a worker should come back to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// At once.
    Now,
    /// At a wall time.
    At(Timestamp),
    /// Not by itself.
    Never,
}

impl Headroom {
    /// Takes one step with a change.
    ///
    /// # Errors
    /// [`Error::Infra`] or [`Error::Store`]: the step is tried again later.
    pub(crate) async fn step(&self, id: ChangeId) -> Result<Next> {
        let ctx = self.own_context(format!("work-{}", id.short()));
        let Some(change) = self.store.change(id).await? else { return Ok(Next::Never) };
        match change.state {
            Substate::Approved | Substate::Scheduled | Substate::HeldByFreeze => self.start(&ctx, change).await,
            Substate::Preflight => self.preflight(&ctx, change).await,
            Substate::Applying => self.write(&ctx, change).await,
            Substate::OutcomeUnknown => self.resolve(&ctx, change).await,
            Substate::Observing | Substate::Applied => self.watch(&ctx, change).await,
            Substate::Aborting | Substate::RollbackRequested => self.advance(&ctx, change, Substate::RollingBack, None).await,
            Substate::RollingBack => self.take_back(&ctx, change).await,
            _ => Ok(Next::Never),
        }
    }

    /// Moves a change on, with its audit entry and outbox event, in one transaction.
    pub(crate) async fn advance(&self, ctx: &OpContext, mut change: Change, to: Substate, reason: Option<String>) -> Result<Next> {
        let (from, version) = (change.state, change.version);
        change.advance(to)?;
        if let Some(reason) = reason {
            change.reason = Some(reason);
        }
        self.save(ctx, &change, from, version).await?;
        Ok(if to.active() { Next::Now } else { Next::Never })
    }

    /// Saves a change that has moved from `from`, with its audit entry; reopens its recommendation where it ended without a trace.
    pub(crate) async fn save(&self, ctx: &OpContext, change: &Change, from: Substate, version: u64) -> Result<()> {
        let outcome = self.outcome(ctx, change).await?;
        let mut tx = self.store.begin().await?;
        tx.save_change(change, version).await?;
        if change.state.reopens() {
            tx.set_recommendation_state(change.recommendation_id, RecommendationState::Open, None).await?;
        }
        if let Some((outcome, entry)) = outcome {
            tx.put_outcome(&outcome).await?;
            if let Some(entry) = entry {
                tx.put_ledger(&entry).await?;
            }
        }
        let mut entry = event(ctx, &format!("change.{}", change.state.as_str().to_lowercase()), "change", change.id);
        entry.service_id = Some(change.service_id.to_string());
        entry.reason.clone_from(&change.reason);
        entry.before = Some(serde_json::json!({ "state": from, "version": version }));
        entry.after = Some(serde_json::json!({ "state": change.state, "version": change.version, "plan_hash": change.plan_hash }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("changes");
        Ok(())
    }

    async fn start(&self, ctx: &OpContext, change: Change) -> Result<Next> {
        if change.apply_requested_by.is_none() {
            return Ok(Next::Never);
        }
        if change.in_time(ctx.now.cluster).is_err() {
            let why = late(change.state).to_owned();
            return self.advance(ctx, change, Substate::Expired, Some(why)).await;
        }
        if let Err(refusal) = change.approved_by_other() {
            return self.advance(ctx, change, Substate::Stale, Some(refusal.to_string())).await;
        }
        if ctx.now.cluster < change.not_before {
            let soon = Next::At(ctx.now.wall.plus_secs(WATCH_SECS));
            if change.state != Substate::Scheduled {
                self.advance(ctx, change, Substate::Scheduled, None).await?;
            }
            return Ok(soon);
        }
        if let Some(closed) = self.closed_for(ctx, &change).await? {
            return self.hold(ctx, change, &closed).await;
        }
        self.begin(ctx, change).await
    }

    /// Lets a change wait for the end of a freeze or the begin of a window.
    async fn hold(&self, ctx: &OpContext, change: Change, closed: &windows::Closed) -> Result<Next> {
        if change.state != Substate::HeldByFreeze {
            self.advance(ctx, change, Substate::HeldByFreeze, Some(closed.to_string())).await?;
        }
        Ok(Next::At(ctx.now.wall.plus_secs(WATCH_SECS)))
    }

    /// What keeps a change from being carried out now: policy's freezes and windows, unless somebody lifted them for it.
    async fn closed_for(&self, ctx: &OpContext, change: &Change) -> Result<Option<windows::Closed>> {
        if change.break_glass.is_some() {
            return Ok(None);
        }
        let policy = self.policy_of(&self.service_of(change).await?).await?;
        windows::closed(&policy.change_windows, ctx.now.cluster)
    }

    /// Starts the checks; what held it until now is no longer its reason.
    async fn begin(&self, ctx: &OpContext, mut change: Change) -> Result<Next> {
        let (from, version) = (change.state, change.version);
        change.reason = None;
        change.advance(Substate::Preflight)?;
        self.save(ctx, &change, from, version).await?;
        Ok(Next::Now)
    }

    async fn preflight(&self, ctx: &OpContext, change: Change) -> Result<Next> {
        let service = self.service_of(&change).await?;
        let cluster = self.cluster_of(&service)?;
        let live = cluster.infrastructure.read(&service.key).await?;
        if live.uid != change.plan.uid {
            let reason = "the target is another object now: it was deleted and created again. Analyse the service anew".to_owned();
            return self.advance(ctx, change, Substate::Stale, Some(reason)).await;
        }
        if let Some(drift) = change.plan.drift(&live.state).first() {
            let found = drift.found.as_deref().unwrap_or("not set");
            let reason =
                format!("{} is {found} now, the plan was made from {}", drift.field, drift.expected.as_deref().unwrap_or("not set"));
            return self.advance(ctx, change, Substate::Stale, Some(reason)).await;
        }
        let policy = self.policy_of(&service).await?;
        if policy.plan_hash() != change.plan.policy_hash {
            let reason = "the policy that this plan was judged by has changed: submit it again".to_owned();
            return self.advance(ctx, change, Substate::Stale, Some(reason)).await;
        }
        if let Some(closed) = self.closed_for(ctx, &change).await? {
            return self.hold(ctx, change, &closed).await;
        }
        let preview = cluster.infrastructure.preview(&change.plan).await?;
        if preview.problems.is_empty() {
            return self.advance(ctx, change, Substate::Applying, None).await;
        }
        self.advance(ctx, change, Substate::PreflightFailed, Some(preview.problems.join("; "))).await
    }

    async fn write(&self, ctx: &OpContext, change: Change) -> Result<Next> {
        let service = self.service_of(&change).await?;
        let cluster = self.cluster_of(&service)?;
        let done = Recorded::of(cluster, &change, Purpose::Apply).await?;
        let left = done.left(&change.plan.changes);
        if let Some(at) = done.all(&change.plan) {
            return self.begin_watch(ctx, change, at).await;
        }
        // A freeze that has begun since the checks: what has been tried, if anything was, is found out by reading.
        if let Some(closed) = self.closed_for(ctx, &change).await? {
            return self.advance(ctx, change, Substate::OutcomeUnknown, Some(format!("not written yet: {closed}"))).await;
        }
        match cluster.infrastructure.apply(change.id, &change.plan, &left, Purpose::Apply).await {
            Ok(done) => self.begin_watch(ctx, change, done.at).await,
            Err(InfraError::Conflict { reason, .. }) => self.refused(ctx, change, cluster, &done, reason).await,
            Err(InfraError::Refused(detail)) => self.refused(ctx, change, cluster, &done, format!("the cluster refused: {detail}")).await,
            Err(error) if error.nothing_written() && !self.tried_long_enough(ctx, &change, "change.preflight").await? => {
                Err(Error::Infra(error))
            }
            Err(error) => {
                tracing::warn!(change = %change.id, error = %chain(&error), "the outcome of a write is unknown");
                self.advance(ctx, change, Substate::OutcomeUnknown, Some(error.to_string())).await?;
                Ok(Next::At(ctx.now.wall.plus_secs(1)))
            }
        }
    }

    /// A refusal of all ends the change. Where a part was written before it, the rest is tried again.
    async fn refused(&self, ctx: &OpContext, change: Change, cluster: &Cluster, before: &Recorded, why: String) -> Result<Next> {
        let now = Recorded::of(cluster, &change, Purpose::Apply).await?;
        if now.fields.len() == before.fields.len() {
            return self.give_up(ctx, change, cluster, why).await;
        }
        self.advance(ctx, change, Substate::OutcomeUnknown, Some(format!("not all of it was written: {why}"))).await
    }

    async fn resolve(&self, ctx: &OpContext, change: Change) -> Result<Next> {
        let service = self.service_of(&change).await?;
        let cluster = self.cluster_of(&service)?;
        let done = Recorded::of(cluster, &change, Purpose::Apply).await?;
        if let Some(at) = done.all(&change.plan) {
            return self.begin_watch(ctx, change, at).await;
        }
        if self.tried_long_enough(ctx, &change, "change.preflight").await? {
            let why = format!("the cluster did not take it in {} minutes", GIVE_UP_SECS / 60);
            return self.give_up(ctx, change, cluster, why).await;
        }
        if self.closed_for(ctx, &change).await?.is_some() {
            return Ok(Next::At(ctx.now.wall.plus_secs(WATCH_SECS)));
        }
        let trace = if done.fields.is_empty() { "no trace" } else { "a part" };
        self.advance(ctx, change, Substate::Applying, Some(format!("the target shows {trace} of the write: trying again"))).await
    }

    /// Ends a change that was not written, or not all of it, once the target takes no write of it any more: one that is still on its way
    /// finds the door shut. One that has come in meanwhile and made it whole is watched; a part stays until somebody rolls it back.
    async fn give_up(&self, ctx: &OpContext, change: Change, cluster: &Cluster, why: String) -> Result<Next> {
        let done = Recorded::shut(cluster, &change).await?;
        if let Some(at) = done.all(&change.plan) {
            return self.begin_watch(ctx, change, at).await;
        }
        if done.fields.is_empty() {
            return self.advance(ctx, change, Substate::Failed, Some(format!("nothing was written: {why}"))).await;
        }
        let (written, missing) = (done.of_plan(&change.plan), done.left(&change.plan.changes));
        let reason = format!("written: {}; not written: {}; {why}", names(&written), names(&missing));
        let next = self.advance(ctx, change, Substate::Partial, Some(reason)).await?;
        self.refresh_inventory().await?;
        Ok(next)
    }

    async fn begin_watch(&self, ctx: &OpContext, mut change: Change, at: Timestamp) -> Result<Next> {
        let (from, version) = (change.state, change.version);
        change.applied_at = Some(at);
        change.reason = None;
        change.advance(Substate::Observing)?;
        self.save(ctx, &change, from, version).await?;
        self.refresh_inventory().await?;
        Ok(Next::At(ctx.now.wall.plus_secs(WATCH_SECS)))
    }

    async fn watch(&self, ctx: &OpContext, mut change: Change) -> Result<Next> {
        let service = self.service_of(&change).await?;
        let cluster = self.cluster_of(&service)?;
        let live = cluster.infrastructure.read(&service.key).await?;
        if let Some(drift) = change.plan.overwritten(&live.state).first() {
            let newer = live.marks.get(&drift.field).filter(|by| **by != change.id);
            if let (Substate::Applied, Some(newer)) = (change.state, newer) {
                let reason = format!("{} took its place", newer.short());
                return self.advance(ctx, change, Substate::Closed, Some(reason)).await;
            }
            let reason = format!("{} is {} now: someone else wrote it", drift.field, drift.found.as_deref().unwrap_or("not set"));
            return self.advance(ctx, change, Substate::Drifted, Some(reason)).await;
        }
        let soon = if change.state == Substate::Applied { GUARD_SECS } else { WATCH_SECS };
        let again = Next::At(ctx.now.wall.plus_secs(soon));
        let (from, version) = (change.state, change.version);
        match self.observe(&change, &service).await? {
            Observation::TooEarly => Ok(again),
            Observation::Held => Ok(again),
            Observation::Worse(effect) => {
                change.reason = Some(format!("rolled back by itself: {}", effect.summary));
                change.effect = Some(effect);
                change.advance(if from == Substate::Applied { Substate::RollbackRequested } else { Substate::Aborting })?;
                self.save(ctx, &change, from, version).await?;
                Ok(Next::Now)
            }
            Observation::Verified(effect) => {
                change.effect = Some(effect);
                change.verified_at = Some(ctx.now.cluster);
                change.advance(Substate::Applied)?;
                self.save(ctx, &change, from, version).await?;
                Ok(again)
            }
            Observation::GuardsDone => self.advance(ctx, change, Substate::Closed, None).await,
        }
    }

    async fn take_back(&self, ctx: &OpContext, change: Change) -> Result<Next> {
        let service = self.service_of(&change).await?;
        let cluster = self.cluster_of(&service)?;
        let mut applied = Recorded::of(cluster, &change, Purpose::Apply).await?;
        if applied.all(&change.plan).is_none() {
            applied = Recorded::shut(cluster, &change).await?;
        }
        let restored = Recorded::of(cluster, &change, Purpose::Restore).await?;
        let ended = restored.at.unwrap_or(ctx.now.cluster);
        let due = restored.left(&applied.of_plan(&change.plan));
        if due.is_empty() {
            return self.end_roll_back(ctx, change, ended, &[]).await;
        }
        let live = cluster.infrastructure.read(&service.key).await?;
        let fields = live.state.fields();
        let is_ours = |c: &FieldChange| fields.get(&c.field) == c.to.as_ref() && live.marks.get(&c.field) == Some(&change.id);
        let (ours, theirs): (Vec<_>, Vec<_>) = due.into_iter().partition(is_ours);
        let left_at = |c: &FieldChange| fields.get(&c.field).map_or("not set", String::as_str);
        let conflicts: Vec<String> =
            theirs.iter().map(|c| format!("{} was left at {}, which someone else wrote", c.field, left_at(c))).collect();
        if ours.is_empty() {
            return self.end_roll_back(ctx, change, ended, &conflicts).await;
        }
        let ours = Plan { changes: ours, ..change.plan.clone() }.inverse();
        match cluster.infrastructure.apply(change.id, &change.plan, &ours, Purpose::Restore).await {
            Ok(done) => self.end_roll_back(ctx, change, done.at, &conflicts).await,
            Err(error) if self.tried_long_enough(ctx, &change, "change.rolling_back").await? => {
                let reason = format!("the old values could not be written back: {error}. Write them by hand, or try the roll-back again");
                self.advance(ctx, change, Substate::RollbackFailed, Some(reason)).await
            }
            Err(error) => Err(Error::Infra(error)),
        }
    }

    async fn end_roll_back(&self, ctx: &OpContext, mut change: Change, at: Timestamp, conflicts: &[String]) -> Result<Next> {
        let (from, version) = (change.state, change.version);
        change.rolled_back_at = Some(at);
        if !conflicts.is_empty() {
            let said = change.reason.take().unwrap_or_else(|| "rolled back".to_owned());
            change.reason = Some(format!("{said}; {}", conflicts.join("; ")));
        }
        change.advance(Substate::RolledBack)?;
        self.save(ctx, &change, from, version).await?;
        self.refresh_inventory().await?;
        Ok(Next::Never)
    }

    /// Whether it is longer than [`GIVE_UP_SECS`] since the newest event of this name about the change, in wall time.
    async fn tried_long_enough(&self, ctx: &OpContext, change: &Change, since: &str) -> Result<bool> {
        let began = self.store.events_about(&[change.id.to_string()], &[since], 1).await?.pop().map(|row| row.event.at.wall);
        Ok(began.is_some_and(|at| ctx.now.wall.secs_since(at) > GIVE_UP_SECS))
    }

    /// The service that a change is about.
    pub(crate) async fn service_of(&self, change: &Change) -> Result<Service> {
        self.store.service(change.service_id).await?.ok_or_else(|| Error::not_found("service", change.service_id))
    }
}

/// What the target recorded of a change for one purpose: read before every retry.
struct Recorded {
    /// The fields that were written.
    fields: BTreeSet<String>,
    /// Cluster time of the newest write.
    at: Option<Timestamp>,
}

impl Recorded {
    async fn of(cluster: &Cluster, change: &Change, purpose: Purpose) -> Result<Self> {
        let mutations = cluster.infrastructure.mutations(change.id).await?;
        let (mut fields, mut at) = (BTreeSet::new(), None);
        for mutation in mutations.into_iter().filter(|m| m.purpose == purpose) {
            at = Some(mutation.at);
            fields.extend(mutation.changes.into_iter().map(|c| c.field));
        }
        Ok(Self { fields, at })
    }

    /// Makes the target take no write of a change any more; what it had taken before that.
    async fn shut(cluster: &Cluster, change: &Change) -> Result<Self> {
        cluster.infrastructure.shut_out(change.id, &change.plan.target).await?;
        Self::of(cluster, change, Purpose::Apply).await
    }

    /// Those of `changes` that are not recorded.
    fn left(&self, changes: &[FieldChange]) -> Vec<FieldChange> {
        changes.iter().filter(|c| !self.fields.contains(&c.field)).cloned().collect()
    }

    /// Those of the plan that are.
    fn of_plan(&self, plan: &Plan) -> Vec<FieldChange> {
        plan.changes.iter().filter(|c| self.fields.contains(&c.field)).cloned().collect()
    }

    /// When the last of the plan was written; `None` while something is missing.
    fn all(&self, plan: &Plan) -> Option<Timestamp> {
        self.at.filter(|_| self.left(&plan.changes).is_empty())
    }
}

fn names(changes: &[FieldChange]) -> String {
    changes.iter().map(|c| c.field.as_str()).collect::<Vec<_>>().join(", ")
}
