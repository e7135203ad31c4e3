//! Analyses and what came of them.

use crate::{Error, Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission, Teams};
use headroom_model::ids::JobId;
use headroom_model::job::Job;
use headroom_model::view::{JobRow, RecommendationPage};

impl Headroom {
    /// The newest analyses.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when nobody is signed in.
    #[boxed]
    pub async fn jobs(&self, ctx: &OpContext) -> Result<Vec<JobRow>> {
        ctx.require(Permission::Read)?;
        Ok(self.store.job_rows(50, &ctx.teams).await?)
    }

    /// One analysis with its recommendations.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    #[boxed]
    pub async fn job(&self, ctx: &OpContext, id: JobId) -> Result<(Job, Vec<RecommendationPage>)> {
        ctx.require(Permission::Read)?;
        self.job_seen(ctx, id).await?;
        let job = self.store.job(id).await?.ok_or_else(|| Error::not_found("job", id))?;
        let pages = self.recommendation_pages(ctx, &job.recommendations).await?;
        Ok((job, pages))
    }

    /// An analysis of a team that the actor does not see is as good as not there.
    pub(crate) async fn job_seen(&self, ctx: &OpContext, id: JobId) -> Result<()> {
        if ctx.teams == Teams::ALL || self.store.team_of_job(id).await?.is_some_and(|team| ctx.teams.include(&team)) {
            return Ok(());
        }
        Err(Error::not_found("job", id))
    }
}
