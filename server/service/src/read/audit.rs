//! The audit chain, page by page.

use crate::{Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::view::{AuditQuery, AuditRow, PageOf};

impl Headroom {
    /// Audit entries, newest first; for who is in some teams only, those of their services and their own.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] when nobody is signed in; [`crate::Error::Invalid`] for a cursor that is not ours.
    #[boxed]
    pub async fn audit(&self, ctx: &OpContext, query: &AuditQuery) -> Result<PageOf<AuditRow>> {
        ctx.require(Permission::Read)?;
        Ok(self.store.audit_rows(query, &ctx.actor, &ctx.teams).await?)
    }
}
