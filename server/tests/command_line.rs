//! The command line: what it says, and with which exit code.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn headroom(arguments: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(arguments)
        .current_dir(dir)
        .env_remove("HEADROOM_BIND")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn refused(arguments: &[&str], dir: &Path) -> String {
    let output = headroom(arguments, dir);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(output.stdout.is_empty());
    let text = said(&output);
    assert_eq!(text.lines().count(), 1, "one line: {text}");
    text
}

#[test]
fn a_bad_file_is_named_with_row_and_fault() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("u.csv");
    std::fs::write(&file, "time,service,metric,value\n2026-01-01T00:00:00Z,a,cpu_usage_cores,1\nnow,a,cpu_usage_cores,1\n").unwrap();
    let text = refused(&["analyze", "u.csv"], dir.path());
    assert!(text.contains("u.csv: line 3: ") && text.contains("now"), "{text}");
    assert!(refused(&["analyze", "nothing.csv"], dir.path()).contains("nothing.csv"));
    let text = refused(&["import", "u.csv", "--data-dir", "d"], dir.path());
    assert!(text.contains("line 3"), "{text}");
    assert!(!dir.path().join("d").exists(), "nothing was made");
}

#[test]
fn a_bad_configuration_starts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("headroom.toml"), "data_dir = \"d\"\n\n[log]\nlevle = \"info\"\n").unwrap();
    let text = refused(&["serve"], dir.path());
    assert!(text.contains("headroom.toml:4: log.levle"), "{text}");
    assert!(!dir.path().join("d").exists());
    std::fs::remove_file(dir.path().join("headroom.toml")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(["migrate", "--data-dir", "d"])
        .current_dir(dir.path())
        .env("HEADROOM_LOG__FORMAT", "loud")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("HEADROOM_LOG__FORMAT"), "{}", said(&output));
}

#[test]
fn a_token_is_printed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let text = refused(&["token", "create", "--user", "ann", "--data-dir", "d"], dir.path());
    assert!(text.contains("there is no Headroom database here"), "{text}");
    let output = headroom(&["user", "create", "ann", "--role", "engineer", "--data-dir", "d"], dir.path());
    assert!(output.status.success(), "{}", said(&output));
    let output = headroom(&["token", "create", "--user", "ann", "--data-dir", "d"], dir.path());
    let token = String::from_utf8(output.stdout).unwrap();
    assert!(token.starts_with("hr_") && token.lines().count() == 1, "{token}");
    assert!(refused(&["token", "create", "--user", "bob", "--data-dir", "d"], dir.path()).contains("bob"));
    let output = headroom(&["verify-audit", "--data-dir", "d"], dir.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("2 entries, every link holds"), "{text}");
    let output = headroom(&["user", "list", "--data-dir", "d"], dir.path());
    assert!(String::from_utf8(output.stdout).unwrap().contains("ann"));
}

#[test]
fn a_user_is_locked_unlocked_and_begins_again_with_a_code() {
    let dir = tempfile::tempdir().unwrap();
    let user = |arguments: &[&str]| headroom(&[&["user"], arguments, &["--data-dir", "d"]].concat(), dir.path());
    let printed = |arguments: &[&str]| {
        let output = user(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let first = printed(&["create", "ann", "--role", "engineer"]);
    let token = headroom(&["token", "create", "--user", "ann", "--data-dir", "d"], dir.path());
    assert!(token.status.success());
    assert!(!printed(&["list"]).contains("locked"));
    assert_eq!(printed(&["lock", "ann"]), "ann is locked\n");
    assert!(printed(&["list"]).contains("locked"));
    assert_eq!(printed(&["lock", "ann", "--undo"]), "ann is unlocked\n");
    assert!(!printed(&["list"]).contains("locked"));
    let second = printed(&["reset", "ann"]);
    assert!(second.starts_with("one-time code, for a day: ") && second != first, "{second}");
    assert_eq!(printed(&["role", "ann", "--role", "approver"]), "ann is approver, in every team\n");
    for arguments in [&["lock", "bob"][..], &["reset", "bob"], &["role", "bob", "--role", "viewer"]] {
        let text = refused(&[&["user"], arguments, &["--data-dir", "d"]].concat(), dir.path());
        assert!(text.contains("bob"), "{arguments:?}: {text}");
    }
    for arguments in [&["list"][..], &["lock", "ann"], &["reset", "ann"], &["role", "ann", "--role", "viewer"]] {
        let text = refused(&[&["user"], arguments, &["--data-dir", "typo"]].concat(), dir.path());
        assert!(text.contains("there is no Headroom database here"), "{arguments:?}: {text}");
    }
    assert!(!dir.path().join("typo").exists());
    let audit = String::from_utf8(headroom(&["verify-audit", "--data-dir", "d"], dir.path()).stdout).unwrap();
    assert!(audit.starts_with("6 entries, every link holds"), "{audit}");
}

#[test]
fn a_damaged_backup_is_refused_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    assert!(headroom(&["user", "create", "ann", "--role", "engineer", "--data-dir", "d"], dir.path()).status.success());
    assert!(headroom(&["backup", "whole.backup", "--data-dir", "d"], dir.path()).status.success());
    let bytes = std::fs::read(dir.path().join("whole.backup")).unwrap();
    std::fs::write(dir.path().join("cut.backup"), &bytes[..bytes.len() / 2]).unwrap();
    let text = refused(&["restore", "cut.backup", "--data-dir", "e"], dir.path());
    assert!(text.contains("cut.backup: is damaged") || text.contains("cut.backup: is no whole Headroom backup"), "{text}");
    assert!(!dir.path().join("e/headroom.db").exists());
    assert!(headroom(&["restore", "whole.backup", "--data-dir", "e"], dir.path()).status.success());
    let output = headroom(&["restore", "whole.backup", "--data-dir", "e"], dir.path());
    assert_eq!(output.status.code(), Some(1), "what is there is not overwritten: {}", said(&output));
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_every_command_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert!(headroom(&["user", "create", "ann", "--role", "engineer", "--data-dir", "d"], dir.path()).status.success());
    let file = dir.path().join("d/headroom.db");
    let mut on = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', TRUE, x'00', 0)";
    sqlx::raw_sql(newer).execute(&mut on).await.unwrap();
    on.close().await.unwrap();
    let before = std::fs::read(&file).unwrap();
    for command in
        [&["serve", "--bind", "127.0.0.1:0"][..], &["migrate"], &["doctor"], &["verify-audit"], &["backup", "b"], &["user", "list"]]
    {
        let output = headroom(&[command, &["--data-dir", "d"]].concat(), dir.path());
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let text = said(&output) + &String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("the database has schema 99") && text.contains("newer Headroom"), "{command:?}: {text}");
    }
    assert!(std::fs::read(&file).unwrap() == before, "nothing was written to it");
    assert!(!dir.path().join("b").exists());
}

/// The database of a Headroom with schema 4, as it left it.
fn an_older_database(dir: &Path) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("store/tests/contract/schemas/0004.sqlite.gz");
    std::fs::create_dir_all(dir).unwrap();
    let mut into = std::fs::File::create(dir.join("headroom.db")).unwrap();
    std::io::copy(&mut GzDecoder::new(std::fs::File::open(file).unwrap()), &mut into).unwrap();
}

#[test]
fn an_older_schema_is_changed_by_the_next_start_and_by_no_other_command() {
    let dir = tempfile::tempdir().unwrap();
    an_older_database(&dir.path().join("d"));
    let file = dir.path().join("d/headroom.db");
    let run = |command: &[&str]| headroom(&[command, &["--data-dir", "d"]].concat(), dir.path());
    // Whoever opens a file that was copied from elsewhere sets its journal's mode, as the Headroom before did.
    let audit = String::from_utf8(run(&["verify-audit"]).stdout).unwrap();
    assert!(audit.contains("every link holds"), "{audit}");
    let before = std::fs::read(&file).unwrap();
    std::fs::write(dir.path().join("u.csv"), "time,service,metric,value\n2026-01-01T00:00:00Z,a,cpu_usage_cores,1\n").unwrap();
    std::fs::write(dir.path().join("b.csv"), "benchmark,value\nx,1\n").unwrap();
    let refused: [&[&str]; 7] = [
        &["user", "list"],
        &["user", "create", "zoe", "--role", "engineer"],
        &["token", "create", "--user", "engineer"],
        &["promises"],
        &["import", "u.csv"],
        &["benchmarks", "import", "b.csv", "--suite", "s"],
        &["doctor"],
    ];
    for command in refused {
        let output = run(command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let text = said(&output) + &String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("the database has schema 4") && text.contains("run `headroom migrate`"), "{command:?}: {text}");
    }
    assert_eq!(String::from_utf8(run(&["verify-audit"]).stdout).unwrap(), audit);
    assert!(run(&["backup", "copy"]).status.success());
    assert!(std::fs::read(&file).unwrap() == before, "nothing was written to it");
    assert!(run(&["migrate"]).status.success());
    assert!(run(&["user", "list"]).status.success() && run(&["doctor"]).status.success());
    // What was copied has the schema that it had; to be put back, it is brought up to date.
    assert!(headroom(&["restore", "copy", "--data-dir", "e"], dir.path()).status.success());
    let restored = String::from_utf8(headroom(&["verify-audit", "--data-dir", "e"], dir.path()).stdout).unwrap();
    assert_eq!(restored, audit);
}

#[test]
fn an_address_that_others_reach_without_tls_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("headroom.toml"), "bind = \"0.0.0.0:0\"\n").unwrap();
    let output = headroom(&["doctor", "--data-dir", "d"], dir.path());
    assert!(output.status.success(), "{}", said(&output));
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(found.lines().any(|line| line.starts_with("DOUBT address") && line.contains("public_url")), "{found}");
    assert!(found.contains("requests to clusters may go to every address but link-local and metadata ones"), "{found}");
    let mut serving = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(["serve", "--data-dir", "d"])
        .current_dir(dir.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(serving.stderr.take().unwrap()).lines().map_while(Result::ok);
    let log: Vec<String> = lines.take_while(|line| !line.contains("Headroom listens")).collect();
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert!(log.iter().any(|line| line.contains("WARN") && line.contains("0.0.0.0:0 can be reached from elsewhere")), "{log:?}");

    std::fs::write(dir.path().join("headroom.toml"), "bind = \"0.0.0.0:0\"\npublic_url = \"https://h.example\"\n").unwrap();
    let found = String::from_utf8(headroom(&["doctor", "--data-dir", "d"], dir.path()).stdout).unwrap();
    assert!(!found.contains("DOUBT"), "{found}");
}

#[test]
fn a_cluster_is_asked_only_where_requests_may_go() {
    let dir = tempfile::tempdir().unwrap();
    let configured = |allow: &str, url: &str| {
        std::fs::write(dir.path().join("headroom.toml"), format!("[outgoing]\nallow = [{allow}]\n[simulator]\nurl = \"{url}\"\n")).unwrap();
        let doctor = headroom(&["doctor", "--data-dir", "d"], dir.path());
        let serve = headroom(&["serve", "--bind", "127.0.0.1:0", "--data-dir", "d"], dir.path());
        assert_eq!((doctor.status.code(), serve.status.code()), (Some(1), Some(1)), "{}", said(&serve));
        (String::from_utf8(doctor.stdout).unwrap(), said(&serve))
    };
    let (doctor, serve) = configured("\"10.20.0.0/16\", \"metrics.example.com\"", "http://localhost:1");
    assert!(doctor.contains("requests to clusters may go to metrics.example.com, 10.20.0.0/16 alone"), "{doctor}");
    for text in [&doctor, &serve] {
        assert!(text.contains("localhost (") && text.contains("outgoing.allow lists metrics.example.com, 10.20.0.0/16"), "{text}");
    }
    let (doctor, serve) = configured("", "http://169.254.169.254");
    for text in [&doctor, &serve] {
        assert!(text.contains("169.254.169.254 is at 169.254.169.254, a link-local or metadata address"), "{text}");
    }
}

#[test]
fn the_environment_holds_texts_as_they_are_and_what_kubernetes_sets() {
    let dir = tempfile::tempdir().unwrap();
    let doctor = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headroom"));
        command.args(["doctor", "--data-dir", "d"]).current_dir(dir.path()).envs(variables.iter().copied()).output().unwrap()
    };
    let service = [
        ("HEADROOM_SERVICE_HOST", "10.1.2.3"),
        ("HEADROOM_SERVICE_PORT", "3000"),
        ("HEADROOM_SERVICE_PORT_HTTP", "3000"),
        ("HEADROOM_PORT", "tcp://10.1.2.3:3000"),
        ("HEADROOM_PORT_3000_TCP", "tcp://10.1.2.3:3000"),
        ("HEADROOM_PORT_3000_TCP_PROTO", "tcp"),
    ];
    let output = doctor(&service);
    assert!(output.status.success(), "{}", said(&output));
    for secret in ["987654321", "true", "[abc]", "{a=1}"] {
        let output = doctor(&[
            ("HEADROOM_OIDC__ISSUER", "https://id.example.com"),
            ("HEADROOM_OIDC__CLIENT_ID", "1234"),
            ("HEADROOM_OIDC__CLIENT_SECRET", secret),
            ("HEADROOM_OIDC__ROLES__PLATFORM", "engineer"),
        ]);
        assert!(output.status.success(), "{secret}: {}", said(&output));
    }
    let output = doctor(&[("HEADROOM_DATABASE", "postgres://hr:Pw-77@h/d")]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("HEADROOM_DATABASE: ") && !text.contains("Pw-77"), "{text}");
}

#[test]
fn doctor_sees_whether_state_can_be_kept() {
    let dir = tempfile::tempdir().unwrap();
    let output = headroom(&["doctor", "--data-dir", "/proc/self"], dir.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("WRONG data directory /proc/self cannot be written to"), "{text}");
    let output = headroom(&["doctor", "--data-dir", "."], dir.path());
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
}

#[tokio::test]
async fn a_cell_of_another_type_breaks_the_audit_chain_at_its_entry() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["ann", "bob", "cid"] {
        assert!(headroom(&["user", "create", name, "--role", "engineer", "--data-dir", "d"], dir.path()).status.success());
    }
    let mut on = SqliteConnection::connect(&format!("sqlite:{}", dir.path().join("d/headroom.db").display())).await.unwrap();
    let triggers: Vec<(String,)> =
        sqlx::query_as("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'").fetch_all(&mut on).await.unwrap();
    for (name,) in triggers {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP TRIGGER {name}"))).execute(&mut on).await.unwrap();
    }
    sqlx::raw_sql("UPDATE audit SET body = x'00ff' WHERE seq = 2").execute(&mut on).await.unwrap();
    on.close().await.unwrap();
    let output = headroom(&["verify-audit", "--data-dir", "d"], dir.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("the audit chain is broken at entry 2"), "{}", said(&output));
}

/// A process whose log is read; it is killed when it goes out of scope.
struct Logging {
    process: std::process::Child,
    lines: mpsc::Receiver<String>,
}

impl Logging {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let (told, lines) = mpsc::channel();
        std::thread::spawn(move || log.for_each(|line| drop(told.send(line))));
        Self { process, lines }
    }
    /// The next line with these words.
    fn line(&self, words: &str) -> String {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(Duration::from_secs(30)) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => before.push(line),
                Err(_) => panic!("no line with {words:?} but {before:#?}"),
            }
        }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headroom"));
    command.args(["serve", "--bind", "127.0.0.1:0", "--data-dir", "d"]).current_dir(dir);
    command
}

#[test]
fn the_first_code_is_printed_whatever_is_logged() {
    for level in ["warn", "off", "info"] {
        let dir = tempfile::tempdir().unwrap();
        let headroom = Logging::start(serve(dir.path()).env("HEADROOM_LOG__LEVEL", level));
        let line = headroom.line("nobody can sign in yet");
        assert!(line.contains("/first-run") && line.contains("with the code "), "{line}");
    }
}

#[test]
fn headroom_starts_while_its_cluster_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let url = format!("http://me:Pw-77@{free}");
    let headroom_there = Logging::start(serve(dir.path()).env("HEADROOM_SIMULATOR__URL", &url));
    let line = headroom_there.line("Headroom starts without it, and goes on asking");
    assert!(line.contains(&format!("the simulator at http://{free}")) && !line.contains("Pw-77"), "{line}");
    let line = headroom_there.line("Headroom listens at ");
    let address = line.rsplit("http://").next().unwrap().trim().to_owned();
    let doctor = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headroom"));
        let command = command.args(["doctor", "--data-dir", "d"]).current_dir(dir.path()).env("HEADROOM_SIMULATOR__URL", &url);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let found = doctor();
    assert!(found.contains("headroom serve starts without it") && !found.contains("Pw-77"), "{found}");
    assert!(answer(&address, "/readyz").contains(" 503 "));
    let mut simulator = Command::new(env!("CARGO_BIN_EXE_headroom"));
    simulator.args(["simulator", "--listen", &free, "--services", "2", "--data-dir"]).arg(dir.path().join("simulator"));
    let _simulator = Logging::start(&mut simulator);
    let begun = Instant::now();
    while !(answer(&address, "/readyz").contains(" 200 ") && doctor().contains(", 2 services, 0 users")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", doctor());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn answer(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_simulator_that_dies_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_headroom"));
    demo.args(["demo", "--port", "0", "--services", "2", "--data-dir", "d"]).current_dir(dir.path());
    let demo = Logging::start(&mut demo);
    demo.line("state is kept in");
    let begun = Instant::now();
    let simulator =
        || String::from_utf8(Command::new("pgrep").args(["-P", &demo.process.id().to_string()]).output().unwrap().stdout).unwrap();
    let database = dir.path().join("d/headroom.db");
    while simulator().is_empty() || !database.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(5));
    let first = simulator();
    assert!(Command::new("kill").args(["-KILL", first.trim()]).status().unwrap().success());
    demo.line("the simulator ended by itself (signal: 9 (SIGKILL)): it is started again");
    let begun = Instant::now();
    while matches!(simulator(), now if now.is_empty() || now == first) {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_file_is_analysed_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::from("time,service,metric,value\n");
    // Ten days of a service that asks for 4 cores and uses about half a core by day, a quarter by night.
    for i in 0..10 * 288_u32 {
        let time = 1_790_000_000 + i64::from(i) * 300;
        let busy = if i % 288 < 144 { 0.5 } else { 0.25 };
        let cpu = busy + f64::from(i.wrapping_mul(2_654_435_761) >> 24) / 4096.0;
        text += &format!("{time},api,cpu_usage_cores,{cpu}\n{time},api,cpu_request_cores,4\n{time},api,replicas,3\n");
    }
    std::fs::write(dir.path().join("u.csv"), text).unwrap();
    let output = headroom(&["analyze", "u.csv"], dir.path());
    assert!(output.status.success(), "{}", said(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let service = &json["services"][0];
    assert_eq!(service["service"], "api");
    let recommendation = &service["recommendations"][0];
    assert_eq!(recommendation["optimization_type"], "RESOURCE_OPTIMIZATION", "{service}");
    assert!(recommendation["evidence"].as_array().is_some_and(|e| !e.is_empty()));
    assert!(recommendation["expected_improvement"]["cost_reduction_percent"].as_f64().unwrap() > 5.0);
    std::fs::write(dir.path().join("p.toml"), "min_data_points = 100000\n").unwrap();
    let output = headroom(&["analyze", "u.csv", "--policy", "p.toml"], dir.path());
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let service = &json["services"][0];
    assert_eq!(service["reason"]["kind"], "INSUFFICIENT_DATA", "{service}");
    assert_eq!(service["recommendations"].as_array().unwrap().len(), 0);
}

#[test]
fn gpus_network_and_storage_of_a_file_are_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = "time,service,metric,value\n".to_owned();
    for i in 0..10 * 96u32 {
        let (at, wave) = (1_763_424_000 + i * 900, (i % 96) as f64 / 96.0);
        let mut put = |service: &str, metric: &str, value: f64| text += &format!("{at},{service},{metric},{value}\n");
        for service in ["train", "serve"] {
            put(service, "gpu_utilization", 0.2 + 0.1 * wave);
            put(service, "gpu_memory_used_bytes", 2e10);
        }
        put("train", "gpus", 4.0);
        put("serve", "replicas", 6.0);
        put("db", "volume_used_bytes", 6e10 + f64::from(i) * 2.5e7);
        put("db", "volume_capacity_bytes", 90.0 * 1_073_741_824.0);
        put("db", "network_transmit_bytes_per_second", 1e6 * (1.0 + wave));
        put("db", "disk_write_bytes_per_second", 2e6);
    }
    std::fs::write(dir.path().join("u.csv"), text).unwrap();
    let output = headroom(&["analyze", "u.csv"], dir.path());
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("1 services use GPUs and have no metric gpus: one GPU per replica is assumed"), "{}", said(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| json["services"].as_array().unwrap().iter().find(|s| s["service"] == name).unwrap().clone();
    let proposed = |name: &str, strategy: &str| {
        let all = of(name)["recommendations"].as_array().unwrap().clone();
        all.into_iter().find(|r| r["strategy"] == strategy).unwrap_or_else(|| panic!("{name}: {}", of(name)))
    };
    let train = proposed("train", "gpu");
    assert_eq!(
        (&train["current_state"]["containers"]["main"]["gpus"], &train["recommended_state"]["containers"]["main"]["gpus"]),
        (&4.into(), &2.into())
    );
    // Two cards of four at 0.95 an hour, 730 hours a month.
    assert!((train["saving_month"].as_f64().unwrap() - 2.0 * 0.95 * 730.0).abs() < 0.01, "{train}");
    let serve = proposed("serve", "gpu");
    assert_eq!((&serve["current_state"]["replicas"], &serve["recommended_state"]["replicas"]), (&6.into(), &3.into()), "{serve}");
    let db = proposed("db", "storage");
    assert_eq!(
        (&db["current_state"]["volume"], &db["expected_improvement"]["cost_reduction_percent"]),
        (&"90Gi".into(), &Value::Null),
        "{db}"
    );
    let network = of("db")["findings"].as_array().unwrap().iter().find(|f| f["resource"] == "network").unwrap().clone();
    assert!(network["text"].as_str().unwrap().contains("out"), "{network}");
}

/// How many runs of benchmarks are kept in a data directory.
async fn runs_kept(dir: &Path) -> i64 {
    let mut on = SqliteConnection::connect(&format!("sqlite:{}", dir.join("headroom.db").display())).await.unwrap();
    sqlx::query_scalar("SELECT COUNT(*) FROM benchmark_runs").fetch_one(&mut on).await.unwrap()
}

#[tokio::test]
async fn every_run_of_a_benchmark_is_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    for (name, mean) in [("a.json", 1.0), ("b.json", 1.1), ("c.json", 1.2)] {
        write(name, &format!("\u{feff}{{\"results\":[{{\"command\":\"cd x &&\\n make\",\"mean\":{mean}}}]}}"));
    }
    let import = |suite: &str, files: &[&str]| {
        let arguments = [&["benchmarks", "import", "--suite", suite, "--data-dir", "d"], files].concat();
        let output = headroom(&arguments, dir.path());
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, out, said) = import("s", &["a.json", "b.json", "c.json"]);
    assert_eq!((code, out.as_str()), (Some(0), "s: 3 runs of 1 benchmarks\n"), "{said}");
    assert_eq!(runs_kept(&dir.path().join("d")).await, 3);
    import("s", &["a.json", "b.json", "c.json"]);
    assert_eq!(runs_kept(&dir.path().join("d")).await, 3, "what is taken in again replaces itself");
    let long = "x".repeat(300);
    write("long.json", &format!("[{{\"benchmark\":\"parse\",\"values\":[1],\"commit\":\"{long}\"}}]"));
    let (code, out, said) = import("s", &["a.json", "long.json"]);
    assert_eq!((code, out.as_str(), said.lines().count()), (Some(2), "", 1), "{said}");
    assert!(said.contains("long.json: benchmark \"parse\": the commit is longer"), "{said}");
    let (code, _, said) = import(" ", &["a.json"]);
    assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
    assert_eq!(runs_kept(&dir.path().join("d")).await, 3, "what is refused changes nothing");
}

#[tokio::test]
async fn a_deploy_is_recorded_once() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("u.csv"), "time,service,metric,value\n2026-01-01T00:00:00Z,a,cpu_usage_cores,1\n").unwrap();
    let record = ["deployments", "record", "--service", "a", "--version", "1.2", "--at", "2026-01-01T00:00:00Z", "--data-dir", "d"];
    assert!(refused(&record, dir.path()).contains("there is no Headroom database here"));
    assert!(headroom(&["import", "u.csv", "--data-dir", "d"], dir.path()).status.success());
    for more in [&["--commit", "0123456789abcdef"][..], &[]] {
        let output = headroom(&[&record, more].concat(), dir.path());
        let out = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(out, "a: 1.2 deployed, commit 0123456789ab at 2026-01-01T00:00:00Z\n", "{}", said(&output));
    }
    assert!(refused(&[&record[..8], &["--link", "ci/7", "--data-dir", "d"]].concat(), dir.path()).contains("https://"));
    let mut on = SqliteConnection::connect(&format!("sqlite:{}", dir.path().join("d/headroom.db").display())).await.unwrap();
    let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM deployments").fetch_one(&mut on).await.unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn two_files_of_benchmarks_are_compared_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let bench = |ns: u32| (0..10).fold(String::new(), |text, i| text + &format!("BenchmarkSort-8 \t 1000\t {} ns/op\n", ns + i));
    std::fs::write(dir.path().join("old.txt"), bench(1000)).unwrap();
    std::fs::write(dir.path().join("new.txt"), bench(1100)).unwrap();
    let output = headroom(&["benchmarks", "compare", "old.txt", "new.txt", "--threshold", "2"], dir.path());
    assert!(output.status.success(), "{}", said(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sort = &json["benchmarks"][0];
    assert_eq!((&sort["benchmark"], &sort["verdict"], &sort["cliffs_delta"]), (&"Sort".into(), &"slower".into(), &1.0.into()));
    std::fs::write(dir.path().join("bad.txt"), "BenchmarkSort-8 1000 x ns/op\n").unwrap();
    assert!(refused(&["benchmarks", "compare", "old.txt", "bad.txt"], dir.path()).contains("bad.txt: line 1: \"x\" is not a number"));
    assert!(refused(&["benchmarks", "compare", "old.txt", "new.txt", "--threshold", "-1"], dir.path()).contains("--threshold"));
}

/// A command on a file, and the file: good as it is, and bad with a last line that it does not understand.
struct OnFile {
    /// `F` is the file.
    arguments: &'static [&'static str],
    good: String,
    bad_line: &'static str,
    /// What the answer to the good file holds.
    says: &'static str,
}

/// Rows of a series: header, then `row(i)` for each.
fn rows(header: &str, n: i64, row: impl Fn(i64) -> String) -> String {
    (0..n).fold(format!("{header}\n"), |text, i| text + &row(i) + "\n")
}

/// Five-minute samples of a service that uses about this much CPU.
fn usage(days: i64, cores: f64) -> String {
    rows("time,service,metric,value", days * 288, |i| {
        format!("{},api,cpu_usage_cores,{}", 1_790_035_200 + i * 300, cores + (i * 7919 % 13) as f64 / 100.0)
    })
}

fn on_files() -> Vec<OnFile> {
    let step = |i: i64| if i < 150 { 10 + i % 3 } else { 20 + i % 3 };
    let usage_row = "1790035200,api,cpu_usage_cores,much";
    vec![
        OnFile {
            arguments: &["forecast", "F", "--horizon", "3"],
            good: rows("series,step,value", 60, |i| format!("a,{i},{}", 10 + i % 7)),
            bad_line: "a,60,many",
            says: "a,62,",
        },
        OnFile {
            arguments: &["changepoints", "F"],
            good: rows("series,index,value", 300, |i| format!("a,{i},{}", step(i))),
            bad_line: "a,soon,1",
            says: "\"index\": 150",
        },
        OnFile {
            arguments: &["anomalies", "F"],
            good: rows("series,time,value", 300, |i| format!("a,{},{}", i * 300, if i == 250 { 900 } else { 10 + i * 7919 % 13 })),
            bad_line: "a,90000,x",
            says: "a,75000,1.0000",
        },
        OnFile { arguments: &["replay", "F"], good: usage(3, 0.5), bad_line: usage_row, says: "\"service\":\"api\"" },
        OnFile { arguments: &["judge", "F", "after.csv"], good: usage(3, 0.5), bad_line: usage_row, says: "\"verdict\": \"worse\"" },
        OnFile {
            arguments: &["rootcause", "F", "--at", "3600"],
            good: rows("time,service,metric,value", 140, |i| {
                let (minute, service) = (i / 2, if i % 2 == 0 { "db" } else { "web" });
                let busy = if service == "db" && minute >= 60 { 95 } else { 10 };
                format!("{},{service},cpu,{}", minute * 60, busy + minute % 3)
            }),
            bad_line: "4200,db,cpu,many",
            says: "\"service\": \"db\"",
        },
    ]
}

#[test]
fn the_engine_reads_standard_input_and_gzip_and_names_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("after.csv"), usage(3, 0.9)).unwrap();
    for OnFile { arguments, good, bad_line, says } in on_files() {
        let on = |file: &'static str| arguments.iter().map(|a| if *a == "F" { file } else { a }).collect::<Vec<_>>();
        let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
        zipped.write_all(good.as_bytes()).unwrap();
        std::fs::write(dir.path().join("good.csv.gz"), zipped.finish().unwrap()).unwrap();
        let read = headroom(&on("good.csv.gz"), dir.path());
        assert!(read.status.success(), "{arguments:?}: {}", said(&read));
        let text = String::from_utf8(read.stdout).unwrap();
        assert!(text.contains(says), "{arguments:?}: {text}");
        let piped = piped(&on("-"), &good, dir.path());
        assert!(piped.status.success(), "{arguments:?}: {}", said(&piped));
        assert!(piped.stdout == text.as_bytes(), "{arguments:?}: the same from standard input");

        std::fs::write(dir.path().join("bad.csv"), format!("{good}{bad_line}\n")).unwrap();
        let fault = refused(&on("bad.csv"), dir.path());
        assert!(fault.starts_with(&format!("headroom: bad.csv: line {}: ", good.lines().count() + 1)), "{arguments:?}: {fault}");
    }
}

/// The command with this on its standard input.
fn piped(arguments: &[&str], text: &str, dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headroom"));
    let mut child =
        command.args(arguments).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn the_catalogue_of_metrics_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let output = headroom(&["metrics"], dir.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), headroom_model::metric::Metric::ALL.len() + 1);
    assert!(text.contains("memory_working_set_bytes"));
}
