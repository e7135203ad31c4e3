//! Whoever has the database in hand can change it, but not unseen: random edits of the audit chain, each detected.
//! `TRIALS` says how many, 200 without; `SEED` repeats one.

use crate::fixtures::{event, record};
use headroom_store::{Store, StoreConfig};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

const ENTRIES: i64 = 40;

/// A small generator: a trial is its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % sides.unsigned_abs()) as i64
    }
}

/// One way of changing the past.
fn tampering(dice: &mut Dice) -> String {
    let seq = 1 + dice.roll(ENTRIES);
    let other = 1 + (seq + dice.roll(ENTRIES - 1)) % ENTRIES;
    match dice.roll(7) {
        0 => format!("UPDATE audit SET body = replace(body, 'approver', 'somebody{}') WHERE seq = {seq}", dice.roll(1000)),
        1 => format!("UPDATE audit SET actor = 'somebody{}' WHERE seq = {seq}", dice.roll(1000)),
        2 => format!("UPDATE audit SET wall_at = wall_at + {} WHERE seq = {seq}", 1 + dice.roll(1_000_000)),
        3 => format!("DELETE FROM audit WHERE seq = {seq}"),
        4 if seq != other => format!(
            "UPDATE audit SET seq = -1 WHERE seq = {seq}; UPDATE audit SET seq = {seq} WHERE seq = {other}; \
             UPDATE audit SET seq = {other} WHERE seq = -1"
        ),
        5 => format!("DELETE FROM audit WHERE seq >= {seq}"),
        _ => format!("UPDATE audit SET hash = lower(hex(randomblob(32))) WHERE seq = {seq}"),
    }
}

#[tokio::test]
async fn every_tampering_is_detected() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let (folder, store) = crate::sqlite().await;
    for n in 0..ENTRIES {
        record(&store, &event("change.approved", "change", &format!("c{n}"))).await;
    }
    let head = store.verify_audit(None).await.unwrap().head.unwrap();
    store.close().await;
    let whole = folder.path().join("headroom.db");
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRIALS").unwrap_or(200),
    };
    for seed in seeds {
        let file = folder.path().join("tampered.db");
        for leftover in ["tampered.db", "tampered.db-wal", "tampered.db-shm"] {
            let _ = std::fs::remove_file(folder.path().join(leftover));
        }
        std::fs::copy(&whole, &file).unwrap();
        let statement = tampering(&mut Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let mut on = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
        let text = format!("DROP TRIGGER audit_is_never_edited; DROP TRIGGER audit_is_never_shortened; {statement}");
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut on).await.unwrap();
        on.close().await.unwrap();
        let store = Store::open(&StoreConfig::sqlite(&file)).await.unwrap();
        let report = store.verify_audit(Some(&head)).await.unwrap();
        store.close().await;
        assert!(report.fault.is_some(), "not detected: {statement}; repeat it with SEED={seed}");
    }
}
