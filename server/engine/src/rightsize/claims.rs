//! Recommendations that would have been made, with what they promised, how sure they were and whether they were right.
//!
//! Once a day, from what came before, each service that has no recommendation in its week of proof gets the value that the product would
//! propose, where that is worth it.

use super::confidence::Confidence;
use super::needs::{Needs, Now};
use super::record::{Record, Told};
use super::{Day, Resource, Usage, days};
use crate::samples::Samples;
use headroom_model::metric::{Metric, Unit};
use headroom_model::policy::Policy;
use headroom_model::series::Series;
use headroom_model::time::DAY;

/// Days that teach before the first recommendation; their peak stands for a request that is not known.
const FIRST: usize = 3;
/// A service without a request is taken to have this many times the peak of its first days.
const UNKNOWN: f64 = 1.5;
/// Days of proof.
const PROOF: i64 = 7;
/// The realised saving may be this much under the promise.
const UNDER: f64 = 0.05;

/// One recommendation that would have been made.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The number of the service.
    pub service: usize,
    /// Seconds since the epoch: 00:00 UTC of a day.
    pub at: i64,
    /// What the service has, in the unit of the metric.
    pub current: f64,
    /// What is recommended.
    pub value: f64,
    /// The promised saving as a share of what it has; negative for a cure, which needs more.
    pub promised: f64,
    /// How sure, and why.
    pub confidence: Confidence,
    /// How sure before what had come of earlier ones corrected it, 0 to 1.
    pub uncorrected: f64,
    /// Whether it was right over the next 7 days, or those of them that are known; `None` where none is.
    pub success: Option<bool>,
}

/// One service, with what it asks for where that is known.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its use.
    pub usage: Usage<'a>,
    /// Its request or limit over time.
    pub asked: Option<&'a Series>,
}

/// What is known of a service.
struct Known<'p> {
    samples: Samples,
    asked: Option<Samples>,
    /// Of the days before the one at hand.
    needs: Needs<'p>,
    /// Peaks of its first days.
    first: Vec<f64>,
    /// When the proof of the last recommendation ends, day.
    busy: i64,
}

/// The recommendations that would have been made for the services of one metric, in the order of time. Empty for a metric
/// that is not right-sized.
#[must_use]
pub fn claims(metric: Metric, candidates: &[Candidate<'_>], policy: &Policy) -> Vec<Claim> {
    let Some(resource) = Resource::of(metric) else { return Vec::new() };
    let judge = Judge { resource, policy };
    let mut known: Vec<Option<Known<'_>>> = candidates.iter().map(|c| Known::new(metric, c, &judge)).collect();
    let mut begins: Vec<(i64, usize)> = known
        .iter()
        .enumerate()
        .flat_map(|(i, k)| k.iter().flat_map(move |k| days(&k.samples).into_iter().map(move |d| (d.day, i))))
        .collect();
    begins.sort_unstable();
    let mut out: Vec<Claim> = Vec::new();
    for today in begins.chunk_by(|a, b| a.0 == b.0) {
        let day = today[0].0;
        let record = record(&judge, &known, &out, day);
        for service in today.iter().map(|t| t.1) {
            let Some(k) = known[service].as_mut() else { continue };
            if let Some(claim) = (day >= k.busy).then(|| judge.claim(k, service, day, &record)).flatten() {
                k.busy = day + PROOF;
                out.push(claim);
            }
        }
        for service in today.iter().map(|t| t.1) {
            let Some(k) = known[service].as_mut() else { continue };
            if let Some(seen) = days_from(&k.samples, day, day + 1).next() {
                k.needs.learn(&seen);
                k.first.extend((k.first.len() < FIRST).then(|| f64::from(seen.peak())));
            }
        }
    }
    out
}

/// What is known at 00:00 of a day of the recommendations made before. One whose week is not over counts for the part of it that has
/// gone; one that has failed already counts in full.
fn record(judge: &Judge<'_>, known: &[Option<Known<'_>>], made: &[Claim], day: i64) -> Record {
    let told = made.iter().filter_map(|claim| {
        let kept = judge.kept(known[claim.service].as_ref()?, claim, day * DAY)?;
        let gone = (day - claim.at / DAY).min(PROOF) as f64 / PROOF as f64;
        Some(Told { said: claim.uncorrected, kept, weight: if kept { gone } else { 1.0 } })
    });
    told.collect()
}

impl<'p> Known<'p> {
    fn new(metric: Metric, candidate: &Candidate<'_>, judge: &Judge<'p>) -> Option<Self> {
        let samples = Samples::clean(candidate.usage.series, metric)?;
        let asked = candidate.asked.and_then(|s| Samples::clean(s, metric));
        let needs = Needs::new(judge.resource, metric.unit() == Unit::Ratio, judge.policy);
        Some(Self { samples, asked, needs, first: Vec::new(), busy: i64::MIN })
    }

    /// What the service has at a time.
    fn current(&self, at: i64) -> Option<f64> {
        let asked = self.asked.as_ref().and_then(|a| a.points().take_while(|p| p.0 < at).last()).map(|p| p.1);
        let first = || self.first.iter().copied().reduce(f64::max).map(|peak| UNKNOWN * peak);
        asked.or_else(first).filter(|v| *v > 0.0)
    }
}

/// The days of a series in a range of days.
fn days_from(samples: &Samples, from: i64, to: i64) -> impl Iterator<Item = Day<'_>> {
    days(samples).into_iter().filter(move |d| (from..to).contains(&d.day))
}

/// How recommendations are made and judged.
struct Judge<'p> {
    resource: Resource,
    policy: &'p Policy,
}

impl Judge<'_> {
    /// What would be recommended at 00:00 of a day.
    fn claim(&self, known: &Known<'_>, service: usize, day: i64, record: &Record) -> Option<Claim> {
        if known.needs.known() < FIRST {
            return None;
        }
        let current = known.current(day * DAY)?;
        let now = Now { value: current, least: self.policy.recommendation_threshold / 100.0, round: |v| v };
        let value = known.needs.decide(Some(&now), record).filter(|v| known.needs.is_worth(*v, &now))?;
        let sure = known.needs.confidence(value);
        let uncorrected = sure.value;
        let confidence = sure.corrected(record);
        if confidence.value < self.policy.confidence_threshold {
            return None;
        }
        let promised = 1.0 - value / current;
        let mut claim = Claim { service, at: day * DAY, current, value, promised, confidence, uncorrected, success: None };
        claim.success = self.kept(known, &claim, i64::MAX);
        Some(claim)
    }

    /// Whether a recommendation held from its time on, seen until `until` (seconds); `None` while nothing is seen.
    fn kept(&self, known: &Known<'_>, claim: &Claim, until: i64) -> Option<bool> {
        let end = claim.at.saturating_add(PROOF * DAY).min(until);
        let (mut above, mut n, mut paid) = (0u32, 0u32, 0.0);
        let begin = usize::try_from((claim.at - known.samples.start).div_euclid(known.samples.step)).unwrap_or(0);
        for i in begin..known.samples.values.len() {
            let (time, used) = (known.samples.time(i), f64::from(known.samples.values[i]));
            if time >= end {
                break;
            }
            if time < claim.at || used.is_nan() {
                continue;
            }
            n += 1;
            above += u32::from(used > claim.value);
            paid += used.max(claim.value);
        }
        let allowed = if self.resource == Resource::Memory { 0.0 } else { self.policy.max_throttled_ratio };
        // What is billed is the larger of request and use, as OpenCost counts it.
        let realised = 1.0 - paid / f64::from(n.max(1)) / claim.current;
        (n > 0).then_some(f64::from(above) <= allowed * f64::from(n) && realised >= claim.promised - UNDER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn series(days: usize, value: impl Fn(usize) -> f32) -> Series {
        Series { start: 20_000 * DAY, step: 300, values: (0..days * 288).map(value).collect() }
    }

    fn made(metric: Metric, series: &Series, asked: Option<&Series>) -> Vec<Claim> {
        claims(metric, &[Candidate { usage: Usage { workload: None, series }, asked }], &Policy::default())
    }

    #[test]
    fn a_steady_service_is_recommended_once_a_week_and_it_holds() {
        let steady = series(24, |i| 1.0 + 0.1 * (i as f32 / 288.0 * std::f32::consts::TAU).sin());
        let found = made(Metric::CpuUsage, &steady, None);
        let at: Vec<i64> = found.iter().map(|c| c.at / DAY - 20_000).collect();
        assert_eq!(at, [3, 10, 17]);
        assert!(found.iter().all(|c| c.success == Some(true) && c.promised > 0.05 && c.confidence.value > 0.7), "{found:?}");
        assert!((found[0].current - 1.65).abs() < 1e-6 && (found[0].promised - (1.0 - found[0].value / 1.65)).abs() < 1e-6);
    }

    #[test]
    fn a_promise_that_broke_is_told() {
        let jump = series(12, |i| if i < 5 * 288 { 100.0 } else { 1000.0 });
        let found = made(Metric::MemoryWorkingSet, &jump, None);
        assert_eq!(found[0].success, Some(false), "{found:?}");
        // The next is a cure: more is needed than it has, and as much room as policy's confidence takes.
        assert!(found[1].promised < 0.0 && (1500.0..=2000.0).contains(&found[1].value) && found[1].confidence.value >= 0.7, "{found:?}");
    }

    #[test]
    fn what_it_asks_for_is_the_current_where_it_is_known() {
        let (used, asked) = (series(6, |_| 1.0), series(6, |_| 4.0));
        let found = made(Metric::CpuUsage, &used, Some(&asked));
        assert_eq!(found[0].current, 4.0);
        assert!(found[0].promised > 0.5);
        assert!(made(Metric::RequestRate, &used, None).is_empty());
        assert!(made(Metric::CpuUsage, &series(2, |_| 1.0), None).is_empty());
    }

    proptest! {
        #[test]
        fn any_series_gives_sound_claims_that_do_not_look_ahead(
            values in prop::collection::vec(prop_oneof![Just(f32::NAN), Just(0.0), Just(-1.0), 0.0f32..9.0], 1..1500), cut in 1usize..1500,
        ) {
            let whole = Series { start: 20_000 * DAY + 333, step: 900, values };
            let part = Series { values: whole.values[..cut.min(whole.values.len())].to_vec(), ..whole.clone() };
            let (whole, part) = (made(Metric::CpuUsage, &whole, None), made(Metric::CpuUsage, &part, None));
            for c in &whole {
                prop_assert!(c.value.is_finite() && c.value > 0.0 && c.current > 0.0 && (0.7..=1.0).contains(&c.confidence.value));
            }
            for (a, b) in whole.iter().zip(&part) {
                prop_assert_eq!((a.at, a.value, a.confidence.value), (b.at, b.value, b.confidence.value));
            }
            prop_assert!(part.len() <= whole.len());
        }
    }
}
