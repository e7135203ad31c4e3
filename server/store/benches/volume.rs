//! How long a fleet's samples take to write and to read, and how many bytes they are on disk.
//!
//! `cargo bench -p headroom-store --bench volume -- [services] [days]`: two metrics every five minutes with a daily shape and
//! noise; then the lists at that size.

use headroom_model::auth::Teams;
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::recommendation::Verdict;
use headroom_model::service::{Managed, ResourceState, Service, ServiceKey};
use headroom_model::time::{DAY, Timestamp};
use headroom_model::units::{Currency, Money};
use headroom_model::view::ServiceQuery;
use headroom_store::{Column, ServiceSummary, Store, StoreConfig};
use std::time::Instant;
use uuid::Uuid;

const STEP: u32 = 300;
const CLUSTER: &str = "fleet";
const FROM: i64 = 1_800_057_600;

fn service(n: usize) -> Service {
    let key = ServiceKey {
        cluster: CLUSTER.into(),
        namespace: format!("ns-{}", n % 40),
        kind: "Deployment".into(),
        name: format!("service-{n}"),
    };
    Service {
        id: ServiceId(Uuid::now_v7()),
        key,
        uid: n.to_string(),
        team: format!("team-{}", n % 25),
        environment: "production".into(),
        labels: Default::default(),
        state: ResourceState::default(),
        calls: Vec::new(),
        managed: Managed::Direct,
    }
}

/// A day's wave with noise from a small generator; every value differs.
fn values(seed: u64, count: usize, level: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|i| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let noise = (state >> 40) as f32 / 16_777_216.0 - 0.5;
            level * (1.0 + 0.5 * (i as f32 / 288.0 * std::f32::consts::TAU).sin() + 0.2 * noise)
        })
        .collect()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Cargo adds `--bench`.
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let count: usize = args.next().map_or(Ok(10_000), |a| a.parse())?;
    let days: i64 = args.next().map_or(Ok(14), |a| a.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("headroom.db");
    let store = Store::open(&StoreConfig::sqlite(&path)).await?;
    let services: Vec<Service> = (0..count).map(service).collect();

    let start = Instant::now();
    let mut tx = store.begin().await?;
    tx.put_inventory(CLUSTER, &services, Timestamp::from_secs(FROM)).await?;
    tx.commit().await?;
    println!("inventory of {count} services: {:.2} s", start.elapsed().as_secs_f64());

    let per_series = (days * DAY / i64::from(STEP)) as usize;
    let (mut generated, start) = (0.0, Instant::now());
    for (block, some) in services.chunks(500).enumerate() {
        let begin = Instant::now();
        let columns: Vec<Column> = some
            .iter()
            .enumerate()
            .flat_map(|(n, s)| {
                let seed = (block * 500 + n) as u64;
                [
                    (s.id, Metric::CpuUsage, values(seed * 2 + 1, per_series, 1.5)),
                    (s.id, Metric::MemoryWorkingSet, values(seed * 2 + 2, per_series, 2e9)),
                ]
            })
            .collect();
        generated += begin.elapsed().as_secs_f64();
        let mut tx = store.begin().await?;
        tx.put_columns(CLUSTER, FROM, STEP, &columns).await?;
        tx.commit().await?;
    }
    let samples = count * 2 * per_series;
    let written = start.elapsed().as_secs_f64() - generated;
    let bytes: u64 = std::fs::read_dir(folder.path())?.filter_map(|f| f.ok()?.metadata().ok()).map(|m| m.len()).sum();
    println!(
        "{samples} samples written in {written:.1} s; on disk {:.0} MB, {:.2} bytes a sample",
        bytes as f64 / 1e6,
        bytes as f64 / samples as f64
    );

    let start = Instant::now();
    let mut tx = store.begin().await?;
    let frame: Vec<_> = services.iter().flat_map(|s| [(s.id, Metric::CpuUsage, 1.5), (s.id, Metric::MemoryWorkingSet, 2e9)]).collect();
    tx.append_frame(CLUSTER, FROM + days * DAY, STEP, &frame).await?;
    tx.commit().await?;
    println!("one frame of {} samples appended in {:.0} ms", frame.len(), start.elapsed().as_secs_f64() * 1e3);

    let (mut read, start) = (0, Instant::now());
    store
        .for_each_history(&[], Some(&[Metric::CpuUsage, Metric::MemoryWorkingSet]), FROM, FROM + (days + 1) * DAY, 250, |some| {
            read += some.iter().flat_map(|(_, h)| h.metrics.values()).map(|s| s.count()).sum::<usize>();
        })
        .await?;
    println!("{read} samples read back in {:.1} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    store.history(&[services[count / 2].id], None, FROM, FROM + (days + 1) * DAY).await?;
    println!("one service's history in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);

    let summaries: Vec<ServiceSummary> = services
        .iter()
        .enumerate()
        .map(|(n, s)| ServiceSummary {
            service_id: s.id,
            verdict: Verdict::Over,
            cpu: None,
            memory: None,
            latency_p99_ms: Some(n as f64 % 97.0),
            request_rate: Some(1.0),
            cost_month: Some(Money::from_units(n as f64 % 1013.0, Currency::USD)),
            idle_share: Some(0.5),
            spark: vec![Some(0.5); 48],
            findings: Vec::new(),
            no_action: None,
            analysed_at: Timestamp::from_secs(FROM),
        })
        .collect();
    let start = Instant::now();
    let mut tx = store.begin().await?;
    tx.put_summaries(&summaries).await?;
    tx.commit().await?;
    println!("{count} summaries written in {:.2} s", start.elapsed().as_secs_f64());
    for sort in ["name", "cost", "latency", "saving"] {
        let start = Instant::now();
        let query = ServiceQuery { sort: sort.into(), q: "9".into(), ..ServiceQuery::default() };
        let first = store.service_rows(&query, &Teams::ALL).await?;
        let next = ServiceQuery { cursor: first.next_cursor.unwrap_or_default(), ..query };
        store.service_rows(&next, &Teams::ALL).await?;
        println!("two pages of the list by {sort}, filtered to {}: {:.1} ms", first.total, start.elapsed().as_secs_f64() * 1e3);
    }
    let start = Instant::now();
    store.counts("ann", &Teams::ALL).await?;
    store.overview_numbers(&Teams::ALL).await?;
    println!("frame and overview figures: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    Ok(())
}
