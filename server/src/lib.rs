//! The `headroom` binary's parts: configuration, command line, wiring, pages, REST, live events, sign-in, health.

// A page is one deeply nested type; the default limit of 128 is too low for it.
#![recursion_limit = "512"]

pub mod address;
pub mod cli;
mod commands;
pub mod config;
pub mod connections;
mod crash;
pub mod demo;
mod error;
pub mod identity;
pub mod limits;
pub mod oidc;
pub mod problem;
mod request_id;
pub mod rest;
pub mod routes;
pub mod security;
pub mod serve;
mod sessions;
mod simulator;
pub mod site;
pub mod state;
pub mod telemetry;
pub mod throttle;
pub mod traces;

pub use error::Failure;

use cli::{Benchmarks, BenchmarksAct, Command, DeploymentsAct, TokenAct};

/// Does what the command line asks.
///
/// # Errors
/// [`Failure`], whose text is for the user and whose code is for the shell.
pub fn run(command: Command) -> Result<(), Failure> {
    headroom_infra::install_tls();
    match command {
        Command::Metrics => commands::metrics::list(),
        Command::Offline(command) => Ok(headroom_offline::run(&command, &mut std::io::stdout().lock())?),
        Command::Benchmarks(Benchmarks { act: BenchmarksAct::Compare(arguments) }) => {
            Ok(headroom_offline::benchmarks::compare(&arguments, &mut std::io::stdout().lock())?)
        }
        other => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::Fault(format!("the runtime does not start: {e}")))?
            .block_on(run_async(other)),
    }
}

async fn run_async(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments).await,
        Command::Serve(arguments) => serve::run(&arguments).await,
        Command::Simulator(arguments) => simulator::run(&arguments).await,
        Command::Migrate(database) => commands::database::migrate(&database).await,
        Command::Import(arguments) => commands::import::run(&arguments).await,
        Command::Benchmarks(arguments) => match arguments.act {
            BenchmarksAct::Import(arguments) => commands::benchmarks::import(&arguments).await,
            BenchmarksAct::Compare(_) => Ok(()),
        },
        Command::Deployments(arguments) => match arguments.act {
            DeploymentsAct::Record(arguments) => commands::deployments::record(arguments).await,
        },
        Command::User(arguments) => commands::user::run(arguments).await,
        Command::Token(arguments) => match arguments.act {
            TokenAct::Create { user, scope, days, database } => commands::token::create(&user, scope, days, &database).await,
        },
        Command::VerifyAudit(arguments) => commands::database::verify_audit(&arguments).await,
        Command::Backup(arguments) => commands::backup::backup(&arguments).await,
        Command::Restore(arguments) => commands::backup::restore(&arguments).await,
        Command::Doctor(database) => commands::doctor::run(&database).await,
        Command::Promises(database) => commands::promises::run(&database).await,
        Command::Metrics | Command::Offline(_) => Ok(()),
    }
}
