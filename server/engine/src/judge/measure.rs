//! How far one metric moved at the moment of a change, and how sure that is.
//!
//! Where enough is known before the change, the service's own [`past`] tells what should have been, and how far that goes wrong when
//! nothing was changed. Else it is the estimate of [`level`](super::level): a level that wanders by itself moves anywhere, a change moves it
//! where the windows meet; the same estimate at earlier midnights, where there are any, tells by how much its errors are too small.

use super::Clean;
use super::cells::{Cut, Windows, knows_season, within};
use super::level::{Estimate, What, estimate};
use super::past;
use super::rule::{Direction, Evidence, Rule, Scale, direction, scale};
use crate::samples::Samples;
use crate::stats;
use headroom_model::effect::MetricEffect;
use headroom_model::metric::Metric;
use headroom_model::time::DAY;

/// Seconds between the windows from which on they do not meet: the level may have moved in between.
const APART: i64 = 6 * 3600;
/// Share of samples above zero that a logarithm needs.
const ACTIVE: f64 = 0.5;
/// Earlier midnights, if known, at which nothing changed and at which the estimate is tried (an A/A test).
const TRIALS: i64 = 12;

/// Variance in standard errors that a move must pass: one-sided 95 % (1.645 squared), and for every doubling of the number of judged
/// metrics so much more that all together are still wrong in one of twenty (after Bonferroni; within 0.03 up to 32 metrics).
const ONE: f64 = 2.7;
const EVERY_DOUBLING: f64 = 1.18;
/// What an estimate that rests on few cells needs beyond that, as Student's t does: this over the number of cells and a half.
const FEW_CELLS: f64 = 1.05;
/// Standard error, as a share of the threshold, up to which a series is quiet. Beyond it the evidence asked for grows steeply to [`MOST`]: such
/// series have heavy tails, and an estimate as large as the threshold is what they do by themselves.
const CALM: f64 = 0.7;
/// Standard errors that a move of any series must pass at most.
const MOST: f64 = 6.0;

/// Compares one metric; `None` where it is not on both sides.
pub(super) fn compare(rule: &Rule<'_>, before: &Clean, after: &Clean) -> Option<MetricEffect> {
    let (old, new) = (before.get(&rule.metric)?, after.get(&rule.metric)?);
    let load = before.get(&Metric::RequestRate).zip(after.get(&Metric::RequestRate)).filter(|_| explained_by_load(rule.metric));
    let windows = Windows { before: old, after: new, load, scale: scale(rule.metric).0 };
    // What cannot decide needs no exact error.
    let known = if rule.guard { past::evidence(&windows, rule.metric) } else { None };
    let found = known.or_else(|| modelled(rule, &windows));
    Some(found.map_or_else(|| rule.unknown(typical(old), typical(new)), |e| rule.effect(e)))
}

/// The evidence of the level model.
fn modelled(rule: &Rule<'_>, windows: &Windows<'_>) -> Option<Evidence> {
    let cut = windows.cut();
    let found = measure(&cut, windows.scale)?;
    let times = if rule.guard { inflation(windows) } else { 1.0 };
    let found = Estimate { error: found.error * times, cells: found.cells / (times * times), ..found };
    Some(evidence(rule, found, mean(&cut, true)))
}

/// What an estimate of the level model says; `after`: the level after the change.
pub(super) fn evidence(rule: &Rule<'_>, found: Estimate, after: f64) -> Evidence {
    let Estimate { effect, error, cells } = found;
    let before = scale(rule.metric).0.unit(after - effect);
    let sure = sure(error / rule.threshold(before), cells, rule.metrics) * error;
    Evidence { effect, error, interval: (effect - 1.96 * error, effect + 1.96 * error), beyond: (sure, sure), after }
}

/// Demand is not explained by itself, and the sizes that are configured not at all.
fn explained_by_load(metric: Metric) -> bool {
    direction(metric) == Direction::LessIsBetter
}

/// The median of a metric's samples.
pub(super) fn typical(s: &Samples) -> f64 {
    stats::median(&mut s.present().collect::<Vec<_>>()).unwrap_or(0.0)
}

/// The step where two windows meet; where they do not, the level may have moved by as much as it moves within one.
fn measure(cut: &Cut, scale: Scale) -> Option<Estimate> {
    if matches!(scale, Scale::Ratio(_)) && cut.usable < ACTIVE {
        return None;
    }
    let found = estimate(&cut.cells, What::Step)?;
    if cut.apart <= APART {
        return Some(found);
    }
    let within = 0.5 * (variance(cut, false) + variance(cut, true));
    Some(Estimate { error: (found.error.powi(2) + 0.25 * within).sqrt(), ..found })
}

fn side(cut: &Cut, after: bool) -> impl Iterator<Item = f64> {
    cut.cells.iter().filter(move |c| c.after == after).map(|c| c.value)
}

fn mean(cut: &Cut, after: bool) -> f64 {
    side(cut, after).sum::<f64>() / side(cut, after).count().max(1) as f64
}

fn variance(cut: &Cut, after: bool) -> f64 {
    let mean = mean(cut, after);
    side(cut, after).map(|v| (v - mean).powi(2)).sum::<f64>() / side(cut, after).count().max(1) as f64
}

/// By how much the standard errors of this series are too small: estimates at earlier midnights, where nothing changed, over theirs. At least 1;
/// 1 where fewer than 4 midnights are known.
fn inflation(windows: &Windows<'_>) -> f64 {
    let (old, load, scale) = (windows.before, windows.load.map(|l| l.0), windows.scale);
    let hours = windows.after.span_hours();
    let Some(last) = old.points().last().map(|p| p.0) else { return 1.0 };
    let span = ((hours * 3600.0) as i64).min(DAY).max(old.step);
    let mut squares = Vec::new();
    for k in 1..=TRIALS {
        let at = last - k * DAY;
        // Only what knows as much as the real question does.
        if at - DAY < old.start || knows_season(old, last) != knows_season(old, at) {
            continue;
        }
        let (Some(past), Some(next)) = (within(old, old.start, at), within(old, at, at + span)) else { continue };
        let load = load.and_then(|l| Some((within(l, l.start, at)?, within(l, at, at + span)?)));
        let load = load.as_ref().map(|l| (&l.0, &l.1));
        let cut = Windows { before: &past, after: &next, load, scale }.cut();
        if let Some(found) = measure(&cut, scale) {
            squares.push((found.effect / found.error.max(1e-9)).powi(2));
        }
    }
    if squares.len() < 4 { 1.0 } else { (squares.iter().sum::<f64>() / squares.len() as f64).sqrt().max(1.0) }
}

/// Standard errors that a move must pass, given the standard error as a share of the threshold: the fewer cells it rests on, the more metrics are judged (each is one more chance to be
/// wrong) and the noisier the series, the more.
fn sure(error: f64, cells: f64, metrics: usize) -> f64 {
    let metrics = metrics.max(1) as f64;
    let quiet = (ONE + EVERY_DOUBLING * metrics.log2()).sqrt() + FEW_CELLS / (cells + 0.5);
    let calm = CALM / metrics.powf(0.25);
    (quiet * (error / calm).max(1.0).powi(6)).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sure_is_one_in_twenty_of_all_metrics_together_and_more_of_few_cells() {
        // Quantiles of the normal distribution at 1 − 0.05 / metrics.
        for (metrics, quantile) in [(1, 1.645), (2, 1.960), (4, 2.241), (8, 2.498), (16, 2.734), (32, 2.955)] {
            let asked = sure(0.1, 1e9, metrics);
            assert!((asked - quantile).abs() < 0.03, "{metrics}: {asked}");
        }
        assert!(sure(0.1, 1.0, 1) > sure(0.1, 4.0, 1) && sure(0.1, 4.0, 1) > sure(0.1, 100.0, 1));
        assert_eq!((sure(3.0, 100.0, 1), sure(3.0, 0.0, 9)), (MOST, MOST));
    }
}
