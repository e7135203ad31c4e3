//! The engine on files, without a server: the commands that scripts and pipelines call, one file per command.
//!
//! Each reads a path or standard input (`-`), plain or gzip, and writes JSON or CSV; what is wrong with a file is one line that
//! names the file, the line and the fault.

pub mod analyze;
pub mod anomalies;
pub mod benchmarks;
pub mod changepoints;
pub mod forecast;
pub mod judge;
pub mod replay;
pub mod rootcause;
mod table;

pub use table::Table;

use headroom_infra::import::Imported;
use headroom_infra::rows::ImportError;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Analyse a CSV file without a server; writes JSON
    Analyze(analyze::Analyze),
    /// Forecast the series of a CSV file (series,step,value), each with a 95 % interval; writes CSV
    Forecast(forecast::Forecast),
    /// Find where the series of a CSV file (series,index,value) pass into another regime; writes JSON
    #[command(name = "changepoints")]
    ChangePoints(changepoints::ChangePoints),
    /// Score how odd each sample of a CSV file (series,time,value) is, from what came before it; writes CSV
    Anomalies(anomalies::Anomalies),
    /// Say what a method of right-sizing would have asked for, day by day; writes JSON lines
    Replay(replay::Replay),
    /// Judge a CSV file of usage after a change against one from before; writes JSON
    Judge(judge::Judge),
    /// Rank services by how likely the root cause of a trouble is in each; writes JSON
    #[command(name = "rootcause")]
    RootCause(rootcause::RootCause),
}

/// Does what a command asks; the answer goes to `out`.
///
/// # Errors
/// [`Failure`].
pub fn run(command: &Command, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        Command::Analyze(arguments) => analyze::run(arguments, out),
        Command::Forecast(arguments) => forecast::run(arguments, out),
        Command::ChangePoints(arguments) => changepoints::run(arguments, out),
        Command::Anomalies(arguments) => anomalies::run(arguments, out),
        Command::Replay(arguments) => replay::run(arguments, out),
        Command::Judge(arguments) => judge::run(arguments, out),
        Command::RootCause(arguments) => rootcause::run(arguments, out),
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// What the user gave cannot be used; one line that names the place and the fault.
    #[error("{0}")]
    BadInput(String),
    /// Something else went wrong.
    #[error("{0}")]
    Fault(String),
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        Self::BadInput(error.to_string())
    }
}

/// Writes text; a reader that has gone away is no fault.
///
/// # Errors
/// [`Failure::Fault`] when it cannot be written.
pub fn write(out: &mut impl Write, text: &str) -> Result<(), Failure> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::Fault(format!("the result cannot be written: {e}"))),
        _ => Ok(()),
    }
}

/// Tells on standard error what was left out of a file of usage. Last, once there is an answer: a fault is one line alone.
fn tell_notes(file: &Path, imported: &Imported) {
    imported.notes().iter().for_each(|note| eprintln!("{}: {note}", file.display()));
}

/// A field of a CSV file, in quotes where it needs them.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

fn write_json(out: &mut impl Write, value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::Fault(format!("the result cannot be written as JSON: {e}")))?;
    write(out, &(text + "\n"))
}
