//! Random people do random things to two recommendations of one service, against a simple model of who may do what and when: what the
//! model allows is done, what it does not is refused with the right problem, and then nothing has changed. A sequence is its seed;
//! seeds.rs says how many there are. Below, the pure table alone, against one written a second time.

use crate::house::seeds::{Dice, Row, Run, shared_out};
use crate::house::{CALL, Clock, House};
use headroom_infra::simulator::{Fault, FaultKind};
use headroom_model::auth::{OpContext, Role, Teams};
use headroom_model::change::{Change, Refusal, Substate};
use headroom_model::ids::RecommendationId;
use headroom_model::plan::PlanHash;
use headroom_model::policy::Scope;
use headroom_model::recommendation::RecommendationState as Recommended;
use headroom_model::service::Service;
use headroom_model::units::Cores;
use headroom_model::view::AuditQuery;
use headroom_service::Error;
use std::ops::Range;

const ROW: Row = Row { name: "state_machine", full: 100_000, short: 60, batch: 1_000 };
const HANDS: u64 = 3;
/// Writes that are spoilt at once: enough for a change to be written in part and left so.
const SPOILT: u32 = 2;
/// Most acts of a sequence.
const ACTS: usize = 24;

type Person = (&'static str, Role);
const PEOPLE: [Person; 7] = [
    ("vic", Role::Viewer),
    ("mia", Role::Manager),
    ("eva", Role::Engineer),
    ("ed", Role::Engineer),
    ("ann", Role::Approver),
    ("bob", Role::Approver),
    ("adam", Role::Administrator),
];
const ADAM: Person = PEOPLE[6];
const ANN: Person = PEOPLE[4];

/// Something that somebody tries; the number is which of the two recommendations, the flag whether they say what has to be said.
#[derive(Debug, Clone, Copy)]
enum Act {
    Submit(usize),
    Approve(usize, bool),
    Reject(usize, bool),
    RequestChanges(usize, bool),
    Withdraw(usize),
    Dismiss(usize, bool),
    Reopen(usize),
    Apply(usize, bool),
    RollBack(usize, bool),
    BreakGlass(usize, bool),
    Freeze(bool),
    Need(u32),
    /// Nobody's: the cluster refuses the next writes to the autoscaler, once those to the workload are done.
    Spoil,
    /// Nobody's: time runs out for whatever waits.
    Expire,
    /// Nobody's: every piece of work takes a step.
    Work,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Done,
    /// Allowed, and there was nothing to do.
    Nothing,
    Forbidden,
    Wordless,
    Conflict,
    NotTheirs,
    Illegal,
    Late,
    OtherPlan,
    Own,
    Twice,
    TooFew,
}

/// The model of one recommendation and its newest change.
#[derive(Debug, Clone)]
struct Item {
    state: Recommended,
    change: Option<Course>,
}

#[derive(Debug, Clone)]
struct Course {
    state: Substate,
    by: &'static str,
    approvals: Vec<&'static str>,
    need: u32,
    asked: bool,
    glass: bool,
    queued: bool,
    /// Looks by workers since the checks began.
    looks: u32,
    /// What is written: the workload, the autoscaler.
    written: [bool; 2],
}

/// The model: nothing here is the product's but the names of states.
#[derive(Debug, Clone)]
struct Model {
    items: [Item; 2],
    frozen: bool,
    need: u32,
    /// How many writes the cluster spoils yet.
    spoilt: u32,
    /// Work for changes that ended before it was done and have a successor.
    left_over: usize,
}

impl Course {
    fn waits(&self) -> bool {
        matches!(self.state, Substate::PendingApproval | Substate::Approved | Substate::HeldByFreeze)
    }
    fn holds(&self) -> bool {
        use Substate as S;
        self.waits() || self.active() || self.state == S::Partial
    }
    fn active(&self) -> bool {
        use Substate as S;
        matches!(self.state, S::Preflight | S::Applying | S::OutcomeUnknown | S::Observing | S::Aborting | S::RollingBack)
    }
    /// A change that is not written, or in part, ends.
    fn give_up(&mut self) {
        (self.state, self.queued) = (if self.written[0] { Substate::Partial } else { Substate::Failed }, false);
    }
}

impl Item {
    /// The change is over and leaves the recommendation open.
    fn end(&mut self, state: Substate) {
        self.change.as_mut().unwrap().state = state;
        self.state = Recommended::Open;
    }
}

impl Model {
    fn new() -> Self {
        let item = Item { state: Recommended::Open, change: None };
        Self { items: [item.clone(), item], frozen: false, need: 1, spoilt: 0, left_over: 0 }
    }

    /// What should come of an act; the model then is as it should be after it.
    fn play(&mut self, (name, role): Person, act: Act) -> Answer {
        if !may(role, act) {
            return Answer::Forbidden;
        }
        match act {
            Act::Reject(_, false)
            | Act::RequestChanges(_, false)
            | Act::Dismiss(_, false)
            | Act::RollBack(_, false)
            | Act::BreakGlass(_, false) => Answer::Wordless,
            Act::Submit(i) => self.submit(name, i),
            Act::Dismiss(i, _) => self.put(i, Recommended::Open, Recommended::Dismissed),
            Act::Reopen(i) => self.put(i, Recommended::Dismissed, Recommended::Open),
            Act::Freeze(on) => {
                self.frozen = on;
                Answer::Done
            }
            Act::Need(need) => self.set_need(need),
            Act::Spoil => {
                self.spoilt = SPOILT;
                Answer::Nothing
            }
            Act::Expire => self.expire(),
            Act::Work => self.work(),
            Act::Approve(i, _)
            | Act::Reject(i, _)
            | Act::RequestChanges(i, _)
            | Act::Withdraw(i)
            | Act::Apply(i, _)
            | Act::RollBack(i, _)
            | Act::BreakGlass(i, _) => match self.items[i].change {
                None => Answer::Conflict,
                Some(_) => self.decide(name, i, act),
            },
        }
    }

    fn submit(&mut self, name: &'static str, i: usize) -> Answer {
        let held = self.items.iter().any(|item| item.change.as_ref().is_some_and(Course::holds));
        if self.items[i].state != Recommended::Open || held {
            return Answer::Conflict;
        }
        self.left_over += usize::from(self.items[i].change.as_ref().is_some_and(|c| c.queued));
        let state = Substate::PendingApproval;
        let course = Course {
            state,
            by: name,
            approvals: Vec::new(),
            need: self.need,
            asked: false,
            glass: false,
            queued: false,
            looks: 0,
            written: [false; 2],
        };
        self.items[i] = Item { state: Recommended::Submitted, change: Some(course) };
        Answer::Done
    }

    fn put(&mut self, i: usize, from: Recommended, to: Recommended) -> Answer {
        if self.items[i].state != from {
            return Answer::Conflict;
        }
        self.items[i].state = to;
        Answer::Done
    }

    fn set_need(&mut self, need: u32) -> Answer {
        self.need = need;
        for item in &mut self.items {
            if item.change.as_ref().is_some_and(|c| c.waits() && c.need != need) {
                item.end(Substate::Stale);
            }
        }
        Answer::Done
    }

    fn expire(&mut self) -> Answer {
        let mut any = Answer::Nothing;
        for item in &mut self.items {
            if item.change.as_ref().is_some_and(Course::waits) {
                item.end(Substate::Expired);
                any = Answer::Done;
            }
        }
        any
    }

    /// What is done to a change that is there.
    fn decide(&mut self, name: &'static str, i: usize, act: Act) -> Answer {
        use Substate as S;
        let item = &mut self.items[i];
        let change = item.change.as_mut().unwrap();
        match act {
            Act::Approve(..) | Act::Apply(..) if change.state == S::Expired => Answer::Late,
            Act::Approve(_, false) | Act::Apply(_, false) => Answer::OtherPlan,
            Act::Approve(..) if change.by == name => Answer::Own,
            Act::Approve(..) if change.state != S::PendingApproval => Answer::Illegal,
            Act::Approve(..) if change.approvals.contains(&name) => Answer::Twice,
            Act::Approve(..) => {
                change.approvals.push(name);
                if change.approvals.len() >= change.need as usize {
                    change.state = S::Approved;
                }
                Answer::Done
            }
            Act::Reject(..) | Act::RequestChanges(..) if change.state != S::PendingApproval => Answer::Illegal,
            Act::Reject(..) => {
                item.end(S::Rejected);
                Answer::Done
            }
            Act::RequestChanges(..) => {
                item.end(S::ChangesRequested);
                Answer::Done
            }
            Act::Withdraw(_) if change.by != name && !(approves(name) && matches!(change.state, S::Approved | S::HeldByFreeze)) => {
                Answer::NotTheirs
            }
            Act::Withdraw(_) if !change.waits() => Answer::Illegal,
            Act::Withdraw(_) => {
                item.end(S::Withdrawn);
                Answer::Done
            }
            Act::Apply(..) => match (change.state, change.asked) {
                (S::PendingApproval, _) => Answer::TooFew,
                (S::Approved, true) => Answer::Nothing,
                (S::Approved, false) => {
                    (change.asked, change.queued) = (true, true);
                    Answer::Done
                }
                _ => Answer::Conflict,
            },
            Act::RollBack(..) if matches!(change.state, S::Preflight | S::Applying | S::OutcomeUnknown | S::Observing) => {
                (change.state, change.queued) = (S::Aborting, true);
                Answer::Done
            }
            Act::RollBack(..) if change.state == S::Partial => {
                (change.state, change.queued) = (S::RollingBack, true);
                Answer::Done
            }
            Act::BreakGlass(..) if change.state == S::HeldByFreeze => {
                (change.glass, change.queued) = (true, true);
                Answer::Done
            }
            _ => Answer::Conflict,
        }
    }

    fn work(&mut self) -> Answer {
        use Substate as S;
        let (frozen, need) = (self.frozen, self.need);
        self.left_over = 0;
        let spoilt = &mut self.spoilt;
        for item in &mut self.items {
            let Some(change) = item.change.as_mut().filter(|c| c.queued) else { continue };
            let held = frozen && !change.glass;
            change.looks += 1;
            match change.state {
                S::Approved | S::HeldByFreeze if held => change.state = S::HeldByFreeze,
                S::Approved | S::HeldByFreeze => (change.state, change.looks) = (S::Preflight, 0),
                S::Preflight if change.need != need => {
                    change.queued = false;
                    item.end(S::Stale);
                }
                S::Preflight if held => change.state = S::HeldByFreeze,
                S::Preflight => change.state = S::Applying,
                S::Applying if held => change.state = S::OutcomeUnknown,
                S::Applying if !take(spoilt) => (change.state, change.written) = (S::Observing, [true; 2]),
                S::Applying if change.written[0] => change.give_up(),
                S::Applying => (change.state, change.written[0]) = (S::OutcomeUnknown, true),
                // Half a minute passes with every look, and after five minutes it is given up.
                S::OutcomeUnknown if change.looks > 10 => change.give_up(),
                S::OutcomeUnknown if !held => change.state = S::Applying,
                S::OutcomeUnknown => {}
                S::Observing => {}
                S::Aborting => change.state = S::RollingBack,
                // What was restored before the refusal is not restored again.
                S::RollingBack if change.written != [false; 2] && take(spoilt) && change.written[1] => change.written[0] = false,
                S::RollingBack => (change.state, change.queued) = (S::RolledBack, false),
                _ => change.queued = false,
            }
        }
        Answer::Nothing
    }
}

/// Takes one of what is there, if anything is.
fn take(of: &mut u32) -> bool {
    let some = *of > 0;
    *of -= u32::from(some);
    some
}

fn approves(name: &str) -> bool {
    PEOPLE.iter().any(|(who, role)| *who == name && *role == Role::Approver)
}

/// Who may try what at all.
fn may(role: Role, act: Act) -> bool {
    match act {
        Act::Submit(_) | Act::Withdraw(_) | Act::Dismiss(..) | Act::Reopen(_) => matches!(role, Role::Engineer | Role::Approver),
        Act::Freeze(_) | Act::Need(_) => role == Role::Administrator,
        Act::Spoil | Act::Expire | Act::Work => true,
        _ => role == Role::Approver,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    ROW.run("sqlite", several).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    ROW.run("postgres", several).await;
}

async fn several(run: &Run, seeds: Range<u64>) {
    shared_out(run, seeds, HANDS, sequences).await;
}

async fn sequences(run: Run, seeds: Vec<u64>) {
    let clock = Clock::new();
    let house = House::by_hand(run.database(), &clock, CALL).await;
    // A workload and its autoscaler: two objects, so that a change can be written in part.
    let service = house.with_autoscaler().await.swap_remove(0);
    let mut game = Game { house: &house, clock: &clock, service, ids: Vec::new(), model: Model::new(), seen: None };
    for seed in seeds {
        let _trial = run.trial(seed);
        game.play(Dice::new(seed)).await;
    }
    assert_eq!(house.headroom.store().verify_audit(None).await.unwrap().fault, None);
}

/// The product beside its model.
struct Game<'a> {
    house: &'a House,
    clock: &'a Clock,
    service: Service,
    ids: Vec<RecommendationId>,
    model: Model,
    /// As it was after the last act: nothing but the next one changes it.
    seen: Option<Seen>,
}

/// What can be seen of a recommendation: its state, its change, and how long the chain is.
type Seen = (Vec<(Recommended, Option<String>, Option<Change>)>, i64);

impl Game<'_> {
    /// One sequence, and the way back to where the next can begin.
    async fn play(&mut self, mut dice: Dice) {
        self.propose().await;
        self.seen = Some(self.look().await);
        for _ in 0..3 + dice.roll(ACTS) {
            let (who, act) = random(&mut dice);
            self.try_it(who, act).await;
        }
        self.spoil(0).await;
        self.model.spoilt = 0;
        self.try_it(ADAM, Act::Freeze(false)).await;
        if self.model.need != 1 {
            self.try_it(ADAM, Act::Need(1)).await;
        }
        for i in 0..2 {
            self.settle(i).await;
        }
        self.try_it(ANN, Act::Work).await;
        assert!(!self.house.step().await, "there is work left: {:?}", self.model);
    }

    /// New recommendations in the place of those that were carried out: two that touch the same fields.
    async fn propose(&mut self) {
        for i in 0..2 {
            if self.ids.len() == 2 && self.model.items[i].state != Recommended::Submitted {
                continue;
            }
            let more = 1 + u32::try_from(i).unwrap();
            let fields = self.service.state.fields();
            let (request, now) = fields.iter().find(|(field, _)| field.ends_with(".requests.cpu")).unwrap();
            let cores = Cores::ceil_milli(now.parse::<Cores>().unwrap().get() + f64::from(more) / 1000.0).to_string();
            let max = (self.service.state.autoscaler.unwrap().max + more).to_string();
            let id = self.house.propose(&self.service.key.name, &[(request, &cores), ("autoscaler.max", &max)]).await;
            if self.ids.len() == 2 {
                self.ids[i] = id
            } else {
                self.ids.push(id)
            }
            self.model.items[i] = Item { state: Recommended::Open, change: None };
        }
    }

    async fn settle(&mut self, i: usize) {
        let Some(course) = self.model.items[i].change.clone().filter(Course::holds) else { return };
        if course.waits() {
            let who = PEOPLE.into_iter().find(|p| p.0 == course.by).unwrap();
            self.try_it(who, Act::Withdraw(i)).await;
        } else if !matches!(course.state, Substate::Aborting | Substate::RollingBack) {
            self.try_it(ANN, Act::RollBack(i, true)).await;
        }
        for _ in 0..3 {
            self.try_it(ANN, Act::Work).await;
        }
    }

    /// One act, on the product and on the model.
    async fn try_it(&mut self, who: Person, act: Act) {
        let before = self.seen.take().expect("something was proposed");
        let was = self.model.clone();
        let expected = self.model.play(who, act);
        let found = self.carry_out(who, act, &was).await;
        let after = self.look().await;
        let say = || format!("{} ({}) tries {act:?}\nmodel before {was:?}\nmodel after {:?}\nfound {after:?}", who.0, who.1, self.model);
        assert_eq!(found, expected, "{}", say());
        match expected {
            Answer::Done => assert!(after.1 > before.1, "the chain says nothing of it: {}", say()),
            Answer::Nothing if matches!(act, Act::Work) => {}
            _ => assert_eq!(after, before, "something has changed: {}", say()),
        }
        for (item, seen) in self.model.items.iter().zip(&after.0) {
            assert_eq!(seen.0, item.state, "{}", say());
            let course = item.change.as_ref().map(|c| (c.state, c.by, c.approvals.clone(), c.asked, c.glass));
            let found = seen.2.as_ref().map(|c| {
                let approvals = c.approvals.iter().map(|a| a.by.as_str()).collect();
                (c.state, c.requested_by.as_str(), approvals, c.apply_requested_by.is_some(), c.break_glass.is_some())
            });
            assert_eq!(found, course, "{}", say());
        }
        self.seen = Some(after);
    }

    async fn look(&self) -> Seen {
        let store = self.house.headroom.store();
        let mut all = Vec::new();
        for id in &self.ids {
            let recommendation = store.recommendation(*id).await.unwrap().unwrap();
            all.push((recommendation.state, recommendation.reason, store.latest_change(*id).await.unwrap()));
        }
        let newest = store.audit_rows(&AuditQuery { limit: 1, ..AuditQuery::default() }, "reader", &Teams::ALL).await.unwrap();
        (all, newest.items.first().map_or(0, |row| row.seq))
    }

    async fn carry_out(&self, (name, role): Person, act: Act, was: &Model) -> Answer {
        let headroom = &self.house.headroom;
        let ctx = self.house.as_role(name, role);
        let said = |flag: bool| if flag { "because" } else { "  " };
        let ids = &self.ids;
        let done = match act {
            Act::Submit(i) => headroom.submit(&ctx, ids[i]).await.map(drop),
            Act::Approve(i, right) => headroom.approve(&ctx, ids[i], &self.plan(i, right).await).await.map(drop),
            Act::Apply(i, right) => {
                let asked = was.items[i].change.as_ref().is_some_and(|c| c.asked && c.state == Substate::Approved);
                let done = headroom.apply(&ctx, ids[i], &self.plan(i, right).await).await;
                if asked && done.is_ok() {
                    return Answer::Nothing;
                }
                done.map(drop)
            }
            Act::Reject(i, flag) => headroom.reject(&ctx, ids[i], said(flag)).await.map(drop),
            Act::RequestChanges(i, flag) => headroom.request_changes(&ctx, ids[i], said(flag)).await.map(drop),
            Act::Withdraw(i) => headroom.withdraw(&ctx, ids[i]).await.map(drop),
            Act::Dismiss(i, flag) => headroom.dismiss(&ctx, ids[i], said(flag), None).await,
            Act::Reopen(i) => headroom.reopen(&ctx, ids[i]).await,
            Act::RollBack(i, flag) => headroom.roll_back(&ctx, ids[i], said(flag)).await.map(drop),
            Act::BreakGlass(i, flag) => headroom.break_glass(&ctx, ids[i], said(flag)).await.map(drop),
            Act::Freeze(on) => self.rule(&ctx, "change_windows", if on { "deny * * * * * for 1d" } else { "" }).await,
            Act::Need(need) => self.rule(&ctx, "approvals_required", &need.to_string()).await,
            Act::Spoil => {
                self.spoil(0).await;
                self.spoil(SPOILT).await;
                return Answer::Nothing;
            }
            Act::Expire => return self.expire().await,
            Act::Work => return self.work(was).await,
        };
        done.map_or_else(|error| answer(&error), |()| Answer::Done)
    }

    /// The hash of the plan, or of another one.
    async fn plan(&self, i: usize, right: bool) -> PlanHash {
        let change = self.house.headroom.store().latest_change(self.ids[i]).await.unwrap();
        let other = || PlanHash::try_from("0".repeat(64)).unwrap();
        change.filter(|_| right).map_or_else(other, |c| c.plan_hash)
    }

    async fn rule(&self, ctx: &OpContext, key: &str, value: &str) -> Result<(), Error> {
        self.house.headroom.set_policy(ctx, &Scope::Fleet, key, value).await
    }

    /// Makes the next writes to the autoscaler fail; none of them, if there are none.
    async fn spoil(&self, calls: u32) {
        let fault = Fault { kind: FaultKind::AutoscalerRefused, calls, apply_only: true };
        self.house.simulator.inject_fault(fault).await.unwrap();
    }

    async fn expire(&self) -> Answer {
        let mut ctx = self.house.headroom.own_context("later");
        ctx.now.cluster = ctx.now.cluster.plus_secs(8 * 86_400);
        if self.house.headroom.expire(&ctx).await.unwrap() > 0 { Answer::Done } else { Answer::Nothing }
    }

    /// Every piece of work that the model knows of takes one step.
    async fn work(&self, was: &Model) -> Answer {
        self.clock.pass(30);
        let queued = was.items.iter().filter(|item| item.change.as_ref().is_some_and(|c| c.queued)).count();
        for _ in 0..queued + was.left_over {
            assert!(self.house.step().await, "there is no work where there should be: {was:?}");
        }
        Answer::Nothing
    }
}

fn answer(error: &Error) -> Answer {
    match error {
        Error::Forbidden(_) => Answer::Forbidden,
        Error::Invalid { field, .. } if field == "reason" => Answer::Wordless,
        Error::Conflict(_) => Answer::Conflict,
        Error::Refused(_) => Answer::NotTheirs,
        Error::Refusal(Refusal::IllegalTransition { .. }) => Answer::Illegal,
        Error::Refusal(Refusal::Expired { .. }) => Answer::Late,
        Error::Refusal(Refusal::PlanMismatch { .. }) => Answer::OtherPlan,
        Error::Refusal(Refusal::OwnSubmission(_)) => Answer::Own,
        Error::Refusal(Refusal::ApprovedBefore(_)) => Answer::Twice,
        Error::Refusal(Refusal::NotApproved { .. }) => Answer::TooFew,
        other => panic!("no such problem was to be expected: {other:?}"),
    }
}

/// Somebody and something; what carries a change on comes more often, or few would get far.
fn random(dice: &mut Dice) -> (Person, Act) {
    let i = dice.roll(2);
    let most = !dice.one_in(8);
    let act = match dice.roll(32) {
        0..5 => Act::Submit(i),
        5..10 => Act::Approve(i, most),
        10..14 => Act::Apply(i, most),
        14..19 => Act::Work,
        19 | 20 => Act::RollBack(i, most),
        21 => Act::Reject(i, most),
        22 => Act::RequestChanges(i, most),
        23 => Act::Withdraw(i),
        24 => Act::Dismiss(i, most),
        25 => Act::Reopen(i),
        26 => Act::BreakGlass(i, most),
        27 => Act::Freeze(!dice.one_in(3)),
        28 => Act::Need(1 + u32::try_from(dice.roll(2)).unwrap()),
        29 | 30 => Act::Spoil,
        _ => Act::Expire,
    };
    // Mostly somebody who may try it, else anybody.
    let allowed: Vec<Person> = PEOPLE.into_iter().filter(|p| may(p.1, act)).collect();
    let who = if dice.one_in(5) { *dice.pick(&PEOPLE) } else { *dice.pick(&allowed) };
    (who, act)
}

/// The edges, written a second time, from the design.
const EDGES: &str = "
PENDING_APPROVAL: APPROVED REJECTED CHANGES_REQUESTED WITHDRAWN EXPIRED STALE
APPROVED: SCHEDULED HELD_BY_FREEZE PREFLIGHT STALE WITHDRAWN EXPIRED
SCHEDULED: SCHEDULED HELD_BY_FREEZE PREFLIGHT STALE WITHDRAWN EXPIRED
HELD_BY_FREEZE: SCHEDULED HELD_BY_FREEZE PREFLIGHT STALE WITHDRAWN EXPIRED
PREFLIGHT: APPLYING HELD_BY_FREEZE STALE PREFLIGHT_FAILED ABORTING
APPLYING: OBSERVING OUTCOME_UNKNOWN FAILED PARTIAL ABORTING
OUTCOME_UNKNOWN: APPLYING OBSERVING FAILED PARTIAL ABORTING
OBSERVING: APPLIED DRIFTED ABORTING
APPLIED: DRIFTED ROLLBACK_REQUESTED CLOSED
PARTIAL: ROLLING_BACK
ROLLBACK_FAILED: ROLLING_BACK
ROLLBACK_REQUESTED: ROLLING_BACK
ABORTING: ROLLING_BACK
ROLLING_BACK: ROLLED_BACK ROLLBACK_FAILED
";

#[tokio::test]
async fn a_hundred_thousand_walks_leave_no_edge_of_the_table() {
    let edges: Vec<(&str, Vec<&str>)> =
        EDGES.trim().lines().map(|line| line.split_once(':').map(|(from, to)| (from, to.split_whitespace().collect())).unwrap()).collect();
    let clock = Clock::new();
    let house = House::by_hand("sqlite", &clock, CALL).await;
    let name = house.with_replicas().await.swap_remove(0);
    let replicas = (name.state.replicas.unwrap() + 1).to_string();
    let id = house.propose(&name.key.name, &[("replicas", &replicas)]).await;
    let begin = house.headroom.submit(&house.engineer(), id).await.unwrap();
    let mut refused = 0_u64;
    for seed in 0..100_000 {
        let (mut dice, mut change) = (Dice::new(seed), begin.clone());
        for _ in 0..16 {
            let (before, to) = (change.clone(), *dice.pick(Substate::ALL));
            let legal = edges.iter().any(|(from, next)| *from == before.state.as_str() && next.contains(&to.as_str()));
            assert_eq!(change.advance(to).is_ok(), legal, "seed {seed}: from {} to {to}", before.state);
            let expected = if legal { Change { state: to, version: before.version + 1, ..before } } else { before };
            assert_eq!(change, expected, "seed {seed}");
            refused += u64::from(!legal);
            // Random states mostly lead nowhere: a step along the table keeps the walk going.
            if let Some(next) = change.state.next().get(dice.roll(6)) {
                change.advance(*next).unwrap();
            }
        }
    }
    assert!(refused > 100_000, "{refused} illegal edges were tried");
}
