//! Looking changes nothing: every address that answers to GET is asked, and the database is the same as before.

use crate::fleet::Fleet;
use headroom_app::App;
use reqwest::Method;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};
use std::collections::BTreeMap;

/// When somebody was last seen is no change of theirs.
const SEEN: [&str; 2] = ["seen_at", "last_used"];

const SQLITE_COLUMNS: &str = "SELECT t.name AS t, c.name AS c FROM sqlite_master t JOIN pragma_table_info(t.name) c \
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'";
const POSTGRES_COLUMNS: &str = "SELECT table_name::text AS t, column_name::text AS c FROM information_schema.columns \
     WHERE table_schema = current_schema() ORDER BY ordinal_position";

/// Every row of every table, as text.
async fn everything(database: &str) -> BTreeMap<String, Vec<String>> {
    if database.starts_with("sqlite:") {
        let mut on = SqliteConnection::connect(database).await.unwrap();
        let columns = sqlx::query(SQLITE_COLUMNS).fetch_all(&mut on).await.unwrap();
        let mut content = BTreeMap::new();
        for (table, text) in reads(columns.iter().map(|row| (row.get("t"), row.get("c"))), "quote") {
            let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(&mut on).await.unwrap();
            content.insert(table, rows.iter().map(|row| row.get("line")).collect());
        }
        content
    } else {
        let mut on = PgConnection::connect(database).await.unwrap();
        let columns = sqlx::query(POSTGRES_COLUMNS).fetch_all(&mut on).await.unwrap();
        let mut content = BTreeMap::new();
        for (table, text) in reads(columns.iter().map(|row| (row.get("t"), row.get("c"))), "quote_nullable") {
            let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(&mut on).await.unwrap();
            content.insert(table, rows.iter().map(|row| row.get("line")).collect());
        }
        content
    }
}

/// By table, the statement that reads all of it, one text per row.
fn reads(columns: impl Iterator<Item = (String, String)>, quote: &str) -> BTreeMap<String, String> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column) in columns.filter(|(_, column)| !SEEN.contains(&column.as_str())) {
        tables.entry(table).or_default().push(format!("{quote}({column})"));
    }
    let statement = |(table, columns): (String, Vec<String>)| {
        let text = format!("SELECT {} AS line FROM {table} ORDER BY line", columns.join(" || ',' || "));
        (table, text)
    };
    tables.into_iter().map(statement).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_changes_nothing() {
    let fleet = Fleet::analysed().await;
    fleet.stop.send_replace(true);
    let fill = |path: &str| {
        path.replace("{service_name}", &fleet.own.service)
            .replace("{job_id}", &fleet.own.job)
            .replace("{benchmark_id}", &fleet.own.benchmark)
            .replace("{recommendation_id}", &fleet.own.recommendation)
    };
    let description: Value = fleet.app.request(Method::GET, "/api/openapi.json").send().await.unwrap().json().await.unwrap();
    let mut reads: Vec<String> = Vec::new();
    let mut writes: Vec<String> = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        let short = fill(path.strip_prefix("/api/v1").unwrap_or(path));
        if item.as_object().unwrap().contains_key("get") { reads.push(short) } else { writes.push(short) }
    }
    assert!(reads.len() >= 8 && writes.len() >= 12, "{reads:?} {writes:?}");
    let pages: Vec<String> = leptos_axum::generate_route_list(App)
        .iter()
        .map(|route| {
            let path = route.path().to_owned();
            let id = if path.starts_with("/benchmarks") { &fleet.own.benchmark } else { &fleet.own.recommendation };
            path.replace("{name}", &fleet.own.service).replace("{id}", id).replace(":name", "x").replace(":id", "x")
        })
        .chain(["/api/docs", "/metrics", "/livez", "/readyz", "/nothing"].map(str::to_owned))
        .collect();
    assert!(pages.len() > 18, "{pages:?}");

    let api = fleet.app.api("engineer").await;
    let mut browser = fleet.app.browser("admin").await;
    let file = fleet.app.database.clone();
    // What was under way when the workers were told to end is finished now.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let before = everything(&file).await;
    for path in &reads {
        assert_eq!(api.get(path).await.0, 200, "{path}");
    }
    for path in &writes {
        assert_eq!(api.get(path).await.0, 405, "{path}");
    }
    for path in &pages {
        let status = browser.get(path).await.status().as_u16();
        // Without its cluster Headroom is not ready, and says so.
        assert!(status < 500 || path == "/readyz", "{path}: {status}");
    }
    for (path, method) in leptos::server_fn::axum::server_fn_paths() {
        assert_eq!(method, Method::POST, "{path}");
        let status = browser.get(path).await.status().as_u16();
        assert!(matches!(status, 404 | 405), "{path}: {status}");
    }
    let after = everything(&file).await;
    for (table, rows) in &before {
        assert_eq!(rows, &after[table], "{table}");
    }
    // What is taken away as a file leaves a note of that, and nothing else.
    for path in ["/audit/export.csv", "/audit/export.json"] {
        assert_eq!(browser.get(path).await.status(), 200, "{path}");
    }
    let exported = everything(&file).await;
    for (table, rows) in &before {
        let noted = if matches!(table.as_str(), "audit" | "outbox") { 2 } else { 0 };
        assert_eq!(rows.len() + noted, exported[table].len(), "{table}");
    }
    // Whoever asks whether Headroom is ready need not know where its clusters are.
    let ready = fleet.app.request(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let said = ready.text().await.unwrap();
    assert!(said.contains("a cluster does not answer") && !said.contains("127.0.0.1") && !said.contains("demo"), "{said}");
}
