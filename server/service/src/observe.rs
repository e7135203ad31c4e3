//! Watches a change after the write: guards against the same service before, at like load and like hour.

use crate::{Headroom, Result};
use headroom_engine::judge::{self, Guards};
use headroom_engine::{DaySketch, sketch};
use headroom_model::auth::OpContext;
use headroom_model::change::{Change, Substate};
use headroom_model::effect::{Effect, Judgement};
use headroom_model::policy::Policy;
use headroom_model::service::Service;
use headroom_model::time::Timestamp;
use headroom_model::units::Money;
use headroom_store::{LedgerEntry, Outcome};

/// How much worse than the threshold a guard must be to roll back before the observation is over: an early look sees few
/// samples, and looking often finds more false alarms, so it acts only on what is plain.
const EARLY_FACTOR: f64 = 3.0;
/// Fewest samples for an early look.
const EARLY_SAMPLES: u32 = 4;

/// What a look at a watched change says.
pub(crate) enum Observation {
    /// No new look is due.
    TooEarly,
    /// Guards held so far.
    Held,
    /// A guard broke.
    Worse(Effect),
    /// The observation is over.
    Verified(Effect),
    /// The guards have been armed long enough.
    GuardsDone,
}

impl Headroom {
    /// Looks at a change that was written.
    pub(crate) async fn observe(&self, change: &Change, service: &Service) -> Result<Observation> {
        let Some(applied) = change.applied_at else { return Ok(Observation::TooEarly) };
        let policy = self.policy_of(service).await?;
        let newest = self.newest_sample(&service.key.cluster).await?.unwrap_or(applied);
        let watched = newest.secs_since(applied);
        let guarding = change.state == Substate::Applied;
        if guarding && watched >= policy.observation.secs() + policy.guard_period.secs() {
            return Ok(Observation::GuardsDone);
        }
        let over = watched >= policy.observation.secs();
        let effect = self.effect(change, service, &policy, applied, newest, over && !guarding).await?;
        Ok(match effect.judgement {
            Judgement::Worse => Observation::Worse(effect),
            _ if guarding => Observation::Held,
            _ if !over || effect.samples < policy.observation_min_samples => Observation::Held,
            Judgement::Inconclusive if watched < policy.observation_max.secs() => Observation::Held,
            _ => Observation::Verified(effect),
        })
    }

    /// The effect as measured so far. An early look, and a guard's look after the verdict, use a wider threshold.
    async fn effect(
        &self,
        change: &Change,
        service: &Service,
        policy: &Policy,
        applied: Timestamp,
        newest: Timestamp,
        last: bool,
    ) -> Result<Effect> {
        let from = applied.secs() - policy.analysis_window.secs();
        // Until the last look a later window than the observation's would only repeat the question.
        let until = newest.secs().min(applied.secs() + policy.observation_max.secs().max(policy.observation.secs()));
        let from_after = if change.state == Substate::Applied { newest.secs() - policy.observation.secs() } else { applied.secs() };
        let until = if change.state == Substate::Applied { newest.secs() } else { until };
        let history = self.store.history(&[service.id], None, from, until + 1).await?;
        let Some(history) = history.get(&service.id) else {
            return Ok(nothing_measured(applied, newest));
        };
        let step = history.metrics.values().map(|s| i64::from(s.step)).max().unwrap_or(300);
        // The interval in which the write fell belongs to neither side.
        let before = history.slice(from, applied.secs() - applied.secs().rem_euclid(step));
        let after = history.slice(from_after.max(applied.secs() + step), until + step);
        let rules = if last {
            policy.clone()
        } else {
            Policy {
                rollback_threshold: policy.rollback_threshold * EARLY_FACTOR,
                observation_min_samples: EARLY_SAMPLES,
                ..policy.clone()
            }
        };
        let changes = change.plan.changes.clone();
        let (mut effect, share) = tokio::task::spawn_blocking(move || {
            let share = sketch::running_share(&DaySketch::of(&before));
            (judge::judge(&before, &after, Guards::Felt, &changes, &rules), share)
        })
        .await
        .map_err(|e| crate::Error::Internal(format!("the judge broke: {e}")))?;
        effect.achieved_month = self.achieved(change, service, &effect, share);
        Ok(effect)
    }

    /// What the change saves a month now: the price of the state before it less that of the state in force, for the share of the time
    /// that it runs; nothing when inconclusive.
    fn achieved(&self, change: &Change, service: &Service, effect: &Effect, share: f64) -> Option<Money> {
        if effect.judgement == Judgement::Inconclusive {
            return None;
        }
        let in_force = service.state.clone();
        let mut before = in_force.clone();
        for field in &change.plan.changes {
            before.set(&field.field, field.from.as_deref()).ok()?;
        }
        let prices = self.prices.running(share);
        Some(prices.month(&before)?.minus(prices.month(&in_force)?))
    }

    /// What came of a change that has just ended its observation: for calibrating confidence, and, where there was a price, for the ledger.
    pub(crate) async fn outcome(&self, ctx: &OpContext, change: &Change) -> Result<Option<(Outcome, Option<LedgerEntry>)>> {
        let rolled_back = change.state == Substate::RolledBack && change.applied_at.is_some();
        let reverted = change.state == Substate::Drifted;
        if !rolled_back && !reverted && change.state != Substate::Applied {
            return Ok(None);
        }
        let Some(recommendation) = self.store.recommendation(change.recommendation_id).await? else { return Ok(None) };
        let judgement = change.effect.as_ref().map_or(Judgement::Inconclusive, |e| e.judgement);
        let in_force = !rolled_back && !reverted;
        let achieved = change.effect.as_ref().and_then(|e| e.achieved_month).filter(|_| in_force);
        let promised = recommendation.proposal.saving_month;
        let kept = match judgement {
            _ if rolled_back => Some(false),
            _ if reverted => None,
            Judgement::Inconclusive => None,
            Judgement::Worse => Some(false),
            Judgement::Better | Judgement::Same => Some(money_kept(promised, achieved)),
        };
        let entry = promised.map(|promised_month| LedgerEntry {
            change_id: change.id,
            service_id: change.service_id,
            promised_month,
            achieved_month: achieved,
            in_force,
            at: ctx.now.cluster,
        });
        let outcome = Outcome {
            change_id: change.id,
            recommendation_id: change.recommendation_id,
            service_id: change.service_id,
            strategy: recommendation.proposal.strategy,
            optimization_type: recommendation.proposal.optimization_type,
            confidence: recommendation.proposal.expected.confidence.get(),
            promised: recommendation.proposal.expected,
            promised_month: promised,
            measured: change.effect.clone(),
            achieved_month: achieved,
            kept,
            at: ctx.now.cluster,
        };
        Ok(Some((outcome, entry)))
    }
}

/// Whether the saving is no more than 5 % under the promise; where there is no price there is nothing to break.
fn money_kept(promised: Option<Money>, achieved: Option<Money>) -> bool {
    match (promised, achieved) {
        (Some(promised), Some(achieved)) => achieved.micros >= promised.micros - (promised.micros.abs() / 20).max(10_000),
        _ => true,
    }
}

fn nothing_measured(from: Timestamp, to: Timestamp) -> Effect {
    Effect {
        judgement: Judgement::Inconclusive,
        summary: "no samples have arrived since the change".to_owned(),
        metrics: Vec::new(),
        from,
        to,
        samples: 0,
        achieved_month: None,
    }
}
