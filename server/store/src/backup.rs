//! Backups: one SQLite file, whichever back end it comes from and whichever it goes back into. So a backup is also the way from
//! SQLite to PostgreSQL, or back.
//!
//! Sessions stay behind: a backup that is put back does not sign anybody in.

use crate::audit::AuditHead;
use crate::db::{Connection, Kind, Sql, Value, sql, tuples};
use crate::error::{Error, Result};
use crate::seal;
use crate::store::{NAME_THERE, Pools, Store, StoreConfig, has_table};
use async_recursion::async_recursion as boxed;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every table that is kept, those that others refer to first.
const TABLES: &[&str] = &[
    "settings",
    "clusters",
    "services",
    "service_summary",
    "series",
    "sample_head",
    "sample_chunks",
    "service_days",
    "optimization_jobs",
    "optimization_recommendations",
    "changes",
    "comments",
    "outcomes",
    "ledger",
    "benchmarks",
    "benchmark_runs",
    "deployments",
    "policies",
    "users",
    "credentials",
    "second_factors",
    "one_time_codes",
    "api_tokens",
    "audit",
    "outbox",
    "work",
    "idempotency_keys",
];
/// Tables that count their rows themselves, by this column.
const COUNTED: &[(&str, &str)] = &[("series", "id"), ("sample_head", "seq")];
/// Arguments per statement, below every back end's limit.
const ARGUMENTS: usize = 8000;

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// Rows by table.
    pub rows: Vec<(&'static str, u64)>,
    /// The end of its audit chain, whose every link was checked; `None` while it is empty.
    pub head: Option<AuditHead>,
}

impl Store {
    /// Writes everything that is committed into a new file, with the schema that it has, while others go on reading and writing. The file
    /// appears under its name once it is whole and checked.
    ///
    /// # Errors
    /// [`Error::BadBackup`] when there is such a file already or it cannot be written; [`Error::Database`].
    #[boxed]
    pub async fn backup(&self, to: &Path) -> Result<BackupReport> {
        self.backup_at(self.schema_version().await?, to).await
    }

    /// The same, of a database whose schema is of this version.
    #[boxed]
    pub(crate) async fn backup_at(&self, version: i64, to: &Path) -> Result<BackupReport> {
        let bad = |fault: String| Error::BadBackup { path: to.to_owned(), fault };
        if to.exists() {
            return Err(bad("there is a file of this name already: choose another".to_owned()));
        }
        let partial = beside(to, ".partial");
        remove(&partial).and_then(|()| private(&partial)).map_err(|fault| bad(format!("cannot be written: {fault}")))?;
        match self.pools() {
            Pools::Sqlite { writer, .. } => {
                // A connection of its own: neither the readers, which may write nothing, nor the one that writes.
                let mut on = writer.connect_options().connect().await?;
                let name = partial.to_string_lossy().into_owned();
                sqlx::query("VACUUM INTO $1").bind(name).execute(&mut on).await.map_err(|e| bad(format!("cannot be written: {e}")))?;
                on.close().await?;
            }
            Pools::Postgres { readers, .. } => {
                let mut from = Connection::PostgresTx(readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?);
                unhurried(&mut from).await?;
                let file = Self::open_at(&StoreConfig::sqlite(&partial), version).await?;
                copy(&mut from, &file).await?;
                file.close().await;
            }
        }
        let file = Self::open_at(&StoreConfig::sqlite(&partial), version).await?;
        let mut tx = file.begin().await?;
        sql("DELETE FROM sessions").run(tx.on()).await?;
        tx.commit().await?;
        let report = file.checked(&partial).await;
        file.close().await;
        let report = report?;
        seal::put(&partial)
            .and_then(|()| std::fs::File::open(&partial))
            .and_then(|written| written.sync_all())
            .and_then(|()| std::fs::rename(&partial, to))
            .map_err(|fault| bad(format!("cannot be written: {fault}")))?;
        Ok(report)
    }

    /// Puts a backup into a database that holds nothing yet.
    ///
    /// # Errors
    /// [`Error::BadBackup`] for a file that is damaged or none of ours, [`Error::NewerSchema`] for one of a newer Headroom,
    /// [`Error::NotEmpty`] when something is there already; then nothing is changed.
    #[boxed]
    pub async fn restore(from: &Path, into: &StoreConfig) -> Result<BackupReport> {
        let bad = |fault: String| Error::BadBackup { path: from.to_owned(), fault };
        if !from.is_file() {
            return Err(bad("there is no such file".to_owned()));
        }
        // Checked as a copy: opening may bring its schema up to date, and a backup is never written to.
        let folder =
            into.file().and_then(Path::parent).filter(|p| !p.as_os_str().is_empty()).map_or_else(std::env::temp_dir, Path::to_owned);
        // In a folder of its own, with the backup that a change of schema makes.
        let aside = folder.join(format!("headroom-restore-{}", uuid::Uuid::now_v7()));
        let copy_of = aside.join("headroom.db");
        let copied = std::fs::create_dir_all(&aside)
            .and_then(|()| std::io::copy(&mut std::fs::File::open(from)?, &mut private(&copy_of)?))
            .and_then(|_| seal::take_off(&copy_of))
            .map_err(|fault| bad(format!("cannot be read: {fault}")));
        let done = match copied {
            Ok(true) => Self::restore_checked(from, &copy_of, into).await,
            Ok(false) => Err(bad("is damaged: its bytes are not those that were written. Take another backup".to_owned())),
            Err(fault) => Err(fault),
        };
        let _ = std::fs::remove_dir_all(&aside);
        done
    }

    async fn restore_checked(from: &Path, copy_of: &Path, into: &StoreConfig) -> Result<BackupReport> {
        let none_of_ours = || Error::BadBackup { path: from.to_owned(), fault: "is no whole Headroom backup".to_owned() };
        if !has_a_schema(copy_of).await {
            return Err(none_of_ours());
        }
        let file = Self::open(&StoreConfig::sqlite(copy_of)).await.map_err(|fault| match fault {
            newer @ Error::NewerSchema { .. } => newer,
            _ => none_of_ours(),
        })?;
        let report = file.checked(from).await;
        let report = match report {
            Ok(report) => report,
            Err(fault) => {
                file.close().await;
                return Err(fault);
            }
        };
        if let Some(target) = into.file() {
            file.close().await;
            if target.exists() {
                refuse_what_is_there(into).await?;
                refuse_what_is_open(target).await?;
            }
            for old in [target.to_owned(), beside(target, "-wal"), beside(target, "-shm")] {
                remove(&old).map_err(|e| Error::BadBackup { path: target.to_owned(), fault: format!("cannot be written: {e}") })?;
            }
            std::fs::rename(copy_of, target)
                .map_err(|e| Error::BadBackup { path: target.to_owned(), fault: format!("cannot be written: {e}") })?;
            return Ok(report);
        }
        refuse_what_is_there(into).await?;
        refuse_who_is_there(into).await?;
        let target = Self::open(into).await?;
        copy(&mut file.read().await?, &target).await?;
        let there = target.checked(from).await;
        target.close().await;
        file.close().await;
        let there = there?;
        if there == report {
            Ok(report)
        } else {
            Err(Error::BadBackup { path: from.to_owned(), fault: "was not taken over whole".to_owned() })
        }
    }

    /// Whether nothing was ever recorded here, by this or an earlier schema, nor a file by another program; its tables in PostgreSQL stay.
    async fn is_empty(&self) -> Result<bool> {
        let (found, _) = self.known_schema().await?;
        let on = &mut self.read().await?;
        let row = match found {
            0 if on.is_postgres() => return Ok(true),
            0 => sql("SELECT COUNT(*) AS n FROM sqlite_master"),
            _ => sql("SELECT (SELECT COUNT(*) FROM audit) + (SELECT COUNT(*) FROM users) + (SELECT COUNT(*) FROM services) AS n"),
        };
        Ok(row.one(on).await?.int("n")? == 0)
    }

    /// Counts what is there, and checks the file's pages and every link of the audit chain.
    async fn checked(&self, path: &Path) -> Result<BackupReport> {
        let bad = |fault: String| Error::BadBackup { path: path.to_owned(), fault };
        let on = &mut self.read().await?;
        if !on.is_postgres() {
            let found =
                sql("SELECT integrity_check FROM pragma_integrity_check LIMIT 1").one(on).await.and_then(|row| row.text("integrity_check"));
            match found {
                Ok(word) if word == "ok" => {}
                Ok(fault) => return Err(bad(format!("is damaged: {fault}"))),
                Err(_) => return Err(bad("is damaged: it cannot be read to its end".to_owned())),
            }
        }
        let mut rows = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            if !has_table(on, table).await? {
                continue;
            }
            let counted = Sql::built(format!("SELECT COUNT(*) AS n FROM {table}"), Vec::new()).one(on).await?;
            rows.push((*table, counted.int("n")?.unsigned_abs()));
        }
        let audit = self.verify_audit(None).await?;
        match audit.fault {
            Some(fault) => Err(bad(format!("holds a broken audit chain, at entry {}: {}", fault.seq, fault.what))),
            None => Ok(BackupReport { rows, head: audit.head }),
        }
    }
}

/// Looks at a database as it is, without bringing its schema up to date.
async fn refuse_what_is_there(into: &StoreConfig) -> Result<()> {
    let there = Store::connect(into).await?;
    let empty = there.is_empty().await;
    there.close().await;
    if empty? { Ok(()) } else { Err(Error::NotEmpty) }
}

/// A process that has the file open would go on with it after another has taken its name.
async fn refuse_what_is_open(file: &Path) -> Result<()> {
    let mut on = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(1)).connect().await?;
    // Only who is alone with a database can end its write-ahead log.
    let mode: std::result::Result<String, _> = sqlx::query_scalar("PRAGMA journal_mode = DELETE").fetch_one(&mut on).await;
    on.close().await?;
    if mode.is_ok_and(|mode| mode == "delete") { Ok(()) } else { Err(Error::InUse) }
}

/// Other Headrooms at a database of PostgreSQL.
async fn refuse_who_is_there(into: &StoreConfig) -> Result<()> {
    let options: PgConnectOptions = into.url.parse()?;
    let mut on = options.application_name("headroom-restore").connect().await?;
    let others = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1";
    // Who has just gone is seen there for a moment.
    for _ in 0..10 {
        let others: i64 = sqlx::query_scalar(others).bind(NAME_THERE).fetch_one(&mut on).await?;
        if others == 0 {
            return Ok(on.close().await?);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(Error::InUse)
}

/// Whether a file is a database that Headroom has set up: opening would make one of an empty file.
async fn has_a_schema(file: &Path) -> bool {
    let Ok(mut on) = SqliteConnectOptions::new().filename(file).read_only(true).connect().await else { return false };
    sqlx::query("SELECT version FROM _sqlx_migrations").fetch_one(&mut on).await.is_ok()
}

/// Lets the statements of a transaction take the time that a whole database takes.
async fn unhurried(on: &mut Connection) -> Result<()> {
    if on.is_postgres() {
        sql("SET LOCAL statement_timeout = 0").run(on).await?;
    }
    Ok(())
}

/// Copies every table, from the one kind of database to the other, in one transaction.
async fn copy(from: &mut Connection, to: &Store) -> Result<()> {
    let mut tx = to.begin().await?;
    unhurried(tx.on()).await?;
    // Where Headroom was started once and never used there is a code of the first sign-in, and the like.
    for table in ["sessions"].iter().chain(TABLES.iter().rev()) {
        if has_table(tx.on(), table).await? {
            Sql::built(format!("DELETE FROM {table}"), Vec::new()).run(tx.on()).await?;
        }
    }
    for table in TABLES {
        if !has_table(from, table).await? {
            continue;
        }
        let columns = if from.is_postgres() { columns(from, table).await? } else { columns(tx.on(), table).await? };
        let names = columns.iter().map(|c| c.0.as_str()).collect::<Vec<_>>().join(", ");
        let at_once = (ARGUMENTS / columns.len().max(1)).max(1);
        let mut values: Vec<Value> = Vec::new();
        let mut count = 0;
        let mut rows = Sql::built(format!("SELECT {names} FROM {table}"), Vec::new()).stream(from)?;
        while let Some(row) = rows.next().await? {
            for (name, kind) in &columns {
                values.push(row.value(name, *kind)?);
            }
            count += 1;
            if count == at_once {
                insert(tx.on(), table, &names, count, std::mem::take(&mut values)).await?;
                count = 0;
            }
        }
        if count > 0 {
            insert(tx.on(), table, &names, count, values).await?;
        }
    }
    if tx.on().is_postgres() {
        for (table, column) in COUNTED {
            let text = format!("SELECT setval(pg_get_serial_sequence('{table}', '{column}'), GREATEST(MAX({column}), 1)) FROM {table}");
            Sql::built(text, Vec::new()).run(tx.on()).await?;
        }
    }
    tx.commit().await
}

async fn insert(on: &mut Connection, table: &str, names: &str, rows: usize, values: Vec<Value>) -> Result<()> {
    let width = values.len() / rows;
    let text = format!("INSERT INTO {table} ({names}) VALUES {}", tuples(rows, width));
    Sql::built(text, values).run(on).await.map(drop)
}

/// The columns of a table of PostgreSQL, which has types, in their order.
async fn columns(on: &mut Connection, table: &str) -> Result<Vec<(String, Kind)>> {
    let rows =
        sql("SELECT CAST(column_name AS TEXT) AS column_name, CAST(data_type AS TEXT) AS data_type FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position")
        .text(table)
        .all(on)
        .await?;
    rows.iter().map(|row| Ok((row.text("column_name")?, Kind::of(&row.text("data_type")?)?))).collect()
}

/// A new, empty file that nobody else may read: what goes into it holds hashes of passwords.
pub(crate) fn private(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The path with something after it, as SQLite names its files.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => Err(fault),
        _ => Ok(()),
    }
}
