//! `make eval`: scores the engine on public data sets and writes docs/EVALUATION.md.
//!
//! One module per row of the table. A row whose data are not there is left out, and says so.

mod anomalies;
mod changepoints;
mod claims;
mod forecast;
mod judge;
mod rightsizing;
mod rootcause;
mod speed;

use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Scores the engine.
#[derive(Parser)]
struct Arguments {
    /// Rows to score; all without
    rows: Vec<String>,
    /// Where the data sets are
    #[arg(long)]
    data: PathBuf,
    /// Write all rows into this file rather than to standard output
    #[arg(long)]
    write: Option<PathBuf>,
}

/// A row: its name, and what scores it. The answer is the section of the document, or `None` without its data.
type Row = (&'static str, fn(&Path) -> Result<Option<String>, String>);

/// All rows, in the order of the document.
const ROWS: &[Row] = &[
    ("rightsizing", rightsizing::score),
    ("claims", claims::score),
    ("forecast", forecast::score),
    ("changepoints", changepoints::score),
    ("anomalies", anomalies::score),
    ("judge", judge::score),
    ("rootcause", rootcause::score),
    ("speed", speed::score),
];

/// How the document begins.
const HEAD: &str = "# Evaluation

How the engine does on public data sets, beside the methods of the field, each with its own constants. `make eval` writes this page: every figure
was measured by the run that wrote it, through the functions that the command line calls. The data sets are not part of this repository; a row
without its data says so. *Bar* is what Headroom set out to reach.

";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let known: Vec<&str> = ROWS.iter().map(|r| r.0).collect();
    if let Some(unknown) = arguments.rows.iter().find(|r| !known.contains(&r.as_str())) {
        return Err(format!("no row {unknown:?}: the rows are {}", known.join(", ")));
    }
    let mut document = HEAD.to_owned();
    for (name, score) in ROWS {
        if !arguments.rows.is_empty() && !arguments.rows.iter().any(|r| r == name) {
            continue;
        }
        let section = score(&arguments.data)?
            .unwrap_or_else(|| format!("## {name}\n\nNot scored: its data are not in {}.\n", arguments.data.display()));
        eprintln!("{name}: done");
        document.push_str(&section);
        document.push('\n');
    }
    match &arguments.write {
        Some(file) => std::fs::write(file, document).map_err(|e| format!("{}: {e}", file.display())),
        None => {
            print!("{document}");
            Ok(())
        }
    }
}
