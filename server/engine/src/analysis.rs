//! From a history and a policy to findings and proposals, or the reason why there is none.

use crate::features::Features;
use crate::prices::PriceBook;
use crate::rightsize::Fleet;
use crate::rightsize::record::Records;
use crate::sketch::DaySketch;
use crate::strategies::{self, Case, Demand, plain_type};
use crate::words;
use headroom_model::job::OptimizationType;
use headroom_model::plan::Plan;
use headroom_model::policy::Policy;
use headroom_model::recommendation::{Evidence, Finding, Proposal, UseBar, Verdict};
use headroom_model::room::Room;
use headroom_model::service::Service;
use headroom_model::time::Timestamp;
use headroom_model::units::Money;
use rayon::prelude::*;
use serde::Serialize;

/// What to analyse, and by which rules.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The service as it is.
    pub service: &'a Service,
    /// The days of its window, oldest first.
    pub days: &'a [DaySketch],
    /// The rules in force for it.
    pub policy: &'a Policy,
    /// What resources cost.
    pub prices: &'a PriceBook,
    /// What to look for; empty means everything.
    pub types: &'a [OptimizationType],
    /// Cluster time: the end of the window.
    pub now: Timestamp,
    /// How large the services around it are.
    pub fleet: Fleet,
    /// What came of earlier proposals, where that is known.
    pub records: Option<&'a Records>,
    /// What its cluster has room for, where that is known.
    pub room: Option<&'a Room>,
}

/// What an analysis found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// What is known of the service from its history.
    pub features: Features,
    /// One per resource, recommendation or not.
    pub findings: Vec<Finding>,
    /// Most urgent first, past the thresholds of policy, at most as many as it allows.
    pub proposals: Vec<Proposal>,
    /// Why there is no proposal, when there is none.
    pub reason: Option<Reason>,
    /// CPU and memory per replica.
    pub bars: Vec<UseBar>,
    /// The worst verdict of its resources.
    pub verdict: Verdict,
    /// What the service costs a month; `None` without a request to price.
    pub cost_month: Option<Money>,
}

/// Why there is no proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "why")]
pub enum Reason {
    /// Everything is as it should be, or nothing is worth a change.
    NoAction(String),
    /// Too little is known, and how much is needed.
    InsufficientData(String),
}

/// Hours of history below which nothing is proposed: a day has a shape.
const LEAST_HOURS: f64 = 24.0;

/// Analyses one service.
#[must_use]
pub fn analyze(input: &Input) -> Analysis {
    let case = Case::new(input);
    let cost_month = case.prices.month(&input.service.state);
    if let Some(why) = insufficient(&case) {
        let finding = |resource: &str| Finding {
            resource: resource.to_owned(),
            verdict: Verdict::NotEnoughData,
            text: format!("{}: {why}", if resource == "cpu" { "CPU" } else { "Memory" }),
            bottleneck: false,
        };
        return Analysis {
            findings: ["cpu", "memory"].map(finding).into(),
            proposals: Vec::new(),
            reason: Some(Reason::InsufficientData(why)),
            bars: case.bars(None),
            verdict: Verdict::NotEnoughData,
            cost_month,
            features: case.features,
        };
    }
    let looks: Vec<_> = strategies::ALL.iter().filter(|s| s.applies_to(&case)).map(|s| s.look(&case)).collect();
    let (findings, drafts): (Vec<_>, Vec<_>) = looks.into_iter().unzip();
    let findings: Vec<Finding> = findings.into_iter().flatten().collect();
    let drafts: Vec<Proposal> = drafts.into_iter().flatten().filter_map(|p| retyped(p, input.types)).collect();
    let (proposals, refused) = choose(drafts, input);
    let reason = proposals.is_empty().then(|| Reason::NoAction(why_none(&case, &findings, &refused)));
    let mut bars = case.bars(None);
    for bar in &mut bars {
        bar.proposed =
            proposals.iter().flat_map(|p| &p.bars).find(|b| b.metric == bar.metric && b.proposed.is_some()).and_then(|b| b.proposed);
        if let (None, None, headroom_model::metric::Metric::MemoryUtilization) = (bar.request, bar.proposed, bar.metric) {
            bar.proposed = case.memory.as_ref().and_then(|d| d.value);
        }
    }
    Analysis { verdict: worst(&findings), findings, proposals, reason, bars, cost_month, features: case.features }
}

/// Analyses many services in parallel, in their order.
#[must_use]
pub fn analyze_fleet(inputs: &[Input]) -> Vec<Analysis> {
    inputs.par_iter().map(analyze).collect()
}

/// What is missing for an analysis; `None` when nothing is.
fn insufficient(case: &Case) -> Option<String> {
    let f = &case.features;
    if f.samples == 0 {
        return Some("not enough data: no samples".to_owned());
    }
    let hours = LEAST_HOURS - f64::from(f.step_secs) / 3600.0;
    if f.span_hours < hours {
        return Some(format!(
            "not enough data: {} h of {LEAST_HOURS} h",
            words::number(f.span_hours, if f.span_hours < 10.0 { 1 } else { 0 })
        ));
    }
    let least = case.fewest_samples();
    (f.samples < least).then(|| format!("not enough data: {} of {} samples", f.samples, least))
}

/// The proposal under a type that was asked for, if any fits.
fn retyped(mut proposal: Proposal, types: &[OptimizationType]) -> Option<Proposal> {
    proposal.optimization_type = plain_type(&proposal, types)?;
    Some(proposal)
}

/// Keeps what passes the thresholds and does not take the same capacity twice; also the refused, most urgent first, each with why.
///
/// A joint choice is made only where it beats the single ones together, so it goes before them whatever their priority.
fn choose(mut drafts: Vec<Proposal>, input: &Input) -> (Vec<Proposal>, Vec<String>) {
    drafts.sort_by(|a, b| (b.strategy == "joint").cmp(&(a.strategy == "joint")).then(b.priority.total_cmp(&a.priority)));
    let (mut kept, mut refused): (Vec<Proposal>, Vec<String>) = (Vec::new(), Vec::new());
    for mut proposal in drafts {
        if let Some(why) = below(&proposal, input) {
            refused.push(format!("{}: {why}", proposal.title));
            continue;
        }
        if let Some(other) = kept.iter_mut().find(|k| same_capacity(k, &proposal, input)) {
            other.evidence.push(Evidence {
                supports: false,
                text: format!(
                    "“{}” would do it another way: only one of the two is proposed, together they would go too far",
                    proposal.title
                ),
            });
            continue;
        }
        proposal.evidence.truncate(12);
        kept.push(proposal);
    }
    kept.sort_by(|a, b| b.priority.total_cmp(&a.priority));
    kept.truncate(input.policy.max_recommendations as usize);
    (kept, refused)
}

/// Why a proposal is not made, in words: no room for it, too little to gain, or too unsure. A cure, or a first request where there is none, needs no gain.
fn below(proposal: &Proposal, input: &Input) -> Option<String> {
    let policy = input.policy;
    if let Some(why) = input.room.and_then(|room| room.refusal(&input.service.state, &proposal.recommended)) {
        return Some(why);
    }
    let sure = proposal.expected.confidence.get();
    let first =
        proposal.expected.cost_reduction_percent.is_none() && proposal.strategy != "storage" && input.service.state.cpu_request().is_none()
            || adds_request(&input.service.state, proposal);
    let gain = proposal.expected.largest_percent();
    if !proposal.cure && !first && gain < policy.recommendation_threshold {
        return Some(format!(
            "would bring {} %, below the {} % of policy",
            words::number(gain.max(0.0), 1),
            words::number(policy.recommendation_threshold, 1)
        ));
    }
    (sure < policy.confidence_threshold)
        .then(|| format!("confidence {} is below the {} of policy", words::percent(sure), words::percent(policy.confidence_threshold)))
}

/// Whether it sets a request that was not set.
fn adds_request(now: &headroom_model::service::ResourceState, proposal: &Proposal) -> bool {
    let then = &proposal.recommended;
    (now.cpu_request().is_none() && then.cpu_request().is_some()) || (now.memory_request().is_none() && then.memory_request().is_some())
}

/// Whether two proposals both take, or both add, compute capacity (CPU per replica, number of replicas), or set the same field.
fn same_capacity(a: &Proposal, b: &Proposal, input: &Input) -> bool {
    const COMPUTE: [&str; 3] = ["cpu", "joint", "gpu"];
    let cost = |p: &Proposal| input.prices.month(&p.recommended).map_or(0, |m| m.micros);
    let now = &input.service.state;
    let today = input.prices.month(now).map_or(0, |m| m.micros);
    let joint = [a, b].iter().any(|p| p.strategy == "joint");
    let shared =
        || Plan::difference(now, &a.recommended).iter().any(|x| Plan::difference(now, &b.recommended).iter().any(|y| x.field == y.field));
    COMPUTE.contains(&a.strategy.as_str())
        && COMPUTE.contains(&b.strategy.as_str())
        && a.strategy != b.strategy
        && (joint || (cost(a) <= today) == (cost(b) <= today))
        || joint && shared()
}

/// Why nothing is proposed, in words.
fn why_none(case: &Case, findings: &[Finding], refused: &[String]) -> String {
    if let Some(first) = refused.first() {
        return format!("nothing passes the thresholds; {first}");
    }
    let near = words::number(case.input.policy.recommendation_threshold, 1);
    let mut sizes = Vec::new();
    let needed = |demand: &Option<Demand<'_>>| demand.as_ref().and_then(|d| d.needs.level());
    if let (Some(level), Some(now)) = (needed(&case.cpu), case.cpu_request()) {
        sizes.push(format!("CPU {} of {}", words::cores(level), words::of_cores(now)));
    }
    if let (Some(level), Some(now)) = (needed(&case.memory), case.memory_request()) {
        sizes.push(format!("memory {} of {}", words::bytes(level), words::bytes(now)));
    }
    let at_rest = findings.iter().all(|f| f.verdict == Verdict::Optimal);
    match (sizes.is_empty(), at_rest, findings.iter().find(|f| f.verdict != Verdict::Optimal)) {
        (false, true, _) => format!("no change that is sure to hold pays {near} %; needed on its busiest day: {}", sizes.join(", ")),
        (_, false, Some(f)) => format!("nothing to change for what was found; {}", f.text),
        _ if case.memory.as_ref().is_some_and(|d| d.needs.known() > 0 && d.needs.level().is_none()) => {
            "memory was 0 in every sample of the last days, which no running service uses: look at how it is measured".to_owned()
        }
        _ => "nothing that could be changed was measured".to_owned(),
    }
}

/// The gravest verdict: under, over, no request, not enough data, right.
fn worst(findings: &[Finding]) -> Verdict {
    [Verdict::Under, Verdict::Over, Verdict::NoRequest, Verdict::NotEnoughData]
        .into_iter()
        .find(|v| findings.iter().any(|f| f.verdict == *v))
        .unwrap_or(if findings.is_empty() { Verdict::NotEnoughData } else { Verdict::Optimal })
}
