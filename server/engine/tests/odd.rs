//! Odd numbers: never a panic, never a number that is none.

mod common;

use common::{START, World};
use headroom_engine::{Analysis, analyze, evaluate_own, predict, prices::PriceBook};
use headroom_model::metric::Metric;
use headroom_model::recommendation::Proposal;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::service::{Autoscaler, Parameter, ResourceState};
use headroom_model::time::{Span, Timestamp};
use headroom_model::units::Bytes;
use proptest::prelude::*;

fn odd_value() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => 0.0f32..10.0,
        2 => 0.0f32..1e12,
        1 => prop::num::f32::ANY,
        1 => Just(f32::NAN),
        1 => Just(f32::INFINITY),
        1 => Just(-1.0f32),
        1 => Just(0.0f32),
    ]
}

fn odd_history() -> impl Strategy<Value = ServiceHistory> {
    let start = prop_oneof![8 => Just(START), 1 => any::<i64>(), 1 => -1_000_000i64..1_000_000];
    let step = prop_oneof![6 => Just(300u32), 1 => Just(0u32), 1 => 1u32..200_000, 1 => Just(u32::MAX)];
    let series = (start, step, prop::collection::vec(odd_value(), 0..12), 0usize..700).prop_map(|(start, step, part, n)| Series {
        start,
        step,
        values: part.iter().copied().cycle().take(if part.is_empty() { 0 } else { n }).collect(),
    });
    prop::collection::vec((prop::sample::select(Metric::ALL), series), 0..16)
        .prop_map(|m| ServiceHistory { metrics: m.into_iter().collect() })
}

fn finite(p: &Proposal) {
    let e = &p.expected;
    assert!(e.performance_gain_percent.is_finite() && e.latency_reduction_ms.is_finite() && p.priority.is_finite(), "{p:?}");
    assert!(e.cost_reduction_percent.is_none_or(f64::is_finite));
    p.recommended.check().expect("what is proposed can be applied");
    for row in p.replays.iter().flat_map(|r| &r.rows) {
        assert!([row.asked, row.slack, row.breached, row.worst_day, row.changes_per_week].iter().all(|v| v.is_finite()), "{row:?}");
    }
    for text in p.evidence.iter().map(|e| &e.text).chain(&p.risk.reasons).chain([&p.title, &p.description]) {
        assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
    }
}

fn all_finite(a: &Analysis) {
    a.proposals.iter().for_each(finite);
    assert_eq!(a.proposals.is_empty(), a.reason.is_some());
    for p in a.features.profiles.values() {
        assert!(
            [p.mean, p.p05, p.p50, p.p95, p.p99, p.p95_decayed, p.peak, p.last, p.trend_per_day, p.noise].iter().all(|v| v.is_finite()),
            "{p:?}"
        );
    }
    for b in &a.bars {
        assert!(b.p50.is_finite() && b.p99.is_finite() && b.peak.is_finite() && b.proposed.is_none_or(f64::is_finite));
    }
}

fn furnished(mut world: World, bare: bool, scaled: bool, request: u8) -> World {
    world.policy.min_data_points = 2;
    world.policy.confidence_threshold = 0.0;
    world.policy.recommendation_threshold = 0.0;
    if bare {
        world.service.state = ResourceState::default();
    } else {
        let _ = world.service.state.set("containers.app.requests.cpu", Some(["0", "1m", "4"][usize::from(request % 3)]));
        world.service.state.containers.values_mut().for_each(|c| c.gpus = u32::from(request % 4));
        world.service.state.volume = Some(Bytes::new(1 << 34));
    }
    if scaled {
        world.service.state.autoscaler = Some(Autoscaler { min: 2, max: 5, target_cpu_percent: 70 });
    }
    world
        .parameter("cache_size", Parameter::Bytes(Bytes::new(u64::from(request) << 20)))
        .parameter("pool_size", Parameter::Count(u32::from(request)))
        .parameter("workers", Parameter::Count(u32::from(request)))
        .parameter("balancing", common::choice("random", &["random", "least_requests"]))
        .parameter("db_index", common::choice("none", &["none", "full"]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_odd_comes_out(history in odd_history(), bare: bool, scaled: bool, request: u8) {
        let mut world = furnished(World::new(3), bare, scaled, request);
        world.history = history;
        let prices = PriceBook::on_prem_default();
        let input = world.input(&prices);
        all_finite(&analyze(&input));
        finite(&evaluate_own(&input, &world.service.state));
        let mut own = world.service.state.clone();
        own.replicas = Some(u32::from(request));
        finite(&evaluate_own(&input, &own));
        for p in predict("s", &world.history, Timestamp::from_secs(START), Span::days(1)) {
            prop_assert!(p.mean.is_finite() && p.lo95.is_finite() && p.hi95.is_finite() && p.lo95 <= p.mean && p.mean <= p.hi95);
        }
    }
}
