//! Every schema that was ever shipped is brought up to date with nothing lost, after a backup that the Headroom before could start from.
//! `schemas/` holds a database of each, as that Headroom left it.

use crate::durability::NEWEST;
use crate::fixtures::{event, record};
use crate::postgres;
use flate2::read::GzDecoder;
use headroom_store::{Store, StoreConfig};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a change of schema may drop: signing in again is no loss.
const DROPPED: &str = "sessions";

pub fn shipped(ending: &str) -> Vec<(i64, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/schemas");
    let mut found: Vec<(i64, PathBuf)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .map(|path| (path.file_name().unwrap().to_string_lossy()[..4].parse().unwrap(), path))
        .collect();
    found.sort();
    let versions: Vec<i64> = found.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (1..NEWEST).collect::<Vec<_>>(), "every schema but the newest has a database here, as its Headroom left it");
    found
}

pub fn unpacked(file: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(File::open(file).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The address of a database with what a dump holds.
pub async fn on_postgres(dump: &Path) -> String {
    let url = postgres::database().await;
    let dump = String::from_utf8(unpacked(dump)).unwrap();
    let statements: String = dump.lines().filter(|line| !line.starts_with('\\')).map(|line| format!("{line}\n")).collect();
    let mut on = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut on).await.unwrap();
    url
}

/// Rows and a checksum by table, over these columns.
type Content = BTreeMap<String, (usize, String)>;
type Columns = BTreeMap<String, Vec<String>>;

fn summed(lines: &[String]) -> (usize, String) {
    (lines.len(), hex::encode(Sha256::digest(lines.join("\n"))))
}

fn by_table(rows: impl Iterator<Item = (String, String)>) -> Columns {
    let mut columns = Columns::new();
    for (table, column) in rows.filter(|(table, _)| table != DROPPED && table != "_sqlx_migrations") {
        columns.entry(table).or_default().push(column);
    }
    columns
}

async fn sqlite_columns(on: &mut SqliteConnection) -> Columns {
    let rows = sqlx::query(
        "SELECT t.name AS t, c.name AS c FROM sqlite_master t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
    );
    by_table(rows.fetch_all(on).await.unwrap().iter().map(|row| (row.get("t"), row.get("c"))))
}

async fn sqlite_content(on: &mut SqliteConnection, columns: &Columns) -> Content {
    let mut content = Content::new();
    for (table, columns) in columns {
        let all: Vec<String> = columns.iter().map(|c| format!("quote({c})")).collect();
        let text = format!("SELECT {} AS line FROM {table} ORDER BY line", all.join(" || ',' || "));
        let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(&mut *on).await.unwrap();
        content.insert(table.clone(), summed(&rows.iter().map(|row| row.get("line")).collect::<Vec<String>>()));
    }
    content
}

async fn postgres_columns(on: &mut PgConnection) -> Columns {
    let rows = sqlx::query(
        "SELECT table_name::text AS t, column_name::text AS c FROM information_schema.columns WHERE table_schema = 'public' \
         ORDER BY table_name, ordinal_position",
    );
    by_table(rows.fetch_all(on).await.unwrap().iter().map(|row| (row.get("t"), row.get("c"))))
}

async fn postgres_content(on: &mut PgConnection, columns: &Columns) -> Content {
    let mut content = Content::new();
    for (table, columns) in columns {
        let text = format!("SELECT ROW({})::text AS line FROM public.{table} ORDER BY line", columns.join(", "));
        let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(&mut *on).await.unwrap();
        content.insert(table.clone(), summed(&rows.iter().map(|row| row.get("line")).collect::<Vec<String>>()));
    }
    content
}

/// The one backup in a folder, and the version of its schema.
async fn backup_in(folder: &Path) -> (PathBuf, i64) {
    let files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .filter(|f| f.file_name().unwrap().to_string_lossy().starts_with("headroom-schema-"))
        .filter(|f| f.extension().is_some_and(|e| e == "db"))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let mut on = SqliteConnection::connect(&format!("sqlite:{}?mode=ro", files[0].display())).await.unwrap();
    let version = sqlx::query("SELECT MAX(version) AS v FROM _sqlx_migrations").fetch_one(&mut on).await.unwrap().get("v");
    (files[0].clone(), version)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shipped_schema_is_upgraded_on_sqlite() {
    for (version, file) in shipped(".sqlite.gz") {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("headroom.db");
        std::fs::write(&place, unpacked(&file)).unwrap();
        let connect = async || SqliteConnection::connect(&format!("sqlite:{}", place.display())).await.unwrap();
        let mut on = connect().await;
        let columns = sqlite_columns(&mut on).await;
        let before = sqlite_content(&mut on, &columns).await;
        on.close().await.unwrap();
        assert!(before["audit"].0 > 0 && before["changes"].0 > 0 && before["sample_chunks"].0 > 0, "{before:?}");

        let store = Store::open(&StoreConfig::sqlite(&place)).await.unwrap();
        assert!(store.schema_version().await.unwrap() > version);
        assert_eq!(store.verify_audit(None).await.unwrap().fault, None);
        assert!(store.user_rows().await.unwrap().iter().all(|u| u.teams.names().is_none()));
        store.close().await;
        assert_eq!(sqlite_content(&mut connect().await, &columns).await, before);

        let (backup, of) = backup_in(folder.path()).await;
        assert_eq!(of, version, "the Headroom before has to be able to start from it");
        let mut on = SqliteConnection::connect(&format!("sqlite:{}", backup.display())).await.unwrap();
        assert_eq!(sqlite_content(&mut on, &columns).await, before);
        // The next start has nothing to change, and so nothing to back up. The chain goes on where it ended.
        let store = Store::open(&StoreConfig::sqlite(&place)).await.unwrap();
        let old = store.verify_audit(None).await.unwrap();
        record(&store, &event("job.queued", "job", "j")).await;
        let new = store.verify_audit(old.head.as_ref()).await.unwrap();
        assert_eq!((new.fault, new.entries, new.unplaced), (None, old.entries + 1, old.unplaced));
        assert!(old.unplaced > 0 || version > 4, "of an earlier Headroom's entries, the team was not hashed");
        store.close().await;
        backup_in(folder.path()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shipped_schema_is_upgraded_on_postgres() {
    for (version, file) in shipped(".postgres.sql.gz") {
        let folder = tempfile::tempdir().unwrap();
        let url = on_postgres(&file).await;
        let mut on = PgConnection::connect(&url).await.unwrap();
        let columns = postgres_columns(&mut on).await;
        let before = postgres_content(&mut on, &columns).await;
        assert!(before["audit"].0 > 0 && before["changes"].0 > 0 && before["sample_chunks"].0 > 0, "{before:?}");

        let config = StoreConfig { backups: Some(folder.path().to_owned()), ..StoreConfig::at(&url) };
        let store = Store::open(&config).await.unwrap();
        assert!(store.schema_version().await.unwrap() > version);
        let head = store.verify_audit(None).await.unwrap();
        assert_eq!(head.fault, None);
        store.close().await;
        assert_eq!(postgres_content(&mut on, &columns).await, before);

        let (backup, of) = backup_in(folder.path()).await;
        assert_eq!(of, version);
        let into = StoreConfig::sqlite(folder.path().join("restored.db"));
        let report = Store::restore(&backup, &into).await.unwrap();
        assert_eq!(report.head, head.head, "what was backed up can be put back");
    }
}
