//! A verdict in one sentence.

use crate::words;
use headroom_model::effect::{Judgement, MetricEffect};
use headroom_model::metric::Metric;
use headroom_model::plan::FieldChange;
use headroom_model::policy::Policy;

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

pub(super) fn summary(judgement: Judgement, metrics: &[MetricEffect], samples: usize, changed: &[FieldChange], policy: &Policy) -> String {
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
