//! Intervals from what the same rule got wrong at earlier origins (split conformal, with errors put on one scale).
//!
//! Errors are divided by the usual size at their step ahead and at their phase of the season, pooled over all, and the 95 % order
//! statistic is scaled back. Origins overlap, so the quantile is widened by Student's t for as many as do not.

/// The paths tried, where each starts, and the steps of the season.
pub(super) struct Tried<'a> {
    pub paths: &'a [Vec<f64>],
    pub starts: &'a [usize],
    pub period: usize,
}

/// Half the interval's width per step, and the mean absolute error.
pub(super) struct Spread {
    pub half_widths: Vec<f64>,
    pub error: Option<f64>,
}

/// An error: how far ahead, at which phase, how large.
struct Miss {
    step: usize,
    phase: usize,
    size: f64,
}

/// How many errors of the usual size a phase is given before its own.
const PRIOR: f64 = 8.0;

/// Half widths for `horizon` steps after the end of `values`.
pub(super) fn half_widths(values: &[f64], real: &[bool], tried: &Tried<'_>, horizon: usize) -> Spread {
    let n = values.len();
    let mut misses = Vec::new();
    for (start, path) in tried.starts.iter().zip(tried.paths) {
        let known = (*start..n).zip(path).enumerate().filter(|(_, (t, _))| real[*t]);
        misses.extend(known.map(|(step, (t, v))| Miss { step, phase: t % tried.period, size: (values[t] - v).abs() }));
    }
    if misses.is_empty() {
        return Spread { half_widths: walk(values, horizon), error: None };
    }
    let error = misses.iter().map(|m| m.size).sum::<f64>() / misses.len() as f64;
    if error <= 0.0 {
        return Spread { half_widths: vec![0.0; horizon], error: Some(0.0) };
    }
    let steps = per_step(&misses, error);
    let phases = per_phase(&misses, &steps, tried.period);
    let mut scaled: Vec<f64> = misses.iter().map(|m| m.size / (steps[m.step] * phases[m.phase])).collect();
    let span = n - tried.starts.first().copied().unwrap_or(n);
    let width = order_statistic(&mut scaled) * student(span as f64 / steps.len() as f64) / student(f64::INFINITY);
    let ahead = |h: usize| {
        let last = steps.len() - 1;
        // Beyond what was tried, errors grow as a random walk's.
        let beyond = if h > last { ((h + 1) as f64 / steps.len() as f64).sqrt() } else { 1.0 };
        width * steps[h.min(last)] * beyond * phases[(n + h) % tried.period]
    };
    Spread { half_widths: (0..horizon).map(ahead).collect(), error: Some(error) }
}

/// Without any earlier origin: a random walk with the steps that the series has made.
fn walk(values: &[f64], horizon: usize) -> Vec<f64> {
    let steps = values.len().saturating_sub(1).max(1) as f64;
    let size = (values.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum::<f64>() / steps).sqrt();
    (1..=horizon).map(|h| student(steps) * size * (h as f64).sqrt()).collect()
}

/// The usual size of an error per step ahead, over its neighbours.
fn per_step(misses: &[Miss], usual: f64) -> Vec<f64> {
    let n = misses.iter().map(|m| m.step + 1).max().unwrap_or(1);
    let mut sums = vec![(0.0, 0.0); n];
    for m in misses {
        sums[m.step].0 += m.size;
        sums[m.step].1 += 1.0;
    }
    let reach = n / 16;
    let around = |i: usize| {
        let near = &sums[i.saturating_sub(reach)..(i + reach + 1).min(n)];
        let (sum, count) = near.iter().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        if count > 0.0 { (sum / count).max(0.05 * usual) } else { usual }
    };
    (0..n).map(around).collect()
}

/// How much larger than usual errors are per phase, over an eighth of the season.
fn per_phase(misses: &[Miss], steps: &[f64], period: usize) -> Vec<f64> {
    if period < 2 {
        return vec![1.0];
    }
    let mut sums = vec![(0.0, 0.0); period];
    for m in misses {
        sums[m.phase].0 += m.size / steps[m.step];
        sums[m.phase].1 += 1.0;
    }
    let reach = (period / 24).max(1).min((period - 1) / 2);
    let around = |i: usize| {
        let (mut sum, mut count) = (PRIOR, PRIOR);
        for d in 0..=2 * reach {
            let (s, n) = sums[(i + period + d - reach) % period];
            let weight = if d == reach { 1.0 } else { 0.5 };
            sum += weight * s;
            count += weight * n;
        }
        (sum / count).max(0.05)
    };
    (0..period).map(around).collect()
}

/// The 95 % order statistic of n + 1, as split conformal prediction asks (Lei and others 2018).
fn order_statistic(sizes: &mut [f64]) -> f64 {
    let at = ((0.95 * (sizes.len() + 1) as f64).ceil() as usize).clamp(1, sizes.len()) - 1;
    *sizes.select_nth_unstable_by(at, f64::total_cmp).1
}

/// The 97.5 % quantile of Student's t (Cornish–Fisher expansion; from 3 degrees of freedom on within 1 %).
fn student(freedom: f64) -> f64 {
    let z: f64 = 1.959_964;
    let v = freedom.max(3.0);
    z + (z.powi(3) + z) / (4.0 * v)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v * v)
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * v.powi(3))
}
