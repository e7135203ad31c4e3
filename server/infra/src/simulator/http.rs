//! The simulator's process: its interface over HTTP on loopback, and its clock.

use super::faults::{Fault, FaultKind, Faults};
use super::simulation::Simulation;
use super::wire::{self, ApplyRequest, ClockAnswer, DeployRequest, EditRequest, Failure, ShutOutRequest, SpeedRequest};
use super::{Options, SimulatorError};
use crate::infrastructure::{Error, Result};
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use headroom_model::fault::chain;
use headroom_model::ids::ChangeId;
use headroom_model::plan::Plan;
use headroom_model::service::ServiceKey;
use headroom_model::time::DAY;
use serde::Deserialize;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How often the clock is looked at.
const BEAT: Duration = Duration::from_millis(40);
/// How long ticks may keep callers waiting.
const BUDGET: Duration = Duration::from_millis(150);
/// Longer than any client waits.
const NEVER: Duration = Duration::from_secs(3600);
/// How late a write comes that was held up on its way, or an answer.
const LATE: Duration = Duration::from_secs(2);

struct Shared {
    simulation: Mutex<Simulation>,
    faults: Mutex<Faults>,
}

impl Shared {
    fn simulation(&self) -> MutexGuard<'_, Simulation> {
        self.simulation.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn fault(&self, apply: bool) -> Option<FaultKind> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).next(apply)
    }
}

/// A simulator that listens and is ready to run.
pub struct Bound {
    address: SocketAddr,
    listener: TcpListener,
    shared: Arc<Shared>,
    until_stdin_closes: bool,
}

/// Makes or reopens the cluster and begins to listen.
///
/// # Errors
/// [`SimulatorError`] when the address is not on loopback or taken, the files cannot be used, or the trace is malformed.
pub async fn bind(options: Options) -> std::result::Result<Bound, SimulatorError> {
    let address = options.listen;
    let refused = |fault: String| SimulatorError::Listen { address, fault };
    if !address.ip().is_loopback() {
        return Err(refused("it has no sign-in and therefore listens on loopback only, such as 127.0.0.1".into()));
    }
    let listener = TcpListener::bind(address).await.map_err(|e| refused(e.to_string()))?;
    let address = listener.local_addr()?;
    let until_stdin_closes = options.until_stdin_closes;
    let opened = tokio::task::spawn_blocking(move || Simulation::open(&options, Instant::now())).await;
    let mut simulation = opened.map_err(std::io::Error::other)??;
    simulation.resume(Instant::now());
    let shared = Arc::new(Shared { simulation: Mutex::new(simulation), faults: Mutex::default() });
    Ok(Bound { address, listener, shared, until_stdin_closes })
}

/// The process: listens, prints its address (`simulator listening on http://…`) on standard output, and runs until `shutdown`
/// resolves, or until standard input closes where the options say so.
///
/// # Errors
/// As [`bind`].
pub async fn serve(options: Options, shutdown: impl Future<Output = ()> + Send + 'static) -> std::result::Result<(), SimulatorError> {
    let bound = bind(options).await?;
    println!("simulator listening on http://{}", bound.address);
    bound.run(shutdown).await
}

impl Bound {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
    /// The base URL for a client.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Runs the clock and answers calls until `shutdown` resolves.
    ///
    /// # Errors
    /// When the listener breaks or the last state cannot be written.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> std::result::Result<(), SimulatorError> {
        let stop = Arc::new(AtomicBool::new(false));
        let clock = {
            let (shared, stop) = (self.shared.clone(), stop.clone());
            std::thread::spawn(move || beat(&shared, &stop))
        };
        let (closed, stdin) = oneshot::channel::<()>();
        if self.until_stdin_closes {
            // A plain thread: a blocked read must not keep the process from ending.
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
                let _ = closed.send(());
            });
        }
        let orphaned = self.until_stdin_closes;
        let ended = async move {
            let parent_gone = async move { if orphaned { drop(stdin.await) } else { std::future::pending().await } };
            tokio::select! { () = shutdown => {}, () = parent_gone => {} }
        };
        let served = tokio::select! {
            served = std::future::IntoFuture::into_future(axum::serve(self.listener, router(self.shared.clone()))) => served,
            () = ended => Ok(()),
        };
        stop.store(true, Ordering::Relaxed);
        let _ = tokio::task::spawn_blocking(move || clock.join()).await;
        self.shared.simulation().rest(Instant::now())?;
        Ok(served?)
    }
}

fn beat(shared: &Shared, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        if let Err(error) = shared.simulation().advance(begun, BUDGET) {
            tracing::error!(error = %chain(&error), "the simulator cannot write its samples");
        }
        std::thread::sleep(BEAT);
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/clock", get(clock))
        .route("/v1/speed", post(speed))
        .route("/v1/services", get(inventory))
        .route("/v1/nodes", get(nodes))
        .route("/v1/rooms", get(rooms))
        .route("/v1/read", post(read))
        .route("/v1/preview", post(preview))
        .route("/v1/apply", post(apply))
        .route("/v1/shut-out", post(shut_out))
        .route("/v1/mutations/{change}", get(mutations))
        .route("/v1/repeats", get(repeats))
        .route("/v1/metrics", get(metrics))
        .route("/v1/faults", post(fault))
        .route("/v1/edit", post(edit))
        .route("/v1/recreate", post(recreate))
        .route("/v1/deploy", post(deploy))
        .with_state(shared)
}

/// An error as an answer.
struct Failed(Error);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let (status, failure) = wire::failure(&self.0);
        (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(failure)).into_response()
    }
}

/// The answer that a fault gives instead.
async fn broken(kind: FaultKind) -> Response {
    let answer = |status: StatusCode, message: &str| (status, Json(Failure { message: message.into(), drift: Vec::new() })).into_response();
    match kind {
        FaultKind::Timeout | FaultKind::TimeoutAfterCommit | FaultKind::LateCommit => {
            tokio::time::sleep(NEVER).await;
            answer(StatusCode::GATEWAY_TIMEOUT, "injected: too late")
        }
        FaultKind::SlowAnswer => {
            tokio::time::sleep(LATE).await;
            answer(StatusCode::GATEWAY_TIMEOUT, "injected: too late")
        }
        FaultKind::Conflict => answer(StatusCode::CONFLICT, "injected: someone else was faster"),
        FaultKind::TooManyRequests => answer(StatusCode::TOO_MANY_REQUESTS, "injected: too many requests"),
        FaultKind::AutoscalerRefused => answer(StatusCode::UNPROCESSABLE_ENTITY, "injected: the autoscaler takes no write"),
        FaultKind::ServerError | FaultKind::ServerErrorAfterCommit => answer(StatusCode::INTERNAL_SERVER_ERROR, "injected: broken"),
        FaultKind::Reset | FaultKind::ResetAfterCommit => {
            let cut = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            Response::new(Body::from_stream(tokio_stream::once(std::result::Result::<Bytes, _>::Err(cut))))
        }
    }
}

/// Work with the simulation off the async threads.
async fn with<T: Send + 'static>(shared: &Arc<Shared>, act: impl FnOnce(&mut Simulation) -> Result<T> + Send + 'static) -> Result<T> {
    let shared = shared.clone();
    let done = tokio::task::spawn_blocking(move || act(&mut shared.simulation())).await;
    done.unwrap_or_else(|e| Err(Error::Protocol(e.to_string())))
}

async fn answer<T: serde::Serialize + Send + 'static>(
    shared: &Arc<Shared>,
    act: impl FnOnce(&mut Simulation) -> Result<T> + Send + 'static,
) -> Response {
    if let Some(kind) = shared.fault(false) {
        return broken(kind).await;
    }
    match with(shared, act).await {
        Ok(value) => Json(value).into_response(),
        Err(error) => Failed(error).into_response(),
    }
}

async fn clock(State(shared): State<Arc<Shared>>) -> Response {
    answer(&shared, |s| {
        let (now, speed) = s.tell_clock(Instant::now()).map_err(|e| Error::Protocol(e.to_string()))?;
        Ok(ClockAnswer { now, speed, cluster: s.world().cluster.clone() })
    })
    .await
}

async fn speed(State(shared): State<Arc<Shared>>, Json(wanted): Json<SpeedRequest>) -> Response {
    answer(&shared, move |s| s.set_speed(wanted.speed, Instant::now())).await
}

async fn inventory(State(shared): State<Arc<Shared>>) -> Response {
    answer(&shared, |s| Ok(s.inventory())).await
}

async fn rooms(State(shared): State<Arc<Shared>>) -> Response {
    answer(&shared, |s| Ok(s.rooms())).await
}

async fn nodes(State(shared): State<Arc<Shared>>) -> Response {
    answer(&shared, |s| Ok((s.world().nodes.clone(), s.world().namespaces.clone()))).await
}

async fn read(State(shared): State<Arc<Shared>>, Json(key): Json<ServiceKey>) -> Response {
    answer(&shared, move |s| s.read(&key)).await
}

async fn preview(State(shared): State<Arc<Shared>>, Json(plan): Json<Plan>) -> Response {
    answer(&shared, move |s| s.preview(&plan)).await
}

async fn mutations(State(shared): State<Arc<Shared>>, Path(change): Path<ChangeId>) -> Response {
    answer(&shared, move |s| Ok(s.mutations(change))).await
}

async fn shut_out(State(shared): State<Arc<Shared>>, Json(r): Json<ShutOutRequest>) -> Response {
    answer(&shared, move |s| s.shut_out(r.change, &r.target, Instant::now())).await
}

async fn repeats(State(shared): State<Arc<Shared>>) -> Response {
    // Asked by whoever tests: no fault is meant for it.
    Json(shared.simulation().repeats()).into_response()
}

async fn edit(State(shared): State<Arc<Shared>>, Json(r): Json<EditRequest>) -> Response {
    answer(&shared, move |s| s.edit(&r.key, &r.changes, Instant::now())).await
}

async fn recreate(State(shared): State<Arc<Shared>>, Json(r): Json<EditRequest>) -> Response {
    answer(&shared, move |s| s.recreate(&r.key, Instant::now())).await
}

async fn deploy(State(shared): State<Arc<Shared>>, Json(r): Json<DeployRequest>) -> Response {
    answer(&shared, move |s| s.deploy(&r.key, &r.version, Instant::now())).await
}

async fn apply(State(shared): State<Arc<Shared>>, Json(r): Json<ApplyRequest>) -> Response {
    let fault = shared.fault(true);
    if fault == Some(FaultKind::LateCommit) {
        // Whoever asked may have gone away by then.
        tokio::spawn(async move {
            tokio::time::sleep(LATE).await;
            let late = with(&shared, move |s| s.apply(r.change, &r.plan, &r.changes, r.purpose, Instant::now())).await;
            tracing::info!(?late, "a write came late, as was ordered");
        });
        return broken(FaultKind::LateCommit).await;
    }
    if fault == Some(FaultKind::AutoscalerRefused) {
        return without_autoscaler(&shared, r).await;
    }
    let slow = fault == Some(FaultKind::SlowAnswer);
    if let Some(kind) = fault.filter(|k| !slow && !k.commits()) {
        return broken(kind).await;
    }
    let written = with(&shared, move |s| s.apply(r.change, &r.plan, &r.changes, r.purpose, Instant::now())).await;
    if slow {
        tokio::time::sleep(LATE).await;
    }
    match (fault.filter(|_| !slow), written) {
        (Some(kind), _) => broken(kind).await,
        (None, Ok(written)) => Json(written).into_response(),
        (None, Err(error)) => Failed(error).into_response(),
    }
}

/// A workload and its autoscaler are two objects, written one after the other: the second is refused.
async fn without_autoscaler(shared: &Arc<Shared>, r: ApplyRequest) -> Response {
    let (autoscaler, workload): (Vec<_>, Vec<_>) = r.changes.into_iter().partition(|c| c.field.starts_with("autoscaler."));
    if !workload.is_empty() {
        match with(shared, move |s| s.apply(r.change, &r.plan, &workload, r.purpose, Instant::now())).await {
            Err(error) => return Failed(error).into_response(),
            Ok(written) if autoscaler.is_empty() => return Json(written).into_response(),
            Ok(_) => {}
        }
    }
    broken(FaultKind::AutoscalerRefused).await
}

async fn fault(State(shared): State<Arc<Shared>>, Json(fault): Json<Fault>) -> Response {
    shared.faults.lock().unwrap_or_else(PoisonError::into_inner).inject(fault);
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
struct Range {
    from: i64,
    to: i64,
}

async fn metrics(State(shared): State<Arc<Shared>>, Query(range): Query<Range>) -> Response {
    if let Some(kind) = shared.fault(false) {
        return broken(kind).await;
    }
    if range.to.saturating_sub(range.from) > DAY {
        return Failed(Error::Refused("at most one day of samples per call".into())).into_response();
    }
    let view = match with(&shared, move |s| Ok(s.samples(range.from, range.to))).await {
        Ok(view) => view,
        Err(error) => return Failed(error).into_response(),
    };
    let encoded = tokio::task::spawn_blocking(move || view.read().map(|frames| wire::encode(&frames))).await;
    match encoded.map_err(std::io::Error::other).and_then(|r| r) {
        Ok(bytes) => ([("content-type", "application/octet-stream")], bytes).into_response(),
        Err(error) => Failed(Error::Protocol(error.to_string())).into_response(),
    }
}
