//! Sources of samples.

use crate::infrastructure::Result;
use async_trait::async_trait;
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;

/// Samples of many services on one grid.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frames {
    /// Seconds per interval.
    pub step: u32,
    /// Begin of the first interval, seconds since the epoch, a multiple of `step`.
    pub from: i64,
    /// One column per service and metric: one value per interval from `from`, all of one length, in the metric's unit; `NaN` is a gap.
    pub columns: Vec<(ServiceId, Metric, Vec<f32>)>,
}

impl Frames {
    /// How many intervals there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, _, values)| values.len())
    }
    /// End of the last interval, seconds since the epoch; `from` when there is none.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.from + self.rows() as i64 * i64::from(self.step)
    }
}

/// Something that has samples of a whole cluster.
#[async_trait]
pub trait MetricsSource: Send + Sync {
    /// Seconds per interval, fixed by the source.
    fn step(&self) -> u32;
    /// All samples of the whole intervals in `[from, to)`, seconds since the epoch, at most one day per call; fewer rows where the
    /// newest intervals have not ended yet.
    async fn range(&self, from: i64, to: i64) -> Result<Frames>;
}
