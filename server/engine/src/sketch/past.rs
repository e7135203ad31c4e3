//! Days put together.

use super::{DaySketch, MetricDay, Spread};
use crate::rightsize::{Day, Uses, running_share};
use crate::samples::Samples;
use headroom_model::metric::Metric;
use headroom_model::time::DAY;
use std::collections::BTreeSet;

/// Where starting up takes more of the samples than this share, it is a part of the demand.
const RARE: f64 = 0.05;

/// The days of a service, oldest first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Past<'a>(&'a [DaySketch]);

/// The samples of one day: (value, how many), ascending.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    day: i64,
    step: i64,
    newest: f32,
    counted: Vec<(f32, u32)>,
}

/// What was wanted of CPU.
pub(crate) struct Demanded {
    pub days: Vec<Kept>,
    /// The largest while starting up, where that was left out; else 0.
    pub start_up: f64,
    /// Whether starting up was left out.
    pub cut: bool,
}

impl Kept {
    fn of(day: i64, metric: &MetricDay, spread: &Spread) -> Self {
        Self { day, step: i64::from(metric.step), newest: metric.newest, counted: spread.counted() }
    }

    /// As a day to learn from.
    pub fn day(&self) -> Day<'_> {
        Day { day: self.day, step: self.step, uses: Uses::Counted { counted: &self.counted, newest: self.newest } }
    }
}

impl<'a> Past<'a> {
    pub fn of(days: &'a [DaySketch]) -> Self {
        Self(days)
    }

    /// Every metric that has a sample.
    pub fn metrics(self) -> BTreeSet<Metric> {
        self.0.iter().flat_map(|day| day.metrics.keys().copied()).collect()
    }

    /// The days of a metric that have samples.
    pub fn days(self, metric: Metric) -> impl Iterator<Item = (i64, &'a MetricDay)> {
        self.0.iter().filter_map(move |day| Some((day.day, day.metrics.get(&metric)?)))
    }

    /// The samples of a metric, a day at a time.
    pub fn kept(self, metric: Metric) -> Vec<Kept> {
        self.days(metric).map(|(day, m)| Kept::of(day, m, &m.seen)).collect()
    }

    /// The share of a day that the service runs for, 0 to 1: of its CPU or memory, whichever is known for longer.
    pub fn running_share(self) -> f64 {
        const USES: [Metric; 4] = [Metric::CpuUsage, Metric::CpuUtilization, Metric::MemoryWorkingSet, Metric::MemoryUtilization];
        let known = USES.into_iter().filter(|metric| self.days(*metric).next().is_some());
        let share = |metric| running_share(self.kept(metric).iter().map(|kept| kept.day().share_seen()));
        known.map(share).fold(f64::NAN, f64::max).min(1.0)
    }

    /// What was wanted of CPU, a day at a time: without the bursts of starting up, which the limit serves, not the request.
    pub fn demanded(self, metric: Metric) -> Demanded {
        let days = || self.days(metric).map(|(day, m)| (day, m, m.wanted.as_ref()));
        let all = |m: &'a MetricDay| m.wanted.as_ref().map_or(&m.seen, |w| &w.all);
        let (mut running, mut of) = (0u32, 0u32);
        for (_, m, wanted) in days() {
            of += all(m).count;
            running += wanted.map_or(m.seen.count, |w| w.running.as_ref().map_or(0, |r| r.count));
        }
        let start_up = days().filter_map(|(_, _, w)| w).fold(0.0, |most: f32, w| most.max(w.start_up));
        let cut = running < of && f64::from(running) >= (1.0 - RARE) * f64::from(of);
        let spread = |m: &'a MetricDay, wanted: Option<&'a super::Wanted>| match wanted {
            Some(w) if cut => w.running.as_ref(),
            _ => Some(all(m)),
        };
        let days = days().filter_map(|(day, m, wanted)| Some(Kept::of(day, m, spread(m, wanted)?))).collect();
        Demanded { days, start_up: if cut { f64::from(start_up) } else { 0.0 }, cut }
    }

    /// A metric by the quarter of an hour; `None` without a sample.
    pub fn quarters(self, metric: Metric) -> Option<Samples> {
        let step = self.days(metric).map(|(_, m)| i64::from(m.quarters.step)).max()?;
        let begin = |day: i64, m: &MetricDay| day * DAY + i64::from(m.quarters.first);
        let start = self.days(metric).map(|(day, m)| begin(day, m)).min()?;
        let mut values: Vec<f32> = Vec::new();
        let mut count = 0;
        for (day, m) in self.days(metric) {
            for (i, value) in m.quarters.values().enumerate().filter(|(_, v)| !v.is_nan()) {
                let time = begin(day, m) + i as i64 * i64::from(m.quarters.step);
                let Ok(at) = usize::try_from((time - start).div_euclid(step)) else { continue };
                if at >= values.len() {
                    values.resize(at + 1, f32::NAN);
                }
                count += usize::from(values[at].is_nan());
                values[at] = value;
            }
        }
        Some(Samples { start, step, values, count })
    }
}
