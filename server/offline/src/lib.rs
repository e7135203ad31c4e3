//! The engine on files, without a server: the commands that scripts and pipelines call, one file per command.
//!
//! Each reads a path or standard input (`-`), plain or gzip, and writes JSON or CSV; what is wrong with a file is one line that
//! names the file, the line and the fault.

pub mod analyze;
pub mod changepoints;
mod table;

pub use table::Table;

use headroom_infra::rows::ImportError;
use std::io::{ErrorKind, Write};

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

fn write_json(out: &mut impl Write, value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::Fault(format!("the result cannot be written as JSON: {e}")))?;
    write(out, &(text + "\n"))
}
