//! Whether values might stand in any order, and if not, where they part: a permutation test.

use super::FEWEST;

/// Chance of finding a change where the order of the values means nothing.
pub(super) const LEVEL: f64 = 0.005;

/// Permutations drawn at most; with the given order they make 1000.
const DRAWS: usize = 999;

/// Levels of the values at which the two sides are compared.
const LANES: usize = 8;

/// Shortest side of a split.
const SHORTEST: usize = 2;

/// What [`test`] says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict {
    /// Share of orders of the same values that part at least as clearly somewhere.
    pub p_value: f64,
    /// Where these values part most clearly: the first of the right side.
    pub at: usize,
}

/// Tests values (at least [`FEWEST`]) for a change of their distribution at an unknown place.
///
/// At eight evenly spaced quantiles of all values the shares below are compared on both sides of each place; the statistic is the
/// largest sum of their squared standard scores (the change-point form of the Anderson–Darling test). Only ranks enter: an
/// outlier counts as one value, and ties are harmless. Its null distribution is that over random orders, drawn until it is clear
/// that the level is missed.
/// Sources: Zou, Yin, Feng and Wang, Nonparametric maximum likelihood approach to multiple change-point problems, 2014; Haynes,
/// Fearnhead and Eckley, A computationally efficient nonparametric approach for changepoint detection, 2017; Besag and Clifford,
/// Sequential Monte Carlo p-values, 1991.
pub(super) fn test(values: &[f64]) -> Verdict {
    let ranks = ranks(values);
    let mut rows = scores(&ranks);
    if values.len() < FEWEST || rows.is_empty() {
        return Verdict { p_value: 1.0, at: 0 };
    }
    let weights: Vec<f64> = weights(rows.len());
    let (observed, at) = clearest(&rows, &weights);
    let mut random = Random::from(&ranks);
    let enough = (LEVEL * (DRAWS + 1) as f64).ceil() as usize;
    let mut as_clear = 0;
    for draw in 1..=DRAWS {
        random.shuffle(&mut rows);
        as_clear += usize::from(clearest(&rows, &weights).0 >= observed * (1.0 - 1e-9));
        if as_clear == enough {
            return Verdict { p_value: as_clear as f64 / draw as f64, at };
        }
    }
    Verdict { p_value: (as_clear + 1) as f64 / (DRAWS + 1) as f64, at }
}

/// Correlation of the ranks of neighbours within the parts that `cuts` make, in standard errors.
///
/// The mean of each part is taken from its own values, which makes neighbours look opposed by one in as many values; that is
/// given back. Source: Bartels, The rank version of von Neumann's ratio test for randomness, 1982.
pub(super) fn memory(values: &[f64], cuts: &[usize]) -> f64 {
    let mut edges = vec![0];
    edges.extend(cuts);
    edges.push(values.len());
    let (mut all, mut next) = (0.0, 0.0);
    for part in edges.windows(2) {
        let ranks = ranks(&values[part[0]..part[1]]);
        let n = ranks.len() as f64;
        let off: Vec<f64> = ranks.iter().map(|r| (r - (n - 1.0) / 2.0) / n).collect();
        all += off.iter().map(|o| o * o).sum::<f64>();
        next += off.windows(2).map(|w| w[0] * w[1]).sum::<f64>();
    }
    let n = values.len() as f64;
    if all > 0.0 { (next / all + (edges.len() - 1) as f64 / n) * n.sqrt() } else { 0.0 }
}

/// Ranks from 0, ties sharing their mean.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let alike = order[from..].iter().take_while(|i| values[**i] == values[order[from]]).count();
        for i in &order[from..from + alike] {
            ranks[*i] = from as f64 + (alike - 1) as f64 / 2.0;
        }
        from += alike;
    }
    ranks
}

/// Per value and level, whether the value lies below it, as a standard score over all values; empty where all values are equal.
fn scores(ranks: &[f64]) -> Vec<[f64; LANES]> {
    let n = ranks.len();
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut levels: Vec<f64> = (1..=LANES).map(|i| sorted[i * n / (LANES + 1)]).filter(|l| *l > sorted[0]).collect();
    levels.dedup();
    if levels.is_empty() {
        levels.extend(sorted.iter().copied().find(|r| *r > sorted[0]));
    }
    let mut rows = if levels.is_empty() { Vec::new() } else { vec![[0.0; LANES]; n] };
    for (lane, level) in levels.iter().enumerate() {
        let below = ranks.iter().filter(|r| *r < level).count() as f64 / n as f64;
        let spread = (below * (1.0 - below)).sqrt();
        for (row, rank) in rows.iter_mut().zip(ranks) {
            row[lane] = (f64::from(u8::from(rank < level)) - below) / spread;
        }
    }
    rows
}

/// Per length of the left side, what makes the squared sum of its scores one squared standard score; 0 for sides too short.
fn weights(n: usize) -> Vec<f64> {
    let weight = |k: usize| n as f64 / (k as f64 * (n - k) as f64);
    (0..=n).map(|k| if k < SHORTEST || n - k < SHORTEST { 0.0 } else { weight(k) }).collect()
}

/// The largest statistic over all places, and the place.
fn clearest(rows: &[[f64; LANES]], weights: &[f64]) -> (f64, usize) {
    let mut sums = [0.0; LANES];
    let mut best = (0.0, 0);
    for (row, (k, weight)) in rows.iter().zip(weights.iter().enumerate().skip(1)) {
        let mut squares = 0.0;
        for (sum, score) in sums.iter_mut().zip(row) {
            *sum += score;
            squares += *sum * *sum;
        }
        if squares * weight > best.0 {
            best = (squares * weight, k);
        }
    }
    best
}

/// Numbers as good as random, begun from the values' ranks: the same series always gives the same answer, and two series do not
/// share their luck. Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014 (SplitMix64).
struct Random(u64);

impl Random {
    fn from(ranks: &[f64]) -> Self {
        Self(ranks.iter().fold(0x9e37_79b9_7f4a_7c15, |seed: u64, r| (seed ^ r.to_bits()).wrapping_mul(0x0100_0000_01b3).rotate_left(23)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let other = ((u128::from(self.next()) * (i as u128 + 1)) >> 64) as usize;
            items.swap(i, other);
        }
    }
}
