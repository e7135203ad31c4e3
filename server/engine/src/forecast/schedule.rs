//! A forecast of demand as a weekly schedule of replicas that an autoscaler can follow.

use super::Forecast;
use std::fmt;

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// Monday is 0.
const SUNDAY: usize = 6;
/// Days whose joint schedule holds at most this share more replica-hours than their own are joined.
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

/// Replicas for some hours of some days (UTC).
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Days of the week, Monday is 0, ascending.
    pub days: Vec<usize>,
    /// First hour, 0 to 23.
    pub from: u32,
    /// The hour after the last, 1 to 24.
    pub to: u32,
    /// How many replicas.
    pub replicas: u32,
    /// The probability that they carry the demand, of the hour where it is least.
    pub confidence: f64,
}

/// A week.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// In the order of days and hours; every hour of the week is in exactly one.
    pub entries: Vec<Entry>,
    /// Days since 1970 on which Sunday's entries hold instead of the day's own.
    pub holidays: Vec<i64>,
}

impl Schedule {
    /// The replicas for a time (seconds since 1970).
    #[must_use]
    pub fn at(&self, time: i64) -> Option<u32> {
        let (day, hour) = (time.div_euclid(DAY), (time.rem_euclid(DAY) / HOUR) as u32);
        let weekday = if self.holidays.contains(&day) { SUNDAY } else { weekday(day) };
        self.entries.iter().find(|e| e.days.contains(&weekday) && (e.from..e.to).contains(&hour)).map(|e| e.replicas)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let mut parts = Vec::new();
        let mut rest = &self.days[..];
        while let Some(first) = rest.first() {
            let run = rest.iter().enumerate().take_while(|(i, d)| **d == first + i).count();
            let last = rest[run - 1];
            parts.push(if run > 1 { format!("{}–{}", NAMES[*first], NAMES[last]) } else { NAMES[*first].to_owned() });
            rest = &rest[run..];
        }
        write!(f, "{} {:02}:00–{:02}:00: {}", parts.join(", "), self.from, self.to, self.replicas)
    }
}

/// One hour's need: replicas, and the probability that they carry it.
type Need = (u32, f64);

/// A week's schedule from a forecast of demand: for each hour the replicas that carry the upper end of the 95 % interval.
///
/// `first`: seconds since 1970 of the forecast's first step, `step_secs` between steps. `holidays` (days since 1970) get Sunday's
/// hours, and their own demand is not taken for that of their weekday where another such day is in the forecast.
///
/// # Errors
/// [`Unschedulable`] names what is wrong.
pub fn weekly(forecast: &Forecast, first: i64, step_secs: i64, replicas: &Replicas, holidays: &[i64]) -> Result<Schedule, Unschedulable> {
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
    Ok(Schedule { entries, holidays: holidays.to_vec() })
}

/// Per day of the week its 24 hours' needs.
fn needs(forecast: &Forecast, first: i64, step_secs: i64, replicas: &Replicas, holidays: &[i64]) -> Result<Vec<Vec<Need>>, Unschedulable> {
    let mut week: Vec<Option<(Need, bool)>> = vec![None; 168];
    for (i, ((mean, high), low)) in forecast.mean.iter().zip(&forecast.hi95).zip(&forecast.lo95).enumerate() {
        let time = first + i as i64 * step_secs;
        let day = time.div_euclid(DAY);
        let festive = holidays.contains(&day) && weekday(day) != SUNDAY;
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

/// Hours in a row with as many replicas become one entry.
fn entries(days: &[usize], needs: &[Need]) -> Vec<Entry> {
    let mut out: Vec<Entry> = Vec::new();
    for (hour, (replicas, confidence)) in (0u32..).zip(needs) {
        match out.last_mut() {
            Some(last) if last.replicas == *replicas => {
                last.to = hour + 1;
                last.confidence = last.confidence.min(*confidence);
            }
            _ => out.push(Entry { days: days.to_vec(), from: hour, to: hour + 1, replicas: *replicas, confidence: *confidence }),
        }
    }
    out
}

/// The day of the week of a day since 1970, Monday is 0: the first was a Thursday.
fn weekday(day: i64) -> usize {
    (day + 3).rem_euclid(7) as usize
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
        let week = weekly(&demand(168), MONDAY, HOUR, &TWENTY, &[]).unwrap();
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
        let week = weekly(&demand, MONDAY, HOUR, &TWENTY, &[tuesday]).unwrap();
        assert_eq!((week.at(tuesday * DAY + 9 * HOUR), week.at((tuesday + 7) * DAY + 9 * HOUR)), (Some(2), Some(6)));
    }

    #[test]
    fn too_few_replicas_are_not_trusted() {
        let short = Replicas { max: 4, ..TWENTY };
        let week = weekly(&demand(168), MONDAY, HOUR, &short, &[]).unwrap();
        assert_eq!(week.entries[1].replicas, 4);
        assert!(week.entries[1].confidence < 0.2, "{}", week.entries[1].confidence);
    }

    #[test]
    fn what_makes_no_schedule_is_named() {
        let of = |hours, step, replicas: Replicas| weekly(&demand(hours), MONDAY, step, &replicas, &[]).unwrap_err();
        assert_eq!(of(100, HOUR, TWENTY), Unschedulable::TooShort(100));
        assert_eq!(of(168, 0, TWENTY), Unschedulable::Step(0));
        assert_eq!(of(168, HOUR, Replicas { carries: 0.0, ..TWENTY }), Unschedulable::Carries(0.0));
        assert_eq!(of(168, HOUR, Replicas { min: 11, ..TWENTY }), Unschedulable::Bounds(11, 10));
    }
}
