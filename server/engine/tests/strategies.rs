//! What each strategy proposes, from the service's own data and never from a constant.

mod common;

use common::{World, choice};
use headroom_engine::rightsize::record::{Records, Told};
use headroom_engine::{Analysis, Input, Reason, analyze, evaluate_own, prices::PriceBook};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Risk, Verdict};
use headroom_model::room::Room;
use headroom_model::service::{Autoscaler, Managed, Parameter, ResourceState};
use headroom_model::units::{Bytes, GIB, MIB, Money};

const G: f64 = GIB as f64;

fn idle(days: usize, noise: f64) -> World {
    World::new(days).with(Metric::CpuUsage, noise, |i| 0.8 * World::wave(i)).with(Metric::MemoryWorkingSet, 0.05, |_| 4.0 * G)
}

#[test]
fn wasted_cpu_is_given_back_with_its_evidence() {
    let p = idle(14, 0.1).proposal("cpu");
    let request = p.recommended.cpu_request().unwrap().get();
    // The busiest hundredth of its time needs 1.3 cores; what holds a week beyond what was seen is a third more.
    assert!((1.6..1.9).contains(&request), "{}", p.title);
    assert!(p.title.starts_with("CPU 4 → 1."), "{}", p.title);
    assert_eq!(p.recommended.cpu_limit().unwrap().get(), 8.0, "a lower limit saves nothing and only throttles");
    let saved = p.saving_month.unwrap().units();
    assert!((saved / (3.0 * 730.0 * 0.031_611 * (4.0 - request)) - 1.0).abs() < 1e-3, "{saved}");
    assert!(p.expected.confidence.get() > 0.85 && p.expected.cost_reduction_percent.unwrap() > 30.0);
    let rows: Vec<&str> = p.replays[0].rows.iter().map(|r| r.policy.as_str()).collect();
    assert_eq!(rows, ["headroom", "today", "daily", "vpa", "krr", "autopilot", "aws"]);
    assert!(p.replays[0].rows[0].breached <= 0.01);
    assert_eq!(p.optimization_type, OptimizationType::Resource);
    assert_eq!(p.bars.iter().find(|b| b.metric == Metric::CpuUsage).unwrap().proposed, Some(request));
}

#[test]
fn a_peak_of_ten_minutes_a_day_is_served_and_one_that_came_once_is_told() {
    let job = |is: fn(usize) -> bool| {
        World::new(14).with(Metric::CpuUsage, 0.1, move |i| if is(i) { 2.0 } else { 0.1 }).with(Metric::MemoryWorkingSet, 0.05, |_| 4.0 * G)
    };
    let daily = job(|i| (36..38).contains(&(i % 288))).proposal("cpu");
    let request = daily.recommended.cpu_request().unwrap().get();
    assert!((2.0..3.5).contains(&request) && daily.replays[0].rows[0].breached_days == 0, "{}", daily.title);
    let once = job(|i| (3636..3638).contains(&i)).proposal("cpu");
    assert!(once.recommended.cpu_request().unwrap().get() < 0.3, "{}", once.title);
    let told = |part: &str| once.evidence.iter().any(|e| e.text.contains(part));
    assert!(told("on its worst day: for up to 10 minutes a day, when up to"), "{:?}", once.evidence);
}

#[test]
fn what_is_never_used_is_given_back() {
    let unused = World::new(14).with(Metric::CpuUsage, 0.0, |_| 0.0).with(Metric::MemoryWorkingSet, 0.0, |_| 7.0 * G);
    let found = unused.analyze();
    assert_eq!(found.findings.iter().find(|f| f.resource == "cpu").unwrap().verdict, Verdict::Over, "{:?}", found.reason);
    assert_eq!(unused.proposal("cpu").recommended.cpu_request().unwrap().get(), 0.01);
    let unmeasured = World::new(14).with(Metric::MemoryWorkingSet, 0.0, |_| 0.0).analyze();
    assert!(
        matches!(&unmeasured.reason, Some(Reason::NoAction(why)) if why.contains("memory was 0 in every sample")),
        "{:?}",
        unmeasured.reason
    );
}

#[test]
fn memory_keeps_its_peak_and_margin() {
    let p = idle(14, 0.1).with(Metric::MemoryWorkingSet, 0.0, |i| if i == 999 { 5.0 * G } else { 3.0 * G }).proposal("memory");
    assert!(p.recommended.memory_request().unwrap().as_f64() >= 5.0 * G * 1.15);
    assert!(p.recommended.memory_limit().unwrap() >= p.recommended.memory_request().unwrap());
}

#[test]
fn confidence_in_a_value_falls_with_fewer_and_with_noisier_days() {
    let c = |days, noise| {
        let world = idle(days, noise);
        let mut wanted = world.service.state.clone();
        wanted.set("containers.app.requests.cpu", Some("2")).unwrap();
        evaluate_own(&world.input(&PriceBook::on_prem_default()), &wanted).expected.confidence.get()
    };
    let best = c(14, 0.1);
    assert!(c(7, 0.1) < best && c(4, 0.1) < c(7, 0.1) && c(1, 0.1) < 0.7, "{} {} {}", c(7, 0.1), c(4, 0.1), c(1, 0.1));
    assert!(c(14, 0.8) < best);
    // What is proposed is as sure as it can be: where less is known it costs more room.
    let request = |days, noise| {
        let mut world = idle(days, noise);
        world.types = vec![OptimizationType::Resource];
        world.proposal("cpu").recommended.cpu_request().unwrap().get()
    };
    assert!(request(3, 0.1) > request(14, 0.1) && request(14, 1.0) > request(14, 0.1));
}

#[test]
fn a_young_service_is_left_alone_unless_policy_asks_for_less() {
    let mut day = idle(1, 0.1);
    assert!(day.analyze().proposals.is_empty(), "{:?}", day.analyze().proposals);
    day.policy.confidence_threshold = 0.6;
    let p = day.proposal("cpu");
    assert!(p.expected.confidence.get() <= 2.0 / 3.0 && p.recommended.cpu_request().unwrap().get() > 2.0, "{}", p.title);
    assert!(p.confidence_drivers.iter().any(|d| d.text == "only 24 h of it are known" && d.effect < 0.0), "{:?}", p.confidence_drivers);
}

#[test]
fn what_came_of_proposals_moves_the_confidence_in_the_next() {
    let mut world = idle(14, 0.1);
    world.types = vec![OptimizationType::Resource];
    let prices = PriceBook::on_prem_default();
    let sure = |kept: usize| {
        let told = |i: usize| ("cpu".to_owned(), Told { said: 0.98, kept: i < kept, weight: 1.0 });
        let records: Records = (0..50).map(told).collect();
        let found = analyze(&Input { records: Some(&records), ..world.input(&prices) });
        found.proposals.into_iter().find(|p| p.strategy == "cpu").map(|p| (p.recommended.cpu_request().unwrap(), p.confidence_drivers))
    };
    let (good, bad) = (sure(50).unwrap(), sure(46).unwrap());
    assert!(good.0 < bad.0, "who kept less gives itself more room: {good:?} {bad:?}");
    assert!(bad.1.iter().any(|d| d.effect < 0.0 && d.text.contains("92 % of 50")), "{bad:?}");
    assert_eq!(sure(2), None, "what hardly ever held is not proposed");
}

#[test]
fn a_heap_that_fills_its_limit_is_left_alone_and_one_with_room_is_not_cut_below_what_it_holds() {
    let heap = |gib: f64| idle(14, 0.1).with(Metric::MemoryWorkingSet, 0.0, move |i| if i < 20 { 0.98 } else { 1.0 } * gib * G);
    let full = heap(7.8).analyze();
    assert!(full.proposals.iter().all(|p| p.strategy != "memory"), "{:?}", full.proposals);
    assert_eq!(full.findings.iter().find(|f| f.resource == "memory").unwrap().verdict, Verdict::Optimal);
    let request = heap(4.0).proposal("memory").recommended.memory_request().unwrap().as_f64();
    assert!((4.0 * 1.15 * G..8.0 * G).contains(&request), "{request}");
}

#[test]
fn a_collected_heap_is_sized_by_its_ceiling_and_is_no_leak() {
    let saw = |period: usize, gib: f64| {
        idle(14, 0.1).with(Metric::MemoryWorkingSet, 0.0, move |i| gib * G * (0.5 + 0.5 * (i % period) as f64 / period as f64))
    };
    let texts = |world: &World| world.analyze().findings.iter().map(|f| f.text.clone()).collect::<Vec<_>>().join("; ");
    for period in [30, 72, 288] {
        let world = saw(period, 4.0);
        let p = world.proposal("memory");
        let request = p.recommended.memory_request().unwrap().as_f64();
        assert!((4.0 * G..4.0 * 1.15 * G + 256.0 * MIB as f64).contains(&request), "period {period}: {}", p.title);
        assert!(p.evidence.iter().any(|e| e.text.starts_with("its heap is collected at")), "{:?}", p.evidence);
        assert!(texts(&world).contains("a heap that was collected") && !texts(&world).contains("leak"), "{}", texts(&world));
        let full = saw(period, 7.9).analyze();
        assert_eq!(full.findings.iter().find(|f| f.resource == "memory").unwrap().verdict, Verdict::Optimal, "period {period}");
    }
    let leaks = idle(14, 0.1).with(Metric::MemoryWorkingSet, 0.0, |i| {
        let floor = 2.0 + 0.1 * i as f64 / 288.0;
        G * (floor + (4.0 - floor) * (i % 72) as f64 / 72.0)
    });
    assert!(texts(&leaks).contains("what collections leave grows by"), "{}", texts(&leaks));
}

#[test]
fn starting_up_is_served_by_the_limit_not_by_the_request() {
    let restart = |i: usize| i % 288 == 100;
    let steady = || World::new(14).with(Metric::MemoryWorkingSet, 0.05, |_| 4.0 * G);
    let burst = |i: usize| if restart(i) || restart(i.saturating_sub(1)) { 6.0 } else { 0.8 };
    let known = steady().with(Metric::CpuUsage, 0.1, burst).with(Metric::Restarts, 0.0, |i| f64::from(u8::from(restart(i))));
    let plain = steady().with(Metric::CpuUsage, 0.1, |_| 0.8);
    let request = |world: &World| world.proposal("cpu").recommended.cpu_request().unwrap().get();
    assert!((request(&known) / request(&plain) - 1.0).abs() < 0.05, "{} {}", request(&known), request(&plain));
    let p = known.proposal("cpu");
    assert_eq!(p.recommended.cpu_limit().unwrap().get(), 8.0);
    assert!(p.evidence.iter().any(|e| e.supports && e.text.contains("starting up")), "{:#?}", p.evidence);
}

#[test]
fn two_services_under_one_strategy_are_promised_different_things() {
    let a = idle(14, 0.1).proposal("cpu").expected;
    let b = idle(14, 0.1).with(Metric::CpuUsage, 0.4, |i| 0.3 * World::wave(i)).proposal("cpu").expected;
    assert_ne!(a, b);
    let slow = |per_miss: f64| cached(per_miss).proposal("cache").expected;
    let (a, b) = (slow(1500.0), slow(4000.0));
    assert!(b.latency_reduction_ms > 1.5 * a.latency_reduction_ms, "{a:?} {b:?}");
    assert_ne!(a.performance_gain_percent, b.performance_gain_percent);
}

fn cached(per_miss: f64) -> World {
    let miss = |i: usize| 0.35 + 0.15 * ((i / 40) as f64).sin();
    World::new(14)
        .with(Metric::CpuUsage, 0.1, |i| 2.4 * World::wave(i))
        .with(Metric::MemoryWorkingSet, 0.02, |_| 6.5 * G)
        .with(Metric::RequestRate, 0.05, |i| 300.0 * World::wave(i))
        .with(Metric::CacheHitRatio, 0.0, move |i| 1.0 - miss(i))
        .with(Metric::LatencyP95, 0.05, move |i| 200.0 + per_miss * miss(i))
        .parameter("cache_size", Parameter::Bytes(Bytes::new(256 * MIB)))
}

#[test]
fn a_small_cache_grows_and_its_memory_with_it() {
    let p = cached(2000.0).proposal("cache");
    let Parameter::Bytes(size) = p.recommended.parameters["cache_size"] else { panic!() };
    assert!(size.get() > 256 * MIB && size.get() <= 1024 * MIB);
    assert!(p.title.contains("Cache 256") && p.title.contains("p95"), "{}", p.title);
    assert!(p.recommended.memory_request().unwrap().as_f64() > 7.0 * G);
    p.recommended.check().unwrap();
    let mut without = cached(2000.0);
    without.service.state.parameters.clear();
    assert!(without.analyze().proposals.iter().all(|p| p.strategy != "cache"), "only parameters that are there");
}

#[test]
fn a_starved_service_is_cured_even_if_it_costs_more() {
    let world = World::new(14)
        .with(Metric::CpuUsage, 0.1, |i| (4.4 * World::wave(i)).min(6.0))
        .with(Metric::CpuThrottled, 0.1, |i| if 4.4 * World::wave(i) > 6.0 { 0.2 } else { 0.0 })
        .with(Metric::LatencyP95, 0.05, |i| if 4.4 * World::wave(i) > 6.0 { 900.0 } else { 200.0 });
    let found = world.analyze();
    let p = &found.proposals[0];
    assert_eq!((p.strategy.as_str(), p.cure, found.verdict), ("cpu", true, Verdict::Under));
    assert!(p.recommended.cpu_request().unwrap().get() > 6.0, "{}", p.title);
    assert!(p.title.contains("throttled"), "{}", p.title);
    assert!(p.saving_month.unwrap().micros < 0 && p.expected.latency_reduction_ms > 50.0, "{:?}", p.expected);
    assert!(found.findings.iter().any(|f| f.resource == "cpu" && f.bottleneck));
    p.recommended.check().unwrap();
}

#[test]
fn oom_kills_raise_memory_beyond_where_they_happened() {
    let world = idle(14, 0.1).with(Metric::MemoryWorkingSet, 0.0, |i| (5.0 + 3.0 * World::wave(i) / 1.6).min(8.0) * G).with(
        Metric::OomKills,
        0.0,
        |i| f64::from(u8::from(i % 500 == 72)),
    );
    let p = world.proposal("memory");
    assert!(p.cure && p.recommended.memory_limit().unwrap().as_f64() >= 10.0 * G, "{}", p.title);
    assert!(p.title.contains("OOM kill"), "{}", p.title);
}

#[test]
fn idle_replicas_or_idle_cores_are_given_back_not_both() {
    let mut world = idle(14, 0.1);
    world.service.state.replicas = Some(12);
    let found = world.analyze();
    let compute: Vec<&str> = found.proposals.iter().map(|p| p.strategy.as_str()).filter(|s| ["cpu", "joint"].contains(s)).collect();
    assert_eq!(compute.len(), 1, "{compute:?}");
    world.types = vec![OptimizationType::Scaling];
    let p = world.proposal("joint");
    let wanted = p.recommended.replicas.unwrap();
    assert!((4..=7).contains(&wanted), "{}", p.title);
    assert!(p.replays[0].rows[0].breached <= 0.01);
}

#[test]
fn an_autoscaler_keeps_its_replicas_when_the_request_shrinks() {
    let mut world = idle(14, 0.1).with(Metric::Replicas, 0.0, |_| 3.0);
    world.service.state.autoscaler = Some(Autoscaler { min: 3, max: 10, target_cpu_percent: 35 });
    world.types = vec![OptimizationType::Resource];
    let p = world.proposal("cpu");
    let (request, target) = (p.recommended.cpu_request().unwrap().get(), p.recommended.autoscaler.unwrap().target_cpu_percent);
    assert!((request * f64::from(target) - 4.0 * 35.0).abs() < 3.0, "{} at {target}", p.title);
    assert!(target <= 81);
}

#[test]
fn an_autoscaler_at_its_maximum_gets_room() {
    let mut world =
        World::new(14)
            .with(Metric::CpuUsage, 0.05, |i| 3.0 + 0.9 * (World::wave(i) - 1.0) / 0.6)
            .with(Metric::Replicas, 0.0, |i| if World::wave(i) > 1.0 { 5.0 } else { 3.0 });
    world.service.state.autoscaler = Some(Autoscaler { min: 2, max: 5, target_cpu_percent: 70 });
    world.types = vec![OptimizationType::Scaling];
    let p = world.proposal("joint");
    assert!(p.cure && p.recommended.autoscaler.unwrap().max > 5, "{}", p.title);
}

#[test]
fn waiting_for_connections_grows_the_pool() {
    let wait = |i: usize| if World::wave(i) > 1.2 { 60.0 } else { 1.0 };
    let p = World::new(14)
        .with(Metric::CpuUsage, 0.1, |i| 2.0 * World::wave(i))
        .with(Metric::RequestRate, 0.05, |i| 300.0 * World::wave(i))
        .with(Metric::PoolWait, 0.2, wait)
        .with(Metric::DatabaseTime, 0.1, |_| 40.0)
        .with(Metric::LatencyP50, 0.05, move |i| 60.0 + wait(i))
        .with(Metric::LatencyP95, 0.05, move |i| 150.0 + 3.0 * wait(i))
        .parameter("pool_size", Parameter::Count(20))
        .proposal("connection_pool");
    assert!(matches!(p.recommended.parameters["pool_size"], Parameter::Count(n) if n > 20 && n <= 60), "{}", p.title);
    assert!(p.expected.latency_reduction_ms > 10.0, "{:?}", p.expected);
}

#[test]
fn a_slow_database_is_indexed_further() {
    let db = |i: usize| 300.0 + 500.0 * (World::wave(i) - 0.4);
    let p = World::new(14)
        .with(Metric::CpuUsage, 0.1, |i| 2.0 * World::wave(i))
        .with(Metric::DatabaseTime, 0.1, db)
        .with(Metric::LatencyP95, 0.05, move |i| 400.0 + 1.5 * db(i))
        .parameter("db_index", choice("none", &["none", "partial", "full"]))
        .proposal("database");
    assert!(p.recommended.parameters["db_index"].to_string() == "full", "{}", p.title);
    assert!(p.title.contains("p95 1.7 s →") || p.title.contains("p95 1.8 s →"), "{}", p.title);
}

#[test]
fn uneven_replicas_at_low_throughput_are_balanced() {
    let p = World::new(14)
        .with(Metric::CpuUsage, 0.1, |i| 2.0 * World::wave(i))
        .with(Metric::RequestRate, 0.1, |i| 30.0 * World::wave(i))
        .with(Metric::LoadImbalance, 0.3, |_| 1.6)
        .parameter("balancing", choice("round_robin", &["round_robin", "least_requests", "random"]))
        .proposal("load_balancing");
    assert_eq!(p.recommended.parameters["balancing"].to_string(), "least_requests");
}

#[test]
fn idle_gpus_are_given_back() {
    let mut world = World::new(14).with(Metric::GpuUtilization, 0.2, |_| 0.35);
    world.service.state.containers.values_mut().for_each(|c| c.gpus = 2);
    world.service.state.replicas = Some(4);
    let p = world.proposal("gpu");
    assert_eq!((p.recommended.gpus(), p.optimization_type), (1, OptimizationType::Cost));
    assert!(p.saving_month.unwrap().units() > 2000.0);
}

#[test]
fn gpus_stay_where_busier_ones_would_be_slow() {
    // In use by 10 to 40 %: of 8 cards 4 would do.
    let used = |i: usize| 0.25 * World::wave(i);
    let left = |latency: fn(f64) -> f64| {
        let mut world = World::new(14).with(Metric::GpuUtilization, 0.02, used).with(Metric::LatencyP95, 0.02, |i| latency(used(i)));
        world.service.state.containers.values_mut().for_each(|c| c.gpus = 1);
        world.service.state.replicas = Some(8);
        let found = analyze(&world.input(&PriceBook::on_prem_default())).proposals.into_iter().find(|p| p.strategy == "gpu")?;
        Some((found.recommended.replicas?, found.expected.latency_reduction_ms))
    };
    let (few, slower) = left(|_| 100.0).unwrap();
    assert!(few == 4 && slower.abs() < 1.0, "{few} {slower}");
    let (some, slower) = left(|used| 100.0 + 30.0 * used).unwrap();
    assert!(some > few && some < 8 && (-5.5..-0.5).contains(&slower), "{some} {slower}");
    assert_eq!(left(|used| 100.0 / (1.0 - 2.0 * used).max(0.05)), None);
}

#[test]
fn a_volume_that_fills_up_grows() {
    let mut world =
        idle(14, 0.1).with(Metric::VolumeUsed, 0.0, |i| (60.0 + i as f64 * 0.005) * G).with(Metric::VolumeCapacity, 0.0, |_| 90.0 * G);
    world.service.state.volume = Some(Bytes::new(90 * GIB));
    let p = world.proposal("storage");
    assert!(p.recommended.volume.unwrap().as_f64() > 150.0 * G, "{}", p.title);
}

#[test]
fn every_nothing_has_its_reason() {
    let right = World::new(14).with(Metric::CpuUsage, 0.02, |_| 3.35).with(Metric::MemoryWorkingSet, 0.001, |_| 6.9 * G).analyze();
    let Some(Reason::NoAction(why)) = &right.reason else { panic!("{:?}", right.proposals) };
    assert!(why.contains("CPU 3."), "{why}");
    assert_eq!(right.verdict, Verdict::Optimal, "{:?}", right.findings);
    let mut young = idle(1, 0.1);
    young.history = young.history.slice(0, common::START + 11 * 3600);
    let found = young.analyze();
    assert_eq!(found.reason, Some(Reason::InsufficientData("not enough data: 11 h of 24 h".into())));
    assert_eq!(found.verdict, Verdict::NotEnoughData);
    let mut strict = idle(14, 0.1);
    strict.policy.confidence_threshold = 0.99;
    let Some(Reason::NoAction(why)) = strict.analyze().reason else { panic!() };
    assert!(why.contains("confidence") && why.contains("99 %"), "{why}");
    strict.policy.confidence_threshold = 0.1;
    strict.policy.recommendation_threshold = 90.0;
    assert!(matches!(strict.analyze().reason, Some(Reason::NoAction(_))));
    let mut one = idle(14, 0.1);
    one.policy.max_recommendations = 1;
    assert_eq!(one.analyze().proposals.len(), 1);
}

#[test]
fn an_observed_service_without_requests_is_sized_from_nothing() {
    let mut world = idle(14, 0.1);
    world.service.state = ResourceState::default();
    world.service.managed = Managed::Observed;
    let found = world.analyze();
    assert_eq!((found.verdict, found.cost_month), (Verdict::NoRequest, None));
    let p = found.proposals.iter().find(|p| p.strategy == "cpu").unwrap();
    assert_eq!((p.saving_month, p.expected.cost_reduction_percent), (None, None));
    assert_eq!(p.bars[0].request, None);
    assert!(p.recommended.containers["quotes"].cpu_request.unwrap().get() > 1.0);
    assert!(found.proposals.iter().any(|p| p.strategy == "memory"));
}

#[test]
fn shares_of_an_unknown_machine_stay_shares() {
    let mut world =
        World::new(14).with(Metric::CpuUtilization, 0.2, |i| 0.3 * World::wave(i)).with(Metric::MemoryUtilization, 0.1, |_| 0.5);
    world.service.state = ResourceState::default();
    let found = world.analyze();
    let p = &found.proposals[0];
    assert!(p.title.contains("% of the machine"), "{}", p.title);
    assert!(p.replays[0].rows.iter().all(|r| r.cost_month.is_none()));
    let memory = found.bars.iter().find(|b| b.metric == Metric::MemoryUtilization).unwrap();
    assert!((0.525 * 1.15..1.0).contains(&memory.proposed.unwrap()), "{memory:?}");
    let full = world.with(Metric::MemoryUtilization, 0.1, |_| 0.9).analyze();
    let memory = full.bars.iter().find(|b| b.metric == Metric::MemoryUtilization).unwrap();
    assert_eq!(memory.proposed, Some(1.0), "no more than the machine");
}

#[test]
fn asking_for_cost_or_latency_alone_finds_what_serves_it() {
    let mut world = idle(14, 0.1);
    world.types = vec![OptimizationType::Cost];
    assert!(world.analyze().proposals.iter().all(|p| p.optimization_type == OptimizationType::Cost));
    assert!(!world.analyze().proposals.is_empty());
    let mut slow = cached(2000.0);
    slow.types = vec![OptimizationType::Latency];
    assert_eq!(slow.proposal("cache").optimization_type, OptimizationType::Latency);
}

#[test]
fn a_persons_values_meet_the_same_evidence() {
    let world = idle(14, 0.1);
    let prices = PriceBook::on_prem_default();
    let mut harmful = world.service.state.clone();
    harmful.set("containers.app.requests.cpu", Some("200m")).unwrap();
    harmful.set("containers.app.limits.cpu", Some("400m")).unwrap();
    harmful.set("containers.app.limits.memory", Some("3Gi")).unwrap();
    harmful.set("containers.app.requests.memory", Some("3Gi")).unwrap();
    let p = evaluate_own(&world.input(&prices), &harmful);
    assert_eq!((p.strategy.as_str(), p.risk.level), ("person", Risk::High));
    assert!(p.expected.confidence.get() < 0.2 && p.expected.performance_gain_percent < -20.0, "{:?}", p.expected);
    assert!(p.replays.iter().all(|r| r.rows[0].policy == "proposed"));
    assert!(p.title.contains("CPU 4 → 0.2 cores") && p.title.contains("Memory 8 → 3 GiB"), "{}", p.title);
    let mut sane = world.service.state.clone();
    sane.set("containers.app.requests.cpu", Some("2")).unwrap();
    let p = evaluate_own(&world.input(&prices), &sane);
    assert!(p.expected.confidence.get() > 0.8 && p.saving_month.unwrap().micros > 0);
}

#[test]
fn no_replicas_are_a_high_risk_beside_an_autoscaler_too() {
    let mut world = idle(14, 0.1);
    for autoscaler in [None, Some(Autoscaler { min: 2, max: 5, target_cpu_percent: 70 })] {
        world.service.state.autoscaler = autoscaler;
        let mut wanted = world.service.state.clone();
        wanted.set("replicas", Some("0")).unwrap();
        let p = evaluate_own(&world.input(&PriceBook::on_prem_default()), &wanted);
        assert_eq!((p.risk.level, p.risk.reasons[0].as_str()), (Risk::High, "without replicas nothing serves"), "{:?}", p.risk);
    }
}

/// What is found where the cluster has this room.
fn found_within(world: &World, room: &Room) -> Analysis {
    let types = [OptimizationType::Resource];
    analyze(&Input { room: Some(room), types: &types, ..world.input(&PriceBook::on_prem_default()) })
}

#[test]
fn what_the_cluster_has_no_room_for_is_not_proposed() {
    let starved = World::new(14)
        .with(Metric::CpuUsage, 0.05, |i| (4.4 * World::wave(i)).min(6.0))
        .with(Metric::CpuThrottled, 0.1, |i| if 4.4 * World::wave(i) > 6.0 { 0.2 } else { 0.0 })
        .with(Metric::MemoryWorkingSet, 0.05, |_| 4.0 * G);
    let cpu = |found: &Analysis| found.proposals.iter().find(|p| p.strategy == "cpu").cloned();
    let request = |room: &Room| cpu(&found_within(&starved, room)).map(|p| p.recommended.cpu_request().unwrap().get());
    let shop = Room { namespace: "shop".into(), ..Room::default() };
    let free = request(&shop).unwrap();
    assert!(free > 6.0, "{free}");
    // Three replicas, one container each, whose limit goes up with the request.
    for (room, most) in [
        (Room { most_cpu: "8".parse().ok(), ..shop.clone() }, 8.0),
        (Room { node_cpu: "5500m".parse().ok(), ..shop.clone() }, 5.5),
        (Room { quota_cpu: "15".parse().ok(), ..shop.clone() }, 5.0),
    ] {
        let found = found_within(&starved, &room);
        let p = cpu(&found).unwrap_or_else(|| panic!("{room:?}: {found:#?}"));
        let (request, limit) = (p.recommended.cpu_request().unwrap().get(), p.recommended.cpu_limit().unwrap().get());
        assert!(request > 4.0 && request <= most && request < free && (room.most_cpu.is_none() || limit <= most), "{room:?}: {}", p.title);
        assert!(room.most_cpu.is_some() || request > 0.95 * most, "{room:?}: as much as there is room for: {}", p.title);
        assert!(p.evidence.iter().any(|e| !e.supports && (e.text.contains("shop") || e.text.contains("node"))), "{:?}", p.evidence);
        assert_eq!(room.refusal(&starved.service.state, &p.recommended), None);
        // It says what it covers, promises no more than that, and is as sure of that as of a promise that held on each of its days.
        let whole = cpu(&found_within(&starved, &shop)).unwrap();
        assert!(
            p.risk.level == Risk::High && p.risk.reasons.iter().any(|r| r.starts_with("covers ") && r.ends_with("throttling will go on"))
        );
        let (part, all) = (p.expected.performance_gain_percent, whole.expected.performance_gain_percent);
        assert!(part < all, "{part} of {all}: {}", p.title);
        assert!(p.expected.confidence.get() > 0.7 && p.confidence_drivers.iter().any(|d| d.text == "it held on 14 of 14 days"), "{p:?}");
        assert!(p.evidence.iter().any(|e| e.text.contains("not that throttling ends")), "{:?}", p.evidence);
    }
    let full = found_within(&starved, &Room { quota_cpu: "12".parse().ok(), ..shop.clone() });
    assert_eq!(cpu(&full), None);
    let said = &full.findings.iter().find(|f| f.resource == "cpu").unwrap().text;
    assert!(said.contains("the quota of shop leaves 12 of CPU to all its replicas"), "{said}");

    let least = Room { least_cpu: "3".parse().ok(), least_memory: "6Gi".parse().ok(), ..shop };
    let found = found_within(&idle(14, 0.1), &least);
    let p = cpu(&found).unwrap();
    assert_eq!(p.recommended.cpu_request().unwrap().get(), 3.0, "{}", p.title);
    let memory = found.proposals.iter().find(|p| p.strategy == "memory").unwrap();
    assert_eq!(memory.recommended.memory_request().unwrap().get(), 6 * GIB, "{}", memory.title);
}

#[test]
fn a_persons_values_are_held_against_the_room_too() {
    let world = idle(14, 0.1);
    let prices = PriceBook::on_prem_default();
    let room = Room { namespace: "shop".into(), quota_cpu: "15".parse().ok(), ..Room::default() };
    let mut wanted = world.service.state.clone();
    wanted.set("containers.app.requests.cpu", Some("6")).unwrap();
    let p = evaluate_own(&Input { room: Some(&room), ..world.input(&prices) }, &wanted);
    assert_eq!(p.risk.level, Risk::High);
    assert!(p.risk.reasons.iter().any(|r| r.starts_with("the cluster would refuse it: the quota of shop")), "{:?}", p.risk);
}

#[test]
fn a_short_job_is_sized_by_its_runs() {
    let at_night = |value: f64| move |i: usize| if (24..28).contains(&(i % 288)) { value } else { f64::NAN };
    let job = |days| World::new(days).with(Metric::CpuUsage, 0.1, at_night(1.0)).with(Metric::MemoryWorkingSet, 0.05, at_night(2.0 * G));
    let p = job(14).proposal("cpu");
    let request = p.recommended.cpu_request().unwrap().get();
    assert!((1.05..2.0).contains(&request), "{request}");
    assert!(p.evidence.iter().any(|e| e.text.starts_with("it runs for about 20 minutes a day, known from 14 days")), "{:?}", p.evidence);
    let (found, share) = (job(14).analyze(), 20.0 / 1440.0);
    let all_day = PriceBook::on_prem_default().month(&job(14).service.state).unwrap().units();
    let priced = |money: Option<Money>, times: f64| (money.unwrap().units() - times * all_day).abs() < 1e-4 * all_day;
    assert!(priced(found.cost_month, share), "{:?} of {all_day}", found.cost_month);
    let saved = p.expected.cost_reduction_percent.unwrap() / 100.0;
    assert!(priced(p.saving_month, share * saved) && saved > 0.1, "{:?}", p.saving_month);
    let today = p.replays[0].rows.iter().find(|row| row.policy == "today").unwrap().cost_month.unwrap().units();
    assert!(today > 0.0 && today <= found.cost_month.unwrap().units() + 1e-6, "{today}");
    let young = job(5).analyze();
    assert_eq!(young.reason, Some(Reason::InsufficientData("not enough data: 20 of 24 samples".to_owned())));
}
