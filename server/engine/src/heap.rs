//! Memory that a collector lets fall, and memory that leaks.
//!
//! A heap under a collector climbs until its own setting has it collected, falls at once, and climbs again: a saw. Its climb is no leak, and what it
//! needs is its ceiling. It leaks when what a collection leaves grows. Without a collector memory leaks when it grows from one restart
//! to the next. Both are told from each other by restarts; where those are not measured, by tops: a collector works at the same height.

use crate::samples::Samples;
use crate::stats;
use headroom_model::time::DAY;
use serde::Serialize;

/// A fall at once: to this share of what there was within the last two quarters of an hour.
const FALL: f64 = 0.9;
/// A fall to less than this is taken for a restart where restarts are not measured.
const RESTART: f64 = 0.7;
/// A restart counts for a fall that is no further from it, seconds.
const NEAR: i64 = 1800;
/// Collections from which on there is a saw, quarters that one tooth has on average, and the share of its steps that climb: noise has less of either.
const COLLECTIONS: usize = 3;
const TOOTH: usize = 4;
const CLIMBS: f64 = 0.7;
/// Tops are the same when nine in ten of them lie within so much of their median.
const SAME: f64 = 0.1;

/// A heap that is collected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Heap {
    /// Sharp falls without a restart.
    pub collections: u32,
    /// The height from which it falls, bytes.
    pub ceiling: f64,
    /// Whether that is the same every time, as a heap of a configured size has it.
    pub flat: bool,
}

/// A steady growth of memory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leak {
    /// Bytes per day.
    pub per_day: f64,
    /// Share of pairs of samples that rise, 0 to 1.
    pub rising: f64,
    /// Hours of the window in which it grew without a restart.
    pub hours: f64,
}

/// (day, bytes)
type Point = (f64, f64);

/// The parts of a series between falls at once.
struct Saw<'p> {
    teeth: Vec<&'p [Point]>,
    /// Whether a restart ended each tooth; one less than teeth.
    restarts: Vec<bool>,
    /// Whether the tops are the same.
    flat: bool,
    /// The middle of the tops; 0 without a fall.
    top: f64,
}

/// What the memory of a service does, by the quarter of an hour. `restarts`: when it is known to have restarted or been killed, seconds since the
/// epoch; `measured`: whether these are all.
pub(crate) fn look(memory: &Samples, restarts: &[i64], measured: bool) -> (Option<Heap>, Option<Leak>) {
    let points: Vec<Point> = memory.points().map(|(t, v)| (t as f64 / DAY as f64, v)).collect();
    let saw = Saw::of(&points, restarts, measured);
    (saw.heap(), saw.leak(memory.mean()))
}

impl<'p> Saw<'p> {
    fn of(points: &'p [Point], restarts: &[i64], measured: bool) -> Self {
        let falls = falls(points);
        let ends = falls.iter().copied().chain([points.len()]);
        let teeth: Vec<&[Point]> = std::iter::once(0).chain(falls.iter().copied()).zip(ends).map(|(a, b)| &points[a..b]).collect();
        let mut tops: Vec<f64> = teeth[..falls.len()].iter().map(|tooth| top(tooth)).collect();
        let mut at = |q: f64| stats::quantile(&mut tops, q).unwrap_or(0.0);
        let middle = at(0.5);
        let flat = falls.len() >= COLLECTIONS && at(0.9) - at(0.1) <= SAME * middle;
        let near = |i: usize| restarts.iter().any(|r| (r - (points[i].0 * DAY as f64) as i64).abs() <= NEAR);
        let restarted = |i: usize| near(i) || !measured && !flat && points[i].1 < RESTART * points[i - 1].1;
        Self { restarts: falls.iter().map(|i| restarted(*i)).collect(), teeth, flat, top: middle }
    }

    fn collections(&self) -> usize {
        self.restarts.iter().filter(|r| !**r).count()
    }

    fn heap(&self) -> Option<Heap> {
        let steps = || self.teeth.iter().flat_map(|tooth| tooth.windows(2)).map(|w| w[1].1 - w[0].1).filter(|step| *step != 0.0);
        let climbs = steps().filter(|step| *step > 0.0).count() as f64 >= CLIMBS * steps().count() as f64;
        let long = self.teeth.iter().map(|tooth| tooth.len()).sum::<usize>() >= TOOTH * self.teeth.len();
        let collections = self.collections();
        (collections >= COLLECTIONS && long && climbs).then_some(Heap {
            collections: collections as u32,
            ceiling: self.top,
            flat: self.flat,
        })
    }

    /// Growth between restarts, of what collections leave where there are any. Less than half a day tells nothing.
    fn leak(&self, mean: f64) -> Option<Leak> {
        let runs = self.runs();
        let long = runs.iter().filter(|p| p.len() > 3 && p[p.len() - 1].0 - p[0].0 >= 0.5);
        let slopes: Vec<(f64, f64, f64)> =
            long.filter_map(|p| stats::theil_sen(p).map(|(slope, rising)| (slope, rising, (p[p.len() - 1].0 - p[0].0) * 24.0))).collect();
        let hours: f64 = slopes.iter().map(|s| s.2).sum();
        if hours <= 0.0 {
            return None;
        }
        let weighted = |get: fn(&(f64, f64, f64)) -> f64| slopes.iter().map(|s| get(s) * s.2).sum::<f64>() / hours;
        let found = Leak { per_day: weighted(|s| s.0), rising: weighted(|s| s.1), hours };
        (found.rising > 0.85 && found.per_day > 0.02 * mean).then_some(found)
    }

    /// What there is to grow between one restart and the next.
    fn runs(&self) -> Vec<Vec<Point>> {
        let mut runs = vec![Vec::new()];
        for (i, tooth) in self.teeth.iter().enumerate() {
            match i.checked_sub(1).map(|before| self.restarts[before]) {
                Some(true) => runs.push(vec![*tooth]),
                _ => runs.last_mut().into_iter().for_each(|run: &mut Vec<&[Point]>| run.push(tooth)),
            }
        }
        runs.iter()
            .map(|run| if run.len() > COLLECTIONS { run[1..].iter().filter_map(|t| floor(t)).collect() } else { run.concat() })
            .collect()
    }
}

/// Where memory falls at once: the first sample after each fall.
fn falls(points: &[Point]) -> Vec<usize> {
    let (mut out, mut before) = (Vec::new(), (f64::NAN, f64::NAN));
    for (i, (_, value)) in points.iter().enumerate() {
        let fell = *value < FALL * before.0.max(before.1);
        out.extend(fell.then_some(i));
        before = if fell { (f64::NAN, *value) } else { (before.1, *value) };
    }
    out
}

fn top(tooth: &[Point]) -> f64 {
    tooth.iter().fold(0.0, |top: f64, p| top.max(p.1))
}

/// The least that a collection left.
fn floor(tooth: &[Point]) -> Option<Point> {
    tooth.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: f32 = (1u64 << 30) as f32;

    /// Between −1 and 1, of no visible order.
    fn noise(i: usize) -> f32 {
        let mixed = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// Two weeks of quarters of an hour.
    fn memory(value: impl Fn(usize) -> f32) -> Samples {
        let values: Vec<f32> = (0..14 * 96).map(value).collect();
        Samples { start: 20_000 * DAY, step: 900, count: values.len(), values }
    }

    /// Climbs from 1 to 2 GiB in `period` quarters and falls, with a share of noise.
    fn saw(period: usize, noisy: f32) -> impl Fn(usize) -> f32 {
        move |i| GIB * (1.0 + (i % period) as f32 / period as f32) * (1.0 + noisy * noise(i))
    }

    /// The times at which a saw of that period falls.
    fn falls_of(period: usize) -> Vec<i64> {
        (1..14 * 96).filter(|i| i % period == 0).map(|i| 20_000 * DAY + 900 * i as i64).collect()
    }

    #[test]
    fn a_heap_that_is_collected_does_not_leak_however_seldom() {
        for (period, noisy) in [(6, 0.0), (10, 0.01), (24, 0.01), (96, 0.002), (250, 0.001)] {
            for measured in [true, false] {
                let (heap, leak) = look(&memory(saw(period, noisy)), &[], measured);
                let heap = heap.unwrap_or_else(|| panic!("period {period}, measured {measured}"));
                assert!(heap.flat && (f64::from(GIB) * 1.7..=f64::from(GIB) * 2.05).contains(&heap.ceiling), "period {period}: {heap:?}");
                assert_eq!(leak, None, "period {period}, measured {measured}");
            }
        }
    }

    #[test]
    fn a_heap_whose_floor_rises_leaks() {
        for period in [6, 24, 96] {
            // What a collection leaves grows by a twentieth of a GiB a day, under a ceiling that stays.
            let rises = move |i: usize| {
                let floor = 1.0 + 0.05 * i as f32 / 96.0;
                GIB * (floor + (2.5 - floor) * (i % period) as f32 / period as f32)
            };
            let (heap, leak) = look(&memory(rises), &[], true);
            assert!(heap.is_some(), "period {period}");
            let leak = leak.unwrap_or_else(|| panic!("period {period}"));
            assert!((leak.per_day / (0.05 * f64::from(GIB)) - 1.0).abs() < 0.1, "period {period}: {leak:?}");
        }
    }

    #[test]
    fn what_restarts_let_fall_leaks_between_them() {
        for measured in [true, false] {
            let (heap, leak) = look(&memory(saw(150, 0.001)), &falls_of(150), measured);
            assert_eq!(heap, None);
            assert!((leak.map_or(0.0, |l| l.per_day) / (0.64 * f64::from(GIB)) - 1.0).abs() < 0.05);
        }
        // Restarts that are not measured end a climb at any height.
        let uneven =
            |i: usize| GIB * (1.0 + [0, 150, 410, 520, 850, 1000, 1310].iter().rfind(|r| **r <= i).map_or(0.0, |r| (i - r) as f32 / 150.0));
        let (heap, leak) = look(&memory(uneven), &[], false);
        assert!(heap.is_none() && leak.is_some(), "{heap:?} {leak:?}");
    }

    #[test]
    fn a_plateau_a_wave_and_noise_are_neither() {
        let plateau = |i: usize| GIB * (0.5 + 0.1 * i as f32).min(2.0);
        let wave = |i: usize| GIB * (2.0 + 0.5 * (i as f32 / 96.0 * std::f32::consts::TAU).sin());
        let noisy = |i: usize| GIB * (1.0 + 0.3 * noise(i));
        for memory in [memory(plateau), memory(wave), memory(noisy), memory(|_| GIB)] {
            for measured in [true, false] {
                let (heap, leak) = look(&memory, &[], measured);
                assert!(heap.is_none() && leak.is_none(), "{heap:?} {leak:?}");
            }
        }
    }

    #[test]
    fn few_samples_and_gaps_say_nothing() {
        for values in [vec![1.0], vec![f32::NAN, 2.0, f32::NAN, 1.0], vec![0.0; 200]] {
            let count = values.iter().filter(|v| !v.is_nan()).count();
            assert_eq!(look(&Samples { start: 0, step: 900, values, count }, &[], false), (None, None));
        }
    }
}
