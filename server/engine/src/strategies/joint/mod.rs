//! Horizontal and vertical together: replicas or the autoscaler's bounds and target, and the requests of each replica, chosen as one.
//!
//! What does not move with load is paid once per replica, so the cheapest way is the fewest and largest replicas that keep the
//! rules: p95 latency as policy wants it or as the service has shown it, by the service's own relation of latency to load; no
//! load per replica beyond what it has shown, or half of its ceiling; one replica may be away without saturation; nothing larger than
//! limits and the sum of requests there are. Because request and target are chosen from the same load per replica, the
//! autoscaler finds nothing to correct afterwards, and neither does the next analysis.

mod choice;
mod fleet;
mod predicted;
pub(super) mod relation;
mod words;

use super::{Case, Draft, Strategy};
use choice::View;
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, Proposal, Verdict};

/// Chooses replicas, autoscaler and requests together.
pub struct Joint;

/// Confidence in scaling where latency was never measured, against where it was.
const UNMEASURED: f64 = 0.95;

impl Strategy for Joint {
    fn name(&self) -> &'static str {
        "joint"
    }

    /// Load is spread over replicas of a Deployment; other kinds hold state or run where they must.
    fn applies_to(&self, case: &Case) -> bool {
        let spread = case.input.service.key.kind == "Deployment" || case.state().autoscaler.is_some();
        spread && case.state().gpus() == 0 && case.cpu.as_ref().is_some_and(|d| d.metric == Metric::CpuUsage)
    }

    fn look(&self, case: &Case) -> (Vec<Finding>, Option<Proposal>) {
        let Some(v) = View::of(case) else { return (Vec::new(), None) };
        let verdict = match (v.need, &v.best) {
            (Some(_), _) => Verdict::Under,
            (None, Some(_)) => Verdict::Over,
            (None, None) => Verdict::Optimal,
        };
        (vec![words::finding(&v, verdict)], proposal(self.name(), case, &v))
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        self.look(case).0
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        self.look(case).1
    }
}

/// What is proposed of what was seen.
fn proposal(strategy: &'static str, case: &Case, v: &View<'_>) -> Option<Proposal> {
    // What leaks, is killed or starves is cured first: its samples do not tell what it would do with room. Where an autoscaler is at
    // its maximum more replicas are that cure: more CPU for each would only make it run fewer.
    if case.features.oom_kills > 0.0 || case.features.leak.is_some() {
        return None;
    }
    let pinned = v.need == Some(choice::Need::Pinned);
    if !pinned && (case.is_throttled() || v.need.is_none() && case.is_saturated()) {
        return None;
    }
    let best = v.best.clone()?;
    let replay = case.replay_fleet(best.run.mean * best.cpu / case.cpu_request()?)?;
    let demand = case.cpu.as_ref()?;
    let kept = case.walk(demand).days.iter().filter(|d| d.kept).count();
    let noise = case.profile(Metric::CpuUsage).map_or(0.0, |p| p.noise);
    // A promise of lower latency rests on the relation; room at the top, or latency that stays, does not.
    let slow = v.need == Some(choice::Need::Slow);
    let known = v.fleet.relation.as_ref().map_or(UNMEASURED, |r| if slow { 0.75 + 0.25 * r.fit } else { 1.0 });
    let mean = |hours: &[f64]| hours.iter().filter(|h| h.is_finite()).sum::<f64>() / hours.len().max(1) as f64;
    let (now, then) = (mean(&v.today.run.hours), mean(&best.run.hours));
    let one = v.cost(&v.today.state, 1.0);
    let mut proposal = case.proposal(Draft {
        strategy,
        kind: OptimizationType::Scaling,
        title: words::title(v, &best),
        description: words::description(v, &best),
        // The number of replicas that an autoscaler runs is a mean over time, which no state tells.
        freed_replicas: case.state().autoscaler.filter(|_| one > 0.0).map(|_| (v.today.cost - best.cost) / one),
        recommended: best.state.clone(),
        performance: if now > 0.0 { 100.0 * (now - then) / now } else { 0.0 },
        latency_ms: now - then,
        confidence: case.confidence(kept, case.walk(demand).days.len(), noise, known * (1.0 - 0.5 * v.beyond(&best))),
        evidence: words::evidence(v, &best),
        risks: words::risks(v, &best, &replay),
        replays: vec![replay],
        cure: v.need.is_some() && !slow,
    });
    proposal.schedule = predicted::week(v, &best);
    Some(proposal)
}
