//! What one service's CPU will be tomorrow: which share of the day's samples will lie above a value.
//!
//! The days so far, weighed down as they age, are the first guess. A new day differs from them in two ways, both taken in the
//! logarithm of the use: every day jitters a little, and now and then a day goes beyond all before it. How often is learnt from the
//! service's own days, beginning with what is usual, and is rare where several days have reached the same peak (a full machine, a cap).
//! How far follows a Lomax (Pareto II) law, because such days have no natural scale: over a fleet, one in a hundred doubles and one
//! in five hundred grows sevenfold. Services whose use hardly varies within a day go less far than bursty ones.

use super::Day;
use headroom_model::time::DAY;
use std::collections::VecDeque;
use std::sync::LazyLock;

/// Width of a bucket: values grow by 4 % from one to the next.
const WIDTH: f64 = 0.039_220_713_153_281_33;
/// The newest days count in full for so many days; after that a day counts half as much with every further one.
const FRESH: i64 = 2;
const HALF_LIFE: f64 = 1.0;
/// Mean jitter, in the logarithm, and the buckets that it may reach up and down.
const JITTER: f64 = 0.04;
const REACH: usize = 40;
/// Buckets upwards that a day beyond all others may reach: e⁷, more than a thousandfold.
const BEYOND: usize = 180;
/// A peak this much over all others (a fifth) is a record. Records come in runs: after so many days one counts half.
const RECORD: f64 = 0.2;
const RUN: f64 = 4.0;
/// The usual share of days with a record, how many days of one's own weigh as much, and what one's own record counts.
const USUAL: f64 = 0.08;
const USUAL_DAYS: f64 = 3.0;
const OWN: f64 = 0.7;
/// So many days within one bucket of the largest peak make a ceiling, beyond which records are rarer by a factor.
const CEILING_DAYS: usize = 3;
const CEILING: f64 = 0.2;
/// Scale of the Lomax law per unit of burstiness (the logarithm of peak over median), the bounds of burstiness, and the exponent.
const SCALE: f64 = 0.4;
const BURSTINESS: (f64, f64) = (0.1, 1.2);
const EXPONENT: i32 = 3;
/// A share of a machine has a scale of its own: on this share of samples it may go anywhere, with this mean.
const ANYWHERE: f64 = 0.005;
const ANYWHERE_MEAN: f64 = 0.2;

/// The end of every bucket that a meter's resolution and the largest machines leave possible, from number [`LOWEST`] on.
static ENDS: LazyLock<Vec<f64>> = LazyLock::new(|| (LOWEST..HIGHEST).map(|i| (i as f64 * WIDTH).exp()).collect());
const LOWEST: i64 = -260;
const HIGHEST: i64 = 520;

fn end_of(bucket: i64) -> f64 {
    let known = usize::try_from(bucket - LOWEST).ok().and_then(|i| ENDS.get(i)).copied();
    known.unwrap_or_else(|| (bucket as f64 * WIDTH).exp())
}

/// How a day jitters: the share per bucket, from [`REACH`] down to as many up.
static JITTERS: LazyLock<[f64; 2 * REACH + 1]> = LazyLock::new(|| {
    let shape: [f64; 2 * REACH + 1] = std::array::from_fn(|i| (-(i.abs_diff(REACH) as f64) * WIDTH / JITTER).exp());
    let all: f64 = shape.iter().sum();
    shape.map(|k| k / all)
});

/// What was learnt of one service.
#[derive(Debug, Clone)]
pub(super) struct Demand {
    /// Whether the unit is a share of a machine.
    share: bool,
    /// Days that still count in full, oldest first.
    fresh: VecDeque<(i64, Buckets)>,
    /// All others, faded as of the newest day.
    faded: Buckets,
    /// Logarithm of each day's peak.
    peaks: Vec<f64>,
    top: f64,
    /// Days with a record, and days that could have had one, recent ones counting more.
    records: f64,
    chances: f64,
    /// Samples in a full day, 288 or more.
    per_day: f64,
}

/// Weight of samples per bucket; a full day weighs 1 when it is new.
#[derive(Debug, Clone, Default)]
struct Buckets {
    /// Number of the first bucket of `weights`.
    first: i64,
    weights: Vec<f64>,
}

/// The share of tomorrow's samples above each value of a grid.
#[derive(Debug, Clone)]
pub(super) struct Exceedance {
    share: bool,
    first: i64,
    above: Vec<f64>,
}

/// Values below this are not told apart: the resolution of meters.
fn resolution(share: bool) -> f64 {
    if share { 0.005 } else { 0.0005 }
}

fn bucket(value: f64, share: bool) -> i64 {
    ((value + resolution(share)).ln() / WIDTH).floor() as i64
}

impl Demand {
    /// Knows nothing. `share`: the unit is a share of a machine.
    pub fn new(share: bool) -> Self {
        Self {
            share,
            fresh: VecDeque::new(),
            faded: Buckets::default(),
            peaks: Vec::new(),
            top: f64::NEG_INFINITY,
            records: 0.0,
            chances: 0.0,
            per_day: 288.0,
        }
    }

    /// Whether there was a day.
    pub fn is_known(&self) -> bool {
        !self.peaks.is_empty()
    }

    /// Takes in a day. Several series may bring the same day; days must not go back.
    pub fn learn(&mut self, day: &Day<'_>) {
        let count = day.count();
        if count == 0 {
            return;
        }
        self.age(day.day);
        // A day with few samples counts for as much as it has.
        let whole = (DAY / day.step).max(1) as f64;
        self.per_day = whole.max(288.0);
        let weight = 1.0 / whole.max(f64::from(count));
        let mut today = Buckets::default();
        day.each(|v, n| today.add(bucket(f64::from(v), self.share), weight * f64::from(n)));
        self.fresh.push_back((day.day, today));
        let peak = (f64::from(day.peak()) + resolution(self.share)).ln();
        if self.is_known() {
            let fade = (-1.0 / RUN).exp2();
            self.records = fade * self.records + f64::from(u8::from(peak > self.top + RECORD));
            self.chances = fade * self.chances + 1.0;
        }
        self.top = self.top.max(peak);
        self.peaks.push(peak);
    }

    /// Makes a day the newest.
    fn age(&mut self, day: i64) {
        let fade = |days: i64| (-(days.max(0) as f64) / HALF_LIFE).exp2();
        let passed = self.fresh.back().map_or(0, |(newest, _)| day - newest);
        self.faded.weights.iter_mut().for_each(|w| *w *= fade(passed));
        while self.fresh.front().is_some_and(|(old, _)| *old < day - FRESH)
            && let Some((old, buckets)) = self.fresh.pop_front()
        {
            self.faded.merge(&buckets, fade(day - FRESH - old));
        }
    }

    /// Samples in a full day; a step coarser than five minutes counts as that.
    pub fn per_day(&self) -> f64 {
        self.per_day
    }

    /// The share of tomorrow's samples above each value; `None` before the first day.
    pub fn exceedance(&self) -> Option<Exceedance> {
        let mut days = self.faded.clone();
        self.fresh.iter().for_each(|(_, buckets)| days.merge(buckets, 1.0));
        let total: f64 = days.weights.iter().sum();
        if !self.is_known() || total.is_nan() || total <= 0.0 {
            return None;
        }
        let kernel = self.kernel(days.median(total));
        let mut above = vec![0.0; days.weights.len() + kernel.len()];
        for (i, w) in days.weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            above[i..].iter_mut().zip(&kernel).for_each(|(a, k)| *a += w / total * k);
        }
        // From the share in each bucket to the share above its end.
        let mut sum = 0.0;
        for a in above.iter_mut().rev() {
            (sum, *a) = (sum + *a, sum);
        }
        let mut out = Exceedance { share: self.share, first: days.first - REACH as i64, above };
        if self.share {
            out.bound(self.top);
        }
        Some(out)
    }

    /// How a day's use moves against the days so far: per bucket, from [`REACH`] down to [`BEYOND`] up. `median`: its logarithm.
    fn kernel(&self, median: f64) -> Vec<f64> {
        let rare = if self.peaks.iter().filter(|p| **p > self.top - WIDTH).count() >= CEILING_DAYS { CEILING } else { 1.0 };
        let beyond = rare * (USUAL_DAYS * USUAL + OWN * self.records) / (USUAL_DAYS + self.chances);
        let mut kernel: Vec<f64> = JITTERS.iter().map(|k| (1.0 - beyond) * k).collect();
        kernel.resize(REACH + BEYOND, 0.0);
        let scale = SCALE * (self.top - median).clamp(BURSTINESS.0, BURSTINESS.1);
        let survives = |i: usize| (1.0 + i as f64 * WIDTH / scale).powi(-EXPONENT);
        for i in 0..BEYOND {
            let next = if i + 1 < BEYOND { survives(i + 1) } else { 0.0 };
            kernel[REACH + i] += beyond * (survives(i) - next);
        }
        kernel
    }
}

impl Buckets {
    fn add(&mut self, bucket: i64, weight: f64) {
        if self.weights.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let more = (self.first - bucket) as usize;
            self.weights.splice(0..0, std::iter::repeat_n(0.0, more));
            self.first = bucket;
        }
        let at = (bucket - self.first) as usize;
        if at >= self.weights.len() {
            self.weights.resize(at + 1, 0.0);
        }
        self.weights[at] += weight;
    }

    fn merge(&mut self, other: &Self, factor: f64) {
        let taken = other.weights.iter().enumerate().filter(|(_, w)| **w > 0.0);
        taken.for_each(|(i, w)| self.add(other.first + i as i64, factor * w));
    }

    /// Logarithm of the end of the bucket with the median.
    fn median(&self, total: f64) -> f64 {
        let mut sum = 0.0;
        let at = self.weights.iter().position(|w| {
            sum += w;
            sum >= 0.5 * total
        });
        (self.first + at.unwrap_or_default() as i64 + 1) as f64 * WIDTH
    }
}

impl Exceedance {
    /// A share of a machine: it may go anywhere, but not beyond the whole unless it has (`top`: logarithm of the largest).
    fn bound(&mut self, top: f64) {
        let whole = top <= (1.0 + resolution(true)).ln() + 1e-6;
        let end = bucket(1.0, true) + 1 - self.first;
        self.above.resize(self.above.len().max(end.max(0) as usize + 1), 0.0);
        for i in 0..self.above.len() {
            let value = self.value(i);
            self.above[i] = if whole && value >= 1.0 { 0.0 } else { self.above[i] + ANYWHERE * (-value / ANYWHERE_MEAN).exp() };
        }
    }

    /// Values from which to choose.
    pub fn len(&self) -> usize {
        self.above.len()
    }

    /// The `i`-th value, in the unit of the metric; more than 0.
    pub fn value(&self, i: usize) -> f64 {
        (end_of(self.first + i as i64 + 1) - resolution(self.share)).max(1e-6)
    }

    /// The share of samples above the `i`-th value, and above that value less a factor of `down` buckets.
    pub fn above(&self, i: usize, down: usize) -> f64 {
        i.checked_sub(down).map_or(1.0, |i| self.above.get(i).copied().unwrap_or(0.0))
    }

    /// The number of the largest value that is no larger than a given one; `None` when all are.
    pub fn at_most(&self, value: f64) -> Option<usize> {
        let end = ((value + resolution(self.share)).ln() / WIDTH + 1e-6).floor() as i64;
        usize::try_from(end - 1 - self.first).ok()
    }

    /// Buckets that make a factor.
    pub fn buckets(factor: f64) -> usize {
        (factor.ln() / WIDTH).round() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(share: bool, peaks: &[f32]) -> Demand {
        let mut demand = Demand::new(share);
        for (i, peak) in peaks.iter().enumerate() {
            let values: Vec<f32> = (0..288).map(|s| if s % 24 == 0 { *peak } else { 0.5 * peak }).collect();
            demand.learn(&Day::timed(i as i64, 0, 300, &values));
        }
        demand
    }

    /// The expected share of samples above a value.
    fn above(demand: &Demand, value: f64) -> f64 {
        let tomorrow = demand.exceedance().unwrap();
        tomorrow.above(tomorrow.at_most(value).unwrap(), 0)
    }

    #[test]
    fn the_share_above_falls_from_one_to_nothing() {
        let tomorrow = learnt(false, &[1.0, 2.0, 1.5]).exceedance().unwrap();
        let shares: Vec<f64> = (0..tomorrow.len()).map(|i| tomorrow.above(i, 0)).collect();
        assert!(shares.windows(2).all(|w| w[0] >= w[1] - 1e-12));
        assert!(shares[0] > 0.999 && shares[shares.len() - 1] < 1e-9);
        assert_eq!((tomorrow.above(3, 4), tomorrow.above(7, 4)), (1.0, shares[3]));
        assert!(tomorrow.value(0) > 0.0);
    }

    #[test]
    fn days_repeat_but_for_a_rare_record() {
        let demand = learnt(false, &[1.0; 6]);
        // 12 of 288 samples are at the peak; the ceiling makes records rare.
        assert!((above(&demand, 0.7) - 12.0 / 288.0).abs() < 0.02);
        assert!(above(&demand, 1.3) < 0.002);
        assert!(above(&demand, 1.3) > above(&demand, 2.6));
    }

    #[test]
    fn who_set_records_is_expected_to_set_more() {
        let (steady, growing) = (learnt(false, &[2.0, 1.1, 1.2, 1.3]), learnt(false, &[0.6, 0.9, 1.4, 2.0]));
        assert!(above(&growing, 4.0) > 2.0 * above(&steady, 4.0));
    }

    #[test]
    fn old_days_fade() {
        let (old, new) = (learnt(false, &[4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), learnt(false, &[1.0, 1.0, 1.0, 1.0, 1.0, 4.0, 1.0]));
        assert!(above(&old, 3.0) < 0.3 * above(&new, 3.0));
        let mut gap = learnt(false, &[4.0]);
        gap.learn(&Day::timed(365, 0, 300, &[1.0; 288]));
        assert!(above(&gap, 3.0) < 0.05);
    }

    #[test]
    fn a_share_does_not_exceed_the_machine() {
        assert_eq!(above(&learnt(true, &[0.3, 0.9]), 1.05), 0.0);
        assert!(above(&learnt(true, &[0.3, 1.5]), 1.05) > 0.0);
        assert!(above(&learnt(true, &[0.01; 5]), 0.5) > 1e-4);
    }

    #[test]
    fn nothing_is_known_before_the_first_day() {
        let mut demand = Demand::new(false);
        assert!(demand.exceedance().is_none());
        demand.learn(&Day::timed(3, 0, 300, &[f32::NAN; 4]));
        assert!(demand.exceedance().is_none());
        demand.learn(&Day::timed(3, 0, 300, &[0.0; 4]));
        assert!(demand.exceedance().is_some());
    }
}
