//! An approved change that a freeze holds is carried out now, because it cannot wait: with a reason, which everyone can read.

use crate::reject::said;
use crate::worker::change_work;
use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::{BreakGlass, Change, Substate};
use headroom_model::ids::RecommendationId;

impl Headroom {
    /// Lifts freezes and change windows for one change. Approvals, checks and guards stay as they are.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the permission; [`Error::Invalid`] without a reason; [`Error::Conflict`] for a change that nothing
    /// holds; [`Error::Refusal`] for one that has expired.
    #[boxed]
    pub async fn break_glass(&self, ctx: &OpContext, id: RecommendationId, reason: &str) -> Result<Change> {
        self.require_on(ctx, Permission::BreakGlass, id).await?;
        let reason = said(reason, "reason", "say why it cannot wait")?;
        let mut tx = self.store.begin().await?;
        let Some(mut change) = tx.latest_change(id).await? else { return Err(self.not_submitted(id).await) };
        if change.state != Substate::HeldByFreeze {
            return Err(Error::Conflict(format!("this change is {}: no freeze holds it", change.state.plain().to_lowercase())));
        }
        change.in_time(ctx.now.cluster)?;
        let version = change.version;
        change.break_glass = Some(BreakGlass { by: ctx.actor.clone(), reason: reason.clone(), at: ctx.now.wall });
        change.version += 1;
        tx.save_change(&change, version).await?;
        let mut entry = event(ctx, "change.glass_broken", "change", change.id);
        entry.service_id = Some(change.service_id.to_string());
        entry.reason = Some(reason);
        entry.before = Some(serde_json::json!({ "state": change.state, "held": change.reason }));
        tx.record(&entry).await?;
        tx.enqueue(&change_work(change.id, ctx.now.wall)).await?;
        tx.commit().await?;
        self.announce("changes");
        Ok(change)
    }
}
