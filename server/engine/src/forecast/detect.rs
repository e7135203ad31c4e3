//! Which seasons a series has.

use super::prepare::Prepared;

/// Longest series looked at, in values: longer ones in means of blocks.
const MOST: usize = 6000;
/// Least height of a peak of the autocorrelation over the valley before it.
const PEAK: f64 = 0.15;
/// How many of a season make a longer one.
const MULTIPLES: [usize; 2] = [7, 24];
/// Steps in a day, an hour or a week at the usual intervals: 10 s to an hour, then days, weeks, months.
const CALENDAR: [usize; 16] = [8640, 5760, 2880, 1440, 720, 360, 288, 168, 144, 96, 60, 52, 48, 24, 12, 7];

/// The seasons of a series in steps, ascending: none, one, or one and a multiple of it (a day, and a week of such days).
///
/// `values`: one per step, `NaN` is a gap. A season is the first clear peak of the autocorrelation; it must be there three times.
#[must_use]
pub fn detect_seasons(values: &[f64]) -> Vec<usize> {
    let Ok(prepared) = Prepared::new(values, &[], values.len() / 8) else { return Vec::new() };
    let factor = prepared.values.len().div_ceil(MOST).max(1);
    let coarse: Vec<f64> = prepared.values.rchunks_exact(factor).rev().map(|b| b.iter().sum::<f64>() / factor as f64).collect();
    let Some(rough) = first(&autocorrelation(&calm(&coarse), coarse.len() / 3)) else { return Vec::new() };
    let season = if factor == 1 { rough } else { exact(&calm(&prepared.values), rough * factor, factor) };
    let season = whole(&calm(&prepared.values), season);
    match longer(&calm(&prepared.values), season) {
        Some(long) => vec![season, long],
        None => vec![season],
    }
}

/// Values as distances from their line, outliers pulled in.
fn calm(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| sorted[((sorted.len() - 1) as f64 * q) as usize];
    let (low, high) = (at(0.005), at(0.995));
    let clipped: Vec<f64> = values.iter().map(|v| v.clamp(low, high)).collect();
    let n = clipped.len() as f64;
    let (mt, mean) = ((n - 1.0) / 2.0, clipped.iter().sum::<f64>() / n);
    let (mut up, mut down) = (0.0, f64::MIN_POSITIVE);
    for (t, v) in clipped.iter().enumerate() {
        up += (t as f64 - mt) * (v - mean);
        down += (t as f64 - mt).powi(2);
    }
    clipped.iter().enumerate().map(|(t, v)| v - mean - up / down * (t as f64 - mt)).collect()
}

/// At lags 0 to `most`; empty for a constant.
fn autocorrelation(y: &[f64], most: usize) -> Vec<f64> {
    let all = product(y, 0);
    if all > 0.0 { (0..=most).map(|lag| at_lag(y, lag, all)).collect() } else { Vec::new() }
}

fn at_lag(y: &[f64], lag: usize, all: f64) -> f64 {
    product(y, lag) / all * y.len() as f64 / (y.len() - lag) as f64
}

fn product(y: &[f64], lag: usize) -> f64 {
    y[lag..].iter().zip(y).map(|(a, b)| a * b).sum()
}

/// The first peak that stands at least half as high over its valley as the best one.
fn first(acf: &[f64]) -> Option<usize> {
    let mut valley = f64::INFINITY;
    let mut peaks = Vec::new();
    for lag in 2..acf.len().saturating_sub(1) {
        valley = valley.min(acf[lag - 1]);
        let reach = (lag / 8).max(1);
        let around = &acf[lag - reach..(lag + reach + 1).min(acf.len())];
        if lag > 2 && around.iter().all(|v| *v <= acf[lag]) && acf[lag] > PEAK && acf[lag] - valley > PEAK {
            peaks.push((lag, acf[lag] - valley));
        }
    }
    let best = peaks.iter().map(|p| p.1).fold(0.0, f64::max);
    peaks.iter().find(|p| p.1 >= 0.5 * best).map(|p| p.0)
}

/// The lag of highest autocorrelation within a block of a rough one.
fn exact(y: &[f64], rough: usize, factor: usize) -> usize {
    let all = product(y, 0);
    let lags = rough - factor..=(rough + factor).min(y.len() / 2);
    lags.max_by(|a, b| at_lag(y, *a, all).total_cmp(&at_lag(y, *b, all))).unwrap_or(rough)
}

/// Twice a season that repeats clearly worse than that: half a day is seen before a day.
fn whole(y: &[f64], season: usize) -> usize {
    let season = calendar(y, season);
    let all = product(y, 0);
    let twice = 2 * season;
    if 2 * twice <= y.len() && at_lag(y, twice, all) > at_lag(y, season, all) + 0.1 { twice } else { season }
}

/// The calendar's season instead of one within 6 % of it, if it repeats nearly as well: few seasons place a peak badly.
fn calendar(y: &[f64], season: usize) -> usize {
    let all = product(y, 0);
    let near = |c: &usize| c.abs_diff(season) as f64 <= 0.06 * season as f64 && *c <= y.len() / 2;
    let as_well = |c: &usize| at_lag(y, *c, all) >= 0.8 * at_lag(y, season, all);
    CALENDAR.into_iter().filter(near).find(as_well).unwrap_or(season)
}

/// Seven of a season (a week of days), or twenty-four (a day of hours), where what the season leaves over repeats
/// better than between the seasons before and after; all but one of the season has to be there twice. Generous: methods that use it in vain lose their weight.
fn longer(y: &[f64], season: usize) -> Option<usize> {
    let mut sums = vec![(0.0, 0.0); season];
    for (t, v) in y.iter().enumerate() {
        sums[t % season].0 += v;
        sums[t % season].1 += 1.0;
    }
    let rest: Vec<f64> = y.iter().enumerate().map(|(t, v)| v - sums[t % season].0 / sums[t % season].1).collect();
    let all = product(&rest, 0);
    let at = |k: usize| at_lag(&rest, k * season, all);
    let repeats = |k: &usize| 2 * k * season <= rest.len() + season && at(*k) > (at(k - 1) + at(k + 1)) / 2.0;
    MULTIPLES.into_iter().find(|k| all > 0.0 && repeats(k)).map(|k| k * season)
}
