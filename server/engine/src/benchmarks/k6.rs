//! k6: <https://grafana.com/docs/k6/latest/results-output/real-time/json/> for the lines;
//! <https://grafana.com/docs/k6/latest/results-output/end-of-test/custom-summary/> and `--summary-export` for the summary.
//!
//! Trends become runs; of the others only those whose better side is known: requests, iterations, failures and checks.

use super::{Run, Unreadable, from_json, from_json_line, seconds};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Statistics of a trend that a summary may hold, each a benchmark of its own.
const STATISTICS: [&str; 6] = ["avg", "med", "p(90)", "p(95)", "p(99)", "p(99.9)"];

#[derive(Deserialize)]
struct Summary {
    metrics: BTreeMap<String, Map<String, Value>>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    metric: String,
    data: Map<String, Value>,
}

pub(super) fn parse(text: &str) -> Result<Vec<Run>, Unreadable> {
    let first: Option<Line> = text.lines().find(|l| !l.trim().is_empty()).and_then(|l| serde_json::from_str(l).ok());
    if first.is_some() { lines(text) } else { summary(text) }
}

fn summary(text: &str) -> Result<Vec<Run>, Unreadable> {
    let summary: Summary = from_json(text)?;
    let mut runs = Vec::new();
    for (name, metric) in &summary.metrics {
        let values = metric.get("values").and_then(Value::as_object).unwrap_or(metric);
        let number = |key: &str| values.get(key).and_then(Value::as_f64);
        // Old summaries do not say what a trend is of; k6's own are all times.
        let unit = if metric.get("contains").and_then(Value::as_str).is_none_or(|c| c == "time") { "ms" } else { "" };
        for (statistic, value) in STATISTICS.iter().filter_map(|s| number(s).map(|v| (s, v))) {
            runs.push(run(format!("{name} {statistic}"), unit, false, vec![value]));
        }
        match name.as_str() {
            "http_reqs" | "iterations" => runs.extend(number("rate").map(|v| run(name.clone(), "/s", true, vec![v]))),
            "http_req_failed" | "checks" => {
                let share = number("rate").or_else(|| number("value"));
                runs.extend(share.map(|v| run(name.clone(), "ratio", name == "checks", vec![v])));
            }
            _ => {}
        }
    }
    Ok(runs)
}

fn lines(text: &str) -> Result<Vec<Run>, Unreadable> {
    let mut trends: BTreeMap<String, Run> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, l)| !l.trim().is_empty()) {
        let line: Line = from_json_line(line, number)?;
        let said = |key: &str| line.data.get(key).and_then(Value::as_str);
        match line.kind.as_str() {
            "Metric" if said("type") == Some("trend") => {
                let unit = if said("contains") == Some("time") { "ms" } else { "" };
                trends.entry(line.metric.clone()).or_insert_with(|| run(line.metric.clone(), unit, false, Vec::new()));
            }
            "Point" => {
                let Some(trend) = trends.get_mut(&line.metric) else { continue };
                let value = line.data.get("value").and_then(Value::as_f64);
                trend.values.push(value.ok_or_else(|| Unreadable::new(format!("line {number}"), "the point has no value"))?);
                trend.time = trend.time.or_else(|| said("time").and_then(seconds));
            }
            _ => {}
        }
    }
    Ok(trends.into_values().filter(|r| !r.values.is_empty()).collect())
}

fn run(benchmark: String, unit: &str, higher_is_better: bool, values: Vec<f64>) -> Run {
    Run { benchmark, unit: unit.to_owned(), higher_is_better: Some(higher_is_better), values, commit: None, time: None }
}
