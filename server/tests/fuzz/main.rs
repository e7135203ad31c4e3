//! What comes from outside is bent and broken at random: nothing that reads it panics. A seed is a thousand inputs; seeds.rs says how
//! many there are. Prometheus, OpenMetrics and YAML have no parser yet.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

#[path = "../service/tests/workflow/house/seeds.rs"]
mod seeds;

use axum::body::Body;
use axum::extract::ConnectInfo;
use headroom_infra::import::read_usage;
use headroom_model::auth::{Role, Teams};
use headroom_model::policy::{PolicyPatch, Scope};
use headroom_model::quantity;
use headroom_model::windows::ChangeWindows;
use headroom_server::config::{Config, Limits};
use headroom_server::serve::wall;
use headroom_server::state::AppState;
use headroom_server::{routes, serve};
use headroom_service::{Headroom, NewToken};
use http::{Request, StatusCode};
use seeds::{Dice, Row};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

/// Inputs per seed.
const INPUTS: u64 = 1_000;

const fn row(name: &'static str) -> Row {
    Row { name, full: 10_000, short: 3, batch: 100 }
}

/// Pieces that readers look for, or trip over.
const PIECES: [&str; 40] = [
    ",",
    ";",
    "\"",
    "\n",
    "\r\n",
    "=",
    ".",
    "-",
    "--",
    "e",
    "E999",
    "0",
    "-0",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "1e308",
    "NaN",
    "inf",
    "null",
    "true",
    "{}",
    "[[",
    "]]",
    "{\"a\":",
    "'''",
    "\\u0000",
    "\u{0}",
    "\u{feff}",
    "é",
    "🦀",
    "%00",
    "%ff",
    "Ki",
    "Ei",
    "m",
    " in Europe/Berlin",
    "*/0",
    "L#W",
    "2026-02-30T25:61:61Z",
];

/// A text of the kind, bent: mostly a little, so that it gets past the first look.
fn bent(dice: &mut Dice, good: &[&str]) -> Vec<u8> {
    let mut text = dice.pick(good).as_bytes().to_vec();
    for _ in 0..=dice.roll(5) {
        let at = dice.roll(text.len() + 1);
        let to = (at + dice.roll(12)).min(text.len());
        match dice.roll(7) {
            0 => drop(text.drain(at..to)),
            1 => {
                let again = text[at..to].to_vec();
                text.splice(at..at, again);
            }
            2 if at < text.len() => text[at] ^= 1 << dice.roll(8),
            3 if at < text.len() => text[at] = u8::try_from(dice.roll(256)).unwrap(),
            4 => text.truncate(at),
            5 => {
                let other = dice.pick(good).as_bytes();
                text.splice(at..to, other[dice.roll(other.len() + 1)..].iter().copied());
            }
            _ => drop(text.splice(at..to, dice.pick(&PIECES).bytes())),
        }
        text.truncate(4_000);
    }
    text
}

/// Lets a reader read what each seed makes; says which input was too much for it.
async fn readers(name: &'static str, good: &[&str], read: impl Fn(&[u8])) {
    let seeds = async |run: &seeds::Run, seeds: Range<u64>| {
        for seed in seeds {
            let _trial = run.trial(seed);
            let mut dice = Dice::new(seed);
            for _ in 0..INPUTS {
                let input = bent(&mut dice, good);
                let done = catch_unwind(AssertUnwindSafe(|| read(&input)));
                assert!(done.is_ok(), "it could not read {:?}", String::from_utf8_lossy(&input));
            }
        }
    };
    row(name).run("none", seeds).await;
}

fn lossy(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

#[tokio::test]
async fn fuzz_csv() {
    let good = [
        "time,service,metric,value\n2026-11-18T10:00:00Z,api,cpu_usage_cores,0.5\n2026-11-18T10:05:00Z,api,cpu_usage_cores,0.6\n",
        "time,service,metric,value,cluster,namespace,workload,container,unit\n1763460000,api,memory_usage_bytes,1e9,c,n,Deployment,app,bytes\n",
        "service,value,time,metric,unit\n\"a,b\",1,1763460000000,cpu_request,millicores\n\"a,b\",2,2026-11-18 10:05:00,cpu_request,cores\n",
    ];
    readers("fuzz_csv", &good, |input| drop(read_usage(input, "usage.csv"))).await;
}

#[tokio::test]
async fn fuzz_configuration() {
    let good = [
        "bind = \"127.0.0.1:3000\"\ndata_dir = \"/srv\"\nlease_secs = 30\ntrusted_proxy = false\n",
        "public_url = \"https://headroom.example.com\"\n[database]\nurl = \"postgres://me:secret@db/headroom\"\n",
        "[log]\nlevel = \"info,sqlx=warn\"\nformat = \"json\"\n[simulator]\nurl = \"http://127.0.0.1:7001\"\n",
    ];
    readers("fuzz_configuration", &good, |input| {
        if let Err(error) = Config::read("headroom.toml", &lossy(input)) {
            assert!(!error.to_string().is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn fuzz_windows() {
    let good = [
        "allow 0 9 * * 1-5 for 8h in Europe/Berlin; deny 0 0 24 12 * for 8d",
        "deny * * * * * for 1d",
        "30m",
        "0.7",
        "COST_OPTIMIZATION, SCALING_OPTIMIZATION",
    ];
    let keys: Vec<&str> = headroom_model::policy::Policy::KEYS.iter().map(|k| k.0).collect();
    readers("fuzz_windows", &good, |input| {
        let text = lossy(input);
        if let Ok(windows) = text.parse::<ChangeWindows>() {
            assert_eq!(windows.to_string().parse::<ChangeWindows>().as_ref(), Ok(&windows), "it reads back as something else");
        }
        let key = keys[input.len() % keys.len()];
        drop(PolicyPatch::default().set(key, &text));
    })
    .await;
}

#[tokio::test]
async fn fuzz_quantities() {
    let good = ["500m", "1Gi", "0.25", "128974848", "129e6", "123Mi", "1k", "2.5Ei", "-1"];
    readers("fuzz_quantities", &good, |input| {
        if let Ok(value) = quantity::parse(&lossy(input)) {
            assert!(value.is_finite(), "{value}");
        }
    })
    .await;
}

/// A Headroom without a cluster that answers requests in this process, and an engineer's token.
struct Site {
    router: axum::Router,
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

    /// Sends each input; a panic behind a request is answered with 500.
    async fn asked(&self, name: &'static str, good: &[&str], request: impl Fn(&[u8], &mut Dice) -> Option<Request<Body>>) {
        let seeds = async |run: &seeds::Run, seeds: Range<u64>| {
            for seed in seeds {
                let _trial = run.trial(seed);
                let mut dice = Dice::new(seed);
                for _ in 0..INPUTS {
                    let input = bent(&mut dice, good);
                    let Some(mut request) = request(&input, &mut dice) else { continue };
                    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
                    let answer = self.router.clone().oneshot(request).await.unwrap();
                    assert_ne!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "asked with {:?}", lossy(&input));
                }
            }
        };
        row(name).run("sqlite", seeds).await;
    }
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
    ];
    let nobody = "/api/v1/optimization/recommendations/01a200e7-fef7-775a-9fac-2774c8a5bae5";
    let paths =
        ["/api/v1/optimization/propose".to_owned(), format!("{nobody}/comment"), format!("{nobody}/dismiss"), format!("{nobody}/submit")];
    site.asked("fuzz_bodies", &good, |input, dice| {
        let request = Request::post(dice.pick(&paths).as_str()).header("authorization", format!("Bearer {}", site.token));
        request.header("content-type", "application/json").body(Body::from(input.to_vec())).ok()
    })
    .await;
}

#[tokio::test]
async fn fuzz_cookies() {
    let site = Site::new().await;
    let good = [
        "headroom=Zm9vYmFyYmF6cXV4MTIzNA; theme=dark",
        "flash=%7B%22form%22%3A%22sign-in%22%2C%22path%22%3A%22%2Fsign-in%22%2C%22typed%22%3A%7B%7D%7D",
        "__Host-headroom=AAAAAAAAAAAAAAAAAAAAAA; headroom=\"quoted\"; theme=system",
    ];
    site.asked("fuzz_cookies", &good, |input, dice| {
        // What is no header at all never gets this far.
        let cookie = http::HeaderValue::from_bytes(input).ok()?;
        let path = if dice.one_in(20) { "/sign-in" } else { "/recommendations" };
        Request::get(path).header("accept", "text/html").header("cookie", cookie).body(Body::empty()).ok()
    })
    .await;
}

/// Cron times and zones are read by the service, which stores what it understands.
#[tokio::test]
async fn fuzz_cron() {
    let site = Site::new().await;
    let good = ["allow 0 9 * * 1-5 for 8h in Europe/Berlin", "deny 0 0 24 12 * for 8d", "deny */5 1,2 L * 5#2 for 1h in Asia/Tokyo"];
    let seeds = async |run: &seeds::Run, seeds: Range<u64>| {
        for seed in seeds {
            let _trial = run.trial(seed);
            let mut dice = Dice::new(seed);
            for _ in 0..INPUTS / 10 {
                let text = lossy(&bent(&mut dice, &good));
                let ctx = site.headroom.own_context("fuzz");
                drop(site.headroom.set_policy(&ctx, &Scope::Fleet, "change_windows", &text).await);
            }
        }
    };
    row("fuzz_cron").run("sqlite", seeds).await;
}
