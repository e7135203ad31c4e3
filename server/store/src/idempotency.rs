//! Answers that are given again when a request is sent again, and keys without one: a request claims its key in the transaction of its
//! effect, so that a process that dies before it has answered leaves the effect and the key, or neither.

use crate::db::sql;
use crate::error::{Error, Result};
use crate::store::{Store, Tx};
use headroom_model::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The status of a key that has had its effect and has no answer yet.
const NO_ANSWER: i64 = 0;

tokio::task_local! {
    static CLAIM: Claim;
}

/// The key of a request that is under way.
#[derive(Debug, Clone)]
pub struct Claim {
    actor: String,
    key: String,
    request_hash: String,
    at: Timestamp,
    made: Arc<AtomicBool>,
}

impl Claim {
    /// A key that an actor uses for a request. `at` is wall time.
    #[must_use]
    pub fn new(actor: &str, key: &str, request_hash: &str, at: Timestamp) -> Self {
        Self { actor: actor.to_owned(), key: key.to_owned(), request_hash: request_hash.to_owned(), at, made: Arc::default() }
    }

    /// Does the work of the request: the first transaction from [`Store::begin`] that records an event claims the key as well.
    pub async fn during<F: Future>(self, work: F) -> F::Output {
        CLAIM.scope(self, work).await
    }

    pub(crate) fn current() -> Option<Self> {
        CLAIM.try_with(Clone::clone).ok()
    }

    /// Whether a transaction of the work has claimed it.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.made.load(Ordering::Relaxed)
    }

    pub(crate) fn made(self) {
        self.made.store(true, Ordering::Relaxed);
    }
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// Its answer.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// It had its effect, and no answer is kept.
    Effect(
        /// What the effect was on, such as `change 0190…`.
        String,
    ),
}

impl Store {
    /// The answer that this actor got under this key, if they asked for the same.
    ///
    /// # Errors
    /// [`Error::KeyReused`] if the key belongs to another request.
    pub async fn replayed(&self, actor: &str, key: &str, request_hash: &str) -> Result<Option<Remembered>> {
        let row = sql("SELECT request_hash, status, body FROM idempotency_keys WHERE actor = $1 AND key = $2").text(actor).text(key);
        let Some(row) = row.maybe(&mut self.read().await?).await? else { return Ok(None) };
        if row.text("request_hash")? != request_hash {
            return Err(Error::KeyReused { key: key.to_owned() });
        }
        let (status, body) = (row.int("status")?, row.blob("body")?.to_vec());
        Ok(Some(match status {
            NO_ANSWER => Remembered::Effect(String::from_utf8_lossy(&body).into_owned()),
            status => Remembered::Answer { status: u16::try_from(status).unwrap_or(500), body },
        }))
    }

    /// Forgets answers given before an instant of wall time, and says how many.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn forget_keys(&self, before: Timestamp) -> Result<u64> {
        let mut tx = self.begin_beside_others().await?;
        let gone = sql("DELETE FROM idempotency_keys WHERE at < $1").time(before).run(tx.on()).await?;
        tx.commit().await?;
        Ok(gone)
    }
}

impl Tx {
    /// Claims a key: of two simultaneous requests with it, the second finds it taken, and its transaction comes to nothing.
    pub(crate) async fn make(&mut self, claim: &Claim) -> Result<()> {
        let effect = self.effect.clone().unwrap_or_default().into_bytes();
        let done = sql("INSERT INTO idempotency_keys (actor, key, request_hash, status, body, at) VALUES ($1, $2, $3, $4, $5, $6)")
            .text(&claim.actor)
            .text(&claim.key)
            .text(&claim.request_hash)
            .int(NO_ANSWER)
            .blob(effect)
            .time(claim.at)
            .attempt(self.on())
            .await;
        match done {
            Err(fault) if fault.is_unique_violation() => Err(Error::KeyReused { key: claim.key.clone() }),
            other => other.map(drop),
        }
    }

    /// Keeps the answer to a request: one whose effect has claimed its key, or one that had no effect and whose key nobody has used
    /// meanwhile. Whether it is kept; if not, [`Store::replayed`] says what is there.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn remember(&mut self, claim: &Claim, status: u16, body: &[u8]) -> Result<bool> {
        let text = if claim.is_made() {
            "UPDATE idempotency_keys SET status = $4, body = $5, at = $6 WHERE actor = $1 AND key = $2 AND request_hash = $3 AND status = 0"
        } else {
            "INSERT INTO idempotency_keys (actor, key, request_hash, status, body, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
        };
        let kept = sql(text)
            .text(&claim.actor)
            .text(&claim.key)
            .text(&claim.request_hash)
            .int(i64::from(status))
            .blob(body.to_vec())
            .time(claim.at)
            .run(self.on())
            .await?;
        Ok(kept > 0)
    }
}
