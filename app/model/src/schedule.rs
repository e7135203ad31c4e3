//! A week of replicas that an autoscaler can follow, and the days on which it is another week.

use crate::service::ServiceKey;
use crate::time::{DAY, HOUR};
use crate::units::Money;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use std::str::FromStr;

/// Monday is 0.
const SUNDAY: usize = 6;
const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// The first day of 1970 as the calendar crate counts days.
const JULIAN_1970: i32 = 2_440_588;

/// Days on which people do not work: days since 1970, ascending. On the wire `2026-12-25, 2026-12-26`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Holidays(Vec<i64>);

/// A text that is no list of dates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a date: write year-month-day with commas between, such as 2026-12-25, 2026-12-26")]
pub struct NotADate(String);

impl Holidays {
    /// From days since 1970, in any order.
    #[must_use]
    pub fn of(mut days: Vec<i64>) -> Self {
        days.sort_unstable();
        days.dedup();
        Self(days)
    }
    /// Days since 1970, ascending.
    #[must_use]
    pub fn days(&self) -> &[i64] {
        &self.0
    }
}

impl fmt::Display for Holidays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|day| date(*day)).collect::<Vec<_>>().join(", "))
    }
}

/// `2026-12-25` of a day since 1970.
fn date(day: i64) -> String {
    let c = crate::time::Timestamp::from_secs(day.saturating_mul(DAY)).civil();
    format!("{:04}-{:02}-{:02}", c.year, c.month, c.day)
}

fn day(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let month = ::time::Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = ::time::Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    Some(i64::from(date.to_julian_day() - JULIAN_1970))
}

impl FromStr for Holidays {
    type Err = NotADate;
    fn from_str(text: &str) -> Result<Self, NotADate> {
        let parts = text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| day(part).ok_or_else(|| NotADate(part.to_owned()))).collect::<Result<_, _>>().map(Self::of)
    }
}

impl TryFrom<String> for Holidays {
    type Error = NotADate;
    fn try_from(text: String) -> Result<Self, NotADate> {
        text.parse()
    }
}

impl From<Holidays> for String {
    fn from(holidays: Holidays) -> Self {
        holidays.to_string()
    }
}

/// Replicas for some hours of some days (UTC).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

impl Entry {
    /// `Mon–Fri`, `Mon, Wed`
    #[must_use]
    pub fn days_in_words(&self) -> String {
        let run = |run: &[usize]| match run {
            [one] => NAMES[one % 7].to_owned(),
            [first, .., last] => format!("{}–{}", NAMES[first % 7], NAMES[last % 7]),
            [] => String::new(),
        };
        self.days.chunk_by(|a, b| a + 1 == *b).map(run).collect::<Vec<_>>().join(", ")
    }

    /// `08:00–18:00`
    #[must_use]
    pub fn hours_in_words(&self) -> String {
        format!("{:02}:00–{:02}:00", self.from, self.to)
    }

    /// A cron time at an hour of these days, in every month; 24 is midnight of the day after.
    fn cron(&self, hour: u32) -> String {
        format!("0 {} * * {}", hour % 24, self.cron_days(usize::from(hour >= 24)))
    }

    /// These days of the week, or the days that are later by some, as cron counts them: Sunday is 0, and Monday 1.
    fn cron_days(&self, later: usize) -> String {
        let mut days: Vec<usize> = self.days.iter().map(|d| (d + later + 1) % 7).collect();
        days.sort_unstable();
        runs(&days)
    }

    /// Start and end of the cron triggers that hold this entry: one in every month, or, where there are holidays, one in the months without
    /// any, and one in each of the months with some.
    fn triggers(&self, festive: &[FestiveMonth]) -> Vec<(String, String)> {
        if festive.is_empty() {
            return vec![(self.cron(self.from), self.cron(self.to))];
        }
        // An end in the day after would be in a month of its own: the last minute is left out instead.
        let bounds = |days: &str| {
            let end = if self.to >= 24 { format!("59 23 {days}") } else { format!("0 {} {days}", self.to) };
            (format!("0 {} {days}", self.from), end)
        };
        let ordinary: Vec<usize> = (1..=12).filter(|m| festive.iter().all(|f| f.month != *m)).collect();
        let mut out = Vec::new();
        if !ordinary.is_empty() {
            out.push(bounds(&format!("* {} {}", runs(&ordinary), self.cron_days(0))));
        }
        for month in festive {
            let days: Vec<usize> = (1..).zip(&month.days).filter(|(_, day)| self.days.contains(day)).map(|(date, _)| date).collect();
            if !days.is_empty() {
                out.push(bounds(&format!("{} {} *", runs(&days), month.month)));
            }
        }
        out
    }
}

/// Ascending numbers as cron lists them: `1-5,7,9`.
fn runs(numbers: &[usize]) -> String {
    let run = |run: &[usize]| match run {
        [first, _, .., last] => format!("{first}-{last}"),
        few => few.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    };
    numbers.chunk_by(|a, b| a + 1 == *b).map(run).collect::<Vec<_>>().join(",")
}

/// A month with holidays in it. Cron knows no years: it is of the first year, from some day on, in which it has any.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FestiveMonth {
    year: i32,
    /// January is 1.
    month: usize,
    /// Of each of its dates the day of the week whose entries hold, Monday is 0.
    days: Vec<usize>,
}

impl FestiveMonth {
    /// The month that a day since 1970 is in.
    fn of(day: i64, holidays: &Holidays) -> Option<Self> {
        let date = civil(day)?;
        let first = day - i64::from(date.day() - 1);
        let length = i64::from(date.month().length(date.year()));
        let held = |day: i64| if holidays.days().contains(&day) { SUNDAY } else { weekday(day) };
        Some(Self { year: date.year(), month: usize::from(u8::from(date.month())), days: (first..first + length).map(held).collect() })
    }
}

fn civil(day: i64) -> Option<::time::Date> {
    ::time::Date::from_julian_day(i32::try_from(day).ok()?.checked_add(JULIAN_1970)?).ok()
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.days_in_words(), self.hours_in_words(), self.replicas)
    }
}

/// A week.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// In the order of days and hours; every hour of the week is in exactly one.
    pub entries: Vec<Entry>,
    /// Days on which Sunday's entries hold instead of the day's own.
    #[serde(default)]
    pub holidays: Holidays,
}

impl Schedule {
    /// The replicas for a time (seconds since 1970).
    #[must_use]
    pub fn at(&self, time: i64) -> Option<u32> {
        let (day, hour) = (time.div_euclid(DAY), (time.rem_euclid(DAY) / HOUR) as u32);
        let weekday = if self.holidays.days().contains(&day) { SUNDAY } else { weekday(day) };
        self.entries.iter().find(|e| e.days.contains(&weekday) && (e.from..e.to).contains(&hour)).map(|e| e.replicas)
    }

    /// The months with holidays from a day on (days since 1970), each in the first year in which it has any, in the order of the calendar;
    /// and the holidays of later years, which a cron time cannot tell from those.
    fn festive(&self, today: i64) -> (Vec<FestiveMonth>, Holidays) {
        let mut months: Vec<FestiveMonth> = Vec::new();
        let mut left = Vec::new();
        for day in self.holidays.days().iter().copied().filter(|day| *day >= today) {
            let Some(of) = FestiveMonth::of(day, &self.holidays) else { continue };
            match months.iter().find(|known| known.month == of.month) {
                None => months.push(of),
                Some(known) if known.year != of.year => left.push(day),
                Some(_) => {}
            }
        }
        months.sort_by_key(|of| of.month);
        (months, Holidays::of(left))
    }

    /// Fewest and most replicas of the week; `None` without entries.
    #[must_use]
    pub fn range(&self) -> Option<(u32, u32)> {
        let replicas = || self.entries.iter().map(|e| e.replicas);
        replicas().min().zip(replicas().max())
    }

    /// Replicas, mean over the hours of the week; 0 without entries.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let hours = |e: &Entry| e.days.len() as f64 * f64::from(e.to.saturating_sub(e.from));
        let all: f64 = self.entries.iter().map(hours).sum();
        if all > 0.0 { self.entries.iter().map(|e| hours(e) * f64::from(e.replicas)).sum::<f64>() / all } else { 0.0 }
    }
}

/// The day of the week of a day since 1970, Monday is 0: the first was a Thursday.
#[must_use]
pub fn weekday(day: i64) -> usize {
    (day + 3).rem_euclid(7) as usize
}

/// A schedule beside a proposal. The proposal holds without it; nothing here is applied by Headroom: it is for an autoscaler that
/// can follow one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// The week.
    pub schedule: Schedule,
    /// Most replicas, however high the load.
    pub max: u32,
    /// The autoscaler's target of CPU use, percent of the request; `None` where replicas follow the schedule alone.
    pub target_cpu_percent: Option<u32>,
    /// What the week costs less than its largest number of replicas at all hours, a month; `None` when unknown.
    pub saving_month: Option<Money>,
    /// What the forecast rests on, in words.
    pub method: String,
}

impl Predicted {
    /// A KEDA `ScaledObject`: one trigger for CPU where there is a target, cron triggers for each part of the week above its fewest
    /// replicas. KEDA takes the largest of its triggers, so the schedule is a floor that load can pass. Months with holidays from
    /// `today` on (days since 1970) are listed by their dates, which are right for one year; what cron cannot say is said beside it.
    /// Source: keda.sh/docs/scalers/cron.
    #[must_use]
    pub fn keda(&self, target: &ServiceKey, today: i64) -> String {
        let (festive, left) = self.schedule.festive(today);
        let (least, most) = self.schedule.range().unwrap_or((1, 1));
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let name = quoted(&target.name);
        let mut out = String::from("apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\n");
        let _ = write!(out, "metadata:\n  name: {name}\n  namespace: {}\nspec:\n", quoted(&target.namespace));
        let _ = write!(out, "  scaleTargetRef:\n    kind: {}\n    name: {name}\n", quoted(&target.kind));
        let _ = write!(out, "  minReplicaCount: {least}\n  maxReplicaCount: {}\n  triggers:\n", self.max.max(most));
        if let Some(percent) = self.target_cpu_percent {
            let _ = write!(out, "    - type: cpu\n      metricType: Utilization\n      metadata:\n        value: \"{percent}\"\n");
        }
        for e in self.schedule.entries.iter().filter(|e| e.replicas > least) {
            for (start, end) in e.triggers(&festive) {
                let (days, hours) = (e.days_in_words(), e.hours_in_words());
                let _ = write!(out, "    - type: cron # {days} {hours}\n      metadata:\n        timezone: UTC\n");
                let _ = write!(out, "        start: {start:?}\n        end: {end:?}\n");
                let _ = writeln!(out, "        desiredReplicas: \"{}\"", e.replicas);
            }
        }
        for month in &festive {
            let (year, number) = (month.year, month.month);
            let _ = writeln!(
                out,
                "# Month {number} has holidays, on which Sunday's replicas run: its dates are those of {year}. Take the schedule anew before {number}/{}.",
                year + 1
            );
        }
        if !left.days().is_empty() {
            let _ = writeln!(out, "# A cron trigger knows no year: on {left} the ordinary day's replicas run.");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(days: &[usize], from: u32, to: u32, replicas: u32) -> Entry {
        Entry { days: days.to_vec(), from, to, replicas, confidence: 0.97 }
    }

    fn week() -> Schedule {
        Schedule {
            entries: vec![
                entry(&[0, 1, 2, 3, 4], 0, 8, 2),
                entry(&[0, 1, 2, 3, 4], 8, 18, 6),
                entry(&[0, 1, 2, 3, 4], 18, 24, 3),
                entry(&[5, 6], 0, 24, 2),
            ],
            holidays: "2026-12-25".parse().unwrap(),
        }
    }

    #[test]
    fn dates_read_back_and_nonsense_is_named() {
        let holidays: Holidays = "2026-12-26, 2026-12-25;2027-01-01,".parse().unwrap();
        assert_eq!(holidays.to_string(), "2026-12-25, 2026-12-26, 2027-01-01");
        assert_eq!(holidays.days()[2], 20_819);
        assert_eq!("".parse::<Holidays>().unwrap(), Holidays::default());
        for bad in ["2026-02-30", "25.12.2026", "2026-12", "2026-12-25-1", "26-12-25", "Christmas", "9999999-1-1"] {
            let error = bad.parse::<Holidays>().unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains("2026-12-25"), "{error}");
        }
    }

    #[test]
    fn a_holiday_is_like_a_sunday() {
        let (friday, christmas) = ((20_819 - 14) * DAY, (20_819 - 7) * DAY);
        assert_eq!((week().at(friday + 9 * HOUR), week().at(christmas + 9 * HOUR)), (Some(6), Some(2)));
        assert_eq!(week().range(), Some((2, 6)));
        assert!((week().mean() - (5.0 * (16.0 + 60.0 + 18.0) + 96.0) / 168.0).abs() < 1e-12);
    }

    /// Whether a cron time is at a minute, as KEDA reads it: day of month and day of week both have to fit, where one of them is `*`.
    fn is_at(cron: &str, time: i64) -> bool {
        let c = crate::time::Timestamp::from_secs(time).civil();
        let weekday = (weekday(time.div_euclid(DAY)) + 1) % 7;
        let now = [time.rem_euclid(HOUR) / 60, time.rem_euclid(DAY) / HOUR, i64::from(c.day), i64::from(c.month), weekday as i64];
        let fits = |(field, now): (&str, i64)| {
            field == "*"
                || field.split(',').any(|part| {
                    let (a, b) = part.split_once('-').unwrap_or((part, part));
                    (a.parse::<i64>().unwrap()..=b.parse().unwrap()).contains(&now)
                })
        };
        cron.split(' ').zip(now).all(fits)
    }

    /// The replicas that KEDA's triggers ask for at every half hour of some days: a trigger is active from a start until an end.
    fn asked(text: &str, from: i64, days: i64) -> Vec<u32> {
        let told = |line: &str, key: &str| line.trim().strip_prefix(key).map(|v| v.trim().trim_matches('"').to_owned());
        let mut triggers: Vec<(String, String, u32)> = Vec::new();
        let mut start = String::new();
        for line in text.lines() {
            start = told(line, "start:").unwrap_or(start);
            if let Some(end) = told(line, "end:") {
                triggers.push((start.clone(), end, 0));
            }
            if let (Some(replicas), Some(last)) = (told(line, "desiredReplicas:"), triggers.last_mut()) {
                last.2 = replicas.parse().unwrap();
            }
        }
        let least: u32 = text.lines().find_map(|l| told(l, "minReplicaCount:")).unwrap().parse().unwrap();
        let mut active = vec![false; triggers.len()];
        let mut out = Vec::new();
        // A month earlier, so that what is active at the begin is known.
        for minute in (from * DAY - 31 * DAY) / 60..(from + days) * DAY / 60 {
            for (on, (start, end, _)) in active.iter_mut().zip(&triggers) {
                *on = (*on || is_at(start, minute * 60)) && !is_at(end, minute * 60);
            }
            if minute * 60 >= from * DAY && minute % 30 == 0 {
                out.push(triggers.iter().zip(&active).filter(|(_, on)| **on).map(|(t, _)| t.2).fold(least, u32::max));
            }
        }
        out
    }

    #[test]
    fn keda_follows_holidays_as_far_as_cron_can() {
        let day = |text: &str| text.parse::<Holidays>().unwrap().days()[0];
        let mut schedule = week();
        schedule.entries.push(entry(&[SUNDAY], 10, 12, 4));
        schedule.entries[3].days = vec![5];
        schedule.entries.extend([entry(&[SUNDAY], 0, 10, 2), entry(&[SUNDAY], 12, 24, 2)]);
        schedule.holidays = "2026-01-01, 2026-12-25, 2027-01-01, 2027-12-24".parse().unwrap();
        let predicted =
            Predicted { schedule: schedule.clone(), max: 9, target_cpu_percent: None, saving_month: None, method: String::new() };
        let key = ServiceKey { cluster: "c".into(), namespace: "prices".into(), kind: "Deployment".into(), name: "quotes".into() };
        let text = predicted.keda(&key, day("2026-11-20"));
        let from = day("2026-11-20");
        let wanted: Vec<u32> = (0..80 * 48).map(|i| schedule.at(from * DAY + i * HOUR / 2).unwrap()).collect();
        assert_eq!(asked(&text, from, 80), wanted, "{text}");
        assert!(text.contains("start: \"0 8 1-4,7-11,14-18,21-24,28-31 12 *\""), "{text}");
        assert!(text.contains("start: \"0 8 * 2-11 1-5\""), "{text}");
        assert!(text.contains("# Month 12 has holidays, on which Sunday's replicas run: its dates are those of 2026."), "{text}");
        assert!(text.ends_with("# A cron trigger knows no year: on 2027-12-24 the ordinary day's replicas run.\n"), "{text}");
        let past = predicted.keda(&key, day("2028-01-01"));
        assert!(past.contains("start: \"0 8 * * 1-5\"") && !past.contains("\n#"), "holidays of the past are over: {past}");
    }

    #[test]
    fn keda_gets_a_floor_for_every_part_above_the_fewest() {
        let schedule = Schedule { holidays: Holidays::default(), ..week() };
        let predicted = Predicted { schedule, max: 9, target_cpu_percent: Some(65), saving_month: None, method: String::new() };
        let key = ServiceKey { cluster: "c".into(), namespace: "prices".into(), kind: "Deployment".into(), name: "quotes".into() };
        let text = predicted.keda(&key, 20_000);
        assert_eq!(
            text,
            r#"apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: "quotes"
  namespace: "prices"
spec:
  scaleTargetRef:
    kind: "Deployment"
    name: "quotes"
  minReplicaCount: 2
  maxReplicaCount: 9
  triggers:
    - type: cpu
      metricType: Utilization
      metadata:
        value: "65"
    - type: cron # Mon–Fri 08:00–18:00
      metadata:
        timezone: UTC
        start: "0 8 * * 1-5"
        end: "0 18 * * 1-5"
        desiredReplicas: "6"
    - type: cron # Mon–Fri 18:00–24:00
      metadata:
        timezone: UTC
        start: "0 18 * * 1-5"
        end: "0 0 * * 2-6"
        desiredReplicas: "3"
"#
        );
        assert_eq!(entry(&[5, 6], 0, 24, 2).cron(24), "0 0 * * 0,1", "after Saturday and Sunday");
        assert_eq!(entry(&[0, 2, 6], 7, 9, 2).cron(7), "0 7 * * 0,1,3");
    }
}
