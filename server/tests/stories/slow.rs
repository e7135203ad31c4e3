//! Who sends half a request is not waited for, and an answer that does not come is given up.

use crate::app::{TestApp, answer};
use headroom_server::config::{Config, SecondFactor, SignIn};
use headroom_server::connections::Patience;
use reqwest::Method;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn hurried(head: Duration, answer: Duration) -> TestApp {
    let config = Config { sign_in: SignIn { second_factor: SecondFactor::Off }, ..Config::default() };
    let app = TestApp::patient(Vec::new(), TempDir::new().unwrap(), config, Patience { head, answer }).await;
    app.create_users().await;
    app
}

/// Sends this and nothing more; what comes until the other side ends the connection, which it has to do soon.
async fn half(app: &TestApp, text: &str) -> String {
    let mut stream = TcpStream::connect(app.address.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut said)).await.expect("the connection was kept").unwrap();
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn who_sends_half_a_request_is_cut_off() {
    let app = hurried(Duration::from_millis(300), Duration::from_millis(600)).await;
    for head in ["", "GET /livez HTT", "GET /livez HTTP/1.1\r\nHost: h\r\nX-Slow: "] {
        assert_eq!(half(&app, head).await, "", "{head:?}");
    }
    let form = "POST /sign-in HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nname=";
    let said = half(&app, form).await;
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("\"kind\":\"timeout\""), "{said}");
    // Whoever has sent a whole one is answered as ever.
    assert_eq!(app.request(Method::GET, "/livez").send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_come_is_given_up_and_changes_nothing() {
    let app = hurried(Duration::from_secs(60), Duration::from_millis(1500)).await;
    let (api, mut browser) = (app.api("admin").await, app.browser("engineer").await);
    let store = app.headroom.store();
    // Whoever wants to write waits for their turn, which is somebody else's for a while.
    let turn = store.begin().await.unwrap();
    let rule = serde_json::json!({ "key": "confidence_threshold", "value": 0.9 });
    let (status, problem) = answer(api.request(Method::PUT, "/policy").json(&rule).send().await.unwrap()).await;
    assert_eq!((status, problem["kind"].as_str()), (503, Some("timeout")));
    turn.roll_back().await.unwrap();
    let (_, rules) = api.get("/policy").await;
    assert!(!rules.to_string().contains("confidence_threshold"), "{rules}");
    // What is streamed takes the time that it takes.
    let began = Instant::now();
    let mut events = browser.send(app.request(Method::GET, "/events")).await;
    assert_eq!(events.status(), 200);
    let quiet = tokio::time::timeout(Duration::from_secs(3), events.chunk()).await;
    assert!(quiet.is_err() && began.elapsed() >= Duration::from_secs(3), "the stream was cut: {quiet:?}");
}
