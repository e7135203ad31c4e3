//! The effect judge: after a change against the same service before, at like load and like hour.
//!
//! Every sample is compared with what the service's own past says it should have been ([`like`]); the centre of these residuals
//! over the window, less their centre over the day before, is the effect. How far that statistic moves when nothing was changed is measured, not
//! assumed: it is computed over all earlier windows of the same length (an A/A distribution), which carries autocorrelation, drift and odd
//! hours with it. A guard is worse when the effect is at least three quarters of the threshold of policy, beyond four robust standard
//! deviations of the A/A distribution, a quarter beyond its extreme, and beyond an absolute floor.

mod canary;
mod cells;
mod counts;
mod level;
mod like;
mod windows;

pub use canary::canary;
pub use windows::{Direction, between, direction};

use crate::features::clean;
use crate::samples::Samples;
use crate::stats;
use crate::words;
use headroom_model::effect::{Effect, Judgement, MetricEffect};
use headroom_model::metric::Metric;
use headroom_model::plan::FieldChange;
use headroom_model::policy::Policy;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::time::Timestamp;
use like::{Past, Scale};
use std::collections::BTreeMap;

/// The two windows of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Windows<'a> {
    /// Days before the change.
    pub before: &'a ServiceHistory,
    /// Since the change.
    pub after: &'a ServiceHistory,
}

/// Seconds after a change that are not judged: caches are cold, pods come up.
pub const WARM_UP: i64 = 600;
/// Effects from this share of the threshold on roll back: an estimate of a true 10 % lies on either side of it.
const FROM: f64 = 0.75;
/// Robust standard deviations of the A/A distribution that an effect must pass.
const SIGMAS: f64 = 4.0;
/// How far beyond the extremes of the A/A distribution, as a factor.
const BEYOND: f64 = 1.25;
/// Fewest A/A windows that make a distribution.
const FEW_WINDOWS: usize = 24;
/// A/A windows per length: how much they overlap.
const OVERLAP: i64 = 4;
/// Finest step that is compared; finer samples are merged.
const STEP: i64 = 300;

/// Metrics that can roll a change back, with scale and absolute floor in the metric's unit.
const GUARDS: [(Metric, Scale, f64); 4] = [
    (Metric::LatencyP95, Scale::Ratio(0.5), 1.0),
    (Metric::LatencyP99, Scale::Ratio(0.5), 1.0),
    (Metric::ErrorRatio, Scale::Difference, 0.005),
    (Metric::CpuThrottled, Scale::Difference, 0.02),
];
/// Metrics that are shown beside the guards.
const CONTEXT: [(Metric, Scale, f64); 4] = [
    (Metric::LatencyP50, Scale::Ratio(0.5), 1.0),
    (Metric::CpuUsage, Scale::Ratio(1e-3), 0.01),
    (Metric::MemoryWorkingSet, Scale::Ratio(1e6), 1e6),
    (Metric::RequestRate, Scale::Ratio(0.1), 0.5),
];

/// Judges a change. `achieved_month` is left for the caller, who knows the prices.
#[must_use]
pub fn judge(before: &ServiceHistory, after: &ServiceHistory, changed: &[FieldChange], policy: &Policy) -> Effect {
    let windows = Windows { before, after };
    let (before, after) = (coarse(windows.before), coarse(windows.after));
    let raw = clean(windows.after);
    let samples = raw.values().map(|s| s.count).max().unwrap_or(0);
    let from = raw.values().filter_map(|s| s.points().next()).map(|p| p.0).min().unwrap_or(0);
    let to = raw.values().filter_map(|s| s.points().last().map(|p| p.0 + s.step)).max().unwrap_or(from);
    let mut metrics = Vec::new();
    for (list, guard) in [(&GUARDS, true), (&CONTEXT, false)] {
        for (metric, scale, floor) in list {
            let rule = Rule { metric: *metric, scale: *scale, floor: *floor, guard, policy };
            metrics.extend(compare(&rule, &before, &after, from));
        }
    }
    for metric in [Metric::OomKills, Metric::Restarts] {
        metrics.extend(counts::compare(metric, &before, &after, from));
    }
    let judgement = conclude(&metrics, samples, policy);
    Effect {
        judgement,
        summary: summary(judgement, &metrics, samples, changed, policy),
        metrics,
        from: Timestamp::from_secs(from),
        to: Timestamp::from_secs(to),
        samples: u32::try_from(samples).unwrap_or(u32::MAX),
        achieved_month: None,
    }
}

/// How one metric is judged.
struct Rule<'p> {
    metric: Metric,
    scale: Scale,
    floor: f64,
    guard: bool,
    policy: &'p Policy,
}

/// Clean samples, steps finer than [`STEP`] merged by the rule of their metric.
fn coarse(history: &ServiceHistory) -> BTreeMap<Metric, Samples> {
    let merged = |m: Metric, s: Samples| {
        let n = usize::try_from(STEP / s.step).unwrap_or(1);
        if n < 2 {
            return Some(s);
        }
        let series = Series { start: s.start, step: s.step as u32, values: s.values };
        Samples::clean(&series.coarsen(n, m.aggregation()), m)
    };
    clean(history).into_iter().filter_map(|(m, s)| merged(m, s).map(|s| (m, s))).collect()
}

/// A residual with its time.
type Residual = (i64, f64);

fn residuals(past: &Past, values: &Samples, load: Option<&Samples>, scale: Scale, from: i64, causal: bool, until: i64) -> Vec<Residual> {
    values
        .points()
        .filter(|(t, _)| *t >= from)
        .filter_map(|(t, v)| {
            // Half a day apart from what it is compared with, so that an odd hour does not explain itself.
            let until = if causal { t - 12 * 3600 } else { until };
            let expected = past.expected(t, load.and_then(|l| l.at(t)), until)?;
            Some((t, scale.onto(v) - expected))
        })
        .collect()
}

/// The centre of residuals in `[from, to)`; `None` with fewer than `least`.
fn centre(rs: &[Residual], from: i64, to: i64, least: usize, scale: Scale) -> Option<f64> {
    let a = rs.partition_point(|r| r.0 < from);
    let b = rs.partition_point(|r| r.0 < to);
    let mut window: Vec<f64> = rs[a..b].iter().map(|r| r.1).collect();
    if window.len() < least.max(1) { None } else { scale.centre(&mut window) }
}

/// The bias of the day before: what the past already got wrong when the change came.
fn bias(rs: &[Residual], until: i64, step: i64, scale: Scale) -> f64 {
    let day = headroom_model::time::DAY;
    centre(rs, until - day, until, (day / step / 4) as usize, scale).unwrap_or(0.0)
}

/// The effect over earlier windows of the same length.
fn placebo(rs: &[Residual], length: i64, count: usize, step: i64, scale: Scale) -> Vec<f64> {
    let (Some(first), Some(last)) = (rs.first(), rs.last()) else { return Vec::new() };
    let stride = (length / OVERLAP).max(step);
    let mut out = Vec::new();
    // The first days have little past to be compared with: where there is a week, three of them only teach.
    let day = headroom_model::time::DAY;
    let mut at = first.0 + if last.0 - first.0 > 6 * day { 3 * day } else { day };
    while at + length <= last.0 + step {
        if let Some(c) = centre(rs, at, at + length, (count * 7 / 10).max(1), scale) {
            out.push(c - bias(rs, at, step, scale));
        }
        at += stride;
    }
    out
}

/// How far the statistic moves by itself.
struct Spread {
    /// Its centre.
    drift: f64,
    /// Its robust standard deviation.
    sd: f64,
    /// Its 2.5 % and 97.5 % quantiles.
    inner: (f64, f64),
    /// Its extremes.
    outer: (f64, f64),
}

fn spread(placebo: &mut [f64], residuals: &[Residual]) -> Spread {
    if placebo.len() >= FEW_WINDOWS {
        let at = |q: f64, v: &mut [f64]| stats::quantile(v, q).unwrap_or(0.0);
        return Spread {
            drift: at(0.5, placebo),
            sd: stats::robust_sd(placebo).unwrap_or(0.0),
            inner: (at(0.025, placebo), at(0.975, placebo)),
            outer: (at(0.0, placebo), at(1.0, placebo)),
        };
    }
    // Too little past for A/A windows: the standard error of the residuals with an effective sample size, with a third for not knowing better.
    let rs: Vec<f64> = residuals.iter().map(|r| r.1).collect();
    let rho = stats::lag1(&rs).max(0.0);
    let n = rs.len().max(1) as f64;
    let mean = rs.iter().sum::<f64>() / n;
    let sd = (rs.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n).sqrt();
    let error = 1.33 * sd * ((1.0 + rho) / (1.0 - rho) / n).sqrt();
    Spread { drift: 0.0, sd: error, inner: (-1.96 * error, 1.96 * error), outer: (-2.0 * error, 2.0 * error) }
}

fn compare(rule: &Rule, before: &BTreeMap<Metric, Samples>, after: &BTreeMap<Metric, Samples>, start: i64) -> Option<MetricEffect> {
    let (old, new) = (before.get(&rule.metric)?, after.get(&rule.metric)?);
    let load = |m: &BTreeMap<Metric, Samples>| m.get(&Metric::RequestRate).filter(|_| rule.metric != Metric::RequestRate).cloned();
    let (old_load, new_load) = (load(before), load(after));
    let (old_load, new_load) = if old_load.is_some() && new_load.is_some() { (old_load, new_load) } else { (None, None) };
    let past = Past::new(old, old_load.as_ref(), rule.scale);
    let step = new.step.max(old.step);
    let now = residuals(&past, new, new_load.as_ref(), rule.scale, start + WARM_UP, false, start);
    let least = (rule.policy.observation_min_samples as usize).min(new.count) / 2;
    let usual = typical(old);
    if now.len() < least.max(3) {
        return Some(MetricEffect { guard: rule.guard, ..unknown(rule.metric, usual, new) });
    }
    // Metrics that only give context need no A/A windows.
    let history = if rule.guard { residuals(&past, old, old_load.as_ref(), rule.scale, i64::MIN, true, 0) } else { Vec::new() };
    let (from, to) = (now[0].0, now[now.len() - 1].0 + step);
    let raw = centre(&now, from, to, 1, rule.scale)?;
    let effect = raw - bias(&history, start, step, rule.scale);
    let mut nulls = placebo(&history, to - from, now.len(), step, rule.scale);
    let spread = spread(&mut nulls, &now);
    let expected: Vec<f64> = now.iter().filter_map(|(t, r)| Some(rule.scale.onto(new.at(*t)?) - r)).collect();
    Some(verdict(rule, &Measured { effect, spread, expected, usual }))
}

fn typical(s: &Samples) -> f64 {
    stats::median(&mut s.present().collect::<Vec<_>>()).unwrap_or(0.0)
}

fn unknown(metric: Metric, usual: f64, new: &Samples) -> MetricEffect {
    MetricEffect {
        metric,
        before: usual,
        after: typical(new),
        change_percent: 0.0,
        lo95: -100.0,
        hi95: 100.0,
        guard: false,
        judgement: Judgement::Inconclusive,
    }
}

/// An effect on the scale of comparison, how far it moves by itself, what was expected sample by sample, and what is usual.
struct Measured {
    effect: f64,
    spread: Spread,
    expected: Vec<f64>,
    usual: f64,
}

fn verdict(rule: &Rule, m: &Measured) -> MetricEffect {
    let threshold = -rule.policy.rollback_threshold / 100.0;
    let mut expected = m.expected.clone();
    let centre = rule.scale.centre(&mut expected).unwrap_or(rule.scale.onto(m.usual));
    let before = match rule.scale {
        Scale::Ratio(floor) => (centre.exp() - floor).max(0.0),
        Scale::Difference => centre.max(0.0),
    };
    // Size of an effect on the scale as a share of what was before, and in the metric's unit.
    let share = |e: f64| match rule.scale {
        Scale::Ratio(_) => e.clamp(-20.0, 20.0).exp_m1(),
        Scale::Difference => e / before.max(rule.floor),
    };
    let amount = match rule.scale {
        Scale::Ratio(floor) => (before + floor) * share(m.effect),
        Scale::Difference => m.effect,
    };
    let by_itself = &m.spread;
    let own = m.effect - by_itself.drift;
    let (lo, hi) = (share(m.effect - by_itself.inner.1.max(0.0)), share(m.effect - by_itself.inner.0.min(0.0)));
    let beyond = |extreme: f64| own.abs() > SIGMAS * by_itself.sd && m.effect.abs() > BEYOND * extreme.abs();
    let judgement = if share(m.effect) >= FROM * threshold && amount >= rule.floor && beyond(by_itself.outer.1) {
        Judgement::Worse
    } else if share(m.effect) <= -0.05 && amount <= -rule.floor && beyond(by_itself.outer.0) {
        Judgement::Better
    } else if amount.abs() >= rule.floor
        && share(m.effect + 1.64 * by_itself.sd) > threshold
        && amount + rule_unit(rule, before, by_itself.sd) > rule.floor
    {
        Judgement::Inconclusive
    } else {
        Judgement::Same
    };
    MetricEffect {
        metric: rule.metric,
        before,
        after: (before + amount).max(0.0),
        change_percent: 100.0 * share(m.effect),
        lo95: 100.0 * lo,
        hi95: 100.0 * hi,
        guard: rule.guard,
        judgement: if rule.guard { judgement } else { Judgement::Same },
    }
}

/// One standard deviation in the metric's unit.
fn rule_unit(rule: &Rule, before: f64, sd: f64) -> f64 {
    match rule.scale {
        Scale::Ratio(floor) => (before + floor) * sd,
        Scale::Difference => sd,
    }
}

fn conclude(metrics: &[MetricEffect], samples: usize, policy: &Policy) -> Judgement {
    let guards: Vec<&MetricEffect> = metrics.iter().filter(|m| m.guard).collect();
    if samples < policy.observation_min_samples as usize || guards.is_empty() {
        return Judgement::Inconclusive;
    }
    let any = |j: Judgement| guards.iter().any(|m| m.judgement == j);
    if any(Judgement::Worse) {
        return Judgement::Worse;
    }
    let latency: Vec<&&MetricEffect> = guards.iter().filter(|m| matches!(m.metric, Metric::LatencyP95 | Metric::LatencyP99)).collect();
    let told = |m: &&&MetricEffect| m.judgement != Judgement::Inconclusive;
    let conclusive = if latency.is_empty() { guards.iter().any(|m| told(&m)) } else { latency.iter().any(told) };
    if !conclusive {
        return Judgement::Inconclusive;
    }
    if metrics.iter().any(|m| m.judgement == Judgement::Better) { Judgement::Better } else { Judgement::Same }
}

fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::LatencyP50 => "median latency",
        Metric::LatencyP95 => "p95 latency",
        Metric::LatencyP99 => "p99 latency",
        Metric::ErrorRatio => "the error ratio",
        Metric::CpuThrottled => "throttling",
        Metric::OomKills => "OOM kills",
        Metric::Restarts => "restarts",
        other => other.name(),
    }
}

fn amount(metric: Metric, value: f64) -> String {
    match metric {
        Metric::LatencyP50 | Metric::LatencyP95 | Metric::LatencyP99 => words::millis(value),
        Metric::ErrorRatio | Metric::CpuThrottled => words::percent(value),
        _ => words::number(value, 1),
    }
}

fn moved(m: &MetricEffect) -> String {
    format!("{} went from {} to {}", name(m.metric), amount(m.metric, m.before), amount(m.metric, m.after))
}

fn summary(judgement: Judgement, metrics: &[MetricEffect], samples: usize, changed: &[FieldChange], policy: &Policy) -> String {
    let of = |j: Judgement| metrics.iter().filter(|m| m.judgement == j).map(moved).collect::<Vec<_>>().join("; ");
    let what = match changed {
        [] => "the change".to_owned(),
        [one] => one.field.clone(),
        many => format!("{} fields", many.len()),
    };
    let like = "at like load and like hour";
    match judgement {
        Judgement::Worse => format!("Worse after {what}: {} {like}", of(Judgement::Worse)),
        Judgement::Better => format!("Better after {what}: {} {like}", of(Judgement::Better)),
        Judgement::Same => format!("Guards held after {what}, and nothing moved {like}"),
        Judgement::Inconclusive if samples < policy.observation_min_samples as usize => {
            format!("Too few samples since the change: {samples} of {}", policy.observation_min_samples)
        }
        Judgement::Inconclusive if !metrics.iter().any(|m| m.guard) => "No guard metric is measured before and after the change".to_owned(),
        Judgement::Inconclusive => format!(
            "Not enough comparable samples, or too much noise, to rule out a change of {} %",
            words::number(-policy.rollback_threshold, 1)
        ),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_between;
