//! The methods of the field, as their sources describe them: what ours are compared with. Floors are off.

use super::{Day, Held, Recommender, Resource, Uses, hold};
use crate::histogram::Histogram;
use std::collections::VecDeque;

/// Decides for one series.
pub(super) trait Peer {
    fn learn(&mut self, day: &Day<'_>);
    fn decide(&mut self) -> Option<f64>;
}

/// A peer for each series: none of them carries over from one to the other.
pub(super) struct Each<P>(Vec<P>);

impl<P> Each<P> {
    pub fn new(services: usize, make: impl Fn() -> P) -> Self {
        Self((0..services).map(|_| make()).collect())
    }
}

impl<P: Peer> Recommender for Each<P> {
    fn decide(&mut self, service: usize, day: i64, out: &mut Vec<Held>) {
        if let Some(value) = self.0[service].decide() {
            hold(day, value, out);
        }
    }

    fn learn(&mut self, service: usize, day: &Day<'_>) {
        self.0[service].learn(day);
    }
}

/// Adds a day whose samples weigh `2^(hours / half_life)`, relative to midnight. Those of an hour share one weight.
fn add_growing(histogram: &mut Histogram, day: &Day<'_>, half_life: f64) {
    let Uses::Timed { offset, values } = day.uses else { return day.add_to(histogram, (12.0 / half_life).exp2()) };
    let hour = (3600 / day.step).max(1) as usize;
    for (i, values) in values.chunks(hour).enumerate() {
        let seconds = offset + (i * hour) as i64 * day.step;
        histogram.add_all(values, (seconds as f64 / 3600.0 / half_life).exp2());
    }
}

/// Kubernetes VPA 1.7: a decaying histogram (half-life 24 h; every CPU sample, one memory peak per day) over buckets that grow by 5 %;
/// the end of the bucket that holds the 90th percentile, + 15 %; held until it is 10 % off.
///
/// Source: kubernetes/autoscaler, vertical-pod-autoscaler/pkg/recommender.
pub(super) struct Vpa {
    resource: Resource,
    first: f64,
    weights: [f64; Self::BUCKETS],
    newest: Option<i64>,
    held: Option<f64>,
}

impl Vpa {
    const BUCKETS: usize = 176;
    const GROWTH: f64 = 1.05;

    /// `share`: the unit is a share of an unknown machine, taken as cores of a machine with one.
    pub fn new(resource: Resource, share: bool) -> Self {
        let first = if share || resource == Resource::Cpu { 0.01 } else { 1e7 };
        Self { resource, first, weights: [0.0; Self::BUCKETS], newest: None, held: None }
    }

    fn start(&self, bucket: usize) -> f64 {
        self.first * (Self::GROWTH.powi(bucket as i32) - 1.0) / (Self::GROWTH - 1.0)
    }

    fn bucket(&self, value: f32) -> usize {
        let bucket = (f64::from(value) / self.first * (Self::GROWTH - 1.0)).ln_1p() / Self::GROWTH.ln();
        (bucket as usize).min(Self::BUCKETS - 1)
    }

    fn target(&self) -> Option<f64> {
        let total: f64 = self.weights.iter().sum();
        let mut sum = 0.0;
        let bucket = self.weights.iter().position(|w| {
            sum += w;
            *w > 0.0 && sum >= 0.9 * total
        })?;
        Some(self.start(bucket + 1) * 1.15)
    }
}

impl Peer for Vpa {
    fn learn(&mut self, day: &Day<'_>) {
        let past = self.newest.map_or(1.0, |n| (-((day.day - n) as f64)).exp2().max(1e-9));
        self.weights.iter_mut().for_each(|w| *w *= past);
        self.newest = Some(day.day);
        match self.resource {
            Resource::Cpu => match day.uses {
                Uses::Counted { counted, .. } => {
                    for (value, n) in counted {
                        let at = self.bucket(*value);
                        self.weights[at] += 0.5f64.exp2() * f64::from(*n);
                    }
                }
                Uses::Timed { offset, values } => {
                    let (mut weight, growth) = ((offset as f64 / 86_400.0).exp2(), (day.step as f64 / 86_400.0).exp2());
                    for value in values {
                        if !value.is_nan() {
                            let at = self.bucket(*value);
                            self.weights[at] += weight;
                        }
                        weight *= growth;
                    }
                }
            },
            Resource::Memory => self.weights[self.bucket(day.peak())] += 1.0,
        }
    }

    fn decide(&mut self) -> Option<f64> {
        let target = self.target()?;
        if self.held.is_none_or(|held| (target - held).abs() >= 0.1 * held) {
            self.held = Some(target);
        }
        self.held
    }
}

/// The samples of the last 14 days (of memory their peaks, of which the largest is the largest of all), each day's as (value, how many), ascending.
#[derive(Default)]
struct Window(VecDeque<(i64, Vec<(f32, u32)>)>);

impl Window {
    const DAYS: i64 = 14;

    fn learn(&mut self, day: &Day<'_>, resource: Resource) {
        let mut counted = Vec::new();
        match resource {
            Resource::Cpu => day.each(|v, n| counted.push((v, n))),
            Resource::Memory => counted.push((day.peak(), 1)),
        }
        if matches!(day.uses, Uses::Timed { .. }) {
            counted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        }
        self.0.push_back((day.day, counted));
        while self.0.front().is_some_and(|(old, _)| old + Self::DAYS <= day.day) {
            self.0.pop_front();
        }
    }

    /// The `q`-quantile, linear between order statistics: taken from above, since what is asked for is near the top.
    fn quantile(&self, q: f64) -> Option<f64> {
        let mut left: Vec<&[(f32, u32)]> = self.0.iter().map(|(_, counted)| counted.as_slice()).filter(|c| !c.is_empty()).collect();
        let n: u32 = left.iter().copied().flatten().map(|c| c.1).sum();
        let at = q * f64::from(n.checked_sub(1)?);
        // How many values lie above the one sought.
        let over = n - 1 - at.floor() as u32;
        let (mut taken, mut above) = (0, f64::NAN);
        loop {
            let largest = left.iter_mut().max_by(|a, b| a[a.len() - 1].0.total_cmp(&b[b.len() - 1].0))?;
            let ((top, count), rest) = largest.split_last()?;
            let value = f64::from(*top);
            *largest = rest;
            taken += count;
            if taken == over {
                above = value;
            }
            if taken > over {
                let above = if taken - count < over { value } else { above };
                return Some(if at.fract() == 0.0 || above.is_nan() { value } else { value + (above - value) * at.fract() });
            }
            left.retain(|c| !c.is_empty());
        }
    }
}

/// Robusta KRR: the 95th percentile of 14 days of CPU; the peak of 14 days of memory + 15 %.
///
/// Source: robusta-dev/krr, `robusta_krr/strategies/simple.py`.
pub(super) struct Krr {
    resource: Resource,
    window: Window,
}

impl Krr {
    pub fn new(resource: Resource) -> Self {
        Self { resource, window: Window::default() }
    }
}

impl Peer for Krr {
    fn learn(&mut self, day: &Day<'_>) {
        self.window.learn(day, self.resource);
    }

    fn decide(&mut self) -> Option<f64> {
        match self.resource {
            Resource::Cpu => self.window.quantile(0.95),
            Resource::Memory => self.window.quantile(1.0).map(|peak| peak * 1.15),
        }
    }
}

/// Autopilot's window recommender: CPU the load-weighted 95th percentile with a half-life of 12 h, memory the 98th percentile with 48 h;
/// + 15 %.
///
/// Source: Rzadca et al., Autopilot: workload autoscaling at Google, `EuroSys` 2020, section 3.2.
pub(super) struct Autopilot {
    resource: Resource,
    histogram: Histogram,
    newest: Option<i64>,
}

impl Autopilot {
    pub fn new(resource: Resource) -> Self {
        Self { resource, histogram: Histogram::default(), newest: None }
    }
}

impl Peer for Autopilot {
    fn learn(&mut self, day: &Day<'_>) {
        let half_life = if self.resource == Resource::Cpu { 12.0 } else { 48.0 };
        if let Some(newest) = self.newest {
            self.histogram.scale((-((day.day - newest) as f64) * 24.0 / half_life).exp2().max(1e-9));
        }
        self.newest = Some(day.day);
        add_growing(&mut self.histogram, day, half_life);
    }

    fn decide(&mut self) -> Option<f64> {
        let value = match self.resource {
            Resource::Cpu => self.histogram.load_quantile(0.95)?,
            Resource::Memory => self.histogram.quantile(0.98)?,
        };
        Some(value * 1.15)
    }
}

/// In the style of AWS Compute Optimizer: the 99.5th percentile of 14 days of CPU, the peak of 14 days of memory, + 20 %.
///
/// Source: AWS Compute Optimizer user guide, rightsizing recommendation preferences (defaults).
pub(super) struct Aws {
    resource: Resource,
    window: Window,
}

impl Aws {
    pub fn new(resource: Resource) -> Self {
        Self { resource, window: Window::default() }
    }
}

impl Peer for Aws {
    fn learn(&mut self, day: &Day<'_>) {
        self.window.learn(day, self.resource);
    }

    fn decide(&mut self) -> Option<f64> {
        let q = if self.resource == Resource::Cpu { 0.995 } else { 1.0 };
        self.window.quantile(q).map(|v| v * 1.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after<P: Peer>(mut peer: P, days: &[&[f32]]) -> f64 {
        for (i, values) in days.iter().enumerate() {
            peer.learn(&Day::timed(i as i64, 0, 300, values));
        }
        peer.decide().unwrap()
    }

    #[test]
    fn vpa_asks_for_the_end_of_the_bucket_of_the_ninetieth_percentile() {
        // Bucket n starts at 0.01·(1.05ⁿ−1)/0.05: the 37th ends at 1.016.
        assert!((after(Vpa::new(Resource::Cpu, false), &[&[1.0; 288]]) - 1.016_28 * 1.15).abs() < 1e-3);
        let mut held = Vpa::new(Resource::Cpu, false);
        held.learn(&Day::timed(0, 0, 300, &[1.0; 288]));
        let first = held.decide();
        held.learn(&Day::timed(1, 0, 300, &[1.05; 288]));
        assert_eq!(held.decide(), first, "less than 10 % off is not worth an update");
        // Memory: one peak per day, in buckets from 10 MB.
        assert!((after(Vpa::new(Resource::Memory, false), &[&[1e9, 5e8]]) / (1.15e9 * 1.02) - 1.0).abs() < 0.03);
    }

    #[test]
    fn krr_and_aws_take_percentiles_of_two_weeks() {
        let day: Vec<f32> = (1..=100).map(|i| i as f32).collect();
        assert!((after(Krr::new(Resource::Cpu), &[&day]) - 95.05).abs() < 1e-9);
        assert!((after(Aws::new(Resource::Cpu), &[&day]) - 99.505 * 1.2).abs() < 1e-9);
        assert!((after(Krr::new(Resource::Memory), &[&day]) - 115.0).abs() < 1e-9);
        assert!((after(Aws::new(Resource::Memory), &[&day]) - 120.0).abs() < 1e-9);
        let mut days: Vec<&[f32]> = vec![&[9.0; 4]];
        days.extend([&[1.0_f32; 4] as &[f32]; 14]);
        assert!((after(Krr::new(Resource::Memory), &days) - 1.15).abs() < 1e-9, "the first day is too old");
    }

    #[test]
    fn autopilot_weighs_by_load_and_forgets_in_half_a_day() {
        let mut busy = [0.1_f32; 288];
        busy[140..150].fill(10.0);
        assert!(after(Autopilot::new(Resource::Cpu), &[&busy]) > 10.0);
        assert!(after(Autopilot::new(Resource::Cpu), &[&[10.0; 288], &[1.0; 288], &[1.0; 288], &[1.0; 288], &[1.0; 288]]) < 1.3);
    }

    #[test]
    fn without_samples_nothing_is_asked_for() {
        assert_eq!(Vpa::new(Resource::Cpu, true).decide(), None);
        assert_eq!(Krr::new(Resource::Cpu).decide(), None);
        assert_eq!(Autopilot::new(Resource::Cpu).decide(), None);
        assert_eq!(Aws::new(Resource::Memory).decide(), None);
    }
}
