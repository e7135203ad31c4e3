//! The simulated cluster: a product part to try Headroom on, and a target that can be made to fail.
//!
//! It runs as its own process ([`serve`]) with a journal of its own, so that killing Headroom does not kill the evidence, and is
//! spoken to through [`Client`] like any cluster. What is measured follows from equations of its own ([`queueing`], [`physics`]),
//! which the engine does not know; changing requests, limits, replicas or parameters shows in the next samples.

pub mod admission;
mod archetypes;
mod builder;
mod catalogue;
pub mod client;
pub mod cluster;
pub mod demand;
pub mod faults;
mod http;
pub mod journal;
pub mod noise;
pub mod physics;
pub mod profile;
mod published;
pub mod queueing;
pub mod replicas;
pub mod samples;
pub mod simulation;
pub mod trace;
mod wire;
pub mod world;

pub use client::Client;
pub use faults::{Fault, FaultKind};
pub use http::{Bound, bind, serve};

use crate::rows::ImportError;
use headroom_model::time::Timestamp;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The name of the simulated cluster unless told otherwise.
pub const CLUSTER: &str = "demo";

/// How a simulator is started. What its data directory already holds wins over all but `listen`.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The cluster's name.
    pub cluster: String,
    /// Seed of all noise: same seed and start, same samples.
    pub seed: u64,
    /// How many services.
    pub services: usize,
    /// Cluster seconds per wall second, 0 to 100,000.
    pub speed: f64,
    /// A loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where journal and samples are kept.
    pub data_dir: PathBuf,
    /// A usage file whose services are replayed instead of the catalogue's.
    pub trace: Option<PathBuf>,
    /// Cluster time at which the clock starts (rounded down to five minutes); the history ends there.
    pub start: Timestamp,
    /// Days of history before the start.
    pub history_days: u32,
    /// End when standard input is closed: for a child, whose parent holds the other end and closes it even by dying.
    pub until_stdin_closes: bool,
}

impl Options {
    /// The demonstration: the whole catalogue, 14 days, sixty times as fast as the wall clock, a free port.
    #[must_use]
    pub fn new(data_dir: PathBuf, start: Timestamp) -> Self {
        Self {
            cluster: CLUSTER.to_owned(),
            seed: 1,
            services: 34,
            speed: 60.0,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir,
            trace: None,
            start,
            history_days: 14,
            until_stdin_closes: false,
        }
    }
}

/// Why the simulator could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// Its files cannot be read or written.
    #[error("the simulator's data directory cannot be used: {0}")]
    Files(#[from] std::io::Error),
    /// Another simulator has the directory.
    #[error("{}: another simulator uses this directory: end it, or choose another directory with --data-dir", .0.display())]
    InUse(PathBuf),
    /// The trace is malformed.
    #[error(transparent)]
    Trace(#[from] ImportError),
    /// The address is taken or not allowed.
    #[error("the simulator cannot listen on {address}: {fault}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        fault: String,
    },
}

#[cfg(test)]
mod tests;
