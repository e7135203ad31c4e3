//! Opening, migrating, and transactions.

use crate::db::{Connection, sql};
use crate::error::{Error, Result};
use crate::series::{SeriesIds, SeriesKey};
use async_recursion::async_recursion as boxed;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlSafeStr, Sqlite, SqlitePool, Transaction};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Every migration of SQLite, oldest first: version, name, text.
const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "first", include_str!("../../../migrations/sqlite/0001_first.sql"))];

/// How long a writer waits for another process that writes.
const BUSY: Duration = Duration::from_secs(15);

/// Where the state lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// `sqlite:PATH`, `sqlite://PATH` or a bare path.
    pub url: String,
    /// Connections that read at the same time, at least 1.
    pub readers: u32,
}

impl StoreConfig {
    /// SQLite in a file that is made if it is not there.
    #[must_use]
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        Self { url: path.as_ref().to_string_lossy().into_owned(), readers: 8 }
    }

    fn path(&self) -> Result<&str> {
        let path = match self.url.split_once(':') {
            Some(("sqlite", rest)) => rest.strip_prefix("//").unwrap_or(rest),
            Some((_, rest)) if rest.starts_with("//") => "",
            _ => self.url.as_str(),
        };
        if path.is_empty() { Err(Error::BadAddress(self.url.clone())) } else { Ok(path) }
    }
}

/// The durable state. Cheap to clone; clones share connections and caches.
#[derive(Debug, Clone)]
pub struct Store {
    readers: SqlitePool,
    writer: SqlitePool,
    series: Arc<SeriesIds>,
}

impl Store {
    /// Opens the database, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::BadAddress`], [`Error::NewerSchema`], [`Error::Migrate`].
    #[boxed]
    pub async fn open(config: &StoreConfig) -> Result<Self> {
        let options = options(config.path()?);
        let open_error = |source| Error::Open { url: config.url.clone(), source };
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(60))
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(open_error)?;
        migrate(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(config.readers.max(1))
            .acquire_timeout(Duration::from_secs(60))
            .connect_with(options.pragma("query_only", "ON"))
            .await
            .map_err(open_error)?;
        let store = Self { readers, writer, series: Arc::default() };
        store.learn_series().await?;
        Ok(store)
    }

    /// Begins a write transaction; dropping it takes everything back.
    ///
    /// # Errors
    /// [`Error::Database`] if the writer stays busy for longer than a minute.
    #[boxed]
    pub async fn begin(&self) -> Result<Tx> {
        let inner = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Tx { inner, series: Arc::clone(&self.series), new_series: HashMap::new() })
    }

    /// A connection that reads.
    #[boxed]
    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>> {
        Ok(self.readers.acquire().await?)
    }

    /// Makes series known that another process has added.
    pub(crate) async fn learn_series(&self) -> Result<()> {
        let added = crate::series::load(&mut *self.read().await?, self.series.newest()).await?;
        self.series.learn(added);
        Ok(())
    }

    pub(crate) fn series(&self) -> &SeriesIds {
        &self.series
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Database`] if it does not.
    pub async fn ping(&self) -> Result<()> {
        sql("SELECT 1 AS one").one(&mut *self.read().await?).await.map(drop)
    }

    /// The version of the schema.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn schema_version(&self) -> Result<i64> {
        schema_version(&mut *self.read().await?).await
    }

    /// Waits for running statements and closes every connection; what was committed is on disk.
    #[boxed]
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A write transaction. What is done in it becomes visible at [`Tx::commit`], all of it or nothing.
#[derive(Debug)]
pub struct Tx {
    inner: Transaction<'static, Sqlite>,
    pub(crate) series: Arc<SeriesIds>,
    /// Series made in this transaction: others may know them once it is committed.
    pub(crate) new_series: HashMap<SeriesKey, i64>,
}

impl Tx {
    pub(crate) fn on(&mut self) -> &mut Connection {
        &mut self.inner
    }

    /// Makes everything done in this transaction durable.
    ///
    /// # Errors
    /// [`Error::Database`]; then nothing was done.
    #[boxed]
    pub async fn commit(self) -> Result<()> {
        self.inner.commit().await?;
        self.series.learn(self.new_series);
        Ok(())
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// [`Error::Database`]; nothing was done in that case either.
    #[boxed]
    pub async fn roll_back(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }
}

fn options(path: &str) -> SqliteConnectOptions {
    // The busy time-out comes first: switching to WAL takes a lock itself.
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(BUSY)
        .page_size(8192)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("cache_size", "-16384")
}

fn migrations() -> Migrator {
    let all = MIGRATIONS
        .iter()
        .map(|(version, name, text)| Migration::new(*version, (*name).into(), MigrationType::Simple, text.into_sql_str(), false));
    Migrator::with_migrations(all.collect())
}

/// Brings the schema up to date; refuses one that is newer than what is known here.
async fn migrate(writer: &SqlitePool) -> Result<()> {
    let known = MIGRATIONS.last().map_or(0, |m| m.0);
    let mut attempts = 0;
    loop {
        let found = schema_version(&mut *writer.acquire().await?).await?;
        if found > known {
            return Err(Error::NewerSchema { found, known });
        }
        match migrations().run(writer).await {
            Ok(()) => return Ok(()),
            // Another process may be doing the same at this moment: look again.
            Err(_) if attempts < 5 => {
                attempts += 1;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(fault) => return Err(Error::Migrate(fault)),
        }
    }
}

async fn schema_version(on: &mut Connection) -> Result<i64> {
    let exists = sql("SELECT COUNT(*) AS n FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'").one(on).await?;
    if exists.int("n")? == 0 {
        return Ok(0);
    }
    sql("SELECT COALESCE(MAX(version), 0) AS version FROM _sqlx_migrations").one(on).await?.int("version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_in_the_folder_is_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/sqlite");
        let mut files: Vec<String> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let listed: Vec<String> = MIGRATIONS.iter().map(|(version, name, _)| format!("{version:04}_{name}.sql")).collect();
        assert_eq!(files, listed);
    }

    #[test]
    fn addresses_are_paths_or_urls() {
        for (url, path) in [("a.db", "a.db"), ("sqlite:a.db", "a.db"), ("sqlite:///x/a.db", "/x/a.db"), ("sqlite://a.db", "a.db")] {
            assert_eq!(StoreConfig { url: url.into(), readers: 1 }.path().unwrap(), path);
        }
        for url in ["", "sqlite:", "mysql://host/db", "postgres://host/db"] {
            assert!(StoreConfig { url: url.into(), readers: 1 }.path().is_err(), "{url}");
        }
    }
}
