//! The `headroom` binary.

// A page is one deeply nested type; the default limit of 128 is too low for it.
#![recursion_limit = "512"]

use clap::Parser;
use headroom_server::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match headroom_server::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("headroom: {failure}");
            ExitCode::from(failure.code())
        }
    }
}
