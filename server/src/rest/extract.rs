//! Reads bodies, queries and paths, and says exactly what is wrong with them.

use crate::problem::Refusal;
use crate::routes::LARGEST_BODY;
use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use headroom_model::problem::Problem;
use http::header;
use http::request::Parts;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::str::FromStr;

/// A JSON body. An empty one counts as `{}`.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;
    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let bytes = to_bytes(request.into_body(), LARGEST_BODY).await.map_err(|_| too_large())?;
        if bytes.is_empty() {
            return read(b"{}");
        }
        let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media != "application/json" {
            return Err(Refusal::new(
                "unsupported-media-type",
                format!("send JSON, with Content-Type: application/json; this is {media:?}"),
            ));
        }
        read(&bytes)
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<Body<T>, Refusal> {
    // serde takes an array for an object, its items for the fields in their order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        let kind = if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() { "invalid" } else { "malformed" };
        return Err(Refusal::new(kind, "send a JSON object: a body that begins with { and names its fields"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let path = e.path().to_string();
        let inner = e.into_inner();
        if inner.is_data() {
            let inner = without_types(&inner.to_string());
            let field = field_of(&inner).unwrap_or(path);
            let problem = Problem::new("invalid", format!("{field}: {inner}"));
            Refusal(if field == "." { problem } else { problem.in_field(field) })
        } else {
            Refusal::new("malformed", format!("the body is not JSON: {inner}"))
        }
    })?;
    reader.end().map_err(|e| Refusal::new("malformed", format!("the body is not JSON: {e}")))?;
    Ok(Body(value))
}

/// serde's message without the names that types have here.
fn without_types(message: &str) -> String {
    match message.split_once("expected struct ") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
            format!("{before}expected a JSON object{rest}")
        }
        None => message.to_owned(),
    }
}

/// The field that a missing or unknown one is called in serde's message.
fn field_of(message: &str) -> Option<String> {
    let rest = message.strip_prefix("missing field `").or_else(|| message.strip_prefix("unknown field `"))?;
    rest.split('`').next().map(str::to_owned)
}

/// The refusal of a body over the limit.
pub fn too_large() -> Refusal {
    Refusal::new("too-large", format!("a request has at most {LARGEST_BODY} bytes"))
}

/// A query whose every parameter is known.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Query::<T>::try_from_uri(&parts.uri).map(|Query(value)| Self(value)).map_err(|e| {
            let text = e.body_text();
            let fault = text.rsplit_once("query string: ").map_or(text.as_str(), |(_, fault)| fault);
            let problem = Problem::new("invalid", format!("the query cannot be read: {fault}"));
            Refusal(match field_of(fault).or_else(|| fault.split_once(": ").map(|(f, _)| f.to_owned())) {
                Some(field) => problem.in_field(field),
                None => problem,
            })
        })
    }
}

/// Rows per page as a query asks for them: 1 to 200, and 50 where it does not.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Rows(pub u32);

impl Default for Rows {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<String> for Rows {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let rows = text.parse().ok().filter(|n| (1..=200).contains(n));
        rows.map(Self).ok_or_else(|| format!("{text:?} is not allowed: from 1 to 200"))
    }
}

/// An id in the path; one that cannot be an id is one that does not exist.
pub struct Id<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let text = match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => text,
            Err(e) => return Err(Refusal::new("malformed", e.body_text())),
        };
        text.parse().map(Self).map_err(|_| Refusal::new("not-found", format!("there is nothing with the id {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_model::view::AnalyzeRequest;

    fn refusal(body: &str) -> Problem {
        match read::<AnalyzeRequest>(body.as_bytes()) {
            Ok(_) => panic!("{body} was taken"),
            Err(Refusal(problem)) => problem,
        }
    }

    #[test]
    fn broken_json_is_malformed_and_a_wrong_value_is_named() {
        assert_eq!(refusal("{\"service_name\": ").status, 400);
        assert_eq!(refusal("{\"service_name\": \"a\"} x").status, 400);
        assert_eq!(refusal("service_name=a").status, 400);
        for other in ["[]", " [\"a\"]", "\"a\"", "null", "7"] {
            let problem = refusal(other);
            assert!(problem.status == 422 && problem.detail.starts_with("send a JSON object"), "{other}: {}", problem.detail);
        }
        let nested = match read::<crate::rest::benchmarks::Runs>(b"{\"suite\":\"s\",\"runs\":[7]}") {
            Ok(_) => panic!("it was taken"),
            Err(Refusal(problem)) => problem,
        };
        assert!(nested.detail.contains("runs[0]: invalid type: integer `7`, expected a JSON object"), "{}", nested.detail);
        let missing = refusal("{}");
        assert_eq!((missing.status, missing.field.as_deref()), (422, Some("service_name")));
        let unknown = refusal("{\"service_name\":\"a\",\"services\":1}");
        assert_eq!((unknown.status, unknown.field.as_deref()), (422, Some("services")));
        let kind = refusal("{\"service_name\":\"a\",\"optimization_types\":[\"SPEED\"]}");
        assert_eq!((kind.status, kind.field.as_deref()), (422, Some("optimization_types[0]")));
        let span = refusal("{\"service_name\":\"a\",\"analysis_period\":\"soon\"}");
        assert_eq!(span.field.as_deref(), Some("analysis_period"));
        assert!(span.detail.contains("14d"), "{}", span.detail);
    }
}
