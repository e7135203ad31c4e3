//! What a joint choice is, in words.

use super::super::case::says;
use super::choice::{Choice, Need, View, floor};
use super::fleet::Count;
use crate::risk::Risks;
use crate::words::{bytes, bytes_step, cores_step, millis, of_cores, percent};
use headroom_model::recommendation::{Evidence, Finding, Replay, Risk, RiskKind, Verdict};

pub(super) fn finding(v: &View, verdict: Verdict) -> Finding {
    let (resource, text) = match (v.today.count, v.case.state().autoscaler) {
        (Count::Fixed(n), _) => (
            "replicas",
            format!(
                "Replicas: {n} ask for {} together, the busiest 1 % of the time needs {}",
                of_cores(v.today.cpu * f64::from(n)),
                of_cores(v.today.run.peak * f64::from(n))
            ),
        ),
        (Count::Scaled { min, max, .. }, a) => (
            "autoscaler",
            format!(
                "Autoscaler {min}–{max} at {} %: CPU at {} of the request at the 95th percentile, {} of the time at the maximum, {} at the minimum",
                a.map_or(0, |a| a.target_cpu_percent),
                percent(v.case.cpu_saturation().unwrap_or(0.0)),
                percent(v.at_max),
                percent(v.at_min)
            ),
        ),
    };
    let slow = match (v.need, v.objective) {
        (Some(Need::Slow), Some(objective)) => {
            let unreachable = if v.best.is_none() { "; more replicas alone would not reach it" } else { "" };
            format!("; p95 is {} in busy times, the objective is {}{unreachable}", millis(v.today.run.slowest), millis(objective))
        }
        _ => String::new(),
    };
    Finding { resource: resource.to_owned(), verdict, text: text + &slow, bottleneck: verdict == Verdict::Under }
}

pub(super) fn title(v: &View, c: &Choice) -> String {
    let mut parts = vec![match (v.case.state().autoscaler, c.state.autoscaler) {
        (Some(a), Some(b)) if a.min == b.min && a.target_cpu_percent == b.target_cpu_percent => {
            format!("Autoscaler maximum {} → {}", a.max, b.max)
        }
        (Some(a), Some(b)) if a.max == b.max && a.target_cpu_percent == b.target_cpu_percent => {
            format!("Autoscaler minimum {} → {}", a.min, b.min)
        }
        (Some(a), Some(b)) => {
            format!("Autoscaler {}–{} at {} % → {}–{} at {} %", a.min, a.max, a.target_cpu_percent, b.min, b.max, b.target_cpu_percent)
        }
        _ => format!("Replicas {} → {}", floor(v.today.count), floor(c.count)),
    }];
    parts.extend(steps(v, c));
    parts.join(", ")
}

/// How the requests of one replica change.
fn steps(v: &View, c: &Choice) -> Vec<String> {
    let cpu = ((c.cpu - v.today.cpu).abs() > 1e-9).then(|| format!("CPU {}", cores_step(v.today.cpu, c.cpu)));
    let memory = c
        .memory
        .zip(v.today.memory)
        .filter(|(new, old)| (new - old).abs() > 1.0)
        .map(|(new, old)| format!("memory {}", bytes_step(old, new)));
    cpu.into_iter().chain(memory).collect()
}

pub(super) fn description(v: &View, c: &Choice) -> String {
    let lead = match (c.count, v.need) {
        (Count::Fixed(n), _) => format!("Run {n} replicas instead of {}", floor(v.today.count)),
        (Count::Scaled { min, max, .. }, Some(_)) => {
            let target = c.state.autoscaler.map_or(0, |a| a.target_cpu_percent);
            format!("Let the autoscaler answer to the load: {min}–{max} replicas at {target} %")
        }
        (Count::Scaled { min, max, .. }, None) => {
            let target = c.state.autoscaler.map_or(0, |a| a.target_cpu_percent);
            format!("Let the autoscaler run {min}–{max} replicas at {target} %")
        }
    };
    let memory = c.memory.map(|m| format!(" and {}", bytes(m))).unwrap_or_default();
    let why = match (v.need, v.objective) {
        (Some(Need::Slow), Some(o)) => format!("the cheapest that keeps p95 at or below the objective of {} in busy times", millis(o)),
        (Some(_), _) => "so that its maximum is no bound and its target agrees with the request".to_owned(),
        (None, Some(o)) => format!("the cheapest that keeps p95 at or below {} in busy times and lets one replica fail", millis(o)),
        (None, None) => "the cheapest that lets one replica fail; latency is not measured here".to_owned(),
    };
    format!("{lead}, each with {}{memory}. Number and size are chosen together: {why}.", of_cores(c.cpu))
}

pub(super) fn evidence(v: &View, c: &Choice) -> Vec<Evidence> {
    let mut lines = vec![says(
        true,
        format!(
            "each replica would use {} at the 99th percentile, today {}; its ceiling is {}",
            of_cores(c.run.peak),
            of_cores(v.today.run.peak),
            of_cores(v.ceiling)
        ),
    )];
    if let Some(a) = v.case.state().autoscaler {
        lines.push(says(
            true,
            format!("it stood at its maximum of {} for {} of the time, at its minimum for {}", a.max, percent(v.at_max), percent(v.at_min)),
        ));
        lines.push(says(true, format!("on average {:.1} replicas would run, today's rules run {:.1}", c.run.mean, v.today.run.mean)));
    }
    match (&v.fleet.relation, v.objective) {
        (Some(r), Some(o)) => lines.push(says(
            c.run.slowest <= o,
            format!(
                "p95 in busy times goes from {} to {}, as its own samples relate it to load (which explains {} of its variance)",
                millis(v.today.run.slowest),
                millis(c.run.slowest),
                percent(r.fit)
            ),
        )),
        _ => lines.push(says(false, "latency is not measured: what more load per replica does to it is not known")),
    }
    if floor(c.count) >= 2 {
        lines.push(says(
            c.run.bereft < v.ceiling,
            format!("with one replica away the others use {} of their ceiling", percent(c.run.bereft / v.ceiling)),
        ));
    }
    if let Some(demand) = &v.case.cpu {
        lines.push(v.case.walk_evidence(demand));
    }
    lines.push(v.case.data_evidence());
    lines
}

pub(super) fn risks(v: &View, c: &Choice, replay: &Replay) -> Risks {
    let mut risks = Risks::default();
    let (now, then) = (v.today.run.mean, c.run.mean);
    if then < now {
        risks.cut("the number of replicas", 1.0 - then / now);
    }
    if floor(c.count) == 2 && floor(v.today.count) > 2 {
        risks.add(RiskKind::Shortage, Risk::Medium, "two replicas are left in quiet times: one can fail, not two");
    }
    let beyond = v.beyond(c);
    if beyond > 0.02 {
        let level = if beyond > 0.25 { Risk::Medium } else { Risk::Low };
        risks.add(
            RiskKind::Shortage,
            level,
            format!("it uses {} of each replica's ceiling that its history has not shown", percent(beyond)),
        );
    }
    if v.need.is_some() {
        risks.add(RiskKind::SideEffect, Risk::Low, "more replicas only where the load asks for them");
    } else if let Some(r) = replay.rows.first() {
        risks.throttled(r.breached, r.worst_day, v.case.input.policy.max_throttled_ratio);
    }
    if c.state.containers != v.today.state.containers {
        risks.restart(v.case.state().replicas);
    }
    if v.case.input.room.is_none() {
        risks.add(
            RiskKind::Room,
            Risk::Low,
            "quota, LimitRange and node sizes are not known here: the dry run before applying asks the cluster",
        );
    }
    risks
}
