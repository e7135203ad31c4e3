//! Answers that are given again when a request is sent again.

use crate::db::sql;
use crate::error::{Error, Result};
use crate::store::{Store, Tx};
use headroom_model::time::Timestamp;

/// The answer that a key got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
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
        Ok(Some(Remembered { status: u16::try_from(row.int("status")?).unwrap_or(500), body: row.blob("body")?.to_vec() }))
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
    /// Keeps the answer to a request. In the transaction of the effect it makes the two one: of two simultaneous requests with one key,
    /// the second finds the key taken and its transaction comes to nothing.
    ///
    /// # Errors
    /// [`Error::KeyReused`] if an answer is there already.
    pub async fn remember(&mut self, actor: &str, key: &str, request_hash: &str, status: u16, body: &[u8], at: Timestamp) -> Result<()> {
        let done = sql("INSERT INTO idempotency_keys (actor, key, request_hash, status, body, at) VALUES ($1, $2, $3, $4, $5, $6)")
            .text(actor)
            .text(key)
            .text(request_hash)
            .int(i64::from(status))
            .blob(body.to_vec())
            .time(at)
            .attempt(self.on())
            .await;
        match done {
            Err(fault) if fault.is_unique_violation() => Err(Error::KeyReused { key: key.to_owned() }),
            other => other.map(drop),
        }
    }
}
