//! Storage: how full the volume is and when it will be full. A volume can grow, not shrink.

use super::case::says;
use super::{Case, Draft, Strategy};
use crate::features::Volume;
use crate::forecast::capacity::runs_out;
use crate::risk::Risks;
use crate::samples::Samples;
use crate::words::{bytes, bytes_step, number, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, Proposal, Risk, RiskKind, Verdict};
use headroom_model::time::{DAY, HOUR};
use headroom_model::units::{Bytes, GIB};

/// Watches the persistent volume.
pub struct Storage;

/// Fuller than this, or full within [`SOON`] days, is too small.
const FULL: f64 = 0.85;
const SOON: f64 = 14.0;
/// Emptier than this is too large.
const EMPTY: f64 = 0.2;
/// A new size holds this many days of growth at this share.
const AHEAD: f64 = 30.0;
const COMFORTABLE: f64 = 0.7;

/// Hours that one value of the forecast of a volume covers.
const STEP: i64 = 3 * HOUR;
/// A forecast is asked where a straight line is full within these days.
const IN_SIGHT: f64 = 60.0;

/// When the volume is full, days from now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Outlook {
    /// When it first becomes plausible, when it is likely, when it is nearly sure; `None` where that is not in sight.
    earliest: Option<f64>,
    likely: Option<f64>,
    latest: Option<f64>,
}

impl Outlook {
    /// From the forecast as far as it reaches, which is as far ahead as the history is long; the straight line beyond.
    fn of(case: &Case) -> Self {
        let Some(v) = &case.features.volume else { return Self::default() };
        let line = Self { likely: v.days_to_full, ..Self::default() };
        let Some(used) = case.samples.get(&Metric::VolumeUsed).filter(|_| v.days_to_full.is_some_and(|d| d < IN_SIGHT)) else {
            return line;
        };
        Self::foretold(used, v.capacity, v.days_to_full).unwrap_or(line)
    }

    fn foretold(used: &Samples, capacity: f64, line: Option<f64>) -> Option<Self> {
        let values = every(used, STEP);
        let found = runs_out(&values, STEP as f64, capacity, values.len()).ok()?;
        let days = |secs: Option<f64>| secs.map(|s| s / DAY as f64);
        let beyond = line.filter(|d| found.likely.is_none() && *d > found.horizon / DAY as f64);
        Some(Self { earliest: days(found.earliest), likely: days(found.likely).or(beyond), latest: days(found.latest) })
    }

    /// `full in 9 days (7 to 13)`
    fn words(self) -> Option<String> {
        let days = |d: f64| number(d, 0);
        let range = match (self.earliest, self.latest) {
            (Some(a), Some(b)) => format!(" ({} to {})", days(a), days(b)),
            (Some(a), None) => format!(" (at the earliest in {})", days(a)),
            _ => String::new(),
        };
        Some(format!("full in {} days{range}", days(self.likely?)))
    }
}

/// Means of `step` seconds; `NaN` where nothing was measured.
fn every(samples: &Samples, step: i64) -> Vec<f64> {
    let slot = |t: i64| t.div_euclid(step);
    let mut sums: Vec<(f64, f64)> = Vec::new();
    let Some(first) = samples.points().next().map(|(t, _)| slot(t)) else { return Vec::new() };
    for (t, v) in samples.points() {
        let i = (slot(t) - first) as usize;
        sums.resize(sums.len().max(i + 1), (0.0, 0.0));
        sums[i] = (sums[i].0 + v, sums[i].1 + 1.0);
    }
    sums.into_iter().map(|(sum, n)| if n > 0.0 { sum / n } else { f64::NAN }).collect()
}

fn verdict(v: &Volume, ahead: Outlook) -> Verdict {
    let used = v.used / v.capacity;
    if used > FULL || ahead.likely.is_some_and(|d| d < SOON) {
        Verdict::Under
    } else if used < EMPTY && ahead.likely.is_none_or(|d| d > 365.0) {
        Verdict::Over
    } else {
        Verdict::Optimal
    }
}

impl Strategy for Storage {
    fn name(&self) -> &'static str {
        "storage"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.features.volume.is_some()
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let Some(v) = &case.features.volume else { return Vec::new() };
        let ahead = Outlook::of(case);
        let full = match ahead.words() {
            Some(full) => format!(", {full} at {} a day", bytes(v.growth_per_day.max(0.0))),
            None if v.days_to_full.is_some() => format!(", growing by {} a day, and not full within sight", bytes(v.growth_per_day)),
            None => ", not growing".to_owned(),
        };
        let verdict = verdict(v, ahead);
        let cannot = if verdict == Verdict::Over { "; a volume cannot be made smaller in place" } else { "" };
        let text = format!("Storage: {} of {} used ({}){full}{cannot}", bytes(v.used), bytes(v.capacity), percent(v.used / v.capacity));
        vec![Finding { resource: "storage".to_owned(), verdict, text, bottleneck: verdict == Verdict::Under }]
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        let ahead = Outlook::of(case);
        let v = case.features.volume.as_ref().filter(|v| verdict(v, ahead) == Verdict::Under)?;
        let now = case.state().volume?;
        let wanted = (v.used + v.growth_per_day.max(0.0) * AHEAD) / COMFORTABLE;
        let gib = (wanted / GIB as f64).ceil().min(1e9);
        let size = Bytes::new((gib as u64).saturating_mul(GIB));
        if size <= now {
            return None;
        }
        let mut recommended = case.state().clone();
        recommended.volume = Some(size);
        let mut risks = Risks::default();
        risks.add(RiskKind::SideEffect, Risk::Low, "a volume grows in place and cannot be made smaller again");
        let days = case.features.days as usize;
        let title = match ahead.likely {
            Some(d) => format!("Volume {}: full in {} days", bytes_step(now.as_f64(), size.as_f64()), number(d, 0)),
            None => format!("Volume {}: {} full", bytes_step(now.as_f64(), size.as_f64()), percent(v.used / v.capacity)),
        };
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Resource,
            title,
            description: format!(
                "Grow the volume from {} to {}: today's data and {AHEAD:.0} days of its growth then fill {} of it.",
                bytes(now.as_f64()),
                bytes(size.as_f64()),
                percent(COMFORTABLE)
            ),
            recommended,
            freed_replicas: None,
            performance: 0.0,
            latency_ms: 0.0,
            confidence: case.confidence(days, days, 0.0, 1.0),
            evidence: vec![
                says(true, format!("{} of {} are used", bytes(v.used), bytes(v.capacity))),
                says(v.days_to_full.is_some(), format!("it grows by {} a day", bytes(v.growth_per_day.max(0.0)))),
                says(ahead.likely.is_some(), ahead.words().unwrap_or_else(|| "no forecast says when it is full".to_owned())),
                case.data_evidence(),
            ],
            replays: Vec::new(),
            risks,
            cure: true,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    /// Fourteen days of a volume of 100, with noise, and the days until `level` reaches it.
    fn lived(seed: u64, level: impl Fn(f64) -> f64) -> (Samples, f64) {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let values: Vec<f32> = (0..14 * 288).map(|i| (level(f64::from(i) / 288.0) + rng.random_range(-0.2..0.2)) as f32).collect();
        let full = (0..20_000).map(|i| 14.0 + f64::from(i) / 288.0).find(|d| level(*d) >= 100.0).unwrap() - 14.0;
        (Samples { start: 20_003 * DAY, step: 300, count: values.len(), values }, full)
    }

    fn line(used: &Samples) -> f64 {
        let points: Vec<(f64, f64)> = used.points().map(|(t, v)| (t as f64 / DAY as f64, v)).collect();
        (100.0 - points.last().unwrap().1) / crate::stats::theil_sen(&points).unwrap().0
    }

    #[test]
    fn a_forecast_sees_a_new_pace_that_a_straight_line_averages_away() {
        let faster = |d: f64| if d < 10.0 { 40.0 + 1.5 * d } else { 55.0 + 4.5 * (d - 10.0) };
        let slower = |d: f64| if d < 9.0 { 20.0 + 6.0 * d } else { 74.0 + 2.0 * (d - 9.0) };
        let steady = |d: f64| 40.0 + 3.0 * d + (d * std::f64::consts::TAU).sin();
        let (mut ours, mut straight) = (0.0, 0.0);
        for seed in 0..4 {
            for (used, full) in [lived(seed, faster), lived(seed, slower), lived(seed, steady)] {
                let ahead = Outlook::foretold(&used, 100.0, Some(line(&used))).unwrap();
                let likely = ahead.likely.unwrap_or(14.0);
                ours += (likely - full).abs();
                straight += (line(&used) - full).abs();
                assert!(ahead.earliest.is_some_and(|e| e <= full + 0.5), "{ahead:?} {full}");
            }
        }
        assert!(ours < 0.75 * straight, "days off: {ours} by forecast, {straight} by line");
    }

    #[test]
    fn what_is_beyond_the_forecast_follows_the_line() {
        let (used, _) = lived(1, |d| 40.0 + 1.2 * d);
        let ahead = Outlook::foretold(&used, 100.0, Some(36.0)).unwrap();
        assert_eq!((ahead.likely, ahead.latest), (Some(36.0), None));
        assert_eq!(Outlook { likely: Some(9.2), earliest: Some(7.0), latest: Some(13.0) }.words().unwrap(), "full in 9 days (7 to 13)");
    }
}
