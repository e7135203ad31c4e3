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
    /// Whether more is better, as of a throughput; as the benchmark is kept without, and for a new one less is.
    #[serde(default)]
    pub higher_is_better: Option<bool>,
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
        // Pipelines fill in what they may not have: empty is none.
        if let Some(commit) = self.commit.as_deref().filter(|commit| !commit.is_empty()) {
            name("commit", commit)?;
        }
        if self.values.is_empty() {
            return Err(("values", "there are no values: send at least one number".to_owned()));
        }
        if self.values.len() > MOST_VALUES {
            return Err(("values", format!("{} values are too many: send at most {MOST_VALUES}", self.values.len())));
        }
        match self.values.iter().find(|v| !v.is_finite()) {
            Some(odd) => Err(("values", format!("the value {odd} is not finite: leave out what was not measured"))),
            None => Ok(()),
        }
    }

    /// The middle of its values; 0 without any.
    #[must_use]
    pub fn centre(&self) -> f64 {
        middle(&self.values)
    }
}

/// The median of values; 0 without any.
#[must_use]
pub fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => 0.0,
        _ if n % 2 == 1 => sorted[n / 2],
        _ => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
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

/// What a comparison of a run with its baseline concludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Better than the baseline, by more than noise and than what matters.
    Faster,
    /// Worse than the baseline, by more than noise and than what matters.
    Slower,
    /// The whole interval is too small to matter.
    Same,
    /// Neither: more values would tell.
    Unclear,
}

/// A run's values against a baseline's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The typical shift (Hodges–Lehmann), percent of the baseline's median.
    pub shift_percent: f64,
    /// Low end of its 99 % interval, percent.
    pub low_percent: f64,
    /// High end of its 99 % interval, percent.
    pub high_percent: f64,
    /// Mann–Whitney, two-sided.
    pub p_value: f64,
    /// Cliff's delta, `[-1, 1]`: how much more often a new value is above an old one than below.
    pub cliffs_delta: f64,
    /// The chance that a new value is above an old one, ties counting half (common-language effect size).
    pub chance_above: f64,
    /// What follows.
    pub verdict: Verdict,
}

/// The newest run of a benchmark against the runs before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgainstBaseline {
    /// How many runs before it the baseline is made of: the newest, and none from before the last step of the level.
    pub runs: u32,
    /// The first of them.
    pub from: Timestamp,
    /// The last of them.
    pub to: Timestamp,
    /// How many values they have together.
    pub baseline_values: u32,
    /// The median of those.
    pub baseline_median: f64,
    /// How many values the newest run has.
    pub new_values: u32,
    /// The median of those.
    pub new_median: f64,
    /// Shifts of less than this many percent do not matter.
    pub matters_percent: f64,
    /// What the values say; `None` where the baseline's median is 0, of which nothing can be said in percent.
    pub comparison: Option<Comparison>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(values: &[f64]) -> BenchmarkRun {
        BenchmarkRun {
            benchmark: "parse".into(),
            unit: "ns".into(),
            higher_is_better: None,
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
