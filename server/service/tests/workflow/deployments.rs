//! Deploys: told and seen, and what is put down to them.

use crate::house::{CALL, Clock, House};
use headroom_model::auth::{Role, Teams};
use headroom_model::benchmark::BenchmarkRun;
use headroom_model::chart::Ink;
use headroom_model::deployment::Deploy;
use headroom_model::time::Timestamp;
use headroom_model::view::{DeploymentQuery, PageOf};
use headroom_service::Error;

const SERVICE: &str = "market-data-api";

fn version(version: &str) -> Deploy {
    Deploy { version: version.into(), ..Deploy::default() }
}

/// A step from 100 to 130 at `at`, one run an hour.
fn stepped(at: Timestamp) -> Vec<BenchmarkRun> {
    let run = |i: i64| BenchmarkRun {
        benchmark: "parse".into(),
        unit: "ms".into(),
        higher_is_better: None,
        values: vec![if i < 0 { 100.0 } else { 130.0 } + (i.rem_euclid(5) * 7 % 3) as f64],
        commit: None,
        at: Some(at.plus_secs(3600 * i)),
    };
    (-15..15).map(run).collect()
}

async fn a_deploy_in_the_cluster_is_recorded_once(database: &str) {
    let clock = Clock::new();
    let house = House::by_hand(database, &clock, CALL).await;
    let service = house.headroom.store().service_named(SERVICE).await.unwrap();
    let all = DeploymentQuery::default();
    let list = async || -> PageOf<_> { house.headroom.deployments(&house.engineer(), &all).await.unwrap() };
    assert_eq!(list().await.total, 0, "what runs at the first look was not deployed then");
    house.simulator.deploy(&service.key, "1.1.0").await.unwrap();
    house.headroom.ingest().await.unwrap();
    house.headroom.ingest().await.unwrap();
    let seen = list().await.items;
    let [one] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((one.service_name.as_str(), one.version.as_str(), one.seen, one.at), (SERVICE, "1.1.0", true, clock.now()));
    assert_eq!(one.cluster_at, house.headroom.clocks().cluster);
    let audit = house.headroom.store().events_about(&[one.id.to_string()], &[], 100).await.unwrap();
    assert_eq!(
        audit.iter().map(|e| (e.event.name.as_str(), e.event.actor.as_str())).collect::<Vec<_>>(),
        [("deployment.recorded", "headroom")]
    );

    // The pipeline that made it tells of it, too: once and then once more.
    clock.pass(60);
    let told = Deploy { commit: Some("abc".into()), ..version("1.1.0") };
    for _ in 0..2 {
        let kept = house.headroom.record_deployment(&house.engineer(), SERVICE, &told).await.unwrap();
        assert_eq!((kept.id, kept.commit.as_deref(), kept.at), (one.id, Some("abc"), one.at));
    }
    assert_eq!(list().await.total, 1);
}

async fn a_step_is_put_down_to_the_deploy_before_it(database: &str) {
    let clock = Clock::new();
    let house = House::by_hand(database, &clock, CALL).await;
    let engineer = house.engineer();
    let at = clock.now().plus_secs(-40 * 3600);
    let tell = async |version: &str, secs: i64| {
        let deploy = Deploy { version: version.into(), at: Some(at.plus_secs(secs)), commit: Some("0123456789abcdef".into()), link: None };
        house.headroom.record_deployment(&engineer, SERVICE, &deploy).await.unwrap();
    };
    tell("1.1.0", -7200).await;
    let id = house.headroom.import_benchmarks(&engineer, "s", SERVICE, &stepped(at)).await.unwrap()[0].id;
    let cause = async || house.headroom.benchmark(&engineer, id).await.unwrap().steps[0].cause.clone();
    let of = |version: &str| Some(format!("{version} deployed, commit 0123456789ab"));
    assert_eq!(cause().await, of("1.1.0"));
    // What is told afterwards counts as well; what came after the first run of the new level does not, however near.
    tell("1.3.0", 60).await;
    assert_eq!(cause().await, of("1.1.0"));
    tell("1.2.0", -1800).await;
    assert_eq!(cause().await, of("1.2.0"), "it came between the runs before and after");
    let chart = house.headroom.benchmark_chart(&engineer, id).await.unwrap();
    assert_eq!(chart.marks.iter().filter(|m| m.ink == Ink::Aside).count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_in_the_cluster_is_recorded_once_sqlite() {
    a_deploy_in_the_cluster_is_recorded_once("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_in_the_cluster_is_recorded_once_postgres() {
    a_deploy_in_the_cluster_is_recorded_once("postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_put_down_to_the_deploy_before_it_sqlite() {
    a_step_is_put_down_to_the_deploy_before_it("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_put_down_to_the_deploy_before_it_postgres() {
    a_step_is_put_down_to_the_deploy_before_it("postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_tell_of_a_deploy_leaves_nothing() {
    let house = House::by_hand("sqlite", &Clock::new(), CALL).await;
    let viewer = house.as_role("vera", Role::Viewer);
    assert!(matches!(house.headroom.record_deployment(&viewer, SERVICE, &version("1")).await, Err(Error::Forbidden(_))));
    let other = house.in_teams("otto", Role::Engineer, Teams::of(["nobodys"]));
    assert!(matches!(house.headroom.record_deployment(&other, SERVICE, &version("1")).await, Err(Error::NotFound { .. })));
    let late = Deploy { at: Some(house.headroom.clocks().wall.plus_secs(900)), ..version("1") };
    for (deploy, field) in [(version(""), "version"), (late, "at")] {
        let fault = house.headroom.record_deployment(&house.engineer(), SERVICE, &deploy).await.unwrap_err();
        assert!(fault.is_about(field), "{fault}");
    }
    assert_eq!(house.headroom.deployments(&house.engineer(), &DeploymentQuery::default()).await.unwrap().total, 0);
}
