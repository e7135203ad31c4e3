//! Opening, migrating, and transactions.

use crate::boundary::Boundary;
use crate::db::{Connection, sql};
use crate::error::{Error, Result};
use crate::idempotency::Claim;
use crate::series::{SeriesIds, SeriesKey};
use crate::work::Leased;
use async_recursion::async_recursion as boxed;
use headroom_model::time::Timestamp;
use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Acquire, ConnectOptions, Connection as _, PgConnection, PgPool, SqlSafeStr, SqlitePool};
use std::collections::HashMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Every migration, oldest first: version, name, text.
type Migrations = &'static [(i64, &'static str, &'static str)];
const SQLITE: Migrations = &[
    (1, "first", include_str!("../../../migrations/sqlite/0001_first.sql")),
    (2, "people", include_str!("../../../migrations/sqlite/0002_people.sql")),
    (3, "benchmarks", include_str!("../../../migrations/sqlite/0003_benchmarks.sql")),
    (4, "classes", include_str!("../../../migrations/sqlite/0004_classes.sql")),
    (5, "days", include_str!("../../../migrations/sqlite/0005_days.sql")),
    (6, "deployments", include_str!("../../../migrations/sqlite/0006_deployments.sql")),
];
const POSTGRES: Migrations = &[
    (1, "first", include_str!("../../../migrations/postgres/0001_first.sql")),
    (2, "people", include_str!("../../../migrations/postgres/0002_people.sql")),
    (3, "benchmarks", include_str!("../../../migrations/postgres/0003_benchmarks.sql")),
    (4, "classes", include_str!("../../../migrations/postgres/0004_classes.sql")),
    (5, "days", include_str!("../../../migrations/postgres/0005_days.sql")),
    (6, "deployments", include_str!("../../../migrations/postgres/0006_deployments.sql")),
];

/// How long a writer waits for another process that writes.
const BUSY: Duration = Duration::from_secs(15);
/// How long anyone waits for a connection: to SQLite for one that is in use, to PostgreSQL also for a server that is away.
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_WITH_A_SERVER: Duration = Duration::from_secs(10);
/// How long PostgreSQL works on one statement, longer than anybody waits for an answer.
const STATEMENT: Duration = Duration::from_secs(300);
/// What Headroom calls itself at PostgreSQL.
pub(crate) const NAME_THERE: &str = "headroom";
/// PostgreSQL's name for that limit.
const STATEMENT_TIMEOUT: &str = "statement_timeout";
/// A connection that was used so lately is taken as alive; an older one is asked first. It is asked anyway whenever it is given back.
const FRESH: Duration = Duration::from_secs(1);
/// The lock that makes the writers of one PostgreSQL database take turns. Any number will do that nobody else uses.
const WRITERS: i64 = 0x4865_6164_726f_6f6d;

/// Where the state lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// `sqlite:PATH`, `sqlite://PATH`, a bare path, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub url: String,
    /// Connections that read at the same time, at least 1.
    pub readers: u32,
    /// How long PostgreSQL works on one statement before it ends it. What goes through the whole database has no limit.
    pub statement: Duration,
    /// Where a backup goes before the schema is changed; beside the database's file without.
    pub backups: Option<PathBuf>,
}

impl StoreConfig {
    /// SQLite in a file that is made if it is not there.
    #[must_use]
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        Self::at(path.as_ref().to_string_lossy())
    }

    /// Any address.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), readers: 8, statement: STATEMENT, backups: None }
    }

    fn is_postgres(&self) -> bool {
        ["postgres://", "postgresql://"].iter().any(|scheme| self.url.starts_with(scheme))
    }

    fn backups(&self) -> PathBuf {
        let beside = || self.file().and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
        self.backups.clone().unwrap_or_else(beside)
    }

    /// The database's file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        if self.is_postgres() { None } else { self.path().ok().map(Path::new) }
    }

    fn path(&self) -> Result<&str> {
        let path = match self.url.split_once(':') {
            Some(("sqlite", rest)) => rest.strip_prefix("//").unwrap_or(rest),
            Some((_, rest)) if rest.starts_with("//") => "",
            _ => self.url.as_str(),
        };
        if path.is_empty() { Err(Error::BadAddress(self.without_password())) } else { Ok(path) }
    }

    /// The address as it may be shown.
    fn without_password(&self) -> String {
        headroom_model::fault::shown(&self.url)
    }
}

/// The durable state. Cheap to clone; clones share connections and caches.
#[derive(Debug, Clone)]
pub struct Store {
    pools: Pools,
    series: Arc<SeriesIds>,
    boundary: Boundary,
}

#[derive(Debug, Clone)]
pub(crate) enum Pools {
    /// One connection writes.
    Sqlite { readers: SqlitePool, writer: SqlitePool },
    /// Writers take turns and wait for each other, holding a connection each: readers, whom the one at work may need, have their own.
    Postgres { readers: PgPool, writers: PgPool },
}

impl Store {
    /// Opens the database, makes it if it is not there (SQLite), and brings its schema up to date: after a backup, if there is
    /// anything to lose.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::BadAddress`], [`Error::NewerSchema`], [`Error::Migrate`], [`Error::BadBackup`].
    #[boxed]
    pub async fn open(config: &StoreConfig) -> Result<Self> {
        Self::open_at(config, i64::MAX).await
    }

    /// Opens a database whose schema is up to date, or makes a new one: for commands beside a Headroom that may still be the one before.
    ///
    /// # Errors
    /// As [`Store::open`]; [`Error::OlderSchema`], and then nothing was changed.
    #[boxed]
    pub async fn open_current(config: &StoreConfig) -> Result<Self> {
        let store = Self::connect(config).await?;
        match store.known_schema().await? {
            (found, known) if found > 0 && found < known => Err(Error::OlderSchema { found, known }),
            _ => store.up_to(config, i64::MAX).await,
        }
    }

    /// Opens a database as it is, of this schema or an older one: for what looks at it whatever its age.
    ///
    /// # Errors
    /// As [`Store::open`]; [`Error::OlderSchema`] where there is no schema at all.
    #[boxed]
    pub async fn open_as_it_is(config: &StoreConfig) -> Result<Self> {
        let store = Self::connect(config).await?;
        let (found, known) = store.known_schema().await?;
        if found == 0 {
            return Err(Error::OlderSchema { found, known });
        }
        store.learn_series().await?;
        Ok(store)
    }

    /// Opens the database with the schema of a version, which is at least the one that it has.
    #[boxed]
    pub(crate) async fn open_at(config: &StoreConfig, version: i64) -> Result<Self> {
        Self::connect(config).await?.up_to(config, version).await
    }

    pub(crate) async fn connect(config: &StoreConfig) -> Result<Self> {
        let pools = if config.is_postgres() { open_postgres(config).await? } else { open_sqlite(config).await? };
        Ok(Self { pools, series: Arc::default(), boundary: Boundary::default() })
    }

    async fn up_to(self, config: &StoreConfig, version: i64) -> Result<Self> {
        self.migrate(config, version).await?;
        self.learn_series().await?;
        Ok(self)
    }

    /// The version of the schema, 0 where there is none yet, and the newest that is known here.
    pub(crate) async fn known_schema(&self) -> Result<(i64, i64)> {
        let known = self.migrations().last().map_or(0, |m| m.0);
        let found = self.schema_version().await?;
        if found > known { Err(Error::NewerSchema { found, known }) } else { Ok((found, known)) }
    }

    fn migrations(&self) -> Migrations {
        if self.is_shared() { POSTGRES } else { SQLITE }
    }

    async fn migrate(&self, config: &StoreConfig, version: i64) -> Result<()> {
        let (all, (found, _)) = (self.migrations(), self.known_schema().await?);
        let wanted = &all[..all.iter().filter(|m| m.0 <= version).count()];
        if (1..wanted.last().map_or(0, |m| m.0)).contains(&found) {
            let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
            let file = config.backups().join(format!("headroom-schema-{found}-{at}.db"));
            self.backup_at(found, &file).await?;
            tracing::info!("the schema changes from version {found}: a backup of what was is in {}", file.display());
        }
        match &self.pools {
            Pools::Sqlite { writer, .. } => migrate(writer, wanted).await,
            Pools::Postgres { writers, .. } => {
                // A connection of its own: a change of schema takes as long as the database is large.
                let options = writers.connect_options().as_ref().clone().options([(STATEMENT_TIMEOUT, "0")]);
                let unhurried = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
                let migrated = migrate(&unhurried, wanted).await;
                unhurried.close().await;
                migrated
            }
        }
    }

    /// The same store, whose commits are told to `boundary`.
    #[must_use]
    pub fn watched(self, boundary: Boundary) -> Self {
        Self { boundary, ..self }
    }

    /// Begins a write transaction; dropping it takes everything back. Writers take turns, on either back end: what a transaction has
    /// read stays true until it ends, and none can be in another's way.
    ///
    /// # Errors
    /// [`Error::Away`] if another writer stays busy for longer than a minute or there is no database; [`Error::Fenced`] in work whose lease is lost.
    #[boxed]
    pub async fn begin(&self) -> Result<Tx> {
        let inner = match &self.pools {
            Pools::Sqlite { writer, .. } => Connection::SqliteTx(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres { writers, .. } => {
                let mut tx = Connection::PostgresTx(writers.begin().await?);
                sql("SELECT pg_advisory_xact_lock($1)").int(WRITERS).run(&mut tx).await?;
                tx
            }
        };
        let mut tx = Tx { claim: Claim::current(), ..self.transaction(inner) };
        if let Some(leased) = Leased::current() {
            tx.fence(&leased).await?;
        }
        Ok(tx)
    }

    /// Begins a write transaction that touches nothing but rows of its own, such as a lease or a session: it need not wait for its turn
    /// where the back end can do without.
    #[boxed]
    pub(crate) async fn begin_beside_others(&self) -> Result<Tx> {
        let inner = match &self.pools {
            Pools::Sqlite { writer, .. } => Connection::SqliteTx(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres { readers, .. } => Connection::PostgresTx(readers.begin().await?),
        };
        Ok(self.transaction(inner))
    }

    fn transaction(&self, inner: Connection) -> Tx {
        Tx {
            inner,
            series: Arc::clone(&self.series),
            new_series: HashMap::new(),
            boundary: self.boundary.clone(),
            claim: None,
            effect: None,
        }
    }

    /// A connection that reads.
    #[boxed]
    pub(crate) async fn read(&self) -> Result<Connection> {
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => Connection::Sqlite(readers.acquire().await?),
            Pools::Postgres { readers, .. } => Connection::Postgres(readers.acquire().await?),
        })
    }

    /// Makes series known that another process has added.
    pub(crate) async fn learn_series(&self) -> Result<()> {
        let added = crate::series::load(&mut self.read().await?, self.series.newest()).await?;
        self.series.learn(added);
        Ok(())
    }

    pub(crate) fn pools(&self) -> &Pools {
        &self.pools
    }

    /// Whether other processes may work on the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.pools, Pools::Postgres { .. })
    }

    pub(crate) fn series(&self) -> &SeriesIds {
        &self.series
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Database`] if it does not.
    pub async fn ping(&self) -> Result<()> {
        sql("SELECT 1 AS one").one(&mut self.read().await?).await.map(drop)
    }

    /// The clock of the database's machine; `None` where that is this one.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn clock(&self) -> Result<Option<Timestamp>> {
        if !self.is_shared() {
            return Ok(None);
        }
        Ok(Some(sql("SELECT clock_timestamp() AS now").one(&mut self.read().await?).await?.time("now")?))
    }

    /// The version of the schema.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn schema_version(&self) -> Result<i64> {
        schema_version(&mut self.read().await?).await
    }

    /// Waits for running statements and closes every connection; what was committed is on disk.
    #[boxed]
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres { readers, writers } => {
                readers.close().await;
                writers.close().await;
            }
        }
    }
}

async fn open_sqlite(config: &StoreConfig) -> Result<Pools> {
    let options = sqlite_options(config.path()?);
    // There is no server that could have gone away since a connection was used last, so none is asked whether it is alive.
    // SQLite gives its files beside the database the same rights.
    if !Path::new(config.path()?).exists() {
        let _ = crate::backup::private(Path::new(config.path()?));
    }
    let failed = |source| Error::Open { url: config.url.clone(), source, next: "Check that its folder exists and can be written to" };
    let writer = SqlitePoolOptions::new()
        .test_before_acquire(false)
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        // Where SQLite itself took a transaction back (a full disk), the driver goes on believing in it: such a connection begins no other.
        .before_acquire(|on, _| Box::pin(std::future::ready(Ok(!on.is_in_transaction()))))
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    let readers = SqlitePoolOptions::new()
        .test_before_acquire(false)
        .max_connections(config.readers.max(1))
        .acquire_timeout(PATIENCE)
        // The system keeps the file's pages once for all of them.
        .connect_with(options.pragma("query_only", "ON").pragma("cache_size", "-4096"))
        .await
        .map_err(failed)?;
    Ok(Pools::Sqlite { readers, writer })
}

async fn open_postgres(config: &StoreConfig) -> Result<Pools> {
    let next = "Check that the server runs, and its address, database, user and password";
    let failed = |source| Error::Open { url: config.without_password(), source, next };
    let options: PgConnectOptions = config.url.parse().map_err(failed)?;
    // A writer or leader that hangs, or whose machine is gone, must not hold up the others for ever.
    let options = options.application_name(NAME_THERE).options([(STATEMENT_TIMEOUT, config.statement.as_millis())]).options([
        ("idle_in_transaction_session_timeout", "60s"),
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
        ("timezone", "UTC"),
    ]);
    // The pool would try for as long as anyone has patience, and say no more than that.
    let one = tokio::time::timeout(BUSY, options.connect()).await;
    one.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(failed)?.close().await?;
    let pool = |size: u32| {
        let pool = PgPoolOptions::new().max_connections(size).acquire_timeout(PATIENCE_WITH_A_SERVER).test_before_acquire(false);
        pool.before_acquire(|on, it| Box::pin(alive(on, it.idle_for))).connect_with(options.clone())
    };
    let readers = pool(config.readers.max(1)).await.map_err(failed)?;
    let writers = pool(2).await.map_err(failed)?;
    Ok(Pools::Postgres { readers, writers })
}

/// Whether a connection to PostgreSQL can be used: each question costs a round trip, so what has just been used is not asked.
async fn alive(on: &mut PgConnection, idle: Duration) -> sqlx::Result<bool> {
    if idle > FRESH {
        on.ping().await?;
    }
    Ok(true)
}

/// A write transaction. What is done in it becomes visible at [`Tx::commit`], all of it or nothing.
#[derive(Debug)]
pub struct Tx {
    inner: Connection,
    pub(crate) series: Arc<SeriesIds>,
    /// Series made in this transaction: others may know them once it is committed.
    pub(crate) new_series: HashMap<SeriesKey, i64>,
    boundary: Boundary,
    /// The idempotency key of the request that this transaction has its effect for.
    claim: Option<Claim>,
    /// What the newest recorded event is about: a transaction that records one has an effect.
    pub(crate) effect: Option<String>,
}

impl Tx {
    pub(crate) fn on(&mut self) -> &mut Connection {
        &mut self.inner
    }

    /// Makes everything done in this transaction durable.
    ///
    /// # Errors
    /// [`Error::Database`]; then nothing was done. [`Error::Unsure`]: nobody knows.
    #[boxed]
    pub async fn commit(mut self) -> Result<()> {
        let claim = self.claim.take().filter(|claim| self.effect.is_some() && !claim.is_made());
        if let Some(claim) = &claim {
            self.make(claim).await?;
        }
        self.boundary.pass("before commit");
        self.inner.commit().await?;
        if let Some(claim) = claim {
            claim.made();
        }
        self.series.learn(self.new_series);
        self.boundary.pass("after commit");
        Ok(())
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// [`Error::Database`]; nothing was done in that case either.
    #[boxed]
    pub async fn roll_back(self) -> Result<()> {
        self.inner.roll_back().await
    }
}

fn sqlite_options(path: &str) -> SqliteConnectOptions {
    // The busy time-out comes first: switching to WAL takes a lock itself.
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(BUSY)
        .page_size(8192)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("cache_size", "-16384") // KiB
}

/// Brings the schema up to these migrations.
async fn migrate<'p, P>(pool: &'p P, known: Migrations) -> Result<()>
where
    &'p P: Acquire<'p>,
    <<&'p P as Acquire<'p>>::Connection as Deref>::Target: Migrate,
{
    let migration = |(version, name, text): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    let mut attempts = 0;
    loop {
        match Migrator::with_migrations(known.iter().map(migration).collect()).run(pool).await {
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

/// Whether there is a table of this name.
pub(crate) async fn has_table(on: &mut Connection, name: &str) -> Result<bool> {
    let tables = if on.is_postgres() {
        sql("SELECT COUNT(*) AS n FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1")
    } else {
        sql("SELECT COUNT(*) AS n FROM sqlite_master WHERE type = 'table' AND name = $1")
    };
    Ok(tables.text(name).one(on).await?.int("n")? > 0)
}

async fn schema_version(on: &mut Connection) -> Result<i64> {
    if !has_table(on, "_sqlx_migrations").await? {
        return Ok(0);
    }
    sql("SELECT COALESCE(MAX(version), 0) AS version FROM _sqlx_migrations").one(on).await?.int("version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_in_the_folder_is_built_in() {
        for (folder, known) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(folder);
            let mut files: Vec<String> =
                std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
            files.sort();
            let listed: Vec<String> = known.iter().map(|(version, name, _)| format!("{version:04}_{name}.sql")).collect();
            assert_eq!(files, listed);
        }
    }

    #[test]
    fn addresses_are_paths_or_urls() {
        for (url, path) in [("a.db", "a.db"), ("sqlite:a.db", "a.db"), ("sqlite:///x/a.db", "/x/a.db"), ("sqlite://a.db", "a.db")] {
            assert_eq!(StoreConfig::at(url).path().unwrap(), path);
        }
        for url in ["", "sqlite:", "mysql://host/db"] {
            assert!(StoreConfig::at(url).path().is_err(), "{url}");
        }
        assert!(StoreConfig::at("postgres://host/db").is_postgres());
    }

    #[test]
    fn a_password_is_never_shown() {
        let shown = StoreConfig::at("postgres://me:se:cr@et@host:5432/db?sslmode=require").without_password();
        assert_eq!(shown, "postgres://host:5432/db");
        let asked = StoreConfig::at("postgres://host/db?user=me&password=secret").without_password();
        assert_eq!(asked, "postgres://host/db");
    }
}
