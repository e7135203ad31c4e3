//! Change-points: where a series passes into a new regime, with a p-value for each.
//!
//! One setting for every series. Of what has a [`season`] the third step decides, without it; of others three steps:
//! 1. [`exchange`]: might the values stand in any order? A permutation test that assumes nothing about the noise (outliers, ties,
//!    several modes) holds false alarms on unchanged series at its level, whatever follows.
//! 2. Steps found by splitting with that test are the answer where what is left between them is free of memory: benchmarks.
//! 3. Elsewhere (trends, seasons, autocorrelated noise) a permutation proves nothing, and [`curve`] decides: levels or lines,
//!    each further change paid for in units of the noise's long-run variance, so that wandering is not mistaken for change.

mod curve;
mod exchange;
mod season;
mod votes;

#[cfg(test)]
mod tests;

use crate::stats::{median, quantile};
pub(crate) use exchange::ranks;
use exchange::{LEVEL, Verdict};
pub(crate) use votes::mann_whitney;
pub use votes::{Votes, votes};

/// Fewer present values than this say nothing about change.
pub const FEWEST: usize = 8;

/// More present values than this are looked at in blocks first: the time needed grows with the square.
const MOST: usize = 4096;

/// Memory between neighbours, in standard errors, from which an order of values is no coincidence (one in a thousand), also
/// that left between steps, which then do not explain the series.
const MEMORY: f64 = 3.1;

/// A change of regime.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ChangePoint {
    /// Where the new regime begins: an index of the values given.
    pub index: usize,
    /// The typical value of the regime before, in the values' unit.
    pub before: f64,
    /// The typical value of the regime that begins here.
    pub after: f64,
    /// From before to after, percent of before's size; `None` where before is zero.
    pub change_percent: Option<f64>,
    /// How probable so strong a sign of change is, anywhere between the neighbouring changes, where nothing changed.
    pub p_value: f64,
    /// Share of the [`votes`] of two-sample tests that tell the two regimes apart, in `[0, 1]`.
    pub confidence: f64,
}

/// The changes of a series, in order; empty where nothing changed or fewer than [`FEWEST`] values are present.
///
/// `values`: in time order, one per step; what is not finite is a gap. The same values give the same answer: the permutations
/// come from the values themselves.
#[must_use]
pub fn changepoints(values: &[f64]) -> Vec<ChangePoint> {
    let (places, present): (Vec<usize>, Vec<f64>) = values.iter().copied().enumerate().filter(|(_, v)| v.is_finite()).unzip();
    let Some(scaled) = in_range(&present) else { return Vec::new() };
    let width = scaled.len().div_ceil(MOST);
    let found = if width == 1 { changes(&scaled) } else { refine(&scaled, &changes(&blocks(&scaled, width)), width) };
    describe(&places, &present, &found)
}

/// A change before it is described: its place among the present values and its p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Change {
    at: usize,
    p_value: f64,
}

/// Values scaled so that squares and sums stay finite; `None` for too few or when all are equal.
fn in_range(present: &[f64]) -> Option<Vec<f64>> {
    let largest = present.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
    if present.len() < FEWEST || present.iter().all(|v| *v == present[0]) {
        return None;
    }
    Some(if (1e-100..1e100).contains(&largest) { present.to_vec() } else { present.iter().map(|v| v / largest).collect() })
}

/// The changes among values without gaps, of what their season leaves.
fn changes(values: &[f64]) -> Vec<Change> {
    if let Some(plain) = season::without_season(values) {
        return curve::segment(&plain).changes();
    }
    let whole = exchange::test(values);
    let changed = whole.p_value <= LEVEL;
    if !changed && exchange::memory(values, &[]) < MEMORY {
        return Vec::new();
    }
    let steps = if changed { steps(values, whole) } else { Vec::new() };
    let at: Vec<usize> = steps.iter().map(|c| c.at).collect();
    let curve = curve::segment(values);
    let free = !steps.is_empty() && exchange::memory(values, &at) < MEMORY;
    if free && !curve.explains_better_than_steps(values, &at) { steps } else { curve.changes() }
}

/// Splits where the permutation test proves a change, and again on both sides.
fn steps(values: &[f64], whole: Verdict) -> Vec<Change> {
    let mut found = Vec::new();
    let mut open = vec![(0, values.len(), whole)];
    while let Some((from, to, verdict)) = open.pop() {
        if verdict.p_value > LEVEL {
            continue;
        }
        let at = from + verdict.at;
        found.push(Change { at, p_value: verdict.p_value });
        for (a, b) in [(from, at), (at, to)] {
            if b - a >= FEWEST {
                open.push((a, b, exchange::test(&values[a..b])));
            }
        }
    }
    found.sort_unstable_by_key(|c| c.at);
    found
}

/// Medians of `width` values each; what is left at the end is a block of its own.
fn blocks(values: &[f64], width: usize) -> Vec<f64> {
    values.chunks(width).filter_map(|c| median(&mut c.to_vec())).collect()
}

/// Changes between blocks, moved to the value within one block's width that parts the two sides best.
fn refine(values: &[f64], found: &[Change], width: usize) -> Vec<Change> {
    found
        .iter()
        .map(|change| {
            let middle = change.at * width;
            let (from, to) = (middle.saturating_sub(4 * width), (middle + 4 * width).min(values.len()));
            let (low, high) = (middle.saturating_sub(width).max(from + 1), (middle + width).min(to - 1));
            let at = curve::best_split(&values[from..to], low - from, high - from).map_or(middle, |k| from + k);
            Change { at, p_value: change.p_value }
        })
        .collect()
}

fn describe(places: &[usize], values: &[f64], found: &[Change]) -> Vec<ChangePoint> {
    let mut out = Vec::with_capacity(found.len());
    for (i, change) in found.iter().enumerate() {
        let from = if i == 0 { 0 } else { found[i - 1].at };
        let to = found.get(i + 1).map_or(values.len(), |c| c.at);
        let (left, right) = (&values[from..change.at], &values[change.at..to]);
        let (before, after) = levels(left, right);
        out.push(ChangePoint {
            index: places[change.at],
            before,
            after,
            change_percent: percent(before, after),
            p_value: change.p_value.clamp(0.0, 1.0),
            confidence: votes(left, right).share(),
        });
    }
    out
}

/// The medians of two regimes; their means where the medians do not tell them apart (values that repeat).
fn levels(left: &[f64], right: &[f64]) -> (f64, f64) {
    let middle = |v: &[f64]| quantile(&mut v.to_vec(), 0.5).unwrap_or_default();
    let (before, after) = (middle(left), middle(right));
    if before != after {
        return (before, after);
    }
    let mean = |v: &[f64]| v.iter().map(|x| x / v.len() as f64).sum::<f64>();
    (mean(left), mean(right))
}

/// The change in percent of the size of `before`; `None` where that is zero or the answer is not finite.
pub(crate) fn percent(before: f64, after: f64) -> Option<f64> {
    let change = 100.0 * (after - before) / before.abs();
    change.is_finite().then_some(change)
}
