//! A collector gets what happened: the binary sends real OTLP over HTTP, and a request joins its caller's trace.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_a_span_in_its_callers_trace_with_the_requests_id() {
    let received = Arc::new(Mutex::new(Vec::<u8>::new()));
    let kept = Arc::clone(&received);
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", collector.local_addr().unwrap());
    let take = post(async move |body: Bytes| kept.lock().unwrap().extend_from_slice(&body));
    tokio::spawn(async move { axum::serve(collector, Router::new().route("/v1/traces", take)).await });

    let dir = tempfile::tempdir().unwrap();
    let mut headroom = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(["serve", "--bind", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path())
        .current_dir(dir.path())
        .env("HEADROOM_TRACES__COLLECTOR", address)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(headroom.stderr.take().unwrap()).lines().map(Result::unwrap);
    let listens = lines.find(|line| line.contains("Headroom listens at")).unwrap();
    let at = listens.split("listens at ").nth(1).unwrap().trim().to_owned();
    headroom_infra::install_tls();
    let client = reqwest::Client::new();
    let asked = client.get(format!("{at}/api/v1/services")).header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let answer = asked.send().await.unwrap();
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(answer.status(), 401);
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["request_id"], id.as_str(), "the page, the log and the trace name one request");

    // In order: what was not sent yet is sent at the end.
    let ended = Command::new("kill").args(["-TERM", &headroom.id().to_string()]).status().unwrap();
    assert!(ended.success());
    let status = tokio::task::spawn_blocking(move || headroom.wait()).await.unwrap().unwrap();
    assert!(status.success(), "it ended {status}");
    let bytes = received.lock().unwrap().clone();
    for part in ["headroom".as_bytes(), b"request", id.as_bytes(), b"/api/v1/services", &hex::decode(TRACE).unwrap()] {
        assert!(holds(&bytes, part), "{} is missing from {} bytes", String::from_utf8_lossy(part), bytes.len());
    }
}
