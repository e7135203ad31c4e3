//! Decomposition into a trend and profiles per season, and the Theta method on what is left.
//!
//! A plain form of MSTL (Bandara, Hyndman, Bergmeir 2021): moving averages in the place of loess, profiles that fade with age.
//! Theta: Assimakopoulos and Nikolopoulos 2000, as smoothing with half the drift (Hyndman and Billah 2003).

use super::{Past, Paths};

/// How much a season counts less than the next newer one.
const FADE: f64 = 0.8;

/// The profiles (one per season, last phase = the phase of the last value) and the series without them.
fn decompose(y: &[f64], seasons: &[usize]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut profiles = Vec::new();
    let mut adjusted = y.to_vec();
    for &m in seasons {
        let trend = moving_average(&adjusted, m);
        // Phases are counted back from the last value.
        let mut sums = vec![(0.0, 0.0); m];
        let mut weight = 1.0;
        for (values, trends) in adjusted.rchunks(m).zip(trend.rchunks(m)) {
            for (sum, (v, t)) in sums.iter_mut().zip(values.iter().zip(trends).rev()) {
                sum.0 += weight * (v - t);
                sum.1 += weight;
            }
            weight *= FADE;
        }
        let means: Vec<f64> = sums.iter().map(|(s, w)| if *w > 0.0 { s / w } else { 0.0 }).collect();
        let centre = means.iter().sum::<f64>() / m as f64;
        let profile: Vec<f64> = (0..m).map(|k| means[m - 1 - k] - centre).collect();
        for values in adjusted.rchunks_mut(m) {
            values.iter_mut().rev().zip(profile.iter().rev()).for_each(|(v, p)| *v -= p);
        }
        profiles.push(profile);
    }
    (profiles, adjusted)
}

/// The mean over a season around each value; over the nearest whole season at the ends.
fn moving_average(y: &[f64], m: usize) -> Vec<f64> {
    let n = y.len();
    let m = m.min(n);
    let mut sums = Vec::with_capacity(n + 1);
    sums.push(0.0);
    for v in y {
        sums.push(sums[sums.len() - 1] + v);
    }
    let at = |t: usize| {
        let from = t.saturating_sub(m / 2).min(n - m);
        (sums[from + m] - sums[from]) / m as f64
    };
    (0..n).map(at).collect()
}

/// How much of the newest value a level may take.
const SHARES: [f64; 8] = [0.03, 0.06, 0.12, 0.25, 0.4, 0.6, 0.8, 1.0];

/// The smoothed level at the end, with the share of the newest value that erred least one step ahead.
fn smooth(y: &[f64]) -> (f64, f64) {
    let (mut levels, mut errors) = ([y[0]; 8], [0.0; 8]);
    for v in y {
        for ((level, error), share) in levels.iter_mut().zip(&mut errors).zip(SHARES) {
            let miss = v - *level;
            *error += miss.abs();
            *level += share * miss;
        }
    }
    let best = (0..SHARES.len()).min_by(|a, b| errors[*a].total_cmp(&errors[*b])).unwrap_or_default();
    (levels[best], SHARES[best])
}

/// The slope of the least-squares line.
fn slope(y: &[f64]) -> f64 {
    let n = y.len() as f64;
    let (mt, my) = ((n - 1.0) / 2.0, y.iter().sum::<f64>() / n);
    let (mut up, mut down) = (0.0, 0.0);
    for (t, v) in y.iter().enumerate() {
        up += (t as f64 - mt) * (v - my);
        down += (t as f64 - mt).powi(2);
    }
    if down > 0.0 { up / down } else { 0.0 }
}

/// Forecasts from each origin; `None` with less than two of the longest season before the first.
pub(super) fn roll(past: &Past<'_>, origins: &[usize], horizon: usize) -> Option<Paths> {
    if *origins.first()? < (2 * past.seasons.iter().copied().max().unwrap_or(1)).max(3) {
        return None;
    }
    let path = |origin: &usize| {
        let (profiles, adjusted) = decompose(&past.values[..*origin], past.seasons);
        let (level, share) = smooth(&adjusted);
        let drift = slope(&adjusted) / 2.0;
        let seasonal = |h: usize| profiles.iter().map(|p| p[h % p.len()]).sum::<f64>();
        (0..horizon).map(|h| level + drift * (h as f64 + 1.0 / share) + seasonal(h)).collect()
    };
    Some(origins.iter().map(path).collect())
}
