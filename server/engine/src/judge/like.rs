//! Like load, like hour: what a sample should have been, from earlier samples of the same service.

use super::rule::Scale;
use crate::samples::Samples;
use crate::stats;
use headroom_model::time::{DAY, HOUR};

/// One earlier sample.
#[derive(Debug, Clone, Copy)]
struct Seen {
    time: i64,
    /// On the scale of comparison.
    value: f64,
    /// Logarithm of the load; `None` where load is not measured.
    load: Option<f64>,
}

/// Earlier samples by hour of the day.
pub(super) struct Past {
    hours: Vec<Vec<Seen>>,
    scale: Scale,
    has_load: bool,
}

/// Loads within 15 % are alike.
const LIKE_LOAD: f64 = 0.15;
/// Fewest samples that make an expectation.
const FEW: usize = 6;

fn log_load(load: f64) -> f64 {
    (load + 1e-3).ln()
}

/// The centre of residuals: of ratios the mean of the middle 60 %, nearly as robust as the median and steadier; of differences the
/// mean, because most are zero.
pub(super) fn centre(scale: Scale, residuals: &mut [f64]) -> Option<f64> {
    match scale {
        Scale::Ratio(_) => stats::trimmed_mean(residuals, 0.2),
        Scale::Difference if residuals.is_empty() => None,
        Scale::Difference => Some(residuals.iter().sum::<f64>() / residuals.len() as f64),
    }
}

fn weekend(time: i64) -> bool {
    (time.div_euclid(DAY) + 3).rem_euclid(7) >= 5 // 1970-01-01 was a Thursday
}

impl Past {
    pub fn new(values: &Samples, load: Option<&Samples>, scale: Scale) -> Self {
        let mut hours = vec![Vec::new(); 24];
        for (time, value) in values.points() {
            let load = match load {
                Some(l) => match l.at(time) {
                    Some(l) => Some(log_load(l)),
                    None => continue,
                },
                None => None,
            };
            let Some(value) = scale.seen(value) else { continue };
            hours[time.rem_euclid(DAY).div_euclid(HOUR) as usize].push(Seen { time, value, load });
        }
        Self { hours, scale, has_load: load.is_some() }
    }

    /// What a sample at `time` under `load` should have been on the scale of comparison, from samples before `until`; `None` where
    /// nothing is comparable. At the same hour of like days (an hour more or less) and like load; then at any hour of like load; a load below all that
    /// was seen is compared with the lowest ones, which asks no less of the service.
    pub fn expected(&self, time: i64, load: Option<f64>, until: i64) -> Option<f64> {
        let load = if self.has_load { Some(log_load(load?)) } else { None };
        let alike = |s: &Seen| match (load, s.load) {
            (Some(a), Some(b)) => (a - b).abs() <= LIKE_LOAD,
            _ => true,
        };
        let mut near = self.at_hour(time, until, true, alike);
        if near.len() < FEW {
            near = self.at_hour(time, until, false, alike);
        }
        if near.len() < FEW && load.is_some() {
            near = self.hours.iter().flatten().filter(|s| s.time < until && alike(s)).map(|s| s.value).collect();
        }
        if near.len() < FEW {
            near = self.lowest(load?, time, until)?;
        }
        centre(self.scale, &mut near)
    }

    fn at_hour(&self, time: i64, until: i64, same_kind: bool, alike: impl Fn(&Seen) -> bool) -> Vec<f64> {
        let hour = time.rem_euclid(DAY).div_euclid(HOUR);
        let mut out = Vec::new();
        for h in [hour - 1, hour, hour + 1] {
            for s in &self.hours[h.rem_euclid(24) as usize] {
                let apart = (s.time - time).rem_euclid(DAY);
                let close = apart <= HOUR || apart >= DAY - HOUR;
                if s.time < until && close && (!same_kind || weekend(s.time) == weekend(time)) && alike(s) {
                    out.push(s.value);
                }
            }
        }
        out
    }

    fn lowest(&self, load: f64, time: i64, until: i64) -> Option<Vec<f64>> {
        let hour = time.rem_euclid(DAY).div_euclid(HOUR) as usize;
        let mut seen: Vec<(f64, f64)> =
            self.hours[hour].iter().filter(|s| s.time < until).filter_map(|s| Some((s.load?, s.value))).collect();
        seen.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        (seen.len() >= FEW && load < seen[0].0).then(|| seen[..FEW].iter().map(|s| s.1).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expects_what_the_hour_and_the_load_brought_before() {
        let n = 14 * 288;
        let load: Vec<f32> = (0..n).map(|i| 100.0 + 50.0 * (i as f32 / 288.0 * std::f32::consts::TAU).sin()).collect();
        let values: Vec<f32> = load.iter().map(|l| 2.0 * l).collect();
        let s = |values: Vec<f32>| Samples { start: 0, step: 300, count: n, values };
        let (load, values) = (s(load), s(values));
        let past = Past::new(&values, Some(&load), Scale::Difference);
        let t = 14 * DAY + 9 * HOUR;
        let now = load.at(9 * HOUR).unwrap();
        assert!((past.expected(t, Some(now), t).unwrap() / (2.0 * now) - 1.0).abs() < 0.1);
        assert_eq!(past.expected(t, Some(900.0), t), None, "a load never seen is not comparable");
        assert!(past.expected(t, Some(1.0), t).is_some(), "a load below all seen is");
        assert_eq!(past.expected(t, Some(now), 0), None, "only the past counts");
    }
}
