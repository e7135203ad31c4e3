//! The audit chain, the outbox, and what is found in them.

use crate::fixtures::{at, event, record, stored_change};
use headroom_model::auth::Teams;
use headroom_model::change::Substate;
use headroom_model::view::AuditQuery;
use headroom_store::{AuditHead, Error, Store};

pub async fn events_are_chained_published_and_found(store: &Store) {
    let names = ["change.submitted", "change.approved", "policy.changed"];
    for name in names {
        record(store, &event(name, "change", "c-1")).await;
    }
    let report = store.verify_audit(None).await.unwrap();
    assert_eq!((report.entries, &report.fault, report.head.as_ref().unwrap().seq), (3, &None, 3));

    let waiting = store.unpublished(10).await.unwrap();
    assert_eq!(waiting.iter().map(|(_, e)| e.name.as_str()).collect::<Vec<_>>(), names);
    let mut tx = store.begin().await.unwrap();
    tx.published(&[1, 2], at(9)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.unpublished(10).await.unwrap(), [(3, event("policy.changed", "change", "c-1"))]);

    let found = async |query: AuditQuery| {
        let page = store.audit_rows(&query, "reader", &Teams::ALL).await.unwrap();
        (page.total, page.items.into_iter().map(|row| row.seq).collect::<Vec<_>>())
    };
    let query = AuditQuery::default;
    assert_eq!(found(query()).await, (3, vec![3, 2, 1]));
    assert_eq!(found(AuditQuery { event: "change.".into(), ..query() }).await, (2, vec![2, 1]));
    assert_eq!(found(AuditQuery { q: "APPROVED".into(), ..query() }).await, (1, vec![2]));
    assert_eq!(found(AuditQuery { q: "100%".into(), ..query() }).await.0, 3, "reasons are searched, signs literally");
    assert_eq!(found(AuditQuery { q: "100_".into(), ..query() }).await.0, 0);
    assert_eq!(found(AuditQuery { actor: "ann".into(), ..query() }).await.0, 0);
    let first = store.audit_rows(&AuditQuery { limit: 2, ..query() }, "reader", &Teams::ALL).await.unwrap();
    let rest = AuditQuery { limit: 2, cursor: first.next_cursor.unwrap(), ..query() };
    let rest = store.audit_rows(&rest, "reader", &Teams::ALL).await.unwrap();
    assert_eq!((rest.items[0].seq, rest.next_cursor), (1, None));
    let bad = AuditQuery { cursor: "after-lunch".into(), ..query() };
    assert!(matches!(store.audit_rows(&bad, "reader", &Teams::ALL).await, Err(Error::BadCursor)));
    let about = store.events_about(&["c-1".into(), "c-2".into()], &[], 100).await.unwrap();
    assert_eq!(about.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(about[2].event, event("change.submitted", "change", "c-1"));
    let submitted = store.events_about(&["c-1".into(), "c-2".into()], &["change.submitted"], 1).await.unwrap();
    assert_eq!((submitted.len(), submitted[0].event.name.as_str()), (1, "change.submitted"));
    assert!(store.events_about(&[], &[], 100).await.unwrap().is_empty());
}

pub async fn an_aborted_transaction_leaves_no_entry(store: &Store) {
    record(store, &event("one", "job", "j")).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.record(&event("two", "job", "j")).await.unwrap(), 2);
    tx.roll_back().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.record(&event("dropped", "job", "j")).await.unwrap();
    drop(tx);
    assert_eq!(record(store, &event("three", "job", "j")).await, 2);
    let report = store.verify_audit(None).await.unwrap();
    assert_eq!((report.entries, report.fault), (2, None));
    assert_eq!(store.unpublished(10).await.unwrap().len(), 2);
}

pub async fn links_lead_to_pages(store: &Store) {
    let (service, recommendation, change) = stored_change(store, "a", Substate::PendingApproval).await;
    for (kind, subject) in [
        ("change", change.id.to_string()),
        ("recommendation", recommendation.id.to_string()),
        ("service", service.id.to_string()),
        ("session", "s".to_owned()),
    ] {
        record(store, &event("it.happened", kind, &subject)).await;
    }
    let rows = store.audit_rows(&AuditQuery::default(), "reader", &Teams::ALL).await.unwrap().items;
    let links: Vec<Option<&str>> = rows.iter().map(|row| row.link.as_deref()).collect();
    let page = format!("/recommendations/{}", recommendation.id);
    assert_eq!(links, [None, Some("/services/a"), Some(page.as_str()), Some(page.as_str())]);
}

pub async fn a_shortened_chain_is_betrayed_by_its_exported_end(store: &Store) {
    record(store, &event("one", "job", "j")).await;
    let head = store.verify_audit(None).await.unwrap().head.unwrap();
    record(store, &event("two", "job", "j")).await;
    assert_eq!(store.verify_audit(Some(&head)).await.unwrap().fault, None, "a longer chain still holds the exported end");
    for wrong in [AuditHead { seq: 9, ..head.clone() }, AuditHead { hash: "0".repeat(64), ..head }] {
        let fault = store.verify_audit(Some(&wrong)).await.unwrap().fault.unwrap();
        assert_eq!(fault.seq, wrong.seq);
    }
}
