//! Samples: what goes in comes out, whichever way it is stored.

use crate::fixtures::{CLUSTER, service, stored_service, with_services};
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::time::DAY;
use headroom_store::{Column, Compacted, ServiceDay, Store};

const CPU: Metric = Metric::CpuUsage;
const STEP: i64 = 300;

async fn frame(store: &Store, at: i64, samples: &[(ServiceId, Metric, f32)]) {
    let mut tx = store.begin().await.unwrap();
    tx.append_frame(CLUSTER, at, STEP as u32, samples).await.unwrap();
    tx.commit().await.unwrap();
}

async fn columns(store: &Store, from: i64, step: u32, columns: &[Column]) {
    let mut tx = store.begin().await.unwrap();
    tx.put_columns(CLUSTER, from, step, columns).await.unwrap();
    tx.commit().await.unwrap();
}

async fn history(store: &Store, id: ServiceId, from: i64, to: i64) -> ServiceHistory {
    store.history(&[id], None, from, to).await.unwrap().remove(&id).unwrap_or_default()
}

fn same(series: &Series, start: i64, step: u32, values: &[f32]) {
    let bits = |values: &[f32]| values.iter().map(|v| if v.is_nan() { u32::MAX } else { v.to_bits() }).collect::<Vec<_>>();
    assert_eq!((series.start, series.step), (start, step));
    assert_eq!(bits(&series.values), bits(values), "{:?} is not {values:?}", series.values);
}

pub async fn head_and_chunks_are_one_history(store: &Store) {
    let id = stored_service(store, "a").await.id;
    columns(store, DAY - 2 * STEP, STEP as u32, &[(id, CPU, vec![1.0, 2.0, 3.0])]).await;
    frame(store, DAY + STEP, &[(id, CPU, 4.0), (id, Metric::LatencyP99, 9.0)]).await;
    let expected = |h: &ServiceHistory| {
        same(&h.metrics[&CPU], DAY - 2 * STEP, 300, &[1.0, 2.0, 3.0, 4.0]);
        same(&h.metrics[&Metric::LatencyP99], DAY - 2 * STEP, 300, &[f32::NAN, f32::NAN, f32::NAN, 9.0]);
    };
    expected(&history(store, id, 0, 2 * DAY).await);
    let closed = store.compact(CLUSTER, 2 * DAY).await.unwrap();
    assert_eq!(closed, Compacted { days: 1, chunks: 2 });
    expected(&history(store, id, 0, 2 * DAY).await);
    assert_eq!(store.compact(CLUSTER, 2 * DAY).await.unwrap(), Compacted::default());

    let window = history(store, id, DAY, DAY + STEP).await;
    same(&window.metrics[&CPU], DAY, 300, &[3.0]);
    assert!(!window.metrics.contains_key(&Metric::LatencyP99), "a metric without a sample in the window is left out");
    let one = store.history(&[id], Some(&[Metric::LatencyP99]), 0, 2 * DAY).await.unwrap();
    assert_eq!(one[&id].metrics.keys().collect::<Vec<_>>(), [&Metric::LatencyP99]);
    assert!(store.history(&[id], None, 5 * DAY, 6 * DAY).await.unwrap().is_empty());
    assert!(store.history(&[id], None, 6, 6).await.unwrap().is_empty());
}

pub async fn late_samples_are_merged_when_compacted(store: &Store) {
    let id = stored_service(store, "a").await.id;
    for n in [0, 1, 4] {
        frame(store, n * STEP, &[(id, CPU, n as f32)]).await;
    }
    frame(store, DAY, &[(id, CPU, 50.0)]).await;
    assert_eq!(store.compact(CLUSTER, DAY + 60).await.unwrap(), Compacted { days: 1, chunks: 1 });
    frame(store, 2 * STEP, &[(id, CPU, 20.0)]).await;
    frame(store, STEP, &[(id, CPU, 10.0)]).await;
    let expected = [0.0, 10.0, 20.0, f32::NAN, 4.0];
    same(&history(store, id, 0, DAY).await.metrics[&CPU], 0, 300, &expected);
    assert_eq!(store.compact(CLUSTER, DAY + 60).await.unwrap(), Compacted { days: 1, chunks: 1 });
    same(&history(store, id, 0, DAY).await.metrics[&CPU], 0, 300, &expected);
    same(&history(store, id, DAY, 2 * DAY).await.metrics[&CPU], DAY, 300, &[50.0]);
}

pub async fn gaps_stay_gaps_and_the_last_write_wins(store: &Store) {
    let id = stored_service(store, "a").await.id;
    frame(store, 0, &[(id, CPU, 1.0)]).await;
    frame(store, STEP, &[(id, CPU, f32::NAN)]).await;
    frame(store, 2 * STEP + 7, &[(id, CPU, 3.0)]).await;
    frame(store, 0, &[(id, CPU, 5.0)]).await;
    frame(store, 0, &[(id, CPU, f32::NAN)]).await;
    same(&history(store, id, 0, DAY).await.metrics[&CPU], 0, 300, &[5.0, f32::NAN, 3.0]);
    columns(store, DAY, 300, &[(id, CPU, vec![1.0, 2.0, 3.0])]).await;
    columns(store, DAY, 300, &[(id, CPU, vec![7.0, f32::NAN])]).await;
    same(&history(store, id, DAY, 2 * DAY).await.metrics[&CPU], DAY, 300, &[7.0, 2.0, 3.0]);
}

pub async fn steps_are_merged_on_the_coarsest_grid(store: &Store) {
    let id = stored_service(store, "a").await.id;
    columns(store, 0, 300, &[(id, CPU, vec![1.0, 2.0]), (id, Metric::OomKills, vec![1.0, 0.0])]).await;
    let mut tx = store.begin().await.unwrap();
    for n in 0..10i64 {
        let samples = [(id, CPU, n as f32), (id, Metric::OomKills, 1.0), (id, Metric::MemoryWorkingSet, n as f32)];
        tx.append_frame(CLUSTER, 600 + n * 60, 60, &samples).await.unwrap();
    }
    tx.commit().await.unwrap();
    let check = |h: &ServiceHistory| {
        same(&h.metrics[&CPU], 0, 300, &[1.0, 2.0, 2.0, 7.0]);
        same(&h.metrics[&Metric::OomKills], 0, 300, &[1.0, 0.0, 5.0, 5.0]);
        same(&h.metrics[&Metric::MemoryWorkingSet], 0, 300, &[f32::NAN, f32::NAN, 4.0, 9.0]);
    };
    check(&history(store, id, 0, DAY).await);
    store.compact(CLUSTER, DAY).await.unwrap();
    check(&history(store, id, 0, DAY).await);
}

pub async fn a_fleet_is_streamed_in_batches(store: &Store) {
    let services: Vec<_> = (0..7).map(|n| service(&format!("s{n}"))).collect();
    with_services(store, &services).await;
    let all: Vec<Column> = services.iter().enumerate().map(|(n, s)| (s.id, CPU, vec![n as f32; 600])).collect();
    columns(store, 0, 300, &all).await;
    let mut batches = Vec::new();
    store.for_each_history(&[], Some(&[CPU]), 0, 3 * DAY, 3, |some| batches.push(some)).await.unwrap();
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    for (id, history) in batches.into_iter().flatten() {
        let n = services.iter().position(|s| s.id == id).unwrap();
        same(&history.metrics[&CPU], 0, 300, &vec![n as f32; 600]);
    }
    assert_eq!(store.history(&[], None, 0, 3 * DAY).await.unwrap().len(), 7);
    let turned: Vec<_> = services.iter().rev().cloned().collect();
    assert_eq!(store.in_storage_order(turned), services, "as they were stored");
}

pub async fn old_samples_are_forgotten_in_whole_days(store: &Store) {
    let id = stored_service(store, "a").await.id;
    columns(store, 0, 3600, &[(id, CPU, vec![1.0; 72])]).await;
    assert_eq!(store.forget_samples_before(CLUSTER, DAY + 5000).await.unwrap(), 1);
    let left = history(store, id, 0, 9 * DAY).await;
    assert_eq!((left.metrics[&CPU].start, left.metrics[&CPU].values.len()), (DAY, 48));
    assert_eq!(store.forget_samples_before("elsewhere", 9 * DAY).await.unwrap(), 0);
    let days: Vec<i64> = store.service_days(&[id], 0, 9).await.unwrap().iter().map(|d| d.day).collect();
    assert_eq!(days, [1, 2], "and what was kept of them");
}

pub async fn the_newest_values_are_known(store: &Store) {
    let id = stored_service(store, "a").await.id;
    columns(store, 0, 300, &[(id, CPU, vec![1.0, 2.0]), (id, Metric::LatencyP99, vec![8.0, f32::NAN])]).await;
    frame(store, 900, &[(id, CPU, 3.0)]).await;
    let latest = store.latest(id, DAY).await.unwrap();
    assert_eq!((latest[&CPU].value, latest[&CPU].at.secs()), (3.0, 900));
    assert_eq!((latest[&Metric::LatencyP99].value, latest[&Metric::LatencyP99].at.secs()), (8.0, 0));
    assert_eq!(latest.len(), 2);
}

pub async fn an_aborted_frame_leaves_no_series(store: &Store) {
    let id = stored_service(store, "a").await.id;
    let mut tx = store.begin().await.unwrap();
    tx.append_frame(CLUSTER, 0, 300, &[(id, CPU, 1.0)]).await.unwrap();
    drop(tx);
    let stranger = service("stranger").id;
    let mut tx = store.begin().await.unwrap();
    let fault = tx.append_frame(CLUSTER, 0, 300, &[(stranger, CPU, 1.0)]).await.unwrap_err();
    assert!(matches!(fault, headroom_store::Error::NotFound { what: "service", .. }), "{fault}");
    drop(tx);
    frame(store, 0, &[(id, Metric::LatencyP99, 2.0), (id, CPU, 3.0)]).await;
    let history = history(store, id, 0, DAY).await;
    same(&history.metrics[&CPU], 0, 300, &[3.0]);
    same(&history.metrics[&Metric::LatencyP99], 0, 300, &[2.0]);
}

async fn keep(store: &Store, days: &[ServiceDay]) {
    let mut tx = store.begin().await.unwrap();
    tx.keep_days(days).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn what_was_kept_of_a_day_goes_when_its_samples_change(store: &Store) {
    let services = [service("a"), service("b")];
    with_services(store, &services).await;
    let [a, b] = [services[0].id, services[1].id];
    columns(store, 0, 3600, &[(a, CPU, vec![1.0; 48]), (a, Metric::RequestRate, vec![1.0; 24]), (b, CPU, vec![1.0; 24])]).await;
    let days = async |from, to| store.service_days(&[a, b], from, to).await.unwrap();
    let found = days(0, 9).await;
    let mut places: Vec<_> = found.iter().map(|d| (d.service, d.day, d.version, d.sketch.is_some())).collect();
    places.sort_unstable();
    let mut expected = [(a, 0, 1, false), (a, 1, 1, false), (b, 0, 1, false)];
    expected.sort_unstable();
    assert_eq!(places, expected);
    let kept: Vec<ServiceDay> = found.into_iter().map(|d| ServiceDay { sketch: Some(vec![d.day as u8, 7]), ..d }).collect();
    keep(store, &kept).await;
    assert_eq!(days(0, 9).await, kept);
    assert_eq!(days(1, 1).await, kept.iter().filter(|d| d.day == 1).cloned().collect::<Vec<_>>());

    // A late sample: once it is in the day's chunk, what was kept of that day is gone, and what was made of the day before cannot come back.
    frame(store, DAY + 600, &[(a, Metric::RequestRate, 5.0)]).await;
    assert_eq!(store.open_since(&[a, b], 0).await.unwrap().get(&a), Some(&(DAY + 600)));
    assert_eq!(store.open_since(&[a, b], 2 * DAY).await.unwrap().len(), 0);
    store.compact(CLUSTER, 3 * DAY).await.unwrap();
    assert!(store.open_since(&[a, b], 0).await.unwrap().is_empty());
    let of = |days: &[ServiceDay], service, day| days.iter().find(|d| d.service == service && d.day == day).cloned().unwrap();
    let after = days(0, 9).await;
    assert_eq!((of(&after, a, 1).version, of(&after, a, 1).sketch), (2, None));
    assert_eq!((of(&after, a, 0), of(&after, b, 0)), (of(&kept, a, 0), of(&kept, b, 0)), "others stay");
    keep(store, &kept).await;
    assert_eq!(of(&days(0, 9).await, a, 1).sketch, None, "it was made of the samples before");
}
