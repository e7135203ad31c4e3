//! Services beyond the catalogue, for large fleets: archetypes varied by the seed.

use super::builder::{Builder, service};
use super::demand::Shape;
use super::noise::{Noise, Stream};
use super::profile::{Call, Spec};

/// What a generated service does: name, shape, requests per second, CPU per request, memory base (MiB) and per request per second.
const ARCHETYPES: [(&str, Shape, f64, f64, f64, f64); 8] = [
    ("api", Shape::Day, 90.0, 3.5, 260.0, 1.2),
    ("stream", Shape::Market, 240.0, 0.9, 340.0, 0.4),
    ("worker", Shape::Flat, 8.0, 60.0, 420.0, 12.0),
    ("batch", Shape::Night, 2.0, 320.0, 800.0, 80.0),
    ("cache", Shape::Day, 420.0, 0.4, 1400.0, 0.2),
    ("lookup", Shape::Day, 14.0, 18.0, 300.0, 4.0),
    ("report", Shape::Day, 1.5, 150.0, 600.0, 30.0),
    ("feed", Shape::Market, 60.0, 4.0, 380.0, 1.5),
];
const DOMAINS: [&str; 12] =
    ["equity", "bond", "fund", "fx", "rates", "credit", "company", "person", "document", "address", "model", "feature"];
const OWNERS: [(&str, &str); 5] =
    [("prices", "trading-data"), ("prices", "edge"), ("verify", "verification"), ("compute", "ai-compute"), ("prices", "trading-data")];

/// Adds generated services until there are `n`; each may call an earlier generated one.
pub fn extend(specs: &mut Vec<Spec>, cluster: &str, seed: u64, n: usize) {
    let noise = Noise::new(seed ^ 0xa5c3);
    let first = specs.len();
    for i in first..n {
        let mut spec = generated(cluster, noise, i).spec;
        if i > first && noise.unit(i, Stream::BurstChance, 9) < 0.5 {
            let callee = first + (noise.bits(i, Stream::BurstChance, 10) % (i - first) as u64) as usize;
            spec.profile.calls = vec![Call { service: callee, per_request: 0.05 }];
        }
        specs.push(spec);
    }
}

fn generated(cluster: &str, noise: Noise, i: usize) -> Builder {
    let pick = |k: i64, n: usize| (noise.bits(i, Stream::White, k) % n as u64) as usize;
    let vary = |k: i64, by: f64| (by * noise.normal(i, Stream::Minutes, k)).exp();
    let (role, shape, rate, cpu_ms, base, per_rate) = ARCHETYPES[pick(1, ARCHETYPES.len())];
    let (namespace, team) = OWNERS[pick(2, OWNERS.len())];
    let (rate, cpu_ms) = (tidy(rate * vary(1, 0.7)), tidy(cpu_ms * vary(2, 0.4)));
    let replicas = 1 + pick(3, 5) as u32;
    let (base, per_rate) = (tidy(base * vary(3, 0.3)), tidy(per_rate * vary(4, 0.2)));
    let each = rate / f64::from(replicas);
    let busy = 0.02 + each * cpu_ms / 1000.0 * 1.7;
    let set = base + per_rate * each * 1.7;
    // From starved to four times what is needed; most are wasteful, as in real fleets.
    let ample = 0.8 + 3.0 * noise.unit(i, Stream::Hourly, 5);
    let roomy = 1.08 + 2.0 * noise.unit(i, Stream::Hourly, 6);
    let request = (busy * ample).max(0.02);
    let leaky = noise.unit(i, Stream::Hourly, 7) < 0.03;
    let limit = (set * roomy * 1.25) as u64;
    service(cluster, namespace, &format!("{}-{role}-{i:05}", DOMAINS[pick(4, DOMAINS.len())]), team)
        .replicas(replicas)
        .cpu(request, if pick(5, 3) == 0 { 0.0 } else { request * 1.6 })
        .memory((set * roomy) as u64, limit)
        .demand(rate, shape, tidy(0.2 + 0.7 * noise.unit(i, Stream::Hourly, 8)))
        .nervous(tidy(0.05 + 0.12 * noise.unit(i, Stream::Hourly, 9)), 1.0, 1.7, 0.0)
        .work(cpu_ms, 0.015, tidy(8.0 * vary(5, 0.5)), 0.5)
        .uses(base, per_rate, if leaky { tidy(limit as f64 / 60.0) } else { 0.0 })
}

/// Three significant digits.
fn tidy(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let scale = 10f64.powf(2.0 - value.log10().floor());
    (value * scale).round() / scale
}
