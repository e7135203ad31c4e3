use super::*;
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Five-minute samples of a daily wave with noise, from a seed.
fn wave(days: usize, seed: u64) -> Vec<(i64, f64)> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..days * 288)
        .map(|i| {
            let phase = i as f64 / 288.0 * std::f64::consts::TAU;
            (i as i64 * 300, 50.0 + 20.0 * phase.sin() + random.random_range(-3.0..3.0))
        })
        .collect()
}

fn alarms(samples: &[(i64, f64)]) -> Vec<usize> {
    scores(samples).iter().enumerate().filter(|(_, s)| **s >= ALARM).map(|(i, _)| i).collect()
}

#[test]
fn a_spike_a_drop_and_a_new_level_are_found_once_each() {
    let mut samples = wave(14, 1);
    samples[1500].1 += 60.0;
    for s in &mut samples[2100..2130] {
        s.1 = 5.0;
    }
    for s in &mut samples[3000..] {
        s.1 += 60.0;
    }
    let found = alarms(&samples);
    let once = |range: std::ops::Range<usize>| found.iter().filter(|i| range.contains(i)).count();
    assert_eq!((once(1500..1560), once(2100..2160), once(3000..3060)), (1, 1, 1), "{found:?}");
    assert!(found.len() <= 8, "{found:?}");
}

#[test]
fn quiet_series_have_few_alarms() {
    let count: usize = (0..4).map(|seed| alarms(&wave(14, seed)).len()).sum();
    let samples = 4 * 14 * 288;
    assert!(count * 1000 <= 2 * samples, "{count} alarms in {samples} samples");
}

#[test]
fn constant_and_short_series_have_none() {
    assert!(alarms(&(0..2000).map(|i| (i * 60, 7.0)).collect::<Vec<_>>()).is_empty());
    assert!(scores(&[]).is_empty());
    assert_eq!(scores(&[(0, 1.0), (1, 1e9)]), [0.0, 0.0]);
}

#[test]
fn what_cannot_be_used_scores_nothing_and_changes_nothing() {
    let mut plain = Detector::new();
    let mut troubled = Detector::new();
    for (i, (time, value)) in wave(3, 5).into_iter().enumerate() {
        if i % 10 == 5 {
            assert_eq!(troubled.score(time, f64::NAN), 0.0);
            assert_eq!(troubled.score(time - 1_000_000, value), 0.0);
            assert_eq!(troubled.score(time, f64::INFINITY), 0.0);
        }
        assert_eq!(plain.score(time, value), troubled.score(time, value));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_series_scores_between_nothing_and_one(seed in any::<u64>(), length in 0usize..500, wildness in 0u32..4) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut time = 0_i64;
        let samples: Vec<(i64, f64)> = (0..length).map(|_| {
            time = time.saturating_add(match random.random_range(0..50) { 0 => 0, 1 => 400 * 86_400, _ => 300 });
            let value = match wildness {
                0 => 1.0,
                1 => random.random_range(-1.0..1.0),
                2 => f64::from_bits(random.next_u64()),
                _ => [0.0, -1.0, f64::MAX, f64::MIN_POSITIVE, f64::NAN][random.random_range(0..5)],
            };
            (time, value)
        }).collect();
        let all = scores(&samples);
        prop_assert_eq!(all.len(), samples.len());
        prop_assert!(all.iter().all(|s| (0.0..=1.0).contains(s)));
    }

    #[test]
    fn the_future_changes_no_score(seed in any::<u64>(), cut in 150usize..500) {
        let samples = wave(2, seed);
        let mut other = samples.clone();
        other[cut..].iter_mut().for_each(|s| s.1 = -1e6);
        prop_assert_eq!(&scores(&samples)[..cut], &scores(&other)[..cut]);
    }
}
