//! Clusters, services and what is known of them.

use crate::fixtures::{CLUSTER, at, service, service_in, stored_service, summary, usd, with_services};
use headroom_model::auth::Teams;
use headroom_model::recommendation::Verdict;
use headroom_model::units::Currency;
use headroom_model::view::{Comparison, Measure, ServiceClass, ServiceQuery};
use headroom_store::{Error, Inventory, LiveNumbers, Store, TypicalPeaks};

pub async fn an_inventory_replaces_what_was_known(store: &Store) {
    let (a, mut b, c) = (service("a"), service("b"), service("c"));
    with_services(store, &[a.clone(), b.clone()]).await;
    b.state.replicas = Some(5);
    let mut tx = store.begin().await.unwrap();
    let changed = tx.put_inventory(CLUSTER, &[b.clone(), c.clone()], at(60)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(changed, Inventory { added: 1, changed: 1, gone: 1, deployed: Vec::new() });
    assert_eq!(store.all_services().await.unwrap(), [b.clone(), c.clone()]);
    assert_eq!(store.services(&[b.id, c.id]).await.unwrap(), [(b.id, b.clone()), (c.id, c.clone())].into());
    let called = async |teams: &Teams| store.services_called(CLUSTER, &["a".into(), "b".into()], teams).await.unwrap();
    assert_eq!(called(&Teams::ALL).await, [b.id], "what is gone is not called");
    assert!(called(&Teams::of(["nobody".to_owned()])).await.is_empty());
    assert!(store.services_called("elsewhere", &["b".into()], &Teams::ALL).await.unwrap().is_empty());
    assert_eq!(store.service(a.id).await.unwrap(), Some(a.clone()), "what is gone can still be read by its id");
    assert!(matches!(store.service_named("a").await, Err(Error::NotFound { what: "service", .. })));
    assert_eq!(store.service_rows(&ServiceQuery::default(), &Teams::ALL).await.unwrap().items[0].replicas, Some(5));

    let mut tx = store.begin().await.unwrap();
    let back = tx.put_inventory(CLUSTER, &[a, b, c], at(120)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(back, Inventory { added: 1, changed: 0, gone: 0, deployed: Vec::new() });
    let clusters = store.clusters().await.unwrap();
    assert_eq!(
        clusters.iter().map(|c| (c.name.as_str(), c.kind.as_str(), c.newest_sample)).collect::<Vec<_>>(),
        [(CLUSTER, "kubernetes", None)]
    );
    assert_eq!(store.teams().await.unwrap(), ["trading"]);
    assert_eq!(store.namespaces().await.unwrap(), ["prices"]);
    assert_eq!(store.services_of_team("trading").await.unwrap().len(), 3);
    assert!(store.services_of_team("nobody").await.unwrap().is_empty());
}

pub async fn names_are_bare_where_unique_and_full_where_not(store: &Store) {
    let alone = service_in(CLUSTER, "prices", "alone", "t");
    let (one, two) = (service_in(CLUSTER, "prices", "api", "t"), service_in(CLUSTER, "kyb", "api", "t"));
    let mut twin = service_in(CLUSTER, "kyb", "api", "t");
    twin.key.kind = "StatefulSet".into();
    with_services(store, &[alone.clone(), one.clone()]).await;
    assert_eq!(store.service_name(one.id).await.unwrap().unwrap(), "api");

    with_services(store, &[alone.clone(), one.clone(), two.clone()]).await;
    assert_eq!(store.service_name(alone.id).await.unwrap().unwrap(), "alone");
    assert_eq!(store.service_name(one.id).await.unwrap().unwrap(), "demo:prices:api");
    let Err(Error::AmbiguousName { candidates, .. }) = store.service_named("api").await else { panic!("api names two services") };
    assert_eq!(candidates, ["demo:kyb:api", "demo:prices:api"]);
    assert_eq!(store.service_named("demo:kyb:api").await.unwrap().id, two.id);
    assert_eq!(store.service_named(&two.id.to_string()).await.unwrap().id, two.id);

    with_services(store, &[alone, one.clone(), two.clone(), twin.clone()]).await;
    let names = store.service_names().await.unwrap();
    assert_eq!(names[&two.id], "demo:kyb:Deployment:api");
    assert_eq!(store.service_named(&names[&twin.id]).await.unwrap().id, twin.id);
    assert!(matches!(store.service_named("demo:kyb:api").await, Err(Error::AmbiguousName { .. })));
    assert!(matches!(store.service_named("a:b").await, Err(Error::NotFound { .. })));

    with_services(store, std::slice::from_ref(&one)).await;
    assert_eq!(store.service_name(one.id).await.unwrap().unwrap(), "api", "a name is bare again when the others are gone");
}

pub async fn a_services_summary_fills_its_row(store: &Store) {
    let service = stored_service(store, "a").await;
    let row = store.service_rows_by_id(&[service.id]).await.unwrap().remove(0);
    assert_eq!((row.verdict, row.cost_month, row.cpu, row.spark.len()), (Verdict::NotEnoughData, None, None, 0));
    let summary = summary(&service, Some(80.0));
    let mut tx = store.begin().await.unwrap();
    tx.put_summaries(std::slice::from_ref(&summary)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.summary(service.id).await.unwrap().as_ref(), Some(&summary));
    let peak = summary.cpu.as_ref().map(|bar| bar.peak);
    assert_eq!(store.typical_peaks().await.unwrap(), TypicalPeaks { cpu: peak, memory: None });
    let row = store.service_rows_by_id(&[service.id]).await.unwrap().remove(0);
    assert_eq!((row.verdict, row.cost_month, row.cpu, row.memory), (Verdict::Over, Some(usd(80.0)), summary.cpu, None));
    assert_eq!((row.latency_p99_ms, row.request_rate, row.spark), (Some(120.5), None, summary.spark));
}

pub async fn a_services_class_outlives_its_next_summary(store: &Store) {
    let service = stored_service(store, "a").await;
    assert_eq!(store.class_of(service.id).await.unwrap(), None);
    let comparison = Comparison {
        measure: Measure::CostPerMillion,
        value: 1.5,
        median: 0.5,
        percentile: 90.0,
        peers: 11,
        currency: Some(Currency::USD),
        by_cluster: [("demo".to_owned(), 0.5)].into(),
        by_kind: Default::default(),
    };
    let class = ServiceClass { name: "daily rhythm".into(), members: 12, classes: 3, fit: 0.75, standing: vec![comparison] };
    let put = async |classes: Option<ServiceClass>| {
        let mut tx = store.begin().await.unwrap();
        tx.put_classes(&[(service.id, classes)]).await.unwrap();
        tx.commit().await.unwrap();
    };
    put(Some(class.clone())).await;
    assert_eq!(store.class_of(service.id).await.unwrap(), None, "without a summary there is nothing to note it in");
    for cost in [80.0, 90.0] {
        let mut tx = store.begin().await.unwrap();
        tx.put_summaries(&[summary(&service, Some(cost))]).await.unwrap();
        tx.commit().await.unwrap();
        if cost < 90.0 {
            put(Some(class.clone())).await;
        }
    }
    assert_eq!(store.class_of(service.id).await.unwrap(), Some(class));
    put(None).await;
    assert_eq!(store.class_of(service.id).await.unwrap(), None);
}

pub async fn live_numbers_refresh_a_summary(store: &Store) {
    let service = stored_service(store, "a").await;
    let fresh = LiveNumbers { service_id: service.id, latency_p99_ms: Some(7.0), request_rate: Some(3.5), spark: vec![None] };
    let mut tx = store.begin().await.unwrap();
    tx.put_live_numbers(std::slice::from_ref(&fresh)).await.unwrap();
    tx.put_summaries(&[summary(&service, None)]).await.unwrap();
    tx.put_live_numbers(&[fresh]).await.unwrap();
    tx.commit().await.unwrap();
    let row = store.service_rows_by_id(&[service.id]).await.unwrap().remove(0);
    assert_eq!((row.latency_p99_ms, row.request_rate, row.spark), (Some(7.0), Some(3.5), vec![None]));
    assert_eq!(row.verdict, Verdict::Over);
}

pub async fn an_unknown_cluster_is_named(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let fault = tx.put_service(&service("a"), at(0)).await.unwrap_err();
    assert!(matches!(fault, Error::NotFound { what: "cluster", .. }), "{fault}");
    let fault = tx.append_frame("nowhere", 0, 60, &[]).await.unwrap_err();
    assert!(matches!(fault, Error::NotFound { what: "cluster", .. }), "{fault}");
}
