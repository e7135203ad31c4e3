//! A forecast of demand as a weekly schedule of replicas that an autoscaler can follow.

use super::Forecast;
use headroom_model::schedule::{Entry, Holidays, Schedule, weekday};
use headroom_model::time::{DAY, HOUR};

/// Monday is 0.
const SUNDAY: usize = 6;
/// Days, and hours in a row, whose joint schedule holds at most this share more replica-hours than their own are joined.
const JOIN: f64 = 0.05;

/// What one replica carries and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replicas {
    /// Demand one replica carries, in the unit of the forecast; greater than 0.
    pub carries: f64,
    /// Fewest.
    pub min: u32,
    /// Most.
    pub max: u32,
}

/// Why there is no schedule.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unschedulable {
    /// What a replica carries is not a positive number.
    #[error("one replica carries {0}: it must be more than 0")]
    Carries(f64),
    /// The bounds exclude each other.
    #[error("at least {0} and at most {1} replicas: the bounds exclude each other")]
    Bounds(u32, u32),
    /// Steps do not divide an hour, nor hours a step.
    #[error("steps of {0} seconds: they must be between 1 and 3600")]
    Step(i64),
    /// The forecast does not reach over every hour of a week.
    #[error("the forecast knows {0} of the 168 hours of a week: forecast a week")]
    TooShort(usize),
}

/// One hour's need: replicas, and the probability that they carry it.
type Need = (u32, f64);

/// A week's schedule from a forecast of demand: for each hour the replicas that carry the upper end of the 95 % interval.
///
/// `first`: seconds since 1970 of the forecast's first step, `step_secs` between steps. `holidays` get Sunday's
/// hours, and their own demand is not taken for that of their weekday where another such day is in the forecast.
///
/// # Errors
/// [`Unschedulable`] names what is wrong.
pub fn weekly(
    forecast: &Forecast,
    first: i64,
    step_secs: i64,
    replicas: &Replicas,
    holidays: &Holidays,
) -> Result<Schedule, Unschedulable> {
    if !(replicas.carries.is_finite() && replicas.carries > 0.0) {
        return Err(Unschedulable::Carries(replicas.carries));
    }
    if replicas.min > replicas.max {
        return Err(Unschedulable::Bounds(replicas.min, replicas.max));
    }
    if !(1..=HOUR).contains(&step_secs) {
        return Err(Unschedulable::Step(step_secs));
    }
    let days = needs(forecast, first, step_secs, replicas, holidays)?;
    let mut groups: Vec<(Vec<usize>, Vec<Need>)> = days.into_iter().enumerate().map(|(d, needs)| (vec![d], needs)).collect();
    while let Some((a, b)) = cheapest(&groups) {
        let (days, needs) = groups.remove(b);
        groups[a].1 = joint(&groups[a].1, &needs);
        groups[a].0.extend(days);
        groups[a].0.sort_unstable();
    }
    let entries = groups.into_iter().flat_map(|(days, needs)| entries(&days, &needs)).collect();
    Ok(Schedule { entries, holidays: holidays.clone() })
}

/// Per day of the week its 24 hours' needs.
fn needs(
    forecast: &Forecast,
    first: i64,
    step_secs: i64,
    replicas: &Replicas,
    holidays: &Holidays,
) -> Result<Vec<Vec<Need>>, Unschedulable> {
    let mut week: Vec<Option<(Need, bool)>> = vec![None; 168];
    for (i, ((mean, high), low)) in forecast.mean.iter().zip(&forecast.hi95).zip(&forecast.lo95).enumerate() {
        let time = first + i as i64 * step_secs;
        let day = time.div_euclid(DAY);
        let festive = holidays.days().contains(&day) && weekday(day) != SUNDAY;
        let slot = &mut week[weekday(day) * 24 + (time.rem_euclid(DAY) / HOUR) as usize];
        let wanted = (high / replicas.carries).ceil().clamp(f64::from(replicas.min), f64::from(replicas.max)) as u32;
        let spread = (high - mean).max(mean - low) / 1.96;
        let need = (wanted, likelihood(f64::from(wanted) * replicas.carries, *mean, spread));
        *slot = match *slot {
            // An ordinary day knows better than a holiday what its weekday needs.
            Some((old, old_festive)) if old_festive == festive => Some((most(old, need), festive)),
            Some((old, false)) => Some((old, false)),
            _ => Some((need, festive)),
        };
    }
    let known = week.iter().flatten().count();
    if known < 168 {
        return Err(Unschedulable::TooShort(known));
    }
    let hours: Vec<Need> = week.into_iter().flatten().map(|(need, _)| need).collect();
    Ok(hours.chunks(24).map(<[Need]>::to_vec).collect())
}

/// More replicas, and the lesser likelihood of those that ask for as many.
fn most(a: Need, b: Need) -> Need {
    match a.0.cmp(&b.0) {
        std::cmp::Ordering::Greater => a,
        std::cmp::Ordering::Less => b,
        std::cmp::Ordering::Equal => (a.0, a.1.min(b.1)),
    }
}

fn joint(a: &[Need], b: &[Need]) -> Vec<Need> {
    a.iter().zip(b).map(|(a, b)| most(*a, *b)).collect()
}

fn hours(needs: &[Need]) -> f64 {
    needs.iter().map(|n| f64::from(n.0)).sum()
}

/// The two groups of days that cost least to join, if that is little.
fn cheapest(groups: &[(Vec<usize>, Vec<Need>)]) -> Option<(usize, usize)> {
    let mut best = None;
    for a in 0..groups.len() {
        for b in a + 1..groups.len() {
            let (one, other) = (&groups[a], &groups[b]);
            let apart = hours(&one.1) * one.0.len() as f64 + hours(&other.1) * other.0.len() as f64;
            let together = hours(&joint(&one.1, &other.1)) * (one.0.len() + other.0.len()) as f64;
            let cost = (together - apart) / apart.max(1.0);
            if cost <= JOIN && best.is_none_or(|(least, _, _)| cost < least) {
                best = Some((cost, a, b));
            }
        }
    }
    best.map(|(_, a, b)| (a, b))
}

/// Hours in a row with as many replicas become one entry, and so do neighbours whose joint number holds little more than their own.
fn entries(days: &[usize], needs: &[Need]) -> Vec<Entry> {
    let mut blocks: Vec<(u32, u32, Need)> = (0u32..).zip(needs).map(|(hour, need)| (hour, hour + 1, *need)).collect();
    let mut left = JOIN * hours(needs);
    let cost = |pair: &[(u32, u32, Need)]| {
        let small = if pair[0].2.0 < pair[1].2.0 { pair[0] } else { pair[1] };
        f64::from(pair[0].2.0.abs_diff(pair[1].2.0)) * f64::from(small.1 - small.0)
    };
    while let Some((at, least)) = blocks.windows(2).map(cost).enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).filter(|c| c.1 <= left) {
        left -= least;
        let later = blocks.remove(at + 1);
        blocks[at] = (blocks[at].0, later.1, most(blocks[at].2, later.2));
    }
    let entry = |(from, to, (replicas, confidence)): (u32, u32, Need)| Entry { days: days.to_vec(), from, to, replicas, confidence };
    blocks.into_iter().map(entry).collect()
}

/// How likely a normally distributed demand is at most `carried` (logistic approximation, within 0.01 %: Bowling and others 2009).
fn likelihood(carried: f64, mean: f64, spread: f64) -> f64 {
    if spread <= 0.0 {
        return if mean <= carried { 1.0 } else { 0.0 };
    }
    let z = (carried - mean) / spread;
    1.0 / (1.0 + (-0.07056 * z.powi(3) - 1.5976 * z).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Monday 2024-01-01 on, by the hour: 90 at work on weekdays, else 10, ± 20 %.
    fn demand(hours: usize) -> Forecast {
        let mean: Vec<f64> = (0..hours).map(|h| if h / 24 % 7 < 5 && (8..18).contains(&(h % 24)) { 90.0 } else { 10.0 }).collect();
        Forecast {
            lo95: mean.iter().map(|v| v * 0.8).collect(),
            hi95: mean.iter().map(|v| v * 1.2).collect(),
            mean,
            method: String::new(),
            weights: Vec::new(),
            error: None,
            origins: 0,
            seasons: Vec::new(),
            used: 0,
        }
    }

    const MONDAY: i64 = 1_704_067_200;
    const TWENTY: Replicas = Replicas { carries: 20.0, min: 2, max: 10 };

    #[test]
    fn equal_hours_of_equal_days_are_one_entry() {
        let week = weekly(&demand(168), MONDAY, HOUR, &TWENTY, &Holidays::default()).unwrap();
        let words: Vec<String> = week.entries.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["Mon–Fri 00:00–08:00: 2", "Mon–Fri 08:00–18:00: 6", "Mon–Fri 18:00–24:00: 2", "Sat–Sun 00:00–24:00: 2"]);
        // Six carry 120 where 90 ± 18 is expected.
        assert!((week.entries[1].confidence - 0.9995).abs() < 0.0005, "{}", week.entries[1].confidence);
        assert_eq!((week.at(MONDAY + 9 * HOUR), week.at(MONDAY + 5 * DAY + 9 * HOUR)), (Some(6), Some(2)));
    }

    #[test]
    fn holidays_are_like_sundays() {
        let tuesday = MONDAY / DAY + 1;
        let mut demand = demand(336);
        demand.hi95[24..48].fill(1000.0);
        let week = weekly(&demand, MONDAY, HOUR, &TWENTY, &Holidays::of(vec![tuesday])).unwrap();
        assert_eq!((week.at(tuesday * DAY + 9 * HOUR), week.at((tuesday + 7) * DAY + 9 * HOUR)), (Some(2), Some(6)));
    }

    #[test]
    fn a_slope_becomes_a_few_steps() {
        let mut slope = demand(168);
        slope.mean = (0..168).map(|h| 20.0 + 160.0 * (f64::from(h % 24) / 24.0 * std::f64::consts::PI).sin()).collect();
        slope.hi95 = slope.mean.iter().map(|v| v * 1.2).collect();
        let week = weekly(&slope, MONDAY, HOUR, &TWENTY, &Holidays::default()).unwrap();
        assert!((3..=8).contains(&week.entries.len()), "{:?}", week.entries);
        let enough =
            (0..168).all(|h| week.at(MONDAY + h as i64 * HOUR).is_some_and(|n| f64::from(n) >= (slope.hi95[h] / 20.0).ceil().min(10.0)));
        assert!(enough && week.mean() < 1.06 * slope.hi95.iter().map(|v| (v / 20.0).ceil().min(10.0)).sum::<f64>() / 168.0);
    }

    #[test]
    fn too_few_replicas_are_not_trusted() {
        let short = Replicas { max: 4, ..TWENTY };
        let week = weekly(&demand(168), MONDAY, HOUR, &short, &Holidays::default()).unwrap();
        assert_eq!(week.entries[1].replicas, 4);
        assert!(week.entries[1].confidence < 0.2, "{}", week.entries[1].confidence);
    }

    #[test]
    fn what_makes_no_schedule_is_named() {
        let of = |hours, step, replicas: Replicas| weekly(&demand(hours), MONDAY, step, &replicas, &Holidays::default()).unwrap_err();
        assert_eq!(of(100, HOUR, TWENTY), Unschedulable::TooShort(100));
        assert_eq!(of(168, 0, TWENTY), Unschedulable::Step(0));
        assert_eq!(of(168, HOUR, Replicas { carries: 0.0, ..TWENTY }), Unschedulable::Carries(0.0));
        assert_eq!(of(168, HOUR, Replicas { min: 11, ..TWENTY }), Unschedulable::Bounds(11, 10));
    }
}
