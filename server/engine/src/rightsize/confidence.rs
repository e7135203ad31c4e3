//! How likely a recommendation keeps its promise.
//!
//! Of a value that is to hold for the next week: `logit(confidence) = A + B · ln(1 + margin / (movement + 0.05))`,
//! or `A + C · margin / (movement + 0.05)` where the margin is negative.
//!
//! `margin` is the logarithm of the value over the level that the last days needed, `movement` how much that level moves from
//! day to day (standard deviation of its logarithm, drawn towards a tenth where few days are known). The constants were
//! fitted by logistic regression on what a value would have been enough for, over bitbrains, PlanetLab, NAB, WorldCup98
//! and the OpenShift containers, each data set with the same weight per square root of its size. Of all that a machine has, nothing can be short.
//!
//! Every promise is corrected by what came of earlier ones in the fleet at hand: [`Record`].
//!
//! Of a promise that rests on a relation (latency falls with the cause): [`Relation`].

use super::record::Record;
use crate::words::{many, number, percent};
use headroom_model::recommendation::Driver;

/// The constants of the formula.
const A: f64 = 1.3;
const B: f64 = 1.55;
const C: f64 = 2.5;
/// Movement that every service is taken to have, and that of a service of which one day is known.
const LEAST_MOVEMENT: f64 = 0.05;
const FIRST_MOVEMENT: f64 = 0.1;
/// The confidence in all that a machine has. What is left is for readings that are wrong.
pub(super) const WHOLE: f64 = 0.99;

/// A probability with what drives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Confidence {
    /// 0 to 1.
    pub value: f64,
    /// In plain words, the strongest first.
    pub drivers: Vec<Driver>,
}

/// How much a level moves from day to day: standard deviation of the logarithms, drawn towards a tenth as if one more day
/// had said so. Levels that are not positive are left out.
#[must_use]
pub fn movement(levels: &[f64]) -> f64 {
    let logs: Vec<f64> = levels.iter().filter(|l| **l > 0.0 && l.is_finite()).map(|l| l.ln()).collect();
    let n = logs.len().max(1) as f64;
    let mean = logs.iter().sum::<f64>() / n;
    let squares: f64 = logs.iter().map(|l| (l - mean).powi(2)).sum();
    ((FIRST_MOVEMENT.powi(2) + squares) / n).sqrt()
}

/// The confidence in a value that is `ratio` times the level which the last `days` days needed, for a service of that
/// [`movement`], before any record corrects it. A ratio that is not above 0 has none.
#[must_use]
pub fn confidence(ratio: f64, movement: f64, days: usize) -> Confidence {
    if ratio.is_nan() || ratio <= 0.0 || movement.is_nan() {
        return Confidence { value: 0.0, drivers: vec![Driver { text: "nothing is known of its past".to_owned(), effect: -1.0 }] };
    }
    let value = chance(ratio, movement);
    let (over, days) = (100.0 * (ratio - 1.0), many(days as u64, "day"));
    let room = if over >= 0.0 {
        format!("the value is {over:.0} % above what the last days needed")
    } else {
        format!("the value is {:.0} % below what the last days needed", -over)
    };
    let drivers = vec![
        Driver { text: room, effect: value - chance(1.0, movement) },
        Driver {
            text: format!("what it needs moves by {} from day to day, learnt from {days}", percent(movement)),
            effect: value - chance(ratio, FIRST_MOVEMENT),
        },
    ];
    Confidence { value, drivers }.sorted()
}

/// The confidence in a value that is all its machine has.
pub(super) fn whole() -> Confidence {
    Confidence {
        value: WHOLE,
        drivers: vec![Driver { text: "it is all that the machine has".to_owned(), effect: WHOLE - chance(1.0, FIRST_MOVEMENT) }],
    }
}

/// The confidence in a young service: no more than Laplace's rule gives after as many days that all held.
pub(super) fn bounded(sure: Confidence, days: f64) -> Confidence {
    sure.at_most((days + 1.0) / (days + 2.0), format!("only {} h of it are known", number(24.0 * days, 0)))
}

impl Confidence {
    /// Moved to where promises like it came true so far.
    #[must_use]
    pub fn corrected(mut self, record: &Record) -> Self {
        let before = self.value;
        self.value = record.correct(before);
        let Some(like) = record.like(before).filter(|like| like.outcomes >= 1.0) else { return self };
        let (kept, outcomes) = (percent(like.kept / like.outcomes), number(like.outcomes, 0));
        let text = format!("{kept} of {outcomes} recommendations that were about as sure kept their promise so far");
        let effect = self.value - before;
        self.because(text, effect)
    }

    /// With a share of it only.
    pub(crate) fn times(mut self, share: f64, text: impl Into<String>) -> Self {
        let before = self.value;
        self.value *= share.clamp(0.0, 1.0);
        let effect = self.value - before;
        if effect == 0.0 { self } else { self.because(text, effect) }
    }

    /// At most a value.
    pub(crate) fn at_most(mut self, most: f64, text: impl Into<String>) -> Self {
        let before = self.value;
        self.value = before.min(most);
        let effect = self.value - before;
        if effect == 0.0 { self } else { self.because(text, effect) }
    }

    fn because(mut self, text: impl Into<String>, effect: f64) -> Self {
        self.drivers.push(Driver { text: text.into(), effect });
        self.sorted()
    }

    fn sorted(mut self) -> Self {
        self.drivers.sort_by(|a, b| b.effect.abs().total_cmp(&a.effect.abs()));
        self
    }
}

/// What a promise that rests on a relation can call upon.
///
/// `confidence = (kept + 1) / (judged + 2) × (0.7 + 0.3·coverage) × (1 − 0.2·noise / (1 + noise)) × fit`
///
/// Laplace's rule shrinks towards a coin toss: 13 of 13 days give 0.93, 2 of 2 give 0.75, none gives 0.5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Relation {
    /// Days on which it held, of the `judged` ones.
    pub kept: usize,
    pub judged: usize,
    /// Share of the samples that are there, 0 to 1.
    pub coverage: f64,
    /// What season leaves of the demand: standard deviation over mean.
    pub noise: f64,
    /// How well the relation explains the data, 0 to 1.
    pub fit: f64,
}

impl Relation {
    /// The formula, before any record corrects it.
    pub fn confidence(&self) -> Confidence {
        let kept = self.kept.min(self.judged);
        let success = (kept as f64 + 1.0) / (self.judged as f64 + 2.0);
        let coverage = self.coverage.clamp(0.0, 1.0);
        let noise = self.noise.max(0.0);
        let text = match self.judged {
            0 => "there was no day on which it could be checked".to_owned(),
            judged => format!("it held on {kept} of {}", many(judged as u64, "day")),
        };
        Confidence { value: success, drivers: vec![Driver { text, effect: success - 0.5 }] }
            .times(0.7 + 0.3 * coverage, format!("{} of the samples are there", percent(coverage)))
            .times(1.0 - 0.2 * noise / (1.0 + noise), format!("what season leaves of it varies by {} of its mean", percent(noise)))
            .times(self.fit, "the relation that it rests on explains only a part of what happened")
    }
}

/// The chance of the formula above.
pub(super) fn chance(ratio: f64, movement: f64) -> f64 {
    let margin = ratio.ln() / (movement + LEAST_MOVEMENT);
    let room = if margin < 0.0 { C * margin } else { B * margin.ln_1p() };
    1.0 / (1.0 + (-(A + room)).exp())
}

#[cfg(test)]
mod tests {
    use super::super::record::Told;
    use super::*;

    #[test]
    fn the_formula_is_as_computed_by_hand() {
        let found = confidence(1.5, 0.1, 7);
        // ln 1.5 = 0.405465; over 0.15: 2.70310; ln(1 + that) = 1.30917; 1.3 + 1.55 · 1.30917 = 3.32921.
        assert!((found.value - 1.0 / (1.0 + (-3.32921f64).exp())).abs() < 1e-4, "{found:?}");
        assert_eq!(found.drivers.len(), 2);
        // ln 0.8 = −0.223144; over 0.15: −1.48762; 1.3 − 2.5 · 1.48762 = −2.41906.
        assert!((confidence(0.8, 0.1, 7).value - 1.0 / (1.0 + 2.41906f64.exp())).abs() < 1e-4, "less than was needed will hardly do");
    }

    #[test]
    fn more_room_and_less_movement_and_kept_promises_make_it_surer() {
        let none = Record::none();
        let c = |ratio, movement, record: &Record| confidence(ratio, movement, 7).corrected(record).value;
        assert!(c(1.5, 0.1, none) > c(1.2, 0.1, none));
        assert!(c(1.5, 0.1, none) > c(1.5, 0.5, none));
        let record = |kept: fn(usize) -> bool| (0..100).map(|i| Told { said: 0.9, kept: kept(i), weight: 1.0 }).collect::<Record>();
        let (good, bad) = (record(|i| i != 0), record(|i| i % 2 == 0));
        assert!(c(1.5, 0.1, &good) > c(1.5, 0.1, none) && c(1.5, 0.1, &bad) < c(1.5, 0.1, none));
        let found = confidence(1.5, 0.1, 7).corrected(&bad);
        assert!(found.drivers.iter().any(|d| d.effect < 0.0 && d.text.starts_with("50 % of 100")), "{found:?}");
    }

    #[test]
    fn fewer_days_move_more() {
        assert!((movement(&[5.0]) - 0.1).abs() < 1e-12);
        assert!(movement(&[5.0; 9]) < movement(&[5.0; 3]));
        assert!(movement(&[1.0, 4.0, 1.0]) > 0.5);
        assert!((movement(&[]) - 0.1).abs() < 1e-12);
        assert_eq!(confidence(f64::NAN, 0.1, 0).value, 0.0);
        assert_eq!(bounded(confidence(4.0, 0.1, 1), 1.0).value, 2.0 / 3.0);
    }

    #[test]
    fn a_relation_is_trusted_less_with_fewer_noisier_or_broken_days() {
        let c = |kept, judged, coverage, noise| Relation { kept, judged, coverage, noise, fit: 1.0 }.confidence().value;
        let best = c(13, 13, 1.0, 0.1);
        assert!(best > 0.9);
        assert!(c(4, 4, 1.0, 0.1) < best);
        assert!(c(10, 13, 1.0, 0.1) < best);
        assert!(c(13, 13, 1.0, 0.6) < best);
        assert!(c(13, 13, 0.5, 0.1) < best);
        assert!(c(0, 0, 1.0, f64::NAN) <= 0.5);
        let drivers = Relation { kept: 13, judged: 13, coverage: 0.5, noise: 0.0, fit: 0.8 }.confidence().drivers;
        assert_eq!(drivers.len(), 3, "{drivers:?}");
        assert!(drivers.windows(2).all(|w| w[0].effect.abs() >= w[1].effect.abs()));
    }
}
