//! What each database itself promises: tampering shows, a killed process loses nothing that was committed, a newer schema is refused.

use crate::fixtures::{event, record, service, with_services};
use crate::postgres;
use headroom_model::policy::{PolicyPatch, Scope};
use headroom_model::time::Timestamp;
use headroom_store::{Error, Store, StoreConfig};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};
use std::path::Path;
use std::time::{Duration, Instant};

/// The newest version of the schema.
pub const NEWEST: i64 = 6;

/// A connection that goes round the store, as someone with the file in hand has one.
async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

async fn run(on: &mut SqliteConnection, statement: &str) -> Result<u64, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(on).await.map(|done| done.rows_affected())
}

#[tokio::test]
async fn the_audit_chain_refuses_edits_and_betrays_those_that_get_round() {
    let tampering = [
        ("UPDATE audit SET body = replace(body, 'approver', 'somebody') WHERE seq = 2", 2),
        ("UPDATE audit SET actor = 'somebody' WHERE seq = 2", 2),
        ("UPDATE audit SET wall_at = wall_at + 1 WHERE seq = 3", 3),
        ("UPDATE audit SET reason = NULL WHERE seq = 3", 3),
        ("UPDATE audit SET hash = prev_hash WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq = 3", 4),
        ("DELETE FROM audit WHERE seq = 1", 2),
        ("UPDATE audit SET seq = -3 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = -3", 2),
        (
            "INSERT INTO audit SELECT 6, hash, hash, name, actor, subject_kind, subject, service_id, cluster, team, reason, wall_at, \
          cluster_at, body FROM audit WHERE seq = 5",
            6,
        ),
    ];
    for (statement, seq) in tampering {
        let (folder, store) = crate::sqlite().await;
        for n in 0..5 {
            record(&store, &event("change.approved", "change", &format!("c{n}"))).await;
        }
        let head = store.verify_audit(None).await.unwrap().head.unwrap();
        let mut file = raw(&folder.path().join("headroom.db")).await;
        if !statement.starts_with("INSERT") {
            let refused = run(&mut file, statement).await.unwrap_err().to_string();
            assert!(refused.contains("append-only"), "{statement}: {refused}");
            run(&mut file, "DROP TRIGGER audit_is_never_edited; DROP TRIGGER audit_is_never_shortened").await.unwrap();
        }
        run(&mut file, statement).await.unwrap();
        let report = store.verify_audit(None).await.unwrap();
        assert_eq!(report.fault.as_ref().map(|f| f.seq), Some(seq), "{statement}: {report:?}");

        run(&mut file, "DELETE FROM audit").await.ok();
        run(&mut file, "DROP TRIGGER IF EXISTS audit_is_never_shortened; DELETE FROM audit").await.unwrap();
        assert_eq!(store.verify_audit(None).await.unwrap().fault, None, "an empty chain is whole");
        assert_eq!(store.verify_audit(Some(&head)).await.unwrap().fault.unwrap().seq, 5, "but not the one that was exported");
        file.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (folder, store) = crate::sqlite().await;
    assert_eq!(store.schema_version().await.unwrap(), NEWEST);
    store.ping().await.unwrap();
    store.close().await;
    let path = folder.path().join("headroom.db");
    let mut file = raw(&path).await;
    run(
        &mut file,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', TRUE, x'00', 0)",
    )
    .await
    .unwrap();
    file.close().await.unwrap();
    let fault = Store::open(&StoreConfig::sqlite(&path)).await.unwrap_err();
    assert!(matches!(fault, Error::NewerSchema { found: 99, known: NEWEST }), "{fault}");
    assert!(fault.to_string().contains("newer Headroom"), "{fault}");
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_named() {
    let config = StoreConfig { readers: 1, ..StoreConfig::at("/nowhere/at/all/headroom.db") };
    let fault = Store::open(&config).await.unwrap_err();
    assert!(matches!(&fault, Error::Open { url, .. } if url.contains("/nowhere/at/all")), "{fault}");
    let config = StoreConfig { readers: 1, ..StoreConfig::at("mysql://host/x") };
    assert!(matches!(Store::open(&config).await, Err(Error::BadAddress(_))));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "this is no database, but it is long enough to be taken for one at first sight".repeat(20)).unwrap();
    assert!(Store::open(&StoreConfig::sqlite(&path)).await.is_err());
}

/// The files as a killed process leaves them: the database with its write-ahead log, nothing checkpointed, one transaction open.
#[tokio::test]
async fn what_was_committed_survives_a_kill_and_what_was_not_does_not() {
    let (folder, store) = crate::sqlite().await;
    with_services(&store, &[service("kept")]).await;
    record(&store, &event("one", "job", "j")).await;
    let mut open = store.begin().await.unwrap();
    open.record(&event("never committed", "job", "j")).await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    for name in ["headroom.db", "headroom.db-wal"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    assert!(std::fs::metadata(copy.path().join("headroom.db-wal")).unwrap().len() > 0);
    let reopened = Store::open(&StoreConfig::sqlite(copy.path().join("headroom.db"))).await.unwrap();
    assert_eq!(reopened.all_services().await.unwrap()[0].key.name, "kept");
    let report = reopened.verify_audit(None).await.unwrap();
    assert_eq!((report.entries, report.fault), (1, None));
    assert_eq!(record(&reopened, &event("two", "job", "j")).await, 2);
}

#[tokio::test]
async fn another_process_sees_what_was_committed_and_writes_beside() {
    let (folder, store) = crate::sqlite().await;
    let other = Store::open(&StoreConfig::sqlite(folder.path().join("headroom.db"))).await.unwrap();
    let service = service("a");
    with_services(&other, std::slice::from_ref(&service)).await;
    let writers = [store.clone(), other.clone()].map(|store| {
        tokio::spawn(async move {
            for n in 0..50 {
                record(&store, &event("written", "job", &n.to_string())).await;
            }
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(store.verify_audit(None).await.unwrap().entries, 100);
    let mut tx = other.begin().await.unwrap();
    tx.append_frame(&service.key.cluster, 0, 60, &[(service.id, headroom_model::metric::Metric::CpuUsage, 1.0)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.history(&[service.id], None, 0, 60).await.unwrap().len(), 1, "a series that another process made is found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_refuses_edits_of_the_chain_too_and_betrays_those_that_get_round() {
    let url = crate::postgres::database().await;
    let store = Store::open(&StoreConfig::at(&url)).await.unwrap();
    for n in 0..5 {
        record(&store, &event("change.approved", "change", &format!("c{n}"))).await;
    }
    let mut on = sqlx::PgConnection::connect(&url).await.unwrap();
    for statement in ["UPDATE audit SET actor = 'somebody' WHERE seq = 2", "DELETE FROM audit WHERE seq = 3", "TRUNCATE audit"] {
        let refused = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut on).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(store.verify_audit(None).await.unwrap().fault, None);
    sqlx::raw_sql("ALTER TABLE audit DISABLE TRIGGER ALL; UPDATE audit SET actor = 'somebody' WHERE seq = 2")
        .execute(&mut on)
        .await
        .unwrap();
    assert_eq!(store.verify_audit(None).await.unwrap().fault.map(|f| f.seq), Some(2));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_with_a_newer_schema_is_refused() {
    let url = crate::postgres::database().await;
    Store::open(&StoreConfig::at(&url)).await.unwrap().close().await;
    let mut on = sqlx::PgConnection::connect(&url).await.unwrap();
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', TRUE, '', 0)";
    sqlx::raw_sql(later).execute(&mut on).await.unwrap();
    let fault = Store::open(&StoreConfig::at(&url)).await.unwrap_err();
    assert!(matches!(fault, Error::NewerSchema { found: 99, known: NEWEST }), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_ended_on_postgres() {
    let url = postgres::database().await;
    let config = StoreConfig { statement: Duration::from_millis(300), ..StoreConfig::at(&url) };
    let store = Store::open(&config).await.unwrap();
    let mut other = PgConnection::connect(&url).await.unwrap();
    let mut held = other.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE policies").execute(&mut *held).await.unwrap();
    let began = Instant::now();
    let read = store.policies().await.unwrap_err();
    let mut tx = store.begin().await.unwrap();
    tx.put_setting("half", "done").await.unwrap();
    let written = tx.put_policy(&Scope::Fleet, &PolicyPatch::default(), "ann", Timestamp::default()).await.unwrap_err();
    drop(tx);
    for error in [read, written] {
        assert!(matches!(error, Error::TooSlow), "{error:?}");
        assert!(error.to_string().contains("took too long over a statement"), "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    held.rollback().await.unwrap();
    assert_eq!((store.policies().await.unwrap().len(), store.setting("half").await.unwrap()), (0, None), "it goes on, and kept nothing");
    store.close().await;
}

/// A full disk makes SQLite take a transaction back by itself; so does this trigger.
#[tokio::test]
async fn what_the_database_takes_back_by_itself_does_not_stop_the_writer() {
    let (folder, store) = crate::sqlite().await;
    let mut file = raw(&folder.path().join("headroom.db")).await;
    run(&mut file, "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ROLLBACK, 'no room'); END").await.unwrap();
    for _ in 0..3 {
        let mut tx = store.begin().await.unwrap();
        let fault = tx.record(&event("one", "job", "j")).await.unwrap_err();
        assert!(matches!(fault, Error::Database(_)), "{fault}");
    }
    run(&mut file, "DROP TRIGGER full").await.unwrap();
    assert_eq!(record(&store, &event("one", "job", "j")).await, 1);
    file.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_its_connections_is_away_for_a_moment() {
    let url = postgres::database().await;
    let store = Store::open(&StoreConfig::at(&url)).await.unwrap();
    let mut other = PgConnection::connect(&url).await.unwrap();
    let end =
        "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut tx = store.begin().await.unwrap();
    tx.record(&event("lost", "job", "j")).await.unwrap();
    sqlx::query(end).execute(&mut other).await.unwrap();
    let fault = tx.commit().await.unwrap_err();
    assert!(matches!(fault, Error::Unsure(_)) && fault.to_string().contains("Look before you ask again"), "{fault}");
    // Others may meet a connection of the same server that is just ending, and no more than one each.
    for _ in 0..8 {
        if let Err(fault) = store.ping().await {
            assert!(matches!(fault, Error::Away(_)), "{fault}");
        }
    }
    store.ping().await.unwrap();
    assert_eq!(record(&store, &event("one", "job", "j")).await, 1);
    store.close().await;
}
