//! What the engine proposes for replicas and autoscalers, carried out on the simulated cluster: the two share no equation, so a
//! promise that holds there was not made from what it is checked against.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use headroom_engine::prices::PriceBook;
use headroom_engine::rightsize::Fleet;
use headroom_engine::{Analysis, DaySketch, Input, analyze};
use headroom_infra::simulator::cluster::Cluster;
use headroom_infra::simulator::physics::Readings;
use headroom_infra::simulator::world::World;
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::plan::Plan;
use headroom_model::policy::Policy;
use headroom_model::recommendation::Proposal;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::service::Service;
use headroom_model::time::{DAY, Timestamp};

const STEP: i64 = 300;
const DAYS: i64 = 14;

/// A cluster with everything it has measured.
struct Lived {
    cluster: Cluster,
    begin: i64,
    frames: Vec<Vec<Readings>>,
}

impl Lived {
    /// The demonstration's services, that many days old.
    fn new(days: i64) -> Self {
        let start = Timestamp::from_secs(20_440 * DAY);
        let world = World::generated(1, "demo", start, DAYS as u32, 34);
        let mut lived = Self { begin: world.begin(), cluster: Cluster::new(world), frames: Vec::new() };
        lived.pass(days);
        lived
    }

    fn pass(&mut self, days: i64) {
        let until = self.frames.len() + (days * DAY / STEP) as usize;
        while self.frames.len() < until {
            self.frames.extend(self.cluster.tick());
        }
    }

    /// The newest days of a service.
    fn history(&self, i: usize, days: i64) -> ServiceHistory {
        let from = self.frames.len().saturating_sub((days * DAY / STEP) as usize);
        let series = |metric: &Metric| Series {
            start: self.begin + from as i64 * STEP,
            step: STEP as u32,
            values: self.frames[from..].iter().map(|f| f[i][*metric as usize]).collect(),
        };
        let measured = Metric::ALL.iter().map(|m| (*m, series(m))).filter(|(_, s)| s.count() > 0);
        ServiceHistory { metrics: measured.collect() }
    }

    fn service(&self, i: usize) -> Service {
        let spec = &self.cluster.world.specs[i];
        Service {
            id: ServiceId(Default::default()),
            key: spec.key.clone(),
            uid: String::new(),
            team: spec.team.clone(),
            environment: spec.environment.clone(),
            labels: Default::default(),
            state: self.cluster.now.services[i].state.clone(),
            calls: Vec::new(),
            managed: spec.managed,
        }
    }

    fn analyse(&self, i: usize) -> Analysis {
        let (service, days, prices) = (self.service(i), DaySketch::of(&self.history(i, DAYS)), PriceBook::on_prem_default());
        let now = Timestamp::from_secs(self.begin + self.frames.len() as i64 * STEP);
        analyze(&Input {
            service: &service,
            days: &days,
            policy: &Policy::default(),
            prices: &prices,
            types: &[],
            now,
            fleet: Fleet::default(),
            records: None,
            room: None,
        })
    }

    /// What is proposed for its replicas and their CPU.
    fn scaling(&self, i: usize) -> Vec<Proposal> {
        self.analyse(i).proposals.into_iter().filter(|p| ["joint", "cpu"].contains(&p.strategy.as_str())).collect()
    }

    fn apply(&mut self, i: usize, p: &Proposal) {
        let changes = Plan::difference(&self.cluster.now.services[i].state, &p.recommended);
        self.cluster.write(i, &changes, None).unwrap();
    }

    fn mean(&self, i: usize, metric: Metric, days: i64) -> f64 {
        let history = self.history(i, days);
        let values: Vec<f64> = history.metrics.get(&metric).map(|s| s.present().collect()).unwrap_or_default();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    }
}

#[test]
fn joint_choices_keep_their_promise_and_are_not_followed_by_others() {
    let mut lived = Lived::new(DAYS);
    let found: Vec<(usize, Proposal)> = (0..lived.cluster.world.specs.len())
        .filter_map(|i| Some((i, lived.analyse(i).proposals.into_iter().find(|p| p.strategy == "joint")?)))
        .collect();
    assert!(!found.is_empty(), "the demonstration has services whose scaling is wrong");
    let before: Vec<f64> = found.iter().map(|(i, _)| lived.mean(*i, Metric::LatencyP95, 7)).collect();
    for (i, p) in &found {
        lived.apply(*i, p);
    }
    lived.pass(DAYS);
    for ((i, p), before) in found.iter().zip(before) {
        let said = format!("{}: {}", lived.cluster.world.specs[*i].key.name, p.title);
        let after = lived.mean(*i, Metric::LatencyP95, 7);
        assert!(after <= before * 1.1, "{said}: p95 {before} → {after} ms would be rolled back");
        let promised = p.expected.latency_reduction_ms;
        // A promise of less than a tenth is lost in what the days differ by.
        assert!(
            promised <= 0.1 * before || before - after > 0.5 * promised,
            "{said}: {promised} ms less were promised, {before} → {after}"
        );
        assert!(lived.mean(*i, Metric::CpuThrottled, 7) <= 0.01 && lived.mean(*i, Metric::OomKills, 7) < 1e-9, "{said}");
        for q in lived.scaling(*i) {
            assert!(!q.cure && p.cure, "{said} then {}", q.title);
            lived.apply(*i, &q);
        }
    }
    // What starved has shown too little to be sized to the core: it is trimmed twice, as it shows what it does with room, and then stays.
    lived.pass(DAYS);
    for (i, p) in &found {
        for q in lived.scaling(*i) {
            assert!(!q.cure && p.cure, "{}: {} then {}", lived.cluster.world.specs[*i].key.name, p.title, q.title);
            lived.apply(*i, &q);
        }
    }
    lived.pass(DAYS);
    for (i, p) in &found {
        let again: Vec<String> = lived.scaling(*i).into_iter().map(|q| q.title).collect();
        assert!(again.is_empty(), "{}: {} then {again:?}", lived.cluster.world.specs[*i].key.name, p.title);
    }
}
