//! Connection pools: where requests wait for a connection, or CPU is above 80 % while they do.

use super::case::says;
use super::cpu::SATURATED;
use super::{Case, Draft, Strategy};
use crate::risk::Risks;
use crate::words::{millis, number, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, Proposal, Risk, RiskKind, Verdict};
use headroom_model::service::Parameter;

/// Grows connection pools that make requests wait.
pub struct ConnectionPool;

/// A wait above this share of the median latency is felt.
const FELT: f64 = 0.05;
/// Connections in use that a pool is sized for, of all.
const COMFORTABLE: f64 = 0.7;

fn waits(case: &Case) -> bool {
    let Some(wait) = case.profile(Metric::PoolWait) else { return false };
    let usual = case.profile(Metric::LatencyP50).or_else(|| case.latency_p95()).map_or(0.0, |p| p.p50);
    let busy = case.cpu_saturation().is_some_and(|s| s > SATURATED);
    wait.p95_decayed > 1.0 && (wait.p95_decayed > FELT * usual || busy)
}

fn size(case: &Case) -> Option<u32> {
    match case.parameter("pool_size")? {
        Parameter::Count(n) if *n > 0 => Some(*n),
        _ => None,
    }
}

/// Connections that a replica needs. By Little's law `rate × time held` are in use at the busiest; while requests wait, the wait itself tells
/// that more were wanted, in proportion to wait over time held. At most three times as many at once.
fn needed(case: &Case, now: u32) -> u32 {
    let rate = case.profile(Metric::RequestRatePerReplica).or_else(|| case.profile(Metric::RequestRate));
    let per_replica = if case.profile(Metric::RequestRatePerReplica).is_some() { 1.0 } else { case.replicas() };
    let held = case.profile(Metric::DatabaseTime).or_else(|| case.profile(Metric::LatencyP50));
    let wait = case.profile(Metric::PoolWait).map_or(0.0, |w| w.p95_decayed);
    let (little, pressed) = match (rate, held) {
        (Some(r), Some(h)) if h.p50 > 0.0 => (r.p99 / per_replica * h.p95 / 1000.0, f64::from(now) * (1.0 + (wait / h.p50).min(1.0))),
        _ => (0.0, f64::from(now) * 1.5),
    };
    let wanted = (little / COMFORTABLE).max(pressed).min(f64::from(now) * 3.0);
    (wanted.ceil() as u32).max(now + 1)
}

impl Strategy for ConnectionPool {
    fn name(&self) -> &'static str {
        "connection_pool"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.profile(Metric::PoolWait).is_some()
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let Some(wait) = case.profile(Metric::PoolWait) else { return Vec::new() };
        let short = waits(case);
        let verdict = if short { Verdict::Under } else { Verdict::Optimal };
        let of = size(case).map_or(String::new(), |n| format!(" of {n} connections per replica"));
        let text = format!("Pool{of}: requests wait {} on average, {} at the 95th percentile", millis(wait.mean), millis(wait.p95));
        vec![Finding { resource: "pool".to_owned(), verdict, text, bottleneck: short }]
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        let now = size(case)?;
        if !waits(case) {
            return None;
        }
        let wait = case.profile(Metric::PoolWait)?;
        let wanted = needed(case, now);
        let relieved = f64::from(now) / f64::from(wanted);
        // Waiting grows steeply with the share in use: what is left falls with the square of the relief.
        let gain = case.gain(case.samples.get(&Metric::PoolWait)?, |x| x * relieved * relieved)?;
        let mut recommended = case.state().clone();
        recommended.parameters.insert("pool_size".to_owned(), Parameter::Count(wanted));
        let mut risks = Risks::default();
        let all = f64::from(wanted) * case.replicas();
        risks.add(RiskKind::SideEffect, Risk::Medium, format!("the database must accept {} connections from it", number(all, 0)));
        risks.restart(case.state().replicas);
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Performance,
            title: format!("Pool {now} → {wanted} connections"),
            description: format!(
                "Give each replica {wanted} connections instead of {now}. Requests wait {} for one at the 95th percentile.",
                millis(wait.p95_decayed)
            ),
            recommended,
            freed_replicas: None,
            performance: gain.percent,
            latency_ms: gain.ms,
            confidence: case.trust(&gain),
            evidence: vec![
                says(
                    true,
                    format!(
                        "requests wait {} for a connection on average, {} at the 95th percentile",
                        millis(wait.mean),
                        millis(wait.p95_decayed)
                    ),
                ),
                says(gain.fit > 0.3, format!("waiting and load explain {} of the variance of p95", percent(gain.fit))),
                says(2 * gain.kept >= gain.judged, format!("p95 rose with waiting on {} of {} days", gain.kept, gain.judged)),
                case.data_evidence(),
            ],
            replays: Vec::new(),
            risks,
            cure: true,
        }))
    }
}
