//! GPUs: cards against their use. Fewer cards, or fewer replicas with cards, where they idle.

use super::case::says;
use super::{Case, Draft, Strategy};
use crate::risk::Risks;
use crate::words::{bytes, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, Proposal, Risk, RiskKind, Verdict};
use headroom_model::service::ResourceState;

/// Fits the number of GPUs to their use.
pub struct Gpu;

/// Share of the cards that may be in use at the 99th percentile.
const COMFORTABLE: f64 = 0.85;
/// Use above this at the 95th percentile is saturation.
const SATURATED: f64 = 0.9;

struct View {
    cards: u32,
    replicas: u32,
    p99: f64,
    p95: f64,
}

fn view(case: &Case) -> Option<View> {
    let p = case.profile(Metric::GpuUtilization)?;
    let cards = case.state().gpus();
    // A share of the cards: anything above 1 comes from a source that counts otherwise.
    (cards > 0 && p.peak <= 1.05).then(|| View { cards, replicas: case.state().replicas.unwrap_or(1).max(1), p99: p.p99, p95: p.p95 })
}

fn verdict(v: &View) -> Verdict {
    let total = f64::from(v.cards * v.replicas);
    if v.p95 > SATURATED {
        Verdict::Under
    } else if (total * v.p99 / COMFORTABLE).ceil() < total && v.p99 < 0.7 {
        Verdict::Over
    } else {
        Verdict::Optimal
    }
}

/// Fewer cards in each replica where a replica has several in one container, else fewer replicas.
fn smaller(state: &ResourceState, v: &View) -> Option<(ResourceState, String)> {
    let mut next = state.clone();
    let holders = state.containers.values().filter(|c| c.gpus > 0).count();
    let cards = (f64::from(v.cards) * v.p99 / COMFORTABLE).ceil().max(1.0) as u32;
    if v.cards > 1 && holders == 1 && cards < v.cards {
        next.containers.values_mut().filter(|c| c.gpus > 0).for_each(|c| c.gpus = cards);
        return Some((next, format!("GPU {} → {} per replica", v.cards, cards)));
    }
    let replicas = (f64::from(v.replicas) * v.p99 / COMFORTABLE).ceil().max(1.0) as u32;
    (replicas < v.replicas && state.autoscaler.is_none()).then(|| {
        next.replicas = Some(replicas);
        (next, format!("GPU {} → {}", v.cards * v.replicas, v.cards * replicas))
    })
}

impl Strategy for Gpu {
    fn name(&self) -> &'static str {
        "gpu"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.profile(Metric::GpuUtilization).is_some()
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let Some(p) = case.profile(Metric::GpuUtilization) else { return Vec::new() };
        let verdict = view(case).map_or(Verdict::NoRequest, |v| verdict(&v));
        let text = format!("GPU: {} in use on average, {} at the 99th percentile", percent(p.mean), percent(p.p99));
        vec![Finding { resource: "gpu".to_owned(), verdict, text, bottleneck: verdict == Verdict::Under }]
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        let v = view(case)?;
        if verdict(&v) != Verdict::Over {
            return None;
        }
        let p = case.profile(Metric::GpuUtilization)?;
        let (recommended, title) = smaller(case.state(), &v)?;
        let left = recommended.gpus() * recommended.replicas.unwrap_or(1).max(1);
        let ratio = f64::from(v.cards * v.replicas) / f64::from(left);
        let samples = case.samples.get(&Metric::GpuUtilization)?;
        // A day is kept where the busiest hundredth of it would fit on the cards that are left.
        let fits = |values: &[f32]| {
            let above = values.iter().filter(|x| f64::from(**x) * ratio > 1.0).count();
            above * 100 <= values.len()
        };
        let days = samples.days();
        let kept = days.iter().filter(|day| fits(day.values)).count();
        let mut risks = Risks::default();
        risks.cut("the number of GPUs", 1.0 - 1.0 / ratio);
        if let Some(m) = case.profile(Metric::GpuMemoryUsed).filter(|_| recommended.gpus() < v.cards) {
            let each = m.peak / f64::from(recommended.gpus().max(1));
            risks.add(
                RiskKind::Shortage,
                Risk::Medium,
                format!("GPU memory would reach {} per card: check that the cards hold it", bytes(each)),
            );
        }
        risks.restart(case.state().replicas);
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Cost,
            title: format!("{title}: use {}", percent(p.mean)),
            description: format!(
                "Keep {left} of {} GPUs. The busiest 1 % of the time then uses {} of them.",
                v.cards * v.replicas,
                percent(p.p99 * ratio)
            ),
            recommended,
            freed_replicas: None,
            performance: 0.0,
            latency_ms: 0.0,
            confidence: case.confidence(kept, days.len(), p.noise, 1.0),
            evidence: vec![
                says(
                    true,
                    format!(
                        "{} GPUs are in use by {} on average and {} at the 99th percentile",
                        v.cards * v.replicas,
                        percent(p.mean),
                        percent(p.p99)
                    ),
                ),
                says(kept == days.len(), format!("{left} would have been enough on {kept} of {} days", days.len())),
                case.data_evidence(),
            ],
            replays: Vec::new(),
            risks,
            cure: false,
        }))
    }
}
