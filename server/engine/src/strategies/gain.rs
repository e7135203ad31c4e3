//! What a change of one cause would do to latency, from the service's own samples.

use crate::samples::Samples;
use crate::stats;
use headroom_model::metric::Metric;
use std::collections::BTreeMap;

/// What moving a cause is expected to do to p95 latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gain {
    /// Lower p95, milliseconds, mean over the samples.
    pub ms: f64,
    /// The same as a share of mean p95, percent.
    pub percent: f64,
    /// Share of the variance of p95 that cause and load explain, 0 to 1.
    pub fit: f64,
    /// Days on which latency rose with the cause.
    pub kept: usize,
    /// Days on which both moved.
    pub judged: usize,
}

impl Gain {
    /// How far the fit supports a promise: half of the confidence is in the days, half in the fit.
    pub fn trust(&self) -> f64 {
        0.75 + 0.25 * self.fit
    }
}

/// The latency that promises are made of: p95, or p99 where that is all there is.
pub(crate) fn latency(samples: &BTreeMap<Metric, Samples>) -> Option<&Samples> {
    samples.get(&Metric::LatencyP95).or_else(|| samples.get(&Metric::LatencyP99))
}

/// Regresses p95 on a cause with load held constant, and asks what `moved` would have saved, sample by sample. Never promises
/// more than the distance from the mean to the best tenth of the latencies that the service has shown. `None` where latency does not rise with the
/// cause, or too little is known.
pub(crate) fn gain(samples: &BTreeMap<Metric, Samples>, cause: &Samples, moved: impl Fn(f64) -> f64) -> Option<Gain> {
    let latency = latency(samples)?;
    let load = samples.get(&Metric::RequestRate);
    let rows: Vec<(i64, f64, f64, f64)> =
        latency.points().filter_map(|(t, y)| Some((t, cause.at(t)?, load.map_or(Some(0.0), |l| l.at(t))?, y))).collect();
    let plain: Vec<(f64, f64, f64)> = rows.iter().map(|r| (r.1, r.2, r.3)).collect();
    let (slope, fit) = stats::slope_given(&plain)?;
    if slope <= 0.0 {
        return None;
    }
    let n = rows.len() as f64;
    let mean = rows.iter().map(|r| r.3).sum::<f64>() / n;
    let mut ys: Vec<f64> = rows.iter().map(|r| r.3).collect();
    let best = stats::quantile(&mut ys, 0.1)?;
    let saved = slope * rows.iter().map(|r| r.1 - moved(r.1)).sum::<f64>() / n;
    let ms = saved.min(mean - best).max(0.0);
    let (kept, judged) = agreeing_days(&rows);
    (ms > 0.0 && mean > 0.0).then_some(Gain { ms, percent: 100.0 * ms / mean, fit, kept, judged })
}

/// Days on which latency rose with the cause, and days on which both moved.
fn agreeing_days(rows: &[(i64, f64, f64, f64)]) -> (usize, usize) {
    let mut days: BTreeMap<i64, Vec<(f64, f64)>> = BTreeMap::new();
    for (t, x, _, y) in rows {
        days.entry(t.div_euclid(headroom_model::time::DAY)).or_default().push((*x, *y));
    }
    let (mut kept, mut judged) = (0, 0);
    for day in days.values().filter(|d| d.len() >= 6) {
        let n = day.len() as f64;
        let (mx, my) = (day.iter().map(|p| p.0).sum::<f64>() / n, day.iter().map(|p| p.1).sum::<f64>() / n);
        let together: f64 = day.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum();
        let spread: f64 = day.iter().map(|p| (p.0 - mx).powi(2)).sum();
        if spread > 1e-12 * n * mx * mx {
            judged += 1;
            kept += usize::from(together > 0.0);
        }
    }
    (kept, judged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: Vec<f32>) -> Samples {
        Samples { start: 0, step: 300, count: values.len(), values }
    }

    #[test]
    fn the_cause_is_credited_with_its_own_slope() {
        let wait: Vec<f32> = (0..2880).map(|i| if (i / 12) % 3 == 0 { 50.0 } else { 5.0 }).collect();
        let rate: Vec<f32> = (0..2880).map(|i| 100.0 + (i % 288) as f32 / 3.0).collect();
        let p95: Vec<f32> = wait.iter().zip(&rate).map(|(w, r)| 100.0 + 2.0 * w + 0.3 * r).collect();
        let all = [(Metric::LatencyP95, samples(p95)), (Metric::RequestRate, samples(rate))].into();
        let g = gain(&all, &samples(wait.clone()), |x| x.min(5.0)).unwrap();
        assert!((g.ms - 2.0 * 15.0).abs() < 1.0, "{g:?}");
        assert!(g.fit > 0.99);
        assert_eq!((g.kept, g.judged), (10, 10));
        let inverse = samples(wait.iter().map(|w| 60.0 - w).collect());
        assert_eq!(gain(&all, &inverse, |x| x / 2.0), None);
    }
}
