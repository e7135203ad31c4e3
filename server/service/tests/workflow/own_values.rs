//! What people propose themselves: no more of it open for a service than policy allows the engine.

use crate::house::{Clock, House};
use headroom_model::policy::Scope;
use headroom_model::view::ProposeRequest;
use headroom_service::Error;
use std::time::Duration;

#[tokio::test]
async fn no_more_are_open_than_policy_allows_on_sqlite() {
    no_more_are_open_than_policy_allows("sqlite").await;
}

#[tokio::test]
async fn no_more_are_open_than_policy_allows_on_postgres() {
    no_more_are_open_than_policy_allows("postgres").await;
}

async fn no_more_are_open_than_policy_allows(database: &str) {
    let house = House::by_hand(database, &Clock::new(), Duration::from_secs(5)).await;
    house.headroom.set_policy(&house.admin(), &Scope::Fleet, "max_recommendations", "2").await.unwrap();
    let services = house.with_replicas().await;
    let (name, before) = (&services[0].key.name, services[0].state.replicas.unwrap());
    let values = |more: u32| [("replicas".to_owned(), (before + more).to_string())].into();
    let propose = async |more| {
        let request = ProposeRequest { service_name: name.clone(), fields: values(more), reason: "a test".to_owned() };
        house.headroom.propose(&house.engineer(), &request).await
    };
    let first = propose(1).await.unwrap();
    propose(2).await.unwrap();
    let refused = propose(3).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(why) if why.contains("max_recommendations")), "{refused:?}");
    house.headroom.dismiss(&house.engineer(), first, "not now", None).await.unwrap();
    propose(3).await.unwrap();
    // Another service has its own.
    house.propose(&services[1].key.name, &[("replicas", &(services[1].state.replicas.unwrap() + 1).to_string())]).await;
}
