//! The audit chain, page by page.

use crate::{Headroom, Result, event};
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

    /// Notes that the actor takes entries away as a file of this form.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] when nobody is signed in.
    #[boxed]
    pub async fn audit_exported(&self, ctx: &OpContext, query: &AuditQuery, form: &str) -> Result<()> {
        ctx.require(Permission::Read)?;
        let asked = [("q", &query.q), ("actor", &query.actor), ("event", &query.event)];
        let asked: Vec<String> = asked.iter().filter(|(_, word)| !word.is_empty()).map(|(name, word)| format!("{name} = {word}")).collect();
        let mut entry = event(ctx, "audit.exported", "audit", form);
        entry.reason = Some(if asked.is_empty() { "all of it".to_owned() } else { asked.join(", ") });
        let mut tx = self.store.begin().await?;
        tx.record(&entry).await?;
        Ok(tx.commit().await?)
    }
}
