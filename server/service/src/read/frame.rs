//! The frame of every page: who is here, what waits.

use crate::{Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::view::Frame;

impl Headroom {
    /// What the navigation shows.
    ///
    /// # Errors
    /// [`crate::Error::Store`].
    #[boxed]
    pub async fn frame(&self, ctx: &OpContext) -> Result<Frame> {
        let approves = ctx.role.is_some_and(|r| r.permits(Permission::Approve));
        let counts = self.store.counts(&ctx.actor, &ctx.teams).await?;
        Ok(Frame {
            user: Some(ctx.actor.clone()),
            role: ctx.role,
            waiting: if approves { counts.waiting } else { counts.open },
            active_changes: counts.active_changes,
            services: counts.services,
            clusters: counts.clusters,
            newest_sample: counts.newest_sample,
            now: ctx.now.cluster,
            demo: self.demo,
        })
    }

    /// The teams that own services and that the actor sees, by name.
    ///
    /// # Errors
    /// [`crate::Error::Store`].
    #[boxed]
    pub async fn teams(&self, ctx: &OpContext) -> Result<Vec<String>> {
        ctx.require(Permission::Read)?;
        Ok(self.store.teams().await?.into_iter().filter(|team| ctx.teams.include(team)).collect())
    }
}
