//! `headroom import`: an observed cluster from a file.

use super::database::headroom;
use super::print;
use crate::cli::Import;
use crate::error::Failure;
use headroom_infra::import::{Imported, read_usage_csv};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Reads the whole file before anything is written; then each cluster that it names is saved whole.
///
/// # Errors
/// [`Failure::BadInput`] names file, row and fault; nothing was changed then.
pub async fn run(arguments: &Import) -> Result<(), Failure> {
    let imported = read_usage_csv(&arguments.file).map_err(|e| Failure::BadInput(e.to_string()))?;
    let headroom = headroom(&arguments.database).await?;
    let notes = imported.notes();
    let mut clusters = BTreeMap::<String, Imported>::new();
    for service in imported.services {
        clusters.entry(service.service.key.cluster.clone()).or_default().services.push(service);
    }
    let mut text = String::new();
    for (cluster, part) in &clusters {
        let summary = headroom.import(&headroom.own_context("headroom import"), cluster, part).await?;
        let newest = summary.newest.map_or_else(|| "none".to_owned(), |t| t.to_string());
        let _ = writeln!(text, "{cluster}: {} services, {} samples, the newest of {newest}", summary.services, summary.samples);
    }
    notes.iter().for_each(|note| text.push_str(&format!("{note}\n")));
    headroom.store().close().await;
    print(&text)
}
