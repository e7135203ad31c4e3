//! Looking ahead: the seasonal naive forecast, with intervals from its own past errors.
//!
//! Value of a season ago; the season is a week where two are known and it would have erred less than a day, else a day where two are
//! known, else the last value is held. The 95 % interval is the middle of the errors that the same rule made over the window.

use crate::features::clean;
use crate::samples::Samples;
use crate::stats;
use headroom_model::job::Prediction;
use headroom_model::metric::Metric;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::time::{DAY, HOUR, Span, Timestamp};
use serde::Serialize;

/// What is predicted, where it is measured.
pub const PREDICTED: [Metric; 5] =
    [Metric::CpuUsage, Metric::CpuUtilization, Metric::MemoryWorkingSet, Metric::RequestRate, Metric::LatencyP95];
/// Most values per metric: longer horizons get wider steps.
const MOST: i64 = 400;
/// Fewest past errors that make an interval.
const FEW: usize = 8;

/// What a forecast rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The value of a week ago.
    Weekly,
    /// The value of a day ago.
    Daily,
    /// The last value: less than two days are known.
    LastValue,
}

/// A forecast of one metric, with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// The metric.
    pub metric: Metric,
    /// What it rests on.
    pub method: Method,
    /// One per interval from `now` on.
    pub predictions: Vec<Prediction>,
}

/// Predicts the metrics of [`PREDICTED`] that have samples, from `now` for `horizon`. Empty without history or horizon.
#[must_use]
pub fn predict(service_name: &str, history: &ServiceHistory, now: Timestamp, horizon: Span) -> Vec<Prediction> {
    forecasts(service_name, history, now, horizon).into_iter().flat_map(|f| f.predictions).collect()
}

/// The same, per metric and with the method that each rests on.
#[must_use]
pub fn forecasts(service_name: &str, history: &ServiceHistory, now: Timestamp, horizon: Span) -> Vec<Forecast> {
    let samples = clean(history);
    let one = |m: &Metric| forecast(service_name, *m, samples.get(m)?, now.secs(), horizon.secs());
    PREDICTED.iter().filter_map(one).collect()
}

fn forecast(service_name: &str, metric: Metric, s: &Samples, now: i64, horizon: i64) -> Option<Forecast> {
    if !(1..=3650 * DAY).contains(&horizon) {
        return None;
    }
    let s = coarser(s, metric, horizon)?;
    let last = s.points().last()?;
    let seasons = [(7 * DAY, Method::Weekly), (DAY, Method::Daily)];
    let mut best: Option<(f64, i64, Method, Vec<f64>)> = None;
    for (season, method) in
        seasons.into_iter().filter(|(season, _)| season % s.step == 0 && s.span_hours() >= 2.0 * *season as f64 / HOUR as f64 - 0.5)
    {
        let mut errors = errors(&s, season);
        let size = stats::median(&mut errors.iter().map(|e| e.abs()).collect::<Vec<_>>());
        errors.sort_unstable_by(f64::total_cmp);
        if let Some(size) = size.filter(|_| errors.len() >= FEW)
            && best.as_ref().is_none_or(|b| size < b.0)
        {
            best = Some((size, season, method, errors));
        }
    }
    let first = now.div_euclid(s.step) * s.step;
    let steps = (horizon + s.step - 1) / s.step;
    let mut predictions = Vec::with_capacity(steps as usize);
    for k in 0..steps {
        let time = first + k * s.step;
        let (mean, below, above) = match &best {
            Some((_, season, _, errors)) => {
                (season_ago(&s, time, *season).unwrap_or(last.1), quantile(errors, 0.025), quantile(errors, 0.975))
            }
            None => {
                // Errors of holding a value grow with how far ahead it is held.
                let ahead = ((time - last.0) / s.step).clamp(1, s.values.len() as i64) as usize;
                let errors = held_errors(&s, ahead);
                (last.1, quantile(&errors, 0.025), quantile(&errors, 0.975))
            }
        };
        let low = (mean + below.min(0.0)).max(0.0);
        predictions.push(Prediction {
            service_name: service_name.to_owned(),
            metric,
            time: Timestamp::from_secs(time),
            mean,
            lo95: low,
            hi95: mean + above.max(0.0),
        });
    }
    Some(Forecast { metric, method: best.map_or(Method::LastValue, |b| b.2), predictions })
}

/// Steps of at least five minutes, and wide enough for the horizon; steps that divide a day.
fn coarser(s: &Samples, metric: Metric, horizon: i64) -> Option<Samples> {
    let wanted = [300, 900, 1800, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY].into_iter().find(|w| *w >= s.step && horizon / w <= MOST);
    let n = wanted.unwrap_or(DAY) / s.step;
    if n < 2 || s.step * n != wanted.unwrap_or(DAY) {
        return (horizon / s.step <= 100 * MOST).then(|| s.clone());
    }
    // Begin on a whole step, so that merged intervals do too.
    let width = s.step * n;
    let skip = ((width - s.start.rem_euclid(width)) % width / s.step) as usize;
    let values = s.values.get(skip..)?.to_vec();
    let series = Series { start: s.time(skip), step: u32::try_from(s.step).ok()?, values };
    Samples::clean(&series.coarsen(n as usize, metric.aggregation()), metric)
}

/// The newest value that is whole seasons before `time`.
fn season_ago(s: &Samples, time: i64, season: i64) -> Option<f64> {
    let end = s.time(s.values.len());
    let seasons = ((time - end).div_euclid(season) + 1).max(1);
    (seasons..seasons + 3).find_map(|k| s.at(time - k * season))
}

/// What the rule got wrong in the past: value less the value a season before.
fn errors(s: &Samples, season: i64) -> Vec<f64> {
    s.points().filter_map(|(t, v)| Some(v - s.at(t - season)?)).collect()
}

/// What holding a value for `ahead` intervals got wrong, sorted; at most about 200.
fn held_errors(s: &Samples, ahead: usize) -> Vec<f64> {
    let stride = (s.values.len() / 200).max(1);
    let pairs = (ahead..s.values.len()).step_by(stride);
    let mut out: Vec<f64> = pairs.map(|i| f64::from(s.values[i]) - f64::from(s.values[i - ahead])).filter(|e| !e.is_nan()).collect();
    if out.len() < FEW {
        // Too few to see: as far as it ever moved.
        let (low, high) = s.present().fold((f64::INFINITY, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
        out = vec![low - high, high - low];
    }
    out.sort_unstable_by(f64::total_cmp);
    out
}

/// A quantile of sorted values, outwards: never inside the order statistic.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len().max(1) - 1) as f64;
    let i = if q < 0.5 { at.floor() } else { at.ceil() };
    sorted.get(i as usize).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    fn history(days: usize, value: impl Fn(usize) -> f64) -> ServiceHistory {
        let values = (0..days * 288).map(|i| value(i) as f32).collect();
        ServiceHistory { metrics: [(Metric::CpuUsage, Series { start: 20_000 * DAY, step: 300, values })].into() }
    }

    #[test]
    fn a_daily_wave_is_followed_and_covered() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let noise: Vec<f64> = (0..15 * 288).map(|_| rng.random_range(-0.1..0.1f64)).collect();
        let wave = |i: usize| 2.0 + (i as f64 / 288.0 * std::f64::consts::TAU).sin() + noise[i];
        let now = Timestamp::from_secs((20_000 + 14) * DAY);
        let found = &forecasts("s", &history(14, wave), now, Span::days(1))[0];
        assert_ne!(found.method, Method::LastValue);
        let covered = found.predictions.iter().enumerate().filter(|(k, p)| (p.lo95..=p.hi95).contains(&wave(14 * 288 + k))).count();
        assert_eq!(found.predictions.len(), 288);
        assert!(covered as f64 >= 0.9 * 288.0, "{covered}");
        assert_eq!(found.predictions[0].time, now);
    }

    #[test]
    fn weekends_need_two_weeks() {
        let weekly = |i: usize| if (i / 288) % 7 < 2 { 1.0 } else { 3.0 } + (i % 3) as f64 * 0.01;
        let at = |days: usize| {
            forecasts("s", &history(days, weekly), Timestamp::from_secs((20_000 + days as i64) * DAY), Span::days(7))[0].method
        };
        assert_eq!(at(21), Method::Weekly);
        assert_eq!(at(9), Method::Daily);
        assert_eq!(at(1), Method::LastValue);
    }

    #[test]
    fn little_history_gives_finite_wide_intervals() {
        for values in [vec![1.0], vec![1.0, 5.0], vec![f64::NAN, 2.0, f64::NAN]] {
            let n = values.len();
            let found =
                predict("s", &history(1, |i| if i < n { values[i] } else { f64::NAN }), Timestamp::from_secs(20_001 * DAY), Span::hours(2));
            assert_eq!(found.len(), 24);
            assert!(found.iter().all(|p| p.lo95 <= p.mean && p.mean <= p.hi95 && p.hi95.is_finite()));
        }
        assert!(predict("s", &ServiceHistory::default(), Timestamp::from_secs(0), Span::days(1)).is_empty());
        assert!(predict("s", &history(2, |_| 1.0), Timestamp::from_secs(0), Span(0)).is_empty());
    }
}
