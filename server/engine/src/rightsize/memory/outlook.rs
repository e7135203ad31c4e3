//! How large the next day's peak may be.
//!
//! A mixture: tomorrow is like one of the days seen, the newer the likelier, or, a little, like a sibling's; and it goes
//! beyond that by an excess with a heavy tail whose scale is the service's own movement. The weights of the movement were fitted
//! by maximum likelihood to the day-to-day excesses of 723 containers with the day cut at four different hours; the tail is heavier than
//! that fit (1.5), since the rare large excesses are what passes a limit.

/// A day of one service, in the unit of its metric.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Days since 1970.
    pub day: i64,
    pub peak: f64,
    pub median: f64,
    /// The newest sample of the day.
    pub last: f64,
}

/// Days after which a day seen counts half: what was true half a day before is the best guide, a level that was left three
/// days ago comes back in one case of fifty.
const HALF_LIFE: f64 = 0.5;
/// Chance that a day is like one of the siblings' rather than like its own, and what is added to it where the service has just
/// reached a record, times the share of its size that the record added.
const SIBLINGS: (f64, f64) = (0.02, 0.2);
/// Chance that a day goes beyond the one it is like.
const BEYOND: f64 = 0.3;
/// The tail of the excess: the chance falls with this power of it.
const TAIL: i32 = 1;
/// Least room over the level of any day, as a share.
const LEAST: f64 = 0.01;
/// Scale of the excess: these times the mean size of the file's services, its own largest peak, …
const BY_SIZE: (f64, f64) = (0.00015, 0.00017);
/// … what its peak stood above its median yesterday, the change of its peak, of its median, and by how much it broke its record.
const BY_MOVEMENT: [f64; 4] = [0.12, 0.06, 0.067, 0.1];
/// A value that is this near to its record at midnight is still climbing.
const CLIMBING: f64 = 0.97;
/// Candidates stand this many scales above each level.
const STEPS: [f64; 18] = [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0];

/// The next day's peak: levels with their chances, and the scale of the excess.
#[derive(Debug, Clone)]
pub(super) struct Outlook {
    levels: Vec<(f64, f64)>,
    scale: f64,
}

impl Outlook {
    /// The outlook for `day` from the days seen (oldest first), the siblings' peaks and the mean size of a service of the file.
    /// A service without a day of its own is expected to be like its siblings; `None` where there are none, or where nothing
    /// was ever used.
    pub fn new(seen: &[Seen], siblings: &[f64], day: i64, size: f64) -> Option<Self> {
        let Some((newest, before)) = seen.split_last() else { return Self::stranger(siblings, size) };
        let record = before.iter().map(|s| s.peak).reduce(f64::max).unwrap_or(newest.peak);
        let top = record.max(newest.peak);
        let mut levels: Vec<(f64, f64)> = seen.iter().map(|s| (s.peak, (-((day - s.day - 1).max(0) as f64) / HALF_LIFE).exp2())).collect();
        share(&mut levels, 1.0);
        if let Some(next) = before.last().and_then(|b| climb(b, newest, top)) {
            share(&mut levels, 0.5);
            levels.push((next, 0.5));
        }
        if !siblings.is_empty() {
            let broke = if top > 0.0 { (top - record) / top } else { 0.0 };
            let like = SIBLINGS.0 + SIBLINGS.1 * broke;
            share(&mut levels, 1.0 - like);
            levels.extend(siblings.iter().map(|s| (*s, like / siblings.len() as f64)));
        }
        let scale = BY_SIZE.0 * size + BY_SIZE.1 * top + movement(before.last(), newest, record);
        (top > 0.0 && scale > 0.0).then_some(Self { levels, scale })
    }

    /// A service of which nothing is known but its siblings: their spread is the scale.
    fn stranger(siblings: &[f64], size: f64) -> Option<Self> {
        let top = siblings.iter().copied().reduce(f64::max).filter(|top| *top > 0.0)?;
        let low = siblings.iter().copied().fold(top, f64::min);
        let levels = vec![(top, 1.0)];
        Some(Self { levels, scale: BY_SIZE.0 * size + BY_SIZE.1 * top + BY_MOVEMENT[0] * (top - low) })
    }

    /// The chance that the day's peak is above a value, 0 to 1; never rises with the value.
    pub fn chance_above(&self, value: f64) -> f64 {
        let above =
            |level: f64| if value < level { 1.0 } else { BEYOND / (1.0 + (value - level) / (f64::from(TAIL) * self.scale)).powi(TAIL) };
        self.levels.iter().map(|(level, chance)| chance * above(*level)).sum::<f64>().min(1.0)
    }

    /// Values worth considering.
    pub fn candidates(&self) -> impl Iterator<Item = f64> + '_ {
        self.levels.iter().flat_map(move |(level, _)| STEPS.iter().map(move |s| (level + s * self.scale).max(level * (1.0 + LEAST))))
    }
}

/// Scales chances so that they add up to `total`.
fn share(levels: &mut [(f64, f64)], total: f64) {
    let sum: f64 = levels.iter().map(|l| l.1).sum();
    levels.iter_mut().for_each(|l| l.1 *= total / sum);
}

/// Where a service stands tomorrow that is at its record at midnight and has grown the day long.
fn climb(before: &Seen, newest: &Seen, top: f64) -> Option<f64> {
    let grown = (newest.median - before.median).min(newest.last - before.last);
    (grown > 0.0 && newest.last >= CLIMBING * top).then_some(newest.last + grown)
}

fn movement(before: Option<&Seen>, newest: &Seen, record: f64) -> f64 {
    let [range, peaks, medians, broke] = BY_MOVEMENT;
    let between = |b: &Seen| {
        peaks * (newest.peak - b.peak).abs() + medians * (newest.median - b.median).abs() + broke * (newest.peak - record).max(0.0)
    };
    range * (newest.peak - newest.median) + before.map_or(0.0, between)
}
