//! What a move of a metric means, and how sure it must be.

use headroom_model::effect::{Judgement, MetricEffect};
use headroom_model::metric::Metric;
use headroom_model::policy::Policy;

/// Share of the threshold, on the scale of comparison, from which on a move counts: half-way to it, estimates of nothing and of the
/// threshold are told apart with equal errors; a little more, because nothing is commoner.
const FROM: f64 = 0.65;
/// How a metric is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// By ratio, with this added to both sides so that nothing is divided by next to nothing.
    Ratio(f64),
    /// By difference.
    Difference,
}

impl Scale {
    /// A reading on the scale where it has a place there: nothing has no logarithm, and tells nothing of how much more it would be.
    pub fn seen(self, value: f64) -> Option<f64> {
        let on = match self {
            Self::Ratio(floor) => (value + floor).ln(),
            Self::Difference => value,
        };
        on.is_finite().then_some(on)
    }

    /// Back from the scale, not below nothing.
    pub fn unit(self, on: f64) -> f64 {
        match self {
            Self::Ratio(floor) => (on.clamp(-300.0, 300.0).exp() - floor).max(0.0),
            Self::Difference => on.max(0.0),
        }
    }
}

/// The scale of a metric, and the amount in its unit under which a move is nothing.
pub(super) const fn scale(metric: Metric) -> (Scale, f64) {
    match metric {
        Metric::LatencyP50 | Metric::LatencyP95 | Metric::LatencyP99 => (Scale::Ratio(0.5), 1.0),
        Metric::ErrorRatio => (Scale::Difference, 0.005),
        Metric::CpuThrottled => (Scale::Difference, 0.02),
        _ => (Scale::Ratio(0.0), 0.0),
    }
}

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

/// What was found of one metric, on its scale of comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evidence {
    pub effect: f64,
    /// One standard deviation of the effect's error.
    pub error: f64,
    /// The effect's 95 % interval.
    pub interval: (f64, f64),
    /// How far a fall and a rise must go to be sure.
    pub beyond: (f64, f64),
    /// The level after the change.
    pub after: f64,
}

/// How one metric is judged.
pub(super) struct Rule<'p> {
    pub metric: Metric,
    /// Whether it can make the verdict worse or better.
    pub guard: bool,
    pub policy: &'p Policy,
    /// How many metrics are judged.
    pub metrics: usize,
}

impl Rule<'_> {
    /// The effect in the metric's unit and in percent, and what it says. What would have been without the change is the level after it less
    /// the effect.
    pub fn effect(&self, found: Evidence) -> MetricEffect {
        let (scale, floor) = scale(self.metric);
        let before = scale.unit(found.after - found.effect);
        let share = |e: f64| match scale {
            Scale::Ratio(_) => e.clamp(-20.0, 20.0).exp_m1(),
            Scale::Difference => e / before.max(floor),
        };
        MetricEffect {
            metric: self.metric,
            before,
            after: scale.unit(found.after),
            change_percent: 100.0 * share(found.effect),
            lo95: 100.0 * share(found.interval.0),
            hi95: 100.0 * share(found.interval.1),
            guard: self.guard,
            judgement: if self.guard { self.judge(found, before) } else { Judgement::Same },
        }
    }

    /// A metric of which nothing could be estimated, with its typical values.
    pub fn unknown(&self, before: f64, after: f64) -> MetricEffect {
        MetricEffect {
            metric: self.metric,
            before,
            after,
            change_percent: 0.0,
            lo95: -100.0,
            hi95: 100.0,
            guard: self.guard,
            judgement: Judgement::Inconclusive,
        }
    }

    /// The threshold of policy on the scale of comparison; `before`: the level that it is a share of, in the metric's unit.
    pub fn threshold(&self, before: f64) -> f64 {
        let (scale, floor) = scale(self.metric);
        let share = -self.policy.rollback_threshold / 100.0;
        match scale {
            Scale::Ratio(_) => share.ln_1p(),
            Scale::Difference => (share * before).max(floor),
        }
    }

    fn judge(&self, found: Evidence, before: f64) -> Judgement {
        let (scale, floor) = scale(self.metric);
        let threshold = self.threshold(before);
        let amount = |e: f64| match scale {
            Scale::Ratio(least) => (before + least) * e.min(20.0).exp_m1(),
            Scale::Difference => e,
        };
        let size = found.effect.abs();
        let sure = if found.effect < 0.0 { found.beyond.0 } else { found.beyond.1 };
        let direction = direction(self.metric);
        let bad = if direction == Direction::FallIsWorse { found.effect < 0.0 } else { found.effect > 0.0 };
        if size >= FROM * threshold && size >= sure && amount(size) >= floor {
            return match direction {
                _ if bad => Judgement::Worse,
                Direction::LessIsBetter => Judgement::Better,
                _ => Judgement::Same,
            };
        }
        let reach = if bad { size } else { 0.0 } + 1.64 * found.error;
        if reach < threshold || amount(reach) < floor { Judgement::Same } else { Judgement::Inconclusive }
    }
}
