//! An approver starts an approved change. The write itself is a worker's, not the request's.

use crate::worker::change_work;
use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::{Change, Substate};
use headroom_model::ids::RecommendationId;
use headroom_model::plan::PlanHash;

impl Headroom {
    /// Hands an approved change to the workers.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the approver's role; [`Error::Refusal`] without an approval of this plan, for another plan, or after its time.
    #[boxed]
    pub async fn apply(&self, ctx: &OpContext, id: RecommendationId, seen: &PlanHash) -> Result<Change> {
        self.require_on(ctx, Permission::Apply, id).await?;
        let mut tx = self.store.begin().await?;
        let Some(mut change) = tx.latest_change(id).await? else { return Err(self.not_submitted(id).await) };
        change.in_time(ctx.now.cluster)?;
        change.same_plan(seen)?;
        if change.state == Substate::PendingApproval {
            change.approved_by_other()?;
        }
        if change.state != Substate::Approved {
            return Err(Error::Conflict(format!("this change is {}: it cannot be started now", change.state.plain().to_lowercase())));
        }
        change.approved_by_other()?;
        if change.apply_requested_by.is_some() {
            return Ok(change);
        }
        let service = self.store.service(change.service_id).await?.ok_or_else(|| Error::not_found("service", change.service_id))?;
        let policy = self.policy_of(&service).await?;
        let version = change.version;
        change.apply_requested_by = Some(ctx.actor.clone());
        change.not_before = ctx.now.cluster.plus_secs(policy.implementation_delay.secs());
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
