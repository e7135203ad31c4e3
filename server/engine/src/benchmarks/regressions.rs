//! A benchmark's history, watched for change.

use super::{Attribution, Event, Run, Verdict, attribute};
use crate::changepoints::{ChangePoint, changepoints};
use crate::stats::median;
use std::collections::BTreeMap;

/// A change of a benchmark's level over its runs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Regression {
    /// The benchmark.
    pub benchmark: String,
    /// What its values are in.
    pub unit: String,
    /// [`Verdict::Faster`] or [`Verdict::Slower`]; [`Verdict::Unclear`] where only the noise changed.
    pub verdict: Verdict,
    /// The change over the runs' medians; its index counts the benchmark's runs.
    pub change: ChangePoint,
    /// The first commit measured in the new regime.
    pub commit: Option<String>,
    /// The event it is due to, where runs have times and one is in reach.
    pub attribution: Option<Attribution>,
}

/// The changes of every benchmark's median from run to run that matter, in the order of their names.
///
/// `runs`: in the order they were made; runs with a time are put in its order. Changes under `matters_percent` are left out.
/// `events` within `reach` seconds of a change explain it.
#[must_use]
pub fn regressions(runs: &[Run], matters_percent: f64, events: &[Event], reach: i64) -> Vec<Regression> {
    let mut histories: BTreeMap<(&str, &str), Vec<&Run>> = BTreeMap::new();
    for run in runs {
        histories.entry((&run.benchmark, &run.unit)).or_default().push(run);
    }
    let mut out = Vec::new();
    for history in histories.values_mut() {
        history.sort_by_key(|r| r.time);
        let medians: Vec<f64> = history.iter().map(|r| median(&mut r.values.clone()).unwrap_or(f64::NAN)).collect();
        let changes = changepoints(&medians).into_iter().filter(|c| c.change_percent.is_none_or(|p| p.abs() >= matters_percent));
        out.extend(changes.map(|change| regression(history, change, events, reach)));
    }
    out
}

fn regression(history: &[&Run], change: ChangePoint, events: &[Event], reach: i64) -> Regression {
    let (last, first) = (history[change.index - 1], history[change.index]);
    let verdict = match change.after.total_cmp(&change.before) {
        std::cmp::Ordering::Equal => Verdict::Unclear,
        order if order.is_gt() == first.higher_is_better.unwrap_or_default() => Verdict::Faster,
        _ => Verdict::Slower,
    };
    let attribution = last.time.zip(first.time).and_then(|(before, after)| attribute(before, after, events, reach));
    let (benchmark, unit, commit) = (first.benchmark.clone(), first.unit.clone(), first.commit.clone());
    Regression { benchmark, unit, verdict, change, commit, attribution }
}
