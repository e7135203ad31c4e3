//! An engineer takes up again what was put aside; what was put aside until a time comes back by itself.

use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::ids::RecommendationId;
use headroom_model::recommendation::RecommendationState;

impl Headroom {
    /// Opens a dismissed recommendation again.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the engineer's role; [`Error::Conflict`] when it is not dismissed.
    #[boxed]
    pub async fn reopen(&self, ctx: &OpContext, id: RecommendationId) -> Result<()> {
        self.require_on(ctx, Permission::Submit, id).await?;
        self.open_again(ctx, id, None).await
    }

    /// Opens what was dismissed until a time that has come, in cluster time. Returns how many.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn reopen_due(&self, ctx: &OpContext) -> Result<u32> {
        let mut opened = 0;
        for id in self.store.recommendations_due(ctx.now.cluster).await? {
            match self.open_again(ctx, id, Some("the time until which it was dismissed is over")).await {
                Ok(()) => opened += 1,
                // Somebody was faster.
                Err(Error::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(opened)
    }

    async fn open_again(&self, ctx: &OpContext, id: RecommendationId, why: Option<&str>) -> Result<()> {
        let mut tx = self.store.begin().await?;
        let recommendation = tx.recommendation_for_update(id).await?;
        if recommendation.state != RecommendationState::Dismissed {
            let state = recommendation.state.plain().to_lowercase();
            return Err(Error::Conflict(format!("this recommendation is {state}: only a dismissed one can be opened again")));
        }
        tx.set_recommendation_state(id, RecommendationState::Open, None).await?;
        let mut entry = event(ctx, "recommendation.reopened", "recommendation", id);
        entry.service_id = Some(recommendation.service_id.to_string());
        entry.reason = why.map(str::to_owned);
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("recommendations");
        Ok(())
    }
}
