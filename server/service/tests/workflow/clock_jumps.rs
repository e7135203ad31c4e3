//! The wall clock jumps by up to an hour, forward and back, while two workers carry changes out and take them back: nothing expires
//! early, nothing is run twice, nothing waits for the hour to come round again. A trial is its seed; seeds.rs says how many there are.

use crate::house::seeds::{Dice, Row, Run, shared_out};
use crate::house::{CALL, Clock, House};
use headroom_infra::{Infrastructure, Purpose};
use headroom_model::change::Substate;
use headroom_model::ids::RecommendationId;
use headroom_model::policy::Scope;
use headroom_model::service::Service;
use headroom_service::WorkerOptions;
use std::ops::Range;
use std::time::Duration;

const ROW: Row = Row { name: "clock_jumps", full: 10_000, short: 60, batch: 500 };
/// Trials at the same time, each hand on a database of its own.
const HANDS: u64 = 3;
/// Wall seconds in which a change has to come to rest, jumps not counted: work is put off by seconds, and a lease that a jump has put
/// out of reach by a minute more.
const REST: i64 = 150;

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
    let house = House::by_hand(run.database(), &clock, CALL).await;
    // Less than a jump: by the wall, nobody would ever decide in time.
    house.headroom.set_policy(&house.admin(), &Scope::Fleet, "approval_expiry", "30m").await.unwrap();
    let services = house.with_replicas().await;
    for seed in seeds {
        let _trial = run.trial(seed);
        let service = &services[seed as usize % services.len()];
        Trial { house: &house, clock: &clock, dice: Dice::new(seed) }.run(service).await;
    }
    assert_eq!(house.headroom.store().verify_audit(None).await.unwrap().fault, None);
}

struct Trial<'a> {
    house: &'a House,
    clock: &'a Clock,
    dice: Dice,
}

impl Trial<'_> {
    async fn run(mut self, service: &Service) {
        let (house, before) = (self.house, service.state.replicas.unwrap());
        let id = house.propose(&service.key.name, &[("replicas", &(before + 1).to_string())]).await;
        let change = house.headroom.submit(&house.engineer(), id).await.unwrap();
        self.jump().await;
        house.headroom.approve(&house.approver(), id, &change.plan_hash).await.unwrap();
        self.jump().await;
        house.headroom.apply(&house.approver(), id, &change.plan_hash).await.unwrap();
        if self.dice.one_in(4) {
            self.abandon().await;
        }
        self.until(id, Substate::Observing).await;
        self.is_watched(id).await;
        house.headroom.roll_back(&house.approver(), id, "a trial").await.unwrap();
        if self.dice.one_in(4) {
            self.abandon().await;
        }
        self.until(id, Substate::RolledBack).await;
        let writes: Vec<Purpose> = house.simulator.mutations(change.id).await.unwrap().iter().map(|m| m.purpose).collect();
        assert_eq!(writes, [Purpose::Apply, Purpose::Restore]);
        assert_eq!(house.simulator.repeats().await.unwrap(), 0, "a write was asked for twice");
    }

    /// The clock is set, and what has a time is looked at.
    async fn jump(&mut self) {
        let secs = [-3600, -1800, -600, -61, 61, 600, 1800, 3600];
        self.clock.pass(*self.dice.pick(&secs));
        let ctx = self.house.headroom.own_context("schedule");
        assert_eq!(self.house.headroom.expire(&ctx).await.unwrap(), 0, "it expired, though no cluster time has passed");
    }

    /// A worker takes work in hand and dies.
    async fn abandon(&self) {
        let store = self.house.headroom.store();
        let leased = store.lease_work("dead", self.clock.now(), 30, &["change"]).await.unwrap();
        assert!(leased.is_some(), "there is work");
    }

    /// Two workers go on at the same moment, while the clock jumps, until the change is there.
    async fn until(&mut self, id: RecommendationId, wanted: Substate) {
        let mut waited = 0;
        loop {
            let change = self.house.change(id).await;
            if change.state == wanted {
                return;
            }
            assert!(waited < REST, "after {waited} s without a jump it is {}: {:?}", change.state, change.reason);
            if self.dice.one_in(4) {
                self.jump().await;
            }
            let (one, two) = tokio::join!(self.work("one"), self.work("two"));
            if !one && !two {
                self.clock.pass(1);
                waited += 1;
            }
        }
    }

    async fn work(&self, owner: &str) -> bool {
        let options = WorkerOptions { owner: owner.to_owned(), lease_secs: 30, poll: Duration::from_secs(1) };
        self.house.headroom.work_once(&options, &["change"]).await.unwrap()
    }

    /// What is watched stays watched: within the pause between two looks, whatever the clock says, somebody looks again.
    async fn is_watched(&mut self, id: RecommendationId) {
        self.jump().await;
        let subject = self.house.change(id).await.id.to_string();
        for _ in 0..REST {
            if self.work("one").await {
                let open = self.house.headroom.store().open_work().await.unwrap();
                let mine = open.iter().find(|w| w.subject == subject).expect("somebody watches");
                let off = mine.run_at.secs_since(self.clock.now());
                assert!((0..=20).contains(&off), "the next look is {off} s away");
                return;
            }
            self.clock.pass(1);
        }
        panic!("nobody looks any more");
    }
}
