//! Benchmark runs: read from what the usual tools write, compared with a baseline, watched for regressions.
//!
//! Reading is pure: text in, [`Run`]s out, or where the text cannot be understood. One file per tool.

mod attribute;
mod compare;
mod criterion;
mod go;
mod hyperfine;
mod jmh;
mod k6;
mod names;
mod plain;
mod regressions;
mod wrk;

#[cfg(test)]
mod tests;

pub use attribute::{Attribution, Event, attribute};
pub use compare::compare;
pub use headroom_model::benchmark::{Comparison, Verdict};
pub use regressions::{Regression, regressions};

use serde::de::DeserializeOwned;

/// The unit of values whose text says none: k6's trends that are not times, plain JSON and CSV without a unit.
pub const UNSAID_UNIT: &str = "value";
/// The newest time that a run can have, the end of the year 9999: what is later was not in seconds.
const NEWEST: i64 = 253_402_300_799;

/// One execution of one benchmark.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Run {
    /// Its name, parameters included, unique together with the unit; on one line, and not longer than is kept.
    pub benchmark: String,
    /// What the values are in, as the tool writes it: `ns`, `s`, `ops/s`, `B/op`; [`UNSAID_UNIT`] where it does not.
    pub unit: String,
    /// Throughputs are better when higher, times when lower, and so is what nothing is said of.
    pub higher_is_better: Option<bool>,
    /// Finite measurements in the tool's order, at least one.
    pub values: Vec<f64>,
    /// The version that was measured, where the text says.
    pub commit: Option<String>,
    /// When, seconds since 1970, where the text says.
    pub time: Option<i64>,
}

/// What wrote a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// criterion's `sample.json` or `estimates.json`, or the messages of `cargo criterion --message-format=json`.
    Criterion,
    /// `hyperfine --export-json`.
    Hyperfine,
    /// k6: `--summary-export`, `handleSummary`'s data, or the lines of `--out json`.
    K6,
    /// The text of wrk or wrk2.
    Wrk,
    /// JMH: `-rf json`.
    Jmh,
    /// The text of `go test -bench`.
    Go,
    /// An array of objects `{benchmark, values, unit?, higher_is_better?, commit?, time?}`.
    Json,
    /// Rows `benchmark,value`, with the columns unit, higher_is_better, commit and time if need be.
    Csv,
}

/// A text that is not what it was said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct Unreadable {
    /// Where: a line, or a member of a JSON value.
    pub place: String,
    /// What is wrong there.
    pub fault: String,
}

impl Unreadable {
    fn new(place: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { place: place.into(), fault: fault.into() }
    }
}

/// Reads all runs of a text. `name` names the benchmark where the text does not (criterion's files, wrk).
///
/// # Errors
/// [`Unreadable`] names the place; so does a text without a single measurement.
pub fn parse(format: Format, text: &str, name: &str) -> Result<Vec<Run>, Unreadable> {
    let mut runs = match format {
        Format::Criterion => criterion::parse(text, name),
        Format::Hyperfine => hyperfine::parse(text),
        Format::K6 => k6::parse(text),
        Format::Wrk => wrk::parse(text, name),
        Format::Jmh => jmh::parse(text),
        Format::Go => go::parse(text),
        Format::Json => plain::json(text),
        Format::Csv => plain::csv(text),
    }?;
    if runs.is_empty() {
        return Err(Unreadable::new("the text", "holds no measurement"));
    }
    for run in &mut runs {
        run.benchmark = names::kept(std::mem::take(&mut run.benchmark));
        if run.unit.trim().is_empty() {
            UNSAID_UNIT.clone_into(&mut run.unit);
        }
        sound(run).map_err(|fault| Unreadable::new(format!("benchmark {:?}", run.benchmark), fault))?;
    }
    Ok(runs)
}

/// What is wrong with a run, whatever wrote it.
fn sound(run: &Run) -> Result<(), String> {
    if run.values.is_empty() {
        return Err("has no values".to_owned());
    }
    if let Some(odd) = run.values.iter().find(|v| !v.is_finite()) {
        return Err(format!("the value {odd} is not finite"));
    }
    match run.time.filter(|t| !(0..=NEWEST).contains(t)) {
        Some(odd) => Err(format!("the time {odd} is not in seconds since 1970")),
        None => Ok(()),
    }
}

/// A JSON text as a value of a known shape.
fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|e| Unreadable::new(format!("line {} column {}", e.line(), e.column()), without_place(&e)))
}

/// One line of a text of JSON lines; `line` counts from 1.
fn from_json_line<T: DeserializeOwned>(text: &str, line: usize) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|e| Unreadable::new(format!("line {line} column {}", e.column()), without_place(&e)))
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(fault, _)| fault.to_owned())
}

/// Seconds since 1970 of an RFC 3339 time or of a whole number of seconds.
fn seconds(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| text.parse::<headroom_model::time::Timestamp>().ok().map(headroom_model::time::Timestamp::secs))
}
