//! What a use case refuses or cannot do, and how that reads at the door.

use headroom_model::auth::Forbidden;
use headroom_model::change::Refusal;
use headroom_model::fault::chain;
use headroom_model::plan::PlanHash;
use headroom_model::problem::Problem;
use headroom_model::service::FieldError;
use headroom_model::time::Timestamp;

/// The result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a use case did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The actor's role does not permit it.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// Nobody, or somebody who may no longer, is asking.
    #[error("{0}")]
    Unauthenticated(String),
    /// There is no such thing.
    #[error("there is no {what} {id:?}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// The id that was given.
        id: String,
    },
    /// The state machine of a change refuses.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// Something else has happened meanwhile.
    #[error("{0}")]
    Conflict(String),
    /// Headroom does not do this here.
    #[error("{0}")]
    Refused(String),
    /// A value is not allowed.
    #[error("{fault}")]
    Invalid {
        /// The form field or parameter.
        field: String,
        /// What is wrong, and what would be right.
        fault: String,
    },
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for another request: take a new key")]
    KeyReused,
    /// The request with this idempotency key had its effect, and no answer was kept.
    #[error(
        "this request was carried out, and its answer is not known (yet, or any more): look at the {0}, and take a new key for what is left"
    )]
    AnswerLost(String),
    /// The database.
    #[error("the database did not do what was asked")]
    Store(#[source] headroom_store::Error),
    /// A cluster.
    #[error("the cluster did not do what was asked: {0}")]
    Infra(#[from] headroom_infra::Error),
    /// A fault of Headroom itself.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// A value that is not allowed.
    pub fn invalid(field: impl Into<String>, fault: impl ToString) -> Self {
        Self::Invalid { field: field.into(), fault: fault.to_string() }
    }

    /// Whether a value of this field is what is not allowed.
    #[must_use]
    pub fn is_about(&self, name: &str) -> bool {
        matches!(self, Self::Invalid { field, .. } if field == name)
    }

    /// There is no such thing.
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }
}

impl From<FieldError> for Error {
    fn from(e: FieldError) -> Self {
        Self::Invalid { field: e.field, fault: e.fault }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Forbidden(_) => "forbidden",
            Error::Unauthenticated(_) => "unauthenticated",
            Error::NotFound { .. } => "not-found",
            Error::Refusal(Refusal::PlanMismatch { .. }) => "plan-mismatch",
            Error::Refusal(Refusal::OwnSubmission(_)) => "forbidden",
            Error::Refusal(Refusal::Expired { .. }) => "expired",
            Error::Refusal(_) => "illegal-transition",
            Error::Conflict(_) => "conflict",
            Error::Refused(_) => "refused",
            Error::Invalid { .. } => "invalid",
            Error::KeyReused => "key-reused",
            Error::AnswerLost(_) => "answer-lost",
            Error::Infra(_) => "unavailable",
            Error::Store(headroom_store::Error::TooSlow) => "timeout",
            Error::Store(headroom_store::Error::Away(_) | headroom_store::Error::Unsure(_)) => "unavailable",
            Error::Store(_) | Error::Internal(_) => "internal",
        };
        let detail = match &error {
            Error::Store(told @ (headroom_store::Error::TooSlow | headroom_store::Error::Away(_) | headroom_store::Error::Unsure(_))) => {
                told.to_string()
            }
            Error::Store(_) | Error::Internal(_) => {
                "Headroom could not finish this. Nothing was changed; try again, and look at the log if it stays.".to_owned()
            }
            other => other.to_string(),
        };
        if kind == "forbidden" {
            tracing::warn!("refused: {detail}");
        }
        if kind == "internal" || matches!(error, Error::Store(_)) {
            tracing::error!(error = %chain(&error), "a use case broke");
        }
        let problem = Self::new(kind, detail);
        match error {
            Error::Invalid { field, .. } => problem.in_field(field),
            _ => problem,
        }
    }
}

/// Reads a plan hash as a request carries it.
///
/// # Errors
/// [`Error::Invalid`] names the field `plan_hash`.
pub fn parse_plan_hash(text: &str) -> Result<PlanHash> {
    PlanHash::try_from(text.to_owned()).map_err(|e| Error::invalid("plan_hash", e))
}

/// A minute as a form sends it, `2026-11-29T18:00`, in UTC, or a whole time; `None` where the field was left empty.
///
/// # Errors
/// [`Error::Invalid`] for anything else.
pub fn parse_minute(field: &str, text: &str) -> Result<Option<Timestamp>> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let whole = match text.len() {
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    };
    let bad = |_| Error::invalid(field, format!("{text:?} is not a time: write one like 2026-11-29T18:00"));
    whole.parse().map(Some).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_too_slow_is_told_and_one_that_breaks_is_not() {
        let slow = Problem::from(Error::Store(headroom_store::Error::TooSlow));
        assert_eq!((slow.kind.as_str(), slow.status), ("timeout", 503));
        assert!(slow.detail.contains("took too long over a statement"), "{}", slow.detail);
        let broken = Problem::from(Error::Store(headroom_store::Error::NotEmpty));
        assert_eq!((broken.kind.as_str(), broken.status), ("internal", 500));
        assert!(!broken.detail.contains("not empty"), "{}", broken.detail);
    }
}
