//! One service, sized a day at a time from the days before, so that what is learnt can be judged on days it had not seen.

use super::needs::Needs;
use super::{Day, Fleet, Method, Resource, recommender, whole};
use headroom_model::metric::{Metric, Unit};
use headroom_model::policy::Policy;

/// One day of the past, sized from the days before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Judged {
    /// Whether the value would have held: throttled no longer than policy allows, or no sample of memory above.
    pub kept: bool,
    /// Seconds for which use was above it.
    pub short: i64,
    /// The largest use over it.
    pub peak: f64,
}

/// What a walk through the days of one service found.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    /// Days that could be judged, oldest first.
    pub days: Vec<Judged>,
    /// What would have been held on each day that has samples, and for the day after the last.
    pub held: Followed,
}

/// What a method would have held for one service.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Followed {
    /// One per day with samples, oldest first; `None` where nothing was known.
    pub days: Vec<Option<f64>>,
    /// For the day after the last.
    pub next: Option<f64>,
}

/// Walks through the days of one service, oldest first, with Headroom's own learner. A day with less than half of its samples teaches but is
/// not judged. `metric` is one that is right-sized.
pub(crate) fn walk(days: &[Day<'_>], metric: Metric, policy: &Policy, fleet: &Fleet) -> Walk {
    let resource = Resource::of(metric).unwrap_or(Resource::Cpu);
    let held = follow(Method::Headroom, metric, days, fleet);
    let judged = whole(days)
        .filter_map(|(i, day)| {
            let value = held.days[i]?;
            let short = i64::from(day.above(value)) * day.step;
            Some(Judged { kept: holds(resource, policy, day, value), short, peak: f64::from(day.peak()) / value })
        })
        .collect();
    Walk { days: judged, held }
}

/// What the days of one service needed.
pub(crate) fn needs<'p>(days: &[Day<'_>], metric: Metric, policy: &'p Policy) -> Needs<'p> {
    let mut needs = Needs::new(Resource::of(metric).unwrap_or(Resource::Cpu), metric.unit() == Unit::Ratio, policy);
    days.iter().for_each(|day| needs.learn(day));
    needs
}

/// What a method would have held for one service, a day at a time.
pub(crate) fn follow(method: Method, metric: Metric, days: &[Day<'_>], fleet: &Fleet) -> Followed {
    let (Some(resource), Some(last)) = (Resource::of(metric), days.last()) else { return Followed::default() };
    let mut recommender = recommender(method, resource, metric.unit() == Unit::Ratio, &[0], fleet.size(metric));
    let mut held = Vec::with_capacity(1);
    let mut decide = |recommender: &mut dyn super::Recommender, day| {
        held.clear();
        recommender.decide(0, day, &mut held);
        held.first().map(|h| h.value)
    };
    let mut found = Followed { days: Vec::with_capacity(days.len()), next: None };
    for day in days {
        found.days.push(decide(recommender.as_mut(), day.day));
        recommender.learn(0, day);
    }
    found.next = decide(recommender.as_mut(), last.day + 1);
    found
}

/// Whether a value would have held on a day.
fn holds(resource: Resource, policy: &Policy, day: &Day<'_>, value: f64) -> bool {
    match resource {
        Resource::Cpu => f64::from(day.above(value)) <= policy.max_throttled_ratio * f64::from(day.count()),
        Resource::Memory => f64::from(day.peak()) <= value,
    }
}

/// Days on which one given value would have held, and days that could be judged.
pub(crate) fn days_held(days: &[Day<'_>], resource: Resource, policy: &Policy, value: f64) -> (u32, u32) {
    whole(days).fold((0, 0), |(kept, all), (_, day)| (kept + u32::from(holds(resource, policy, day, value)), all + 1))
}

#[cfg(test)]
mod tests {
    use super::super::days;
    use super::super::testing::noise;
    use super::*;
    use crate::samples::Samples;

    fn samples(days: usize, value: impl Fn(usize) -> f32) -> Samples {
        let values: Vec<f32> = (0..days * 288).map(value).collect();
        Samples { start: 86_400 * 20_000, step: 300, count: values.len(), values }
    }

    fn walked(samples: &Samples, metric: Metric, policy: &Policy) -> (Vec<Judged>, f64) {
        let walk = walk(&days(samples), metric, policy, &Fleet::default());
        (walk.days, walk.held.next.unwrap())
    }

    #[test]
    fn cpu_holds_on_unseen_days_of_the_same_kind() {
        let s = samples(14, |i| 1.0 + 0.5 * (i as f32 / 288.0 * std::f32::consts::TAU).sin() + 0.05 * noise(i));
        let policy = Policy::default();
        let (judged, value) = walked(&s, Metric::CpuUsage, &policy);
        assert_eq!(judged.len(), 13);
        assert!(judged.iter().all(|d| d.kept));
        assert!((1.5..3.0).contains(&value), "{value}");
        assert_eq!(days_held(&days(&s), Resource::Cpu, &policy, 2.0), (14, 14));
        assert_eq!(days_held(&days(&s), Resource::Cpu, &policy, 1.0), (0, 14));
    }

    #[test]
    fn a_step_up_breaks_one_day_and_is_learnt() {
        let s = samples(14, |i| if i < 7 * 288 { 1.0 } else { 4.0 });
        let policy = Policy::default();
        for metric in [Metric::CpuUsage, Metric::MemoryWorkingSet] {
            let (judged, value) = walked(&s, metric, &policy);
            assert!(!judged[6].kept && judged[7..].iter().all(|d| d.kept), "{metric:?}");
            assert!(value > 4.0, "{metric:?}");
        }
    }

    #[test]
    fn half_a_day_teaches_and_is_not_judged() {
        let s = samples(3, |i| if i < 2 * 288 + 100 { 1.0 } else { f32::NAN });
        let policy = Policy::default();
        let walk = walk(&days(&s), Metric::CpuUsage, &policy, &Fleet::default());
        assert_eq!((walk.days.len(), walk.held.days.len()), (1, 3));
    }

    #[test]
    fn a_small_service_of_a_large_fleet_gets_more_room_and_a_share_does_not_care() {
        let s = samples(8, |i| 0.2 + 0.1 * noise(i));
        let (policy, large) = (Policy::default(), Fleet { cpu: Some(8.0), memory: None });
        let next = |metric, fleet: &Fleet| walk(&days(&s), metric, &policy, fleet).held.next.unwrap();
        assert!(next(Metric::CpuUsage, &large) > 1.1 * next(Metric::CpuUsage, &Fleet::default()));
        assert_eq!(next(Metric::CpuUtilization, &large), next(Metric::CpuUtilization, &Fleet::default()));
    }
}
