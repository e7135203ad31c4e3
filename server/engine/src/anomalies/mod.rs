//! Anomalies in a stream of samples: each is judged by those before it.
//!
//! The newest sample is seen in twelve ways of seven families (value, smoothed value, level, jump, spread, same hour of
//! earlier days, most similar stretches). Each is turned into a surprise, −ln of how probable so large a reading is among that
//! signal's own past ([`tail`]). A sample is anomalous when several families agree: the four most surprised are averaged, as
//! one that shouts alone is mostly noise. Surprise grows with the length of the history alone (in ten thousand samples there
//! is a rarer one than in a hundred), so part of ln n is taken off. After an alarm there is none for a while: one event, one alarm.

mod recall;
mod signals;
mod tail;

use signals::{FAMILIES, Memory, REMEMBERED, SIGNALS};
use tail::Tail;

/// A score from here on is an alarm.
pub const ALARM: f64 = 0.5;
/// Samples before the first score.
pub const WARM_UP: u64 = 140;
/// How many of the most surprised families are averaged.
const AGREEING: usize = 4;
/// Surprise of an alarm, after the correction for the length of the history.
const THRESHOLD: f64 = 5.5;
/// How much of ln(samples seen / 2000) is taken off, the samples seen being at most those remembered.
const LENGTH: f64 = 0.25;
const USUAL_LENGTH: f64 = 2000.0;
/// Samples after an alarm without another.
const QUIET: u64 = 60;

/// Judges a stream of samples, one at a time. Memory and work per sample are bounded.
#[derive(Debug, Clone)]
pub struct Detector {
    memory: Memory,
    tails: Vec<Tail>,
    seen: u64,
    last_time: Option<i64>,
    last_alarm: Option<u64>,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let tails = (0..SIGNALS).map(|_| Tail::new(REMEMBERED)).collect();
        Self { memory: Memory::default(), tails, seen: 0, last_time: None, last_alarm: None }
    }

    /// The score of the next sample, in `[0, 1]`: from [`ALARM`] on it is an alarm.
    ///
    /// `time` in seconds, not before the sample before; `value` in any unit. A value that is not finite or a time that goes
    /// back scores 0 and is not learnt. The first 140 samples score 0.
    pub fn score(&mut self, time: i64, value: f64) -> f64 {
        if !value.is_finite() || self.last_time.is_some_and(|last| time < last) {
            return 0.0;
        }
        self.last_time = Some(time);
        let surprise = self.surprise(time, value);
        self.seen += 1;
        if self.seen <= WARM_UP {
            return 0.0;
        }
        let quiet = self.last_alarm.is_some_and(|last| self.seen - last < QUIET);
        if surprise < THRESHOLD || quiet {
            return (0.5 * surprise / THRESHOLD).clamp(0.0, ALARM - 0.01);
        }
        self.last_alarm = Some(self.seen);
        1.0 - 0.5 * (1.0 - surprise / THRESHOLD).exp()
    }

    /// How surprising the sample is to the families that agree most, in nats, after the correction for length; learns it.
    fn surprise(&mut self, time: i64, value: f64) -> f64 {
        self.memory.push(time, value);
        let signals = self.memory.signals(self.tails[0].spread());
        let mut families = [0.0_f64; FAMILIES[SIGNALS - 1] + 1];
        for ((signal, tail), family) in signals.iter().zip(&mut self.tails).zip(FAMILIES) {
            if let Some(signal) = signal {
                families[family] = families[family].max(tail.surprise(signal.value, signal.floor));
                tail.push(signal.value);
            }
        }
        families.sort_by(|a, b| b.total_cmp(a));
        let known = (self.seen + 1).min(REMEMBERED as u64) as f64;
        families[..AGREEING].iter().sum::<f64>() / AGREEING as f64 - LENGTH * (known / USUAL_LENGTH).ln()
    }
}

/// The scores of a whole series, each judged by the samples before it only: `(time in seconds, value)`, times ascending.
#[must_use]
pub fn scores(samples: &[(i64, f64)]) -> Vec<f64> {
    let mut detector = Detector::new();
    samples.iter().map(|(time, value)| detector.score(*time, *value)).collect()
}

#[cfg(test)]
mod tests;
