//! The durable queue and concurrent writers.

use crate::fixtures::{at, event};
use headroom_store::{Error, Leased, Store, Work};
use std::collections::HashMap;

fn work(kind: &str, subject: &str, run_at: i64) -> Work {
    Work { kind: kind.into(), subject: subject.into(), payload: serde_json::json!({"n": 1}), run_at: at(run_at) }
}

async fn enqueue(store: &Store, work: &Work) -> bool {
    let mut tx = store.begin().await.unwrap();
    let new = tx.enqueue(work).await.unwrap();
    tx.commit().await.unwrap();
    new
}

async fn finish(store: &Store, leased: &Leased) -> Result<(), Error> {
    let mut tx = store.begin().await.unwrap();
    tx.finish_work(leased).await?;
    tx.commit().await
}

pub async fn work_is_leased_once_and_fenced(store: &Store) {
    assert!(enqueue(store, &work("apply", "c1", 10)).await);
    assert!(!enqueue(store, &work("apply", "c1", 5)).await, "one open piece per kind and subject");
    assert_eq!(store.lease_work("w1", at(4), 30, &[]).await.unwrap(), None);
    let first = store.lease_work("w1", at(5), 30, &[]).await.unwrap().unwrap();
    assert_eq!((first.subject.as_str(), first.fence, first.attempts, first.lease_until), ("c1", 1, 1, at(35)));
    assert_eq!(first.payload, serde_json::json!({"n": 1}));
    assert_eq!(store.lease_work("w2", at(34), 30, &[]).await.unwrap(), None, "a lease keeps others away");
    let second = store.lease_work("w2", at(35), 30, &[]).await.unwrap().unwrap();
    assert_eq!((second.fence, second.attempts), (2, 2));

    let mut tx = store.begin().await.unwrap();
    assert!(matches!(tx.fence(&first).await, Err(Error::Fenced { .. })));
    assert!(matches!(tx.reschedule_work(&first, at(90)).await, Err(Error::Fenced { .. })));
    drop(tx);
    assert!(matches!(finish(store, &first).await, Err(Error::Fenced { .. })), "the old worker writes nothing");
    assert!(matches!(store.renew_lease(&first, at(36), 30).await, Err(Error::Fenced { .. })));
    let write = async || {
        let mut tx = store.begin().await?;
        tx.put_setting("by", "a worker").await?;
        tx.commit().await
    };
    assert!(matches!(first.clone().during(write()).await, Err(Error::Fenced { .. })), "whatever it writes");
    second.clone().during(write()).await.unwrap();

    let mut tx = store.begin().await.unwrap();
    tx.fence(&second).await.unwrap();
    tx.reschedule_work(&second, at(90)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.lease_work("w1", at(89), 30, &[]).await.unwrap(), None);
    let third = store.lease_work("w1", at(90), 30, &[]).await.unwrap().unwrap();
    assert_eq!(third.fence, 3);
    finish(store, &third).await.unwrap();
    assert!(matches!(finish(store, &third).await, Err(Error::Fenced { .. })));
    assert!(store.open_work().await.unwrap().is_empty());
}

pub async fn a_renewed_lease_lasts(store: &Store) {
    enqueue(store, &work("observe", "c1", 0)).await;
    let leased = store.lease_work("w1", at(0), 30, &[]).await.unwrap().unwrap();
    let renewed = store.renew_lease(&leased, at(20), 30).await.unwrap();
    assert_eq!(renewed.lease_until, at(50));
    assert_eq!(store.lease_work("w2", at(49), 30, &[]).await.unwrap(), None);
    let open = store.open_work().await.unwrap().remove(0);
    assert_eq!((open.owner.as_deref(), open.lease_until, open.attempts), (Some("w1"), Some(at(50)), 1));
    finish(store, &renewed).await.unwrap();
}

pub async fn a_clock_that_is_set_back_holds_no_work(store: &Store) {
    enqueue(store, &work("apply", "c1", 4_000)).await;
    assert_eq!(store.lease_work("w1", at(3_940), 30, &[]).await.unwrap(), None, "a minute away is not yet due");
    let first = store.lease_work("w1", at(400), 30, &[]).await.unwrap().expect("an hour away was written before the clock was set back");
    finish(store, &first).await.unwrap();
    enqueue(store, &work("apply", "c2", 0)).await;
    let dead = store.lease_work("dead", at(4_000), 30, &[]).await.unwrap().unwrap();
    assert_eq!(store.lease_work("w2", at(3_960), 30, &[]).await.unwrap(), None, "clocks may be a minute apart");
    let taken = store.lease_work("w2", at(400), 30, &[]).await.unwrap().expect("nobody holds work for an hour");
    assert!(matches!(finish(store, &dead).await, Err(Error::Fenced { .. })));
    finish(store, &taken).await.unwrap();
}

pub async fn work_enqueued_while_in_hand_runs_once_more(store: &Store) {
    enqueue(store, &work("apply", "c1", 0)).await;
    let leased = store.lease_work("w1", at(0), 30, &[]).await.unwrap().unwrap();
    assert!(!enqueue(store, &work("apply", "c1", 7)).await);
    assert!(!enqueue(store, &work("apply", "c1", 3)).await);
    finish(store, &leased).await.unwrap();
    assert_eq!(store.lease_work("w1", at(2), 30, &[]).await.unwrap(), None);
    let again = store.lease_work("w1", at(3), 30, &[]).await.unwrap().unwrap();
    finish(store, &again).await.unwrap();
    assert!(store.open_work().await.unwrap().is_empty());
}

pub async fn only_the_asked_kinds_are_leased(store: &Store) {
    for (kind, time) in [("analyze", 0), ("apply", 1), ("observe", 2)] {
        enqueue(store, &work(kind, "s", time)).await;
    }
    let leased = store.lease_work("w", at(9), 30, &["apply", "observe"]).await.unwrap().unwrap();
    assert_eq!(leased.kind, "apply", "the longest due first");
    let leased = store.lease_work("w", at(9), 30, &["apply", "observe"]).await.unwrap().unwrap();
    assert_eq!(leased.kind, "observe");
    assert_eq!(store.lease_work("w", at(9), 30, &["apply", "observe"]).await.unwrap(), None);
}

pub async fn cancelled_work_fences_its_worker_off(store: &Store) {
    enqueue(store, &work("apply", "c1", 0)).await;
    let leased = store.lease_work("w1", at(0), 30, &[]).await.unwrap().unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(tx.cancel_work("apply", "c1").await.unwrap());
    assert!(!tx.cancel_work("apply", "c1").await.unwrap());
    tx.commit().await.unwrap();
    enqueue(store, &work("apply", "c1", 0)).await;
    store.lease_work("w2", at(0), 30, &[]).await.unwrap().unwrap();
    assert!(matches!(finish(store, &leased).await, Err(Error::Fenced { .. })), "the same subject, but other work");
}

pub async fn thirty_two_writers_meet_no_lock(store: &Store) {
    let writers = (0..32).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..10 {
                let mut tx = store.begin().await?;
                let seen = tx.user_count().await?;
                tx.record(&event("test.written", "job", &format!("{writer}-{n}-{seen}"))).await?;
                tx.commit().await?;
                store.user_rows().await?;
            }
            Ok::<_, Error>(())
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    let report = store.verify_audit(None).await.unwrap();
    assert_eq!((report.entries, report.fault), (320, None));
}

pub async fn many_workers_share_the_queue_without_doing_anything_twice(store: &Store) {
    for n in 0..40 {
        enqueue(store, &work("analyze", &format!("s{n}"), n)).await;
    }
    let workers = (0..8).map(|worker| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut done = Vec::new();
            while let Some(leased) = store.lease_work(&format!("w{worker}"), at(100), 60, &["analyze"]).await.unwrap() {
                finish(&store, &leased).await.unwrap();
                done.push(leased.subject);
            }
            done
        })
    });
    let mut times: HashMap<String, u32> = HashMap::new();
    for worker in workers.collect::<Vec<_>>() {
        for subject in worker.await.unwrap() {
            *times.entry(subject).or_default() += 1;
        }
    }
    // A worker may find the queue empty for a moment while another has just taken the piece it looked at; nothing is done twice.
    assert!(times.values().all(|n| *n == 1), "{times:?}");
    let left = store.open_work().await.unwrap().len();
    assert_eq!(times.len() + left, 40);
}
