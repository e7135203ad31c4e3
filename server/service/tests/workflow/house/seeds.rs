//! Trials by seed: which to do now, where a long row stopped, what came of it, and how one trial is repeated.
//!
//! `make test` does the first few. `make soak ROW=…` sets `SOAK` and does all of the row, or `TRIALS` of them: it goes on where
//! `target/soak/ROW.jsonl` ends and adds a line per batch. `SEEDS=37..38` does just these and writes nothing.
#![allow(dead_code, reason = "each test uses its own part")]

use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use tokio::task::JoinSet;

/// A row of docs/RELIABILITY.md.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What `make soak ROW=` calls it.
    pub name: &'static str,
    /// Its trials at full length.
    pub full: u64,
    /// Those of them that `make test` does.
    pub short: u64,
    /// Trials between two lines of results.
    pub batch: u64,
}

/// A row on one of the databases.
#[derive(Debug, Clone)]
pub struct Run {
    row: Row,
    database: &'static str,
}

/// Says how a trial is repeated, if it fails.
pub struct Trial<'a> {
    run: &'a Run,
    seed: u64,
}

/// A small generator: a trial is its seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }
    pub fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

impl Row {
    /// Adds a line to the row's results.
    pub fn noted(self, database: &'static str, result: &Value) {
        Run { row: self, database }.note(result);
    }

    /// Does what is to be done now on a database: `batch` is given seeds, and fails by panicking.
    pub async fn run(self, database: &'static str, batch: impl AsyncFn(&Run, Range<u64>)) {
        let run = Run { row: self, database };
        if let Some(seeds) = asked() {
            return batch(&run, seeds).await;
        }
        if std::env::var_os("SOAK").is_none() {
            return batch(&run, 0..self.short).await;
        }
        let end = std::env::var("TRIALS").ok().and_then(|n| n.parse().ok()).unwrap_or(self.full);
        let mut from = run.done();
        while from < end {
            let to = end.min(from + self.batch);
            let began = Instant::now();
            batch(&run, from..to).await;
            run.note(&json!({ "from": from, "to": to, "trials": to - from, "violations": 0, "seconds": began.elapsed().as_secs() }));
            from = to;
        }
    }
}

/// Trials of a batch shared out among `hands` that work at the same time.
pub async fn shared_out<F>(run: &Run, seeds: Range<u64>, hands: u64, trials: impl Fn(Run, Vec<u64>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut working = JoinSet::new();
    for hand in 0..hands {
        working.spawn(trials(run.clone(), seeds.clone().filter(|seed| seed % hands == hand).collect()));
    }
    while let Some(ended) = working.join_next().await {
        ended.expect("a trial has failed");
    }
}

fn asked() -> Option<Range<u64>> {
    let text = std::env::var("SEEDS").ok()?;
    let (from, to) = text.split_once("..").expect("SEEDS=37..38");
    Some(from.parse().expect("SEEDS=37..38")..to.parse().expect("SEEDS=37..38"))
}

impl Run {
    pub fn database(&self) -> &'static str {
        self.database
    }

    /// One trial; keep it as long as the trial lasts.
    pub fn trial(&self, seed: u64) -> Trial<'_> {
        Trial { run: self, seed }
    }

    /// Adds a line to the results.
    pub fn note(&self, result: &Value) {
        let mut line = json!({ "row": self.row.name, "database": self.database, "commit": commit(), "date": super::wall().to_string() });
        for (key, value) in result.as_object().into_iter().flatten() {
            line[key] = value.clone();
        }
        let file = self.file();
        fs::create_dir_all(file.parent().expect("it is in a folder")).expect("results can be written");
        let mut file = OpenOptions::new().create(true).append(true).open(file).expect("results can be written");
        file.write_all(format!("{line}\n").as_bytes()).expect("results can be written");
        println!("{line}");
    }

    /// The end of what is done: nothing before it failed.
    fn done(&self) -> u64 {
        let text = fs::read_to_string(self.file()).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let held = lines.filter(|line| line["database"] == self.database && line["violations"] == 0);
        held.filter_map(|line| line["to"].as_u64()).max().unwrap_or(0)
    }

    fn file(&self) -> PathBuf {
        root().join("target/soak").join(format!("{}.jsonl", self.row.name))
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let (seed, database) = (self.seed, self.run.database);
        eprintln!("to repeat it: SEEDS={seed}..{} make soak ROW={} DATABASE={database}", seed + 1, self.run.row.name);
        if std::env::var_os("SOAK").is_some() && asked().is_none() {
            self.run.note(&json!({ "seed": seed, "violations": 1 }));
        }
    }
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().find(|folder| folder.join("Cargo.lock").exists()).expect("the tests are in the workspace")
}

/// The commit that the tests were built from, as far as the folder tells.
fn commit() -> String {
    if let Ok(commit) = std::env::var("COMMIT") {
        return commit;
    }
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root()).output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}
