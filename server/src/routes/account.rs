//! Signing in and out, one's password and second factor: plain forms, which work without JavaScript.
//!
//! A form that is refused sends the browser back to its page with `error` (`credentials`, `code`, `wait`, `invalid`, `provider`,
//! `no-role`, `not-here`), `field` where one is meant, and what was typed (never a password), so that the page can say it beside the field.

use crate::address::address;
use crate::identity::{ADDRESS, AGENT, BEGAN, Caller, HalfWay, PROVEN, USER, VOUCHED, context, encode, local_path};
use crate::oidc::{Begun, Fault};
use crate::problem::Refusal;
use crate::request_id::RequestId;
use crate::sessions::key;
use crate::state::AppState;
use crate::throttle::Attempt;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use headroom_model::auth::Person;
use headroom_model::fault::chain;
use headroom_model::problem::Problem;
use headroom_service::Error;
use http::{Extensions, header};
use serde::Deserialize;
use tower_sessions::Session;

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/sign-in", post(with_password))
        .route("/sign-in/code", post(with_code))
        .route("/sign-out", post(sign_out))
        .route("/sign-in/provider", post(to_provider))
        .route("/sign-in/provider/callback", get(from_provider))
        .route("/second-factor", post(second_factor))
        .route("/second-factor/new", post(enrol))
        .route("/account/password", post(set_password))
        .route("/account/second-factor/remove", post(remove_second_factor))
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
    let back = |error: &str| redirect_back("/sign-in", &[("error", error), ("name", &form.name), ("next", local_path(&form.next))]);
    let Some(attempt) = state.throttle.attempt(&form.name, &origin.address, now).await else { return Ok(back("wait")) };
    match state.headroom.sign_in_with_password(&form.name, &form.password, &origin.request_id).await {
        Ok(signed_in) => {
            attempt.succeeded();
            begin(&session, &state, &origin, &signed_in, false).await?;
            Ok(Redirect::to(local_path(&form.next)).into_response())
        }
        Err(e) => guessed(e, attempt, |error| back(if error.status == 401 { "credentials" } else { "invalid" })),
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
    let back = |error: &str| redirect_back("/sign-in/code", &[("error", error), ("next", local_path(&form.next))]);
    let Some(attempt) = state.throttle.attempt("a code", &origin.address, now).await else { return Ok(back("wait")) };
    match state.headroom.sign_in_with_code(&form.code, &origin.request_id).await {
        Ok(signed_in) => {
            attempt.not_a_guess();
            begin(&session, &state, &origin, &signed_in, false).await?;
            Ok(Redirect::to(local_path(&form.next)).into_response())
        }
        Err(e) => guessed(e, attempt, |_| back("code")),
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
    let back = |error: &str, field: &str| redirect_back("/first-run", &[("error", error), ("field", field), ("name", &form.name)]);
    let Some(attempt) = state.throttle.attempt("first run", &origin.address, now).await else { return Ok(back("wait", "")) };
    match state.headroom.first_run(&form.code, &form.name, &form.password, &origin.request_id).await {
        Ok(signed_in) => {
            attempt.not_a_guess();
            begin(&session, &state, &origin, &signed_in, false).await?;
            Ok(Redirect::to("/").into_response())
        }
        Err(e) => guessed(e, attempt, |error| {
            back(if error.status == 401 { "code" } else { "invalid" }, error.field.as_deref().unwrap_or("code"))
        }),
    }
}

async fn sign_out(State(state): State<AppState>, session: Session, origin: Origin) -> Result<Response, Refusal> {
    session.flush().await.map_err(broken)?;
    if let Some((person, _)) = origin.anybody() {
        state.headroom.signed_out(&context(&state, &origin.extensions, person)).await?;
    }
    Ok(Redirect::to("/sign-in").into_response())
}

/// Sends the browser to the identity provider.
async fn to_provider(State(state): State<AppState>, session: Session, Form(form): Form<Next>) -> Result<Response, Refusal> {
    let Some(provider) = &state.provider else { return Ok(redirect_back("/sign-in", &[("error", "provider")])) };
    match provider.begin(local_path(&form.next)).await {
        Ok((url, begun)) => {
            session.insert(PROVIDER, begun).await.map_err(broken)?;
            Ok(go_on_at(&url))
        }
        Err(fault) => Ok(not_provided(&fault)),
    }
}

/// A page that goes on to another site by itself. A redirect would be a form leading there, which the pages' policy forbids.
fn go_on_at(url: &str) -> Response {
    let url = url.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url={url}\"><title>Signing in · \
         Headroom</title><p><a href=\"{url}\">Go on to your identity provider</a>"
    );
    Html(page).into_response()
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

/// The session's key for a sign-in that is with the provider.
const PROVIDER: &str = "provider";

/// What the provider sends the browser back with.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    code: String,
    state: String,
    error: String,
}

/// The provider's answer. The one look that changes something: it starts a session, for who holds both the cookie of this sign-in and the
/// provider's code.
async fn from_provider(
    State(state): State<AppState>,
    session: Session,
    origin: Origin,
    Query(answer): Query<Answer>,
) -> Result<Response, Refusal> {
    let begun = session.remove::<Begun>(PROVIDER).await.map_err(broken)?;
    let (Some(provider), Some(begun)) = (&state.provider, begun) else { return Ok(not_provided(&Fault::NotAsked)) };
    if !answer.error.is_empty() {
        return Ok(not_provided(&Fault::Provider(format!("it refused: {:.100}", answer.error))));
    }
    let next = begun.next.clone();
    let provided = match provider.finish(begun, &answer.state, answer.code).await {
        Ok(provided) => provided,
        Err(fault) => return Ok(not_provided(&fault)),
    };
    match state.headroom.sign_in_provided(&provided, &origin.request_id).await {
        Ok(person) => {
            begin(&session, &state, &origin, &person, true).await?;
            Ok(Redirect::to(&next).into_response())
        }
        Err(e) => refused(e, |problem| {
            tracing::warn!(name = provided.name, "not signed in: {}", problem.detail);
            redirect_back("/sign-in", &[("error", "not-here")])
        }),
    }
}

/// The reason is for the log: what stands in an address is not to be believed.
fn not_provided(fault: &Fault) -> Response {
    tracing::warn!("not signed in: {fault}");
    let word = if matches!(fault, Fault::NoRole { .. }) { "no-role" } else { "provider" };
    redirect_back("/sign-in", &[("error", word)])
}

/// Makes the secret of a second factor; the page shows it.
async fn enrol(State(state): State<AppState>, origin: Origin, Form(form): Form<Next>) -> Result<Response, Refusal> {
    let Some((person, page)) = origin.anybody() else { return Ok(Redirect::to("/sign-in").into_response()) };
    let next = local_path(&form.next);
    let ctx = context(&state, &origin.extensions, person);
    match state.headroom.enrol_second_factor(&ctx).await {
        Ok(()) => Ok(redirect_back(page, &[("next", next)])),
        Err(e) => refused(e, |_| redirect_back(page, &[("error", "invalid"), ("next", next)])),
    }
}

#[derive(Deserialize)]
struct FactorForm {
    code: String,
    #[serde(default)]
    next: String,
}

/// Takes a code: the first sets the second factor up, later ones finish signing in.
async fn second_factor(
    State(state): State<AppState>,
    session: Session,
    origin: Origin,
    Form(form): Form<FactorForm>,
) -> Result<Response, Refusal> {
    let Some((person, page)) = origin.anybody() else { return Ok(Redirect::to("/sign-in").into_response()) };
    let (now, name) = (state.headroom.clocks().wall, format!("second factor of {}", person.name));
    let back = |error: &str| redirect_back(page, &[("error", error), ("field", "code"), ("next", local_path(&form.next))]);
    let Some(attempt) = state.throttle.attempt(&name, &origin.address, now).await else { return Ok(back("wait")) };
    let ctx = context(&state, &origin.extensions, person);
    match state.headroom.pass_second_factor(&ctx, &form.code).await {
        Ok(()) => {
            attempt.succeeded();
            session.cycle_id().await.map_err(broken)?;
            session.insert(PROVEN, true).await.map_err(broken)?;
            let done = if page == "/account" { redirect_back(page, &[("done", "second-factor")]) } else { go(&form.next) };
            Ok(done)
        }
        Err(e) => guessed(e, attempt, |_| back("code")),
    }
}

/// Removes a second factor, for one of its codes. What it had proved falls away with it, here and in every other browser.
async fn remove_second_factor(
    State(state): State<AppState>,
    session: Session,
    origin: Origin,
    Form(form): Form<FactorForm>,
) -> Result<Response, Refusal> {
    let Some(person) = origin.caller() else { return Ok(Redirect::to("/sign-in").into_response()) };
    let (now, name) = (state.headroom.clocks().wall, format!("second factor of {}", person.name));
    let back = |error: &str| redirect_back("/account", &[("error", error), ("field", "code")]);
    let Some(attempt) = state.throttle.attempt(&name, &origin.address, now).await else { return Ok(back("wait")) };
    let ctx = context(&state, &origin.extensions, person);
    let this = session.id().map(|id| key(&id)).unwrap_or_default();
    match state.headroom.remove_second_factor(&ctx, &form.code, &this).await {
        Ok(()) => {
            attempt.succeeded();
            session.remove::<bool>(PROVEN).await.map_err(broken)?;
            session.cycle_id().await.map_err(broken)?;
            Ok(redirect_back("/account", &[("done", "removed")]))
        }
        Err(e) => guessed(e, attempt, |_| back("code")),
    }
}

#[derive(Deserialize)]
struct NewPassword {
    #[serde(default)]
    current: String,
    password: String,
}

async fn set_password(
    State(state): State<AppState>,
    session: Session,
    origin: Origin,
    Form(form): Form<NewPassword>,
) -> Result<Response, Refusal> {
    let Some(person) = origin.caller() else { return Ok(Redirect::to("/sign-in").into_response()) };
    let (now, name) = (state.headroom.clocks().wall, format!("password of {}", person.name));
    let Some(attempt) = state.throttle.attempt(&name, &origin.address, now).await else {
        return Ok(redirect_back("/account", &[("error", "wait"), ("field", "current")]));
    };
    let ctx = context(&state, &origin.extensions, person);
    let this = session.id().map(|id| key(&id)).unwrap_or_default();
    match state.headroom.set_password(&ctx, &form.current, &form.password, &this).await {
        Ok(()) => {
            attempt.succeeded();
            session.cycle_id().await.map_err(broken)?;
            Ok(redirect_back("/account", &[("done", "password")]))
        }
        // What is wrong with the new password is no guess at the old one.
        Err(e @ Error::Invalid { .. }) if !e.is_about("current") => {
            attempt.not_a_guess();
            refused(e, weak_or_wrong)
        }
        Err(e) => guessed(e, attempt, weak_or_wrong),
    }
}

fn weak_or_wrong(problem: &Problem) -> Response {
    redirect_back("/account", &[("error", "invalid"), ("field", problem.field.as_deref().unwrap_or("password"))])
}

/// Starts a session under a new id, so that an id known before is worth nothing. `vouched` says that an identity provider
/// has asked for what a second factor would prove.
async fn begin(session: &Session, state: &AppState, origin: &Origin, who: &Person, vouched: bool) -> Result<(), Refusal> {
    session.clear().await;
    session.cycle_id().await.map_err(broken)?;
    session.insert(USER, &who.name).await.map_err(broken)?;
    session.insert(BEGAN, state.headroom.clocks().wall.micros()).await.map_err(broken)?;
    session.insert(ADDRESS, &origin.address).await.map_err(broken)?;
    session.insert(AGENT, &origin.agent).await.map_err(broken)?;
    if vouched {
        session.insert(VOUCHED, true).await.map_err(broken)?;
    }
    Ok(())
}

fn go(next: &str) -> Response {
    Redirect::to(local_path(next)).into_response()
}

fn broken(error: tower_sessions::session::Error) -> Refusal {
    tracing::error!(error = %chain(&error), "the session could not be written");
    Refusal::new("internal", "your session could not be written: try again")
}

/// What the person can mend goes back to their form; the rest is a fault.
fn refused(error: Error, mend: impl FnOnce(&Problem) -> Response) -> Result<Response, Refusal> {
    let problem = Problem::from(error);
    if problem.status >= 500 { Err(Refusal(problem)) } else { Ok(mend(&problem)) }
}

/// The same for an attempt at a secret: a fault of Headroom's says nothing about the guess.
fn guessed(error: Error, attempt: Attempt<'_>, mend: impl FnOnce(&Problem) -> Response) -> Result<Response, Refusal> {
    let answer = refused(error, mend);
    if answer.is_err() {
        attempt.not_a_guess();
    }
    answer
}

fn redirect_back(page: &str, values: &[(&str, &str)]) -> Response {
    let query: Vec<String> = values.iter().filter(|(_, v)| !v.is_empty() && *v != "/").map(|(k, v)| format!("{k}={}", encode(v))).collect();
    let query = query.join("&");
    let joint = if query.is_empty() { "" } else { "?" };
    Redirect::to(&format!("{page}{joint}{query}")).into_response()
}

/// Where a request came from, and whose it is.
struct Origin {
    address: String,
    agent: String,
    request_id: String,
    extensions: Extensions,
}

impl Origin {
    /// Who is signed in.
    fn caller(&self) -> Option<Person> {
        self.extensions.get::<Caller>().map(|c| c.0.clone())
    }
    /// Who is signed in, or half-way; with the page that shows their second factor.
    fn anybody(&self) -> Option<(Person, &'static str)> {
        let half_way = self.extensions.get::<HalfWay>().map(|h| (h.0.clone(), "/second-factor"));
        half_way.or_else(|| Some((self.caller()?, "/account")))
    }
}

impl axum::extract::FromRequestParts<AppState> for Origin {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut http::request::Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        let agent = parts.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        Ok(Self {
            address: address(&parts.headers, &parts.extensions, state.config.trusted_proxy),
            agent: agent.chars().take(200).collect(),
            request_id: parts.extensions.get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default(),
            extensions: parts.extensions.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_form_keeps_what_was_typed() {
        let response = redirect_back("/sign-in", &[("error", "credentials"), ("name", "ann & bob"), ("next", "/")]);
        assert_eq!(response.headers()["location"], "/sign-in?error=credentials&name=ann%20%26%20bob");
    }
}
