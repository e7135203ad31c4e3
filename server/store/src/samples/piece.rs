//! A stretch of one series on its own grid.

use crate::error::{Error, Result};
use headroom_model::metric::Aggregation;
use headroom_model::time::DAY;
use pco::standalone::{simple_compress, simple_decompress};
use pco::{ChunkConfig, DeltaSpec};

/// How hard chunks are compressed, 0 to 12: above this, time doubles for less than 1 % of the size.
const LEVEL: usize = 4;

/// Values on a grid that is aligned to the epoch; `NaN` is a gap.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    /// Seconds since the epoch of the first value's begin, a multiple of `step`.
    pub start: i64,
    /// Seconds, at least 1.
    pub step: u32,
    pub values: Vec<f32>,
}

/// The begin of the interval that holds `at`.
pub(super) fn align(at: i64, step: u32) -> i64 {
    at.div_euclid(i64::from(step)) * i64::from(step)
}

fn corrupt(fault: impl ToString) -> Error {
    Error::Corrupt { what: "samples".into(), fault: fault.to_string() }
}

impl Piece {
    pub(super) fn at(&self, index: usize) -> i64 {
        self.start + index as i64 * i64::from(self.step)
    }
    pub(super) fn first_present(&self) -> Option<i64> {
        self.values.iter().position(|v| !v.is_nan()).map(|i| self.at(i))
    }
    pub(super) fn last_present(&self) -> Option<i64> {
        self.values.iter().rposition(|v| !v.is_nan()).map(|i| self.at(i))
    }

    /// Cut at midnight (UTC), days without a value left out, gaps at both ends removed.
    pub(super) fn days(&self) -> Vec<Self> {
        let mut out = Vec::new();
        let mut rest = self.values.as_slice();
        let mut start = self.start;
        while !rest.is_empty() {
            let until_midnight = DAY - start.rem_euclid(DAY);
            let count = usize::try_from(until_midnight).unwrap_or(1).div_ceil(self.step as usize).min(rest.len());
            let (day, later) = rest.split_at(count);
            let first = day.iter().position(|v| !v.is_nan());
            let last = day.iter().rposition(|v| !v.is_nan());
            if let (Some(first), Some(last)) = (first, last) {
                out.push(Self { start: start + first as i64 * i64::from(self.step), step: self.step, values: day[first..=last].to_vec() });
            }
            start += count as i64 * i64::from(self.step);
            rest = later;
        }
        out
    }

    /// One piece from several, on the grid of the coarsest; of two values for one interval the later piece's wins.
    pub(super) fn merged(pieces: &[&Self], rule: Aggregation) -> Self {
        let step = pieces.iter().map(|p| p.step).max().unwrap_or(1);
        let first = pieces.iter().filter_map(|p| p.first_present()).min().unwrap_or(0);
        let last = pieces.iter().filter_map(|p| p.last_present()).max().unwrap_or(first);
        let mut out = Self::gaps(align(first, step), step, align(last, step));
        for piece in pieces {
            out.lay(piece, rule, i64::MIN, i64::MAX);
        }
        out
    }

    /// Nothing but gaps, from `start` to the interval that begins at `last`.
    pub(super) fn gaps(start: i64, step: u32, last: i64) -> Self {
        let len = (last - start) / i64::from(step) + 1;
        Self { start, step, values: vec![f32::NAN; usize::try_from(len).unwrap_or(0)] }
    }

    /// Lays the values of `other` in `[from, to)` over these. Finer values are merged by `rule`; a coarser grid than this one is not
    /// expected and fills the interval in which its values begin.
    pub(super) fn lay(&mut self, other: &Self, rule: Aggregation, from: i64, to: i64) {
        if other.step == self.step {
            return self.lay_like(other, from, to);
        }
        let mut bucket = Bucket::default();
        for (i, value) in other.values.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
            let at = other.at(i);
            if at < from || at >= to {
                continue;
            }
            let Ok(index) = usize::try_from((align(at, self.step) - self.start).div_euclid(i64::from(self.step))) else { continue };
            let merged = bucket.add(index, *value, rule);
            if let Some(slot) = self.values.get_mut(index) {
                *slot = merged;
            }
        }
    }

    /// The same for values of the same step, which is nearly always: no division per value.
    fn lay_like(&mut self, other: &Self, from: i64, to: i64) {
        let offset = (other.start - self.start).div_euclid(i64::from(self.step));
        for (i, value) in other.values.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
            let slot = usize::try_from(offset + i as i64).ok().and_then(|index| self.values.get_mut(index));
            if let Some(slot) = slot.filter(|_| (from..to).contains(&other.at(i))) {
                *slot = *value;
            }
        }
    }

    /// Compressed, without loss. Differences of neighbours, where they help: looking for repetition further back takes five times as
    /// long for one hundredth less.
    pub(super) fn packed(&self) -> Result<Vec<u8>> {
        let config = ChunkConfig::default().with_compression_level(LEVEL).with_delta_spec(DeltaSpec::TryConsecutive(1));
        simple_compress(&self.values, &config).map_err(corrupt)
    }

    pub(super) fn unpacked(start: i64, step: i64, bytes: &[u8]) -> Result<Self> {
        let step = u32::try_from(step).ok().filter(|s| *s > 0).ok_or_else(|| corrupt(format!("{step} is not a step")))?;
        Ok(Self { start, step, values: simple_decompress(bytes).map_err(corrupt)? })
    }
}

/// The values of one coarse interval so far.
#[derive(Default)]
struct Bucket {
    index: Option<usize>,
    sum: f64,
    count: f64,
    max: f32,
}

impl Bucket {
    /// What the interval holds with this value.
    fn add(&mut self, index: usize, value: f32, rule: Aggregation) -> f32 {
        if self.index != Some(index) {
            *self = Self { index: Some(index), sum: 0.0, count: 0.0, max: value };
        }
        self.sum += f64::from(value);
        self.count += 1.0;
        self.max = self.max.max(value);
        match rule {
            Aggregation::Mean => (self.sum / self.count) as f32,
            Aggregation::Sum => self.sum as f32,
            Aggregation::Max => self.max,
            Aggregation::Last => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f32 = f32::NAN;

    fn piece(start: i64, step: u32, values: &[f32]) -> Piece {
        Piece { start, step, values: values.to_vec() }
    }

    fn bits(piece: &Piece) -> Vec<u32> {
        piece.values.iter().map(|v| v.to_bits()).collect()
    }

    #[test]
    fn days_are_cut_at_midnight_and_gaps_stay_gaps() {
        let days = piece(DAY - 20, 10, &[1.0, GAP, 3.0, GAP, 5.0, GAP]).days();
        assert_eq!(days.len(), 2);
        assert_eq!((days[0].start, days[0].values.as_slice()), (DAY - 20, [1.0].as_slice()));
        assert_eq!((days[1].start, days[1].values.len(), days[1].values[2]), (DAY, 3, 5.0));
        assert!(days[1].values[1].is_nan());
        assert!(piece(0, 10, &[GAP, GAP]).days().is_empty());
    }

    #[test]
    fn the_later_piece_wins_and_gaps_overwrite_nothing() {
        let merged = Piece::merged(&[&piece(0, 10, &[1.0, 2.0, 3.0]), &piece(10, 10, &[GAP, 9.0, 4.0])], Aggregation::Mean);
        assert_eq!(merged, piece(0, 10, &[1.0, 2.0, 9.0, 4.0]));
    }

    #[test]
    fn finer_samples_follow_their_metrics_rule() {
        let fine = piece(60, 10, &[1.0, 3.0, GAP, 5.0, 7.0, 2.0]);
        for (rule, value) in [(Aggregation::Mean, 3.6), (Aggregation::Sum, 18.0), (Aggregation::Max, 7.0), (Aggregation::Last, 2.0)] {
            let merged = Piece::merged(&[&piece(0, 60, &[8.0]), &fine], rule);
            assert_eq!(merged, piece(0, 60, &[8.0, value]), "{rule:?}");
        }
    }

    #[test]
    fn packing_keeps_every_bit() {
        let mut value = 1u32;
        let values: Vec<f32> = (0..2000)
            .map(|i| {
                value = value.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if i % 7 == 0 { GAP } else { value as f32 / 1e6 }
            })
            .collect();
        let original = piece(0, 60, &values);
        let back = Piece::unpacked(0, 60, &original.packed().unwrap()).unwrap();
        assert_eq!(bits(&back), bits(&original));
        assert!(Piece::unpacked(0, 60, b"nonsense").is_err());
        assert!(Piece::unpacked(0, 0, &original.packed().unwrap()).is_err());
    }
}
