//! The week ahead as a schedule of replicas, for services whose demand has a season.

use super::choice::{Choice, View, ceiling, floor};
use super::fleet::Count;
use crate::forecast::schedule::{Replicas, weekly};
use crate::forecast::{Forecast, detect_seasons, forecast};
use crate::stats;
use headroom_model::schedule::Predicted;
use headroom_model::time::HOUR;
use headroom_model::units::Money;

/// Hours in a week.
const WEEK: usize = 168;
/// Fewest hours of history: a week has to be seen before it is foretold.
const FEWEST: usize = 8 * 24;

/// A schedule for a choice; `None` without a season, without enough history, or where the week is level.
pub(super) fn week(v: &View, c: &Choice) -> Option<Predicted> {
    let (first, hours, within) = hourly(v)?;
    if hours.len() < FEWEST {
        return None;
    }
    let seasons = detect_seasons(&hours);
    if seasons.is_empty() {
        return None;
    }
    let ahead = ahead(&hours, &seasons)?;
    // What one replica carries beyond its idle use, less what an hour's mean does not show of its minutes.
    let load = match c.count {
        Count::Scaled { carries, .. } => carries,
        Count::Fixed(_) => c.run.peak,
    };
    let replicas = Replicas { carries: (load - v.fleet.idle) / within, min: floor(c.count).min(2), max: most(c.count) };
    let from = first + hours.len() as i64 * HOUR;
    let schedule = weekly(&ahead, from, HOUR, &replicas, &v.case.input.policy.holidays).ok()?;
    let (least, flat) = schedule.range().filter(|(least, most)| least < most)?;
    let one = v.cost(&c.state, 1.0);
    let priced = v.case.prices.month(&c.state).is_some();
    Some(Predicted {
        saving_month: priced.then(|| Money::from_units(one * (f64::from(flat) - schedule.mean()), v.case.prices.currency)),
        max: ceiling(c.count).max(flat).max(least),
        target_cpu_percent: c.state.autoscaler.map(|a| a.target_cpu_percent),
        method: format!("{} hours of demand: {}", hours.len(), ahead.method),
        schedule,
    })
}

/// The week ahead: the forecast, or the weeks before where those would have been wrong by less. A forecast of a week is tried at
/// earlier origins, and before those the usual window of two weeks does not hold a week twice.
fn ahead(hours: &[f64], seasons: &[usize]) -> Option<Forecast> {
    let found = forecast(hours, seasons, WEEK).ok();
    let weeks = like_before(hours);
    match (found, weeks) {
        (Some(f), Some(w)) if f.error.is_none_or(|e| w.error.is_some_and(|x| x < e)) => Some(w),
        (Some(f), _) => Some(f),
        (None, weeks) => weeks,
    }
}

/// Each hour as it was one week and two weeks ago, give or take what 95 % of the hours differed from the week before.
fn like_before(hours: &[f64]) -> Option<Forecast> {
    let n = hours.len().checked_sub(WEEK)?;
    let level = |i: usize| {
        let pair: Vec<f64> =
            [Some(hours[i]), i.checked_sub(WEEK).map(|j| hours[j])].into_iter().flatten().filter(|v| v.is_finite()).collect();
        pair.iter().sum::<f64>() / pair.len() as f64
    };
    let pairs = (WEEK..hours.len()).map(|i| ((hours[i] - hours[i - WEEK]).abs(), level(i))).filter(|(d, l)| d.is_finite() && *l > 0.0);
    let pairs: Vec<(f64, f64)> = pairs.collect();
    if pairs.len() < WEEK / 2 {
        return None;
    }
    let error = pairs.iter().map(|p| p.0).sum::<f64>() / pairs.len() as f64;
    let width = stats::quantile(&mut pairs.iter().map(|(d, l)| d / l).collect::<Vec<_>>(), 0.95)?;
    let mean: Vec<f64> = (n..hours.len()).map(level).collect();
    if mean.iter().any(|v| !v.is_finite()) {
        return None;
    }
    Some(Forecast {
        lo95: mean.iter().map(|v| (v * (1.0 - width)).max(0.0)).collect(),
        hi95: mean.iter().map(|v| v * (1.0 + width)).collect(),
        mean,
        method: "the same hours of the two weeks before".to_owned(),
        weights: Vec::new(),
        error: Some(error),
        origins: 1,
        seasons: vec![WEEK],
        used: hours.len().min(2 * WEEK),
    })
}

/// A fixed number is what the busiest hours need; a schedule may go as far above it.
fn most(count: Count) -> u32 {
    match count {
        Count::Fixed(n) => n.saturating_mul(2),
        Count::Scaled { max, .. } => max,
    }
}

/// Work of all replicas in cores as hourly means (gaps are `NaN`), the begin of the first hour, and how far the busy minutes of an
/// hour are above its mean.
fn hourly(v: &View) -> Option<(i64, Vec<f64>, f64)> {
    let points = &v.fleet.work;
    let (first, last) = (points.first()?.0.div_euclid(HOUR), points.last()?.0.div_euclid(HOUR));
    let length = usize::try_from(last - first + 1).ok().filter(|n| *n <= 24 * 400)?;
    let mut sums = vec![(0.0, 0.0); length];
    for (t, work) in points {
        let slot = &mut sums[(t.div_euclid(HOUR) - first) as usize];
        *slot = (slot.0 + work, slot.1 + 1.0);
    }
    let hours: Vec<f64> = sums.iter().map(|(sum, n)| if *n > 0.0 { sum / n } else { f64::NAN }).collect();
    let above = |(t, work): &(i64, f64)| Some(work / hours[(t.div_euclid(HOUR) - first) as usize]).filter(|r| r.is_finite());
    let mut ratios: Vec<f64> = points.iter().filter_map(above).collect();
    let within = stats::quantile(&mut ratios, 0.95).unwrap_or(1.0).clamp(1.0, 2.0);
    Some((first * HOUR, hours, within))
}
