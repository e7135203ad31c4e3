//! From where a forecast is tried before it is believed.

/// Most earlier origins.
const MOST: usize = 28;
/// Most steps forecast from all of them, but for four.
const STEPS: usize = 100_000;

/// The origins and what is asked at each.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Ascending; the last is the end of the series.
    pub origins: Vec<usize>,
    /// The seasons that are there at least twice before the first origin, ascending.
    pub seasons: Vec<usize>,
    /// A longer season, held twice by the series (less one of the shortest) but not before the first origin: methods that know it are tried from later origins only.
    pub young: Option<Young>,
    /// Steps from the last origin.
    pub horizon: usize,
    /// The last origin: how many values there are.
    pub end: usize,
}

/// A season that the series holds hardly more than twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Young {
    /// In steps.
    pub season: usize,
    /// The place of the first origin that has one before it.
    pub from: usize,
}

impl Plan {
    /// For a series of `n` values.
    pub fn new(n: usize, seasons: &[usize], horizon: usize) -> Self {
        let mut seasons: Vec<usize> = seasons.to_vec();
        seasons.sort_unstable();
        seasons.dedup();
        let mut too_long = None;
        while seasons.last().is_some_and(|m| n.saturating_sub(2 * m + 4) < 2 * horizon.min(*m)) {
            too_long = seasons.pop();
        }
        let least = seasons.last().map_or((n / 3).max(8), |m| 2 * m + 4);
        // A series shorter than the horizon asks is tried over shorter ones.
        let tried = horizon.min(n.saturating_sub(least)).min((n / 3).max(1));
        let stride = stride(tried, seasons.first().copied());
        let first = n.saturating_sub(tried.max(1));
        let mut origins: Vec<usize> =
            (0..MOST.min((STEPS / horizon).max(4))).map_while(|k| first.checked_sub(k * stride)).take_while(|o| *o >= least).collect();
        origins.reverse();
        // Two weeks that end within the hour are two weeks.
        let missing = seasons.first().copied().unwrap_or(0);
        let young = too_long.filter(|m| seasons.len() < 2 && 2 * m <= n + missing).and_then(|season| {
            let from = origins.iter().position(|o| *o > season)?;
            Some(Young { season, from })
        });
        origins.push(n);
        Self { origins, seasons, young, horizon, end: n }
    }

    /// The origins before the end.
    pub fn earlier(&self) -> &[usize] {
        &self.origins[..self.origins.len() - 1]
    }
}

/// A quarter of the horizon, without a divisor in common with the season, so that every phase is an origin once.
fn stride(horizon: usize, season: Option<usize>) -> usize {
    let quarter = (horizon / 4).max(1);
    let prime = |s: &usize| season.is_none_or(|m| divisor(*s, m) == 1);
    (1..=quarter).rev().find(prime).unwrap_or(1)
}

/// The greatest common divisor.
pub(super) fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}
