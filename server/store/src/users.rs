//! People and programs that sign in, and their passwords (as hashes only).

use crate::db::{Row, sql, to_json};
use crate::error::{Error, Result};
use crate::store::{Store, Tx};
use headroom_model::auth::{Role, Teams};
use headroom_model::ids::UserId;
use headroom_model::time::Timestamp;
use headroom_model::view::UserRow;

/// Someone who signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// The name they sign in with; unique.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whose services they see and act on.
    pub teams: Teams,
    /// Who they are to an identity provider, its issuer and their id there; `None` for those who sign in here.
    pub subject: Option<String>,
    /// Locked users cannot sign in, and their tokens do not count.
    pub locked: bool,
    /// Wall time.
    pub created_at: Timestamp,
    /// Wall time.
    pub last_sign_in: Option<Timestamp>,
}

impl Tx {
    /// Adds a user.
    ///
    /// # Errors
    /// [`Error::Taken`] if the name is in use.
    pub async fn create_user(&mut self, user: &User) -> Result<()> {
        let statement = "INSERT INTO users (id, name, role, teams, subject, locked, created_at, last_sign_in) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let done = sql(statement)
            .uuid(user.id.0)
            .text(&user.name)
            .text(user.role.as_str())
            .maybe_text(names(&user.teams))
            .maybe_text(user.subject.as_deref())
            .bool(user.locked)
            .time(user.created_at)
            .time(user.last_sign_in)
            .attempt(self.on())
            .await;
        match done {
            Err(fault) if fault.is_unique_violation() => Err(Error::Taken { what: "user", name: user.name.clone() }),
            other => other.map(drop),
        }
    }

    /// Changes what a user may do, and whose services they see.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_role(&mut self, name: &str, role: Role, teams: &Teams) -> Result<()> {
        let statement = sql("UPDATE users SET role = $2, teams = $3 WHERE name = $1").text(name).text(role.as_str());
        found(statement.maybe_text(names(teams)).run(self.on()).await?, name)
    }

    /// Locks a user out, or lets them in again.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_locked(&mut self, name: &str, locked: bool) -> Result<()> {
        found(sql("UPDATE users SET locked = $2 WHERE name = $1").text(name).bool(locked).run(self.on()).await?, name)
    }

    /// Sets the hash of a user's password.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_password_hash(&mut self, id: UserId, hash: &str, at: Timestamp) -> Result<()> {
        let done = sql("INSERT INTO credentials (user_id, hash, set_at) VALUES ($1, $2, $3) \
             ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, set_at = excluded.set_at")
        .uuid(id.0)
        .text(hash)
        .time(at)
        .attempt(self.on())
        .await;
        match done {
            Err(fault) if fault.is_missing_reference() => Err(Error::not_found("user", id)),
            other => other.map(drop),
        }
    }

    /// Forgets a user's password: they need a one-time code.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn clear_password(&mut self, id: UserId) -> Result<()> {
        sql("DELETE FROM credentials WHERE user_id = $1").uuid(id.0).run(self.on()).await.map(drop)
    }

    /// Notes a sign-in. `at` is wall time.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn signed_in(&mut self, id: UserId, at: Timestamp) -> Result<()> {
        let done = sql("UPDATE users SET last_sign_in = $2 WHERE id = $1").uuid(id.0).time(at).run(self.on()).await?;
        found(done, id)
    }

    /// How many users there are as this transaction sees it: a first run is one with none.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn user_count(&mut self) -> Result<u64> {
        Ok(sql("SELECT COUNT(*) AS n FROM users").one(self.on()).await?.int("n")?.unsigned_abs())
    }
}

/// Teams as they are stored: a JSON array, or nothing for every team.
fn names(teams: &Teams) -> Option<String> {
    teams.names().map(|names| to_json(&names))
}

fn found(touched: u64, id: impl ToString) -> Result<()> {
    if touched == 0 { Err(Error::not_found("user", id)) } else { Ok(()) }
}

impl Store {
    /// A user by name.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn user(&self, name: &str) -> Result<Option<User>> {
        let row = sql("SELECT * FROM users WHERE name = $1").text(name).maybe(&mut self.read().await?).await?;
        row.as_ref().map(user).transpose()
    }

    /// A user by name, and whether they have a second factor.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn user_with_factor(&self, name: &str) -> Result<Option<(User, bool)>> {
        let row = sql("SELECT u.*, f.confirmed_at FROM users u LEFT JOIN second_factors f ON f.user_id = u.id WHERE u.name = $1");
        let row = row.text(name).maybe(&mut self.read().await?).await?;
        row.map(|row| Ok((user(&row)?, row.maybe_time("confirmed_at")?.is_some()))).transpose()
    }

    /// A user by id.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn user_by_id(&self, id: UserId) -> Result<Option<User>> {
        let row = sql("SELECT * FROM users WHERE id = $1").uuid(id.0).maybe(&mut self.read().await?).await?;
        row.as_ref().map(user).transpose()
    }

    /// A user by what an identity provider calls them.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn user_by_subject(&self, subject: &str) -> Result<Option<User>> {
        let row = sql("SELECT * FROM users WHERE subject = $1").text(subject).maybe(&mut self.read().await?).await?;
        row.as_ref().map(user).transpose()
    }

    /// Everyone, by name.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn user_rows(&self) -> Result<Vec<UserRow>> {
        let rows = sql("SELECT u.*, c.user_id AS with_password, f.confirmed_at FROM users u LEFT JOIN credentials c ON c.user_id = u.id \
             LEFT JOIN second_factors f ON f.user_id = u.id ORDER BY u.name");
        let rows = rows.all(&mut self.read().await?).await?;
        rows.iter()
            .map(|row| {
                let user = user(row)?;
                let has_password = row.maybe_uuid("with_password")?.is_some();
                let second_factor = row.maybe_time("confirmed_at")?.is_some();
                let User { name, role, teams, subject, locked, created_at, last_sign_in, .. } = user;
                let from_provider = subject.is_some();
                Ok(UserRow { name, role, teams, locked, has_password, second_factor, from_provider, created_at, last_sign_in })
            })
            .collect()
    }

    /// How many users there are.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn user_count(&self) -> Result<u64> {
        Ok(sql("SELECT COUNT(*) AS n FROM users").one(&mut self.read().await?).await?.int("n")?.unsigned_abs())
    }

    /// The hash of a user's password, if they have set one.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn password_hash(&self, id: UserId) -> Result<Option<String>> {
        let row = sql("SELECT hash FROM credentials WHERE user_id = $1").uuid(id.0).maybe(&mut self.read().await?).await?;
        row.map(|row| row.text("hash")).transpose()
    }
}

pub(crate) fn user(row: &Row) -> Result<User> {
    Ok(User {
        id: UserId(row.uuid("id")?),
        name: row.text("name")?,
        role: row.word("role")?,
        teams: row.maybe_json::<Vec<String>>("teams")?.map_or(Teams::ALL, Teams::of),
        subject: row.maybe_text("subject")?,
        locked: row.bool("locked")?,
        created_at: row.time("created_at")?,
        last_sign_in: row.maybe_time("last_sign_in")?,
    })
}
