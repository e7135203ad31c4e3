//! Levels or lines with changes between them, under noise with memory.

use super::Change;
use crate::stats::{median, robust_sd};

/// Shortest regime.
const SHORTEST: usize = 3;

/// An outlier is drawn in to this many noise deviations from its neighbours.
const OUTLIER: f64 = 3.0;

/// The strongest memory between neighbours that the simple model of it is believed with.
const STRONGEST_MEMORY: f64 = 0.8;

/// A difference of two descriptions' costs (twice the logarithm of their odds) that leaves little doubt.
/// Source: Kass and Raftery, Bayes factors, 1995.
const DECISIVE: f64 = 10.0;

/// What a change costs, in logarithms of the length: its place, its new level (and slope), and one so that places compete.
const LEVEL_CHANGE: f64 = 3.0;
const LINE_CHANGE: f64 = 4.0;

/// The cheapest description of a series.
pub(super) struct Curve {
    /// Where regimes begin, without the first.
    cuts: Vec<usize>,
    /// Lines rather than levels.
    lines: bool,
    fits: Fits,
}

/// Describes values by levels or lines, whichever is cheaper: squared residuals in units of the noise's long-run variance plus
/// a price per change (and one logarithm for slopes at all), minimised exactly.
///
/// Sources: Jackson et al., An algorithm for optimal partitioning of data on an interval, 2005; Yao, Estimating the number of
/// change-points via Schwarz' criterion, 1988; Zhang and Siegmund, A modified Bayes information criterion, 2007 (three
/// logarithms per level).
pub(super) fn segment(plain: &[f64]) -> Curve {
    let log = (plain.len() as f64).ln();
    let Some((noise, memory)) = noise(plain) else {
        return Curve { cuts: Vec::new(), lines: false, fits: Fits::new(plain) };
    };
    let fits = Fits::new(&drawn_in(plain, noise, noise * memory.sqrt()));
    let (levels, level_cost) = partition(&fits, false, LEVEL_CHANGE * log);
    let (lines, line_cost) = partition(&fits, true, LINE_CHANGE * log);
    if line_cost + log < level_cost { Curve { cuts: lines, lines: true, fits } } else { Curve { cuts: levels, lines: false, fits } }
}

impl Curve {
    /// The changes, each with the chance of as large a gain at the best of the places between its neighbours.
    pub fn changes(&self) -> Vec<Change> {
        let edge = |i: usize| if i == 0 { 0 } else { self.cuts[i - 1] };
        let end = |i: usize| self.cuts.get(i + 1).copied().unwrap_or(self.fits.len());
        (0..self.cuts.len())
            .map(|i| {
                let (from, at, to) = (edge(i), self.cuts[i], end(i));
                let gain = self.fits.cost(from, to, self.lines) - self.fits.cost(from, at, self.lines) - self.fits.cost(at, to, self.lines);
                let chance = if self.lines { (-gain / 2.0).exp() } else { (-gain / 2.0).exp() / (1.0 + gain / 2.0).sqrt() };
                Change { at, p_value: (chance * (to - from) as f64).min(1.0) }
            })
            .collect()
    }

    /// Whether lines fit values without memory better than steps at `cuts` do, for the same number of levels and slopes.
    pub fn explains_better_than_steps(&self, values: &[f64], cuts: &[usize]) -> bool {
        let fits = Fits::new(values);
        let residuals = fits.residuals(values, cuts, false);
        let Some(spread) = robust_sd(&residuals).filter(|s| *s > 0.0) else { return false };
        let size = |r: &[f64]| r.iter().map(|x| (x / spread).powi(2).min(OUTLIER * OUTLIER)).sum::<f64>();
        let price = |cuts: usize, per_part: usize| (per_part * (cuts + 1) + cuts) as f64 * (values.len() as f64).ln();
        let own = fits.residuals(values, &self.cuts, true);
        self.lines && size(&own) + price(self.cuts.len(), 2) + DECISIVE < size(&residuals) + price(cuts.len(), 1)
    }
}

/// The place in `low..=high` at which two levels fit values best.
pub(super) fn best_split(values: &[f64], low: usize, high: usize) -> Option<usize> {
    let fits = Fits::new(values);
    let cost = |k: usize| fits.cost(0, k, false) + fits.cost(k, values.len(), false);
    (low..=high).min_by(|a, b| cost(*a).total_cmp(&cost(*b)))
}

/// The noise's long-run deviation, and the share of its variance that neighbours do not share; `None` for a constant.
///
/// The larger of two estimates that neither steps nor trends disturb: from medians of differences of neighbouring block means of
/// length n^(1/3), and from those of values one and two apart under first-order memory.
/// Sources: Wu and Zhao, Inference of trends in time series, 2007; Chakar, Lebarbier, Lévy-Leduc and Robin, A robust approach
/// for estimating change-points in the mean of an AR(1) process, 2017.
fn noise(values: &[f64]) -> Option<(f64, f64)> {
    let apart = |k: usize| spread(&values[k..].iter().zip(values).map(|(a, b)| a - b).collect::<Vec<_>>());
    let (one, two) = (apart(1)?, apart(2).unwrap_or_default());
    let memory = ((two / one).powi(2) - 1.0).clamp(0.0, STRONGEST_MEMORY);
    let short = one * one / 2.0;
    let first_order = short * (1.0 + memory) / (1.0 - memory).powi(2);
    let long = first_order.max(between_blocks(values).unwrap_or_default());
    (long > f64::MIN_POSITIVE).then(|| (long.sqrt(), short / long))
}

fn between_blocks(values: &[f64]) -> Option<f64> {
    let m = ((values.len() as f64).cbrt().round() as usize).max(2);
    let means: Vec<f64> = values.windows(m).map(|w| w.iter().sum::<f64>() / m as f64).collect();
    let apart: Vec<f64> = means.iter().skip(m).zip(&means).map(|(a, b)| a - b).collect();
    spread(&apart).map(|s| s * s * m as f64 / 2.0)
}

/// A robust deviation, the usual one where more than half of the values are equal; `None` without any.
pub(super) fn spread(values: &[f64]) -> Option<f64> {
    let usual = || {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    };
    robust_sd(values).filter(|s| *s > 0.0).or_else(|| Some(usual())).filter(|s| *s > 0.0)
}

/// Values in units of `unit`, each drawn in to within [`OUTLIER`] × `short` of the median of itself and two on either side.
fn drawn_in(values: &[f64], unit: f64, short: f64) -> Vec<f64> {
    (0..values.len())
        .map(|i| {
            let near = &values[i.saturating_sub(2)..(i + 3).min(values.len())];
            let centre = median(&mut near.to_vec()).unwrap_or_default();
            values[i].clamp(centre - OUTLIER * short, centre + OUTLIER * short) / unit
        })
        .collect()
}

/// Optimal partitioning: where to cut so that costs plus a price per cut are least, and what that is.
fn partition(fits: &Fits, lines: bool, price: f64) -> (Vec<usize>, f64) {
    let n = fits.len();
    let mut best = vec![f64::INFINITY; n + 1];
    let mut last = vec![0; n + 1];
    best[0] = -price;
    for to in SHORTEST..=n {
        for from in std::iter::once(0).chain(SHORTEST..=to - SHORTEST) {
            let cost = best[from] + fits.cost(from, to, lines) + price;
            if cost < best[to] {
                (best[to], last[to]) = (cost, from);
            }
        }
    }
    let mut cuts: Vec<usize> = std::iter::successors(Some(last[n]), |at| Some(last[*at])).take_while(|at| *at > 0).collect();
    cuts.reverse();
    (cuts, best[n])
}

/// Sums from which the squared residuals of a level or a line over any stretch follow at once.
struct Fits {
    y: Vec<f64>,
    yy: Vec<f64>,
    xy: Vec<f64>,
}

impl Fits {
    fn new(values: &[f64]) -> Self {
        let centre = median(&mut values.to_vec()).unwrap_or_default();
        let running = |term: &dyn Fn(usize, f64) -> f64| {
            let mut sum = 0.0;
            let sums = values.iter().enumerate().map(|(i, v)| {
                sum += term(i, v - centre);
                sum
            });
            std::iter::once(0.0).chain(sums.collect::<Vec<_>>()).collect()
        };
        Self { y: running(&|_, v| v), yy: running(&|_, v| v * v), xy: running(&|i, v| v * i as f64) }
    }

    fn len(&self) -> usize {
        self.y.len() - 1
    }

    /// Squared residuals of `from..to` about its mean or its least-squares line.
    fn cost(&self, from: usize, to: usize, line: bool) -> f64 {
        let n = (to - from) as f64;
        let sum = self.y[to] - self.y[from];
        let about_mean = self.yy[to] - self.yy[from] - sum * sum / n;
        let explained = if line { self.slope(from, to).powi(2) * n * (n * n - 1.0) / 12.0 } else { 0.0 };
        (about_mean - explained).max(0.0)
    }

    fn slope(&self, from: usize, to: usize) -> f64 {
        let n = (to - from) as f64;
        let middle = (from + to - 1) as f64 / 2.0;
        let product = self.xy[to] - self.xy[from] - middle * (self.y[to] - self.y[from]);
        if to - from < 2 { 0.0 } else { product * 12.0 / (n * (n * n - 1.0)) }
    }

    /// Values less the level or line of their part.
    fn residuals(&self, values: &[f64], cuts: &[usize], lines: bool) -> Vec<f64> {
        let mut edges = vec![0];
        edges.extend(cuts);
        edges.push(values.len());
        let mut out = Vec::with_capacity(values.len());
        for part in edges.windows(2) {
            let part = part[0]..part[1];
            let own = &values[part.clone()];
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            let slope = if lines { self.slope(part.start, part.end) } else { 0.0 };
            let middle = (own.len() as f64 - 1.0) / 2.0;
            out.extend(own.iter().enumerate().map(|(i, v)| v - mean - slope * (i as f64 - middle)));
        }
        out
    }
}
