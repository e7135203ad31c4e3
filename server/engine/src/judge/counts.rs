//! Kills and restarts: events are counted, and compared with the worst earlier window of the same length.

use super::WARM_UP;
use crate::samples::Samples;
use headroom_model::effect::{Judgement, MetricEffect};
use headroom_model::metric::Metric;
use std::collections::BTreeMap;

/// Compares the number of events since the change with earlier windows. One more OOM kill than the worst of them is worse, of
/// restarts two more: a restart may be anyone's.
pub(super) fn compare(
    metric: Metric,
    before: &BTreeMap<Metric, Samples>,
    after: &BTreeMap<Metric, Samples>,
    start: i64,
) -> Option<MetricEffect> {
    let (old, new) = (before.get(&metric)?, after.get(&metric)?);
    let restarts = metric == Metric::Restarts;
    let from = if restarts { start + WARM_UP } else { start };
    let count: f64 = new.points().filter(|(t, _)| *t >= from).map(|p| p.1).sum();
    let intervals = new.points().filter(|(t, _)| *t >= from).count();
    let (worst, per_interval) = windows(old, intervals.max(1));
    let expected = per_interval * intervals as f64;
    let margin = if restarts { 2.0 } else { 1.0 };
    // A Poisson count as large as this must be rare even at twice the earlier rate.
    let surprising = count >= worst + margin && count > expected + 3.0 * (expected + 0.1).sqrt();
    let judgement = if surprising {
        Judgement::Worse
    } else if !restarts && count == 0.0 && expected >= 3.0 {
        Judgement::Better
    } else {
        Judgement::Same
    };
    let percent = |n: f64| 100.0 * (n - expected) / expected.max(1.0);
    let half = 1.96 * (count + 0.5).sqrt();
    Some(MetricEffect {
        metric,
        before: expected,
        after: count,
        change_percent: percent(count),
        lo95: percent((count - half).max(0.0)),
        hi95: percent(count + half),
        guard: true,
        judgement,
    })
}

/// The most events in any window of that many intervals, and events per interval.
fn windows(s: &Samples, length: usize) -> (f64, f64) {
    let events: Vec<f64> = s.present().collect();
    let total: f64 = events.iter().sum();
    let mut sum = 0.0;
    let mut worst: f64 = 0.0;
    for (i, v) in events.iter().enumerate() {
        sum += v;
        if i >= length {
            sum -= events[i - length];
        }
        worst = worst.max(sum);
    }
    (worst, total / events.len().max(1) as f64)
}
