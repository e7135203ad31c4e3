//! How likely a recommendation keeps its promise for the next week.
//!
//! `logit(confidence) = A + B · ln(1 + margin / (movement + 0.05)) + shift`
//!
//! `margin` is the logarithm of the value over the level that the last days needed, `movement` how much that level moves from
//! day to day (standard deviation of its logarithm, drawn towards a tenth where few days are known). The two constants were
//! fitted by logistic regression on what a value would have been enough for, over bitbrains, PlanetLab, NAB, WorldCup98
//! and the OpenShift containers, each data set with the same weight per square root of its size. `shift` comes from the outcomes that are known so far
//! in the fleet at hand: it moves the mean of what was said to what came true, cautiously (Platt's scaling, of the
//! intercept only).

/// The two constants of the formula.
const A: f64 = 1.3;
const B: f64 = 1.55;
/// Movement that every service is taken to have, and that of a service of which one day is known.
const LEAST_MOVEMENT: f64 = 0.05;
const FIRST_MOVEMENT: f64 = 0.1;
/// Outcomes as which the shipped constants count.
const PRIOR: f64 = 20.0;

/// A probability with what drives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Confidence {
    /// 0 to 1.
    pub value: f64,
    /// In plain words, the strongest first.
    pub drivers: Vec<Driver>,
}

/// One thing that makes a recommendation surer or less sure.
#[derive(Debug, Clone, PartialEq)]
pub struct Driver {
    /// In plain words.
    pub text: String,
    /// By how much the confidence would differ without it, −1 to 1.
    pub effect: f64,
}

/// What was said and what came true, of recommendations of the same fleet whose outcome is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Record {
    /// Outcomes; one that is still open counts for the part of its week that has gone.
    pub outcomes: f64,
    /// Of these, kept.
    pub kept: f64,
    /// The sum of the confidences that were given to them.
    pub said: f64,
}

impl Record {
    /// Takes in an outcome, or the part `weight` of one.
    pub fn add(&mut self, said: f64, kept: bool, weight: f64) {
        self.outcomes += weight;
        self.said += said * weight;
        self.kept += if kept { weight } else { 0.0 };
    }

    fn shift(&self) -> f64 {
        if self.outcomes <= 0.0 {
            return 0.0;
        }
        let said = (self.said / self.outcomes).clamp(0.01, 0.99);
        let true_share = ((self.kept + PRIOR * said) / (self.outcomes + PRIOR)).clamp(0.01, 0.99);
        logit(true_share) - logit(said)
    }
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
/// [`movement`], in a fleet with that record. A ratio that is not above 0 has none.
#[must_use]
pub fn confidence(ratio: f64, movement: f64, days: usize, record: &Record) -> Confidence {
    if ratio.is_nan() || ratio <= 0.0 || movement.is_nan() {
        return Confidence { value: 0.0, drivers: vec![Driver { text: "nothing is known of its past".to_owned(), effect: -1.0 }] };
    }
    let value = probability(ratio, movement, record);
    let mut drivers = vec![
        Driver {
            text: format!("the value is {:.0} % above what the last days needed", 100.0 * (ratio - 1.0)),
            effect: value - probability(1.0, movement, record),
        },
        Driver {
            text: format!("what it needs moves by {:.0} % from day to day, learnt from {days} days", 100.0 * movement),
            effect: value - probability(ratio, FIRST_MOVEMENT, record),
        },
    ];
    if record.outcomes >= 1.0 {
        let (kept, outcomes) = (record.kept, record.outcomes);
        let text = format!("{:.0} % of {outcomes:.0} recommendations like it kept their promise so far", 100.0 * kept / outcomes);
        drivers.push(Driver { text, effect: value - probability(ratio, movement, &Record::default()) });
    }
    drivers.sort_by(|a, b| b.effect.abs().total_cmp(&a.effect.abs()));
    Confidence { value, drivers }
}

fn probability(ratio: f64, movement: f64, record: &Record) -> f64 {
    let room = (ratio.ln().max(0.0) / (movement + LEAST_MOVEMENT)).ln_1p();
    1.0 / (1.0 + (-(A + B * room + record.shift())).exp())
}

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_is_as_computed_by_hand() {
        let found = confidence(1.5, 0.1, 7, &Record::default());
        // ln 1.5 = 0.405465; over 0.15: 2.70310; ln(1 + that) = 1.30917; 1.3 + 1.55 · 1.30917 = 3.32921.
        assert!((found.value - 1.0 / (1.0 + (-3.32921f64).exp())).abs() < 1e-4, "{found:?}");
        assert_eq!(found.drivers.len(), 2);
    }

    #[test]
    fn more_room_and_less_movement_and_kept_promises_make_it_surer() {
        let none = Record::default();
        let c = |ratio, movement, record: &Record| confidence(ratio, movement, 7, record).value;
        assert!(c(1.5, 0.1, &none) > c(1.2, 0.1, &none));
        assert!(c(1.5, 0.1, &none) > c(1.5, 0.5, &none));
        let (mut good, mut bad) = (Record::default(), Record::default());
        (0..100).for_each(|i| good.add(0.9, i != 0, 1.0));
        (0..100).for_each(|i| bad.add(0.9, i % 2 == 0, 1.0));
        assert!(c(1.5, 0.1, &good) > c(1.5, 0.1, &none) && c(1.5, 0.1, &bad) < c(1.5, 0.1, &none));
        assert!(confidence(1.5, 0.1, 7, &bad).drivers.iter().any(|d| d.effect < 0.0 && d.text.contains("50 %")));
    }

    #[test]
    fn fewer_days_move_more() {
        assert!((movement(&[5.0]) - 0.1).abs() < 1e-12);
        assert!(movement(&[5.0; 9]) < movement(&[5.0; 3]));
        assert!(movement(&[1.0, 4.0, 1.0]) > 0.5);
        assert!((movement(&[]) - 0.1).abs() < 1e-12);
        assert_eq!(confidence(f64::NAN, 0.1, 0, &Record::default()).value, 0.0);
    }
}
