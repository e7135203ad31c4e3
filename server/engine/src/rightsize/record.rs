//! What came of earlier recommendations, and the calibration of the next that follows from it.
//!
//! Isotonic regression of what came true on what was said (pool adjacent violators, Ayer et al. 1955) parts the outcomes into
//! blocks within which nothing tells one from another. Each block is drawn towards what was said of it, as if [`PRIOR`] more outcomes had come
//! true just as said, so that few outcomes change little. A confidence is moved, in log odds, as the blocks on both sides of it were: with
//! one block that is Platt's scaling of the intercept, and between two there is no jump, so a larger value stays surer than a smaller one.

use std::collections::BTreeMap;

/// Outcomes as which what was said counts in each block.
const PRIOR: f64 = 20.0;
/// Confidences nearer to 0 and 1 are taken for these: beyond them log odds say more than anybody knows.
const KNOWN: (f64, f64) = (0.005, 0.995);

/// One recommendation whose outcome is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// Its confidence before any outcome corrected it, 0 to 1.
    pub said: f64,
    /// Whether it kept its promise.
    pub kept: bool,
    /// The part of its time of proof that has gone, 0 to 1.
    pub weight: f64,
}

/// Outcomes that are taken together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// Outcomes; one that is still open counts for the part of its time that has gone.
    pub outcomes: f64,
    /// Of these, kept.
    pub kept: f64,
    /// The sum of what was said of them.
    said: f64,
}

/// What came of the recommendations of one strategy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// The less sure first.
    blocks: Vec<Block>,
}

/// The records of a fleet, by strategy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Records(BTreeMap<String, Record>);

static NONE: Record = Record { blocks: Vec::new() };

impl Records {
    /// The record of a strategy; empty where it has none.
    #[must_use]
    pub fn of(&self, strategy: &str) -> &Record {
        self.0.get(strategy).unwrap_or(&NONE)
    }
}

impl FromIterator<(String, Told)> for Records {
    fn from_iter<T: IntoIterator<Item = (String, Told)>>(all: T) -> Self {
        let mut told: BTreeMap<String, Vec<Told>> = BTreeMap::new();
        all.into_iter().for_each(|(strategy, one)| told.entry(strategy).or_default().push(one));
        Self(told.into_iter().map(|(strategy, told)| (strategy, told.into_iter().collect())).collect())
    }
}

impl FromIterator<Told> for Record {
    fn from_iter<T: IntoIterator<Item = Told>>(told: T) -> Self {
        let mut told: Vec<Told> = told.into_iter().filter(|t| t.weight > 0.0 && (0.0..=1.0).contains(&t.said)).collect();
        told.iter_mut().for_each(|t| t.said = t.said.clamp(KNOWN.0, KNOWN.1));
        told.sort_by(|a, b| a.said.total_cmp(&b.said));
        let alike = told.chunk_by(|a, b| a.said == b.said).filter_map(|same| same.iter().map(Block::of).reduce(Block::and));
        let isotonic = pooled(alike, |b| b.kept / b.outcomes);
        Self { blocks: pooled(isotonic.into_iter(), Block::true_share) }
    }
}

impl Record {
    /// The record of nothing.
    #[must_use]
    pub fn none() -> &'static Self {
        &NONE
    }

    /// A confidence moved to where those before it came true.
    #[must_use]
    pub fn correct(&self, said: f64) -> f64 {
        let (Some(first), Some(last)) = (self.blocks.first(), self.blocks.last()) else { return said };
        let at = logit(said);
        let above = self.blocks.partition_point(|b| b.place() <= at);
        let shift = match (above.checked_sub(1).map(|i| self.blocks[i]), self.blocks.get(above)) {
            (None, _) => first.shift(),
            (_, None) => last.shift(),
            (Some(low), Some(high)) => low.shift() + (high.shift() - low.shift()) * (at - low.place()) / (high.place() - low.place()),
        };
        1.0 / (1.0 + (-(at + shift)).exp())
    }

    /// The outcomes of those that were about as sure; `None` without any.
    #[must_use]
    pub fn like(&self, said: f64) -> Option<&Block> {
        let far = |b: &Block| (b.place() - logit(said)).abs();
        self.blocks.iter().min_by(|a, b| far(a).total_cmp(&far(b)))
    }
}

impl Block {
    fn of(told: &Told) -> Self {
        Self { outcomes: told.weight, kept: if told.kept { told.weight } else { 0.0 }, said: told.said * told.weight }
    }

    fn and(self, other: Self) -> Self {
        Self { outcomes: self.outcomes + other.outcomes, kept: self.kept + other.kept, said: self.said + other.said }
    }

    /// The share that comes true of what is said like this.
    fn true_share(&self) -> f64 {
        (self.kept + PRIOR * self.said / self.outcomes) / (self.outcomes + PRIOR)
    }

    /// The log odds that were said.
    fn place(&self) -> f64 {
        logit(self.said / self.outcomes)
    }

    /// The log odds that came true less those that were said.
    fn shift(&self) -> f64 {
        logit(self.true_share()) - self.place()
    }
}

/// Neighbours whose level does not rise become one.
fn pooled(blocks: impl Iterator<Item = Block>, level: impl Fn(&Block) -> f64) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::new();
    for mut block in blocks {
        while let Some(before) = out.pop_if(|before| level(before) >= level(&block)) {
            block = before.and(block);
        }
        out.push(block);
    }
    out
}

fn logit(p: f64) -> f64 {
    let p = p.clamp(KNOWN.0, KNOWN.1);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(told: impl IntoIterator<Item = (f64, bool)>) -> Record {
        told.into_iter().map(|(said, kept)| Told { said, kept, weight: 1.0 }).collect()
    }

    /// Of `n` that were said to be so sure, all but every `fails`-th kept.
    fn outcomes(said: f64, n: usize, fails: usize) -> impl Iterator<Item = (f64, bool)> {
        (1..=n).map(move |i| (said, i % fails != 0))
    }

    #[test]
    fn without_outcomes_nothing_is_moved_and_few_move_little() {
        assert_eq!(Record::none().correct(0.83), 0.83);
        assert!(Record::none().like(0.9).is_none());
        let three = record(outcomes(0.9, 3, 1)).correct(0.9);
        assert!((0.75..0.85).contains(&three), "{three}");
    }

    #[test]
    fn what_is_said_meets_what_came_true_once_much_is_known() {
        let many = record(outcomes(0.9, 4000, 4));
        assert!((many.correct(0.9) - 0.75).abs() < 0.003, "{}", many.correct(0.9));
        // The block is (0.75 · 40 + 0.9 · 20) / 60.
        let as_many = record(outcomes(0.9, 40, 4)).correct(0.9);
        assert!((as_many - 0.8).abs() < 1e-9, "{as_many}");
    }

    #[test]
    fn the_sure_and_the_unsure_are_corrected_apart() {
        let both = record(outcomes(0.75, 400, 20).chain(outcomes(0.97, 400, 10)));
        assert_eq!(both.like(0.75), both.like(0.97), "one block, since the surer came true no more often");
        let apart = record(outcomes(0.75, 400, 2).chain(outcomes(0.97, 400, 400)));
        assert!((apart.correct(0.75) - 0.52).abs() < 0.02 && apart.correct(0.97) > 0.97, "{} {}", apart.correct(0.75), apart.correct(0.97));
        assert_eq!(apart.like(0.72).map(|b| (b.outcomes, b.kept)), Some((400.0, 200.0)));
        assert_eq!(apart.like(0.99).map(|b| b.kept), Some(399.0));
    }

    #[test]
    fn the_part_that_has_gone_counts() {
        let half: Record = (0..80).map(|_| Told { said: 0.9, kept: true, weight: 0.5 }).collect();
        assert_eq!(half.like(0.9).map(|b| b.outcomes), Some(40.0));
        let none: Record = [Told { said: 0.9, kept: true, weight: 0.0 }].into_iter().collect();
        assert_eq!(none.correct(0.9), 0.9);
    }

    #[test]
    fn strategies_have_records_of_their_own() {
        let told = |kept| Told { said: 0.9, kept, weight: 1.0 };
        let records: Records =
            [("cpu", true), ("memory", false), ("cpu", true)].map(|(s, kept)| (s.to_owned(), told(kept))).into_iter().collect();
        assert!(records.of("cpu").correct(0.9) > 0.9 && records.of("memory").correct(0.9) < 0.9);
        assert_eq!(records.of("cache").correct(0.9), 0.9);
    }

    proptest! {
        #[test]
        fn whoever_is_surer_stays_surer(
            told in prop::collection::vec((0.0f64..=1.0, prop::bool::ANY, 0.0f64..=1.0), 0..80), a in 0.006f64..0.994, b in 0.006f64..0.994,
        ) {
            let record: Record = told.into_iter().map(|(said, kept, weight)| Told { said, kept, weight }).collect();
            let (low, high) = (record.correct(a.min(b)), record.correct(a.max(b)));
            prop_assert!((0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high) && low <= high + 1e-12, "{} {}", low, high);
        }
    }
}
