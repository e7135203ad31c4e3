//! The product's main job, from an analysis to a verdict, over a real simulator and a real database.

use crate::house::House;
use headroom_model::auth::Role;
use headroom_model::change::{Refusal, Substate};
use headroom_model::effect::Judgement;
use headroom_model::policy::Scope;
use headroom_model::recommendation::RecommendationState;
use headroom_service::Error;

macro_rules! on_both_databases {
    ($($story:ident: $speed:literal),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story(crate::house::House::start($speed).await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story(crate::house::House::start_on_postgres($speed).await).await;
            })*
        }
    };
}

on_both_databases! {
    a_good_change_is_verified_and_a_harmful_one_takes_itself_back: 3600.0,
    every_refusal_names_its_cause_and_changes_nothing: 60.0,
    a_plan_whose_target_or_rules_have_changed_is_out_of_date: 60.0,
    what_was_dismissed_stays_away_until_it_is_opened_again: 60.0,
    what_was_dismissed_until_a_time_comes_back_when_it_is_over: 600.0,
    two_people_approve_and_a_wish_sends_a_change_back: 60.0,
    a_freeze_holds_a_change_until_it_ends_or_somebody_breaks_the_glass: 60.0,
    a_change_waits_for_its_time_and_an_approver_may_stop_it: 600.0,
}

async fn a_good_change_is_verified_and_a_harmful_one_takes_itself_back(house: House) {
    house.analysed().await;
    let open = house.open().await;
    assert!(open.len() >= 10, "only {} recommendations", open.len());

    let good = open
        .iter()
        .find(|p| p.refusal.is_none() && p.row.saving_month.is_some_and(|m| m.micros > 0) && p.row.title.starts_with("CPU"))
        .expect("somebody wastes CPU");
    let id = good.recommendation.id;
    assert!(!good.diff.is_empty());
    house.carry_out(id).await;
    let done = house.until(id, &[Substate::Applied, Substate::RolledBack, Substate::Failed]).await;
    let change = done.change.expect("there is a change");
    assert_eq!(change.state, Substate::Applied, "{:?}", change.reason);
    let effect = change.effect.expect("an effect was measured");
    assert!(effect.samples >= 12, "{effect:?}");
    if effect.judgement != Judgement::Inconclusive {
        let (promised, achieved) = (done.row.saving_month.unwrap().units(), effect.achieved_month.expect("priced").units());
        assert!((promised - achieved).abs() <= promised.abs() * 0.2 + 1.0, "promised {promised}, achieved {achieved}");
    }

    let victim = open
        .iter()
        .find(|p| {
            p.refusal.is_none()
                && p.service.id != good.service.id
                && p.row.expected.performance_gain_percent < 1.0
                && p.service.state.cpu_limit().is_some()
        })
        .expect("a service with a CPU limit");
    let container = victim.service.state.containers.keys().next().unwrap().clone();
    let (cpu, limit) = (format!("containers.{container}.requests.cpu"), format!("containers.{container}.limits.cpu"));
    let harmful = house.propose(&victim.recommendation.service_name, &[(&cpu, "20m"), (&limit, "20m")]).await;
    house.carry_out(harmful).await;
    let done = house.until(harmful, &[Substate::Applied, Substate::RolledBack, Substate::RollbackFailed, Substate::Failed]).await;
    let change = done.change.expect("there is a change");
    assert_eq!(change.state, Substate::RolledBack, "{:?} {:?}", change.reason, change.effect);
    assert!(change.reason.unwrap().starts_with("rolled back by itself"));
    let live = headroom_infra::Infrastructure::read(&house.simulator, &victim.service.key).await.unwrap();
    assert_eq!(live.state.fields()[&cpu], victim.service.state.fields()[&cpu]);

    house.headroom.roll_back(&house.approver(), id, "the quarter ends").await.unwrap();
    let done = house.until(id, &[Substate::RolledBack]).await;
    assert!(done.change.unwrap().reason.unwrap().contains("the quarter ends"));
    let live = headroom_infra::Infrastructure::read(&house.simulator, &good.service.key).await.unwrap();
    assert_eq!(live.state.fields(), good.service.state.fields());
    assert!(house.headroom.store().verify_audit(None).await.unwrap().fault.is_none());
}

async fn every_refusal_names_its_cause_and_changes_nothing(house: House) {
    house.analysed().await;
    let page = house.open().await.into_iter().find(|p| p.refusal.is_none()).expect("an open recommendation");
    let id = page.recommendation.id;
    let viewer = house.as_role("vera", Role::Viewer);
    assert!(matches!(house.headroom.submit(&viewer, id).await, Err(Error::Forbidden(_))));
    let nothing = headroom_service::parse_plan_hash(&"0".repeat(64)).unwrap();
    assert!(matches!(house.headroom.approve(&house.approver(), id, &nothing).await, Err(Error::Conflict(_))));

    let change = house.headroom.submit(&house.engineer(), id).await.unwrap();
    assert!(matches!(house.headroom.submit(&house.engineer(), id).await, Err(Error::Conflict(_))));
    assert!(matches!(house.headroom.approve(&house.engineer(), id, &change.plan_hash).await, Err(Error::Forbidden(_))));
    let own = house.as_role("engineer", Role::Approver);
    assert!(matches!(house.headroom.approve(&own, id, &change.plan_hash).await, Err(Error::Refusal(Refusal::OwnSubmission(_)))));
    assert!(matches!(house.headroom.approve(&house.approver(), id, &nothing).await, Err(Error::Refusal(Refusal::PlanMismatch { .. }))));
    assert!(matches!(
        house.headroom.apply(&house.approver(), id, &change.plan_hash).await,
        Err(Error::Refusal(Refusal::NotApproved { have: 0, need: 1 }))
    ));
    assert!(matches!(house.headroom.roll_back(&house.approver(), id, "no").await, Err(Error::Conflict(_))));
    assert!(matches!(house.headroom.reject(&house.approver(), id, "  ").await, Err(Error::Invalid { .. })));
    assert_eq!(house.page(id).await.change.unwrap().state, Substate::PendingApproval);

    house.headroom.reject(&house.approver(), id, "not before the release").await.unwrap();
    let page = house.page(id).await;
    assert_eq!(page.recommendation.state, RecommendationState::Open);
    assert_eq!(page.change.unwrap().state, Substate::Rejected);
    let again = house.headroom.submit(&house.engineer(), id).await.unwrap();
    assert_ne!(again.id, change.id);
    house.headroom.withdraw(&house.engineer(), id).await.unwrap();

    let git = house.headroom.store().all_services().await.unwrap().into_iter().find(|s| s.managed.refusal().is_some());
    let git = git.expect("the demonstration has a namespace that Git manages");
    let request = headroom_model::view::ProposeRequest {
        service_name: git.key.name,
        fields: [("replicas".into(), "9".into())].into(),
        reason: String::new(),
    };
    assert!(matches!(house.headroom.propose(&house.engineer(), &request).await, Err(Error::Refused(_))));
}

async fn a_plan_whose_target_or_rules_have_changed_is_out_of_date(house: House) {
    house.analysed().await;
    let mut open = house.open().await.into_iter().filter(|p| p.refusal.is_none());
    let (first, second) = (open.next().unwrap(), open.next().unwrap());
    let change = house.headroom.submit(&house.engineer(), first.recommendation.id).await.unwrap();
    house.headroom.approve(&house.approver(), first.recommendation.id, &change.plan_hash).await.unwrap();
    let touched = &change.plan.changes[0];
    let other = headroom_model::plan::FieldChange { field: touched.field.clone(), from: touched.from.clone(), to: touched.to.clone() };
    house.simulator.edit(&first.service.key, &[other]).await.unwrap();
    house.headroom.apply(&house.approver(), first.recommendation.id, &change.plan_hash).await.unwrap();
    let page = house.until(first.recommendation.id, &[Substate::Stale, Substate::Observing, Substate::Failed]).await;
    assert_eq!(page.change.unwrap().state, Substate::Stale);

    let id = second.recommendation.id;
    house.headroom.submit(&house.engineer(), id).await.unwrap();
    house.headroom.set_policy(&house.admin(), &Scope::Fleet, "rollback_threshold", "-20").await.unwrap();
    let change = house.page(id).await.change.unwrap();
    assert_eq!(change.state, Substate::Stale);
    assert!(change.reason.unwrap().contains("policy"));
}

async fn what_was_dismissed_stays_away_until_it_is_opened_again(house: House) {
    house.analysed().await;
    let id = house
        .open()
        .await
        .into_iter()
        .find(|p| p.recommendation.proposed_by == "engine")
        .expect("an open recommendation")
        .recommendation
        .id;
    assert!(matches!(house.headroom.reopen(&house.engineer(), id).await, Err(Error::Conflict(_))));
    house.headroom.dismiss(&house.engineer(), id, "the team shrinks it itself", None).await.unwrap();
    let before = house.open().await.len();
    house.analysed().await;
    assert_eq!(house.page(id).await.recommendation.state, RecommendationState::Dismissed);
    assert_eq!(house.open().await.len(), before, "the same proposal does not come back under another id");
    assert!(matches!(house.headroom.submit(&house.engineer(), id).await, Err(Error::Conflict(_))));
    house.headroom.reopen(&house.engineer(), id).await.unwrap();
    let page = house.page(id).await;
    assert_eq!((page.recommendation.state, page.recommendation.reason), (RecommendationState::Open, None));
    house.headroom.submit(&house.engineer(), id).await.unwrap();
}

async fn what_was_dismissed_until_a_time_comes_back_when_it_is_over(house: House) {
    house.analysed().await;
    let id =
        house.open().await.into_iter().find(|p| p.recommendation.proposed_by == "engine").expect("something is open").recommendation.id;
    let ahead = |secs: i64| Some(house.headroom.clocks().cluster.plus_secs(secs));
    for never in [ahead(-60), ahead(400 * 86_400)] {
        let refused = house.headroom.dismiss(&house.engineer(), id, "later", never).await;
        assert!(matches!(&refused, Err(error) if error.is_about("until")), "{refused:?}");
    }
    let until = ahead(3 * 3600);
    house.headroom.dismiss(&house.engineer(), id, "after the release", until).await.unwrap();
    let page = house.page(id).await;
    assert_eq!((page.recommendation.state, page.recommendation.dismissed_until), (RecommendationState::Dismissed, until));
    let open = house.open().await.len();
    house.analysed().await;
    assert_eq!(house.open().await.len(), open, "until then the same proposal does not come back under another id");
    let began = std::time::Instant::now();
    let page = loop {
        let page = house.page(id).await;
        if page.recommendation.state != RecommendationState::Dismissed {
            break page;
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(120), "it does not come back");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let came_back = page.timeline.iter().find(|e| e.name == "recommendation.reopened").expect("the timeline tells it");
    assert!(Some(came_back.cluster) >= until && came_back.text == "Opened again by headroom", "{came_back:?} {until:?}");
    assert_eq!((page.recommendation.dismissed_until, page.recommendation.reason), (None, None));
}

async fn two_people_approve_and_a_wish_sends_a_change_back(house: House) {
    house.analysed().await;
    house.headroom.set_policy(&house.admin(), &Scope::Fleet, "approvals_required", "2").await.unwrap();
    let id = house.open().await.into_iter().find(|p| p.refusal.is_none()).expect("an open recommendation").recommendation.id;
    let first = house.headroom.submit(&house.engineer(), id).await.unwrap();
    assert!(matches!(house.headroom.request_changes(&house.engineer(), id, "less").await, Err(Error::Forbidden(_))));
    assert!(matches!(house.headroom.request_changes(&house.approver(), id, " ").await, Err(Error::Invalid { .. })));
    house.headroom.request_changes(&house.approver(), id, "after the release").await.unwrap();
    let page = house.page(id).await;
    assert_eq!(page.recommendation.state, RecommendationState::Open);
    let sent_back = page.change.unwrap();
    assert_eq!((sent_back.state, sent_back.reason.as_deref()), (Substate::ChangesRequested, Some("after the release")));

    let second = house.headroom.submit(&house.engineer(), id).await.unwrap();
    assert_ne!(first.id, second.id);
    let (approver, other) = (house.approver(), house.as_role("bob", Role::Approver));
    let half = house.headroom.approve(&approver, id, &second.plan_hash).await.unwrap();
    assert_eq!(half.state, Substate::PendingApproval);
    let again = house.headroom.approve(&approver, id, &second.plan_hash).await;
    assert!(matches!(again, Err(Error::Refusal(Refusal::ApprovedBefore(_)))));
    let early = house.headroom.apply(&approver, id, &second.plan_hash).await;
    assert!(matches!(early, Err(Error::Refusal(Refusal::NotApproved { have: 1, need: 2 }))));
    assert_eq!(house.headroom.approve(&other, id, &second.plan_hash).await.unwrap().state, Substate::Approved);
    house.headroom.apply(&other, id, &second.plan_hash).await.unwrap();
    house.until(id, &[Substate::Observing]).await;
}

async fn a_freeze_holds_a_change_until_it_ends_or_somebody_breaks_the_glass(house: House) {
    house.analysed().await;
    let mut open = house.open().await.into_iter().filter(|p| p.refusal.is_none()).map(|p| p.recommendation.id);
    let (first, second) = (open.next().unwrap(), open.next().unwrap());
    let freeze = async |windows: &str| house.headroom.set_policy(&house.admin(), &Scope::Fleet, "change_windows", windows).await;
    for nonsense in ["on Fridays", "deny 99 * * * * for 1d", "deny 0 9 * * * for 1h in Europe/Atlantis"] {
        assert!(matches!(freeze(nonsense).await, Err(Error::Invalid { .. })), "{nonsense}");
    }
    freeze("deny * * * * * for 1d").await.unwrap();
    assert!(matches!(house.headroom.break_glass(&house.approver(), first, "now").await, Err(Error::Conflict(_))));
    for id in [first, second] {
        house.carry_out(id).await;
        let held = house.until(id, &[Substate::HeldByFreeze]).await.change.unwrap();
        assert!(held.reason.as_ref().is_some_and(|why| why.contains("deny * * * * * for 1d")), "{:?}", held.reason);
        assert_eq!(held.applied_at, None);
    }

    assert!(matches!(house.headroom.break_glass(&house.engineer(), first, "now").await, Err(Error::Forbidden(_))));
    assert!(matches!(house.headroom.break_glass(&house.approver(), first, "").await, Err(Error::Invalid { .. })));
    house.headroom.break_glass(&house.approver(), first, "customers wait").await.unwrap();
    let begun = house.until(first, &[Substate::Observing]).await;
    assert!(begun.timeline.iter().any(|e| e.name == "change.glass_broken" && e.detail.as_deref() == Some("customers wait")));
    house.headroom.roll_back(&house.approver(), first, "a roll-back needs no window").await.unwrap();
    house.until(first, &[Substate::RolledBack]).await;

    assert_eq!(house.page(second).await.change.unwrap().state, Substate::HeldByFreeze, "the glass was broken for one change");
    freeze("").await.unwrap();
    house.until(second, &[Substate::Observing]).await;
}

async fn a_change_waits_for_its_time_and_an_approver_may_stop_it(house: House) {
    house.analysed().await;
    let mut open = house.open().await.into_iter().filter(|p| p.refusal.is_none()).map(|p| p.recommendation.id);
    let (first, second) = (open.next().unwrap(), open.next().unwrap());
    let approver = house.approver();
    let mut at = None;
    for (id, hours) in [(first, 1), (second, 24)] {
        let hash = house.headroom.submit(&house.engineer(), id).await.unwrap().plan_hash;
        house.headroom.approve(&approver, id, &hash).await.unwrap();
        let ahead = |secs: i64| Some(house.headroom.own_context("now").now.cluster.plus_secs(secs));
        let far = house.headroom.apply_at(&approver, id, &hash, ahead(100 * 86_400)).await;
        assert!(matches!(far, Err(Error::Invalid { .. })), "{far:?}");
        let asked = house.headroom.apply_at(&approver, id, &hash, ahead(hours * 3600)).await.unwrap();
        at = at.or(Some(asked.not_before));
        house.until(id, &[Substate::Scheduled]).await;
    }
    let other = house.as_role("other", Role::Engineer);
    assert!(matches!(house.headroom.withdraw(&other, second).await, Err(Error::Refused(_))), "neither theirs nor theirs to approve");
    house.headroom.withdraw(&approver, second).await.unwrap();
    let begun = house.until(first, &[Substate::Observing]).await.change.unwrap();
    assert!(begun.applied_at >= at, "{:?} {at:?}", begun.applied_at);
    assert_eq!(house.page(second).await.change.unwrap().state, Substate::Withdrawn);
}
