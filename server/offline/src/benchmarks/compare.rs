//! `headroom benchmarks compare`: what was measured now against what was measured before, file against file.

use super::{format, name_of, read};
use crate::Failure;
use clap::Args;
use headroom_engine::benchmarks::{self, Format};
use headroom_model::benchmark::{Verdict, middle};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// `headroom benchmarks compare`
#[derive(Debug, Args)]
pub struct Compare {
    /// What was measured before: a file of criterion, hyperfine, k6, wrk, JMH, `go test -bench`, or plain JSON or CSV, also in gzip;
    /// `-` reads standard input
    pub baseline: PathBuf,
    /// What was measured now
    pub new: PathBuf,
    /// Shifts of less than this do not matter
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, allow_negative_numbers = true)]
    pub threshold: f64,
    /// What wrote them: criterion, hyperfine, k6, wrk, jmh, go, json or csv [default: found out from the content]
    #[arg(long, value_parser = format)]
    pub format: Option<Format>,
}

/// The benchmarks of a file by name and unit.
type Side = BTreeMap<(String, String), Measured>;
/// Whether more is better, where that is said, and the values of all runs.
type Measured = (Option<bool>, Vec<f64>);

/// Compares every benchmark that is in both files by name and unit, and writes JSON; those of one file only are listed as such.
/// Where the texts name no benchmark, as wrk's do not, both are called as the new file is.
///
/// # Errors
/// [`Failure::BadInput`] names the file, the place and the fault.
pub fn compare(arguments: &Compare, out: &mut impl Write) -> Result<(), Failure> {
    let Compare { baseline, new, threshold, format } = arguments;
    if !(threshold.is_finite() && *threshold >= 0.0) {
        return Err(Failure::BadInput(format!("--threshold {threshold}: must be a number of percent from 0 on")));
    }
    if [baseline, new].iter().all(|file| file.as_os_str() == "-") {
        return Err(Failure::BadInput("-: standard input can be only one of the two files".into()));
    }
    let name = name_of(new);
    let (old, now) = (side(baseline, *format, &name)?, side(new, *format, &name)?);
    let both: Vec<Value> = now.iter().filter_map(|(key, values)| Some(compared(key, old.get(key)?, values, *threshold))).collect();
    if both.is_empty() {
        eprintln!("nothing to compare: {} and {} have no benchmark of one name and unit", baseline.display(), new.display());
    }
    let all = json!({
        "threshold_percent": threshold,
        "benchmarks": both,
        "only_in_baseline": alone(&old, &now),
        "only_in_new": alone(&now, &old),
    });
    crate::write_json(out, &all)
}

fn side(file: &Path, format: Option<Format>, name: &str) -> Result<Side, Failure> {
    let mut side = Side::new();
    for run in read(file, format, name)? {
        let (higher_is_better, values) = side.entry((run.benchmark, run.unit)).or_default();
        *higher_is_better = run.higher_is_better.or(*higher_is_better);
        values.extend(run.values);
    }
    Ok(side)
}

fn alone(side: &Side, other: &Side) -> Vec<Value> {
    side.iter()
        .filter(|(key, _)| !other.contains_key(key))
        .map(|((benchmark, unit), (_, values))| json!({ "benchmark": benchmark, "unit": unit, "measured": measured(values) }))
        .collect()
}

fn measured(values: &[f64]) -> Value {
    json!({ "values": values.len(), "median": middle(values) })
}

fn compared(key: &(String, String), old: &Measured, new: &Measured, threshold: f64) -> Value {
    let higher_is_better = new.0.or(old.0).unwrap_or_default();
    let found = benchmarks::compare(&old.1, &new.1, higher_is_better, threshold);
    let mut all = json!({
        "benchmark": key.0, "unit": key.1, "higher_is_better": higher_is_better,
        "baseline": measured(&old.1), "new": measured(&new.1),
        "shift_percent": found.map(|c| c.shift_percent), "low_percent": found.map(|c| c.low_percent),
        "high_percent": found.map(|c| c.high_percent), "cliffs_delta": found.map(|c| c.cliffs_delta),
        "p_value": found.map(|c| c.p_value), "verdict": found.map_or(Verdict::Unclear, |c| c.verdict),
    });
    if found.is_none() {
        let small = middle(&old.1).abs() < 1.0;
        all["reason"] = json!(if small {
            "nothing can be said in percent of a baseline whose median is 0 or next to it"
        } else {
            "the values are too far apart for their difference to be a number: measure in a larger unit"
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(baseline: (&str, &str), new: (&str, &str), threshold: f64) -> Result<Value, String> {
        let dir = tempfile::tempdir().unwrap();
        let [baseline, new] = [baseline, new].map(|(name, text)| {
            let file = dir.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
            file
        });
        let mut out = Vec::new();
        compare(&Compare { baseline, new, threshold, format: None }, &mut out).map_err(|e| e.to_string())?;
        Ok(serde_json::from_slice(&out).unwrap())
    }

    fn csv(benchmark: &str, unit: &str, values: impl IntoIterator<Item = f64>) -> String {
        values.into_iter().fold("benchmark,unit,value\n".to_owned(), |text, v| text + &format!("{benchmark},{unit},{v}\n"))
    }

    #[test]
    fn what_is_in_both_is_compared_and_the_rest_named() {
        let before = csv("sort", "ms", (0..20).map(|i| 100.0 + f64::from(i % 5))) + "gone,ms,1\n";
        let now = csv("sort", "ms", (0..20).map(|i| 120.0 + f64::from(i % 5))) + "sort,MB,7\n";
        let found = compared(("a.csv", &before), ("b.csv", &now), 1.0).unwrap();
        let sort = &found["benchmarks"][0];
        assert_eq!(
            (sort["benchmark"].as_str(), sort["unit"].as_str(), sort["verdict"].as_str()),
            (Some("sort"), Some("ms"), Some("slower"))
        );
        let number = |name: &str| sort[name].as_f64().unwrap();
        assert!((number("shift_percent") - 100.0 * 20.0 / 102.0).abs() < 1e-9, "{sort}");
        assert!(number("low_percent") > 15.0 && number("high_percent") < 25.0 && number("p_value") < 0.001, "{sort}");
        assert_eq!((number("cliffs_delta"), &sort["baseline"]), (1.0, &json!({ "values": 20, "median": 102.0 })));
        assert_eq!(found["benchmarks"].as_array().unwrap().len(), 1);
        assert_eq!(found["only_in_baseline"], json!([{ "benchmark": "gone", "unit": "ms", "measured": { "values": 1, "median": 1.0 } }]));
        assert_eq!(found["only_in_new"][0]["unit"], "MB");
        let calm = compared(("a.csv", &before), ("b.csv", &now), 50.0).unwrap();
        assert_eq!(calm["benchmarks"][0]["verdict"], "same");
    }

    #[test]
    fn what_has_no_name_in_its_text_has_one_name_on_both_sides() {
        let wrk = |rate: f64| format!("  10 requests in 1s\nRequests/sec: {rate}\n");
        let found = compared(("before.txt", &wrk(10.0)), ("after.txt", &wrk(20.0)), 1.0).unwrap();
        let only = &found["benchmarks"][0];
        assert_eq!((only["benchmark"].as_str(), only["verdict"].as_str()), (Some("after requests"), Some("unclear")));
        let sample = r#"{"iters":[1.0,1.0],"times":[5.0,6.0]}"#;
        let found = compared(("criterion/fib/base/sample.json", sample), ("criterion/fib/new/sample.json", sample), 1.0).unwrap();
        assert_eq!(found["benchmarks"][0]["benchmark"], "fib");
    }

    #[test]
    fn a_baseline_of_nothing_says_nothing_in_percent() {
        let found = compared(("a.csv", &csv("a", "B", [0.0; 9])), ("b.csv", &csv("a", "B", [1.0; 9])), 1.0).unwrap();
        let (old, new) = (csv("a", "B", [1.7e308; 9]), csv("a", "B", [1.6e308; 9]));
        let huge = compared(("a.csv", &old), ("b.csv", &new), 1.0).unwrap()["benchmarks"][0].clone();
        assert!((huge["shift_percent"].as_f64().unwrap() + 100.0 / 17.0).abs() < 1e-9, "{huge}");
        let apart = compared(("a.csv", &old), ("b.csv", &csv("a", "B", [-1.7e308; 9])), 1.0).unwrap()["benchmarks"][0].clone();
        assert!(apart["reason"].as_str().unwrap().contains("too far apart"), "{apart}");
        let only = &found["benchmarks"][0];
        assert!(only["shift_percent"].is_null() && only["verdict"] == "unclear" && only["reason"].is_string(), "{only}");
    }

    #[test]
    fn what_is_wrong_is_said_in_a_line() {
        let good = csv("a", "ms", [1.0]);
        let fault = compared(("a.csv", &good), ("b.csv", "benchmark,value\na,x\n"), 1.0).unwrap_err();
        assert!(fault.ends_with("b.csv: line 2: field 1: invalid float literal") && fault.lines().count() == 1, "{fault}");
        for odd in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(compared(("a.csv", &good), ("b.csv", &good), odd).unwrap_err().starts_with("--threshold"));
        }
        let both = Compare { baseline: "-".into(), new: "-".into(), threshold: 1.0, format: None };
        assert!(compare(&both, &mut Vec::new()).unwrap_err().to_string().contains("only one of the two"));
    }
}
