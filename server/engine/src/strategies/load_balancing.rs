//! Balancing: where throughput is low and one replica carries more than its share.

use super::case::says;
use super::{Case, Draft, Strategy};
use crate::risk::Risks;
use crate::words::{number, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, Proposal, Risk, RiskKind, Verdict};
use headroom_model::service::Parameter;

/// Chooses how requests are spread over replicas.
pub struct LoadBalancing;

/// Requests per second below which throughput is low.
const LOW: f64 = 50.0;
/// Busiest replica over the mean.
const UNEVEN: f64 = 1.2;
/// What a policy that looks at open requests reaches.
const EVEN: f64 = 1.05;

fn uneven(case: &Case) -> bool {
    case.replicas() > 1.0
        && case.profile(Metric::LoadImbalance).is_some_and(|p| p.p50 > UNEVEN)
        && case.profile(Metric::RequestRate).is_some_and(|p| p.p50 < LOW)
}

impl Strategy for LoadBalancing {
    fn name(&self) -> &'static str {
        "load_balancing"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.profile(Metric::LoadImbalance).is_some()
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let Some(p) = case.profile(Metric::LoadImbalance) else { return Vec::new() };
        let bad = uneven(case);
        let verdict = if bad { Verdict::Under } else { Verdict::Optimal };
        let text = format!("Balancing: the busiest replica carries {}× the mean load", number(p.p50.max(1.0), 2));
        vec![Finding { resource: "balancing".to_owned(), verdict, text, bottleneck: bad }]
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        if !uneven(case) {
            return None;
        }
        let Parameter::Choice { value, allowed } = case.parameter("balancing")? else { return None };
        let to = "least_requests";
        if value == to || !allowed.iter().any(|a| a == to) {
            return None;
        }
        let (imbalance, rate) = (case.profile(Metric::LoadImbalance)?, case.profile(Metric::RequestRate)?);
        let gain = case.gain(case.samples.get(&Metric::LoadImbalance)?, |x| x.min(EVEN));
        // Without a visible effect on latency the busiest replica's excess is still capacity that the others have: what it carries above the mean.
        let freed = 100.0 * (1.0 - EVEN / imbalance.p50);
        let mut recommended = case.state().clone();
        recommended.parameters.insert("balancing".to_owned(), Parameter::Choice { value: to.to_owned(), allowed: allowed.clone() });
        let days = case.features.days as usize;
        let confidence = gain.as_ref().map_or_else(|| case.confidence(days, days, imbalance.noise, 0.85), |g| case.trust(g));
        let mut risks = Risks::default();
        risks.add(RiskKind::SideEffect, Risk::Low, "requests move between replicas that are all there already");
        risks.restart(case.state().replicas);
        let mut evidence = vec![
            says(
                true,
                format!(
                    "the busiest replica carries {}× the mean load at {} requests per second",
                    number(imbalance.p50, 2),
                    number(rate.p50, 1)
                ),
            ),
            says(true, format!("{} is in force, which does not look at how busy a replica is", value.replace('_', " "))),
        ];
        if let Some(g) = &gain {
            evidence.push(says(g.fit > 0.3, format!("imbalance and load explain {} of the variance of p95", percent(g.fit))));
            evidence.push(says(2 * g.kept >= g.judged, format!("p95 rose with imbalance on {} of {} days", g.kept, g.judged)));
        }
        evidence.push(case.data_evidence());
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Performance,
            title: format!("Balancing {} → least requests", value.replace('_', " ")),
            description: format!(
                "Send each request to the replica with the fewest open ones. The busiest replica now carries {}× the mean.",
                number(imbalance.p50, 2)
            ),
            recommended,
            freed_replicas: None,
            performance: gain.as_ref().map_or(freed, |g| g.percent.max(freed)),
            latency_ms: gain.as_ref().map_or(0.0, |g| g.ms),
            confidence,
            evidence,
            replays: Vec::new(),
            risks,
            cure: false,
        }))
    }
}
