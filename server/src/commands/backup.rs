//! `headroom backup` and `headroom restore`.

use super::{database, print};
use crate::cli;
use crate::error::Failure;
use crate::serve::configuration;
use headroom_store::{BackupReport, Store};

/// Writes everything into one file, with the schema that it has, while Headroom runs on.
///
/// # Errors
/// [`Failure::BadInput`] when the file is there already or cannot be written.
pub async fn backup(arguments: &cli::Backup) -> Result<(), Failure> {
    let store = database::as_it_is(&arguments.database).await?;
    let report = store.backup(&arguments.file).await;
    store.close().await;
    print(&said(&format!("{} holds", arguments.file.display()), &report?))
}

/// Puts a backup into an empty directory or database.
///
/// # Errors
/// [`Failure::BadInput`] for a file that is damaged or none of ours; [`Failure`] when there is something already.
pub async fn restore(arguments: &cli::Backup) -> Result<(), Failure> {
    let config = configuration(&arguments.database)?;
    let report = Store::restore(&arguments.file, &config.store()).await?;
    print(&said("restored:", &report))
}

fn said(begin: &str, report: &BackupReport) -> String {
    let count = |table: &str| report.rows.iter().find(|r| r.0 == table).map_or(0, |r| r.1);
    let all: u64 = report.rows.iter().map(|r| r.1).sum();
    let head = report.head.as_ref().map_or_else(|| "empty".to_owned(), |h| format!("head {}:{}", h.seq, h.hash));
    format!(
        "{begin} {all} rows: {} services, {} recommendations, {} changes, {} audit entries; every link of the audit chain holds, {head}\n",
        count("services"),
        count("optimization_recommendations"),
        count("changes"),
        count("audit"),
    )
}
