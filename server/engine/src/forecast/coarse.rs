//! A long horizon in coarser steps: methods forecast the means of blocks, and what each phase of a season adds to its block's mean
//! is added back.

use super::Paths;
use super::origins::{Plan, divisor};
use super::prepare::Prepared;

/// Fewest blocks in a horizon that is made coarser.
const HORIZON_BLOCKS: usize = 48;
/// Fewest blocks in a season.
const SEASON_BLOCKS: usize = 24;

/// Means of blocks that end with the series.
pub(super) struct Grid {
    pub values: Vec<f64>,
    /// Whether at least half of a block was measured.
    pub real: Vec<bool>,
    /// In blocks.
    pub seasons: Vec<usize>,
    /// In blocks, rounded up.
    pub horizon: usize,
    /// Steps per block.
    pub factor: usize,
}

impl Grid {
    /// Blocks as wide as horizon and seasons allow; single steps otherwise.
    pub fn new(prepared: &Prepared, seasons: &[usize], horizon: usize) -> Self {
        let common = seasons.iter().copied().fold(0, divisor);
        let shortest = seasons.iter().copied().min().unwrap_or(usize::MAX);
        let most = (horizon / HORIZON_BLOCKS).min(shortest / SEASON_BLOCKS).min(prepared.values.len() / (2 * HORIZON_BLOCKS)).max(1);
        let factor = (1..=most).rev().find(|k| common % k == 0).unwrap_or(1);
        let skip = prepared.values.len() % factor;
        let blocks = |values: &[f64]| values.chunks_exact(factor).map(|b| b.iter().sum::<f64>() / factor as f64).collect();
        let enough = |b: &[bool]| 2 * b.iter().filter(|r| **r).count() >= factor;
        Self {
            values: blocks(&prepared.values[skip..]),
            real: prepared.real[skip..].chunks_exact(factor).map(enough).collect(),
            seasons: seasons.iter().map(|m| m / factor).collect(),
            horizon: horizon.div_ceil(factor),
            factor,
        }
    }

    /// Paths of single steps from paths of blocks.
    pub fn refine(&self, prepared: &Prepared, plan: &Plan, paths: Paths) -> Paths {
        let k = self.factor;
        if k == 1 {
            return paths;
        }
        let skip = prepared.values.len() % k;
        let season = plan.seasons.first().map(|m| m * k);
        let mut detail = Detail::new(season.unwrap_or(1));
        let mut done = skip;
        let mut out = Vec::with_capacity(paths.len());
        for (origin, path) in plan.origins.iter().zip(paths) {
            let end = skip + origin * k;
            for t in done..end {
                let level = between(&self.values[..*origin], None, t - skip, k);
                detail.add(t, prepared.values[t] - level);
            }
            done = end;
            let shape = detail.shape();
            let last = self.values[origin - 1];
            let value = |h: usize| between(&path, Some(last), h, k) + shape[(end + h) % shape.len()];
            out.push((0..path.len() * k).map(value).collect());
        }
        out
    }
}

/// The value at single step `t`, on straight lines between the middles of blocks; `before` stands before the first.
fn between(blocks: &[f64], before: Option<f64>, t: usize, k: usize) -> f64 {
    let at = (t as f64 + 0.5) / k as f64 - 0.5;
    let (low, share) = (at.floor(), at - at.floor());
    let get = |i: f64| if i < 0.0 { before.unwrap_or(blocks[0]) } else { blocks[(i as usize).min(blocks.len() - 1)] };
    get(low) * (1.0 - share) + get(low + 1.0) * share
}

/// What each phase adds, on average.
struct Detail {
    /// Per phase: sum, sum of squares, count.
    sums: Vec<(f64, f64, f64)>,
}

impl Detail {
    fn new(season: usize) -> Self {
        Self { sums: vec![(0.0, 0.0, 0.0); season] }
    }

    fn add(&mut self, t: usize, value: f64) {
        let phase = t % self.sums.len();
        let sum = &mut self.sums[phase];
        *sum = (sum.0 + value, sum.1 + value * value, sum.2 + 1.0);
    }

    /// Means per phase, drawn to 0 as far as chance explains them (James and Stein).
    fn shape(&self) -> Vec<f64> {
        let (mut signal, mut noise) = (0.0, 0.0);
        for (sum, squares, n) in self.sums.iter().filter(|s| s.2 > 1.0) {
            let mean = sum / n;
            signal += mean * mean;
            noise += (squares / n - mean * mean).max(0.0) / (n - 1.0);
        }
        let keep = if signal > 0.0 { (1.0 - noise / signal).max(0.0) } else { 0.0 };
        self.sums.iter().map(|(sum, _, n)| if *n > 1.0 { keep * sum / n } else { 0.0 }).collect()
    }
}
