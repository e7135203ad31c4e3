//! `headroom benchmarks`: takes in what benchmark tools have written.

use super::database::headroom;
use super::print;
use crate::cli::BenchmarksImport;
use crate::error::Failure;
use headroom_engine::benchmarks::{Format, Run, parse};
use headroom_model::benchmark::BenchmarkRun;
use headroom_model::time::Timestamp;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

/// Reads all files before anything is written; then their runs are saved, all or none.
///
/// # Errors
/// [`Failure::BadInput`] names the file, the place and the fault; nothing was changed then.
pub async fn import(arguments: &BenchmarksImport) -> Result<(), Failure> {
    let mut runs = Vec::new();
    for file in &arguments.files {
        let text = text_of(file)?;
        let format = arguments.format.map_or_else(|| guess(file, &text), Ok)?;
        let stem = file.file_stem().map_or_else(|| "run".to_owned(), |s| s.to_string_lossy().into_owned());
        let name = arguments.name.as_deref().unwrap_or(&stem);
        let read = parse(format, &text, name).map_err(|e| Failure::BadInput(format!("{}: {e}", file.display())))?;
        runs.extend(read.into_iter().map(|run| kept(run, arguments)));
    }
    let headroom = headroom(&arguments.database).await?;
    let ctx = headroom.own_context("headroom benchmarks import");
    let rows = headroom.import_benchmarks(&ctx, &arguments.suite, &arguments.service, &runs).await?;
    headroom.store().close().await;
    let mut text = format!("{}: {} runs of {} benchmarks\n", arguments.suite, runs.len(), rows.len());
    for row in &rows {
        let Some(step) = row.step.as_ref().filter(|step| step.worse) else { continue };
        let percent = step.percent.map_or_else(String::new, |p| format!(" by {p:+.1} %"));
        let commit = step.commit.as_deref().map_or_else(String::new, |c| format!(", commit {c}"));
        let _ = writeln!(text, "{} is worse{percent} since {}{commit}", row.name, step.at);
    }
    print(&text)
}

fn kept(run: Run, arguments: &BenchmarksImport) -> BenchmarkRun {
    BenchmarkRun {
        benchmark: run.benchmark,
        unit: run.unit,
        higher_is_better: run.higher_is_better,
        values: run.values,
        commit: run.commit.or_else(|| arguments.commit.clone()),
        at: run.time.map(Timestamp::from_secs).or(arguments.at),
    }
}

fn text_of(file: &Path) -> Result<String, Failure> {
    let fault = |e: std::io::Error| Failure::BadInput(format!("{}: cannot be read: {e}", file.display()));
    if file.as_os_str() == "-" {
        let mut text = String::new();
        return std::io::stdin().lock().read_to_string(&mut text).map(|_| text).map_err(fault);
    }
    std::fs::read_to_string(file).map_err(fault)
}

/// What wrote a text, by marks that no other tool leaves.
fn guess(file: &Path, text: &str) -> Result<Format, Failure> {
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
    let found = marks.into_iter().find(|(_, fits)| *fits).map(|(format, _)| format);
    found.ok_or_else(|| Failure::BadInput(format!("{}: what wrote this file cannot be told from it: say it with --format", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(guess(Path::new("f"), text), Ok(format), "{text}");
        }
        assert!(guess(Path::new("f"), "hello").is_err());
    }
}
