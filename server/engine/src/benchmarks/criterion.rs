//! criterion: <https://bheisler.github.io/criterion.rs/book/cargo_criterion/external_tools.html> for the messages; the files under
//! `target/criterion/<benchmark>/new/` are its own affair, read as criterion 0.5 to 0.8 write them.

use super::{Run, Unreadable, from_json, from_json_line};
use serde::Deserialize;

#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

#[derive(Deserialize)]
struct Estimates {
    mean: Estimate,
    slope: Option<Estimate>,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
}

#[derive(Deserialize)]
struct Complete {
    id: String,
    iteration_count: Vec<f64>,
    measured_values: Vec<f64>,
    unit: String,
}

pub(super) fn parse(text: &str, name: &str) -> Result<Vec<Run>, Unreadable> {
    if text.lines().any(|l| l.contains("\"reason\"")) {
        return messages(text);
    }
    let values = if text.contains("\"iters\"") {
        let sample: Sample = from_json(text)?;
        per_iteration(&sample.times, &sample.iters, "the sample")?
    } else {
        let estimates: Estimates = from_json(text)?;
        vec![estimates.slope.unwrap_or(estimates.mean).point_estimate]
    };
    Ok(vec![run(name.to_owned(), "ns".to_owned(), values)])
}

fn messages(text: &str) -> Result<Vec<Run>, Unreadable> {
    let mut runs = Vec::new();
    for (line, message) in (1..).zip(text.lines()).filter(|(_, l)| !l.trim().is_empty()) {
        if from_json_line::<Message>(message, line)?.reason != "benchmark-complete" {
            continue;
        }
        let complete: Complete = from_json_line(message, line)?;
        let values = per_iteration(&complete.measured_values, &complete.iteration_count, &format!("line {line}"))?;
        runs.push(run(complete.id, complete.unit, values));
    }
    Ok(runs)
}

fn per_iteration(measured: &[f64], iterations: &[f64], place: &str) -> Result<Vec<f64>, Unreadable> {
    if measured.len() != iterations.len() || iterations.iter().any(|i| *i <= 0.0) {
        let fault = format!("{} measurements and {} counts of iterations do not match", measured.len(), iterations.len());
        return Err(Unreadable::new(place, fault));
    }
    Ok(measured.iter().zip(iterations).map(|(m, i)| m / i).collect())
}

fn run(benchmark: String, unit: String, values: Vec<f64>) -> Run {
    Run { benchmark, unit, higher_is_better: Some(false), values, commit: None, time: None }
}
