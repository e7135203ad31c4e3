//! `Idempotency-Key` on everything that changes something: the same key and request have the same answer, another request is refused.

use crate::identity::Ctx;
use crate::problem::{PROBLEM_JSON, Refusal, body};
use crate::rest::extract::too_large;
use crate::routes::LARGEST_BODY;
use crate::state::AppState;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use headroom_model::auth::OpContext;
use headroom_model::problem::Problem;
use http::{HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Requests under way in this process: a second one with the same key has to wait for the first one's answer.
static UNDER_WAY: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// Answers from memory where the key was used for this very request, else lets it through and remembers the answer.
pub async fn replay(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Some(key) = request.headers().get(KEY).filter(|_| !request.method().is_safe()) else { return next.run(request).await };
    let key = match key.to_str() {
        Ok(key) => key.trim().to_owned(),
        Err(_) => {
            return Refusal(Problem::new("invalid", "a key has 1 to 200 characters of ASCII").in_field("Idempotency-Key")).into_response();
        }
    };
    answer(&state, key, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(state: &AppState, key: String, request: Request, next: Next) -> Result<Response, Refusal> {
    let (mut parts, incoming) = request.into_parts();
    let Ctx(ctx) = Ctx::from_request_parts(&mut parts, state).await?;
    let bytes = to_bytes(incoming, LARGEST_BODY).await.map_err(|_| too_large())?;
    let path = parts.extensions.get::<axum::extract::OriginalUri>().map_or(parts.uri.path(), |u| u.0.path());
    let fingerprint = format!("{} {path} {}", parts.method, hex::encode(Sha256::digest(&bytes)));
    let Some(_turn) = Turn::take(format!("{} {key}", ctx.actor)) else {
        return Err(Refusal::new("conflict", "a request with this idempotency key is under way: wait for its answer"));
    };
    if let Some(known) = state.headroom.replayed(&ctx, &key, &fingerprint).await? {
        return Ok(again(known));
    }
    let work = next.run(Request::from_parts(parts, Body::from(bytes)));
    let (response, claim) = state.headroom.claimed(&ctx, &key, &fingerprint, work).await;
    let (status, text) = text_of(response, &ctx).await?;
    // What passes by itself, and what was not read at all, is no answer to keep: the key is for the request as it should have been.
    if matches!(status, 400 | 401 | 413 | 415 | 429 | 503) || state.headroom.remember(&claim, status, &text).await? {
        return Ok(written(status, text));
    }
    // Another process had the same request in hand, and its answer is the answer.
    let known = state.headroom.replayed(&ctx, &key, &fingerprint).await?;
    Ok(known.map_or_else(|| written(status, text), again))
}

fn again((status, body): (u16, Vec<u8>)) -> Response {
    let mut response = written(status, body);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

async fn text_of(response: Response, ctx: &OpContext) -> Result<(u16, Vec<u8>), Refusal> {
    let status = response.status().as_u16();
    if let Some(Refusal(problem)) = response.extensions().get::<Refusal>() {
        let problem = Problem { request_id: Some(ctx.request_id.clone()), ..problem.clone() };
        return Ok((status, body(&problem).to_string().into_bytes()));
    }
    let bytes = to_bytes(response.into_body(), usize::MAX).await.map_err(|_| Refusal::new("internal", "the answer was cut off"))?;
    Ok((status, bytes.to_vec()))
}

fn written(status: u16, text: Vec<u8>) -> Response {
    let kind = if status >= 400 { PROBLEM_JSON } else { "application/json" };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, kind)], text).into_response()
}

/// The right to work on a key; given back when dropped.
struct Turn(String);

impl Turn {
    fn take(key: String) -> Option<Self> {
        let mut held = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_or_insert_default().insert(key.clone()).then(|| Self(key))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(held) = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            held.remove(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_worked_on_by_one_request_at_a_time() {
        let take = || Turn::take("ann a".to_owned());
        let first = take();
        assert!(first.is_some());
        assert!(take().is_none() && take().is_none(), "a refusal does not give the key back");
        drop(first);
        assert!(take().is_some());
    }
}
