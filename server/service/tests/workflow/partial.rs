//! A change of a workload and its autoscaler is two writes to two objects: the second can be refused after the first was done.

use crate::house::{Clock, House};
use headroom_infra::simulator::{Fault, FaultKind};
use headroom_infra::{Infrastructure, Purpose};
use headroom_model::change::Substate;
use headroom_model::ids::RecommendationId;
use headroom_model::service::Service;
use headroom_model::units::Cores;
use headroom_service::Error;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    what_was_written_in_part_is_tried_again_then_told_and_taken_back("sqlite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    what_was_written_in_part_is_tried_again_then_told_and_taken_back("postgres").await;
}

/// A change that waits for its worker, of a service with an autoscaler.
struct Story {
    house: House,
    clock: Clock,
    service: Service,
    request: String,
}

async fn what_was_written_in_part_is_tried_again_then_told_and_taken_back(database: &str) {
    let clock = Clock::new();
    let house = House::by_hand(database, &clock, Duration::from_secs(1)).await;
    let service = house.with_autoscaler().await.swap_remove(0);
    let container = service.state.containers.iter().find(|(_, c)| c.cpu_request.is_some()).unwrap().0;
    let request = format!("containers.{container}.requests.cpu");
    let story = Story { house, clock, service, request };
    story.a_rest_that_is_taken_makes_it_whole().await;
    story.a_rest_that_is_refused_leaves_a_part().await;
    story.a_rest_that_comes_too_late_finds_the_door_shut().await;
    assert_eq!(story.house.simulator.repeats().await.unwrap(), 0, "a write was asked for twice");
    assert_eq!(story.house.headroom.store().verify_audit(None).await.unwrap().fault, None);
}

impl Story {
    async fn a_rest_that_is_taken_makes_it_whole(&self) {
        let id = self.begun(&[FaultKind::AutoscalerRefused]).await;
        self.until(id, |s| s == Substate::Observing).await;
        assert_eq!(self.written(id, Purpose::Apply).await, [self.request.as_str(), "autoscaler.max"]);
        self.taken_back(id).await;
        assert_eq!(self.written(id, Purpose::Restore).await, ["autoscaler.max", self.request.as_str()]);
    }

    async fn a_rest_that_is_refused_leaves_a_part(&self) {
        let id = self.begun(&[FaultKind::AutoscalerRefused, FaultKind::AutoscalerRefused]).await;
        self.until(id, |s| !s.active()).await;
        self.is_told(id, "the autoscaler takes no write").await;
        let held = self.house.propose(&self.service.id.to_string(), &[("autoscaler.max", "40")]).await;
        let refused = self.house.headroom.submit(&self.house.engineer(), held).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "a part holds its service: {refused:?}");
        self.taken_back(id).await;
        assert_eq!(self.written(id, Purpose::Restore).await, [self.request.as_str()]);
        self.house.headroom.dismiss(&self.house.engineer(), held, "it was a question", None).await.unwrap();
    }

    async fn a_rest_that_comes_too_late_finds_the_door_shut(&self) {
        let id = self.begun(&[FaultKind::AutoscalerRefused, FaultKind::LateCommit]).await;
        while self.written(id, Purpose::Apply).await.is_empty() {
            assert!(self.house.step().await);
        }
        // The rest is on its way when it has been tried long enough.
        self.until(id, |s| s == Substate::Applying).await;
        assert!(self.house.step().await);
        self.clock.pass(400);
        self.until(id, |s| !s.active()).await;
        self.is_told(id, "5 minutes").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(self.written(id, Purpose::Apply).await, [self.request.as_str()], "it came in late");
        self.taken_back(id).await;
    }

    /// Somebody proposes, approves and starts a change of both objects, and the next writes go wrong like this.
    async fn begun(&self, faults: &[FaultKind]) -> RecommendationId {
        while self.house.headroom.ingest().await.is_err() {}
        let fields = self.service.state.fields();
        let more = Cores::ceil_milli(fields[&self.request].parse::<Cores>().unwrap().get() + 0.001);
        let max = self.service.state.autoscaler.unwrap().max + 1;
        let wanted = [(self.request.as_str(), more.to_string()), ("autoscaler.max", max.to_string())];
        let wanted: Vec<(&str, &str)> = wanted.iter().map(|(field, value)| (*field, value.as_str())).collect();
        let id = self.house.propose(&self.service.id.to_string(), &wanted).await;
        self.house.carry_out(id).await;
        for kind in faults {
            self.house.simulator.inject_fault(Fault { kind: *kind, calls: 1, apply_only: true }).await.unwrap();
        }
        id
    }

    async fn until(&self, id: RecommendationId, there: impl Fn(Substate) -> bool) {
        for _ in 0..200 {
            let state = self.house.change(id).await.state;
            if !state.waits() && there(state) {
                return;
            }
            if !self.house.step().await {
                self.house.wait(&self.clock).await;
            }
        }
        panic!("it does not come to rest: {:?}", self.house.change(id).await);
    }

    /// State, reason, page, list and chain name what was written and what was not.
    async fn is_told(&self, id: RecommendationId, why: &str) {
        let change = self.house.change(id).await;
        assert_eq!((change.state, change.applied_at), (Substate::Partial, None), "{:?}", change.reason);
        let reason = change.reason.clone().unwrap();
        let parts = format!("written: {}; not written: autoscaler.max; ", self.request);
        assert!(reason.starts_with(&parts) && reason.contains(why), "{reason}");
        let page = self.house.page(id).await;
        assert!(page.drift.is_empty(), "its own write is no drift: {:?}", page.drift);
        let told = page.timeline.iter().find(|e| e.name == "change.partial").expect("the timeline tells it");
        assert_eq!((told.text.as_str(), told.detail.as_ref()), ("Partly applied", Some(&reason)));
        let overview = self.house.headroom.overview(&self.house.approver()).await.unwrap();
        assert!(overview.attention.iter().any(|line| line.title.ends_with("partly applied") && line.detail == reason));
    }

    async fn taken_back(&self, id: RecommendationId) {
        self.house.headroom.roll_back(&self.house.approver(), id, "a trial").await.unwrap();
        self.until(id, |s| !s.active()).await;
        let change = self.house.change(id).await;
        assert_eq!(change.state, Substate::RolledBack, "{:?}", change.reason);
        assert_eq!(self.house.simulator.read(&self.service.key).await.unwrap().state, self.service.state);
    }

    /// The fields that the target has recorded, in the order of its writes.
    async fn written(&self, id: RecommendationId, purpose: Purpose) -> Vec<String> {
        let mutations = self.house.simulator.mutations(self.house.change(id).await.id).await.unwrap();
        mutations.into_iter().filter(|m| m.purpose == purpose).flat_map(|m| m.changes).map(|c| c.field).collect()
    }
}
