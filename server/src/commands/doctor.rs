//! `headroom doctor`: looks at everything Headroom needs, and says for each what is wrong, or doubtful, and what to do.

use super::print;
use crate::cli;
use crate::config::Config;
use crate::error::Failure;
use crate::serve::{configuration, not_opened, simulated, wall};
use headroom_service::Cluster;
use headroom_store::{Error as StoreError, Store};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Seconds by which two clocks may differ.
const CLOCK_TOLERANCE: i64 = 5;
/// Bytes that are written to see whether there is room.
const ROOM: usize = 1 << 16;

/// What a check found: good news or bad.
type Finding = Result<String, String>;

/// Checks configuration, database, audit chain, clocks, and each cluster as a target of changes and a source of samples. Writes nothing but a small
/// file, which it takes away again.
///
/// # Errors
/// [`Failure::Fault`] when something is wrong, after everything was looked at; a bad configuration ends it at once.
pub async fn run(arguments: &cli::Database) -> Result<(), Failure> {
    let config = configuration(arguments)?;
    let mut findings: Vec<(&str, Finding)> = vec![("configuration", Ok(format!("state in {}", config.data_dir.display())))];
    findings.push(("data directory", room(&config)));
    findings.push(("outgoing", Ok(format!("requests to clusters may go to {}", config.outgoing.allow))));
    match database(&config).await {
        Ok(None) => findings.push(("database", Ok("none yet: headroom serve makes it".to_owned()))),
        Ok(Some(store)) => {
            findings.push(("database", schema(&store, &config).await));
            findings.push(("audit chain", audit(&store).await));
            findings.push(("clock", clock(&store).await));
            store.close().await;
        }
        Err(fault) => findings.push(("database", Err(not_opened(&config, fault).to_string()))),
    }
    match &config.simulator.url {
        None => findings.push(("cluster", Ok("none is configured: Headroom shows what is imported".to_owned()))),
        Some(url) => match simulated(url, &config.outgoing.allow).await {
            Err(fault) => {
                let next = "is it running, and is simulator.url right? headroom serve starts without it, and goes on asking";
                findings.push(("cluster", Err(format!("{fault}; {next}"))));
            }
            Ok((cluster, _)) => {
                findings.push(("target", target(&cluster).await));
                findings.push(("source", source(&cluster).await));
            }
        },
    }
    let mut text = String::new();
    if let Some(doubt) = config.exposed() {
        let _ = writeln!(text, "DOUBT {:<14} {doubt}", "address");
    }
    for (name, finding) in &findings {
        let (mark, said) = match finding {
            Ok(said) => ("ok   ", said),
            Err(said) => ("WRONG", said),
        };
        let _ = writeln!(text, "{mark} {name:<14} {said}");
    }
    print(&text)?;
    match findings.iter().filter(|f| f.1.is_err()).count() {
        0 => Ok(()),
        1 => Err(Failure::Fault("one thing is wrong".to_owned())),
        n => Err(Failure::Fault(format!("{n} things are wrong"))),
    }
}

/// Whether state can be kept: a full disk, or one that can only be read, shows when something is written.
fn room(config: &Config) -> Finding {
    let dir = config.database_file().and_then(|file| file.parent().map(Path::to_owned)).unwrap_or_else(|| config.data_dir.clone());
    let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
    if !dir.exists() {
        return Ok("none yet: headroom serve makes it".to_owned());
    }
    let file = dir.join(format!(".headroom-doctor-{}", std::process::id()));
    let written = File::create_new(&file).and_then(|mut into| into.write_all(&[0; ROOM]).and_then(|()| into.sync_all()));
    let gone = std::fs::remove_file(&file);
    match written.and(gone) {
        Ok(()) => Ok(format!("{} can be written to", dir.display())),
        Err(e) => Err(format!("{} cannot be written to: {e}; make room, or give Headroom the right to write there", dir.display())),
    }
}

async fn database(config: &Config) -> Result<Option<Store>, StoreError> {
    if config.database_file().is_some_and(|file| !file.exists()) {
        return Ok(None);
    }
    match Store::open_as_it_is(&config.store()).await {
        Err(StoreError::OlderSchema { found: 0, .. }) => Ok(None),
        opened => opened.map(Some),
    }
}

/// What the database holds, if its schema is what this Headroom needs.
async fn schema(store: &Store, config: &Config) -> Finding {
    Store::open_current(&config.store()).await.map_err(|e| e.to_string())?.close().await;
    let version = store.schema_version().await.map_err(|e| e.to_string())?;
    let services = store.all_services().await.map_err(|e| e.to_string())?.len();
    let users = store.user_count().await.map_err(|e| e.to_string())?;
    Ok(format!("answers; schema {version}, {services} services, {users} users"))
}

async fn audit(store: &Store) -> Finding {
    let report = store.verify_audit(None).await.map_err(|e| e.to_string())?;
    match report.fault {
        Some(fault) => {
            Err(format!("broken at entry {}: {}; restore a backup and find out who wrote to the database", fault.seq, fault.what))
        }
        None => Ok(format!("{} entries, every link holds", report.entries)),
    }
}

async fn clock(store: &Store) -> Finding {
    let there = store.clock().await.map_err(|e| e.to_string())?;
    let apart = there.map_or(0, |there| wall().secs_since(there));
    if apart.abs() > CLOCK_TOLERANCE {
        return Err(format!(
            "the database's clock is {apart} s apart from this machine's: leases need clocks that agree; set up NTP on both"
        ));
    }
    Ok(there.map_or("this machine's".to_owned(), |_| format!("{apart} s apart from the database's")))
}

/// What changes are written to.
async fn target(cluster: &Cluster) -> Finding {
    let services = cluster.infrastructure.inventory().await.map_err(|e| e.to_string())?.len();
    let time = cluster.infrastructure.clock().await.map_err(|e| e.to_string())?;
    Ok(format!("{} answers; {services} services, its time is {time}", cluster.name()))
}

/// Where samples come from: the newest hour of them.
async fn source(cluster: &Cluster) -> Finding {
    let now = cluster.infrastructure.clock().await.map_err(|e| e.to_string())?.secs();
    let step = i64::from(cluster.metrics.step().max(1));
    let from = (now - 3600).div_euclid(step) * step;
    let frames = cluster.metrics.range(from, now).await.map_err(|e| e.to_string())?;
    if frames.rows() == 0 {
        return Err(format!("{} has no samples of the last hour: is anything measured there?", cluster.name()));
    }
    Ok(format!("{} series, the newest sample ends {} s ago", frames.columns.len(), now - frames.end()))
}
