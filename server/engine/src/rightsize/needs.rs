//! What the days of one service needed, and from that the value to propose and how sure it is.
//!
//! A value is measured against the largest need of the last days: the [`confidence`](super::confidence) in it grows with its ratio to that.
//! Proposed is the least ratio that is [`SURE`], or what the learner holds where that is more, or else the surest value that is worth a
//! change; never less than what policy puts under it.

use super::confidence::{Confidence, Record, bounded, chance, confidence, movement};
use super::{Day, Resource};
use crate::features::HALF_LIFE_DAYS;
use crate::histogram::Histogram;
use crate::stats::quantile;
use headroom_model::policy::Policy;

/// Days below which a service is young: its confidence is bounded by how few they are.
pub(super) const FIRST: usize = 3;
/// Days whose largest need a value is measured against, and days from which movement is learnt.
const LEVEL: usize = 7;
const MOVEMENT: usize = 14;
/// The least value that is this sure is taken.
const SURE: f64 = 0.98;
/// Values considered, over the largest need of the last days. Beyond the last of them a number says nothing.
const RATIOS: [f64; 10] = [1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0];
const MOST: f64 = 4.0;
/// A cure, or a first request, gives no more than this many times what was needed.
const CURE: f64 = 2.5;

/// What the days of one service needed, learnt a day at a time.
#[derive(Debug, Clone)]
pub(crate) struct Needs<'p> {
    resource: Resource,
    policy: &'p Policy,
    /// Oldest first, at most [`MOVEMENT`].
    days: Vec<Need>,
    /// Use, recent days counting more; CPU only.
    histogram: Histogram,
    newest: Option<i64>,
}

/// One day.
#[derive(Debug, Clone, Copy)]
struct Need {
    /// The level that would have kept the guard.
    level: f64,
    /// Whether the day was there for the most part.
    whole: bool,
}

impl<'p> Needs<'p> {
    /// Knows nothing.
    pub fn new(resource: Resource, policy: &'p Policy) -> Self {
        Self { resource, policy, days: Vec::new(), histogram: Histogram::default(), newest: None }
    }

    /// Takes in a day; days must not go back.
    pub fn learn(&mut self, day: &Day<'_>) {
        let Some(level) = self.level_of(day) else { return };
        if self.days.len() == MOVEMENT {
            self.days.remove(0);
        }
        self.days.push(Need { level, whole: day.is_whole() });
        if self.resource == Resource::Cpu {
            if let Some(newest) = self.newest {
                self.histogram.scale((-((day.day - newest) as f64) / HALF_LIFE_DAYS).exp2().max(1e-9));
            }
            self.histogram.add_all(day.values, 1.0);
            self.newest = Some(day.day);
        }
    }

    fn level_of(&self, day: &Day<'_>) -> Option<f64> {
        match self.resource {
            Resource::Memory => Some(f64::from(day.peak())),
            Resource::Cpu => quantile(&mut day.present().map(f64::from).collect::<Vec<_>>(), 1.0 - self.policy.max_throttled_ratio),
        }
    }

    /// Days that are known, young or not.
    pub fn known(&self) -> usize {
        self.days.len()
    }

    /// The largest need of the last days; `None` where there was none.
    pub fn level(&self) -> Option<f64> {
        self.days.iter().rev().take(LEVEL).map(|d| d.level).reduce(f64::max).filter(|l| *l > 0.0)
    }

    /// What policy puts under every value: its percentile of CPU use with its margin, the largest memory use with its margin.
    fn floor(&self) -> f64 {
        match self.resource {
            Resource::Cpu => self.histogram.quantile(self.policy.cpu_percentile / 100.0).unwrap_or(0.0) * (1.0 + self.policy.cpu_margin),
            Resource::Memory => self.days.iter().fold(0.0, |m: f64, d| m.max(d.level)) * (1.0 + self.policy.memory_margin),
        }
    }

    fn whole_days(&self) -> Vec<f64> {
        self.days.iter().filter(|d| d.whole).map(|d| d.level).collect()
    }

    /// How sure a value is to hold for a week, before the record of the fleet corrects it.
    pub fn confidence(&self, value: f64) -> Confidence {
        let days = self.whole_days();
        let sure = confidence(value / self.level().unwrap_or(f64::NAN), movement(&days), days.len());
        if days.len() < FIRST { bounded(sure, days.len()) } else { sure }
    }

    /// Whether a value is worth a change from what there is: it saves what policy asks for, or it cures.
    pub fn is_worth(&self, value: f64, current: f64) -> bool {
        let cures = self.level().is_some_and(|level| level > current && value <= CURE * level);
        1.0 - value / current >= self.policy.recommendation_threshold / 100.0 || cures
    }

    /// What to ask for instead of `current`, where `learnt` is what the learner holds and `record` what came of such proposals so far. Where
    /// nothing is worth a change it is still the right size. `None` where nothing is known.
    pub fn decide(&self, learnt: Option<f64>, current: Option<f64>, record: &Record) -> Option<f64> {
        let level = self.level()?;
        let floor = self.floor();
        let days = self.whole_days();
        let moves = movement(&days);
        let sure = |ratio: f64| days.len() >= FIRST && record.correct(chance(ratio, moves)) >= SURE;
        let values = || RATIOS.iter().map(|r| (r * level).max(floor));
        let least = RATIOS.iter().find(|r| sure(**r)).map(|r| (r * level).max(floor));
        let wanted = least.unwrap_or(CURE * level).max(learnt.unwrap_or(0.0).min(MOST * level));
        let Some(current) = current else { return Some(wanted.min(CURE * level).max(floor)) };
        let worth = |value: &f64| self.is_worth(*value, current);
        let sized = least.map(|_| wanted).filter(worth).or(least.filter(worth));
        sized.or_else(|| values().rev().find(worth)).or(Some(wanted.max(floor)))
    }
}
