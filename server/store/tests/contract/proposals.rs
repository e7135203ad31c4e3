//! Jobs, recommendations, changes and what comes of them.

use crate::fixtures::{
    at, change, insert_change, job, recommendation, save_change, stored_change, stored_recommendation, stored_service, usd,
};
use headroom_model::auth::Teams;
use headroom_model::change::Substate;
use headroom_model::ids::RecommendationId;
use headroom_model::job::{Job, JobState, OptimizationStatus, OptimizationType};
use headroom_model::policy::{PolicyPatch, Scope};
use headroom_model::recommendation::RecommendationState;
use headroom_model::view::{ChangeQuery, Comment};
use headroom_store::{Error, Judged, LedgerEntry, Outcome, Store, TrackRecord};
use uuid::Uuid;

pub async fn a_recommendation_comes_back_as_it_was(store: &Store) {
    let service = stored_service(store, "a").await;
    let proposed = recommendation(&service);
    stored_recommendation(store, &proposed).await;
    assert_eq!(store.recommendation(proposed.id).await.unwrap().as_ref(), Some(&proposed));
    assert_eq!(store.recommendations_of_job(proposed.job_id).await.unwrap(), std::slice::from_ref(&proposed));
    let row = store.recommendation_row(proposed.id).await.unwrap().unwrap();
    assert_eq!((row.title.as_str(), row.saving_month, row.substate), ("CPU 2 → 1", Some(usd(40.0)), None));
    assert_eq!((row.status, row.restarts_pods), (OptimizationStatus::RecommendationsReady, true));
    assert_eq!((row.bar, row.expected), (Some(proposed.proposal.bars[0].clone()), proposed.proposal.expected.clone()));

    assert_eq!(store.team_of(proposed.id).await.unwrap().as_deref(), Some(service.team.as_str()));
    assert_eq!(store.team_of(RecommendationId(Uuid::nil())).await.unwrap(), None);

    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.recommendation_for_update(proposed.id).await.unwrap(), proposed);
    assert!(matches!(tx.recommendation_for_update(RecommendationId(Uuid::nil())).await, Err(Error::NotFound { .. })));
    assert!(matches!(tx.put_recommendation(&proposed).await, Err(Error::Taken { .. })));
    let mut foreign = recommendation(&service);
    foreign.service_id.0 = Uuid::nil();
    assert!(matches!(tx.put_recommendation(&foreign).await, Err(Error::NotFound { what: "service", .. })));
    tx.set_recommendation_state(proposed.id, RecommendationState::Dismissed, Some("not now")).await.unwrap();
    tx.commit().await.unwrap();
    let dismissed = store.recommendation(proposed.id).await.unwrap().unwrap();
    assert_eq!((dismissed.state, dismissed.reason.as_deref()), (RecommendationState::Dismissed, Some("not now")));
    // For good, it is due at no time; until a time, from then on.
    assert!(store.recommendations_due(at(1_000_000)).await.unwrap().is_empty());
    let mut tx = store.begin().await.unwrap();
    tx.dismiss_recommendation(proposed.id, "not yet", Some(at(500))).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.recommendation(proposed.id).await.unwrap().unwrap().dismissed_until, Some(at(500)));
    assert_eq!(store.recommendations_due(at(499)).await.unwrap(), []);
    assert_eq!(store.recommendations_due(at(500)).await.unwrap(), [proposed.id]);
    let mut tx = store.begin().await.unwrap();
    tx.set_recommendation_state(proposed.id, RecommendationState::Open, None).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.recommendations_due(at(500)).await.unwrap().is_empty());
    assert_eq!(store.recommendation(RecommendationId(Uuid::nil())).await.unwrap(), None);
}

pub async fn a_long_name_is_no_fault(store: &Store) {
    let service = stored_service(store, "a").await;
    let name = format!("cluster:namespace:{}", "ü".repeat(200));
    let mut proposed = recommendation(&service);
    proposed.service_name.clone_from(&name);
    stored_recommendation(store, &proposed).await;
    assert_eq!(store.recommendation(proposed.id).await.unwrap().unwrap().service_name, name);
    let asked = Job { service_name: name.clone(), ..job(&service) };
    let mut tx = store.begin().await.unwrap();
    tx.put_job(&asked).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.job(asked.id).await.unwrap().unwrap().service_name, name);
}

pub async fn a_nul_is_refused(store: &Store) {
    let proposal = recommendation(&stored_service(store, "a").await);
    stored_recommendation(store, &proposal).await;
    let proposed = proposal.id;
    let mut tx = store.begin().await.unwrap();
    let comment = Comment { by: "ann".into(), at: at(0), text: "a\0b".into() };
    assert!(matches!(tx.add_comment(proposed, &comment).await, Err(Error::Nul)));
    drop(tx);
    assert!(store.comments(proposed, 100).await.unwrap().is_empty());
}

pub async fn superseding_spares_what_people_proposed(store: &Store) {
    let service = stored_service(store, "a").await;
    let (old, mut scaling, mut own) = (recommendation(&service), recommendation(&service), recommendation(&service));
    scaling.proposal.optimization_type = OptimizationType::Scaling;
    own.proposed_by = "ann".into();
    for one in [&old, &scaling, &own] {
        stored_recommendation(store, one).await;
    }
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.supersede(service.id, &[OptimizationType::Resource], "newer data").await.unwrap(), [old.id]);
    assert_eq!(tx.supersede(service.id, &[], "newer data").await.unwrap(), [scaling.id]);
    assert_eq!(tx.own_open(service.id).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(store.standing_recommendations(&[service.id]).await.unwrap(), [own]);
    assert!(store.standing_recommendations(&[]).await.unwrap().is_empty());
    assert_eq!(store.recommendation(old.id).await.unwrap().unwrap().state, RecommendationState::Superseded);
}

pub async fn one_change_holds_a_service(store: &Store) {
    let (service, first, mut held) = stored_change(store, "a", Substate::PendingApproval).await;
    assert_eq!(store.held_by(service.id).await.unwrap(), Some(held.id));
    let second = recommendation(&service);
    stored_recommendation(store, &second).await;
    let mut other = change(&service, &second, Substate::PendingApproval);
    let Err(Error::TargetBusy { by }) = insert_change(store, &other).await else { panic!("two changes hold one service") };
    assert_eq!(by, held.id);
    let mut again = change(&service, &first, Substate::PendingApproval);
    again.id = held.id;
    again.state = Substate::Withdrawn;
    assert!(matches!(insert_change(store, &again).await, Err(Error::Taken { what: "change", .. })));

    held.advance(Substate::Withdrawn).unwrap();
    save_change(store, &held, 0).await.unwrap();
    insert_change(store, &other).await.unwrap();
    assert_eq!(store.held_by(service.id).await.unwrap(), Some(other.id));

    held.state = Substate::RollbackRequested;
    held.version = 2;
    assert!(matches!(save_change(store, &held, 1).await, Err(Error::TargetBusy { by }) if by == other.id));
    other.advance(Substate::Rejected).unwrap();
    save_change(store, &other, 0).await.unwrap();
    save_change(store, &held, 1).await.unwrap();
}

pub async fn a_stale_change_is_not_written(store: &Store) {
    let (_, recommendation, mut change) = stored_change(store, "a", Substate::PendingApproval).await;
    let seen = change.plan_hash.clone();
    change.approve("another", &seen, at(300)).unwrap();
    save_change(store, &change, 0).await.unwrap();
    let mut rejected = change.clone();
    rejected.state = Substate::Rejected;
    let Err(Error::Stale { expected, found, .. }) = save_change(store, &rejected, 0).await else { panic!("a stale change was written") };
    assert_eq!((expected, found), (0, 1));
    assert_eq!(store.change(change.id).await.unwrap().as_ref(), Some(&change));
    assert_eq!(store.latest_change(recommendation.id).await.unwrap().as_ref(), Some(&change));
    assert_eq!(store.changes_in(&[Substate::Approved, Substate::Observing]).await.unwrap(), [change.clone()]);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.change_for_update(change.id).await.unwrap(), change);
    assert_eq!(tx.latest_change(recommendation.id).await.unwrap(), Some(change.clone()));
    change.id.0 = Uuid::nil();
    assert!(matches!(tx.save_change(&change, 1).await, Err(Error::NotFound { what: "change", .. })));
}

pub async fn the_recommendation_follows_its_newest_change(store: &Store) {
    let (service, recommendation, mut change) = stored_change(store, "a", Substate::PendingApproval).await;
    let row = async || store.recommendation_row(recommendation.id).await.unwrap().unwrap();
    assert_eq!((row().await.substate, row().await.status), (Some(Substate::PendingApproval), OptimizationStatus::RecommendationsReady));
    change.state = Substate::Observing;
    change.applied_at = Some(at(400));
    change.version = 1;
    save_change(store, &change, 0).await.unwrap();
    assert_eq!((row().await.substate, row().await.status), (Some(Substate::Observing), OptimizationStatus::Applying));
    let listed = store.change_rows(&ChangeQuery::default(), &Teams::ALL).await.unwrap().items.remove(0);
    assert_eq!((listed.title.as_str(), listed.applied_at, listed.approved_by), ("CPU 2 → 1", Some(at(400)), vec!["approver".to_owned()]));
    assert_eq!((listed.promised_month, listed.achieved_month), (Some(usd(40.0)), None));
    assert_eq!(store.changes_of(service.id, 9).await.unwrap()[0].id, change.id);
}

pub async fn an_older_change_does_not_overwrite_the_view_of_the_newest(store: &Store) {
    let (service, recommendation, mut old) = stored_change(store, "a", Substate::PendingApproval).await;
    old.advance(Substate::Rejected).unwrap();
    save_change(store, &old, 0).await.unwrap();
    let mut new = change(&service, &recommendation, Substate::PendingApproval);
    new.submitted_at = at(500);
    insert_change(store, &new).await.unwrap();
    old.reason = Some("explained later".into());
    old.version = 2;
    save_change(store, &old, 1).await.unwrap();
    let row = store.recommendation_row(recommendation.id).await.unwrap().unwrap();
    assert_eq!(row.substate, Some(Substate::PendingApproval));
    assert_eq!(store.latest_change(recommendation.id).await.unwrap().unwrap().id, new.id);
    let without = crate::fixtures::recommendation(&service);
    stored_recommendation(store, &without).await;
    let both = [recommendation.id, without.id, RecommendationId(Uuid::nil())];
    let newest = store.latest_changes(&both).await.unwrap();
    assert_eq!((newest.len(), newest[&recommendation.id].id), (1, new.id));
    let mut ids = store.change_ids(&both).await.unwrap();
    ids.sort_by_key(|(_, change)| *change != old.id);
    assert_eq!(ids, [(recommendation.id, old.id), (recommendation.id, new.id)]);
    assert_eq!(store.changes_of(service.id, 1).await.unwrap().iter().map(|c| c.id).collect::<Vec<_>>(), [new.id]);
    let whole = store.recommendations(&both).await.unwrap();
    assert_eq!((whole.len(), &whole[&without.id]), (2, &without));
    let rows = store.recommendation_rows_by_id(&both).await.unwrap();
    assert_eq!((rows.len(), rows.iter().any(|r| r.id == without.id)), (2, true));
    assert_eq!(store.recommendation_rows_of(service.id, 1).await.unwrap().len(), 1);
}

pub async fn comments_come_oldest_first(store: &Store) {
    let service = stored_service(store, "a").await;
    let recommendation = recommendation(&service);
    stored_recommendation(store, &recommendation).await;
    let comment = |n: i64| Comment { by: "ann".into(), at: at(n), text: format!("thought {n}") };
    let mut tx = store.begin().await.unwrap();
    for n in [2, 1] {
        tx.add_comment(recommendation.id, &comment(n)).await.unwrap();
    }
    let unknown = tx.add_comment(RecommendationId(Uuid::nil()), &comment(3)).await;
    assert!(matches!(unknown, Err(Error::NotFound { what: "recommendation", .. })));
    tx.commit().await.unwrap();
    assert_eq!(store.comments(recommendation.id, 100).await.unwrap(), [comment(1), comment(2)]);
    assert_eq!(store.comments(recommendation.id, 1).await.unwrap(), [comment(2)]);
}

pub async fn jobs_come_back_and_unfinished_ones_are_found(store: &Store) {
    let service = stored_service(store, "a").await;
    let mut job = job(&service);
    let put = async |job: &Job| {
        let mut tx = store.begin().await.unwrap();
        tx.put_job(job).await.unwrap();
        tx.commit().await.unwrap();
    };
    put(&job).await;
    assert_eq!(store.unfinished_jobs().await.unwrap(), [job.clone()]);
    let mut made = recommendation(&service);
    made.job_id = job.id;
    stored_recommendation(store, &made).await;
    job.state = JobState::RecommendationsReady;
    job.completed_at = Some(at(50));
    put(&job).await;
    assert_eq!(store.job(job.id).await.unwrap().as_ref(), Some(&job));
    assert!(store.unfinished_jobs().await.unwrap().is_empty());
    assert_eq!(store.team_of_job(job.id).await.unwrap().as_deref(), Some(service.team.as_str()));
    let row = store.job_rows(10, &Teams::ALL).await.unwrap().remove(0);
    assert_eq!((row.id, row.state, row.recommendations, row.completed_at), (job.id, JobState::RecommendationsReady, 1, Some(at(50))));
}

pub async fn outcomes_make_a_track_record(store: &Store) {
    let (service, recommendation, change) = stored_change(store, "a", Substate::Applied).await;
    assert!(store.track_records().await.unwrap().is_empty());
    let mut outcome = Outcome {
        change_id: change.id,
        recommendation_id: recommendation.id,
        service_id: service.id,
        strategy: "cpu_right_size".into(),
        optimization_type: OptimizationType::Resource,
        confidence: 0.9,
        promised: recommendation.proposal.expected,
        promised_month: Some(usd(40.0)),
        measured: None,
        achieved_month: None,
        kept: None,
        at: at(600),
    };
    let put = async |outcome: &Outcome| {
        let mut tx = store.begin().await.unwrap();
        tx.put_outcome(outcome).await?;
        tx.commit().await
    };
    put(&outcome).await.unwrap();
    assert!(store.track_records().await.unwrap().is_empty(), "what is inconclusive does not count");
    outcome.kept = Some(true);
    outcome.achieved_month = Some(usd(39.0));
    put(&outcome).await.unwrap();
    let (_, _, broken) = stored_change(store, "b", Substate::RolledBack).await;
    let mut failed = Outcome { change_id: broken.id, kept: Some(false), at: at(700), ..outcome.clone() };
    failed.promised.uncorrected = None;
    put(&failed).await.unwrap();
    let judged = |said, kept| Judged { strategy: "cpu_right_size".into(), said, kept };
    let newest_first = [judged(0.9, false), judged(0.8, true)];
    assert_eq!(store.judged(100).await.unwrap(), newest_first, "an older version kept the corrected one only");
    assert_eq!(store.judged(1).await.unwrap(), newest_first[..1]);
    let all = store.track_records().await.unwrap();
    assert_eq!(all, [TrackRecord { strategy: "cpu_right_size".into(), judged: 2, kept: 1 }]);
    assert_eq!(store.outcomes(Some("cpu_right_size")).await.unwrap(), [outcome.clone(), failed]);
    assert!(store.outcomes(Some("cache")).await.unwrap().is_empty());
    outcome.change_id.0 = Uuid::nil();
    assert!(matches!(put(&outcome).await, Err(Error::NotFound { what: "change", .. })));
}

pub async fn the_ledger_counts_what_is_in_force(store: &Store) {
    let mut entries = Vec::new();
    for (n, achieved) in [Some(30.0), None, Some(5.0)].into_iter().enumerate() {
        let (service, _, change) = stored_change(store, &format!("s{n}"), Substate::Applied).await;
        let entry = LedgerEntry {
            change_id: change.id,
            service_id: service.id,
            promised_month: usd(40.0),
            achieved_month: achieved.map(usd),
            in_force: true,
            at: at(n as i64),
        };
        entries.push(entry);
    }
    entries[2].in_force = false;
    let mut tx = store.begin().await.unwrap();
    for entry in &entries {
        tx.put_ledger(entry).await.unwrap();
    }
    tx.put_ledger(&entries[0]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.ledger(&Teams::ALL).await.unwrap(), entries);
    assert_eq!(store.ledger_curve(&Teams::ALL).await.unwrap(), [(at(0).secs(), 40.0, 30.0)]);
    let row =
        store.change_rows(&ChangeQuery { service_name: "s0".into(), ..ChangeQuery::default() }, &Teams::ALL).await.unwrap().items.remove(0);
    assert_eq!(row.achieved_month, Some(usd(30.0)));
}

pub async fn policies_come_widest_first(store: &Store) {
    let service = stored_service(store, "a").await;
    let patch = |confidence| PolicyPatch { confidence_threshold: Some(confidence), ..PolicyPatch::default() };
    let scopes = [Scope::Service(service.id.to_string()), Scope::Team("trading".into()), Scope::Fleet, Scope::Team("kyb".into())];
    let mut tx = store.begin().await.unwrap();
    for (n, scope) in scopes.iter().enumerate() {
        tx.put_policy(scope, &patch(n as f64 / 10.0), "admin", at(1)).await.unwrap();
    }
    tx.put_policy(&Scope::Fleet, &patch(0.8), "boss", at(2)).await.unwrap();
    assert_eq!(tx.policy_patch(&Scope::Fleet).await.unwrap(), patch(0.8));
    assert_eq!(tx.policy_patch(&Scope::Team("none".into())).await.unwrap(), PolicyPatch::default());
    tx.put_setting("currency", "USD").await.unwrap();
    tx.put_setting("currency", "EUR").await.unwrap();
    tx.commit().await.unwrap();
    let labels: Vec<String> = store.policies().await.unwrap().into_iter().map(|row| row.label).collect();
    assert_eq!(labels, ["Fleet", "Team kyb", "Team trading", "Service a"]);
    let fleet = store.policies().await.unwrap().remove(0);
    assert_eq!((fleet.by.as_str(), fleet.at, fleet.patch), ("boss", at(2), patch(0.8)));
    let found = store.policy_patches("production", "trading", service.id).await.unwrap();
    assert_eq!(found, [patch(0.8), patch(0.1), patch(0.0)]);
    assert_eq!(store.setting("currency").await.unwrap().as_deref(), Some("EUR"));
    assert_eq!(store.setting("colour").await.unwrap(), None);
}
