//! GPUs: cards against their use. Fewer cards, or fewer replicas with cards, where they idle.

use super::case::says;
use super::joint::relation::Relation;
use super::{Case, Draft, Strategy};
use crate::risk::Risks;
use crate::samples::Samples;
use crate::words::{bytes, millis, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Evidence, Finding, Proposal, Risk, RiskKind, Verdict};
use headroom_model::service::ResourceState;

/// Fits the number of GPUs to their use.
pub struct Gpu;

/// Share of the cards that may be in use at the 99th percentile.
const COMFORTABLE: f64 = 0.85;
/// Use above this at the 95th percentile is saturation.
const SATURATED: f64 = 0.9;
/// Of the slow-down at which a change is rolled back, the share that may be expected of one: what is expected is not known to a hair.
const TOLERATED: f64 = 0.5;

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

/// Fewer cards in each replica where a replica has several in one container, else fewer replicas: the fewest first, each with its title.
fn smaller(state: &ResourceState, v: &View) -> Vec<(ResourceState, String)> {
    let enough = |n: u32| (f64::from(n) * v.p99 / COMFORTABLE).ceil().max(1.0) as u32;
    let holders = state.containers.values().filter(|c| c.gpus > 0).count();
    if v.cards > 1 && holders == 1 && enough(v.cards) < v.cards {
        let with = |cards: u32| {
            let mut next = state.clone();
            next.containers.values_mut().filter(|c| c.gpus > 0).for_each(|c| c.gpus = cards);
            (next, format!("GPU {} → {cards} per replica", v.cards))
        };
        return (enough(v.cards)..v.cards).map(with).collect();
    }
    if state.autoscaler.is_some() {
        return Vec::new();
    }
    let with = |replicas: u32| {
        let title = format!("GPU {} → {}", v.cards * v.replicas, v.cards * replicas);
        (ResourceState { replicas: Some(replicas), ..state.clone() }, title)
    };
    (enough(v.replicas)..v.replicas).map(with).collect()
}

/// How many times as busy the cards are that a state leaves.
fn busier(v: &View, state: &ResourceState) -> f64 {
    f64::from(v.cards * v.replicas) / f64::from((state.gpus() * state.replicas.unwrap_or(1)).max(1))
}

/// Mean p95 in milliseconds, as it was and as it would have been on cards that are `ratio` times as busy; the same where latency is not measured.
struct Waits<'a> {
    relation: Option<Relation>,
    used: &'a Samples,
}

impl<'a> Waits<'a> {
    fn of(case: &'a Case) -> Option<Self> {
        let used = case.samples.get(&Metric::GpuUtilization)?;
        let latency = case.samples.get(&Metric::LatencyP95).or_else(|| case.samples.get(&Metric::LatencyP99));
        let pairs = |latency: &Samples| used.points().filter_map(|(t, x)| Some((x, latency.at(t)?))).collect();
        Some(Self { relation: latency.map(pairs).and_then(Relation::learn), used })
    }

    fn mean(&self, ratio: f64) -> f64 {
        let Some(relation) = &self.relation else { return 0.0 };
        let (sum, n) = self.used.present().fold((0.0, 0.0), |(sum, n), x| (sum + relation.at(x * ratio), n + 1.0));
        if n > 0.0 { sum / n } else { 0.0 }
    }
}

/// What is expected of latency, in words.
fn expected(before: f64, after: f64) -> Evidence {
    if before <= 0.0 {
        return says(false, "latency is not measured: what busier cards do to it is not known".to_owned());
    }
    says(
        after <= before,
        format!("p95 goes from {} to {} on average, as it rose with the use of the cards so far", millis(before), millis(after)),
    )
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
        let waits = Waits::of(case)?;
        let before = waits.mean(1.0);
        let slowest = before * (1.0 + TOLERATED * case.input.policy.rollback_threshold.abs() / 100.0);
        let bearable = |next: &ResourceState| waits.mean(busier(&v, next)) <= slowest;
        let (recommended, title) = smaller(case.state(), &v).into_iter().find(|(next, _)| bearable(next))?;
        let ratio = busier(&v, &recommended);
        let left = recommended.gpus() * recommended.replicas.unwrap_or(1).max(1);
        let after = waits.mean(ratio);
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
            performance: if before > 0.0 { 100.0 * (before - after) / before } else { 0.0 },
            latency_ms: before - after,
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
                expected(before, after),
                case.data_evidence(),
            ],
            replays: Vec::new(),
            risks,
            cure: false,
        }))
    }
}
