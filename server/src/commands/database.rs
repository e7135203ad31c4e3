//! `headroom migrate` and `headroom verify-audit`.

use super::print;
use crate::cli;
use crate::config::Config;
use crate::error::Failure;
use crate::serve::{configuration, joined, make_folder, not_opened, open};
use headroom_service::Headroom;
use headroom_store::{AuditHead, Store};
use std::sync::Arc;

/// Opens the database that the arguments name, or makes it.
///
/// # Errors
/// [`Failure`] when it does not open, or its schema is an older Headroom's.
pub async fn headroom(arguments: &cli::Database) -> Result<Arc<Headroom>, Failure> {
    let config = configuration(arguments)?;
    make_folder(&config)?;
    let store = Store::open_current(&config.store()).await.map_err(|e| not_opened(&config, e))?;
    Ok(joined(store, Vec::new(), false))
}

/// Opens the database that the arguments name, which must be there.
///
/// # Errors
/// [`Failure::BadInput`] when it is not; as [`headroom`].
pub async fn existing(arguments: &cli::Database) -> Result<Arc<Headroom>, Failure> {
    there(&configuration(arguments)?)?;
    headroom(arguments).await
}

/// The database that the arguments name, as it is: it may have an older schema, which stays.
///
/// # Errors
/// [`Failure::BadInput`] when it is not there; [`Failure`] when it does not open.
pub async fn as_it_is(arguments: &cli::Database) -> Result<Store, Failure> {
    let config = configuration(arguments)?;
    there(&config)?;
    Store::open_as_it_is(&config.store()).await.map_err(|e| not_opened(&config, e))
}

fn there(config: &Config) -> Result<(), Failure> {
    let Some(file) = config.database_file().filter(|file| !file.exists()) else { return Ok(()) };
    let fault = "there is no Headroom database here: name its directory with --data-dir";
    Err(Failure::BadInput(format!("{}: {fault}", file.display())))
}

/// Brings the schema up to date, which opening does.
///
/// # Errors
/// [`Failure`] when it cannot be.
pub async fn migrate(arguments: &cli::Database) -> Result<(), Failure> {
    let headroom = open(&configuration(arguments)?, Vec::new(), false).await?;
    let version = headroom.store().schema_version().await?;
    headroom.store().close().await;
    print(&format!("schema {version}\n"))
}

/// Checks every link of the audit chain.
///
/// # Errors
/// [`Failure`] names the first entry that does not fit.
pub async fn verify_audit(arguments: &cli::VerifyAudit) -> Result<(), Failure> {
    let known = arguments.head.as_deref().map(head).transpose()?;
    let store = as_it_is(&arguments.database).await?;
    let report = store.verify_audit(known.as_ref()).await?;
    store.close().await;
    if let Some(fault) = report.fault {
        return Err(Failure::Fault(format!("the audit chain is broken at entry {}: {}", fault.seq, fault.what)));
    }
    let head = report.head.map_or_else(|| "empty".to_owned(), |h| format!("head {}:{}", h.seq, h.hash));
    print(&format!("{} entries, every link holds; {head}\n", report.entries))?;
    if report.unplaced > 0 {
        let fault = "were written by an earlier Headroom, which did not hash the team and cluster that decide who sees an entry";
        print(&format!("{} of them {fault}\n", report.unplaced))?;
    }
    Ok(())
}

fn head(text: &str) -> Result<AuditHead, Failure> {
    let parts = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash)));
    let (seq, hash) = parts
        .filter(|(_, hash)| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
        .ok_or_else(|| Failure::BadInput(format!("--head: {text:?} is not an end of a chain: write it as it was printed, NUMBER:HASH")))?;
    Ok(AuditHead { seq, hash: hash.to_lowercase() })
}
