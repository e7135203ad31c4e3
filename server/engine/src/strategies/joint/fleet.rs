//! What all replicas of a service do together, and what another number of them would carry each.

use super::super::{Case, Demand};
use super::relation::Relation;
use crate::rightsize::{self, Day};
use crate::samples::Samples;
use crate::stats;
use headroom_model::metric::Metric;
use headroom_model::time::{DAY, HOUR};
use std::collections::BTreeMap;

/// A regression of CPU on requests that explains this share of the variance tells what a replica uses with nothing to do.
const BELIEVED: f64 = 0.5;
/// Points per hour of the day that stand for its samples.
const PER_HOUR: usize = 16;
/// Samples of which a relation is learnt, at most.
const PAIRS: usize = 1500;

/// How many replicas there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Count {
    /// Always as many.
    Fixed(u32),
    /// As an autoscaler decides.
    Scaled {
        /// Fewest.
        min: u32,
        /// Most.
        max: u32,
        /// Cores in use per replica that it steers towards.
        carries: f64,
    },
}

/// All replicas over the window.
pub(super) struct Fleet {
    /// (seconds since 1970, cores that all replicas use together beyond what they use with nothing to do) by the quarter of an hour, gaps left out.
    pub work: Vec<(i64, f64)>,
    /// Per UTC day: how many times the level of its quarters the level of its samples was.
    finer: BTreeMap<i64, f64>,
    /// Per UTC day, oldest first: the work that all but the share of time that policy lets throttle stays below, and how much of the day is known.
    days: Vec<(f64, f64)>,
    /// (hour of the day, work): few points that stand for all.
    points: Vec<(usize, f64)>,
    /// Cores of a replica that has nothing to do.
    pub idle: f64,
    /// Cores per replica at the 99th percentile, as it was.
    pub shown: f64,
    /// How latency follows load, where it was measured.
    pub relation: Option<Relation>,
    /// How throttled time follows load, where it was measured.
    throttling: Option<Relation>,
}

/// What a number of replicas would have done over the window.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// Replicas, mean over time.
    pub mean: f64,
    /// Replicas at the 99th percentile.
    pub most: f64,
    /// Share of the time at the largest number allowed; 0 where the number is fixed.
    pub at_max: f64,
    /// Cores per replica at the 95th and 99th percentile.
    pub busy: f64,
    /// See `busy`.
    pub peak: f64,
    /// The 99th percentile of cores per replica while one of them is away.
    pub bereft: f64,
    /// Share of the time that is throttled; 0 where that is not measured.
    pub throttled: f64,
    /// p95 latency at the 95th percentile of load, and its mean per hour of the day; empty where latency is not known.
    pub slowest: f64,
    /// See `slowest`.
    pub hours: Vec<f64>,
}

impl Fleet {
    /// From the samples of CPU per replica and of replicas.
    pub fn of(case: &Case) -> Option<Self> {
        let total = case.total_cpu()?;
        let used = &case.cpu.as_ref()?.samples;
        let (now, serving) = (case.replicas(), case.samples.get(&Metric::Replicas));
        let count = |t| serving.and_then(|s| s.at(t)).unwrap_or(now);
        let idle = idle(case);
        let work: Vec<(i64, f64)> = total.points().map(|(t, cores)| (t, (cores - idle * count(t)).max(0.0))).collect();
        let mut each: Vec<f64> = used.present().collect();
        let shown = stats::quantile(&mut each, 0.99)?;
        let calm = 1.0 - case.input.policy.max_throttled_ratio;
        let finer = finer(case.cpu.as_ref()?, calm);
        let latency = case.samples.get(&Metric::LatencyP95).or_else(|| case.samples.get(&Metric::LatencyP99));
        let with = |of: &Samples| sparse(used).filter_map(|(t, x)| Some((x, of.at(t)?))).collect();
        Some(Self {
            points: points(&work),
            days: days(&work, total.per_day(), calm, &finer),
            work,
            finer,
            idle,
            shown,
            relation: latency.map(with).and_then(Relation::learn),
            throttling: case.samples.get(&Metric::CpuThrottled).map(with).and_then(Relation::of_means),
        })
    }

    /// What each replica would have needed per day, cores, with how much of the day is known.
    pub fn levels(&self, count: Count) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.days.iter().map(move |(work, seen)| (self.idle + work / self.replicas(count, *work), *seen))
    }

    /// What each replica would have used, from what each used.
    pub fn each(&self, used: &Samples, case: &Case, count: Count) -> Samples {
        let (now, serving) = (case.replicas(), case.samples.get(&Metric::Replicas));
        used.map(|t, cores| {
            let work = ((cores - self.idle) * serving.and_then(|s| s.at(t)).unwrap_or(now)).max(0.0);
            self.idle + work / self.replicas(count, work) * finer_on(&self.finer, t)
        })
    }

    /// What this number of replicas would have done.
    pub fn run(&self, count: Count) -> Run {
        let counts: Vec<f64> = self.points.iter().map(|p| self.replicas(count, p.1)).collect();
        let n = counts.len().max(1) as f64;
        let loads: Vec<f64> = self.points.iter().zip(&counts).map(|(p, c)| self.idle + p.1 / c).collect();
        let bereft = self.points.iter().zip(&counts).map(|(p, c)| self.idle + p.1 / (c - 1.0).max(0.1));
        let at_max = match count {
            Count::Fixed(_) => 0.0,
            Count::Scaled { max, .. } => counts.iter().filter(|c| **c >= f64::from(max)).count() as f64 / n,
        };
        let quantile = |values: &[f64], q: f64| stats::quantile(&mut values.to_vec(), q).unwrap_or(0.0);
        let busy = quantile(&loads, 0.95);
        Run {
            mean: counts.iter().sum::<f64>() / n,
            most: quantile(&counts, 0.99),
            at_max,
            peak: quantile(&loads, 0.99),
            bereft: quantile(&bereft.collect::<Vec<_>>(), 0.99),
            throttled: self.throttling.as_ref().map_or(0.0, |r| loads.iter().map(|l| r.at(*l)).sum::<f64>() / n),
            slowest: self.relation.as_ref().map_or(0.0, |r| r.at(busy)),
            hours: self.relation.as_ref().map(|r| by_hour(r, &self.points, &loads)).unwrap_or_default(),
            busy,
        }
    }

    /// Replicas at some work: an autoscaler runs as many as bring each to what it steers towards. What its tolerance and its waits add is
    /// the same for every setting, and left out.
    fn replicas(&self, count: Count, work: f64) -> f64 {
        match count {
            Count::Fixed(n) => f64::from(n.max(1)),
            Count::Scaled { min, max, carries } => {
                let least = f64::from(min.max(1));
                (work / (carries - self.idle).max(1e-6)).ceil().clamp(least, f64::from(max).max(least))
            }
        }
    }
}

/// At most [`PAIRS`] of the samples, evenly taken.
fn sparse(samples: &Samples) -> impl Iterator<Item = (i64, f64)> + '_ {
    samples.points().step_by(samples.count.div_ceil(PAIRS).max(1))
}

/// Cores that a replica uses with nothing to do: where CPU per replica would be without requests.
fn idle(case: &Case) -> f64 {
    let (Some(cpu), Some(rate)) = (case.cpu.as_ref().map(|d| &d.samples), case.samples.get(&Metric::RequestRate)) else { return 0.0 };
    let now = case.replicas();
    let serving = case.samples.get(&Metric::Replicas);
    let each = |t| Some(rate.at(t)? / serving.and_then(|s| s.at(t)).unwrap_or(now).max(0.1));
    let rows: Vec<(f64, f64, f64)> = sparse(cpu).filter_map(|(t, y)| Some((each(t)?, 0.0, y))).collect();
    let Some((slope, _)) = stats::slope_given(&rows).filter(|(slope, fit)| *slope > 0.0 && *fit > BELIEVED) else { return 0.0 };
    let n = rows.len() as f64;
    let (x, y) = (rows.iter().map(|r| r.0).sum::<f64>() / n, rows.iter().map(|r| r.2).sum::<f64>() / n);
    (y - slope * x).clamp(0.0, case.profile(Metric::CpuUsage).map_or(0.0, |p| p.p05))
}

/// How many times the level of its quarters the level of a day's samples was: quarters hide the shortest bursts.
fn finer(demand: &Demand<'_>, q: f64) -> BTreeMap<i64, f64> {
    let level = |day: &Day<'_>| day.quantile(q).map(|level| (day.day, level));
    let quarters: BTreeMap<i64, f64> = rightsize::days(&demand.samples).iter().filter_map(level).collect();
    let ratio = |(day, level): (i64, f64)| Some((day, (level / quarters.get(&day).filter(|l| **l > 0.0)?).max(1.0)));
    demand.days().iter().filter_map(level).filter_map(ratio).collect()
}

fn finer_on(finer: &BTreeMap<i64, f64>, time: i64) -> f64 {
    finer.get(&time.div_euclid(DAY)).copied().unwrap_or(1.0)
}

/// What a quantile of the samples of each UTC day would be, and the share of the day that is known.
fn days(work: &[(i64, f64)], per_day: usize, q: f64, finer: &BTreeMap<i64, f64>) -> Vec<(f64, f64)> {
    let one = |day: &[(i64, f64)]| {
        let level = stats::quantile(&mut day.iter().map(|p| p.1).collect::<Vec<_>>(), q)? * finer_on(finer, day[0].0);
        Some((level, (day.len() as f64 / per_day as f64).min(1.0)))
    };
    work.chunk_by(|a, b| a.0.div_euclid(DAY) == b.0.div_euclid(DAY)).filter_map(one).collect()
}

/// Quantiles of each hour of the day.
fn points(work: &[(i64, f64)]) -> Vec<(usize, f64)> {
    let mut hours: Vec<Vec<f64>> = vec![Vec::new(); 24];
    work.iter().for_each(|(t, w)| hours[t.div_euclid(HOUR).rem_euclid(24) as usize].push(*w));
    let mut out = Vec::with_capacity(24 * PER_HOUR);
    for (hour, mut works) in hours.into_iter().enumerate() {
        works.sort_unstable_by(f64::total_cmp);
        let points = works.len().min(PER_HOUR);
        out.extend((0..points).map(|i| (hour, works[(2 * i + 1) * works.len() / (2 * points)])));
    }
    out
}

/// Mean latency per hour of the day; `NaN` for an hour that was not measured.
fn by_hour(relation: &Relation, points: &[(usize, f64)], loads: &[f64]) -> Vec<f64> {
    let mut hours = vec![(0.0, 0.0); 24];
    for ((hour, _), load) in points.iter().zip(loads) {
        hours[*hour].0 += relation.at(*load);
        hours[*hour].1 += 1.0;
    }
    hours.into_iter().map(|(sum, n): (f64, f64)| if n > 0.0 { sum / n } else { f64::NAN }).collect()
}
