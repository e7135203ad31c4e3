//! The simulated cluster as a process of its own, and as the demonstration's child.

use crate::cli::{Demo, Simulator};
use crate::error::Failure;
use crate::serve::{signalled, wall};
use headroom_infra::simulator::{Options, SimulatorError, serve};
use headroom_model::fault::chain;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

/// What the child says on standard output once it can be reached, before its address.
const LISTENING: &str = "simulator listening on ";
/// How long the child may take to make its history.
const START: Duration = Duration::from_secs(120);
/// How long the child may take to end.
const END: Duration = Duration::from_secs(5);
/// How long one that ended by itself stays away.
const PAUSE: Duration = Duration::from_secs(1);

/// A running `headroom simulator`. It ends with its parent: its standard input is a pipe that closes then.
pub struct Child {
    /// `http://127.0.0.1:PORT`
    pub address: String,
    process: tokio::process::Child,
    input: Option<ChildStdin>,
    _output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts the same executable as a simulator and waits for its address.
    ///
    /// # Errors
    /// [`Failure`] with the child's own words on standard error.
    pub async fn start(demo: &Demo, data_dir: &Path) -> Result<Self, Failure> {
        Self::start_at("127.0.0.1:0", demo, data_dir).await
    }

    async fn start_at(listen: &str, demo: &Demo, data_dir: &Path) -> Result<Self, Failure> {
        let fault = |e: std::io::Error| Failure::Fault(format!("the simulator does not start: {e}"));
        let mut command = Command::new(std::env::current_exe().map_err(fault)?);
        command.args(["simulator", "--with-parent", "--listen", listen]);
        command.arg("--speed").arg(demo.speed.to_string()).arg("--seed").arg(demo.seed.to_string());
        command.arg("--services").arg(demo.services.to_string()).arg("--data-dir").arg(data_dir);
        if let Some(trace) = &demo.trace {
            command.arg("--trace").arg(trace);
        }
        // A signal from the terminal reaches the parent, which then ends the child in order.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).process_group(0);
        let mut process = command.spawn().map_err(fault)?;
        let input = process.stdin.take();
        let Some(output) = process.stdout.take() else { return Err(Failure::Fault("the simulator has no output".to_owned())) };
        let mut output = BufReader::new(output).lines();
        let line = tokio::time::timeout(START, output.next_line()).await;
        match line {
            Ok(Ok(Some(line))) if line.starts_with(LISTENING) => {
                Ok(Self { address: line[LISTENING.len()..].trim().to_owned(), process, input, _output: output })
            }
            Ok(_) => {
                let status = process.wait().await.map_err(fault)?;
                let reason = "the simulator did not start; what it said is above".to_owned();
                Err(if status.code() == Some(2) { Failure::BadInput(reason) } else { Failure::Fault(reason) })
            }
            Err(_) => Err(Failure::Fault(format!("the simulator was not ready within {} s", START.as_secs()))),
        }
    }

    /// Starts it again, at the same address, whenever it ends by itself. Returns only when it does not start.
    pub async fn keep(&mut self, demo: &Demo, data_dir: &Path) -> Failure {
        loop {
            let how = self.process.wait().await.map_or_else(|e| e.to_string(), |status| status.to_string());
            tracing::warn!("the simulator ended by itself ({how}): it is started again, and goes on from its journal");
            tokio::time::sleep(PAUSE).await;
            match Self::start_at(self.address.trim_start_matches("http://"), demo, data_dir).await {
                Ok(again) => *self = again,
                Err(fault) => return fault,
            }
        }
    }

    /// Ends it: closes its input, waits, and kills it if it does not listen.
    pub async fn end(mut self) {
        self.input.take();
        if tokio::time::timeout(END, self.process.wait()).await.is_err() {
            tracing::warn!("the simulator did not end by itself");
            if let Err(e) = self.process.kill().await {
                tracing::warn!(error = %chain(&e), "the simulator could not be killed");
            }
        }
    }
}

/// `headroom simulator`
///
/// # Errors
/// [`Failure`] when its trace, its journal or its address cannot be used.
pub async fn run(arguments: &Simulator) -> Result<(), Failure> {
    let options = Options {
        seed: arguments.seed,
        services: arguments.services as usize,
        speed: arguments.speed,
        listen: arguments.listen,
        trace: arguments.trace.clone(),
        until_stdin_closes: arguments.with_parent,
        ..Options::new(arguments.data_dir.clone(), wall())
    };
    let signalled = signalled();
    let stopped = async {
        signalled.await;
    };
    serve(options, stopped).await.map_err(|e| match e {
        SimulatorError::Trace(fault) => Failure::BadInput(fault.to_string()),
        other => Failure::Fault(other.to_string()),
    })
}
