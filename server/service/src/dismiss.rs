//! An engineer puts a recommendation aside.

use crate::reject::said;
use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::ids::RecommendationId;
use headroom_model::recommendation::RecommendationState;

impl Headroom {
    /// Dismisses an open recommendation, with a reason.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the engineer's role; [`Error::Conflict`] when it is not open.
    #[boxed]
    pub async fn dismiss(&self, ctx: &OpContext, id: RecommendationId, reason: &str) -> Result<()> {
        self.require_on(ctx, Permission::Submit, id).await?;
        let reason = said(reason, "reason", "say why, so that the next analysis can do better")?;
        let mut tx = self.store.begin().await?;
        let recommendation = tx.recommendation_for_update(id).await?;
        if recommendation.state != RecommendationState::Open {
            let state = recommendation.state.plain().to_lowercase();
            return Err(Error::Conflict(format!("this recommendation is {state}: only an open one can be dismissed")));
        }
        tx.set_recommendation_state(id, RecommendationState::Dismissed, Some(&reason)).await?;
        let mut entry = event(ctx, "recommendation.dismissed", "recommendation", id);
        entry.service_id = Some(recommendation.service_id.to_string());
        entry.reason = Some(reason);
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("recommendations");
        Ok(())
    }
}
