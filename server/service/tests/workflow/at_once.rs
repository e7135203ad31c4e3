//! Many people press the same button at the same moment: one effect. A round is a seed; seeds.rs says how many there are.

use crate::house::House;
use crate::house::seeds::{Row, Run};
use headroom_infra::Infrastructure;
use headroom_model::auth::Role;
use headroom_model::change::{Change, Substate};
use headroom_model::ids::RecommendationId;
use headroom_service::Error;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const ROW: Row = Row { name: "at_once", full: 1_000, short: 3, batch: 100 };
/// Who presses at once.
const PEOPLE: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    ROW.run("sqlite", sixty_four_at_once_have_one_effect).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    ROW.run("postgres", sixty_four_at_once_have_one_effect).await;
}

async fn sixty_four_at_once_have_one_effect(run: &Run, rounds: Range<u64>) {
    let house = House::small_and_busy(run.database()).await;
    let service = house.with_replicas().await.swap_remove(0);
    for round in rounds {
        let _trial = run.trial(round);
        // The cluster is looked at again after what ended the round before.
        while house.headroom.store().service(service.id).await.unwrap().unwrap().state != service.state {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let replicas = u64::from(service.state.replicas.unwrap()) + 1 + round % 2;
        let id = house.propose(&service.key.name, &[("replicas", &replicas.to_string())]).await;
        let change = submitted_or_put_aside(&house, id, round).await;

        let approvals = together(&house, |headroom, ctx| {
            let seen = change.plan_hash.clone();
            async move { headroom.approve(&ctx, id, &seen).await.map(drop) }
        })
        .await;
        let given = approvals.iter().filter(|a| a.is_ok()).count();
        assert_eq!(given, 1, "round {round}: {approvals:?}");
        assert!(
            approvals.iter().all(|a| matches!(a, Ok(()) | Err(Error::Refusal(_) | Error::Conflict(_)))),
            "round {round}: {approvals:?}"
        );

        let starts = together(&house, |headroom, ctx| {
            let seen = change.plan_hash.clone();
            async move { headroom.apply(&ctx, id, &seen).await.map(drop) }
        })
        .await;
        assert!(starts.iter().any(Result::is_ok), "round {round}: {starts:?}");
        assert!(starts.iter().all(|a| matches!(a, Ok(()) | Err(Error::Refusal(_) | Error::Conflict(_)))), "round {round}: {starts:?}");
        house.until(id, &[Substate::Observing]).await;

        together(&house, |headroom, ctx| async move { headroom.roll_back(&ctx, id, "enough").await.map(drop) }).await;
        house.until(id, &[Substate::RolledBack]).await;
        let writes = house.simulator.mutations(change.id).await.unwrap();
        assert_eq!(writes.len(), 2, "round {round}: one write and one back, not {writes:?}");
    }
    assert_eq!(house.headroom.store().verify_audit(None).await.unwrap().fault, None);
}

/// Half of them submit it while the others put it aside: it happens to be one of the two. In the end it is submitted.
async fn submitted_or_put_aside(house: &House, id: RecommendationId, round: u64) -> Change {
    let turn = AtomicUsize::new(0);
    let done = together(house, |headroom, ctx| {
        let submits = turn.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        async move { if submits { headroom.submit(&ctx, id).await.map(drop) } else { headroom.dismiss(&ctx, id, "not now", None).await } }
    })
    .await;
    assert_eq!(done.iter().filter(|d| d.is_ok()).count(), 1, "round {round}: {done:?}");
    if let Some(change) = house.headroom.store().latest_change(id).await.unwrap() {
        return change;
    }
    house.headroom.reopen(&house.engineer(), id).await.unwrap();
    house.headroom.submit(&house.engineer(), id).await.unwrap()
}

/// Lets everybody do something at once; what each was answered.
async fn together<F>(
    house: &House,
    act: impl Fn(Arc<headroom_service::Headroom>, headroom_model::auth::OpContext) -> F,
) -> Vec<Result<(), Error>>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let tasks: Vec<_> = (0..PEOPLE)
        .map(|n| tokio::spawn(act(Arc::clone(&house.headroom), house.as_role(&format!("approver{n}"), Role::Approver))))
        .collect();
    let mut answers = Vec::with_capacity(PEOPLE);
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}
