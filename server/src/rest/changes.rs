//! `/changes` and `/audit`: what was carried out, and who did what.

use crate::identity::Ctx;
use crate::problem::Refusal;
use crate::rest::extract::{Parameters, Rows};
use crate::rest::shapes::{AuditItem, ChangeItem, List, ProblemAnswer};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use headroom_model::view::{AuditQuery, ChangeQuery};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which changes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangeParameters {
    /// `active`, `waiting` or `done`; all without.
    view: String,
    /// Exact service name.
    service_name: String,
    /// Exact team.
    team: String,
    /// Where to go on: a page's `next_cursor`.
    cursor: String,
    /// Rows per page, 1 to 200; 50 without.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Rows,
}

/// Which entries of the audit chain.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditParameters {
    /// Part of event, actor, subject or reason.
    q: String,
    /// Exact actor.
    actor: String,
    /// Beginning of the event's name.
    event: String,
    /// Where to go on: a page's `next_cursor`.
    cursor: String,
    /// Rows per page, 1 to 200; 50 without.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Rows,
}

/// List changes, newest first
#[utoipa::path(get, path = "/changes", tag = "changes", params(ChangeParameters), responses(
    (status = 200, description = "A page of changes", body = List<ChangeItem>),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn list(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Parameters(p): Parameters<ChangeParameters>,
) -> Result<Json<List<ChangeItem>>, Refusal> {
    let query =
        ChangeQuery { view: p.view, service_name: p.service_name, team: p.team, cursor: p.cursor, limit: p.limit.0, uncounted: true };
    Ok(Json(List::of(state.headroom.changes(&ctx, &query).await?, ChangeItem::from)))
}

/// List the audit chain, newest first
#[utoipa::path(get, path = "/audit", tag = "changes", params(AuditParameters), responses(
    (status = 200, description = "A page of entries", body = List<AuditItem>),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn audit(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Parameters(p): Parameters<AuditParameters>,
) -> Result<Json<List<AuditItem>>, Refusal> {
    let query = AuditQuery { q: p.q, actor: p.actor, event: p.event, cursor: p.cursor, limit: p.limit.0, uncounted: true };
    Ok(Json(List::of(state.headroom.audit(&ctx, &query).await?, AuditItem::from)))
}
