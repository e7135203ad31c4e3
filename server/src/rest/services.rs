//! `/services`: what is watched, and one service with its state, parameters and newest metrics.

use crate::identity::Ctx;
use crate::problem::Refusal;
use crate::rest::extract::{Parameters, limit};
use crate::rest::shapes::{List, ProblemAnswer, Service, ServiceItem, VerdictWord};
use crate::state::AppState;
use axum::Json;
use axum::extract::{Path, State};
use headroom_model::recommendation::Verdict;
use headroom_model::view::ServiceQuery;
use serde::Deserialize;
use utoipa::IntoParams;

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
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
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
        limit: limit(p.limit)?,
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
pub async fn show(State(state): State<AppState>, Ctx(ctx): Ctx, Path(name): Path<String>) -> Result<Json<Service>, Refusal> {
    Ok(Json(state.headroom.service(&ctx, &name).await?.into()))
}
