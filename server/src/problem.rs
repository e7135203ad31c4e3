//! Refusals and faults as answers: RFC 9457 for programs, a short page for people.

use crate::request_id::RequestId;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use headroom_model::problem::Problem;
use http::{HeaderValue, StatusCode, header};
use std::fmt::Write as _;

/// The media type of RFC 9457.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem on its way out. Its body is written by [`write_problems`], which knows the request.
#[derive(Debug, Clone)]
pub struct Refusal(pub Problem);

impl Refusal {
    /// A problem of a kind that [`Problem::new`] knows.
    #[must_use]
    pub fn new(kind: &str, detail: impl Into<String>) -> Self {
        Self(Problem::new(kind, detail))
    }
}

impl From<headroom_service::Error> for Refusal {
    fn from(error: headroom_service::Error) -> Self {
        Self(error.into())
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        if self.0.status == 401 {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.0.status == 429 || self.0.status == 503 {
            response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("10"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The members of RFC 9457, with Headroom's own: `kind`, `field`, `request_id`.
#[must_use]
pub fn body(problem: &Problem) -> serde_json::Value {
    let mut body = serde_json::json!({
        "type": format!("/api/docs#{}", problem.kind), "kind": problem.kind, "title": problem.title,
        "status": problem.status, "detail": problem.detail,
    });
    if let Some(field) = &problem.field {
        body["field"] = field.as_str().into();
    }
    if let Some(id) = &problem.request_id {
        body["request_id"] = id.as_str().into();
    }
    body
}

/// Writes the body of every [`Refusal`]: a page where a browser asked for one, else RFC 9457.
pub async fn write_problems(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let page = wants_page(&request);
    let response = next.run(request).await;
    let Some(Refusal(problem)) = response.extensions().get::<Refusal>().cloned() else { return response };
    let problem = Problem { request_id: id.map(|i| i.0), ..problem };
    let (mut parts, _) = response.into_parts();
    let (kind, text) = if page { ("text/html; charset=utf-8", html(&problem)) } else { (PROBLEM_JSON, body(&problem).to_string()) };
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(text))
}

fn wants_page(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    accepts.contains("text/html") && !request.uri().path().starts_with("/api/v1")
}

fn html(problem: &Problem) -> String {
    let mut page = String::from("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>");
    let _ = write!(page, "{title} · Headroom</title><h1>{title}</h1><p>{}</p>", escape(&problem.detail), title = escape(&problem.title));
    if let Some(id) = &problem.request_id {
        let _ = write!(page, "<p>Request {}</p>", escape(id));
    }
    page + "<p><a href=\"/\">Back to Headroom</a></p></html>"
}

/// Text for HTML, attributes included.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_the_standard_and_names_its_field() {
        let mut problem = Problem::new("invalid", "1.5 is not allowed").in_field("confidence_threshold");
        problem.request_id = Some("r".into());
        let body = body(&problem);
        assert_eq!(body["status"], 422);
        assert_eq!(body["type"], "/api/docs#invalid");
        assert_eq!(body["field"], "confidence_threshold");
        assert_eq!(body["request_id"], "r");
    }

    #[test]
    fn what_was_typed_is_escaped_on_the_page() {
        let page = html(&Problem::new("invalid", "<script>\"x\"</script>"));
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"));
    }
}
