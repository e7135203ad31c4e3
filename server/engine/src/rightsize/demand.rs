//! What one service's CPU will be tomorrow: which share of the day's samples will lie above a value.
//!
//! The days so far, weighed down as they age, are the first guess. A new day differs from them in two ways, both taken in the
//! logarithm of the use: every day jitters a little, and now and then a day goes beyond all before it. How often is learnt from the
//! service's own days, beginning with what is usual, and is rare where several days have reached the same peak (a full machine, a cap).
//! How far follows a Lomax (Pareto II) law, because such days have no natural scale: over a fleet, one in a hundred doubles and one
//! in five hundred grows sevenfold. Services whose use hardly varies within a day go less far than bursty ones.

use super::Day;
use headroom_model::time::DAY;

/// Width of a bucket: values grow by 4 % from one to the next.
const WIDTH: f64 = 0.039_220_713_153_281_33;
/// Days after which a day counts half.
const HALF_LIFE: f64 = 1.5;
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

/// What was learnt of one service.
#[derive(Debug, Clone)]
pub(super) struct Demand {
    /// Whether the unit is a share of a machine.
    share: bool,
    /// Number of the first bucket of `weights`.
    first: i64,
    /// Weight of samples per bucket; each full day weighs 1 when it is new.
    weights: Vec<f64>,
    newest: Option<i64>,
    /// Logarithm of each day's peak.
    peaks: Vec<f64>,
    top: f64,
    /// Days with a record, and days that could have had one, recent ones counting more.
    records: f64,
    chances: f64,
    /// Samples in a full day, 288 or more.
    per_day: f64,
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
            first: 0,
            weights: Vec::new(),
            newest: None,
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
        let count = day.present().count();
        if count == 0 {
            return;
        }
        let passed = self.newest.map_or(0, |n| (day.day - n).max(0));
        let fade = (-(passed as f64) / HALF_LIFE).exp2().max(1e-12);
        self.weights.iter_mut().for_each(|w| *w *= fade);
        self.newest = Some(day.day);
        // A day with few samples counts for as much as it has.
        let whole = (DAY / day.step).max(1) as f64;
        self.per_day = whole.max(288.0);
        let weight = 1.0 / whole.max(count as f64);
        for v in day.present() {
            self.add(bucket(f64::from(v), self.share), weight);
        }
        let peak = (f64::from(day.peak()) + resolution(self.share)).ln();
        if self.is_known() {
            let fade = (-1.0 / RUN).exp2();
            self.records = fade * self.records + f64::from(u8::from(peak > self.top + RECORD));
            self.chances = fade * self.chances + 1.0;
        }
        self.top = self.top.max(peak);
        self.peaks.push(peak);
    }

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

    /// Samples in a full day; a step coarser than five minutes counts as that.
    pub fn per_day(&self) -> f64 {
        self.per_day
    }

    /// The share of tomorrow's samples above each value; `None` before the first day.
    pub fn exceedance(&self) -> Option<Exceedance> {
        let total: f64 = self.weights.iter().sum();
        if !self.is_known() || total.is_nan() || total <= 0.0 {
            return None;
        }
        let kernel = self.kernel(total);
        let mut above = vec![0.0; self.weights.len() + kernel.len()];
        for (i, w) in self.weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            above[i..].iter_mut().zip(&kernel).for_each(|(a, k)| *a += w / total * k);
        }
        // From the share in each bucket to the share above its end.
        let mut sum = 0.0;
        for a in above.iter_mut().rev() {
            (sum, *a) = (sum + *a, sum);
        }
        let mut out = Exceedance { share: self.share, first: self.first - REACH as i64, above };
        if self.share {
            out.bound(self.top);
        }
        Some(out)
    }

    /// How a day's use moves against the days so far: per bucket, from [`REACH`] down to [`BEYOND`] up.
    fn kernel(&self, total: f64) -> Vec<f64> {
        let rare = if self.peaks.iter().filter(|p| **p > self.top - WIDTH).count() >= CEILING_DAYS { CEILING } else { 1.0 };
        let beyond = rare * (USUAL_DAYS * USUAL + OWN * self.records) / (USUAL_DAYS + self.chances);
        let mut kernel: Vec<f64> = (0..=2 * REACH).map(|i| (-(i.abs_diff(REACH) as f64) * WIDTH / JITTER).exp()).collect();
        let all: f64 = kernel.iter().sum();
        kernel.iter_mut().for_each(|k| *k *= (1.0 - beyond) / all);
        kernel.resize(REACH + BEYOND, 0.0);
        let scale = SCALE * (self.top - self.median(total)).clamp(BURSTINESS.0, BURSTINESS.1);
        let survives = |i: usize| (1.0 + i as f64 * WIDTH / scale).powi(-EXPONENT);
        for i in 0..BEYOND {
            let next = if i + 1 < BEYOND { survives(i + 1) } else { 0.0 };
            kernel[REACH + i] += beyond * (survives(i) - next);
        }
        kernel
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
        (((self.first + i as i64 + 1) as f64 * WIDTH).exp() - resolution(self.share)).max(1e-6)
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
