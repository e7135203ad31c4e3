//! `headroom changepoints`: where each series of a file passes into a new regime.

use crate::{Failure, Table};
use clap::Args;
use headroom_engine::changepoints::{ChangePoint, FEWEST, changepoints};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

/// `headroom changepoints`
#[derive(Debug, Args)]
pub struct ChangePoints {
    /// The file, plain or gzip, with the columns series, index and value; `-` reads standard input
    pub file: PathBuf,
}

/// The samples of a series by their index; a gap is not a number.
type Samples = BTreeMap<i64, f64>;

/// Writes the changes of every series as JSON: `{series: [{index, before, after, change_percent, p_value, confidence}]}`.
///
/// The index is the file's own. Rows may come in any order; an empty value, like a missing row, is a gap.
///
/// # Errors
/// [`Failure::BadInput`] names file, row and fault.
pub fn run(arguments: &ChangePoints, out: &mut impl Write) -> Result<(), Failure> {
    let mut table = Table::open(&arguments.file, &["series", "index", "value"])?;
    let series = read(&mut table)?;
    let short = series.values().filter(|samples| samples.values().filter(|v| v.is_finite()).count() < FEWEST).count();
    if short > 0 {
        eprintln!(
            "{}: not enough data: {short} series have fewer than {FEWEST} values, of which nothing can be told",
            arguments.file.display()
        );
    }
    let answer: Map<String, Value> = series.iter().map(|(name, samples)| (name.clone(), answer(samples))).collect();
    crate::write_json(out, &Value::Object(answer))
}

fn read(table: &mut Table<'_>) -> Result<BTreeMap<String, Samples>, Failure> {
    let mut all: BTreeMap<String, Samples> = BTreeMap::new();
    while table.advance()? {
        let index = table.integer(1)?;
        let value = if table.raw(2).is_empty() { f64::NAN } else { table.number(2)? };
        let name = table.text(0)?;
        let twice = if let Some(samples) = all.get_mut(name) {
            samples.insert(index, value).is_some()
        } else {
            all.insert(name.to_owned(), Samples::from([(index, value)]));
            false
        };
        if twice {
            return Err(table.fault(format!("the series {name:?} has the index {index} twice")));
        }
    }
    Ok(all)
}

fn answer(samples: &Samples) -> Value {
    let (indexes, values): (Vec<i64>, Vec<f64>) = samples.iter().unzip();
    let change = |c: &ChangePoint| {
        json!({
            "index": indexes[c.index], "before": c.before, "after": c.after, "change_percent": c.change_percent,
            "p_value": c.p_value, "confidence": c.confidence,
        })
    };
    changepoints(&values).iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn ran(text: &str) -> Result<Value, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("s.csv");
        std::fs::write(&file, text).unwrap();
        let mut out = Vec::new();
        match run(&ChangePoints { file: file.clone() }, &mut out) {
            Ok(()) => Ok(serde_json::from_slice(&out).unwrap()),
            Err(e) => Err(e.to_string().replace(&file.display().to_string(), "s.csv")),
        }
    }

    #[test]
    fn a_step_is_found_at_the_files_own_index_and_every_series_is_a_key() {
        let mut text = "index,series,value\n".to_owned();
        for i in (0..60).rev() {
            writeln!(text, "{},step,{}", 100 + i, if i < 30 { 10 + i % 3 } else { 20 + i % 3 }).unwrap();
            writeln!(text, "{i},flat,7").unwrap();
        }
        text.push_str("60,flat,\n");
        let answer = ran(&text).unwrap();
        assert_eq!(answer["flat"], json!([]));
        let found = &answer["step"][0];
        assert_eq!((&found["index"], &found["before"], &found["after"]), (&json!(130), &json!(11.0), &json!(21.0)));
        assert!(found["p_value"].as_f64().unwrap() <= 0.005 && found["confidence"] == json!(1.0));
        assert_eq!(answer["step"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn faults_name_the_row() {
        assert_eq!(ran("series,index,value\na,1,2\na,1,3\n").unwrap_err(), "s.csv: line 3: the series \"a\" has the index 1 twice");
        assert_eq!(ran("series,index,value\na,soon,2\n").unwrap_err(), "s.csv: line 2: the index \"soon\" is not a whole number");
        assert!(ran("series,index,value\na,1,inf\n").unwrap_err().starts_with("s.csv: line 2: the value \"inf\" is not finite"));
        assert!(ran("series,value\na,1\n").unwrap_err().contains("no column \"index\""));
    }
}
