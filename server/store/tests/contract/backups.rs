//! Backups go back into either back end, whole or not at all.

use crate::fixtures::{CLUSTER, at, event, job, record, stored_change, stored_service, with_services};
use crate::postgres;
use headroom_model::change::Substate;
use headroom_model::metric::Metric;
use headroom_model::time::DAY;
use headroom_store::{AuditHead, Claim, Error, SessionRecord, Store, StoreConfig, Work};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;

/// Something in every corner.
async fn furnished(store: &Store) -> headroom_model::change::Change {
    let (service, _, change) = stored_change(store, "a", Substate::Observing).await;
    let mut tx = store.begin().await.unwrap();
    let wave: Vec<f32> = (0..288).map(|n| n as f32 / 7.0).collect();
    tx.put_columns(CLUSTER, DAY, 300, &[(service.id, Metric::CpuUsage, wave)]).await.unwrap();
    tx.append_frame(CLUSTER, 2 * DAY + 300, 300, &[(service.id, Metric::CpuUsage, 3.5)]).await.unwrap();
    tx.put_job(&job(&service)).await.unwrap();
    tx.put_setting("key", "a 'quoted' value; with ünicode").await.unwrap();
    let payload = serde_json::json!({"n": [1, 2.5, null]});
    tx.enqueue(&Work { kind: "change".into(), subject: "c1".into(), payload, run_at: at(7) }).await.unwrap();
    assert!(tx.remember(&Claim::new("me", "key", "hash", at(3)), 200, &[0, 255, 7]).await.unwrap());
    tx.commit().await.unwrap();
    for n in 0..5 {
        record(store, &event("change.approved", "change", &format!("c{n}"))).await;
    }
    let session = SessionRecord {
        id: "s".into(),
        data: vec![1],
        expires_at: at(1_000),
        user: None,
        created_at: at(0),
        seen_at: at(0),
        address: String::new(),
        agent: String::new(),
    };
    store.create_session(&session).await.unwrap();
    change
}

async fn same(there: &Store, here: &Store, kept: &headroom_model::change::Change) {
    let service = kept.service_id;
    let window = (0, 5 * DAY);
    assert_eq!(
        format!("{:?}", there.history(&[], None, window.0, window.1).await.unwrap()),
        format!("{:?}", here.history(&[], None, window.0, window.1).await.unwrap())
    );
    assert_eq!(there.change(kept.id).await.unwrap().as_ref(), Some(kept));
    assert_eq!(there.held_by(service).await.unwrap(), Some(kept.id));
    assert_eq!(there.service(service).await.unwrap(), here.service(service).await.unwrap());
    assert_eq!(there.setting("key").await.unwrap(), here.setting("key").await.unwrap());
    assert_eq!(there.open_work().await.unwrap(), here.open_work().await.unwrap());
    assert_eq!(there.replayed("me", "key", "hash").await.unwrap(), here.replayed("me", "key", "hash").await.unwrap());
    assert_eq!(there.load_session("s", at(1), at(-1)).await.unwrap(), None, "a backup signs nobody in");
    // It can be worked with: numbers go on where they ended.
    let second = stored_service(there, "later").await;
    let mut tx = there.begin().await.unwrap();
    tx.append_frame(CLUSTER, 2 * DAY + 600, 300, &[(second.id, Metric::CpuUsage, 1.0)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(record(there, &event("change.applied", "change", "c9")).await, 6);
    assert_eq!(there.verify_audit(None).await.unwrap().fault, None);
}

pub async fn a_backup_goes_back_into_either_back_end(store: &Store) {
    let kept = furnished(store).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("night.backup");
    let report = store.backup(&file).await.unwrap();
    assert_eq!(report.rows.iter().find(|r| r.0 == "audit"), Some(&("audit", 5)));
    assert_eq!(report.head.as_ref().map(|h| h.seq), Some(5));
    assert!(matches!(store.backup(&file).await, Err(Error::BadBackup { .. })), "an older backup is not overwritten");
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(names, ["night.backup"], "nothing else is left");

    let places = [StoreConfig::sqlite(folder.path().join("new/headroom.db")), StoreConfig::at(postgres::database().await)];
    for place in places {
        assert_eq!(Store::restore(&file, &place).await.unwrap(), report);
        let there = Store::open(&place).await.unwrap();
        same(&there, store, &kept).await;
        there.close().await;
        assert!(matches!(Store::restore(&file, &place).await, Err(Error::NotEmpty)));
    }
}

pub async fn a_damaged_backup_is_refused_and_changes_nothing(store: &Store) {
    furnished(store).await;
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.backup");
    store.backup(&whole).await.unwrap();
    let bytes = std::fs::read(&whole).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 3] ^= 1;
    let postgres = StoreConfig::at(postgres::database().await);
    for (name, content) in [
        ("one bit flipped", &flipped[..]),
        ("cut short", &bytes[..bytes.len() / 2]),
        ("cut by a page", &bytes[..bytes.len() - 8192]),
        ("cut in its head", &bytes[..60]),
        ("empty", &[][..]),
        ("no database", b"time,service,metric,value\n2026-01-01T00:00:00Z,a,b,1\n".as_slice()),
    ] {
        let file = folder.path().join(format!("{name}.backup"));
        std::fs::write(&file, content).unwrap();
        let target = folder.path().join(name).join("headroom.db");
        for place in [StoreConfig::sqlite(&target), postgres.clone()] {
            let fault = Store::restore(&file, &place).await.unwrap_err();
            assert!(matches!(fault, Error::BadBackup { .. }), "{name}: {fault}");
        }
        assert!(!target.exists(), "{name}");
        assert_eq!(std::fs::read_dir(target.parent().unwrap()).unwrap().count(), 0, "{name}: something is left");
    }
    let fault = Store::restore(&folder.path().join("nowhere"), &postgres).await.unwrap_err();
    assert!(fault.to_string().contains("there is no such file"), "{fault}");
    let empty = Store::open(&postgres).await.unwrap();
    assert_eq!(empty.user_count().await.unwrap(), 0);
    empty.close().await;
}

/// Every committed row is in the backup that begins after it, and each backup is whole: it goes back, and its chain holds. `TRIALS`
/// says how many backups, 5 without.
pub async fn a_backup_is_taken_while_others_write(store: &Store) {
    let trials: u64 = std::env::var("TRIALS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let service = crate::fixtures::service("busy");
    with_services(store, std::slice::from_ref(&service)).await;
    let (say, told) = watch::channel(Told::Write);
    let writers: Vec<_> = (0..WRITERS).map(|who| tokio::spawn(writes(store.clone(), who, told.clone()))).collect();
    let folder = TempDir::new().unwrap();
    for n in 0..trials {
        say.send_replace(Told::Write);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let committed = head(store).await.map_or(0, |h| h.seq);
        let file = folder.path().join("night.backup");
        let report = store.backup(&file).await.unwrap();
        // What a backup holds is decided by now. Writing through the restore and the look at all of it would only make the next larger.
        say.send_replace(Told::Wait);
        let kept = report.head.as_ref().map_or(0, |h| h.seq);
        assert!(kept >= committed, "backup {n}: {committed} were committed, {kept} are kept");
        // Into either, by turns.
        let folder = TempDir::new().unwrap();
        let place = if n % 2 == 1 { StoreConfig::at(postgres::database().await) } else { StoreConfig::sqlite(folder.path().join("it.db")) };
        assert_eq!(Store::restore(&file, &place).await.unwrap(), report, "backup {n}");
        let there = Store::open(&place).await.unwrap();
        let found = there.verify_audit(report.head.as_ref()).await.unwrap();
        assert_eq!((found.fault, found.entries), (None, kept.unsigned_abs()), "backup {n}");
        there.close().await;
        std::fs::remove_file(&file).unwrap();
    }
    say.send_replace(Told::End);
    let mut written = 0;
    for writer in writers {
        written += writer.await.unwrap();
    }
    println!("{trials} backups, {written} rows written meanwhile");
    let last = folder.path().join("last.backup");
    let kept = store.backup(&last).await.unwrap().head;
    assert_eq!((&kept, written), (&head(store).await, kept.as_ref().map_or(0, |h| h.seq)), "nothing is lost when nobody writes");
}

/// Who writes while backups are taken.
const WRITERS: u64 = 4;

/// What the writers are told.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    Write,
    Wait,
    End,
}

/// Writes an entry every few milliseconds, with a setting beside it, as it is told; how many.
async fn writes(store: Store, who: u64, mut told: watch::Receiver<Told>) -> i64 {
    let mut n = 0;
    loop {
        let now = *told.wait_for(|told| *told != Told::Wait).await.unwrap();
        if now == Told::End {
            return n;
        }
        let mut tx = store.begin().await.unwrap();
        tx.record(&event("test.written", "service", &format!("{who}-{n}"))).await.unwrap();
        tx.put_setting(&format!("writer-{who}"), &n.to_string()).await.unwrap();
        tx.commit().await.unwrap();
        n += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn head(store: &Store) -> Option<AuditHead> {
    store.verify_audit(None).await.unwrap().head
}
