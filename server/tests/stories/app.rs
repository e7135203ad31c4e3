//! A Headroom of one's own for each story; with `STORIES_ON=postgres` on a real PostgreSQL.

use crate::postgres;
use headroom_model::auth::{Permission, Role, Teams};
use headroom_server::config::{Config, Database, SecondFactor, SignIn};
use headroom_server::connections::{self, Patience};
use headroom_server::demo::USERS;
use headroom_server::state::AppState;
use headroom_server::{routes, serve};
use headroom_service::{Cluster, Headroom, NewToken};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;

/// How long an answer may take: a story that waits for ever tells nothing.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running Headroom with one user per role; it ends when the story does.
pub struct TestApp {
    pub address: String,
    pub headroom: Arc<Headroom>,
    /// Where its database is.
    pub database: String,
    _dir: TempDir,
    _stop: watch::Sender<bool>,
    client: reqwest::Client,
}

impl TestApp {
    /// With users and without a cluster.
    pub async fn start() -> Self {
        let app = Self::bare(Vec::new(), TempDir::new().unwrap()).await;
        app.create_users().await;
        app
    }

    /// Nobody has ever signed in here.
    pub async fn fresh() -> Self {
        Self::bare(Vec::new(), TempDir::new().unwrap()).await
    }

    /// On these clusters, without users; workers are the story's own to start. Nobody is asked for a second factor.
    pub async fn bare(clusters: Vec<Cluster>, dir: TempDir) -> Self {
        let sign_in = SignIn { second_factor: SecondFactor::Off };
        Self::configured(clusters, dir, Config { sign_in, ..Config::default() }).await
    }

    /// With a configuration of the story's own, but for address and directory.
    pub async fn configured(clusters: Vec<Cluster>, dir: TempDir, config: Config) -> Self {
        Self::patient(clusters, dir, config, Patience::default()).await
    }

    /// The same, with a patience of the story's own.
    pub async fn patient(clusters: Vec<Cluster>, dir: TempDir, config: Config, patience: Patience) -> Self {
        let listener = serve::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let database = match std::env::var("STORIES_ON").as_deref() {
            Ok("postgres") => postgres::database().await,
            Ok(other) => panic!("STORIES_ON={other}: the stories are told on postgres, or without it on SQLite"),
            Err(_) => format!("sqlite:{}", dir.path().join("headroom.db").display()),
        };
        let url = Some(database.clone());
        let config =
            Config { data_dir: dir.path().to_owned(), bind: serve::bound(&listener).unwrap(), database: Database { url }, ..config };
        let address = format!("http://{}", config.bind);
        let headroom = serve::open(&config, clusters, true).await.unwrap();
        let (_stop, ending) = watch::channel(false);
        let router = routes::router(&AppState::patient(headroom.clone(), config, patience, ending.clone()));
        tokio::spawn(connections::serve(listener, router, patience, ending));
        headroom_infra::install_tls();
        let client = reqwest::Client::builder().redirect(Policy::none()).timeout(PATIENCE).build().unwrap();
        Self { address, headroom, database, _dir: dir, _stop, client }
    }

    pub async fn create_users(&self) {
        let ctx = self.headroom.own_context("story");
        for (name, role) in USERS.into_iter().chain([("viewer", Role::Viewer)]) {
            self.headroom.create_user(&ctx, name, role, &Teams::ALL).await.unwrap();
        }
    }

    /// A request by nobody in particular.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.address))
    }

    /// Somebody who uses the API.
    pub async fn api(&self, user: &str) -> Api<'_> {
        let ctx = self.headroom.own_context("story");
        Api {
            app: self,
            token: self.headroom.create_token(&ctx, user, &NewToken { label: "story".to_owned(), scope: None, days: 1 }).await.unwrap(),
        }
    }

    /// Somebody whose token may do only this.
    pub async fn narrow_api(&self, user: &str, scope: &[Permission]) -> Api<'_> {
        let ctx = self.headroom.own_context("story");
        let wanted = NewToken { label: "narrow".to_owned(), scope: Some(scope.to_vec()), days: 1 };
        Api { app: self, token: self.headroom.create_token(&ctx, user, &wanted).await.unwrap() }
    }

    /// A fresh one-time code.
    pub async fn code(&self, user: &str) -> String {
        let ctx = self.headroom.own_context("story");
        self.headroom.issue_code(&ctx, user).await.unwrap().0
    }

    /// Somebody's browser after signing in with a code.
    pub async fn browser(&self, user: &str) -> Browser<'_> {
        let mut browser = Browser { app: self, cookie: String::new() };
        let code = self.code(user).await;
        let answer = browser.post("/sign-in/code", &[("code", &code)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()["location"], "/");
        browser
    }
}

/// Somebody with a token.
pub struct Api<'a> {
    pub app: &'a TestApp,
    pub token: String,
}

impl Api<'_> {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.request(method, &format!("/api/v1{path}")).bearer_auth(&self.token)
    }
    pub async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path).send().await.unwrap()).await
    }
}

/// Status and JSON of an answer; every refusal has to be a problem of RFC 9457.
pub async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    assert!(response.headers().contains_key("x-request-id"));
    let text = response.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"));
    if status >= 400 {
        assert_eq!(kind, "application/problem+json");
        assert_eq!(body["status"], status);
        for member in ["type", "title", "detail", "request_id"] {
            assert!(body[member].as_str().is_some_and(|t| !t.is_empty()), "{member} is missing: {body}");
        }
    }
    (status, body)
}

/// A browser with its cookie.
pub struct Browser<'a> {
    pub app: &'a TestApp,
    pub cookie: String,
}

impl Browser<'_> {
    pub async fn get(&mut self, path: &str) -> Response {
        self.send(self.app.request(Method::GET, path).header("accept", "text/html")).await
    }
    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Response {
        let pairs: Vec<String> = form.iter().map(|(k, v)| format!("{k}={}", headroom_server::identity::encode(v))).collect();
        let request = self
            .app
            .request(Method::POST, path)
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.join("&"));
        self.send(request).await
    }
    pub async fn send(&mut self, request: RequestBuilder) -> Response {
        let response = request.header("cookie", &self.cookie).send().await.unwrap();
        // What a form says goes with the next page, in a cookie of its own.
        let mut sets = response.headers().get_all("set-cookie").iter().map(|set| set.to_str().unwrap());
        if let Some(set) = sets.rfind(|set| !set.starts_with("headroom_flash=")) {
            self.cookie = set.split(';').next().unwrap().to_owned();
        }
        response
    }
}
