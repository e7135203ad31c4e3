//! `headroom anomalies`: a score for every sample of a file, each from the samples before it.

use crate::{Failure, Table, quoted};
use headroom_engine::anomalies::{WARM_UP, scores};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

/// What `headroom anomalies` is asked.
#[derive(Debug, clap::Args)]
pub struct Anomalies {
    /// A CSV with the header series,time,value (RFC 3339 or epoch seconds), plain or gzip; - reads standard input
    pub file: PathBuf,
}

/// One series of a file.
struct Series {
    name: String,
    /// Seconds since the epoch, the time as it was written, the value.
    rows: Vec<(i64, String, f64)>,
}

/// Scores every sample of a file and writes `series,time,score`: series in the order of the file, the rows of each in the order
/// of time (rows of one time in the order of the file), times as they were written. From 0.5 on a score is an alarm.
///
/// # Errors
/// [`Failure::BadInput`] names file, row and fault.
pub fn run(arguments: &Anomalies, out: &mut impl Write) -> Result<(), Failure> {
    let mut table = Table::open(&arguments.file, &["series", "time", "value"])?;
    let mut text = String::from("series,time,score\n");
    let mut short = 0;
    for series in read(&mut table)? {
        short += usize::from(series.rows.len() as u64 <= WARM_UP);
        let samples: Vec<(i64, f64)> = series.rows.iter().map(|r| (r.0, r.2)).collect();
        let name = quoted(&series.name);
        for ((_, time, _), score) in series.rows.iter().zip(scores(&samples)) {
            // The write into a string cannot fail.
            let _ = writeln!(text, "{name},{time},{score:.4}");
        }
    }
    if short > 0 {
        eprintln!(
            "{}: not enough data: the first {WARM_UP} rows of a series only teach, and {short} series have no more",
            arguments.file.display()
        );
    }
    crate::write(out, &text)
}

fn read(table: &mut Table<'_>) -> Result<Vec<Series>, Failure> {
    let mut all: Vec<Series> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    while table.advance()? {
        let (name, written) = (table.text(0)?, table.text(1)?);
        let row = (table.time(1)?, quoted(written), table.number(2)?);
        let place = *places.entry(name.to_owned()).or_insert_with(|| {
            all.push(Series { name: name.to_owned(), rows: Vec::new() });
            all.len() - 1
        });
        all[place].rows.push(row);
    }
    all.iter_mut().for_each(|s| s.rows.sort_by_key(|r| r.0));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Result<String, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("s.csv");
        std::fs::write(&file, text).unwrap();
        let mut out = Vec::new();
        run(&Anomalies { file }, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn rows_come_in_time_order_series_by_series() {
        let text = answer("value,series,time\n1,\"b,c\",600\n2,a,1970-01-01T00:05:00Z\n3,\"b,c\",300\n").unwrap();
        assert_eq!(text, "series,time,score\n\"b,c\",300,0.0000\n\"b,c\",600,0.0000\na,1970-01-01T00:05:00Z,0.0000\n");
    }

    #[test]
    fn a_spike_is_an_alarm() {
        let mut text = String::from("series,time,value\n");
        for i in 0..1000_i64 {
            let value = if i == 800 { 500 } else { 10 + i * 7919 % 13 };
            text.push_str(&format!("cpu,{},{value}\n", i * 300));
        }
        let out = answer(&text).unwrap();
        let alarms: Vec<&str> = out.lines().skip(1).filter(|l| l.rsplit(',').next().unwrap().parse::<f64>().unwrap() >= 0.5).collect();
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert!(alarms[0].starts_with("cpu,240000,"));
    }

    #[test]
    fn faults_name_the_row() {
        assert!(answer("series,time,value\na,1,x\n").unwrap_err().to_string().contains("line 2: the value \"x\" is not a number"));
        assert!(answer("series,time,value\na,soon,1\n").unwrap_err().to_string().contains("line 2"));
        assert!(answer("series,value\na,1\n").unwrap_err().to_string().contains("no column \"time\""));
    }
}
