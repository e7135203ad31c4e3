//! Benchmarks: runs that tools have measured, and the steps in their level.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One run of one benchmark, as a tool wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchmarkRun {
    /// Its name, unique in its suite together with the unit.
    pub benchmark: String,
    /// What is measured, such as `ns`, `req/s`, `B`.
    pub unit: String,
    /// Whether more is better, as of a throughput.
    #[serde(default)]
    pub higher_is_better: bool,
    /// What was measured, at least one finite number, in the order of measuring. A tool that tells only a mean gives one.
    pub values: Vec<f64>,
    /// The commit that was measured.
    #[serde(default)]
    pub commit: Option<String>,
    /// When; the time of the import without.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

/// Longest name of a suite, benchmark, unit or commit, characters.
pub const LONGEST_NAME: usize = 250;
/// Most values of one run.
pub const MOST_VALUES: usize = 100_000;

impl BenchmarkRun {
    /// Whether it can be kept.
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        name("benchmark", &self.benchmark)?;
        name("unit", &self.unit)?;
        if let Some(commit) = &self.commit {
            name("commit", commit)?;
        }
        if self.values.is_empty() {
            return Err(("values", format!("{} has no values: send at least one number", self.benchmark)));
        }
        if self.values.len() > MOST_VALUES {
            return Err(("values", format!("{} has {} values: send at most {MOST_VALUES}", self.benchmark, self.values.len())));
        }
        match self.values.iter().find(|v| !v.is_finite()) {
            Some(odd) => Err(("values", format!("{} has the value {odd}: leave out what was not measured", self.benchmark))),
            None => Ok(()),
        }
    }

    /// The middle of its values; 0 without any.
    #[must_use]
    pub fn centre(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        match n {
            0 => 0.0,
            _ if n % 2 == 1 => sorted[n / 2],
            _ => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
        }
    }
}

/// A name that can be kept and shown.
///
/// # Errors
/// The field, and what is wrong with it.
pub fn name(field: &'static str, text: &str) -> Result<(), (&'static str, String)> {
    if text.trim().is_empty() {
        return Err((field, format!("the {field} is missing")));
    }
    if text.chars().count() > LONGEST_NAME || text.chars().any(char::is_control) {
        return Err((field, format!("the {field} is longer than {LONGEST_NAME} characters or has control characters")));
    }
    Ok(())
}

/// A step in a benchmark's level: from one run on it was another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkStep {
    /// The first run at the new level.
    pub at: Timestamp,
    /// Its commit.
    pub commit: Option<String>,
    /// Middle of the runs before, back to the step before that.
    pub before: f64,
    /// Middle of the runs since, until the next step.
    pub after: f64,
    /// From before to after, percent of before; `None` from 0.
    pub percent: Option<f64>,
    /// How likely so large a step is where nothing has changed.
    pub p_value: f64,
    /// Whether it got worse.
    pub worse: bool,
    /// What changed in the service shortly before, if something did.
    pub cause: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(values: &[f64]) -> BenchmarkRun {
        BenchmarkRun {
            benchmark: "parse".into(),
            unit: "ns".into(),
            higher_is_better: false,
            values: values.to_vec(),
            commit: None,
            at: None,
        }
    }

    #[test]
    fn the_centre_is_the_median() {
        assert_eq!(run(&[3.0, 1.0, 100.0]).centre(), 3.0);
        assert_eq!(run(&[4.0, 1.0]).centre(), 2.5);
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_field() {
        assert_eq!(run(&[1.0]).check(), Ok(()));
        assert_eq!(run(&[]).check().unwrap_err().0, "values");
        assert_eq!(run(&[1.0, f64::NAN]).check().unwrap_err().0, "values");
        assert_eq!(BenchmarkRun { unit: " ".into(), ..run(&[1.0]) }.check().unwrap_err().0, "unit");
        assert_eq!(BenchmarkRun { benchmark: "x".repeat(251), ..run(&[1.0]) }.check().unwrap_err().0, "benchmark");
        assert_eq!(BenchmarkRun { commit: Some("a\nb".into()), ..run(&[1.0]) }.check().unwrap_err().0, "commit");
    }
}
