//! A service and its history, made to measure.
#![allow(dead_code, reason = "each test file uses its own part")]

use headroom_engine::rightsize::Fleet;
use headroom_engine::{Analysis, DaySketch, Input, analyze, prices::PriceBook};
use headroom_model::ids::ServiceId;
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::policy::Policy;
use headroom_model::recommendation::Proposal;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::service::{Container, Managed, Parameter, ResourceState, Service, ServiceKey};
use headroom_model::time::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub const DAY: i64 = 86_400;
/// A Monday.
pub const START: i64 = 20_003 * DAY;
pub const PER_DAY: usize = 288;

pub struct World {
    pub service: Service,
    pub history: ServiceHistory,
    pub policy: Policy,
    pub types: Vec<OptimizationType>,
    rng: ChaCha8Rng,
    pub days: usize,
}

impl World {
    /// A Deployment of three replicas with 4 cores and 8 GiB each, and that many days of history still to be filled.
    pub fn new(days: usize) -> Self {
        let container = Container {
            cpu_request: "4".parse().ok(),
            cpu_limit: "8".parse().ok(),
            memory_request: "8Gi".parse().ok(),
            memory_limit: "8Gi".parse().ok(),
            gpus: 0,
        };
        let service = Service {
            id: ServiceId(Default::default()),
            key: ServiceKey { cluster: "c".into(), namespace: "n".into(), kind: "Deployment".into(), name: "quotes".into() },
            uid: "u".into(),
            team: "t".into(),
            environment: "production".into(),
            labels: Default::default(),
            state: ResourceState { containers: [("app".to_owned(), container)].into(), replicas: Some(3), ..ResourceState::default() },
            calls: Vec::new(),
            managed: Managed::Direct,
        };
        Self {
            service,
            history: ServiceHistory::default(),
            policy: Policy::default(),
            types: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(1),
            days,
        }
    }

    /// The day's shape, 0.4 to 1.6, mean 1.
    pub fn wave(i: usize) -> f64 {
        1.0 + 0.6 * (i as f64 / PER_DAY as f64 * std::f64::consts::TAU).sin()
    }

    /// A metric by sample index, times evenly distributed noise of that relative width.
    pub fn with(mut self, metric: Metric, noise: f64, value: impl Fn(usize) -> f64) -> Self {
        let values = (0..self.days * PER_DAY).map(|i| (value(i) * (1.0 + noise * self.rng.random_range(-0.5..0.5f64))) as f32).collect();
        self.history.metrics.insert(metric, Series { start: START, step: 300, values });
        self
    }

    pub fn parameter(mut self, name: &str, parameter: Parameter) -> Self {
        self.service.state.parameters.insert(name.to_owned(), parameter);
        self
    }

    pub fn input<'a>(&'a self, prices: &'a PriceBook) -> Input<'a> {
        Input {
            service: &self.service,
            // Made anew each time, because tests change the history; a world is small and short-lived.
            days: Vec::leak(DaySketch::of(&self.history)),
            policy: &self.policy,
            prices,
            types: &self.types,
            now: Timestamp::from_secs(START + self.days as i64 * DAY),
            fleet: Fleet::default(),
            records: None,
            room: None,
        }
    }

    pub fn analyze(&self) -> Analysis {
        analyze(&self.input(&PriceBook::on_prem_default()))
    }

    /// The proposal of a strategy; fails with everything that was said when there is none. What only sizes replicas is asked for by its
    /// type: where their number may be chosen as well, that may be the better way.
    pub fn proposal(&self, strategy: &str) -> Proposal {
        let sizes = [OptimizationType::Resource];
        let types = if self.types.is_empty() && ["cpu", "memory"].contains(&strategy) { &sizes } else { &self.types[..] };
        let found = analyze(&Input { types, ..self.input(&PriceBook::on_prem_default()) });
        let titles: Vec<&String> = found.proposals.iter().map(|p| &p.title).collect();
        let said = format!("{titles:?} {:?} {:#?}", found.reason, found.findings);
        found.proposals.iter().find(|p| p.strategy == strategy).cloned().unwrap_or_else(|| panic!("no {strategy}: {said}"))
    }
}

pub fn choice(value: &str, allowed: &[&str]) -> Parameter {
    Parameter::Choice { value: value.to_owned(), allowed: allowed.iter().map(|a| (*a).to_owned()).collect() }
}
