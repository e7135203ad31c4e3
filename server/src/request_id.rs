//! Every request gets an id: in the log, in the answer's `x-request-id`, in problems and in the audit chain.

use crate::state::AppState;
use crate::traces;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use std::time::Instant;
use tracing::Instrument;

/// The id of this request, a UUID of version 7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request its id, logs it, and counts it.
pub async fn follow(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let id = uuid::Uuid::now_v7().to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    // Not the path: with ids in them, each would be a metric of its own.
    let route = request.extensions().get::<MatchedPath>().map_or("other", |m| m.as_str()).to_owned();
    let span =
        tracing::info_span!("request", %id, %method, %path, route, status = tracing::field::Empty, otel.name = format!("{method} {route}"));
    traces::join(&span, request.headers());
    let begin = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = begin.elapsed();
    let status = response.status().as_u16();
    span.record("status", status);
    state.telemetry.request(method.as_str(), &route, status, took);
    span.in_scope(|| tracing::debug!(status, ms = took.as_millis() as u64, "answered"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}
