//! People, their tokens and sessions.

use crate::auth::{Permission, Role, Teams};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A user in settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserRow {
    /// The name they sign in with.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Locked users cannot sign in, and their sessions and tokens are void.
    pub locked: bool,
    /// Whose services they see and act on.
    pub teams: Teams,
    /// Whether they have set a password.
    pub has_password: bool,
    /// Whether a second factor is set up.
    pub second_factor: bool,
    /// Whether an identity provider signs them in: it decides role and teams then.
    pub from_provider: bool,
    /// Wall time.
    pub created_at: Timestamp,
    /// Wall time.
    pub last_sign_in: Option<Timestamp>,
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Its id, for revocation.
    pub id: uuid::Uuid,
    /// Whose it is.
    pub user: String,
    /// What it is called.
    pub label: String,
    /// What it may do; everything that its user's role permits without.
    pub scope: Option<Vec<Permission>>,
    /// Wall time.
    pub created_at: Timestamp,
    /// Wall time; `None` for one that does not end by itself.
    pub expires_at: Option<Timestamp>,
    /// Wall time.
    pub last_used: Option<Timestamp>,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Its id, for revocation; a hash of what the browser holds.
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// Where it signed in from.
    pub address: String,
    /// What the browser says it is.
    pub agent: String,
    /// Wall time.
    pub created_at: Timestamp,
    /// Wall time, to a few minutes.
    pub seen_at: Timestamp,
}

/// How somebody signs in, as they see it themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Whether a password is set; one that is has to be given to set another.
    pub has_password: bool,
    /// Whether an identity provider signs them in.
    pub from_provider: bool,
    /// Whether a second factor is set up.
    pub second_factor: bool,
    /// A second factor that waits for its first code.
    pub pending: Option<Enrolment>,
    /// The browsers that are signed in, newest first.
    pub sessions: Vec<SessionRow>,
    /// Whether this is the demonstration, which asks nobody for a second factor.
    pub demo: bool,
}

/// A second factor to be set up in an authenticator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The secret, base32.
    pub secret: String,
    /// The same as a picture, SVG.
    pub picture: String,
}
