//! What a simulated service is made of: demand, work, memory, cache, database, GPU, disk. Fixed when the world is made.

use super::demand::Demand;
use headroom_model::service::{Managed, Parameter, ResourceState, ServiceKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One simulated service: what the cluster says of it, and how it behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// What it is.
    pub key: ServiceKey,
    /// Owner.
    pub team: String,
    /// `production` or `staging`.
    pub environment: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Who may write to it.
    pub managed: Managed,
    /// What is asked for at the beginning.
    pub state: ResourceState,
    /// How it behaves.
    pub profile: Profile,
}

/// A call to another service.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Index of the callee in the world.
    pub service: usize,
    /// Calls per request.
    pub per_request: f64,
}

/// How a service behaves.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Requests from outside; `None` for a service that is only called.
    pub demand: Option<Demand>,
    /// What it calls while it answers.
    pub calls: Vec<Call>,
    /// CPU per request, core-milliseconds.
    pub cpu_ms: f64,
    /// CPU of a replica that has nothing to do, cores.
    pub idle_cores: f64,
    /// Time per request that is neither CPU nor waiting for others, milliseconds.
    pub io_ms: f64,
    /// Spread of the time per request (sigma of its logarithm).
    pub spread: f64,
    /// Memory of an empty replica, bytes.
    pub memory_base: f64,
    /// Memory per request per second and replica, bytes.
    pub memory_per_rate: f64,
    /// Memory leaked per replica and hour, bytes.
    pub leak_per_hour: f64,
    /// Cache in the process, of the size of the parameter `cache_size`.
    pub cache: Option<Cache>,
    /// Database behind the service.
    pub database: Option<Database>,
    /// Work on GPUs.
    pub gpu: Option<Gpu>,
    /// Persistent volume.
    pub volume: Option<Growth>,
    /// Bytes received per request.
    pub bytes_in: f64,
    /// Bytes sent per request.
    pub bytes_out: f64,
    /// Bytes read from disk per request.
    pub disk_read: f64,
    /// Bytes written to disk per request.
    pub disk_write: f64,
    /// How unevenly requests differ (long connections, hot keys), 0 = all alike.
    pub unevenness: f64,
    /// Callers give up after this many milliseconds.
    pub timeout_ms: f64,
    /// Demand read from a trace instead: index into the world's traces.
    #[serde(default)]
    pub trace: Option<usize>,
}

/// A cache: hit ratio `best · size / (size + half)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cache {
    /// Hit ratio of an endless cache.
    pub best: f64,
    /// Size at which half of that is reached, bytes.
    pub half: f64,
}

/// A database: every request (every miss, where there is a cache) asks it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Database {
    /// Time of the queries of one request without an index, milliseconds.
    pub query_ms: f64,
    /// Requests per second, over all replicas and without an index, at which the database itself is busy.
    pub capacity: f64,
}

/// Work on GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// GPU time per request, milliseconds.
    pub ms: f64,
    /// Memory of the model, bytes per replica.
    pub memory: f64,
    /// Tokens read per request.
    pub tokens_in: f64,
    /// Tokens written per request.
    pub tokens_out: f64,
}

/// What is written to a persistent volume.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Bytes at the beginning.
    pub used: f64,
    /// Bytes kept per request.
    pub per_request: f64,
}

/// Where requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balancing {
    /// Each replica in turn.
    RoundRobin,
    /// The replica with the fewest open requests.
    LeastRequests,
    /// Any replica.
    Random,
}

/// How much of the searched columns an index covers, as a factor on query time.
const INDEX: [(&str, f64); 3] = [("none", 1.0), ("partial", 0.45), ("full", 0.12)];

/// A state in plain numbers, per replica; worked out once per write.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Granted {
    /// Replicas asked for.
    pub replicas: u32,
    /// CPU request in cores, 0 where there is none.
    pub cpu_request: f64,
    /// CPU limit in cores, infinite where there is none.
    pub cpu_limit: f64,
    /// Memory request in bytes, 0 where there is none.
    pub memory_request: f64,
    /// Memory limit in bytes, infinite where there is none.
    pub memory_limit: f64,
    /// Whole GPUs.
    pub gpus: f64,
    /// Requests worked on at once; infinite where it is not limited.
    pub workers: f64,
    /// Cache size in bytes.
    pub cache_size: f64,
    /// Connections to the database; infinite where it is not limited.
    pub pool_size: f64,
    /// Where requests go.
    pub balancing: Balancing,
    /// Factor on query time.
    pub index: f64,
    /// Size of the volume in bytes.
    pub volume: f64,
}

impl Granted {
    /// The numbers of a state.
    #[must_use]
    pub fn of(state: &ResourceState) -> Self {
        let count = |name: &str| match state.parameters.get(name) {
            Some(Parameter::Count(n)) => f64::from(*n),
            _ => f64::INFINITY,
        };
        let choice = |name: &str| match state.parameters.get(name) {
            Some(Parameter::Choice { value, .. }) => value.as_str(),
            _ => "",
        };
        Self {
            replicas: state.replicas.unwrap_or(1),
            cpu_request: state.cpu_request().map_or(0.0, |v| v.get()),
            cpu_limit: state.cpu_limit().map_or(f64::INFINITY, |v| v.get()),
            memory_request: state.memory_request().map_or(0.0, |v| v.as_f64()),
            memory_limit: state.memory_limit().map_or(f64::INFINITY, |v| v.as_f64()),
            gpus: f64::from(state.gpus()),
            workers: count("workers"),
            cache_size: match state.parameters.get("cache_size") {
                Some(Parameter::Bytes(bytes)) => bytes.as_f64(),
                _ => 0.0,
            },
            pool_size: count("pool_size"),
            balancing: match choice("balancing") {
                "least_requests" => Balancing::LeastRequests,
                "random" => Balancing::Random,
                _ => Balancing::RoundRobin,
            },
            index: INDEX.iter().find(|(name, _)| *name == choice("db_index")).map_or(1.0, |(_, factor)| *factor),
            volume: state.volume.map_or(f64::INFINITY, |v| v.as_f64()),
        }
    }
}
