//! Whoever has the database in hand can change it, but not unseen: random edits of the audit chain, each detected, on either database.
//! `TRIALS` says how many, 200 without; `SEED` repeats one.

use crate::fixtures::{event, record, stored_service};
use headroom_model::event::Event;
use headroom_store::{AuditHead, Store, StoreConfig};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};
use std::ops::Range;

const ENTRIES: i64 = 40;

/// A small generator: a trial is its seed.
struct Dice(u64);

impl Dice {
    fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % sides.unsigned_abs()) as i64
    }
}

/// A column of the chain, as the database describes it: one that is added is edited here, too.
struct Column {
    name: String,
    kind: String,
    nullable: bool,
}

impl Column {
    /// An edit that changes whatever the column holds.
    fn edit(&self, seq: i64, by: i64, remove: bool) -> String {
        let Self { name, kind, nullable } = self;
        let other = match kind.to_lowercase().as_str() {
            "integer" | "bigint" => format!("{name} + {by}"),
            "timestamp with time zone" => format!("{name} + {by} * interval '1 microsecond'"),
            _ if *nullable && remove => format!("CASE WHEN {name} IS NULL THEN 'x{by}' END"),
            _ => format!("COALESCE({name}, '') || 'x{by}'"),
        };
        format!("UPDATE audit SET {name} = {other} WHERE seq = {seq}")
    }
}

/// One way of changing the past.
fn tampering(dice: &mut Dice, columns: &[Column]) -> String {
    let seq = 1 + dice.roll(ENTRIES);
    let other = 1 + (seq + dice.roll(ENTRIES - 1)) % ENTRIES;
    match dice.roll(7) {
        0 => format!("UPDATE audit SET body = replace(body, 'approver', 'somebody{}') WHERE seq = {seq}", dice.roll(1000)),
        1 => format!("DELETE FROM audit WHERE seq = {seq}"),
        2 if seq != other => format!(
            "UPDATE audit SET seq = -1 WHERE seq = {seq}; UPDATE audit SET seq = {seq} WHERE seq = {other}; \
             UPDATE audit SET seq = {other} WHERE seq = -1"
        ),
        3 => format!("DELETE FROM audit WHERE seq >= {seq}"),
        4 => format!("UPDATE audit SET hash = '{:064x}' WHERE seq = {seq}", dice.roll(1_000_000)),
        _ => {
            let column = &columns[dice.roll(columns.len() as i64) as usize];
            column.edit(seq, ENTRIES + dice.roll(1_000_000), dice.roll(2) == 0)
        }
    }
}

fn seeds() -> Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRIALS").unwrap_or(200),
    }
}

/// A chain of which every other entry is about a service; its end.
async fn written(store: &Store) -> AuditHead {
    let service = stored_service(store, "a").await.id.to_string();
    for n in 0..ENTRIES {
        let service_id = (n % 2 == 0).then(|| service.clone());
        record(store, &Event { service_id, ..event("change.approved", "change", &format!("c{n}")) }).await;
    }
    let report = store.verify_audit(None).await.unwrap();
    assert_eq!((report.fault, report.unplaced), (None, 0));
    report.head.unwrap()
}

/// Every column of every kind of entry, each way.
fn each_edit(columns: &[Column]) -> Vec<String> {
    assert!(columns.len() >= 14 && columns.iter().any(|c| c.name == "team"), "the columns are not found");
    columns.iter().flat_map(|c| [(3, false), (3, true), (4, false), (4, true)].map(|(seq, remove)| c.edit(seq, 1000, remove))).collect()
}

/// The trials: every edit of a column, then what the dice say.
fn trials(columns: &[Column]) -> Vec<String> {
    let single = std::env::var("SEED").is_ok();
    let first = if single { Vec::new() } else { each_edit(columns) };
    first.into_iter().chain(seeds().map(|seed| format!("/* SEED={seed} */ {}", tampering(&mut Dice::of(seed), columns)))).collect()
}

#[tokio::test]
async fn every_tampering_is_detected() {
    let (folder, store) = crate::sqlite().await;
    let head = written(&store).await;
    store.close().await;
    let whole = folder.path().join("headroom.db");
    let connect = async |file: &std::path::Path| SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let rows = sqlx::query("SELECT name, type, \"notnull\" FROM pragma_table_info('audit')").fetch_all(&mut connect(&whole).await).await;
    let columns: Vec<Column> =
        rows.unwrap().iter().map(|row| Column { name: row.get(0), kind: row.get(1), nullable: row.get::<i64, _>(2) == 0 }).collect();
    for statement in trials(&columns) {
        let file = folder.path().join("tampered.db");
        for leftover in ["tampered.db", "tampered.db-wal", "tampered.db-shm"] {
            let _ = std::fs::remove_file(folder.path().join(leftover));
        }
        std::fs::copy(&whole, &file).unwrap();
        let mut on = connect(&file).await;
        let text = format!("DROP TRIGGER audit_is_never_edited; DROP TRIGGER audit_is_never_shortened; {statement}");
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut on).await.unwrap();
        on.close().await.unwrap();
        let store = Store::open(&StoreConfig::sqlite(&file)).await.unwrap();
        let report = store.verify_audit(Some(&head)).await.unwrap();
        store.close().await;
        assert!(report.fault.is_some(), "not detected: {statement}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tampering_is_detected_on_postgres() {
    let url = crate::postgres::database().await;
    let store = Store::open(&StoreConfig::at(&url)).await.unwrap();
    let head = written(&store).await;
    let mut on = PgConnection::connect(&url).await.unwrap();
    let rows = sqlx::query(
        "SELECT column_name::text, data_type::text, is_nullable = 'YES' FROM information_schema.columns WHERE table_name = 'audit'",
    );
    let rows = rows.fetch_all(&mut on).await.unwrap();
    let columns: Vec<Column> = rows.iter().map(|row| Column { name: row.get(0), kind: row.get(1), nullable: row.get(2) }).collect();
    sqlx::raw_sql("ALTER TABLE audit DISABLE TRIGGER ALL; CREATE TABLE kept AS SELECT * FROM audit").execute(&mut on).await.unwrap();
    for statement in trials(&columns) {
        let text = format!("TRUNCATE audit; INSERT INTO audit SELECT * FROM kept; {statement}");
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut on).await.unwrap();
        let report = store.verify_audit(Some(&head)).await.unwrap();
        assert!(report.fault.is_some(), "not detected: {statement}");
    }
    store.close().await;
}

/// An entry of the form that does not hash its team, put after one that does: its hash holds, and yet it is refused.
#[tokio::test]
async fn the_chain_does_not_go_back_to_its_first_form() {
    let (folder, store) = crate::sqlite().await;
    let head = written(&store).await;
    let body = serde_json::to_string(&event("change.approved", "change", "c")).unwrap();
    let hash = hex::encode(Sha256::new().chain_update(&head.hash).chain_update(&body).finalize());
    let mut on = SqliteConnection::connect(&format!("sqlite:{}", folder.path().join("headroom.db").display())).await.unwrap();
    sqlx::query(
        "INSERT INTO audit SELECT seq + 1, hash, $1, name, actor, subject_kind, 'c', NULL, NULL, NULL, reason, wall_at, cluster_at, $2 \
         FROM audit WHERE seq = $3",
    )
    .bind(&hash)
    .bind(&body)
    .bind(head.seq)
    .execute(&mut on)
    .await
    .unwrap();
    let fault = store.verify_audit(None).await.unwrap().fault.unwrap();
    assert_eq!((fault.seq, fault.what.contains("older form")), (head.seq + 1, true), "{fault:?}");
}
