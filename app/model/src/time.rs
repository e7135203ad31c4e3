//! Instants and spans. Two clocks exist, *wall* and *cluster*; both are given, never read here.

use ::time::{OffsetDateTime, format_description::well_known::Rfc3339};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;

/// An instant: microseconds since 1970-01-01T00:00:00Z. On the wire RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(into = "String")]
pub struct Timestamp(i64);

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;
/// Seconds in a day.
pub const DAY: i64 = 86_400;
/// Seconds in an hour.
pub const HOUR: i64 = 3_600;
/// Seconds by which the clocks of those who tell of something may go ahead.
const AHEAD: i64 = 300;

impl Timestamp {
    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    /// From seconds since the epoch.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(MICROS))
    }
    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }
    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(MICROS)
    }
    /// This instant and a number of seconds (negative: before).
    #[must_use]
    pub const fn plus_secs(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs.saturating_mul(MICROS)))
    }
    /// Seconds from `earlier` to this instant, negative if it is later.
    #[must_use]
    pub const fn secs_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0) / MICROS
    }
    /// Whether something that is told at `now` can have been at this instant: since 1970, and not later than clocks differ.
    #[must_use]
    pub fn has_come(self, now: Self) -> bool {
        (Self(0)..=now.plus_secs(AHEAD)).contains(&self)
    }
    /// Year, month, day, hour, minute, second in UTC, and the weekday (0 = Monday).
    #[must_use]
    pub fn civil(self) -> Civil {
        let t = self.date_time();
        Civil {
            year: t.year(),
            month: u8::from(t.month()),
            day: t.day(),
            hour: t.hour(),
            minute: t.minute(),
            second: t.second(),
            weekday: t.weekday().number_days_from_monday(),
        }
    }
    fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// A point in the UTC calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year of our era.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 = Monday.
    pub weekday: u8,
}

impl Civil {
    /// `Mon` to `Sun`.
    #[must_use]
    pub fn weekday_name(self) -> &'static str {
        ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][usize::from(self.weekday % 7)]
    }
    /// `Jan` to `Dec`.
    #[must_use]
    pub fn month_name(self) -> &'static str {
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][usize::from((self.month - 1) % 12)]
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with microseconds only where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        write!(f, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second)?;
        match self.0.rem_euclid(MICROS) {
            0 => write!(f, "Z"),
            micros => write!(f, ".{micros:06}Z"),
        }
    }
}

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time: write RFC 3339 such as 2026-11-21T09:12:00Z, or seconds since 1970")]
pub struct NotATime(pub String);

impl FromStr for Timestamp {
    type Err = NotATime;
    /// RFC 3339, or seconds since the epoch (whole or with a fraction).
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let error = || NotATime(text.to_owned());
        if let Ok(t) = OffsetDateTime::parse(text, &Rfc3339) {
            return i64::try_from(t.unix_timestamp_nanos() / 1000).map(Self).map_err(|_| error());
        }
        let secs: f64 = text.parse().map_err(|_| error())?;
        (secs.is_finite() && secs.abs() < 1e11).then(|| Self((secs * 1e6).round() as i64)).ok_or_else(error)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    /// What its text may say; where numbers are told from texts, also whole seconds as a number.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() { from.deserialize_any(Told) } else { from.deserialize_str(Told) }
    }
}

/// Reads a time as somebody tells it.
struct Told;

impl Visitor<'_> for Told {
    type Value = Timestamp;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time: RFC 3339 such as 2026-11-21T09:12:00Z, or whole seconds since 1970")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse().map_err(E::custom)
    }
    fn visit_i64<E: serde::de::Error>(self, secs: i64) -> Result<Timestamp, E> {
        self.visit_str(&secs.to_string())
    }
    fn visit_u64<E: serde::de::Error>(self, secs: u64) -> Result<Timestamp, E> {
        self.visit_str(&secs.to_string())
    }
}

impl From<Timestamp> for String {
    fn from(value: Timestamp) -> Self {
        value.to_string()
    }
}

/// The two clocks, read once at the edge and handed inwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// Sessions, tokens, leases, rate limits, idempotency, audit.
    pub wall: Timestamp,
    /// Samples, windows, observation, schedules, freezes, expiry.
    pub cluster: Timestamp,
}

/// A span of time in whole seconds. On the wire `"14d"`, `"2h"`, `"15m"`, `"30s"` or `"0s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub i64);

/// A text that is no span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a length of time: write a whole number with s, m, h, d or w, such as 14d or 2h")]
pub struct NotASpan(pub String);

impl Span {
    /// Hours.
    #[must_use]
    pub const fn hours(hours: i64) -> Self {
        Self(hours * HOUR)
    }
    /// Days of 24 hours.
    #[must_use]
    pub const fn days(days: i64) -> Self {
        Self(days * DAY)
    }
    /// Seconds.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, suffix) in [(DAY, "d"), (HOUR, "h"), (60, "m")] {
            if self.0 != 0 && self.0 % unit == 0 {
                return write!(f, "{}{suffix}", self.0 / unit);
            }
        }
        write!(f, "{}s", self.0)
    }
}

impl FromStr for Span {
    type Err = NotASpan;
    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let error = || NotASpan(text.to_owned());
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let number: i64 = number.parse().map_err(|_| error())?;
        let secs = match unit {
            "s" => 1,
            "m" => 60,
            "h" => HOUR,
            "d" => DAY,
            "w" => 7 * DAY,
            "" if number == 0 => 1,
            _ => return Err(error()),
        };
        number.checked_mul(secs).filter(|s| *s <= 3650 * DAY).map(Self).ok_or_else(error)
    }
}

impl TryFrom<String> for Span {
    type Error = NotASpan;
    fn try_from(text: String) -> Result<Self, NotASpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(value: Span) -> Self {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_round_trip() {
        for text in ["2026-11-21T09:12:00Z", "1998-04-30T21:30:00Z", "2026-11-21T09:12:00.000123Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        assert_eq!("2026-11-21T10:12:00+01:00".parse::<Timestamp>().unwrap().to_string(), "2026-11-21T09:12:00Z");
        assert_eq!("0".parse::<Timestamp>().unwrap().to_string(), "1970-01-01T00:00:00Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!("NaN".parse::<Timestamp>().is_err());
    }

    #[test]
    fn spans_read_as_people_write_them() {
        for (text, secs) in [("14d", 14 * DAY), ("1h", HOUR), ("90s", 90), ("2w", 14 * DAY), ("0", 0), ("0s", 0)] {
            assert_eq!(text.parse::<Span>().unwrap().secs(), secs, "{text}");
        }
        for text in ["", "d", "1.5h", "-1d", "14 days", "99999999999999999999d", "4000d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert_eq!(Span::days(14).to_string(), "14d");
        assert_eq!(Span(90).to_string(), "90s");
    }
}
