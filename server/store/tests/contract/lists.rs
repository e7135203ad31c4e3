//! Filters, orders and pages.

use crate::fixtures::{
    change, insert_change, recommendation, service, service_in, stored_recommendation, stored_service, summary, usd, with_services,
};
use headroom_model::auth::Teams;
use headroom_model::change::Substate;
use headroom_model::job::OptimizationType;
use headroom_model::recommendation::Risk;
use headroom_model::view::{ChangeQuery, RecommendationQuery, ServiceQuery};
use headroom_store::{Error, Store};
use std::collections::BTreeSet;

async fn names(store: &Store, query: &ServiceQuery) -> Vec<String> {
    store.service_rows(query, &Teams::ALL).await.unwrap().items.into_iter().map(|row| row.service_name).collect()
}

fn sorted(sort: &str) -> ServiceQuery {
    ServiceQuery { sort: sort.into(), ..ServiceQuery::default() }
}

pub async fn services_are_filtered_and_sorted_and_unknown_values_come_last(store: &Store) {
    let (a, b) = (service_in("demo", "prices", "a", "trading"), service_in("demo", "kyb", "b", "compliance"));
    let c = service_in("demo", "kyb", "c", "compliance");
    with_services(store, &[a.clone(), b.clone(), c.clone()]).await;
    let mut tx = store.begin().await.unwrap();
    tx.put_summaries(&[summary(&a, Some(10.0)), summary(&b, Some(30.0))]).await.unwrap();
    tx.commit().await.unwrap();
    let mut priced = recommendation(&a);
    priced.proposal.saving_month = Some(usd(5.0));
    stored_recommendation(store, &priced).await;

    assert_eq!(names(store, &sorted("")).await, ["a", "b", "c"]);
    assert_eq!(names(store, &sorted("-name")).await, ["c", "b", "a"]);
    assert_eq!(names(store, &sorted("cost")).await, ["b", "a", "c"]);
    assert_eq!(names(store, &sorted("-cost")).await, ["a", "b", "c"], "what is unknown stays last");
    assert_eq!(names(store, &sorted("saving")).await[0], "a");
    for sort in ["cpu", "memory", "latency", "requests", "-cpu", "-saving"] {
        assert_eq!(names(store, &sorted(sort)).await.len(), 3, "{sort}");
    }
    let team = ServiceQuery { team: "compliance".into(), ..ServiceQuery::default() };
    assert_eq!(names(store, &team).await, ["b", "c"]);
    let namespace = ServiceQuery { namespace: "prices".into(), ..ServiceQuery::default() };
    assert_eq!(names(store, &namespace).await, ["a"]);
    let verdict = ServiceQuery { verdict: "not_enough_data".into(), ..ServiceQuery::default() };
    assert_eq!(names(store, &verdict).await, ["c"], "what was never analysed has too little data");
    let row = store.service_rows(&sorted(""), &Teams::ALL).await.unwrap().items.remove(0);
    assert_eq!((row.open, row.saving_month), (1, Some(usd(5.0))));
}

pub async fn pages_neither_lose_nor_repeat_a_row_under_insert(store: &Store) {
    let service = stored_service(store, "a").await;
    let mut before = BTreeSet::new();
    for i in 0..25u32 {
        let mut one = recommendation(&service);
        one.proposal.priority = f64::from(i % 4) / 3.0;
        one.proposal.saving_month = (i % 3 > 0).then(|| usd(f64::from(i % 5)));
        stored_recommendation(store, &one).await;
        before.insert(one.id);
    }
    for sort in ["priority", "-priority", "saving", "-saving", "confidence", "service", "created", "-created"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let query = RecommendationQuery { sort: sort.into(), limit: 4, cursor: cursor.clone(), ..RecommendationQuery::default() };
            let page = store.recommendation_rows(&query, &Teams::ALL).await.unwrap();
            seen.extend(page.items.iter().map(|row| row.id));
            stored_recommendation(store, &recommendation(&service)).await;
            match page.next_cursor {
                Some(next) => cursor = next,
                None => break,
            }
        }
        let unique: BTreeSet<_> = seen.iter().copied().collect();
        assert_eq!(unique.len(), seen.len(), "{sort}: a row was shown twice");
        assert!(before.is_subset(&unique), "{sort}: a row was lost");
        before = unique;
    }
}

pub async fn recommendations_are_filtered_by_every_field(store: &Store) {
    let (a, b) = (service("a"), service_in("demo", "kyb", "b", "compliance"));
    with_services(store, &[a.clone(), b.clone()]).await;
    let first = recommendation(&a);
    let mut second = recommendation(&b);
    second.proposal.optimization_type = OptimizationType::Scaling;
    second.proposal.risk.level = Risk::High;
    stored_recommendation(store, &first).await;
    stored_recommendation(store, &second).await;
    insert_change(store, &change(&b, &second, Substate::Observing)).await.unwrap();
    let ids = async |query: RecommendationQuery| {
        let page = store.recommendation_rows(&query, &Teams::ALL).await.unwrap();
        assert_eq!(page.total as usize, page.items.len());
        page.items.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let query = RecommendationQuery::default;
    assert_eq!(ids(RecommendationQuery { service_name: "b".into(), ..query() }).await, [second.id]);
    assert_eq!(ids(RecommendationQuery { team: "trading".into(), ..query() }).await, [first.id]);
    assert_eq!(ids(RecommendationQuery { optimization_type: "SCALING_OPTIMIZATION".into(), ..query() }).await, [second.id]);
    assert_eq!(ids(RecommendationQuery { risk: "low".into(), ..query() }).await, [first.id]);
    assert_eq!(ids(RecommendationQuery { status: "APPLYING".into(), ..query() }).await, [second.id]);
    assert_eq!(ids(RecommendationQuery { view: "progress".into(), ..query() }).await, [second.id]);
    assert_eq!(ids(RecommendationQuery { view: "open".into(), status: "RECOMMENDATIONS_READY".into(), ..query() }).await, [first.id]);
    assert!(ids(RecommendationQuery { view: "waiting".into(), ..query() }).await.is_empty());
    assert!(ids(RecommendationQuery { view: "done".into(), ..query() }).await.is_empty());
    assert_eq!(store.recommendation_rows_of(a.id, 9).await.unwrap()[0].id, first.id);

    let page = async |view: &str| {
        store.change_rows(&ChangeQuery { view: view.into(), ..ChangeQuery::default() }, &Teams::ALL).await.unwrap().total
    };
    assert_eq!((page("active").await, page("waiting").await, page("done").await, page("").await), (1, 0, 0, 1));
    let other = ChangeQuery { service_name: "a".into(), ..ChangeQuery::default() };
    assert_eq!(store.change_rows(&other, &Teams::ALL).await.unwrap().total, 0);
}

pub async fn bad_cursors_and_words_are_named(store: &Store) {
    for cursor in ["x", "00", "7b7d"] {
        let query = ServiceQuery { cursor: cursor.into(), ..ServiceQuery::default() };
        assert!(matches!(store.service_rows(&query, &Teams::ALL).await, Err(Error::BadCursor)), "{cursor}");
    }
    let services: Vec<_> = (0..3).map(|i| service(&format!("s{i}"))).collect();
    with_services(store, &services).await;
    let cursor = store.service_rows(&ServiceQuery { limit: 1, ..ServiceQuery::default() }, &Teams::ALL).await.unwrap().next_cursor.unwrap();
    let other = ServiceQuery { cursor, ..sorted("cost") };
    assert!(matches!(store.service_rows(&other, &Teams::ALL).await, Err(Error::BadCursor)), "a cursor belongs to its order");

    let wrong = ServiceQuery { verdict: "huge".into(), ..ServiceQuery::default() };
    assert!(matches!(store.service_rows(&wrong, &Teams::ALL).await, Err(Error::BadFilter { field: "verdict", .. })));
    assert!(matches!(store.service_rows(&sorted("colour"), &Teams::ALL).await, Err(Error::BadFilter { field: "sort", .. })));
    let wrong = RecommendationQuery { status: "MAYBE".into(), ..RecommendationQuery::default() };
    assert!(matches!(store.recommendation_rows(&wrong, &Teams::ALL).await, Err(Error::BadFilter { field: "status", .. })));
    let wrong = ChangeQuery { view: "soon".into(), ..ChangeQuery::default() };
    assert!(matches!(store.change_rows(&wrong, &Teams::ALL).await, Err(Error::BadFilter { field: "view", .. })));
}

pub async fn signs_of_patterns_are_taken_literally(store: &Store) {
    with_services(store, &[service("a_b"), service("axb"), service("100%"), service("Back\\Slash")]).await;
    let find = async |q: &str| names(store, &ServiceQuery { q: q.into(), ..ServiceQuery::default() }).await;
    assert_eq!(find("A_B").await, ["a_b"]);
    assert_eq!(find("%").await, ["100%"]);
    assert_eq!(find("k\\s").await, ["Back\\Slash"]);
    assert_eq!(find(" ").await.len(), 4);
    assert!(find("'; DROP TABLE services; --").await.is_empty());
}
