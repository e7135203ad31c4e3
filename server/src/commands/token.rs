//! `headroom token`

use super::database::existing;
use super::print;
use crate::cli;
use crate::error::Failure;

/// Prints a new token and nothing else.
///
/// # Errors
/// [`Failure`] when there is no such user or database.
pub async fn create(user: &str, database: &cli::Database) -> Result<(), Failure> {
    let headroom = existing(database).await?;
    let token = headroom.create_token(&headroom.own_context("headroom token create"), user, "command line").await?;
    headroom.store().close().await;
    print(&format!("{token}\n"))
}
