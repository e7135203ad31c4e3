use super::*;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn indexes(values: &[f64]) -> Vec<usize> {
    changepoints(values).iter().map(|c| c.index).collect()
}

/// Roughly normal noise: twelve uniform numbers.
fn noise(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// Benchmark-like noise: rounded, skewed, one value in twenty far out.
fn rough(rng: &mut ChaCha8Rng) -> f64 {
    let base = (noise(rng) * 2.0).round() / 2.0;
    if rng.random::<f64>() < 0.05 { base.abs() * 30.0 } else { base }
}

fn series(seed: u64, n: usize, value: impl Fn(usize, &mut ChaCha8Rng) -> f64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|i| value(i, &mut rng)).collect()
}

/// Noise in which each value keeps `keep` of the one before.
fn with_memory(seed: u64, n: usize, keep: f64) -> Vec<f64> {
    let mut last = 0.0;
    let mut values = series(seed, n, |_, rng| noise(rng));
    for v in &mut values {
        last = keep * last + *v;
        *v = last;
    }
    values
}

/// The first series of `otava_golden.json`'s kind: levels 1, then a half.
#[test]
fn a_published_example_is_found() {
    let values = [1.02, 0.95, 0.99, 1.0, 1.12, 1.0, 1.01, 0.98, 1.01, 0.96, 0.5, 0.51, 0.48, 0.48, 0.55, 0.5, 0.49, 0.51, 0.5, 0.49];
    let found = changepoints(&values);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].index, found[0].before, found[0].after), (10, 1.0, 0.5));
    assert_eq!(found[0].change_percent, Some(-50.0));
    assert!(found[0].p_value <= 0.005);
    assert_eq!(found[0].confidence, 1.0);
}

#[test]
fn noise_of_any_kind_gives_few_false_alarms() {
    let alarms = |value: fn(&mut ChaCha8Rng) -> f64| {
        (0..400).filter(|seed| !indexes(&series(*seed, 100, |_, rng| 100.0 + value(rng))).is_empty()).count()
    };
    let (normal, odd, ties) = (alarms(noise), alarms(rough), alarms(|rng| f64::from(u8::from(rng.random::<f64>() < 0.2))));
    assert!(normal <= 8 && odd <= 8 && ties <= 8, "2 % of 400 are 8: {normal} {odd} {ties}");
}

#[test]
fn steps_of_three_deviations_are_found_where_they_are() {
    let near = |value: fn(&mut ChaCha8Rng) -> f64| {
        (0..100)
            .filter(|seed| {
                indexes(&series(*seed, 100, |i, rng| value(rng) + if i < 60 { 0.0 } else { 3.0 })).iter().any(|c| c.abs_diff(60) <= 3)
            })
            .count()
    };
    let (normal, odd) = (near(noise), near(rough));
    assert!(normal >= 98, "{normal}");
    assert!(odd >= 88, "{odd}");
}

#[test]
fn noise_with_memory_is_not_shredded() {
    let found: usize = (0..60).map(|seed| indexes(&with_memory(seed, 300, 0.9)).len()).sum();
    assert!(found <= 60, "one change per series: {found}");
    let found: Vec<usize> = (0..30).map(|seed| indexes(&with_memory(seed, 300, 1.0)).len()).collect();
    assert!(found.iter().all(|c| *c <= 6), "{found:?}");
}

#[test]
fn a_steady_trend_and_a_season_are_no_steps() {
    let trend = |seed| series(seed, 200, |i, rng| 0.1 * i as f64 + noise(rng));
    let season = |seed| series(seed, 240, |i, rng| 20.0 * (i as f64 * std::f64::consts::TAU / 12.0).sin() + noise(rng));
    let changed = |made: &dyn Fn(u64) -> Vec<f64>| (0..30).filter(|seed| !indexes(&made(*seed)).is_empty()).count();
    let (trends, seasons) = (changed(&trend), changed(&season));
    assert!(trends <= 2 && seasons <= 3, "{trends} {seasons}");
}

#[test]
fn a_slow_season_under_noise_is_none_either_and_hides_no_step() {
    let wave = |i: usize, period: f64| (i as f64 * std::f64::consts::TAU / period).sin();
    // Of three and a half days hardly three tell how every minute is.
    for (n, most) in [(5000, 8), (20_000, 0)] {
        let days = series(1, n, |i, rng| 100.0 + 30.0 * wave(i, 1440.0) + 3.0 * noise(rng));
        assert!(indexes(&days).len() <= most, "{n} minutes: {:?}", indexes(&days));
    }
    let saw = |seed| series(seed, 300, |i, rng| 100.0 + (i % 30) as f64 + noise(rng));
    let shredded: usize = (0..20).map(|seed| indexes(&saw(seed)).len()).sum();
    assert!(shredded <= 2, "{shredded}");
    let step = |seed| series(seed, 480, |i, rng| 100.0 + 20.0 * wave(i, 24.0) + 3.0 * noise(rng) + if i < 240 { 0.0 } else { 20.0 });
    let found = (0..20).filter(|seed| indexes(&step(*seed)).iter().any(|c| c.abs_diff(240) <= 5)).count();
    assert!(found >= 19, "{found}");
}

#[test]
fn a_bend_is_found() {
    for seed in 0..10 {
        let found = indexes(&series(seed, 200, |i, rng| if i < 120 { i as f64 } else { 240.0 - i as f64 } + noise(rng)));
        assert_eq!(found.len(), 1, "seed {seed}: {found:?}");
        assert!(found[0].abs_diff(120) <= 4, "seed {seed}: {found:?}");
    }
}

#[test]
fn gaps_do_not_move_the_index_and_long_series_are_exact() {
    let mut values = series(1, 100, |i, rng| noise(rng) + if i < 50 { 0.0 } else { 30.0 });
    values[10] = f64::NAN;
    values[20..30].fill(f64::INFINITY);
    assert_eq!(indexes(&values), [50]);
    let long = series(2, 20_000, |i, rng| noise(rng) + if i < 12_345 { 0.0 } else { 30.0 });
    assert_eq!(indexes(&long), [12_345]);
}

#[test]
fn a_change_from_zero_has_no_percentage() {
    let values: Vec<f64> = (0..40).map(|i| if i < 20 { 0.0 } else { 5.0 }).collect();
    let found = changepoints(&values);
    assert_eq!((found.len(), found[0].index, found[0].change_percent), (1, 20, None));
}

#[test]
fn too_few_or_equal_values_say_nothing() {
    for values in [vec![], vec![1.0], vec![1.0, 2.0], vec![f64::NAN; 50], vec![3.0; 50], vec![1.0, 1.0, 1.0, 9.0, 9.0, 9.0]] {
        assert_eq!(changepoints(&values), [], "{values:?}");
    }
}

fn odd_value() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -10.0..10.0, 2 => 0.0..1e12, 2 => prop::sample::select(vec![0.0, 1.0, 5.0]), 1 => prop::num::f64::ANY]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn odd_values_never_break_it(values in prop::collection::vec(odd_value(), 0..120), step in odd_value(), at in 0usize..120) {
        let values: Vec<f64> = values.iter().enumerate().map(|(i, v)| if i < at { *v } else { v + step }).collect();
        let found = changepoints(&values);
        prop_assert!(found.windows(2).all(|w| w[0].index < w[1].index));
        for c in &found {
            prop_assert!(c.index > 0 && c.index < values.len() && values[c.index].is_finite());
            prop_assert!(c.before.is_finite() && c.after.is_finite() && c.change_percent.is_none_or(f64::is_finite));
            prop_assert!((0.0..=1.0).contains(&c.p_value) && (0.0..=1.0).contains(&c.confidence));
        }
        prop_assert_eq!(changepoints(&values), found);
    }
}
