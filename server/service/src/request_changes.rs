//! An approver sends a change back with a wish; the recommendation is open again, for the engineer to submit something better.

use crate::reject::said;
use crate::{Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::{Change, Substate};
use headroom_model::ids::RecommendationId;

impl Headroom {
    /// Sends the submitted change of a recommendation back.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] without the approver's role; [`crate::Error::Invalid`] without a wish; [`crate::Error::Refusal`] too
    /// late.
    #[boxed]
    pub async fn request_changes(&self, ctx: &OpContext, id: RecommendationId, wish: &str) -> Result<Change> {
        self.require_on(ctx, Permission::Approve, id).await?;
        let wish = said(wish, "reason", "say what should be different")?;
        self.end(ctx, id, Substate::ChangesRequested, wish).await
    }
}
