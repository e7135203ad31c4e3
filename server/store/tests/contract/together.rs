//! Several processes on one database: one leads, and each hears what the others do. SQLite has one process.

use crate::fixtures::{at, event, record};
use crate::postgres;
use headroom_store::{Store, StoreConfig, Work};
use std::time::Duration;

async fn two() -> (Store, Store) {
    let place = StoreConfig::at(postgres::database().await);
    (Store::open(&place).await.unwrap(), Store::open(&place).await.unwrap())
}

pub async fn a_process_by_itself_leads(store: &Store) {
    store.ping().await.unwrap();
    assert!(store.schema_version().await.unwrap() > 0);
    let mut lead = store.try_lead().await.unwrap().expect("there is nobody else");
    lead.confirm().await.unwrap();
    store.tell("me", "changes").await.unwrap();
    assert_eq!(store.hear().await.unwrap().is_some(), store.is_shared(), "there is nobody to hear on SQLite");
    assert_eq!(store.clock().await.unwrap().is_some(), store.is_shared());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_leads_until_it_ends() {
    let (one, two) = two().await;
    let mut lead = one.try_lead().await.unwrap().unwrap();
    lead.confirm().await.unwrap();
    assert!(two.try_lead().await.unwrap().is_none());
    assert!(one.try_lead().await.unwrap().is_none(), "nor twice in one process");
    drop(lead);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while two.try_lead().await.unwrap().is_none() {
        assert!(std::time::Instant::now() < deadline, "the lead is not passed on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_hears_what_the_others_tell() {
    let (one, two) = two().await;
    let mut ears = two.hear().await.unwrap().unwrap();
    one.tell("one", "recommendations").await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(10), ears.next()).await.unwrap().unwrap();
    assert_eq!(heard, ("one".to_owned(), "recommendations".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_the_queue_and_the_chain() {
    let (one, two) = two().await;
    let mut tx = one.begin().await.unwrap();
    for n in 0..60 {
        let payload = serde_json::Value::Null;
        tx.enqueue(&Work { kind: "k".into(), subject: n.to_string(), payload, run_at: at(0) }).await.unwrap();
    }
    tx.commit().await.unwrap();
    let worker = |store: Store, name: &'static str| {
        tokio::spawn(async move {
            let mut done = 0;
            loop {
                let Some(leased) = store.lease_work(name, at(1), 60, &[]).await.unwrap() else {
                    if store.open_work().await.unwrap().is_empty() {
                        return done;
                    }
                    continue;
                };
                let mut tx = store.begin().await.unwrap();
                tx.record(&event("work.done", "work", &leased.subject)).await.unwrap();
                tx.finish_work(&leased).await.unwrap();
                tx.commit().await.unwrap();
                done += 1;
            }
        })
    };
    let (a, b) = (worker(one.clone(), "one"), worker(two.clone(), "two"));
    let (a, b) = (a.await.unwrap(), b.await.unwrap());
    assert_eq!(a + b, 60);
    assert!(a > 0 && b > 0, "{a} and {b}");
    record(&two, &event("test.ended", "work", "all")).await;
    let report = one.verify_audit(None).await.unwrap();
    assert_eq!((report.entries, report.fault), (61, None));
}

#[tokio::test]
async fn sqlite_leads_and_has_nobody_to_talk_to() {
    let (_folder, store) = crate::sqlite().await;
    assert!(store.try_lead().await.unwrap().is_some());
    assert!(store.hear().await.unwrap().is_none());
    store.tell("one", "topic").await.unwrap();
}
