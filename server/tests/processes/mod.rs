//! The real binary and its simulator as processes of their own, for tests that kill and load them.
#![allow(dead_code, reason = "each test uses its own part")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use tempfile::TempDir;

#[path = "../../store/tests/contract/postgres.rs"]
pub mod postgres;

const HEADROOM: &str = env!("CARGO_BIN_EXE_headroom");

/// A process that is killed when it goes out of scope.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A database, and a simulated cluster in a process of its own, which outlives every Headroom.
pub struct Place {
    pub database: String,
    pub simulator: String,
    _simulator: Process,
    pub dir: TempDir,
}

impl Place {
    /// With an empty database, named `sqlite` or `postgres`, and a cluster of this size and speed.
    pub async fn new(database: &str, services: u32, speed: u32) -> Self {
        let dir = TempDir::new().unwrap();
        let database = match database {
            "postgres" => postgres::database().await,
            _ => format!("sqlite:{}", dir.path().join("headroom.db").display()),
        };
        let mut child = Command::new(HEADROOM)
            .args(["simulator", "--listen", "127.0.0.1:0", "--services", &services.to_string(), "--speed", &speed.to_string()])
            .arg("--data-dir")
            .arg(dir.path().join("simulator"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let simulator = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { database, simulator, _simulator: Process(child), dir }
    }

    /// The binary, on this database and this cluster.
    pub fn headroom(&self) -> Command {
        let mut command = Command::new(HEADROOM);
        command
            .current_dir(self.dir.path())
            .env("HEADROOM_DATABASE__URL", &self.database)
            .env("HEADROOM_SIMULATOR__URL", &self.simulator)
            .env("HEADROOM_DATA_DIR", self.dir.path());
        command
    }

    /// What a command says.
    pub fn said(&self, arguments: &[&str]) -> String {
        let output = self.headroom().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Creates a user; their API token.
    pub fn user(&self, name: &str, role: &str) -> String {
        self.said(&["user", "create", name, "--role", role]);
        self.said(&["token", "create", "--user", name])
    }

    /// A server on a free port, and its address.
    pub fn serve(&self) -> (Process, String) {
        let mut command = self.headroom();
        command.args(["serve", "--bind", "127.0.0.1:0"]);
        let (process, said) = listening(command, |_| {});
        (process, said.expect("headroom serve ended before it listened"))
    }
}

/// Starts a server and waits until it listens; its address, unless it ended first. Every line that it says is told.
pub fn listening(mut command: Command, mut tell: impl FnMut(&str) + Send + 'static) -> (Process, Option<String>) {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.by_ref().find_map(|line| {
        tell(&line);
        line.split_once("Headroom listens at ").map(|(_, address)| address.trim().to_owned())
    });
    std::thread::spawn(move || lines.for_each(|line| tell(&line)));
    (Process(child), address)
}

/// A port that nobody listens on, below those that connections take by themselves, for a server that is started again and again.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 400).unwrap() * 25;
    let mut ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}
