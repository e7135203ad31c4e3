//! How rare a reading is among those before it: ranks inside what was seen, an extreme-value tail beyond it.

use std::collections::VecDeque;

/// Fewest readings before anything is called rare.
const FEWEST: usize = 20;
/// The share of readings that the tail is fitted to, and how many at least and at most.
const TAIL_SHARE: usize = 20;
const TAIL_SIZE: (usize, usize) = (5, 200);
/// Heaviest tail believed; 0 (exponential) is the lightest, because a bounded tail makes every new record infinitely rare.
const HEAVIEST: f64 = 0.45;
/// Readings between two fits.
const REFIT: u32 = 8;

/// The last readings of one signal, sorted, with a generalised Pareto distribution over the largest of them.
///
/// Peaks over threshold as in Siffer et al., "Anomaly Detection in Streams with Extreme Value Theory" (KDD 2017), fitted by
/// moments (Hosking and Wallis 1987). Work per reading: O(log n) comparisons and one move of at most `capacity` numbers.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    sorted: Vec<f64>,
    arrived: VecDeque<f64>,
    capacity: usize,
    fit: Option<Fit>,
    since_fit: u32,
}

/// A generalised Pareto tail above `threshold`, which the share `above` of the readings pass.
#[derive(Debug, Clone, Copy)]
struct Fit {
    threshold: f64,
    mean_excess: f64,
    shape: f64,
    above: f64,
}

impl Tail {
    /// Remembers at most `capacity` readings.
    pub fn new(capacity: usize) -> Self {
        Self { sorted: Vec::new(), arrived: VecDeque::new(), capacity, fit: None, since_fit: 0 }
    }

    /// −ln of the probability that a reading is as large as `x`, at least 0, judged by the readings before it; 0 with fewer than 20.
    ///
    /// `floor` is the least scale of the tail, in the signal's unit: differences below it are never rare. Inside what was seen
    /// the answer is the mean of the fitted tail and the plain rank, so that a value that returns every day stops being rare.
    pub fn surprise(&mut self, x: f64, floor: f64) -> f64 {
        let n = self.sorted.len();
        if n < FEWEST {
            return 0.0;
        }
        let fit = match self.fit {
            Some(fit) if self.since_fit < REFIT => fit,
            _ => self.refit(),
        };
        let at_least = n - self.sorted.partition_point(|v| *v < x);
        let rank = -((at_least as f64 + 1.0) / (n as f64 + 1.0)).min(1.0).ln();
        if x <= fit.threshold {
            return rank;
        }
        let scale = (fit.mean_excess * (1.0 - fit.shape)).max(floor).max(f64::MIN_POSITIVE);
        let z = ((x - fit.threshold) / scale).min(1e12);
        let tail = -fit.above.ln() + if fit.shape < 1e-3 { z } else { (fit.shape * z).ln_1p() / fit.shape };
        if at_least > 0 { f64::midpoint(tail, rank) } else { tail }
    }

    /// Learns a finite reading; the oldest is forgotten when there are too many.
    pub fn push(&mut self, x: f64) {
        if self.arrived.len() == self.capacity
            && let Some(oldest) = self.arrived.pop_front()
        {
            let at = self.sorted.partition_point(|v| *v < oldest);
            self.sorted.remove(at);
        }
        self.arrived.push_back(x);
        let at = self.sorted.partition_point(|v| *v < x);
        self.sorted.insert(at, x);
        self.since_fit += 1;
    }

    /// The distance from the 10th to the 90th percentile; 0 with fewer than 20 readings.
    pub fn spread(&self) -> f64 {
        let n = self.sorted.len();
        if n < FEWEST { 0.0 } else { self.sorted[n * 9 / 10] - self.sorted[n / 10] }
    }

    fn refit(&mut self) -> Fit {
        let n = self.sorted.len();
        let k = (n / TAIL_SHARE).clamp(TAIL_SIZE.0, TAIL_SIZE.1);
        let threshold = self.sorted[n - k - 1];
        let excesses = || self.sorted[n - k..].iter().map(|v| v - threshold);
        let mean_excess = excesses().sum::<f64>() / k as f64;
        let variance = excesses().map(|e| (e - mean_excess).powi(2)).sum::<f64>() / k as f64;
        let shape = if variance > 0.0 { (0.5 * (1.0 - mean_excess * mean_excess / variance)).clamp(0.0, HEAVIEST) } else { 0.0 };
        let fit = Fit { threshold, mean_excess, shape, above: k as f64 / (n as f64 + 1.0) };
        self.fit = Some(fit);
        self.since_fit = 0;
        fit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(values: impl Iterator<Item = f64>) -> Tail {
        let mut tail = Tail::new(1000);
        values.for_each(|v| tail.push(v));
        tail
    }

    #[test]
    fn an_exponential_tail_is_extrapolated() {
        // Quantiles of an exponential with mean 1, whose −ln p at x is x.
        let mut tail = learnt((0..1000).map(|i| -(1.0 - (f64::from(i) + 0.5) / 1000.0).ln()));
        for x in [8.0, 10.0, 12.0] {
            let s = tail.surprise(x, 0.0);
            assert!((s - x).abs() < 0.1 * x, "{x}: {s}");
        }
        assert!((tail.surprise(0.0, 0.0)).abs() < 0.01);
        assert!((tail.surprise(2.0, 0.0) - 2.0).abs() < 0.05, "inside, the rank counts");
    }

    #[test]
    fn what_returns_stops_being_rare() {
        let mut once = learnt((0..500).map(|i| f64::from(i % 7)));
        let first = once.surprise(50.0, 0.1);
        for _ in 0..10 {
            once.push(50.0);
        }
        assert!(once.surprise(50.0, 0.1) < 0.5 * first);
    }

    #[test]
    fn the_oldest_is_forgotten_and_few_are_not_judged() {
        let mut tail = Tail::new(30);
        (0..19).for_each(|i| tail.push(f64::from(i)));
        assert_eq!(tail.surprise(1e9, 1.0), 0.0);
        (0..100).for_each(|i| tail.push(f64::from(i)));
        assert_eq!((tail.sorted.len(), tail.sorted[0]), (30, 70.0));
        assert_eq!(tail.spread(), 24.0);
    }

    #[test]
    fn a_constant_past_is_measured_by_the_floor() {
        let mut tail = learnt((0..100).map(|_| 5.0));
        assert!(tail.surprise(5.0, 1.0) < 0.1);
        assert!(tail.surprise(5.5, 1.0) < tail.surprise(9.0, 1.0));
        assert!(tail.surprise(f64::MAX, 0.0).is_finite());
    }
}
