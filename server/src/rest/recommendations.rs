//! `/optimization/recommendations`: read them, and carry one through submission, approval, apply and roll-back.

use crate::identity::Ctx;
use crate::problem::Refusal;
use crate::rest::extract::{Body, Id, Parameters, Rows};
use crate::rest::shapes::{JobAnswer, List, ProblemAnswer, Recommendation, RiskWord, StatusWord, TypeWord};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use headroom_model::auth::OpContext;
use headroom_model::ids::RecommendationId;
use headroom_model::job::{OptimizationStatus, OptimizationType};
use headroom_model::plan::PlanHash;
use headroom_model::recommendation::Risk;
use headroom_model::time::Timestamp;
use headroom_model::view::RecommendationQuery;
use http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Which recommendations.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecommendationParameters {
    /// Exact service name.
    service_name: String,
    /// What it improves.
    #[param(value_type = Option<TypeWord>)]
    optimization_type: Option<OptimizationType>,
    /// The coarse state.
    #[param(value_type = Option<StatusWord>)]
    status: Option<OptimizationStatus>,
    /// Exact team.
    team: String,
    /// What may go wrong, at most.
    #[param(value_type = Option<RiskWord>)]
    risk: Option<Risk>,
    /// `open`, `waiting`, `progress`, `done` or `all`; all without.
    view: String,
    /// `saving`, `confidence`, `service`, `priority`, `created`; `-` before it turns it round.
    sort: String,
    /// Where to go on: a page's `next_cursor`.
    cursor: String,
    /// Rows per page, 1 to 200; 50 without.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Rows,
}

/// The plan that was seen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// `plan_hash` as the recommendation showed it.
    #[schema(value_type = String, min_length = 64, max_length = 64)]
    plan_hash: PlanHash,
}

/// The plan that was seen, and when to carry it out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// `plan_hash` as the recommendation showed it.
    #[schema(value_type = String, min_length = 64, max_length = 64)]
    plan_hash: PlanHash,
    /// Cluster time before which it is not carried out; at once without.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
}

/// A reason.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// Why, in words.
    #[serde(default)]
    reason: String,
}

/// Why it is put aside, and until when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Aside {
    /// Why, in words.
    #[serde(default)]
    reason: String,
    /// Cluster time at which it is open again by itself; without, until somebody opens it.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// Something to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// What.
    text: String,
}

/// Nothing to say: an empty body or `{}`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

type Answer = Result<Json<Recommendation>, Refusal>;

async fn shown(state: &AppState, ctx: &OpContext, id: RecommendationId) -> Answer {
    Ok(Json(state.headroom.recommendation(ctx, id).await?.into()))
}

async fn with_its_job(state: &AppState, ctx: &OpContext, id: RecommendationId) -> Result<(StatusCode, Json<JobAnswer>), Refusal> {
    let page = state.headroom.recommendation(ctx, id).await?;
    let (job, recommendations) = state.headroom.job(ctx, page.recommendation.job_id).await?;
    Ok((StatusCode::ACCEPTED, Json(JobAnswer::of(job, recommendations))))
}

/// List recommendations
#[utoipa::path(get, path = "/optimization/recommendations", tag = "recommendations", params(RecommendationParameters), responses(
    (status = 200, description = "A page of recommendations", body = List<Recommendation>),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn list(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Parameters(p): Parameters<RecommendationParameters>,
) -> Result<Json<List<Recommendation>>, Refusal> {
    let query = RecommendationQuery {
        view: if p.view.is_empty() { "all".to_owned() } else { p.view },
        service_name: p.service_name,
        optimization_type: p.optimization_type.map(|v| v.to_string()).unwrap_or_default(),
        status: p.status.map(|v| v.to_string()).unwrap_or_default(),
        team: p.team,
        risk: p.risk.map(|v| v.to_string()).unwrap_or_default(),
        sort: p.sort,
        cursor: p.cursor,
        limit: p.limit.0,
        uncounted: true,
    };
    let page = state.headroom.recommendations(&ctx, &query).await?;
    let ids: Vec<RecommendationId> = page.items.iter().map(|row| row.id).collect();
    let whole = state.headroom.recommendation_pages(&ctx, &ids).await?;
    Ok(Json(List { items: whole.into_iter().map(Recommendation::from).collect(), next_cursor: page.next_cursor }))
}

/// One recommendation, whole
#[utoipa::path(get, path = "/optimization/recommendations/{recommendation_id}", tag = "recommendations",
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The recommendation", body = Recommendation),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn show(State(state): State<AppState>, Ctx(ctx): Ctx, Id(id): Id<RecommendationId>) -> Answer {
    shown(&state, &ctx, id).await
}

/// Submit it for approval
///
/// From now on it shows `plan_hash`, which an approval and an apply have to carry.
#[utoipa::path(post, path = "/optimization/recommendations/{recommendation_id}/submit", tag = "recommendations",
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The recommendation", body = Recommendation),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn submit(State(state): State<AppState>, Ctx(ctx): Ctx, Id(id): Id<RecommendationId>, Body(Nothing {}): Body<Nothing>) -> Answer {
    state.headroom.submit(&ctx, id).await?;
    shown(&state, &ctx, id).await
}

/// Approve exactly the plan that was seen
#[utoipa::path(post, path = "/optimization/recommendations/{recommendation_id}/approve", tag = "recommendations", request_body = Seen,
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The recommendation", body = Recommendation),
    (status = 409, description = "Another plan than the one seen, or too late: nothing was changed", body = ProblemAnswer, content_type = "application/problem+json"),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn approve(State(state): State<AppState>, Ctx(ctx): Ctx, Id(id): Id<RecommendationId>, Body(seen): Body<Seen>) -> Answer {
    state.headroom.approve(&ctx, id, &seen.plan_hash).await?;
    shown(&state, &ctx, id).await
}

/// Send it back with a wish
#[utoipa::path(post, path = "/optimization/recommendations/{recommendation_id}/request-changes", tag = "recommendations", request_body = Because,
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The recommendation", body = Recommendation),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn request_changes(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Id(id): Id<RecommendationId>,
    Body(because): Body<Because>,
) -> Answer {
    state.headroom.request_changes(&ctx, id, &because.reason).await?;
    shown(&state, &ctx, id).await
}

/// Carry it out in spite of a freeze, with the reason
#[utoipa::path(post, path = "/optimization/recommendations/{recommendation_id}/break-glass", tag = "recommendations", request_body = Because,
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The recommendation", body = Recommendation),
    (status = 409, description = "No freeze holds it", body = ProblemAnswer, content_type = "application/problem+json"),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn break_glass(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Id(id): Id<RecommendationId>,
    Body(because): Body<Because>,
) -> Answer {
    state.headroom.break_glass(&ctx, id, &because.reason).await?;
    shown(&state, &ctx, id).await
}

/// Reject it
#[utoipa::path(post, path = "/optimization/recommendations/{recommendation_id}/reject", tag = "recommendations", request_body = Because,
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The recommendation", body = Recommendation),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn reject(State(state): State<AppState>, Ctx(ctx): Ctx, Id(id): Id<RecommendationId>, Body(because): Body<Because>) -> Answer {
    state.headroom.reject(&ctx, id, &because.reason).await?;
    shown(&state, &ctx, id).await
}

/// Take the submission back
#[utoipa::path(post, path = "/optimization/recommendations/{recommendation_id}/withdraw", tag = "recommendations",
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The recommendation", body = Recommendation),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn withdraw(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Id(id): Id<RecommendationId>,
    Body(Nothing {}): Body<Nothing>,
) -> Answer {
    state.headroom.withdraw(&ctx, id).await?;
    shown(&state, &ctx, id).await
}

/// Put it aside
#[utoipa::path(post, path = "/optimization/recommendations/{recommendation_id}/dismiss", tag = "recommendations", request_body = Aside,
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The recommendation", body = Recommendation),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn dismiss(State(state): State<AppState>, Ctx(ctx): Ctx, Id(id): Id<RecommendationId>, Body(aside): Body<Aside>) -> Answer {
    state.headroom.dismiss(&ctx, id, &aside.reason, aside.until).await?;
    shown(&state, &ctx, id).await
}

/// Take it up again after it was put aside
#[utoipa::path(post, path = "/optimization/recommendations/{recommendation_id}/reopen", tag = "recommendations", request_body = Nothing,
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The recommendation", body = Recommendation),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn reopen(State(state): State<AppState>, Ctx(ctx): Ctx, Id(id): Id<RecommendationId>, Body(Nothing {}): Body<Nothing>) -> Answer {
    state.headroom.reopen(&ctx, id).await?;
    shown(&state, &ctx, id).await
}

/// Say something about it
#[utoipa::path(post, path = "/optimization/recommendations/{recommendation_id}/comment", tag = "recommendations", request_body = Said,
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The recommendation", body = Recommendation),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn comment(State(state): State<AppState>, Ctx(ctx): Ctx, Id(id): Id<RecommendationId>, Body(said): Body<Said>) -> Answer {
    state.headroom.comment(&ctx, id, &said.text).await?;
    shown(&state, &ctx, id).await
}

/// Apply exactly the approved plan
///
/// At once, or not before a time. A worker writes it and then watches the guards; ask for the recommendation until its status is no longer
/// `APPLYING`.
#[utoipa::path(post, path = "/optimization/recommendations/{recommendation_id}/apply", tag = "recommendations", request_body = Start,
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 202, description = "The job it came from", body = JobAnswer),
    (status = 409, description = "Another plan than the one seen, or not approved: nothing was changed", body = ProblemAnswer, content_type = "application/problem+json"),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn apply(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Id(id): Id<RecommendationId>,
    Body(start): Body<Start>,
) -> Result<impl IntoResponse, Refusal> {
    state.headroom.apply_at(&ctx, id, &start.plan_hash, start.not_before).await?;
    with_its_job(&state, &ctx, id).await
}

/// Take it back
///
/// Restores the recorded values where the fields are still as the change left them; needs no approval, and pre-empts a running apply.
#[utoipa::path(post, path = "/optimization/recommendations/{recommendation_id}/rollback", tag = "recommendations", request_body = Because,
    params(("recommendation_id" = String, Path, description = "Its id")), responses(
    (status = 202, description = "The job it came from", body = JobAnswer),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn rollback(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Id(id): Id<RecommendationId>,
    Body(because): Body<Because>,
) -> Result<impl IntoResponse, Refusal> {
    state.headroom.roll_back(&ctx, id, &because.reason).await?;
    with_its_job(&state, &ctx, id).await
}
