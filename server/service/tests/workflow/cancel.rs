//! An analysis that is cancelled has one end, and writes nothing after it.

use crate::house::{Clock, House};
use headroom_infra::simulator::{Fault, FaultKind};
use headroom_model::auth::{Role, Teams};
use headroom_model::ids::JobId;
use headroom_model::job::{Job, JobState};
use headroom_model::view::AnalyzeRequest;
use headroom_service::{Error, WorkerOptions};
use std::time::{Duration, Instant};

/// How long the cluster keeps an analysis waiting that is cancelled meanwhile.
const NO_ANSWER: Duration = Duration::from_secs(2);
/// Races between the end of an analysis and its cancelling.
const ROUNDS: u32 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    what_is_cancelled_has_one_end("sqlite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    what_is_cancelled_has_one_end("postgres").await;
}

async fn what_is_cancelled_has_one_end(database: &str) {
    let house = House::by_hand_with_history(database, &Clock::new(), NO_ANSWER).await;
    one_that_waits_is_never_begun(&house).await;
    one_that_runs_writes_nothing_more(&house).await;
    at_the_moment_of_its_end_it_is_one_or_the_other(&house).await;
    assert_eq!(house.headroom.store().verify_audit(None).await.unwrap().fault, None);
}

async fn one_that_waits_is_never_begun(house: &House) {
    let id = asked(house).await;
    let (viewer, stranger) =
        (house.as_role("vera", Role::Viewer), house.in_teams("sam", Role::Engineer, Teams::of(["nobody's".to_owned()])));
    assert!(matches!(house.headroom.cancel(&viewer, id).await, Err(Error::Forbidden(_))));
    assert!(matches!(house.headroom.cancel(&stranger, id).await, Err(Error::NotFound { .. })));
    house.headroom.cancel(&house.engineer(), id).await.unwrap();
    assert!(matches!(house.headroom.cancel(&house.engineer(), id).await, Err(Error::Conflict(_))));
    assert!(work(house).await, "its work is still in the queue");
    assert_eq!(events(house, id).await, ["job.queued", "job.cancelled"]);
    let job = cancelled(house, id).await;
    assert_eq!(job.reason.as_deref(), Some("cancelled by engineer"));
}

async fn one_that_runs_writes_nothing_more(house: &House) {
    let id = asked(house).await;
    // What there is room for is asked of the cluster, which does not answer.
    house.simulator.inject_fault(Fault { kind: FaultKind::Timeout, calls: 1, apply_only: false }).await.unwrap();
    let cancel = async {
        while state(house, id).await != JobState::Analyzing {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        house.headroom.cancel(&house.engineer(), id).await.unwrap();
    };
    let (done, ()) = tokio::join!(work(house), cancel);
    assert!(done);
    cancelled(house, id).await;
    assert_eq!(events(house, id).await, ["job.queued", "job.analyzing", "job.cancelled"]);
    assert_eq!(house.open().await.len(), 0, "it has made recommendations all the same");
    let same = asked(house).await;
    assert!(work(house).await);
    assert_eq!(state(house, same).await, JobState::RecommendationsReady, "there was something to find");
}

async fn at_the_moment_of_its_end_it_is_one_or_the_other(house: &House) {
    let began = Instant::now();
    let id = asked(house).await;
    work(house).await;
    let takes = began.elapsed();
    assert_eq!(state(house, id).await, JobState::RecommendationsReady);
    let mut ends = [0, 0];
    for round in 0..ROUNDS {
        let id = asked(house).await;
        let late = async {
            tokio::time::sleep(takes * round / ROUNDS * 3 / 2).await;
            house.headroom.cancel(&house.engineer(), id).await
        };
        let (_, answer) = tokio::join!(work(house), late);
        let (state, events) = (state(house, id).await, events(house, id).await);
        let last = format!("job.{}", state.as_str().to_lowercase());
        assert_eq!(events.last(), Some(&last), "round {round}");
        let named = |event: &&String| !matches!(event.as_str(), "job.queued" | "job.analyzing");
        assert_eq!(events.iter().filter(named).count(), 1, "round {round}: {events:?}");
        match answer {
            Ok(_) => assert_eq!(state, JobState::Cancelled, "round {round}"),
            Err(Error::Conflict(_)) => assert_eq!(state, JobState::RecommendationsReady, "round {round}"),
            Err(other) => panic!("round {round}: {other:?}"),
        }
        ends[usize::from(state == JobState::Cancelled)] += 1;
    }
    assert!(ends.iter().all(|n| *n > 0), "ended by itself, cancelled: {ends:?}");
}

async fn asked(house: &House) -> JobId {
    let request = AnalyzeRequest { service_name: "fleet".to_owned(), ..AnalyzeRequest::default() };
    house.headroom.analyze(&house.engineer(), &request).await.unwrap().id
}

async fn work(house: &House) -> bool {
    let options = WorkerOptions { owner: "test".to_owned(), lease_secs: 30, poll: Duration::from_secs(1) };
    house.headroom.work_once(&options, &["analyze"]).await.unwrap()
}

async fn state(house: &House, id: JobId) -> JobState {
    house.headroom.store().job(id).await.unwrap().unwrap().state
}

async fn cancelled(house: &House, id: JobId) -> Job {
    let job = house.headroom.store().job(id).await.unwrap().unwrap();
    assert_eq!((job.state, job.recommendations.len()), (JobState::Cancelled, 0));
    assert!(job.completed_at.is_some());
    job
}

/// What the chain says of it, oldest first.
async fn events(house: &House, id: JobId) -> Vec<String> {
    let mut rows = house.headroom.store().events_about(&[id.to_string()], &[], 100).await.unwrap();
    rows.sort_by_key(|row| row.seq);
    rows.into_iter().map(|row| row.event.name).collect()
}
