//! Where a backup is put back: not over what another program keeps, not under a Headroom that runs, and whole whatever lies there.

use crate::fixtures::{at, event, record};
use crate::postgres;
use headroom_store::{Error, OneTimeCode, Store, StoreConfig};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::path::PathBuf;
use tempfile::TempDir;

/// A backup with one entry in its audit.
async fn backup() -> (TempDir, PathBuf) {
    let (folder, store) = crate::sqlite().await;
    record(&store, &event("one", "job", "j")).await;
    let file = folder.path().join("night.backup");
    store.backup(&file).await.unwrap();
    store.close().await;
    (folder, file)
}

async fn entries(place: &StoreConfig) -> u64 {
    let store = Store::open(place).await.unwrap();
    let report = store.verify_audit(None).await.unwrap();
    assert_eq!(report.fault, None);
    store.close().await;
    report.entries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_does_not_go_over_what_another_program_keeps() {
    let (folder, backup) = backup().await;
    let theirs = folder.path().join("theirs.db");
    let options = SqliteConnectOptions::new().filename(&theirs).create_if_missing(true);
    let mut on = options.connect().await.unwrap();
    sqlx::raw_sql("CREATE TABLE songs (name TEXT); INSERT INTO songs VALUES ('a')").execute(&mut on).await.unwrap();
    on.close().await.unwrap();
    assert!(matches!(Store::restore(&backup, &StoreConfig::sqlite(&theirs)).await, Err(Error::NotEmpty)));
    let mut on = options.connect().await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, String>("SELECT name FROM songs").fetch_one(&mut on).await.unwrap(), "a");
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.contains("restore") || name.contains("schema"));
    assert!(names.is_empty(), "{names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_does_not_go_under_a_headroom_that_runs() {
    let (folder, backup) = backup().await;
    let places = [StoreConfig::sqlite(folder.path().join("run.db")), StoreConfig::at(postgres::database().await)];
    for place in places {
        let running = Store::open(&place).await.unwrap();
        let refused = Store::restore(&backup, &place).await.unwrap_err();
        assert!(matches!(refused, Error::InUse) && refused.to_string().contains("stop it first"), "{refused}");
        record(&running, &event("two", "job", "j")).await;
        running.close().await;
        assert_eq!(entries(&place).await, 1);
    }
}

/// A start makes the code of the first sign-in; nobody has signed in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_goes_where_headroom_was_started_and_never_used() {
    let (folder, backup) = backup().await;
    let places = [StoreConfig::sqlite(folder.path().join("once.db")), StoreConfig::at(postgres::database().await)];
    for place in places {
        let once = Store::open(&place).await.unwrap();
        let mut tx = once.begin().await.unwrap();
        let code = OneTimeCode { hash: "hash".into(), user_id: None, purpose: "first-run".into(), expires_at: at(0) };
        tx.put_code(&code).await.unwrap();
        tx.commit().await.unwrap();
        once.close().await;
        let report = Store::restore(&backup, &place).await.unwrap();
        assert_eq!(report.rows.iter().find(|r| r.0 == "one_time_codes"), Some(&("one_time_codes", 0)));
        assert_eq!(entries(&place).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_database_that_was_removed_goes_with_it() {
    let (folder, backup) = backup().await;
    let (file, neighbour) = (folder.path().join("prod.sqlite"), folder.path().join("prod.db-wal"));
    std::fs::write(&neighbour, "another's").unwrap();
    let gone = Store::open(&StoreConfig::sqlite(&file)).await.unwrap();
    for _ in 0..50 {
        record(&gone, &event("old", "job", "j")).await;
    }
    // As a killed process and a hasty hand leave it: the log without its database.
    let log = folder.path().join("prod.sqlite-wal");
    let kept = std::fs::read(&log).unwrap();
    gone.close().await;
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&log, kept).unwrap();
    Store::restore(&backup, &StoreConfig::sqlite(&file)).await.unwrap();
    assert_eq!(entries(&StoreConfig::sqlite(&file)).await, 1);
    assert_eq!(std::fs::read_to_string(&neighbour).unwrap(), "another's");
}
