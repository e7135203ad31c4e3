//! How much CPU or memory to ask for, learnt a day at a time, and the replay by which every method is compared.
//!
//! A [`Method`] decides at 00:00 UTC what to hold for the day, from what came before: of the service itself and of the
//! other services of the file. [`replay`] walks through the days and says what would have been held.

pub mod claims;
pub mod confidence;
mod cpu;
mod day;
mod demand;
mod memory;
mod needs;
mod peers;
pub mod record;
mod walk;

pub(crate) use day::{Day, Uses, days, running_share, whole};
pub(crate) use needs::{CURE, Needs, Now};
pub(crate) use walk::{Followed, Walk, days_held, follow, needs, walk};

use crate::samples::Samples;
use crate::sketch::{DaySketch, Past};
use headroom_model::metric::{Metric, Unit};
use headroom_model::series::Series;
use headroom_model::time::DAY;
use std::collections::HashMap;

/// What decides: Headroom's own learners, or a method of the field as its sources describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Headroom's own.
    Headroom,
    /// Kubernetes VPA 1.7.
    Vpa,
    /// Robusta KRR.
    Krr,
    /// Google Autopilot's window recommender.
    Autopilot,
    /// In the style of AWS Compute Optimizer.
    Aws,
}

impl Method {
    /// All, Headroom's own first.
    pub const ALL: [Self; 5] = [Self::Headroom, Self::Vpa, Self::Krr, Self::Autopilot, Self::Aws];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Headroom => "headroom",
            Self::Vpa => "vpa",
            Self::Krr => "krr",
            Self::Autopilot => "autopilot",
            Self::Aws => "aws",
        }
    }
}

/// What is sized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A request: samples above it are throttled time.
    Cpu,
    /// A limit: one sample above it is an OOM kill.
    Memory,
}

impl Resource {
    /// The resource that a metric measures; `None` for metrics that are not right-sized.
    #[must_use]
    pub fn of(metric: Metric) -> Option<Self> {
        match metric {
            Metric::CpuUsage | Metric::CpuUtilization => Some(Self::Cpu),
            Metric::MemoryWorkingSet | Metric::MemoryUtilization => Some(Self::Memory),
            _ => None,
        }
    }
}

/// How large the services of a fleet typically are: what prices are measured by. What is not known is taken from the service at hand.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fleet {
    /// Mean over the services of their largest CPU use per replica, cores.
    pub cpu: Option<f64>,
    /// Mean over the services of their largest memory use per replica, bytes.
    pub memory: Option<f64>,
}

impl Fleet {
    /// Of services whose days are at hand.
    #[must_use]
    pub fn of<'a>(services: impl Iterator<Item = &'a [DaySketch]> + Clone) -> Self {
        let mean = |metric: Metric| {
            let peak = |days: &'a [DaySketch]| Past::of(days).days(metric).map(|(_, m)| f64::from(m.seen.peak)).reduce(f64::max);
            let peaks = services.clone().filter_map(peak);
            let (sum, n) = peaks.fold((0.0, 0.0), |(sum, n), peak| (sum + peak, n + 1.0));
            (n > 0.0).then(|| sum / n)
        };
        Self { cpu: mean(Metric::CpuUsage), memory: mean(Metric::MemoryWorkingSet) }
    }

    /// The typical size in the unit of a metric; shares of unknown machines have none.
    fn size(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::CpuUsage => self.cpu,
            Metric::MemoryWorkingSet => self.memory,
            _ => None,
        }
    }
}

/// One series to be sized.
#[derive(Debug, Clone, Copy)]
pub struct Usage<'a> {
    /// What ties the pods of one workload together; `None` for a service that stands alone.
    pub workload: Option<&'a str>,
    /// Its samples, in the unit of the metric.
    pub series: &'a Series,
}

/// A value held from one time to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// Seconds since the epoch.
    pub from: i64,
    /// Seconds since the epoch, later than `from`.
    pub to: i64,
    /// In the unit of the metric, finite and not negative.
    pub value: f64,
}

/// Decides for the services of one file, and learns from them. Services are numbered from 0.
trait Recommender {
    /// What to hold on a day, in the order of time; nothing where nothing is known. Sees only what was learnt before.
    fn decide(&mut self, service: usize, day: i64, out: &mut Vec<Held>);

    /// Takes in a day of a service. Days come in the order of time.
    fn learn(&mut self, service: usize, day: &Day<'_>);
}

/// Holds a value for a whole day.
fn hold(day: i64, value: f64, out: &mut Vec<Held>) {
    out.push(Held { from: day * DAY, to: (day + 1) * DAY, value });
}

/// What a method would have held, per series of one metric, oldest first: deciding at 00:00 UTC of each day on which the
/// series has samples, from what came before in all of them. A day for which nothing is known has no entry; a series without
/// a usable sample has none at all.
///
/// Floors are off: a share of a machine has none, and a cluster's own minimum is for policy to add.
#[must_use]
pub fn replay(metric: Metric, usage: &[Usage<'_>], method: Method) -> Vec<Vec<Held>> {
    let mut held = vec![Vec::new(); usage.len()];
    let Some(resource) = Resource::of(metric) else { return held };
    let samples: Vec<Option<Samples>> = usage.iter().map(|u| Samples::clean(u.series, metric)).collect();
    let mut days: Vec<(usize, Day<'_>)> =
        samples.iter().enumerate().flat_map(|(i, s)| s.iter().flat_map(days).map(move |day| (i, day))).collect();
    days.sort_by_key(|(service, day)| (day.day, *service));
    let mut recommender = recommender(method, resource, metric.unit() == Unit::Ratio, &workloads(usage), None);
    for today in days.chunk_by(|a, b| a.1.day == b.1.day) {
        for (service, day) in today {
            recommender.decide(*service, day.day, &mut held[*service]);
        }
        for (service, day) in today {
            recommender.learn(*service, day);
        }
    }
    held
}

/// A method for the services whose workloads these are. `share`: the unit is a share of a machine; `size`: how large the fleet's typical
/// service is, where that is known from elsewhere.
fn recommender(method: Method, resource: Resource, share: bool, workloads: &[usize], size: Option<f64>) -> Box<dyn Recommender> {
    let n = workloads.len();
    match (method, resource) {
        (Method::Headroom, Resource::Cpu) => Box::new(cpu::Learner::new(workloads, share, size)),
        (Method::Headroom, Resource::Memory) => Box::new(memory::Learner::new(workloads, size)),
        (Method::Vpa, _) => Box::new(peers::Each::new(n, || peers::Vpa::new(resource, share))),
        (Method::Krr, _) => Box::new(peers::Each::new(n, || peers::Krr::new(resource))),
        (Method::Autopilot, _) => Box::new(peers::Each::new(n, || peers::Autopilot::new(resource))),
        (Method::Aws, _) => Box::new(peers::Each::new(n, || peers::Aws::new(resource))),
    }
}

/// The number of each series' workload; a series without one is its own.
fn workloads(usage: &[Usage<'_>]) -> Vec<usize> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    usage.iter().enumerate().map(|(i, u)| u.workload.map_or(i, |w| *first.entry(w).or_insert(i))).collect()
}

#[cfg(test)]
mod testing {
    use headroom_model::series::Series;

    /// Midnight of some day.
    pub const START: i64 = 86_400 * 20_000;

    /// Days of five-minute samples.
    pub fn series(days: usize, value: impl Fn(usize) -> f32) -> Series {
        Series { start: START, step: 300, values: (0..days * 288).map(value).collect() }
    }

    /// Between 0 and 1, of no visible order.
    pub fn noise(i: usize) -> f32 {
        (i.wrapping_mul(2_654_435_761) % 1009) as f32 / 1009.0
    }
}

#[cfg(test)]
mod tests {
    use super::testing::START;
    use super::*;
    use proptest::prelude::*;

    const METRICS: [Metric; 4] = [Metric::CpuUsage, Metric::CpuUtilization, Metric::MemoryWorkingSet, Metric::MemoryUtilization];

    fn sample() -> impl Strategy<Value = f32> {
        prop_oneof![
            6 => 0.0f32..8.0,
            2 => Just(0.0f32),
            1 => prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(-1.0), Just(1e30), 1e8f32..1e10],
        ]
    }

    fn any_series() -> impl Strategy<Value = Series> {
        let step = prop_oneof![Just(0u32), Just(60), Just(3600), Just(7200), Just(86_400), Just(200_000)];
        (-200_000i64..200_000, step, prop::collection::vec(sample(), 0..120)).prop_map(|(start, step, values)| Series {
            start: START + start,
            step,
            values,
        })
    }

    fn all(series: &[Series], method: Method, metric: Metric) -> Vec<Vec<Held>> {
        let usage: Vec<Usage<'_>> =
            series.iter().enumerate().map(|(i, series)| Usage { workload: (i % 2 == 0).then_some("w"), series }).collect();
        replay(metric, &usage, method)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_comes_the_answer_is_in_order_and_finite(series in prop::collection::vec(any_series(), 0..5)) {
            for (method, metric) in Method::ALL.into_iter().flat_map(|m| METRICS.map(|metric| (m, metric))) {
                let held = all(&series, method, metric);
                prop_assert_eq!(held.len(), series.len());
                for held in &held {
                    prop_assert!(held.iter().all(|h| h.from < h.to && h.value.is_finite() && h.value >= 0.0));
                    prop_assert!(held.windows(2).all(|w| w[0].to <= w[1].from));
                }
            }
        }

        #[test]
        fn the_future_is_not_seen(series in prop::collection::vec(any_series(), 1..4), other in prop::collection::vec(sample(), 120)) {
            let noon = START + 43_200;
            let changed: Vec<Series> = series.iter().cloned().map(|mut s| {
                let step = i64::from(s.step.max(1));
                for (i, v) in s.values.iter_mut().enumerate() {
                    // Days stay days with samples: only usable samples change, to usable ones.
                    if s.start + i as i64 * step >= noon && (0.0..=8.0).contains(v) && (0.0..=8.0).contains(&other[i]) {
                        *v = other[i];
                    }
                }
                s
            }).collect();
            for method in Method::ALL {
                for (a, b) in all(&series, method, Metric::CpuUsage).iter().zip(all(&changed, method, Metric::CpuUsage)) {
                    let until = |held: &[Held]| held.iter().copied().filter(|h| h.from <= noon).collect::<Vec<_>>();
                    prop_assert_eq!(until(a), until(&b));
                }
            }
        }
    }

    #[test]
    fn a_day_is_decided_from_the_days_before_it() {
        let series = Series { start: START + 43_200, step: 300, values: vec![1.0; 144 + 288 + 10] };
        for method in Method::ALL {
            let held = all(std::slice::from_ref(&series), method, Metric::CpuUsage).remove(0);
            let from: Vec<i64> = held.iter().map(|h| (h.from - START) / DAY).collect();
            assert_eq!(from, [1, 2], "{}", method.name());
            assert!(held.iter().all(|h| h.to - h.from == DAY));
        }
    }

    #[test]
    fn a_gap_of_a_year_is_passed_over() {
        let mut values = vec![1.0; 288];
        values.resize(288 * 366, f32::NAN);
        values.extend([1.0; 288]);
        let held = all(&[Series { start: START, step: 300, values }], Method::Headroom, Metric::CpuUsage).remove(0);
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].from, START + 366 * DAY);
    }

    #[test]
    fn other_metrics_and_empty_series_have_no_values() {
        let series = [Series { start: START, step: 300, values: vec![1.0; 900] }, Series::default()];
        assert!(all(&series, Method::Vpa, Metric::RequestRate).iter().all(Vec::is_empty));
        assert!(all(&series, Method::Vpa, Metric::CpuUsage)[1].is_empty());
    }
}
