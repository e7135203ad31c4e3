//! `headroom forecast`: what comes next in each series of a file, with intervals.

use crate::{Failure, Table, quoted};
use clap::Args;
use headroom_engine::forecast::{self, Refusal, detect_seasons};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

/// `headroom forecast`
#[derive(Debug, Args)]
pub struct Forecast {
    /// The file (columns series,step,value), plain or gzip; `-` reads standard input
    pub file: PathBuf,
    /// How many steps after the last of each series
    #[arg(long, value_name = "N")]
    pub horizon: usize,
    /// Steps in a season, once per season (24 and 168 for hours); found from the data without
    #[arg(long, value_name = "N")]
    pub season: Vec<usize>,
}

/// A series of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// The line of its first row.
    pub line: u64,
    /// The last step of the file.
    pub last: i64,
    /// The distance between steps.
    pub stride: i64,
    /// One value per stride, the last at `last`, `NaN` where the file has no row.
    pub values: Vec<f64>,
}

/// Forecasts every series of a file and writes CSV. A series that cannot be forecast is named on standard error and left out.
///
/// # Errors
/// [`Failure::BadInput`] names file, row and fault, or says that no series can be forecast.
pub fn run(arguments: &Forecast, out: &mut impl Write) -> Result<(), Failure> {
    let file = arguments.file.display();
    let mut text = "series,step,mean,lo95,hi95\n".to_owned();
    let mut refused = Vec::new();
    let all = read(&arguments.file)?;
    let longest = all.iter().map(|series| series.values.len()).max().unwrap_or_default();
    if let Some(season) = arguments.season.iter().find(|season| **season > longest) {
        let fault =
            format!("--season {season}: {file} has no series of more than {longest} steps: give a season that is there twice or more");
        return Err(Failure::BadInput(fault));
    }
    for series in &all {
        match ahead(series, &arguments.season, arguments.horizon) {
            Ok(found) => append(&mut text, series, &found),
            // What is asked is wrong, whatever the series.
            Err(refusal @ (Refusal::Horizon(_) | Refusal::Season(_))) => return Err(Failure::BadInput(refusal.to_string())),
            Err(refusal) => refused.push(format!("{file}: line {}: series {}: {refusal}", series.line, series.name)),
        }
    }
    if let Some(first) = refused.first().filter(|_| refused.len() == all.len()) {
        let more =
            if refused.len() > 1 { format!("; the other {} series cannot be forecast either", refused.len() - 1) } else { String::new() };
        return Err(Failure::BadInput(format!("{first}{more}")));
    }
    refused.iter().for_each(|line| eprintln!("{line}"));
    crate::write(out, &text)
}

/// The forecast of one series; seasons are found from the data where none is given.
///
/// # Errors
/// [`forecast::Refusal`]
pub fn ahead(series: &Series, seasons: &[usize], horizon: usize) -> Result<forecast::Forecast, forecast::Refusal> {
    if seasons.is_empty() {
        forecast::forecast(&series.values, &detect_seasons(&series.values), horizon)
    } else {
        forecast::forecast(&series.values, seasons, horizon)
    }
}

fn append(text: &mut String, series: &Series, found: &forecast::Forecast) {
    let name = quoted(&series.name);
    for (i, ((mean, low), high)) in (1i64..).zip(found.mean.iter().zip(&found.lo95).zip(&found.hi95)) {
        let step = series.last.saturating_add(series.stride.saturating_mul(i));
        let _ = writeln!(text, "{name},{step},{mean},{low},{high}");
    }
}

/// One measured value: its step and its value.
type Point = (i64, f64);

/// Reads the series of a file, in its order of first rows; the steps of a series may come in any order, each once.
///
/// # Errors
/// [`Failure::BadInput`] names file, row and fault.
pub fn read(file: &Path) -> Result<Vec<Series>, Failure> {
    let mut table = Table::open(file, &["series", "step", "value"])?;
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut all: Vec<(String, u64, Vec<Point>)> = Vec::new();
    let mut seen: HashSet<(usize, i64)> = HashSet::new();
    while table.advance()? {
        let point = (table.integer(1)?, table.number(2)?);
        let (name, line) = (table.text(0)?, table.line());
        let place = match places.get(name) {
            Some(place) => *place,
            None => {
                places.insert(name.to_owned(), all.len());
                all.push((name.to_owned(), line, Vec::new()));
                all.len() - 1
            }
        };
        if !seen.insert((place, point.0)) {
            return Err(table.fault(format!("the step {} of series {} is there twice", point.0, all[place].0)));
        }
        all[place].2.push(point);
    }
    Ok(all.into_iter().map(|(name, line, points)| series(name, line, points)).collect())
}

fn series(name: String, line: u64, mut points: Vec<Point>) -> Series {
    points.sort_unstable_by_key(|p| p.0);
    let last = points.last().map_or(0, |p| p.0);
    let stride = points.windows(2).map(|w| w[1].0.abs_diff(w[0].0)).fold(0, divisor).clamp(1, i64::MAX as u64);
    // What lies before a hole far longer than all that was measured is not kept: it would be gaps nearly throughout.
    let most = 20 * points.len() as u64 + 100_000;
    points.retain(|p| last.abs_diff(p.0) / stride < most);
    let length = points.first().map_or(0, |p| last.abs_diff(p.0) / stride + 1) as usize;
    let mut values = vec![f64::NAN; length];
    for (step, value) in &points {
        values[length - 1 - (last.abs_diff(*step) / stride) as usize] = *value;
    }
    Series { name, line, last, stride: i64::try_from(stride).unwrap_or(i64::MAX), values }
}

/// The greatest common divisor.
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast_of(text: &str, season: Vec<usize>) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("s.csv");
        std::fs::write(&file, text).unwrap();
        let mut out = Vec::new();
        let name = format!("{}", file.display());
        run(&Forecast { file, horizon: 3, season }, &mut out).map_err(|e| e.to_string().replace(&name, "s.csv"))?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn steps_continue_the_series_own() {
        let wave = |i: i64| 5 + (i % 4);
        let rows: String = (0..60).rev().filter(|i| i % 17 != 3).map(|i| format!("\"a,b\",{},{}\n", 1000 + 300 * i, wave(i))).collect();
        let text = forecast_of(&format!("series,step,value\n{rows}c,1,7\nc,2,7\nc,3,7\n"), vec![4]).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "series,step,mean,lo95,hi95");
        assert_eq!(lines.len(), 7);
        for (k, line) in lines[1..4].iter().enumerate() {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!(fields[..2].join(","), "\"a,b\"");
            assert_eq!(fields[2].parse::<i64>().unwrap(), 1000 + 300 * (60 + k as i64));
            assert!((fields[3].parse::<f64>().unwrap() - wave(60 + k as i64) as f64).abs() < 0.2, "{line}");
        }
        assert_eq!(lines[4..], ["c,4,7,7,7", "c,5,7,7,7", "c,6,7,7,7"]);
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(
            forecast_of("series,step,value\na,1,2\na,1,3\n", vec![]).unwrap_err(),
            "s.csv: line 3: the step 1 of series a is there twice"
        );
        assert_eq!(
            forecast_of("series,step,value\na,1,x\n", vec![]).unwrap_err(),
            "s.csv: line 2: the value \"x\" is not a number: write for example 0.25"
        );
        let few = forecast_of("series,step,value\na,1,2\n", vec![]).unwrap_err();
        assert_eq!(few, "s.csv: line 2: series a: 1 measured values since the last long gap: at least 3 are needed");
        let none = forecast_of("series,step,value\na,1,2\nb,1,2\nc,1,2\n", vec![]).unwrap_err();
        assert!(none.ends_with("are needed; the other 2 series cannot be forecast either") && none.lines().count() == 1, "{none}");
        let season = forecast_of("series,step,value\na,1,2\na,2,2\na,3,2\n", vec![1]).unwrap_err();
        assert_eq!(season, "a season of 1 steps: it must have at least 2");
        let some = forecast_of("series,step,value\na,1,2\nb,1,2\nb,2,2\nb,3,2\n", vec![]).unwrap();
        assert_eq!(some.lines().count(), 4);
    }

    #[test]
    fn far_steps_need_no_memory() {
        let text = "series,step,value\na,-9223372036854775808,1\na,0,1\na,1,2\na,2,3\na,9223372036854775807,1\n";
        assert!(forecast_of(text, vec![]).unwrap_err().contains("1 measured values"));
    }
}
