//! API tokens, without their secrets.

use crate::{Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission, Role};
use headroom_model::view::TokenRow;

impl Headroom {
    /// The actor's own tokens; an administrator sees everybody's. Revoked ones are left out.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] when nobody is signed in.
    #[boxed]
    pub async fn tokens(&self, ctx: &OpContext) -> Result<Vec<TokenRow>> {
        ctx.require(Permission::Read)?;
        let everybody = ctx.role == Some(Role::Administrator);
        let all = self.store.tokens().await?.into_iter().filter(|(t, user)| t.revoked_at.is_none() && (everybody || *user == ctx.actor));
        Ok(all.map(|(t, user)| TokenRow { id: t.id, user, label: t.name, created_at: t.created_at, last_used: t.last_used }).collect())
    }
}
