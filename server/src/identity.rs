//! Who is asking: a session's user on pages, a bearer token's in the API.

use crate::problem::Refusal;
use crate::request_id::RequestId;
use crate::state::AppState;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use headroom_model::auth::{OpContext, Role};
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, header};
use tower_sessions::Session;

/// The session's key for the user's name.
pub const USER: &str = "user";

/// A signed-in user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Their name.
    pub name: String,
    /// Their role, read anew for every request.
    pub role: Role,
}

/// Pages that everybody may see; everything else is for people who have signed in.
const PUBLIC: [&str; 3] = ["/sign-in", "/sign-in/code", "/first-run"];

/// Finds the session's user; people who have not signed in are sent to do so.
pub async fn from_session(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let session = request.extensions().get::<Session>().cloned();
    let caller = match session {
        Some(session) => session_user(&state, &session).await,
        None => Ok(None),
    };
    match caller {
        Err(refusal) => return refusal.into_response(),
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
        }
        Ok(None) => {
            // A request is not shared between threads, so what needs the database is asked for first.
            let first_run = request.method() == Method::GET && state.headroom.needs_first_run().await.unwrap_or(false);
            if let Some(elsewhere) = sign_in_first(&request, first_run) {
                return elsewhere;
            }
        }
    }
    next.run(request).await
}

async fn session_user(state: &AppState, session: &Session) -> Result<Option<Caller>, Refusal> {
    let broken = |e: tower_sessions::session::Error| {
        tracing::error!(error = %e, "the session could not be read");
        Refusal::new("internal", "your session could not be read: try again")
    };
    let Some(name) = session.get::<String>(USER).await.map_err(broken)? else { return Ok(None) };
    match state.headroom.user(&name).await? {
        Some((role, false)) => Ok(Some(Caller { name, role })),
        // Locked or removed since: the session is void.
        _ => {
            session.flush().await.map_err(broken)?;
            Ok(None)
        }
    }
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
    match token_user(&state, token).await {
        Ok(caller) => {
            let context = context(&state, request.extensions(), caller);
            request.extensions_mut().insert(context);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn token_user(state: &AppState, token: Option<String>) -> Result<Caller, Refusal> {
    let Some(token) = token else {
        return Err(Refusal::new("unauthenticated", "send an API token: Authorization: Bearer … (headroom token create makes one)"));
    };
    match state.headroom.token_user(&token).await? {
        Some(who) => Ok(Caller { name: who.name, role: who.role }),
        None => Err(Refusal::new("unauthenticated", "this API token is not valid (any more): make a new one with headroom token create")),
    }
}

/// The context of one request, with both clocks read now.
#[must_use]
pub fn context(state: &AppState, extensions: &Extensions, caller: Caller) -> OpContext {
    let request_id = extensions.get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default();
    OpContext { actor: caller.name, role: Some(caller.role), request_id, now: state.headroom.clocks() }
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
