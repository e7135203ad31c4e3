//! The audit chain in lists.

use serde::{Deserialize, Serialize};

/// Which audit entries.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditQuery {
    /// Part of event, actor, subject or reason.
    pub q: String,
    /// Exact actor.
    pub actor: String,
    /// Beginning of the event's name.
    pub event: String,
    /// Where to go on.
    pub cursor: String,
    /// Rows per page.
    pub limit: u32,
    /// Whether nobody asks how many there are over all pages: counting costs more than a page.
    pub uncounted: bool,
}

/// One audit entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Its number in the chain.
    pub seq: i64,
    /// What happened.
    pub event: crate::event::Event,
    /// The entry's hash, hexadecimal: SHA-256 of `prev_hash` and `hashed`, one after the other.
    pub hash: String,
    /// The hash of the entry before it. Pages do without.
    #[serde(skip)]
    pub prev_hash: String,
    /// The text that is hashed, in the canonical form of RFC 8785. Pages do without.
    #[serde(skip)]
    pub hashed: String,
    /// Where it can be seen: `/recommendations/…`, `/services/…`.
    pub link: Option<String>,
}
