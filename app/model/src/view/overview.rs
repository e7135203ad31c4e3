//! The overview.

use crate::time::Timestamp;
use crate::units::Money;
use serde::{Deserialize, Serialize};

/// A team's cost and idle share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TeamCost {
    /// The team.
    pub team: String,
    /// Services.
    pub services: u32,
    /// Cost a month of what is asked for.
    pub cost_month: Money,
    /// Share of that cost that is not used, 0 to 1.
    pub idle: f64,
}

/// Something a person should look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attention {
    /// `bad`, `warn` or `act`.
    pub tone: String,
    /// One line.
    pub title: String,
    /// What makes it believable.
    pub detail: String,
    /// Where to go.
    pub link: String,
    /// The word on the link.
    pub act: String,
}

/// One dot of "where the headroom is".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadroomDot {
    /// The service.
    pub service_name: String,
    /// Peak use as a share of the request, 1 = all of it.
    pub peak_share: f64,
    /// Cost a month, units of the currency.
    pub cost_month: f64,
}

/// The manager's first page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// The clusters' names.
    pub clusters: Vec<String>,
    /// Services.
    pub services: u32,
    /// Teams.
    pub teams: u32,
    /// End of the newest analysis, cluster time.
    pub analysed_at: Option<Timestamp>,
    /// Cost a month of what is asked for.
    pub spend_month: Money,
    /// Services without a request, which have no cost.
    pub unpriced: u32,
    /// Savings a month measured and in force.
    pub achieved_month: Money,
    /// What those changes had promised.
    pub promised_month: Money,
    /// Open recommendations.
    pub open: u32,
    /// What they would save a month.
    pub open_month: Money,
    /// Changes that were verified.
    pub verified: u32,
    /// Changes that were rolled back.
    pub rolled_back: u32,
    /// Verified and rolled back together with the inconclusive.
    pub finished: u32,
    /// What needs a person.
    pub attention: Vec<Attention>,
    /// By team, most expensive first.
    pub team_costs: Vec<TeamCost>,
    /// CPU: peak share and cost by service.
    pub cpu: Vec<HeadroomDot>,
    /// Memory: peak share and cost by service.
    pub memory: Vec<HeadroomDot>,
    /// Promised against achieved, cumulative per month over cluster time: (seconds since the epoch, promised, achieved), units of the currency.
    pub ledger: Vec<(i64, f64, f64)>,
    /// Source and date of the prices.
    pub prices: String,
    /// Age of the prices, days.
    pub prices_age_days: i64,
    /// Now, cluster time.
    pub now: Timestamp,
}
