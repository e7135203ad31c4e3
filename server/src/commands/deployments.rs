//! `headroom deployments record`: tells of a deploy.

use super::database::existing;
use super::print;
use crate::cli::DeploymentsRecord;
use crate::error::Failure;
use headroom_model::deployment::Deploy;

/// Keeps the deploy.
///
/// # Errors
/// [`Failure`] for an unknown service or a value that is not allowed; nothing was changed then.
pub async fn record(arguments: DeploymentsRecord) -> Result<(), Failure> {
    let headroom = existing(&arguments.database).await?;
    let ctx = headroom.own_context("headroom deployments record");
    let deploy = Deploy { version: arguments.version, at: arguments.at, commit: arguments.commit, link: arguments.link };
    let kept = headroom.record_deployment(&ctx, &arguments.service, &deploy).await?;
    headroom.store().close().await;
    print(&format!("{}: {} at {}\n", kept.service_name, kept.words(), kept.at))
}
