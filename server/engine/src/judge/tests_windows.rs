//! Two windows, a canary, and the estimate under them.

use super::level::{Cell, What, estimate};
use super::*;
use headroom_model::series::Series;
use headroom_model::time::DAY;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const START: i64 = 20_003 * DAY;

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random_range(0.0..1.0f64)).sum::<f64>() - 6.0
}

/// How a made-up series moves by itself, on the logarithmic scale.
#[derive(Clone, Copy)]
struct Moves {
    /// Standard deviation of each sample.
    scatter: f64,
    /// Standard deviation of the level's steps from sample to sample.
    drift: f64,
    /// Half-height of the daily wave.
    wave: f64,
}

const QUIET: Moves = Moves { scatter: 0.05, drift: 0.0005, wave: 0.05 };

/// `days` days at five minutes around 1.
fn series(seed: u64, days: usize, moves: Moves) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut level = 0.0;
    (0..days * 288)
        .map(|i| {
            level += moves.drift * normal(&mut rng);
            (level + moves.wave * (i as f64 / 288.0 * std::f64::consts::TAU).sin() + moves.scatter * normal(&mut rng)).exp()
        })
        .collect()
}

fn history(metrics: &[(Metric, &[f64])], start: i64, factor: f64) -> ServiceHistory {
    let series = |v: &[f64]| Series { start, step: 300, values: v.iter().map(|x| (x * factor) as f32).collect() };
    ServiceHistory { metrics: metrics.iter().map(|(m, v)| (*m, series(v))).collect() }
}

/// The verdict on one metric whose second day is changed by a factor.
fn told(metric: Metric, values: &[f64], factor: f64) -> Judgement {
    let half = values.len() / 2;
    let before = history(&[(metric, &values[..half])], START, 1.0);
    let after = history(&[(metric, &values[half..])], START + half as i64 * 300, factor);
    judge(&before, &after, Guards::Every, &[], &Policy::default()).judgement
}

fn share(trials: u64, moves: Moves, factor: f64, verdict: Judgement) -> f64 {
    let hits = (0..trials).filter(|seed| told(Metric::CpuUsage, &series(*seed, 2, moves), factor) == verdict).count();
    hits as f64 / trials as f64
}

#[test]
fn a_quiet_day_against_a_quiet_day_is_the_same_and_ten_percent_more_is_worse() {
    assert!(share(400, QUIET, 1.0, Judgement::Worse) <= 0.01);
    assert!(share(100, QUIET, 1.0, Judgement::Same) >= 0.9);
    assert!(share(100, QUIET, 1.1, Judgement::Worse) >= 0.95);
    assert!(share(50, QUIET, 0.9, Judgement::Better) >= 0.95);
}

/// Where only one day is known before, the wave is not; taken for drift it would be a step where it rises through midnight.
#[test]
fn a_daily_wave_is_no_step_and_hides_none() {
    for turn in [0, 72, 144] {
        let half = |factor: f64, hours: std::ops::Range<usize>| -> Vec<f64> {
            let mut rng = ChaCha8Rng::seed_from_u64(turn as u64);
            let noise: Vec<f64> = (0..576).map(|_| (0.05 * normal(&mut rng)).exp()).collect();
            let wave = |i: usize| 1.0 + 0.5 * ((i + turn) as f64 / 288.0 * std::f64::consts::TAU).sin();
            hours.map(|i| factor * wave(i) * noise[i]).collect()
        };
        let before = history(&[(Metric::CpuUsage, &half(1.0, 0..288))], START, 1.0);
        let told = |factor: f64| {
            let after = history(&[(Metric::CpuUsage, &half(factor, 288..576))], START + DAY, 1.0);
            judge(&before, &after, Guards::Every, &[], &Policy::default())
        };
        let (same, worse) = (told(1.0), told(1.1));
        assert_eq!((same.judgement, worse.judgement), (Judgement::Same, Judgement::Worse), "{turn}: {same:?}");
        assert!(same.metrics[0].change_percent.abs() < 2.0, "{turn}: {same:?}");
    }
}

#[test]
fn what_wanders_by_itself_is_not_blamed_on_a_change() {
    let wandering = Moves { scatter: 0.02, drift: 0.02, wave: 0.0 };
    // A series that wanders by 2 % every five minutes is harder than any level that was met; still at most one in fifty.
    let blamed = share(400, wandering, 1.0, Judgement::Worse);
    assert!(blamed <= 0.02, "{blamed}");
    let scattered = Moves { scatter: 1.0, drift: 0.01, wave: 0.3 };
    assert!(share(60, scattered, 1.0, Judgement::Worse) <= 0.02);
    assert!(share(60, scattered, 1.0, Judgement::Inconclusive) >= 0.9, "too noisy to tell, and said so");
}

#[test]
fn a_step_somewhere_else_is_not_one_at_the_change() {
    let mut wrong = 0;
    for seed in 0..40 {
        let mut values = series(seed, 2, QUIET);
        let at = 60 + seed as usize * 4;
        values[at..].iter_mut().for_each(|v| *v *= 1.15);
        wrong += usize::from(told(Metric::MemoryWorkingSet, &values, 1.0) == Judgement::Worse);
    }
    assert!(wrong <= 1, "{wrong} of 40");
}

#[test]
fn more_load_explains_more_cpu_and_nothing_explains_less_load() {
    let load = series(1, 2, Moves { scatter: 0.1, drift: 0.003, wave: 0.5 });
    let own = series(2, 2, Moves { scatter: 0.02, drift: 0.0, wave: 0.0 });
    let cpu = |more: f64| -> Vec<f64> {
        let grown = |i: usize| if i >= 288 { more } else { 1.0 };
        (0..576).map(|i| 0.01 * load[i] * grown(i) * own[i]).collect()
    };
    let judged = |load_factor: f64, cpu: Vec<f64>| {
        let later: Vec<f64> = load[288..].iter().map(|l| l * load_factor).collect();
        let before = history(&[(Metric::RequestRate, &load[..288]), (Metric::CpuUsage, &cpu[..288])], START, 1.0);
        let after = history(&[(Metric::RequestRate, &later), (Metric::CpuUsage, &cpu[288..])], START + DAY, 1.0);
        let effect = judge(&before, &after, Guards::Every, &[], &Policy::default());
        let of = |m: Metric| effect.metrics.iter().find(|e| e.metric == m).unwrap().judgement;
        of(Metric::CpuUsage)
    };
    assert_ne!(judged(1.3, cpu(1.3)), Judgement::Worse, "as much more load as CPU");
    assert_eq!(judged(1.0, cpu(1.3)), Judgement::Worse, "no more load, but more CPU");
    let quiet = series(3, 2, QUIET);
    assert_eq!(told(Metric::RequestRate, &quiet, 0.8), Judgement::Worse);
    assert_eq!(told(Metric::RequestRate, &quiet, 1.25), Judgement::Same, "more demand is neither better nor worse");
    assert_eq!(told(Metric::CpuLimit, &quiet, 2.0), Judgement::Inconclusive, "configuration is not judged");
}

#[test]
fn what_nobody_feels_is_shown_and_decides_only_where_every_metric_does() {
    let values = series(9, 2, QUIET);
    let of = |half: &[f64], start: i64, factor: f64| history(&[(Metric::CpuUsage, half)], start, factor);
    let (before, after) = (of(&values[..288], START, 1.0), of(&values[288..], START + DAY, 1.5));
    let told = |guards: Guards| judge(&before, &after, guards, &[], &Policy::default());
    assert_eq!(told(Guards::Every).judgement, Judgement::Worse);
    let felt = told(Guards::Felt);
    assert_eq!((felt.judgement, felt.metrics.len(), felt.metrics[0].guard), (Judgement::Inconclusive, 1, false));
    assert!(felt.metrics[0].change_percent > 40.0, "{felt:?}");
    assert!(felt.summary.starts_with("No guard metric"), "{}", felt.summary);
}

#[test]
fn days_between_the_windows_widen_the_interval() {
    let values = series(5, 2, Moves { scatter: 0.05, drift: 0.005, wave: 0.2 });
    let width = |apart: i64| {
        let before = history(&[(Metric::CpuUsage, &values[..288])], START, 1.0);
        let after = history(&[(Metric::CpuUsage, &values[288..])], START + DAY + apart, 1.0);
        let effect = judge(&before, &after, Guards::Every, &[], &Policy::default());
        effect.metrics[0].hi95 - effect.metrics[0].lo95
    };
    assert!(width(3 * DAY) > 1.3 * width(0), "{} {}", width(3 * DAY), width(0));
    assert!(width(365 * DAY).is_finite());
}

#[test]
fn more_days_before_teach_the_season() {
    let moves = Moves { scatter: 0.05, drift: 0.0, wave: 0.6 };
    let values = series(6, 8, moves);
    let (old, new) = values.split_at(7 * 288);
    let effect = |from: usize| {
        let before = history(&[(Metric::CpuUsage, &old[from..])], START + from as i64 * 300, 1.0);
        let after = history(&[(Metric::CpuUsage, &new[..48])], START + 7 * DAY, 1.1);
        judge(&before, &after, Guards::Every, &[], &Policy::default()).metrics[0].clone()
    };
    let (day, week) = (effect(6 * 288), effect(0));
    assert!(week.hi95 - week.lo95 < day.hi95 - day.lo95, "{week:?} {day:?}");
    assert_eq!(week.judgement, Judgement::Worse, "{week:?}");
}

#[test]
fn nothing_in_common_or_too_little_is_inconclusive() {
    let values = series(7, 2, QUIET);
    let cpu = history(&[(Metric::CpuUsage, &values[..288])], START, 1.0);
    let memory = history(&[(Metric::MemoryWorkingSet, &values[288..])], START + DAY, 1.0);
    assert_eq!(judge(&cpu, &memory, Guards::Every, &[], &Policy::default()).judgement, Judgement::Inconclusive);
    assert_eq!(told(Metric::CpuUsage, &values[..16], 2.0), Judgement::Inconclusive);
    let idle: Vec<f64> = values.iter().enumerate().map(|(i, v)| if i % 4 == 0 { *v } else { 0.0 }).collect();
    assert_eq!(told(Metric::CpuUsage, &idle, 1.1), Judgement::Inconclusive, "three quarters of nothing have no logarithm");
}

#[test]
fn a_canary_is_held_against_its_control_at_the_same_time() {
    let weather = series(8, 1, Moves { scatter: 0.3, drift: 0.03, wave: 0.8 });
    let own = |seed: u64| series(seed, 1, Moves { scatter: 0.05, drift: 0.0, wave: 0.0 });
    let group = |seed: u64, factor: f64| -> ServiceHistory {
        let values: Vec<f64> = weather.iter().zip(own(seed)).map(|(w, o)| 40.0 * w * o * factor).collect();
        history(&[(Metric::LatencyP95, &values)], START, 1.0)
    };
    let verdict = |factor: f64, seed: u64| canary(&group(seed, 1.0), &group(seed + 1, factor), &Policy::default()).judgement;
    assert!((0..20).all(|s| verdict(1.0, 10 + 2 * s) == Judgement::Same));
    assert!((0..20).all(|s| verdict(1.1, 10 + 2 * s) == Judgement::Worse));
    assert_eq!(canary(&ServiceHistory::default(), &group(1, 1.0), &Policy::default()).judgement, Judgement::Inconclusive);
}

#[test]
fn an_exact_step_is_found_exactly() {
    let cell = |i: usize| Cell { hours: i as f64, value: if i < 24 { 1.0 } else { 1.25 }, after: i >= 24, beside: [None, None] };
    let found = estimate(&(0..48).map(cell).collect::<Vec<_>>(), What::Step).unwrap();
    assert!((found.effect - 0.25).abs() < 1e-9 && found.error < 1e-3, "{found:?}");
    assert_eq!(estimate(&(0..25).map(cell).collect::<Vec<_>>(), What::Step), None, "one cell after");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn odd_values_never_break_it(
        before in proptest::collection::vec(proptest::num::f32::ANY, 0..40),
        after in proptest::collection::vec(proptest::num::f32::ANY, 0..40),
        start in -1_000_000i64..2_000_000_000,
        later in 0i64..40_000_000,
        step in 0u32..100_000,
    ) {
        let history = |values: &[f32], start: i64| ServiceHistory {
            metrics: Metric::ALL.iter().map(|m| (*m, Series { start, step, values: values.to_vec() })).collect(),
        };
        let (a, b) = (history(&before, start), history(&after, start + later));
        for effect in [judge(&a, &b, Guards::Every, &[], &Policy::default()), canary(&a, &b, &Policy::default())] {
            for m in &effect.metrics {
                prop_assert!([m.before, m.after, m.change_percent, m.lo95, m.hi95].iter().all(|v| v.is_finite()), "{:?}", m);
            }
        }
    }
}
