//! An engineer takes up again what was put aside.

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
        let mut tx = self.store.begin().await?;
        let recommendation = tx.recommendation_for_update(id).await?;
        if recommendation.state != RecommendationState::Dismissed {
            let state = recommendation.state.plain().to_lowercase();
            return Err(Error::Conflict(format!("this recommendation is {state}: only a dismissed one can be opened again")));
        }
        tx.set_recommendation_state(id, RecommendationState::Open, None).await?;
        let mut entry = event(ctx, "recommendation.reopened", "recommendation", id);
        entry.service_id = Some(recommendation.service_id.to_string());
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("recommendations");
        Ok(())
    }
}
