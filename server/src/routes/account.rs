//! Signing in and out, and one's password: plain forms, which work without JavaScript.
//!
//! A form that is refused sends the browser back to its page with `error` (`credentials`, `code`, `wait`, `invalid`, `internal`),
//! `field` where one is meant, and what was typed (never a password), so that the page can say it beside the field.

use crate::identity::{Caller, USER, context, encode, local_path};
use crate::problem::Refusal;
use crate::request_id::RequestId;
use crate::state::AppState;
use axum::extract::{ConnectInfo, Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Extension, Router};
use headroom_model::problem::Problem;
use headroom_service::SignedIn;
use http::{Extensions, HeaderMap};
use serde::Deserialize;
use std::net::SocketAddr;
use tower_sessions::Session;

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/sign-in", post(with_password))
        .route("/sign-in/code", post(with_code))
        .route("/sign-out", post(sign_out))
        .route("/account/password", post(set_password))
        .route("/first-run", post(first_run))
}

#[derive(Deserialize)]
struct PasswordForm {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn with_password(
    State(state): State<AppState>,
    session: Session,
    origin: Origin,
    Form(form): Form<PasswordForm>,
) -> Result<Response, Refusal> {
    let now = state.headroom.clocks().wall;
    let back = |error: &str| back("/sign-in", &[("error", error), ("name", &form.name), ("next", local_path(&form.next))]);
    if state.throttle.wait(&form.name, &origin.address, now).is_some() {
        return Ok(back("wait"));
    }
    match state.headroom.sign_in_with_password(&form.name, &form.password, &origin.request_id).await {
        Ok(signed_in) => {
            state.throttle.succeeded(&form.name, &origin.address);
            begin(&session, &signed_in).await?;
            Ok(Redirect::to(local_path(&form.next)).into_response())
        }
        Err(e) => refused(e, |error| {
            state.throttle.failed(&form.name, &origin.address, now);
            back(if error.status == 401 { "credentials" } else { "invalid" })
        }),
    }
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
    #[serde(default)]
    next: String,
}

async fn with_code(
    State(state): State<AppState>,
    session: Session,
    origin: Origin,
    Form(form): Form<CodeForm>,
) -> Result<Response, Refusal> {
    let now = state.headroom.clocks().wall;
    let back = |error: &str| back("/sign-in/code", &[("error", error), ("next", local_path(&form.next))]);
    if state.throttle.wait("a code", &origin.address, now).is_some() {
        return Ok(back("wait"));
    }
    match state.headroom.sign_in_with_code(&form.code, &origin.request_id).await {
        Ok(signed_in) => {
            begin(&session, &signed_in).await?;
            Ok(Redirect::to(local_path(&form.next)).into_response())
        }
        Err(e) => refused(e, |_| {
            state.throttle.failed("a code", &origin.address, now);
            back("code")
        }),
    }
}

#[derive(Deserialize)]
struct FirstRunForm {
    code: String,
    name: String,
    password: String,
}

async fn first_run(
    State(state): State<AppState>,
    session: Session,
    origin: Origin,
    Form(form): Form<FirstRunForm>,
) -> Result<Response, Refusal> {
    let now = state.headroom.clocks().wall;
    let back = |error: &str, field: &str| back("/first-run", &[("error", error), ("field", field), ("name", &form.name)]);
    if state.throttle.wait("first run", &origin.address, now).is_some() {
        return Ok(back("wait", ""));
    }
    match state.headroom.first_run(&form.code, &form.name, &form.password, &origin.request_id).await {
        Ok(signed_in) => {
            begin(&session, &signed_in).await?;
            Ok(Redirect::to("/").into_response())
        }
        Err(e) => refused(e, |error| {
            state.throttle.failed("first run", &origin.address, now);
            back(if error.status == 401 { "code" } else { "invalid" }, error.field.as_deref().unwrap_or("code"))
        }),
    }
}

async fn sign_out(session: Session) -> Result<Response, Refusal> {
    session.flush().await.map_err(broken)?;
    Ok(Redirect::to("/sign-in").into_response())
}

#[derive(Deserialize)]
struct NewPassword {
    password: String,
    #[serde(default)]
    next: String,
}

async fn set_password(
    State(state): State<AppState>,
    session: Session,
    caller: Option<Extension<Caller>>,
    origin: Origin,
    Form(form): Form<NewPassword>,
) -> Result<Response, Refusal> {
    let Some(Extension(caller)) = caller else { return Ok(Redirect::to("/sign-in").into_response()) };
    let next = if form.next.is_empty() { "/settings" } else { local_path(&form.next) };
    let ctx = context(&state, &origin.extensions, caller);
    match state.headroom.set_password(&ctx, &form.password).await {
        Ok(()) => {
            session.cycle_id().await.map_err(broken)?;
            Ok(back(next, &[("done", "password")]))
        }
        Err(e) => refused(e, |error| back(next, &[("error", "invalid"), ("field", error.field.as_deref().unwrap_or("password"))])),
    }
}

/// Starts a session under a new id, so that an id known before is worth nothing.
async fn begin(session: &Session, signed_in: &SignedIn) -> Result<(), Refusal> {
    session.clear().await;
    session.cycle_id().await.map_err(broken)?;
    session.insert(USER, &signed_in.name).await.map_err(broken)
}

fn broken(error: tower_sessions::session::Error) -> Refusal {
    tracing::error!(error = %error, "the session could not be written");
    Refusal::new("internal", "your session could not be written: try again")
}

/// What the person can mend goes back to their form; the rest is a fault.
fn refused(error: headroom_service::Error, mend: impl FnOnce(&Problem) -> Response) -> Result<Response, Refusal> {
    let problem = Problem::from(error);
    if problem.status >= 500 { Err(Refusal(problem)) } else { Ok(mend(&problem)) }
}

fn back(page: &str, values: &[(&str, &str)]) -> Response {
    let query: Vec<String> = values.iter().filter(|(_, v)| !v.is_empty() && *v != "/").map(|(k, v)| format!("{k}={}", encode(v))).collect();
    let joint = if page.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{page}{joint}{}", query.join("&"))).into_response()
}

/// Where a request came from.
struct Origin {
    address: String,
    request_id: String,
    extensions: Extensions,
}

impl axum::extract::FromRequestParts<AppState> for Origin {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut http::request::Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        let address = address(&parts.headers, &parts.extensions, state.config.trusted_proxy);
        let request_id = parts.extensions.get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default();
        Ok(Self { address, request_id, extensions: parts.extensions.clone() })
    }
}

/// The last proxy's word where a proxy is trusted, else the connection's.
fn address(headers: &HeaderMap, extensions: &Extensions, trusted_proxy: bool) -> String {
    let forwarded = headers
        .get("x-forwarded-for")
        .filter(|_| trusted_proxy)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.rsplit(',').next())
        .map(|v| v.trim().to_owned());
    let connected = || extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip().to_string());
    forwarded.or_else(connected).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_address_counts_only_behind_a_trusted_proxy() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.2.3.4, 10.9.8.7".parse().unwrap());
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 5))));
        assert_eq!(address(&headers, &extensions, false), "127.0.0.1");
        assert_eq!(address(&headers, &extensions, true), "10.9.8.7");
        assert_eq!(address(&HeaderMap::new(), &extensions, true), "127.0.0.1");
    }

    #[test]
    fn a_refused_form_keeps_what_was_typed() {
        let response = back("/sign-in", &[("error", "credentials"), ("name", "ann & bob"), ("next", "/")]);
        assert_eq!(response.headers()["location"], "/sign-in?error=credentials&name=ann%20%26%20bob");
    }
}
