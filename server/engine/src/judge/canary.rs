//! A canary against its control: two groups at the same times.

use super::level::{Cell, Estimate, What, estimate};
use super::like::Scale;
use super::windows::{self, Direction, Rule};
use super::{WARM_UP, summary, typical, unknown};
use crate::features::clean;
use crate::samples::Samples;
use headroom_model::effect::{Effect, MetricEffect};
use headroom_model::metric::Kind;
use headroom_model::policy::Policy;
use headroom_model::series::ServiceHistory;
use headroom_model::time::Timestamp;

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
    let from = canary.values().filter_map(|s| s.points().next()).map(|p| p.0).min().unwrap_or(0);
    let to = canary.values().filter_map(|s| s.points().last().map(|p| p.0 + s.step)).max().unwrap_or(from);
    let samples = canary.values().map(|s| s.count).max().unwrap_or(0);
    let both = canary.keys().filter(|m| control.contains_key(m) && windows::direction(**m) != Direction::Neither).count();
    let mut metrics = Vec::new();
    for (metric, new) in canary.iter().filter(|(m, _)| m.kind() == Kind::Gauge) {
        let Some(old) = control.get(metric) else { continue };
        let (scale, floor) = windows::scale(*metric);
        let usual = typical(old);
        let guard = windows::direction(*metric) != Direction::Neither;
        metrics.push(match paired(old, new, scale, from + WARM_UP) {
            Some(found) => Rule { metric: *metric, scale, floor, policy, metrics: both }.effect(found, usual),
            None => MetricEffect { guard, ..unknown(*metric, usual, new) },
        });
    }
    let judgement = windows::conclude(&metrics, samples, policy);
    Effect {
        judgement,
        summary: summary(judgement, &metrics, samples, &[], policy),
        metrics,
        from: Timestamp::from_secs(from),
        to: Timestamp::from_secs(to),
        samples: u32::try_from(samples).unwrap_or(u32::MAX),
        achieved_month: None,
    }
}

/// The level of the paired differences.
fn paired(control: &Samples, canary: &Samples, scale: Scale, from: i64) -> Option<Estimate> {
    let width = CELL.max(canary.step).max(control.step);
    let mut cells: Vec<(i64, f64, f64)> = Vec::new();
    for (t, v) in canary.points().filter(|p| p.0 >= from) {
        let pair = control.at(t).and_then(|c| Some(scale.seen(v)? - scale.seen(c)?));
        let Some(difference) = pair else { continue };
        let at = (t - from) / width;
        match cells.last_mut() {
            Some(last) if last.0 == at => {
                last.1 += difference;
                last.2 += 1.0;
            }
            _ => cells.push((at, difference, 1.0)),
        }
    }
    let cells: Vec<Cell> = cells
        .iter()
        .map(|(at, sum, n)| Cell { hours: (at * width) as f64 / 3600.0, value: sum / n, after: true, beside: [None, None] })
        .collect();
    estimate(&cells, What::Level)
}
