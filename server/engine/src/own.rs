//! A person's own values, judged by the same evidence as the engine's: replay, money, risk and confidence from the same history.

use crate::analysis::Input;
use crate::rightsize::confidence::{Confidence, Relation};
use crate::rightsize::{Day, Resource, days_held};
use crate::risk::Risks;
use crate::strategies::{Case, Demand, Draft, says};
use crate::words::{bytes, bytes_step, cores_step, of_cores, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::plan::{FieldChange, Plan};
use headroom_model::recommendation::{Evidence, Proposal, Replay, Risk, RiskKind};
use headroom_model::service::ResourceState;

/// Evaluates the state that a person wants: strategy `person`, the held value's replay row is called `proposed`.
#[must_use]
pub fn evaluate_own(input: &Input, wanted: &ResourceState) -> Proposal {
    let case = Case::new(input);
    let changes = Plan::difference(&input.service.state, wanted);
    let mut view = View {
        case: &case,
        wanted,
        risks: Risks::default(),
        evidence: Vec::new(),
        replays: Vec::new(),
        held: Vec::new(),
        performance: 0.0,
    };
    view.cpu();
    view.memory();
    view.others(&changes);
    if let Some(why) = case.refusal(wanted) {
        view.evidence.push(says(false, &why));
        view.risks.add(RiskKind::Room, Risk::High, format!("the cluster would refuse it: {why}"));
    }
    view.evidence.push(case.data_evidence());
    // The least certain part decides; without a part that history can speak for, nobody knows.
    let held = std::mem::take(&mut view.held).into_iter();
    let nobody_knows = || Relation { kept: 0, judged: 0, coverage: 1.0, noise: 0.0, fit: 1.0 }.confidence();
    let confidence = held.reduce(|a, b| if a.value < b.value { a } else { b }).unwrap_or_else(nobody_knows);
    if changes.iter().any(|c| c.field.starts_with("containers.") || c.field.starts_with("parameters.")) {
        view.risks.restart(input.service.state.replicas);
    }
    let View { risks, evidence, replays, performance, .. } = view;
    let latency = performance.min(0.0) / 100.0 * case.latency_p95().map_or(0.0, |p| p.p50);
    case.proposal(Draft {
        strategy: "person",
        kind: kind(&changes),
        title: title(&case, wanted, &changes),
        description: format!("Values proposed by a person: {}.", listed(&changes)),
        recommended: wanted.clone(),
        freed_replicas: None,
        performance,
        latency_ms: latency,
        confidence,
        evidence,
        replays,
        risks,
        cure: false,
    })
}

struct View<'a> {
    case: &'a Case<'a>,
    wanted: &'a ResourceState,
    risks: Risks,
    evidence: Vec<Evidence>,
    replays: Vec<Replay>,
    /// Confidence of each part that history can speak for.
    held: Vec<Confidence>,
    performance: f64,
}

impl View<'_> {
    /// How much more each replica carries with the replicas wanted.
    fn load(&self) -> f64 {
        match self.wanted.replicas {
            Some(n) if self.wanted.autoscaler.is_none() && n > 0 => self.case.replicas() / f64::from(n),
            _ => 1.0,
        }
    }

    fn cpu(&mut self) {
        let Some(demand) = &self.case.cpu else { return };
        let wanted = self.wanted.cpu_request().map(|c| c.get()).or_else(|| self.case.cpu_request());
        let load = self.load();
        let same = wanted == self.case.cpu_request() && self.wanted.cpu_limit() == self.case.state().cpu_limit();
        let Some(request) = wanted.filter(|_| !same || (load - 1.0).abs() > 1e-9) else { return };
        // Where there is a limit it is what throttles; the value per replica is compared with today's share of the load.
        let holds = self.wanted.cpu_limit().map_or(request, |l| l.get().max(request)) / load;
        let Some(replay) = self.case.replay_cpu("proposed", Some(request / load)) else { return };
        let short = share_above(&demand.days(), holds);
        let policy = self.case.input.policy;
        if let Some(now) = self.case.cpu_request() {
            self.risks.cut("CPU", 1.0 - request / load / now);
        }
        if let Some(row) = replay.rows.first() {
            self.risks.throttled(row.breached, row.worst_day, policy.max_throttled_ratio);
            self.evidence.push(says(
                row.breached <= policy.max_throttled_ratio,
                format!(
                    "at {} per replica it would have been short in {} of samples, {} on its worst day{}",
                    of_cores(request),
                    percent(row.breached),
                    percent(row.worst_day),
                    demand.shortage(request / load).unwrap_or_default()
                ),
            ));
        }
        let freed = self.case.throttled();
        self.performance += 100.0 * (if short > 0.0 { -short } else { freed });
        self.hold(demand, Resource::Cpu, request / load);
        self.replays.push(replay);
    }

    fn memory(&mut self) {
        let Some(demand) = self.case.memory.as_ref().filter(|d| d.metric == Metric::MemoryWorkingSet) else { return };
        let limit_of = |s: &ResourceState| s.memory_limit().or_else(|| s.memory_request()).map(|b| b.as_f64());
        let Some(limit) = limit_of(self.wanted).filter(|_| {
            limit_of(self.wanted) != limit_of(self.case.state()) || self.wanted.memory_request() != self.case.state().memory_request()
        }) else {
            return;
        };
        let Some(replay) = self.case.replay_memory("proposed", Some(limit)) else { return };
        let peak = demand.days().iter().fold(0.0, |most: f64, day| most.max(f64::from(day.peak())));
        if limit < peak {
            self.risks.add(
                RiskKind::Shortage,
                Risk::High,
                format!("memory reached {}, above the {} proposed: it would be killed", bytes(peak), bytes(limit)),
            );
        } else if limit < peak * (1.0 + self.case.input.policy.memory_margin / 2.0) {
            self.risks.add(
                RiskKind::Shortage,
                Risk::Medium,
                format!("memory reached {}, close to the {} proposed", bytes(peak), bytes(limit)),
            );
        }
        if self.case.features.leak.is_some() {
            self.risks.add(RiskKind::Shortage, Risk::Medium, "memory grows between restarts, so the size will not last");
        }
        self.evidence
            .push(says(limit >= peak, format!("the peak was {}, {} of the {} proposed", bytes(peak), percent(peak / limit), bytes(limit))));
        self.hold(demand, Resource::Memory, limit);
        self.replays.push(replay);
    }

    fn hold(&mut self, demand: &Demand<'_>, resource: Resource, value: f64) {
        let (kept, judged) = days_held(&demand.days(), resource, self.case.input.policy, value);
        self.evidence.push(says(
            kept == judged,
            format!("{} would have held on {kept} of {judged} days", if resource == Resource::Cpu { "CPU" } else { "memory" }),
        ));
        self.held.push(held_before(demand.needs.confidence(value), kept, judged));
    }

    fn others(&mut self, changes: &[FieldChange]) {
        for change in changes.iter().filter(|c| !c.field.starts_with("containers.")) {
            let (from, to) = (change.from.as_deref().unwrap_or("none"), change.to.as_deref().unwrap_or("none"));
            if change.field == "replicas" {
                match self.wanted.replicas {
                    // An autoscaler leaves 0 as it is: in Kubernetes it is switched off by it.
                    Some(0) => self.risks.add(RiskKind::Shortage, Risk::High, "without replicas nothing serves"),
                    _ if self.case.state().autoscaler.is_some() => self.risks.add(
                        RiskKind::SideEffect,
                        Risk::Medium,
                        "an autoscaler decides on replicas here and will overrule the number",
                    ),
                    Some(1) if self.case.replicas() > 1.0 => {
                        self.risks.add(RiskKind::Shortage, Risk::Medium, "one replica is left: when it fails, nothing serves")
                    }
                    _ => {}
                }
            } else {
                self.risks.add(
                    RiskKind::Data,
                    Risk::Medium,
                    format!("its history knows {} at {from} only; what {to} does is seen after the change", change.field),
                );
            }
            self.evidence.push(says(false, format!("{} goes from {from} to {to}", change.field)));
        }
    }
}

/// A value that did not hold on its own past will hardly hold: no surer than the share of days on which it did.
fn held_before(sure: Confidence, kept: u32, judged: u32) -> Confidence {
    let share = (f64::from(kept) + 1.0) / (f64::from(judged) + 2.0);
    if kept < judged { sure.at_most(share, format!("it would have held on {kept} of {judged} days")) } else { sure }
}

fn share_above(days: &[Day<'_>], value: f64) -> f64 {
    let (above, all) = days.iter().fold((0u32, 0u32), |(above, all), day| (above + day.above(value), all + day.count()));
    f64::from(above) / f64::from(all.max(1))
}

fn kind(changes: &[FieldChange]) -> OptimizationType {
    let all = |prefix: &[&str]| !changes.is_empty() && changes.iter().all(|c| prefix.iter().any(|p| c.field.starts_with(p)));
    if all(&["replicas", "autoscaler"]) {
        OptimizationType::Scaling
    } else if all(&["parameters"]) {
        OptimizationType::Performance
    } else {
        OptimizationType::Resource
    }
}

fn listed(changes: &[FieldChange]) -> String {
    if changes.is_empty() {
        return "nothing differs from what is in force".to_owned();
    }
    let line = |c: &FieldChange| format!("{} {} → {}", c.field, c.from.as_deref().unwrap_or("none"), c.to.as_deref().unwrap_or("none"));
    changes.iter().map(line).collect::<Vec<_>>().join(", ")
}

fn title(case: &Case, wanted: &ResourceState, changes: &[FieldChange]) -> String {
    let mut parts = Vec::new();
    let cpu = (case.state().cpu_request(), wanted.cpu_request());
    let memory = (case.state().memory_request(), wanted.memory_request());
    match cpu {
        (Some(a), Some(b)) if a != b => parts.push(format!("CPU {}", cores_step(a.get(), b.get()))),
        (None, Some(b)) => parts.push(format!("CPU request {}", of_cores(b.get()))),
        _ => {}
    }
    match memory {
        (Some(a), Some(b)) if a != b => parts.push(format!("Memory {}", bytes_step(a.as_f64(), b.as_f64()))),
        (None, Some(b)) => parts.push(format!("Memory request {}", bytes(b.as_f64()))),
        _ => {}
    }
    for c in changes.iter().filter(|c| !c.field.contains(".requests.")) {
        let name = c.field.trim_start_matches("parameters.").trim_start_matches("containers.").replace(['_', '.'], " ");
        parts.push(format!("{name} {} → {}", c.from.as_deref().unwrap_or("none"), c.to.as_deref().unwrap_or("none")));
    }
    match parts.as_slice() {
        [] => "No change".to_owned(),
        [a, b, c, rest @ ..] if !rest.is_empty() => format!("{a}, {b}, {c} and {} more", rest.len()),
        some => some.join(", "),
    }
}
