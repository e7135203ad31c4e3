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
use std::ops::Range;
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
    shared_out(run, seeds, HANDS, trials).await;
}

async fn trials(run: Run, seeds: Vec<u64>) {
    let clock = Clock::new();
    let house = House::by_hand(run.database(), &clock, NO_ANSWER).await;
    let services = house.with_replicas().await;
    for seed in seeds {
        let _trial = run.trial(seed);
        let dice = Dice::new(seed);
        let service = &services[seed as usize % services.len()];
        Story { house: &house, clock: &clock, dice, service, meddled: Meddled::Not }.told().await;
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
    async fn told(mut self) {
        let before = self.live().await;
        let base = replicas(self.service);
        let wanted = if before.state.replicas == Some(base) { base + 1 } else { base };
        while self.house.headroom.ingest().await.is_err() {}
        let repeats = self.house.simulator.repeats().await.unwrap();
        let id = self.house.propose(&self.service.key.name, &[("replicas", &wanted.to_string())]).await;
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
        self.went_by_the_table(&change).await;
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
        let other = FieldChange { field: "replicas".to_owned(), from: None, to: Some(FOREIGN.to_owned()) };
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
        let (applied, restored) = (of(Purpose::Apply), of(Purpose::Restore));
        let say = format!("{change:?}\nthe target has {seen:?}\nsomebody else: {:?}", self.meddled);
        assert!(applied.len() <= 1 && restored.len() <= applied.len(), "{say}");
        assert!(change.applied_at.is_none() || !applied.is_empty(), "it says that it wrote: {say}");
        let live = self.live().await.state.replicas;
        match self.meddled {
            Meddled::Wrote => assert_eq!(live.map(|n| n.to_string()).as_deref(), Some(FOREIGN), "theirs was overwritten: {say}"),
            Meddled::Recreated => {}
            Meddled::Not if change.state == Substate::RolledBack => {
                assert_eq!(live, before.state.replicas, "it was not taken back: {say}");
                assert_eq!(restored.len(), applied.len(), "{say}");
                let at = restored.first().map(|m| m.at);
                assert!(at.is_none() || change.rolled_back_at == at, "{say}");
                assert!(!change.reason.as_ref().is_some_and(|why| why.contains("someone else")), "nobody else was there: {say}");
            }
            Meddled::Not => {
                let without_trace = change.state.reopens() || change.state == Substate::Failed;
                assert!(without_trace, "it ended as {}: {say}", change.state);
                assert!(applied.is_empty() && live == before.state.replicas, "it says that nothing was written: {say}");
            }
        }
        let known = [Substate::RolledBack, Substate::Failed, Substate::Stale, Substate::PreflightFailed, Substate::Drifted];
        assert!(known.contains(&change.state), "it ended as {}: {say}", change.state);
    }

    /// Every transition in the audit chain begins where the one before ended, along an edge of the table.
    async fn went_by_the_table(&self, change: &Change) {
        let mut rows = self.house.headroom.store().events_about(&[change.id.to_string()], &[], 10_000).await.unwrap();
        rows.sort_by_key(|row| row.seq);
        let state = |v: &Option<serde_json::Value>| -> Option<Substate> { v.as_ref()?["state"].as_str()?.parse().ok() };
        let mut at = Substate::PendingApproval;
        for event in rows.iter().map(|row| &row.event) {
            let (Some(from), Some(to)) = (state(&event.before), state(&event.after)) else { continue };
            assert!(from == at && (from == to || from.allows(to)), "{}: from {from} to {to}, and it was {at}", event.name);
            at = to;
        }
        assert_eq!(at, change.state, "the chain ends elsewhere");
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
