//! A real PostgreSQL, started by `scripts/postgres.sh` for this test binary and stopped when its process ends, however it ends.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

struct Server {
    url: String,
    /// Runs until its standard input is closed, which this process's end does.
    _script: Child,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

#[allow(clippy::zombie_processes, reason = "it ends after this process has")]
fn start() -> Server {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = here.ancestors().map(|folder| folder.join("scripts/postgres.sh")).find(|script| script.exists()).unwrap();
    let mut child = Command::new(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    assert!(!url.is_empty(), "PostgreSQL did not start: scripts/postgres.sh says why");
    Server { url: url.trim().to_owned(), _script: child }
}

/// The address of a new and empty database.
pub async fn database() -> String {
    let server = SERVER.get_or_init(start);
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let mut on = PgConnection::connect(&server.url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut on).await.unwrap();
    on.close().await.unwrap();
    server.url.replace("/postgres?", &format!("/{name}?"))
}
