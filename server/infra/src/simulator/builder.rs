//! Words in which services are described, for the catalogue and the generated ones alike.

use super::demand::{Demand, Shape};
use super::profile::{Cache, Database, Gpu, Growth, Profile, Spec};
use headroom_model::service::{Autoscaler, Container, Managed, Parameter, ResourceState, ServiceKey, VERSION_LABEL};
use headroom_model::units::{Bytes, Cores, GIB, MIB};

/// A service being described.
#[derive(Debug, Clone)]
pub struct Builder {
    /// What it will be.
    pub spec: Spec,
    /// Names of the services it calls, with calls per request.
    pub calls: Vec<(String, f64)>,
}

/// Mebibytes as bytes.
const M: f64 = MIB as f64;

/// A Deployment of one replica with one container `app` that asks for nothing.
#[must_use]
pub fn service(cluster: &str, namespace: &str, name: &str, team: &str) -> Builder {
    let key = ServiceKey { cluster: cluster.into(), namespace: namespace.into(), kind: "Deployment".into(), name: name.into() };
    let labels =
        [("app.kubernetes.io/name", name), (VERSION_LABEL, "1.0.0"), ("team", team)].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let state =
        ResourceState { containers: [("app".to_owned(), Container::default())].into(), replicas: Some(1), ..ResourceState::default() };
    let profile = Profile {
        spread: 0.5,
        timeout_ms: 10_000.0,
        unevenness: 0.08,
        bytes_in: 900.0,
        bytes_out: 4_000.0,
        disk_read: 150.0,
        disk_write: 250.0,
        ..Profile::default()
    };
    let spec = Spec { key, team: team.into(), environment: "production".into(), labels, managed: Managed::Direct, state, profile };
    Builder { spec, calls: Vec::new() }
}

impl Builder {
    fn container(mut self, set: impl FnOnce(&mut Container)) -> Self {
        self.spec.state.containers.values_mut().next().map(set);
        self
    }
    fn parameter(mut self, name: &str, value: Parameter) -> Self {
        self.spec.state.parameters.insert(name.into(), value);
        self
    }
    fn choice(self, name: &str, value: &str, allowed: [&str; 3]) -> Self {
        let allowed = allowed.map(str::to_owned).to_vec();
        self.parameter(name, Parameter::Choice { value: value.into(), allowed })
    }
    fn profile(mut self, set: impl FnOnce(&mut Profile)) -> Self {
        set(&mut self.spec.profile);
        self
    }

    /// Another kind than `Deployment`.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.spec.key.kind = kind.into();
        self
    }
    /// Runs in staging.
    #[must_use]
    pub fn staging(mut self) -> Self {
        self.spec.environment = "staging".into();
        self.spec.labels.insert("environment".into(), "staging".into());
        self
    }
    /// A Git repository is the truth.
    #[must_use]
    pub fn git(mut self) -> Self {
        self.spec.managed = Managed::Git;
        self.spec.labels.insert("app.kubernetes.io/managed-by".into(), "argocd".into());
        self
    }
    /// Replicas.
    #[must_use]
    pub fn replicas(mut self, n: u32) -> Self {
        self.spec.state.replicas = Some(n);
        self
    }
    /// CPU request and limit in cores; a limit of 0 is none.
    #[must_use]
    pub fn cpu(self, request: f64, limit: f64) -> Self {
        self.container(|c| {
            c.cpu_request = Some(Cores::ceil_milli(request));
            c.cpu_limit = (limit > 0.0).then(|| Cores::ceil_milli(limit));
        })
    }
    /// Memory request and limit in MiB.
    #[must_use]
    pub fn memory(self, request: u64, limit: u64) -> Self {
        self.container(|c| {
            c.memory_request = Some(Bytes::new(request * MIB));
            c.memory_limit = (limit > 0).then(|| Bytes::new(limit * MIB));
        })
    }
    /// A small second container beside the first.
    #[must_use]
    pub fn sidecar(mut self, name: &str, cpu: f64, limit: f64, memory: u64) -> Self {
        let container = Container {
            cpu_request: Some(Cores::ceil_milli(cpu)),
            cpu_limit: Some(Cores::ceil_milli(limit)),
            memory_request: Some(Bytes::new(memory * MIB)),
            memory_limit: Some(Bytes::new(memory * 2 * MIB)),
            gpus: 0,
        };
        self.spec.state.containers.insert(name.into(), container);
        self
    }
    /// A horizontal autoscaler.
    #[must_use]
    pub fn autoscaler(mut self, min: u32, max: u32, target_cpu_percent: u32) -> Self {
        self.spec.state.autoscaler = Some(Autoscaler { min, max, target_cpu_percent });
        self
    }
    /// Requests from outside.
    #[must_use]
    pub fn demand(self, rate: f64, shape: Shape, weekend: f64) -> Self {
        let demand = Demand { rate, shape, weekend, noise: 0.09, bursts: 0.8, burst_size: 1.5, trend: 0.0 };
        self.profile(|p| p.demand = Some(demand))
    }
    /// Noise, bursts per day and their size, growth per day.
    #[must_use]
    pub fn nervous(self, noise: f64, bursts: f64, burst_size: f64, trend: f64) -> Self {
        self.profile(|p| p.demand = p.demand.map(|d| Demand { noise, bursts, burst_size, trend, ..d }))
    }
    /// CPU per request (core-ms), idle CPU (cores), other time per request (ms), spread.
    #[must_use]
    pub fn work(self, cpu_ms: f64, idle_cores: f64, io_ms: f64, spread: f64) -> Self {
        self.profile(|p| (p.cpu_ms, p.idle_cores, p.io_ms, p.spread) = (cpu_ms, idle_cores, io_ms, spread))
    }
    /// Memory of an empty replica and per request per second, MiB; leak per hour, MiB.
    #[must_use]
    pub fn uses(self, base: f64, per_rate: f64, leak_per_hour: f64) -> Self {
        self.profile(|p| (p.memory_base, p.memory_per_rate, p.leak_per_hour) = (base * M, per_rate * M, leak_per_hour * M))
    }
    /// A cache of `size` MiB that reaches half its best hit ratio at `half` MiB.
    #[must_use]
    pub fn cache(self, size: u64, best: f64, half: f64) -> Self {
        self.profile(|p| p.cache = Some(Cache { best, half: half * M })).parameter("cache_size", Parameter::Bytes(Bytes::new(size * MIB)))
    }
    /// A database: query time (ms) without an index, its capacity (requests per second), the index there is, connections.
    #[must_use]
    pub fn database(self, query_ms: f64, capacity: f64, index: &str, pool: u32) -> Self {
        self.profile(|p| p.database = Some(Database { query_ms, capacity }))
            .choice("db_index", index, ["none", "partial", "full"])
            .parameter("pool_size", Parameter::Count(pool))
    }
    /// Requests worked on at once per replica.
    #[must_use]
    pub fn workers(self, n: u32) -> Self {
        self.parameter("workers", Parameter::Count(n))
    }
    /// The balancing policy, and how unlike requests are.
    #[must_use]
    pub fn balancing(self, policy: &str, unevenness: f64) -> Self {
        self.profile(|p| p.unevenness = unevenness).choice("balancing", policy, ["round_robin", "least_requests", "random"])
    }
    /// GPUs per replica, GPU time per request (ms), model size (GiB), tokens in and out per request.
    #[must_use]
    pub fn gpu(self, gpus: u32, ms: f64, model: f64, tokens: (f64, f64)) -> Self {
        self.container(|c| c.gpus = gpus).profile(|p| {
            p.gpu = Some(Gpu { ms, memory: model * GIB as f64, tokens_in: tokens.0, tokens_out: tokens.1 });
        })
    }
    /// A persistent volume: size and use (GiB), bytes kept per request.
    #[must_use]
    pub fn volume(mut self, size: u64, used: f64, per_request: f64) -> Self {
        self.spec.state.volume = Some(Bytes::new(size * GIB));
        self.profile(|p| p.volume = Some(Growth { used: used * GIB as f64, per_request }))
    }
    /// Bytes in and out, read from and written to disk, per request.
    #[must_use]
    pub fn traffic(self, bytes_in: f64, bytes_out: f64, disk_read: f64, disk_write: f64) -> Self {
        self.profile(|p| (p.bytes_in, p.bytes_out, p.disk_read, p.disk_write) = (bytes_in, bytes_out, disk_read, disk_write))
    }
    /// Callers give up after this many milliseconds.
    #[must_use]
    pub fn timeout(self, ms: f64) -> Self {
        self.profile(|p| p.timeout_ms = ms)
    }
    /// Calls another service while it answers.
    #[must_use]
    pub fn calls(mut self, name: &str, per_request: f64) -> Self {
        self.calls.push((name.into(), per_request));
        self
    }
}

/// The described services, their calls resolved to indices.
#[must_use]
pub fn finish(builders: Vec<Builder>) -> Vec<Spec> {
    let names: Vec<String> = builders.iter().map(|b| b.spec.key.name.clone()).collect();
    let resolve = |b: Builder| {
        let mut spec = b.spec;
        let index = |name: &String| names.iter().position(|n| n == name);
        let call =
            |(name, per_request): &(String, f64)| index(name).map(|service| super::profile::Call { service, per_request: *per_request });
        spec.profile.calls = b.calls.iter().filter_map(call).collect();
        spec
    };
    builders.into_iter().map(resolve).collect()
}
