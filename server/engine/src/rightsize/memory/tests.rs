use super::outlook::{Outlook, Seen};
use crate::rightsize::{Method, Usage, replay};
use headroom_model::metric::Metric;
use headroom_model::series::Series;
use headroom_model::time::DAY;
use proptest::prelude::*;

const MIB: f32 = 1_048_576.0;

fn series(days: usize, value: impl Fn(usize) -> f32) -> Series {
    Series { start: 20_000 * DAY, step: 300, values: (0..days * 288).map(value).collect() }
}

fn limits(usage: &[(Option<&str>, &Series)]) -> Vec<Vec<f64>> {
    let usage: Vec<Usage<'_>> = usage.iter().map(|(workload, series)| Usage { workload: *workload, series }).collect();
    let held = replay(Metric::MemoryWorkingSet, &usage, Method::Headroom);
    held.iter().map(|h| h.iter().map(|h| h.value).collect()).collect()
}

fn wave(i: usize, size: f32) -> f32 {
    size * (0.8 + 0.1 * (i as f32 / 288.0 * std::f32::consts::TAU).sin() + 0.1 * ((i * 7919 % 97) as f32 / 97.0))
}

#[test]
fn the_chance_of_a_lone_steady_day_is_as_computed_by_hand() {
    let day = Seen { day: 9, peak: 100.0, median: 90.0, last: 95.0 };
    let outlook = Outlook::new(&[day], &[], 10, 0.0).unwrap();
    // The scale: 0.00017 × 100 + 0.12 × 10 = 1.217; two of it above the peak: 0.3 / 3.
    assert_eq!(outlook.chance_above(99.0), 1.0);
    let above = outlook.chance_above(100.0 + 2.0 * 1.217);
    assert!((above - 0.1).abs() < 1e-12, "{above}");
}

#[test]
fn small_services_get_more_room_for_their_size_than_large_ones() {
    let (small, large) = (series(5, |i| wave(i, 20.0 * MIB)), series(5, |i| wave(i, 20_000.0 * MIB)));
    let held = limits(&[(None, &small), (None, &large)]);
    let room = |held: &[f64], size: f32| held.last().unwrap() / f64::from(size * MIB);
    assert!(room(&held[0], 20.0) > 1.5 && room(&held[1], 20_000.0) < 1.3, "{held:?}");
    assert!(room(&held[1], 20_000.0) > 1.0);
}

#[test]
fn a_steady_service_is_never_changed_and_a_rise_is_followed_at_once() {
    let steady = series(10, |i| wave(i, 100.0 * MIB));
    let held = limits(&[(None, &steady)]);
    assert_eq!(held[0].len(), 9);
    assert!(held[0].windows(2).skip(1).all(|w| w[0] == w[1]), "{held:?}");
    let rise = series(10, |i| if i < 5 * 288 { 100.0 * MIB } else { 150.0 * MIB });
    let held = limits(&[(None, &rise)]);
    assert!(held[0][4] < f64::from(150.0 * MIB) && held[0][5] > f64::from(150.0 * MIB), "{held:?}");
}

#[test]
fn a_fall_is_followed_only_after_days() {
    let fall = series(14, |i| if i < 5 * 288 { 1000.0 * MIB } else { 200.0 * MIB });
    let held = &limits(&[(None, &fall)])[0];
    assert!(held[5] > f64::from(1000.0 * MIB) && held[12] < f64::from(500.0 * MIB), "{held:?}");
}

#[test]
fn a_leak_is_given_its_next_day() {
    let leak = series(8, |i| (1000.0 + i as f32 * 100.0 / 288.0) * MIB);
    let held = &limits(&[(None, &leak)])[0];
    for (day, held) in held.iter().enumerate().skip(2) {
        assert!(*held >= f64::from((1000.0 + (day + 2) as f32 * 100.0) * MIB) * 0.999, "{day} {held}");
    }
}

#[test]
fn a_new_pod_has_its_workloads_limit_on_its_first_day() {
    let old = series(5, |i| wave(i, 300.0 * MIB));
    let mut new = series(2, |i| wave(i, 300.0 * MIB));
    new.start += 3 * DAY;
    let held = limits(&[(Some("w"), &old), (Some("w"), &new)]);
    assert_eq!(held[1].len(), 2);
    assert!(held[1][0] >= f64::from(290.0 * MIB), "{held:?}");
    assert_eq!(limits(&[(None, &old), (None, &new)])[1].len(), 1);
}

proptest! {
    #[test]
    fn any_series_gives_finite_limits_and_never_looks_ahead(
        values in prop::collection::vec(prop_oneof![Just(f32::NAN), Just(0.0), Just(-1.0), Just(f32::INFINITY), 0.0f32..1e12], 1..1200),
        cut in 1usize..1200, gap in 0i64..400,
    ) {
        let long = Series { start: 20_000 * DAY - 777, step: 900, values };
        let late = Series { start: 20_000 * DAY + gap * DAY, step: 900, values: vec![1e8; 200] };
        let cut = cut.min(long.values.len());
        let short = Series { values: long.values[..cut].to_vec(), ..long.clone() };
        let whole = limits(&[(Some("w"), &long), (Some("w"), &late)]);
        prop_assert!(whole.iter().flatten().all(|v| v.is_finite() && *v > 0.0));
        let part = limits(&[(Some("w"), &short)]);
        let alone = limits(&[(Some("w"), &long)]);
        // A day that has begun in the short one was decided before it: what comes later cannot have changed it.
        prop_assert_eq!(&alone[0][..part[0].len()], &part[0][..]);
    }
}
