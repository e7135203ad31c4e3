//! What the command line does without a server, or beside one: one file per command.

pub mod backup;
pub mod benchmarks;
pub mod database;
pub mod deployments;
pub mod doctor;
pub mod import;
pub mod metrics;
pub mod promises;
pub mod token;
pub mod user;

use crate::error::Failure;
use std::io::{ErrorKind, Write};

/// Writes to standard output; a reader that has gone away is no fault.
///
/// # Errors
/// [`Failure`] when it cannot be written to.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::Fault(format!("standard output: {e}"))),
        _ => Ok(()),
    }
}
