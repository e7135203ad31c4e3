//! What can go wrong in the store.

use headroom_model::ids::ChangeId;
use std::path::PathBuf;

/// What PostgreSQL says when it ends a statement.
const QUERY_CANCELED: &str = "57014";
/// How the codes begin with which PostgreSQL says that it, or its machine, cannot serve now: it stops, the connection broke, it is out of room.
const NOT_NOW: [&str; 3] = ["57P", "08", "53"];
/// SQLite's code of a full disk.
const FULL: &str = "13";

/// The store's result.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or failed; the source says why, for the log.
    #[error("the database did not answer as it should; the log has the cause")]
    Database(#[source] sqlx::Error),
    /// PostgreSQL has ended a statement that took longer than [`StoreConfig::statement`](crate::StoreConfig::statement).
    #[error(
        "the database took too long over a statement and ended it: nothing of it was kept. Try again; if it stays, find out what keeps the database busy"
    )]
    TooSlow,
    /// The database is not there, stops, or has no room; what was to be written was not.
    #[error(
        "the database cannot be reached or has no room left: nothing of this was kept. Try again when it is there; the log has the cause"
    )]
    Away(#[source] sqlx::Error),
    /// The connection broke while the database was told to keep what was written.
    #[error(
        "the connection to the database broke at the last moment: what was asked for may have been done or not. Look before you ask again"
    )]
    Unsure(#[source] sqlx::Error),
    /// The database could not be opened.
    #[error("cannot open the database {url}: {source}. {next}")]
    Open {
        /// As configured, without a password.
        url: String,
        /// Why.
        source: sqlx::Error,
        /// What to look at.
        next: &'static str,
    },
    /// The address names no database that is known here.
    #[error("{0:?} is not a database address: write a path or sqlite:PATH")]
    BadAddress(String),
    /// A migration failed.
    #[error("the database could not be brought up to date: {0}. Nothing of the failed step was kept")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The database was written by a newer Headroom.
    #[error("the database has schema {found}, this Headroom knows {known}: start the newer Headroom that wrote it, or restore a backup")]
    NewerSchema {
        /// The schema's version in the database.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The database was written by an older Headroom, and whoever opened it does not change its schema.
    #[error("the database has schema {found}, this Headroom needs {known}: run `headroom migrate`, which writes a backup first")]
    OlderSchema {
        /// The schema's version in the database; 0 where there is none yet.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// There is no such thing.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its id or name.
        id: String,
    },
    /// Someone else wrote first.
    #[error("the {what} {id} has changed meanwhile (version {found}, you had {expected}): read it again before you decide")]
    Stale {
        /// What was to be written.
        what: &'static str,
        /// Its id.
        id: String,
        /// The version it was read at.
        expected: u64,
        /// The version it has.
        found: u64,
    },
    /// Another change holds the service.
    #[error("another change holds this service: {}. Wait for its end, or withdraw it", .by.short())]
    TargetBusy {
        /// The change that holds it.
        by: ChangeId,
    },
    /// The lease has run out and someone else has the work.
    #[error("the lease on {kind} {subject} has passed to another worker; nothing was written")]
    Fenced {
        /// The kind of work.
        kind: String,
        /// What it is about.
        subject: String,
    },
    /// The cursor is not one of this list.
    #[error("the cursor does not belong to this list: start again without one")]
    BadCursor,
    /// A filter or order that does not exist.
    #[error("{field} cannot be {value:?}: use {allowed}")]
    BadFilter {
        /// The parameter.
        field: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// Several services have this name.
    #[error("{name:?} is the name of several services: write one of {}", .candidates.join(", "))]
    AmbiguousName {
        /// The name.
        name: String,
        /// The full names.
        candidates: Vec<String>,
    },
    /// A text holds the character NUL, which PostgreSQL keeps in none; SQLite does not get it either, so that both hold the same.
    #[error("a text must not hold the character NUL")]
    Nul,
    /// The name or id is in use.
    #[error("the {what} {name} exists already")]
    Taken {
        /// What.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The idempotency key belongs to another request.
    #[error("the idempotency key {key:?} was used for another request: choose a new one")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// A backup that cannot be written or read.
    #[error("{}: {fault}", .path.display())]
    BadBackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// Another process has the database open that a backup was to go into.
    #[error("a Headroom is running on this database, and what it has in hand would be lost: stop it first")]
    InUse,
    /// There is something where a backup was to go.
    #[error("the database is not empty, and nothing of it is overwritten: restore into an empty directory or database")]
    NotEmpty,
    /// What is stored cannot be read back.
    #[error("stored {what} cannot be read: {fault}. The database may be damaged; restore a backup")]
    Corrupt {
        /// The column.
        what: String,
        /// Why.
        fault: String,
    },
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
        match &source {
            _ if code == QUERY_CANCELED => Self::TooSlow,
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::Away(source),
            _ if code == FULL || NOT_NOW.iter().any(|start| code.starts_with(start)) => Self::Away(source),
            _ => Self::Database(source),
        }
    }
}

impl Error {
    /// The same at the end of a transaction: where the connection broke, nobody knows whether the database has heard.
    pub(crate) fn at_commit(self) -> Self {
        match self {
            Self::Away(source) => Self::Unsure(source),
            other => other,
        }
    }
    /// Whether the database refused a row because its key is there already.
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(e)) if e.is_unique_violation())
    }
    /// Whether the database refused a row because what it refers to is not there.
    pub(crate) fn is_missing_reference(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(e)) if e.is_foreign_key_violation())
    }
    pub(crate) fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_is_told_from_one_that_refuses_and_from_one_that_may_have_heard() {
        let cut = || Error::from(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()));
        assert!(matches!(cut(), Error::Away(_)));
        assert!(matches!(cut().at_commit(), Error::Unsure(_)));
        assert!(matches!(Error::from(sqlx::Error::PoolTimedOut), Error::Away(_)));
        assert!(matches!(Error::from(sqlx::Error::RowNotFound).at_commit(), Error::Database(_)));
    }
}
