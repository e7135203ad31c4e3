//! `/optimization`: ask for an analysis, look at one, propose own values.

use crate::identity::Ctx;
use crate::problem::Refusal;
use crate::rest::extract::{Body, Id};
use crate::rest::recommendations::Nothing;
use crate::rest::shapes::{JobAnswer, ProblemAnswer, Recommendation, TypeWord};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use headroom_model::ids::JobId;
use headroom_model::view::{AnalyzeRequest, ProposeRequest};
use http::{StatusCode, header};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What to analyse.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the model's AnalyzeRequest, which is what is read")]
pub struct AnalyzeBody {
    /// A service's name, `team:NAME` or `fleet`.
    #[schema(example = "market-data-api")]
    service_name: String,
    /// What to look for; all without.
    #[schema(value_type = Option<Vec<TypeWord>>)]
    optimization_types: Vec<TypeWord>,
    /// How far back; policy's window without.
    #[schema(example = "14d")]
    analysis_period: Option<String>,
    /// Whether predictions are wanted.
    include_predictions: Option<bool>,
    /// Whether low-risk results are to be applied, where policy allows.
    auto_apply: Option<bool>,
}

/// Own values for a service.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the model's ProposeRequest, which is what is read")]
pub struct ProposeBody {
    /// The service's name.
    service_name: String,
    /// Field → wanted value: `containers.NAME.requests.cpu`, `replicas`, `autoscaler.max`, `parameters.NAME`…
    #[schema(example = json!({ "containers.api.requests.cpu": "500m", "replicas": "3" }))]
    fields: BTreeMap<String, String>,
    /// Why.
    reason: Option<String>,
}

/// Analyse a service, a team or the fleet
///
/// Answers at once with the job; a worker does it. Ask for the job until its status is no longer `ANALYZING`.
#[utoipa::path(post, path = "/optimization/analyze", tag = "optimization", request_body = AnalyzeBody, responses(
    (status = 202, description = "The job", body = JobAnswer),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn analyze(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Body(request): Body<AnalyzeRequest>,
) -> Result<impl IntoResponse, Refusal> {
    let job = state.headroom.analyze(&ctx, &request).await?;
    let place = format!("/api/v1/optimization/jobs/{}", job.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(JobAnswer::of(job, Vec::new()))))
}

/// One analysis with its recommendations
#[utoipa::path(get, path = "/optimization/jobs/{job_id}", tag = "optimization", params(("job_id" = String, Path, description = "The job's id")), responses(
    (status = 200, description = "The job", body = JobAnswer),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn job(State(state): State<AppState>, Ctx(ctx): Ctx, Id(id): Id<JobId>) -> Result<Json<JobAnswer>, Refusal> {
    let (job, recommendations) = state.headroom.job(&ctx, id).await?;
    Ok(Json(JobAnswer::of(job, recommendations)))
}

/// Cancel an analysis that waits or is under way
///
/// It writes nothing from now on. One that has ended is a conflict.
#[utoipa::path(post, path = "/optimization/jobs/{job_id}/cancel", tag = "optimization", request_body = Nothing, params(("job_id" = String, Path, description = "The job's id")), responses(
    (status = 200, description = "The job", body = JobAnswer),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn cancel(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Id(id): Id<JobId>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<JobAnswer>, Refusal> {
    Ok(Json(JobAnswer::of(state.headroom.cancel(&ctx, id).await?, Vec::new())))
}

/// Propose own values for a service
///
/// They get the same replay, plan, approval and guards as the engine's proposals.
#[utoipa::path(post, path = "/optimization/propose", tag = "optimization", request_body = ProposeBody, responses(
    (status = 201, description = "The recommendation", body = Recommendation),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn propose(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Body(request): Body<ProposeRequest>,
) -> Result<impl IntoResponse, Refusal> {
    let id = state.headroom.propose(&ctx, &request).await?;
    let page = state.headroom.recommendation(&ctx, id).await?;
    let place = format!("/api/v1/optimization/recommendations/{id}");
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(Recommendation::from(page))))
}
