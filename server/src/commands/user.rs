//! `headroom user`

use super::database::{existing, headroom};
use super::print;
use crate::cli::{User, UserAct};
use crate::error::Failure;
use headroom_model::auth::Teams;
use std::fmt::Write as _;

/// Manages users in the database, also while the server runs.
///
/// # Errors
/// [`Failure`] when the name is taken, unknown or not allowed.
pub async fn run(arguments: User) -> Result<(), Failure> {
    // Only the first user may come before the database.
    let headroom = match arguments.act {
        UserAct::Create { .. } => headroom(&arguments.database).await?,
        _ => existing(&arguments.database).await?,
    };
    let ctx = headroom.own_context("headroom user");
    let text = match arguments.act {
        UserAct::Create { name, role, teams } => code_line(&headroom.create_user(&ctx, &name, role, &teams).await?.0),
        UserAct::Role { name, role, teams } => {
            let teams = headroom.set_role(&ctx, &name, role, Teams::asked(&teams).as_ref()).await?;
            format!("{name} is {role}, in {}\n", teams.plain())
        }
        UserAct::Reset { name } => code_line(&headroom.reset_user(&ctx, &name).await?.0),
        UserAct::Lock { name, undo } => {
            headroom.lock_user(&ctx, &name, !undo).await?;
            format!("{name} is {}\n", if undo { "unlocked" } else { "locked" })
        }
        UserAct::List => headroom.users(&ctx).await?.iter().fold(String::new(), |mut text, user| {
            let seen = user.last_sign_in.map_or_else(|| "never".to_owned(), |t| t.to_string());
            let _ = writeln!(
                text,
                "{:<24} {:<14} {:<8} last sign-in {seen}",
                user.name,
                user.role.as_str(),
                if user.locked { "locked" } else { "" }
            );
            text
        }),
    };
    headroom.store().close().await;
    print(&text)
}

fn code_line(code: &str) -> String {
    format!("one-time code, for a day: {code}\nopen /sign-in/code on the server and enter it\n")
}
