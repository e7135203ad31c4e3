//! Prints what the simulated services look like: `look` the whole world, `look SERVICE` one day of one service, hour by hour.
//! `look FILE.csv` makes the world of a trace.

use headroom_infra::simulator::cluster::Cluster;
use headroom_infra::simulator::physics::Readings;
use headroom_infra::simulator::world::World;
use headroom_model::metric::Metric;
use headroom_model::time::{DAY, Timestamp};
use std::time::Instant;

fn main() {
    let wanted = std::env::args().nth(1);
    let services = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(34);
    let start: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a time");
    let begun = Instant::now();
    let world = match &wanted {
        Some(file) if file.contains(".csv") => World::traced(1, "demo", start, 14, file.as_ref()).unwrap_or_else(|e| panic!("{e}")),
        _ => World::generated(1, "demo", start, 14, services),
    };
    println!("world of {} services in {:?}", world.specs.len(), begun.elapsed());
    let begun = Instant::now();
    let mut cluster = Cluster::new(world);
    let mut rows: Vec<Vec<Readings>> = Vec::new();
    let keep = cluster.world.specs.len() <= 1000;
    while cluster.now.until < cluster.world.start + 2 * DAY {
        if let Some(row) = cluster.tick()
            && keep
        {
            rows.push(row);
        }
    }
    println!("16 days in {:?}", begun.elapsed());
    match wanted.as_deref().and_then(|name| cluster.world.specs.iter().position(|s| s.key.name == name)) {
        Some(i) => hours(&rows, i),
        None if keep => summary(&cluster, &rows),
        None => {}
    }
}

fn column(rows: &[Vec<Readings>], service: usize, metric: Metric) -> Vec<f64> {
    let mut values: Vec<f64> = rows.iter().map(|r| f64::from(r[service][metric as usize])).filter(|v| !v.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn q(sorted: &[f64], p: f64) -> f64 {
    sorted.get(((sorted.len().max(1) - 1) as f64 * p).round() as usize).copied().unwrap_or(f64::NAN)
}

fn summary(cluster: &Cluster, rows: &[Vec<Readings>]) {
    println!(
        "{:24} {:>4} {:>6} | {:>5} {:>5} {:>5} {:>5} {:>6} {:>6} | {:>6} {:>6} {:>6} {:>6} {:>4} | {:>5} {:>5} {:>6} {:>6} | {:>6} {:>5} {:>6} {:>6} {:>5} {:>5}",
        "service",
        "n",
        "rate",
        "req",
        "p50",
        "p95",
        "max",
        "thr",
        "thrMax",
        "memReq",
        "p50",
        "p99",
        "lim",
        "oom",
        "L50",
        "L95",
        "L95max",
        "L99max",
        "err",
        "hit",
        "pool",
        "db",
        "imbal",
        "gpu"
    );
    for (i, spec) in cluster.world.specs.iter().enumerate().take(60) {
        let c = |m| column(rows, i, m);
        let mib = 1_048_576.0;
        let (cpu, memory, n) = (c(Metric::CpuUsage), c(Metric::MemoryWorkingSet), c(Metric::Replicas));
        let thr = c(Metric::CpuThrottled);
        println!(
            "{:24.24} {:>4.1} {:>6.1} | {:>5.2} {:>5.2} {:>5.2} {:>5.2} {:>6.4} {:>6.3} | {:>6.0} {:>6.0} {:>6.0} {:>6.0} {:>4.0} | {:>5.0} {:>5.0} {:>6.0} {:>6.0} | {:>6.4} {:>5.2} {:>6.1} {:>6.1} {:>5.2} {:>5.2}",
            spec.key.name,
            q(&n, 0.5),
            q(&c(Metric::RequestRate), 0.9),
            spec.state.cpu_request().map_or(f64::NAN, |v| v.get()),
            q(&cpu, 0.5),
            q(&cpu, 0.95),
            q(&cpu, 1.0),
            thr.iter().sum::<f64>() / thr.len() as f64,
            q(&thr, 0.99),
            spec.state.memory_request().map_or(f64::NAN, |v| v.as_f64() / mib),
            q(&memory, 0.5) / mib,
            q(&memory, 0.99) / mib,
            spec.state.memory_limit().map_or(f64::NAN, |v| v.as_f64() / mib),
            c(Metric::OomKills).iter().sum::<f64>(),
            q(&c(Metric::LatencyP50), 0.5),
            q(&c(Metric::LatencyP95), 0.5),
            q(&c(Metric::LatencyP95), 0.99),
            q(&c(Metric::LatencyP99), 0.99),
            c(Metric::ErrorRatio).iter().sum::<f64>() / rows.len() as f64,
            q(&c(Metric::CacheHitRatio), 0.5),
            q(&c(Metric::PoolWait), 0.95),
            q(&c(Metric::DatabaseTime), 0.5),
            q(&c(Metric::LoadImbalance), 0.5),
            q(&c(Metric::GpuUtilization), 0.9),
        );
    }
}

fn hours(rows: &[Vec<Readings>], service: usize) {
    let shown = [
        Metric::RequestRate,
        Metric::Replicas,
        Metric::CpuUsage,
        Metric::CpuThrottled,
        Metric::MemoryWorkingSet,
        Metric::OomKills,
        Metric::LatencyP50,
        Metric::LatencyP95,
        Metric::LatencyP99,
        Metric::ErrorRatio,
        Metric::CacheHitRatio,
        Metric::PoolWait,
        Metric::DatabaseTime,
    ];
    shown.iter().for_each(|m| print!("{:>22.22}", m.name()));
    println!();
    for row in rows.iter().step_by(12).take(14 * 24).skip(24) {
        shown.iter().for_each(|m| print!("{:>22.4}", row[service][*m as usize]));
        println!();
    }
}
