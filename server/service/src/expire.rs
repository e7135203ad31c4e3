//! Submitted changes that nobody decided on in time end by themselves.

use crate::{Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::OpContext;
use headroom_model::change::Substate;

impl Headroom {
    /// Expires the changes whose time is over, in cluster time. Returns how many.
    ///
    /// # Errors
    /// [`crate::Error::Store`].
    #[boxed]
    pub async fn expire(&self, ctx: &OpContext) -> Result<u32> {
        let mut expired = 0;
        for mut change in self.store.changes_in(&[Substate::PendingApproval, Substate::Approved]).await? {
            let (from, version) = (change.state, change.version);
            if ctx.now.cluster < change.expires_at || change.apply_requested_by.is_some() || change.advance(Substate::Expired).is_err() {
                continue;
            }
            change.reason = Some("nobody decided in time: submit it again if it is still wanted".to_owned());
            self.save(ctx, &change, from, version).await?;
            expired += 1;
        }
        Ok(expired)
    }
}
