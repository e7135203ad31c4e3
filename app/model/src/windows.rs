//! When changes may be carried out: windows that allow and freezes that deny, each a cron time with a length, in a time zone.
//! Whether one is open at a time is worked out on the server, which knows time zones.

use crate::time::Span;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One window or freeze: `allow 0 9 * * 1-5 for 8h in Europe/Berlin`, `deny 0 0 24 12 * for 8d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeWindow {
    /// Whether changes may be carried out in it (a window) or not (a freeze).
    pub allows: bool,
    /// When it begins: minute, hour, day, month, day of week.
    pub cron: String,
    /// How long it lasts.
    pub length: Span,
    /// The zone that the cron time is in, such as `Europe/Berlin`.
    pub zone: String,
}

/// All of them, with semicolons between. A freeze outweighs a window; where there is no window, every time is one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChangeWindows(pub Vec<ChangeWindow>);

impl ChangeWindows {
    /// These windows of a narrower scope within those of a wider one: every freeze holds, and the narrower scope's windows, where it has
    /// any, take the place of the wider one's.
    #[must_use]
    pub fn within(&self, wider: &Self) -> Self {
        let own = self.0.iter().any(|w| w.allows);
        let held = wider.0.iter().filter(|w| (!w.allows || !own) && !self.0.contains(w));
        Self(held.chain(&self.0).cloned().collect())
    }
}

/// A text that is no list of windows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a window: write allow or deny, five cron fields, for a length, in a zone: deny 0 18 * * 5 for 62h in Europe/Berlin")]
pub struct NotAWindow(String);

impl fmt::Display for ChangeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} for {}", if self.allows { "allow" } else { "deny" }, self.cron, self.length)?;
        if self.zone == "UTC" { Ok(()) } else { write!(f, " in {}", self.zone) }
    }
}

impl FromStr for ChangeWindow {
    type Err = NotAWindow;
    fn from_str(text: &str) -> Result<Self, NotAWindow> {
        let error = || NotAWindow(text.trim().to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        let (kind, rest) = words.split_first().ok_or_else(error)?;
        let allows = match *kind {
            "allow" => true,
            "deny" => false,
            _ => return Err(error()),
        };
        let (cron, length, zone) = match rest {
            [cron @ .., "for", length, "in", zone] => (cron, length, *zone),
            [cron @ .., "for", length] => (cron, length, "UTC"),
            _ => return Err(error()),
        };
        let length: Span = length.parse().map_err(|_| error())?;
        if cron.len() != 5 || length.secs() < 60 {
            return Err(error());
        }
        Ok(Self { allows, cron: cron.join(" "), length, zone: zone.to_owned() })
    }
}

impl fmt::Display for ChangeWindows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join("; "))
    }
}

impl FromStr for ChangeWindows {
    type Err = NotAWindow;
    fn from_str(text: &str) -> Result<Self, NotAWindow> {
        text.split(';').filter(|part| !part.trim().is_empty()).map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for ChangeWindows {
    type Error = NotAWindow;
    fn try_from(text: String) -> Result<Self, NotAWindow> {
        text.parse()
    }
}

impl From<ChangeWindows> for String {
    fn from(windows: ChangeWindows) -> Self {
        windows.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_freeze_holds_whatever_a_narrower_scope_allows() {
        let within = |narrow: &str, wide: &str| {
            let read = |text: &str| text.parse::<ChangeWindows>().unwrap();
            read(narrow).within(&read(wide)).to_string()
        };
        let (freeze, office, night) = ("deny 0 18 * * 5 for 62h", "allow 0 9 * * 1-5 for 8h", "allow 0 2 * * * for 3h");
        assert_eq!(within(night, &format!("{freeze}; {office}")), format!("{freeze}; {night}"));
        assert_eq!(within("deny 0 0 24 12 * for 8d", office), format!("{office}; deny 0 0 24 12 * for 8d"));
        assert_eq!(within(freeze, freeze), freeze);
        assert_eq!(within("", freeze), freeze);
    }

    #[test]
    fn windows_read_back() {
        let text = "allow 0 9 * * 1-5 for 8h in Europe/Berlin; deny 0 0 24 12 * for 8d";
        let windows: ChangeWindows = text.parse().unwrap();
        assert_eq!(windows.to_string(), text);
        assert_eq!((windows.0[0].allows, windows.0[1].zone.as_str()), (true, "UTC"));
        assert_eq!("".parse::<ChangeWindows>().unwrap(), ChangeWindows::default());
        for text in [
            "always",
            "allow 0 9 * * for 8h",
            "deny 0 9 * * 1 for ever",
            "deny 0 9 * * 1 for 0",
            "permit 0 9 * * 1 for 8h",
            "deny 0 9 * * 1",
        ] {
            assert!(text.parse::<ChangeWindows>().is_err(), "{text}");
        }
    }
}
