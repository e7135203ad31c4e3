//! `headroom benchmarks import`: takes in what benchmark tools have written.

use super::database::headroom;
use super::print;
use crate::cli::BenchmarksImport;
use crate::error::Failure;
use crate::serve::wall;
use headroom_model::benchmark::BenchmarkRun;
use headroom_model::time::Timestamp;
use headroom_offline::benchmarks::{name_of, read, written};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Reads all files before anything is written; then their runs are saved, all or none.
///
/// # Errors
/// [`Failure::BadInput`] names the file, the place and the fault; nothing was changed then.
pub async fn import(arguments: &BenchmarksImport) -> Result<(), Failure> {
    let runs = runs(arguments, wall())?;
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

/// The runs of all files, each with a time.
fn runs(arguments: &BenchmarksImport, now: Timestamp) -> Result<Vec<BenchmarkRun>, Failure> {
    let mut times = Times::default();
    let mut untimed = Vec::new();
    let mut runs = Vec::new();
    for file in once(&arguments.files)? {
        let name = arguments.name.clone().unwrap_or_else(|| name_of(file));
        let at = arguments.at.or_else(|| written(file)).unwrap_or(now);
        for mut run in read(file, arguments.format, &name)? {
            run.commit = run.commit.or_else(|| arguments.commit.clone());
            match run.at {
                Some(said) => {
                    come(file, &run, said, now)?;
                    times.said(file, &run, said)?;
                }
                None => untimed.push((runs.len(), file, at)),
            }
            runs.push(run);
        }
    }
    for (place, file, at) in untimed {
        let free = times.free(&runs[place], at);
        come(file, &runs[place], free, now)?;
        runs[place].at = Some(free);
    }
    Ok(runs)
}

/// Refuses a run of the future: it would be the newest for ever.
fn come(file: &Path, run: &BenchmarkRun, at: Timestamp, now: Timestamp) -> Result<(), Failure> {
    if at.has_come(now) {
        return Ok(());
    }
    let (file, name) = (file.display(), &run.benchmark);
    let next = if run.at.is_some() { "mend its time in the file" } else { "say with --at when it was measured" };
    Err(Failure::BadInput(format!("{file}: benchmark {name:?}: {at} has not come yet, or is before 1970: {next}")))
}

/// The files, without what another of them has: criterion copies a run from `new` to `base`, and sums up `sample.json` in
/// `estimates.json`. A copy is left out; two forms of one run are refused, since neither is a run of its own.
fn once(files: &[PathBuf]) -> Result<Vec<&Path>, Failure> {
    let given: HashSet<&Path> = files.iter().map(PathBuf::as_path).collect();
    let mut taken = Vec::new();
    for file in files {
        let is = |name: &str| file.file_name().is_some_and(|own| own == name);
        if is("estimates.json") && given.contains(file.with_file_name("sample.json").as_path()) {
            let fault = format!("{}: sums up the sample.json beside it: give that alone", file.display());
            return Err(Failure::BadInput(fault));
        }
        match original(file).filter(|original| given.contains(original.as_path())) {
            Some(original) => eprintln!("{}: the same run as {}: taken once", file.display(), original.display()),
            None => taken.push(file.as_path()),
        }
    }
    Ok(taken)
}

/// The file in `new` that a file of criterion's in `base` was copied from.
fn original(file: &Path) -> Option<PathBuf> {
    let folder = file.parent().filter(|folder| folder.ends_with("base"))?;
    let original = folder.with_file_name("new").join(file.file_name()?);
    (std::fs::read(file).ok()? == std::fs::read(&original).ok()?).then_some(original)
}

/// What tells runs of one time apart: the benchmark, its unit and the commit.
type Of = (String, String, Option<String>);

/// The times that runs of one import have. A later run of the same benchmark, unit, commit and time would replace the one before.
#[derive(Default)]
struct Times {
    /// Which file said it, if one did.
    taken: HashMap<(Of, Timestamp), Option<PathBuf>>,
    /// Where to look next for a free time from one on.
    next: HashMap<(Of, Timestamp), Timestamp>,
}

impl Times {
    fn of(run: &BenchmarkRun) -> Of {
        (run.benchmark.clone(), run.unit.clone(), run.commit.clone())
    }

    /// Notes a time that a file says. Two that say the same contradict each other: which of them was measured is not known.
    fn said(&mut self, file: &Path, run: &BenchmarkRun, at: Timestamp) -> Result<(), Failure> {
        let Some(Some(before)) = self.taken.insert((Self::of(run), at), Some(file.to_owned())) else { return Ok(()) };
        let of = if before == file { String::new() } else { format!(", the other in {}", before.display()) };
        let (name, unit) = (&run.benchmark, &run.unit);
        let commit = run.commit.as_deref().map_or_else(|| "no commit".to_owned(), |c| format!("commit {c}"));
        Err(Failure::BadInput(format!("{}: benchmark {name:?} has two runs in {unit} of {at} and {commit}{of}", file.display())))
    }

    /// The first time from `at` on, by seconds, that no run of the same has. Files say no time and may have been written within one
    /// second, or unpacked; what they measured is kept apart, in their order.
    fn free(&mut self, run: &BenchmarkRun, at: Timestamp) -> Timestamp {
        let of = Self::of(run);
        let mut free = self.next.get(&(of.clone(), at)).copied().unwrap_or(at);
        while self.taken.contains_key(&(of.clone(), free)) {
            free = free.plus_secs(1);
        }
        self.next.insert((of.clone(), at), free.plus_secs(1));
        self.taken.insert((of, free), None);
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{BenchmarksAct, Cli, Command};
    use clap::Parser;
    use std::fs::{File, create_dir_all};
    use std::time::{Duration, UNIX_EPOCH};

    const NOW: Timestamp = Timestamp::from_secs(2_000_000_000);
    const HYPERFINE: &str = r#"{"results":[{"command":"ls","mean":1.0},{"command":"ps","mean":2.0}]}"#;

    /// Writes a file that was last changed this many seconds after 1970.
    fn write(dir: &Path, name: &str, text: &str, secs: u64) {
        let file = dir.join(name);
        create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        File::options().write(true).open(file).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(secs)).unwrap();
    }

    /// Name, seconds and first value of the runs of these files.
    fn taken(dir: &Path, files: &[&str], more: &[&str]) -> Result<Vec<(String, i64, f64)>, String> {
        let files = files.iter().map(|file| dir.join(file).to_string_lossy().into_owned());
        let words = ["headroom", "benchmarks", "import", "--suite", "s"].map(str::to_owned).into_iter().chain(files);
        let Command::Benchmarks(asked) = Cli::parse_from(words.chain(more.iter().map(|word| (*word).to_owned()))).command else { panic!() };
        let BenchmarksAct::Import(asked) = asked.act else { panic!() };
        let runs = runs(&asked, NOW).map_err(|e| e.to_string().replace(&format!("{}/", dir.display()), ""))?;
        Ok(runs.into_iter().map(|run| (run.benchmark, run.at.unwrap().secs(), run.values[0])).collect())
    }

    fn run(name: &str, secs: i64, value: f64) -> (String, i64, f64) {
        (name.to_owned(), secs, value)
    }

    #[test]
    fn a_run_without_a_time_is_of_when_its_file_was_written() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a.json", HYPERFINE, 1_700_000_000);
        write(dir.path(), "b.json", HYPERFINE, 1_700_000_100);
        let wanted =
            [run("ls", 1_700_000_000, 1.0), run("ps", 1_700_000_000, 2.0), run("ls", 1_700_000_100, 1.0), run("ps", 1_700_000_100, 2.0)];
        assert_eq!(taken(dir.path(), &["a.json", "b.json"], &[]).unwrap(), wanted);
        let told = taken(dir.path(), &["a.json"], &["--at", "1970-01-01T00:00:07Z"]).unwrap();
        assert_eq!(told, [run("ls", 7, 1.0), run("ps", 7, 2.0)], "what is said on the command line counts");
    }

    #[test]
    fn files_of_one_second_are_kept_apart_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        for (name, value) in [("a.csv", 1), ("b.csv", 2), ("c.csv", 3)] {
            write(dir.path(), name, &format!("benchmark,value\nx,{value}\n"), 50);
        }
        write(dir.path(), "said.csv", "benchmark,value,time\nx,9,51\n", 50);
        let found = taken(dir.path(), &["a.csv", "b.csv", "c.csv", "said.csv"], &[]).unwrap();
        assert_eq!(found, [run("x", 50, 1.0), run("x", 52, 2.0), run("x", 53, 3.0), run("x", 51, 9.0)], "51 was said, and stays");
    }

    #[test]
    fn a_run_of_the_future_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let said = format!("benchmark,value,time\nx,9,{}\n", NOW.plus_secs(301).secs());
        write(dir.path(), "said.csv", &said, 50);
        write(dir.path(), "a.json", HYPERFINE, NOW.plus_secs(86_400).secs() as u64);
        let fault = |file| taken(dir.path(), &[file], &[]).unwrap_err();
        assert_eq!(
            fault("said.csv"),
            "said.csv: benchmark \"x\": 2033-05-18T03:38:21Z has not come yet, or is before 1970: mend its time in the file"
        );
        assert_eq!(
            fault("a.json"),
            "a.json: benchmark \"ls\": 2033-05-19T03:33:20Z has not come yet, or is before 1970: say with --at when it was measured"
        );
        assert_eq!(taken(dir.path(), &["a.json"], &["--at", "7"]).unwrap().len(), 2);
    }

    #[test]
    fn two_runs_that_say_one_time_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a.csv", "benchmark,value,unit,time\nx,1,ms,7\n", 50);
        write(dir.path(), "b.csv", "benchmark,value,unit,time\nx,2,ms,7\n", 50);
        let fault = taken(dir.path(), &["a.csv", "b.csv"], &[]).unwrap_err();
        assert_eq!(fault, "b.csv: benchmark \"x\" has two runs in ms of 1970-01-01T00:00:07Z and no commit, the other in a.csv");
        write(
            dir.path(),
            "c.json",
            "[{\"benchmark\":\"x\",\"values\":[1],\"time\":7},{\"benchmark\":\"x\",\"values\":[2],\"time\":7}]",
            50,
        );
        let fault = taken(dir.path(), &["c.json"], &["--commit", "abc"]).unwrap_err();
        assert_eq!(fault, "c.json: benchmark \"x\" has two runs in value of 1970-01-01T00:00:07Z and commit abc");
    }

    #[test]
    fn criterions_folders_are_taken_once_and_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let sample = |time: f64| format!("{{\"iters\":[1.0,1.0],\"times\":[{time:.1},{time:.1}]}}");
        write(dir.path(), "criterion/fib/20/new/sample.json", &sample(5.0), 50);
        write(dir.path(), "criterion/fib/20/base/sample.json", &sample(5.0), 50);
        write(dir.path(), "criterion/fib/30/new/sample.json", &sample(7.0), 50);
        write(dir.path(), "criterion/fib/30/base/sample.json", &sample(6.0), 40);
        write(dir.path(), "criterion/fib/30/new/estimates.json", "{}", 50);
        let all = ["20/base", "20/new", "30/base", "30/new"].map(|of| format!("criterion/fib/{of}/sample.json"));
        let all = all.each_ref().map(String::as_str);
        let wanted = [run("fib/20", 50, 5.0), run("fib/30", 40, 6.0), run("fib/30", 50, 7.0)];
        assert_eq!(taken(dir.path(), &all, &[]).unwrap(), wanted);
        assert_eq!(taken(dir.path(), &all[..1], &["--name", "mine"]).unwrap(), [run("mine", 50, 5.0)]);
        let fault = taken(dir.path(), &["criterion/fib/30/new/sample.json", "criterion/fib/30/new/estimates.json"], &[]).unwrap_err();
        assert_eq!(fault, "criterion/fib/30/new/estimates.json: sums up the sample.json beside it: give that alone");
    }
}
