//! Looking ahead: the [forecast](crate::forecast) of the metrics that are planned by, in hourly means.

use crate::features::clean;
use crate::forecast::{self, Refusal, detect_seasons};
use crate::samples::Samples;
use headroom_model::job::Prediction;
use headroom_model::metric::Metric;
use headroom_model::series::ServiceHistory;
use headroom_model::time::{HOUR, Span, Timestamp};
use rayon::prelude::*;

/// What is predicted, where it is measured.
pub const PREDICTED: [Metric; 6] = [
    Metric::CpuUsage,
    Metric::CpuUtilization,
    Metric::MemoryWorkingSet,
    Metric::MemoryUtilization,
    Metric::RequestRate,
    Metric::LatencyP95,
];

/// A forecast of one metric, with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// The metric.
    pub metric: Metric,
    /// What it rests on, in words.
    pub method: String,
    /// One per hour (of a source that measures less often: per interval), from the one that holds `now` on.
    pub predictions: Vec<Prediction>,
}

/// Predicts the metrics of [`PREDICTED`] that have samples, from `now` for `horizon`. Empty without history or horizon; a metric that cannot be
/// forecast is left out.
#[must_use]
pub fn predict(service_name: &str, history: &ServiceHistory, now: Timestamp, horizon: Span) -> Vec<Prediction> {
    outlooks(service_name, history, now, horizon).into_iter().filter_map(|(_, found)| found.ok()).flat_map(|f| f.predictions).collect()
}

/// Predicts for many services in parallel, in their order: name, history and the time from which on.
#[must_use]
pub fn predict_fleet(services: &[(&str, &ServiceHistory, Timestamp)], horizon: Span) -> Vec<Prediction> {
    services.par_iter().flat_map_iter(|(name, history, now)| predict(name, history, *now, horizon)).collect()
}

/// The same per metric that has samples, with what each forecast rests on, or why there is none.
#[must_use]
pub fn outlooks(service_name: &str, history: &ServiceHistory, now: Timestamp, horizon: Span) -> Vec<(Metric, Result<Outlook, Refusal>)> {
    let samples = clean(history);
    let one = |m: &Metric| Some((*m, outlook(service_name, *m, samples.get(m)?, now.secs(), horizon.secs())));
    PREDICTED.iter().filter_map(one).collect()
}

fn outlook(service_name: &str, metric: Metric, samples: &Samples, now: i64, horizon: i64) -> Result<Outlook, Refusal> {
    let past = Hourly::of(samples);
    // Steps from the end of the past to the one that holds `now`, and from there as many as the horizon has.
    let until_now = (now - past.end).div_euclid(past.step);
    let steps = horizon.div_euclid(past.step) + i64::from(horizon.rem_euclid(past.step) > 0);
    let all = usize::try_from(until_now.saturating_add(steps)).unwrap_or(0);
    let found = forecast::forecast(&past.values, &detect_seasons(&past.values), all)?;
    let prediction = |i: usize| Prediction {
        service_name: service_name.to_owned(),
        metric,
        time: Timestamp::from_secs(past.end + i as i64 * past.step),
        mean: found.mean[i],
        lo95: found.lo95[i],
        hi95: found.hi95[i],
    };
    let first = usize::try_from(until_now).unwrap_or(0);
    Ok(Outlook { metric, predictions: (first..all).map(prediction).collect(), method: found.method })
}

/// Means per hour, up to the last hour of which half is there; of a source that measures less often, its samples.
struct Hourly {
    /// Seconds since the epoch of the end of the last value.
    end: i64,
    step: i64,
    /// `NaN` is a gap.
    values: Vec<f64>,
}

impl Hourly {
    fn of(s: &Samples) -> Self {
        let width = (HOUR / s.step).max(1) as usize;
        let step = s.step * width as i64;
        // Begin on a whole hour.
        let skip = ((step - s.start.rem_euclid(step)) % step / s.step) as usize;
        let mut hours: Vec<&[f32]> = s.values.get(skip..).unwrap_or_default().chunks(width).collect();
        while hours.last().is_some_and(|h| 2 * h.iter().filter(|v| !v.is_nan()).count() < width) {
            hours.pop();
        }
        let values: Vec<f64> = hours.into_iter().map(mean).collect();
        Self { end: s.time(skip) + values.len() as i64 * step, step, values }
    }
}

fn mean(values: &[f32]) -> f64 {
    let (sum, n) = values.iter().filter(|v| !v.is_nan()).fold((0.0, 0.0), |(s, n), v| (s + f64::from(*v), n + 1.0));
    sum / n
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_model::series::Series;
    use headroom_model::time::DAY;
    use rand::{RngExt, SeedableRng};

    fn history(days: usize, value: impl Fn(usize) -> f64) -> ServiceHistory {
        let values = (0..days * 288).map(|i| value(i) as f32).collect();
        ServiceHistory { metrics: [(Metric::CpuUsage, Series { start: 20_000 * DAY, step: 300, values })].into() }
    }

    fn at(days: i64) -> Timestamp {
        Timestamp::from_secs((20_000 + days) * DAY)
    }

    #[test]
    fn a_daily_wave_is_followed_and_covered() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let noise: Vec<f64> = (0..15 * 24).map(|_| rng.random_range(-0.1..0.1f64)).collect();
        let wave = |i: usize| 2.0 + ((i / 12) as f64 / 24.0 * std::f64::consts::TAU).sin() + noise[i / 12];
        let (_, found) = outlooks("s", &history(14, wave), at(14), Span::days(1)).remove(0);
        let found = found.unwrap();
        let covered = found.predictions.iter().enumerate().filter(|(k, p)| (p.lo95..=p.hi95).contains(&wave(14 * 288 + 12 * k))).count();
        assert_eq!((found.predictions.len(), found.predictions[0].time), (24, at(14)));
        assert!(covered >= 21, "{covered} {}", found.method);
        assert!(found.predictions.iter().all(|p| p.hi95 - p.lo95 < 1.0), "{:?}", found.predictions);
    }

    #[test]
    fn steps_before_now_are_left_out() {
        let flat = history(4, |_| 2.0);
        let later = predict("s", &flat, Timestamp::from_secs(20_004 * DAY + 7 * HOUR + 100), Span::hours(2));
        let begins: Vec<i64> = later.iter().map(|p| (p.time.secs() - 20_004 * DAY) / HOUR).collect();
        assert_eq!(begins, [7, 8]);
        assert!(later.iter().all(|p| (p.mean - 2.0).abs() < 1e-9 && p.lo95 <= p.mean && p.mean <= p.hi95));
        // What was measured since `now` is not predicted.
        assert!(predict("s", &flat, at(2), Span::days(1)).is_empty());
    }

    #[test]
    fn too_little_is_refused_with_a_reason() {
        let one = history(1, |i| if i < 12 { 1.0 } else { f64::NAN });
        let (metric, refused) = outlooks("s", &one, at(1), Span::hours(2)).remove(0);
        assert_eq!((metric, refused), (Metric::CpuUsage, Err(Refusal::TooFew { found: 1 })));
        assert!(predict("s", &one, at(1), Span::hours(2)).is_empty());
        assert!(predict("s", &ServiceHistory::default(), at(0), Span::days(1)).is_empty());
        assert!(predict("s", &history(2, |_| 1.0), at(2), Span(0)).is_empty());
        assert!(predict("s", &history(2, |_| 1.0), at(100_000), Span::days(1)).is_empty());
    }
}
