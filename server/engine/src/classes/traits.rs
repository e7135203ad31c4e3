//! What a service is like, in nine numbers.

use crate::features::{Features, Profile};
use crate::stats;
use headroom_model::metric::Metric;
use serde::Serialize;

/// How many traits there are.
pub const TRAITS: usize = 9;

/// What a service is like. Logarithms are natural, so that 0.1 is about 10 %.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Traits {
    /// Logarithm of the 99th percentile of CPU over its median, the median at least a thousandth of the peak: 0 is flat.
    pub burstiness: f64,
    /// Share of the variance of CPU that the hour of the day explains, 0 to 1.
    pub daily: f64,
    /// Share that the day of the week explains beyond that, 0 to 1.
    pub weekly: f64,
    /// Growth of CPU a day as a share of its mean.
    pub trend: f64,
    /// What season leaves of CPU over its mean, as log(1 + x).
    pub noise: f64,
    /// Logarithm of GiB of memory per core, both means.
    pub memory_per_core: Option<f64>,
    /// Growth of memory a day as a share of its mean.
    pub memory_growth: Option<f64>,
    /// Logarithm of the mean of CPU, cores; not for shares of an unknown machine.
    pub cores: Option<f64>,
    /// Logarithm of the mean of memory, GiB.
    pub memory: Option<f64>,
}

/// Growth beyond this a day is as good as this: it does not go on.
const STEEP: f64 = 0.25;

impl Traits {
    /// The traits of a service; `None` without samples of CPU or when it did nothing at all.
    #[must_use]
    pub fn of(features: &Features) -> Option<Self> {
        let (metric, cpu) = features.cpu()?;
        if cpu.mean <= 0.0 || cpu.peak <= 0.0 {
            return None;
        }
        let memory = features.get(Metric::MemoryWorkingSet).filter(|m| m.mean > 0.0);
        let in_cores = metric == Metric::CpuUsage;
        let gib = memory.map(|m| m.mean / f64::from(1 << 30));
        Some(Self {
            burstiness: (cpu.p99 / cpu.p50.max(1e-3 * cpu.peak)).max(1.0).ln(),
            daily: beyond_chance(cpu.daily_season, cpu.samples, 24.0),
            weekly: (beyond_chance(cpu.weekly_season, cpu.samples, 168.0) - beyond_chance(cpu.daily_season, cpu.samples, 24.0)).max(0.0),
            trend: growth(cpu),
            noise: cpu.noise.max(0.0).ln_1p(),
            memory_per_core: gib.filter(|_| in_cores).map(|g| (g / cpu.mean).ln()),
            memory_growth: memory.map(growth),
            cores: in_cores.then(|| cpu.mean.ln()),
            memory: gib.map(f64::ln),
        })
    }

    /// As a row; `None` is not measured.
    pub(super) fn values(&self) -> [Option<f64>; TRAITS] {
        let (some, grown) = (Some, self.memory_growth);
        [
            some(self.burstiness),
            some(self.daily),
            some(self.weekly),
            some(self.trend),
            some(self.noise),
            self.memory_per_core,
            grown,
            self.cores,
            self.memory,
        ]
    }

    /// How much a trait counts: behaviour in full, size less, because a large web shop is like a small one.
    pub(super) fn weight(trait_at: usize) -> f64 {
        if trait_at >= 7 { 0.4 } else { 1.0 }
    }

    /// A difference of a trait that is none, in its unit: a fleet of equals has no spread to divide by.
    pub(super) fn least_spread(trait_at: usize) -> f64 {
        match trait_at {
            1 | 2 => 0.1,
            3 | 6 => 0.01,
            _ => 0.25,
        }
    }

    /// Trait by trait the median of several services.
    pub(super) fn median<'a>(of: impl Iterator<Item = &'a Self>) -> Self {
        let rows: Vec<[Option<f64>; TRAITS]> = of.map(Self::values).collect();
        let at = |k: usize| stats::median(&mut rows.iter().filter_map(|r| r[k]).collect::<Vec<_>>());
        let sure = |k: usize| at(k).unwrap_or(0.0);
        Self {
            burstiness: sure(0),
            daily: sure(1),
            weekly: sure(2),
            trend: sure(3),
            noise: sure(4),
            memory_per_core: at(5),
            memory_growth: at(6),
            cores: at(7),
            memory: at(8),
        }
    }
}

/// What hours explain of the variance beyond what as many means explain of noise (the adjusted R² of Ezekiel, 1930), 0 to 1.
fn beyond_chance(explained: f64, samples: u32, means: f64) -> f64 {
    let n = f64::from(samples);
    if n <= means { 0.0 } else { (1.0 - (1.0 - explained) * (n - 1.0) / (n - means)).clamp(0.0, 1.0) }
}

fn growth(p: &Profile) -> f64 {
    (p.trend_per_day / p.mean).clamp(-STEEP, STEEP)
}
