//! Replicas of services without an autoscaler: as many as the busiest times need at a comfortable share of the request.

use super::case::says;
use super::{Case, Draft, Strategy};
use crate::risk::Risks;
use crate::words::{self, number, of_cores, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, Proposal, Risk, Verdict};

/// Fits the number of replicas to the load.
pub struct Replicas;

/// Share of the request that may be in use at the 99th percentile of load.
const COMFORTABLE: f64 = 0.7;

struct Count {
    now: u32,
    wanted: u32,
    /// Cores that all replicas use together at the 99th percentile.
    busy: f64,
    request: f64,
}

/// Load is spread over replicas of a Deployment; other kinds hold state or run where they must.
fn count(case: &Case) -> Option<Count> {
    let now = case.state().replicas.filter(|n| *n > 0)?;
    let (request, cpu) = (case.cpu_request()?, case.profile(Metric::CpuUsage)?);
    let busy = cpu.p99 * case.replicas();
    let for_cpu = busy / (request * COMFORTABLE);
    // What of the memory moves with load would be held by fewer replicas; without a limit the request counts.
    let for_memory =
        case.profile(Metric::MemoryWorkingSet).zip(case.memory_limit().or_else(|| case.memory_request())).map_or(0.0, |(m, limit)| {
            let room = limit / (1.0 + case.input.policy.memory_margin) - m.p05;
            if room > 0.0 { f64::from(now) * (m.peak - m.p05) / room } else { f64::from(now) }
        });
    // One replica is no redundancy: a service that has two or more keeps two.
    let wanted = for_cpu.max(for_memory.min(f64::from(now))).ceil().clamp(f64::from(now.min(2)), 10_000.0) as u32;
    Some(Count { now, wanted, busy, request })
}

fn verdict(case: &Case, c: &Count) -> Verdict {
    if case.is_saturated() && c.wanted > c.now {
        Verdict::Under
    } else if c.wanted < c.now {
        Verdict::Over
    } else {
        Verdict::Optimal
    }
}

impl Strategy for Replicas {
    fn name(&self) -> &'static str {
        "replicas"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.input.service.key.kind == "Deployment" && case.state().autoscaler.is_none() && case.state().gpus() == 0
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let Some(c) = count(case) else { return Vec::new() };
        let verdict = verdict(case, &c);
        let text = format!(
            "Replicas: {} ask for {} together, the busiest 1 % of the time needs {}",
            c.now,
            of_cores(c.request * f64::from(c.now)),
            of_cores(c.busy)
        );
        vec![Finding { resource: "replicas".to_owned(), verdict, text, bottleneck: verdict == Verdict::Under }]
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        let c = count(case)?;
        let verdict = verdict(case, &c);
        if verdict == Verdict::Optimal || case.is_throttled() {
            return None;
        }
        let mut recommended = case.state().clone();
        recommended.replicas = Some(c.wanted);
        let replay = case.replay_fleet(f64::from(c.wanted))?;
        let cure = verdict == Verdict::Under;
        let share = f64::from(c.now) / f64::from(c.wanted.max(1));
        let gain = case.samples.get(&Metric::CpuUsage).filter(|_| cure).and_then(|u| case.gain(u, |x| x * share));
        let walk = &case.cpu.as_ref()?.walk;
        let kept = walk.days.iter().filter(|d| d.kept).count();
        let noise = case.profile(Metric::CpuUsage).map_or(0.0, |p| p.noise);
        let mut risks = Risks::default();
        if !cure {
            risks.cut("the number of replicas", 1.0 - 1.0 / share);
            if c.wanted == 2 && c.now > 2 {
                risks.add(Risk::Medium, "two replicas are left: one can fail, not two");
            }
        }
        if let Some(r) = replay.rows.first() {
            risks.throttled(r.breached, r.worst_day, case.input.policy.max_throttled_ratio);
        }
        let in_use = c.busy / (c.request * f64::from(c.wanted));
        let mut evidence = vec![
            says(
                true,
                format!(
                    "at the 99th percentile all replicas together use {} of {}",
                    words::cores(c.busy),
                    of_cores(c.request * f64::from(c.now))
                ),
            ),
            says(in_use < 0.8, format!("with {} replicas that would be {} of what is asked for", c.wanted, percent(in_use))),
        ];
        evidence.push(case.walk_evidence(walk));
        evidence.push(case.data_evidence());
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Scaling,
            title: format!("Replicas {} → {}", c.now, c.wanted),
            description: format!(
                "Run {} replicas instead of {}. The busiest 1 % of the time then uses {} of the CPU that they ask for ({} each).",
                c.wanted,
                c.now,
                percent(in_use),
                number(c.request, 2)
            ),
            recommended,
            freed_replicas: None,
            performance: gain.map_or(0.0, |g| g.percent),
            latency_ms: gain.map_or(0.0, |g| g.ms),
            confidence: case.confidence(kept, walk.days.len(), noise, gain.map_or(1.0, |g| g.trust())),
            evidence,
            replays: vec![replay],
            risks,
            cure,
        }))
    }
}
