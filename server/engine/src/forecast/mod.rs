//! Forecasts of one series, with intervals: an average of methods, each weighted by what it got wrong at earlier origins.
//!
//! Seasonal naive, exponential smoothing, Theta on a decomposition and regressions on the series' own past all forecast from the
//! same earlier origins, seeing only what came before each. Their mean absolute errors there become weights, and the errors of
//! the average become the interval. A horizon of many steps is forecast in coarser steps, to which each phase's detail is added
//! back.

mod candidates;
pub mod capacity;
mod coarse;
mod combine;
mod decomposition;
mod detect;
mod interval;
mod linear;
mod origins;
mod prepare;
mod regression;
pub mod schedule;
mod smoothing;
#[cfg(test)]
mod tests;

pub use detect::detect_seasons;

use coarse::Grid;
use origins::Plan;
use prepare::Prepared;

/// One path of values per origin.
type Paths = Vec<Vec<f64>>;

/// Longest horizon, in steps.
pub const MOST_STEPS: usize = 50_000;
/// Fewest measured values.
pub const FEWEST: usize = 3;

/// Why there is no forecast.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The horizon is zero or beyond [`MOST_STEPS`].
    #[error("a horizon of {0} steps: it must be between 1 and {MOST_STEPS}")]
    Horizon(usize),
    /// A season of less than two steps.
    #[error("a season of {0} steps: it must have at least 2")]
    Season(usize),
    /// Too few values since the last long gap.
    #[error("{found} measured values since the last long gap: at least {FEWEST} are needed")]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// The values are so large that sums of them are not finite.
    #[error("values beyond ±1e100 cannot be forecast")]
    TooLarge,
}

/// What is expected, one value per step after the last of the series.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The expected value: the middle of what is likely, in the unit of the series.
    pub mean: Vec<f64>,
    /// Lower end of the 95 % interval; not negative where the series never was.
    pub lo95: Vec<f64>,
    /// Upper end of the 95 % interval.
    pub hi95: Vec<f64>,
    /// What it rests on, in words.
    pub method: String,
    /// The methods and their weights (sum 1), the heaviest first.
    pub weights: Vec<(String, f64)>,
    /// The mean absolute error at the earlier origins, in the unit of the series; `None` where the series is too short for any.
    pub error: Option<f64>,
    /// At how many earlier origins it was tried.
    pub origins: usize,
    /// The seasons used, in steps: those given that the series has at least twice.
    pub seasons: Vec<usize>,
    /// How many steps, counted from the end, it rests on: what came before a long gap is not used.
    pub used: usize,
}

/// A series without gaps, all finite.
struct Past<'a> {
    values: &'a [f64],
    /// Which values were measured rather than filled in.
    real: &'a [bool],
    /// Ascending, in steps.
    seasons: &'a [usize],
}

impl Past<'_> {
    /// Between what a forecast from `origin` is believed: the range of what was, and as much again on either side.
    fn believable(&self, origin: usize) -> (f64, f64) {
        let range = |(low, high): (f64, f64), v: &f64| (low.min(*v), high.max(*v));
        let (low, high) = self.values[..origin].iter().fold((f64::INFINITY, f64::NEG_INFINITY), range);
        (low - (high - low), high + (high - low))
    }
}

/// Forecasts `horizon` steps after the last of `values`.
///
/// `values`: one per step, oldest first, `NaN` (or not finite) is a gap. `seasons`: lengths in steps in any order, none for a series
/// without; [`detect_seasons`] finds them. Those that the series does not hold twice are left out; one that it holds twice, but not before the
/// first tried origin, counts as far as what knows it was nearer from the later ones.
///
/// # Errors
/// [`Refusal`] names what cannot be forecast.
pub fn forecast(values: &[f64], seasons: &[usize], horizon: usize) -> Result<Forecast, Refusal> {
    if !(1..=MOST_STEPS).contains(&horizon) {
        return Err(Refusal::Horizon(horizon));
    }
    if let Some(season) = seasons.iter().find(|m| **m < 2) {
        return Err(Refusal::Season(*season));
    }
    let seasons: Vec<usize> = seasons.iter().copied().filter(|m| *m <= values.len()).collect();
    let prepared = Prepared::new(values, &seasons, horizon)?;
    let grid = Grid::new(&prepared, &seasons, horizon);
    let plan = Plan::new(grid.values.len(), &grid.seasons, grid.horizon);
    let past = Past { values: &grid.values, real: &grid.real, seasons: &plan.seasons };
    let mixed = combine::mix(&past, &plan);
    let fine = grid.refine(&prepared, &plan, mixed.paths);
    Ok(answer(&prepared, &plan, fine, mixed.weights, grid.factor, horizon))
}

/// The last path as a forecast, with the interval that the paths before it justify.
fn answer(prepared: &Prepared, plan: &Plan, mut paths: Paths, weights: Vec<(String, f64)>, factor: usize, horizon: usize) -> Forecast {
    let n = prepared.values.len();
    let path = paths.pop().unwrap_or_default();
    let starts: Vec<usize> = plan.earlier().iter().map(|o| n - factor * (plan.end - o)).collect();
    let seasons: Vec<usize> = plan.seasons.iter().copied().chain(plan.young.map(|y| y.season)).map(|m| m * factor).collect();
    let tried = interval::Tried { paths: &paths, starts: &starts, period: seasons.first().copied().unwrap_or(1) };
    let spread = interval::half_widths(&prepared.values, &prepared.real, &tried, horizon);
    let floor = if prepared.values.iter().all(|v| *v >= 0.0) { 0.0 } else { f64::NEG_INFINITY };
    let mean: Vec<f64> = path[..horizon].iter().map(|v| v.max(floor)).collect();
    let end = |sign: f64| -> Vec<f64> { mean.iter().zip(&spread.half_widths).map(|(m, s)| (m + sign * s).max(floor)).collect() };
    Forecast {
        lo95: end(-1.0),
        hi95: end(1.0),
        method: combine::words(&weights, starts.len()),
        mean,
        weights,
        error: spread.error,
        origins: starts.len(),
        seasons,
        used: n,
    }
}
