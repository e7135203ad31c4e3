//! The routes, and what stands around them.

pub mod account;
pub mod events;
pub mod export;
pub mod health;
pub mod pages;

use crate::problem::{Refusal, write_problems};
use crate::sessions::{SESSION_DAYS, Sessions};
use crate::state::AppState;
use crate::{connections, identity, limits, request_id, rest, security};
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

/// Largest form or request, bytes.
pub const LARGEST_BODY: usize = 1 << 20;

/// Everything that Headroom answers.
pub fn router(state: &AppState) -> Router {
    let people = pages::router(state)
        .merge(account::router())
        .merge(events::router())
        .merge(export::router())
        .layer(from_fn_with_state(state.clone(), identity::from_session))
        .layer(sessions(state))
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY));
    people
        .merge(health::router())
        .merge(rest::router(state))
        .layer(security::same_site_only(&state.config))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), connections::in_time))
        .layer(from_fn_with_state(state.clone(), limits::by_address))
        .layer(from_fn_with_state(state.clone(), security::headers))
        .layer(from_fn(write_problems))
        .layer(from_fn_with_state(state.clone(), request_id::follow))
        .with_state(state.clone())
}

/// Over TLS the cookie is `__Host-headroom` and `Secure`. Plain HTTP is for loopback, where some browsers refuse both, so it has neither there.
fn sessions(state: &AppState) -> SessionManagerLayer<Sessions> {
    let secure = state.config.secure();
    SessionManagerLayer::new(Sessions::new(state.headroom.clone()))
        .with_name(if secure { "__Host-headroom" } else { "headroom" })
        .with_secure(secure)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(Duration::days(SESSION_DAYS)))
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    Refusal::new("internal", "Headroom could not finish this. Try again, and look at the log if it stays.").into_response()
}
