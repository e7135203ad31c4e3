//! The command line: one subcommand per thing that Headroom does.

use clap::{Args, Parser, Subcommand};
use headroom_engine::benchmarks::Format;
use headroom_model::auth::{Permission, Role, Teams};
use headroom_model::time::Timestamp;
use headroom_offline::benchmarks;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Watches services, proposes changes with their evidence, applies what people approve, measures what it did, and takes back what made things worse.
#[derive(Debug, Parser)]
#[command(name = "headroom", version, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `headroom` can be asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start on a simulated cluster, with one user per role; prints the address and a one-time sign-in link for each
    Demo(Demo),
    /// Start empty; a one-time code in the log creates the first administrator
    Serve(Serve),
    /// Run the simulated cluster alone
    Simulator(Simulator),
    /// Bring the database to this version's schema and end
    Migrate(Database),
    /// Bring in an observed cluster from a CSV file (time,service,metric,value); recommend only
    Import(Import),
    /// Take in runs of benchmarks that tools have written, or compare two files of them
    Benchmarks(Benchmarks),
    /// Tell of deploys, to which what happens after them is put down
    Deployments(Deployments),
    /// The engine on a file, without a server
    #[command(flatten)]
    Offline(headroom_offline::Command),
    /// Manage the people who sign in
    User(User),
    /// Manage API tokens
    Token(Token),
    /// Check the audit chain: every entry, every link
    VerifyAudit(VerifyAudit),
    /// Write everything into one file, while Headroom runs on
    Backup(Backup),
    /// Put a backup into an empty directory or database
    Restore(Backup),
    /// Check configuration, database, audit chain, clocks and clusters
    Doctor(Database),
    /// Print what was promised against what was measured, by strategy
    Promises(Database),
    /// List the catalogue of metrics: name, unit, kind, scope, aggregation
    Metrics,
}

/// `headroom demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// Port on 127.0.0.1; the demonstration never listens elsewhere
    #[arg(long, default_value_t = 3000)]
    pub port: u16,
    /// Simulated seconds per second
    #[arg(long, default_value_t = 60.0, value_parser = speed, allow_negative_numbers = true)]
    pub speed: f64,
    /// Seed of the simulation: the same seed makes the same cluster
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Simulated services (at most 10000; above 200 only with the core metrics)
    #[arg(long, default_value_t = 34, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub services: u32,
    /// CSV file (time,service,metric,value, plain or gzip) whose values become the demand of one simulated service each
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Where state is kept [default: headroom-demo under $XDG_DATA_HOME, else under ~/.local/share, else here]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

fn speed(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "write a number, such as 60".to_owned())?;
    (value.is_finite() && (0.0..=100_000.0).contains(&value)).then_some(value).ok_or_else(|| "from 0 (stopped) to 100000".to_owned())
}

/// `headroom serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Address to listen on [default: 127.0.0.1:3000]
    #[arg(long)]
    pub bind: Option<SocketAddr>,
    /// The database
    #[command(flatten)]
    pub database: Database,
}

/// Which configuration and which database.
#[derive(Debug, Args, Clone, Default)]
pub struct Database {
    /// Configuration file [default: ./headroom.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where state is kept [default: headroom under $XDG_DATA_HOME, else under ~/.local/share, else here]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// `headroom simulator`
#[derive(Debug, Args)]
pub struct Simulator {
    /// Address to listen on; port 0 takes a free one, which is printed
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Simulated seconds per second
    #[arg(long, default_value_t = 60.0, value_parser = speed, allow_negative_numbers = true)]
    pub speed: f64,
    /// Seed of the simulation
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Simulated services
    #[arg(long, default_value_t = 34, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub services: u32,
    /// CSV file whose values become demand
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Where its journal is kept
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// End when standard input closes: the parent has gone
    #[arg(long, hide = true)]
    pub with_parent: bool,
}

/// `headroom import`
#[derive(Debug, Args)]
pub struct Import {
    /// The file, plain or gzip; `-` reads standard input
    pub file: PathBuf,
    /// The database
    #[command(flatten)]
    pub database: Database,
}

/// `headroom benchmarks`
#[derive(Debug, Args)]
pub struct Benchmarks {
    /// What to do
    #[command(subcommand)]
    pub act: BenchmarksAct,
}

/// `headroom benchmarks …`
#[derive(Debug, Subcommand)]
pub enum BenchmarksAct {
    /// Take in runs from files of criterion, hyperfine, k6, wrk, JMH, `go test -bench`, or plain JSON or CSV
    Import(BenchmarksImport),
    /// Compare a file of runs with a file from before, without a server; writes JSON
    Compare(benchmarks::Compare),
}

/// `headroom benchmarks import`
#[derive(Debug, Args)]
pub struct BenchmarksImport {
    /// The files, plain or gzip; `-` reads standard input. Runs that have one name, unit, commit and file time are kept a second apart,
    /// in the order of the files
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// What wrote them: criterion, hyperfine, k6, wrk, jmh, go, json or csv [default: found out from the content]
    #[arg(long, value_parser = benchmarks::format)]
    pub format: Option<Format>,
    /// The benchmark's name, where the file does not say (criterion's sample.json, wrk) [default: criterion's folders, or
    /// the file's name]
    #[arg(long)]
    pub name: Option<String>,
    /// What the benchmarks are part of, such as a repository's name
    #[arg(long)]
    pub suite: String,
    /// The service that they measure
    #[arg(long, default_value = "", hide_default_value = true)]
    pub service: String,
    /// The commit that was measured, where the file does not say
    #[arg(long)]
    pub commit: Option<String>,
    /// When, RFC 3339, where the file does not say [default: when the file was written; now, of standard input]
    #[arg(long)]
    pub at: Option<Timestamp>,
    /// The database
    #[command(flatten)]
    pub database: Database,
}

/// `headroom deployments`
#[derive(Debug, Args)]
pub struct Deployments {
    /// What to do
    #[command(subcommand)]
    pub act: DeploymentsAct,
}

/// `headroom deployments …`
#[derive(Debug, Subcommand)]
pub enum DeploymentsAct {
    /// Tell of a deploy that was made; one that is known already, within an hour, is the same one
    Record(DeploymentsRecord),
}

/// `headroom deployments record`
#[derive(Debug, Args)]
pub struct DeploymentsRecord {
    /// The service that runs another version from then on
    #[arg(long)]
    pub service: String,
    /// What runs: a version or an image
    #[arg(long, value_name = "VERSION")]
    pub version: String,
    /// When, RFC 3339 [default: now]
    #[arg(long)]
    pub at: Option<Timestamp>,
    /// The commit that it was built from
    #[arg(long)]
    pub commit: Option<String>,
    /// Where more is told of it: https://… or http://…
    #[arg(long)]
    pub link: Option<String>,
    /// The database
    #[command(flatten)]
    pub database: Database,
}

/// `headroom user`
#[derive(Debug, Args)]
pub struct User {
    /// What to do
    #[command(subcommand)]
    pub act: UserAct,
    /// The database
    #[command(flatten)]
    pub database: Database,
}

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub enum UserAct {
    /// Create a user; prints a one-time code for the first sign-in
    Create {
        /// The name to sign in with
        name: String,
        /// viewer, manager, engineer, approver or administrator
        #[arg(long)]
        role: Role,
        /// Teams whose services they see and act on, with commas between them [default: every team]
        #[arg(long, default_value = "", hide_default_value = true)]
        teams: Teams,
    },
    /// Change what a user may do; it acts at once
    Role {
        /// The name
        name: String,
        /// viewer, manager, engineer, approver or administrator
        #[arg(long)]
        role: Role,
        /// Teams whose services they see and act on, with commas between them; `*` for every team [default: those they have]
        #[arg(long, default_value = "", hide_default_value = true)]
        teams: String,
    },
    /// Print a one-time code that lets a user set a new password
    Reset {
        /// The name
        name: String,
    },
    /// Lock a user: sessions and tokens are void at once
    Lock {
        /// The name
        name: String,
        /// Unlock instead
        #[arg(long)]
        undo: bool,
    },
    /// List users
    List,
}

/// `headroom verify-audit`
#[derive(Debug, Args)]
pub struct VerifyAudit {
    /// The end of the chain as an earlier check or backup printed it, NUMBER:HASH: it must still be there
    #[arg(long, value_name = "HEAD")]
    pub head: Option<String>,
    /// The database
    #[command(flatten)]
    pub database: Database,
}

/// `headroom backup` and `headroom restore`
#[derive(Debug, Args)]
pub struct Backup {
    /// The backup
    pub file: PathBuf,
    /// The database
    #[command(flatten)]
    pub database: Database,
}

/// `headroom token`
#[derive(Debug, Args)]
pub struct Token {
    /// What to do
    #[command(subcommand)]
    pub act: TokenAct,
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenAct {
    /// Print a new API token of a user and nothing else; it is shown only now
    Create {
        /// The user it acts as
        #[arg(long)]
        user: String,
        /// What it may do, with commas between: read, analyze, propose, submit, comment, approve, apply, break_glass, roll_back,
        /// manage_policy, manage_users [default: all that the user may]
        #[arg(long, value_delimiter = ',')]
        scope: Vec<Permission>,
        /// Days that it lives, at most 366
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// The database
        #[command(flatten)]
        database: Database,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn values_outside_their_limits_are_refused() {
        for arguments in [
            ["headroom", "demo", "--services", "10001"],
            ["headroom", "demo", "--speed", "-1"],
            ["headroom", "demo", "--speed", "NaN"],
            ["headroom", "demo", "--port", "70000"],
        ] {
            assert!(Cli::try_parse_from(arguments).is_err(), "{arguments:?}");
        }
        assert!(Cli::try_parse_from(["headroom", "demo", "--speed", "600", "--services", "10000"]).is_ok());
    }
}
