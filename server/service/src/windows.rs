//! Whether changes may be carried out at a time, by the windows and freezes of policy.

use crate::{Error, Result};
use croner::Cron;
use headroom_model::time::Timestamp;
use headroom_model::windows::{ChangeWindow, ChangeWindows};
use jiff::Zoned;
use jiff::tz::TimeZone;
use std::fmt;
use std::str::FromStr;

/// Why nothing may be carried out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// In words.
    pub why: String,
    /// When that ends, as far as this window tells.
    pub until: Option<Timestamp>,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        self.until.map_or(Ok(()), |until| write!(f, ", until {until}"))
    }
}

/// Checks that every window's cron time and zone are ones.
///
/// # Errors
/// [`Error::Invalid`] names the fault.
pub fn check(windows: &ChangeWindows) -> Result<()> {
    windows.0.iter().try_for_each(|window| parts(window).map(drop))
}

/// What keeps changes from being carried out at `at`; `None` when nothing does. A freeze outweighs a window.
///
/// # Errors
/// [`Error::Invalid`] for a window that is none; [`check`] finds those before they are stored.
pub fn closed(windows: &ChangeWindows, at: Timestamp) -> Result<Option<Closed>> {
    for freeze in windows.0.iter().filter(|w| !w.allows) {
        if let Some(until) = open_until(freeze, at)? {
            return Ok(Some(Closed { why: format!("a freeze holds it: {freeze}"), until: Some(until) }));
        }
    }
    let mut next: Option<Timestamp> = None;
    let mut any = false;
    for window in windows.0.iter().filter(|w| w.allows) {
        if open_until(window, at)?.is_some() {
            return Ok(None);
        }
        any = true;
        let begins = begin(window, at, true)?;
        next = match (next, begins) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    Ok(any.then(|| Closed { why: "no change window is open".to_owned(), until: next }))
}

/// The end of a window that is open at `at`.
fn open_until(window: &ChangeWindow, at: Timestamp) -> Result<Option<Timestamp>> {
    let end = begin(window, at, false)?.map(|began| began.plus_secs(window.length.secs()));
    Ok(end.filter(|end| at < *end))
}

/// When the window last began (`at` included), or begins next.
fn begin(window: &ChangeWindow, at: Timestamp, next: bool) -> Result<Option<Timestamp>> {
    let (cron, zone) = parts(window)?;
    let Ok(moment) = jiff::Timestamp::from_microsecond(at.micros()) else { return Ok(None) };
    let moment: Zoned = moment.to_zoned(zone);
    let found = if next { cron.find_next_occurrence(&moment, false) } else { cron.find_previous_occurrence(&moment, true) };
    // A time that never comes, such as the 30th of February, is no window.
    Ok(found.ok().map(|zoned| Timestamp::from_micros(zoned.timestamp().as_microsecond())))
}

fn parts(window: &ChangeWindow) -> Result<(Cron, TimeZone)> {
    let bad = |fault: String| Error::invalid("change_windows", format!("{window}: {fault}"));
    let cron = Cron::from_str(&window.cron).map_err(|e| bad(format!("the cron time cannot be read: {e}")))?;
    let zone =
        TimeZone::get(&window.zone).map_err(|_| bad(format!("{:?} is not a time zone: write one like Europe/Berlin", window.zone)))?;
    Ok((cron, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn until(windows: &str, time: &str) -> Option<Option<String>> {
        let windows: ChangeWindows = windows.parse().unwrap();
        closed(&windows, at(time)).unwrap().map(|closed| closed.until.map(|t| t.to_string()))
    }

    #[test]
    fn without_windows_every_time_is_one() {
        assert_eq!(until("", "2026-11-21T12:00:00Z"), None);
    }

    #[test]
    fn a_freeze_holds_from_its_beginning_to_before_its_end() {
        let weekend = "deny 0 18 * * 5 for 62h in Europe/Berlin";
        assert_eq!(until(weekend, "2026-11-20T16:59:59Z"), None);
        for inside in ["2026-11-20T17:00:00Z", "2026-11-22T12:00:00Z", "2026-11-23T06:59:59Z"] {
            assert_eq!(until(weekend, inside), Some(Some("2026-11-23T07:00:00Z".into())), "{inside}");
        }
        assert_eq!(until(weekend, "2026-11-23T07:00:00Z"), None);
    }

    #[test]
    fn outside_of_every_window_it_waits_for_the_next() {
        let hours = "allow 0 9 * * 1-5 for 8h in Europe/Berlin; allow 0 2 * * 6 for 1h";
        assert_eq!(until(hours, "2026-11-20T08:00:00Z"), None, "Friday, nine in Berlin");
        assert_eq!(until(hours, "2026-11-20T16:00:00Z"), Some(Some("2026-11-21T02:00:00Z".into())));
        assert_eq!(until(hours, "2026-11-21T03:00:00Z"), Some(Some("2026-11-23T08:00:00Z".into())));
    }

    #[test]
    fn a_freeze_outweighs_a_window() {
        let both = "allow * * * * * for 1d; deny 0 0 24 12 * for 8d";
        assert_eq!(until(both, "2026-12-23T12:00:00Z"), None);
        assert_eq!(until(both, "2026-12-26T12:00:00Z"), Some(Some("2027-01-01T00:00:00Z".into())));
    }

    #[test]
    fn summer_time_moves_a_window_with_the_clocks_on_the_wall() {
        let nine = "allow 0 9 * * * for 1h in Europe/Berlin";
        assert_eq!(until(nine, "2026-07-01T07:30:00Z"), None, "nine in summer is seven in UTC");
        assert_eq!(until(nine, "2026-12-01T08:30:00Z"), None, "and eight in winter");
        assert!(until(nine, "2026-12-01T07:30:00Z").is_some());
    }

    #[test]
    fn a_window_in_the_hour_that_summer_time_skips_opens_after_it() {
        let two = "allow 0 2 * * * for 1h in Europe/Berlin";
        assert_eq!(until(two, "2026-03-28T01:00:00Z"), None, "the day before, two is one in UTC");
        assert_eq!(until(two, "2026-03-29T00:59:59Z"), Some(Some("2026-03-29T01:00:00Z".into())));
        for inside in ["2026-03-29T01:00:00Z", "2026-03-29T01:59:59Z"] {
            assert_eq!(until(two, inside), None, "{inside}: there is no two o'clock, three follows one");
        }
        assert_eq!(until(two, "2026-03-29T02:00:00Z"), Some(Some("2026-03-30T00:00:00Z".into())));
        let freeze = "deny 0 2 * * * for 1h in Europe/Berlin";
        assert_eq!(until(freeze, "2026-03-29T01:30:00Z"), Some(Some("2026-03-29T02:00:00Z".into())));
    }

    #[test]
    fn a_window_in_the_hour_that_comes_twice_opens_the_first_time() {
        let two = "allow 0 2 * * * for 1h in Europe/Berlin";
        assert_eq!(until(two, "2026-10-24T23:59:59Z"), Some(Some("2026-10-25T00:00:00Z".into())));
        for inside in ["2026-10-25T00:00:00Z", "2026-10-25T00:59:59Z"] {
            assert_eq!(until(two, inside), None, "{inside}");
        }
        for outside in ["2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"] {
            assert_eq!(until(two, outside), Some(Some("2026-10-26T01:00:00Z".into())), "{outside}: an hour is an hour");
        }
        let freeze = "deny 0 2 * * * for 1h in Europe/Berlin";
        assert_eq!(until(freeze, "2026-10-25T00:30:00Z"), Some(Some("2026-10-25T01:00:00Z".into())));
        let night = "deny 0 22 * * * for 8h in Europe/Berlin";
        assert_eq!(until(night, "2026-10-25T03:59:59Z"), Some(Some("2026-10-25T04:00:00Z".into())), "eight hours, to five on the wall");
    }

    #[test]
    fn what_is_no_time_or_zone_is_named() {
        for (windows, part) in [("deny 99 9 * * * for 1h", "cron time"), ("deny 0 9 * * * for 1h in Europe/Atlantis", "Atlantis")] {
            let fault = check(&windows.parse().unwrap()).unwrap_err().to_string();
            assert!(fault.contains(part), "{fault}");
        }
    }
}
