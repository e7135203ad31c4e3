//! The samples of a file's series as regular grids: running totals become increases, and samples of one interval one value.

use headroom_model::metric::{Kind, Metric, Unit};
use headroom_model::series::{Series, ServiceHistory, merged};
use std::collections::BTreeMap;

/// Longest grid of one series.
const LONGEST: i64 = 4_000_000;

/// (seconds since the epoch, container, line, value)
pub(super) type Point = (i64, u16, u32, f32);

/// What the series of a service become.
pub(super) struct Gridded {
    /// Each series on its own step.
    pub history: ServiceHistory,
    /// Points that a later line replaced.
    pub repeated: u64,
    /// Series of events that were running totals.
    pub totals: u64,
}

/// Puts the series of a service on grids.
///
/// # Errors
/// The series that would be too long.
pub(super) fn history(series: BTreeMap<Metric, Vec<Point>>) -> Result<Gridded, String> {
    let mut out = Gridded { history: ServiceHistory::default(), repeated: 0, totals: 0 };
    let origin = series.values().flat_map(|points| points.iter().map(|p| p.0)).min().unwrap_or(0);
    let steps: Vec<(i64, bool)> = series.values().map(|points| step(points)).collect();
    let finest = steps.iter().filter(|(_, even)| *even).map(|(s, _)| *s).min();
    for ((metric, mut points), (own, even)) in series.into_iter().zip(steps) {
        if metric.kind() == Kind::Counter && is_running_total(&mut points) {
            take_increases(&mut points);
            out.totals += 1;
        }
        // A series without a rhythm of its own takes that of its service, with gaps.
        let step = if even { own } else { finest.map_or(own, |f| f.min(own)) };
        let (series, repeated) = regular(metric, points, origin, step).map_err(|fault| format!("{metric}: {fault}"))?;
        out.repeated += repeated;
        out.history.metrics.insert(metric, series);
    }
    Ok(out)
}

/// Points on a grid that contains `origin`, and how many points were replaced by a later line.
fn regular(metric: Metric, mut points: Vec<Point>, origin: i64, step: i64) -> Result<(Series, u64), String> {
    points.sort_by_key(|(t, container, line, _)| (*t, *container, *line));
    let before = points.len();
    points.dedup_by(|later, earlier| {
        (later.0, later.1) == (earlier.0, earlier.1) && {
            earlier.3 = later.3;
            true
        }
    });
    let repeated = (before - points.len()) as u64;
    let slot = |t: i64| (t - origin + step / 2).div_euclid(step);
    let (first, last) = (slot(points[0].0), slot(points[points.len() - 1].0));
    if last - first >= LONGEST {
        return Err(format!(
            "{} samples over {} s at a step of {step} s make too long a series",
            points.len(),
            points[points.len() - 1].0 - points[0].0
        ));
    }
    let mut values = vec![f32::NAN; (last - first + 1) as usize];
    for interval in points.chunk_by_mut(|a, b| slot(a.0) == slot(b.0)) {
        values[(slot(interval[0].0) - first) as usize] = together(metric, interval);
    }
    let step_secs = u32::try_from(step).map_err(|_| format!("its samples are {step} s apart, which is too far"))?;
    Ok((Series { start: origin + first * step, step: step_secs, values }, repeated))
}

/// Whether events are counted from the beginning rather than per interval: more than half of the values are above nothing, and they rise and
/// hardly ever fall. Sorts the points by container and time.
fn is_running_total(points: &mut [Point]) -> bool {
    points.sort_by_key(|(t, container, line, _)| (*container, *t, *line));
    let steps = || points.windows(2).filter(|w| w[0].1 == w[1].1);
    let (rises, falls) = (steps().filter(|w| w[1].3 > w[0].3).count(), steps().filter(|w| w[1].3 < w[0].3).count());
    let some = points.iter().filter(|p| p.3 > 0.0).count();
    let most = points.iter().fold(0.0f32, |most, p| most.max(p.3));
    points.len() >= 6 && 2 * some > points.len() && most >= 2.0 && rises > 0 && 20 * falls <= points.len()
}

/// Makes running totals, sorted by container and time, into what was added since the sample before; after a fall it has begun anew. What was
/// before the first sample is not known, and counts as nothing.
fn take_increases(points: &mut [Point]) {
    let mut before: Option<(u16, f32)> = None;
    for point in points {
        let total = point.3;
        point.3 = match before {
            Some((container, old)) if container == point.1 => {
                if total >= old {
                    total - old
                } else {
                    total
                }
            }
            _ => 0.0,
        };
        before = Some((point.1, total));
    }
}

/// One value for the samples of one interval: of each container merged in the order of time, then of all containers.
fn together(metric: Metric, interval: &mut [Point]) -> f32 {
    if let [only] = interval {
        return only.3;
    }
    interval.sort_by_key(|p| (p.1, p.0));
    let of = |container: &[Point]| merged(&container.iter().map(|p| p.3).collect::<Vec<_>>(), metric.aggregation());
    let containers = interval.chunk_by(|a, b| a.1 == b.1).map(of);
    if adds_up(metric) { containers.sum() } else { containers.fold(f32::NEG_INFINITY, f32::max) }
}

/// Whether what containers have of a metric adds up to what their service has.
fn adds_up(metric: Metric) -> bool {
    match metric.unit() {
        Unit::Ratio | Unit::Milliseconds => false,
        Unit::Count => metric.kind() == Kind::Counter || metric == Metric::Gpus,
        Unit::Cores | Unit::Bytes | Unit::BytesPerSecond | Unit::PerSecond => true,
    }
}

/// The median distance between times of a container, taken as a usual step when it is within 1.5 % of one, and whether most distances are about it.
fn step(points: &[Point]) -> (i64, bool) {
    // Containers are measured at moments of their own.
    let mut times: Vec<(u16, i64)> = points.iter().map(|p| (p.1, p.0)).collect();
    times.sort_unstable();
    times.dedup();
    let mut distances: Vec<i64> = times.windows(2).filter(|w| w[0].0 == w[1].0).map(|w| w[1].1 - w[0].1).collect();
    if distances.is_empty() {
        return (300, false);
    }
    let middle = distances.len() / 2;
    let median = *distances.select_nth_unstable(middle).1;
    let usual = [60, 120, 300, 600, 900, 1800, 3600, 86_400];
    let step = usual.into_iter().find(|u| (median - u).abs() * 200 <= *u * 3).unwrap_or(median);
    let near = distances.iter().filter(|d| (**d - step).abs() * 20 <= step.max(40)).count();
    (step, near * 2 >= distances.len())
}

#[cfg(test)]
mod tests {
    use crate::import::{Imported, read_usage};
    use headroom_model::metric::Metric;
    use headroom_model::service::Managed;

    fn read(text: &str) -> Imported {
        read_usage(text.as_bytes(), "usage.csv").unwrap()
    }

    #[test]
    fn times_in_any_order_become_a_grid_with_gaps() {
        let text = "time,service,metric,value\n\
            2014-03-01T00:10:01Z,a,cpu_usage_cores,3\n\
            2014-03-01T00:00:00Z,a,cpu_usage_cores,1\n\
            1393632299,a,cpu_usage_cores,2\n\
            2014-03-01T00:25:00+00:00,a,cpu_usage_cores,6\n\
            2014-03-01T00:15:00Z,a,cpu_usage_cores,4\n";
        let imported = read(text);
        let series = imported.services[0].history.get(Metric::CpuUsage).unwrap();
        assert_eq!((series.start, series.step), (1_393_632_000, 300));
        assert_eq!(format!("{:?}", series.values), "[1.0, 2.0, 3.0, 4.0, NaN, 6.0]");
        assert_eq!((imported.rows, imported.repeated), (5, 0));
        assert_eq!(imported.services[0].service.managed, Managed::Observed);
    }

    #[test]
    fn samples_of_one_interval_are_merged_by_the_rule_of_their_metric() {
        let mut text = "time,service,metric,value\n".to_owned();
        let mut put = |t: i64, value: i64| {
            for metric in ["cpu_usage_cores", "memory_working_set_bytes", "restarts"] {
                text += &format!("{t},a,{metric},{value}\n");
            }
        };
        (0..10).for_each(|i| put(i * 300, 1));
        (0..5).for_each(|i| put(3000 + i * 60, if i == 1 { 11 } else { 1 }));
        let imported = read(&text);
        let last = |metric| imported.services[0].history.get(metric).unwrap().values[10];
        // A grid point stands for what is nearest to it: 3000, 3060 and 3120.
        assert_eq!((last(Metric::CpuUsage), last(Metric::MemoryWorkingSet), last(Metric::Restarts)), (13.0 / 3.0, 11.0, 13.0));
        assert_eq!(imported.repeated, 0);
    }

    #[test]
    fn containers_measured_at_moments_of_their_own_add_up_and_shares_do_not() {
        let mut text = "time,service,metric,value,container\n".to_owned();
        for i in 0..10 {
            for (container, late) in [("x", 0), ("y", 7), ("z", 29)] {
                text += &format!("{},a,cpu_usage_cores,1,{container}\n", i * 60 + late);
                text += &format!("{},a,cpu_throttled_ratio,0.{late},{container}\n", i * 60 + late);
                text += &format!("{},a,replicas,3,{container}\n", i * 60 + late);
            }
        }
        let imported = read(&text);
        let series = |metric| imported.services[0].history.get(metric).unwrap();
        assert_eq!((series(Metric::CpuUsage).step, &series(Metric::CpuUsage).values), (60, &vec![3.0; 10]));
        assert_eq!((&series(Metric::CpuThrottled).values, &series(Metric::Replicas).values), (&vec![0.7; 10], &vec![3.0; 10]));
    }

    #[test]
    fn running_totals_of_events_become_increases_and_counts_stay() {
        let rows = |values: &[i64]| -> String {
            let row = |(i, v): (usize, &i64)| format!("{},a,restarts,{v}\n", i * 300);
            "time,service,metric,value\n".to_owned() + &values.iter().enumerate().map(row).collect::<String>()
        };
        let restarts = |values: &[i64]| read(&rows(values)).services[0].history.get(Metric::Restarts).unwrap().values.clone();
        let total = [7, 7, 8, 8, 8, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 1, 1];
        let increases = [0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0].map(|v| v as f32);
        assert_eq!(restarts(&total), increases);
        assert_eq!(read(&rows(&total)).notes().len(), 1);
        for counts in [&[0, 0, 1, 0, 0, 2, 0, 0, 0][..], &[1; 9], &[1, 2, 1, 3, 1, 1, 2, 1, 1]] {
            assert_eq!(restarts(counts), counts.iter().map(|v| *v as f32).collect::<Vec<_>>());
        }
    }
}
