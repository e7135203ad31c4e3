//! Analyses.

use crate::db::{Row, sql};
use crate::error::Result;
use crate::page::Filter;
use crate::store::{Store, Tx};
use headroom_model::auth::Teams;
use headroom_model::ids::JobId;
use headroom_model::job::{Job, JobScope};
use headroom_model::view::JobRow;

impl Tx {
    /// One analysis as it stands now.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database), [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn job(&mut self, id: JobId) -> Result<Option<Job>> {
        let row = sql("SELECT body FROM optimization_jobs WHERE id = $1").uuid(id.0).maybe(self.on()).await?;
        row.map(|row| row.json("body")).transpose()
    }

    /// Stores an analysis as it stands, new or not.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn put_job(&mut self, job: &Job) -> Result<()> {
        let (service, team) = match &job.scope {
            JobScope::Service(id) => (Some(id.0), None),
            JobScope::Team(team) => (None, Some(team.as_str())),
            JobScope::Fleet => (None, None),
        };
        sql("INSERT INTO optimization_jobs (id, job_id, cluster, team, service_id, service_name, optimization_type, status, state, \
             analysis_period, requested_by, reason, created_at, completed_at, body) \
             VALUES ($1, $2, (SELECT cluster FROM services WHERE id = $4), COALESCE($3, (SELECT team FROM services WHERE id = $4)), $4, \
             $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             ON CONFLICT (id) DO UPDATE SET status = excluded.status, state = excluded.state, reason = excluded.reason, \
             completed_at = excluded.completed_at, body = excluded.body")
        .uuid(job.id.0)
        .text(job.id.to_string())
        .maybe_text(team)
        .uuid(service)
        .service_name(&job.service_name)
        .text(job.optimization_types.first().map_or("", |t| t.as_str()))
        .text(job.state.status().as_str())
        .text(job.state.as_str())
        .text(job.analysis_period.to_string())
        .text(&job.requested_by)
        .maybe_text(job.reason.as_deref())
        .time(job.created_at)
        .time(job.completed_at)
        .json(job)
        .run(self.on())
        .await
        .map(drop)
    }
}

impl Store {
    /// One analysis.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database), [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn job(&self, id: JobId) -> Result<Option<Job>> {
        let row = sql("SELECT body FROM optimization_jobs WHERE id = $1").uuid(id.0).maybe(&mut self.read().await?).await?;
        row.map(|row| row.json("body")).transpose()
    }

    /// Whose an analysis is: the team's, or that of its service; `None` for one of the fleet, or one that is not there.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn team_of_job(&self, id: JobId) -> Result<Option<String>> {
        let row = sql("SELECT team FROM optimization_jobs WHERE id = $1").uuid(id.0).maybe(&mut self.read().await?).await?;
        row.map_or(Ok(None), |row| row.maybe_text("team"))
    }

    /// The newest analyses of these teams, newest first, at most `limit`; those of the fleet for who sees every team.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database), [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn job_rows(&self, limit: u32, teams: &Teams) -> Result<Vec<JobRow>> {
        let mut filter = Filter::default();
        filter.within("j.team", teams);
        let rows = filter.sql(
            "SELECT j.id, j.service_name, j.state, j.reason, j.created_at, j.completed_at, \
             (SELECT COUNT(*) FROM optimization_recommendations r WHERE r.job_id = j.job_id) AS made FROM optimization_jobs j",
            &format!(" ORDER BY j.created_at DESC, j.id DESC LIMIT {limit}"),
        );
        rows.all(&mut self.read().await?).await?.iter().map(job_row).collect()
    }

    /// Analyses that have not ended, oldest first: a restart takes these up again.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database), [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn unfinished_jobs(&self) -> Result<Vec<Job>> {
        let rows = sql("SELECT body FROM optimization_jobs WHERE completed_at IS NULL ORDER BY created_at, id");
        rows.all(&mut self.read().await?).await?.iter().map(|row| row.json("body")).collect()
    }
}

fn job_row(row: &Row) -> Result<JobRow> {
    Ok(JobRow {
        id: JobId(row.uuid("id")?),
        service_name: row.text("service_name")?,
        state: row.word("state")?,
        reason: row.maybe_text("reason")?,
        recommendations: row.count("made")?,
        created_at: row.time("created_at")?,
        completed_at: row.maybe_time("completed_at")?,
    })
}
