//! `/deployments`: what began to run when, told by pipelines or seen in clusters.

use crate::identity::Ctx;
use crate::problem::Refusal;
use crate::rest::extract::{Body, Parameters, Rows};
use crate::rest::shapes::{List, ProblemAnswer};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use headroom_model::deployment::{Deploy, Deployment};
use headroom_model::time::Timestamp;
use headroom_model::view::DeploymentQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A deploy that was made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The service that runs another version from then on.
    #[schema(example = "market-data-api")]
    service_name: String,
    /// What runs: a version or an image.
    #[schema(example = "1.4.2")]
    version: String,
    /// When, RFC 3339 or seconds since 1970, wall time; now without.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    at: Option<Timestamp>,
    /// The commit that it was built from.
    #[serde(default)]
    commit: Option<String>,
    /// Where more is told of it: an address that begins with https:// or http://.
    #[serde(default)]
    link: Option<String>,
}

/// Which deploys; the newest come first.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeploymentParameters {
    /// Exact service name.
    service_name: String,
    /// Where to go on: a page's `next_cursor`.
    cursor: String,
    /// Rows per page, 1 to 200; 50 without.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Rows,
}

/// A deploy.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeploymentItem {
    /// Its id.
    deployment_id: String,
    /// The service.
    service_name: String,
    /// What runs from then on.
    version: String,
    /// The commit that it was built from.
    commit: Option<String>,
    /// Where more is told of it.
    link: Option<String>,
    /// Wall time.
    at: String,
    /// Cluster time.
    cluster_at: String,
    /// `told`, or `seen` where the cluster showed it first.
    source: &'static str,
}

impl From<Deployment> for DeploymentItem {
    fn from(d: Deployment) -> Self {
        Self {
            deployment_id: d.id.to_string(),
            service_name: d.service_name,
            version: d.version,
            commit: d.commit,
            link: d.link,
            at: d.at.to_string(),
            cluster_at: d.cluster_at.to_string(),
            source: if d.seen { "seen" } else { "told" },
        }
    }
}

/// Tell of a deploy
///
/// Told again, or seen in the cluster as well, within an hour and with no other version between, it is the same deploy.
#[utoipa::path(post, path = "/deployments", tag = "deployments", request_body = Told, responses(
    (status = 200, description = "The deploy as it is kept", body = DeploymentItem),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn record(State(state): State<AppState>, Ctx(ctx): Ctx, Body(told): Body<Told>) -> Result<Json<DeploymentItem>, Refusal> {
    let deploy = Deploy { version: told.version, at: told.at, commit: told.commit, link: told.link };
    Ok(Json(state.headroom.record_deployment(&ctx, &told.service_name, &deploy).await?.into()))
}

/// List deploys
#[utoipa::path(get, path = "/deployments", tag = "deployments", params(DeploymentParameters), responses(
    (status = 200, description = "A page of deploys, the newest first", body = List<DeploymentItem>),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn list(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Parameters(p): Parameters<DeploymentParameters>,
) -> Result<Json<List<DeploymentItem>>, Refusal> {
    let query = DeploymentQuery { service_name: p.service_name, cursor: p.cursor, limit: p.limit.0 };
    Ok(Json(List::of(state.headroom.deployments(&ctx, &query).await?, DeploymentItem::from)))
}
