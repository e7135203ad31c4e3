//! Both back ends have the same tables: columns, types, keys and references.

use crate::postgres;
use headroom_store::{Store, StoreConfig};
use sqlx::{Connection, PgConnection, Row, SqliteConnection};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_back_ends_have_the_same_columns_types_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("headroom.db");
    Store::open(&StoreConfig::sqlite(&file)).await.unwrap().close().await;
    let url = postgres::database().await;
    Store::open(&StoreConfig::at(&url)).await.unwrap().close().await;

    let (in_sqlite, in_postgres) = (facts_of_sqlite(&file).await, facts_of_postgres(&url).await);
    for fact in [
        "optimization_recommendations.applied BOOLEAN not null",
        "changes.applied_at INTEGER",
        "service_days primary (service_id, day)",
        "changes unique (service_id) where",
        "services unique (cluster, namespace, kind, name)",
        "changes.service_id -> services.id",
    ] {
        assert!(in_sqlite.contains(fact), "{fact}: {in_sqlite:#?}");
    }
    // The library that migrates makes a table of its own.
    let ours = |fact: &&String| !fact.starts_with("_sqlx_migrations");
    let differences: Vec<&String> = in_sqlite.symmetric_difference(&in_postgres).filter(ours).collect();
    assert!(differences.is_empty(), "in one of the two only: {differences:#?}");
}

/// Columns with type and whether they may be empty, keys, and references, one line each.
async fn facts_of_sqlite(file: &Path) -> BTreeSet<String> {
    let mut on = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let mut facts = BTreeSet::new();
    for text in [
        // A primary key may hold NULL there by an old mistake; nothing writes one.
        "SELECT t.name || '.' || c.name || ' ' || c.type || IIF(c.\"notnull\" OR c.pk > 0, ' not null', '') AS fact \
         FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
        "SELECT t.name || ' primary (' || group_concat(c.name, ', ' ORDER BY c.pk) || ')' AS fact \
         FROM sqlite_master t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND c.pk > 0 GROUP BY t.name",
        "SELECT t.name || ' unique (' || group_concat(k.name, ', ' ORDER BY k.seqno) || ')' || IIF(l.partial, ' where', '') AS fact \
         FROM sqlite_master t JOIN pragma_index_list(t.name) l JOIN pragma_index_info(l.name) k \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND l.\"unique\" AND l.origin <> 'pk' GROUP BY t.name, l.name",
        "SELECT t.name || '.' || f.\"from\" || ' -> ' || f.\"table\" || '.' || f.\"to\" AS fact \
         FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f WHERE t.type = 'table'",
    ] {
        facts.extend(sqlx::query(text).fetch_all(&mut on).await.unwrap().iter().map(|row| row.get::<String, _>("fact")));
    }
    facts
}

/// The same of PostgreSQL, with the types of SQLite that stand for its own.
async fn facts_of_postgres(url: &str) -> BTreeSet<String> {
    let mut on = PgConnection::connect(url).await.unwrap();
    let mut facts = BTreeSet::new();
    let columns = "SELECT table_name || '.' || column_name AS place, data_type::text AS kind, is_nullable = 'NO' AS needed \
                   FROM information_schema.columns WHERE table_schema = 'public'";
    for row in sqlx::query(columns).fetch_all(&mut on).await.unwrap() {
        let (place, kind, needed): (String, String, bool) = (row.get("place"), row.get("kind"), row.get("needed"));
        let (_, stands) = KINDS.iter().find(|(own, _)| *own == kind).unwrap_or_else(|| panic!("{place} is a {kind}"));
        facts.insert(format!("{place} {stands}{}", if needed { " not null" } else { "" }));
    }
    for text in [
        "SELECT c.relname || CASE WHEN i.indisprimary THEN ' primary (' ELSE ' unique (' END || string_agg(a.attname::text, ', ' ORDER BY k.n) \
         || ')' || CASE WHEN i.indpred IS NULL THEN '' ELSE ' where' END AS fact \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, n) \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
         WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace GROUP BY c.relname, i.indexrelid, i.indisprimary, i.indpred IS NULL",
        "SELECT c.relname || '.' || a.attname || ' -> ' || r.relname || '.' || b.attname AS fact \
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey) \
         JOIN pg_attribute b ON b.attrelid = r.oid AND b.attnum = ANY (k.confkey) \
         WHERE k.contype = 'f' AND c.relnamespace = 'public'::regnamespace",
    ] {
        facts.extend(sqlx::query(text).fetch_all(&mut on).await.unwrap().iter().map(|row| row.get::<String, _>("fact")));
    }
    facts
}

/// Types of PostgreSQL, and the type of SQLite that stands for each.
const KINDS: [(&str, &str); 10] = [
    ("uuid", "TEXT"),
    ("text", "TEXT"),
    ("character varying", "TEXT"),
    ("jsonb", "TEXT"),
    ("bigint", "INTEGER"),
    ("integer", "INTEGER"),
    ("timestamp with time zone", "INTEGER"),
    ("double precision", "REAL"),
    ("boolean", "BOOLEAN"),
    ("bytea", "BLOB"),
];

/// What other programs read: the columns of the two tables that are promised, with their types.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_promised_columns_have_native_types() {
    let url = postgres::database().await;
    Store::open(&StoreConfig::at(&url)).await.unwrap().close().await;
    let mut on = PgConnection::connect(&url).await.unwrap();
    for (table, column, kind, length) in [
        ("optimization_jobs", "id", "uuid", None),
        ("optimization_jobs", "job_id", "character varying", Some(100)),
        ("optimization_jobs", "service_name", "character varying", Some(100)),
        ("optimization_jobs", "optimization_type", "character varying", Some(50)),
        ("optimization_jobs", "status", "character varying", Some(32)),
        ("optimization_jobs", "analysis_period", "text", None),
        ("optimization_jobs", "created_at", "timestamp with time zone", None),
        ("optimization_jobs", "completed_at", "timestamp with time zone", None),
        ("optimization_recommendations", "id", "uuid", None),
        ("optimization_recommendations", "recommendation_id", "character varying", Some(100)),
        ("optimization_recommendations", "job_id", "character varying", Some(100)),
        ("optimization_recommendations", "service_name", "character varying", Some(100)),
        ("optimization_recommendations", "optimization_type", "character varying", Some(50)),
        ("optimization_recommendations", "status", "character varying", Some(32)),
        ("optimization_recommendations", "description", "text", None),
        ("optimization_recommendations", "current_state", "jsonb", None),
        ("optimization_recommendations", "recommended_state", "jsonb", None),
        ("optimization_recommendations", "expected_improvement", "jsonb", None),
        ("optimization_recommendations", "applied", "boolean", None),
        ("optimization_recommendations", "created_at", "timestamp with time zone", None),
    ] {
        let row = sqlx::query(
            "SELECT data_type::text AS kind, character_maximum_length::int AS length FROM information_schema.columns \
             WHERE table_name = $1 AND column_name = $2",
        )
        .bind(table)
        .bind(column)
        .fetch_one(&mut on)
        .await
        .unwrap();
        assert_eq!((row.get::<String, _>("kind").as_str(), row.get::<Option<i32>, _>("length")), (kind, length), "{table}.{column}");
    }
    for (table, column) in [("optimization_jobs", "job_id"), ("optimization_recommendations", "recommendation_id")] {
        let unique = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
             WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indnkeyatts = 1 AND a.attname = $2) AS held",
        );
        let row = unique.bind(table).bind(column).fetch_one(&mut on).await.unwrap();
        assert!(row.get::<bool, _>("held"), "{table}.{column} is not unique");
    }
}

/// A method of the store that no promise uses is one that may differ between the two.
#[test]
fn every_method_of_the_store_is_used_by_what_both_promise() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    let files = |folder: &Path| -> Vec<PathBuf> { std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect() };
    let promised: String = files(&folder.join("tests/contract"))
        .iter()
        .filter(|file| file.extension().is_some_and(|e| e == "rs"))
        .filter(|file| !OF_ONE.iter().any(|one| file.ends_with(one)))
        .map(|file| text(file))
        .collect();
    let mut methods = 0;
    for file in files(&folder.join("src")).into_iter().chain(files(&folder.join("src/samples"))).filter(|f| f.is_file()) {
        for line in text(&file).lines() {
            let Some(rest) = line.strip_prefix("    pub async fn ") else { continue };
            let name = rest.split(['(', '<']).next().unwrap();
            let used = promised.contains(&format!(".{name}(")) || promised.contains(&format!("Store::{name}("));
            assert!(used, "{name} of {} is used by no promise", file.display());
            methods += 1;
        }
    }
    assert!(methods > 80, "{methods}");
}

/// Tests of one back end only.
const OF_ONE: [&str; 5] = ["durability.rs", "upgrade.rs", "schema.rs", "tampering.rs", "postgres.rs"];
