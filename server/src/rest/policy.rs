//! `/policy`: the rules in force, and changing one at run time.

use crate::identity::Ctx;
use crate::problem::Refusal;
use crate::rest::extract::{Body, Parameters};
use crate::rest::shapes::{PolicyItem, ProblemAnswer};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use headroom_model::auth::OpContext;
use headroom_model::policy::{Policy, Scope};
use headroom_model::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// For which service.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PolicyParameters {
    /// A service's name: the answer then has the rules in force for it.
    service_name: String,
}

/// The rules.
#[derive(Serialize, ToSchema)]
pub struct PolicyAnswer {
    /// What each scope sets.
    items: Vec<PolicyItem>,
    /// The rules in force for the service that was asked for, each with its value; null without one.
    #[schema(value_type = Option<Object>)]
    in_force: Option<Policy>,
}

/// One rule of one scope.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `fleet`, `environment:NAME`, `team:NAME` or `service:ID`; the fleet without.
    #[serde(default = "fleet")]
    scope: String,
    /// The rule's key.
    #[schema(example = "confidence_threshold")]
    key: String,
    /// Its value; null inherits it again.
    #[schema(value_type = Option<Object>)]
    value: serde_json::Value,
}

fn fleet() -> String {
    Scope::Fleet.to_string()
}

/// The rules of every scope
#[utoipa::path(get, path = "/policy", tag = "policy", params(PolicyParameters), responses(
    (status = 200, description = "The rules", body = PolicyAnswer),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn show(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Parameters(p): Parameters<PolicyParameters>,
) -> Result<Json<PolicyAnswer>, Refusal> {
    answer(&state, &ctx, Some(p.service_name).filter(|n| !n.is_empty())).await
}

/// Set one rule of one scope
#[utoipa::path(put, path = "/policy", tag = "policy", request_body = Rule, responses(
    (status = 200, description = "The rules", body = PolicyAnswer),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn set(State(state): State<AppState>, Ctx(ctx): Ctx, Body(rule): Body<Rule>) -> Result<Json<PolicyAnswer>, Refusal> {
    let scope: Scope = rule.scope.parse().map_err(|e: String| Refusal(Problem::new("invalid", e).in_field("scope")))?;
    state.headroom.set_policy(&ctx, &scope, &rule.key, &text_of(&rule.value)).await?;
    answer(&state, &ctx, None).await
}

async fn answer(state: &AppState, ctx: &OpContext, service: Option<String>) -> Result<Json<PolicyAnswer>, Refusal> {
    let in_force = match service {
        Some(name) => Some(state.headroom.policy_for(ctx, &name).await?),
        None => None,
    };
    let items = state.headroom.policies(ctx).await?.into_iter().map(PolicyItem::from).collect();
    Ok(Json(PolicyAnswer { items, in_force }))
}

/// A value as the settings form would send it.
fn text_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_json_read_like_the_form() {
        for (json, text) in [("0.8", "0.8"), ("true", "true"), ("\"2h\"", "2h"), ("null", ""), ("[\"A\",\"B\"]", "A,B")] {
            assert_eq!(text_of(&serde_json::from_str(json).unwrap()), text);
        }
    }
}
