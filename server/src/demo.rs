//! `headroom demo`: a simulated cluster in a child process, one user per role, everything on loopback.

use crate::cli::Demo;
use crate::config::{Config, SecondFactor, SignIn, data_home};
use crate::error::Failure;
use crate::serve;
use crate::simulator::Child;
use headroom_model::auth::{Role, Teams};
use headroom_service::Headroom;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The demonstration's users.
pub const USERS: [(&str, Role); 4] =
    [("engineer", Role::Engineer), ("manager", Role::Manager), ("approver", Role::Approver), ("admin", Role::Administrator)];

/// Starts the demonstration and runs it until a signal.
///
/// # Errors
/// [`Failure`] when the port is taken, the trace cannot be read, or the simulator does not start.
pub async fn run(arguments: &Demo) -> Result<(), Failure> {
    let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let data_dir = arguments.data_dir.clone().unwrap_or_else(|| data_home("headroom-demo"));
    // One-time links on loopback are all the proof that a demonstration needs, and its welcome says so.
    let sign_in = SignIn { second_factor: SecondFactor::Off };
    let config = Config { bind, data_dir, sign_in, ..Config::default() };
    serve::start_log(&config)?;
    let listener = serve::listen(bind).await?;
    let address = config.address(serve::bound(&listener)?);
    tracing::info!("state is kept in {}", config.data_dir.display());
    let simulator = config.data_dir.join("simulator");
    let mut child = Child::start(arguments, &simulator).await?;
    let (cluster, client) = serve::simulated(&child.address, &config.outgoing.allow).await?;
    // The journal remembers the speed of the last run.
    client.set_speed(arguments.speed).await.map_err(|e| Failure::Fault(e.to_string()))?;
    let headroom = serve::open(&config, vec![cluster], true).await?;
    headroom.ingest().await?;
    print!("{}", welcome(&headroom, &address, arguments).await?);
    let result = tokio::select! {
        ended = serve::run_until_signal(config, headroom, listener) => ended,
        fault = child.keep(arguments, &simulator) => Err(fault),
    };
    child.end().await;
    result
}

async fn welcome(headroom: &Arc<Headroom>, address: &str, arguments: &Demo) -> Result<String, Failure> {
    let mut text = format!(
        "\nHeadroom is at {address} (simulated cluster, time runs {}×)\n\nSign in; each link works once, for a day:\n",
        arguments.speed
    );
    for (name, link) in sign_in_links(headroom, address).await? {
        let _ = writeln!(text, "  {name:<9} {link}");
    }
    text += "\nNobody is asked for a second factor here; headroom serve asks approvers and administrators.\nCtrl-C ends it; the next start goes on where this one ended.\n";
    Ok(text)
}

/// Creates the demonstration's users where they are missing, and a one-time link for each.
///
/// # Errors
/// [`Failure`] of the database.
pub async fn sign_in_links(headroom: &Arc<Headroom>, address: &str) -> Result<Vec<(&'static str, String)>, Failure> {
    let ctx = headroom.own_context("demo");
    let mut links = Vec::new();
    for (name, role) in USERS {
        let code = match headroom.user(name).await? {
            None => headroom.create_user(&ctx, name, role, &Teams::ALL).await?,
            Some(_) => headroom.issue_code(&ctx, name).await?,
        };
        links.push((name, format!("{address}/sign-in/code?code={}", code.0)));
    }
    Ok(links)
}
