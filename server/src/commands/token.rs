//! `headroom token`

use super::database::existing;
use super::print;
use crate::cli;
use crate::error::Failure;
use headroom_model::auth::Permission;
use headroom_service::NewToken;

/// Prints a new token and nothing else.
///
/// # Errors
/// [`Failure`] when there is no such user or database.
pub async fn create(user: &str, scope: Vec<Permission>, days: u32, database: &cli::Database) -> Result<(), Failure> {
    let headroom = existing(database).await?;
    let wanted = NewToken { label: "command line".to_owned(), scope: (!scope.is_empty()).then_some(scope), days };
    let token = headroom.create_token(&headroom.own_context("headroom token create"), user, &wanted).await?;
    headroom.store().close().await;
    print(&format!("{token}\n"))
}
