//! Runs of benchmarks: what their steps are put down to, and what they are compared with.

use crate::house::{CALL, Clock, House};
use headroom_model::benchmark::{BenchmarkRun, Verdict};
use headroom_model::change::Substate;
use headroom_model::time::Timestamp;
use headroom_model::view::BenchmarkQuery;
use headroom_service::Error;
use std::collections::BTreeMap;

fn run(at: Timestamp, value: f64) -> BenchmarkRun {
    BenchmarkRun {
        benchmark: "parse".into(),
        unit: "ms".into(),
        higher_is_better: None,
        values: vec![value, value + 0.1, value - 0.1],
        commit: None,
        at: Some(at),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_put_down_to_the_change_before_it_by_the_walls_clock() {
    let clock = Clock::new();
    let house = House::by_hand("sqlite", &clock, CALL).await;
    let service = house.with_replicas().await.swap_remove(0);
    let more = service.state.replicas.unwrap() + 1;
    let id = house.propose(&service.key.name, &[("replicas", &more.to_string())]).await;
    house.carry_out(id).await;
    while house.change(id).await.state != Substate::Observing {
        house.wait(&clock).await;
        house.step().await;
    }
    let change = house.change(id).await;
    let written = clock.now();
    assert!(written.secs_since(change.applied_at.unwrap()) > 5 * 86_400, "the cluster's clock is another");
    clock.pass(15 * 3600);

    let before = (1..=15).rev().map(|i| run(written.plus_secs(-3600 * i), 100.0 + (i * 7 % 3) as f64));
    let after = (1..=15).map(|i| run(written.plus_secs(3600 * i), 130.0 + (i * 7 % 3) as f64));
    let runs: Vec<BenchmarkRun> = before.chain(after).collect();
    let rows = house.headroom.import_benchmarks(&house.engineer(), "s", &service.key.name, &runs).await.unwrap();
    let step = rows[0].step.clone().expect("the level has stepped");
    assert!(step.worse && step.cause.as_deref().is_some_and(|cause| cause.starts_with(&change.id.short())), "{step:?}");

    let page = house.headroom.benchmark(&house.engineer(), rows[0].id).await.unwrap();
    let against = page.against.unwrap();
    assert_eq!((against.runs, against.baseline_values, against.new_values), (10, 30, 3));
    assert_eq!((against.from, against.to), (runs[19].at.unwrap(), runs[28].at.unwrap()), "the ten runs before the newest");
    assert_eq!(against.comparison.unwrap().verdict, Verdict::Unclear, "three values exclude nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_baseline_does_not_reach_behind_the_last_step() {
    let house = House::by_hand("sqlite", &Clock::new(), CALL).await;
    let at = |i: i64| Timestamp::from_secs(1_700_000_000 + 3600 * i);
    let many = |i: i64, level: f64| BenchmarkRun { values: (0..20).map(|v| level + (v * 7 % 5) as f64).collect(), ..run(at(i), 0.0) };
    let mut runs: Vec<BenchmarkRun> = (0..30).map(|i| many(i, if i < 24 { 100.0 } else { 140.0 } + (i % 3) as f64)).collect();
    let import = async |runs: &[BenchmarkRun]| house.headroom.import_benchmarks(&house.engineer(), "s", "", runs).await;
    let id = import(&runs).await.unwrap()[0].id;
    let page = house.headroom.benchmark(&house.engineer(), id).await.unwrap();
    let step = page.steps.last().unwrap().at;
    let before = page.points.iter().filter(|p| p.at >= step).count() as u32 - 1;
    assert!((1..10).contains(&before), "{:?}", page.steps);
    assert_eq!(page.against.map(|a| (a.runs, a.from)), Some((before, step)));

    import(&[many(30, 170.0)]).await.unwrap();
    let against = house.headroom.benchmark(&house.engineer(), id).await.unwrap().against.unwrap();
    let found = against.comparison.unwrap();
    assert_eq!((found.verdict, found.cliffs_delta), (Verdict::Slower, 1.0));
    assert!(found.low_percent > 10.0 && found.shift_percent < 30.0, "{found:?}");

    runs.truncate(1);
    let once = BenchmarkRun { benchmark: "once".into(), ..runs[0].clone() };
    let id = import(std::slice::from_ref(&once)).await.unwrap()[0].id;
    assert_eq!(house.headroom.benchmark(&house.engineer(), id).await.unwrap().against, None, "one run has nothing before it");
    let twice = import(&[once.clone(), once]).await.unwrap_err();
    assert!(matches!(&twice, Error::Invalid { field, .. } if field == "runs"), "{twice}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_benchmark_keeps_its_direction() {
    let clock = Clock::new();
    let house = House::by_hand("sqlite", &clock, CALL).await;
    let at = |i: i64| clock.now().plus_secs(-3600 * i);
    let says = |i: i64, higher_is_better| BenchmarkRun { higher_is_better, ..run(at(i), 100.0) };
    let import = async |runs: &[BenchmarkRun]| house.headroom.import_benchmarks(&house.engineer(), "s", "", runs).await;
    let higher = async |runs: &[BenchmarkRun]| import(runs).await.unwrap()[0].higher_is_better;
    assert!(higher(&[says(9, None), says(8, Some(true))]).await, "what one run of the request says is of the benchmark");
    assert!(higher(&[says(7, None)]).await && higher(&[says(6, Some(true))]).await);

    let other = |higher_is_better| BenchmarkRun { benchmark: "other".into(), ..says(5, higher_is_better) };
    let later = BenchmarkRun { at: Some(at(4)), ..other(Some(false)) };
    for runs in [vec![other(None), says(5, Some(false))], vec![other(Some(true)), later]] {
        let refused = import(&runs).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid { field, .. } if field == "higher_is_better"), "{refused}");
    }
    assert!(!higher(&[other(None)]).await, "nothing was kept of what was refused");
    let seen = house.headroom.benchmarks(&house.engineer(), &BenchmarkQuery::default()).await.unwrap().items;
    assert_eq!(seen.iter().map(|b| (b.name.as_str(), b.runs)).collect::<BTreeMap<_, _>>(), [("other", 1), ("parse", 4)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_the_future_is_refused() {
    let clock = Clock::new();
    let house = House::by_hand("sqlite", &clock, CALL).await;
    let import =
        async |ahead| house.headroom.import_benchmarks(&house.engineer(), "s", "", &[run(clock.now().plus_secs(ahead), 1.0)]).await;
    let refused = import(301).await.unwrap_err();
    assert!(matches!(&refused, Error::Invalid { field, .. } if field == "at"), "{refused}");
    import(300).await.unwrap();
}
