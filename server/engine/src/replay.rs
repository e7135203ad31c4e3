//! What each policy would have asked for on the service's own history, one day at a time, deciding at 00:00 UTC from what
//! came before. Constants of the peers: Kubernetes VPA 1.7, Robusta KRR, Google Autopilot (`EuroSys` 2020).

use crate::histogram::Histogram;
use crate::samples::Samples;
use crate::sizing::Resource;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Replay, ReplayRow};
use headroom_model::time::{DAY, Timestamp};
use headroom_model::units::{MIB, Money};

/// What to replay.
pub(crate) struct Question<'a> {
    /// The metric shown.
    pub metric: Metric,
    /// CPU or memory.
    pub resource: Resource,
    /// Its samples.
    pub samples: &'a Samples,
    /// The proposal, held over the whole window, and what its row is called.
    pub proposal: Option<(&'a str, f64)>,
    /// What is asked for now.
    pub today: Option<f64>,
    /// Price of an amount over all replicas, if known.
    pub price: &'a dyn Fn(f64) -> Option<Money>,
}

/// A policy of the field: learns days, decides at midnight.
trait Peer {
    fn name(&self) -> &'static str;
    fn learn(&mut self, day: i64, values: &[f32], step: i64);
    fn decide(&mut self) -> Option<f64>;
}

/// Replays a question. The first two days only teach where there are four or more, else the first.
pub(crate) fn replay(q: &Question) -> Replay {
    let days = q.samples.days();
    let taught = if days.len() >= 4 { 2 } else { days.len().min(2) / 2 };
    let scored = &days[taught..];
    let weeks = (scored.len() as f64 / 7.0).max(1.0 / 7.0);
    let mut rows = Vec::with_capacity(5);
    let held = [q.proposal, q.today.map(|v| ("today", v))];
    for (name, value) in held.into_iter().flatten() {
        let mut score = Score::default();
        scored.iter().for_each(|(_, values)| score.day(values, value));
        rows.push(score.row(name, value, 0.0, (q.price)(value)));
    }
    if days.len() >= 2 {
        for mut peer in peers(q.resource, q.metric) {
            rows.extend(follow(peer.as_mut(), &days, taught, q, weeks));
        }
    }
    let at = |day: i64| Timestamp::from_secs(day * DAY);
    let from = scored.first().map_or_else(|| Timestamp::from_secs(q.samples.start), |d| at(d.0));
    let end = q.samples.time(q.samples.values.len());
    Replay { metric: q.metric, from: from.max(Timestamp::from_secs(q.samples.start)), to: Timestamp::from_secs(end), rows }
}

fn follow(peer: &mut dyn Peer, days: &[(i64, &[f32])], taught: usize, q: &Question, weeks: f64) -> Option<ReplayRow> {
    let mut score = Score::default();
    let (mut before, mut changes): (Option<f64>, u32) = (None, 0);
    for (i, (day, values)) in days.iter().enumerate() {
        if i >= taught
            && let Some(value) = peer.decide()
        {
            if let Some(old) = before {
                changes += u32::from((value - old).abs() > 0.001 * old);
            }
            before = Some(value);
            score.day(values, value);
        }
        peer.learn(*day, values, q.samples.step);
    }
    let asked = peer.decide()?;
    Some(score.row(peer.name(), asked, f64::from(changes) / weeks, (q.price)(asked)))
}

/// Sums over the days of one policy.
#[derive(Default)]
struct Score {
    asked: f64,
    used: f64,
    samples: u64,
    above: u64,
    worst: f64,
    breached_days: u32,
}

impl Score {
    fn day(&mut self, values: &[f32], value: f64) {
        let (mut n, mut above, mut used) = (0u32, 0u32, 0.0);
        for v in values {
            let v = f64::from(*v);
            if v.is_nan() {
                continue;
            }
            n += 1;
            above += u32::from(v > value);
            used += v.min(value);
        }
        self.samples += u64::from(n);
        self.above += u64::from(above);
        self.asked += value * f64::from(n);
        self.used += used;
        self.worst = self.worst.max(f64::from(above) / f64::from(n.max(1)));
        self.breached_days += u32::from(above > 0);
    }

    fn row(&self, policy: &str, asked: f64, changes_per_week: f64, cost_month: Option<Money>) -> ReplayRow {
        ReplayRow {
            policy: policy.to_owned(),
            asked,
            slack: if self.asked > 0.0 { (1.0 - self.used / self.asked).clamp(0.0, 1.0) } else { 0.0 },
            breached: self.above as f64 / self.samples.max(1) as f64,
            worst_day: self.worst,
            breached_days: self.breached_days,
            changes_per_week,
            cost_month,
        }
    }
}

fn peers(resource: Resource, metric: Metric) -> [Box<dyn Peer>; 3] {
    // Floors are amounts of cores and bytes; a share of an unknown machine has none.
    let share = matches!(metric, Metric::CpuUtilization | Metric::MemoryUtilization);
    let floor = |cpu: f64, mib: f64| match resource {
        _ if share => 0.0,
        Resource::Cpu => cpu,
        Resource::Memory => mib * MIB as f64,
    };
    [
        Box::new(Vpa::new(resource, floor(0.025, 250.0))),
        Box::new(Krr { resource, all: Histogram::default(), peak: 0.0, floor: floor(0.01, 100.0) }),
        Box::new(Autopilot { resource, histogram: Histogram::default(), newest: None }),
    ]
}

/// Weight of a sample so far into its day, with a half-life in hours. The samples of an hour share one: within it the decay is below 6 %.
fn within_day(index: usize, step: i64, half_life: f64) -> f64 {
    (index as f64 * step as f64 / 3600.0 / half_life).exp2()
}

/// Kubernetes VPA 1.7: decaying histogram (half-life 24 h; CPU samples, one memory peak per 24 h), buckets growing by 5 %, the bucket's
/// end at the 90th percentile, 15 % margin; updates when 10 % off.
struct Vpa {
    resource: Resource,
    weights: [f64; Self::BUCKETS],
    newest: Option<i64>,
    held: Option<f64>,
    floor: f64,
}

impl Vpa {
    const BUCKETS: usize = 176;
    const GROWTH: f64 = 1.05;

    fn new(resource: Resource, floor: f64) -> Self {
        Self { resource, weights: [0.0; Self::BUCKETS], newest: None, held: None, floor }
    }
    fn first(&self) -> f64 {
        // A share is sized as cores of a one-core machine, memory shares in units that make the first bucket as small.
        if self.resource == Resource::Cpu || self.floor == 0.0 { 0.01 } else { 1e7 }
    }
    fn start(&self, bucket: usize) -> f64 {
        self.first() * (Self::GROWTH.powi(bucket as i32) - 1.0) / (Self::GROWTH - 1.0)
    }
    fn add(&mut self, value: f64, weight: f64) {
        let bucket = (value / self.first() * (Self::GROWTH - 1.0)).ln_1p() / Self::GROWTH.ln();
        self.weights[(bucket as usize).min(Self::BUCKETS - 1)] += weight;
    }
    fn target(&self) -> Option<f64> {
        let total: f64 = self.weights.iter().sum();
        let mut sum = 0.0;
        let bucket = self.weights.iter().position(|w| {
            sum += w;
            *w > 0.0 && sum >= 0.9 * total
        })?;
        Some((self.start(bucket + 1) * 1.15).max(self.floor))
    }
}

impl Peer for Vpa {
    fn name(&self) -> &'static str {
        "vpa"
    }
    fn learn(&mut self, day: i64, values: &[f32], step: i64) {
        let past = self.newest.map_or(1.0, |n| (-((day - n) as f64)).exp2());
        self.weights.iter_mut().for_each(|w| *w *= past);
        self.newest = Some(day);
        match self.resource {
            Resource::Cpu => {
                let hour = (3600 / step).max(1) as usize;
                for (i, values) in values.chunks(hour).enumerate() {
                    let weight = within_day(i * hour, step, 24.0);
                    values.iter().filter(|v| !v.is_nan()).for_each(|v| self.add(f64::from(*v), weight));
                }
            }
            Resource::Memory => self.add(f64::from(values.iter().copied().fold(0.0, f32::max)), 1.0),
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

/// Robusta KRR: 95th percentile of CPU; peak of memory + 15 %.
struct Krr {
    resource: Resource,
    all: Histogram,
    peak: f64,
    floor: f64,
}

impl Peer for Krr {
    fn name(&self) -> &'static str {
        "krr"
    }
    fn learn(&mut self, _: i64, values: &[f32], _: i64) {
        match self.resource {
            Resource::Cpu => self.all.add_all(values, 1.0),
            Resource::Memory => self.peak = f64::from(values.iter().copied().fold(self.peak as f32, f32::max)),
        }
    }
    fn decide(&mut self) -> Option<f64> {
        let value = match self.resource {
            Resource::Cpu => self.all.quantile(0.95)?,
            Resource::Memory => Some(self.peak * 1.15).filter(|v| *v > 0.0)?,
        };
        Some(value.max(self.floor))
    }
}

/// Autopilot's windowed recommender: CPU load-weighted 95th percentile with a half-life of 12 h, memory 98th percentile with 48 h; + 10 %.
struct Autopilot {
    resource: Resource,
    histogram: Histogram,
    newest: Option<i64>,
}

impl Peer for Autopilot {
    fn name(&self) -> &'static str {
        "autopilot"
    }
    fn learn(&mut self, day: i64, values: &[f32], step: i64) {
        let half_life = if self.resource == Resource::Cpu { 12.0 } else { 48.0 };
        if let Some(newest) = self.newest {
            self.histogram.scale((-((day - newest) as f64) * 24.0 / half_life).exp2().max(1e-9));
        }
        self.newest = Some(day);
        let hour = (3600 / step).max(1) as usize;
        for (i, values) in values.chunks(hour).enumerate() {
            self.histogram.add_all(values, within_day(i * hour, step, half_life));
        }
    }
    fn decide(&mut self) -> Option<f64> {
        let value = match self.resource {
            Resource::Cpu => self.histogram.load_quantile(0.95)?,
            Resource::Memory => self.histogram.quantile(0.98)?,
        };
        Some(value * 1.1).filter(|v| *v > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(values: Vec<f32>, resource: Resource, proposal: f64, today: f64) -> Replay {
        let samples = Samples { start: 86_400 * 20_000, step: 300, count: values.len(), values };
        let metric = if resource == Resource::Cpu { Metric::CpuUsage } else { Metric::MemoryWorkingSet };
        let proposal = Some(("headroom", proposal));
        replay(&Question { metric, resource, samples: &samples, proposal, today: Some(today), price: &|_| None })
    }

    #[test]
    fn held_values_are_scored_exactly() {
        // Ten days at 1 core, each with 29 of 288 samples at 3 cores.
        let values = (0..2880).map(|i| if i % 288 >= 259 { 3.0 } else { 1.0 }).collect();
        let replay = ask(values, Resource::Cpu, 2.0, 4.0);
        let names: Vec<&str> = replay.rows.iter().map(|r| r.policy.as_str()).collect();
        assert_eq!(names, ["headroom", "today", "vpa", "krr", "autopilot"]);
        let (ours, today) = (&replay.rows[0], &replay.rows[1]);
        assert!((ours.breached - 29.0 / 288.0).abs() < 1e-9);
        assert_eq!((ours.breached_days, today.breached_days), (8, 0));
        assert!((today.slack - (1.0 - (29.0 * 3.0 + 259.0) / 288.0 / 4.0)).abs() < 1e-9);
        // Peers: p90 sees the tenth at 3 cores, p95 too; Autopilot weighs by load.
        for row in &replay.rows[2..] {
            assert!((2.9..4.0).contains(&row.asked), "{row:?}");
        }
    }

    #[test]
    fn vpa_asks_for_the_end_of_the_bucket_of_the_ninetieth_percentile() {
        let replay = ask(vec![1.0; 2880], Resource::Cpu, 2.0, 4.0);
        let vpa = replay.rows.iter().find(|r| r.policy == "vpa").unwrap();
        // Bucket of 1 core: from 0.01·(1.05ⁿ−1)/0.05; n = 36 starts at 0.958, n = 37 ends there at 1.016.
        assert!((vpa.asked - 1.016_28 * 1.15).abs() < 1e-3, "{vpa:?}");
        assert_eq!(vpa.changes_per_week, 0.0);
    }

    #[test]
    fn memory_above_the_limit_is_an_oom_day() {
        let mut values = vec![1e9; 2880];
        values[5 * 288 + 3] = 2e9;
        let replay = ask(values, Resource::Memory, 1.5e9, 4e9);
        assert_eq!(replay.rows[0].breached_days, 1);
        assert_eq!(replay.rows.iter().find(|r| r.policy == "krr").unwrap().breached_days, 1);
    }
}
