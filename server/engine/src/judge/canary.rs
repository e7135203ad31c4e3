//! A canary against its control: two groups at the same times.

use super::level::{Cell, Estimate, What, estimate};
use super::measure::{evidence, typical};
use super::rule::{Direction, Rule, Scale, direction, scale};
use super::{WARM_UP, begin, conclude};
use crate::features::clean;
use crate::samples::Samples;
use headroom_model::effect::{Effect, MetricEffect};
use headroom_model::metric::{Kind, Metric};
use headroom_model::policy::Policy;
use headroom_model::series::ServiceHistory;

/// Seconds per cell.
const CELL: i64 = 900;

/// Compares a canary with a control group of the same service over the time both ran.
///
/// Samples at the same time are paired, so that load, hour and weather of the cluster cancel; what is left is the level of the difference,
/// estimated under autocorrelated noise. Events (kills, restarts) are not compared: groups of different size have different counts.
/// Give per-replica metrics, or groups of equal size.
#[must_use]
pub fn canary(control: &ServiceHistory, canary: &ServiceHistory, policy: &Policy) -> Effect {
    let (control, canary) = (clean(control), clean(canary));
    let from = begin(&canary) + WARM_UP;
    let shared: Vec<Metric> = canary.keys().filter(|m| m.kind() == Kind::Gauge && control.contains_key(m)).copied().collect();
    let guard = |m: Metric| direction(m) != Direction::Neither;
    let judged = shared.iter().filter(|m| guard(**m)).count();
    let metrics: Vec<MetricEffect> = shared
        .iter()
        .map(|metric| {
            let rule = Rule { metric: *metric, guard: guard(*metric), policy, metrics: judged };
            let (old, new) = (&control[metric], &canary[metric]);
            match paired(old, new, scale(*metric).0, from) {
                Some((found, level)) => rule.effect(evidence(&rule, found, level)),
                None => rule.unknown(typical(old), typical(new)),
            }
        })
        .collect();
    conclude(metrics, &canary, &[], policy)
}

/// The level of the paired differences, and the mean of the canary's samples on the scale.
fn paired(control: &Samples, canary: &Samples, scale: Scale, from: i64) -> Option<(Estimate, f64)> {
    let width = CELL.max(canary.step).max(control.step);
    let mut cells: Vec<(i64, f64, f64)> = Vec::new();
    let mut level = (0.0, 0.0);
    for (t, v) in canary.points().filter(|p| p.0 >= from) {
        let pair = control.at(t).and_then(|c| Some((scale.seen(v)?, scale.seen(c)?)));
        let Some((value, other)) = pair else { continue };
        level = (level.0 + value, level.1 + 1.0);
        let at = (t - from) / width;
        match cells.last_mut() {
            Some(last) if last.0 == at => {
                last.1 += value - other;
                last.2 += 1.0;
            }
            _ => cells.push((at, value - other, 1.0)),
        }
    }
    let cells: Vec<Cell> = cells
        .iter()
        .map(|(at, sum, n)| Cell { hours: (at * width) as f64 / 3600.0, value: sum / n, after: true, beside: [None, None] })
        .collect();
    Some((estimate(&cells, What::Level)?, level.0 / level.1))
}
