//! A change that waits is taken back: by who submitted it, or, once it is approved, by an approver. Its recommendation is open again.

use crate::{Error, Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::{Change, Substate};
use headroom_model::ids::RecommendationId;

/// Whether this person may stop what others have submitted and approved, while it waits for its time.
pub(crate) fn stops(ctx: &OpContext, change: &Change) -> bool {
    change.state.waits() && change.state != Substate::PendingApproval && ctx.require(Permission::Approve).is_ok()
}

impl Headroom {
    /// Withdraws the submitted change of a recommendation.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the engineer's role; [`Error::Refused`] for another person's submission that is not approved, or for
    /// somebody who may not approve; [`Error::Refusal`] too late.
    #[boxed]
    pub async fn withdraw(&self, ctx: &OpContext, id: RecommendationId) -> Result<Change> {
        self.require_on(ctx, Permission::Submit, id).await?;
        let Some(change) = self.store.latest_change(id).await? else { return Err(self.not_submitted(id).await) };
        if change.requested_by != ctx.actor && !stops(ctx, &change) {
            return Err(Error::Refused(format!(
                "{} submitted this: only they can withdraw it, an approver can reject it, or withdraw it once it is approved",
                change.requested_by
            )));
        }
        self.end(ctx, id, Substate::Withdrawn, format!("withdrawn by {}", ctx.actor)).await
    }
}
