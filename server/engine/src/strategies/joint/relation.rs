//! How latency follows the load of a replica, as the service itself has shown it: monotone, and nothing beyond what was seen is known.

use crate::stats;

/// Parts of equal size into which the samples are cut by load.
const PARTS: usize = 24;
/// Fewest samples of which something is learnt.
const FEWEST: usize = 4 * PARTS;
/// A rise over all loads by less than this share of the mean is none.
const FELT: f64 = 0.01;

/// Latency as a function of load that never falls.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::strategies) struct Relation {
    /// (load, latency), both ascending.
    knots: Vec<(f64, f64)>,
    /// How latency rises beyond the largest load seen, per unit of load; 0 where it is level.
    slope: f64,
    /// Latency without load, by the straight line through all.
    quiet: f64,
    /// Share of the variance of latency that load explains, 0 to 1.
    pub fit: f64,
}

impl Relation {
    /// Learns from pairs of load and latency; `None` with too few.
    ///
    /// Medians of equal parts by load, made monotone by pooling neighbours that fall (isotonic regression, Barlow and others 1972).
    pub fn learn(pairs: Vec<(f64, f64)>) -> Option<Self> {
        Self::of(pairs, stats::median)
    }

    /// The same of what is mostly nothing, such as throttled time: means of equal parts instead of medians.
    pub fn of_means(pairs: Vec<(f64, f64)>) -> Option<Self> {
        Self::of(pairs, |values| stats::trimmed_mean(values, 0.0))
    }

    fn of(mut pairs: Vec<(f64, f64)>, centre: fn(&mut [f64]) -> Option<f64>) -> Option<Self> {
        if pairs.len() < FEWEST {
            return None;
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let part = |part: &[(f64, f64)]| {
            let mut latencies: Vec<f64> = part.iter().map(|p| p.1).collect();
            let load = part.iter().map(|p| p.0).sum::<f64>() / part.len() as f64;
            Some((load, centre(&mut latencies)?))
        };
        let parts: Vec<(f64, f64)> =
            (0..PARTS).filter_map(|i| part(&pairs[i * pairs.len() / PARTS..(i + 1) * pairs.len() / PARTS])).collect();
        let all = rise(&parts);
        let slope = all.max(rise(&parts[parts.len() / 2..]));
        let knots = monotone(&parts);
        let quiet = knots.first().map_or(0.0, |k| (k.1 - all * k.0).max(0.0));
        let mut relation = Self { knots, slope, quiet, fit: 0.0 };
        relation.fit = relation.explained(&pairs);
        Some(relation)
    }

    /// Latency at a load. Beyond the largest load seen it rises as it did over all loads or over the upper half, and ever more steeply.
    pub fn at(&self, load: f64) -> f64 {
        let (Some(first), Some(last)) = (self.knots.first(), self.knots.last()) else { return 0.0 };
        if load <= first.0 {
            return first.1;
        }
        if load >= last.0 {
            return last.1 + self.slope * (load - last.0) * (load / last.0.max(f64::MIN_POSITIVE)).min(1e6);
        }
        let i = self.knots.partition_point(|k| k.0 <= load);
        let (a, b) = (self.knots[i - 1], self.knots[i]);
        a.1 + (b.1 - a.1) * (load - a.0) / (b.0 - a.0).max(f64::MIN_POSITIVE)
    }

    /// Latency with nothing to do. Not merely the least seen: that rises when a service is loaded more.
    pub fn quiet(&self) -> f64 {
        self.quiet
    }

    /// Whether latency rises with load at all, so that what is beyond the largest load seen is a guess.
    pub fn rises(&self) -> bool {
        self.slope > 0.0
    }

    fn explained(&self, pairs: &[(f64, f64)]) -> f64 {
        let mean = pairs.iter().map(|p| p.1).sum::<f64>() / pairs.len() as f64;
        let total: f64 = pairs.iter().map(|p| (p.1 - mean).powi(2)).sum();
        let rest: f64 = pairs.iter().map(|p| (p.1 - self.at(p.0)).powi(2)).sum();
        if total > 0.0 { (1.0 - rest / total).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// The least-squares slope of latency on load, 0 where it is less than twice its standard error or not felt: what chance alone may have drawn
/// is not carried on.
fn rise(medians: &[(f64, f64)]) -> f64 {
    let n = medians.len() as f64;
    let (mx, my) = (medians.iter().map(|p| p.0).sum::<f64>() / n, medians.iter().map(|p| p.1).sum::<f64>() / n);
    let xx: f64 = medians.iter().map(|p| (p.0 - mx).powi(2)).sum();
    let slope = medians.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>() / xx;
    let rest: f64 = medians.iter().map(|p| (p.1 - my - slope * (p.0 - mx)).powi(2)).sum();
    let error = (rest / (n - 2.0).max(1.0) / xx).sqrt();
    let (first, last) = (medians.first().map_or(0.0, |p| p.0), medians.last().map_or(0.0, |p| p.0));
    if slope.is_finite() && slope > 2.0 * error && slope * (last - first) > FELT * my { slope } else { 0.0 }
}

/// Pools neighbours until nothing falls; loads that are equal become one.
fn monotone(medians: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut pools: Vec<(f64, f64, f64)> = Vec::new(); // mean latency, members, first load
    let mut loads: Vec<Vec<f64>> = Vec::new();
    for (load, latency) in medians {
        pools.push((*latency, 1.0, *load));
        loads.push(vec![*load]);
        while let [.., a, b] = pools[..]
            && (a.0 > b.0 || b.2 <= a.2)
        {
            pools.pop();
            let last = pools.len() - 1;
            pools[last] = ((a.0 * a.1 + b.0 * b.1) / (a.1 + b.1), a.1 + b.1, a.2);
            let upper = loads.pop().unwrap_or_default();
            loads[last].extend(upper);
        }
    }
    let mut knots: Vec<(f64, f64)> = Vec::new();
    for (pool, loads) in pools.iter().zip(&loads) {
        // A pool is level from its first load to its last.
        for load in [loads.first(), loads.last()].into_iter().flatten() {
            if knots.last().is_none_or(|k| k.0 < *load) {
                knots.push((*load, pool.0));
            }
        }
    }
    knots
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    fn pairs(n: usize, latency: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let mut pair = || {
            let load = rng.random_range(0.1..1.0f64);
            (load, latency(load) * (1.0 + 0.03 * rng.random_range(-1.0..1.0f64)))
        };
        (0..n).map(|_| pair()).collect()
    }

    #[test]
    fn it_rises_as_the_service_did_and_faster_beyond() {
        let relation = Relation::learn(pairs(4000, |x| 20.0 + 80.0 * x * x)).unwrap();
        for load in [0.2, 0.5, 0.9] {
            assert!((relation.at(load) / (20.0 + 80.0 * load * load) - 1.0).abs() < 0.04, "{load} {}", relation.at(load));
        }
        assert!(relation.fit > 0.97);
        let steps: Vec<f64> = (0..40).map(|i| relation.at(f64::from(i) / 20.0)).collect();
        assert!(steps.windows(2).all(|w| w[0] <= w[1]), "{steps:?}");
        assert!(relation.at(2.0) > 20.0 + 2.0 * 80.0, "{}", relation.at(2.0));
    }

    #[test]
    fn what_does_not_move_with_load_stays_level() {
        let relation = Relation::learn(pairs(4000, |_| 50.0)).unwrap();
        assert!((relation.at(0.9) / relation.quiet() - 1.0).abs() < 0.02 && relation.fit < 0.05, "{relation:?}");
        assert_eq!(Relation::learn(pairs(FEWEST - 1, |_| 50.0)), None);
        let constant = Relation::learn(vec![(0.5, 10.0); 200]).unwrap();
        assert_eq!((constant.at(0.1), constant.at(3.0)), (10.0, 10.0));
    }
}
