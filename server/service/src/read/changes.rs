//! The list of changes, with live progress.

use crate::{Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::Substate;
use headroom_model::policy::Policy;
use headroom_model::time::Timestamp;
use headroom_model::view::{ChangeQuery, ChangeRow, PageOf};

impl Headroom {
    /// A page of changes, newest first.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for a cursor or view that is not known.
    #[boxed]
    pub async fn changes(&self, ctx: &OpContext, query: &ChangeQuery) -> Result<PageOf<ChangeRow>> {
        ctx.require(Permission::Read)?;
        let policy = self.fleet_policy().await?;
        let mut page = self.store.change_rows(query, &ctx.teams).await?;
        for row in &mut page.items {
            row.progress = progress(row, &policy, ctx.now.cluster);
        }
        Ok(page)
    }
}

/// How far the observation is, 0 to 1, while it runs.
pub(crate) fn progress(row: &ChangeRow, policy: &Policy, now: Timestamp) -> Option<f64> {
    let applied = row.applied_at.filter(|_| row.state == Substate::Observing)?;
    Some((now.secs_since(applied) as f64 / policy.observation.secs() as f64).clamp(0.0, 1.0))
}
