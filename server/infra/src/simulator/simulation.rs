//! A cluster with its clock, samples and journal: what the process holds, and how it goes on after it was killed.

use super::admission;
use super::cluster::Cluster;
use super::journal::{Act, Entry, Journal, SavedClock};
use super::published;
use super::samples::{Samples, View};
use super::trace;
use super::world::{STEP, World};
use super::{Options, SimulatorError};
use crate::import;
use crate::infrastructure::{Error, Live, Mutation, Preview, Purpose, Result, Written, service_id};
use headroom_model::fault::chain;
use headroom_model::ids::{ChangeId, ServiceId};
use headroom_model::plan::{FieldChange, Plan};
use headroom_model::room::Room;
use headroom_model::service::{Service, ServiceKey};
use headroom_model::time::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Slowest and fastest clock.
pub const SPEEDS: std::ops::RangeInclusive<f64> = 0.0..=100_000.0;
/// How long one whose parent was killed may take to end, and to let go of its directory.
const PATIENCE: Duration = Duration::from_secs(10);
/// Least wall time between two snapshots.
const SNAPSHOT: Duration = Duration::from_millis(800);

/// Everything together.
pub struct Simulation {
    cluster: Cluster,
    samples: Samples,
    journal: Journal,
    entries: Vec<Entry>,
    index: HashMap<ServiceKey, usize>,
    base: Timestamp,
    wall: Instant,
    speed: f64,
    saved: Instant,
    repeats: u64,
    /// Held for as long as the files are written.
    _lock: File,
}

/// Takes a directory for this process alone, or waits until the one before has ended: two that write one journal would ruin it.
pub(super) fn alone(dir: &Path, patience: Duration) -> std::result::Result<File, SimulatorError> {
    fs::create_dir_all(dir)?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("lock"))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < patience => std::thread::sleep(Duration::from_millis(50)),
            Err(TryLockError::WouldBlock) => return Err(SimulatorError::InUse(dir.to_owned())),
            Err(TryLockError::Error(fault)) => return Err(fault.into()),
        }
    }
}

impl Simulation {
    /// Goes on from `options.data_dir`, or makes the world and its history there. `wall` is now.
    ///
    /// # Errors
    /// [`SimulatorError`] for files that cannot be read or written, and for a bad trace.
    pub fn open(options: &Options, wall: Instant) -> std::result::Result<Self, SimulatorError> {
        let lock = alone(&options.data_dir, PATIENCE)?;
        let (mut journal, entries) = Journal::open(&options.data_dir)?;
        let stored = match (journal.world()?, journal.snapshot()?) {
            (Some(world), Some(snapshot)) => Some((world, snapshot)),
            _ => None,
        };
        let fresh = stored.is_none();
        let samples_dir = options.data_dir.join("samples");
        let (cluster, saved) = if let Some((mut world, snapshot)) = stored {
            if world.seed != options.seed {
                tracing::warn!(stored = world.seed, asked = options.seed, "the data directory has its own world; it goes on as it is");
            }
            if world.specs.iter().any(|s| s.profile.trace.is_some()) {
                let imported = import::read_usage_csv(&trace_copy(options))?;
                world.traces = trace::services(imported, &world.cluster, world.start).1;
            }
            let saved = journal.clock()?.unwrap_or(SavedClock { at: Timestamp::from_secs(snapshot.until), speed: options.speed });
            (Cluster::at(world, snapshot), saved)
        } else {
            let _ = std::fs::remove_dir_all(&samples_dir);
            let world = make_world(options)?;
            journal.save_world(&world)?;
            let saved = SavedClock { at: Timestamp::from_secs(world.start), speed: options.speed };
            (Cluster::new(world), saved)
        };
        let keys: Vec<ServiceKey> = cluster.world.specs.iter().map(|s| s.key.clone()).collect();
        let samples = Samples::open(&samples_dir, &keys, &published::metrics(&cluster.world), cluster.world.begin())?;
        let index = keys.into_iter().enumerate().map(|(i, k)| (k, i)).collect();
        let last = entries.last().map_or(saved.at, |e| e.at.max(saved.at));
        let speed = if SPEEDS.contains(&saved.speed) { saved.speed } else { options.speed };
        let mut out = Self { cluster, samples, journal, entries, index, base: last, wall, speed, saved: wall, repeats: 0, _lock: lock };
        out.catch_up(last)?;
        if fresh {
            out.journal.save_snapshot(&out.cluster.now)?;
            out.journal.save_clock(SavedClock { at: last, speed })?;
        }
        Ok(out)
    }

    /// Works out everything up to `clock` again from the snapshot: hidden state only, samples that are there stay as they are.
    fn catch_up(&mut self, clock: Timestamp) -> std::io::Result<()> {
        let mut next = self.cluster.now.entries;
        while self.cluster.now.until + self.cluster.world.tick() <= clock.secs() {
            let end = self.cluster.now.until + self.cluster.world.tick();
            while next < self.entries.len() && self.entries[next].at < Timestamp::from_secs(end) {
                self.redo(next);
                next += 1;
            }
            self.step()?;
        }
        (next..self.entries.len()).for_each(|i| self.redo(i));
        Ok(())
    }

    fn redo(&mut self, i: usize) {
        let entry = self.entries[i].clone();
        if let Err(error) = self.carry_out(&entry, i) {
            tracing::error!(error = %chain(&error), entry = i, "a recorded write no longer fits the world");
        }
        self.cluster.now.entries = i + 1;
    }

    fn carry_out(&mut self, entry: &Entry, number: usize) -> std::result::Result<(), headroom_model::service::FieldError> {
        match &entry.act {
            Act::Change { change, changes, .. } => self.cluster.write(entry.service, changes, Some(*change)),
            Act::Edit { changes } => self.cluster.write(entry.service, changes, None),
            Act::Recreate => {
                self.cluster.recreate(entry.service, number + 1);
                Ok(())
            }
            Act::Deploy { version } => {
                self.cluster.deploy(entry.service, version);
                Ok(())
            }
            Act::ShutOut { .. } => Ok(()),
        }
    }

    fn step(&mut self) -> std::io::Result<()> {
        if let Some(readings) = self.cluster.tick() {
            self.samples.append(self.cluster.now.until - STEP, &readings)?;
        }
        Ok(())
    }

    /// Lets the clock go on from where it stands, `wall` being now: what passed while files were read does not count.
    pub fn resume(&mut self, wall: Instant) {
        self.wall = wall;
    }

    /// Cluster time at the wall instant: never past the tick that is still open.
    #[must_use]
    pub fn clock(&self, wall: Instant) -> Timestamp {
        let open = Timestamp::from_secs(self.cluster.now.until + self.cluster.world.tick());
        self.running(wall).min(Timestamp::from_micros(open.micros() - 1))
    }

    fn running(&self, wall: Instant) -> Timestamp {
        let elapsed = wall.saturating_duration_since(self.wall).as_secs_f64() * self.speed;
        Timestamp::from_micros(self.base.micros().saturating_add((elapsed * 1e6) as i64))
    }

    /// The clock, remembered before it is told.
    ///
    /// # Errors
    /// When it cannot be remembered.
    pub fn tell_clock(&mut self, wall: Instant) -> std::io::Result<(Timestamp, f64)> {
        let at = self.clock(wall);
        self.journal.save_clock(SavedClock { at, speed: self.speed })?;
        Ok((at, self.speed))
    }

    /// Sets the clock's speed.
    ///
    /// # Errors
    /// [`Error::Refused`] outside [`SPEEDS`].
    pub fn set_speed(&mut self, speed: f64, wall: Instant) -> Result<()> {
        if !SPEEDS.contains(&speed) {
            return Err(Error::Refused(format!(
                "the speed {speed} is not allowed: write a number from {} to {}",
                SPEEDS.start(),
                SPEEDS.end()
            )));
        }
        (self.base, self.wall, self.speed) = (self.clock(wall), wall, speed);
        self.tell_clock(wall).map(|_| ()).map_err(io)
    }

    /// Works off the ticks that have ended by `wall`, for at most `budget`; when there are more, the clock falls back to what is done.
    ///
    /// # Errors
    /// When samples or the snapshot cannot be written.
    pub fn advance(&mut self, wall: Instant, budget: Duration) -> std::io::Result<()> {
        let target = self.running(wall);
        let tick = self.cluster.world.tick();
        while self.cluster.now.until + tick <= target.secs() {
            self.step()?;
            if self.cluster.now.until.rem_euclid(STEP) == 0 && self.saved.elapsed() > SNAPSHOT {
                self.journal.save_snapshot(&self.cluster.now)?;
                self.saved = Instant::now();
            }
            if wall.elapsed() > budget {
                (self.base, self.wall) = (self.clock(wall), wall);
                break;
            }
        }
        self.tell_clock(wall).map(|_| ())
    }

    /// Writes the snapshot if it can be written now, and the clock.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn rest(&mut self, wall: Instant) -> std::io::Result<()> {
        if self.cluster.now.until.rem_euclid(STEP) == 0 {
            self.journal.save_snapshot(&self.cluster.now)?;
        }
        self.tell_clock(wall).map(|_| ())
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.cluster.world
    }

    /// Every service as it is now.
    #[must_use]
    pub fn inventory(&self) -> Vec<Service> {
        let specs = &self.cluster.world.specs;
        let one = |(spec, running): (&super::profile::Spec, &super::cluster::Running)| Service {
            id: service_id(&spec.key),
            key: spec.key.clone(),
            uid: running.uid.clone(),
            team: spec.team.clone(),
            environment: spec.environment.clone(),
            labels: running.labels(spec),
            state: running.state.clone(),
            calls: spec.profile.calls.iter().map(|c| specs[c.service].key.name.clone()).collect(),
            managed: spec.managed,
        };
        specs.iter().zip(&self.cluster.now.services).map(one).collect()
    }

    /// What there is room for, by service.
    #[must_use]
    pub fn rooms(&self) -> BTreeMap<ServiceId, Room> {
        let ids = self.cluster.world.specs.iter().map(|spec| service_id(&spec.key));
        ids.zip(admission::rooms(&self.cluster)).collect()
    }

    fn find(&self, key: &ServiceKey) -> Result<usize> {
        self.index.get(key).copied().ok_or_else(|| Error::NotFound(key.to_string()))
    }

    /// One service.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn read(&self, key: &ServiceKey) -> Result<Live> {
        let i = self.find(key)?;
        let running = &self.cluster.now.services[i];
        let ready = self.cluster.ready(i);
        Ok(Live { uid: running.uid.clone(), state: running.state.clone(), marks: running.marks.clone(), ready })
    }

    /// A dry run.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn preview(&self, plan: &Plan) -> Result<Preview> {
        Ok(Preview { problems: admission::problems(&self.cluster, self.find(&plan.target)?, plan) })
    }

    /// Writes; see [`crate::Infrastructure::apply`].
    ///
    /// # Errors
    /// As there.
    pub fn apply(&mut self, change: ChangeId, plan: &Plan, changes: &[FieldChange], purpose: Purpose, wall: Instant) -> Result<Written> {
        let service = self.find(&plan.target)?;
        let (at, done) = self.recorded(change, purpose, service)?;
        let before = |c: &FieldChange| done.iter().find(|d| d.field == c.field);
        if changes.iter().any(|c| before(c).is_some_and(|d| d.to != c.to)) {
            return Err(Error::Refused(format!("{} was written before with other values", change.short())));
        }
        let left: Vec<FieldChange> = changes.iter().filter(|c| before(c).is_none()).cloned().collect();
        let running = &self.cluster.now.services[service];
        if let Some(at) = at.filter(|_| left.is_empty()) {
            let state = running.state.clone();
            self.repeats += 1;
            return Ok(Written { at, state, repeated: true });
        }
        if purpose == Purpose::Apply && self.is_shut_out(change) {
            return Err(Error::Conflict { reason: format!("{} was ended before it was written", change.short()), drift: Vec::new() });
        }
        if let Some(why) = self.cluster.world.specs[service].managed.refusal() {
            return Err(Error::Refused(why.into()));
        }
        if plan.uid != running.uid {
            let reason = format!("{} has been made anew (uid {} is now {})", plan.target, plan.uid, running.uid);
            return Err(Error::Conflict { reason, drift: Vec::new() });
        }
        let written = Plan { changes: left, ..plan.clone() };
        let drift = written.drift(&running.state);
        if !drift.is_empty() {
            let fields: Vec<&str> = drift.iter().map(|d| d.field.as_str()).collect();
            return Err(Error::Conflict { reason: format!("{} no longer hold what was expected", fields.join(", ")), drift });
        }
        let next = written.apply_to(&running.state).map_err(|e| Error::Refused(e.to_string()))?;
        if purpose == Purpose::Apply {
            let problems = admission::limits(&self.cluster, service, &next, &plan.changes);
            if !problems.is_empty() {
                return Err(Error::Refused(problems.join("; ")));
            }
        }
        let act = Act::Change { change, purpose, uid: running.uid.clone(), changes: written.changes };
        let at = self.record(service, act, wall)?;
        Ok(Written { at, state: self.cluster.now.services[service].state.clone(), repeated: false })
    }

    /// Takes no write of a change any more; see [`crate::Infrastructure::shut_out`].
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn shut_out(&mut self, change: ChangeId, target: &ServiceKey, wall: Instant) -> Result<()> {
        let service = self.find(target)?;
        if self.is_shut_out(change) { Ok(()) } else { self.record(service, Act::ShutOut { change }, wall).map(drop) }
    }

    fn is_shut_out(&self, id: ChangeId) -> bool {
        self.entries.iter().rev().any(|entry| matches!(&entry.act, Act::ShutOut { change } if *change == id))
    }

    /// What was written for a change and purpose so far, and when the newest of it was.
    fn recorded(&self, change: ChangeId, purpose: Purpose, service: usize) -> Result<(Option<Timestamp>, Vec<&FieldChange>)> {
        let (mut at, mut done) = (None, Vec::new());
        for entry in &self.entries {
            match &entry.act {
                Act::Change { change: c, purpose: p, changes, .. } if *c == change && *p == purpose => {
                    if entry.service != service {
                        return Err(Error::Refused(format!("{} was written to another service", change.short())));
                    }
                    at = Some(entry.at);
                    done.extend(changes);
                }
                _ => {}
            }
        }
        Ok((at, done))
    }

    /// To the journal first, then to the cluster.
    fn record(&mut self, service: usize, act: Act, wall: Instant) -> Result<Timestamp> {
        let at = self.clock(wall).max(self.entries.last().map_or(Timestamp::default(), |e| e.at));
        let entry = Entry { at, service, act };
        self.journal.record(&entry).map_err(io)?;
        self.entries.push(entry.clone());
        self.carry_out(&entry, self.entries.len() - 1).map_err(|e| Error::Refused(e.to_string()))?;
        self.cluster.now.entries = self.entries.len();
        self.tell_clock(wall).map_err(io)?;
        Ok(at)
    }

    /// Writes as someone else would, past Headroom.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Refused`] for a field or value that is not allowed.
    pub fn edit(&mut self, key: &ServiceKey, changes: &[FieldChange], wall: Instant) -> Result<Timestamp> {
        let service = self.find(key)?;
        let mut next = self.cluster.now.services[service].state.clone();
        let tried = changes.iter().try_for_each(|c| next.set(&c.field, c.to.as_deref())).and_then(|()| next.check());
        tried.map_err(|e| Error::Refused(e.to_string()))?;
        self.record(service, Act::Edit { changes: changes.to_vec() }, wall)
    }

    /// Deletes a service and makes it anew with another uid.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn recreate(&mut self, key: &ServiceKey, wall: Instant) -> Result<Timestamp> {
        let service = self.find(key)?;
        self.record(service, Act::Recreate, wall)
    }

    /// Deploys another version of a service, as a pipeline would.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn deploy(&mut self, key: &ServiceKey, version: &str, wall: Instant) -> Result<Timestamp> {
        let service = self.find(key)?;
        self.record(service, Act::Deploy { version: version.to_owned() }, wall)
    }

    /// How often a write was asked for that had been made: by whoever does not read before trying again. Since this process began.
    #[must_use]
    pub fn repeats(&self) -> u64 {
        self.repeats
    }

    /// What was written for a change, oldest first.
    #[must_use]
    pub fn mutations(&self, id: ChangeId) -> Vec<Mutation> {
        let of = |e: &Entry| match &e.act {
            Act::Change { change, purpose, uid, changes } if *change == id => {
                let key = self.cluster.world.specs[e.service].key.clone();
                Some(Mutation { change: *change, purpose: *purpose, at: e.at, key, uid: uid.clone(), changes: changes.clone() })
            }
            _ => None,
        };
        self.entries.iter().filter_map(of).collect()
    }

    /// The samples of whole intervals in `[from, to)`, to be read without holding the simulation.
    #[must_use]
    pub fn samples(&self, from: i64, to: i64) -> View {
        self.samples.view(from, to)
    }
}

fn io(error: std::io::Error) -> Error {
    Error::Protocol(format!("the simulator cannot write its journal: {error}"))
}

fn trace_copy(options: &Options) -> PathBuf {
    options.data_dir.join("trace.csv")
}

fn make_world(options: &Options) -> std::result::Result<World, SimulatorError> {
    let Some(file) = &options.trace else {
        return Ok(World::generated(options.seed, &options.cluster, options.start, options.history_days, options.services));
    };
    let world = World::traced(options.seed, &options.cluster, options.start, options.history_days, file)?;
    std::fs::copy(file, trace_copy(options))?;
    Ok(world)
}
