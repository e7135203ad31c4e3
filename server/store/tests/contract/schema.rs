//! Both back ends have the same tables with the same columns.

use crate::postgres;
use headroom_store::{Store, StoreConfig};
use sqlx::{Connection, PgConnection, Row, SqliteConnection};

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
}
