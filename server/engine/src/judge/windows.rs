//! Two windows of one service against each other, every metric by its own direction: what `headroom judge` answers.
//!
//! Unlike a change under observation, where weeks before it are known, there may be no more than a day on either side. How far the level
//! of each metric moved at the moment between them, and how sure that is, comes from [`level`](super::level): a level that
//! wanders by itself moves anywhere, a change moves it where the windows meet. A metric is worse when the move in its bad direction is at
//! least [`FROM`] of the threshold of policy and [`sure`] standard errors; the noisier a series, the more, because its tails are heavier.
//! Where the evidence does not separate the threshold from drift the metric is inconclusive.

use super::cells::{Cut, Windows, knows_season, within};
use super::level::{Estimate, What, estimate};
use super::like::Scale;
use super::{counts, summary, unknown};
use crate::features::clean;
use crate::samples::Samples;
use headroom_model::effect::{Effect, Judgement, MetricEffect};
use headroom_model::metric::Metric;
use headroom_model::policy::Policy;
use headroom_model::series::ServiceHistory;
use headroom_model::time::{DAY, Timestamp};
use std::collections::BTreeMap;

/// Share of the threshold, on the logarithmic scale, from which on a move counts: half-way to it, estimates of nothing and of the
/// threshold are told apart with equal errors; a little more, because nothing is commoner.
const FROM: f64 = 2.0 / 3.0;
/// Standard errors that a move of a quiet series must pass: by chance one in a hundred and sixty does in the bad direction.
const QUIET: f64 = 2.5;
/// Standard error, as a share of the threshold, up to which a series is quiet. Beyond it the evidence asked for grows steeply to [`MOST`]: such
/// series have heavy tails, and an estimate as large as the threshold is what they do by themselves.
const CALM: f64 = 0.7;
/// Standard errors that a move of any series must pass at most.
const MOST: f64 = 6.0;
/// Seconds between the windows from which on they do not meet: the level may have moved in between.
const APART: i64 = 6 * 3600;
/// Share of samples above zero that a logarithm needs.
const ACTIVE: f64 = 0.5;
/// Earlier midnights, if known, at which nothing changed and at which the estimate is tried (an A/A test).
const TRIALS: i64 = 12;

/// What a rise of a metric means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A rise is worse: latency, failures, and every resource that costs money.
    LessIsBetter,
    /// A fall is worse: work done, look-ups answered by the cache. A rise of demand says nothing of quality, so it is never better.
    FallIsWorse,
    /// Configuration and counts of replicas: reported, never judged.
    Neither,
}

/// The direction of a metric.
#[must_use]
pub const fn direction(metric: Metric) -> Direction {
    match metric {
        Metric::RequestRate | Metric::RequestRatePerReplica | Metric::InputTokens | Metric::OutputTokens | Metric::CacheHitRatio => {
            Direction::FallIsWorse
        }
        Metric::CpuRequest | Metric::CpuLimit | Metric::MemoryRequest | Metric::MemoryLimit | Metric::VolumeCapacity | Metric::Replicas => {
            Direction::Neither
        }
        _ => Direction::LessIsBetter,
    }
}

/// Compares `after` with `before`, metric by metric.
///
/// Both hold samples of one service; a day on either side at any step is enough, more days before are used. Where both have a request rate, the
/// other metrics are compared at like load. `guard` of a metric's effect tells whether it can make the verdict worse. Steps of the
/// conclusion: worse if any metric is; inconclusive if none that is judged could be told; better if one is; else the same.
#[must_use]
pub fn between(before: &ServiceHistory, after: &ServiceHistory, policy: &Policy) -> Effect {
    let (before, after) = (clean(before), clean(after));
    let samples = after.values().map(|s| s.count).max().unwrap_or(0);
    let from = after.values().filter_map(|s| s.points().next()).map(|p| p.0).min().unwrap_or(0);
    let to = after.values().filter_map(|s| s.points().last().map(|p| p.0 + s.step)).max().unwrap_or(from);
    let judged = after.keys().filter(|m| before.contains_key(m) && direction(**m) != Direction::Neither).count();
    let metrics: Vec<MetricEffect> = after.keys().filter_map(|m| compare(*m, &before, &after, (from, judged), policy)).collect();
    let judgement = conclude(&metrics, samples, policy);
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

pub(super) fn conclude(metrics: &[MetricEffect], samples: usize, policy: &Policy) -> Judgement {
    let any = |j: Judgement| metrics.iter().any(|m| m.guard && m.judgement == j);
    if samples < policy.observation_min_samples as usize {
        Judgement::Inconclusive
    } else {
        let order = [Judgement::Worse, Judgement::Better, Judgement::Same];
        order.into_iter().find(|j| any(*j)).unwrap_or(Judgement::Inconclusive)
    }
}

/// The floor under which values of a metric that is compared by difference are nothing.
pub(super) fn scale(metric: Metric) -> (Scale, f64) {
    match metric {
        Metric::ErrorRatio => (Scale::Difference, 0.005),
        Metric::CpuThrottled => (Scale::Difference, 0.02),
        _ => (Scale::Ratio(0.0), 0.0),
    }
}

fn compare(
    metric: Metric,
    before: &BTreeMap<Metric, Samples>,
    after: &BTreeMap<Metric, Samples>,
    (start, metrics): (i64, usize),
    policy: &Policy,
) -> Option<MetricEffect> {
    if matches!(metric, Metric::OomKills | Metric::Restarts) {
        return counts::compare(metric, before, after, start);
    }
    let (old, new) = (before.get(&metric)?, after.get(&metric)?);
    let demand = |m: &'_ BTreeMap<Metric, Samples>| m.get(&Metric::RequestRate).cloned();
    let load = demand(before).zip(demand(after)).filter(|_| explained_by_load(metric));
    let (scale, floor) = scale(metric);
    let load = load.as_ref().map(|l| (&l.0, &l.1));
    let cut = Windows { before: old, after: new, load, scale }.cut();
    let usual = super::typical(old);
    let judged = direction(metric) != Direction::Neither;
    let nothing = || MetricEffect { guard: judged, ..unknown(metric, usual, new) };
    let Some(found) = measure(&cut, scale) else { return Some(nothing()) };
    let found = Estimate { error: found.error * inflation(old, load.map(|l| l.0), scale, new.span_hours()), ..found };
    Some(Rule { metric, scale, floor, policy, metrics }.effect(found, usual.max(0.0)))
}

/// Demand is not explained by itself, and the sizes that are configured not at all.
fn explained_by_load(metric: Metric) -> bool {
    direction(metric) == Direction::LessIsBetter
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
    let within = 0.5 * (spread(cut, false).powi(2) + spread(cut, true).powi(2));
    Some(Estimate { error: (found.error.powi(2) + 0.25 * within).sqrt(), ..found })
}

fn spread(cut: &Cut, after: bool) -> f64 {
    let values: Vec<f64> = cut.cells.iter().filter(|c| c.after == after).map(|c| c.value).collect();
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// By how much the standard errors of this series are too small: estimates at earlier midnights, where nothing changed, over theirs. At least 1;
/// 1 where fewer than 4 midnights are known.
fn inflation(old: &Samples, load: Option<&Samples>, scale: Scale, hours: f64) -> f64 {
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

/// How one metric is judged.
pub(super) struct Rule<'p> {
    pub metric: Metric,
    pub scale: Scale,
    pub floor: f64,
    pub policy: &'p Policy,
    /// How many metrics are judged.
    pub metrics: usize,
}

impl Rule<'_> {
    /// The effect in the metric's unit and in percent, and what it says. `usual`: the typical value before.
    pub fn effect(&self, found: Estimate, usual: f64) -> MetricEffect {
        let share = |e: f64| match self.scale {
            Scale::Ratio(_) => e.clamp(-20.0, 20.0).exp_m1(),
            Scale::Difference => e / usual.max(self.floor),
        };
        let direction = direction(self.metric);
        MetricEffect {
            metric: self.metric,
            before: usual,
            after: (usual
                + match self.scale {
                    Scale::Ratio(_) => usual * share(found.effect),
                    Scale::Difference => found.effect,
                })
            .max(0.0),
            change_percent: 100.0 * share(found.effect),
            lo95: 100.0 * share(found.effect - 1.96 * found.error),
            hi95: 100.0 * share(found.effect + 1.96 * found.error),
            guard: direction != Direction::Neither,
            judgement: self.judge(found, usual, direction),
        }
    }

    fn judge(&self, found: Estimate, usual: f64, direction: Direction) -> Judgement {
        let share = -self.policy.rollback_threshold / 100.0;
        let threshold = match self.scale {
            Scale::Ratio(_) => share.ln_1p(),
            Scale::Difference => (share * usual).max(self.floor),
        };
        let moved =
            found.effect.abs() >= FROM * threshold && found.effect.abs() >= sure(found.error / threshold, self.metrics) * found.error;
        let bad = if direction == Direction::FallIsWorse { found.effect < 0.0 } else { found.effect > 0.0 };
        if moved && direction != Direction::Neither {
            return match direction {
                _ if bad => Judgement::Worse,
                Direction::FallIsWorse => Judgement::Same,
                _ => Judgement::Better,
            };
        }
        let reach = if bad { found.effect.abs() } else { 0.0 };
        if reach + 1.64 * found.error < threshold { Judgement::Same } else { Judgement::Inconclusive }
    }
}

/// Standard errors that a move must pass, given the standard error as a share of the threshold and how many metrics are judged: each
/// is one more chance to be wrong.
fn sure(error: f64, metrics: usize) -> f64 {
    let calm = CALM / (metrics.max(1) as f64).powf(0.25);
    (QUIET * (error / calm).max(1.0).powi(6)).min(MOST)
}
