//! Whoever may analyse ends an analysis that waits or is under way.

use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::ids::JobId;
use headroom_model::job::{Job, JobState};

impl Headroom {
    /// Ends a queued or running analysis: it writes nothing from now on. What it has kept of a large fleet before that stays.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the engineer's role; [`Error::NotFound`] for another team's; [`Error::Conflict`] when it has ended.
    #[boxed]
    pub async fn cancel(&self, ctx: &OpContext, id: JobId) -> Result<Job> {
        ctx.require(Permission::Analyze)?;
        self.job_seen(ctx, id).await?;
        let mut tx = self.store.begin().await?;
        let mut job = tx.job(id).await?.ok_or_else(|| Error::not_found("job", id))?;
        if job.state.ended() {
            let ended = job.state.plain().to_lowercase();
            return Err(Error::Conflict(format!("this analysis has ended ({ended}): there is nothing to cancel")));
        }
        let before = job.state;
        job.state = JobState::Cancelled;
        job.reason = Some(format!("cancelled by {}", ctx.actor));
        job.completed_at = Some(ctx.now.wall);
        tx.put_job(&job).await?;
        let mut entry = event(ctx, "job.cancelled", "job", id);
        entry.reason.clone_from(&job.reason);
        entry.before = Some(serde_json::json!({ "state": before }));
        entry.after = Some(serde_json::json!({ "state": job.state }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("jobs");
        Ok(job)
    }
}

/// The analysis, as long as it goes on: it may be cancelled between any two steps.
///
/// # Errors
/// [`Error::Conflict`] once it has ended.
pub(crate) fn going_on(job: Option<Job>) -> Result<Job> {
    job.filter(|job| !job.state.ended()).ok_or_else(|| Error::Conflict("this analysis has ended meanwhile".to_owned()))
}
