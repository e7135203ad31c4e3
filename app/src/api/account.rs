//! One's own account: how one signs in, and where.

#![expect(missing_docs, reason = "the macro makes a struct of the arguments, whose fields cannot be documented; the functions are")]

use super::Done;
use super::json::Json;
use crate::error::AppError;
use headroom_model::view::{Account, Enrolment};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use crate::doorway::{self, answer, doorway};

/// How one signs in, and where one is signed in.
#[server(name = ReadAccount, prefix = "/fn", endpoint = "account", input = Json, output = Json)]
pub async fn account() -> Result<Account, AppError> {
    let door = doorway().await?;
    Ok(door.service.account(&door.ctx, &doorway::session_id()).await?)
}

/// What the button of the identity provider says; nothing without one.
#[server(name = ReadProvider, prefix = "/fn", endpoint = "provider", input = Json, output = Json)]
pub async fn provider() -> Result<Option<String>, AppError> {
    Ok(use_context::<crate::ProviderLabel>().map(|label| label.0))
}

/// The second factor that waits for its first code; `None` when there is one already, or none was begun.
#[server(name = ReadSecondFactor, prefix = "/fn", endpoint = "second-factor", input = Json, output = Json)]
pub async fn second_factor() -> Result<(bool, Option<Enrolment>), AppError> {
    let door = doorway::half_door()?;
    let known = door.service.user(&door.ctx.actor).await?.is_some_and(|user| user.second_factor);
    Ok((known, door.service.pending_second_factor(&door.ctx).await?))
}

/// Signs another browser out.
#[server(prefix = "/fn", endpoint = "session/end", output = Json)]
pub async fn end_session(id: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("end session {id}"), async {
            door.service.end_session(&door.ctx, &id).await?;
            Ok(Done::said("That browser is signed out."))
        })
        .await
    };
    answer("end_session", &[], outcome.await)
}

/// Signs every other browser out.
#[server(prefix = "/fn", endpoint = "session/end-others", output = Json)]
pub async fn end_other_sessions(key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, "end other sessions", async {
            let ended = door.service.end_other_sessions(&door.ctx, &doorway::session_id()).await?;
            Ok(Done::said(match ended {
                0 => "No other browser was signed in.".to_owned(),
                1 => "One other browser is signed out.".to_owned(),
                n => format!("{n} other browsers are signed out."),
            }))
        })
        .await
    };
    answer("end_other_sessions", &[], outcome.await)
}
