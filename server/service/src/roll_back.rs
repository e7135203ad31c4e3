//! An approver takes a change back: never harder than applying it, and it pre-empts a running apply.

use crate::reject::said;
use crate::worker::change_work;
use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::{Change, Substate};
use headroom_model::ids::RecommendationId;

impl Headroom {
    /// Asks for a change to be taken back; a worker does it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the approver's role; [`Error::Conflict`] when there is nothing to take back.
    #[boxed]
    pub async fn roll_back(&self, ctx: &OpContext, id: RecommendationId, reason: &str) -> Result<Change> {
        self.require_on(ctx, Permission::RollBack, id).await?;
        let reason = said(reason, "reason", "say why, so that the team can learn from it")?;
        let mut tx = self.store.begin().await?;
        let Some(mut change) = tx.latest_change(id).await? else { return Err(self.not_submitted(id).await) };
        if !change.state.can_roll_back() {
            return Err(Error::Conflict(format!("this change is {}: there is nothing to roll back", change.state.plain().to_lowercase())));
        }
        let (from, version) = (change.state, change.version);
        change.advance(match from {
            Substate::Applied => Substate::RollbackRequested,
            Substate::Partial | Substate::RollbackFailed => Substate::RollingBack,
            _ => Substate::Aborting,
        })?;
        change.reason = Some(format!("rolled back by {}: {reason}", ctx.actor));
        tx.save_change(&change, version).await?;
        let mut entry = event(ctx, "change.rollback_requested", "change", change.id);
        entry.service_id = Some(change.service_id.to_string());
        entry.reason = Some(reason);
        entry.before = Some(serde_json::json!({ "state": from }));
        entry.after = Some(serde_json::json!({ "state": change.state }));
        tx.record(&entry).await?;
        tx.enqueue(&change_work(change.id, ctx.now.wall)).await?;
        tx.commit().await?;
        self.announce("changes");
        Ok(change)
    }
}
