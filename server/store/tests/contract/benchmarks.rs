//! Benchmarks, their runs and steps.

use crate::fixtures::{at, stored_service};
use headroom_model::auth::Teams;
use headroom_model::benchmark::{BenchmarkRun, BenchmarkStep};
use headroom_model::ids::BenchmarkId;
use headroom_model::view::BenchmarkQuery;
use headroom_store::{BenchmarkKey, Error, Store};
use uuid::Uuid;

fn key(team: &str, name: &str) -> BenchmarkKey {
    BenchmarkKey { team: team.into(), suite: "parser".into(), name: name.into(), unit: "ns".into() }
}

fn run(values: &[f64], commit: Option<&str>) -> BenchmarkRun {
    BenchmarkRun {
        benchmark: "parse".into(),
        unit: "ns".into(),
        higher_is_better: None,
        values: values.to_vec(),
        commit: commit.map(str::to_owned),
        at: None,
    }
}

fn step(secs: i64, worse: bool) -> BenchmarkStep {
    BenchmarkStep { at: at(secs), commit: None, before: 1.0, after: 2.0, percent: Some(100.0), p_value: 0.001, worse, cause: None }
}

async fn names(store: &Store, query: &BenchmarkQuery, teams: &Teams) -> Vec<String> {
    store.benchmark_rows(query, teams).await.unwrap().items.into_iter().map(|row| row.name).collect()
}

pub async fn a_run_of_the_same_time_and_commit_replaces_the_one_before(store: &Store) {
    let service = stored_service(store, "a").await;
    let mut tx = store.begin().await.unwrap();
    let (id, higher_is_better) = tx.benchmark(&key(&service.team, "parse"), true, Some(service.id)).await.unwrap();
    assert!(higher_is_better);
    let again = tx.benchmark(&key(&service.team, "parse"), false, None).await.unwrap();
    assert_eq!(again, (id, true), "one name, one benchmark, one direction");
    tx.put_benchmark_run(id, &run(&[3.0, 1.0, 2.0], Some("abc")), at(20)).await.unwrap();
    tx.put_benchmark_run(id, &run(&[7.0], None), at(10)).await.unwrap();
    tx.put_benchmark_run(id, &run(&[5.0, 4.0, 6.0], Some("abc")), at(20)).await.unwrap();
    tx.put_benchmark_steps(id, &[step(10, false), step(20, true)]).await.unwrap();
    assert_eq!(tx.benchmark_points(id, 1).await.unwrap()[0].centre, 5.0, "the newest first, when not all are asked for");
    tx.commit().await.unwrap();

    assert_eq!(store.benchmark_service(id).await.unwrap(), Some(service.id));
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.stepped_benchmarks(service.id).await.unwrap(), [(id, vec![step(10, false), step(20, true)])]);
    let (level, _) = tx.benchmark(&key(&service.team, "level"), false, Some(service.id)).await.unwrap();
    tx.put_benchmark_run(level, &run(&[1.0], None), at(10)).await.unwrap();
    tx.put_benchmark_steps(level, &[]).await.unwrap();
    assert_eq!(tx.stepped_benchmarks(service.id).await.unwrap().len(), 1, "one that has never stepped is none");
    drop(tx);
    let (row, steps) = store.benchmark_row(id, &Teams::ALL).await.unwrap().unwrap();
    assert_eq!((row.name.as_str(), row.runs, row.latest, row.latest_at), ("parse", 2, 5.0, at(20)));
    assert_eq!((row.service_name.as_deref(), row.higher_is_better), (Some("a"), true), "an import without a service leaves it as it is");
    assert_eq!((steps, row.step), (vec![step(10, false), step(20, true)], Some(step(20, true))));
    let points = store.benchmark_runs(id, 10).await.unwrap();
    assert_eq!(points.iter().map(|p| (p.at, p.centre, p.values)).collect::<Vec<_>>(), [(at(10), 7.0, 1), (at(20), 5.0, 3)]);
    assert_eq!((points[0].commit.as_deref(), points[1].commit.as_deref(), points[1].range), (None, Some("abc"), (4.0, 6.0)));
    assert_eq!(store.benchmark_rows_of(&[id]).await.unwrap().len(), 1);
    let all = [(at(10), vec![7.0]), (at(20), vec![5.0, 4.0, 6.0])];
    assert_eq!(store.benchmark_values(id, None, 9).await.unwrap(), all, "values keep their order");
    assert_eq!(store.benchmark_values(id, Some(at(10)), 1).await.unwrap(), all[1..], "the newest first, when not all are asked for");
    assert_eq!(store.benchmark_values(id, Some(at(11)), 9).await.unwrap(), all[1..]);
    assert_eq!(store.benchmark_values(BenchmarkId(Uuid::nil()), None, 9).await.unwrap(), []);
}

pub async fn benchmarks_are_listed_by_team_suite_and_step(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    for (team, name, steps) in
        [("web", "a", vec![step(5, true)]), ("web", "b_x", vec![step(9, false)]), ("ops", "c", vec![]), ("ops", "bix", vec![step(7, true)])]
    {
        let (id, _) = tx.benchmark(&key(team, name), false, None).await.unwrap();
        tx.put_benchmark_run(id, &run(&[1.0], None), at(50)).await.unwrap();
        tx.put_benchmark_steps(id, &steps).await.unwrap();
    }
    tx.commit().await.unwrap();
    let all = BenchmarkQuery::default();
    assert_eq!(names(store, &all, &Teams::ALL).await, ["b_x", "bix", "a", "c"], "the newest step first, what has none last");
    assert_eq!(names(store, &all, &Teams::of(["web"])).await, ["b_x", "a"]);
    assert_eq!(names(store, &BenchmarkQuery { view: "worse".into(), ..all.clone() }, &Teams::ALL).await, ["bix", "a"]);
    assert_eq!(names(store, &BenchmarkQuery { view: "better".into(), ..all.clone() }, &Teams::ALL).await, ["b_x"]);
    assert_eq!(names(store, &BenchmarkQuery { search: "B_".into(), ..all.clone() }, &Teams::ALL).await, ["b_x"]);
    assert_eq!(names(store, &BenchmarkQuery { suite: "other".into(), ..all.clone() }, &Teams::ALL).await.len(), 0);
    assert_eq!(names(store, &BenchmarkQuery { sort: "-name".into(), ..all.clone() }, &Teams::ALL).await, ["c", "bix", "b_x", "a"]);
    let mut paged = Vec::new();
    let mut query = BenchmarkQuery { limit: 1, ..all.clone() };
    loop {
        let page = store.benchmark_rows(&query, &Teams::ALL).await.unwrap();
        paged.extend(page.items.into_iter().map(|row| row.name));
        let Some(next) = page.next_cursor else { break };
        query.cursor = next;
    }
    assert_eq!(paged, ["b_x", "bix", "a", "c"]);
    assert_eq!(store.benchmark_suites(&Teams::ALL).await.unwrap(), ["parser"]);
    assert_eq!(store.benchmark_suites(&Teams::of(["nobody"])).await.unwrap().len(), 0);
    let fault = store.benchmark_rows(&BenchmarkQuery { view: "odd".into(), ..all }, &Teams::ALL).await.unwrap_err();
    assert!(matches!(fault, Error::BadFilter { field: "view", .. }), "{fault}");
    let unknown = store.begin().await.unwrap().put_benchmark_steps(BenchmarkId(Uuid::nil()), &[]).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound { .. }), "{unknown}");
}
