//! JMH's `-rf json`. Source: openjdk/jmh, `org.openjdk.jmh.results.format.JSONResultFormat`.

use super::{Run, Unreadable, from_json};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Outcome {
    benchmark: String,
    mode: String,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(rename = "primaryMetric")]
    metric: Metric,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    /// A number, or the text "NaN".
    score: Value,
    score_unit: String,
    /// Per fork, per iteration; sampling modes have a histogram in its place.
    raw_data: Option<Vec<Vec<Value>>>,
}

pub(super) fn parse(text: &str) -> Result<Vec<Run>, Unreadable> {
    from_json::<Vec<Outcome>>(text)?.into_iter().map(run).collect()
}

fn run(outcome: Outcome) -> Result<Run, Unreadable> {
    let mut benchmark = outcome.benchmark;
    for (name, value) in &outcome.params {
        benchmark.push_str(&format!(" [{name}={value}]"));
    }
    let raw: Vec<Value> = outcome.metric.raw_data.unwrap_or_default().concat();
    let measured = if raw.is_empty() { vec![outcome.metric.score] } else { raw };
    let number = |v: &Value| v.as_f64().ok_or_else(|| Unreadable::new(format!("benchmark {benchmark:?}"), format!("{v} is not a number")));
    let values = measured.iter().map(number).collect::<Result<_, _>>()?;
    Ok(Run {
        benchmark,
        unit: outcome.metric.score_unit,
        higher_is_better: Some(outcome.mode == "thrpt"),
        values,
        commit: None,
        time: None,
    })
}
