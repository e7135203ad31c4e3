//! A pattern that repeats with a fixed period, found and taken out.

use crate::stats::{median, robust_sd};

/// Correlation of the differences a period apart from which a pattern repeats.
const REPEATS: f64 = 0.5;

/// Periods longer than this are not looked for.
const LONGEST: usize = 400;

/// Cycles on either side from which a point's season is taken, so that it may change slowly.
const CYCLES: usize = 3;

/// Values without their season; as they are where nothing repeats.
pub(super) fn without_season(values: &[f64]) -> Vec<f64> {
    let Some(period) = period(values) else { return values.to_vec() };
    let n = values.len();
    let middle = |part: &[f64]| median(&mut part.to_vec()).unwrap_or_default();
    let off: Vec<f64> = (0..n)
        .map(|i| {
            let from = i.saturating_sub(period / 2).min(n - period);
            values[i] - middle(&values[from..from + period])
        })
        .collect();
    (0..n)
        .map(|i| {
            let first = i - period * (i / period).min(CYCLES);
            let alike: Vec<f64> = (first..n).step_by(period).take_while(|j| *j <= i + CYCLES * period).map(|j| off[j]).collect();
            values[i] - middle(&alike)
        })
        .collect()
}

/// The shortest lag whose correlation is about as high as the highest, that being high; at least four cycles must be there.
///
/// It is that of the first differences, which a trend or a step does not disturb, without their outliers.
fn period(values: &[f64]) -> Option<usize> {
    let differences: Vec<f64> = values.windows(2).map(|w| w[1] - w[0]).collect();
    let spread = robust_sd(&differences).filter(|s| *s > 0.0)?;
    let centre = median(&mut differences.clone())?;
    let mut d: Vec<f64> = differences.iter().map(|v| ((v - centre) / spread).clamp(-3.0, 3.0)).collect();
    let mean = d.iter().sum::<f64>() / d.len() as f64;
    d.iter_mut().for_each(|v| *v -= mean);
    let all: f64 = d.iter().map(|v| v * v).sum();
    let n = d.len();
    let at_lag = |k: usize| d[k..].iter().zip(&d).map(|(a, b)| a * b).sum::<f64>() / all * n as f64 / (n - k) as f64;
    let correlations: Vec<f64> = (0..=(n / 4).min(LONGEST) + 1).map(at_lag).collect();
    let peaks: Vec<(usize, f64)> =
        correlations.windows(3).enumerate().skip(2).filter(|(_, w)| w[1] > w[0] && w[1] > w[2]).map(|(i, w)| (i + 1, w[1])).collect();
    let highest = peaks.iter().map(|p| p.1).fold(REPEATS, f64::max);
    peaks.iter().find(|p| p.1 > REPEATS && p.1 >= 0.9 * highest).map(|p| p.0)
}
