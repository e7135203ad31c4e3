use super::*;
use headroom_engine::prices::PriceBook;
use headroom_model::metric::Metric;
use headroom_model::service::{ResourceState, ServiceKey};
use headroom_store::{Store, StoreConfig};
use std::sync::Arc;
use uuid::Uuid;

const CLUSTER: &str = "demo";
/// The first day that there are samples of, and the midnight after the last.
const FIRST: i64 = 20_000;
const END: i64 = FIRST + 6;

/// Numbers of no visible order, the same for the same seed (SplitMix64: Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    /// From 0 to `sides`, that excluded.
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 1) as i64) % sides
    }

    fn share(&mut self) -> f32 {
        self.roll(10_000) as f32 / 10_000.0
    }
}

fn service(name: &str, managed: Managed) -> Service {
    Service {
        id: ServiceId(Uuid::now_v7()),
        key: ServiceKey { cluster: CLUSTER.into(), namespace: "shop".into(), kind: "Deployment".into(), name: name.into() },
        uid: name.into(),
        team: "team".into(),
        environment: "production".into(),
        labels: BTreeMap::new(),
        state: ResourceState::default(),
        calls: Vec::new(),
        managed,
    }
}

async fn house(dir: &std::path::Path, services: &[Service]) -> Arc<Headroom> {
    let store = Store::open(&StoreConfig::sqlite(dir.join("headroom.db"))).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.put_inventory(CLUSTER, services, Timestamp::from_secs(0)).await.unwrap();
    tx.commit().await.unwrap();
    Headroom::new(store, Vec::new(), PriceBook::on_prem_default(), Arc::new(|| Timestamp::from_secs(END * DAY)), true)
}

/// Something new about a service: a sample of now or a late one, part of a day or several, or days that are closed.
async fn happens(headroom: &Headroom, service: ServiceId, dice: &mut Dice) {
    let metric = [Metric::CpuUsage, Metric::MemoryWorkingSet, Metric::Restarts, Metric::CpuThrottled][dice.roll(4) as usize];
    let at = FIRST * DAY + dice.roll(6 * 288) * 300;
    let mut tx = headroom.store.begin().await.unwrap();
    match dice.roll(10) {
        0..=5 => tx.append_frame(CLUSTER, at, 300, &[(service, metric, dice.share())]).await.unwrap(),
        6..=8 => {
            let values = (0..=dice.roll(700)).map(|_| dice.share()).collect();
            tx.put_columns(CLUSTER, at, 300, &[(service, metric, values)]).await.unwrap();
        }
        _ => {
            tx.roll_back().await.unwrap();
            headroom.store.compact(CLUSTER, (FIRST + 1 + dice.roll(6)) * DAY).await.unwrap();
            return;
        }
    }
    tx.commit().await.unwrap();
}

/// What is kept and what is new are what all samples are, whatever was written, late or twice, in between.
#[tokio::test]
async fn what_is_kept_and_what_is_new_equal_all_samples() {
    for seed in 0..6 {
        let dir = tempfile::tempdir().unwrap();
        let services = [service("a", Managed::Direct), service("b", Managed::Direct), service("c", Managed::Observed)];
        let headroom = house(dir.path(), &services).await;
        let mut dice = Dice(seed);
        let mut kept = 0;
        for turn in 0..60 {
            happens(&headroom, services[dice.roll(3) as usize].id, &mut dice).await;
            let (period, now) = (Span::days(1 + dice.roll(5)), Timestamp::from_secs(END * DAY - dice.roll(DAY)));
            let asked: Vec<(&Service, Timestamp)> = services.iter().map(|s| (s, now)).collect();
            let found = headroom.known(&asked, period).await.unwrap();
            for (service, known) in services.iter().zip(&found) {
                // What was imported ends with its newest sample, if there is one in the period before now.
                let begin = |end: i64| {
                    let from = end - period.secs();
                    if period.secs() < SHORT { from } else { from - from.rem_euclid(DAY) }
                };
                let of = async |from, to| headroom.store.history(&[service.id], None, from, to).await.unwrap().remove(&service.id);
                let newest = of(begin(now.secs()), now.secs() + 1).await.as_ref().and_then(end_of);
                let end = newest.filter(|_| service.managed == Managed::Observed).unwrap_or(now.secs());
                let window = of(begin(end).max(begin(now.secs())), end.min(now.secs()) + 1).await;
                let anew = DaySketch::of(&window.unwrap_or_default());
                let unlike: Vec<_> = known.days.iter().zip(&anew).filter(|(a, b)| a != b).collect();
                assert!(
                    known.days == anew,
                    "seed {seed}, turn {turn}, {}: {} days of {}, {unlike:?}",
                    service.key.name,
                    known.days.len(),
                    anew.len()
                );
                assert_eq!(known.now.secs(), end, "seed {seed}, turn {turn}");
            }
            let ids: Vec<ServiceId> = services.iter().map(|s| s.id).collect();
            let rows = headroom.store.service_days(&ids, 0, END).await.unwrap();
            kept = kept.max(rows.iter().filter(|row| row.sketch.is_some()).count());
        }
        assert!(kept > 3, "seed {seed}: {kept} days were kept, which tells little");
        headroom.store.close().await;
    }
}

/// A second look reads no samples of the days that are kept: they could be gone.
#[tokio::test]
async fn a_closed_day_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let services = [service("a", Managed::Direct)];
    let headroom = house(dir.path(), &services).await;
    let mut tx = headroom.store.begin().await.unwrap();
    tx.put_columns(CLUSTER, FIRST * DAY, 300, &[(services[0].id, Metric::CpuUsage, vec![1.0; 5 * 288])]).await.unwrap();
    tx.append_frame(CLUSTER, (END - 1) * DAY, 300, &[(services[0].id, Metric::CpuUsage, 2.0)]).await.unwrap();
    tx.commit().await.unwrap();
    let look = async || headroom.known(&[(&services[0], Timestamp::from_secs(END * DAY - 1))], Span::days(14)).await.unwrap().remove(0);
    let first = look().await;
    assert_eq!(first.days.len(), 6);
    let mut rows = headroom.store.service_days(&[services[0].id], 0, END).await.unwrap();
    assert!(rows.len() == 5 && rows.iter().all(|row| row.sketch.is_some()), "{rows:?}");
    // What is kept of a day is what is taken: here that of the day after.
    rows[1].sketch = rows[2].sketch.clone();
    let mut tx = headroom.store.begin().await.unwrap();
    tx.keep_days(&rows).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(look().await.days[1], first.days[2]);
    // What cannot be read is made anew.
    rows[1].sketch = Some(vec![1, 2, 3]);
    let mut tx = headroom.store.begin().await.unwrap();
    tx.keep_days(&rows).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(look().await, first);
}

/// Days that come in another step are put on one grid with those that were kept, as all samples are.
#[tokio::test]
async fn another_step_takes_all_samples_again() {
    let dir = tempfile::tempdir().unwrap();
    let services = [service("a", Managed::Direct)];
    let headroom = house(dir.path(), &services).await;
    let id = services[0].id;
    let put = async |day: i64, step: u32| {
        let mut tx = headroom.store.begin().await.unwrap();
        let values = (0..DAY / i64::from(step)).map(|i| (i % 7) as f32).collect();
        tx.put_columns(CLUSTER, day * DAY, step, &[(id, Metric::CpuUsage, values)]).await.unwrap();
        tx.commit().await.unwrap();
    };
    put(FIRST, 60).await;
    put(FIRST + 1, 60).await;
    for step in [300, 60] {
        let look = async || headroom.known(&[(&services[0], Timestamp::from_secs(END * DAY - 1))], Span::days(14)).await.unwrap().remove(0);
        look().await;
        put(if step == 300 { FIRST + 2 } else { FIRST + 3 }, step).await;
        let all = headroom.store.history(&[id], None, 0, END * DAY).await.unwrap().remove(&id).unwrap();
        assert!(look().await.days == DaySketch::of(&all));
    }
}
