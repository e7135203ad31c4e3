//! An approver rejects a change, with a reason; its recommendation is open again.

use crate::{Error, Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::{Change, Substate};
use headroom_model::ids::RecommendationId;

/// Longest reason or comment, in characters.
pub(crate) const LONGEST: usize = 2000;

impl Headroom {
    /// Rejects the submitted change of a recommendation.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the approver's role; [`Error::Invalid`] without a reason; [`Error::Refusal`] too late.
    #[boxed]
    pub async fn reject(&self, ctx: &OpContext, id: RecommendationId, reason: &str) -> Result<Change> {
        self.require_on(ctx, Permission::Approve, id).await?;
        let reason = said(reason, "reason", "say why, so that the engineer can do better")?;
        self.end(ctx, id, Substate::Rejected, reason).await
    }

    /// Moves the newest change of a recommendation to an end state.
    pub(crate) async fn end(&self, ctx: &OpContext, id: RecommendationId, to: Substate, reason: String) -> Result<Change> {
        let Some(mut change) = self.store.latest_change(id).await? else { return Err(self.not_submitted(id).await) };
        let (from, version) = (change.state, change.version);
        change.advance(to)?;
        change.reason = Some(reason);
        self.save(ctx, &change, from, version).await?;
        self.announce("recommendations");
        Ok(change)
    }
}

/// A text that a person had to write.
pub(crate) fn said(text: &str, field: &str, missing: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid(field, missing));
    }
    if text.chars().count() > LONGEST {
        return Err(Error::invalid(field, format!("at most {LONGEST} characters")));
    }
    if text.contains('\0') {
        return Err(Error::invalid(field, "the character NUL cannot be kept: leave it out"));
    }
    Ok(text.to_owned())
}
