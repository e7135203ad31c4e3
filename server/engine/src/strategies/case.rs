//! One service under analysis: its features, what it asks for, and how a draft becomes a proposal.

use super::cpu::SATURATED;
use super::gain::{Gain, gain, gain_of_part, latency};
use crate::analysis::Input;
use crate::confidence::confidence;
use crate::features::{Features, Profile, clean};
use crate::replay::{Question, replay};
use crate::risk::Risks;
use crate::samples::Samples;
use crate::sizing::{Resource, Walk, walk};
use crate::words;
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Evidence, ExpectedImprovement, Proposal, Replay, UseBar};
use headroom_model::service::{Parameter, ResourceState};
use headroom_model::units::{Confidence, Money};
use std::collections::BTreeMap;

/// The demand for one resource and what it was sized to.
pub(crate) struct Demand {
    /// The metric it was taken from.
    pub metric: Metric,
    /// Demand per replica; where throttling hid a part of it, with that part estimated.
    pub samples: Samples,
    /// The walk through its days.
    pub walk: Walk,
}

/// One service under analysis.
pub struct Case<'a> {
    /// What was asked.
    pub input: &'a Input<'a>,
    /// What is known of the service.
    pub features: Features,
    pub(crate) samples: BTreeMap<Metric, Samples>,
    pub(crate) cpu: Option<Demand>,
    pub(crate) memory: Option<Demand>,
}

/// A proposal in the making.
pub(crate) struct Draft {
    pub strategy: &'static str,
    pub kind: OptimizationType,
    pub title: String,
    pub description: String,
    pub recommended: ResourceState,
    /// Replicas that run no longer, mean over time, where the state itself does not tell.
    pub freed_replicas: Option<f64>,
    /// Percent.
    pub performance: f64,
    /// Milliseconds of p95.
    pub latency_ms: f64,
    pub confidence: Confidence,
    pub evidence: Vec<Evidence>,
    pub replays: Vec<Replay>,
    pub risks: Risks,
    pub cure: bool,
}

impl<'a> Case<'a> {
    /// Cleans the history and learns from it.
    #[must_use]
    pub fn new(input: &'a Input<'a>) -> Self {
        let samples = clean(input.history);
        let features = Features::from_samples(&samples);
        let sized = |metric: Metric, samples: Samples, resource| {
            let walk = walk(&samples, resource, input.policy);
            Demand { metric, samples, walk }
        };
        let cpu = features.cpu().map(|(m, _)| sized(m, unthrottled(&samples, m), Resource::Cpu));
        let memory = features.memory().map(|(m, _)| sized(m, samples[&m].clone(), Resource::Memory));
        Self { input, features, samples, cpu, memory }
    }

    pub(crate) fn state(&self) -> &ResourceState {
        &self.input.service.state
    }
    pub(crate) fn profile(&self, metric: Metric) -> Option<&Profile> {
        self.features.get(metric)
    }
    /// CPU request per replica, from the state or from the metrics of an imported service.
    pub(crate) fn cpu_request(&self) -> Option<f64> {
        self.asked(self.state().cpu_request().map(|c| c.get()), Metric::CpuRequest)
    }
    pub(crate) fn memory_request(&self) -> Option<f64> {
        self.asked(self.state().memory_request().map(|b| b.as_f64()), Metric::MemoryRequest)
    }
    pub(crate) fn memory_limit(&self) -> Option<f64> {
        self.asked(self.state().memory_limit().map(|b| b.as_f64()), Metric::MemoryLimit)
    }
    fn asked(&self, state: Option<f64>, metric: Metric) -> Option<f64> {
        state.or_else(|| if self.state().containers.is_empty() { self.profile(metric).map(|p| p.last) } else { None }).filter(|v| *v > 0.0)
    }
    /// Replicas that serve, at least 1.
    pub(crate) fn replicas(&self) -> f64 {
        let measured = || self.profile(Metric::Replicas).map(|p| p.p50);
        self.state().replicas.map(f64::from).or_else(measured).unwrap_or(1.0).max(1.0)
    }
    pub(crate) fn throttled(&self) -> f64 {
        self.profile(Metric::CpuThrottled).map_or(0.0, |p| p.mean)
    }
    /// Whether throttling is worse than policy allows.
    pub(crate) fn is_throttled(&self) -> bool {
        self.throttled() > self.input.policy.max_throttled_ratio
    }
    /// 95th percentile of CPU use over the request.
    pub(crate) fn cpu_saturation(&self) -> Option<f64> {
        Some(self.profile(Metric::CpuUsage)?.p95_decayed / self.cpu_request()?)
    }
    /// Whether CPU use is so near the request that more is needed: beyond 80 %, and beyond where right-sizing by policy puts it.
    pub(crate) fn is_saturated(&self) -> bool {
        let sized = 1.0 / (1.0 + self.input.policy.cpu_margin);
        self.cpu_saturation().is_some_and(|s| s > SATURATED.max(sized + 0.03))
    }
    /// 95th percentile of memory use over the request.
    pub(crate) fn memory_saturation(&self) -> Option<f64> {
        Some(self.profile(Metric::MemoryWorkingSet)?.p95_decayed / self.memory_request()?)
    }
    pub(crate) fn latency_p95(&self) -> Option<&Profile> {
        self.profile(Metric::LatencyP95).or_else(|| self.profile(Metric::LatencyP99))
    }
    pub(crate) fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.state().parameters.get(name)
    }
    pub(crate) fn gain(&self, cause: &Samples, moved: impl Fn(f64) -> f64) -> Option<Gain> {
        gain(&self.samples, cause, moved)
    }
    /// What shrinking a part of every request's time to `left` of it is expected to do to p95.
    pub(crate) fn gain_of_part(&self, part: &Samples, left: f64) -> Option<Gain> {
        gain_of_part(&self.samples, part, left)
    }
    pub(crate) fn has_latency(&self) -> bool {
        latency(&self.samples).is_some()
    }
    pub(crate) fn confidence(&self, kept: usize, judged: usize, noise: f64, fit: f64) -> Confidence {
        confidence(kept, judged, &self.features, noise, fit)
    }
    /// Confidence in a promise that rests on a relation.
    pub(crate) fn trust(&self, gain: &Gain) -> Confidence {
        self.confidence(gain.kept, gain.judged, self.latency_p95().map_or(0.0, |p| p.noise), gain.trust())
    }

    /// What a state saves a month against the state now; `None` when either cannot be priced.
    pub(crate) fn saving(&self, recommended: &ResourceState) -> Option<Money> {
        let (now, then) = (self.input.prices.month(self.state())?, self.input.prices.month(recommended)?);
        Some(now.minus(then))
    }

    /// What one replica costs a month.
    fn replica_month(&self) -> Option<Money> {
        self.input.prices.month(&ResourceState { replicas: Some(1), volume: None, ..self.state().clone() })
    }

    /// CPU and memory per replica against what is asked for and what a state would ask for.
    pub(crate) fn bars(&self, recommended: Option<&ResourceState>) -> Vec<UseBar> {
        let bar = |demand: &Option<Demand>, request: Option<f64>, proposed: Option<f64>| {
            let demand = demand.as_ref()?;
            let p = self.profile(demand.metric)?;
            Some(UseBar { metric: demand.metric, p50: p.p50, p99: p.p99, peak: p.peak, request, proposed })
        };
        let differs = |new: Option<f64>, old: Option<f64>| new.filter(|n| old.is_none_or(|o| (n - o).abs() > 1e-9 * o.abs()));
        let cpu = recommended.and_then(|s| differs(s.cpu_request().map(|c| c.get()), self.cpu_request()));
        let memory = recommended.and_then(|s| differs(s.memory_request().map(|b| b.as_f64()), self.memory_request()));
        [bar(&self.cpu, self.cpu_request(), cpu), bar(&self.memory, self.memory_request(), memory)].into_iter().flatten().collect()
    }

    /// The replay of CPU per replica with a value held.
    pub(crate) fn replay_cpu(&self, row: &str, value: Option<f64>) -> Option<Replay> {
        let demand = self.cpu.as_ref()?;
        let priced = demand.metric == Metric::CpuUsage;
        let price = |v| if priced { self.input.prices.cpu_month(v, self.replicas()) } else { None };
        Some(self.replay(demand, Resource::Cpu, value.map(|v| (row, v)), self.cpu_request(), &price))
    }

    /// The replay of memory per replica with a limit held.
    pub(crate) fn replay_memory(&self, row: &str, value: Option<f64>) -> Option<Replay> {
        let demand = self.memory.as_ref()?;
        let priced = demand.metric == Metric::MemoryWorkingSet;
        let price = |v| if priced { self.input.prices.memory_month(v, self.replicas()) } else { None };
        let today = self.memory_limit().or_else(|| self.memory_request());
        Some(self.replay(demand, Resource::Memory, value.map(|v| (row, v)), today, &price))
    }

    /// The replay of the CPU of all replicas together.
    pub(crate) fn replay_fleet(&self, replicas: f64) -> Option<Replay> {
        let request = self.cpu_request()?;
        let total = self.total_cpu()?;
        let price = |v| self.input.prices.cpu_month(v, 1.0);
        Some(replay(&Question {
            metric: Metric::CpuUsage,
            resource: Resource::Cpu,
            samples: &total,
            proposal: Some(("headroom", request * replicas)),
            today: Some(request * self.replicas()),
            price: &price,
        }))
    }

    fn replay(
        &self,
        demand: &Demand,
        resource: Resource,
        proposal: Option<(&str, f64)>,
        today: Option<f64>,
        price: &dyn Fn(f64) -> Option<Money>,
    ) -> Replay {
        replay(&Question { metric: demand.metric, resource, samples: &demand.samples, proposal, today, price })
    }

    /// CPU demand of all replicas together, cores.
    pub(crate) fn total_cpu(&self) -> Option<Samples> {
        let demand = self.cpu.as_ref().filter(|d| d.metric == Metric::CpuUsage)?;
        let serving = self.samples.get(&Metric::Replicas);
        let now = self.replicas();
        Some(demand.samples.map(|t, v| v * serving.and_then(|r| r.at(t)).unwrap_or(now)))
    }

    /// Scores a draft and completes it.
    pub(crate) fn proposal(&self, draft: Draft) -> Proposal {
        let saving = match draft.freed_replicas {
            Some(freed) => self.replica_month().map(|m| Money::from_units(m.units() * freed, m.currency)),
            None => self.saving(&draft.recommended),
        };
        let now = self.input.prices.month(self.state()).filter(|m| m.micros > 0);
        let percent = saving.zip(now).map(|(s, n)| 100.0 * s.units() / n.units());
        let expected = ExpectedImprovement {
            performance_gain_percent: finite(draft.performance),
            cost_reduction_percent: percent.map(finite),
            latency_reduction_ms: finite(draft.latency_ms),
            confidence: draft.confidence,
        };
        let priority = priority(&expected, saving, draft.cure);
        let mut risks = draft.risks;
        risks.history(self.features.days);
        Proposal {
            strategy: draft.strategy.to_owned(),
            optimization_type: draft.kind,
            title: draft.title,
            description: draft.description,
            bars: self.bars(Some(&draft.recommended)),
            recommended: draft.recommended,
            expected,
            saving_month: saving,
            evidence: draft.evidence,
            replays: draft.replays,
            risk: risks.note(),
            priority,
            cure: draft.cure,
            confidence_drivers: Vec::new(),
        }
    }

    /// What the data is like, in words.
    pub(crate) fn data_evidence(&self) -> Evidence {
        let f = &self.features;
        let days = words::many(u64::from(f.days), "full day");
        if f.coverage > 0.995 {
            says(f.days >= 7, format!("{days} of data without gaps"))
        } else {
            says(f.coverage > 0.9 && f.days >= 7, format!("{days} of data, {} of the samples are there", words::percent(f.coverage)))
        }
    }

    /// On how many unseen days the rule held, in words.
    pub(crate) fn walk_evidence(&self, walk: &Walk) -> Evidence {
        let kept = walk.days.iter().filter(|d| d.kept).count();
        let all = walk.days.len();
        if all == 0 {
            return says(false, "too few days to check it on days it had not seen");
        }
        says(10 * kept >= 9 * all, format!("sized from the days before, it held on {kept} of {}", words::many(all as u64, "unseen day")))
    }
}

/// A line of evidence.
pub(crate) fn says(supports: bool, text: impl Into<String>) -> Evidence {
    Evidence { supports, text: text.into() }
}

/// The name of a type that a filter falls back to when the proposal's own was not asked for: money saved answers to cost, time saved to latency.
pub(crate) fn plain_type(proposal: &Proposal, wanted: &[OptimizationType]) -> Option<OptimizationType> {
    let own = proposal.optimization_type;
    if wanted.is_empty() || wanted.contains(&own) {
        return Some(own);
    }
    let saves = proposal.saving_month.is_some_and(|m| m.micros > 0);
    let faster = proposal.expected.latency_reduction_ms > 0.0;
    [(OptimizationType::Cost, saves), (OptimizationType::Latency, faster)]
        .into_iter()
        .find(|(t, is)| *is && wanted.contains(t))
        .map(|t| t.0)
}

/// `confidence × (money + severity + speed)`: money is 1 at about 17 and 3 at about 190 units a month, a cure adds 5, every 20 % of
/// performance adds 1 up to 5.
fn priority(expected: &ExpectedImprovement, saving: Option<Money>, cure: bool) -> f64 {
    let money = saving.map_or(0.0, |m| (m.units().max(0.0) / 10.0).ln_1p());
    let speed = (expected.performance_gain_percent.max(0.0) / 20.0).min(5.0);
    expected.confidence.get() * (money + speed + if cure { 5.0 } else { 0.0 })
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value + 0.0 } else { 0.0 } // −0 becomes 0
}

/// Demand behind throttling: a container stopped in a share `s` of its periods would have used about `use / (1 − s)`, at most three times as much.
fn unthrottled(samples: &BTreeMap<Metric, Samples>, metric: Metric) -> Samples {
    let used = &samples[&metric];
    match samples.get(&Metric::CpuThrottled) {
        Some(throttled) if throttled.peak() > 0.0 => used.map(|t, v| v / (1.0 - throttled.at(t).unwrap_or(0.0)).clamp(1.0 / 3.0, 1.0)),
        _ => used.clone(),
    }
}
