//! For orchestrators and collectors: alive, ready, counted.

use crate::problem::Refusal;
use crate::state::AppState;
use crate::telemetry::Holdings;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use headroom_model::auth::Teams;
use headroom_model::fault::chain;
use headroom_service::Error;
use http::header;
use std::collections::BTreeMap;
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
        Ok(Err(error)) => {
            tracing::warn!(error = %chain(&error), "not ready");
            // Anybody may ask: what exactly does not answer, and where it is, is for the log.
            let part = if matches!(error, Error::Infra(_)) { "a cluster" } else { "the database" };
            Err(Refusal::new("unavailable", format!("{part} does not answer: the log says more")))
        }
        Err(_) => Err(Refusal::new("unavailable", "the database or a cluster takes more than 3 s to answer")),
    }
}

async fn metrics(State(state): State<AppState>) -> Response {
    let holdings = match holdings(&state).await {
        Ok(holdings) => holdings,
        Err(e) => return Refusal::from(Error::from(e)).into_response(),
    };
    match state.telemetry.text(&holdings) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response(),
        Err(_) => Refusal::new("internal", "the counters could not be written").into_response(),
    }
}

async fn holdings(state: &AppState) -> headroom_store::Result<Holdings> {
    let store = state.headroom.store();
    // Nobody's name: every change that waits is counted.
    let counts = store.counts("", &Teams::ALL).await?;
    let mut work = BTreeMap::<String, i64>::new();
    for open in store.open_work().await? {
        *work.entry(open.kind).or_default() += 1;
    }
    Ok(Holdings {
        services: counts.services.into(),
        open: counts.open.into(),
        waiting: counts.waiting.into(),
        active: counts.active_changes.into(),
        newest_sample: counts.newest_sample.map_or(0, |t| t.secs()),
        work: work.into_iter().collect(),
    })
}
