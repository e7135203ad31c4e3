//! An approver starts an approved change. The write itself is a worker's, not the request's.

use crate::worker::change_work;
use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::{Change, Substate};
use headroom_model::ids::RecommendationId;
use headroom_model::plan::PlanHash;
use headroom_model::time::{DAY, Timestamp};

/// How far ahead a change may be scheduled, seconds.
const FURTHEST: i64 = 90 * DAY;

impl Headroom {
    /// Hands an approved change to the workers.
    ///
    /// # Errors
    /// As [`Self::apply_at`].
    pub async fn apply(&self, ctx: &OpContext, id: RecommendationId, seen: &PlanHash) -> Result<Change> {
        self.apply_at(ctx, id, seen, None).await
    }

    /// Hands an approved change to the workers, to be carried out at a cluster time, or later where policy's `implementation_delay` says so.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the approver's role; [`Error::Refusal`] without an approval of this plan, for another plan, or after its
    /// time; [`Error::Invalid`] for a time that is too far away.
    #[boxed]
    pub async fn apply_at(&self, ctx: &OpContext, id: RecommendationId, seen: &PlanHash, not_before: Option<Timestamp>) -> Result<Change> {
        if not_before.is_some_and(|at| at > ctx.now.cluster.plus_secs(FURTHEST)) {
            return Err(Error::invalid("not_before", format!("choose a time within {} days", FURTHEST / DAY)));
        }
        self.require_on(ctx, Permission::Apply, id).await?;
        let mut tx = self.store.begin().await?;
        let Some(mut change) = tx.latest_change(id).await? else { return Err(self.not_submitted(id).await) };
        change.in_time(ctx.now.cluster)?;
        change.same_plan(seen)?;
        if change.state == Substate::PendingApproval {
            change.approved_by_other()?;
        }
        if change.state != Substate::Approved {
            let (is, way_on) = (change.state.plain().to_lowercase(), change.state.way_on());
            return Err(Error::Conflict(format!("this change is {is} and cannot be started now: {way_on}")));
        }
        change.approved_by_other()?;
        if change.apply_requested_by.is_some() {
            return Ok(change);
        }
        let service = self.store.service(change.service_id).await?.ok_or_else(|| Error::not_found("service", change.service_id))?;
        let policy = self.policy_of(&service).await?;
        let version = change.version;
        change.apply_requested_by = Some(ctx.actor.clone());
        let delayed = ctx.now.cluster.plus_secs(policy.implementation_delay.secs());
        change.not_before = not_before.map_or(delayed, |at| at.max(delayed));
        // To start it is a decision, too, and is good for as long as one.
        change.expires_at = change.not_before.plus_secs(policy.approval_expiry.secs());
        change.version += 1;
        tx.save_change(&change, version).await?;
        let mut entry = event(ctx, "change.apply_requested", "change", change.id);
        entry.service_id = Some(change.service_id.to_string());
        entry.after = Some(serde_json::json!({ "plan_hash": seen, "not_before": change.not_before }));
        tx.record(&entry).await?;
        tx.enqueue(&change_work(change.id, ctx.now.wall)).await?;
        tx.commit().await?;
        self.announce("changes");
        Ok(change)
    }
}
