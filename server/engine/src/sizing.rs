//! How much CPU or memory to ask for, learnt one day at a time, so that it can be judged on days it had not seen.

use crate::features::HALF_LIFE_DAYS;
use crate::histogram::Histogram;
use crate::samples::Samples;
use headroom_model::policy::Policy;

/// What is sized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Cores, held as a request: samples above it are throttled time.
    Cpu,
    /// Bytes, held as a limit: one sample above it is an OOM kill.
    Memory,
}

/// One day of the past, sized from the days before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Held {
    /// Whether the value would have held: throttled no longer than policy allows, or no sample above.
    pub kept: bool,
}

/// What a walk through the days found.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Walk {
    /// Days that could be judged, oldest first.
    pub days: Vec<Held>,
    /// The value after the last day; `None` without samples.
    pub value: Option<f64>,
}

/// A learner of one resource of one service.
pub(crate) struct Sizer<'p> {
    resource: Resource,
    policy: &'p Policy,
    histogram: Histogram,
    newest: Option<i64>,
    /// (day, the value that holds that day as policy asks)
    tails: Vec<(i64, f64)>,
    peak: f64,
}

impl<'p> Sizer<'p> {
    pub fn new(resource: Resource, policy: &'p Policy) -> Self {
        Self { resource, policy, histogram: Histogram::default(), newest: None, tails: Vec::new(), peak: 0.0 }
    }

    /// Learns a day: days since 1970, oldest first.
    pub fn add_day(&mut self, day: i64, values: &[f32]) {
        self.peak = values.iter().filter(|v| !v.is_nan()).fold(self.peak, |m, v| m.max(f64::from(*v)));
        if self.resource == Resource::Memory {
            self.newest = Some(day);
            return;
        }
        if let Some(newest) = self.newest {
            self.histogram.scale((-((day - newest) as f64) / HALF_LIFE_DAYS).exp2().max(1e-9));
        }
        self.newest = Some(day);
        self.histogram.add_all(values, 1.0);
        let mut alone = Histogram::default();
        alone.add_all(values, 1.0);
        if let Some(tail) = alone.quantile(1.0 - self.policy.max_throttled_ratio) {
            self.tails.push((day, tail));
        }
    }

    /// What to ask for. CPU: the decaying percentile of policy with its margin, and no less than what nine of ten recent days (with
    /// caution: every day) needed to throttle no longer than policy allows. Memory: the peak with the margin of policy.
    pub fn value(&self, caution: bool) -> Option<f64> {
        let newest = self.newest?;
        if self.resource == Resource::Memory {
            return Some(self.peak * (1.0 + self.policy.memory_margin)).filter(|v| *v > 0.0);
        }
        let margin = 1.0 + self.policy.cpu_margin;
        let percentile = self.histogram.quantile(self.policy.cpu_percentile / 100.0)? * margin;
        let day = if caution {
            self.tails.iter().fold(0.0, |m: f64, t| m.max(t.1)) * margin
        } else {
            self.tail(newest) * (1.0 + self.policy.cpu_margin / 3.0)
        };
        Some(percentile.max(day).min(self.peak * margin)).filter(|v| *v > 0.0)
    }

    /// The value that was enough on nine of ten days, recent days counting more.
    fn tail(&self, newest: i64) -> f64 {
        let mut tails: Vec<(f64, f64)> =
            self.tails.iter().map(|(day, v)| (*v, (-((newest - day) as f64) / HALF_LIFE_DAYS).exp2())).collect();
        tails.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = tails.iter().map(|t| t.1).sum();
        let mut sum = 0.0;
        for (value, weight) in &tails {
            sum += weight;
            if sum >= 0.9 * total {
                return *value;
            }
        }
        tails.last().map_or(0.0, |t| t.0)
    }
}

/// Whether a value would have held over a day's samples.
pub(crate) fn holds(resource: Resource, policy: &Policy, values: &[f32], value: f64) -> bool {
    let (mut above, mut n) = (0u32, 0u32);
    for v in values.iter().filter(|v| !v.is_nan()) {
        n += 1;
        above += u32::from(f64::from(*v) > value);
    }
    match resource {
        Resource::Cpu => f64::from(above) <= policy.max_throttled_ratio * f64::from(n),
        Resource::Memory => above == 0,
    }
}

/// Walks through the days, sizing each from those before it. A day with fewer than half of its samples teaches but is not judged. Of the two
/// degrees of caution the bolder is taken while it holds on nine of ten days.
pub(crate) fn walk(samples: &Samples, resource: Resource, policy: &Policy) -> Walk {
    let mut sizer = Sizer::new(resource, policy);
    let enough = (samples.per_day() / 2).max(1);
    let (mut bold, mut careful) = (Vec::new(), Vec::new());
    for (day, values) in samples.days() {
        if let Some(value) = sizer.value(false)
            && values.iter().filter(|v| !v.is_nan()).count() >= enough
        {
            let kept = holds(resource, policy, values, value);
            bold.push(Held { kept });
            careful.push(Held { kept: kept || sizer.value(true).is_some_and(|v| holds(resource, policy, values, v)) });
        }
        sizer.add_day(day, values);
    }
    let kept = |days: &[Held]| days.iter().filter(|d| d.kept).count();
    let caution = 10 * kept(&bold) < 9 * bold.len() && kept(&careful) > kept(&bold);
    Walk { days: if caution { careful } else { bold }, value: sizer.value(caution) }
}

/// Days on which one given value would have held, and days that could be judged.
pub(crate) fn days_held(samples: &Samples, resource: Resource, policy: &Policy, value: f64) -> (u32, u32) {
    let enough = (samples.per_day() / 2).max(1);
    let judged = samples.days().into_iter().filter(|(_, v)| v.iter().filter(|x| !x.is_nan()).count() >= enough);
    judged.fold((0, 0), |(kept, all), (_, v)| (kept + u32::from(holds(resource, policy, v, value)), all + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(days: usize, value: impl Fn(usize) -> f32) -> Samples {
        let values: Vec<f32> = (0..days * 288).map(value).collect();
        Samples { start: 86_400 * 20_000, step: 300, count: values.len(), values }
    }

    #[test]
    fn memory_is_never_sized_below_its_peak_and_margin() {
        let s = samples(10, |i| if i == 77 { 9e9 } else { 1e9 });
        let walk = walk(&s, Resource::Memory, &Policy::default());
        assert!((walk.value.unwrap() - 9e9 * 1.15).abs() < 1e3);
    }

    #[test]
    fn cpu_holds_on_unseen_days_of_the_same_kind() {
        let s = samples(14, |i| 1.0 + 0.5 * (i as f32 / 288.0 * std::f32::consts::TAU).sin() + 0.05 * ((i * 7919 % 97) as f32 / 97.0));
        let walk = walk(&s, Resource::Cpu, &Policy::default());
        assert_eq!(walk.days.len(), 13);
        assert!(walk.days.iter().all(|d| d.kept));
        assert!((1.5..1.85).contains(&walk.value.unwrap()), "{:?}", walk.value);
    }

    #[test]
    fn a_step_up_breaks_one_day_and_is_learnt() {
        let s = samples(14, |i| if i < 7 * 288 { 1.0 } else { 2.0 });
        let walk = walk(&s, Resource::Cpu, &Policy::default());
        assert!(!walk.days[6].kept);
        assert!(walk.value.unwrap() > 2.0);
    }
}
