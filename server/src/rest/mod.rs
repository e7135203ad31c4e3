//! The REST API: `/api/v1`, described by OpenAPI 3.1 at `/api/openapi.json` and by a page at `/api/docs`.

pub mod benchmarks;
mod changes;
pub mod deployments;
mod docs;
pub mod extract;
mod idempotency;
mod openapi;
mod optimization;
pub mod policy;
pub mod recommendations;
mod services;
pub mod shapes;

use crate::identity::from_token;
use crate::problem::Refusal;
use crate::state::AppState;
use axum::Router;
use axum::extract::{OriginalUri, Request};
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use http::header;
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

fn described() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::Description::openapi())
        .routes(routes!(services::list))
        .routes(routes!(services::show))
        .routes(routes!(services::insights))
        .routes(routes!(optimization::analyze))
        .routes(routes!(optimization::job))
        .routes(routes!(optimization::cancel))
        .routes(routes!(optimization::propose))
        .routes(routes!(recommendations::list))
        .routes(routes!(recommendations::show))
        .routes(routes!(recommendations::submit))
        .routes(routes!(recommendations::approve))
        .routes(routes!(recommendations::request_changes))
        .routes(routes!(recommendations::break_glass))
        .routes(routes!(recommendations::reject))
        .routes(routes!(recommendations::withdraw))
        .routes(routes!(recommendations::dismiss))
        .routes(routes!(recommendations::reopen))
        .routes(routes!(recommendations::comment))
        .routes(routes!(recommendations::apply))
        .routes(routes!(recommendations::rollback))
        .routes(routes!(changes::list))
        .routes(routes!(changes::audit))
        .routes(routes!(policy::show, policy::set))
        .routes(routes!(benchmarks::list))
        .routes(routes!(benchmarks::show))
        .routes(routes!(benchmarks::runs))
        .routes(routes!(deployments::list, deployments::record))
}

async fn nothing(OriginalUri(uri): OriginalUri) -> Refusal {
    Refusal::new("not-found", format!("there is nothing at {}: see /api/docs", uri.path()))
}

/// The API with its description.
pub fn router(state: &AppState) -> Router<AppState> {
    let (api, description) = described().split_for_parts();
    let api = api
        .fallback(nothing)
        .method_not_allowed_fallback(async |request: Request| {
            Refusal::new("method-not-allowed", format!("{} does not take {}: see /api/docs", request.uri().path(), request.method()))
        })
        .layer(from_fn_with_state(state.clone(), idempotency::replay))
        .layer(from_fn_with_state(state.clone(), from_token));
    let json: Arc<str> = description.to_json().unwrap_or_default().into();
    let page: Arc<str> = docs::page(&serde_json::to_value(&description).unwrap_or_default(), &state.assets.css).into();
    Router::new()
        .nest("/api/v1", api)
        .route("/api/v1/", any(nothing))
        .route("/api/openapi.json", get(async move || ([(header::CONTENT_TYPE, "application/json")], json.to_string())))
        .route("/api/docs", get(async move || ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_openapi_3_1_and_has_every_route_under_its_name() {
        let (_, description) = described().split_for_parts();
        let json = serde_json::to_value(&description).unwrap();
        assert!(json["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut paths: Vec<String> = json["paths"].as_object().unwrap().keys().cloned().collect();
        paths.sort();
        let base = "/optimization/recommendations/{recommendation_id}";
        let mut wanted = vec!["/audit", "/changes", "/optimization/analyze", "/optimization/jobs/{job_id}", "/optimization/propose"];
        wanted.push("/optimization/jobs/{job_id}/cancel");
        wanted.extend(["/benchmarks", "/benchmarks/runs", "/benchmarks/{benchmark_id}", "/deployments"]);
        wanted.extend(["/optimization/recommendations", "/policy", base]);
        wanted.extend(["/services", "/services/{service_name}", "/services/{service_name}/insights"]);
        let mut wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
        wanted.extend(
            [
                "submit",
                "approve",
                "break-glass",
                "request-changes",
                "reject",
                "withdraw",
                "dismiss",
                "reopen",
                "comment",
                "apply",
                "rollback",
            ]
            .map(|verb| format!("{base}/{verb}")),
        );
        wanted.sort();
        assert_eq!(paths, wanted);
        for (path, item) in json["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["responses"].as_object().is_some_and(|r| !r.is_empty()), "{method} {path} describes no answer");
                assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{method} {path} has no summary");
            }
        }
    }
}
