//! Demand from a file: one simulated service per service of the file, its values being what is *wanted*, capped by what is granted.
//!
//! - **Shift in time.** Each service's series is moved so that its end lies after the clock's start: the last quarter, at most three
//!   days, is kept for the live part. From four days on the move is by whole days, so that the hour of the day stays true.
//!   After its end a series repeats its last seven days (fewer if it has fewer; whole days where it has one).
//! - **Gaps** stay gaps: nothing is measured where the file has nothing.
//! - **Shares** of an unknown size are taken as shares of a machine of [`MACHINE_CORES`] and [`MACHINE_MEMORY`]; a service with
//!   requests only, as one core-millisecond per request.
//! - **Requests** are the file's where it has them, else the peak of the first three days × 1.5; CPU limits twice the request,
//!   memory limits a quarter above it.

use super::noise::{Noise, Stream};
use super::physics::{Around, Dynamic, METRICS, Readings, Seen};
use super::profile::{Granted, Profile, Spec};
use super::queueing::{QUANTILES, Waiting, stall, tails, throttled};
use super::world::{DETAILED, STEP};
use crate::import::Imported;
use headroom_model::metric::Metric;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::service::{Container, Managed, ResourceState, ServiceKey};
use headroom_model::time::DAY;
use headroom_model::units::{Bytes, Cores};
use std::collections::BTreeMap;

/// Cores of the machine that a `cpu_utilization_ratio` is taken as a share of.
pub const MACHINE_CORES: f64 = 4.0;
/// Memory of the machine that a `memory_utilization_ratio` is taken as a share of, bytes.
pub const MACHINE_MEMORY: f64 = 16.0 * 1_073_741_824.0;
/// Core-milliseconds per request where only requests are known.
const CPU_MS: f64 = 1.0;
/// Metrics that are replayed as they are.
const AS_IT_IS: [Metric; 9] = [
    Metric::RequestRate,
    Metric::NetworkReceive,
    Metric::NetworkTransmit,
    Metric::DiskRead,
    Metric::DiskWrite,
    Metric::GpuUtilization,
    Metric::GpuMemoryUsed,
    Metric::InputTokens,
    Metric::OutputTokens,
];
/// Seconds of deferred work that a replica carries at most.
const DEFERRED: f64 = 600.0;
const RESTART: f64 = 30.0;

/// One service's demand, moved to cluster time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// CPU (cores), memory (bytes) and what is replayed as it is.
    series: BTreeMap<Metric, Series>,
    /// Seconds since the epoch from which it repeats.
    end: i64,
    /// What is repeated, seconds.
    period: i64,
}

impl Trace {
    /// The value wanted at an instant; `None` in a gap.
    fn at(&self, metric: Metric, t: i64) -> Option<f64> {
        let series = self.series.get(&metric)?;
        let t = if t >= self.end && self.period > 0 { t - ((t - self.end) / self.period + 1) * self.period } else { t };
        let index = usize::try_from((t - series.start).div_euclid(i64::from(series.step))).ok()?;
        series.values.get(index).filter(|v| !v.is_nan()).map(|v| f64::from(*v))
    }
}

/// A spec and a trace for each imported service; `start` is the clock's start, seconds since the epoch.
#[must_use]
pub fn services(imported: Imported, cluster: &str, start: i64) -> (Vec<Spec>, Vec<Trace>) {
    let tick = if imported.services.len() > DETAILED { STEP } else { 60 };
    let mut specs = Vec::new();
    let mut traces = Vec::new();
    for one in imported.services {
        let trace = moved(demand(&one.history, tick), start);
        let state = state(&trace, &one.service.state, start);
        let key = ServiceKey { cluster: cluster.to_owned(), ..one.service.key };
        let profile = Profile { trace: Some(traces.len()), timeout_ms: 10_000.0, ..Profile::default() };
        specs.push(Spec {
            key,
            team: "trace".into(),
            environment: "production".into(),
            labels: one.service.labels,
            managed: Managed::Direct,
            state,
            profile,
        });
        traces.push(trace);
    }
    (specs, traces)
}

/// What a history says is wanted, on a grid no finer than the ticks.
fn demand(history: &ServiceHistory, tick: i64) -> BTreeMap<Metric, Series> {
    let fit = |metric: Metric, factor: f64| {
        history.get(metric).map(|s| {
            let coarse = s.coarsen(usize::try_from(tick / i64::from(s.step.max(1))).unwrap_or(1), metric.aggregation());
            Series { values: coarse.values.iter().map(|v| (f64::from(*v) * factor) as f32).collect(), ..coarse }
        })
    };
    let cpu = fit(Metric::CpuUsage, 1.0)
        .or_else(|| fit(Metric::CpuUtilization, MACHINE_CORES))
        .or_else(|| fit(Metric::RequestRate, CPU_MS / 1000.0));
    let memory = fit(Metric::MemoryWorkingSet, 1.0).or_else(|| fit(Metric::MemoryUtilization, MACHINE_MEMORY));
    let replayed = AS_IT_IS.into_iter().filter_map(|m| Some((m, fit(m, 1.0)?)));
    let sized = [(Metric::CpuUsage, cpu), (Metric::MemoryWorkingSet, memory)].into_iter().filter_map(|(m, s)| Some((m, s?)));
    replayed.chain(sized).collect()
}

fn moved(mut series: BTreeMap<Metric, Series>, start: i64) -> Trace {
    let begin = series.values().map(|s| s.start).min().unwrap_or(start);
    let end = series.values().map(Series::end).max().unwrap_or(start);
    let span = (end - begin).max(1);
    let live = (span / 4).min(3 * DAY);
    let wanted = start + live - end;
    let shift = if span >= 4 * DAY { (wanted + DAY - 1).div_euclid(DAY) * DAY } else { wanted };
    series.values_mut().for_each(|s| s.start += shift);
    let period = if span >= DAY { (span / DAY).min(7) * DAY } else { span };
    Trace { series, end: end + shift, period }
}

fn state(trace: &Trace, told: &ResourceState, start: i64) -> ResourceState {
    if !told.containers.is_empty() {
        return ResourceState { replicas: Some(told.replicas.unwrap_or(1)), ..told.clone() };
    }
    let peak = |metric: Metric| {
        let series = trace.series.get(&metric)?;
        let from = series.start.max(start - 14 * DAY);
        let first = series.points().find(|(t, _)| *t >= from)?.0;
        let peak = series.slice(first, first + 3 * DAY).present().fold(0.0, f64::max);
        Some(peak * 1.5)
    };
    let cpu = peak(Metric::CpuUsage).map(|v| Cores::ceil_milli(v.max(0.01)));
    let memory = peak(Metric::MemoryWorkingSet).map(|v| Bytes::ceil_mib(v.max(16.0 * 1_048_576.0)));
    let container = Container {
        cpu_request: cpu,
        cpu_limit: cpu.map(|v| Cores::ceil_milli(v.get() * 2.0)),
        memory_request: memory,
        memory_limit: memory.map(|v| Bytes::ceil_mib(v.as_f64() * 1.25)),
        gpus: u32::from(trace.series.contains_key(&Metric::GpuUtilization)),
    };
    ResourceState { containers: [("main".to_owned(), container)].into(), replicas: Some(1), ..ResourceState::default() }
}

/// One tick of a service that replays a trace. The CPU wanted is shared by the replicas; memory is wanted by each.
pub fn tick(trace: &Trace, p: &Profile, g: &Granted, d: &mut Dynamic, a: &Around, noise: Noise, service: usize) -> Readings {
    let up = d.replicas.advance(g.replicas, a.dt);
    let mut out = [f32::NAN; METRICS];
    let mut put = |metric: Metric, value: f64| out[metric as usize] = value as f32;
    let middle = a.t + a.dt as i64 / 2;
    let (cpu, memory) = (trace.at(Metric::CpuUsage, middle), trace.at(Metric::MemoryWorkingSet, middle));
    if cpu.is_none() && memory.is_none() {
        d.seen = Seen::default();
        d.use_percent = None;
        return out;
    }
    let running = up.serving > 1e-3;
    let when = |condition: bool, value: f64| if condition { value } else { f64::NAN };
    if let Some(total) = cpu {
        let wanted = total / up.serving.max(1e-3) + d.backlog / a.dt;
        let used = wanted.min(g.cpu_limit);
        d.backlog = ((wanted - used) * a.dt).min(g.cpu_limit.min(1e6) * DEFERRED);
        let share = throttled(wanted, g.cpu_limit, 0.6 * wanted, 0.0, 0.0);
        put(Metric::CpuUsage, when(running, used));
        put(Metric::CpuThrottled, when(running, share));
        d.use_percent = (g.cpu_request > 0.0 && running).then(|| 100.0 * used / g.cpu_request);
        d.seen = Seen { cores: used * up.serving, ..Seen::default() };
        if let Some(rate) = trace.at(Metric::RequestRate, middle).filter(|r| *r > 0.0) {
            let per_request = total * 1000.0 / rate;
            let cores = g.cpu_limit.clamp(1e-3, 16.0);
            let queue = Waiting::new(wanted / cores, cores, per_request / cores.min(1.0), 1.3);
            let own = tails(6.0 + per_request / cores.min(1.0), 0.5);
            let behind = d.backlog / cores * 1000.0;
            let stalls = stall(share);
            for (i, metric) in [Metric::LatencyP50, Metric::LatencyP95, Metric::LatencyP99].into_iter().enumerate() {
                let wobble = 1.0 + 0.03 * noise.normal(service, Stream::Latency, a.t ^ ((i as i64) << 56));
                let value = (own[i] + stalls[i] + queue.quantile(QUANTILES[i]) + behind) * wobble;
                put(metric, when(running, value.min(p.timeout_ms)));
            }
            put(Metric::RequestRatePerReplica, when(running, rate / up.serving.max(1e-3)));
            put(Metric::ErrorRatio, if running { 0.0004 + 0.9 * (behind / p.timeout_ms).min(1.0).powi(2) } else { 1.0 });
        }
    }
    let mut kills = 0;
    if let Some(wanted) = memory {
        for (i, replica) in d.replicas.each.iter_mut().enumerate().filter(|(_, r)| r.down <= 0.0) {
            let peak = wanted * (1.0 + 0.01 * noise.normal(service, Stream::Replica(i as u16), a.t).abs());
            if peak > g.memory_limit {
                kills += 1;
                replica.down = (RESTART * f64::from(1u32 << replica.crashes.min(4))).min(300.0);
                replica.crashes = replica.crashes.saturating_add(1);
            } else {
                replica.crashes = 0;
            }
        }
        put(Metric::MemoryWorkingSet, when(running, wanted.min(g.memory_limit)));
    }
    for metric in AS_IT_IS {
        if let Some(value) = trace.at(metric, middle) {
            let share = if metric.scope() == headroom_model::metric::Scope::PerReplica { up.serving.max(1.0) } else { 1.0 };
            put(metric, value / share);
        }
    }
    put(Metric::CpuRequest, when(g.cpu_request > 0.0, g.cpu_request));
    put(Metric::CpuLimit, when(g.cpu_limit.is_finite(), g.cpu_limit));
    put(Metric::MemoryRequest, when(g.memory_request > 0.0, g.memory_request));
    put(Metric::MemoryLimit, when(g.memory_limit.is_finite(), g.memory_limit));
    put(Metric::OomKills, f64::from(kills));
    put(Metric::Restarts, f64::from(kills));
    put(Metric::Replicas, up.serving);
    out
}

/// The metrics a trace's service publishes.
#[must_use]
pub fn published(trace: &Trace) -> Vec<Metric> {
    let has = |m: &Metric| trace.series.contains_key(m);
    let cpu = has(&Metric::CpuUsage);
    let rate = has(&Metric::RequestRate);
    let wanted = |m: Metric| match m {
        Metric::CpuThrottled | Metric::CpuRequest | Metric::CpuLimit => cpu,
        Metric::MemoryRequest | Metric::MemoryLimit => has(&Metric::MemoryWorkingSet),
        Metric::LatencyP50 | Metric::LatencyP95 | Metric::LatencyP99 | Metric::ErrorRatio | Metric::RequestRatePerReplica => rate && cpu,
        Metric::OomKills | Metric::Restarts | Metric::Replicas => true,
        other => has(&other),
    };
    Metric::ALL.iter().copied().filter(|m| wanted(*m)).collect()
}
