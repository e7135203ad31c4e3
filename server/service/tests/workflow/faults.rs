//! Faults at the target while changes are carried out and taken back: no write is lost or made twice, and what Headroom says agrees
//! with what is there. A trial is its seed; seeds.rs says how many there are and how one is repeated.

use crate::house::seeds::{Dice, Row, Run, shared_out};
use crate::house::{Clock, House};
use headroom_infra::simulator::{Fault, FaultKind};
use headroom_infra::{Infrastructure, Live, Mutation, Purpose};
use headroom_model::change::{Change, Substate};
use headroom_model::ids::RecommendationId;
use headroom_model::plan::FieldChange;
use headroom_model::service::Service;
use headroom_model::units::Cores;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const ROW: Row = Row { name: "faults", full: 10_000, short: 24, batch: 800 };
/// Trials at the same time: most of a trial is waiting for answers that do not come.
const HANDS: u64 = 16;
/// Steps after which a change has to have come to rest, however many faults there were.
const STEPS: u32 = 9_000;
/// How long Headroom waits for an answer that does not come.
const NO_ANSWER: Duration = Duration::from_millis(500);
/// What somebody else writes; nobody here proposes it.
const FOREIGN: &str = "7";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    ROW.run("sqlite", several).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    ROW.run("postgres", several).await;
}

async fn several(run: &Run, seeds: Range<u64>) {
    let (trials_done, partly) = (seeds.end - seeds.start, Arc::new(AtomicU64::new(0)));
    shared_out(run, seeds, HANDS, |run, seeds| trials(run, seeds, Arc::clone(&partly))).await;
    assert!(trials_done < ROW.short || partly.load(Ordering::Relaxed) > 0, "no change was written in part");
}

async fn trials(run: Run, seeds: Vec<u64>, partly: Arc<AtomicU64>) {
    let clock = Clock::new();
    let house = House::by_hand(run.database(), &clock, NO_ANSWER).await;
    let (plain, scaled) = (house.with_replicas().await, house.with_autoscaler().await);
    for seed in seeds {
        let _trial = run.trial(seed);
        let services = if seed % 3 == 0 { &scaled } else { &plain };
        let service = &services[seed as usize % services.len()];
        let story = Story { house: &house, clock: &clock, dice: Dice::new(seed), service, meddled: Meddled::Not };
        partly.fetch_add(u64::from(story.told().await), Ordering::Relaxed);
    }
    assert_eq!(house.headroom.store().verify_audit(None).await.unwrap().fault, None);
}

/// What somebody else did to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meddled {
    Not,
    Wrote,
    Recreated,
}

/// One trial.
struct Story<'a> {
    house: &'a House,
    clock: &'a Clock,
    dice: Dice,
    service: &'a Service,
    meddled: Meddled,
}

impl Story<'_> {
    /// Whether the change was written in part and left so for a while.
    async fn told(mut self) -> bool {
        let before = self.live().await;
        while self.house.headroom.ingest().await.is_err() {}
        let repeats = self.house.simulator.repeats().await.unwrap();
        let wanted = self.wanted(&before.state.fields());
        let wanted: Vec<(&str, &str)> = wanted.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect();
        let id = self.house.propose(&self.service.key.name, &wanted).await;
        self.house.carry_out(id).await;

        let pre_empt = self.dice.one_in(3);
        self.break_things().await;
        self.until(id, pre_empt, |s| s == Substate::Observing || !s.active()).await;
        self.break_things().await;
        self.take_back(id).await;
        self.until(id, true, |s| !s.active()).await;
        self.heal().await;
        // What could not be taken back in time is tried again by a person.
        while self.take_back(id).await {
            self.until(id, false, |s| !s.active()).await;
        }
        let change = self.house.change(id).await;
        assert_eq!(self.house.simulator.repeats().await.unwrap(), repeats, "a write was asked for twice: {change:?}");
        self.agrees(&change, &before).await;
        self.went_by_the_table(&change).await
    }

    /// New values: of the replicas, or of a workload and its autoscaler, which are two objects.
    fn wanted(&self, now: &BTreeMap<String, String>) -> Vec<(String, String)> {
        let (base, meddled) = (self.service.state.fields(), self.meddled_with());
        let more = (base[meddled].parse::<u32>().unwrap() + 1).to_string();
        let mut more = vec![(meddled.to_owned(), more)];
        if self.service.state.autoscaler.is_some() {
            let (field, value) = base.iter().find(|(field, _)| field.ends_with(".requests.cpu")).unwrap();
            let cores = Cores::ceil_milli(value.parse::<Cores>().unwrap().get() + 0.001);
            more.push((field.clone(), cores.to_string()));
        }
        let other = |(field, more): (String, String)| {
            let value = if now[&field] == base[&field] { more } else { base[&field].clone() };
            (field, value)
        };
        more.into_iter().map(other).collect()
    }

    /// The field that somebody else writes, if anybody does.
    fn meddled_with(&self) -> &'static str {
        if self.service.state.autoscaler.is_some() { "autoscaler.max" } else { "replicas" }
    }

    /// A few faults, for writes only or for any call.
    async fn break_things(&mut self) {
        for _ in 0..self.dice.roll(4) {
            let kind = *self.dice.pick(&FaultKind::ALL);
            // Now and then the target is away for longer than anyone has patience.
            let calls = if self.dice.one_in(40) { 400 } else { 1 + self.dice.roll(3) as u32 };
            let slow = matches!(kind, FaultKind::Timeout | FaultKind::TimeoutAfterCommit);
            let calls = if slow { calls.min(4) } else { calls };
            let fault = Fault { kind, calls, apply_only: self.dice.one_in(2) };
            self.house.simulator.inject_fault(fault).await.unwrap();
        }
        if self.service.state.autoscaler.is_some() && !self.dice.one_in(4) {
            let fault = Fault { kind: FaultKind::AutoscalerRefused, calls: 1 + self.dice.roll(3) as u32, apply_only: true };
            self.house.simulator.inject_fault(fault).await.unwrap();
        }
    }

    async fn heal(&self) {
        let none = Fault { kind: FaultKind::Reset, calls: 0, apply_only: false };
        self.house.simulator.inject_fault(none).await.unwrap();
    }

    /// Lets the workers go on until the change has come to rest. Meanwhile somebody may meddle, and an approver may change their mind.
    async fn until(&mut self, id: RecommendationId, pre_empt: bool, rests: impl Fn(Substate) -> bool) {
        for step in 0..STEPS {
            let state = self.house.change(id).await.state;
            let waits = matches!(state, Substate::Approved | Substate::Scheduled);
            if !waits && rests(state) {
                return;
            }
            if !self.house.step().await {
                self.house.wait(self.clock).await;
            }
            if pre_empt && self.dice.one_in(6) {
                self.take_back(id).await;
            }
            if step < 12 && self.meddled == Meddled::Not && self.dice.one_in(60) {
                self.meddle().await;
            }
        }
        panic!("it does not come to rest: {:?}", self.house.change(id).await);
    }

    /// Somebody asks for the roll-back; whether there was something to take back.
    async fn take_back(&self, id: RecommendationId) -> bool {
        self.house.headroom.roll_back(&self.house.approver(), id, "a trial").await.is_ok()
    }

    async fn meddle(&mut self) {
        let key = &self.service.key;
        let other = FieldChange { field: self.meddled_with().to_owned(), from: None, to: Some(FOREIGN.to_owned()) };
        // What it answers may be a fault: whether it happened is read.
        let (wrote, done) = match self.dice.roll(3) {
            0 => (Meddled::Recreated, self.house.simulator.recreate(key).await.is_ok()),
            _ => (Meddled::Wrote, self.house.simulator.edit(key, &[other]).await.is_ok()),
        };
        if done {
            self.meddled = wrote;
        }
    }

    async fn live(&self) -> Live {
        loop {
            if let Ok(live) = self.house.simulator.read(&self.service.key).await {
                return live;
            }
        }
    }

    /// What Headroom says is what the target has.
    async fn agrees(&self, change: &Change, before: &Live) {
        let seen = self.house.simulator.mutations(change.id).await.unwrap();
        let of = |purpose| seen.iter().filter(|m| m.purpose == purpose).collect::<Vec<&Mutation>>();
        let fields = |written: &[&Mutation]| {
            let mut all: Vec<String> = written.iter().flat_map(|m| m.changes.iter().map(|c| c.field.clone())).collect();
            all.sort_unstable();
            all
        };
        let restores = of(Purpose::Restore);
        let (applied, restored) = (fields(&of(Purpose::Apply)), fields(&restores));
        let say = format!("{change:?}\nthe target has {seen:?}\nsomebody else: {:?}", self.meddled);
        let once = |all: &[String]| all.windows(2).all(|pair| pair[0] != pair[1]);
        assert!(once(&applied) && once(&restored) && restored.iter().all(|field| applied.contains(field)), "{say}");
        assert!(change.applied_at.is_none() || applied.len() == change.plan.changes.len(), "it says that it wrote all: {say}");
        let live = self.live().await.state;
        match self.meddled {
            Meddled::Wrote => assert_eq!(live.fields()[self.meddled_with()], FOREIGN, "theirs was overwritten: {say}"),
            Meddled::Recreated => {}
            Meddled::Not if change.state == Substate::RolledBack => {
                assert_eq!(live, before.state, "it was not taken back: {say}");
                assert_eq!(restored, applied, "{say}");
                let at = restores.last().map(|m| m.at);
                assert!(at.is_none() || change.rolled_back_at == at, "{say}");
                assert!(!change.reason.as_ref().is_some_and(|why| why.contains("someone else")), "nobody else was there: {say}");
            }
            Meddled::Not => {
                let without_trace = change.state.reopens() || change.state == Substate::Failed;
                assert!(without_trace, "it ended as {}: {say}", change.state);
                assert!(applied.is_empty() && live == before.state, "it says that nothing was written: {say}");
            }
        }
        let known = [Substate::RolledBack, Substate::Failed, Substate::Stale, Substate::PreflightFailed, Substate::Drifted];
        assert!(known.contains(&change.state), "it ended as {}: {say}", change.state);
    }

    /// Every transition in the audit chain begins where the one before ended, along an edge of the table. Whether one led to PARTIAL.
    async fn went_by_the_table(&self, change: &Change) -> bool {
        let mut rows = self.house.headroom.store().events_about(&[change.id.to_string()], &[], 10_000).await.unwrap();
        rows.sort_by_key(|row| row.seq);
        let state = |v: &Option<serde_json::Value>| -> Option<Substate> { v.as_ref()?["state"].as_str()?.parse().ok() };
        let (mut at, mut partly) = (Substate::PendingApproval, false);
        for event in rows.iter().map(|row| &row.event) {
            let (Some(from), Some(to)) = (state(&event.before), state(&event.after)) else { continue };
            assert!(from == at && (from == to || from.allows(to)), "{}: from {from} to {to}, and it was {at}", event.name);
            at = to;
            partly |= at == Substate::Partial;
        }
        assert_eq!(at, change.state, "the chain ends elsewhere");
        partly
    }
}

/// A write that was held up on its way comes when its change has ended, taken back or given up: the target does not take it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_comes_late_finds_the_door_shut() {
    let clock = Clock::new();
    let house = House::by_hand("sqlite", &clock, NO_ANSWER).await;
    let service = house.with_replicas().await.swap_remove(0);
    let wanted = (replicas(&service) + 1).to_string();
    for ending in [Substate::RolledBack, Substate::Failed] {
        let id = house.propose(&service.key.name, &[("replicas", &wanted)]).await;
        house.carry_out(id).await;
        house.simulator.inject_fault(Fault { kind: FaultKind::LateCommit, calls: 1, apply_only: true }).await.unwrap();
        while house.change(id).await.state != Substate::OutcomeUnknown {
            assert!(house.step().await, "{:?}", house.change(id).await);
        }
        match ending {
            Substate::RolledBack => drop(house.headroom.roll_back(&house.approver(), id, "a trial").await.unwrap()),
            _ => clock.pass(400),
        }
        while house.change(id).await.state.active() {
            if !house.step().await {
                house.wait(&clock).await;
            }
        }
        assert_eq!(house.change(id).await.state, ending);
        // By then it has come.
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(house.simulator.mutations(house.change(id).await.id).await.unwrap(), []);
        assert_eq!(house.simulator.read(&service.key).await.unwrap().state.replicas, service.state.replicas);
    }
}

fn replicas(service: &Service) -> u32 {
    service.state.replicas.unwrap_or(1)
}
