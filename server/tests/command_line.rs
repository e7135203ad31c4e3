//! The command line: what it says, and with which exit code.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use serde_json::Value;
use sqlx::{Connection, SqliteConnection};
use std::path::Path;
use std::process::{Command, Output, Stdio};

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
    let output = headroom(&["token", "create", "--user", "bob", "--data-dir", "d"], dir.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
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
        let output = user(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty() && said(&output).contains("bob"), "{}", said(&output));
    }
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
fn the_catalogue_of_metrics_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let output = headroom(&["metrics"], dir.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), headroom_model::metric::Metric::ALL.len() + 1);
    assert!(text.contains("memory_working_set_bytes"));
}
