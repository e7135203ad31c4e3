//! `headroom judge`: what changed between two windows of the same services, and whether it is for the worse.

use crate::Failure;
use clap::Args;
use headroom_engine::judge::{self, Direction, Guards, direction};
use headroom_infra::import::{Imported, ImportedService, read_usage_csv};
use headroom_model::effect::{Effect, Judgement, MetricEffect};
use headroom_model::policy::Policy;
use headroom_model::series::ServiceHistory;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;

/// `headroom judge`
#[derive(Debug, Args)]
pub struct Judge {
    /// Samples before the change: a day is enough, more days tell more; plain or gzip, `-` reads standard input
    pub before: PathBuf,
    /// Samples since the change
    pub after: PathBuf,
    /// Change in percent that counts as worse
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    pub threshold: f64,
    /// The first file is a control group, the second a canary at the same time: what happens to both cancels. Per-replica metrics, or
    /// groups of equal size
    #[arg(long)]
    pub canary: bool,
}

/// Compares every service that is in both files and writes JSON; services that are in one only are listed as such.
///
/// # Errors
/// [`Failure::BadInput`] names file, row and fault, or says that no service is in both files.
pub fn run(arguments: &Judge, out: &mut impl Write) -> Result<(), Failure> {
    let policy = policy(arguments.threshold)?;
    let stdin = |p: &PathBuf| p.as_os_str() == "-";
    if stdin(&arguments.before) && stdin(&arguments.after) {
        return Err(Failure::BadInput("-: standard input can be only one of the two files".into()));
    }
    let (before, after) = (read_usage_csv(&arguments.before)?, read_usage_csv(&arguments.after)?);
    let pairs: Vec<(&ImportedService, &ImportedService)> = after.services.iter().filter_map(|a| Some((find(&before, a)?, a))).collect();
    if pairs.is_empty() {
        let name = arguments.after.display();
        return Err(Failure::BadInput(format!("{name}: none of its services is in {}", arguments.before.display())));
    }
    let compare = if arguments.canary { judge::canary } else { judge };
    let effects: Vec<Effect> = pairs.iter().map(|(b, a)| compare(&b.history, &a.history, &policy)).collect();
    let services: Vec<Value> = pairs.iter().zip(&effects).map(|((_, a), e)| service(a, e)).collect();
    let alone = |of: &Imported, other: &Imported| -> Vec<String> {
        of.services.iter().filter(|s| find(other, s).is_none()).map(|s| s.service.key.name.clone()).collect()
    };
    let all = json!({
        "verdict": overall(&effects),
        "threshold_percent": arguments.threshold,
        "services": services,
        "only_before": alone(&before, &after),
        "only_after": alone(&after, &before),
    });
    crate::tell_notes(&arguments.before, &before);
    crate::tell_notes(&arguments.after, &after);
    crate::write_json(out, &all)
}

/// What the command says of one service: every metric decides.
#[must_use]
pub fn judge(before: &ServiceHistory, after: &ServiceHistory, policy: &Policy) -> Effect {
    judge::judge(before, after, Guards::Every, &[], policy)
}

fn policy(threshold: f64) -> Result<Policy, Failure> {
    if !(0.1..=100.0).contains(&threshold) {
        return Err(Failure::BadInput(format!("--threshold {threshold}: must be from 0.1 to 100 percent")));
    }
    Ok(Policy { rollback_threshold: -threshold, ..Policy::default() })
}

fn find<'a>(of: &'a Imported, service: &ImportedService) -> Option<&'a ImportedService> {
    of.services.iter().find(|s| s.service.key == service.service.key)
}

/// The worst of all services; "inconclusive" only if nothing could be told of any.
fn overall(effects: &[Effect]) -> Judgement {
    let order = [Judgement::Worse, Judgement::Better, Judgement::Same];
    order.into_iter().find(|j| effects.iter().any(|e| e.judgement == *j)).unwrap_or(Judgement::Inconclusive)
}

fn service(of: &ImportedService, effect: &Effect) -> Value {
    let key = &of.service.key;
    // The one number of a service: of the metric that decided, or else of the one that moved most surely.
    let deciding = effect.metrics.iter().filter(|m| m.guard && m.judgement == effect.judgement);
    let leading = deciding.max_by(|a, b| sureness(a).total_cmp(&sureness(b)));
    json!({
        "service": key.name, "cluster": key.cluster, "namespace": key.namespace,
        "verdict": effect.judgement, "summary": effect.summary,
        "effect": leading.map(|m| json!({
            "metric": m.metric, "change_percent": m.change_percent, "lo95": m.lo95, "hi95": m.hi95,
        })),
        "samples": effect.samples, "from": effect.from, "to": effect.to,
        "metrics": effect.metrics.iter().map(metric).collect::<Vec<_>>(),
    })
}

/// How far from nothing, in half-widths of its interval.
fn sureness(m: &MetricEffect) -> f64 {
    m.change_percent.abs() / (m.hi95 - m.lo95).abs().max(1e-9)
}

fn metric(m: &MetricEffect) -> Value {
    let moved = if m.judgement == Judgement::Inconclusive {
        "unknown"
    } else if m.lo95 > 0.0 {
        "rose"
    } else if m.hi95 < 0.0 {
        "fell"
    } else {
        "held"
    };
    let worse_when = match direction(m.metric) {
        Direction::LessIsBetter => Some("rises"),
        Direction::FallIsWorse => Some("falls"),
        Direction::Neither => None,
    };
    json!({
        "metric": m.metric, "verdict": m.judgement, "moved": moved, "worse_when_it": worse_when,
        "before": m.before, "after": m.after, "change_percent": m.change_percent, "lo95": m.lo95, "hi95": m.hi95,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// A day of latency at five minutes, with a wave and some noise, beginning at an hour.
    fn day(dir: &std::path::Path, name: &str, service: &str, hour: i64, level: f64) -> PathBuf {
        let mut text = "time,service,metric,value\n".to_owned();
        for i in 0..288_i64 {
            let t = 1_700_006_400 + hour * 3600 + i * 300;
            let wave = 1.0 + 0.3 * (t as f64 / 86_400.0 * std::f64::consts::TAU).sin();
            let noise = 1.0 + 0.02 * ((i * 7919 + name.len() as i64 * 31) % 101) as f64 / 101.0;
            writeln!(text, "{t},{service},latency_p95_ms,{}", 40.0 * level * wave * noise).unwrap();
        }
        let file = dir.join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn ran(before: PathBuf, after: PathBuf, canary: bool) -> Result<Value, Failure> {
        let mut out = Vec::new();
        run(&Judge { before, after, threshold: 10.0, canary }, &mut out)?;
        Ok(serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn a_day_is_judged_against_the_one_before_or_a_canary_against_its_control() {
        let dir = tempfile::tempdir().unwrap();
        let (path, before) = (dir.path(), day(dir.path(), "before.csv", "a", 0, 1.0));
        let verdict = |after: PathBuf, canary| ran(before.clone(), after, canary).unwrap()["verdict"].as_str().unwrap().to_owned();
        assert_eq!(verdict(day(path, "after.csv", "a", 24, 1.3), false), "worse");
        assert_eq!(verdict(day(path, "same.csv", "a", 24, 1.0), false), "same");
        assert_eq!(verdict(day(path, "canary.csv", "a", 0, 1.3), true), "worse");
        assert_eq!(verdict(day(path, "fine.csv", "a", 0, 1.0), true), "same");
        assert_eq!(verdict(day(path, "later.csv", "a", 240, 1.0), true), "inconclusive", "a canary runs beside its control");
        let other = ran(before.clone(), day(path, "other.csv", "b", 24, 1.0), false).unwrap_err();
        assert!(other.to_string().contains("none of its services is in"), "{other}");
    }
}
