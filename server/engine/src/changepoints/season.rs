//! A pattern that repeats with a fixed period, found and taken out.

use super::curve::spread;
use crate::stats::median;

/// Correlation of the differences a period apart from which a pattern repeats, and its standard errors among so many lags.
const REPEATS: f64 = 0.5;
const CERTAIN: f64 = 4.5;

/// The least mean correlation at the multiples of a period.
const LEAST_REPEATS: f64 = 0.3;

/// A period must be there so often, and have so many values.
const FEWEST: usize = 3;
const SHORTEST: usize = 3;

/// A part of what was found is the period if it repeats about as well; parts up to this are tried.
const AS_HIGH: f64 = 0.8;
const MOST_TIMES: usize = 6;

/// Fewest blocks of the coarsest look.
const BLOCKS: usize = 48;

/// Cycles on either side from which a point's season is taken, so that it may change slowly.
const CYCLES: usize = 3;

/// Values without their season; `None` where nothing repeats.
pub(super) fn without_season(values: &[f64]) -> Option<Vec<f64>> {
    let period = period(values)?;
    let n = values.len();
    let middle = |part: &[f64]| median(&mut part.to_vec()).unwrap_or_default();
    let off: Vec<f64> = (0..n)
        .map(|i| {
            let from = i.saturating_sub(period / 2).min(n - period);
            values[i] - middle(&values[from..from + period])
        })
        .collect();
    let plain = (0..n).map(|i| {
        let first = i - period * (i / period).min(CYCLES);
        let alike: Vec<f64> = (first..n).step_by(period).take_while(|j| *j <= i + CYCLES * period).map(|j| off[j]).collect();
        values[i] - middle(&alike)
    });
    Some(plain.collect())
}

/// The period of a pattern that is there at least [`FEWEST`] times.
///
/// Looked for in the values and then in means of ever longer blocks: a pattern that moves slowly drowns in the noise of single values.
fn period(values: &[f64]) -> Option<usize> {
    let widths = std::iter::successors(Some(1), |width| Some(2 * width)).take_while(|width| *width == 1 || values.len() / width >= BLOCKS);
    widths.into_iter().find_map(|width| {
        let blocks: Vec<f64> = values.chunks_exact(width).map(|b| b.iter().sum::<f64>() / width as f64).collect();
        let rough = width * Rises::new(&blocks, 1)?.first_hump()?;
        let found = Exact::near(values, rough, width).filter(|found| found.height > LEAST_REPEATS)?;
        // Noise may have hidden the first of several.
        let parts = (2..=MOST_TIMES).rev().filter_map(|k| Exact::near(values, (found.period + k / 2) / k, 1));
        Some(parts.into_iter().find(|part| part.height >= AS_HIGH * found.height).map_or(found.period, |part| part.period))
    })
}

/// A period to the step.
struct Exact {
    period: usize,
    /// The mean correlation at its multiples.
    height: f64,
}

impl Exact {
    /// The period near another at whose multiples values repeat best: each multiple places it more exactly.
    fn near(values: &[f64], rough: usize, width: usize) -> Option<Self> {
        let rises = Rises::new(values, (rough / 4).max(width)).filter(|_| rough >= SHORTEST)?;
        let reach = (rough / 6).max(2 * width);
        let times = (2 * rises.0.len() / 3 / (rough + reach)).max(1);
        let most = (rough + reach).min((rises.0.len() / times).saturating_sub(1));
        let height = |period: usize| (1..=times).map(|k| rises.at(k * period)).sum::<f64>() / times as f64;
        let all = (rough.saturating_sub(reach).max(2)..=most).map(|period| Self { period, height: height(period) });
        all.max_by(|a, b| a.height.total_cmp(&b.height))
    }
}

/// From the mean of one block to that of the next, at every place: a trend or a step does not disturb them.
struct Rises(Vec<f64>);

impl Rises {
    /// Without outliers, about their mean, squared summing up to 1; `None` where all are alike.
    fn new(values: &[f64], width: usize) -> Option<Self> {
        let mut sum = 0.0;
        let sums: Vec<f64> = std::iter::once(0.0)
            .chain(values.iter().map(|v| {
                sum += v;
                sum
            }))
            .collect();
        let rises: Vec<f64> = sums.windows(2 * width + 1).map(|w| w[2 * width] - 2.0 * w[width] + w[0]).collect();
        let (spread, centre) = (spread(&rises)?, median(&mut rises.clone())?);
        let drawn_in: Vec<f64> = rises.iter().map(|v| ((v - centre) / spread).clamp(-3.0, 3.0)).collect();
        let mean = drawn_in.iter().sum::<f64>() / drawn_in.len() as f64;
        let size = drawn_in.iter().map(|v| (v - mean).powi(2)).sum::<f64>().sqrt();
        (size > 0.0).then(|| Self(drawn_in.iter().map(|v| (v - mean) / size).collect()))
    }

    /// The correlation of what is a lag apart.
    fn at(&self, lag: usize) -> f64 {
        let (d, n) = (&self.0, self.0.len());
        d[lag..].iter().zip(d).map(|(a, b)| a * b).sum::<f64>() * n as f64 / (n - lag) as f64
    }

    /// The lag of the highest correlation in the first hump that is about as high as the highest, that being high. A hump comes after
    /// correlations below nothing: a slow pattern is alike at short lags, too.
    fn first_hump(&self) -> Option<usize> {
        let n = self.0.len();
        let correlations: Vec<f64> = (0..=n / FEWEST + 1).take_while(|lag| *lag < n).map(|lag| self.at(lag)).collect();
        let below = correlations.iter().position(|c| *c < 0.0)?;
        let certain = |lag: usize, height: f64| height > REPEATS && height * ((n - lag) as f64).sqrt() > CERTAIN;
        let peaks = || {
            let turns = correlations.windows(3).enumerate().skip(below.max(2)).filter(|(_, w)| w[1] > w[0] && w[1] > w[2]);
            turns.map(|(i, w)| (i + 1, w[1])).filter(|(lag, height)| certain(*lag, *height))
        };
        let highest = peaks().map(|p| p.1).fold(0.0, f64::max);
        let first = peaks().find(|p| p.1 >= 0.9 * highest)?.0;
        let hump = correlations.iter().enumerate().skip(first).take_while(|(_, c)| **c > 0.0);
        hump.max_by(|a, b| a.1.total_cmp(b.1)).map(|(lag, _)| lag)
    }
}
