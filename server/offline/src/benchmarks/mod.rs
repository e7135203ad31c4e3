//! What benchmark tools have written, read from files: what `headroom benchmarks` takes in and compares.

mod compare;

pub use compare::{Compare, compare};

use crate::Failure;
use headroom_engine::benchmarks::{Format, Run, parse};
use headroom_infra::rows;
use headroom_model::benchmark::BenchmarkRun;
use headroom_model::time::Timestamp;
use std::ffi::OsStr;
use std::path::{Component, Path};
use std::time::UNIX_EPOCH;

/// Reads the runs of a file of any tool, plain or gzip; `-` reads standard input. Without `format` it is found out from the content;
/// `name` names the benchmark where the text does not. A run has a time where the text says one.
///
/// # Errors
/// [`Failure::BadInput`] names the file, the line or the benchmark, and the fault.
pub fn read(file: &Path, format: Option<Format>, name: &str) -> Result<Vec<BenchmarkRun>, Failure> {
    let text = rows::text(file)?;
    let fault = |fault: String| Failure::BadInput(format!("{}: {fault}", file.display()));
    if text.trim().is_empty() {
        return Err(fault("line 1: the file is empty".to_owned()));
    }
    let format = match format {
        Some(format) => format,
        None => guess(&text).ok_or_else(|| fault("what wrote this file cannot be told from it: say it with --format".to_owned()))?,
    };
    let runs: Vec<BenchmarkRun> = parse(format, &text, name).map_err(|e| fault(e.to_string()))?.into_iter().map(kept).collect();
    for run in &runs {
        run.check().map_err(|(_, why)| fault(format!("benchmark {:?}: {why}", run.benchmark)))?;
    }
    Ok(runs)
}

fn kept(run: Run) -> BenchmarkRun {
    let Run { benchmark, unit, higher_is_better, values, commit, time } = run;
    BenchmarkRun { benchmark, unit, higher_is_better, values, commit, at: time.map(Timestamp::from_secs) }
}

/// Reads the name of a format.
///
/// # Errors
/// The names there are.
pub fn format(text: &str) -> Result<Format, String> {
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value(value).map_err(|_| "one of criterion, hyperfine, k6, wrk, jmh, go, json, csv".to_owned())
}

/// What wrote a text, by marks that no other tool leaves.
fn guess(text: &str) -> Option<Format> {
    let has = |mark: &str| text.contains(mark);
    let head = text.trim_start();
    let marks = [
        (Format::Hyperfine, has("\"results\"") && has("\"command\"")),
        (Format::Jmh, has("\"primaryMetric\"")),
        (Format::K6, has("\"metrics\"") || has("\"type\":\"Point\"") || has("\"type\": \"Point\"")),
        (Format::Criterion, has("\"iters\"") || has("\"point_estimate\"") || has("\"reason\":\"benchmark-complete\"")),
        (Format::Wrk, has("requests in") && has("Requests/sec")),
        (Format::Go, has(" ns/op")),
        (Format::Json, head.starts_with('[') || head.starts_with('{')),
        (Format::Csv, head.lines().next().is_some_and(|header| header.contains("benchmark") && header.contains("value"))),
    ];
    marks.into_iter().find(|(_, fits)| *fits).map(|(format, _)| format)
}

/// What a benchmark is called whose text does not say: by criterion's folders, or else as the file; `run` from standard input.
#[must_use]
pub fn name_of(file: &Path) -> String {
    if file.as_os_str() == "-" {
        return "run".to_owned();
    }
    let plain = plain(file);
    criterions(file, &plain).unwrap_or_else(|| Path::new(&plain).file_stem().unwrap_or(OsStr::new(&plain)).to_string_lossy().into_owned())
}

/// The file's own name, without what gzip adds to it.
fn plain(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(".gz").unwrap_or(&name).to_owned()
}

/// criterion keeps a benchmark's runs in `target/criterion/<benchmark, of one or more folders>/<new, base or a baseline>/`. Where
/// there is no such folder above, as of a copy, the one folder around the run is the name.
fn criterions(file: &Path, plain: &str) -> Option<String> {
    if !matches!(plain, "sample.json" | "estimates.json") {
        return None;
    }
    let whole = std::path::absolute(file).ok()?;
    let mut folders: Vec<_> = whole.parent()?.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let baseline = folders.pop()?.as_os_str();
    let home = folders.iter().rposition(|folder| folder.as_os_str() == "criterion");
    let benchmark = match home {
        Some(home) => &folders[home + 1..],
        None if baseline == "new" || baseline == "base" => &folders[folders.len().saturating_sub(1)..],
        None => return None,
    };
    let names: Vec<_> = benchmark.iter().map(|folder| folder.as_os_str().to_string_lossy()).collect();
    (!names.is_empty()).then(|| names.join("/"))
}

/// When a file was last written, in whole seconds; `None` for standard input, and where that is not known.
#[must_use]
pub fn written(file: &Path) -> Option<Timestamp> {
    if file.as_os_str() == "-" {
        return None;
    }
    let since = std::fs::metadata(file).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok().map(Timestamp::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A file of this content in a folder of its own.
    fn file(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        std::fs::write(&file, content).unwrap();
        (dir, file)
    }

    #[test]
    fn a_tool_is_known_by_what_it_writes() {
        for (text, format) in [
            ("{\"results\":[{\"command\":\"ls\",\"times\":[0.1]}]}", Format::Hyperfine),
            ("[{\"benchmark\":\"a\",\"primaryMetric\":{}}]", Format::Jmh),
            ("BenchmarkA-2  100  12.5 ns/op\n", Format::Go),
            ("  10 requests in 1s\nRequests/sec: 10\n", Format::Wrk),
            ("[{\"benchmark\":\"a\",\"values\":[1]}]", Format::Json),
            ("benchmark,value\na,1\n", Format::Csv),
            ("{\"sampling_mode\":\"Linear\",\"iters\":[1.0],\"times\":[2.0]}", Format::Criterion),
            ("{\"metrics\":{\"http_req_duration\":{\"avg\":1}}}", Format::K6),
        ] {
            assert_eq!(guess(text), Some(format), "{text}");
        }
        assert_eq!(guess("hello"), None);
    }

    #[test]
    fn criterions_files_are_named_after_their_folders() {
        for (path, name) in [
            ("target/criterion/fib/new/sample.json", "fib"),
            ("/a/target/criterion/sort/large/10000/base/estimates.json", "sort/large/10000"),
            ("criterion/fib/before-the-change/sample.json.gz", "fib"),
            ("/kept/fib/base/sample.json", "fib"),
            ("/kept/sample.json", "sample"),
            ("/x/criterion/sample.json", "sample"),
            ("/x/load.txt.gz", "load"),
            ("-", "run"),
        ] {
            assert_eq!(name_of(Path::new(path)), name, "{path}");
        }
    }

    #[test]
    fn gzip_and_a_byte_order_mark_are_read() {
        let csv = "benchmark,value,unit\na,1,ms\n";
        let (_dir, marked) = file("r.csv", format!("\u{feff}{csv}"));
        // The same, as `gzip` packs it.
        let zipped = [
            31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 75, 74, 205, 75, 206, 200, 77, 44, 202, 214, 41, 75, 204, 41, 77, 213, 41, 205, 203, 44, 225,
            74, 212, 49, 212, 201, 45, 230, 2, 0, 148, 201, 158, 155, 28, 0, 0, 0,
        ];
        let (_other, zipped) = file("r.csv.gz", zipped);
        let read = |file: &Path| read(file, None, "r").unwrap();
        assert_eq!(read(&marked), read(&zipped));
        assert_eq!((read(&marked)[0].values.as_slice(), read(&marked)[0].at), (&[1.0][..], None));
        assert!(written(&marked).is_some_and(|at| at.secs() > 1_600_000_000));
    }

    #[test]
    fn what_cannot_be_kept_names_file_and_benchmark() {
        let fault = |name: &str, text: &str| {
            let (_dir, file) = file(name, text);
            let fault = read(&file, None, "r").unwrap_err().to_string();
            fault.replace(&file.display().to_string(), name)
        };
        let commit = "x".repeat(300);
        let text = format!("[{{\"benchmark\":\"a\",\"values\":[1],\"commit\":\"{commit}\"}}]");
        let long = "r.json: benchmark \"a\": the commit is longer than 250 characters or has control characters";
        assert_eq!(fault("r.json", &text), long);
        assert_eq!(fault("r.json", "[{\"benchmark\":\"\",\"values\":[1]}]"), "r.json: benchmark \"\": the benchmark is missing");
        assert!(fault("r.txt", "hello").contains("--format"));
        assert_eq!(fault("r.csv", "\n"), "r.csv: line 1: the file is empty");
        assert_eq!(fault("r.csv", "benchmark,value\n"), "r.csv: line 1: the file has a header but no rows");
        assert_eq!(fault("r.csv", "benchmark,value\na,x\n"), "r.csv: line 2: field 1: invalid float literal");
    }
}
