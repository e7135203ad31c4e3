//! The simulated cluster's fixed parts: services, namespaces with their rules, nodes.

use super::profile::Spec;
use super::trace::Trace;
use super::{archetypes, catalogue, trace};
use crate::import;
use crate::rows::ImportError;
use headroom_model::time::{DAY, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Above so many services only the core metrics are published, and a tick is one whole interval.
pub const DETAILED: usize = 200;
/// Seconds per published sample.
pub const STEP: i64 = 300;

/// Everything that does not change while the cluster runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// Seed of all noise.
    pub seed: u64,
    /// The cluster's name.
    pub cluster: String,
    /// Cluster time at which the history ends and the clock starts, a multiple of [`STEP`].
    pub start: i64,
    /// Days of history before it.
    pub history_days: u32,
    /// The services.
    pub specs: Vec<Spec>,
    /// Rules by namespace.
    pub namespaces: BTreeMap<String, Namespace>,
    /// Groups of like nodes.
    pub nodes: Vec<NodePool>,
    /// Demand read from a file; kept beside the world, not in it.
    #[serde(skip)]
    pub traces: Vec<Trace>,
}

/// A namespace's quota and LimitRange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    /// Most CPU that may be requested in it, cores.
    pub quota_cpu: f64,
    /// Most memory that may be requested in it, bytes.
    pub quota_memory: f64,
    /// Least CPU request of a container, cores.
    pub least_cpu: f64,
    /// Largest CPU request or limit of a container, cores.
    pub most_cpu: f64,
    /// Least memory request of a container, bytes.
    pub least_memory: f64,
    /// Largest memory request or limit of a container, bytes.
    pub most_memory: f64,
}

/// A group of like nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodePool {
    /// `general` or `gpu`.
    pub name: String,
    /// How many.
    pub nodes: u32,
    /// Cores of one.
    pub cores: f64,
    /// Memory of one, bytes.
    pub memory: f64,
    /// GPUs of one.
    pub gpus: u32,
}

impl World {
    /// The world of a seed: the catalogue's services first, then generated ones up to `services`.
    #[must_use]
    pub fn generated(seed: u64, cluster: &str, start: Timestamp, history_days: u32, services: usize) -> Self {
        let mut specs = catalogue::services(cluster);
        if services < specs.len() {
            specs.truncate(services.max(1));
            let kept = specs.len();
            specs.iter_mut().for_each(|s| s.profile.calls.retain(|c| c.service < kept));
        } else {
            archetypes::extend(&mut specs, cluster, seed, services);
        }
        Self::around(seed, cluster, start, history_days, specs, Vec::new())
    }

    /// A world whose services replay the demand of a file.
    ///
    /// # Errors
    /// [`ImportError`] names file, line and fault.
    pub fn traced(seed: u64, cluster: &str, start: Timestamp, history_days: u32, file: &Path) -> Result<Self, ImportError> {
        let imported = import::read_usage_csv(file)?;
        let (specs, traces) = trace::services(imported, cluster, floor(start));
        Ok(Self::around(seed, cluster, start, history_days, specs, traces))
    }

    fn around(seed: u64, cluster: &str, start: Timestamp, history_days: u32, specs: Vec<Spec>, traces: Vec<Trace>) -> Self {
        let namespaces = rules(&specs);
        let nodes = pools(&specs);
        Self { seed, cluster: cluster.to_owned(), start: floor(start), history_days, specs, namespaces, nodes, traces }
    }

    /// Seconds per tick.
    #[must_use]
    pub fn tick(&self) -> i64 {
        if self.specs.len() > DETAILED { STEP } else { 60 }
    }
    /// Begin of the history, seconds since the epoch.
    #[must_use]
    pub fn begin(&self) -> i64 {
        self.start - i64::from(self.history_days) * DAY
    }
    /// The pool on whose nodes a service runs.
    #[must_use]
    pub fn pool_of(&self, spec: &Spec) -> usize {
        let wanted = if spec.state.gpus() > 0 { "gpu" } else { "general" };
        self.nodes.iter().position(|p| p.name == wanted).unwrap_or(0)
    }
}

fn floor(time: Timestamp) -> i64 {
    time.secs().div_euclid(STEP) * STEP
}

/// What all services together ask for: (cores, bytes, GPUs).
fn asked<'a>(specs: impl Iterator<Item = &'a Spec>) -> (f64, f64, u32) {
    specs.fold((0.0, 0.0, 0), |(cpu, memory, gpus), s| {
        let n = f64::from(s.state.replicas.unwrap_or(1));
        let most = s.state.autoscaler.map_or(n, |a| f64::from(a.max));
        let request = s.state.cpu_request().map_or(0.2, |v| v.get());
        let bytes = s.state.memory_request().map_or(256.0 * 1_048_576.0, |v| v.as_f64());
        (cpu + most * request, memory + most * bytes, gpus + s.state.gpus() * n as u32)
    })
}

/// The largest request or limit of any container: (cores, bytes).
fn largest<'a>(specs: impl Iterator<Item = &'a Spec>) -> (f64, f64) {
    let containers = specs.flat_map(|s| s.state.containers.values());
    containers.fold((0.0, 0.0), |(cpu, memory), c| {
        let cores = [c.cpu_request, c.cpu_limit].into_iter().flatten().map(|v| v.get());
        let bytes = [c.memory_request, c.memory_limit].into_iter().flatten().map(|v| v.as_f64());
        (cores.fold(cpu, f64::max), bytes.fold(memory, f64::max))
    })
}

/// Quotas leave a fifth of room above what is asked for at the beginning. A container may have up to 16 cores and 64 GiB, or twice
/// what the largest has.
fn rules(specs: &[Spec]) -> BTreeMap<String, Namespace> {
    let mut names: Vec<&String> = specs.iter().map(|s| &s.key.namespace).collect();
    names.sort();
    names.dedup();
    let rule = |name: &String| {
        let (cpu, memory, _) = asked(specs.iter().filter(|s| s.key.namespace == *name));
        let (cores, bytes) = largest(specs.iter().filter(|s| s.key.namespace == *name));
        let gib = 1_073_741_824.0;
        Namespace {
            quota_cpu: (cpu * 1.2 + 4.0).ceil(),
            quota_memory: (memory * 1.2 / gib + 8.0).ceil() * gib,
            least_cpu: 0.01,
            most_cpu: (2.0 * cores).ceil().max(16.0),
            least_memory: 16.0 * 1_048_576.0,
            most_memory: (2.0 * bytes / gib).ceil().max(64.0) * gib,
        }
    };
    names.into_iter().map(|name| (name.clone(), rule(name))).collect()
}

/// Enough nodes for what is asked for, with one to spare; none too small for the largest container.
fn pools(specs: &[Spec]) -> Vec<NodePool> {
    let gib = 1_073_741_824.0;
    let pool = |name: &str, gpu: bool, cores: f64, memory: f64, gpus: u32| {
        let mine = || specs.iter().filter(|s| (s.state.gpus() > 0) == gpu);
        let (widest, deepest) = largest(mine());
        let (cores, memory) = ((2.0 * widest).ceil().max(cores), (2.0 * deepest).max(memory));
        let (cpu, bytes, cards) = asked(mine());
        let nodes = (cpu / cores).max(bytes / memory).max(f64::from(cards) / f64::from(gpus.max(1)) * f64::from(u32::from(gpu)));
        NodePool { name: name.into(), nodes: (nodes / 0.92).ceil() as u32 + 1, cores, memory, gpus }
    };
    vec![pool("general", false, 16.0, 64.0 * gib, 0), pool("gpu", true, 32.0, 192.0 * gib, 4)]
}
