//! Deploys in lists.

use serde::{Deserialize, Serialize};

/// What a list of deploys is asked for; the newest come first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeploymentQuery {
    /// Only of the service of this name.
    pub service_name: String,
    /// Where the page begins.
    pub cursor: String,
    /// Rows, at most 200.
    pub limit: u32,
}
