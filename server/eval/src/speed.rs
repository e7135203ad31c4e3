//! Speed and memory of the analysis of a large fleet: of samples as they come out of the stored chunks, and of days that were kept.

use headroom_engine::judge::{Guards, judge};
use headroom_engine::prices::PriceBook;
use headroom_engine::rightsize::Fleet;
use headroom_engine::{DaySketch, Input, analyze, analyze_fleet};
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::policy::Policy;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::service::{Container, Managed, ResourceState, Service, ServiceKey};
use headroom_model::time::{DAY, Timestamp};
use rayon::prelude::*;
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

/// What the fleet may take.
const BAR_SECS: f64 = 5.0;
const SERVICES: usize = 10_000;
const DAYS: usize = 14;
const START: i64 = 1_763_337_600;
/// Histories that are in memory at a time, as when they are read from the store in batches.
const BATCH: usize = 1_000;
/// Services that are timed one by one.
const ALONE: usize = 400;

/// Measures.
pub fn score(_: &Path) -> Result<Option<String>, String> {
    let (policy, prices) = (Policy::default(), PriceBook::on_prem_default());
    let now = Timestamp::from_secs(START + DAYS as i64 * DAY);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().map_err(|e| e.to_string())?;
    // Rows that were scored before have left their own peak; where it cannot be reset it is reported with theirs.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let (mut anew, mut later, mut proposals, mut bytes) = (0.0, 0.0, 0, 0);
    for batch in 0..SERVICES / BATCH {
        let fleet: Vec<(Service, ServiceHistory)> = (batch * BATCH..(batch + 1) * BATCH).map(|i| (service(i), history(i))).collect();
        let found = |days: &[Vec<DaySketch>]| {
            let inputs: Vec<Input<'_>> = fleet.iter().zip(days).map(|((s, _), days)| input(s, days, &policy, &prices, now)).collect();
            analyze_fleet(&inputs).iter().map(|a| a.proposals.len()).sum::<usize>()
        };
        let begin = Instant::now();
        let days: Vec<Vec<DaySketch>> = pool.install(|| fleet.par_iter().map(|(_, h)| DaySketch::of(h)).collect());
        let all = pool.install(|| found(&days));
        anew += begin.elapsed().as_secs_f64();
        let today = now.secs() - DAY;
        let kept: Vec<Vec<Vec<u8>>> = days.iter().map(|days| days[..days.len() - 1].iter().map(DaySketch::encode).collect()).collect();
        let new: Vec<ServiceHistory> = fleet.iter().map(|(_, h)| h.slice(today, now.secs())).collect();
        bytes += kept.iter().flatten().map(Vec::len).sum::<usize>();
        let begin = Instant::now();
        let both = |(kept, new): (&Vec<Vec<u8>>, &ServiceHistory)| {
            kept.iter().filter_map(|day| DaySketch::decode(day)).chain(DaySketch::of(new)).collect::<Vec<DaySketch>>()
        };
        let days: Vec<Vec<DaySketch>> = pool.install(|| kept.par_iter().zip(&new).map(both).collect());
        let again = pool.install(|| found(&days));
        later += begin.elapsed().as_secs_f64();
        if again != all {
            return Err(format!("{again} proposals of days that were kept, {all} of the same days anew"));
        }
        proposals += all;
    }
    let day = bytes as f64 / (SERVICES * (DAYS - 1)) as f64;
    let peak = peak_mib();
    let (alone, judged) = one_by_one(&policy, &prices, now);
    let mut out = String::from("## Speed\n\n");
    let _ = writeln!(
        out,
        "{SERVICES} services × {DAYS} days × 5 minutes × 2 metrics (CPU, memory; made from a seed), as decoded histories, in batches of {BATCH} on two \
         threads; reading from disk and decoding of chunks excluded. {proposals} proposals, the same both ways. What is kept of a day of a service takes \
         {day:.0} bytes. Wall-clock time on the machine that made this document; peak memory is the process's (VmHWM), the batch included.\n"
    );
    out.push_str("| what | measured | bar |\n|---|---|---|\n");
    let _ = writeln!(out, "| the fleet analysed from its samples, as the first time | {anew:.1} s | 5 s |");
    let _ =
        writeln!(out, "| the fleet analysed from 13 days as they were kept and one of samples, as every time after | {later:.1} s | 5 s |");
    let _ = writeln!(out, "| peak memory | {} | 500 MB |", peak.map_or("not known".to_owned(), |p| format!("{p:.0} MiB")));
    let _ = writeln!(out, "| one service analysed, p50 / p99 | {} | 50 ms |", quantiles(alone));
    let _ = writeln!(out, "| one service judged, 24 h against 24 h, 2 metrics, p50 / p99 | {} | 50 ms |", quantiles(judged));
    if anew > BAR_SECS {
        out.push_str(
            "\nThe first is above the bar. A profile shows no function with more than 5 % of the time; asking for memory and giving it back takes about a \
             tenth. Learning from each value and how often it was there, instead of from every value, gained another tenth.\n",
        );
    }
    out.push_str("\nRepeat: `make eval`; `cargo bench -p headroom-engine --bench fleet` for the parts.\n");
    Ok(Some(out))
}

fn input<'a>(service: &'a Service, days: &'a [DaySketch], policy: &'a Policy, prices: &'a PriceBook, now: Timestamp) -> Input<'a> {
    Input { service, days, policy, prices, types: &[], now, fleet: Fleet::default(), records: None, room: None }
}

/// Seconds of each analysis, and of each judgement.
fn one_by_one(policy: &Policy, prices: &PriceBook, now: Timestamp) -> (Vec<f64>, Vec<f64>) {
    (0..ALONE)
        .map(|i| {
            let (service, history) = (service(i), history(i));
            let begin = Instant::now();
            let found = analyze(&input(&service, &DaySketch::of(&history), policy, prices, now));
            let analysed = begin.elapsed().as_secs_f64();
            let end = now.secs();
            let (before, after) = (history.slice(end - 2 * DAY, end - DAY), history.slice(end - DAY, end));
            let begin = Instant::now();
            let effect = judge(&before, &after, Guards::Every, &[], policy);
            let judged = begin.elapsed().as_secs_f64();
            std::hint::black_box((found, effect));
            (analysed, judged)
        })
        .unzip()
}

fn quantiles(mut seconds: Vec<f64>) -> String {
    seconds.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| 1e3 * seconds[((seconds.len() - 1) as f64 * q) as usize];
    format!("{:.2} / {:.2} ms", at(0.5), at(0.99))
}

fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

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
        key: ServiceKey { cluster: "speed".into(), namespace: "ns".into(), kind: "Deployment".into(), name: format!("service-{i}") },
        uid: i.to_string(),
        team: "team".into(),
        environment: "production".into(),
        labels: Default::default(),
        state: ResourceState { containers: [("app".to_owned(), container)].into(), replicas: Some(3), ..ResourceState::default() },
        calls: Vec::new(),
        managed: Managed::Direct,
    }
}

/// A day's wave with noise, from the service's number.
fn history(i: usize) -> ServiceHistory {
    let mut state = i as u64 + 1;
    let mut random = move || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    };
    let (base, wave) = (0.1 + 1.9 * random(), random());
    let n = DAYS * 288;
    let cpu = (0..n).map(|t| base * (1.0 + wave * (t as f32 / 288.0 * std::f32::consts::TAU).sin()) * (0.8 + 0.4 * random())).collect();
    let memory = (0..n).map(|_| base * 2e9 * (0.9 + 0.2 * random())).collect();
    let series = |values| Series { start: START, step: 300, values };
    ServiceHistory { metrics: [(Metric::CpuUsage, series(cpu)), (Metric::MemoryWorkingSet, series(memory))].into() }
}
