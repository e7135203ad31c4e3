//! One-time codes and API tokens; the store knows their hashes only.

use crate::db::{Row, sql, to_json};
use crate::error::{Error, Result};
use crate::store::{Store, Tx};
use crate::users::{User, user};
use headroom_model::auth::Permission;
use headroom_model::ids::UserId;
use headroom_model::time::Timestamp;
use uuid::Uuid;

/// A code that works once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeCode {
    /// Hash of the code, hexadecimal.
    pub hash: String,
    /// Whose it is; `None` for the code of the first run.
    pub user_id: Option<UserId>,
    /// What it is for: `sign_in`, `reset`, `first_run`.
    pub purpose: String,
    /// Wall time.
    pub expires_at: Timestamp,
}

/// A token that a program signs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id, for lists and revocation.
    pub id: Uuid,
    /// Hash of the token, hexadecimal.
    pub hash: String,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is called.
    pub name: String,
    /// Wall time.
    pub created_at: Timestamp,
    /// Wall time.
    pub last_used: Option<Timestamp>,
    /// Wall time; `None` while it counts.
    pub revoked_at: Option<Timestamp>,
    /// What it is for; `None` for all that its user's role permits.
    pub scope: Option<Vec<Permission>>,
    /// Wall time; `None` for one that does not end by itself.
    pub expires_at: Option<Timestamp>,
}

/// A token that counts, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUser {
    /// Its id.
    pub token: Uuid,
    /// What it is for; `None` for all that the role permits.
    pub scope: Option<Vec<Permission>>,
    /// Whose it is.
    pub user: User,
}

impl Tx {
    /// Stores a code.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown user.
    pub async fn put_code(&mut self, code: &OneTimeCode) -> Result<()> {
        let done = sql("INSERT INTO one_time_codes (hash, user_id, purpose, expires_at) VALUES ($1, $2, $3, $4)")
            .text(&code.hash)
            .uuid(code.user_id.map(|id| id.0))
            .text(&code.purpose)
            .time(code.expires_at)
            .attempt(self.on())
            .await;
        match done {
            Err(fault) if fault.is_missing_reference() => {
                Err(Error::not_found("user", code.user_id.map(|i| i.to_string()).unwrap_or_default()))
            }
            other => other.map(drop),
        }
    }

    /// Uses a code up, if it is there, unused and unexpired at `now` (wall time).
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn use_code(&mut self, hash: &str, now: Timestamp) -> Result<Option<OneTimeCode>> {
        let row = sql("UPDATE one_time_codes SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING *");
        row.text(hash).time(now).maybe(self.on()).await?.as_ref().map(code).transpose()
    }

    /// Makes every unused code of a user worthless.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn void_codes(&mut self, id: UserId, now: Timestamp) -> Result<()> {
        let statement = sql("UPDATE one_time_codes SET used_at = $2 WHERE user_id = $1 AND used_at IS NULL");
        statement.uuid(id.0).time(now).run(self.on()).await.map(drop)
    }

    /// Stores a token.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown user.
    pub async fn put_token(&mut self, token: &ApiToken) -> Result<()> {
        let statement = "INSERT INTO api_tokens (id, hash, user_id, name, created_at, last_used, revoked_at, scope, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let done = sql(statement)
            .uuid(token.id)
            .text(&token.hash)
            .uuid(token.user_id.0)
            .text(&token.name)
            .time(token.created_at)
            .time(token.last_used)
            .time(token.revoked_at)
            .maybe_text(token.scope.as_ref().map(to_json))
            .time(token.expires_at)
            .attempt(self.on())
            .await;
        match done {
            Err(fault) if fault.is_missing_reference() => Err(Error::not_found("user", token.user_id)),
            other => other.map(drop),
        }
    }

    /// Notes that a token was used. `at` is wall time.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn touch_token(&mut self, id: Uuid, at: Timestamp) -> Result<()> {
        sql("UPDATE api_tokens SET last_used = $2 WHERE id = $1").uuid(id).time(at).run(self.on()).await.map(drop)
    }

    /// Revokes a token; one that is revoked already stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn revoke_token(&mut self, id: Uuid, at: Timestamp) -> Result<()> {
        let statement = sql("UPDATE api_tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1");
        let done = statement.uuid(id).time(at).run(self.on()).await?;
        if done == 0 { Err(Error::not_found("token", id)) } else { Ok(()) }
    }

    /// Revokes every token of a user.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn revoke_tokens_of(&mut self, id: UserId, at: Timestamp) -> Result<()> {
        let statement = sql("UPDATE api_tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE user_id = $1");
        statement.uuid(id.0).time(at).run(self.on()).await.map(drop)
    }
}

impl Store {
    /// A code that is there, unused and unexpired at `now` (wall time); it stays unused.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn code(&self, hash: &str, now: Timestamp) -> Result<Option<OneTimeCode>> {
        let row = sql("SELECT * FROM one_time_codes WHERE hash = $1 AND used_at IS NULL AND expires_at > $2").text(hash).time(now);
        row.maybe(&mut self.read().await?).await?.as_ref().map(code).transpose()
    }

    /// The token of this hash and its user, if it is neither revoked nor expired at `now` (wall time) and they are not locked.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn token_user(&self, hash: &str, now: Timestamp) -> Result<Option<TokenUser>> {
        let row = sql("SELECT u.*, t.id AS token_id, t.scope FROM api_tokens t JOIN users u ON u.id = t.user_id \
             WHERE t.hash = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) AND NOT u.locked")
        .text(hash)
        .time(now)
        .maybe(&mut self.read().await?)
        .await?;
        row.map(|row| Ok(TokenUser { token: row.uuid("token_id")?, scope: row.maybe_json("scope")?, user: user(&row)? })).transpose()
    }

    /// Every token with its user's name, newest first.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn tokens(&self) -> Result<Vec<(ApiToken, String)>> {
        let rows =
            sql("SELECT t.*, u.name AS user_name FROM api_tokens t JOIN users u ON u.id = t.user_id ORDER BY t.created_at DESC, t.id DESC");
        rows.all(&mut self.read().await?).await?.iter().map(|row| Ok((token(row)?, row.text("user_name")?))).collect()
    }
}

fn code(row: &Row) -> Result<OneTimeCode> {
    Ok(OneTimeCode {
        hash: row.text("hash")?,
        user_id: row.maybe_uuid("user_id")?.map(UserId),
        purpose: row.text("purpose")?,
        expires_at: row.time("expires_at")?,
    })
}

fn token(row: &Row) -> Result<ApiToken> {
    Ok(ApiToken {
        id: row.uuid("id")?,
        hash: row.text("hash")?,
        user_id: UserId(row.uuid("user_id")?),
        name: row.text("name")?,
        created_at: row.time("created_at")?,
        last_used: row.maybe_time("last_used")?,
        revoked_at: row.maybe_time("revoked_at")?,
        scope: row.maybe_json("scope")?,
        expires_at: row.maybe_time("expires_at")?,
    })
}
