//! Horizontal and vertical together: what is proposed keeps its rules, and after it is applied there is nothing left to propose.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod common;

use common::{PER_DAY, START, World};
use headroom_engine::prices::PriceBook;
use headroom_engine::{Analysis, DaySketch, Features, Input, analyze};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::Proposal;
use headroom_model::room::Room;
use headroom_model::schedule::{Holidays, Predicted};
use headroom_model::service::{Autoscaler, ResourceState};
use headroom_model::units::GIB;
use proptest::prelude::{Strategy, any, prop};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// A service whose replicas, CPU, memory and latency follow from its state and its demand.
#[derive(Debug, Clone)]
struct House {
    /// Cores of work over all replicas, mean over the day.
    work: f64,
    /// Idle cores of a replica.
    idle: f64,
    /// GiB that each replica holds without load, and per core of work that it carries.
    memory: (f64, f64),
    /// Milliseconds of p95 without load, and how much of it a replica at its limit adds.
    latency: Option<(f64, f64)>,
    /// Height of the day's wave, 0 to 0.6.
    wave: f64,
    /// Weekends as a share of a weekday.
    weekend: f64,
    noise: f64,
}

const HOUSE: House = House { work: 6.0, idle: 0.05, memory: (3.0, 0.2), latency: Some((40.0, 0.0)), wave: 0.5, weekend: 1.0, noise: 0.06 };

impl House {
    fn demand(&self, i: usize) -> f64 {
        let weekend = if i / PER_DAY % 7 >= 5 { self.weekend } else { 1.0 };
        self.work * weekend * (1.0 + self.wave / 0.6 * (World::wave(i) - 1.0))
    }

    /// Replicas at each sample, as a horizontal autoscaler runs them.
    fn replicas(&self, state: &ResourceState, samples: usize) -> Vec<f64> {
        let Some(a) = state.autoscaler else { return vec![f64::from(state.replicas.unwrap()); samples] };
        let target = state.cpu_request().unwrap().get() * f64::from(a.target_cpu_percent) / 100.0;
        let mut now = f64::from(a.min);
        let mut last = now;
        let step = |i| {
            let ratio = (self.idle + self.demand(i) / now) / target;
            let wish = if (ratio - 1.0).abs() < 0.1 { now } else { (now * ratio).ceil() };
            let wish = wish.clamp(f64::from(a.min), f64::from(a.max));
            now = wish.max(last);
            last = wish;
            now
        };
        (0..samples).map(step).collect()
    }

    /// Two weeks of it under a state.
    fn lived(&self, state: &ResourceState) -> World {
        let mut world = World::new(14);
        let n = self.replicas(state, 14 * PER_DAY);
        let limit = state.cpu_limit().unwrap().get();
        let load = |i: usize| self.idle + self.demand(i) / n[i];
        world = world
            .with(Metric::CpuUsage, self.noise, load)
            .with(Metric::Replicas, 0.0, |i| n[i])
            .with(Metric::MemoryWorkingSet, 0.01, |i| (self.memory.0 + self.memory.1 * load(i)) * GIB as f64)
            .with(Metric::RequestRate, 0.02, |i| 50.0 * self.demand(i));
        if let Some((base, steep)) = self.latency {
            world = world.with(Metric::LatencyP95, 0.06, |i| base * (1.0 + steep * (load(i) / limit).powi(2)));
        }
        world.service.state = state.clone();
        world
    }
}

fn state(replicas: u32, cpu: &str, limit: &str, memory: &str) -> ResourceState {
    let mut state = World::new(1).service.state;
    state.replicas = Some(replicas);
    for (field, value) in [("limits.cpu", limit), ("requests.cpu", cpu), ("limits.memory", "16Gi"), ("requests.memory", memory)] {
        state.set(&format!("containers.app.{field}"), Some(value)).unwrap();
    }
    state
}

fn scaled(a: Autoscaler, cpu: &str, limit: &str, memory: &str) -> ResourceState {
    ResourceState { autoscaler: Some(a), ..state(a.min, cpu, limit, memory) }
}

fn of<'a>(found: &'a Analysis, strategy: &str) -> Option<&'a Proposal> {
    found.proposals.iter().find(|p| p.strategy == strategy)
}

fn titles(found: &Analysis) -> Vec<&str> {
    found.proposals.iter().map(|p| p.title.as_str()).collect()
}

#[test]
fn many_small_replicas_with_a_large_base_become_few() {
    let world = HOUSE.lived(&state(12, "1500m", "4", "4Gi"));
    let found = world.analyze();
    let p = of(&found, "joint").unwrap_or_else(|| panic!("{:?}", titles(&found)));
    let n = p.recommended.replicas.unwrap();
    assert!((3..=6).contains(&n), "{}", p.title);
    let request = p.recommended.cpu_request().unwrap().get();
    assert!(request * f64::from(n) < 12.0 * 1.5 && request > 9.0 / f64::from(n), "{}", p.title);
    assert!(p.replays[0].rows[0].breached <= 0.01, "{:?}", p.replays[0].rows[0]);
    assert_eq!(p.optimization_type, OptimizationType::Scaling);
    assert!(of(&found, "cpu").is_none() && of(&found, "memory").is_none(), "one proposal for the same fields: {:?}", titles(&found));
    assert!(p.expected.confidence.get() < 0.9, "it goes beyond what was shown");
    p.recommended.check().unwrap();
}

#[test]
fn latency_that_rises_with_load_keeps_its_replicas() {
    let steep = House { latency: Some((40.0, 40.0)), ..HOUSE };
    let found = steep.lived(&state(12, "1500m", "4", "4Gi")).analyze();
    assert!(of(&found, "joint").is_none(), "{:?}", titles(&found));
    assert!(of(&found, "cpu").is_some(), "sizes can still be right: {:?}", titles(&found));
}

#[test]
fn an_objective_that_is_broken_adds_replicas_and_one_that_is_kept_frees_them() {
    let steep = House { latency: Some((40.0, 8.0)), ..HOUSE };
    // Nine cores at the busiest over four replicas of four cores: 40 × (1 + 8 × 0.31) = 140 ms.
    let mut world = steep.lived(&state(4, "2500m", "4", "4Gi"));
    world.policy.latency_objective_ms = 90.0;
    let p = world.proposal("joint");
    let n = p.recommended.replicas.unwrap();
    assert!((6..=7).contains(&n), "{}", p.title);
    assert!(p.expected.latency_reduction_ms > 15.0 && p.saving_month.is_some_and(|m| m.micros < 0), "{:?}", p.expected);
    let after = steep.lived(&p.recommended);
    let slowest = Features::of(&DaySketch::of(&after.history)).get(Metric::LatencyP95).unwrap().p95;
    assert!(slowest < 90.0 * 1.06, "{slowest}");
    world.policy.latency_objective_ms = 20.0;
    let found = world.analyze();
    assert!(of(&found, "joint").is_none(), "nothing reaches 20 ms: {:?}", titles(&found));
    assert!(found.findings.iter().any(|f| f.text.contains("the objective is 20 ms")), "{:?}", found.findings);
}

#[test]
fn one_replica_may_fail_and_two_stay_two() {
    let idle = House { work: 0.2, ..HOUSE };
    for n in [2, 5] {
        let found = idle.lived(&state(n, "1500m", "4", "4Gi")).analyze();
        let joint = of(&found, "joint").map(|p| p.recommended.replicas);
        assert_eq!(joint, (n > 2).then_some(Some(2)), "{:?}", titles(&found));
    }
    // Ten cores at most on replicas of four: two would do for the load, three while one is away.
    let busy = House { work: 4.4, ..HOUSE };
    let p = busy.lived(&state(12, "1500m", "4", "4Gi")).proposal("joint");
    assert!(6.6 / f64::from(p.recommended.replicas.unwrap() - 1) < 0.9 * 4.0, "{}", p.title);
}

#[test]
fn request_and_target_agree_so_that_nothing_fights() {
    let house = House { work: 8.0, memory: (2.0, 0.1), ..HOUSE };
    let world = house.lived(&scaled(Autoscaler { min: 8, max: 30, target_cpu_percent: 25 }, "2", "4", "6Gi"));
    let p = world.proposal("joint");
    let a = p.recommended.autoscaler.unwrap();
    let carries = p.recommended.cpu_request().unwrap().get() * f64::from(a.target_cpu_percent) / 100.0;
    assert!(a.min < 8 && a.min >= 2 && a.target_cpu_percent <= 81, "{}", p.title);
    assert!(carries >= 0.49, "no more replicas than before at the same load: {carries}");
    assert!(p.saving_month.unwrap().micros > 0);
    let after = house.lived(&p.recommended).analyze();
    assert!(after.proposals.is_empty(), "{} then {:?}", p.title, titles(&after));
}

#[test]
fn an_autoscaler_grows_as_far_as_the_quota_goes() {
    let house = House { work: 12.0, wave: 0.6, ..HOUSE };
    let world = house.lived(&scaled(Autoscaler { min: 2, max: 4, target_cpu_percent: 60 }, "2", "4", "4Gi"));
    let most = |quota: Option<&str>| {
        let room = Room { namespace: "shop".into(), quota_cpu: quota.map(|q| q.parse().unwrap()), ..Room::default() };
        let found = analyze(&Input { room: Some(&room), ..world.input(&PriceBook::on_prem_default()) });
        of(&found, "joint").map(|p| (p.recommended.autoscaler.unwrap().max, p.recommended.cpu_request().unwrap().get()))
    };
    let (free, _) = most(None).unwrap();
    let (bounded, each) = most(Some("15")).unwrap();
    assert!(bounded > 4 && bounded < free && f64::from(bounded) * each <= 15.0, "{free} {bounded} × {each}");
    assert_eq!(most(Some("8")), None, "there is room for what there is only");
}

#[test]
fn a_season_becomes_a_schedule_with_holidays() {
    let house = House { work: 12.0, weekend: 0.3, wave: 0.6, ..HOUSE };
    let mut world = house.lived(&scaled(Autoscaler { min: 2, max: 6, target_cpu_percent: 60 }, "2", "4", "4Gi"));
    let wednesday = START / 86_400 + 16;
    world.policy.holidays = Holidays::of(vec![wednesday]);
    let p = world.proposal("joint");
    assert!(p.cure && p.recommended.autoscaler.unwrap().max > 6, "{}", p.title);
    let Predicted { schedule, max, saving_month, target_cpu_percent, .. } = p.schedule.clone().unwrap();
    let at = |day: i64, hour: i64| schedule.at(day * 86_400 + hour * 3600).unwrap();
    assert!(at(wednesday - 1, 6) > 2 * at(wednesday - 1, 18), "{:?}", schedule.entries);
    assert!(at(wednesday - 3, 6) < at(wednesday - 1, 6) && at(wednesday, 6) == at(wednesday - 3, 6), "{:?}", schedule.entries);
    // Twelve cores and six tenths more at six in the morning, at 1.2 cores each.
    assert!((14..=21).contains(&at(wednesday - 1, 6)), "{:?}", schedule.entries);
    assert!(saving_month.unwrap().units() > 0.0 && max >= at(wednesday - 1, 6));
    assert_eq!(target_cpu_percent, Some(p.recommended.autoscaler.unwrap().target_cpu_percent));
    assert!(p.schedule.unwrap().keda(&world.service.key, 20_000).contains("type: cron"));
    let level = House { wave: 0.0, weekend: 1.0, ..HOUSE }.lived(&state(12, "1500m", "4", "4Gi"));
    assert_eq!(level.proposal("joint").schedule, None);
}

fn houses() -> impl Strategy<Value = (House, ResourceState)> {
    let house =
        (0.3f64..20.0, 0.0f64..0.1, 0.2f64..4.0, 0.0f64..0.5, prop::option::of((5.0f64..200.0, 0.0f64..20.0)), 0.0f64..0.6, 0.2f64..1.0);
    let house = house.prop_map(|(work, idle, base, per_core, latency, wave, weekend)| House {
        work,
        idle,
        memory: (base, per_core),
        latency,
        wave,
        weekend,
        noise: 0.06,
    });
    (house, 2u32..30, 20u32..85, any::<bool>(), 1.1f64..4.0, 1.0f64..3.0).prop_map(|(house, n, target, has_scaler, ample, limit)| {
        let request = (house.idle + house.work * 1.6 / f64::from(n)) * ample;
        let cores = |v: f64| format!("{}m", (v * 1000.0).ceil());
        let mut s = state(n, &cores(request), &cores(request * limit), "6Gi");
        s.autoscaler = has_scaler.then_some(Autoscaler { min: 2.max(n / 3), max: n + 2, target_cpu_percent: target });
        (house, s)
    })
}

/// Applied and analysed again under the same demand, a joint choice is followed by nothing of its kind, and requests do not creep.
#[test]
fn what_was_applied_stays() {
    let mut runner = TestRunner::deterministic();
    let (mut applied, mut wrong) = (0, Vec::new());
    for _ in 0..100 {
        let (house, before) = houses().new_tree(&mut runner).unwrap().current();
        let found = house.lived(&before).analyze();
        let Some(p) = of(&found, "joint") else { continue };
        applied += 1;
        p.recommended.check().unwrap();
        assert!(p.recommended.autoscaler.map_or(p.recommended.replicas.unwrap(), |a| a.min) >= 2, "{}", p.title);
        let after = house.lived(&p.recommended).analyze();
        let again: Vec<&str> = titles(&after).into_iter().filter(|t| !t.starts_with("Memory")).collect();
        if !again.is_empty() {
            wrong.push(format!("{house:?}: {} then {again:?}", p.title));
        }
        if house.latency.is_some() && !p.cure {
            let p95 =
                |state: &ResourceState| Features::of(&DaySketch::of(&house.lived(state).history)).get(Metric::LatencyP95).unwrap().p95;
            let (then, now) = (p95(&p.recommended), p95(&before));
            if then > now * 1.08 {
                wrong.push(format!("{house:?}: {}: p95 {now} → {then}", p.title));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {applied}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(applied >= 20, "only {applied} of 100 had one");
}
