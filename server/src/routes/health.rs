//! For orchestrators and collectors: alive, ready, counted.

use crate::problem::Refusal;
use crate::state::AppState;
use crate::telemetry::Holdings;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header;
use std::time::Duration;

/// How long a part may take to answer before Headroom is not ready.
const PATIENCE: Duration = Duration::from_secs(3);

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new().route("/livez", get(async || "alive\n")).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

async fn ready(State(state): State<AppState>) -> Result<&'static str, Refusal> {
    match tokio::time::timeout(PATIENCE, state.headroom.ready()).await {
        Ok(Ok(())) => Ok("ready\n"),
        Ok(Err(e)) => Err(Refusal::new("unavailable", e.to_string())),
        Err(_) => Err(Refusal::new("unavailable", "the database or a cluster takes more than 3 s to answer")),
    }
}

async fn metrics(State(state): State<AppState>) -> Response {
    let holdings = Holdings::default();
    match state.telemetry.text(&holdings) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response(),
        Err(_) => Refusal::new("internal", "the counters could not be written").into_response(),
    }
}
