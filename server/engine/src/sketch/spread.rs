//! How often each value was there: a quantile sketch whose buckets are 0.4 to 0.8 % wide.

use serde::{Deserialize, Serialize};

/// A bucket is what the upper half of a float tells: eight bits of exponent, seven of mantissa.
const SHIFT: u32 = 16;
/// Values below this count as nothing.
const LEAST: f32 = 1e-6;

/// Values without their order. The least and the largest are exact, all others within 0.4 %.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// How many values, at least one.
    pub count: u32,
    pub least: f32,
    pub peak: f32,
    /// (how many buckets further, how many values), ascending.
    buckets: Vec<(u16, u32)>,
}

impl Spread {
    /// Of values that are finite and not negative; gaps are left out, at least one is none.
    pub fn of(values: &[f32]) -> Self {
        let mut all: Vec<u16> = Vec::with_capacity(values.len());
        let (mut least, mut peak) = (f32::INFINITY, 0.0f32);
        for v in values.iter().filter(|v| !v.is_nan()) {
            (least, peak) = (least.min(*v), peak.max(*v));
            all.push(if *v < LEAST { 0 } else { (v.to_bits() >> SHIFT) as u16 });
        }
        all.sort_unstable();
        let mut before = 0;
        let mut further = |bucket: u16| bucket - std::mem::replace(&mut before, bucket);
        let buckets = all.chunk_by(|a, b| a == b).map(|same| (further(same[0]), same.len() as u32)).collect();
        Self { count: all.len() as u32, least, peak, buckets }
    }

    /// Whether it can be what [`Self::of`] makes of the samples of a day.
    pub fn is_sound(&self) -> bool {
        let all: u64 = self.buckets.iter().map(|(_, count)| u64::from(*count)).sum();
        let range = 0.0 <= self.least && self.least <= self.peak && self.peak.is_finite();
        range && all == u64::from(self.count) && (1..=86_400).contains(&self.count) && self.buckets.iter().all(|(_, count)| *count > 0)
    }

    /// (value, how many), ascending.
    pub fn counted(&self) -> Vec<(f32, u32)> {
        let mut at = 0u16;
        let mut out = Vec::with_capacity(self.buckets.len() + 2);
        for (further, count) in &self.buckets {
            at = at.saturating_add(*further);
            let middle = if at == 0 { 0.0 } else { f32::from_bits((u32::from(at) << SHIFT) | (1 << (SHIFT - 1))) };
            out.push((middle.clamp(self.least, self.peak), *count));
        }
        // One of the first bucket is the least, one of the last the largest.
        let (first, last) = ((self.least, 1), (self.peak, 1));
        match out.first_mut() {
            Some(bucket) if bucket.1 == 1 => *bucket = first,
            Some(bucket) => {
                bucket.1 -= 1;
                out.insert(0, first);
            }
            None => {}
        }
        match out.last_mut() {
            Some(bucket) if bucket.1 == 1 => *bucket = last,
            Some(bucket) => {
                bucket.1 -= 1;
                out.push(last);
            }
            None => {}
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The values that are kept, ascending.
    fn kept(values: &[f32]) -> Vec<f32> {
        let counted = Spread::of(values).counted();
        counted.into_iter().flat_map(|(value, count)| std::iter::repeat_n(value, count as usize)).collect()
    }

    proptest! {
        #[test]
        fn values_come_back_within_four_in_a_thousand(
            values in prop::collection::vec(prop_oneof![Just(f32::NAN), Just(0.0f32), 1e-6f32..1.0, 1.0f32..1e16], 1..400),
        ) {
            prop_assume!(values.iter().any(|v| !v.is_nan()));
            let mut sorted: Vec<f32> = values.iter().copied().filter(|v| !v.is_nan()).collect();
            sorted.sort_unstable_by(f32::total_cmp);
            let back = kept(&values);
            prop_assert_eq!(back.len(), sorted.len());
            prop_assert_eq!((back[0], back[back.len() - 1]), (sorted[0], sorted[sorted.len() - 1]));
            for (is, was) in back.iter().zip(&sorted) {
                prop_assert!((is - was).abs() <= 0.004 * was, "{} {}", is, was);
            }
        }
    }

    #[test]
    fn what_is_equal_stays_equal() {
        assert_eq!(kept(&[0.3; 5]), [0.3; 5]);
        assert_eq!(Spread::of(&[0.0, 0.0, 7.0]).counted(), [(0.0, 1), (0.0, 1), (7.0, 1)]);
    }
}
