//! Many people press the same button at the same moment: one effect. `ROUNDS` says how often, 3 times without.

use crate::house::House;
use headroom_infra::Infrastructure;
use headroom_model::auth::Role;
use headroom_model::change::Substate;
use headroom_service::Error;
use std::sync::Arc;

/// Who presses at once.
const PEOPLE: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    sixty_four_at_once_have_one_effect(House::start(60.0).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    sixty_four_at_once_have_one_effect(House::start_on_postgres(60.0).await).await;
}

async fn sixty_four_at_once_have_one_effect(house: House) {
    let rounds: u32 = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    house.analysed().await;
    let service = house.open().await.into_iter().find(|p| p.refusal.is_none()).expect("an open recommendation").service;
    for round in 0..rounds {
        let replicas = service.state.replicas.unwrap_or(1) + 1 + round % 2;
        let id = house.propose(&service.key.name, &[("replicas", &replicas.to_string())]).await;
        let change = house.headroom.submit(&house.engineer(), id).await.unwrap();

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
