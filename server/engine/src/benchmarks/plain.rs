//! Runs as plain JSON or CSV, from anything else.

use super::{Run, Unreadable, from_json, seconds};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    benchmark: String,
    values: Vec<f64>,
    #[serde(default)]
    unit: String,
    higher_is_better: Option<bool>,
    commit: Option<String>,
    time: Option<Time>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Seconds(i64),
    Text(String),
}

pub(super) fn json(text: &str) -> Result<Vec<Run>, Unreadable> {
    (1..).zip(from_json::<Vec<Given>>(text)?).map(|(number, given)| given.run(number)).collect()
}

impl Given {
    fn run(self, number: usize) -> Result<Run, Unreadable> {
        let time = match self.time {
            None => None,
            Some(Time::Seconds(s)) => Some(s),
            Some(Time::Text(text)) => Some(seconds(&text).ok_or_else(|| not_a_time(&format!("run {number}"), &text))?),
        };
        let Self { benchmark, values, unit, higher_is_better, commit, .. } = self;
        Ok(Run { benchmark, unit, higher_is_better, values, commit, time })
    }
}

fn not_a_time(place: &str, text: &str) -> Unreadable {
    Unreadable::new(place, format!("the time {text:?} is neither RFC 3339 nor seconds since 1970"))
}

#[derive(Deserialize)]
struct Row {
    benchmark: String,
    value: f64,
    unit: Option<String>,
    higher_is_better: Option<bool>,
    commit: Option<String>,
    time: Option<String>,
}

/// Rows that agree in all but the value are one run.
pub(super) fn csv(text: &str) -> Result<Vec<Run>, Unreadable> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| unreadable_row(&e))?.clone();
    let mut runs: Vec<Run> = Vec::new();
    let mut places = BTreeMap::new();
    for record in reader.into_records() {
        let record = record.map_err(|e| unreadable_row(&e))?;
        let line = record.position().map_or_else(|| "the text".to_owned(), |p| format!("line {}", p.line()));
        let row: Row = record.deserialize(Some(&header)).map_err(|e| unreadable_row(&e))?;
        let place = format!("benchmark {:?}", row.benchmark);
        if !row.value.is_finite() {
            let fault = format!("the value {} is not finite: leave the row out where nothing was measured", row.value);
            return Err(Unreadable::new(line, fault));
        }
        let time = row.time.map(|t| seconds(&t).ok_or_else(|| not_a_time(&place, &t))).transpose()?;
        let unit = row.unit.unwrap_or_default();
        let key = (row.benchmark.clone(), unit.clone(), row.commit.clone(), time);
        let at = *places.entry(key).or_insert_with(|| {
            let higher_is_better = row.higher_is_better;
            runs.push(Run { benchmark: row.benchmark, unit, higher_is_better, values: Vec::new(), commit: row.commit, time });
            runs.len() - 1
        });
        runs[at].values.push(row.value);
    }
    if runs.is_empty() {
        return Err(Unreadable::new("line 1", "the file has a header but no rows"));
    }
    Ok(runs)
}

fn unreadable_row(error: &csv::Error) -> Unreadable {
    let line = error.position().map_or_else(|| "the header".to_owned(), |p| format!("line {}", p.line()));
    let fault = match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("the row has {len} columns, the header has {expected_len}"),
        _ => error.to_string(),
    };
    Unreadable::new(line, fault)
}
