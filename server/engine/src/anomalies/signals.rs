//! What is looked at in a series: the newest sample seen in twelve ways, in seven families.

use super::recall;

/// Samples that are remembered.
pub(super) const REMEMBERED: usize = 8000;
/// Samples in the windows: a smoothed value, a level, the before and after of a jump, the spread.
const SMOOTH: usize = 6;
const LEVEL: usize = 36;
const JUMP: (usize, usize) = (12, 2);
const SPREAD: usize = 24;
/// How many signals there are, and the families that they belong to (a rise and a fall are one matter).
pub(super) const SIGNALS: usize = 12;
pub(super) const FAMILIES: [usize; SIGNALS] = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6];

/// One way of seeing the newest sample: large is unusual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Signal {
    /// The reading, finite.
    pub value: f64,
    /// The least difference that matters, in the reading's unit.
    pub floor: f64,
}

/// The samples that are remembered, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    times: Vec<i64>,
    values: Vec<f64>,
    smooth: Vec<f64>,
}

impl Memory {
    /// Adds a sample; forgets the oldest half when twice as many are kept as are remembered (so a step costs O(1) on average).
    pub fn push(&mut self, time: i64, value: f64) {
        if self.values.len() >= 2 * REMEMBERED {
            self.times.drain(..REMEMBERED);
            self.values.drain(..REMEMBERED);
            self.smooth.drain(..REMEMBERED);
        }
        self.times.push(time);
        self.values.push(value);
        self.smooth.push(mean(self.newest(SMOOTH, 0).unwrap_or(&self.values)));
    }

    /// `count` values that end `back` samples before the newest one.
    fn newest(&self, count: usize, back: usize) -> Option<&[f64]> {
        let end = self.values.len().checked_sub(back)?;
        self.values.get(end.checked_sub(count)?..end)
    }

    /// The newest sample's signals; `None` for those that lack history. `spread` is the usual range of the values.
    pub fn signals(&self, spread: f64) -> [Option<Signal>; SIGNALS] {
        let fine = (0.01 * spread).max(1e-9);
        let finite = |value: f64, floor: f64| value.is_finite().then_some(Signal { value, floor });
        let up_and_down = |x: Option<f64>| x.map_or([None; 2], |x| [finite(x, fine), finite(-x, fine)]);
        let value = up_and_down(self.values.last().copied());
        let smooth = up_and_down(self.newest(SMOOTH, 0).map(mean));
        let level = up_and_down(self.newest(LEVEL, 0).map(mean));
        let before = self.newest(JUMP.0, JUMP.1).map(mean);
        let jump = up_and_down(before.and_then(|b| Some(mean(self.newest(JUMP.1, 0)?) - b)));
        let small = 0.05 * spread + 1e-9;
        let window = self.newest(SPREAD, 0);
        let deviation = window.and_then(|w| finite((deviation(w) + small).ln(), 0.02));
        let roughness = self.newest(SPREAD + 1, 0).and_then(|w| finite((roughness(w) + small).ln(), 0.02));
        let day = recall::same_hour(&self.times, &self.smooth).and_then(|x| finite(x, fine));
        let shape = recall::nearest_shape(&self.values).and_then(|x| finite(x, fine));
        [value[0], value[1], smooth[0], smooth[1], level[0], level[1], jump[0], jump[1], deviation, roughness, day, shape]
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    (values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// Mean distance between neighbours.
fn roughness(values: &[f64]) -> f64 {
    values.windows(2).map(|w| (w[1] - w[0]).abs()).sum::<f64>() / (values.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_what_they_say() {
        let mut memory = Memory::default();
        for i in 0..40_i64 {
            memory.push(i * 60, if i >= 38 { 10.0 } else { 4.0 });
        }
        let signals = memory.signals(1.0);
        let value = |i: usize| signals[i].unwrap().value;
        assert_eq!((value(0), value(1)), (10.0, -10.0));
        assert!((value(2) - 6.0).abs() < 1e-12);
        assert!((value(4) - (34.0 * 4.0 + 20.0) / 36.0).abs() < 1e-12);
        assert_eq!((value(6), value(7)), (6.0, -6.0));
        assert!((value(9) - (6.0_f64 / 24.0 + 0.05 + 1e-9).ln()).abs() < 1e-12);
        assert!(signals[10].is_none() && signals[11].is_none(), "neither a day nor a hundred samples");
    }

    #[test]
    fn memory_is_bounded_and_huge_values_are_left_out() {
        let mut memory = Memory::default();
        for i in 0..40_000 {
            memory.push(i, 1.0);
        }
        assert!(memory.values.len() <= 2 * REMEMBERED && memory.times.len() == memory.values.len());
        (0..40).for_each(|i| memory.push(50_000 + i, f64::MAX));
        assert!(memory.signals(1.0).iter().flatten().all(|s| s.value.is_finite()));
    }
}
