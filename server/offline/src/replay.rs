//! `headroom replay`: what a method of right-sizing would have held, decided once a day from what came before.

use crate::Failure;
use clap::{Args, ValueEnum};
use headroom_engine::rightsize::claims::{Candidate, Claim, claims};
use headroom_engine::rightsize::{Held, Method, Resource, Usage, replay};
use headroom_infra::import::{Imported, ImportedService, read_usage_csv};
use headroom_model::metric::Metric;
use headroom_model::policy::Policy;
use headroom_model::time::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

/// `headroom replay`
#[derive(Debug, Args)]
pub struct Replay {
    /// The file, plain or gzip; `-` reads standard input
    pub file: PathBuf,
    /// What decides
    #[arg(long, value_enum, default_value = "headroom")]
    pub policy: Decider,
    /// Write the recommendations that Headroom would have made, each with what it promised, how sure it was and whether it was right
    #[arg(long)]
    pub claims: bool,
}

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Decider {
    /// Headroom's own learners
    Headroom,
    /// Kubernetes VPA 1.7
    Vpa,
    /// Robusta KRR
    Krr,
    /// Google Autopilot's window recommender
    Autopilot,
    /// In the style of AWS Compute Optimizer
    Aws,
}

impl From<Decider> for Method {
    fn from(decider: Decider) -> Self {
        match decider {
            Decider::Headroom => Self::Headroom,
            Decider::Vpa => Self::Vpa,
            Decider::Krr => Self::Krr,
            Decider::Autopilot => Self::Autopilot,
            Decider::Aws => Self::Aws,
        }
    }
}

/// Replays every CPU and memory series of a file and writes JSON lines: service, metric, from, to, value; with `--claims` service, metric,
/// at, current, value, promised (the saving, a share of current), confidence, success (null where nothing was measured afterwards).
///
/// # Errors
/// [`Failure::BadInput`] names file, row and fault.
pub fn run(arguments: &Replay, out: &mut impl Write) -> Result<(), Failure> {
    let file = arguments.file.display();
    if arguments.claims && !matches!(arguments.policy, Decider::Headroom) {
        return Err(Failure::BadInput(format!("{file}: --claims are Headroom's own: leave --policy out")));
    }
    let imported = read_usage_csv(&arguments.file)?;
    let mut text = String::new();
    let mut silent = 0;
    for metric in metrics(&imported) {
        if arguments.claims {
            claim(&imported, metric).iter().for_each(|(service, c)| text.push_str(&claim_line(service, metric, c)));
        } else {
            for (service, held) in hold(&imported, metric, arguments.policy.into()) {
                silent += usize::from(held.is_empty());
                held.iter().for_each(|h| text.push_str(&line(service, metric, h)));
            }
        }
    }
    if text.is_empty() && !arguments.claims {
        return Err(Failure::BadInput(format!(
            "{file}: line 1: no series of CPU or memory has samples on two days: there is nothing to learn from before a day begins"
        )));
    }
    crate::tell_notes(&arguments.file, &imported);
    if text.is_empty() {
        eprintln!("{file}: no recommendation would have been made: it takes more than three days, and a change that is worth it");
    } else if silent > 0 {
        eprintln!("{file}: {silent} series of CPU or memory have no line: there was nothing to learn from before their days began");
    }
    crate::write(out, &text)
}

/// The recommendations that would have been made for the services of a file that have a metric, under the default policy.
#[must_use]
pub fn claim(imported: &Imported, metric: Metric) -> Vec<(&ImportedService, Claim)> {
    let asked: &[Metric] = match Resource::of(metric) {
        _ if matches!(metric, Metric::CpuUtilization | Metric::MemoryUtilization) => &[],
        Some(Resource::Cpu) => &[Metric::CpuRequest],
        _ => &[Metric::MemoryLimit, Metric::MemoryRequest],
    };
    let services: Vec<&ImportedService> = imported.services.iter().filter(|s| s.history.get(metric).is_some()).collect();
    let workloads: Vec<Option<String>> = services.iter().map(|s| workload(s)).collect();
    let candidates: Vec<Candidate<'_>> = services
        .iter()
        .zip(&workloads)
        .filter_map(|(s, w)| {
            let usage = Usage { workload: w.as_deref(), series: s.history.get(metric)? };
            Some(Candidate { usage, asked: asked.iter().find_map(|m| s.history.get(*m)) })
        })
        .collect();
    claims(metric, &candidates, &Policy::default()).into_iter().map(|c| (services[c.service], c)).collect()
}

/// What a method would have held for the services of a file that have a metric.
#[must_use]
pub fn hold(imported: &Imported, metric: Metric, method: Method) -> Vec<(&ImportedService, Vec<Held>)> {
    let of = |s: &&ImportedService| s.history.get(metric).is_some();
    let services: Vec<&ImportedService> = imported.services.iter().filter(of).collect();
    let workloads: Vec<Option<String>> = services.iter().map(|s| workload(s)).collect();
    let usage: Vec<Usage<'_>> = services
        .iter()
        .zip(&workloads)
        .filter_map(|(s, w)| Some(Usage { workload: w.as_deref(), series: s.history.get(metric)? }))
        .collect();
    services.iter().copied().zip(replay(metric, &usage, method)).collect()
}

/// The workload of a service, in its own cluster and namespace.
fn workload(service: &ImportedService) -> Option<String> {
    let (key, labels) = (&service.service.key, &service.service.labels);
    labels.get("workload").map(|w| format!("{}:{}:{w}", key.cluster, key.namespace))
}

/// The metrics of a file that are right-sized.
fn metrics(imported: &Imported) -> BTreeSet<Metric> {
    let all = imported.services.iter().flat_map(|s| s.history.metrics.keys().copied());
    all.filter(|m| Resource::of(*m).is_some()).collect()
}

fn line(service: &ImportedService, metric: Metric, held: &Held) -> String {
    let (from, to) = (Timestamp::from_secs(held.from), Timestamp::from_secs(held.to));
    let line = json!({ "service": service.service.key.name, "metric": metric, "from": from, "to": to, "value": held.value });
    line.to_string() + "\n"
}

fn claim_line(service: &ImportedService, metric: Metric, claim: &Claim) -> String {
    let at = Timestamp::from_secs(claim.at);
    let line = json!({
        "service": service.service.key.name, "metric": metric, "at": at, "current": claim.current, "value": claim.value,
        "promised": claim.promised, "confidence": claim.confidence.value, "success": claim.success,
    });
    line.to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn file(dir: &Path, rows: impl Iterator<Item = String>) -> PathBuf {
        let file = dir.join("u.csv");
        let text: String = std::iter::once("time,service,metric,value,workload\n".to_owned()).chain(rows).collect();
        std::fs::write(&file, text).unwrap();
        file
    }

    #[test]
    fn each_day_after_the_first_is_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let row = |i: i64| {
            let second = 1_700_006_400 + i * 3600;
            format!("{second},a,cpu_usage_cores,2,w\n{second},a,memory_working_set_bytes,1e9,w\n{second},a,request_rate,5,w\n")
        };
        let file = file(dir.path(), (0..72).map(row));
        for policy in Decider::value_variants() {
            let mut out = Vec::new();
            run(&Replay { file: file.clone(), policy: *policy, claims: false }, &mut out).unwrap();
            let lines: Vec<serde_json::Value> = String::from_utf8(out).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
            assert_eq!(lines.len(), 4, "{policy:?}");
            assert_eq!(lines[0]["service"], "a");
            assert_eq!(lines[0]["metric"], "cpu_usage_cores");
            assert_eq!((lines[0]["from"].as_str(), lines[0]["to"].as_str()), (Some("2023-11-16T00:00:00Z"), Some("2023-11-17T00:00:00Z")));
            assert!(lines[0]["value"].as_f64().unwrap() >= 2.0);
            assert_eq!(lines[2]["metric"], "memory_working_set_bytes");
        }
    }

    #[test]
    fn a_file_of_one_day_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path(), (0..5).map(|i| format!("{},a,cpu_usage_cores,2,w\n", 1_700_006_400 + i * 300)));
        let fault = run(&Replay { file, policy: Decider::Vpa, claims: false }, &mut Vec::new()).unwrap_err();
        assert!(matches!(fault, Failure::BadInput(_)) && fault.to_string().contains("two days"));
    }
}
