//! What began an anomaly: the service itself and those that it reaches by calls, by what rose in each when it began.

use crate::read::charts;
use crate::{Headroom, Result};
use headroom_engine::rootcause::{Evidence, Graph, Kind, rank};
use headroom_model::auth::OpContext;
use headroom_model::deployment::Deployment;
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::service::Service;
use headroom_model::time::Timestamp;
use headroom_model::units::MIB;
use headroom_model::view::{Anomaly, Causes, ChangeRow, Suspect};
use std::collections::{BTreeMap, HashMap};

/// Services that are looked at, and suspects that are named.
const MOST: usize = 64;
const NAMED: usize = 5;
/// A score below this is of rises that happen by themselves: about one usual spread.
const LEAST: f64 = 0.7;
/// Seconds before the moment that are read, for how often who calls whom; and after it.
const BEFORE: i64 = 6 * 3600;
const AFTER: i64 = 3600;
/// Seconds within which a change or deploy may have made it.
const SHORTLY: i64 = 3600;
/// Seconds after it that still may: it is told by the begin of the interval in which it was.
const INTERVAL: i64 = 300;

/// How a metric counts as evidence: in words with their unit, from the catalogue's unit to that one, and the least spread believed.
struct Told {
    metric: Metric,
    kind: Kind,
    words: &'static str,
    scale: f64,
    least: f64,
}

const fn told(metric: Metric, kind: Kind, words: &'static str, scale: f64, least: f64) -> Told {
    Told { metric, kind, words, scale, least }
}

static TOLD: [Told; 12] = [
    told(Metric::CpuThrottled, Kind::Resource, "throttled time in %", 100.0, 1.0),
    told(Metric::CpuUsage, Kind::Resource, "CPU use in cores", 1.0, 0.01),
    told(Metric::CpuUtilization, Kind::Resource, "CPU use in %", 100.0, 1.0),
    told(Metric::MemoryWorkingSet, Kind::Resource, "memory in MiB", 1.0 / MIB as f64, 4.0),
    told(Metric::DiskRead, Kind::Resource, "disk reads in MiB/s", 1.0 / MIB as f64, 0.1),
    told(Metric::DiskWrite, Kind::Resource, "disk writes in MiB/s", 1.0 / MIB as f64, 0.1),
    told(Metric::PoolWait, Kind::Resource, "wait for a connection in ms", 1.0, 1.0),
    told(Metric::DatabaseTime, Kind::Resource, "time in the database in ms", 1.0, 1.0),
    told(Metric::OomKills, Kind::Resource, "OOM kills", 1.0, 0.5),
    told(Metric::LatencyP99, Kind::Latency, "latency p99 in ms", 1.0, 1.0),
    told(Metric::ErrorRatio, Kind::Latency, "errors in %", 100.0, 0.2),
    told(Metric::RequestRate, Kind::Load, "requests per second", 1.0, 0.0),
];

impl Headroom {
    /// Who began an anomaly of a service. Only services of teams that the actor sees are looked at.
    pub(super) async fn causes(&self, ctx: &OpContext, service: &Service, anomaly: &Anomaly) -> Result<Causes> {
        let mut all = self.store.all_services().await?;
        all.retain(|s| s.key.cluster == service.key.cluster && ctx.teams.include(&s.team));
        let reached = reached(service, all);
        let ids: Vec<ServiceId> = reached.iter().map(|s| s.id).collect();
        let metrics: Vec<Metric> = TOLD.iter().map(|t| t.metric).collect();
        let at = anomaly.from.secs();
        let histories = self.store.history(&ids, Some(&metrics), at - BEFORE, at + AFTER).await?;
        let of_each = reached.iter().filter_map(|s| Some((s.key.name.as_str(), histories.get(&s.id)?)));
        let ranked = rank(&evidence(of_each, at), &graph(&reached, &histories, at));
        let by_name: HashMap<&str, &Service> = reached.iter().rev().map(|s| (s.key.name.as_str(), s)).collect();
        let mut suspects = Vec::new();
        for found in ranked.into_iter().filter(|s| s.score >= LEAST).take(NAMED) {
            let Some(service) = by_name.get(found.service.as_str()) else { continue };
            let name = self.store.service_name(service.id).await?.unwrap_or_else(|| found.service.clone());
            let deployments = self.store.deployments_of(service.id, charts::MARKED).await?;
            let after = shortly_before(&self.store.changes_of(service.id, charts::MARKED).await?, &deployments, anomaly.from);
            let metric = found.metric.as_deref().and_then(|words| TOLD.iter().find(|t| t.words == words)).map(|t| t.metric);
            suspects.push(Suspect { service_name: name, score: found.score, metric, reason: found.reason, after });
        }
        Ok(Causes { metric: anomaly.metric, at: anomaly.from, looked_at: u32::try_from(reached.len()).unwrap_or(u32::MAX), suspects })
    }
}

/// The service and those that it reaches by calls, the nearest first, at most [`MOST`].
fn reached(service: &Service, all: Vec<Service>) -> Vec<Service> {
    let mut others: HashMap<String, Service> = all.into_iter().filter(|s| s.id != service.id).map(|s| (s.key.name.clone(), s)).collect();
    let mut reached = vec![service.clone()];
    let mut next = 0;
    while next < reached.len() && reached.len() < MOST {
        let calls = reached[next].calls.clone();
        reached.extend(calls.iter().filter_map(|name| others.remove(name)).take(MOST - reached.len()).collect::<Vec<_>>());
        next += 1;
    }
    reached
}

fn evidence<'a>(services: impl Iterator<Item = (&'a str, &'a ServiceHistory)>, at: i64) -> Vec<Evidence> {
    let of = |(name, history): (&'a str, &'a ServiceHistory)| {
        TOLD.iter().filter_map(move |told| {
            let series = history.get(told.metric)?;
            let samples: Vec<(i64, f64)> = series.points().map(|(t, v)| (t, v * told.scale)).collect();
            let evidence = Evidence::at(name, told.words, &samples, i64::from(series.step), at);
            Some(Evidence { kind: told.kind, least: told.least, ..evidence })
        })
    };
    services.flat_map(of).collect()
}

fn graph(services: &[Service], histories: &BTreeMap<ServiceId, ServiceHistory>, at: i64) -> Graph {
    let calls: Vec<(String, String)> =
        services.iter().flat_map(|s| s.calls.iter().map(|callee| (s.key.name.clone(), callee.clone()))).collect();
    let load = |series: &Series| series.slice(i64::MIN / 2, at).points().map(|(t, v)| (t / i64::from(series.step.max(1)), v)).collect();
    let loads = services.iter().filter_map(|s| Some((s.key.name.clone(), load(histories.get(&s.id)?.get(Metric::RequestRate)?))));
    Graph::new(&calls, &loads.collect())
}

/// The newest thing that was done to a service within an hour before a moment, a change or a deploy, in words.
pub(super) fn shortly_before(changes: &[ChangeRow], deployments: &[Deployment], at: Timestamp) -> Option<String> {
    let done = |change: &ChangeRow| {
        let applied = change.applied_at.map(|t| (t, format!("{} applied: {}", change.id.short(), change.title)));
        let back = change.rolled_back_at.map(|t| (t, format!("{} rolled back: {}", change.id.short(), change.title)));
        applied.into_iter().chain(back)
    };
    let deployed = deployments.iter().map(|d| (d.cluster_at, d.words()));
    let before = changes.iter().flat_map(done).chain(deployed).filter(|(t, _)| (-INTERVAL..=SHORTLY).contains(&at.secs_since(*t)));
    before.max_by_key(|(t, _)| *t).map(|(_, words)| words)
}
