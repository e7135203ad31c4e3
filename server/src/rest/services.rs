//! `/services`: what is watched, and one service with its state, parameters and newest metrics.

use crate::identity::Ctx;
use crate::problem::Refusal;
use crate::rest::extract::{Id, Parameters, Rows};
use crate::rest::shapes::{List, ProblemAnswer, Service, ServiceItem, VerdictWord};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use headroom_model::recommendation::Verdict;
use headroom_model::time::Timestamp;
use headroom_model::view::{Anomaly, Causes, Forecast, ServiceClass, ServiceQuery};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which services.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ServiceParameters {
    /// Part of the name.
    q: String,
    /// Exact team.
    team: String,
    /// Exact namespace.
    namespace: String,
    /// The worst verdict of its resources.
    #[param(value_type = Option<VerdictWord>)]
    verdict: Option<Verdict>,
    /// `name`, `cost`, `cpu`, `memory`, `latency`, `requests`, `saving`; `-` before it turns it round.
    sort: String,
    /// Where to go on: a page's `next_cursor`.
    cursor: String,
    /// Rows per page, 1 to 200; 50 without.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Rows,
}

/// List services
#[utoipa::path(get, path = "/services", tag = "services", params(ServiceParameters), responses(
    (status = 200, description = "A page of services", body = List<ServiceItem>),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn list(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Parameters(p): Parameters<ServiceParameters>,
) -> Result<Json<List<ServiceItem>>, Refusal> {
    let query = ServiceQuery {
        q: p.q,
        team: p.team,
        namespace: p.namespace,
        verdict: p.verdict.map(|v| v.to_string()).unwrap_or_default(),
        sort: p.sort,
        cursor: p.cursor,
        limit: p.limit.0,
    };
    let page = state.headroom.services(&ctx, &query).await?;
    Ok(Json(List::of(page, ServiceItem::from)))
}

/// One service: state, parameters, newest metrics
///
/// The name is bare where it is unique, else `cluster:namespace:name`.
#[utoipa::path(get, path = "/services/{service_name}", tag = "services", params(("service_name" = String, Path, description = "The service's name")), responses(
    (status = 200, description = "The service", body = Service),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn show(State(state): State<AppState>, Ctx(ctx): Ctx, Id(name): Id<String>) -> Result<Json<Service>, Refusal> {
    Ok(Json(state.headroom.service(&ctx, &name).await?.into()))
}

/// Which anomaly.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InsightParameters {
    /// The begin (`from`) of the anomaly whose causes are wanted; the newest of latency or errors without.
    #[param(value_type = Option<String>)]
    at: Option<Timestamp>,
}

/// What is seen in a service beyond its size. Values are in the metrics' units, times are the cluster's.
#[derive(Debug, Serialize, ToSchema)]
pub struct Insights {
    /// The service.
    service_name: String,
    /// Per metric `outlook`: `ahead` with `steps` (`at`, `mean`, `lo95`, `hi95`), `method`, `error`, `peak` and, for what fills,
    /// `runs_out` (`earliest`, `likely`, `latest`); or `refused` with the reason.
    #[schema(value_type = Vec<Object>)]
    forecasts: Vec<Forecast>,
    /// From when on anomalies are looked for.
    since: String,
    /// Newest first: `metric`, `from`, `to`, `score` (0.5 to 1), `observed`, `usual`, and what was done shortly before.
    #[schema(value_type = Vec<Object>)]
    anomalies: Vec<Anomaly>,
    /// What began one of them: the services that it may have been, the most suspicious first, each with its reason; null without one.
    #[schema(value_type = Option<Object>)]
    causes: Option<Causes>,
    /// The services that it is like, and how it does among them; null before a fleet was analysed.
    #[schema(value_type = Option<Object>)]
    class: Option<ServiceClass>,
}

/// What is seen in one service: forecasts, anomalies, causes, its class
///
/// Worked out from its samples when it is asked for. What was worked out up to two hours of samples ago may be answered with.
#[utoipa::path(get, path = "/services/{service_name}/insights", tag = "services",
    params(("service_name" = String, Path, description = "The service's name"), InsightParameters), responses(
    (status = 200, description = "What is seen", body = Insights),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn insights(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Id(name): Id<String>,
    Parameters(asked): Parameters<InsightParameters>,
) -> Result<Json<Insights>, Refusal> {
    let (seen, _) = state.headroom.insights(&ctx, &name, asked.at).await?;
    Ok(Json(Insights {
        service_name: seen.service_name,
        forecasts: seen.forecasts,
        since: seen.since.to_string(),
        anomalies: seen.anomalies,
        causes: seen.causes,
        class: seen.class,
    }))
}
