//! Starts Headroom and ends it: database, service, workers, routes, signals.

use crate::cli::{self, Serve};
use crate::config::{Config, LogFormat};
use crate::connections;
use crate::crash;
use crate::error::Failure;
use crate::routes;
use crate::state::AppState;
use crate::traces::Traces;
use headroom_engine::prices::PriceBook;
use headroom_infra::simulator::Client;
use headroom_infra::{Allowed, Error as InfraError, Infrastructure};
use headroom_model::fault::{chain, shown};
use headroom_model::time::Timestamp;
use headroom_service::{Cluster, Headroom, WorkerOptions};
use headroom_store::{Error as StoreError, Store};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How long open requests and workers have to finish after a signal.
const DRAIN: Duration = Duration::from_secs(10);
/// Wall seconds for which an idempotency key is known.
const KEYS_SECS: i64 = 7 * 86_400;
/// What is logged whatever the level: without the code nobody gets in.
const FIRST_RUN: &str = "first_run";
/// Connections to PostgreSQL that one Headroom takes at most: eight that read, two that write, one that leads, one that hears others.
const CONNECTIONS: u32 = 12;

/// `headroom serve`
///
/// # Errors
/// [`Failure`] for a bad configuration, a database that does not open, an address in use.
pub async fn run(arguments: &Serve) -> Result<(), Failure> {
    let mut config = configuration(&arguments.database)?;
    if let Some(bind) = arguments.bind {
        config.bind = bind;
    }
    let traces = start_log(&config)?;
    if let Some(fault) = config.exposed() {
        tracing::warn!("{fault}");
    }
    let boundary = crash::from_environment()?;
    let mut clusters = match &config.simulator.url {
        Some(url) => vec![awaited(url, &config.outgoing.allow).await?],
        None => Vec::new(),
    };
    if let Some(boundary) = &boundary {
        for cluster in &mut clusters {
            cluster.infrastructure = Arc::new(crash::Watched::new(cluster.infrastructure.clone(), boundary.clone()));
        }
    }
    let listener = listen(config.bind).await?;
    let address = config.address(bound(&listener)?);
    let store = open_store(&config).await?.watched(boundary.unwrap_or_default());
    let watching = !clusters.is_empty();
    let headroom = joined(store, clusters, false);
    if watching {
        headroom.stand_by().await?;
    }
    if headroom.needs_first_run().await? {
        let code = headroom.first_run_code().await?.0;
        tracing::info!(target: FIRST_RUN, "nobody can sign in yet: open {address}/first-run and create the administrator with the code {code}");
    }
    tracing::info!("Headroom listens at {address}");
    let ended = run_until_signal(config, headroom, listener).await;
    traces.end().await;
    ended
}

/// The configuration with what the command line says laid over it.
///
/// # Errors
/// [`Failure::BadInput`] names file and line, or the environment variable.
pub fn configuration(database: &cli::Database) -> Result<Config, Failure> {
    let mut config = Config::load(database.config.as_deref())?;
    if let Some(dir) = &database.data_dir {
        config.data_dir.clone_from(dir);
        // A directory says where the database's file is, unless the database is a server's.
        if config.database_file().is_some() {
            config.database.url = None;
        }
    }
    Ok(config)
}

/// The wall's clock.
#[must_use]
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Opens the database (made and migrated if need be) and joins it with the clusters.
///
/// # Errors
/// [`Failure`] when the directory or the database cannot be used.
pub async fn open(config: &Config, clusters: Vec<Cluster>, demo: bool) -> Result<Arc<Headroom>, Failure> {
    Ok(joined(open_store(config).await?, clusters, demo))
}

/// What a store and clusters are together.
#[must_use]
pub fn joined(store: Store, clusters: Vec<Cluster>, demo: bool) -> Arc<Headroom> {
    Headroom::new(store, clusters, PriceBook::on_prem_default(), Arc::new(wall), demo)
}

async fn open_store(config: &Config) -> Result<Store, Failure> {
    make_folder(config)?;
    Store::open(&config.store()).await.map_err(|e| not_opened(config, e))
}

/// Why a database does not open. A server with too few connections takes the first ones, and fails on the way.
#[must_use]
pub fn not_opened(config: &Config, error: StoreError) -> Failure {
    match (error, &config.database.url) {
        (StoreError::Database(cause), Some(url)) if config.database_file().is_none() => Failure::Fault(format!(
            "cannot open the database {}: {cause}. Check that the server runs and has connections left: each Headroom takes up to \
             {CONNECTIONS} of its max_connections",
            shown(url)
        )),
        (other, _) => other.into(),
    }
}

/// Makes the folder of the database's file.
///
/// # Errors
/// [`Failure`] when it cannot be made.
pub fn make_folder(config: &Config) -> Result<(), Failure> {
    let file = config.database_file();
    if let Some(dir) = file.as_deref().and_then(Path::parent).filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(|e| Failure::Fault(format!("{}: cannot be made: {e}", dir.display())))?;
    }
    Ok(())
}

/// A cluster behind a simulator's address.
///
/// # Errors
/// [`Failure`] when it does not answer, or requests may not go there.
pub async fn simulated(url: &str, allowed: &Allowed) -> Result<(Cluster, Arc<Client>), Failure> {
    let client = Arc::new(Client::connect(url, allowed).await.map_err(|e| no_answer(url, &e))?);
    Ok((Cluster { infrastructure: client.clone(), metrics: client.clone() }, client))
}

/// The same cluster, which need not answer yet: the workers go on asking, and there are pages meanwhile.
async fn awaited(url: &str, allowed: &Allowed) -> Result<Cluster, Failure> {
    let client = Arc::new(Client::new(url, allowed));
    match client.clock().await {
        Ok(_) => {}
        Err(never @ InfraError::NotAllowed(_)) => return Err(no_answer(url, &never)),
        Err(fault) => tracing::warn!("{}. Headroom starts without it, and goes on asking", no_answer(url, &fault)),
    }
    Ok(Cluster { infrastructure: client.clone(), metrics: client })
}

fn no_answer(url: &str, fault: &InfraError) -> Failure {
    let said = fault.to_string();
    Failure::Fault(format!("the simulator at {}: {}", shown(url), said.trim_end_matches(". Nothing was done; it is tried again")))
}

/// Takes an address.
///
/// # Errors
/// [`Failure`] when it is in use or not allowed.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|e| Failure::Fault(format!("cannot listen at {address}: {e}. Is Headroom running already?")))
}

/// The address that was taken.
///
/// # Errors
/// [`Failure`] when the system does not tell.
pub fn bound(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|e| Failure::Fault(e.to_string()))
}

/// Serves and works until SIGTERM or SIGINT; then open requests and work in hand are finished, for at most [`DRAIN`] each.
///
/// # Errors
/// [`Failure`] when the listener breaks.
pub async fn run_until_signal(config: Config, headroom: Arc<Headroom>, listener: TcpListener) -> Result<(), Failure> {
    let signalled = signalled();
    let (stop, ending) = watch::channel(false);
    let options = WorkerOptions { owner: uuid::Uuid::now_v7().to_string(), lease_secs: config.lease_secs, poll: Duration::from_secs(1) };
    let state = AppState::new(headroom.clone(), config, ending.clone());
    let workers = tokio::spawn(headroom.clone().run(options, ending.clone()));
    tokio::spawn(tidy(headroom.clone(), state.clone()));
    let mut server = tokio::spawn(connections::serve(listener, routes::router(&state), state.patience, ending));
    let broken = tokio::select! {
        name = signalled => { tracing::info!("{name}: finishing what is under way"); None }
        result = &mut server => Some(result),
    };
    stop.send_replace(true);
    if broken.is_none() && tokio::time::timeout(DRAIN, server).await.is_err() {
        tracing::warn!("some requests were cut off");
    }
    if tokio::time::timeout(DRAIN, workers).await.is_err() {
        tracing::warn!("work in hand was left; the next start takes it up");
    }
    headroom.store().close().await;
    match broken {
        Some(result) => Err(Failure::Fault(format!("the server ended by itself: {result:?}"))),
        None => Ok(()),
    }
}

/// Removes expired sessions, answers that nobody asks for again, and what was counted of those who have gone, once an hour.
async fn tidy(headroom: Arc<Headroom>, state: AppState) {
    loop {
        state.limits.forget();
        if let Err(error) = headroom.store().delete_expired_sessions(wall(), headroom.idle_since()).await {
            tracing::warn!(error = %chain(&error), "expired sessions stay for another hour");
        }
        if let Err(error) = headroom.store().forget_keys(wall().plus_secs(-KEYS_SECS)).await {
            tracing::warn!(error = %chain(&error), "old idempotency keys stay for another hour");
        }
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

/// Waits for SIGTERM or SIGINT; its name. From the call on, not only once it is awaited, these no longer end the process by themselves.
pub fn signalled() -> impl Future<Output = &'static str> {
    let listening = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        match listening {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" }
            }
            _ => std::future::pending().await,
        }
    }
}

/// Starts the log on standard error, and traces where a collector is configured.
///
/// # Errors
/// [`Failure`] when the collector's address cannot be used.
pub fn start_log(config: &Config) -> Result<Traces, Failure> {
    let traces = Traces::to(config.traces.collector.as_deref())?;
    let spans = traces.tracer().map(|tracer| tracing_opentelemetry::layer().with_tracer(tracer));
    // Checked when the configuration was read.
    let targets = config.log.targets().unwrap_or_default().with_target(FIRST_RUN, LevelFilter::INFO);
    let registry = tracing_subscriber::registry().with(targets).with(spans);
    // Colours are for people: a file or a collector gets plain lines.
    let lines = tracing_subscriber::fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    let started = match config.log.format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
    // A second start in one process, as in tests, keeps the first log.
    let _ = started;
    Ok(traces)
}
