//! When a resource runs out: where a forecast and its interval reach a capacity.

use super::{Forecast, Refusal, detect_seasons, forecast};

/// When a capacity is reached, in seconds after the last value; `None` where not within the horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct RunsOut {
    /// When the upper end of the 95 % interval first reaches it.
    pub earliest: Option<f64>,
    /// When the expected value first reaches it.
    pub likely: Option<f64>,
    /// When the lower end of the interval first reaches it.
    pub latest: Option<f64>,
    /// How far was looked, in seconds.
    pub horizon: f64,
    /// What it rests on.
    pub forecast: Forecast,
}

/// When `values` (one per `step_secs` seconds, `NaN` is a gap) reach `capacity`, looked for over as long as the series is, and at
/// most over `most` steps: what is further ahead than the past is long cannot be tested on it.
///
/// The interval is that of each step, so `earliest` and `latest` are when a reach first becomes plausible and when it is nearly sure.
///
/// # Errors
/// [`Refusal`] as [`forecast`] has it; a capacity that is not finite is [`Refusal::TooLarge`].
pub fn runs_out(values: &[f64], step_secs: f64, capacity: f64, most: usize) -> Result<RunsOut, Refusal> {
    if !(capacity.is_finite() && step_secs.is_finite()) {
        return Err(Refusal::TooLarge);
    }
    let horizon = values.len().min(most);
    let forecast = forecast(values, &detect_seasons(values), horizon)?;
    let last = values.iter().rev().find(|v| v.is_finite()).copied().unwrap_or(f64::NEG_INFINITY);
    let reach = |path: &[f64]| {
        let step = if last >= capacity { Some(0) } else { path.iter().position(|v| *v >= capacity).map(|i| i + 1) };
        step.map(|s| s as f64 * step_secs)
    };
    Ok(RunsOut {
        earliest: reach(&forecast.hi95),
        likely: reach(&forecast.mean),
        latest: reach(&forecast.lo95),
        horizon: horizon as f64 * step_secs,
        forecast,
    })
}
