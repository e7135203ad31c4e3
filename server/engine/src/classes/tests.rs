use super::*;
use crate::features::Profile;
use crate::sketch::DaySketch;
use headroom_model::metric::Metric;
use headroom_model::series::{Series, ServiceHistory};
use proptest::prelude::*;

const START: i64 = 1_700_006_400;

/// Two weeks at an hour per sample.
fn service(cores: f64, shape: impl Fn(usize) -> f64) -> Features {
    let noise = |i: usize| 1.0 + 0.05 * ((i * 7919 % 101) as f64 / 101.0 - 0.5);
    let cpu: Vec<f32> = (0..336).map(|i| (cores * shape(i) * noise(i)) as f32).collect();
    let memory = cpu.iter().map(|_| (cores * 4e9) as f32).collect();
    let series = |values| Series { start: START, step: 3600, values };
    let metrics = [(Metric::CpuUsage, series(cpu)), (Metric::MemoryWorkingSet, series(memory))].into();
    Features::of(&DaySketch::of(&ServiceHistory { metrics }))
}

fn steady(cores: f64) -> Features {
    service(cores, |_| 1.0)
}
fn daily(cores: f64) -> Features {
    service(cores, |i| 1.0 + 0.8 * (i as f64 / 24.0 * std::f64::consts::TAU).sin())
}
fn batch(cores: f64) -> Features {
    service(cores, |i| if i * 31 % 29 == 0 { 1.0 } else { 0.01 })
}

fn fleet() -> Vec<Features> {
    let sizes = (1..=12).map(|i| 0.2 * f64::from(i));
    sizes.flat_map(|c| [steady(c), daily(c), batch(c)]).collect()
}

#[test]
fn three_kinds_of_services_are_three_classes_with_their_names() {
    let found = fit(&fleet(), 7).unwrap();
    let mut names: Vec<&str> = found.classes.iter().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["batch", "daily rhythm", "steady"]);
    assert!(found.silhouette > 0.6, "{}", found.silhouette);
    for (i, member) in found.members.iter().enumerate() {
        let kind = ["steady", "daily rhythm", "batch"][i % 3];
        let member = member.unwrap();
        assert_eq!(found.classes[member.class].name, kind);
        assert!(member.fit > 0.3, "{member:?}");
    }
    assert_eq!(found.classes.iter().map(|c| c.members).sum::<usize>(), 36);
}

#[test]
fn a_new_service_finds_its_class_and_the_same_seed_finds_the_same_classes() {
    let found = fit(&fleet(), 7).unwrap();
    let member = found.assign(&daily(40.0)).unwrap();
    assert_eq!(found.classes[member.class].name, "daily rhythm", "size does not make another kind");
    assert_eq!(found.assign(&Features::default()), None);
    assert_eq!(fit(&fleet(), 7).unwrap(), found);
}

#[test]
fn equals_are_one_class_and_few_are_none() {
    let found = fit(&vec![steady(1.0); 20], 1).unwrap();
    assert_eq!((found.classes.len(), found.silhouette), (1, 0.0));
    assert_eq!((found.classes[0].name.as_str(), found.classes[0].members), ("steady", 20));
    assert_eq!(fit(&[steady(1.0), daily(1.0), Features::default()], 1).unwrap_err(), TooFew(2));
}

#[test]
fn names_differ_even_where_centres_are_alike() {
    let class = |cores: f64| Class {
        name: String::new(),
        centre: Traits { cores: Some(cores.ln()), memory_per_core: Some(1.0), ..Traits::default() },
        members: 1,
        radius: 0.0,
        point: [0.0; TRAITS],
    };
    let mut classes = [class(8.0), class(0.1), class(0.1)];
    names::give(&mut classes);
    let names: Vec<&str> = classes.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["steady, balanced, large", "steady, balanced, small", "steady, balanced, small (2)"]);
}

#[test]
fn a_service_is_ranked_among_its_like() {
    let peer = |slack: f64, provider: &str| Peer { slack: Some(slack), provider: provider.into(), ..Peer::default() };
    let own = peer(0.6, "b");
    let class = [own.clone(), peer(0.4, "a"), peer(0.2, "a"), peer(0.6, "b"), peer(f64::NAN, "b"), peer(0.3, "a")];
    let slack = Like::of(&class).compare(&own).slack.unwrap();
    assert_eq!((slack.peers, slack.median), (4, 0.35));
    assert!((slack.percentile - 87.5).abs() < 1e-9, "three have less, one the same");
    assert_eq!(slack.by_provider.get("a"), Some(&0.3));
    assert_eq!(slack.by_provider.get("b"), None, "one other is told by nobody's median");
    assert_eq!(Like::of(&class).compare(&own).throttled, None);
    assert_eq!(Like::of(&class[..3]).compare(&own).slack, None, "two others are no comparison");
}

proptest! {
    #[test]
    fn odd_fleets_never_break_it(values in proptest::collection::vec((0.0..1e6f64, 0.0..1e6f64, -1e3..1e3f64, 0.0..1.0f64), 0..40), seed: u64) {
        let fleet: Vec<Features> = values
            .iter()
            .map(|(mean, peak, trend, season)| {
                let p = Profile {
                    samples: 10, mean: *mean, p05: 0.0, p50: mean * season, p90: *mean, p95: *mean, p99: *peak, p95_decayed: *mean, peak: *peak,
                    last: *mean, trend_per_day: *trend, daily_season: *season, weekly_season: *season, noise: *peak,
                };
                let metric = if *season > 0.5 { Metric::CpuUsage } else { Metric::CpuUtilization };
                Features { profiles: [(metric, p)].into(), ..Features::default() }
            })
            .collect();
        if let Ok(found) = fit(&fleet, seed) {
            prop_assert_eq!(found.members.len(), fleet.len());
            prop_assert!(found.classes.len() <= MOST && (-1.0..=1.0).contains(&found.silhouette));
            for m in found.members.iter().flatten() {
                prop_assert!(m.class < found.classes.len() && m.distance.is_finite() && (0.0..=1.0).contains(&m.fit));
            }
        }
    }
}
