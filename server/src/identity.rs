//! Who is asking: a session's user on pages, a bearer token's in the API.

use crate::problem::Refusal;
use crate::request_id::RequestId;
use crate::state::AppState;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use headroom_model::auth::{OpContext, Permission, Person};
use headroom_model::fault::chain;
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, header};
use tower_sessions::Session;

/// The session's key for the user's name.
pub const USER: &str = "user";
/// The session's key for whether a second factor was shown.
pub const PROVEN: &str = "proven";
/// The session's key for whether an identity provider vouches.
pub const VOUCHED: &str = "vouched";
/// The session's key for when it began, microseconds of wall time.
pub const BEGAN: &str = "began";
/// The session's key for where it began.
pub const ADDRESS: &str = "address";
/// The session's key for what the browser says it is.
pub const AGENT: &str = "agent";

/// Somebody who is signed in, with role and teams read anew for every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub Person);

/// Somebody who still has to show a second factor, or to set one up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HalfWay(pub Person);

/// Pages that everybody may see; everything else is for people who have signed in.
const PUBLIC: [&str; 5] = ["/sign-in", "/sign-in/code", "/sign-in/provider", "/sign-in/provider/callback", "/first-run"];
/// Where somebody may go, beside there, who still has to show a second factor.
const HALF_WAY: [&str; 4] = ["/second-factor", "/second-factor/new", "/sign-out", "/fn/second-factor"];

/// What a session proves.
enum Proof {
    Nothing,
    Half(Person),
    Whole(Person),
}

/// Finds the session's user; people who have not signed in are sent to do so.
pub async fn from_session(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let session = request.extensions().get::<Session>().cloned();
    let proof = match session {
        Some(session) => session_user(&state, &session).await,
        None => Ok(Proof::Nothing),
    };
    match proof {
        Err(refusal) => return refusal.into_response(),
        Ok(Proof::Whole(person)) => {
            if let Err(too_many) = state.limits.user(&person.name) {
                return *too_many;
            }
            request.extensions_mut().insert(Caller(person));
        }
        Ok(Proof::Half(person)) => {
            if let Some(elsewhere) = second_factor_first(&request) {
                return elsewhere;
            }
            request.extensions_mut().insert(HalfWay(person));
        }
        Ok(Proof::Nothing) => {
            // A request is not shared between threads, so what needs the database is asked for first. Whom an identity provider signs in
            // need not wait for an administrator; the log says where one is created.
            let alone = request.method() == Method::GET && state.provider.is_none();
            let first_run = alone && state.headroom.needs_first_run().await.unwrap_or(false);
            if let Some(elsewhere) = sign_in_first(&request, first_run) {
                return elsewhere;
            }
        }
    }
    next.run(request).await
}

async fn session_user(state: &AppState, session: &Session) -> Result<Proof, Refusal> {
    let broken = |e: tower_sessions::session::Error| {
        tracing::error!(error = %chain(&e), "the session could not be read");
        Refusal::new("internal", "your session could not be read: try again")
    };
    let Some(name) = session.get::<String>(USER).await.map_err(broken)? else { return Ok(Proof::Nothing) };
    let known = match state.headroom.user(&name).await? {
        Some(known) if !known.locked => known,
        // Locked or removed since: the session is void.
        _ => {
            session.flush().await.map_err(broken)?;
            return Ok(Proof::Nothing);
        }
    };
    let asked = known.second_factor || state.config.sign_in.second_factor.asks(known.person.role);
    let mut proven = !asked;
    for key in [PROVEN, VOUCHED] {
        proven = proven || session.get::<bool>(key).await.map_err(broken)?.unwrap_or(false);
    }
    Ok(if proven { Proof::Whole(known.person) } else { Proof::Half(known.person) })
}

/// The answer to somebody who has yet to show a second factor; `None` lets the request through.
fn second_factor_first(request: &Request) -> Option<Response> {
    let path = request.uri().path();
    if HALF_WAY.contains(&path) || PUBLIC.contains(&path) || crate::site::file(path, request.headers()).is_some() {
        return None;
    }
    if request.method() == Method::GET && path != "/events" && !path.starts_with("/fn/") {
        let wanted = request.uri().path_and_query().map_or("/", |p| p.as_str());
        return Some(Redirect::to(&format!("/second-factor?next={}", encode(local_path(wanted)))).into_response());
    }
    Some(Refusal::new("unauthenticated", "show your second factor first: load the page again").into_response())
}

/// The answer to a page or form of somebody who has not signed in; `None` lets the request through.
fn sign_in_first(request: &Request, first_run: bool) -> Option<Response> {
    let path = request.uri().path();
    if path == "/first-run" || crate::site::file(path, request.headers()).is_some() {
        return None;
    }
    if first_run {
        return Some(Redirect::to("/first-run").into_response());
    }
    let asks_page = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    if PUBLIC.contains(&path) || path == "/sign-out" {
        return None;
    }
    if request.method() == Method::GET && path != "/events" {
        let wanted = request.uri().path_and_query().map_or("/", |p| p.as_str());
        return Some(Redirect::to(&format!("/sign-in?next={}", encode(wanted))).into_response());
    }
    if asks_page {
        return Some(Redirect::to("/sign-in").into_response());
    }
    // A server function called by the page's script answers in its own form; the event stream and the rest refuse.
    (!path.starts_with("/fn/")).then(|| Refusal::new("unauthenticated", "your session has ended: sign in again").into_response())
}

/// Finds a bearer token's user, or refuses.
pub async fn from_token(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let token = bearer(request.headers()).map(str::to_owned);
    let (person, scope) = match token_user(&state, token).await {
        Ok(found) => found,
        Err(refusal) => return refusal.into_response(),
    };
    let mut response = match state.limits.user(&person.name) {
        Err(too_many) => *too_many,
        Ok(()) => {
            let context = OpContext { scope, ..context(&state, request.extensions(), person) };
            request.extensions_mut().insert(context);
            next.run(request).await
        }
    };
    state.limits.announce(&mut response);
    response
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn token_user(state: &AppState, token: Option<String>) -> Result<(Person, Option<Vec<Permission>>), Refusal> {
    let Some(token) = token else {
        return Err(Refusal::new("unauthenticated", "send an API token: Authorization: Bearer … (headroom token create makes one)"));
    };
    let found = state.headroom.token_user(&token).await?;
    found
        .ok_or_else(|| Refusal::new("unauthenticated", "this API token is not valid (any more): make a new one with headroom token create"))
}

/// The context of one request, with both clocks read now.
#[must_use]
pub fn context(state: &AppState, extensions: &Extensions, person: Person) -> OpContext {
    let request_id = extensions.get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default();
    OpContext::of(person, request_id, state.headroom.clocks())
}

/// The context of a request to the API, as [`from_token`] left it.
pub struct Ctx(pub OpContext);

impl<S: Sync> FromRequestParts<S> for Ctx {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<OpContext>().cloned().map(Self).ok_or_else(|| Refusal::new("unauthenticated", "send an API token"))
    }
}

/// Text for a query's value.
#[must_use]
pub fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => out.push(char::from(b)),
            _ => out.push_str(&format!("%{b:02X}")),
        }
        out
    })
}

/// A place to go to after signing in: a path of this site, or `/`.
#[must_use]
pub fn local_path(next: &str) -> &str {
    let own = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'\\')
        && !next.starts_with("/sign-out");
    if own { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_gone_to() {
        for good in ["/", "/recommendations?view=open&team=a", "/services/a%20b"] {
            assert_eq!(local_path(good), good);
        }
        for bad in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: x", "javascript:alert(1)", "/sign-out"]
        {
            assert_eq!(local_path(bad), "/", "{bad}");
        }
    }

    #[test]
    fn queries_are_encoded() {
        assert_eq!(encode("/a?b=c&d=é"), "/a%3Fb%3Dc%26d%3D%C3%A9");
    }
}
