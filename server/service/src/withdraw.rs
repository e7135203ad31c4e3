//! The requester takes a submission back; its recommendation is open again.

use crate::{Error, Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::{Change, Substate};
use headroom_model::ids::RecommendationId;

impl Headroom {
    /// Withdraws the submitted change of a recommendation.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the engineer's role; [`Error::Refused`] for another person's submission; [`Error::Refusal`] too late.
    #[boxed]
    pub async fn withdraw(&self, ctx: &OpContext, id: RecommendationId) -> Result<Change> {
        self.require_on(ctx, Permission::Submit, id).await?;
        let Some(change) = self.store.latest_change(id).await? else { return Err(self.not_submitted(id).await) };
        if change.requested_by != ctx.actor {
            return Err(Error::Refused(format!(
                "{} submitted this: only they can withdraw it, an approver can reject it",
                change.requested_by
            )));
        }
        self.end(ctx, id, Substate::Withdrawn, format!("withdrawn by {}", ctx.actor)).await
    }
}
