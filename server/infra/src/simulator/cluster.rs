//! The simulated cluster as it runs: states, dynamics, writes, and the step from one tick to the next.

use super::demand::Calendar;
use super::noise::Noise;
use super::physics::{self, Around, Dynamic, METRICS, Readings};
use super::profile::{Granted, Spec};
use super::trace;
use super::world::{STEP, World};
use headroom_model::ids::ChangeId;
use headroom_model::metric::{Aggregation, Metric};
use headroom_model::plan::FieldChange;
use headroom_model::service::{FieldError, ResourceState, VERSION_LABEL};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One service's changing part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// The object's unique id.
    pub uid: String,
    /// What is in force.
    pub state: ResourceState,
    /// Who wrote each field last.
    pub marks: BTreeMap<String, ChangeId>,
    /// How it stands.
    pub dynamic: Dynamic,
    /// The version that was deployed last; `None` while that of the beginning runs.
    #[serde(default)]
    pub version: Option<String>,
}

impl Running {
    /// The labels of the service that `spec` describes, with the version that runs.
    #[must_use]
    pub fn labels(&self, spec: &Spec) -> BTreeMap<String, String> {
        let mut labels = spec.labels.clone();
        labels.extend(self.version.clone().map(|version| (VERSION_LABEL.to_owned(), version)));
        labels
    }
}

/// The changing part of the cluster: together with the world and the journal, all that is needed to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Seconds since the epoch up to which everything is worked out; on the sample grid.
    pub until: i64,
    /// How many journal entries are contained.
    pub entries: usize,
    /// By service, in the world's order.
    pub services: Vec<Running>,
}

/// A running cluster.
pub struct Cluster {
    /// What does not change.
    pub world: World,
    /// What does.
    pub now: Snapshot,
    granted: Vec<Granted>,
    gathered: Vec<Gathered>,
    pools: Vec<usize>,
    noise: Noise,
}

/// The ticks of one interval on their way to one sample.
#[derive(Clone, Copy)]
struct Gathered {
    values: Readings,
    counts: [u16; METRICS],
}

impl Gathered {
    const EMPTY: Self = Self { values: [f32::NAN; METRICS], counts: [0; METRICS] };

    fn add(&mut self, readings: &Readings) {
        for (i, value) in readings.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
            let held = &mut self.values[i];
            *held = match (self.counts[i], Metric::ALL[i].aggregation()) {
                (0, _) | (_, Aggregation::Last) => *value,
                (_, Aggregation::Max) => held.max(*value),
                (_, Aggregation::Sum | Aggregation::Mean) => *held + *value,
            };
            self.counts[i] += 1;
        }
    }

    fn take(&mut self) -> Readings {
        let mut out = self.values;
        for (i, value) in out.iter_mut().enumerate() {
            if self.counts[i] > 1 && Metric::ALL[i].aggregation() == Aggregation::Mean {
                *value /= f32::from(self.counts[i]);
            }
        }
        *self = Self::EMPTY;
        out
    }
}

impl Cluster {
    /// A cluster at the begin of its history.
    #[must_use]
    pub fn new(world: World) -> Self {
        let noise = Noise::new(world.seed);
        let running = |(i, spec): (usize, &Spec)| {
            let replicas = spec.state.replicas.unwrap_or(1);
            let replicas = super::replicas::Replicas::warm(replicas, &spec.profile, noise, i);
            let volume = spec.profile.volume.map_or(0.0, |v| v.used);
            let uid = uid(&world, &spec.key.to_string(), 0);
            Running {
                uid,
                state: canonical(&spec.state),
                marks: BTreeMap::new(),
                dynamic: Dynamic { replicas, volume, ..Dynamic::default() },
                version: None,
            }
        };
        let services = world.specs.iter().enumerate().map(running).collect();
        let now = Snapshot { until: world.begin(), entries: 0, services };
        Self::at(world, now)
    }

    /// A cluster that goes on from a snapshot.
    #[must_use]
    pub fn at(world: World, now: Snapshot) -> Self {
        let granted = now.services.iter().map(|s| Granted::of(&s.state)).collect();
        let gathered = vec![Gathered::EMPTY; world.specs.len()];
        let pools = world.specs.iter().map(|s| world.pool_of(s)).collect();
        let noise = Noise::new(world.seed);
        Self { world, now, granted, gathered, pools, noise }
    }

    /// Lets one tick pass; every [`STEP`] seconds gives the samples of the interval that ended, by service.
    pub fn tick(&mut self) -> Option<Vec<Readings>> {
        let (t, dt) = (self.now.until, self.world.tick());
        self.autoscale(t);
        let offered = self.offered(t, dt);
        let pressure = self.pressure();
        let around: Vec<Around> =
            (0..self.world.specs.len()).into_par_iter().with_min_len(256).map(|i| self.around(i, t, dt, offered[i], &pressure)).collect();
        let (world, granted, noise) = (&self.world, &self.granted, self.noise);
        self.now.services.par_iter_mut().zip(self.gathered.par_iter_mut()).enumerate().with_min_len(64).for_each(
            |(i, (running, gathered))| {
                let spec = &world.specs[i];
                let readings = match spec.profile.trace.and_then(|n| world.traces.get(n)) {
                    Some(trace) => trace::tick(trace, &spec.profile, &granted[i], &mut running.dynamic, &around[i], noise, i),
                    None => physics::tick(&spec.profile, &granted[i], &mut running.dynamic, &around[i], noise, i),
                };
                gathered.add(&readings);
            },
        );
        self.now.until = t + dt;
        (self.now.until.rem_euclid(STEP) == 0).then(|| self.gathered.iter_mut().map(Gathered::take).collect())
    }

    fn autoscale(&mut self, t: i64) {
        for (running, granted) in self.now.services.iter_mut().zip(&mut self.granted) {
            let Some(autoscaler) = running.state.autoscaler else { continue };
            let next = physics::scale(&mut running.dynamic, autoscaler, granted.replicas, t);
            if next != granted.replicas {
                granted.replicas = next;
                running.state.replicas = Some(next);
            }
        }
    }

    /// Requests per second that arrive at each service: from outside, and from callers one tick late.
    fn offered(&self, t: i64, dt: i64) -> Vec<f64> {
        let calendar = Calendar::new(t, dt, self.world.start);
        let outside = |(i, spec): (usize, &super::profile::Spec)| spec.profile.demand.map_or(0.0, |d| d.at(self.noise, i, &calendar));
        let mut offered: Vec<f64> = self.world.specs.par_iter().enumerate().with_min_len(256).map(outside).collect();
        for (spec, running) in self.world.specs.iter().zip(&self.now.services) {
            for call in &spec.profile.calls {
                offered[call.service] += running.dynamic.seen.served * call.per_request;
            }
        }
        offered
    }

    /// CPU use of each pool of nodes in the tick before, 1 = all of it.
    fn pressure(&self) -> Vec<f64> {
        let mut used = vec![0.0; self.world.nodes.len()];
        for (pool, running) in self.pools.iter().zip(&self.now.services) {
            used[*pool] += running.dynamic.seen.cores;
        }
        used.iter().zip(&self.world.nodes).map(|(used, pool)| used / (f64::from(pool.nodes) * pool.cores).max(1.0)).collect()
    }

    fn around(&self, i: usize, t: i64, dt: i64, offered: f64, pressure: &[f64]) -> Around {
        let spec = &self.world.specs[i];
        let (mut calls, mut works) = ([0.0; 3], 1.0);
        for call in &spec.profile.calls {
            let seen = self.now.services[call.service].dynamic.seen;
            let share = call.per_request.min(1.0);
            calls = std::array::from_fn(|q| calls[q] + share * seen.latency[q]);
            works *= 1.0 - 0.8 * share * seen.errors;
        }
        Around { t, dt: dt as f64, offered, calls, call_errors: 1.0 - works, pressure: pressure[self.pools[i]] }
    }

    /// Whether a service runs entirely with its state.
    #[must_use]
    pub fn ready(&self, service: usize) -> bool {
        self.now.services[service].dynamic.replicas.ready(self.granted[service].replicas)
    }

    /// Writes fields of a service; `mark` is the change that did, `None` for anyone else. Pods are replaced where their template changes.
    ///
    /// # Errors
    /// [`FieldError`] for an unknown field or a value that is not allowed; nothing is changed then.
    pub fn write(&mut self, service: usize, changes: &[FieldChange], mark: Option<ChangeId>) -> Result<(), FieldError> {
        let running = &mut self.now.services[service];
        let mut next = running.state.clone();
        for change in changes {
            next.set(&change.field, change.to.as_deref())?;
        }
        next.check()?;
        let template = |s: &ResourceState| (s.containers.clone(), s.parameters.clone());
        let rolls = template(&next) != template(&running.state);
        running.state = canonical(&next);
        for change in changes {
            match mark {
                Some(id) => running.marks.insert(change.field.clone(), id),
                None => running.marks.remove(&change.field),
            };
        }
        self.granted[service] = Granted::of(&running.state);
        if rolls {
            running.dynamic.replicas.roll();
        }
        Ok(())
    }

    /// Deletes a service and makes it anew under the same name: another uid, fresh pods, no marks.
    pub fn recreate(&mut self, service: usize, generation: usize) {
        let uid = uid(&self.world, &self.world.specs[service].key.to_string(), generation);
        let running = &mut self.now.services[service];
        running.uid = uid;
        running.marks.clear();
        running.dynamic.replicas.roll();
    }

    /// Lets another version run: every pod is replaced.
    pub fn deploy(&mut self, service: usize, version: &str) {
        let running = &mut self.now.services[service];
        running.version = Some(version.to_owned());
        running.dynamic.replicas.roll();
    }
}

/// A state as it is read back from a file, so that a restart changes no bit of it.
fn canonical(state: &ResourceState) -> ResourceState {
    serde_json::to_value(state).and_then(serde_json::from_value).unwrap_or_else(|_| state.clone())
}

/// An object's unique id: stable for (world, key, generation).
fn uid(world: &World, key: &str, generation: usize) -> String {
    let name = format!("{}/{}/{key}/{generation}", world.seed, world.start);
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}
