//! Why a command did not do what it was asked.

use crate::config::ConfigError;

/// A command's failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// What the user gave cannot be used; one line that names the place and the fault. Exit code 2.
    #[error("{0}")]
    BadInput(String),
    /// Something else went wrong. Exit code 1.
    #[error("{0}")]
    Fault(String),
}

impl Failure {
    /// For the shell.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::BadInput(_) => 2,
            Self::Fault(_) => 1,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::BadInput(error.to_string())
    }
}

impl From<headroom_offline::Failure> for Failure {
    fn from(error: headroom_offline::Failure) -> Self {
        match error {
            headroom_offline::Failure::BadInput(fault) => Self::BadInput(fault),
            headroom_offline::Failure::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<headroom_service::Error> for Failure {
    fn from(error: headroom_service::Error) -> Self {
        match error {
            headroom_service::Error::Store(source) => source.into(),
            headroom_service::Error::Invalid { .. } | headroom_service::Error::NotFound { .. } => Self::BadInput(error.to_string()),
            other => Self::Fault(other.to_string()),
        }
    }
}

impl From<headroom_store::Error> for Failure {
    fn from(error: headroom_store::Error) -> Self {
        match error {
            headroom_store::Error::BadBackup { .. } | headroom_store::Error::NotFound { .. } => Self::BadInput(error.to_string()),
            // Whoever types commands reads no log.
            headroom_store::Error::Database(cause) => Self::Fault(format!("the database did not answer as it should: {cause}")),
            headroom_store::Error::Away(cause) => Self::Fault(format!("the database cannot be reached or has no room left: {cause}")),
            other => Self::Fault(other.to_string()),
        }
    }
}
