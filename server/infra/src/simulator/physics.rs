//! One service in one tick: from the requests that arrive to everything that is measured.

use super::noise::{Noise, Stream};
use super::profile::{Balancing, Granted, Profile};
use super::queueing::{QUANTILES, Waiting, beyond, stall, tails, throttled, visible};
use super::replicas::{Replicas, Tick};
use headroom_model::metric::Metric;
use headroom_model::service::Autoscaler;
use serde::{Deserialize, Serialize};

/// Number of metrics in the catalogue.
pub const METRICS: usize = Metric::ALL.len();
/// One value per metric, in catalogue order; `NaN` where there is none.
pub type Readings = [f32; METRICS];
/// Arrivals come in clumps: waits are longer than Poisson's.
const BURSTINESS: f64 = 1.4;
/// Largest parallelism of one replica, cores.
const MOST_CORES: f64 = 16.0;
/// Share of capacity that can be used at most, the rest is lost to switching.
const USABLE: f64 = 0.985;

/// What a service carries from one tick to the next.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Dynamic {
    /// Its replicas.
    pub replicas: Replicas,
    /// Requests that wait, per replica.
    pub backlog: f64,
    /// Bytes on the volume.
    pub volume: f64,
    /// CPU use as a share of the request in the tick before, percent; `None` without a request or a measurement.
    pub use_percent: Option<f64>,
    /// What callers saw in the tick before.
    pub seen: Seen,
}

/// What callers see of a service.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Latency at p50, p95 and p99, milliseconds.
    pub latency: [f64; 3],
    /// Share of failures.
    pub errors: f64,
    /// Requests per second that it passes on to those it calls.
    pub served: f64,
    /// Cores in use over all replicas.
    pub cores: f64,
}

/// What is around a service in a tick.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Around {
    /// Begin of the tick, seconds since the epoch.
    pub t: i64,
    /// Length of the tick, seconds.
    pub dt: f64,
    /// Requests per second, from outside and from callers.
    pub offered: f64,
    /// Latency of all calls of one request, milliseconds.
    pub calls: [f64; 3],
    /// Share of requests that fail because a call fails.
    pub call_errors: f64,
    /// Use of the nodes' CPU, 1 = all of it.
    pub pressure: f64,
}

/// The number of replicas the autoscaler wants now.
pub fn scale(dynamic: &mut Dynamic, autoscaler: Autoscaler, now: u32, t: i64) -> u32 {
    let use_percent = dynamic.use_percent.unwrap_or(f64::NAN);
    dynamic.replicas.autoscale(autoscaler, now, use_percent, t)
}

/// Lets one tick pass for one service.
pub fn tick(p: &Profile, g: &Granted, d: &mut Dynamic, a: &Around, noise: Noise, service: usize) -> Readings {
    let up = d.replicas.advance(g.replicas, a.dt);
    let rate = if up.serving > 1e-3 { a.offered / up.serving } else { 0.0 };
    let uneven = imbalance(p, g, up.serving);
    let store = Storage::new(p, g, rate, a.offered, up.warm);
    let cpu = Cpu::new(p, g, rate, uneven, &store, &up, a, noise, service);
    let flow = Flow::new(p, g, rate, &store, &cpu, d.backlog, a);
    let memory = d.replicas.memory(p, g, flow.served, a.t, a.dt, noise, service);
    let latency = latency(p, g, uneven, &store, &cpu, &flow, a, noise, service);
    d.backlog = flow.backlog;
    d.volume = (d.volume + p.volume.map_or(0.0, |v| v.per_request) * flow.served * up.serving * a.dt).min(g.volume);
    let full = if p.volume.is_some() && d.volume >= 0.995 * g.volume { 0.4 } else { 0.0 };
    let broken = f64::from(memory.kills) / (up.serving + f64::from(memory.kills)).max(1.0) * (20.0 / a.dt).min(1.0);
    let slow = beyond(p.timeout_ms, latency[0], latency[1]);
    let own = [0.0004, flow.refused, a.call_errors, full, broken, slow].iter().fold(1.0, |ok, e| ok * (1.0 - e.clamp(0.0, 1.0)));
    let errors = if up.serving < 1e-3 { 1.0 } else { 1.0 - own };
    let used = cpu.used(&flow).min(g.cpu_limit);
    d.use_percent = (g.cpu_request > 0.0 && up.serving > 1e-3).then(|| 100.0 * used / g.cpu_request);
    d.seen = Seen { latency, errors, served: flow.served * up.serving, cores: used * up.serving };
    let mut out = [f32::NAN; METRICS];
    let mut put = |metric: Metric, value: f64| out[metric as usize] = value as f32;
    let running = up.serving > 1e-3;
    let when = |condition: bool, value: f64| if condition { value } else { f64::NAN };
    put(Metric::CpuUsage, when(running, used));
    put(Metric::CpuThrottled, when(running, cpu.throttled));
    put(Metric::CpuRequest, when(g.cpu_request > 0.0, g.cpu_request));
    put(Metric::CpuLimit, when(g.cpu_limit.is_finite(), g.cpu_limit));
    put(Metric::MemoryWorkingSet, memory.working_set);
    put(Metric::MemoryRequest, when(g.memory_request > 0.0, g.memory_request));
    put(Metric::MemoryLimit, when(g.memory_limit.is_finite(), g.memory_limit));
    put(Metric::OomKills, f64::from(memory.kills));
    put(Metric::Restarts, f64::from(memory.kills));
    put(Metric::Replicas, up.serving);
    let jitter = 1.0 + 0.03 * noise.normal(service, Stream::Tail, a.t ^ 0x33);
    put(Metric::DiskRead, (p.disk_read * flow.served * store.miss + 900.0) * jitter);
    put(Metric::DiskWrite, (p.disk_write * flow.served + 2_400.0) * jitter);
    put(Metric::NetworkReceive, (p.bytes_in * flow.served + 1_500.0) * jitter);
    put(Metric::NetworkTransmit, (p.bytes_out * flow.served + 1_900.0) * jitter);
    if p.volume.is_some() {
        put(Metric::VolumeUsed, d.volume);
        put(Metric::VolumeCapacity, g.volume);
    }
    put(Metric::RequestRate, a.offered);
    put(Metric::RequestRatePerReplica, when(running, rate));
    for (metric, value) in [Metric::LatencyP50, Metric::LatencyP95, Metric::LatencyP99].into_iter().zip(latency) {
        put(metric, when(running, value));
    }
    put(Metric::ErrorRatio, errors);
    put(Metric::LoadImbalance, when(running, uneven));
    if p.cache.is_some() {
        put(Metric::CacheHitRatio, when(running, store.hit));
    }
    if p.database.is_some() {
        put(Metric::PoolWait, when(running, store.pool.mean() * store.miss));
        put(Metric::DatabaseTime, when(running, store.query * store.miss * jitter));
    }
    if let Some(gpu) = p.gpu {
        put(Metric::GpuUtilization, when(running, (flow.served * gpu.ms / 1000.0 / g.gpus.max(1.0)).min(1.0)));
        put(Metric::GpuMemoryUsed, when(running, gpu.memory * (1.0 + 0.06 * (flow.served * gpu.ms / 1000.0 / g.gpus.max(1.0)).min(1.0))));
        put(Metric::InputTokens, gpu.tokens_in * flow.served * up.serving);
        put(Metric::OutputTokens, gpu.tokens_out * flow.served * up.serving);
    }
    out
}

/// Busiest replica's load over the mean.
fn imbalance(p: &Profile, g: &Granted, replicas: f64) -> f64 {
    if replicas < 1.5 {
        return 1.0;
    }
    let crowd = (1.0 - 1.0 / replicas).sqrt();
    let policy = match g.balancing {
        Balancing::LeastRequests => 0.12,
        Balancing::RoundRobin => 1.0,
        Balancing::Random => 1.45,
    };
    1.0 + p.unevenness * policy * crowd
}

/// Cache, database and the pool in front of it.
struct Storage {
    hit: f64,
    /// Share of requests that ask the database.
    miss: f64,
    /// Milliseconds of the queries of one request.
    query: f64,
    pool: Waiting,
    /// Load of the pool, 1 = every connection always busy.
    pool_load: f64,
}

impl Storage {
    fn new(p: &Profile, g: &Granted, rate: f64, offered: f64, warm: f64) -> Self {
        let filled = g.cache_size * warm;
        let hit = p.cache.map_or(0.0, |c| if filled > 0.0 { c.best * filled / (filled + c.half) } else { 0.0 });
        let Some(database) = p.database else {
            return Self { hit, miss: 1.0 - hit, query: 0.0, pool: Waiting::default(), pool_load: 0.0 };
        };
        let miss = 1.0 - hit;
        let busy = (offered * miss * g.index / database.capacity).min(0.9);
        let query = database.query_ms * g.index * (1.0 + 0.6 * busy * busy / (1.0 - busy));
        let pool_load = rate * miss * query / 1000.0 / g.pool_size;
        Self { hit, miss, query, pool: Waiting::new(pool_load, g.pool_size, query, BURSTINESS), pool_load }
    }
}

/// CPU of the replicas.
struct Cpu {
    /// Core-milliseconds per request.
    per_request: f64,
    idle: f64,
    /// Cores that may be used.
    capacity: f64,
    throttled: f64,
    wobble: f64,
    starting: f64,
}

impl Cpu {
    #[expect(clippy::too_many_arguments, reason = "one step of one tick; a struct would only rename the list")]
    fn new(p: &Profile, g: &Granted, rate: f64, uneven: f64, s: &Storage, up: &Tick, a: &Around, noise: Noise, service: usize) -> Self {
        let churn = 1.0 + 0.3 * s.pool_load.min(1.3).powi(3);
        let crowded = if g.workers.is_finite() { (g.workers - 64.0).max(0.0) * 0.002 } else { 0.0 };
        let fetch = if p.cache.is_some() { 0.85 + 0.3 * s.miss } else { 1.0 };
        let per_request = p.cpu_ms * churn * fetch * (1.0 + crowded);
        let wobble = 1.0 + 0.025 * noise.smooth(service, Stream::Cpu, a.t, 600) + 0.02 * noise.normal(service, Stream::Cpu, a.t);
        let wanted = p.idle_cores + rate * per_request / 1000.0;
        let squeezed = if a.pressure > 0.9 { (wanted * 0.9 / a.pressure).max(g.cpu_request) } else { MOST_CORES };
        let busiest = p.idle_cores + rate * uneven * per_request / 1000.0;
        let throttled = throttled(busiest, g.cpu_limit, p.idle_cores, rate * 0.1, per_request / 100.0);
        let starting = 0.3 * up.started / up.serving.max(1.0) * p.idle_cores.max(0.05);
        Self { per_request, idle: p.idle_cores, capacity: g.cpu_limit.min(squeezed).max(1e-3), throttled, wobble, starting }
    }
    /// Requests per second one replica's CPU can take.
    fn most(&self) -> f64 {
        if self.per_request <= 0.0 { f64::INFINITY } else { ((self.capacity * USABLE - self.idle) * 1000.0 / self.per_request).max(1e-3) }
    }
    /// Cores used per replica.
    fn used(&self, flow: &Flow) -> f64 {
        let work = flow.served * self.per_request / 1000.0;
        ((self.idle + work + self.starting) * self.wobble).clamp(0.0, self.capacity)
    }
}

/// What passes through one replica.
struct Flow {
    /// Requests per second and replica answered.
    served: f64,
    /// Requests waiting at the end.
    backlog: f64,
    /// Share of requests refused or given up.
    refused: f64,
    /// Milliseconds until the backlog is worked off.
    wait: f64,
    /// Milliseconds a worker is held by one request.
    hold: f64,
}

impl Flow {
    fn new(p: &Profile, g: &Granted, rate: f64, s: &Storage, cpu: &Cpu, backlog: f64, a: &Around) -> Self {
        let hold = p.io_ms + cpu.per_request + s.miss * (s.query + s.pool.mean()) + a.calls[0] + p.gpu.map_or(0.0, |x| x.ms);
        let workers = g.workers * 1000.0 / hold.max(0.1);
        let connections = if s.query > 0.0 && s.miss > 1e-6 { g.pool_size * 1000.0 / (s.query * s.miss) } else { f64::INFINITY };
        let gpus = p.gpu.map_or(f64::INFINITY, |x| g.gpus.max(0.01) * 1000.0 / x.ms);
        let most = cpu.most().min(workers).min(connections).min(gpus);
        let arriving = rate + backlog / a.dt;
        let served = arriving.min(most * USABLE);
        let waiting = (arriving - served) * a.dt;
        let room = most * p.timeout_ms / 1000.0 * 0.6;
        let backlog = waiting.min(room);
        let refused = if rate > 0.0 { ((waiting - backlog) / (rate * a.dt)).min(1.0) } else { 0.0 };
        Self { served, backlog, refused, wait: backlog / most * 1000.0, hold }
    }
}

#[expect(clippy::too_many_arguments, reason = "one step of one tick; a struct would only rename the list")]
fn latency(
    p: &Profile,
    g: &Granted,
    uneven: f64,
    s: &Storage,
    cpu: &Cpu,
    flow: &Flow,
    a: &Around,
    noise: Noise,
    service: usize,
) -> [f64; 3] {
    let cores = cpu.capacity.max(1e-3);
    let period = cpu.per_request / (cores * 100.0);
    let stretched = if cores < 1.0 { cpu.per_request * (1.0 + (1.0 / cores - 1.0) * period / (1.0 + period)) } else { cpu.per_request };
    let own = tails(p.io_ms + stretched + p.gpu.map_or(0.0, |x| x.ms), p.spread);
    let stalls = stall(cpu.throttled);
    let slow = visible(s.miss);
    let query = tails(s.query, 0.55);
    let gives_up = p.timeout_ms * 1.02;
    // The median is felt at the mean replica, the tail at the busiest.
    let queues = [1.0, uneven].map(|share| {
        let load = flow.served * share;
        let on_cpu = Waiting::new((cpu.idle + load * cpu.per_request / 1000.0) / cores, cores, stretched, BURSTINESS);
        let for_worker = Waiting::new(load * flow.hold / 1000.0 / g.workers, g.workers, flow.hold, BURSTINESS);
        let on_gpu = p.gpu.map_or(Waiting::default(), |x| {
            let gpus = g.gpus.max(1.0);
            Waiting::new(load * x.ms / 1000.0 / gpus, gpus, x.ms, BURSTINESS)
        });
        [on_cpu, for_worker, on_gpu]
    });
    std::array::from_fn(|i| {
        let q = QUANTILES[i];
        let waits = queues[i.min(1)].iter().map(|w| w.quantile(q)).sum::<f64>() + flow.wait;
        let stored = slow[i] * (query[i] + s.pool.quantile(q));
        let wobble = 1.0 + [0.02, 0.035, 0.055][i] * noise.normal(service, Stream::Latency, a.t ^ ((i as i64) << 56));
        ((own[i] + stalls[i] + waits + stored + a.calls[i]) * wobble).min(gives_up)
    })
}
