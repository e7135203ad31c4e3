//! What of a series can be used: the part since the last long gap, shorter gaps filled in.

use super::{FEWEST, Refusal};

/// A gap is long from this many steps on, whatever the seasons.
const LONG_GAP: usize = 48;

/// Most values used, unless a few of the longest season or of the horizon are more.
const MOST: usize = 20_000;

/// A series without gaps.
pub(super) struct Prepared {
    pub values: Vec<f64>,
    /// Which were measured rather than filled in.
    pub real: Vec<bool>,
}

impl Prepared {
    /// Starts after the last gap that is longer than two of the longest season and than the horizon, and not long before the newest values.
    pub fn new(values: &[f64], seasons: &[usize], horizon: usize) -> Result<Self, Refusal> {
        if values.iter().any(|v| v.is_finite() && v.abs() > 1e100) {
            return Err(Refusal::TooLarge);
        }
        let long = seasons.iter().copied().max().map_or(LONG_GAP, |m| LONG_GAP.max(2 * m)).max(horizon);
        let end = values.iter().rposition(|v| v.is_finite()).map_or(0, |i| i + 1);
        let most = MOST.max(6 * long);
        let (mut start, mut gap, mut found) = (end, 0, 0);
        while start > 0 && gap <= long && values.len() - start < most {
            start -= 1;
            if values[start].is_finite() {
                (gap, found) = (0, found + 1);
            } else {
                gap += 1;
            }
        }
        start += gap;
        if found < FEWEST {
            return Err(Refusal::TooFew { found });
        }
        // A series that ends in a gap is held there: the steps of the forecast follow the last of the series.
        let part = &values[start..];
        let real: Vec<bool> = part.iter().map(|v| v.is_finite()).collect();
        Ok(Self { values: fill(part, seasons.iter().copied().min()), real })
    }
}

/// Gaps become the value of a season before, or else the last value: nothing later is looked at.
fn fill(part: &[f64], season: Option<usize>) -> Vec<f64> {
    let mut out: Vec<f64> = Vec::with_capacity(part.len());
    for (t, v) in part.iter().enumerate() {
        let before = season.and_then(|m| t.checked_sub(m)).or(t.checked_sub(1));
        out.push(if v.is_finite() { *v } else { before.map_or(0.0, |i| out[i]) });
    }
    out
}
