//! `headroom analyze`: the engine on a file, without a server.

use crate::Failure;
use clap::Args;
use headroom_engine::prices::PriceBook;
use headroom_engine::rightsize::Fleet;
use headroom_engine::{Analysis, DaySketch, Input, Reason, analyze_fleet};
use headroom_infra::import::read_usage_csv;
use headroom_model::policy::Policy;
use headroom_model::recommendation::Proposal;
use headroom_model::series::ServiceHistory;
use headroom_model::service::Service;
use headroom_model::time::{DAY, Timestamp};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// `headroom analyze`
#[derive(Debug, Args)]
pub struct Analyze {
    /// The file, plain or gzip; `-` reads standard input
    pub file: PathBuf,
    /// Policy rules (TOML, the keys of the settings page); defaults without
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// Analyses every service of a file and writes JSON.
///
/// # Errors
/// [`Failure::BadInput`] names file, row and fault.
pub fn run(arguments: &Analyze, out: &mut impl Write) -> Result<(), Failure> {
    let policy = policy(arguments.policy.as_deref())?;
    let imported = read_usage_csv(&arguments.file)?;
    let prices = PriceBook::on_prem_default();
    let windows: Vec<(&Service, Vec<DaySketch>, Timestamp)> =
        imported.services.iter().map(|s| window(&s.service, &s.history, &policy)).collect();
    let fleet = Fleet::of(windows.iter().map(|w| w.1.as_slice()));
    let inputs: Vec<Input<'_>> = windows
        .iter()
        .map(|(service, days, now)| Input {
            service,
            days,
            policy: &policy,
            prices: &prices,
            types: &[],
            now: *now,
            fleet,
            records: None,
            room: None,
        })
        .collect();
    let analyses = analyze_fleet(&inputs);
    let services: Vec<Value> = windows.iter().zip(&analyses).map(|((service, _, now), analysis)| answer(service, *now, analysis)).collect();
    crate::tell_notes(&arguments.file, &imported);
    crate::write_json(out, &json!({ "prices": prices.source, "services": services }))
}

/// A service's own newest samples: files hold services that ended at different times.
fn window<'a>(service: &'a Service, history: &ServiceHistory, policy: &Policy) -> (&'a Service, Vec<DaySketch>, Timestamp) {
    let end = history.metrics.values().map(headroom_model::series::Series::end).max().unwrap_or_default();
    (service, DaySketch::of(&history.slice(end - policy.analysis_window.secs(), end)), Timestamp::from_secs(end))
}

fn answer(service: &Service, now: Timestamp, analysis: &Analysis) -> Value {
    let reason = analysis.reason.as_ref().map(|reason| match reason {
        Reason::NoAction(why) => json!({ "kind": "NO_ACTION", "text": why }),
        Reason::InsufficientData(why) => json!({ "kind": "INSUFFICIENT_DATA", "text": why }),
    });
    json!({
        "service": service.key.name, "cluster": service.key.cluster, "namespace": service.key.namespace, "until": now,
        "verdict": analysis.verdict, "cost_month": analysis.cost_month.map(|m| m.units()),
        "features": analysis.features, "findings": analysis.findings,
        "recommendations": analysis.proposals.iter().map(|p| recommendation(service, now, p)).collect::<Vec<_>>(),
        "reason": reason,
    })
}

fn recommendation(service: &Service, now: Timestamp, proposal: &Proposal) -> Value {
    json!({
        "optimization_type": proposal.optimization_type, "strategy": proposal.strategy, "title": proposal.title,
        "description": proposal.description, "current_state": service.state.api_view(),
        "recommended_state": proposal.recommended.api_view(), "expected_improvement": proposal.expected,
        "confidence_drivers": proposal.confidence_drivers,
        "saving_month": proposal.saving_month.map(|m| m.units()), "risk": proposal.risk, "priority": proposal.priority,
        "evidence": proposal.evidence, "replays": proposal.replays, "bars": proposal.bars, "schedule": proposal.schedule,
        "schedule_for_keda": proposal.schedule.as_ref().map(|s| s.keda(&service.key, now.secs().div_euclid(DAY))),
    })
}

/// Reads a policy file; the keys it does not set have their defaults.
fn policy(file: Option<&Path>) -> Result<Policy, Failure> {
    let Some(file) = file else { return Ok(Policy::default()) };
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| Failure::BadInput(format!("{name}: cannot be read: {e}")))?;
    let policy: Policy = toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(1, |s| 1 + text[..s.start].matches('\n').count());
        Failure::BadInput(format!("{name}:{line}: {}", e.message().replace('\n', ", ")))
    })?;
    policy.check().map_err(|e| {
        let line = text.lines().position(|l| l.trim_start().starts_with(&e.key)).map_or(1, |i| i + 1);
        Failure::BadInput(format!("{name}:{line}: {e}"))
    })?;
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("p.toml");
        std::fs::write(&file, text).unwrap();
        let fault = policy(Some(&file)).unwrap_err();
        assert!(matches!(fault, Failure::BadInput(_)));
        fault.to_string().replace(&format!("{}", file.display()), "p.toml")
    }

    #[test]
    fn a_bad_rule_is_named_with_its_line() {
        assert!(fault("min_data_points = 10\nconfidence = 1\n").starts_with("p.toml:2: unknown field `confidence`"));
        assert!(fault("\nconfidence_threshold = 7.0\n").starts_with("p.toml:2: confidence_threshold: 7 is not allowed"));
        assert!(fault("analysis_window = \"soon\"\n").starts_with("p.toml:1: "));
        assert!(fault("a = \n").starts_with("p.toml:1: "));
    }
}
