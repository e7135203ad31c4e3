//! `headroom import`: an observed cluster from a file.

use super::database::headroom;
use super::print;
use crate::cli::Import;
use crate::error::Failure;
use headroom_infra::import::read_usage_csv;

/// Reads the whole file before anything is written.
///
/// # Errors
/// [`Failure::BadInput`] names file, row and fault; nothing was changed then.
pub async fn run(arguments: &Import) -> Result<(), Failure> {
    let imported = read_usage_csv(&arguments.file).map_err(|e| Failure::BadInput(e.to_string()))?;
    let headroom = headroom(&arguments.database).await?;
    let summary = headroom.import(&headroom.own_context("headroom import"), &arguments.cluster, &imported).await?;
    headroom.store().close().await;
    let newest = summary.newest.map_or_else(|| "none".to_owned(), |t| t.to_string());
    print(&format!("{}: {} services, {} samples, the newest of {newest}\n", arguments.cluster, summary.services, summary.samples))
}
