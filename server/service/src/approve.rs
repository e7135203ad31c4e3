//! An approver approves exactly the plan that they saw.

use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::Change;
use headroom_model::ids::RecommendationId;
use headroom_model::plan::PlanHash;

impl Headroom {
    /// Records an approval of exactly the plan the approver saw.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the approver's role; [`Error::Refusal`] for one's own submission, another plan, or a change
    /// that has moved on or expired.
    #[boxed]
    pub async fn approve(&self, ctx: &OpContext, id: RecommendationId, seen: &PlanHash) -> Result<Change> {
        self.require_on(ctx, Permission::Approve, id).await?;
        let mut tx = self.store.begin().await?;
        let Some(mut change) = tx.latest_change(id).await? else { return Err(self.not_submitted(id).await) };
        let (from, version) = (change.state, change.version);
        change.in_time(ctx.now.cluster)?;
        change.approve(&ctx.actor, seen, ctx.now.wall)?;
        tx.save_change(&change, version).await?;
        let mut entry = event(ctx, "change.approved", "change", change.id);
        entry.service_id = Some(change.service_id.to_string());
        entry.before = Some(serde_json::json!({ "state": from }));
        let approvals = format!("{} of {}", change.approvals_by_others(), change.approvals_required);
        entry.after = Some(serde_json::json!({ "state": change.state, "plan_hash": seen, "approvals": approvals }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("changes");
        Ok(change)
    }

    /// Nothing can be decided about a recommendation that nobody submitted, or that is not there.
    pub(crate) async fn not_submitted(&self, id: RecommendationId) -> Error {
        match self.store.recommendation_row(id).await {
            Err(e) => e.into(),
            Ok(None) => Error::not_found("recommendation", id),
            Ok(Some(_)) => Error::Conflict("this recommendation has not been submitted: an engineer submits it first".to_owned()),
        }
    }
}
