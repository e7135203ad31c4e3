//! The charts of a service: use against what is asked for, latency, traffic, with its changes marked.

use headroom_model::chart::{ChartBand, ChartModel, ChartSeries, Ink, Mark, Threshold};
use headroom_model::metric::{Aggregation, Metric, Unit};
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::time::Timestamp;
use headroom_model::units::GIB;
use headroom_model::view::{Anomaly, ChangeRow, Expected};

/// Most points of a line: more cannot be told apart on a screen.
const POINTS: usize = 360;

/// The newest changes of a service that are marked in its charts and told of its anomalies.
pub const MARKED: u32 = 200;

/// Share of a chart's width that the name of a mark takes.
const NAME: f64 = 0.25;

/// A line that a chart shows, and what it means.
struct Line {
    metric: Metric,
    label: &'static str,
    ink: Ink,
}

const fn line(metric: Metric, label: &'static str, ink: Ink) -> Line {
    Line { metric, label, ink }
}

/// CPU use per replica against request, limit and proposal.
#[must_use]
pub fn cpu(history: &ServiceHistory, proposed: Option<f64>, changes: &[ChangeRow]) -> ChartModel {
    let ratio = history.get(Metric::CpuUsage).is_none();
    let main = if ratio { Metric::CpuUtilization } else { Metric::CpuUsage };
    let lines = [
        line(main, "use, per replica", Ink::Use),
        line(Metric::CpuRequest, "request", Ink::Asked),
        line(Metric::CpuLimit, "limit", Ink::Bad),
    ];
    build("CPU use against what is asked for", if ratio { "share" } else { "cores" }, &lines, true, history, proposed, changes)
}

/// Memory per replica against request, limit and proposal.
#[must_use]
pub fn memory(history: &ServiceHistory, proposed: Option<f64>, changes: &[ChangeRow]) -> ChartModel {
    let ratio = history.get(Metric::MemoryWorkingSet).is_none();
    let main = if ratio { Metric::MemoryUtilization } else { Metric::MemoryWorkingSet };
    let lines = [
        line(main, "use, per replica", Ink::Use),
        line(Metric::MemoryRequest, "request", Ink::Asked),
        line(Metric::MemoryLimit, "limit", Ink::Bad),
    ];
    build("Memory use against what is asked for", if ratio { "share" } else { "GiB" }, &lines, true, history, proposed, changes)
}

/// Latency quantiles.
#[must_use]
pub fn latency(history: &ServiceHistory, changes: &[ChangeRow]) -> ChartModel {
    let lines = [
        line(Metric::LatencyP99, "p99", Ink::Data4),
        line(Metric::LatencyP95, "p95", Ink::Data1),
        line(Metric::LatencyP50, "p50", Ink::Use),
    ];
    build("Latency", "ms", &lines, false, history, None, changes)
}

/// Requests per second.
#[must_use]
pub fn traffic(history: &ServiceHistory, changes: &[ChangeRow]) -> ChartModel {
    build("Requests", "/s", &[line(Metric::RequestRate, "requests", Ink::Data1)], false, history, None, changes)
}

/// A metric of its own, such as the cache hit ratio that a proposal is about.
#[must_use]
pub fn one(metric: Metric, title: &'static str, history: &ServiceHistory, changes: &[ChangeRow]) -> ChartModel {
    build(title, unit(metric), &[line(metric, title, Ink::Data1)], false, history, None, changes)
}

/// The unit in which charts show a metric.
fn unit(metric: Metric) -> &'static str {
    match metric.unit() {
        Unit::Ratio => "share",
        Unit::Milliseconds => "ms",
        Unit::Bytes => "GiB",
        Unit::BytesPerSecond => "B/s",
        Unit::PerSecond => "/s",
        Unit::Cores => "cores",
        Unit::Count => "",
    }
}

/// What was, as (seconds since the epoch, value), and what is expected with its interval; both and the lines in the metric's unit.
#[must_use]
pub fn ahead(metric: Metric, past: &[(i64, f64)], expected: &[Expected], mut lines: Vec<Threshold>) -> ChartModel {
    let (title, label) = match metric {
        Metric::CpuUsage | Metric::CpuUtilization => ("CPU per replica", "use"),
        Metric::MemoryWorkingSet | Metric::MemoryUtilization => ("Memory per replica", "use"),
        Metric::VolumeUsed => ("Volume", "used"),
        _ => ("Requests", "requests"),
    };
    let scale = scale(metric);
    lines.iter_mut().for_each(|l| l.value *= scale);
    let was = |(at, value): &(i64, f64)| (*at, value.is_finite().then_some(value * scale));
    let mut series = vec![ChartSeries { label: label.into(), ink: Ink::Use, steps: false, points: past.iter().map(was).collect() }];
    // The line goes on where the past ends.
    let joint = past.last().filter(|_| !expected.is_empty()).map(was);
    let points = joint.into_iter().chain(expected.iter().map(|e| (e.at.secs(), Some(e.mean * scale)))).collect();
    let band = expected.iter().map(|e| (e.at.secs(), e.lo95 * scale, e.hi95 * scale)).collect();
    if !expected.is_empty() {
        series.push(ChartSeries { label: "expected".into(), ink: Ink::Data2, steps: false, points });
    }
    let bands =
        if expected.is_empty() { Vec::new() } else { vec![ChartBand { label: "95 % interval".into(), ink: Ink::Data2, points: band }] };
    ChartModel { title: title.into(), unit: unit(metric).into(), series, bands, thresholds: lines, marks: Vec::new() }
}

/// Marks the anomalies of these metrics, given newest first, that begin within the chart; the newest of them is named, unless a change is
/// named beside it.
pub fn mark_anomalies(model: &mut ChartModel, anomalies: &[Anomaly], metrics: &[Metric]) {
    let Some((from, to)) = model.time_range() else { return };
    let within = anomalies.iter().filter(|a| metrics.contains(&a.metric) && (from..=to).contains(&a.from.secs()));
    let mut times: Vec<i64> = within.map(|a| a.from.secs()).collect();
    times.dedup();
    let crowded = times.first().is_some_and(|at| model.marks.iter().any(|m| (m.at - at).abs() * 4 < to - from));
    let label = |i| if i == 0 && !crowded { "anomaly".to_owned() } else { String::new() };
    let mark = |(i, at): (usize, i64)| Mark { label: label(i), ink: Ink::Watch, at };
    model.marks.extend(times.into_iter().enumerate().map(mark));
}

/// Marks deploys that were made within the chart, faintly; one is named unless the name would cover another mark's.
pub fn mark_deployments(model: &mut ChartModel, deployments: impl Iterator<Item = (Timestamp, String)>) {
    let Some((from, to)) = model.time_range() else { return };
    let near = ((to - from) as f64 * NAME) as i64;
    let mut within: Vec<(i64, String)> = deployments.map(|(at, version)| (at.secs(), version)).collect();
    within.retain(|(at, _)| (from..=to).contains(at));
    within.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    for (at, version) in within {
        let crowded = model.marks.iter().any(|m| !m.label.is_empty() && (m.at - at).abs() < near);
        let label = if crowded { String::new() } else { format!("{version} deployed") };
        model.marks.push(Mark { label, ink: Ink::Aside, at });
    }
}

fn build(
    title: &str,
    unit: &str,
    lines: &[Line],
    band: bool,
    history: &ServiceHistory,
    proposed: Option<f64>,
    changes: &[ChangeRow],
) -> ChartModel {
    let mut model = ChartModel { title: title.to_owned(), unit: unit.to_owned(), ..ChartModel::default() };
    for (i, line) in lines.iter().enumerate() {
        let Some(series) = history.get(line.metric) else { continue };
        let steps = line.metric.aggregation() == Aggregation::Last;
        let points = points(series, line.metric, steps);
        // A request that equals its limit is one line with two names, not two lines whose names cover each other.
        match model.series.iter_mut().find(|drawn| steps && drawn.steps && drawn.points == points) {
            Some(same) => same.label = format!("{} and {}", same.label, line.label),
            None => model.series.push(ChartSeries { label: line.label.into(), ink: line.ink, steps, points }),
        }
        if band && i == 0 {
            model.bands.push(ChartBand { label: "range".into(), ink: Ink::Use, points: range(series, line.metric) });
        }
    }
    if let Some((value, line)) = proposed.zip(lines.first()) {
        model.thresholds.push(self::proposed(line.metric, value));
    }
    if let Some((from, to)) = model.time_range() {
        let shown = changes.iter().flat_map(marks).filter(|m| (from..=to).contains(&m.at)).collect();
        model.marks = apart(shown, ((to - from) as f64 * NAME) as i64);
    }
    model
}

/// The line of what is proposed, from the metric's unit.
pub(crate) fn proposed(metric: Metric, value: f64) -> Threshold {
    Threshold { label: "proposed".into(), ink: Ink::Proposed, value: value * scale(metric) }
}

fn marks(change: &ChangeRow) -> Vec<Mark> {
    let mark = |label: &str, ink, at: Timestamp| Mark { label: format!("{label} · {}", change.id.short()), ink, at: at.secs() };
    let applied = change.applied_at.map(|at| mark("applied", Ink::Applied, at));
    let rolled_back = change.rolled_back_at.map(|at| mark("rolled back", Ink::Bad, at));
    applied.into_iter().chain(rolled_back).collect()
}

/// Marks in the order of time, of which those that stand nearer than this (seconds) to a later one have no name: it would cover the other. The later
/// mark of the same change is named for both.
fn apart(mut marks: Vec<Mark>, near: i64) -> Vec<Mark> {
    marks.sort_by_key(|m| m.at);
    let mut named: Option<usize> = None;
    for i in (0..marks.len()).rev() {
        let Some(later) = named.filter(|later| marks[*later].at - marks[i].at < near) else {
            named = Some(i);
            continue;
        };
        let name = std::mem::take(&mut marks[i].label);
        if let (Some((what, id)), Some((_, of))) = (name.split_once(" · "), marks[later].label.split_once(" · "))
            && id == of
        {
            marks[later].label = format!("{what}, {}", marks[later].label);
        }
    }
    marks
}

/// From a metric's unit to the one that charts show.
fn scale(metric: Metric) -> f64 {
    if metric.unit() == Unit::Bytes { 1.0 / GIB as f64 } else { 1.0 }
}

fn points(series: &Series, metric: Metric, steps: bool) -> Vec<(i64, Option<f64>)> {
    let rule = if steps { Aggregation::Last } else { metric.aggregation() };
    let coarse = series.coarsen(series.values.len().div_ceil(POINTS).max(1), rule);
    let scale = scale(metric);
    coarse
        .values
        .iter()
        .enumerate()
        .map(|(i, v)| (coarse.start + i as i64 * i64::from(coarse.step), (!v.is_nan()).then(|| f64::from(*v) * scale)))
        .collect()
}

fn range(series: &Series, metric: Metric) -> Vec<(i64, f64, f64)> {
    let n = series.values.len().div_ceil(POINTS / 3).max(1);
    let scale = scale(metric);
    series
        .values
        .chunks(n)
        .enumerate()
        .filter_map(|(i, chunk)| {
            let present = || chunk.iter().filter(|v| !v.is_nan()).map(|v| f64::from(*v));
            let (low, high) = present().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
            let middle = series.start + (i * n + n / 2) as i64 * i64::from(series.step);
            low.is_finite().then_some((middle, low * scale, high * scale))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_series_is_thinned_and_keeps_its_peak_in_the_band() {
        let mut values = vec![1.0f32; 4032];
        values[2000] = 9.0;
        values[10] = f32::NAN;
        let mut history = ServiceHistory::default();
        history.metrics.insert(Metric::CpuUsage, Series { start: 0, step: 300, values });
        let chart = cpu(&history, Some(2.0), &[]);
        assert!(chart.series[0].points.len() <= POINTS);
        let top = chart.bands[0].points.iter().map(|p| p.2).fold(0.0, f64::max);
        assert_eq!(top, 9.0);
        assert_eq!(chart.thresholds[0].value, 2.0);
    }

    #[test]
    fn what_is_expected_goes_on_where_the_past_ends() {
        let expected: Vec<Expected> =
            (2..4).map(|h| Expected { at: Timestamp::from_secs(h * 3600), mean: GIB as f64, lo95: 0.0, hi95: 2.0 * GIB as f64 }).collect();
        let past = [(0, f64::NAN), (3600, GIB as f64)];
        let limit = Threshold { label: "limit".into(), ink: Ink::Bad, value: 4.0 * GIB as f64 };
        let chart = ahead(Metric::MemoryWorkingSet, &past, &expected, vec![limit]);
        assert_eq!(chart.series[0].points, [(0, None), (3600, Some(1.0))]);
        assert_eq!(chart.series[1].points, [(3600, Some(1.0)), (7200, Some(1.0)), (10_800, Some(1.0))]);
        assert_eq!((chart.bands[0].points[0], chart.thresholds[0].value), ((7200, 0.0, 2.0), 4.0));
        let refused = ahead(Metric::MemoryWorkingSet, &past, &[], Vec::new());
        assert_eq!((refused.series.len(), refused.bands.len()), (1, 0), "without a forecast there is only what was");
    }

    #[test]
    fn anomalies_of_a_charts_own_metrics_are_marked_and_the_newest_is_named() {
        let odd = |metric, secs| Anomaly {
            metric,
            from: Timestamp::from_secs(secs),
            to: Timestamp::from_secs(secs + 300),
            score: 0.7,
            observed: 2.0,
            usual: 1.0,
            after: None,
        };
        let mut history = ServiceHistory::default();
        history.metrics.insert(Metric::LatencyP99, Series { start: 0, step: 300, values: vec![1.0; 100] });
        let mut chart = latency(&history, &[]);
        let all = [odd(Metric::LatencyP99, 9000), odd(Metric::CpuUsage, 600), odd(Metric::LatencyP95, 300), odd(Metric::LatencyP99, -300)];
        mark_anomalies(&mut chart, &all, &[Metric::LatencyP95, Metric::LatencyP99]);
        let marks: Vec<(i64, &str)> = chart.marks.iter().map(|m| (m.at, m.label.as_str())).collect();
        assert_eq!(marks, [(9000, "anomaly"), (300, "")]);
    }

    #[test]
    fn deploys_are_marked_within_the_chart_and_named_where_there_is_room() {
        let mut history = ServiceHistory::default();
        history.metrics.insert(Metric::RequestRate, Series { start: 0, step: 300, values: vec![1.0; 100] });
        let mut chart = traffic(&history, &[]);
        let deploys = [(40_000, "4"), (20_000, "3"), (19_000, "2"), (3000, "1"), (-300, "0")];
        mark_deployments(&mut chart, deploys.iter().map(|(at, version)| (Timestamp::from_secs(*at), (*version).to_owned())));
        let marks: Vec<(i64, &str, Ink)> = chart.marks.iter().map(|m| (m.at, m.label.as_str(), m.ink)).collect();
        assert_eq!(marks, [(20_000, "3 deployed", Ink::Aside), (19_000, "", Ink::Aside), (3000, "1 deployed", Ink::Aside)]);
    }

    #[test]
    fn names_of_marks_do_not_cover_each_other() {
        let mark = |label: &str, at| Mark { label: label.into(), ink: Ink::Applied, at };
        let marks =
            vec![mark("rolled back · CHG-2", 900), mark("applied · CHG-1", 0), mark("applied · CHG-2", 890), mark("applied · CHG-3", 850)];
        let names: Vec<(i64, String)> = apart(marks, 100).into_iter().map(|m| (m.at, m.label)).collect();
        let expected = [(0, "applied · CHG-1"), (850, ""), (890, ""), (900, "applied, rolled back · CHG-2")];
        assert_eq!(names, expected.map(|(at, name)| (at, name.to_owned())));
    }

    #[test]
    fn a_request_that_equals_its_limit_is_one_line() {
        let series = |value: f32| Series { start: 0, step: 300, values: vec![value; 9] };
        let metrics = [(Metric::MemoryWorkingSet, series(1e9)), (Metric::MemoryRequest, series(2e9)), (Metric::MemoryLimit, series(2e9))];
        let labels = |history: &ServiceHistory| memory(history, None, &[]).series.into_iter().map(|s| s.label).collect::<Vec<_>>();
        let mut history = ServiceHistory { metrics: metrics.into() };
        assert_eq!(labels(&history).last().map(String::as_str), Some("request and limit"));
        assert_eq!(labels(&history).len(), 2);
        history.metrics.insert(Metric::MemoryLimit, series(3e9));
        assert_eq!(labels(&history).len(), 3);
    }

    #[test]
    fn bytes_are_shown_in_gibibytes() {
        let mut history = ServiceHistory::default();
        history.metrics.insert(Metric::MemoryWorkingSet, Series { start: 0, step: 300, values: vec![2.0 * GIB as f32; 3] });
        assert_eq!(memory(&history, Some(GIB as f64), &[]).series[0].points[0].1, Some(2.0));
        assert_eq!(memory(&history, Some(GIB as f64), &[]).thresholds[0].value, 1.0);
    }
}
