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

    /// A cron time at an hour of these days; 24 is midnight of the day after.
    fn cron(&self, hour: u32) -> String {
        let later = usize::from(hour >= 24);
        // In cron Sunday is 0, and Monday 1.
        let mut days: Vec<usize> = self.days.iter().map(|d| (d + later + 1) % 7).collect();
        days.sort_unstable();
        let run = |run: &[usize]| match run {
            [first, _, .., last] => format!("{first}-{last}"),
            few => few.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        };
        let days: Vec<String> = days.chunk_by(|a, b| a + 1 == *b).map(run).collect();
        format!("0 {} * * {}", hour % 24, days.join(","))
    }
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
    /// A KEDA `ScaledObject`: one trigger for CPU where there is a target, one cron trigger for each part of the week above its fewest
    /// replicas. KEDA takes the largest of its triggers, so the schedule is a floor that load can pass.
    /// Source: keda.sh/docs/scalers/cron.
    #[must_use]
    pub fn keda(&self, target: &ServiceKey) -> String {
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
            let _ =
                write!(out, "    - type: cron # {} {}\n      metadata:\n        timezone: UTC\n", e.days_in_words(), e.hours_in_words());
            let _ = write!(out, "        start: {:?}\n        end: {:?}\n", e.cron(e.from), e.cron(e.to));
            let _ = writeln!(out, "        desiredReplicas: \"{}\"", e.replicas);
        }
        if !self.schedule.holidays.days().is_empty() {
            let _ = writeln!(
                out,
                "# A cron trigger cannot leave out single dates: on {} the ordinary day's replicas run.",
                self.schedule.holidays
            );
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

    #[test]
    fn keda_gets_a_floor_for_every_part_above_the_fewest() {
        let predicted = Predicted { schedule: week(), max: 9, target_cpu_percent: Some(65), saving_month: None, method: String::new() };
        let key = ServiceKey { cluster: "c".into(), namespace: "prices".into(), kind: "Deployment".into(), name: "quotes".into() };
        let text = predicted.keda(&key);
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
# A cron trigger cannot leave out single dates: on 2026-12-25 the ordinary day's replicas run.
"#
        );
        assert_eq!(entry(&[5, 6], 0, 24, 2).cron(24), "0 0 * * 0,1", "after Saturday and Sunday");
        assert_eq!(entry(&[0, 2, 6], 7, 9, 2).cron(7), "0 7 * * 0,1,3");
    }
}
