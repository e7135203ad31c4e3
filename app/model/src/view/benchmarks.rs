//! Benchmarks in lists, and one whole.

use crate::benchmark::{AgainstBaseline, BenchmarkStep};
use crate::ids::BenchmarkId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a list of benchmarks is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BenchmarkQuery {
    /// `worse` (their newest step is for the worse), `better`, or empty for all.
    pub view: String,
    /// Only of this suite.
    pub suite: String,
    /// Only of the service of this name.
    pub service_name: String,
    /// A part of the name.
    pub search: String,
    /// `changed` (newest step first), `name`, `latest`.
    pub sort: String,
    /// Where the page begins.
    pub cursor: String,
    /// Rows, at most 200.
    pub limit: u32,
}

/// A benchmark in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkRow {
    /// Its id.
    pub id: BenchmarkId,
    /// Its suite.
    pub suite: String,
    /// Its name in the suite.
    pub name: String,
    /// What is measured.
    pub unit: String,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// The service it belongs to, if one was named.
    pub service_name: Option<String>,
    /// Who owns it.
    pub team: String,
    /// How many runs are kept.
    pub runs: u64,
    /// The middle of the newest run.
    pub latest: f64,
    /// When that was.
    pub latest_at: Timestamp,
    /// The newest step in its level.
    pub step: Option<BenchmarkStep>,
}

/// One run of a benchmark, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkPoint {
    /// When.
    pub at: Timestamp,
    /// The commit that was measured.
    pub commit: Option<String>,
    /// The middle of its values.
    pub centre: f64,
    /// Smallest and largest of its values.
    pub range: (f64, f64),
    /// How many values it has.
    pub values: u32,
}

/// One benchmark, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkPage {
    /// As in the list.
    pub row: BenchmarkRow,
    /// Every step in the level of the runs below, oldest first.
    pub steps: Vec<BenchmarkStep>,
    /// The newest runs, oldest first.
    pub points: Vec<BenchmarkPoint>,
    /// The newest of them against its baseline; `None` where no run came before it since the last step.
    pub against: Option<AgainstBaseline>,
}
