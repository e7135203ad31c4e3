//! What is written to the audit chain and the outbox with every transition.

use crate::time::Clocks;
use serde::{Deserialize, Serialize};

/// One entry of the audit chain, before it is chained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// A dotted name in the past tense: `change.approved`.
    pub name: String,
    /// Who did it: a user's name, `policy`, or `headroom` for a worker.
    pub actor: String,
    /// When, on both clocks.
    pub at: Clocks,
    /// The request that caused it.
    pub request_id: String,
    /// What it is about: `change`, `recommendation`, `job`, `policy`, `user`, `service`, `session`, `audit`.
    pub subject_kind: String,
    /// The id of what it is about.
    pub subject: String,
    /// The service it touches, for search; a service id.
    #[serde(default)]
    pub service_id: Option<String>,
    /// Why, in the person's or the engine's words.
    #[serde(default)]
    pub reason: Option<String>,
    /// The state before.
    #[serde(default)]
    pub before: Option<serde_json::Value>,
    /// The state after.
    #[serde(default)]
    pub after: Option<serde_json::Value>,
}
