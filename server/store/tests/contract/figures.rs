//! Figures over everything.

use crate::fixtures::{CLUSTER, at, change, insert_change, recommendation, service_in, stored_recommendation, summary, usd, with_services};
use headroom_model::auth::Teams;
use headroom_model::change::Substate;
use headroom_model::effect::{Effect, Judgement};
use headroom_model::metric::Metric;
use headroom_store::{LedgerEntry, Store};

pub async fn the_frame_counts_what_waits_for_this_person(store: &Store) {
    assert_eq!(store.counts("ann", &Teams::ALL).await.unwrap(), headroom_store::Counts::default());
    let services: Vec<_> = ["a", "b", "c", "d"].iter().map(|name| service_in(CLUSTER, "n", name, "t")).collect();
    with_services(store, &services).await;
    let mut other = service_in("import", "n", "e", "t");
    other.calls.clear();
    with_services(store, &[other]).await;
    for (service, state, by) in [
        (&services[0], Substate::PendingApproval, "engineer"),
        (&services[1], Substate::PendingApproval, "ann"),
        (&services[2], Substate::Observing, "ann"),
    ] {
        let proposed = recommendation(service);
        stored_recommendation(store, &proposed).await;
        let mut change = change(service, &proposed, state);
        change.requested_by = by.into();
        insert_change(store, &change).await.unwrap();
    }
    let mut tx = store.begin().await.unwrap();
    tx.append_frame(CLUSTER, 600, 60, &[(services[0].id, Metric::CpuUsage, 1.0)]).await.unwrap();
    tx.append_frame(CLUSTER, 300, 60, &[(services[0].id, Metric::CpuUsage, 1.0)]).await.unwrap();
    tx.commit().await.unwrap();
    let counts = store.counts("ann", &Teams::ALL).await.unwrap();
    assert_eq!((counts.services, counts.open, counts.waiting, counts.active_changes), (5, 3, 1, 1));
    assert_eq!(counts.clusters, [CLUSTER, "import"]);
    assert_eq!(counts.newest_sample.map(|t| t.secs()), Some(600));
    assert_eq!(store.counts("approver", &Teams::ALL).await.unwrap().waiting, 2);
    assert_eq!(store.newest_sample(Some(CLUSTER)).await.unwrap(), Some(600));
    assert_eq!(store.newest_sample(Some("import")).await.unwrap(), None);
    assert_eq!(store.newest_sample(None).await.unwrap(), Some(600));
}

pub async fn the_overview_adds_up(store: &Store) {
    let empty = store.overview_numbers(&Teams::ALL).await.unwrap();
    assert_eq!((empty.services, empty.spend_month, empty.analysed_at), (0, usd(0.0), None));
    let services: Vec<_> =
        [("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")].iter().map(|(name, team)| service_in(CLUSTER, "n", name, team)).collect();
    with_services(store, &services).await;
    let judged = |judgement| Effect {
        judgement,
        summary: String::new(),
        metrics: Vec::new(),
        from: at(0),
        to: at(1),
        samples: 12,
        achieved_month: None,
    };
    let ends = [
        (Substate::Applied, Some(Judgement::Better)),
        (Substate::RolledBack, Some(Judgement::Worse)),
        (Substate::Closed, Some(Judgement::Inconclusive)),
        (Substate::Rejected, None),
    ];
    for (service, (state, judgement)) in services.iter().zip(ends) {
        let proposed = recommendation(service);
        stored_recommendation(store, &proposed).await;
        let mut change = change(service, &proposed, state);
        change.effect = judgement.map(judged);
        insert_change(store, &change).await.unwrap();
        let achieved_month = (judgement == Some(Judgement::Better)).then(|| usd(35.0));
        let entry = LedgerEntry {
            change_id: change.id,
            service_id: service.id,
            promised_month: usd(40.0),
            achieved_month,
            in_force: state == Substate::Applied,
            at: at(3),
        };
        let mut tx = store.begin().await.unwrap();
        tx.put_ledger(&entry).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = store.begin().await.unwrap();
    tx.put_summaries(&[summary(&services[0], Some(100.0)), summary(&services[2], Some(300.0)), summary(&services[3], None)]).await.unwrap();
    tx.commit().await.unwrap();
    let numbers = store.overview_numbers(&Teams::ALL).await.unwrap();
    assert_eq!((numbers.services, numbers.teams, numbers.unpriced, numbers.open), (4, 2, 2, 4));
    assert_eq!((numbers.verified, numbers.rolled_back, numbers.finished), (1, 1, 3));
    assert_eq!((numbers.spend_month, numbers.open_month), (usd(400.0), usd(160.0)));
    assert_eq!((numbers.achieved_month, numbers.promised_month), (usd(35.0), usd(40.0)));
    assert_eq!(numbers.analysed_at, Some(at(60)));

    let teams = store.team_costs(&Teams::ALL).await.unwrap();
    assert_eq!((teams[0].team.as_str(), teams[0].services, teams[0].cost_month, teams[0].idle), ("y", 2, usd(300.0), 0.5));
    assert_eq!((teams[1].team.as_str(), teams[1].cost_month), ("x", usd(100.0)));
    let (cpu, memory) = store.headroom_dots(&Teams::ALL).await.unwrap();
    assert_eq!((cpu.len(), memory.len()), (2, 0), "without a price or a request there is no dot");
    assert_eq!((cpu[0].service_name.as_str(), cpu[0].peak_share, cpu[0].cost_month), ("a", 0.5, 100.0));

    let x = Teams::of(["x"]);
    let numbers = store.overview_numbers(&x).await.unwrap();
    assert_eq!((numbers.services, numbers.teams, numbers.spend_month), (2, 1, usd(100.0)));
    assert!(numbers.open < 4 && numbers.finished < 3, "{numbers:?}");
    assert_eq!(store.team_costs(&x).await.unwrap().iter().map(|t| t.team.as_str()).collect::<Vec<_>>(), ["x"]);
    assert_eq!(store.headroom_dots(&x).await.unwrap().0.len(), 1);
    assert_eq!(store.counts("somebody", &x).await.unwrap().services, 2);
    assert!(store.ledger(&x).await.unwrap().len() < store.ledger(&Teams::ALL).await.unwrap().len());
    let nobodys = Teams::of(["nobody"]);
    assert_eq!(store.overview_numbers(&nobodys).await.unwrap().services, 0);
    let counts = store.counts("somebody", &nobodys).await.unwrap();
    assert_eq!((counts.services, counts.open, counts.waiting, counts.active_changes), (0, 0, 0, 0));
}
