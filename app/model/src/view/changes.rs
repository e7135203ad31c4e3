//! Changes in lists.

use crate::change::Substate;
use crate::effect::Effect;
use crate::ids::{ChangeId, RecommendationId};
use crate::plan::FieldChange;
use crate::time::Timestamp;
use crate::units::Money;
use serde::{Deserialize, Serialize};

/// Which changes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangeQuery {
    /// `active`, `waiting`, `done` or empty for all.
    pub view: String,
    /// Exact service name in interfaces.
    pub service_name: String,
    /// Exact team.
    pub team: String,
    /// Where to go on.
    pub cursor: String,
    /// Rows per page.
    pub limit: u32,
    /// Whether nobody asks how many there are over all pages: counting costs more than a page.
    pub uncounted: bool,
}

/// One change in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeRow {
    /// Its id.
    pub id: ChangeId,
    /// What it carries out.
    pub recommendation_id: RecommendationId,
    /// The service's name in interfaces.
    pub service_name: String,
    /// Owner.
    pub team: String,
    /// One line.
    pub title: String,
    /// The touched fields.
    pub changes: Vec<FieldChange>,
    /// Where it stands.
    pub state: Substate,
    /// Who submitted it.
    pub requested_by: String,
    /// Who approved it.
    pub approved_by: Vec<String>,
    /// What it promised a month.
    pub promised_month: Option<Money>,
    /// What was achieved a month; `None` until measured.
    pub achieved_month: Option<Money>,
    /// What was measured.
    pub effect: Option<Effect>,
    /// Why it ended or was taken back.
    pub reason: Option<String>,
    /// Wall time.
    pub submitted_at: Timestamp,
    /// Cluster time of the write.
    pub applied_at: Option<Timestamp>,
    /// Cluster time of the roll-back.
    pub rolled_back_at: Option<Timestamp>,
    /// How far the observation is, 0 to 1, while it runs.
    pub progress: Option<f64>,
}
