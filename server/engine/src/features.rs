//! What is known of a service from its history: one profile per metric, and what follows from several of them.

use crate::heap::{self, Heap, Leak};
use crate::histogram::Histogram;
use crate::samples::Samples;
use crate::sketch::{DaySketch, Past};
use crate::stats;
use headroom_model::metric::{Kind, Metric};
use headroom_model::series::ServiceHistory;
use headroom_model::time::{DAY, HOUR};
use serde::Serialize;
use std::collections::BTreeMap;

/// Days after which a sample counts half in decaying quantiles: one week, so that a weekend does not wash out the week before.
pub const HALF_LIFE_DAYS: f64 = 7.0;

/// One metric over the window. All values are finite and in the metric's unit unless said otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Samples that are not gaps.
    pub samples: u32,
    /// Mean.
    pub mean: f64,
    /// 5th percentile.
    pub p05: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 95th percentile with a half-life of [`HALF_LIFE_DAYS`].
    pub p95_decayed: f64,
    /// Largest value.
    pub peak: f64,
    /// Newest value.
    pub last: f64,
    /// Robust slope of the daily means, per day; 0 with fewer than 3 days.
    pub trend_per_day: f64,
    /// Share of the variance that the hour of the day explains, 0 to 1.
    pub daily_season: f64,
    /// Share of the variance that the hour of the week explains, 0 to 1; 0 with less than two weeks.
    pub weekly_season: f64,
    /// What season leaves: standard deviation of the rest over the mean.
    pub noise: f64,
}

/// The persistent volume.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Volume {
    /// Bytes used now.
    pub used: f64,
    /// Bytes there are.
    pub capacity: f64,
    /// Robust growth, bytes per day.
    pub growth_per_day: f64,
    /// Days until it is full at that growth; `None` when it does not grow.
    pub days_to_full: Option<f64>,
}

/// What is known of a service from its history.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Features {
    /// Most samples of any metric.
    pub samples: u32,
    /// Seconds between samples; 0 without any.
    pub step_secs: u32,
    /// Hours from the first to the last sample.
    pub span_hours: f64,
    /// Days with at least half of their samples.
    pub days: u32,
    /// Share of the samples that are there, on the days that have any, 0 to 1: whole days without any count as fewer days.
    pub coverage: f64,
    /// One profile per gauge.
    pub profiles: BTreeMap<Metric, Profile>,
    /// OOM kills in the window.
    pub oom_kills: f64,
    /// Days with an OOM kill.
    pub oom_days: u32,
    /// Restarts in the window.
    pub restarts: f64,
    /// Whether its memory is a heap that is collected.
    pub heap: Option<Heap>,
    /// Steady growth of memory between restarts, or of what collections leave, if any.
    pub leak: Option<Leak>,
    /// The volume, where its use and size are measured.
    pub volume: Option<Volume>,
}

impl Features {
    /// Everything that the days of a service tell, oldest first.
    #[must_use]
    pub fn of(days: &[DaySketch]) -> Self {
        let past = Past::of(days);
        Self::from_past(past, &by_quarter(past))
    }

    /// The same with what is known by the quarter of an hour.
    pub(crate) fn from_past(past: Past<'_>, quarters: &BTreeMap<Metric, Samples>) -> Self {
        let mut features = Self::default();
        for (metric, s) in quarters {
            match metric.kind() {
                Kind::Gauge => drop(features.profiles.insert(*metric, profile(past, *metric, s))),
                Kind::Counter => features.count(past, *metric),
            }
            features.extent(past, *metric);
        }
        if let Some(memory) = quarters.get(&Metric::MemoryWorkingSet) {
            (features.heap, features.leak) = heap::look(memory, &restarts(quarters), quarters.contains_key(&Metric::Restarts));
        }
        features.volume = volume(past, quarters);
        features
    }

    /// How much is known of a metric, where that is more than of the others.
    fn extent(&mut self, past: Past<'_>, metric: Metric) {
        let samples = past.days(metric).map(|(_, m)| m.seen.count).sum();
        let (Some((from, first)), Some((to, last))) = (past.days(metric).next(), past.days(metric).last()) else { return };
        if samples <= self.samples {
            return;
        }
        let step = i64::from(last.step);
        let per_day = (DAY / step).max(1);
        // The first day counts from its first sample on, the last until its last.
        let until = |second: u32| (i64::from(second) / step + 1).min(per_day);
        let places = |day: i64| {
            let end = if day == to { until(last.last) } else { per_day };
            end - if day == from { until(first.first) - 1 } else { 0 }
        };
        self.samples = samples;
        self.step_secs = last.step;
        self.span_hours = ((to - from) * DAY + i64::from(last.last) + step - i64::from(first.first)) as f64 / 3600.0;
        let all: i64 = past.days(metric).map(|(day, _)| places(day)).sum();
        self.coverage = (f64::from(samples) / all.max(1) as f64).min(1.0);
        self.days = past.days(metric).filter(|(_, m)| i64::from(m.seen.count) >= (per_day / 2).max(1)).count() as u32;
    }

    fn count(&mut self, past: Past<'_>, metric: Metric) {
        let total = past.days(metric).map(|(_, m)| m.sum).sum();
        match metric {
            Metric::OomKills => {
                self.oom_kills = total;
                self.oom_days = past.days(metric).filter(|(_, m)| m.sum > 0.0).count() as u32;
            }
            Metric::Restarts => self.restarts = total,
            _ => {}
        }
    }

    /// The profile of a metric.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<&Profile> {
        self.profiles.get(&metric)
    }

    /// CPU: cores, or the share of an unknown machine where nothing else is known.
    #[must_use]
    pub fn cpu(&self) -> Option<(Metric, &Profile)> {
        self.either(Metric::CpuUsage, Metric::CpuUtilization)
    }

    /// Memory: bytes, or the share of an unknown machine where nothing else is known.
    #[must_use]
    pub fn memory(&self) -> Option<(Metric, &Profile)> {
        self.either(Metric::MemoryWorkingSet, Metric::MemoryUtilization)
    }

    fn either(&self, first: Metric, second: Metric) -> Option<(Metric, &Profile)> {
        [first, second].into_iter().find_map(|m| self.get(m).map(|p| (m, p)))
    }
}

/// Usable samples of every metric that has any.
pub(crate) fn clean(history: &ServiceHistory) -> BTreeMap<Metric, Samples> {
    history.metrics.iter().filter_map(|(m, s)| Samples::clean(s, *m).map(|c| (*m, c))).collect()
}

/// Every metric by the quarter of an hour.
pub(crate) fn by_quarter(past: Past<'_>) -> BTreeMap<Metric, Samples> {
    past.metrics().into_iter().filter_map(|metric| Some((metric, past.quarters(metric)?))).collect()
}

fn profile(past: Past<'_>, metric: Metric, quarters: &Samples) -> Profile {
    let newest = past.days(metric).last().map_or(0, |(day, _)| day);
    let (mut flat, mut decayed) = (Histogram::default(), Histogram::default());
    let mut means = Vec::new();
    let (mut n, mut sum, mut squares, mut peak, mut last) = (0u32, 0.0, 0.0, 0.0f64, 0.0);
    for (day, m) in past.days(metric) {
        let counted = m.seen.counted();
        flat.add_counted(&counted, 1.0);
        let weight = (-((newest - day) as f64) / HALF_LIFE_DAYS).exp2();
        decayed.add_counted(&counted, weight.max(1e-12));
        means.push((day as f64, m.sum / f64::from(m.seen.count)));
        n += m.seen.count;
        sum += m.sum;
        squares += m.squares;
        peak = peak.max(f64::from(m.seen.peak));
        last = f64::from(m.newest);
    }
    let mean = sum / f64::from(n.max(1));
    let q = |q: f64| flat.quantile(q).unwrap_or(0.0).min(peak);
    let (daily_season, weekly_season, noise) = seasons(quarters, squares / f64::from(n.max(1)) - mean * mean, mean);
    Profile {
        samples: n,
        mean,
        p05: q(0.05),
        p50: q(0.5),
        p90: q(0.9),
        p95: q(0.95),
        p99: q(0.99),
        p95_decayed: decayed.quantile(0.95).unwrap_or(0.0).min(peak),
        peak,
        last,
        trend_per_day: if means.len() < 3 { 0.0 } else { stats::theil_sen(&means).map_or(0.0, |t| t.0) },
        daily_season,
        weekly_season,
        noise,
    }
}

/// Shares of a variance explained by hour of day and by hour of week, and what is left over the mean.
fn seasons(quarters: &Samples, variance: f64, mean: f64) -> (f64, f64, f64) {
    if quarters.count < 2 || mean <= 0.0 || variance <= 1e-12 * mean * mean {
        return (0.0, 0.0, 0.0);
    }
    let mut week = [(0.0f64, 0.0f64); 168];
    for (t, v) in quarters.points() {
        let slot = &mut week[(t.div_euclid(HOUR) + 72).rem_euclid(168) as usize]; // 1970-01-01 was a Thursday
        slot.0 += v;
        slot.1 += 1.0;
    }
    let mut day = [(0.0, 0.0); 24];
    for (i, (sum, n)) in week.iter().enumerate() {
        day[i % 24].0 += sum;
        day[i % 24].1 += n;
    }
    let (sum, n) = day.iter().fold((0.0, 0.0), |(a, b), (s, n)| (a + s, b + n));
    let middle = sum / n;
    let hours = quarters.span_hours();
    let explained = |slots: &[(f64, f64)]| {
        let between: f64 = slots.iter().filter(|x| x.1 > 0.0).map(|(s, n)| n * (s / n - middle).powi(2)).sum();
        (between / n / variance).clamp(0.0, 1.0)
    };
    let daily = if hours >= 48.0 { explained(&day) } else { 0.0 };
    let weekly = if hours >= 13.9 * 24.0 { explained(&week) } else { 0.0 };
    (daily, weekly, (variance * (1.0 - daily.max(weekly))).sqrt() / mean)
}

/// When a service is known to have restarted or been killed, seconds since the epoch.
fn restarts(quarters: &BTreeMap<Metric, Samples>) -> Vec<i64> {
    let counted = [Metric::Restarts, Metric::OomKills].into_iter().filter_map(|m| quarters.get(&m));
    counted.flat_map(Samples::points).filter(|(_, n)| *n > 0.0).map(|(t, _)| t).collect()
}

fn volume(past: Past<'_>, quarters: &BTreeMap<Metric, Samples>) -> Option<Volume> {
    let newest = |metric: Metric| past.days(metric).last().map(|(_, m)| f64::from(m.newest));
    let (now, capacity) = (newest(Metric::VolumeUsed)?, newest(Metric::VolumeCapacity)?);
    let points: Vec<(f64, f64)> = quarters.get(&Metric::VolumeUsed)?.points().map(|(t, v)| (t as f64 / DAY as f64, v)).collect();
    let growth = stats::theil_sen(&points).map_or(0.0, |t| t.0);
    let grows = growth > 1e-4 * capacity && capacity > 0.0;
    let days_to_full = grows.then(|| ((capacity - now) / growth).max(0.0));
    (capacity > 0.0).then_some(Volume { used: now, capacity, growth_per_day: growth, days_to_full })
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_model::series::Series;

    fn history(metric: Metric, values: impl Iterator<Item = f64>) -> Vec<DaySketch> {
        let values = values.map(|v| v as f32).collect();
        DaySketch::of(&ServiceHistory { metrics: [(metric, Series { start: 1_700_006_400, step: 300, values })].into() })
    }

    #[test]
    fn a_daily_wave_is_seasonal_and_quiet() {
        let wave = (0..14 * 288).map(|i| 2.0 + (f64::from(i) / 288.0 * std::f64::consts::TAU).sin());
        let f = Features::of(&history(Metric::CpuUsage, wave));
        let cpu = f.get(Metric::CpuUsage).unwrap();
        assert!(cpu.daily_season > 0.98 && cpu.noise < 0.06, "{cpu:?}");
        assert!((cpu.p50 - 2.0).abs() < 0.05 && (cpu.peak - 3.0).abs() < 0.01);
        assert_eq!((f.days, f.samples), (14, 14 * 288));
        assert!((f.span_hours - 336.0).abs() < 1e-9 && f.coverage > 0.999);
    }

    #[test]
    fn a_leak_is_seen_between_restarts_and_a_wave_is_none() {
        let sawtooth = (0..14 * 288).map(|i| (1e9 + f64::from(i % 800) * 1e6) as f32).collect();
        let restarts = (0..14 * 288).map(|i| f32::from(u8::from(i > 0 && i % 800 == 0))).collect();
        let series = |values: Vec<f32>| Series { start: 1_700_006_400, step: 300, values };
        let metrics = [(Metric::MemoryWorkingSet, series(sawtooth)), (Metric::Restarts, series(restarts))].into();
        let leak = Features::of(&DaySketch::of(&ServiceHistory { metrics })).leak.unwrap();
        assert!((leak.per_day / 288e6 - 1.0).abs() < 0.02, "{leak:?}");
        let wave = (0..14 * 288).map(|i| 2e9 + 5e8 * (f64::from(i) / 288.0 * std::f64::consts::TAU).sin());
        assert_eq!(Features::of(&history(Metric::MemoryWorkingSet, wave)).leak, None);
    }

    #[test]
    fn few_or_odd_samples_give_finite_features() {
        for values in [vec![], vec![1.0], vec![0.0, 0.0], vec![f64::NAN, f64::INFINITY, -3.0, 2.0], vec![5.0; 1000]] {
            let f = Features::of(&history(Metric::CpuUsage, values.into_iter()));
            for p in f.profiles.values() {
                for v in [p.mean, p.p05, p.p50, p.p99, p.peak, p.trend_per_day, p.daily_season, p.weekly_season, p.noise] {
                    assert!(v.is_finite() && (0.0..1e4).contains(&v.abs()), "{p:?}");
                }
            }
        }
    }
}
