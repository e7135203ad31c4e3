//! One's own account: how one signs in, and the browsers that are signed in.

use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::OpContext;
use headroom_model::time::{DAY, Timestamp};
use headroom_model::view::{Account, SessionRow};

/// How long a session lives without being used, wall seconds.
const IDLE_SECS: i64 = 2 * DAY;

impl Headroom {
    /// The instant since which a session must have been used to count.
    #[must_use]
    pub fn idle_since(&self) -> Timestamp {
        (self.wall)().plus_secs(-IDLE_SECS)
    }

    /// How the actor signs in, and where they are signed in. `current` is the id of the session that asks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown user.
    #[boxed]
    pub async fn account(&self, ctx: &OpContext, current: &str) -> Result<Account> {
        let user = self.store.user(&ctx.actor).await?.ok_or_else(|| Error::not_found("user", &ctx.actor))?;
        let sessions = self.store.sessions_of(&ctx.actor, ctx.now.wall, self.idle_since()).await?;
        let row = |s: headroom_store::SessionRecord| SessionRow {
            current: s.id == current,
            id: s.id,
            address: s.address,
            agent: s.agent,
            created_at: s.created_at,
            seen_at: s.seen_at,
        };
        Ok(Account {
            has_password: self.store.password_hash(user.id).await?.is_some(),
            from_provider: user.subject.is_some(),
            second_factor: self.store.second_factor(user.id).await?.is_some_and(|f| f.confirmed_at.is_some()),
            pending: self.pending_second_factor(ctx).await?,
            sessions: sessions.into_iter().map(row).collect(),
            demo: self.demo,
        })
    }

    /// Notes that the actor has signed out: their session is gone already.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn signed_out(&self, ctx: &OpContext) -> Result<()> {
        let mut tx = self.store.begin().await?;
        tx.record(&event(ctx, "session.signed_out", "session", &ctx.actor)).await?;
        Ok(tx.commit().await?)
    }

    /// Ends one of the actor's sessions.
    ///
    /// # Errors
    /// [`Error::NotFound`] if they have none of this id.
    #[boxed]
    pub async fn end_session(&self, ctx: &OpContext, id: &str) -> Result<()> {
        let mut tx = self.store.begin().await?;
        tx.delete_session_of(&ctx.actor, id).await?;
        tx.record(&event(ctx, "session.ended", "session", &ctx.actor)).await?;
        Ok(tx.commit().await?)
    }

    /// Ends the actor's sessions but the one that asks, and says how many.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn end_other_sessions(&self, ctx: &OpContext, current: &str) -> Result<u64> {
        let mut tx = self.store.begin().await?;
        let ended = tx.delete_sessions_of(&ctx.actor, Some(current)).await?;
        let mut entry = event(ctx, "session.others_ended", "session", &ctx.actor);
        entry.reason = Some(format!("{ended} sessions"));
        tx.record(&entry).await?;
        tx.commit().await?;
        Ok(ended)
    }
}
