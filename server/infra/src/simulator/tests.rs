//! The simulator as its users see it: consequences, durability, faults.

use super::cluster::Cluster;
use super::faults::{Fault, FaultKind};
use super::physics::Readings;
use super::simulation::{self, Simulation};
use super::world::{STEP, World};
use super::{Bound, Client, Options, bind};
use crate::infrastructure::{Error, Infrastructure, Purpose, service_id};
use crate::metrics::MetricsSource;
use crate::outgoing::Allowed;
use headroom_model::ids::ChangeId;
use headroom_model::metric::Metric;
use headroom_model::plan::{FieldChange, Plan};
use headroom_model::service::{Managed, Service};
use headroom_model::time::{DAY, HOUR, Timestamp};
use headroom_model::units::{Bytes, Cores};
use std::path::Path;
use std::time::{Duration, Instant};
use uuid::Uuid;

fn noon() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn world(seed: u64) -> World {
    World::generated(seed, "demo", noon(), 1, 34)
}

/// Runs a fresh cluster for a day with some fields of one service written before, and gives that service's samples.
fn day_with(name: &str, fields: &[(&str, &str)]) -> Vec<Readings> {
    let mut cluster = Cluster::new(world(3));
    let i = cluster.world.specs.iter().position(|s| s.key.name == name).unwrap();
    let change = |(field, to): &(&str, &str)| FieldChange { field: (*field).into(), from: None, to: Some((*to).into()) };
    let changes: Vec<FieldChange> = fields.iter().map(change).collect();
    cluster.write(i, &changes, None).unwrap();
    std::iter::from_fn(|| Some(cluster.tick())).take(1440).flatten().map(|row| row[i]).collect()
}

fn mean(rows: &[Readings], metric: Metric) -> f64 {
    let values: Vec<f64> = rows.iter().map(|r| f64::from(r[metric as usize])).filter(|v| !v.is_nan()).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_world_is_as_promised() {
    let world = world(1);
    let count = |f: fn(&super::profile::Spec) -> String| {
        let mut all: Vec<String> = world.specs.iter().map(f).collect();
        all.sort();
        all.dedup();
        all.len()
    };
    assert!(world.specs.len() >= 24);
    assert_eq!(count(|s| s.team.clone()), 4);
    assert!(count(|s| s.key.namespace.clone()) >= 3);
    assert_eq!(count(|s| s.key.to_string()), world.specs.len(), "names are unique");
    assert!(world.specs.iter().filter(|s| s.state.autoscaler.is_some()).count() >= 2);
    assert!(world.specs.iter().any(|s| s.managed == Managed::Git));
    assert!(world.specs.iter().any(|s| s.state.cpu_request().is_none()));
    assert!(world.specs.iter().any(|s| s.state.gpus() > 0));
    assert!(world.specs.iter().all(|s| s.state.check().is_ok()));
    for (i, spec) in world.specs.iter().enumerate() {
        assert!(spec.profile.calls.iter().all(|c| c.service != i && c.service < world.specs.len()));
    }
}

#[test]
fn calls_form_no_circle() {
    let world = World::generated(5, "demo", noon(), 1, 300);
    let mut left: Vec<usize> = (0..world.specs.len()).collect();
    while !left.is_empty() {
        let before = left.len();
        let calls_none = |i: &usize| !world.specs[*i].profile.calls.iter().any(|c| left.contains(&c.service));
        let free: Vec<usize> = left.iter().copied().filter(calls_none).collect();
        left.retain(|i| !free.contains(i));
        assert!(left.len() < before, "a circle among {left:?}");
    }
}

#[test]
fn the_seed_decides_everything() {
    let run = |seed| {
        let mut cluster = Cluster::new(world(seed));
        let rows: Vec<Vec<Readings>> = std::iter::from_fn(|| Some(cluster.tick())).take(240).flatten().collect();
        rows.into_iter().flatten().flatten().map(f32::to_bits).collect::<Vec<u32>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn half_the_cpu_limit_of_a_busy_service_throttles_and_slows_it() {
    let before = day_with("risk-engine", &[]);
    let after = day_with("risk-engine", &[("containers.app.limits.cpu", "700m"), ("containers.app.requests.cpu", "600m")]);
    let (b, a) = (mean(&before, Metric::CpuThrottled), mean(&after, Metric::CpuThrottled));
    assert!(a > 2.0 * b && a > 0.1, "throttled {b} -> {a}");
    let (b, a) = (mean(&before, Metric::LatencyP99), mean(&after, Metric::LatencyP99));
    assert!(a > 1.5 * b, "p99 {b} -> {a}");
}

#[test]
fn a_lower_request_alone_changes_nothing_while_nodes_have_room() {
    let before = day_with("market-data-api", &[]);
    let after = day_with("market-data-api", &[("containers.app.requests.cpu", "900m")]);
    let (b, a) = (mean(&before, Metric::LatencyP95), mean(&after, Metric::LatencyP95));
    assert!((a / b - 1.0).abs() < 0.03, "p95 {b} -> {a}");
}

#[test]
fn each_cure_works_where_it_is_needed() {
    let p95 = |name: &str, fields: &[(&str, &str)]| mean(&day_with(name, fields), Metric::LatencyP95);
    let cases = [
        ("kyb-document-ocr", ("parameters.cache_size", "1Gi"), 0.85),
        ("ledger-writer", ("parameters.db_index", "full"), 0.4),
        ("order-history", ("parameters.pool_size", "12"), 0.9),
        ("address-lookup", ("parameters.balancing", "least_requests"), 0.9),
        ("embedding-service", ("parameters.workers", "12"), 0.9),
        ("risk-engine", ("replicas", "8"), 0.95),
    ];
    for (name, cure, at_most) in cases {
        let (before, after) = (p95(name, &[]), p95(name, &[cure]));
        assert!(after < at_most * before, "{name}: p95 {before} -> {after}");
    }
}

#[test]
fn the_troubles_are_where_the_strategies_look_for_them() {
    let rows = |name| day_with(name, &[]);
    assert!(mean(&rows("kyb-document-ocr"), Metric::LatencyP95) > 500.0);
    assert!(mean(&rows("ledger-writer"), Metric::LatencyP95) > 1000.0);
    let pool = rows("order-history");
    assert!(mean(&pool, Metric::PoolWait) > 3.0 && mean(&pool, Metric::CpuUsage) > 0.6 * 0.4);
    let uneven = rows("address-lookup");
    assert!(mean(&uneven, Metric::RequestRate) < 50.0 && mean(&uneven, Metric::LoadImbalance) > 1.5);
    assert!(mean(&rows("quote-stream"), Metric::CpuThrottled) > 0.01);
    let wasteful = rows("fx-rates");
    assert!(mean(&wasteful, Metric::CpuUsage) < 0.25 && mean(&wasteful, Metric::LatencyP95) < 60.0);
}

#[test]
fn memory_below_the_use_kills() {
    let before = mean(&day_with("case-manager", &[]), Metric::OomKills);
    assert_eq!(before, 0.0);
    let harmful = day_with("case-manager", &[("containers.app.limits.memory", "400Mi"), ("containers.app.requests.memory", "400Mi")]);
    assert!(mean(&harmful, Metric::OomKills) > 0.5);
    assert!(mean(&harmful, Metric::ErrorRatio) > 0.2 && mean(&harmful, Metric::Replicas) < 1.5);
}

#[test]
fn a_leak_saws_until_it_is_killed() {
    let mut cluster = Cluster::new(World::generated(1, "demo", noon(), 4, 34));
    let i = cluster.world.specs.iter().position(|s| s.key.name == "notification-hub").unwrap();
    let rows: Vec<Readings> = std::iter::from_fn(|| Some(cluster.tick())).take(4 * 1440).flatten().map(|row| row[i]).collect();
    let kills: f32 = rows.iter().map(|r| r[Metric::OomKills as usize]).sum();
    assert!((3.0..20.0).contains(&kills), "{kills}");
    let sets: Vec<f32> = rows.iter().map(|r| r[Metric::MemoryWorkingSet as usize]).filter(|v| !v.is_nan()).collect();
    let (low, high) = (sets.iter().copied().fold(f32::MAX, f32::min), sets.iter().copied().fold(0.0, f32::max));
    assert!(high > 1.5 * low);
}

fn options(dir: &Path) -> Options {
    Options { speed: 0.0, history_days: 1, ..Options::new(dir.to_owned(), noon()) }
}

fn plan(service: &Service, field: &str, to: &str) -> Plan {
    let from = service.state.fields().get(field).cloned();
    let changes = vec![FieldChange { field: field.into(), from, to: Some(to.into()) }];
    Plan { service_id: service.id, target: service.key.clone(), uid: service.uid.clone(), changes, policy_hash: "p".into() }
}

fn find(inventory: &[Service], name: &str) -> Service {
    inventory.iter().find(|s| s.key.name == name).unwrap().clone()
}

fn later(from: Instant, secs: u64) -> Instant {
    from + Duration::from_secs(secs)
}

#[test]
fn nothing_is_lost_or_made_again_when_the_process_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let wall = Instant::now();
    let id = ChangeId(Uuid::from_u128(7));
    let (clock, frames, live, dynamics);
    {
        let mut s = Simulation::open(&Options { speed: 60.0, ..options(dir.path()) }, wall).unwrap();
        let service = find(&s.inventory(), "market-data-api");
        s.advance(later(wall, 33), Duration::from_secs(60)).unwrap();
        let p = plan(&service, "containers.app.requests.cpu", "1");
        s.apply(id, &p, &p.changes, Purpose::Apply, later(wall, 33)).unwrap();
        s.advance(later(wall, 97), Duration::from_secs(60)).unwrap();
        clock = s.tell_clock(later(wall, 97)).unwrap().0;
        frames = s.samples(clock.secs() - HOUR * 6, clock.secs()).read().unwrap();
        live = s.read(&service.key).unwrap();
        dynamics = s.inventory();
        // Killed here: nothing is told to the journal any more.
    }
    for torn in [false, true] {
        if torn {
            use std::io::Write;
            for file in ["journal.jsonl", "samples/head"] {
                let mut file = std::fs::OpenOptions::new().append(true).open(dir.path().join(file)).unwrap();
                file.write_all(b"{\"at\":\"2026-11-2").unwrap();
            }
        }
        let wall = Instant::now();
        let s = Simulation::open(&Options { seed: 99, ..options(dir.path()) }, wall).unwrap();
        assert_eq!(s.clock(wall), clock, "the clock stood still");
        let again = s.samples(clock.secs() - HOUR * 6, clock.secs()).read().unwrap();
        assert_eq!(format!("{again:?}"), format!("{frames:?}"), "the samples are the same");
        assert_eq!(s.read(&find(&dynamics, "market-data-api").key).unwrap(), live);
        assert!(s.inventory() == dynamics);
        let mutations = s.mutations(id);
        assert_eq!(mutations.len(), 1);
        assert_eq!(mutations[0].purpose, Purpose::Apply);
    }
}

#[test]
fn two_simulators_do_not_write_into_one_directory() {
    let dir = tempfile::tempdir().unwrap();
    let s = Simulation::open(&options(dir.path()), Instant::now()).unwrap();
    let second = simulation::alone(dir.path(), Duration::ZERO).unwrap_err().to_string();
    assert!(second.contains(&dir.path().display().to_string()) && second.contains("another simulator"), "{second}");
    drop(s);
    simulation::alone(dir.path(), Duration::ZERO).unwrap();
}

#[test]
fn samples_that_were_lost_are_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let wall = Instant::now();
    let options = Options { speed: 60.0, ..options(dir.path()) };
    let mut s = Simulation::open(&options, wall).unwrap();
    s.advance(later(wall, 60), Duration::from_secs(60)).unwrap();
    drop(s);
    let head = std::fs::OpenOptions::new().write(true).open(dir.path().join("samples/head")).unwrap();
    head.set_len(head.metadata().unwrap().len() * 3 / 4).unwrap();
    for _ in 0..2 {
        let wall = Instant::now();
        let mut s = Simulation::open(&options, wall).unwrap();
        s.advance(later(wall, 60), Duration::from_secs(60)).unwrap();
        let now = s.clock(wall).secs();
        let frames = s.samples(noon().secs() - HOUR * 6, now).read().unwrap();
        assert!(frames.end() > now - 2 * STEP, "there are samples until now");
        let values = &frames.columns[0].2;
        assert!(values.iter().any(|v| v.is_nan()) && !values[0].is_nan() && !values[values.len() - 1].is_nan(), "{values:?}");
    }
}

#[test]
fn a_restarted_cluster_goes_on_as_if_it_had_never_stopped() {
    let run = |stops: &[u64]| {
        let dir = tempfile::tempdir().unwrap();
        let wall = Instant::now();
        let options = Options { speed: 60.0, ..options(dir.path()) };
        let mut s = Simulation::open(&options, wall).unwrap();
        let p = plan(&find(&s.inventory(), "notification-hub"), "replicas", "4");
        s.apply(ChangeId(Uuid::from_u128(1)), &p, &p.changes, Purpose::Apply, wall).unwrap();
        let (mut wall, mut gone) = (wall, 0);
        for stop in stops {
            s.advance(later(wall, stop - gone), Duration::from_secs(60)).unwrap();
            drop(s);
            (wall, gone) = (Instant::now(), *stop);
            s = Simulation::open(&options, wall).unwrap();
        }
        s.advance(later(wall, 120 - gone), Duration::from_secs(60)).unwrap();
        let frames = s.samples(noon().secs(), noon().secs() + 7200).read().unwrap();
        assert_eq!(frames.rows(), 24);
        format!("{frames:?}")
    };
    assert_eq!(run(&[]), run(&[17, 60, 61]));
}

#[test]
fn samples_survive_a_day_change() {
    let dir = tempfile::tempdir().unwrap();
    let s = Simulation::open(&options(dir.path()), Instant::now()).unwrap();
    let all = s.samples(noon().secs() - DAY, noon().secs()).read().unwrap();
    assert_eq!((all.rows(), all.from), (288, noon().secs() - DAY));
    let id = service_id(&find(&s.inventory(), "market-data-api").key);
    let rate = &all.columns.iter().find(|c| c.0 == id && c.1 == Metric::RequestRate).unwrap().2;
    assert!(rate.iter().all(|v| *v > 0.0));
    let part = s.samples(noon().secs() - 13 * HOUR - 1, noon().secs() - 11 * HOUR + 7).read().unwrap();
    let part_rate = &part.columns.iter().find(|c| c.0 == id && c.1 == Metric::RequestRate).unwrap().2;
    assert_eq!(part.from, noon().secs() - 13 * HOUR);
    assert_eq!(part_rate[..], rate[132..156], "two hours around midnight");
    assert!(s.samples(noon().secs(), noon().secs() + DAY).read().unwrap().rows() == 0);
}

#[test]
fn writes_are_idempotent_and_refuse_another_base() {
    let dir = tempfile::tempdir().unwrap();
    let wall = Instant::now();
    let mut s = Simulation::open(&options(dir.path()), wall).unwrap();
    let service = find(&s.inventory(), "web-portal");
    let p = plan(&service, "replicas", "4");
    let id = ChangeId(Uuid::from_u128(1));
    assert!(s.preview(&p).unwrap().problems.is_empty());
    let first = s.apply(id, &p, &p.changes, Purpose::Apply, wall).unwrap();
    let second = s.apply(id, &p, &p.changes, Purpose::Apply, wall).unwrap();
    assert!(!first.repeated && second.repeated && first.at == second.at);
    assert_eq!(s.mutations(id).len(), 1);
    assert_eq!(s.read(&service.key).unwrap().marks["replicas"], id);
    let other = ChangeId(Uuid::from_u128(2));
    match s.apply(other, &p, &p.changes, Purpose::Apply, wall) {
        Err(Error::Conflict { drift, .. }) => assert_eq!(drift[0].found.as_deref(), Some("4")),
        other => panic!("{other:?}"),
    }
    s.edit(&service.key, &[FieldChange { field: "replicas".into(), from: None, to: Some("5".into()) }], wall).unwrap();
    assert!(s.read(&service.key).unwrap().marks.is_empty());
    assert!(matches!(s.apply(id, &p, &p.inverse(), Purpose::Restore, wall), Err(Error::Conflict { .. })));
    s.edit(&service.key, &[FieldChange { field: "replicas".into(), from: None, to: Some("4".into()) }], wall).unwrap();
    assert_eq!(s.apply(id, &p, &p.inverse(), Purpose::Restore, wall).unwrap().state, service.state);
    s.recreate(&service.key, wall).unwrap();
    match s.apply(other, &p, &p.changes, Purpose::Apply, wall) {
        Err(Error::Conflict { drift, reason }) => assert!(drift.is_empty() && reason.contains("anew")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_cluster_says_what_it_would_refuse() {
    let dir = tempfile::tempdir().unwrap();
    let wall = Instant::now();
    let mut s = Simulation::open(&options(dir.path()), wall).unwrap();
    let inventory = s.inventory();
    let cases = [
        ("fx-rates", "containers.app.requests.memory", "2Gi", "above the limit"),
        ("fx-rates", "containers.app.limits.cpu", "20", "LimitRange"),
        ("fx-rates", "replicas", "900", "quota of prices"),
        ("fx-rates", "parameters.cache_size", "1Gi", "no parameter"),
        ("api-gateway", "replicas", "5", "autoscaler"),
        ("audit-log", "replicas", "1", "Git"),
        ("tick-archive", "volume", "10Gi", "smaller"),
        ("inference-pool-a", "replicas", "400", "GPUs"),
        ("ledger-writer", "parameters.db_index", "some", "choose one of"),
    ];
    for (i, (name, field, to, part)) in cases.into_iter().enumerate() {
        let p = plan(&find(&inventory, name), field, to);
        let problems = s.preview(&p).unwrap().problems.join("; ");
        assert!(problems.contains(part), "{name} {field}: {problems:?}");
        let refused = s.apply(ChangeId(Uuid::from_u128(i as u128)), &p, &p.changes, Purpose::Apply, wall).unwrap_err();
        assert!(matches!(&refused, Error::Refused(_)) && refused.nothing_written(), "{refused}");
    }
    let mut p = plan(&find(&inventory, "fx-rates"), "replicas", "2");
    p.target.name = "nobody".into();
    assert!(matches!(s.preview(&p), Err(Error::NotFound(_))));
}

#[test]
fn what_there_is_room_for_is_what_the_cluster_would_accept() {
    let dir = tempfile::tempdir().unwrap();
    let s = Simulation::open(&options(dir.path()), Instant::now()).unwrap();
    let rooms = s.rooms();
    let (mut accepted, mut refused) = (0, 0);
    for service in s.inventory().into_iter().filter(|s| s.managed == Managed::Direct) {
        for times in [0.01, 0.5, 1.5, 4.0, 12.0, 60.0] {
            let mut next = service.state.clone();
            for c in next.containers.values_mut() {
                c.cpu_request = c.cpu_request.map(|v| Cores::ceil_milli(v.get() * times));
                c.cpu_limit = c.cpu_limit.map(|v| Cores::ceil_milli(v.get() * times));
                c.memory_request = c.memory_request.map(|v| Bytes::ceil_mib(v.as_f64() * times));
                c.memory_limit = c.memory_limit.map(|v| Bytes::ceil_mib(v.as_f64() * times));
            }
            if next.check().is_err() {
                continue;
            }
            let changes = Plan::difference(&service.state, &next);
            let plan = Plan { changes, ..plan(&service, "replicas", "1") };
            let said = s.preview(&plan).unwrap().problems;
            let room = rooms[&service.id].refusal(&service.state, &next);
            assert_eq!(said.is_empty(), room.is_none(), "{} × {times}: {said:?}, {room:?}", service.key);
            if room.is_some() { refused += 1 } else { accepted += 1 }
        }
    }
    assert!(accepted > 20 && refused > 20, "{accepted} {refused}");
}

async fn start(dir: &Path, speed: f64) -> (Client, tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let bound: Bound = bind(Options { speed, ..options(dir) }).await.unwrap();
    let client = Client::new(&bound.url(), &Allowed::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(async move {
        bound.run(async move { drop(stopped.await) }).await.unwrap();
    });
    (client, stop, run)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_answers_runs_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (client, stop, run) = start(dir.path(), 3000.0).await;
    let before = client.clock().await.unwrap();
    assert!(before.secs_since(noon()) < 3000, "making the history takes no cluster time: {before}");
    let inventory = client.inventory().await.unwrap();
    assert_eq!(inventory.len(), 34);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let after = client.clock().await.unwrap();
    assert!(after.secs_since(before) > 600, "{before} {after}");
    let frames = client.range(after.secs() - DAY / 2, after.secs()).await.unwrap();
    assert_eq!(frames.step, client.step());
    assert!(frames.end() > noon().secs(), "live samples are there");
    assert!(client.range(0, 2 * DAY).await.is_err());
    client.set_speed(0.0).await.unwrap();
    let stands = client.clock().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(client.clock().await.unwrap(), stands);
    assert!(matches!(client.set_speed(-1.0).await, Err(Error::Refused(_))));
    let p = plan(&find(&inventory, "web-portal"), "replicas", "5");
    let written = client.apply(ChangeId(Uuid::from_u128(3)), &p, &p.changes, Purpose::Apply).await.unwrap();
    assert_eq!(written.state.replicas, Some(5));
    assert_eq!(client.mutations(ChangeId(Uuid::from_u128(3))).await.unwrap().len(), 1);
    stop.send(()).unwrap();
    run.await.unwrap();
    assert!(matches!(client.clock().await, Err(Error::Unreachable(_))));
    let (client, _stop, _run) = start(dir.path(), 60.0).await;
    assert_eq!(client.speed().await.unwrap(), 0.0, "the clock goes on as it was");
    assert_eq!(client.clock().await.unwrap(), stands.max(written.at));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_end_in_at_most_one_write() {
    let dir = tempfile::tempdir().unwrap();
    let (client, _stop, _run) = start(dir.path(), 0.0).await;
    let client = client.with_timeout(Duration::from_millis(1500));
    let mut service = find(&client.inventory().await.unwrap(), "web-portal");
    for (i, kind) in FaultKind::ALL.into_iter().enumerate() {
        let id = ChangeId(Uuid::from_u128(100 + i as u128));
        let p = plan(&service, "replicas", &(i + 1).to_string());
        client.inject_fault(Fault { kind, calls: 1, apply_only: true }).await.unwrap();
        client.clock().await.unwrap();
        let error = client.apply(id, &p, &p.changes, Purpose::Apply).await.unwrap_err();
        let expected = match kind {
            FaultKind::Conflict => matches!(error, Error::Conflict { .. }),
            FaultKind::TooManyRequests => matches!(error, Error::Unreachable(_)),
            _ => error == Error::Timeout,
        };
        assert!(expected, "{kind:?}: {error}");
        let done = client.mutations(id).await.unwrap();
        assert_eq!(done.len(), usize::from(kind.commits()), "{kind:?}");
        assert!(kind.commits() <= !error.nothing_written());
        let again = client.apply(id, &p, &p.changes, Purpose::Apply).await.unwrap();
        assert_eq!(again.repeated, kind.commits(), "{kind:?}");
        assert_eq!(client.mutations(id).await.unwrap().len(), 1);
        service.state = again.state;
    }
    client.inject_fault(Fault { kind: FaultKind::ServerError, calls: 2, apply_only: false }).await.unwrap();
    assert!(matches!(client.inventory().await, Err(Error::Unreachable(_))));
    assert!(client.inventory().await.is_err());
    assert!(client.inventory().await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_autoscaler_leaves_the_workload_written_and_the_rest_can_follow() {
    let dir = tempfile::tempdir().unwrap();
    let (client, _stop, _run) = start(dir.path(), 0.0).await;
    let service = client.inventory().await.unwrap().into_iter().find(|s| s.state.autoscaler.is_some()).unwrap();
    let mut wanted = service.state.clone();
    wanted.autoscaler.as_mut().unwrap().max += 1;
    wanted.replicas = wanted.replicas.map(|n| n + 1);
    let p = Plan { changes: Plan::difference(&service.state, &wanted), ..plan(&service, "replicas", "1") };
    let id = ChangeId(Uuid::from_u128(7));
    client.inject_fault(Fault { kind: FaultKind::AutoscalerRefused, calls: 2, apply_only: true }).await.unwrap();
    let fields = async || {
        let mutations = client.mutations(id).await.unwrap();
        mutations.iter().map(|m| m.changes.iter().map(|c| c.field.clone()).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert!(matches!(client.apply(id, &p, &p.changes, Purpose::Apply).await, Err(Error::Refused(_))));
    assert_eq!(fields().await, ["replicas"]);
    let (rest, _): (Vec<_>, Vec<_>) = p.changes.iter().cloned().partition(|c| c.field == "autoscaler.max");
    assert!(matches!(client.apply(id, &p, &rest, Purpose::Apply).await, Err(Error::Refused(_))));
    assert_eq!(fields().await, ["replicas"]);
    // Asked for all of it, it writes what is missing.
    let done = client.apply(id, &p, &p.changes, Purpose::Apply).await.unwrap();
    assert_eq!(fields().await, ["replicas", "autoscaler.max"]);
    assert_eq!((done.repeated, done.state), (false, wanted));
    assert!(client.apply(id, &p, &rest, Purpose::Apply).await.unwrap().repeated);
    let other = FieldChange { to: Some("99".into()), ..rest[0].clone() };
    assert!(matches!(client.apply(id, &p, &[other], Purpose::Apply).await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    let open = Options { listen: "0.0.0.0:0".parse().unwrap(), ..options(dir.path()) };
    assert!(bind(open).await.err().unwrap().to_string().contains("loopback"));
}

/// Three weeks of a made-up trace, five minutes apart, with a hole of a day.
fn trace_file(dir: &Path) -> std::path::PathBuf {
    use std::fmt::Write;
    let begin = "2014-03-01T00:00:00Z".parse::<Timestamp>().unwrap().secs();
    let mut text = String::from("time,service,metric,value\n");
    for i in 0..20 * 288 {
        let (t, day) = (begin + i * 300, i / 288);
        let wave = 1.0 + 0.8 * (std::f64::consts::TAU * (i % 288) as f64 / 288.0).sin();
        if day != 12 {
            writeln!(text, "{t},alpha,cpu_usage_cores,{}\n{t},alpha,memory_working_set_bytes,{}", 0.5 * wave, 4e8 + 1e8 * wave).unwrap();
        }
        writeln!(text, "{t},beta,cpu_utilization_ratio,{}", 0.2 * wave).unwrap();
    }
    let path = dir.join("usage.csv");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_trace_is_replayed_with_its_gaps_and_capped_by_what_is_granted() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::traced(1, "demo", noon(), 14, &trace_file(dir.path())).unwrap();
    let state = world.specs[0].state.clone();
    assert!((1.2..1.45).contains(&state.cpu_request().unwrap().get()), "peak of three days times 1.5: {state:?}");
    assert!(world.specs[1].state.cpu_limit().is_some() && world.specs[1].state.memory_request().is_none());
    let mut cluster = Cluster::new(world);
    let rows: Vec<Vec<Readings>> = std::iter::from_fn(|| Some(cluster.tick())).take(20 * 1440).flatten().collect();
    let cpu = |row: &Vec<Readings>| row[0][Metric::CpuUsage as usize];
    let gaps = rows.iter().filter(|r| cpu(r).is_nan()).count();
    assert!((280..=300).contains(&gaps), "the hole of a day stays: {gaps}");
    assert!(rows.iter().all(|r| !r[1][Metric::CpuUsage as usize].is_nan()), "the other has none, and repeats after its end");
    let later = &rows[rows.len() - 288..];
    assert!(later.iter().map(cpu).fold(0.0, f32::max) > 0.85);
    let low = FieldChange { field: "containers.main.limits.cpu".into(), from: None, to: Some("500m".into()) };
    let request = FieldChange { field: "containers.main.requests.cpu".into(), to: Some("400m".into()), ..low.clone() };
    cluster.write(0, &[low, request], None).unwrap();
    let capped: Vec<Readings> = std::iter::from_fn(|| Some(cluster.tick())).take(1440).flatten().map(|r| r[0]).collect();
    let highest = capped.iter().map(|r| r[Metric::CpuUsage as usize]).filter(|v| !v.is_nan()).fold(0.0, f32::max);
    assert!(highest <= 0.5 && mean(&capped, Metric::CpuThrottled) > 0.3, "{highest}");
}

#[test]
fn a_traced_cluster_restarts_without_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = trace_file(dir.path());
    let data = dir.path().join("data");
    let options = Options { trace: Some(file.clone()), history_days: 2, ..options(&data) };
    let read = |s: &Simulation| format!("{:?}", s.samples(noon().secs() - DAY, noon().secs()).read().unwrap());
    let before = read(&Simulation::open(&options, Instant::now()).unwrap());
    std::fs::remove_file(file).unwrap();
    assert_eq!(read(&Simulation::open(&options, Instant::now()).unwrap()), before);
}

#[test]
fn a_bad_trace_is_refused_by_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.csv");
    std::fs::write(&file, "time,service,metric,value\n0,a,cpu_usage_cores,1\n300,a,cpu_usage_cores,x\n").unwrap();
    let data = dir.path().join("data");
    let error = Simulation::open(&Options { trace: Some(file), ..options(&data) }, Instant::now()).err().unwrap().to_string();
    assert!(error.contains("bad.csv: line 3") && error.contains("not a number"), "{error}");
}

#[test]
fn a_large_fleet_publishes_the_core_metrics() {
    let dir = tempfile::tempdir().unwrap();
    let s = Simulation::open(&Options { services: 400, ..options(dir.path()) }, Instant::now()).unwrap();
    let frames = s.samples(noon().secs() - HOUR, noon().secs()).read().unwrap();
    assert_eq!((frames.columns.len(), frames.rows()), (400 * Metric::CORE.len(), 12));
    assert_eq!(STEP, i64::from(frames.step));
    let measured = frames.columns.iter().filter(|(_, m, v)| *m == Metric::CpuUsage && v.iter().all(|x| !x.is_nan())).count();
    assert!(measured > 390);
}
