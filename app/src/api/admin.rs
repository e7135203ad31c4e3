//! Settings: policy, users, API tokens.

#![expect(missing_docs, reason = "the macro makes a struct of the arguments, whose fields cannot be documented; the functions are")]

use super::Done;
use super::json::Json;
use crate::error::AppError;
use headroom_model::view::{PolicyRow, TokenRow, UserRow};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use crate::doorway::{answer, doorway};

/// What each scope sets.
#[server(prefix = "/fn", endpoint = "policies", input = Json, output = Json)]
pub async fn policies() -> Result<Vec<PolicyRow>, AppError> {
    let door = doorway().await?;
    Ok(door.service.policies(&door.ctx).await?)
}

/// The users.
#[server(prefix = "/fn", endpoint = "users", input = Json, output = Json)]
pub async fn users() -> Result<Vec<UserRow>, AppError> {
    let door = doorway().await?;
    Ok(door.service.users(&door.ctx).await?)
}

/// One's own tokens; everybody's for an administrator.
#[server(prefix = "/fn", endpoint = "tokens", input = Json, output = Json)]
pub async fn tokens() -> Result<Vec<TokenRow>, AppError> {
    let door = doorway().await?;
    Ok(door.service.tokens(&door.ctx).await?)
}

/// Sets one rule of one scope; an empty value inherits it again.
#[server(prefix = "/fn", endpoint = "policy/set", output = Json)]
pub async fn set_policy(scope: String, rule: String, value: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("policy {scope} {rule} {value}"), async {
            door.service.set_policy(&door.ctx, &read("scope", &scope)?, &rule, &value).await?;
            Ok(Done::said(if value.trim().is_empty() {
                format!("{rule} is inherited again.")
            } else {
                format!("{rule} is {} now.", value.trim())
            }))
        })
        .await
    };
    answer("set_policy", &[("scope", &scope), ("rule", &rule), ("value", &value)], outcome.await)
}

/// Creates a user, with a one-time code for the first sign-in.
#[server(prefix = "/fn", endpoint = "user/create", output = Json)]
pub async fn create_user(name: String, role: String, teams: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("create user {name} {role} {teams}"), async {
            let code = door.service.create_user(&door.ctx, name.trim(), read("role", &role)?, &read("teams", &teams)?).await?;
            Ok(Done {
                text: format!("{} can sign in once with this link, and sets a password there.", name.trim()),
                link: None,
                secret: Some(format!("/sign-in/code?code={}", code.0)),
            })
        })
        .await
    };
    answer("create_user", &[("name", &name), ("role", &role), ("teams", &teams)], outcome.await)
}

/// Changes what a user may do, and whose services they see; an empty `teams` leaves them in theirs.
#[server(prefix = "/fn", endpoint = "user/role", output = Json)]
pub async fn set_role(name: String, role: String, teams: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("role {name} {role} {teams}"), async {
            let asked = headroom_model::auth::Teams::asked(&teams);
            let teams = door.service.set_role(&door.ctx, name.trim(), read("role", &role)?, asked.as_ref()).await?;
            Ok(Done::said(format!("{} is {role} now, in {}.", name.trim(), teams.plain())))
        })
        .await
    };
    answer("set_role", &[("name", &name), ("role", &role), ("teams", &teams)], outcome.await)
}

/// A value of a form; one that cannot be read is the field's fault.
#[cfg(feature = "ssr")]
fn read<T: std::str::FromStr<Err: ToString>>(field: &str, text: &str) -> Result<T, AppError> {
    text.parse().map_err(|fault: T::Err| AppError(headroom_model::problem::Problem::new("invalid", fault.to_string()).in_field(field)))
}

/// Voids what a user signs in with, and issues a one-time code.
#[server(prefix = "/fn", endpoint = "user/reset", output = Json)]
pub async fn reset_user(name: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("reset {name}"), async {
            let code = door.service.reset_user(&door.ctx, &name).await?;
            Ok(Done {
                text: format!("{name} is signed out everywhere and can sign in once with this link."),
                link: None,
                secret: Some(format!("/sign-in/code?code={}", code.0)),
            })
        })
        .await
    };
    answer("reset_user", &[], outcome.await)
}

/// Locks or unlocks a user.
#[server(prefix = "/fn", endpoint = "user/lock", output = Json)]
pub async fn lock_user(name: String, locked: bool, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("lock {name} {locked}"), async {
            door.service.lock_user(&door.ctx, &name, locked).await?;
            Ok(Done::said(if locked { format!("{name} is locked.") } else { format!("{name} can sign in again.") }))
        })
        .await
    };
    answer("lock_user", &[], outcome.await)
}

/// Makes an API token, shown once. `scope` lists what it may do, `all` for whatever its user may.
#[server(prefix = "/fn", endpoint = "token/create", output = Json)]
pub async fn create_token(
    user: String,
    label: String,
    days: String,
    key: String,
    #[server(default)] scope: Vec<String>,
) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("create token {user} {label} {days} {}", scope.join(" ")), async {
            let user = if user.trim().is_empty() { door.ctx.actor.clone() } else { user.trim().to_owned() };
            let everything = scope.iter().any(|word| word == "all");
            let scope = scope.iter().filter(|_| !everything).map(|word| read("scope", word)).collect::<Result<Vec<_>, _>>()?;
            let scope = (!everything).then_some(scope);
            let wanted = headroom_service::NewToken { label: label.clone(), scope, days: read("days", &days)? };
            let token = door.service.create_token(&door.ctx, &user, &wanted).await?;
            Ok(Done { text: format!("A token that acts as {user}. Copy it now: it is not shown again."), link: None, secret: Some(token) })
        })
        .await
    };
    answer("create_token", &[("user", &user), ("label", &label), ("days", &days)], outcome.await)
}

/// Revokes an API token.
#[server(prefix = "/fn", endpoint = "token/revoke", output = Json)]
pub async fn revoke_token(id: String, key: String) -> Result<Done, AppError> {
    let outcome = async {
        let door = doorway().await?;
        door.once(&key, &format!("revoke token {id}"), async {
            let id = id.parse().map_err(|_| AppError::new("not-found", format!("there is no token {id:?}")))?;
            door.service.revoke_token(&door.ctx, id).await?;
            Ok(Done::said("The token is revoked."))
        })
        .await
    };
    answer("revoke_token", &[], outcome.await)
}
