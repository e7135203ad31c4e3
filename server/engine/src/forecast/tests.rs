use super::*;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};

fn noise(seed: u64, n: usize, size: f64) -> Vec<f64> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| size * (rng.random_range(-1.0..1.0f64) + rng.random_range(-1.0..1.0f64) + rng.random_range(-1.0..1.0f64))).collect()
}

/// Hours with a day, a quieter weekend, and noise.
fn week(seed: u64, n: usize) -> Vec<f64> {
    let hour = |t: usize| (t as f64 / 24.0 * std::f64::consts::TAU).sin();
    let weekend = |t: usize| if t / 24 % 7 >= 5 { 0.5 } else { 1.0 };
    noise(seed, n, 1.0).iter().enumerate().map(|(t, e)| (100.0 + 40.0 * hour(t)) * weekend(t) + 2.0 * e).collect()
}

fn mean_error(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len() as f64
}

#[test]
fn days_and_weeks_are_followed_better_than_by_either_naive_rule() {
    let y = week(1, 840 + 48);
    let (past, truth) = y.split_at(840);
    let found = forecast(past, &[168, 24], 48).unwrap();
    let naive = |m: usize| mean_error(truth, &(0..48).map(|h| past[840 - m + h % m]).collect::<Vec<_>>());
    let error = mean_error(&found.mean, truth);
    assert!(error < 0.8 * naive(168) && error < 0.8 * naive(24), "{error} {} {}", naive(168), naive(24));
    assert_eq!(found.seasons, [24, 168]);
    assert!((found.weights.iter().map(|w| w.1).sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(found.method.contains("28 earlier origins"), "{}", found.method);
}

#[test]
fn intervals_cover_what_they_say() {
    let (mut inside, mut all) = (0, 0);
    for seed in 0..30 {
        let y = week(seed, 600 + 48);
        let found = forecast(&y[..600], &[24, 168], 48).unwrap();
        inside += (0..48).filter(|h| (found.lo95[*h]..=found.hi95[*h]).contains(&y[600 + h])).count();
        all += 48;
    }
    let cover = f64::from(inside as u32) / f64::from(all);
    assert!((0.93..=0.995).contains(&cover), "{cover}");
}

#[test]
fn two_weeks_are_enough_for_a_week_where_it_helps() {
    let (mut with, mut without) = (0.0, 0.0);
    for n in [14 * 24 - 1, 15 * 24 + 7, 18 * 24, 20 * 24, 28 * 24] {
        for seed in 0..4 {
            let y = week(seed, n + 168);
            let ahead = |seasons: &[usize]| mean_error(&forecast(&y[..n], seasons, 168).unwrap().mean, &y[n..]);
            with += ahead(&[24, 168]);
            without += ahead(&[24]);
        }
        let found = forecast(&week(9, n), &[24, 168], 168).unwrap();
        assert_eq!(found.seasons, [24, 168]);
        assert!(found.weights.iter().filter(|w| w.0.contains("168")).map(|w| w.1).sum::<f64>() > 0.5, "{n}: {:?}", found.weights);
    }
    assert!(with < 0.5 * without, "a quieter weekend is known: off by {with} with the week, {without} without");
}

#[test]
fn a_week_that_is_none_does_no_harm() {
    let (mut with, mut without) = (0.0, 0.0);
    for (seed, n) in [(1, 14 * 24), (2, 16 * 24), (3, 20 * 24), (4, 28 * 24)] {
        let daily = |t: usize| 100.0 + 40.0 * (t as f64 / 24.0 * std::f64::consts::TAU).sin();
        let y: Vec<f64> = noise(seed, n + 168, 4.0).iter().enumerate().map(|(t, e)| daily(t) + e).collect();
        let ahead = |seasons: &[usize]| mean_error(&forecast(&y[..n], seasons, 168).unwrap().mean, &y[n..]);
        with += ahead(&[24, 168]);
        without += ahead(&[24]);
    }
    assert!(with < 1.05 * without, "off by {with} with a week that is none, {without} without");
}

#[test]
fn the_future_of_a_series_changes_nothing_before_it() {
    // The same origin within a longer series: what a method forecasts there must not depend on what follows.
    let y = week(3, 700);
    let real = vec![true; 700];
    let seasons = [24, 168];
    let mut other = y.clone();
    other[520..].iter_mut().for_each(|v| *v = 500.0 - *v);
    let plan = origins::Plan { origins: vec![500, 520, 700], seasons: seasons.to_vec(), young: None, horizon: 20, end: 700 };
    let of = |values: &[f64]| candidates::all(&Past { values, real: &real, seasons: &seasons }, &plan);
    let (a, b) = (of(&y), of(&other));
    assert!(a.len() > 10);
    for (a, b) in a.iter().zip(&b) {
        assert_eq!((&a.name, &a.paths[..2]), (&b.name, &b.paths[..2]));
    }
}

#[test]
fn a_trend_goes_on_and_a_random_walk_does_not() {
    let line: Vec<f64> = noise(5, 200, 0.5).iter().enumerate().map(|(t, e)| 10.0 + 0.5 * t as f64 + e).collect();
    let found = forecast(&line, &[], 20).unwrap();
    assert!((found.mean[19] - 120.0).abs() < 3.0, "{}", found.mean[19]);
    let mut level = 1000.0;
    let walk: Vec<f64> = noise(6, 300, 1.0)
        .iter()
        .map(|e| {
            level += e;
            level
        })
        .collect();
    let found = forecast(&walk, &[], 20).unwrap();
    let last = walk[299];
    assert!((found.mean[19] - last).abs() < 6.0, "{} {last}", found.mean[19]);
    assert!(found.hi95[19] - found.lo95[19] > 1.5 * (found.hi95[0] - found.lo95[0]));
}

#[test]
fn constants_and_few_values_are_stated() {
    let found = forecast(&[7.0; 100], &[24], 5).unwrap();
    assert_eq!((found.mean, found.lo95, found.hi95), (vec![7.0; 5], vec![7.0; 5], vec![7.0; 5]));
    let found = forecast(&[1.0, 2.0, 4.0], &[], 2).unwrap();
    assert_eq!((found.mean.as_slice(), found.error, found.origins), (&[4.0, 4.0][..], None, 0));
    assert!(found.lo95[1] == 0.0 && found.hi95[1] > found.hi95[0]);
    assert_eq!(forecast(&[1.0, f64::NAN], &[], 2).unwrap_err(), Refusal::TooFew { found: 1 });
    assert_eq!(forecast(&[], &[], 2).unwrap_err(), Refusal::TooFew { found: 0 });
    assert_eq!(forecast(&[1.0; 9], &[], 0).unwrap_err(), Refusal::Horizon(0));
    assert_eq!(forecast(&[1.0; 9], &[1], 1).unwrap_err(), Refusal::Season(1));
    for beyond in [10, usize::MAX / 2, usize::MAX / 2 + 1, usize::MAX - 1, usize::MAX] {
        assert_eq!(forecast(&[1.0; 9], &[beyond], 1), forecast(&[1.0; 9], &[], 1), "a season of {beyond}");
    }
    assert_eq!(forecast(&[1e300; 9], &[], 1).unwrap_err(), Refusal::TooLarge);
}

#[test]
fn what_came_before_a_long_gap_is_not_used() {
    let mut y = week(8, 500);
    let found = forecast(&y, &[24], 10).unwrap();
    let mut long: Vec<f64> = vec![9000.0; 300];
    long.extend(vec![f64::NAN; 8760]);
    long.extend(&y);
    assert_eq!(forecast(&long, &[24], 10).unwrap(), found);
    // Short gaps are bridged and not learnt from.
    (100..110).chain(300..305).for_each(|t| y[t] = f64::NAN);
    let bridged = forecast(&y, &[24], 10).unwrap();
    assert_eq!(bridged.used, 500);
    assert!(mean_error(&bridged.mean, &found.mean) < 5.0);
}

#[test]
fn many_steps_are_forecast_in_blocks_with_their_detail() {
    // A minute of every hour is high: blocks alone would not show it.
    let y: Vec<f64> = noise(9, 8640, 1.0).iter().enumerate().map(|(t, e)| 50.0 + e + if t % 60 == 7 { 30.0 } else { 0.0 }).collect();
    let found = forecast(&y, &[1440], 1440).unwrap();
    assert_eq!(found.seasons, [1440]);
    assert!((found.mean[67] - 80.0).abs() < 6.0 && (found.mean[70] - 50.0).abs() < 3.0, "{} {}", found.mean[67], found.mean[70]);
}

#[test]
fn seasons_are_found() {
    assert_eq!(detect_seasons(&week(1, 840)), [24, 168]);
    let day: Vec<f64> =
        noise(2, 2000, 3.0).iter().enumerate().map(|(t, e)| (t as f64 / 288.0 * std::f64::consts::TAU).sin() * 10.0 + e).collect();
    assert_eq!(detect_seasons(&day)[0], 288);
    let minutes: Vec<f64> = (0..15000).map(|t| (t as f64 / 1440.0 * std::f64::consts::TAU).cos()).collect();
    assert_eq!(detect_seasons(&minutes)[0], 1440);
    assert_eq!(detect_seasons(&noise(3, 800, 1.0)), [0; 0]);
    assert_eq!(detect_seasons(&[5.0; 800]), [0; 0]);
    assert_eq!(detect_seasons(&[f64::NAN; 80]), [0; 0]);
    let line: Vec<f64> = (0..500).map(f64::from).collect();
    assert_eq!(detect_seasons(&line), [0; 0]);
}

#[test]
fn ridge_solves_by_hand() {
    // y = 2 a − b + 3 from four points.
    let mut sums = linear::Ridge::new(3);
    for (a, b) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (2.0, 3.0)] {
        sums.add(&[a, b, 1.0], 2.0 * a - b + 3.0, 1.0);
    }
    let b = sums.solve(0.0).unwrap();
    assert!(b.iter().zip([2.0, -1.0, 3.0]).all(|(a, b)| (a - b).abs() < 1e-6), "{b:?}");
}

#[test]
fn a_filling_disk_runs_out() {
    let y: Vec<f64> = noise(4, 240, 0.3).iter().enumerate().map(|(t, e)| 100.0 + t as f64 + e).collect();
    let found = capacity::runs_out(&y, 3600.0, 400.0, 1000).unwrap();
    let hours = found.likely.unwrap() / 3600.0;
    assert!((55.0..=67.0).contains(&hours), "{hours}");
    assert!(found.earliest.unwrap() <= found.likely.unwrap() && found.latest.is_none_or(|l| l >= found.likely.unwrap()));
    assert_eq!(capacity::runs_out(&y, 3600.0, 1e6, 1000).unwrap().likely, None);
    assert_eq!(capacity::runs_out(&y, 3600.0, 50.0, 1000).unwrap().likely, Some(0.0));
    assert_eq!(capacity::runs_out(&y, 3600.0, f64::NAN, 1000).unwrap_err(), Refusal::TooLarge);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn anything_is_forecast_or_refused(
        values in proptest::collection::vec(prop_oneof![
            8 => -1e3..1e3f64, 4 => Just(0.0), 3 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => -1e99..1e99f64, 1 => Just(1e-300)
        ], 0..300),
        seasons in proptest::collection::vec(2usize..90, 0..4),
        horizon in 1usize..400,
    ) {
        check(&values, &seasons, horizon);
        check(&values, &detect_seasons(&values), horizon);
        let positive: Vec<f64> = values.iter().map(|v| v.abs()).collect();
        check(&positive, &seasons, horizon);
    }
}

fn check(values: &[f64], seasons: &[usize], horizon: usize) {
    let finite = values.iter().filter(|v| v.is_finite()).count();
    match forecast(values, seasons, horizon) {
        Ok(found) => {
            assert_eq!((found.mean.len(), found.lo95.len(), found.hi95.len()), (horizon, horizon, horizon));
            let negative = values.iter().any(|v| *v < 0.0);
            for h in 0..horizon {
                let (low, mean, high) = (found.lo95[h], found.mean[h], found.hi95[h]);
                assert!(low <= mean && mean <= high && low.is_finite() && high.is_finite(), "{low} {mean} {high}");
                assert!(negative || low >= 0.0);
            }
        }
        Err(refusal) => assert!(matches!(refusal, Refusal::TooFew { found } if found <= finite), "{refusal}"),
    }
}
