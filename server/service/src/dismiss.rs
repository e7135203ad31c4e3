//! An engineer puts a recommendation aside.

use crate::reject::said;
use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::ids::RecommendationId;
use headroom_model::recommendation::RecommendationState;
use headroom_model::time::Timestamp;

/// Farthest that something is put aside, cluster seconds.
const LONGEST_SECS: i64 = 366 * 86_400;

impl Headroom {
    /// Dismisses an open recommendation, with a reason: until a cluster time, at which it is open again by itself, or for good.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the engineer's role; [`Error::Conflict`] when it is not open; [`Error::Invalid`] without a reason, or
    /// for a time that has passed or is more than a year ahead.
    #[boxed]
    pub async fn dismiss(&self, ctx: &OpContext, id: RecommendationId, reason: &str, until: Option<Timestamp>) -> Result<()> {
        self.require_on(ctx, Permission::Submit, id).await?;
        let reason = said(reason, "reason", "say why, so that the next analysis can do better")?;
        if until.is_some_and(|until| !(1..=LONGEST_SECS).contains(&until.secs_since(ctx.now.cluster))) {
            return Err(Error::invalid("until", format!("a time ahead of {}, at most a year", ctx.now.cluster)));
        }
        let mut tx = self.store.begin().await?;
        let recommendation = tx.recommendation_for_update(id).await?;
        if recommendation.state != RecommendationState::Open {
            let state = recommendation.state.plain().to_lowercase();
            return Err(Error::Conflict(format!("this recommendation is {state}: only an open one can be dismissed")));
        }
        tx.dismiss_recommendation(id, &reason, until).await?;
        let mut entry = event(ctx, "recommendation.dismissed", "recommendation", id);
        entry.service_id = Some(recommendation.service_id.to_string());
        entry.reason = Some(reason);
        entry.after = until.map(|until| serde_json::json!({ "until": until }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("recommendations");
        Ok(())
    }
}
