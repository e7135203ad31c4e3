//! Latency under load: where p95 rises with the requests per worker while CPU has room, more workers.

use super::case::says;
use super::cpu::SATURATED;
use super::{Case, Draft, Strategy};
use crate::risk::Risks;
use crate::stats;
use crate::words::{millis, number, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, Proposal, Risk, RiskKind, Verdict};
use headroom_model::service::Parameter;

/// Adds workers where requests queue for one.
pub struct Latency;

/// p95 at busy times over p95 at quiet times, above which load is felt.
const FELT: f64 = 1.5;

/// p95 in the busiest and in the quietest fifth of the load, milliseconds.
fn quiet_and_busy(case: &Case) -> Option<(f64, f64)> {
    let latency = super::gain::latency(&case.samples)?;
    let load = case.samples.get(&Metric::RequestRate)?;
    let mut rows: Vec<(f64, f64)> = latency.points().filter_map(|(t, y)| Some((load.at(t)?, y))).collect();
    if rows.len() < 50 {
        return None;
    }
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let fifth = rows.len() / 5;
    let middle = |rows: &[(f64, f64)]| stats::median(&mut rows.iter().map(|r| r.1).collect::<Vec<_>>());
    Some((middle(&rows[..fifth])?, middle(&rows[rows.len() - fifth..])?))
}

fn workers(case: &Case) -> Option<u32> {
    match case.parameter("workers")? {
        Parameter::Count(n) if *n > 0 => Some(*n),
        _ => None,
    }
}

impl Strategy for Latency {
    fn name(&self) -> &'static str {
        "latency"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.has_latency()
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let Some(p) = case.latency_p95() else { return Vec::new() };
        let load = quiet_and_busy(case)
            .map_or(String::new(), |(quiet, busy)| format!("; {} in quiet times, {} in busy ones", millis(quiet), millis(busy)));
        let verdict = if p.p95_decayed > 1000.0 { Verdict::Under } else { Verdict::Optimal };
        let text = format!("Latency: p95 of {} half of the time, {} at its 95th percentile{load}", millis(p.p50), millis(p.p95_decayed));
        vec![Finding { resource: "latency".to_owned(), verdict, text, bottleneck: false }]
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        let now = workers(case)?;
        let (quiet, busy) = quiet_and_busy(case).filter(|(q, b)| *b > FELT * q)?;
        let has_room = case.cpu_saturation().is_none_or(|s| s < SATURATED) && !case.is_throttled();
        let waits_elsewhere = case.profile(Metric::PoolWait).is_some_and(|w| w.p95_decayed > 0.2 * (busy - quiet));
        if !has_room || waits_elsewhere {
            return None;
        }
        // By Little's law the requests in progress per replica at the busiest; workers for those, with a third to spare.
        let rate = case.profile(Metric::RequestRate)?;
        let time = case.profile(Metric::LatencyP50).or_else(|| case.latency_p95())?;
        let busy_workers = rate.p99 / case.replicas() * time.p95 / 1000.0;
        let wanted = ((busy_workers / 0.75).ceil().min(f64::from(now) * 2.0) as u32).max(now + 1);
        if busy_workers < 0.7 * f64::from(now) {
            return None;
        }
        let relieved = f64::from(now) / f64::from(wanted);
        let gain = case.gain(case.samples.get(&Metric::RequestRate)?, |x| x * relieved)?;
        let mut recommended = case.state().clone();
        recommended.parameters.insert("workers".to_owned(), Parameter::Count(wanted));
        let mut risks = Risks::default();
        risks.add(RiskKind::SideEffect, Risk::Medium, "more workers use more memory and may crowd the database");
        risks.restart(case.state().replicas);
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Latency,
            title: format!("Workers {now} → {wanted}: p95 {} in busy times", millis(busy)),
            description: format!(
                "Run {wanted} workers per replica instead of {now}. About {} are busy at the 99th percentile of load, and p95 goes from {} in quiet times to {} in busy ones while CPU has room.",
                number(busy_workers, 1),
                millis(quiet),
                millis(busy)
            ),
            recommended,
            freed_replicas: None,
            performance: gain.percent,
            latency_ms: gain.ms,
            confidence: case.trust(&gain),
            evidence: vec![
                says(true, format!("p95 is {} in the quietest fifth of the load and {} in the busiest", millis(quiet), millis(busy))),
                says(true, format!("about {} of {now} workers are busy at the 99th percentile", number(busy_workers, 1))),
                says(gain.fit > 0.3, format!("load explains {} of the variance of p95", percent(gain.fit))),
                case.data_evidence(),
            ],
            replays: Vec::new(),
            risks,
            cure: false,
        }))
    }
}
