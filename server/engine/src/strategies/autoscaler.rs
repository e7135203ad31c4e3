//! Autoscalers: more room at the top where CPU or memory passes 80 % of the request, a lower floor where it idles.

use super::case::says;
use super::cpu::SATURATED;
use super::{Case, Draft, Strategy};
use crate::risk::Risks;
use crate::words::{number, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, Proposal, Risk, Verdict};
use headroom_model::service::Autoscaler as Scaler;

/// Tunes target and bounds of the horizontal autoscaler.
pub struct Autoscaler;

/// Share of the time at the maximum beyond which it is a bound.
const PINNED: f64 = 0.02;

struct View {
    now: Scaler,
    wanted: Scaler,
    verdict: Verdict,
    /// 95th percentile of CPU and of memory over the request.
    cpu: f64,
    memory: f64,
    /// Share of samples at the maximum and at the minimum.
    at_max: f64,
    at_min: f64,
}

fn view(case: &Case) -> Option<View> {
    let now = case.state().autoscaler?;
    let cpu = case.cpu_saturation()?;
    let memory = case.memory_saturation().unwrap_or(0.0);
    let replicas = case.samples.get(&Metric::Replicas)?;
    let share = |is: &dyn Fn(f64) -> bool| replicas.present().filter(|r| is(*r)).count() as f64 / replicas.count.max(1) as f64;
    let at_max = share(&|r| r >= f64::from(now.max) - 0.01);
    let at_min = share(&|r| r <= f64::from(now.min) + 0.01);
    let total = case.total_cpu()?;
    let mut cores: Vec<f64> = total.present().collect();
    let quiet = crate::stats::quantile(&mut cores, 0.1)?;
    let busy = crate::stats::quantile(&mut cores, 0.99)?;
    let per_replica = case.cpu_request()? * f64::from(now.target_cpu_percent) / 100.0;
    let mut wanted = now;
    let verdict = if cpu > SATURATED || memory > SATURATED {
        if at_max > PINNED {
            let needed = (busy / per_replica * 1.2).ceil().clamp(0.0, 10_000.0) as u32;
            wanted.max = needed.max(now.max + 1);
        } else if cpu > SATURATED && now.target_cpu_percent > 70 {
            wanted.target_cpu_percent = 70;
        }
        Verdict::Under
    } else {
        // The quietest tenth of the time tells how few would do; never fewer than two where there are two.
        let enough = (quiet / per_replica).ceil().max(f64::from(now.min.min(2))) as u32;
        if at_min > 0.1 && enough < now.min {
            wanted.min = enough;
            Verdict::Over
        } else {
            Verdict::Optimal
        }
    };
    Some(View { now, wanted, verdict, cpu, memory, at_max, at_min })
}

/// Replicas that a lower floor frees, mean over the window: those above what the load then asks for, while it stood on the floor.
fn freed(case: &Case, v: &View, per_replica: f64) -> Option<f64> {
    let (cpu, replicas) = (case.total_cpu()?, case.samples.get(&Metric::Replicas)?);
    let (floor, wanted) = (f64::from(v.now.min), f64::from(v.wanted.min));
    let mut sum = 0.0;
    for (t, cores) in cpu.points() {
        if replicas.at(t).is_some_and(|r| r <= floor + 0.01) {
            sum += floor - (cores / per_replica).ceil().clamp(wanted, floor);
        }
    }
    Some(sum / cpu.count.max(1) as f64)
}

fn title(v: &View) -> String {
    if v.wanted.max != v.now.max {
        format!("Autoscaler maximum {} → {}", v.now.max, v.wanted.max)
    } else if v.wanted.min != v.now.min {
        format!("Autoscaler minimum {} → {}", v.now.min, v.wanted.min)
    } else {
        format!("Autoscaler target {} → {} %", v.now.target_cpu_percent, v.wanted.target_cpu_percent)
    }
}

impl Strategy for Autoscaler {
    fn name(&self) -> &'static str {
        "autoscaler"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.state().autoscaler.is_some()
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let Some(v) = view(case) else { return Vec::new() };
        let text = format!(
            "Autoscaler {}–{} at {} %: CPU at {} of the request at the 95th percentile, {} of the time at the maximum, {} at the minimum",
            v.now.min,
            v.now.max,
            v.now.target_cpu_percent,
            percent(v.cpu),
            percent(v.at_max),
            percent(v.at_min)
        );
        vec![Finding { resource: "autoscaler".to_owned(), verdict: v.verdict, text, bottleneck: v.verdict == Verdict::Under }]
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        let v = view(case).filter(|v| v.wanted != v.now)?;
        let mut recommended = case.state().clone();
        recommended.autoscaler = Some(v.wanted);
        let cure = v.verdict == Verdict::Under;
        let usage = case.samples.get(&Metric::CpuUsage)?;
        let target = case.cpu_request()? * f64::from(v.wanted.target_cpu_percent) / 100.0;
        let gain = cure.then(|| case.gain(usage, |x| x.min(target))).flatten();
        let freed = if cure { None } else { freed(case, &v, target) };
        let walk = &case.cpu.as_ref()?.walk;
        let kept = walk.days.iter().filter(|d| d.kept).count();
        let noise = case.profile(Metric::CpuUsage).map_or(0.0, |p| p.noise);
        let mut risks = Risks::default();
        if cure {
            risks.add(Risk::Low, "more replicas only while the load asks for them");
        } else {
            risks.cut("the minimum", 1.0 - f64::from(v.wanted.min) / f64::from(v.now.min.max(1)));
        }
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Scaling,
            title: title(&v),
            description: format!(
                "{}: from {}–{} replicas at {} % to {}–{} at {} %.",
                if cure { "Let the autoscaler answer to the load" } else { "Let the autoscaler go lower in quiet hours" },
                v.now.min,
                v.now.max,
                v.now.target_cpu_percent,
                v.wanted.min,
                v.wanted.max,
                v.wanted.target_cpu_percent
            ),
            recommended,
            freed_replicas: freed,
            performance: gain.map_or(0.0, |g| g.percent),
            latency_ms: gain.map_or(0.0, |g| g.ms),
            confidence: case.confidence(kept, walk.days.len(), noise, gain.map_or(1.0, |g| g.trust())),
            evidence: vec![
                says(true, format!("CPU is at {} of the request at the 95th percentile, memory at {}", percent(v.cpu), percent(v.memory))),
                says(
                    true,
                    format!("it stood at its maximum for {} of the time, at its minimum for {}", percent(v.at_max), percent(v.at_min)),
                ),
                says(true, format!("its target is {} %, {} replicas at most", v.now.target_cpu_percent, number(f64::from(v.now.max), 0))),
                case.data_evidence(),
            ],
            replays: Vec::new(),
            risks,
            cure,
        }))
    }
}
