//! Browser sessions; what is in them is the server's own.

use crate::db::{Row, Sql, sql};
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
    /// Wall time: it ends then, however much it is used.
    pub expires_at: Timestamp,
    /// Whose it is, once they are signed in.
    pub user: Option<String>,
    /// Wall time.
    pub created_at: Timestamp,
    /// When it was last used, wall time, to a few minutes.
    pub seen_at: Timestamp,
    /// Where it was begun from.
    pub address: String,
    /// What the browser says it is.
    pub agent: String,
}

/// A session's columns as arguments 1 to 8.
fn arguments(statement: Sql, session: &SessionRecord) -> Sql {
    statement
        .text(&session.id)
        .blob(session.data.clone())
        .time(session.expires_at)
        .maybe_text(session.user.as_deref())
        .time(session.created_at)
        .time(session.seen_at)
        .text(&session.address)
        .text(&session.agent)
}

impl Store {
    /// Stores a new session.
    ///
    /// # Errors
    /// [`Error::Taken`] if the id is in use.
    pub async fn create_session(&self, session: &SessionRecord) -> Result<()> {
        let mut tx = self.begin_beside_others().await?;
        let statement = sql("INSERT INTO sessions (id, data, expires_at, user_name, created_at, seen_at, address, agent) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
        let done = arguments(statement, session).attempt(tx.on()).await;
        match done {
            Err(fault) if fault.is_unique_violation() => Err(Error::Taken { what: "session", name: "with this id".into() }),
            Err(fault) => Err(fault),
            Ok(_) => tx.commit().await,
        }
    }

    /// Stores a session, new or not; when and where it was begun stays.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn save_session(&self, session: &SessionRecord) -> Result<()> {
        let mut tx = self.begin_beside_others().await?;
        let statement = sql("INSERT INTO sessions (id, data, expires_at, user_name, created_at, seen_at, address, agent) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET data = excluded.data, \
             expires_at = excluded.expires_at, user_name = excluded.user_name, seen_at = excluded.seen_at");
        arguments(statement, session).run(tx.on()).await?;
        tx.commit().await
    }

    /// A session that has not expired at `now` and was used after `idle_since` (wall times).
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn load_session(&self, id: &str, now: Timestamp, idle_since: Timestamp) -> Result<Option<SessionRecord>> {
        let row = sql("SELECT * FROM sessions WHERE id = $1 AND expires_at > $2 AND seen_at > $3").text(id).time(now).time(idle_since);
        row.maybe(&mut self.read().await?).await?.as_ref().map(session).transpose()
    }

    /// Notes that a session was used. `at` is wall time.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn touch_session(&self, id: &str, at: Timestamp) -> Result<()> {
        let mut tx = self.begin_beside_others().await?;
        sql("UPDATE sessions SET seen_at = $2 WHERE id = $1").text(id).time(at).run(tx.on()).await?;
        tx.commit().await
    }

    /// The sessions of a user that have not expired at `now` and were used after `idle_since` (wall times), newest first.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn sessions_of(&self, user: &str, now: Timestamp, idle_since: Timestamp) -> Result<Vec<SessionRecord>> {
        let rows =
            sql("SELECT * FROM sessions WHERE user_name = $1 AND expires_at > $2 AND seen_at > $3 ORDER BY created_at DESC, id").text(user);
        rows.time(now).time(idle_since).all(&mut self.read().await?).await?.iter().map(session).collect()
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

    /// Removes sessions that have expired at `now` or were not used after `idle_since` (wall times), and says how many.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn delete_expired_sessions(&self, now: Timestamp, idle_since: Timestamp) -> Result<u64> {
        let mut tx = self.begin_beside_others().await?;
        let gone = sql("DELETE FROM sessions WHERE expires_at <= $1 OR seen_at <= $2").time(now).time(idle_since).run(tx.on()).await?;
        tx.commit().await?;
        Ok(gone)
    }
}

impl Tx {
    /// Ends every session of a user but this one, and says how many; every one without.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn delete_sessions_of(&mut self, user: &str, but: Option<&str>) -> Result<u64> {
        let statement = sql("DELETE FROM sessions WHERE user_name = $1 AND id <> $2");
        statement.text(user).text(but.unwrap_or_default()).run(self.on()).await
    }

    /// Ends one session of a user.
    ///
    /// # Errors
    /// [`Error::NotFound`] if they have none of this id.
    pub async fn delete_session_of(&mut self, user: &str, id: &str) -> Result<()> {
        let gone = sql("DELETE FROM sessions WHERE user_name = $1 AND id = $2").text(user).text(id).run(self.on()).await?;
        if gone == 0 { Err(Error::not_found("session", id)) } else { Ok(()) }
    }
}

fn session(row: &Row) -> Result<SessionRecord> {
    Ok(SessionRecord {
        id: row.text("id")?,
        data: row.blob("data")?.to_vec(),
        expires_at: row.time("expires_at")?,
        user: row.maybe_text("user_name")?,
        created_at: row.time("created_at")?,
        seen_at: row.time("seen_at")?,
        address: row.text("address")?,
        agent: row.text("agent")?,
    })
}
