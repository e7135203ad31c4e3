//! A database of an older Headroom that is opened by a command and not by its next start: it is read or refused, and left as it is.

use crate::durability::NEWEST;
use crate::postgres;
use crate::upgrade::{on_postgres, shipped, unpacked};
use headroom_store::{Error, Store, StoreConfig};
use std::path::Path;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_schema_is_left_alone_on_sqlite() {
    for (version, file) in shipped(".sqlite.gz") {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("headroom.db");
        std::fs::write(&place, unpacked(&file)).unwrap();
        left_alone(&StoreConfig::sqlite(&place), version, folder.path()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_schema_is_left_alone_on_postgres() {
    for (version, file) in shipped(".postgres.sql.gz") {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig { backups: Some(folder.path().to_owned()), ..StoreConfig::at(on_postgres(&file).await) };
        left_alone(&config, version, folder.path()).await;
    }
}

async fn left_alone(config: &StoreConfig, version: i64, folder: &Path) {
    let refused = Store::open_current(config).await.err();
    assert!(matches!(refused, Some(Error::OlderSchema { found, known }) if (found, known) == (version, NEWEST)), "{refused:?}");
    assert!(refused.unwrap().to_string().contains("run `headroom migrate`"));
    let store = Store::open_as_it_is(config).await.unwrap();
    let audit = store.verify_audit(None).await.unwrap();
    assert!(audit.fault.is_none() && audit.entries > 0);
    let copy = folder.join("copy.db");
    assert_eq!(store.backup(&copy).await.unwrap().head, audit.head);
    assert_eq!(store.schema_version().await.unwrap(), version);
    store.close().await;
    let backup = Store::open_as_it_is(&StoreConfig::sqlite(&copy)).await.unwrap();
    assert_eq!(backup.schema_version().await.unwrap(), version, "a backup has the schema of what it was made from");
    backup.close().await;
    let of_a_change_of_schema = |name: &str| name.starts_with("headroom-schema-");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| of_a_change_of_schema(name)).count(), 0);
    assert!(matches!(Store::restore(&copy, config).await, Err(Error::NotEmpty)));
    let store = Store::open_as_it_is(config).await.unwrap();
    assert_eq!(store.schema_version().await.unwrap(), version, "refused, and left as it is");
    assert_eq!(store.verify_audit(None).await.unwrap().head, audit.head);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_schema_a_command_makes_one_or_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for config in [StoreConfig::sqlite(folder.path().join("headroom.db")), StoreConfig::at(postgres::database().await)] {
        assert!(matches!(Store::open_as_it_is(&config).await.err(), Some(Error::OlderSchema { found: 0, known: NEWEST })));
        let store = Store::open_current(&config).await.unwrap();
        assert_eq!(store.schema_version().await.unwrap(), NEWEST);
        store.close().await;
    }
}
