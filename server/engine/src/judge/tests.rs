use super::*;
use headroom_model::series::Series;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const DAY: i64 = headroom_model::time::DAY;
const START: i64 = 20_003 * DAY; // a Monday

/// A service with a daily season, weekend dips and autocorrelated noise in load and latency.
struct World {
    load: Vec<f64>,
    noise: Vec<f64>,
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random_range(0.0..1.0f64)).sum::<f64>() - 6.0
}

fn world(seed: u64, days: usize) -> World {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut slow, mut fast) = (0.0, 0.0);
    let (mut load, mut noise) = (Vec::new(), Vec::new());
    for i in 0..days * 288 {
        slow = 0.9 * slow + 0.04 * normal(&mut rng);
        fast = 0.6 * fast + 0.06 * normal(&mut rng);
        let day = (i / 288) % 7;
        let weekend = if day >= 5 { 0.5 } else { 1.0 };
        load.push(200.0 * weekend * (1.0 + 0.6 * (i as f64 / 288.0 * std::f64::consts::TAU).sin()) * slow.exp());
        noise.push(fast);
    }
    World { load, noise }
}

impl World {
    fn history(&self, from: usize, to: usize, factor: f64) -> ServiceHistory {
        let series = |values: Vec<f32>| Series { start: START + from as i64 * 300, step: 300, values };
        let latency = |i: usize| (40.0 + 0.2 * self.load[i]) * self.noise[i].exp() * factor;
        ServiceHistory {
            metrics: [
                (Metric::RequestRate, series((from..to).map(|i| self.load[i] as f32).collect())),
                (Metric::LatencyP95, series((from..to).map(|i| latency(i) as f32).collect())),
                (
                    Metric::LatencyP99,
                    series((from..to).map(|i| (1.6 * latency(i) * (self.noise[(i * 31) % self.noise.len()]).exp()) as f32).collect()),
                ),
                (Metric::ErrorRatio, series((from..to).map(|i| (0.001 * (1.0 + self.noise[i])) as f32).collect())),
                (Metric::CpuThrottled, series(vec![0.0; to - from])),
                (Metric::OomKills, series(vec![0.0; to - from])),
            ]
            .into(),
        }
    }
}

fn judged(world: &World, at: usize, length: usize, factor: f64) -> Effect {
    judge(&world.history(at - 14 * 288, at, 1.0), &world.history(at, at + length, factor), Guards::Felt, &[], &Policy::default())
}

fn share(trials: u64, hours: usize, factor: f64, verdict: Judgement) -> f64 {
    let hits = (0..trials)
        .into_par_iter()
        .filter(|seed| {
            let world = world(*seed, 17);
            let at = 14 * 288 + (*seed as usize * 37) % 400;
            judged(&world, at, hours * 12, factor).judgement == verdict
        })
        .count();
    hits as f64 / trials as f64
}

#[test]
fn doing_nothing_is_rolled_back_at_most_once_in_a_hundred() {
    let wrong = share(200, 2, 1.0, Judgement::Worse);
    assert!(wrong <= 0.01, "{wrong}");
}

#[test]
fn doing_nothing_is_told_to_be_the_same_and_a_day_tells_more_than_two_hours() {
    let (hours, day) = (share(40, 2, 1.0, Judgement::Same), share(30, 24, 1.0, Judgement::Same));
    assert!(hours >= 0.7, "{hours}");
    assert!(day >= 0.95, "{day}");
}

#[test]
fn thirty_percent_more_latency_is_seen_in_two_hours() {
    let seen = share(100, 2, 1.3, Judgement::Worse);
    assert!(seen >= 0.95, "{seen}");
}

#[test]
fn ten_percent_more_latency_is_seen_in_a_day() {
    let seen = share(30, 24, 1.1, Judgement::Worse);
    assert!(seen >= 0.9, "{seen}");
}

#[test]
fn lower_latency_is_better() {
    assert_eq!(judged(&world(5, 17), 14 * 288, 48, 0.6).judgement, Judgement::Better);
}

#[test]
fn too_few_samples_are_inconclusive() {
    let effect = judged(&world(1, 17), 14 * 288, 11, 3.0);
    assert_eq!(effect.judgement, Judgement::Inconclusive);
    assert!(effect.summary.contains("11 of 12"), "{}", effect.summary);
    let nothing = judge(&ServiceHistory::default(), &ServiceHistory::default(), Guards::Felt, &[], &Policy::default());
    assert_eq!(nothing.judgement, Judgement::Inconclusive);
}

fn with(mut history: ServiceHistory, metric: Metric, value: impl Fn(usize) -> f32) -> ServiceHistory {
    let load = &history.metrics[&Metric::RequestRate];
    let series = Series { start: load.start, step: 300, values: (0..load.values.len()).map(value).collect() };
    history.metrics.insert(metric, series);
    history
}

#[test]
fn kills_count_and_their_end_is_better() {
    let w = world(3, 17);
    let (quiet, after) = (w.history(0, 14 * 288, 1.0), w.history(14 * 288, 14 * 288 + 48, 1.0));
    let kill = |i: usize| if i == 20 { 2.0 } else { 0.0 };
    let worse = judge(&quiet, &with(after.clone(), Metric::OomKills, kill), Guards::Felt, &[], &Policy::default());
    assert_eq!(worse.judgement, Judgement::Worse, "{}", worse.summary);
    let often = with(quiet, Metric::OomKills, |i| f32::from(u8::from(i % 12 == 0)));
    assert_eq!(judge(&often, &after, Guards::Felt, &[], &Policy::default()).judgement, Judgement::Better);
    let usual = with(after, Metric::OomKills, |i| f32::from(u8::from(i % 12 == 3)));
    assert_ne!(judge(&often, &usual, Guards::Felt, &[], &Policy::default()).judgement, Judgement::Worse);
}

#[test]
fn tiny_absolute_changes_are_no_regression() {
    let w = world(4, 17);
    let shrink =
        |h: ServiceHistory, error: f32, ms: f32| with(with(h, Metric::ErrorRatio, move |_| error), Metric::LatencyP95, move |_| ms);
    let mut before = shrink(w.history(0, 14 * 288, 1.0), 0.0, 0.1);
    let mut after = shrink(w.history(14 * 288, 14 * 288 + 48, 1.0), 0.001, 0.12);
    before.metrics.remove(&Metric::LatencyP99);
    after.metrics.remove(&Metric::LatencyP99);
    let effect = judge(&before, &after, Guards::Felt, &[], &Policy::default());
    assert_eq!(effect.judgement, Judgement::Same, "{effect:?}");
}

#[test]
fn throttling_that_appears_is_worse() {
    let w = world(6, 17);
    let after = with(w.history(14 * 288, 14 * 288 + 24, 1.0), Metric::CpuThrottled, |_| 0.3);
    assert_eq!(judge(&w.history(0, 14 * 288, 1.0), &after, Guards::Felt, &[], &Policy::default()).judgement, Judgement::Worse);
}

#[test]
fn odd_values_never_break_it() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 0.0, f32::MAX, f32::MIN_POSITIVE, 1.0];
    let series = |n: usize, start: i64| Series { start, step: 300, values: (0..n).map(|i| odd[i * 7 % odd.len()]).collect() };
    let all = |n: usize, start: i64| ServiceHistory { metrics: Metric::ALL.iter().map(|m| (*m, series(n, start))).collect() };
    for (before, after) in [(0, 20), (20, 0), (5, 5), (4000, 30)] {
        let effect = judge(&all(before, START), &all(after, START + 4000 * 300), Guards::Felt, &[], &Policy::default());
        for m in &effect.metrics {
            assert!([m.before, m.after, m.change_percent, m.lo95, m.hi95].iter().all(|v| v.is_finite()), "{m:?}");
        }
    }
}
