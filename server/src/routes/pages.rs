//! The pages and their server functions, through Leptos; and the files of the site.

use crate::identity::{Caller, HalfWay};
use crate::request_id::RequestId;
use crate::state::AppState;
use crate::{sessions, site};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use headroom_app::{App, AppError, HalfSignedInUser, ProviderLabel, SessionId, SignedInUser, shell};
use http::request::Parts;
use http::{Method, StatusCode};
use leptos::prelude::{provide_context, use_context};
use leptos::server_fn::error::SERVER_FN_ERROR_HEADER;
use leptos_axum::{LeptosRoutes, generate_route_list, render_app_async_with_context};
use tower_sessions::Session;

/// Every page of the app, every server function, every file of the site; anything else is the page that says so.
pub fn router(state: &AppState) -> Router<AppState> {
    let options = state.leptos.clone();
    Router::new()
        .leptos_routes_with_context(state, generate_route_list(App), contexts(state), move || shell(options.clone()))
        .fallback(file_or_nothing)
        .layer(from_fn(problems_status))
}

/// Leptos answers 500 for whatever a server function refuses. The status is the problem's own, so that metrics and the browser's console
/// tell what the page does; the page reads the problem from the body of any status from 400 on.
async fn problems_status(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR || !response.headers().contains_key(SERVER_FN_ERROR_HEADER) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let status = serde_json::from_slice(&bytes).ok().and_then(|AppError(problem)| StatusCode::from_u16(problem.status).ok());
    parts.status = status.unwrap_or(parts.status);
    Response::from_parts(parts, Body::from(bytes))
}

/// What pages and server functions find in their context: the service, who asks, the request's id, the site's file names.
fn contexts(state: &AppState) -> impl Fn() + Clone + Send + Sync + 'static {
    let state = state.clone();
    move || {
        provide_context(state.headroom.clone());
        provide_context(state.assets.clone());
        let Some(parts) = use_context::<Parts>() else { return };
        if let Some(RequestId(id)) = parts.extensions.get::<RequestId>() {
            provide_context(headroom_app::RequestId(id.clone()));
        }
        if let Some(Caller(person)) = parts.extensions.get::<Caller>() {
            provide_context(SignedInUser(person.clone()));
        }
        if let Some(HalfWay(person)) = parts.extensions.get::<HalfWay>() {
            provide_context(HalfSignedInUser(person.clone()));
        }
        if let Some(id) = parts.extensions.get::<Session>().and_then(Session::id) {
            provide_context(SessionId(sessions::key(&id)));
        }
        if let Some(provider) = &state.provider {
            provide_context(ProviderLabel(provider.label().to_owned()));
        }
    }
}

async fn file_or_nothing(State(state): State<AppState>, request: Request) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD)
        && let Some(file) = site::file(request.uri().path(), request.headers())
    {
        return file;
    }
    let options = state.leptos.clone();
    let page = render_app_async_with_context(contexts(&state), move || shell(options.clone()));
    let mut response = page(request).await.into_response();
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}
