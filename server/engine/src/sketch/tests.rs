use super::*;
use crate::Features;
use proptest::prelude::*;

const START: i64 = 20_000 * DAY;

fn sample() -> impl Strategy<Value = f32> {
    prop_oneof![6 => 0.0f32..4.0, 1 => Just(0.0f32), 1 => prop_oneof![Just(f32::NAN), Just(-1.0), Just(f32::INFINITY)]]
}

/// Some days of a service with all that makes a day's demand differ from its use, on any grid.
fn history() -> impl Strategy<Value = ServiceHistory> {
    let step = prop_oneof![Just(300u32), Just(60), Just(420), Just(900), Just(3600), Just(7200)];
    (step, 0i64..200_000, prop::collection::vec((sample(), sample(), prop::bool::weighted(0.02)), 20..1500)).prop_map(
        |(step, start, rows)| {
            let start = START + start - start % i64::from(step);
            let of = |value: &dyn Fn(&(f32, f32, bool)) -> f32| Series { start, step, values: rows.iter().map(value).collect() };
            let metrics = [
                (Metric::CpuUsage, of(&|r| r.0)),
                (Metric::CpuThrottled, of(&|r| if r.1 > 3.0 { r.1 - 3.0 } else { 0.0 })),
                (Metric::Restarts, of(&|r| f32::from(r.2))),
                (Metric::MemoryWorkingSet, of(&|r| r.0 * 1e9)),
                (Metric::RequestRate, of(&|r| r.1 * 100.0)),
                (Metric::LatencyP95, of(&|r| 20.0 + 5.0 * r.1)),
                (Metric::Replicas, of(&|r| 2.0 + f32::from(r.2))),
            ];
            ServiceHistory { metrics: metrics.into() }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// What was kept of the days before any midnight, and what is new since, are all there is.
    #[test]
    fn days_kept_and_days_anew_equal_all_at_once(history in history(), cut in 0i64..20) {
        let all = DaySketch::of(&history);
        let midnight = START + cut * DAY;
        let before = DaySketch::of(&history.slice(i64::MIN / 4, midnight));
        let mut days: Vec<DaySketch> = before.iter().map(|day| DaySketch::decode(&day.encode()).unwrap()).collect();
        days.extend(DaySketch::of(&history.slice(midnight, i64::MAX / 4)));
        prop_assert_eq!(&days, &all);
        prop_assert_eq!(Features::of(&days), Features::of(&all));
    }

    /// Whatever was kept, or is said to have been, is read without a fault, and so is whatever comes of it.
    #[test]
    fn what_is_damaged_is_made_anew_or_does_no_harm(history in history(), at in 0usize..4000, to in 0u8..=255, length in 0usize..4000) {
        for day in DaySketch::of(&history).iter().take(2) {
            let mut bytes = day.encode();
            let i = at % bytes.len();
            bytes[i] = to;
            bytes.truncate(length.max(1));
            if let Some(read) = DaySketch::decode(&bytes) {
                let found = Features::of(&[read]);
                prop_assert!(found.profiles.values().all(|p| p.mean.is_finite() && p.noise.is_finite() && p.p50.is_finite()), "{:?}", found);
            }
        }
        let mut other = DaySketch::of(&history).first().map(DaySketch::encode).unwrap_or_default();
        if let Some(format) = other.first_mut() {
            *format += 1;
            prop_assert!(DaySketch::decode(&other).is_none());
        }
    }

    #[test]
    fn a_quarter_is_within_a_ten_thousandth_of_its_samples(history in history()) {
        let (days, step) = (DaySketch::of(&history), history.metrics[&Metric::CpuUsage].step);
        let samples = clean(&history);
        for metric in [Metric::CpuUsage, Metric::Restarts, Metric::MemoryWorkingSet] {
            let Some(s) = samples.get(&metric) else { continue };
            let quarters = Past::of(&days).quarters(metric).unwrap();
            prop_assert_eq!(quarters.step, if 900 % step == 0 { 900 } else { i64::from(step) });
            for (t, v) in quarters.points() {
                let inside: Vec<f32> = s.points().filter(|(at, _)| (t..t + quarters.step).contains(at)).map(|p| p.1 as f32).collect();
                let whole = f64::from(merged(&inside, metric.aggregation()));
                prop_assert!((v - whole).abs() <= 1e-4 * whole.abs(), "{:?} {} {}", metric, v, whole);
            }
            let (kept, sum) = (Past::of(&days).days(metric).map(|(_, m)| m.sum).sum::<f64>(), s.present().sum::<f64>());
            prop_assert!((kept - sum).abs() <= 1e-9 * sum.abs());
        }
    }
}

#[test]
fn starting_up_and_throttling_are_seen_through() {
    let value = |i: usize| if (100..103).contains(&(i % 288)) { 3.0 } else { 1.0 };
    let days = 14 * 288;
    let series = |value: &dyn Fn(usize) -> f32| Series { start: START, step: 300, values: (0..days).map(value).collect() };
    let mut history = ServiceHistory { metrics: [(Metric::CpuUsage, series(&value))].into() };
    let largest = |history: &ServiceHistory| {
        let days = DaySketch::of(history);
        let wanted = Past::of(&days).demanded(Metric::CpuUsage);
        (wanted.days.iter().map(|d| d.day().peak()).fold(0.0, f32::max), wanted.start_up, wanted.cut)
    };
    assert_eq!(largest(&history), (3.0, 0.0, false));
    history.metrics.insert(Metric::Restarts, series(&|i| f32::from(i % 288 == 100)));
    assert_eq!(largest(&history), (1.0, 3.0, true), "a start a day");
    history.metrics.insert(Metric::CpuThrottled, series(&|i| if i % 288 == 7 { 0.5 } else { 0.0 }));
    assert_eq!(largest(&history), (2.0, 3.0, true), "half of what was wanted was throttled away");
    history.metrics.insert(Metric::Restarts, series(&|i| f32::from(i % 30 == 0)));
    assert_eq!(largest(&history), (3.0, 0.0, false), "what starts all the time needs it all the time");
}

#[test]
fn a_long_gap_and_days_of_another_step_are_no_trouble() {
    let day = |at: i64, step: u32, n: usize| ServiceHistory {
        metrics: [(Metric::CpuUsage, Series { start: START + at * DAY, step, values: vec![1.0; n] })].into(),
    };
    let mut days = DaySketch::of(&day(0, 60, 1440));
    days.extend(DaySketch::of(&day(1, 300, 288)));
    days.extend(DaySketch::of(&day(80, 420, 100)));
    let f = Features::of(&days);
    assert_eq!((f.samples, f.days), (1440 + 288 + 100, 2));
    assert_eq!(f.get(Metric::CpuUsage).map(|p| (p.p50, p.peak)), Some((1.0, 1.0)));
    assert!(quarters(&days, Metric::CpuUsage).unwrap().count() > 96 + 96);
    assert_eq!((end(&days), newest(&days, Metric::CpuUsage)), (Some(START + 80 * DAY + 42_000), Some(1.0)));
    assert_eq!((end(&[]), newest(&[], Metric::CpuUsage), quarters(&[], Metric::CpuUsage)), (None, None, None));
}
