//! Looking changes nothing: every address that answers to GET is asked, and the database is the same as before.

use crate::fleet::Fleet;
use headroom_app::App;
use reqwest::Method;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use std::collections::BTreeMap;
use std::path::Path;

/// When somebody was last seen is no change of theirs.
const SEEN: [&str; 2] = ["seen_at", "last_used"];

/// Every row of every table, as text.
async fn everything(file: &Path) -> BTreeMap<String, Vec<String>> {
    let mut on = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let columns = sqlx::query(
        "SELECT t.name AS t, c.name AS c FROM sqlite_master t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
    );
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in columns.fetch_all(&mut on).await.unwrap() {
        let column: String = row.get("c");
        if !SEEN.contains(&column.as_str()) {
            tables.entry(row.get("t")).or_default().push(format!("quote({column})"));
        }
    }
    let mut content = BTreeMap::new();
    for (table, columns) in tables {
        let text = format!("SELECT {} AS line FROM {table} ORDER BY line", columns.join(" || ',' || "));
        let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(&mut on).await.unwrap();
        content.insert(table, rows.iter().map(|row| row.get("line")).collect());
    }
    content
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_changes_nothing() {
    let fleet = Fleet::analysed().await;
    fleet.stop.send_replace(true);
    let fill = |path: &str| {
        path.replace("{service_name}", &fleet.own.service)
            .replace("{job_id}", &fleet.own.job)
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
            path.replace("{name}", &fleet.own.service).replace("{id}", &fleet.own.recommendation).replace(":name", "x").replace(":id", "x")
        })
        .chain(["/audit/export.csv", "/audit/export.json", "/api/docs", "/metrics", "/livez", "/readyz", "/nothing"].map(str::to_owned))
        .collect();
    assert!(pages.len() > 18, "{pages:?}");

    let api = fleet.app.api("engineer").await;
    let mut browser = fleet.app.browser("admin").await;
    let file = fleet.app.file();
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
}
