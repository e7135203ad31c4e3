//! Changes that nobody decided on in time, or that could not begin in time, end by themselves.

use crate::{Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::OpContext;
use headroom_model::change::{Change, Substate};

/// Why a change that waited has expired.
pub(crate) const fn late(from: Substate) -> &'static str {
    match from {
        Substate::PendingApproval | Substate::Approved => "nobody decided in time: submit it again if it is still wanted",
        _ => "its approval is too old, and it could not begin until now: submit it again if it is still wanted",
    }
}

impl Headroom {
    /// The changes that wait for a decision or for their time.
    pub(crate) async fn waiting_changes(&self) -> Result<Vec<Change>> {
        let waiting: Vec<Substate> = Substate::ALL.iter().copied().filter(|s| s.waits()).collect();
        Ok(self.store.changes_in(&waiting).await?)
    }

    /// Expires the changes whose time is over, in cluster time. Returns how many.
    ///
    /// # Errors
    /// [`crate::Error::Store`].
    #[boxed]
    pub async fn expire(&self, ctx: &OpContext) -> Result<u32> {
        let mut expired = 0;
        for mut change in self.waiting_changes().await? {
            let (from, version) = (change.state, change.version);
            if ctx.now.cluster < change.expires_at || change.advance(Substate::Expired).is_err() {
                continue;
            }
            change.reason = Some(late(from).to_owned());
            self.save(ctx, &change, from, version).await?;
            expired += 1;
        }
        Ok(expired)
    }
}
