//! Where a service's metrics are heading: the next seven days, and when what fills is full.

use crate::read::charts;
use headroom_engine::forecast::{self, capacity::runs_out, detect_seasons};
use headroom_model::chart::{ChartModel, Ink, Threshold};
use headroom_model::metric::Metric;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::service::Service;
use headroom_model::time::{DAY, HOUR, Timestamp};
use headroom_model::view::{Ahead, Expected, Forecast, Outlook, RunsOut};

/// Days of history that a forecast rests on: four weeks hold a week's shape.
pub(super) const PAST_DAYS: i64 = 28;
/// Days that are forecast, and days of the past that its chart begins with.
const AHEAD_DAYS: i64 = 7;
/// How far it is looked for the end of what fills, in days.
const FILLS_DAYS: i64 = 28;
/// Fewest measured steps: a day has a shape.
const FEWEST: usize = 24;
/// What is looked ahead at, each with what to take where it is not measured.
pub(super) const METRICS: [Metric; 7] = [
    Metric::CpuUsage,
    Metric::CpuUtilization,
    Metric::MemoryWorkingSet,
    Metric::MemoryUtilization,
    Metric::RequestRate,
    Metric::VolumeUsed,
    Metric::VolumeCapacity,
];

/// A forecast with its chart.
pub(crate) struct Drawn {
    pub(crate) forecast: Forecast,
    pub(crate) chart: ChartModel,
}

/// Means of steps of an hour (or of the source's own step where that is longer), whole steps only.
struct Steps {
    /// Seconds since the epoch of the first step's begin.
    start: i64,
    /// Seconds in a step.
    step: i64,
    values: Vec<f64>,
}

impl Steps {
    fn of(series: &Series) -> Self {
        let own = i64::from(series.step.max(1));
        let n = (HOUR / own).max(1);
        let step = n * own;
        let skip = ((step - series.start.rem_euclid(step)) % step / own).min(series.values.len() as i64);
        let mean = |values: &[f32]| {
            let present = values.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v));
            let (sum, count) = present.fold((0.0, 0.0), |(s, c), v| (s + v, c + 1.0));
            sum / count
        };
        let values = series.values[skip as usize..].chunks_exact(n as usize).map(mean).collect();
        Self { start: series.start + skip * own, step, values }
    }

    fn time(&self, i: usize) -> Timestamp {
        Timestamp::from_secs(self.start + i as i64 * self.step)
    }

    fn measured(&self) -> usize {
        self.values.iter().filter(|v| v.is_finite()).count()
    }
}

/// The forecasts of a service's metrics, each with its chart; those that are not measured are left out.
pub(super) fn ahead(history: &ServiceHistory, service: &Service) -> Vec<Drawn> {
    let either = |first, second| if history.get(first).is_some() { first } else { second };
    let metrics = [
        either(Metric::CpuUsage, Metric::CpuUtilization),
        either(Metric::MemoryWorkingSet, Metric::MemoryUtilization),
        Metric::RequestRate,
        Metric::VolumeUsed,
    ];
    metrics.into_iter().filter_map(|metric| Some(one(metric, history.get(metric)?, lines(metric, history, service)))).collect()
}

/// A line that a metric is compared with; what fills runs out where it reaches its own.
struct Against {
    label: &'static str,
    ink: Ink,
    value: f64,
    fills: bool,
}

fn lines(metric: Metric, history: &ServiceHistory, service: &Service) -> Vec<Against> {
    let state = &service.state;
    let line = |label, ink, value: Option<f64>, fills| value.filter(|v| *v > 0.0).map(|value| Against { label, ink, value, fills });
    let capacity = || history.get(Metric::VolumeCapacity).and_then(Series::last).map(|(_, v)| v);
    let lines = match metric {
        Metric::CpuUsage => vec![line("request", Ink::Asked, state.cpu_request().map(|c| c.get()), false)],
        Metric::MemoryWorkingSet => vec![
            line("request", Ink::Asked, state.memory_request().map(|b| b.as_f64()), false),
            line("limit", Ink::Bad, state.memory_limit().map(|b| b.as_f64()), true),
        ],
        Metric::VolumeUsed => vec![line("size", Ink::Bad, capacity(), true)],
        _ => Vec::new(),
    };
    lines.into_iter().flatten().collect()
}

fn one(metric: Metric, series: &Series, lines: Vec<Against>) -> Drawn {
    let steps = Steps::of(series);
    let fills = lines.iter().find(|l| l.fills).map(|l| l.value);
    let outlook = outlook(&steps, fills);
    let found: &[Expected] = if let Outlook::Ahead(ahead) = &outlook { &ahead.steps } else { &[] };
    let from = steps.values.len().saturating_sub((AHEAD_DAYS * DAY / steps.step) as usize);
    let past: Vec<_> = (from..steps.values.len()).map(|i| (steps.time(i).secs(), steps.values[i])).collect();
    let thresholds = lines.into_iter().map(|l| Threshold { label: l.label.to_owned(), ink: l.ink, value: l.value }).collect();
    let chart = charts::ahead(metric, &past, found, thresholds);
    Drawn { forecast: Forecast { metric, outlook }, chart }
}

fn outlook(steps: &Steps, fills: Option<f64>) -> Outlook {
    let measured = steps.measured();
    if measured < FEWEST {
        let of = if steps.step == HOUR { format!("{measured} h of {FEWEST} h") } else { format!("{measured} of {FEWEST} values") };
        return Outlook::Refused(format!("not enough data: {of}"));
    }
    // What is further ahead than the past is long cannot be tested on it.
    let horizon = ((AHEAD_DAYS * DAY / steps.step).max(1) as usize).min(measured);
    let last = steps.values.len() as i64;
    let at = |secs: f64| Timestamp::from_secs(steps.start + last * steps.step + secs as i64);
    let (found, runs_out) = match fills {
        Some(capacity) => match runs_out(&steps.values, steps.step as f64, capacity, (FILLS_DAYS * DAY / steps.step).max(1) as usize) {
            Ok(r) => {
                let [earliest, likely, latest] = [r.earliest, r.likely, r.latest].map(|t| t.map(at));
                (Ok(r.forecast), Some(RunsOut { capacity, earliest, likely, latest, looked_until: at(r.horizon) }))
            }
            Err(refusal) => (Err(refusal), None),
        },
        None => (forecast::forecast(&steps.values, &detect_seasons(&steps.values), horizon), None),
    };
    match found {
        Err(refusal) => Outlook::Refused(format!("not enough data: {refusal}")),
        Ok(found) => Outlook::Ahead(described(&found, steps, horizon, runs_out)),
    }
}

fn described(found: &forecast::Forecast, steps: &Steps, horizon: usize, runs_out: Option<RunsOut>) -> Ahead {
    let n = steps.values.len();
    let expected = |i: usize| Expected { at: steps.time(n + i), mean: found.mean[i], lo95: found.lo95[i], hi95: found.hi95[i] };
    let ahead: Vec<Expected> = (0..horizon.min(found.mean.len())).map(expected).collect();
    let nothing = Expected { at: steps.time(n), mean: 0.0, lo95: 0.0, hi95: 0.0 };
    Ahead {
        method: found.method.clone(),
        error: found.error,
        origins: u32::try_from(found.origins).unwrap_or(u32::MAX),
        peak: ahead.iter().copied().max_by(|a, b| a.mean.total_cmp(&b.mean)).unwrap_or(nothing),
        peak_before: steps.values[n - horizon..].iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max),
        runs_out,
        until: steps.time(n + ahead.len()),
        steps: ahead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_whole_hours_of_the_clock() {
        let series = Series { start: 3000, step: 300, values: vec![1.0; 2 + 12 + 12 + 5] };
        let steps = Steps::of(&series);
        assert_eq!((steps.start, steps.step, steps.values), (3600, 3600, vec![1.0, 1.0]));
        let daily = Steps::of(&Series { start: 0, step: 86_400, values: vec![1.0, f32::NAN] });
        assert_eq!((daily.start, daily.step, daily.measured()), (0, 86_400, 1));
        assert!(Steps::of(&Series { start: 1, step: 300, values: Vec::new() }).values.is_empty());
    }

    #[test]
    fn what_is_missing_is_said() {
        let steps = |n: usize| Steps { start: 0, step: HOUR, values: vec![1.0; n] };
        assert_eq!(outlook(&steps(11), None), Outlook::Refused("not enough data: 11 h of 24 h".into()));
        let Outlook::Ahead(ahead) = outlook(&steps(30), None) else { panic!("30 h are enough") };
        assert_eq!(ahead.steps.len(), 30, "no further than the past is long");
        assert_eq!(ahead.steps[0].at.secs(), 30 * HOUR);
    }

    #[test]
    fn what_fills_is_full_at_a_time() {
        let steps = Steps { start: 0, step: HOUR, values: (0..240).map(f64::from).collect() };
        let Outlook::Ahead(ahead) = outlook(&steps, Some(300.0)) else { panic!("ten days are enough") };
        let full = ahead.runs_out.unwrap();
        let likely = full.likely.expect("it fills within the horizon").secs() / HOUR;
        assert!((290..=310).contains(&likely), "{likely}");
        assert!(full.earliest <= full.likely);
    }
}
