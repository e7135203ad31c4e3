//! Deploys: kept once, listed by team, seen in inventories.

use crate::fixtures::{CLUSTER, at, service, service_in, stored_service, with_services};
use headroom_model::auth::Teams;
use headroom_model::deployment::Deploy;
use headroom_model::ids::ServiceId;
use headroom_model::service::VERSION_LABEL;
use headroom_model::view::DeploymentQuery;
use headroom_store::{Deployed, Error, Store};
use uuid::Uuid;

fn version(version: &str) -> Deploy {
    Deploy { version: version.into(), ..Deploy::default() }
}

fn told(secs: i64) -> Deployed {
    Deployed { at: at(secs), cluster_at: at(secs + 7), seen: false }
}

pub async fn a_deploy_is_kept_once_whoever_tells_of_it(store: &Store) {
    let service = stored_service(store, "a").await.id;
    let mut tx = store.begin().await.unwrap();
    let (first, new) = tx.put_deployment(service, &version("1"), Deployed { seen: true, ..told(0) }).await.unwrap();
    assert!(new);
    assert_eq!(tx.deployment(first).await.unwrap().version, "1");
    let more = Deploy { commit: Some("abc".into()), link: Some("https://ci/7".into()), ..version("1") };
    assert_eq!(tx.put_deployment(service, &more, told(300)).await.unwrap(), (first, true), "told after it was seen, it has a commit");
    assert_eq!(tx.put_deployment(service, &more, told(-300)).await.unwrap(), (first, false), "and told again, nothing is new");
    assert_eq!(tx.put_deployment(service, &version("1"), told(600)).await.unwrap(), (first, false), "what is known stays");

    tx.put_deployment(service, &version("2"), told(900)).await.unwrap();
    let (back, new) = tx.put_deployment(service, &version("1"), told(1200)).await.unwrap();
    assert!(new && back != first, "the earlier version again, after another one, is a deploy of its own");
    assert_eq!(tx.put_deployment(service, &version("1"), told(0)).await.unwrap(), (first, false), "of the same time it is the same");
    let (late, new) = tx.put_deployment(service, &version("1"), told(1200 + 3601)).await.unwrap();
    assert!(new);
    let newest = tx.deployments_of(service, 2).await.unwrap();
    assert_eq!(newest.iter().map(|d| d.id).collect::<Vec<_>>(), [late, back]);
    let unknown = tx.put_deployment(ServiceId(Uuid::nil()), &version("1"), told(0)).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound { what: "service", .. }), "{unknown}");
    drop(tx);

    let mut tx = store.begin().await.unwrap();
    tx.put_deployment(service, &more, Deployed { seen: true, ..told(0) }).await.unwrap();
    tx.put_deployment(service, &version("2"), told(900)).await.unwrap();
    tx.commit().await.unwrap();
    let kept = store.deployments_of(service, 10).await.unwrap();
    assert_eq!(kept.iter().map(|d| d.version.as_str()).collect::<Vec<_>>(), ["2", "1"]);
    let one = &kept[1];
    assert_eq!((one.service_name.as_str(), one.at, one.cluster_at, one.seen), ("a", at(0), at(7), true));
    assert_eq!((one.commit.as_deref(), one.link.as_deref(), kept[0].commit.as_deref()), (Some("abc"), Some("https://ci/7"), None));
}

pub async fn deploys_are_listed_by_team_and_service(store: &Store) {
    let services = [service_in(CLUSTER, "n", "a", "web"), service_in(CLUSTER, "n", "b", "ops")];
    with_services(store, &services).await;
    let mut tx = store.begin().await.unwrap();
    for (i, of) in [0, 1, 0, 1, 0].into_iter().enumerate() {
        tx.put_deployment(services[of].id, &version(&i.to_string()), told(i as i64)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let versions = async |query: &DeploymentQuery, teams: &Teams| {
        let page = store.deployments(query, teams).await.unwrap();
        (page.items.into_iter().map(|d| d.version).collect::<Vec<_>>(), page.total)
    };
    let all = DeploymentQuery::default();
    assert_eq!(versions(&all, &Teams::ALL).await.0, ["4", "3", "2", "1", "0"], "the newest first");
    assert_eq!(versions(&all, &Teams::of(["ops"])).await, (vec!["3".to_owned(), "1".to_owned()], 2));
    let of_a = DeploymentQuery { service_name: "a".into(), ..all.clone() };
    assert_eq!(versions(&of_a, &Teams::ALL).await.0, ["4", "2", "0"]);
    assert_eq!(versions(&of_a, &Teams::of(["ops"])).await.1, 0);
    let (mut paged, mut query) = (Vec::new(), DeploymentQuery { limit: 2, ..all });
    loop {
        let page = store.deployments(&query, &Teams::ALL).await.unwrap();
        paged.extend(page.items.into_iter().map(|d| d.version));
        let Some(next) = page.next_cursor else { break };
        query.cursor = next;
    }
    assert_eq!(paged, ["4", "3", "2", "1", "0"]);
}

pub async fn an_inventory_tells_which_services_run_another_version(store: &Store) {
    let running = |name: &str, version: Option<&str>| {
        let mut one = service(name);
        one.id = ServiceId(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()));
        one.labels.extend(version.map(|v| (VERSION_LABEL.to_owned(), v.to_owned())));
        one
    };
    let look = async |services: &[headroom_model::service::Service]| {
        let mut tx = store.begin().await.unwrap();
        let found = tx.put_inventory(CLUSTER, services, at(0)).await.unwrap();
        tx.commit().await.unwrap();
        found.deployed
    };
    let first = [running("a", Some("1")), running("b", Some("1")), running("c", None), running("d", Some("1"))];
    assert_eq!(look(&first).await, [], "what is there at the first look was not deployed then");
    let second = [running("a", Some("2")), running("b", Some("1")), running("c", Some("1")), running("d", None)];
    assert_eq!(look(&second).await, [(second[0].id, "2".to_owned())], "a version that was or is not known tells nothing");
    assert_eq!(look(&second).await, []);
}
