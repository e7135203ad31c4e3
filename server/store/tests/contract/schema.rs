//! Both back ends have the same tables with the same columns.

use crate::postgres;
use headroom_store::{Store, StoreConfig};
use sqlx::{Connection, PgConnection, Row, SqliteConnection};
use std::path::{Path, PathBuf};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_back_ends_have_the_same_tables_and_columns() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("headroom.db");
    Store::open(&StoreConfig::sqlite(&file)).await.unwrap().close().await;
    let url = postgres::database().await;
    Store::open(&StoreConfig::at(&url)).await.unwrap().close().await;

    let mut sqlite = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let mut in_sqlite: Vec<String> = sqlx::query(
        "SELECT t.name || '.' || c.name AS place FROM sqlite_master t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
    )
    .fetch_all(&mut sqlite)
    .await
    .unwrap()
    .iter()
    .map(|row| row.get("place"))
    .collect();
    let mut postgres = PgConnection::connect(&url).await.unwrap();
    let mut in_postgres: Vec<String> =
        sqlx::query("SELECT table_name || '.' || column_name AS place FROM information_schema.columns WHERE table_schema = 'public'")
            .fetch_all(&mut postgres)
            .await
            .unwrap()
            .iter()
            .map(|row| row.get("place"))
            .collect();
    in_sqlite.sort();
    in_postgres.sort();
    assert!(in_sqlite.contains(&"optimization_recommendations.applied".to_owned()), "{in_sqlite:?}");
    assert_eq!(in_sqlite, in_postgres);
}

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
