//! The design target: 10,000 services × 14 days × 5 minutes × 2 metrics in 5 s on two cores, I/O excluded.
//!
//! `cargo bench -p headroom-engine --bench fleet` prints the time; set `HEADROOM_FLEET` for another number of services.

use headroom_engine::judge::Guards;
use headroom_engine::rightsize::Fleet;
use headroom_engine::{DaySketch, Features, Input, analyze_fleet, prices::PriceBook};
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::policy::Policy;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::service::{Container, Managed, ResourceState, Service, ServiceKey};
use headroom_model::time::Timestamp;
use rand::{RngExt, SeedableRng};
use std::time::Instant;

const DAYS: usize = 14;
const START: i64 = 1_763_337_600;

fn service(i: usize) -> Service {
    let container = Container {
        cpu_request: "4".parse().ok(),
        cpu_limit: "8".parse().ok(),
        memory_request: "8Gi".parse().ok(),
        memory_limit: "8Gi".parse().ok(),
        gpus: 0,
    };
    Service {
        id: ServiceId(Default::default()),
        key: ServiceKey { cluster: "bench".into(), namespace: "ns".into(), kind: "Deployment".into(), name: format!("service-{i}") },
        uid: i.to_string(),
        team: "team".into(),
        environment: "production".into(),
        labels: Default::default(),
        state: ResourceState { containers: [("app".to_owned(), container)].into(), replicas: Some(3), ..ResourceState::default() },
        calls: Vec::new(),
        managed: Managed::Direct,
    }
}

fn history(i: usize) -> ServiceHistory {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(i as u64);
    let (base, wave) = (rng.random_range(0.1..2.0f32), rng.random_range(0.0..1.0f32));
    let n = DAYS * 288;
    let cpu =
        (0..n).map(|t| base * (1.0 + wave * (t as f32 / 288.0 * std::f32::consts::TAU).sin()) * rng.random_range(0.8..1.2f32)).collect();
    let memory = (0..n).map(|_| base * 2e9 * rng.random_range(0.9..1.1f32)).collect();
    let series = |values| Series { start: START, step: 300, values };
    ServiceHistory { metrics: [(Metric::CpuUsage, series(cpu)), (Metric::MemoryWorkingSet, series(memory))].into() }
}

fn peak_rss_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// The slowest hundredth of single analyses.
fn one_by_one(inputs: &[Input]) {
    let mut took: Vec<f64> = inputs
        .iter()
        .take(1_000)
        .map(|input| {
            let begin = Instant::now();
            std::hint::black_box(headroom_engine::analyze(input));
            1e3 * begin.elapsed().as_secs_f64()
        })
        .collect();
    took.sort_unstable_by(f64::total_cmp);
    if let Some(p99) = took.get(took.len() * 99 / 100) {
        println!("one service: p99 {p99:.2} ms of {}", took.len());
    }
}

fn main() {
    let count = std::env::var("HEADROOM_FLEET").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let (policy, prices) = (Policy::default(), PriceBook::on_prem_default());
    let now = Timestamp::from_secs(START + DAYS as i64 * 86_400);
    let fleet: Vec<(Service, ServiceHistory)> = (0..count).map(|i| (service(i), history(i))).collect();
    let days: Vec<Vec<DaySketch>> = fleet.iter().map(|f| DaySketch::of(&f.1)).collect();
    let typical = Fleet::of(days.iter().map(Vec::as_slice));
    let input = |(service, days)| Input {
        service,
        days,
        policy: &policy,
        prices: &prices,
        types: &[],
        now,
        fleet: typical,
        records: None,
        room: None,
    };
    let inputs: Vec<Input> = fleet.iter().zip(&days).map(|(f, days)| input((&f.0, days.as_slice()))).collect();
    let begin = Instant::now();
    let found = analyze_fleet(&inputs);
    let took = begin.elapsed();
    let proposals: usize = found.iter().map(|a| a.proposals.len()).sum();
    println!(
        "fleet: {count} services × {DAYS} days × 288 samples × 2 metrics in {:.2} s, {proposals} proposals, peak {:.0} MiB with the input",
        took.as_secs_f64(),
        peak_rss_mib().unwrap_or(0.0)
    );
    one_by_one(&inputs);
    let mut criterion = criterion::Criterion::default().configure_from_args().sample_size(50);
    criterion.bench_function("one service", |b| b.iter(|| headroom_engine::analyze(std::hint::black_box(&inputs[0]))));
    let (end, day) = (now.secs(), 86_400);
    let (before, after) = (fleet[0].1.slice(end - 2 * day, end - day), fleet[0].1.slice(end - day, end));
    criterion.bench_function("one service judged, a day against a day", |b| {
        b.iter(|| headroom_engine::judge::judge(std::hint::black_box(&before), &after, Guards::Every, &[], &policy))
    });
    let features: Vec<Features> = days.iter().take(1_000).map(|days| Features::of(days)).collect();
    criterion.bench_function("classes of 1,000 services", |b| b.iter(|| headroom_engine::classes::fit(std::hint::black_box(&features), 1)));
    criterion.final_summary();
}
