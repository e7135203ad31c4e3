//! CPU right-sizing: what was learnt from its days, as sure as its record makes it, never less than policy's percentile and margin.

use super::case::says;
use super::resize::round_cores;
use super::{Case, Cut, Demand, Draft, Strategy, scale_cpu};
use crate::rightsize::confidence::Confidence;
use crate::rightsize::whole;
use crate::risk::Risks;
use crate::words::{self, cores_step, of_cores, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Evidence, Finding, Proposal, Replay, ReplayRow, Risk, RiskKind, Verdict};
use headroom_model::service::ResourceState;

/// Right-sizes CPU requests and limits.
pub struct Cpu;

/// Use above this share of the request may be saturation.
pub(crate) const SATURATED: f64 = 0.8;
/// An autoscaler's target is not raised above this, percent.
const HIGHEST_TARGET: f64 = 80.0;

/// What CPU should become.
struct Size {
    verdict: Verdict,
    total: f64,
    target_percent: Option<u32>,
    /// What it should be, where the cluster has no room for that.
    cut: Option<Cut>,
}

/// What a cure brings that is less than what is wanted.
struct Relief {
    /// The share of what is lacking today that would still be lacking, on the worst of its days.
    left: f64,
    /// Days on which anything is lacking today.
    days: usize,
}

fn size(case: &Case) -> Option<Size> {
    let demand = case.cpu.as_ref()?;
    let share = demand.metric == Metric::CpuUtilization;
    let wanted = demand.value.map(|v| if share { ((v * 100.0).ceil() / 100.0).min(1.0) } else { round_cores(v) })?;
    let Some(now) = case.cpu_request().filter(|_| !share) else {
        return Some(Size { verdict: Verdict::NoRequest, total: wanted, target_percent: None, cut: None });
    };
    let near = case.input.policy.recommendation_threshold / 100.0;
    let within = |total: f64| case.within(now, total, round_cores, |total| scale_cpu(case.state(), &case.input.service.key.name, total));
    if case.is_throttled() || (case.is_saturated() && wanted > now * (1.0 + near)) {
        let raised = if wanted > now { wanted } else { round_cores(now * 1.1) };
        let (total, cut) = within(raised);
        return Some(Size { verdict: Verdict::Under, total, target_percent: None, cut });
    }
    // An autoscaler works on the share of the request in use: the target moves with the request, so that replicas stay as they are.
    let target = case.state().autoscaler.map(|a| f64::from(a.target_cpu_percent));
    let (total, cut) = within(target.map_or(wanted, |t| wanted.max(round_cores(now * (t / HIGHEST_TARGET).min(1.0)))));
    let verdict = if total < now * (1.0 - near) { Verdict::Over } else { Verdict::Optimal };
    let target_percent = target.filter(|_| verdict == Verdict::Over).map(|t| (t * now / total).round().clamp(1.0, 100.0) as u32);
    Some(Size { verdict, total, target_percent, cut })
}

fn state_with(case: &Case, size: &Size) -> ResourceState {
    let mut next = scale_cpu(case.state(), &case.input.service.key.name, size.total);
    if let (Some(a), Some(target)) = (next.autoscaler.as_mut(), size.target_percent) {
        a.target_cpu_percent = target;
    }
    next
}

fn row(replay: &Replay) -> Option<&ReplayRow> {
    replay.rows.first()
}

impl Strategy for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.cpu.is_some()
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let (Some(size), Some((metric, p))) = (size(case), case.features.cpu()) else { return Vec::new() };
        let share = metric == Metric::CpuUtilization;
        let use_text = |v: f64| if share { format!("{} of the machine", percent(v)) } else { of_cores(v) };
        let text = match (size.verdict, case.cpu_request()) {
            (Verdict::Over, Some(now)) => format!("CPU: {} asked for, 99 % of the time {} or less is used", of_cores(now), of_cores(p.p99)),
            (Verdict::Under, Some(now)) if case.is_throttled() => {
                format!("CPU: throttled {} of the time at {} asked for", percent(case.throttled()), of_cores(now))
            }
            (Verdict::Under, Some(now)) => {
                format!("CPU: saturated, {} of {} in use at the 95th percentile", words::cores(p.p95_decayed), of_cores(now))
            }
            (Verdict::Optimal, Some(now)) => {
                format!("CPU: {} of {} in use at the 95th percentile", words::cores(p.p95_decayed), of_cores(now))
            }
            _ => format!("CPU: no request set; {} in use at the 95th percentile, {} at most", use_text(p.p95_decayed), use_text(p.peak)),
        };
        let text = match size.cut.filter(|_| size.verdict == Verdict::Under) {
            Some(cut) => format!("{text}; {}", cut.why),
            None => text,
        };
        vec![Finding { resource: "cpu".to_owned(), verdict: size.verdict, text, bottleneck: size.verdict == Verdict::Under }]
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        let demand = case.cpu.as_ref()?;
        let size = size(case).filter(|s| s.verdict != Verdict::Optimal)?;
        let recommended = state_with(case, &size);
        if recommended == *case.state() {
            return None;
        }
        let total = recommended.cpu_request()?.get();
        let replay = case.replay_cpu("headroom", Some(total))?;
        let relief = relief(case, demand, &size, total);
        let (performance, latency_ms, fit) = benefit(case, &size, total, &replay, relief.as_ref().map_or(0.0, |r| r.left));
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Resource,
            title: title(case, demand.metric, total),
            description: description(case, demand.metric, &size, total),
            performance,
            latency_ms,
            confidence:
                confidence(case, demand, relief.as_ref(), total).times(fit, "load and throttling explain only a part of its latency"),
            evidence: evidence(case, &size, relief.as_ref(), total, &replay),
            risks: risks(case, &size, total, &replay),
            replays: vec![replay],
            recommended,
            freed_replicas: None,
            cure: size.verdict == Verdict::Under,
        }))
    }
}

/// What a cure brings that there was no room for in full; `None` of any other proposal.
fn relief(case: &Case, demand: &Demand, size: &Size, total: f64) -> Option<Relief> {
    let now = case.cpu_request().filter(|_| case.is_throttled() && size.verdict == Verdict::Under && size.cut.is_some())?;
    let days = demand.days();
    let left = whole(&days).filter_map(|(_, day)| {
        let lacking = day.lacking(now);
        (lacking > 0.0).then(|| day.lacking(total) / lacking)
    });
    let (left, days) = left.fold((0.0f64, 0), |(worst, days), left| (worst.max(left), days + 1));
    (days > 0).then_some(Relief { left, days })
}

/// How sure a value is to be enough for a week; where it cannot be, that it brings the relief that is promised, as it did on all its days.
fn confidence(case: &Case, demand: &Demand, relief: Option<&Relief>, total: f64) -> Confidence {
    let noise = case.profile(demand.metric).map_or(0.0, |p| p.noise);
    relief.map_or_else(|| demand.needs.confidence(total), |r| case.confidence(r.days, r.days, noise, 1.0))
}

/// (performance gain in percent, lower p95 in ms, how well the relation behind it fits). `left`: the share of today's throttling that stays.
fn benefit(case: &Case, size: &Size, total: f64, replay: &Replay, left: f64) -> (f64, f64, f64) {
    match size.verdict {
        Verdict::Under => {
            let grows = case.cpu_request().map_or(1.0, |now| now / total);
            let by_throttling = case.samples.get(&Metric::CpuThrottled).and_then(|t| case.gain(t, |x| x * left));
            let by_use = || case.samples.get(&Metric::CpuUsage).and_then(|u| case.gain(u, |x| x * grows));
            let freed = 100.0 * case.throttled() * (1.0 - left);
            match by_throttling.or_else(by_use) {
                Some(g) => (g.percent.max(freed), g.ms, g.trust()),
                None => (freed, 0.0, 1.0),
            }
        }
        Verdict::Over => {
            // The price of a smaller request: the time it would have been short, and latency stretched by as much.
            let short = row(replay).map_or(0.0, |r| r.breached);
            (-100.0 * short, -short * case.latency_p95().map_or(0.0, |p| p.p50), 1.0)
        }
        _ => (0.0, 0.0, 1.0),
    }
}

fn title(case: &Case, metric: Metric, total: f64) -> String {
    match case.cpu_request() {
        _ if metric == Metric::CpuUtilization => format!("CPU request {} of the machine", percent(total)),
        Some(now) if case.is_throttled() => format!("CPU {}: throttled {}", cores_step(now, total), percent(case.throttled())),
        Some(now) => format!("CPU {}", cores_step(now, total)),
        None => format!("CPU request {}", of_cores(total)),
    }
}

fn description(case: &Case, metric: Metric, size: &Size, total: f64) -> String {
    let policy = case.input.policy;
    let rule = format!(
        "Learnt from its own days: with it, use is expected above the request for no longer than the {} that policy allows, and a peak that comes on most days is served, for a week to come; never less than the {}th percentile of recent use plus {}",
        percent(policy.max_throttled_ratio),
        words::number(policy.cpu_percentile, 1),
        percent(policy.cpu_margin)
    );
    let lead = match (size.verdict, case.cpu_request()) {
        (Verdict::Over, Some(now)) => {
            format!("Lower the CPU request from {} to {} per replica.", words::cores(now), of_cores(total))
        }
        (Verdict::Under, Some(now)) => format!("Raise the CPU request from {} to {} per replica.", words::cores(now), of_cores(total)),
        _ if metric == Metric::CpuUtilization => format!(
            "Ask for {} of the machine it was measured on. Its size is not known, so the value is in cores of a one-core machine: multiply by its cores.",
            percent(total)
        ),
        _ => format!("Set a CPU request of {} per replica: none is set.", of_cores(total)),
    };
    let scaler = match (case.state().autoscaler, size.target_percent) {
        (Some(a), Some(t)) => {
            format!(" The autoscaler's target goes from {} to {t} %, which keeps as many replicas at the same load.", a.target_cpu_percent)
        }
        _ => String::new(),
    };
    format!("{lead} {rule}.{scaler}")
}

fn evidence(case: &Case, size: &Size, relief: Option<&Relief>, total: f64, replay: &Replay) -> Vec<Evidence> {
    let Some(demand) = &case.cpu else { return Vec::new() };
    let Some(p) = case.profile(demand.metric) else { return Vec::new() };
    let share = demand.metric == Metric::CpuUtilization;
    let in_use = |v: f64| if share { percent(v) } else { of_cores(v) };
    let mut lines = Vec::new();
    match (size.verdict, case.cpu_request()) {
        (Verdict::Over, Some(now)) => lines.push(says(
            true,
            format!(
                "use stayed at or below {} for 99 % of the time and peaked at {}, while {} are asked for",
                in_use(p.p99),
                in_use(p.peak),
                words::cores(now)
            ),
        )),
        (Verdict::Under, Some(_)) if case.is_throttled() => {
            lines.push(says(
                true,
                format!(
                    "the CPU limit stopped it in {} of its time, policy allows {}",
                    percent(case.throttled()),
                    percent(case.input.policy.max_throttled_ratio)
                ),
            ));
        }
        (Verdict::Under, Some(now)) => lines
            .push(says(true, format!("{} of the {} it asks for are in use at the 95th percentile", in_use(p.p95_decayed), of_cores(now)))),
        _ => lines.push(says(true, format!("{} in use at the 95th percentile, {} at most", in_use(p.p95_decayed), in_use(p.peak)))),
    }
    if let Some(r) = row(replay) {
        lines.push(says(
            r.breached <= case.input.policy.max_throttled_ratio,
            format!(
                "at {} it would have been short in {} of samples, {} on its worst day{}",
                in_use(total),
                percent(r.breached),
                percent(r.worst_day),
                demand.shortage(total).unwrap_or_default()
            ),
        ));
    }
    if demand.start_up > total && !share {
        let limit = case.state().cpu_limit().map(|l| l.get());
        let served = limit.is_none_or(|l| l >= demand.start_up);
        let by = limit.map_or("what the node has left".to_owned(), |l| format!("the limit of {}", of_cores(l)));
        lines.push(says(served, format!("starting up took {}: that is for {by}, not for the request", of_cores(demand.start_up))));
    }
    lines.extend(relief.map(|r| {
        let left = percent(r.left);
        says(true, format!("of what it lacks today at most {left} would still be lacking on any of its days: that is what is promised, not that throttling ends"))
    }));
    lines.extend(size.cut.iter().map(|cut| says(false, &cut.why)));
    lines.push(case.walk_evidence(demand));
    lines.push(case.data_evidence());
    if p.weekly_season.max(p.daily_season) > 0.5 {
        let (shape, share) = if p.weekly_season > p.daily_season + 0.05 { ("week", p.weekly_season) } else { ("day", p.daily_season) };
        lines.push(says(true, format!("the shape of the {shape} explains {} of its variance", percent(share))));
    }
    if p.trend_per_day * 14.0 > 0.2 * p.mean {
        lines.push(says(false, format!("use grows by {} a day", percent(p.trend_per_day / p.mean.max(1e-9)))));
    }
    lines
}

fn risks(case: &Case, size: &Size, total: f64, replay: &Replay) -> Risks {
    let mut risks = Risks::default();
    if let Some(cut) = size.cut.as_ref().filter(|_| size.verdict == Verdict::Under) {
        let after = if case.is_throttled() { "throttling will go on" } else { "it will be near its request again" };
        risks.add(
            RiskKind::Shortage,
            Risk::High,
            format!("covers {} of the {} wanted: {after}", words::cores(total), of_cores(cut.wanted)),
        );
    }
    if let Some(now) = case.cpu_request().filter(|now| total < *now) {
        risks.cut("CPU", 1.0 - total / now);
    }
    if let Some(r) = row(replay) {
        risks.throttled(r.breached, r.worst_day, case.input.policy.max_throttled_ratio);
    }
    if case.cpu.as_ref().and_then(|d| case.profile(d.metric)).is_some_and(|p| p.noise > 0.5) {
        risks.add(RiskKind::Shortage, Risk::Medium, "its use is bursty: season explains little of it");
    }
    risks.restart(case.state().replicas);
    risks
}
