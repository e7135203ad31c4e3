//! What the days of one service needed, and from that the value to propose and how sure it is.
//!
//! A value is measured against the largest need of the last days: the [`confidence`](super::confidence) in it grows with its ratio to that.
//! Proposed is the least ratio that is [`SURE`], whatever there is today, and never less than what policy puts under it.

use super::confidence::{Confidence, WHOLE, bounded, chance, confidence, movement, whole};
use super::record::Record;
use super::{Day, Resource, running_share};
use crate::features::HALF_LIFE_DAYS;
use crate::histogram::Histogram;
use headroom_model::policy::Policy;

/// Days' worth of samples below which a service is young: its confidence is bounded by how few they are.
const YOUNG: f64 = 1.5;
/// Days whose largest need a value is measured against, and days from which movement is learnt.
const LEVEL: usize = 7;
const MOVEMENT: usize = 14;
/// The least value that is this sure is taken.
const SURE: f64 = 0.97;
/// Values considered, over the largest need of the last days. Beyond the last of them a number says nothing.
const RATIOS: [f64; 18] = [1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.35, 1.4, 1.45, 1.5, 1.6, 1.75, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0];
/// A cure gives no more than this many times what was needed, unless it takes more to be as sure as policy asks: others need the room, too.
/// What moves more is cured again.
pub(crate) const CURE: f64 = 1.5;
/// A first request, a cure, or one of which nothing is sure gives no more than this many times.
const UNSURE: f64 = 2.5;

/// CPU that no meter tells from nothing, in cores and as a share of a machine: what a service needs that was seen to use none.
const NOTHING: f64 = 0.001;
const NOTHING_OF_A_MACHINE: f64 = 0.005;

/// What a service asks for now, and when a change of it is worth it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// In the unit of the metric, more than 0.
    pub value: f64,
    /// The least saving that is worth a change, as a share of that.
    pub least: f64,
    /// How a value is rounded before it is applied.
    pub round: fn(f64) -> f64,
}

/// What the days of one service needed, learnt a day at a time.
#[derive(Debug, Clone)]
pub(crate) struct Needs<'p> {
    resource: Resource,
    /// Whether the unit is a share of a machine, of which there is no more than all.
    share: bool,
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
    /// The level above which lies no more of its use than the guard allows of its time; CPU only. A peak of minutes fits into the time that
    /// policy allows, whatever it loses.
    covered: f64,
    /// How much of the day was there, 0 to 1.
    seen: f64,
}

impl<'p> Needs<'p> {
    /// Knows nothing. `share`: the unit is a share of a machine.
    pub fn new(resource: Resource, share: bool, policy: &'p Policy) -> Self {
        Self { resource, share, policy, days: Vec::new(), histogram: Histogram::default(), newest: None }
    }

    /// Knows what days needed (level, how much of the day is known, 0 to 1), oldest first, and nothing else of them.
    pub fn of_days(resource: Resource, policy: &'p Policy, days: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut days: Vec<Need> = days.map(|(level, seen)| Need { level, covered: 0.0, seen }).collect();
        days.drain(..days.len().saturating_sub(MOVEMENT));
        Self { days, ..Self::new(resource, false, policy) }
    }

    /// Takes in a day; days must not go back.
    pub fn learn(&mut self, day: &Day<'_>) {
        let Some(level) = self.level_of(day) else { return };
        if self.days.len() == MOVEMENT {
            self.days.remove(0);
        }
        let covered = if self.resource == Resource::Cpu { day.covering(self.policy.max_throttled_ratio) } else { 0.0 };
        self.days.push(Need { level, covered, seen: day.share_seen() });
        if self.resource == Resource::Cpu {
            if let Some(newest) = self.newest {
                self.histogram.scale((-((day.day - newest) as f64) / HALF_LIFE_DAYS).exp2().max(1e-9));
            }
            day.add_to(&mut self.histogram, 1.0);
            self.newest = Some(day.day);
        }
    }

    fn level_of(&self, day: &Day<'_>) -> Option<f64> {
        match self.resource {
            Resource::Memory => Some(f64::from(day.peak())),
            Resource::Cpu => day.quantile(1.0 - self.policy.max_throttled_ratio),
        }
    }

    /// Days that are known.
    pub fn known(&self) -> usize {
        self.days.len()
    }

    /// The largest need of the last days; where they used nothing, of all that are known; what is as good as nothing where no CPU was used on any.
    /// `None` where nothing is known.
    pub fn level(&self) -> Option<f64> {
        let most = |days: &mut dyn Iterator<Item = &Need>| days.map(|d| d.level).fold(0.0, f64::max);
        let levels = [most(&mut self.last_days()).max(self.recurring()), most(&mut self.days.iter()), self.nothing()];
        levels.into_iter().find(|level| *level > 0.0).filter(|_| !self.days.is_empty())
    }

    fn last_days(&self) -> impl Iterator<Item = &Need> {
        self.days.iter().rev().take(LEVEL)
    }

    /// What covers two of three of the last days: a peak that comes on most of them, or on every working day, is a part of what the service does,
    /// one that came once is not.
    fn recurring(&self) -> f64 {
        let mut covered: Vec<f64> = self.last_days().map(|d| d.covered).collect();
        covered.sort_unstable_by(f64::total_cmp);
        covered.get(covered.len().saturating_sub(1) / 3).copied().unwrap_or(0.0)
    }

    fn nothing(&self) -> f64 {
        match (self.resource, self.share) {
            (Resource::Cpu, true) => NOTHING_OF_A_MACHINE,
            (Resource::Cpu, false) => NOTHING,
            (Resource::Memory, _) => 0.0,
        }
    }

    /// Whether no CPU was used on the last days.
    pub fn is_idle(&self) -> bool {
        self.last_days().all(|d| d.level <= 0.0)
    }

    /// What policy puts under every value: its percentile of CPU use with its margin, the largest memory use with its margin.
    pub fn floor(&self) -> f64 {
        match self.resource {
            Resource::Cpu => self.histogram.quantile(self.policy.cpu_percentile / 100.0).unwrap_or(0.0) * (1.0 + self.policy.cpu_margin),
            Resource::Memory => self.days.iter().fold(0.0, |m: f64, d| m.max(d.level)) * (1.0 + self.policy.memory_margin),
        }
    }

    /// The share of a day that it runs for; 1 unless it is a short job.
    pub fn running_share(&self) -> f64 {
        running_share(self.days.iter().map(|d| d.seen))
    }

    /// Days' worth of samples; of a short job, runs.
    fn seen(&self) -> f64 {
        self.days.iter().map(|d| d.seen).sum::<f64>() / self.running_share()
    }

    /// The levels that movement is learnt from: of all days but one that has just begun.
    fn levels(&self) -> Vec<f64> {
        let begun = self.days.last().is_some_and(|newest| newest.seen < 0.5 * self.running_share());
        let recurring = self.recurring();
        let level = |d: &Need| d.level.max(d.covered.min(recurring));
        self.days[..self.days.len() - usize::from(begun)].iter().map(level).collect()
    }

    /// Whether a value is all that the machine has, which no use was seen to go beyond.
    fn is_whole(&self, value: f64) -> bool {
        self.share && value >= 1.0 && self.days.iter().all(|d| d.level <= 1.0)
    }

    /// How sure a value is to hold for a week, before the record of the fleet corrects it.
    pub fn confidence(&self, value: f64) -> Confidence {
        if self.is_whole(value) && self.level().is_some() {
            return whole();
        }
        let levels = self.levels();
        let sure = confidence(value / self.level().unwrap_or(f64::NAN), movement(&levels), levels.len());
        let seen = self.seen();
        if seen < YOUNG { bounded(sure, seen) } else { sure }
    }

    /// Whether a value is worth a change from what there is: it saves enough, or it cures.
    pub fn is_worth(&self, value: f64, now: &Now) -> bool {
        let cures = self.level().is_some_and(|level| level > now.value && value <= UNSURE * level);
        1.0 - (now.round)(value) / now.value >= now.least || cures
    }

    /// What to ask for, where `record` is what came of such proposals so far. Where nothing has to be cured it does not depend on what there is `now`, or
    /// one proposal would follow the other downwards, each a little less sure; a cure that is not sure is the largest that is allowed, or the least beyond
    /// that is as sure as policy asks, or it would not be proposed at all. `None` where nothing is known.
    pub fn decide(&self, now: Option<&Now>, record: &Record) -> Option<f64> {
        let level = self.level()?;
        let (moves, seen) = (movement(&self.levels()), self.seen());
        let most = if self.share { level.max(1.0) } else { f64::INFINITY };
        let floor = self.floor();
        let said = |ratio: f64| if self.is_whole(level * ratio) { WHOLE } else { chance(ratio, moves) };
        let least = |sure: f64| RATIOS.into_iter().find(|ratio| seen >= YOUNG && record.correct(said(*ratio)) >= sure);
        let wanted = least(SURE).unwrap_or(UNSURE);
        let times = match now {
            None => wanted.min(UNSURE),
            Some(now) if level > now.value => {
                let enough = least(self.policy.confidence_threshold).filter(|ratio| *ratio <= UNSURE);
                wanted.min(enough.unwrap_or(CURE).max(CURE))
            }
            Some(_) => wanted,
        };
        Some((level * times).max(floor).min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::super::days;
    use super::super::testing::noise;
    use super::*;
    use crate::samples::Samples;

    /// Samples of five minutes; one value per day and sample.
    fn needs(policy: &Policy, resource: Resource, samples: usize, value: impl Fn(usize) -> f32) -> Needs<'_> {
        let samples = Samples { start: 86_400 * 20_000, step: 300, count: samples, values: (0..samples).map(value).collect() };
        let mut needs = Needs::new(resource, false, policy);
        days(&samples).iter().for_each(|day| needs.learn(day));
        needs
    }

    fn now(value: f64) -> Now {
        Now { value, least: 0.05, round: |v| v }
    }

    #[test]
    fn the_least_that_is_sure_is_proposed_whatever_there_is() {
        let policy = Policy::default();
        let steady = needs(&policy, Resource::Cpu, 14 * 288, |i| 1.0 - 0.2 * noise(i));
        let level = steady.level().unwrap();
        let none = Record::none();
        let value = steady.decide(Some(&now(10.0)), none).unwrap();
        let next = RATIOS.iter().rev().find(|r| **r * level < value - 1e-9).unwrap();
        assert!(steady.confidence(value).value >= SURE && steady.confidence(next * level).value < SURE, "{value}");
        for there in [value, 1.5, 4.0] {
            assert_eq!(steady.decide(Some(&now(there)), none), Some(value), "what was applied stays");
        }
        assert!(!steady.is_worth(value, &now(value)) && steady.is_worth(value, &now(2.0)));
    }

    #[test]
    fn what_moves_needs_more_room_and_what_has_just_begun_does_not_move() {
        let policy = Policy::default();
        let none = Record::none();
        let size = |needs: &Needs<'_>| needs.decide(None, none).unwrap() / needs.level().unwrap();
        let steady = needs(&policy, Resource::Memory, 10 * 288, |_| 1e9);
        let moving = needs(&policy, Resource::Memory, 10 * 288, |i| if (i / 288) % 2 == 0 { 1e9 } else { 1.3e9 });
        assert!(size(&moving) > size(&steady));
        let begun = needs(&policy, Resource::Memory, 10 * 288 + 5, |i| if i < 2880 { 1e9 } else { 1e8 });
        assert_eq!(size(&begun), size(&steady));
    }

    #[test]
    fn a_cure_and_a_first_request_are_bounded_and_never_below_the_floor() {
        let policy = Policy::default();
        let none = Record::none();
        let wild = needs(&policy, Resource::Cpu, 6 * 288, |i| if (i / 288) % 2 == 0 { 0.1 } else { 1.0 });
        let level = wild.level().unwrap();
        for decided in [wild.decide(Some(&now(0.2)), none), wild.decide(None, none)] {
            assert!((level..=UNSURE * level).contains(&decided.unwrap()), "{decided:?}");
        }
        let spike = needs(&policy, Resource::Memory, 12 * 288, |i| if i == 288 { 5e9 } else { 1e9 });
        assert!(spike.decide(Some(&now(20e9)), none).unwrap() >= 5e9 * (1.0 + policy.memory_margin));
    }

    #[test]
    fn a_peak_of_minutes_that_comes_every_day_is_needed_and_one_that_came_once_is_not() {
        let policy = Policy::default();
        // Ten minutes a day are fewer than one in a hundred.
        let peak = |at: fn(usize) -> bool| {
            needs(&policy, Resource::Cpu, 14 * 288, move |i| if at(i) { 2.0 - 0.1 * noise(i) } else { 0.1 - 0.01 * noise(i) })
        };
        let daily = peak(|i| (36..38).contains(&(i % 288)));
        let moving = peak(|i| (0..2).contains(&((i + 50 * (i / 288)) % 288)));
        for recurring in [&daily, &moving] {
            let value = recurring.decide(Some(&now(4.0)), Record::none()).unwrap();
            assert!((1.9..3.0).contains(&value) && recurring.confidence(value).value >= SURE, "{value}");
            assert!(recurring.confidence(0.2).value < 0.1, "it would be cut to a tenth, every day");
        }
        let once = peak(|i| (36..38).contains(&i.wrapping_sub(12 * 288)));
        assert!(once.decide(Some(&now(4.0)), Record::none()).unwrap() < 0.2);
    }

    #[test]
    fn what_is_idle_needs_next_to_nothing() {
        let policy = Policy::default();
        let idle = needs(&policy, Resource::Cpu, 14 * 288, |_| 0.0);
        let value = idle.decide(Some(&now(2.0)), Record::none()).unwrap();
        assert!(value < 0.01 && idle.confidence(value).value >= SURE && idle.is_worth(value, &now(2.0)), "{value}");
        let woken = needs(&policy, Resource::Cpu, 14 * 288, |i| if i / 288 == 3 { 1.0 } else { 0.0 });
        let value = woken.decide(Some(&now(2.0)), Record::none()).unwrap();
        assert!(value > 1.0, "it may wake again: {value}");
    }

    #[test]
    fn nothing_is_decided_of_what_is_not_known() {
        let policy = Policy::default();
        let unmeasured = needs(&policy, Resource::Memory, 600, |_| 0.0);
        assert_eq!(unmeasured.decide(Some(&now(1.0)), Record::none()), None);
        assert_eq!(unmeasured.confidence(1.0).value, 0.0);
        assert_eq!(Needs::new(Resource::Cpu, false, &policy).decide(None, Record::none()), None);
    }

    #[test]
    fn a_job_at_night_is_known_after_some_nights() {
        let policy = Policy::default();
        let at_night = |i: usize| if (24..28).contains(&(i % 288)) { 1.0 - 0.1 * noise(i) } else { f32::NAN };
        let job = needs(&policy, Resource::Cpu, 8 * 288, at_night);
        assert!((job.running_share() - 4.0 / 288.0).abs() < 1e-9);
        let value = job.decide(Some(&now(4.0)), Record::none()).unwrap();
        assert!((1.0..2.0).contains(&value) && job.confidence(value).value >= SURE, "{value}");
        let young = needs(&policy, Resource::Cpu, 2 * 288, at_night);
        assert!(young.confidence(4.0).value < 0.7, "two nights are few");
    }

    #[test]
    fn all_of_a_machine_is_enough_whatever_its_use_does() {
        let policy = Policy::default();
        let wild = |top: f32| {
            let use_of = move |i: usize| if (i / 288).is_multiple_of(2) { 0.1 } else { top };
            let samples = Samples { start: 86_400 * 20_000, step: 300, count: 2880, values: (0..2880).map(use_of).collect() };
            let mut needs = Needs::new(Resource::Cpu, true, &policy);
            days(&samples).iter().for_each(|day| needs.learn(day));
            needs
        };
        let below = wild(0.6);
        assert_eq!(below.decide(Some(&now(1.5)), Record::none()), Some(1.0));
        assert_eq!(below.confidence(1.0).value, WHOLE);
        assert!(below.confidence(0.9).value < 0.9, "short of all, it moves too much to be sure");
        assert!(wild(1.2).confidence(1.2).value < 0.9, "its readings go beyond the machine");
    }

    #[test]
    fn a_young_service_is_not_sure_of_anything() {
        let policy = Policy::default();
        let day = needs(&policy, Resource::Cpu, 288, |_| 1.0);
        assert!((day.confidence(4.0).value - 2.0 / 3.0).abs() < 1e-9);
        assert!(day.decide(None, Record::none()).unwrap() <= UNSURE);
    }
}
