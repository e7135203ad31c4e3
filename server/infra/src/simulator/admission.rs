//! What the cluster would refuse: unknown fields, LimitRange, quota, nodes, another writer.

use super::cluster::Cluster;
use super::profile::Spec;
use super::world::{Namespace, NodePool};
use headroom_model::plan::{FieldChange, Plan};
use headroom_model::room::Room;
use headroom_model::service::ResourceState;
use headroom_model::units::{Bytes, Cores, MIB};
use std::collections::BTreeMap;

/// Share of a node that pods may request; the rest is the system's.
const ALLOCATABLE: f64 = 0.94;

/// Why a plan would be refused, in words; empty when it would be accepted.
#[must_use]
pub fn problems(cluster: &Cluster, service: usize, plan: &Plan) -> Vec<String> {
    let running = &cluster.now.services[service];
    let mut out = Vec::new();
    if plan.uid != running.uid {
        out.push(format!("{} has been made anew since the plan (uid {} is now {})", plan.target, plan.uid, running.uid));
    }
    out.extend(cluster.world.specs[service].managed.refusal().map(str::to_owned));
    for drift in plan.drift(&running.state) {
        let word = |v: &Option<String>| v.clone().unwrap_or_else(|| "not set".into());
        out.push(format!("{} is {} now; the plan was made from {}", drift.field, word(&drift.found), word(&drift.expected)));
    }
    match plan.apply_to(&running.state) {
        Ok(next) => out.extend(limits(cluster, service, &next, &plan.changes)),
        Err(error) => out.push(error.to_string()),
    }
    out
}

/// What namespace and nodes have against a state.
#[must_use]
pub fn limits(cluster: &Cluster, service: usize, next: &ResourceState, changes: &[FieldChange]) -> Vec<String> {
    let spec = &cluster.world.specs[service];
    let now = &cluster.now.services[service].state;
    let mut out = Vec::new();
    if let Some(rules) = cluster.world.namespaces.get(&spec.key.namespace) {
        out.extend(limit_range(next, changes, rules));
        out.extend(quota(cluster, service, next, rules));
    }
    if let Some(pool) = cluster.world.nodes.get(cluster.world.pool_of(spec)) {
        out.extend(nodes(next, pool));
    }
    if changes.iter().any(|c| c.field == "replicas")
        && let Some(a) = next.autoscaler
        && !changes.iter().any(|c| c.field.starts_with("autoscaler."))
    {
        out.push(format!("replicas are set by the autoscaler ({} to {}): change its minimum or maximum instead", a.min, a.max));
    }
    if next.volume < now.volume {
        out.push("a volume cannot be made smaller".into());
    }
    out
}

fn limit_range(next: &ResourceState, changes: &[FieldChange], rules: &Namespace) -> Vec<String> {
    let mut out = Vec::new();
    for (name, c) in &next.containers {
        if !changes.iter().any(|change| change.field.starts_with(&format!("containers.{name}."))) {
            continue;
        }
        let mut cpu = |what: &str, value: Option<Cores>| {
            if let Some(v) = value.filter(|v| v.get() > rules.most_cpu || v.get() < rules.least_cpu - 1e-9) {
                let (least, most) = (Cores::ceil_milli(rules.least_cpu), Cores::ceil_milli(rules.most_cpu));
                out.push(format!("LimitRange: CPU {what} {v} of container {name} must be from {least} to {most}"));
            }
        };
        cpu("request", c.cpu_request);
        cpu("limit", c.cpu_limit);
        let mut memory = |what: &str, value: Option<Bytes>| {
            if let Some(v) = value.filter(|v| v.as_f64() > rules.most_memory || v.as_f64() < rules.least_memory) {
                let (least, most) = (Bytes::ceil_mib(rules.least_memory), Bytes::ceil_mib(rules.most_memory));
                out.push(format!("LimitRange: memory {what} {v} of container {name} must be from {least} to {most}"));
            }
        };
        memory("request", c.memory_request);
        memory("limit", c.memory_limit);
    }
    out
}

/// What each service has room for, in the order of the cluster.
#[must_use]
pub fn rooms(cluster: &Cluster) -> Vec<Room> {
    let asked: Vec<(f64, f64)> = cluster.now.services.iter().map(|running| requested(&running.state)).collect();
    let mut together: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (spec, one) in cluster.world.specs.iter().zip(&asked) {
        let sum = together.entry(&spec.key.namespace).or_default();
        *sum = (sum.0 + one.0, sum.1 + one.1);
    }
    let bytes = |v: f64| Bytes::new((v.max(0.0) / MIB as f64).floor() as u64 * MIB);
    let one = |(spec, own): (&Spec, &(f64, f64))| {
        let rules = cluster.world.namespaces.get(&spec.key.namespace);
        let pool = cluster.world.nodes.get(cluster.world.pool_of(spec));
        let others = together.get(spec.key.namespace.as_str()).map_or((0.0, 0.0), |all| (all.0 - own.0, all.1 - own.1));
        Room {
            namespace: spec.key.namespace.clone(),
            least_cpu: rules.map(|r| Cores::ceil_milli(r.least_cpu)),
            most_cpu: rules.and_then(|r| Cores::new(r.most_cpu).ok()),
            least_memory: rules.map(|r| Bytes::ceil_mib(r.least_memory)),
            most_memory: rules.map(|r| bytes(r.most_memory)),
            node_cpu: pool.and_then(|p| Cores::new(p.cores * ALLOCATABLE).ok()),
            node_memory: pool.map(|p| bytes(p.memory * ALLOCATABLE)),
            quota_cpu: rules.and_then(|r| Cores::new((r.quota_cpu - others.0).max(0.0)).ok()),
            quota_memory: rules.map(|r| bytes(r.quota_memory - others.1)),
        }
    };
    cluster.world.specs.iter().zip(&asked).map(one).collect()
}

/// (cores, bytes) that a state requests over its replicas, at its autoscaler's maximum.
fn requested(state: &ResourceState) -> (f64, f64) {
    let n = f64::from(state.autoscaler.map_or(state.replicas.unwrap_or(1), |a| a.max));
    (n * state.cpu_request().map_or(0.0, |v| v.get()), n * state.memory_request().map_or(0.0, |v| v.as_f64()))
}

fn quota(cluster: &Cluster, service: usize, next: &ResourceState, rules: &Namespace) -> Vec<String> {
    let namespace = &cluster.world.specs[service].key.namespace;
    let others = cluster.world.specs.iter().zip(&cluster.now.services).enumerate();
    let others = others.filter(|(i, (spec, _))| *i != service && spec.key.namespace == *namespace).map(|(_, (_, r))| requested(&r.state));
    let rest = others.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let (before, after) = (requested(&cluster.now.services[service].state), requested(next));
    let mut out = Vec::new();
    if after.0 > before.0 && rest.0 + after.0 > rules.quota_cpu {
        out.push(format!("quota of {namespace}: {:.1} cores would be requested of {:.1}", rest.0 + after.0, rules.quota_cpu));
    }
    if after.1 > before.1 && rest.1 + after.1 > rules.quota_memory {
        let gib = 1_073_741_824.0;
        out.push(format!(
            "quota of {namespace}: {:.1} GiB would be requested of {:.1}",
            (rest.1 + after.1) / gib,
            rules.quota_memory / gib
        ));
    }
    out
}

fn nodes(next: &ResourceState, pool: &NodePool) -> Vec<String> {
    let mut out = Vec::new();
    let (cores, memory) = (pool.cores * ALLOCATABLE, pool.memory * ALLOCATABLE);
    if let Some(v) = next.cpu_request().filter(|v| v.get() > cores) {
        out.push(format!("no node is large enough: {v} cores are requested, a {} node offers {cores:.1}", pool.name));
    }
    if let Some(v) = next.memory_request().filter(|v| v.as_f64() > memory) {
        out.push(format!(
            "no node is large enough: {v} of memory are requested, a {} node offers {}",
            pool.name,
            Bytes::new(memory as u64)
        ));
    }
    if next.gpus() > pool.gpus {
        out.push(format!("no node has {} GPUs: a {} node has {}", next.gpus(), pool.name, pool.gpus));
    }
    let all = next.gpus() * next.replicas.unwrap_or(1);
    if next.gpus() > 0 && all > pool.gpus * pool.nodes {
        out.push(format!("{all} GPUs would be needed, the cluster has {}", pool.gpus * pool.nodes));
    }
    out
}
