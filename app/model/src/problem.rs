//! What went wrong, for interfaces (RFC 9457) and pages alike: never carries a back end's own words.

use serde::{Deserialize, Serialize};

/// A refusal or fault that a person or a program can act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// Which kind, stable: `not-found`, `forbidden`, `stale-plan`, `conflict`, `invalid`, `unauthenticated`, `refused`, `unavailable`, `internal`…
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// The kind in words.
    pub title: String,
    /// What happened, and what to do next.
    pub detail: String,
    /// The form field or parameter it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The request, for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of a kind known here; an unknown kind becomes `internal`.
    #[must_use]
    pub fn new(kind: &str, detail: impl Into<String>) -> Self {
        let (kind, status, title) = KINDS.iter().copied().find(|k| k.0 == kind).unwrap_or(("internal", 500, "Something broke"));
        Self { kind: kind.to_owned(), status, title: title.to_owned(), detail: detail.into(), field: None, request_id: None }
    }
    /// The same, about one field.
    #[must_use]
    pub fn in_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

/// Every kind with its HTTP status and its title.
pub const KINDS: [(&str, u16, &str); 19] = [
    ("invalid", 422, "A value is not allowed"),
    ("malformed", 400, "The request could not be read"),
    ("unauthenticated", 401, "Sign in first"),
    ("forbidden", 403, "You may not do this"),
    ("not-found", 404, "There is no such thing"),
    ("conflict", 409, "It has changed meanwhile"),
    ("plan-mismatch", 409, "The plan is not the one you saw"),
    ("illegal-transition", 409, "It is too late, or too early, for this"),
    ("expired", 409, "Its time is over"),
    ("key-reused", 422, "The idempotency key was used for another request"),
    ("answer-lost", 409, "It was done, but its answer was lost"),
    ("refused", 409, "Headroom does not do this here"),
    ("method-not-allowed", 405, "This address does not take that method"),
    ("too-large", 413, "The request is too large"),
    ("unsupported-media-type", 415, "The request is not in a form that is read here"),
    ("too-many", 429, "Too many requests"),
    ("timeout", 503, "It took too long"),
    ("unavailable", 503, "A part that is needed does not answer"),
    ("internal", 500, "Something broke"),
];
