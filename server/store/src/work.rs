//! The durable queue: work that is done at least once, by one worker at a time, under a lease with a fence.

use crate::db::{Row, sql};
use crate::error::{Error, Result};
use crate::page::{Filter, time};
use crate::store::{Store, Tx};
use headroom_model::time::Timestamp;
use uuid::Uuid;

/// How far the clocks of the processes on one database may be apart, and how long work is put off at most, in seconds. A time further
/// ahead was written before the clock was set back: it is void.
const AHEAD_SECS: i64 = 60;

/// Something to be done. All times of the queue are wall time.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// What kind: `analyze`, `apply`, `observe`…
    pub kind: String,
    /// What it is about; one open piece of work per kind and subject.
    pub subject: String,
    /// What the worker needs to know.
    pub payload: serde_json::Value,
    /// Not before.
    pub run_at: Timestamp,
}

/// Work in a worker's hands.
#[derive(Debug, Clone, PartialEq)]
pub struct Leased {
    /// The work's id.
    pub id: Uuid,
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What the worker needs to know.
    pub payload: serde_json::Value,
    /// Grows with every lease of this work: a smaller one is void.
    pub fence: i64,
    /// Leases so far, this one included.
    pub attempts: i64,
    /// Who holds it.
    pub owner: String,
    /// Until when.
    pub lease_until: Timestamp,
}

tokio::task_local! {
    static IN_HAND: Leased;
}

impl Leased {
    /// Does the work: every transaction from [`Store::begin`] in it begins with [`Tx::fence`], so that a worker who has lost the lease
    /// without knowing writes nothing any more.
    pub async fn during<F: Future>(self, work: F) -> F::Output {
        IN_HAND.scope(self, work).await
    }

    pub(crate) fn current() -> Option<Self> {
        IN_HAND.try_with(Clone::clone).ok()
    }
}

/// Work that is waiting or in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWork {
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// Not before.
    pub run_at: Timestamp,
    /// Who holds it.
    pub owner: Option<String>,
    /// Until when.
    pub lease_until: Option<Timestamp>,
    /// Leases so far.
    pub attempts: i64,
}

impl Tx {
    /// Adds work. Where the same kind and subject is open already, it takes the new payload and the earlier of the two times; if it is in
    /// a worker's hands, it will be done once more after that. Returns whether it is new.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn enqueue(&mut self, work: &Work) -> Result<bool> {
        let id = Uuid::now_v7();
        let row = sql("INSERT INTO work (id, kind, subject, payload, run_at, fence, attempts) VALUES ($1, $2, $3, $4, $5, 0, 0) \
             ON CONFLICT (kind, subject) DO UPDATE SET payload = excluded.payload, \
             run_at = CASE WHEN work.lease_owner IS NULL AND excluded.run_at < work.run_at THEN excluded.run_at ELSE work.run_at END, \
             again_at = CASE WHEN work.lease_owner IS NULL THEN NULL WHEN work.again_at < excluded.run_at THEN work.again_at \
             ELSE excluded.run_at END RETURNING id")
        .uuid(id)
        .text(&work.kind)
        .text(&work.subject)
        .json(&work.payload)
        .time(work.run_at)
        .one(self.on())
        .await?;
        Ok(row.uuid("id")? == id)
    }

    /// Checks that a lease is still the newest.
    ///
    /// # Errors
    /// [`Error::Fenced`] if the work has passed to another worker or is done.
    pub async fn fence(&mut self, leased: &Leased) -> Result<()> {
        let row = sql("SELECT id FROM work WHERE id = $1 AND fence = $2 AND lease_owner = $3 FOR UPDATE").uuid(leased.id).int(leased.fence);
        let held = row.text(&leased.owner).maybe(self.on()).await?;
        if held.is_some() { Ok(()) } else { Err(fenced(leased)) }
    }

    /// Ends work. If it was enqueued again meanwhile, it becomes due again instead.
    ///
    /// # Errors
    /// [`Error::Fenced`].
    pub async fn finish_work(&mut self, leased: &Leased) -> Result<()> {
        self.fence(leased).await?;
        let again = sql("UPDATE work SET run_at = again_at, again_at = NULL, lease_owner = NULL, lease_until = NULL, attempts = 0 \
             WHERE id = $1 AND again_at IS NOT NULL")
        .uuid(leased.id)
        .run(self.on())
        .await?;
        if again == 0 {
            sql("DELETE FROM work WHERE id = $1").uuid(leased.id).run(self.on()).await?;
        }
        Ok(())
    }

    /// Puts work back, to be done at `run_at`, or earlier if it was enqueued again meanwhile.
    ///
    /// # Errors
    /// [`Error::Fenced`].
    pub async fn reschedule_work(&mut self, leased: &Leased, run_at: Timestamp) -> Result<()> {
        self.fence(leased).await?;
        sql("UPDATE work SET run_at = CASE WHEN again_at < $2 THEN again_at ELSE $2 END, again_at = NULL, lease_owner = NULL, \
             lease_until = NULL WHERE id = $1")
        .uuid(leased.id)
        .time(run_at)
        .run(self.on())
        .await
        .map(drop)
    }

    /// Takes work off the queue, in hand or not; whoever holds it is fenced off. Returns whether there was any.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn cancel_work(&mut self, kind: &str, subject: &str) -> Result<bool> {
        let gone = sql("DELETE FROM work WHERE kind = $1 AND subject = $2").text(kind).text(subject).run(self.on()).await?;
        Ok(gone > 0)
    }
}

impl Store {
    /// Takes the work of these kinds (none: of any) that is due longest, for `lease_secs` seconds. `None` if nothing is due. A clock that
    /// was set back makes work wait for at most a minute longer than it would have.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn lease_work(&self, owner: &str, now: Timestamp, lease_secs: i64, kinds: &[&str]) -> Result<Option<Leased>> {
        let mut due = Filter::default();
        let (far, free) = (now.plus_secs(AHEAD_SECS), now.plus_secs(AHEAD_SECS + lease_secs));
        due.and("(run_at <= ? OR run_at > ?)", [time(now), time(far)]);
        due.and("(lease_until IS NULL OR lease_until <= ? OR lease_until > ?)", [time(now), time(free)]);
        if !kinds.is_empty() {
            due.one_of("kind", kinds);
        }
        // Looking costs no write lock; taking looks again.
        let next = |due: Filter, lock: &str| due.sql("SELECT id FROM work", &format!(" ORDER BY run_at, id LIMIT 1{lock}"));
        if next(due.clone(), "").maybe(&mut self.read().await?).await?.is_none() {
            return Ok(None);
        }
        let mut tx = self.begin_beside_others().await?;
        let Some(row) = next(due, " FOR UPDATE SKIP LOCKED").maybe(tx.on()).await? else { return Ok(None) };
        let until = now.plus_secs(lease_secs);
        let row =
            sql("UPDATE work SET lease_owner = $2, lease_until = $3, fence = fence + 1, attempts = attempts + 1 WHERE id = $1 RETURNING *")
                .uuid(row.uuid("id")?)
                .text(owner)
                .time(until)
                .one(tx.on())
                .await?;
        let leased = leased(&row, owner, until)?;
        tx.commit().await?;
        Ok(Some(leased))
    }

    /// Keeps a lease for `lease_secs` more seconds from `now`.
    ///
    /// # Errors
    /// [`Error::Fenced`].
    pub async fn renew_lease(&self, leased: &Leased, now: Timestamp, lease_secs: i64) -> Result<Leased> {
        let mut tx = self.begin_beside_others().await?;
        tx.fence(leased).await?;
        let until = now.plus_secs(lease_secs);
        sql("UPDATE work SET lease_until = $2 WHERE id = $1").uuid(leased.id).time(until).run(tx.on()).await?;
        tx.commit().await?;
        Ok(Leased { lease_until: until, ..leased.clone() })
    }

    /// Everything that waits or is in hand, by time.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn open_work(&self) -> Result<Vec<OpenWork>> {
        let rows = sql("SELECT * FROM work ORDER BY run_at, id").all(&mut self.read().await?).await?;
        rows.iter()
            .map(|row| {
                Ok(OpenWork {
                    kind: row.text("kind")?,
                    subject: row.text("subject")?,
                    run_at: row.time("run_at")?,
                    owner: row.maybe_text("lease_owner")?,
                    lease_until: row.maybe_time("lease_until")?,
                    attempts: row.int("attempts")?,
                })
            })
            .collect()
    }
}

fn leased(row: &Row, owner: &str, lease_until: Timestamp) -> Result<Leased> {
    Ok(Leased {
        id: row.uuid("id")?,
        kind: row.text("kind")?,
        subject: row.text("subject")?,
        payload: row.json("payload")?,
        fence: row.int("fence")?,
        attempts: row.int("attempts")?,
        owner: owner.to_owned(),
        lease_until,
    })
}

fn fenced(leased: &Leased) -> Error {
    Error::Fenced { kind: leased.kind.clone(), subject: leased.subject.clone() }
}
