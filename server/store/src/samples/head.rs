//! Rows of the head: (series, value) pairs of one interval.

use super::piece::Piece;
use crate::error::{Error, Result};
use headroom_model::metric::Metric;
use std::collections::HashMap;

/// Bytes per pair: i64 and f32, little-endian.
const PAIR: usize = 12;

pub(super) fn encode(values: &[(i64, f32)]) -> Vec<u8> {
    values.iter().flat_map(|(id, value)| id.to_le_bytes().into_iter().chain(value.to_le_bytes())).collect()
}

fn decode(bytes: &[u8]) -> Result<impl Iterator<Item = (i64, f32)>> {
    let (pairs, rest) = bytes.as_chunks::<PAIR>();
    if !rest.is_empty() {
        return Err(Error::Corrupt { what: "samples".into(), fault: "a row of the head is cut off".to_owned() });
    }
    Ok(pairs.iter().map(|pair| {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *pair;
        (i64::from_le_bytes([a, b, c, d, e, f, g, h]), f32::from_le_bytes([i, j, k, l]))
    }))
}

/// A series of the open day: its metric, and (begin, value) in the order of writing.
type OpenSeries = (Metric, Vec<(i64, f32)>);

/// Rows of the head, in the order in which they were written, sorted out by series. One series may come in several steps.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// By series and step.
    series: HashMap<(i64, u32), OpenSeries>,
}

impl Collected {
    /// Adds the pairs whose series `wanted` knows.
    pub(super) fn add(&mut self, at: i64, step: i64, bytes: &[u8], wanted: impl Fn(i64) -> Option<Metric>) -> Result<()> {
        let step = u32::try_from(step).ok().filter(|s| *s > 0);
        let step = step.ok_or_else(|| Error::Corrupt { what: "step".into(), fault: "a row of the head has none".to_owned() })?;
        for (id, value) in decode(bytes)? {
            if let Some(metric) = wanted(id) {
                self.series.entry((id, step)).or_insert_with(|| (metric, Vec::new())).1.push((at, value));
            }
        }
        Ok(())
    }

    /// One piece per series and step, by series; the coarser first, so that finer and mostly newer ones are laid over them.
    pub(super) fn pieces(self) -> Vec<(i64, Metric, Piece)> {
        let mut all: Vec<_> = self.series.into_iter().collect();
        all.sort_unstable_by_key(|((id, step), _)| (*id, std::cmp::Reverse(*step)));
        all.into_iter().map(|((id, step), (metric, samples))| (id, metric, piece(step, &samples))).collect()
    }
}

fn piece(step: u32, samples: &[(i64, f32)]) -> Piece {
    let begins = || samples.iter().map(|s| s.0);
    let mut out = Piece::gaps(begins().min().unwrap_or(0), step, begins().max().unwrap_or(0));
    for (at, value) in samples {
        let index = (at - out.start) / i64::from(step);
        if let Some(slot) = usize::try_from(index).ok().and_then(|i| out.values.get_mut(i)) {
            *slot = *value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_write_wins_and_foreign_series_are_left_out() {
        let mut rows = Collected::default();
        let wanted = |id| (id == 7).then_some(Metric::CpuUsage);
        rows.add(600, 60, &encode(&[(7, 1.0), (8, 2.0)]), wanted).unwrap();
        rows.add(720, 60, &encode(&[(7, 3.0)]), wanted).unwrap();
        rows.add(600, 60, &encode(&[(7, 5.0)]), wanted).unwrap();
        let pieces = rows.pieces();
        assert_eq!(pieces.len(), 1);
        let (id, _, piece) = &pieces[0];
        assert_eq!((*id, piece.start, piece.values[0], piece.values[2]), (7, 600, 5.0, 3.0));
        assert!(piece.values[1].is_nan());
    }

    #[test]
    fn a_cut_row_is_named() {
        let bytes = encode(&[(7, 1.0)]);
        assert!(Collected::default().add(0, 60, &bytes[..11], |_| None).is_err());
    }
}
