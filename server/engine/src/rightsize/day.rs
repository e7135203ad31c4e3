//! One UTC day of one series, as it is learnt from and judged by.

use crate::histogram::Histogram;
use crate::samples::Samples;
use crate::stats;
use headroom_model::time::DAY;

/// Days on which a service has to have run for a part only before that is taken for how it is.
const FEWEST_RUNS: u32 = 3;

/// The samples of one UTC day of one series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Day<'a> {
    /// Days since 1970.
    pub day: i64,
    /// Seconds per sample.
    pub step: i64,
    /// What was used.
    pub uses: Uses<'a>,
}

/// What was used on a day.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Uses<'a> {
    /// Samples in the order of time, the first of which begins `offset` seconds after midnight; `NaN` is a gap.
    Timed { offset: i64, values: &'a [f32] },
    /// What is kept of a day: (value, how many), ascending, and the newest value. All count as of noon.
    Counted { counted: &'a [(f32, u32)], newest: f32 },
}

impl<'a> Day<'a> {
    /// Of samples in the order of time.
    pub fn timed(day: i64, offset: i64, step: i64, values: &'a [f32]) -> Self {
        Self { day, step, uses: Uses::Timed { offset, values } }
    }

    /// Each value, and how often it was there; gaps are left out.
    pub fn each(&self, mut see: impl FnMut(f32, u32)) {
        match self.uses {
            Uses::Timed { values, .. } => values.iter().filter(|v| !v.is_nan()).for_each(|v| see(*v, 1)),
            Uses::Counted { counted, .. } => counted.iter().for_each(|(v, n)| see(*v, *n)),
        }
    }

    /// Samples that are not gaps.
    pub fn count(&self) -> u32 {
        let mut all = 0;
        self.each(|_, n| all += n);
        all
    }

    /// Samples above a value.
    pub fn above(&self, value: f64) -> u32 {
        let mut above = 0;
        self.each(|v, n| above += if f64::from(v) > value { n } else { 0 });
        above
    }

    /// What is above a value, summed over the samples, in the unit of the metric.
    pub fn lacking(&self, value: f64) -> f64 {
        let mut lacking = 0.0;
        self.each(|v, n| lacking += f64::from(n) * (f64::from(v) - value).max(0.0));
        lacking
    }

    /// The least value above which lies no more than a share of what was used, in the unit of the metric; 0 without use.
    pub fn covering(&self, share: f64) -> f64 {
        let mut uses: Vec<(f64, f64)> = Vec::new();
        self.each(|v, n| uses.push((f64::from(v), f64::from(n))));
        uses.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let allowed = share * uses.iter().map(|(v, n)| v * n).sum::<f64>();
        let (mut above, mut sum) = (0.0, 0.0);
        for (i, (v, n)) in uses.iter().enumerate() {
            above += n;
            sum += v * n;
            let next = uses.get(i + 1).map_or(0.0, |u| u.0);
            if sum - above * next > allowed {
                return ((sum - allowed) / above).max(0.0);
            }
        }
        0.0
    }

    /// The newest sample; 0 without any.
    pub fn newest(&self) -> f32 {
        match self.uses {
            Uses::Timed { values, .. } => values.iter().copied().rfind(|v| !v.is_nan()).unwrap_or(0.0),
            Uses::Counted { newest, .. } => newest,
        }
    }

    /// The largest sample; 0 without any.
    pub fn peak(&self) -> f32 {
        match self.uses {
            Uses::Timed { values, .. } => values.iter().copied().fold(0.0, f32::max),
            Uses::Counted { counted, .. } => counted.last().map_or(0.0, |last| last.0),
        }
    }

    /// The `q`-quantile (0 to 1), linear between order statistics; `None` without a sample.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        match self.uses {
            Uses::Timed { values, .. } => {
                stats::quantile(&mut values.iter().filter(|v| !v.is_nan()).map(|v| f64::from(*v)).collect::<Vec<_>>(), q)
            }
            Uses::Counted { counted, .. } => {
                let at = q.clamp(0.0, 1.0) * f64::from(self.count().checked_sub(1)?);
                let (low, share) = (at.floor() as u32, at.fract());
                let mut passed = 0;
                let place = counted.iter().position(|(_, n)| {
                    passed += n;
                    passed > low
                })?;
                let a = f64::from(counted[place].0);
                if share == 0.0 || passed > low + 1 {
                    return Some(a);
                }
                Some(counted.get(place + 1).map_or(a, |next| a + (f64::from(next.0) - a) * share))
            }
        }
    }

    /// Adds its samples to a histogram, with one weight each.
    pub fn add_to(&self, histogram: &mut Histogram, weight: f64) {
        match self.uses {
            Uses::Timed { values, .. } => histogram.add_all(values, weight),
            Uses::Counted { counted, .. } => histogram.add_counted(counted, weight),
        }
    }

    /// The share of a full day's samples that are there, 0 to 1.
    pub fn share_seen(&self) -> f64 {
        (f64::from(self.count()) / (DAY / self.step).max(1) as f64).min(1.0)
    }
}

/// The share of a day that a service runs for, where it runs for a part of every day only, as a job at night does; else 1. `seen`: the share
/// of each day's samples that are there, 0 to 1.
pub(crate) fn running_share(seen: impl Iterator<Item = f64>) -> f64 {
    let (most, days) = seen.fold((0.0f64, 0), |(most, days), share| (most.max(share), days + 1));
    if days >= FEWEST_RUNS && most < 0.5 { most.max(f64::MIN_POSITIVE) } else { 1.0 }
}

/// The days that can be judged: those of which at least half is there of what a day has.
pub(crate) fn whole<'d>(days: &'d [Day<'d>]) -> impl Iterator<Item = (usize, &'d Day<'d>)> {
    let half = 0.5 * running_share(days.iter().map(Day::share_seen));
    days.iter().enumerate().filter(move |(_, day)| day.share_seen() >= half)
}

/// The days of a series that have samples, oldest first.
pub(crate) fn days(samples: &Samples) -> Vec<Day<'_>> {
    samples.days().into_iter().map(|part| Day::timed(part.day, part.offset, samples.step, part.values)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::Spread;
    use proptest::prelude::*;

    proptest! {
        /// Of values that a spread keeps exactly, both forms of a day say the same.
        #[test]
        fn both_forms_of_a_day_agree(values in prop::collection::vec(prop_oneof![3 => 0u8..20, 1 => Just(255)], 1..300), q in 0.0f64..=1.0) {
            let values: Vec<f32> = values.iter().map(|v| if *v == 255 { f32::NAN } else { f32::from(*v) }).collect();
            prop_assume!(values.iter().any(|v| !v.is_nan()));
            let timed = Day::timed(0, 0, 300, &values);
            let mut sorted: Vec<f32> = values.iter().copied().filter(|v| !v.is_nan()).collect();
            sorted.sort_unstable_by(f32::total_cmp);
            let counted: Vec<(f32, u32)> = sorted.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect();
            let kept = Day { uses: Uses::Counted { counted: &counted, newest: timed.newest() }, ..timed };
            prop_assert_eq!(Spread::of(&values).count, timed.count());
            prop_assert_eq!((kept.count(), kept.peak(), kept.share_seen()), (timed.count(), timed.peak(), timed.share_seen()));
            prop_assert_eq!((kept.above(10.0), kept.above(0.0)), (timed.above(10.0), timed.above(0.0)));
            prop_assert_eq!(kept.lacking(10.0), timed.lacking(10.0));
            let (a, b) = (kept.quantile(q).unwrap(), timed.quantile(q).unwrap());
            prop_assert!((a - b).abs() < 1e-9, "{} {}", a, b);
            let (mut one, mut other) = (Histogram::default(), Histogram::default());
            kept.add_to(&mut one, 2.0);
            timed.add_to(&mut other, 2.0);
            prop_assert_eq!(one.quantile(q), other.quantile(q));
        }
    }

    #[test]
    fn a_job_at_night_has_days_as_whole_as_others() {
        let (night, noon) = ([1.0f32; 4], [1.0f32; 288]);
        let days: Vec<Day<'_>> = (0..5).map(|day| Day::timed(day, 7200, 300, if day == 2 { &night[..1] } else { &night })).collect();
        assert_eq!(whole(&days).map(|(i, _)| i).collect::<Vec<_>>(), [0, 1, 3, 4]);
        assert_eq!(whole(&days[..2]).count(), 0, "two such days may as well be the begin of something");
        let days: Vec<Day<'_>> = (0..5).map(|day| Day::timed(day, 0, 300, if day == 2 { &night } else { &noon })).collect();
        assert_eq!(whole(&days).count(), 4);
    }

    #[test]
    fn what_covers_a_day_leaves_no_more_than_the_share_above() {
        let values: Vec<f32> = (0..288).map(|i| if i < 2 { 2.0 } else { 0.1 }).collect();
        let day = Day::timed(0, 0, 300, &values);
        let (value, all) = (day.covering(0.01), 2.0 * 2.0 + 286.0 * 0.1);
        assert!((day.lacking(value) - 0.01 * all).abs() < 1e-4 && value > 1.8, "{value}");
        assert!(Day::timed(0, 0, 300, &[1.0; 9]).covering(0.01) <= 1.0);
        assert_eq!((Day::timed(0, 0, 300, &[0.0; 9]).covering(0.01), Day::timed(0, 0, 300, &[]).covering(0.01)), (0.0, 0.0));
    }

    #[test]
    fn a_day_of_gaps_says_nothing() {
        let day = Day::timed(0, 0, 300, &[f32::NAN; 4]);
        assert_eq!((day.count(), day.quantile(0.5), day.peak(), day.newest()), (0, None, 0.0, 0.0));
    }
}
