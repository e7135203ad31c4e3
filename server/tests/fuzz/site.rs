//! Bodies, cookies and cron times: every input goes through the very readers that a request goes through, and one in a hundred is a
//! whole request to a whole site besides.

use crate::seeds::{Dice, Run};
use crate::{INPUTS, bent, lossy, row};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequest};
use axum::routing::get;
use headroom_app::doorway;
use headroom_model::auth::{Role, Teams};
use headroom_model::policy::Scope;
use headroom_model::service::{Container, ResourceState};
use headroom_model::time::Timestamp;
use headroom_model::view::{AnalyzeRequest, ProposeRequest};
use headroom_model::windows::ChangeWindows;
use headroom_server::config::{Config, Limits};
use headroom_server::rest::{benchmarks, extract, policy, recommendations};
use headroom_server::state::AppState;
use headroom_server::{routes, serve};
use headroom_service::{Headroom, NewToken, windows};
use http::{HeaderValue, Request, StatusCode};
use leptos::prelude::{Owner, provide_context};
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;
use tower_sessions::session::{Id, Record};
use tower_sessions::{Session, SessionManagerLayer, SessionStore, session_store};

/// One in so many inputs is a whole request.
const WHOLE: usize = 100;

/// A Headroom without a cluster that answers requests in this process, and an engineer's token.
struct Site {
    router: Router,
    headroom: Arc<Headroom>,
    token: String,
    _dir: TempDir,
    _stop: watch::Sender<bool>,
}

impl Site {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        // What is looked for is what happens to a request, not to a flood.
        let all = NonZeroU32::new(1_000_000).unwrap();
        let limits = Limits { per_user: all, per_address: all };
        let config = Config { data_dir: dir.path().to_owned(), limits, ..Config::default() };
        let headroom = serve::open(&config, Vec::new(), true).await.unwrap();
        let ctx = headroom.own_context("fuzz");
        headroom.create_user(&ctx, "engineer", Role::Engineer, &Teams::ALL).await.unwrap();
        let token = headroom.create_token(&ctx, "engineer", &NewToken { label: "fuzz".to_owned(), scope: None, days: 1 }).await.unwrap();
        let (stop, ending) = watch::channel(false);
        let router = routes::router(&AppState::new(headroom.clone(), config, ending));
        Self { router, headroom, token, _dir: dir, _stop: stop }
    }

    /// A panic behind a request is answered with 500.
    async fn takes(&self, mut request: Request<Body>, input: &[u8]) {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
        let answer = self.router.clone().oneshot(request).await.unwrap();
        assert_ne!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "asked with {:?}", lossy(input));
    }
}

/// Lets `read` have what each seed makes.
async fn inputs(name: &'static str, good: &[&str], read: impl AsyncFn(&[u8], &mut Dice)) {
    let seeds = async |run: &Run, seeds: Range<u64>| {
        for seed in seeds {
            let _trial = run.trial(seed);
            let mut dice = Dice::new(seed);
            for _ in 0..INPUTS {
                let input = bent(&mut dice, good);
                read(&input, &mut dice).await;
            }
        }
    };
    row(name).run("sqlite", seeds).await;
}

/// Reads a body as a route does.
async fn read<T: DeserializeOwned>(input: &[u8]) -> Option<T> {
    let request = Request::post("/").header("content-type", "application/json").body(Body::from(input.to_vec())).unwrap();
    extract::Body::<T>::from_request(request, &()).await.ok().map(|body| body.0)
}

#[tokio::test]
async fn fuzz_bodies() {
    let site = Site::new().await;
    let good = [
        "{\"service_name\":\"api\",\"fields\":{\"replicas\":\"3\",\"containers.app.requests.cpu\":\"500m\"},\"reason\":\"more\"}",
        "{\"service_name\":\"fleet\",\"optimization_types\":[\"RESOURCE_OPTIMIZATION\"],\"analysis_period\":\"14d\",\"auto_apply\":false}",
        "{\"plan_hash\":\"0000000000000000000000000000000000000000000000000000000000000000\"}",
        "{\"reason\":\"because\"}",
        "{\"text\":\"something to say\"}",
        "{\"scope\":\"team:core\",\"key\":\"confidence_threshold\",\"value\":\"0.7\"}",
        "{\"suite\":\"parser\",\"runs\":[{\"benchmark\":\"a\",\"unit\":\"ns\",\"values\":[1.5,2],\"at\":\"2026-11-18T10:00:00Z\"}]}",
    ];
    let app = Container { cpu_request: Some("1".parse().unwrap()), memory_request: Some("1Gi".parse().unwrap()), ..Container::default() };
    let state = ResourceState { containers: [("app".to_owned(), app)].into(), replicas: Some(2), ..ResourceState::default() };
    let nobody = "/api/v1/optimization/recommendations/01a200e7-fef7-775a-9fac-2774c8a5bae5";
    let propose = "/api/v1/optimization/propose".to_owned();
    let paths = [propose, format!("{nobody}/comment"), format!("{nobody}/dismiss"), format!("{nobody}/submit")];
    inputs("fuzz_bodies", &good, async |input, dice| {
        match dice.roll(7) {
            0 => drop(read::<AnalyzeRequest>(input).await),
            1 => drop(read::<recommendations::Seen>(input).await),
            2 => drop(read::<recommendations::Because>(input).await),
            3 => drop(read::<recommendations::Said>(input).await),
            4 => drop(read::<policy::Rule>(input).await),
            5 => drop(read::<benchmarks::Runs>(input).await),
            _ => {
                for (field, value) in read::<ProposeRequest>(input).await.into_iter().flat_map(|r| r.fields) {
                    let mut wanted = state.clone();
                    if wanted.set(&field, Some(value.trim())).is_ok() {
                        drop(wanted.check());
                    }
                }
            }
        }
        if dice.one_in(WHOLE) {
            let request = Request::post(dice.pick(&paths).as_str()).header("content-type", "application/json");
            let request = request.header("authorization", format!("Bearer {}", site.token));
            site.takes(request.body(Body::from(input.to_vec())).unwrap(), input).await;
        }
    })
    .await;
}

/// Knows no session: what is looked for is how its cookie is read.
#[derive(Debug, Clone)]
struct NoSessions;

#[async_trait]
impl SessionStore for NoSessions {
    async fn save(&self, _: &Record) -> session_store::Result<()> {
        Ok(())
    }
    async fn load(&self, _: &Id) -> session_store::Result<Option<Record>> {
        Ok(None)
    }
    async fn delete(&self, _: &Id) -> session_store::Result<()> {
        Ok(())
    }
}

/// Reads all cookies that there are: the session's, the theme, and the outcome of a form.
async fn cookies(session: Session, request: Request<Body>) {
    let user = session.get::<String>("user").await;
    assert!(user.is_ok_and(|name| name.is_none()), "nobody is signed in");
    let (parts, _) = request.into_parts();
    Owner::new().with(|| {
        provide_context(parts);
        drop((doorway::cookie("theme"), doorway::take_flash()));
    });
}

#[tokio::test]
async fn fuzz_cookies() {
    let site = Site::new().await;
    let reader: Router = Router::new().route("/", get(cookies)).layer(SessionManagerLayer::new(NoSessions).with_name("headroom"));
    let good = [
        "headroom=Zm9vYmFyYmF6cXV4MTIzNA; theme=dark",
        "headroom_flash=%7B%22form%22%3A%22sign-in%22%2C%22path%22%3A%22%2Fsign-in%22%2C%22typed%22%3A%7B%7D%7D",
        "__Host-headroom=AAAAAAAAAAAAAAAAAAAAAA; headroom=\"quoted\"; theme=system",
    ];
    inputs("fuzz_cookies", &good, async |input, dice| {
        // What is no header at all never gets this far.
        let Ok(cookie) = HeaderValue::from_bytes(input) else { return };
        let asked = |path: &str| Request::get(path).header("accept", "text/html").header("cookie", &cookie).body(Body::empty()).unwrap();
        // A panic here ends the test.
        let answer = reader.clone().oneshot(asked("/")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "asked with {:?}", lossy(input));
        if dice.one_in(WHOLE) {
            let path = if dice.one_in(20) { "/sign-in" } else { "/recommendations" };
            site.takes(asked(path), input).await;
        }
    })
    .await;
}

/// Cron times and zones: those that can be read are asked whether they are open at some time.
#[tokio::test]
async fn fuzz_cron() {
    let site = Site::new().await;
    let good = ["allow 0 9 * * 1-5 for 8h in Europe/Berlin", "deny 0 0 24 12 * for 8d", "deny */5 1,2 L * 5#2 for 1h in Asia/Tokyo"];
    inputs("fuzz_cron", &good, async |input, dice| {
        let text = lossy(input);
        if let Ok(rules) = text.parse::<ChangeWindows>()
            && windows::check(&rules).is_ok()
        {
            let at = Timestamp::from_secs(946_684_800 + dice.roll(3_155_760_000) as i64);
            let began = Instant::now();
            assert!(windows::closed(&rules, at).is_ok(), "{text:?} was taken, and is none at {at}");
            assert!(began.elapsed() < Duration::from_secs(5), "{text:?} at {at} takes {:?}", began.elapsed());
        }
        if dice.one_in(WHOLE) {
            let ctx = site.headroom.own_context("fuzz");
            drop(site.headroom.set_policy(&ctx, &Scope::Fleet, "change_windows", &text).await);
        }
    })
    .await;
}
