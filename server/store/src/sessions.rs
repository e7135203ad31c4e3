//! Browser sessions; what is in them is the server's own.

use crate::db::sql;
use crate::error::{Error, Result};
use crate::store::{Store, Tx};
use headroom_model::time::Timestamp;

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: String,
    /// Its content, opaque.
    pub data: Vec<u8>,
    /// Wall time.
    pub expires_at: Timestamp,
    /// Whose it is, once they are signed in.
    pub user: Option<String>,
}

impl Store {
    /// Stores a new session.
    ///
    /// # Errors
    /// [`Error::Taken`] if the id is in use.
    pub async fn create_session(&self, session: &SessionRecord) -> Result<()> {
        let mut tx = self.begin_beside_others().await?;
        let done = sql("INSERT INTO sessions (id, data, expires_at, user_name) VALUES ($1, $2, $3, $4)")
            .text(&session.id)
            .blob(session.data.clone())
            .time(session.expires_at)
            .maybe_text(session.user.as_deref())
            .attempt(tx.on())
            .await;
        match done {
            Err(fault) if fault.is_unique_violation() => Err(Error::Taken { what: "session", name: "with this id".into() }),
            Err(fault) => Err(fault),
            Ok(_) => tx.commit().await,
        }
    }

    /// Stores a session, new or not.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn save_session(&self, session: &SessionRecord) -> Result<()> {
        let mut tx = self.begin_beside_others().await?;
        sql("INSERT INTO sessions (id, data, expires_at, user_name) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET \
             data = excluded.data, expires_at = excluded.expires_at, user_name = excluded.user_name")
        .text(&session.id)
        .blob(session.data.clone())
        .time(session.expires_at)
        .maybe_text(session.user.as_deref())
        .run(tx.on())
        .await?;
        tx.commit().await
    }

    /// A session that has not expired at `now` (wall time).
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn load_session(&self, id: &str, now: Timestamp) -> Result<Option<SessionRecord>> {
        let row = sql("SELECT * FROM sessions WHERE id = $1 AND expires_at > $2").text(id).time(now).maybe(&mut self.read().await?).await?;
        row.map(|row| {
            Ok(SessionRecord {
                id: row.text("id")?,
                data: row.blob("data")?.to_vec(),
                expires_at: row.time("expires_at")?,
                user: row.maybe_text("user_name")?,
            })
        })
        .transpose()
    }

    /// Ends a session; one that is not there is no fault.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn delete_session(&self, id: &str) -> Result<()> {
        let mut tx = self.begin_beside_others().await?;
        sql("DELETE FROM sessions WHERE id = $1").text(id).run(tx.on()).await?;
        tx.commit().await
    }

    /// Removes sessions that have expired at `now` (wall time), and says how many.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn delete_expired_sessions(&self, now: Timestamp) -> Result<u64> {
        let mut tx = self.begin_beside_others().await?;
        let gone = sql("DELETE FROM sessions WHERE expires_at <= $1").time(now).run(tx.on()).await?;
        tx.commit().await?;
        Ok(gone)
    }
}

impl Tx {
    /// Ends every session of a user, and says how many.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn delete_sessions_of(&mut self, user: &str) -> Result<u64> {
        sql("DELETE FROM sessions WHERE user_name = $1").text(user).run(self.on()).await
    }
}
