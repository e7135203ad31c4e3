//! Someone says something about a recommendation.

use crate::reject::said;
use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::ids::RecommendationId;
use headroom_model::view::Comment;

impl Headroom {
    /// Adds a comment to a recommendation's discussion.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the role; [`Error::Invalid`] when it is empty or too long.
    #[boxed]
    pub async fn comment(&self, ctx: &OpContext, id: RecommendationId, text: &str) -> Result<()> {
        self.require_on(ctx, Permission::Comment, id).await?;
        let text = said(text, "text", "write something first")?;
        let recommendation = self.store.recommendation(id).await?.ok_or_else(|| Error::not_found("recommendation", id))?;
        let mut tx = self.store.begin().await?;
        tx.add_comment(id, &Comment { by: ctx.actor.clone(), at: ctx.now.wall, text: text.clone() }).await?;
        let mut entry = event(ctx, "recommendation.commented", "recommendation", id);
        entry.service_id = Some(recommendation.service_id.to_string());
        entry.reason = Some(text);
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("recommendations");
        Ok(())
    }
}
