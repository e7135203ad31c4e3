//! A run against its baseline.

use crate::changepoints::{mann_whitney, ranks};
use crate::stats::median;
use headroom_model::benchmark::{Comparison, Verdict};

/// A difference is called one at this p-value or less.
const LEVEL: f64 = 0.01;

/// Standard deviations of the rank sum that the interval reaches to: 99 %.
const REACH: f64 = 2.575_829;

/// More values than this per side are thinned to as many quantiles: all pairs are looked at.
const MOST: usize = 1000;

/// Compares two samples; shifts under `matters_percent` are no difference.
///
/// `None` when either side has no finite value, the baseline's median is zero, or values are too far apart for a number to hold: nothing can
/// then be said in percent. With fewer
/// than four values on a side no interval excludes anything, and the verdict is at most [`Verdict::Unclear`].
/// Sources: Hodges and Lehmann, Estimates of location based on rank tests, 1963; Moses's interval, as in Hollander, Wolfe and
/// Chicken, Nonparametric statistical methods, 2014; Cliff, Dominance statistics, 1993.
#[must_use]
pub fn compare(baseline: &[f64], new: &[f64], higher_is_better: bool, matters_percent: f64) -> Option<Comparison> {
    let (old, new) = (thinned(baseline), thinned(new));
    let centre = median(&mut old.clone()).filter(|c| *c != 0.0)?.abs();
    let mut apart: Vec<f64> = new.iter().flat_map(|n| old.iter().map(move |o| n - o)).collect();
    apart.sort_unstable_by(f64::total_cmp);
    let all: Vec<f64> = old.iter().chain(&new).copied().collect();
    let p_value = mann_whitney(&ranks(&all), old.len());
    let pairs = apart.len() as f64;
    let (above, below) = (apart.iter().filter(|d| **d > 0.0).count() as f64, apart.iter().filter(|d| **d < 0.0).count() as f64);
    let (low, high) = interval(&apart, old.len(), new.len())?;
    let percent = |v: f64| 100.0 * (v / centre);
    let shift_percent = percent(median(&mut apart)?);
    let comparison = Comparison {
        shift_percent,
        low_percent: percent(low),
        high_percent: percent(high),
        p_value,
        cliffs_delta: (above - below) / pairs,
        chance_above: (above + (pairs - above - below) / 2.0) / pairs,
        verdict: Verdict::Unclear,
    };
    let finite = [shift_percent, comparison.low_percent, comparison.high_percent].iter().all(|v| v.is_finite());
    let enough = old.len().min(new.len()) >= 4;
    finite.then(|| Comparison {
        verdict: if enough { verdict(&comparison, higher_is_better, matters_percent) } else { Verdict::Unclear },
        ..comparison
    })
}

fn verdict(c: &Comparison, higher_is_better: bool, matters_percent: f64) -> Verdict {
    if c.low_percent.max(-c.low_percent).max(c.high_percent.max(-c.high_percent)) < matters_percent {
        Verdict::Same
    } else if c.p_value > LEVEL || c.shift_percent.abs() < matters_percent {
        Verdict::Unclear
    } else if (c.shift_percent > 0.0) == higher_is_better {
        Verdict::Faster
    } else {
        Verdict::Slower
    }
}

/// The finite values, sorted; of more than [`MOST`] as many evenly spaced.
fn thinned(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    if n <= MOST { sorted } else { (0..MOST).map(|i| sorted[i * (n - 1) / (MOST - 1)]).collect() }
}

/// Between which of the sorted differences the shift lies; the outermost where samples are too small for the level.
fn interval(apart: &[f64], n: usize, m: usize) -> Option<(f64, f64)> {
    let (a, b) = (n as f64, m as f64);
    let from = (a * b / 2.0 - REACH * (a * b * (a + b + 1.0) / 12.0).sqrt()).floor().max(0.0) as usize;
    Some((*apart.get(from)?, *apart.get(apart.len().checked_sub(1 + from)?)?))
}
