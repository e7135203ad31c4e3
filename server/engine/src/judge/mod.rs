//! The effect judge: a service after a change against the same service before, at like load and like hour.
//!
//! How far each metric moved at the moment of the change, and how sure that is, is [`measure`]d: from the service's own past where enough of
//! it is known, else from a model of how levels wander. What a move means is the [`rule`]'s, for both: a metric is worse when it moved in its bad
//! direction by a good part of the threshold of policy, by more than an absolute floor, and surely. Events are [`counts`].

mod canary;
mod cells;
mod counts;
mod level;
mod like;
mod measure;
mod past;
mod rule;
mod summary;

pub use canary::canary;
pub use rule::{Direction, direction};

use crate::features::clean;
use crate::samples::Samples;
use headroom_model::effect::{Effect, Judgement, MetricEffect};
use headroom_model::metric::Metric;
use headroom_model::plan::FieldChange;
use headroom_model::policy::Policy;
use headroom_model::series::ServiceHistory;
use headroom_model::time::Timestamp;
use rule::Rule;
use std::collections::BTreeMap;

/// Seconds after a change that are not judged: caches are cold, pods come up.
pub const WARM_UP: i64 = 600;

/// A service's usable samples by metric.
type Clean = BTreeMap<Metric, Samples>;

/// Which metrics decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guards {
    /// Every metric with a direction: of two windows that somebody wants compared.
    Every,
    /// What users of the service feel: latency, errors, throttling, kills and restarts. A change of requests moves the use of CPU
    /// and memory, as it should; these and the demand are shown beside.
    Felt,
}

impl Guards {
    /// Whether a metric decides; `None` when it is not shown.
    fn role(self, metric: Metric) -> Option<bool> {
        match (self, metric) {
            (Self::Every, _) => Some(direction(metric) != Direction::Neither),
            (
                Self::Felt,
                Metric::LatencyP95 | Metric::LatencyP99 | Metric::ErrorRatio | Metric::CpuThrottled | Metric::OomKills | Metric::Restarts,
            ) => Some(true),
            (Self::Felt, Metric::LatencyP50 | Metric::CpuUsage | Metric::MemoryWorkingSet | Metric::RequestRate) => Some(false),
            (Self::Felt, _) => None,
        }
    }
}

/// Judges what came `after` a change against what was `before` it.
///
/// Both hold samples of one service; a day before at any step is enough, more days tell more. Where both have a request rate, the other
/// metrics are compared at like load. `guard` of a metric's effect tells whether it can make the verdict worse; `changed` only names the
/// change in the summary. `achieved_month` is left for the caller, who knows the prices.
#[must_use]
pub fn judge(before: &ServiceHistory, after: &ServiceHistory, guards: Guards, changed: &[FieldChange], policy: &Policy) -> Effect {
    let (before, after) = (clean(before), clean(after));
    let shown: Vec<(Metric, bool)> = after.keys().filter(|m| before.contains_key(m)).filter_map(|m| Some((*m, guards.role(*m)?))).collect();
    let judged = shown.iter().filter(|s| s.1).count();
    let rule = |&(metric, guard): &(Metric, bool)| Rule { metric, guard, policy, metrics: judged };
    let start = begin(&after);
    let metrics = shown.iter().filter_map(|s| compare(&rule(s), &before, &after, start)).collect();
    conclude(metrics, &after, changed, policy)
}

fn compare(rule: &Rule<'_>, before: &Clean, after: &Clean, start: i64) -> Option<MetricEffect> {
    if matches!(rule.metric, Metric::OomKills | Metric::Restarts) {
        return counts::compare(rule.metric, before, after, start).map(|m| MetricEffect { guard: rule.guard, ..m });
    }
    measure::compare(rule, before, after)
}

/// Seconds of the first sample, 0 without any.
fn begin(samples: &Clean) -> i64 {
    samples.values().filter_map(|s| s.points().next()).map(|p| p.0).min().unwrap_or(0)
}

/// The effect from those of the metrics.
fn conclude(mut metrics: Vec<MetricEffect>, after: &Clean, changed: &[FieldChange], policy: &Policy) -> Effect {
    // Guards first, as they are read.
    metrics.sort_by_key(|m| !m.guard);
    let samples = after.values().map(|s| s.count).max().unwrap_or(0);
    let from = begin(after);
    let to = after.values().filter_map(|s| s.points().last().map(|p| p.0 + s.step)).max().unwrap_or(from);
    let judgement = verdict(&metrics, samples, policy);
    Effect {
        judgement,
        summary: summary::summary(judgement, &metrics, samples, changed, policy),
        metrics,
        from: Timestamp::from_secs(from),
        to: Timestamp::from_secs(to),
        samples: u32::try_from(samples).unwrap_or(u32::MAX),
        achieved_month: None,
    }
}

/// Worse if any guard is; inconclusive if none could be told, of latencies if there are any; better if one is; else the same.
fn verdict(metrics: &[MetricEffect], samples: usize, policy: &Policy) -> Judgement {
    if samples < policy.observation_min_samples as usize {
        return Judgement::Inconclusive;
    }
    let guards = || metrics.iter().filter(|m| m.guard);
    let any = |j: Judgement| guards().any(|m| m.judgement == j);
    if any(Judgement::Worse) {
        return Judgement::Worse;
    }
    let felt = |m: &&MetricEffect| matches!(m.metric, Metric::LatencyP95 | Metric::LatencyP99);
    let latencies = guards().any(|m| felt(&m));
    let told = guards().any(|m| m.judgement != Judgement::Inconclusive && (!latencies || felt(&m)));
    match told {
        false => Judgement::Inconclusive,
        true if any(Judgement::Better) => Judgement::Better,
        true => Judgement::Same,
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_windows;
