//! API tokens, without their secrets.

use crate::{Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission, Role};
use headroom_model::view::TokenRow;
use headroom_store::ApiToken;

impl Headroom {
    /// The actor's own tokens; an administrator sees everybody's. Revoked and expired ones are left out.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] when nobody is signed in.
    #[boxed]
    pub async fn tokens(&self, ctx: &OpContext) -> Result<Vec<TokenRow>> {
        ctx.require(Permission::Read)?;
        let everybody = ctx.role == Some(Role::Administrator);
        let all = self.store.tokens().await?.into_iter().filter(|(t, user)| {
            t.revoked_at.is_none() && t.expires_at.is_none_or(|at| at > ctx.now.wall) && (everybody || *user == ctx.actor)
        });
        let row = |(t, user): (ApiToken, String)| TokenRow {
            id: t.id,
            user,
            label: t.name,
            scope: t.scope,
            created_at: t.created_at,
            expires_at: t.expires_at,
            last_used: t.last_used,
        };
        Ok(all.map(row).collect())
    }
}
