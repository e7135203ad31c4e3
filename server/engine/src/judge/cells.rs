//! Two windows as cells: the typical logarithm of each quarter of an hour, counted away from the moment of the change.
//!
//! Typical is half-way between mean and median: nearly as steady as the mean where samples scatter evenly, and moved half as far by a burst.

use super::WARM_UP;
use super::level::Cell;
use super::rule::Scale;
use crate::samples::Samples;
use crate::stats;
use headroom_model::time::DAY;

/// Seconds per cell where samples are finer and the window after the change is long enough for [`MANY`] of them.
const CELL: i64 = 900;
/// Cells that the window after the change is cut into at least, where its samples allow it.
const MANY: i64 = 16;
/// Cells that it is cut into at most.
const MOST: i64 = 400;
/// Samples before the change count up to this many times the length of the window after it, and at least a day.
const REACH: i64 = 2;
/// Days before the change from which on the usual hour of the day is known.
const SEASON_DAYS: i64 = 3;

/// Two windows, cut.
#[derive(Debug, Clone, Default)]
pub(super) struct Cut {
    pub cells: Vec<Cell>,
    /// Seconds between the last sample before and the first after.
    pub apart: i64,
    /// Share of the samples whose logarithm can be taken (all of them when differences are compared).
    pub usable: f64,
}

/// What is cut: a metric before and after, and the load beside it.
pub(super) struct Windows<'a> {
    pub before: &'a Samples,
    pub after: &'a Samples,
    /// Before and after.
    pub load: Option<(&'a Samples, &'a Samples)>,
    pub scale: Scale,
}

/// The samples of one cell.
#[derive(Clone, Default)]
struct Seen {
    values: Vec<f64>,
    loads: Vec<f64>,
}

impl Windows<'_> {
    /// The cells, oldest first; those with less than a third of their samples are left out.
    pub fn cut(&self) -> Cut {
        let (Some(last), Some(first)) = (end(self.before), begin(self.after)) else { return Cut::default() };
        let until = end(self.after).unwrap_or(first);
        let step = self.before.step.max(self.after.step);
        let width = ((until - first) / MANY).min(CELL).max((until - first) / MOST).max(step);
        let reach = (REACH * (until - first)).max(DAY);
        let mut seen = (0.0, 0.0);
        let mut cells = self.side(self.before, false, (last - reach, last), (last, width), &mut seen);
        cells.reverse();
        cells.extend(self.side(self.after, true, (first + WARM_UP, until), (first + WARM_UP, width), &mut seen));
        if knows_season(self.before, last) {
            add_season(&mut cells, self.before, self.scale);
        }
        if self.load.is_some() {
            let with = cells.iter().filter(|c| c.beside[0].is_some()).count();
            if with * 5 >= cells.len() * 4 {
                cells.retain(|c| c.beside[0].is_some());
            }
        }
        Cut { cells, apart: first - last, usable: if seen.1 > 0.0 { seen.0 / seen.1 } else { 0.0 } }
    }

    /// Cells of one side, nearest to the change first. `window`: from, to; `grid`: where cells start from, their width.
    fn side(&self, s: &Samples, after: bool, window: (i64, i64), grid: (i64, i64), seen: &mut (f64, f64)) -> Vec<Cell> {
        let (origin, width) = grid;
        let mut places: Vec<Seen> = Vec::new();
        for (t, v) in s.points().filter(|(t, _)| (window.0..window.1).contains(t)) {
            seen.1 += 1.0;
            let Some(value) = self.scale.seen(v) else { continue };
            seen.0 += 1.0;
            let at = if after { (t - origin) / width } else { (origin - 1 - t) / width };
            let at = usize::try_from(at).unwrap_or(0);
            if places.len() <= at {
                places.resize(at + 1, Seen::default());
            }
            places[at].values.push(value);
            let load = self.load.and_then(|l| if after { l.1.at(t) } else { l.0.at(t) }).filter(|l| *l > 0.0);
            places[at].loads.extend(load.map(f64::ln));
        }
        let least = (width / s.step) as f64 / 3.0;
        let middle = |at: usize| {
            let offset = at as i64 * width + width / 2;
            if after { origin + offset } else { origin - offset }
        };
        let cell = |(at, seen): (usize, &mut Seen)| {
            let enough = seen.values.len() as f64 >= least;
            let beside = [typical(&mut seen.loads, Scale::Ratio(0.0)), None];
            let value = typical(&mut seen.values, self.scale).filter(|_| enough)?;
            Some(Cell { hours: middle(at) as f64 / 3600.0, value, after, beside })
        };
        places.iter_mut().enumerate().filter_map(cell).collect()
    }
}

/// Half-way between mean and median; of differences the mean, because most are zero. `None` without any.
fn typical(values: &mut [f64], scale: Scale) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let median = stats::median(values)?;
    Some(if scale == Scale::Difference { mean } else { (mean + median) / 2.0 })
}

/// What each time of the day usually brings, from all days before the change: hourly means, straight lines between them.
fn add_season(cells: &mut [Cell], before: &Samples, scale: Scale) {
    let mut slots = [(0.0, 0.0); 24];
    for (t, v) in before.points() {
        if let Some(value) = scale.seen(v) {
            let slot = &mut slots[t.rem_euclid(DAY).div_euclid(3600) as usize];
            slot.0 += value;
            slot.1 += 1.0;
        }
    }
    let usual = |hour: usize| (slots[hour % 24].1 > 0.0).then(|| slots[hour % 24].0 / slots[hour % 24].1);
    for cell in cells {
        let hour = (cell.hours - 0.5).rem_euclid(24.0);
        let share = hour.fract();
        cell.beside[1] = usual(hour as usize).zip(usual(hour as usize + 1)).map(|(a, b)| a + share * (b - a));
    }
}

/// Whether a series is long enough before `until` to know what its hours usually bring.
pub(super) fn knows_season(s: &Samples, until: i64) -> bool {
    begin(s).is_some_and(|b| until - b >= SEASON_DAYS * DAY)
}

fn begin(s: &Samples) -> Option<i64> {
    s.points().next().map(|p| p.0)
}

fn end(s: &Samples) -> Option<i64> {
    s.values.iter().rposition(|v| !v.is_nan()).map(|i| s.time(i) + s.step)
}

/// The part of a series in `[from, to)` seconds; `None` without any sample there.
pub(super) fn within(s: &Samples, from: i64, to: i64) -> Option<Samples> {
    let at = |t: i64| usize::try_from((t - s.start + s.step - 1).div_euclid(s.step)).unwrap_or(0).min(s.values.len());
    let (a, b) = (at(from), at(to));
    let values = s.values.get(a..b)?.to_vec();
    let count = values.iter().filter(|v| !v.is_nan()).count();
    (count > 0).then_some(Samples { start: s.time(a), step: s.step, values, count })
}
