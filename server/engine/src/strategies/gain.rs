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

/// A part of this share of p95 is worth looking at.
const A_PART: f64 = 0.1;
/// A regression that explains this share of the variance of p95 is believed.
const BELIEVED: f64 = 0.3;
/// Most milliseconds of p95 that one millisecond of a part's mean stands for: about where the tail of a single part lies.
const TAIL: f64 = 2.0;

/// What shrinking a part of every request's own time to `left` of it would do: a millisecond less there is a millisecond less of p95, or
/// more where the service's own samples show it. Needs no history in which the part ever changed; its days are those on which it was a
/// tenth of p95 or more.
pub(crate) fn gain_of_part(samples: &BTreeMap<Metric, Samples>, part: &Samples, left: f64) -> Option<Gain> {
    let rows = rows(samples, part)?;
    let n = rows.len() as f64;
    let (own, mean) = (rows.iter().map(|r| r.1).sum::<f64>() / n, rows.iter().map(|r| r.3).sum::<f64>() / n);
    let (slope, fit) = regressed(&rows).filter(|(_, fit)| *fit > BELIEVED).unwrap_or((1.0, 0.0));
    let share = (own / mean).min(1.0);
    let ms = (own * (1.0 - left) * slope.clamp(1.0, TAIL)).min(mean * (1.0 - left));
    let days = by_day(&rows);
    let kept = days.values().filter(|d| d.iter().map(|p| p.0).sum::<f64>() > A_PART * d.iter().map(|p| p.1).sum::<f64>()).count();
    (ms > 0.0 && ms.is_finite()).then_some(Gain { ms, percent: 100.0 * ms / mean, fit: fit.max(share), kept, judged: days.len() })
}

/// Regresses p95 on a cause with load held constant, and asks what `moved` would have saved, sample by sample. Never promises
/// more than the distance from the mean to the best tenth of the latencies that the service has shown. `None` where latency does not rise with the
/// cause, or too little is known.
pub(crate) fn gain(samples: &BTreeMap<Metric, Samples>, cause: &Samples, moved: impl Fn(f64) -> f64) -> Option<Gain> {
    let rows = rows(samples, cause)?;
    let (slope, fit) = regressed(&rows)?;
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

/// Seconds since the epoch, cause, load, latency.
type Row = (i64, f64, f64, f64);

/// What was measured together; `None` where latency never was.
fn rows(samples: &BTreeMap<Metric, Samples>, cause: &Samples) -> Option<Vec<Row>> {
    let load = samples.get(&Metric::RequestRate);
    let row = |(t, y)| Some((t, cause.at(t)?, load.map_or(Some(0.0), |l| l.at(t))?, y));
    let rows: Vec<Row> = latency(samples)?.points().filter_map(row).collect();
    (!rows.is_empty()).then_some(rows)
}

/// Slope of latency on the cause at like load, and the share of its variance that both explain.
fn regressed(rows: &[Row]) -> Option<(f64, f64)> {
    let plain: Vec<(f64, f64, f64)> = rows.iter().map(|r| (r.1, r.2, r.3)).collect();
    stats::slope_given(&plain)
}

/// Cause and latency of each day that has enough of them.
fn by_day(rows: &[Row]) -> BTreeMap<i64, Vec<(f64, f64)>> {
    let mut days: BTreeMap<i64, Vec<(f64, f64)>> = BTreeMap::new();
    for (t, x, _, y) in rows {
        days.entry(t.div_euclid(headroom_model::time::DAY)).or_default().push((*x, *y));
    }
    days.retain(|_, day| day.len() >= 6);
    days
}

/// Days on which latency rose with the cause, and days on which both moved.
fn agreeing_days(rows: &[Row]) -> (usize, usize) {
    let (mut kept, mut judged) = (0, 0);
    for day in by_day(rows).values() {
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
        assert_eq!(gain(&all, &samples(vec![5.0; 2880]), |x| x / 2.0), None, "a cause that never moved explains nothing");
        let part = gain_of_part(&all, &samples(vec![40.0; 2880]), 0.5).unwrap();
        assert!((part.ms - 20.0).abs() < 1e-6, "a part is worth its own milliseconds: {part:?}");
        assert_eq!((part.kept, part.judged), (10, 10));
        let inverse = samples(wait.iter().map(|w| 60.0 - w).collect());
        assert_eq!(gain(&all, &inverse, |x| x / 2.0), None);
    }
}
