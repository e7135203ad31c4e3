//! Second factors: the secret that an authenticator shares with Headroom.

use crate::db::sql;
use crate::error::{Error, Result};
use crate::store::{Store, Tx};
use headroom_model::ids::UserId;
use headroom_model::time::Timestamp;

/// A user's second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// The shared secret, base32.
    pub secret: String,
    /// Wall time.
    pub created_at: Timestamp,
    /// Wall time of the first right code; `None` while it waits for one, and then it counts for nothing.
    pub confirmed_at: Option<Timestamp>,
    /// The last time step whose code was taken.
    pub last_step: i64,
}

impl Tx {
    /// Stores a user's second factor in the place of any other.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown user.
    pub async fn put_second_factor(&mut self, id: UserId, factor: &SecondFactor) -> Result<()> {
        let done = sql("INSERT INTO second_factors (user_id, secret, created_at, confirmed_at, last_step) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at, \
             confirmed_at = excluded.confirmed_at, last_step = excluded.last_step")
        .uuid(id.0)
        .text(&factor.secret)
        .time(factor.created_at)
        .time(factor.confirmed_at)
        .int(factor.last_step)
        .attempt(self.on())
        .await;
        match done {
            Err(fault) if fault.is_missing_reference() => Err(Error::not_found("user", id)),
            other => other.map(drop),
        }
    }

    /// A user's second factor as this transaction sees it: of two uses of one code, the second finds the step taken.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn second_factor(&mut self, id: UserId) -> Result<Option<SecondFactor>> {
        find(self.on(), id).await
    }

    /// Forgets a user's second factor.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn clear_second_factor(&mut self, id: UserId) -> Result<()> {
        sql("DELETE FROM second_factors WHERE user_id = $1").uuid(id.0).run(self.on()).await.map(drop)
    }
}

impl Store {
    /// A user's second factor.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn second_factor(&self, id: UserId) -> Result<Option<SecondFactor>> {
        find(&mut self.read().await?, id).await
    }
}

async fn find(on: &mut crate::db::Connection, id: UserId) -> Result<Option<SecondFactor>> {
    let row = sql("SELECT * FROM second_factors WHERE user_id = $1").uuid(id.0).maybe(on).await?;
    row.map(|row| {
        Ok(SecondFactor {
            secret: row.text("secret")?,
            created_at: row.time("created_at")?,
            confirmed_at: row.maybe_time("confirmed_at")?,
            last_step: row.int("last_step")?,
        })
    })
    .transpose()
}
