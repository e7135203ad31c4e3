//! What an analysis keeps of a UTC day of a service, so that the day's samples are not read again.
//!
//! Of each metric: how often every value was there, within 0.4 % (a quantile sketch of bounded relative error, as `DDSketch`: Masson et al.,
//! VLDB 2019), and one value per quarter of an hour, merged by the metric's rule, for what moved together. Of CPU also what was wanted behind
//! throttling, with and without starting up. A sketch of a day does not depend on the days around it, and days are put together by whoever
//! asks, recent ones counting more: an analysis of days that were kept and of days that are new equals one of all samples.

mod past;
mod spread;

pub(crate) use past::{Kept, Past};
pub(crate) use spread::Spread;

use crate::features::clean;
use crate::samples::{DayPart, Samples};
use headroom_model::metric::{Aggregation, Metric};
use headroom_model::series::{Series, ServiceHistory, merged};
use headroom_model::time::DAY;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Changes whenever what is kept does: what another Headroom has kept is made anew.
const FORMAT: u8 = 1;
/// Seconds of the intervals in which is kept what moved together.
const QUARTER: i64 = 900;
/// Seconds from the begin of the interval of a restart in which a service starts up, at midnight at the latest.
pub(crate) const START_UP_SECS: i64 = 900;

/// One UTC day of one service, as far as an analysis asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DaySketch {
    /// Days since 1970.
    day: i64,
    metrics: BTreeMap<Metric, MetricDay>,
}

/// One metric of that day; it has at least one usable sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MetricDay {
    /// Seconds per sample.
    pub step: u32,
    /// Seconds from midnight to the begins of the first and the last sample.
    pub first: u32,
    pub last: u32,
    /// The newest sample.
    pub newest: f32,
    /// Of the samples.
    pub sum: f64,
    /// Of their squares.
    pub squares: f64,
    /// The samples.
    pub seen: Spread,
    /// CPU on a day on which throttling or starting up hid what was wanted.
    pub wanted: Option<Wanted>,
    quarters: Quarters,
}

/// What was wanted behind what was used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// With what throttling hid.
    pub all: Spread,
    /// The same without starting up; `None` on a day of nothing else.
    pub running: Option<Spread>,
    /// The largest while starting up, or 0.
    pub start_up: f32,
}

/// One value per interval, three bytes each: sixteen bits of precision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Quarters {
    /// Seconds from midnight to the begin of the first.
    first: u32,
    /// Seconds.
    step: u32,
    count: u32,
    /// Little-endian; one value alone stands for all.
    bytes: Vec<u8>,
}

impl DaySketch {
    /// The days of a history that have usable samples, oldest first.
    #[must_use]
    pub fn of(history: &ServiceHistory) -> Vec<Self> {
        let samples = clean(history);
        let mut out: BTreeMap<i64, Self> = BTreeMap::new();
        for (metric, s) in &samples {
            for day in s.days() {
                let sketch = out.entry(day.day).or_insert_with(|| Self { day: day.day, metrics: BTreeMap::new() });
                sketch.metrics.insert(*metric, MetricDay::of(&day, s.step, metric.aggregation()));
            }
        }
        for metric in [Metric::CpuUsage, Metric::CpuUtilization] {
            for (day, wanted) in wanted(&samples, metric) {
                if let Some(kept) = out.get_mut(&day).and_then(|sketch| sketch.metrics.get_mut(&metric)) {
                    kept.wanted = Some(wanted);
                }
            }
        }
        out.into_values().collect()
    }

    /// Days since 1970.
    #[must_use]
    pub fn day(&self) -> i64 {
        self.day
    }

    /// Seconds per sample; the largest where metrics differ.
    #[must_use]
    pub fn step(&self) -> u32 {
        self.metrics.values().map(|m| m.step).max().unwrap_or(1)
    }

    /// For keeping.
    ///
    /// # Panics
    /// Never: numbers and lists always have a form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(&(FORMAT, self)).expect("numbers and lists have a form")
    }

    /// What was kept; `None` where it is damaged or of another Headroom: the day's samples tell it anew.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (format, rest) = bytes.split_first()?;
        if *format != FORMAT {
            return None;
        }
        let sketch: Self = postcard::from_bytes(rest).ok()?;
        sketch.metrics.values().all(MetricDay::is_sound).then_some(sketch)
    }
}

/// The end of the newest sample, seconds since the epoch; `None` without any.
#[must_use]
pub fn end(days: &[DaySketch]) -> Option<i64> {
    let last = days.last()?;
    last.metrics.values().map(|m| last.day * DAY + i64::from(m.last) + i64::from(m.step)).max()
}

/// The newest sample of a metric.
#[must_use]
pub fn newest(days: &[DaySketch], metric: Metric) -> Option<f64> {
    days.iter().rev().find_map(|day| day.metrics.get(&metric)).map(|m| f64::from(m.newest))
}

/// The share of a day that a service runs for, 0 to 1: less than 1 where on each of several days it ran for less than half of it, as a
/// job at night does. A month of what it asks for is paid for by this share.
#[must_use]
pub fn running_share(days: &[DaySketch]) -> f64 {
    Past::of(days).running_share()
}

/// A metric by the quarter of an hour, or by its own interval where that does not fit into one; `None` without a sample.
#[must_use]
pub fn quarters(days: &[DaySketch], metric: Metric) -> Option<Series> {
    let samples = Past::of(days).quarters(metric)?;
    Some(Series { start: samples.start, step: u32::try_from(samples.step).unwrap_or(1), values: samples.values })
}

impl MetricDay {
    /// Whether it can be what [`Self::of`] makes.
    fn is_sound(&self) -> bool {
        let wanted = self.wanted.iter().flat_map(|w| std::iter::once(&w.all).chain(&w.running));
        let quarters = &self.quarters;
        self.step > 0
            && std::iter::once(&self.seen).chain(wanted).all(Spread::is_sound)
            && quarters.step > 0
            && (1..=DAY as u32).contains(&quarters.count)
            && quarters.values().all(|v| v.is_nan() || (v.is_finite() && v >= 0.0))
            && [self.sum, self.squares, f64::from(self.newest)].iter().all(|v| v.is_finite() && *v >= 0.0)
            && self.first <= self.last
            && i64::from(self.last.max(quarters.first)) < DAY
    }

    fn of(day: &DayPart<'_>, step: i64, rule: Aggregation) -> Self {
        let present = |i: usize| !day.values[i].is_nan();
        let first = (0..day.values.len()).find(|i| present(*i)).unwrap_or(0);
        let last = (0..day.values.len()).rev().find(|i| present(*i)).unwrap_or(0);
        let begin = |i: usize| day.offset + i as i64 * step;
        let values = &day.values[first..=last];
        let (sum, squares) = values.iter().filter(|v| !v.is_nan()).fold((0.0, 0.0), |(sum, squares), v| {
            let v = f64::from(*v);
            (sum + v, squares + v * v)
        });
        Self {
            step: u32::try_from(step).unwrap_or(u32::MAX),
            first: begin(first) as u32,
            last: begin(last) as u32,
            newest: day.values[last],
            sum,
            squares,
            seen: Spread::of(values),
            wanted: None,
            quarters: Quarters::of(begin(first), step, values, rule),
        }
    }
}

impl Quarters {
    /// `begin`: of the first value, seconds from midnight. Values whose step fits into a quarter of an hour are merged into such.
    fn of(begin: i64, step: i64, values: &[f32], rule: Aggregation) -> Self {
        let fits = QUARTER % step == 0 && begin % step == 0;
        let (first, wide, values) = if fits && step < QUARTER {
            let (whole, ahead) = ((QUARTER / step) as usize, ((QUARTER - begin % QUARTER) / step) as usize);
            let (head, rest) = values.split_at(ahead.min(values.len()));
            let merged = std::iter::once(head).chain(rest.chunks(whole)).map(|part| merged(part, rule)).collect();
            (begin - begin % QUARTER, QUARTER, merged)
        } else {
            (begin, step, values.to_vec())
        };
        let short: Vec<u32> = values.iter().map(|v| if v.is_nan() { 0x00ff_ffff } else { (v.to_bits() + 0x80) >> 8 }).collect();
        let kept = if short.iter().all(|v| *v == short[0]) { &short[..1] } else { &short };
        Self {
            first: first as u32,
            step: u32::try_from(wide).unwrap_or(u32::MAX),
            count: short.len() as u32,
            bytes: kept.iter().flat_map(|v| v.to_le_bytes().into_iter().take(3)).collect(),
        }
    }

    fn values(&self) -> impl Iterator<Item = f32> + '_ {
        let (kept, _) = self.bytes.as_chunks::<3>();
        let value = |[a, b, c]: [u8; 3]| f32::from_bits(u32::from_le_bytes([0, a, b, c]));
        (0..self.count as usize).map(move |i| kept.get(if kept.len() == 1 { 0 } else { i }).map_or(f32::NAN, |v| value(*v)))
    }
}

/// What was wanted of CPU on the days on which that is not what was used.
fn wanted(samples: &BTreeMap<Metric, Samples>, metric: Metric) -> Vec<(i64, Wanted)> {
    let Some(used) = samples.get(&metric) else { return Vec::new() };
    let happened = |of: Metric| samples.get(&of).filter(|s| s.peak() > 0.0);
    let (throttled, restarts) = (happened(Metric::CpuThrottled), happened(Metric::Restarts));
    if throttled.is_none() && restarts.is_none() {
        return Vec::new();
    }
    let starts: Vec<i64> = restarts.map(|r| r.points().filter(|(_, n)| *n > 0.0).map(|(t, _)| t).collect()).unwrap_or_default();
    let all = throttled.map_or_else(|| used.clone(), |t| unthrottled(used, t));
    let running = all.map(|t, v| if starting(&starts, t) { f64::NAN } else { v });
    let hidden = |day: i64| {
        let some = |s: Option<&Samples>| s.is_some_and(|s| s.points().any(|(t, v)| t.div_euclid(DAY) == day && v > 0.0));
        some(throttled) || some(restarts)
    };
    let running: BTreeMap<i64, Spread> = running.days().iter().map(|day| (day.day, Spread::of(day.values))).collect();
    let of_day = |day: &DayPart<'_>| {
        let begin = |i: usize| day.day * DAY + day.offset + i as i64 * all.step;
        let start_up = day.values.iter().enumerate().filter(|(i, v)| !v.is_nan() && starting(&starts, begin(*i)));
        Wanted {
            all: Spread::of(day.values),
            running: running.get(&day.day).cloned(),
            start_up: start_up.fold(0.0, |most, (_, v)| most.max(*v)),
        }
    };
    all.days().iter().filter(|day| hidden(day.day)).map(|day| (day.day, of_day(day))).collect()
}

/// Demand behind throttling: a container stopped in a share `s` of its periods would have used about `use / (1 − s)`, at most three times as much.
pub(crate) fn unthrottled(used: &Samples, throttled: &Samples) -> Samples {
    used.map(|t, v| v / (1.0 - throttled.at(t).unwrap_or(0.0)).clamp(1.0 / 3.0, 1.0))
}

/// Whether a service is starting up, which it does on the day on which it has started. `starts`: in the order of time.
pub(crate) fn starting(starts: &[i64], t: i64) -> bool {
    let before = starts.partition_point(|s| *s <= t);
    before > 0 && t - starts[before - 1] < START_UP_SECS && starts[before - 1].div_euclid(DAY) == t.div_euclid(DAY)
}

#[cfg(test)]
mod tests;
