//! Memory right-sizing: what was learnt from its days, never below the observed peak plus the margin of policy; OOM kills raise, leaks are
//! provided for, and a heap that fills what it is given is left alone.

use super::case::says;
use super::resize::round_bytes;
use super::{Case, Cut, Draft, Strategy, scale_memory};
use crate::features::Profile;
use crate::rightsize::CURE;
use crate::risk::Risks;
use crate::words::{bytes, bytes_step, many, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Evidence, Finding, Proposal, Replay, Risk, RiskKind, Verdict};
use headroom_model::service::ResourceState;
use headroom_model::units::MIB;

/// Right-sizes memory requests and limits.
pub struct Memory;

/// Days of further growth that a leaking service is given.
const LEAK_DAYS: f64 = 7.0;
/// Memory that never fell below this share of its peak is a heap that is full by its own setting.
const FLAT: f64 = 0.97;
/// A peak above this share of the limit is saturation.
const NEAR_LIMIT: f64 = 0.95;

struct Size {
    verdict: Verdict,
    /// Bytes per replica, request and least limit.
    total: f64,
    /// What it should be, where the cluster has no room for that.
    cut: Option<Cut>,
}

/// Bytes that the service needs per replica, kills and leaks considered.
fn need(case: &Case) -> Option<f64> {
    let demand = case.memory.as_ref()?;
    let margin = 1.0 + case.input.policy.memory_margin;
    let learnt = demand.value?;
    let p = case.profile(demand.metric)?;
    let leak = case.features.leak.as_ref().map_or(0.0, |l| (p.peak + l.per_day * LEAK_DAYS).min(1.5 * p.peak) * margin);
    // A configured heap ends at its ceiling: there is nothing beyond that a day might bring.
    let ceiling = case.features.heap.as_ref().is_some_and(|h| h.flat);
    let learnt = if ceiling { learnt.min(p.peak * margin) } else { learnt };
    let killed = case.memory_limit().or_else(|| case.memory_request()).filter(|_| case.features.oom_kills > 0.0);
    // What is killed moves because it is: that is no reason for more room than a cure has.
    let learnt = if killed.is_some() { learnt.min(CURE * p.peak) } else { learnt };
    // A kill hides how much was wanted: a quarter more than where it happened, at least 100 MiB, as KRR and VPA do.
    let after_kill = killed.map_or(0.0, |limit| (limit * 1.25).max(limit + 100.0 * MIB as f64));
    Some(learnt.max(leak).max(after_kill))
}

/// A heap or a cache that has taken what its own setting allows, and stays there or is collected there: being near the limit is what it is for.
fn fills(case: &Case, p: &Profile) -> bool {
    p.p05 > FLAT * p.peak || (case.features.heap.as_ref().is_some_and(|h| h.flat) && case.features.leak.is_none())
}

fn size(case: &Case) -> Option<Size> {
    let demand = case.memory.as_ref()?;
    let p = case.profile(demand.metric)?;
    if demand.metric == Metric::MemoryUtilization {
        return Some(Size { verdict: Verdict::NoRequest, total: (need(case)? * 100.0).ceil() / 100.0, cut: None });
    }
    let wanted = round_bytes(need(case)?);
    let Some(now) = case.memory_request() else {
        return Some(Size { verdict: Verdict::NoRequest, total: wanted, cut: None });
    };
    let near = case.input.policy.recommendation_threshold / 100.0;
    let limit = case.memory_limit();
    let at_limit = limit.is_some_and(|l| p.peak > NEAR_LIMIT * l);
    let above_request = p.p95_decayed > now;
    let verdict = if case.features.oom_kills > 0.0 || (((at_limit && !fills(case, p)) || above_request) && wanted > now) {
        Verdict::Under
    } else if wanted < now * (1.0 - near) {
        Verdict::Over
    } else {
        Verdict::Optimal
    };
    let (total, cut) = case.within(now, wanted, round_bytes, |total| sized(case, verdict, total));
    Some(Size { verdict, total, cut })
}

/// The state with so much memory per replica; what is too small keeps at least its request.
fn sized(case: &Case, verdict: Verdict, total: f64) -> ResourceState {
    let request = if verdict == Verdict::Under { total.max(case.memory_request().unwrap_or(0.0)) } else { total };
    scale_memory(case.state(), &case.input.service.key.name, request, total)
}

impl Strategy for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.memory.is_some()
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let (Some(size), Some((metric, p))) = (size(case), case.features.memory()) else { return Vec::new() };
        let kills = case.features.oom_kills;
        let text = match (size.verdict, case.memory_request()) {
            _ if metric == Metric::MemoryUtilization => format!(
                "Memory: known only as a share of an unknown machine; peak {}, so {} of that machine would be enough",
                percent(p.peak),
                percent(size.total)
            ),
            (Verdict::Under, Some(now)) if kills > 0.0 => {
                format!("Memory: {} in the window, with {} asked for", many(kills as u64, "OOM kill"), bytes(now))
            }
            (Verdict::Over, Some(now)) => format!("Memory: {} asked for, the peak was {}", bytes(now), bytes(p.peak)),
            (_, Some(now)) => format!("Memory: the peak of {} is {} of the {} asked for", bytes(p.peak), percent(p.peak / now), bytes(now)),
            (_, None) => format!("Memory: no request set; the peak was {}", bytes(p.peak)),
        };
        let under = size.verdict == Verdict::Under;
        let text = match size.cut.filter(|_| under) {
            Some(cut) => format!("{text}; {}", cut.why),
            None => text,
        };
        let mut out = vec![Finding { resource: "memory".to_owned(), verdict: size.verdict, text, bottleneck: under }];
        if let Some(text) = growth(case) {
            out.push(Finding { resource: "memory".to_owned(), verdict: size.verdict, text: format!("Memory: {text}"), bottleneck: false });
        }
        out
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        let demand = case.memory.as_ref().filter(|d| d.metric == Metric::MemoryWorkingSet)?;
        let size = size(case).filter(|s| s.verdict != Verdict::Optimal)?;
        let recommended = sized(case, size.verdict, size.total);
        if recommended == *case.state() {
            return None;
        }
        let request = recommended.memory_request()?.as_f64();
        let limit = recommended.memory_limit().map_or(request, |l| l.as_f64());
        let replay = case.replay_memory("headroom", Some(limit))?;
        let cure = size.verdict == Verdict::Under;
        let title = match case.memory_request() {
            Some(now) if case.features.oom_kills > 0.0 => {
                format!("Memory {}: {}", bytes_step(now, request), many(case.features.oom_kills as u64, "OOM kill"))
            }
            Some(now) => format!("Memory {}", bytes_step(now, request)),
            None => format!("Memory request {}", bytes(request)),
        };
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Resource,
            title,
            description: description(case, request, limit),
            // Half a cure is not sure to end any of the kills.
            performance: if cure && size.cut.is_none() { availability_gain(case) } else { 0.0 },
            latency_ms: 0.0,
            confidence: demand.needs.confidence(limit),
            evidence: evidence(case, &size, &replay, limit),
            risks: risks(case, size.cut.as_ref().filter(|_| cure), request, limit),
            replays: vec![replay],
            recommended,
            freed_replicas: None,
            cure,
        }))
    }
}

/// How memory grows, in words: a leak, or a heap that is collected.
fn growth(case: &Case) -> Option<String> {
    match (&case.features.leak, &case.features.heap) {
        (Some(leak), Some(_)) => Some(format!("what collections leave grows by {} a day, which looks like a leak", bytes(leak.per_day))),
        (Some(leak), None) => Some(format!("grows by {} a day between restarts, which looks like a leak", bytes(leak.per_day))),
        (None, Some(heap)) => {
            let times = many(u64::from(heap.collections), "time");
            Some(format!("a heap that was collected {times} at about {}; what collections leave does not grow", bytes(heap.ceiling)))
        }
        (None, None) => None,
    }
}

/// Requests that fail around OOM kills and would not, percent: the mean error ratio of samples with a kill above the median of all, over the window.
fn availability_gain(case: &Case) -> f64 {
    let (Some(kills), Some(errors), Some(usual)) =
        (case.samples.get(&Metric::OomKills), case.samples.get(&Metric::ErrorRatio), case.profile(Metric::ErrorRatio))
    else {
        return 0.0;
    };
    let lost: f64 = kills.points().filter(|(_, k)| *k > 0.0).filter_map(|(t, _)| errors.at(t)).map(|e| (e - usual.p50).max(0.0)).sum();
    (100.0 * lost / errors.count.max(1) as f64).min(100.0)
}

fn description(case: &Case, request: f64, limit: f64) -> String {
    let margin = percent(case.input.policy.memory_margin);
    let lead = match case.memory_request() {
        Some(now) if request < now => format!("Lower the memory request from {} to {} per replica.", bytes(now), bytes(request)),
        Some(now) if request > now => format!("Raise the memory request from {} to {} per replica.", bytes(now), bytes(request)),
        Some(_) => "Keep the memory request.".to_owned(),
        None => format!("Set a memory request of {} per replica: none is set.", bytes(request)),
    };
    let capped = if case.state().memory_limit().is_some() { format!(" The limit becomes {}.", bytes(limit)) } else { String::new() };
    let why = if case.features.oom_kills > 0.0 {
        "A kill hides how much was wanted, so it goes a quarter beyond where it happened".to_owned()
    } else {
        format!("Learnt from its own days to be enough for every sample of a week to come; never less than its largest use plus {margin}")
    };
    format!("{lead}{capped} {why}.")
}

fn evidence(case: &Case, size: &Size, replay: &Replay, limit: f64) -> Vec<Evidence> {
    let mut lines = Vec::new();
    let f = &case.features;
    if let Some(p) = case.profile(Metric::MemoryWorkingSet) {
        match case.memory_request() {
            Some(now) => {
                lines.push(says(true, format!("the peak was {}, {} of the {} asked for", bytes(p.peak), percent(p.peak / now), bytes(now))))
            }
            None => lines.push(says(true, format!("the peak was {}, half of the time it was {} or less", bytes(p.peak), bytes(p.p50)))),
        }
    }
    if f.oom_kills > 0.0 {
        lines.push(says(true, format!("{} on {}", many(f.oom_kills as u64, "OOM kill"), many(u64::from(f.oom_days), "day"))));
    } else if case.samples.contains_key(&Metric::OomKills) {
        lines.push(says(true, "no OOM kill in the window"));
    }
    if let Some(row) = replay.rows.first() {
        let text = match row.breached_days {
            0 => format!("{} would have been enough on every day", bytes(limit)),
            n => format!("{} would have been passed on {}", bytes(limit), many(u64::from(n), "day")),
        };
        lines.push(says(row.breached_days == 0, text));
    }
    match (&f.leak, &f.heap) {
        (Some(leak), _) => lines.push(says(
            false,
            format!(
                "it grows by {} a day between {}: more memory postpones the next kill, it does not end the leak",
                bytes(leak.per_day),
                if f.heap.is_some() { "collections" } else { "restarts" }
            ),
        )),
        (None, Some(heap)) if heap.flat => lines.push(says(
            true,
            format!(
                "its heap is collected at {} every time: that is its own setting, so little room is needed beyond",
                bytes(heap.ceiling)
            ),
        )),
        _ => {}
    }
    lines.extend(size.cut.iter().map(|cut| says(false, &cut.why)));
    if let Some(demand) = &case.memory {
        lines.push(case.walk_evidence(demand));
    }
    lines.push(case.data_evidence());
    lines
}

/// `cut`: what a cure should have been.
fn risks(case: &Case, cut: Option<&Cut>, request: f64, limit: f64) -> Risks {
    let mut risks = Risks::default();
    if let Some(cut) = cut {
        let text = format!("covers {} of the {} wanted: it may fill that, too", bytes(request), bytes(cut.wanted));
        risks.add(RiskKind::Shortage, Risk::High, text);
    }
    let Some(p) = case.profile(Metric::MemoryWorkingSet) else { return risks };
    if let Some(now) = case.memory_request().filter(|now| request < *now) {
        risks.cut("memory", 1.0 - request / now);
        if p.trend_per_day * LEAK_DAYS > 0.5 * (limit - p.peak) {
            risks.add(RiskKind::Shortage, Risk::Medium, format!("use grows by {} a day towards the new limit", bytes(p.trend_per_day)));
        }
    }
    if limit < p.peak {
        risks.add(RiskKind::Shortage, Risk::High, format!("the peak of {} is above the new limit", bytes(p.peak)));
    }
    if case.features.leak.is_some() {
        risks.add(RiskKind::Shortage, Risk::Medium, "it leaks, so the size will not last");
    }
    risks.restart(case.state().replicas);
    risks
}
