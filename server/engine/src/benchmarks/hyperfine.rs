//! `hyperfine --export-json`: seconds of wall-clock time per run of a command.
//! Source: sharkdp/hyperfine, `src/benchmark/benchmark_result.rs`.

use super::{Run, Unreadable, from_json};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Export {
    results: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    command: String,
    mean: f64,
    times: Option<Vec<f64>>,
    #[serde(default)]
    parameters: BTreeMap<String, serde_json::Value>,
}

pub(super) fn parse(text: &str) -> Result<Vec<Run>, Unreadable> {
    let export: Export = from_json(text)?;
    Ok(export.results.into_iter().map(run).collect())
}

fn run(outcome: Outcome) -> Run {
    let mut benchmark = outcome.command;
    for (name, value) in &outcome.parameters {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        benchmark.push_str(&format!(" [{name}={value}]"));
    }
    let values = outcome.times.filter(|t| !t.is_empty()).unwrap_or_else(|| vec![outcome.mean]);
    Run { benchmark, unit: "s".to_owned(), higher_is_better: Some(false), values, commit: None, time: None }
}
