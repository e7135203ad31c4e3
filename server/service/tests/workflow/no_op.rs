//! Changes that change nothing must not be rolled back: the guards compare at like load and like hour. It takes two to three minutes,
//! most of them waiting for the cluster.

use crate::house::House;
use headroom_model::change::Substate;
use headroom_model::ids::RecommendationId;
use headroom_model::service::Managed;
use headroom_model::units::Cores;
use std::time::{Duration, Instant};

/// How many changes are made.
const CHANGES: usize = 200;
/// How many of them may be rolled back.
const FALSE_ALARMS: usize = 2;
/// Cluster seconds per wall second.
const SPEED: f64 = 1800.0;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_no_op_changes_at_random_hours_at_most_two_are_rolled_back() {
    let house = House::start(SPEED).await;
    let mut pace = Pace(0x9e37_79b9_7f4a_7c15);
    let mut made: Vec<RecommendationId> = Vec::new();
    let began = Instant::now();
    while made.len() < CHANGES {
        assert!(began.elapsed() < Duration::from_secs(400), "only {} changes were made", made.len());
        let services = house.headroom.store().all_services().await.unwrap();
        let direct: Vec<_> = services.iter().filter(|s| s.managed == Managed::Direct && s.state.cpu_request().is_some()).collect();
        let service = direct[pace.next(direct.len() as u64) as usize];
        if house.headroom.store().held_by(service.id).await.unwrap().is_none() {
            made.push(no_op(&house, service).await);
        }
        // Up to half an hour of cluster time between two tries.
        tokio::time::sleep(Duration::from_millis(pace.next((1_800_000.0 / SPEED) as u64 + 1))).await;
    }
    let mut rolled_back = Vec::new();
    for id in made {
        let ended = [
            Substate::Applied,
            Substate::RolledBack,
            Substate::Closed,
            Substate::Failed,
            Substate::Stale,
            Substate::PreflightFailed,
            Substate::Drifted,
        ];
        let page = house.until(id, &ended).await;
        let change = page.change.unwrap();
        match change.state {
            Substate::Applied | Substate::Closed => {}
            Substate::RolledBack => rolled_back.push((page.recommendation.service_name, change.reason)),
            other => panic!("{}: {other}: {:?}", page.recommendation.service_name, change.reason),
        }
    }
    println!("{} of {CHANGES} no-op changes were rolled back: {rolled_back:#?}", rolled_back.len());
    assert!(rolled_back.len() <= FALSE_ALARMS, "{} of {CHANGES}: {rolled_back:#?}", rolled_back.len());
}

/// One thousandth of a core more on one container: it restarts the pods, as every such change does, and nothing else.
async fn no_op(house: &House, service: &headroom_model::service::Service) -> RecommendationId {
    let (name, container) = service.state.containers.iter().find(|(_, c)| c.cpu_request.is_some()).unwrap();
    let more = |cores: Cores| Cores::ceil_milli(cores.get() + 0.001).to_string();
    let mut fields = vec![(format!("containers.{name}.requests.cpu"), more(container.cpu_request.unwrap()))];
    if let Some(limit) = container.cpu_limit {
        fields.push((format!("containers.{name}.limits.cpu"), more(limit)));
    }
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let id = house.propose(&service.id.to_string(), &fields).await;
    house.carry_out(id).await;
    id
}

/// A small deterministic sequence (xorshift64): which service is next, and when.
struct Pace(u64);

impl Pace {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below.max(1)
    }
}
