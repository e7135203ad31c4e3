//! Database work: where p95 is above a second and the database is a part of it, index the queries further.

use super::case::says;
use super::{Case, Draft, Strategy};
use crate::risk::Risks;
use crate::words::{millis, percent};
use headroom_model::job::OptimizationType;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, Proposal, Risk, RiskKind, Verdict};
use headroom_model::service::Parameter;

/// Tunes queries and indexes.
pub struct Database;

/// p95 above this is slow, milliseconds.
const SLOW: f64 = 1000.0;
/// What is assumed to remain of the database time at the full level, and at a partial one: less remains where queries scan whole tables.
/// Assumptions, said in the evidence.
const FULL: f64 = 0.5;
const PARTIAL: f64 = 0.75;
/// Levels of tuning, least first.
const LEVELS: [&str; 3] = ["none", "partial", "full"];

/// The level now and the next one that the service allows: all the way where the database takes most of the time.
fn next_level(case: &Case, share: f64) -> Option<(String, String)> {
    let Parameter::Choice { value, allowed } = case.parameter("db_index")? else { return None };
    let at = LEVELS.iter().position(|l| l == value)?;
    let mut further = LEVELS[at + 1..].iter().filter(|l| allowed.iter().any(|a| a == *l));
    let next = if share > 0.4 { further.next_back() } else { further.next() }?;
    Some((value.clone(), (*next).to_owned()))
}

/// Mean share of p95 that is database time.
fn share(case: &Case) -> Option<f64> {
    let (db, p95) = (case.profile(Metric::DatabaseTime)?, case.latency_p95()?);
    (p95.mean > 0.0).then(|| (db.mean / p95.mean).min(1.0))
}

impl Strategy for Database {
    fn name(&self) -> &'static str {
        "database"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.profile(Metric::DatabaseTime).is_some()
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let (Some(db), Some(p95), Some(share)) = (case.profile(Metric::DatabaseTime), case.latency_p95(), share(case)) else {
            return Vec::new();
        };
        let slow = p95.p95_decayed > SLOW && share > 0.2;
        let verdict = if slow { Verdict::Under } else { Verdict::Optimal };
        let text = format!("Database: {} of a request on average, against a p95 of {}", millis(db.mean), millis(p95.p50));
        vec![Finding { resource: "database".to_owned(), verdict, text, bottleneck: slow }]
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        let latency = case.latency_p95().filter(|p| p.p95_decayed > SLOW)?;
        let db = case.profile(Metric::DatabaseTime)?;
        let share = share(case).filter(|s| *s > 0.2)?;
        let (from, to) = next_level(case, share)?;
        let left = if to == "full" { FULL } else { PARTIAL };
        let gain = case.gain_of_part(case.samples.get(&Metric::DatabaseTime)?, left)?;
        let mut recommended = case.state().clone();
        if let Some(Parameter::Choice { value, .. }) = recommended.parameters.get_mut("db_index") {
            value.clone_from(&to);
        }
        let mut risks = Risks::default();
        risks.add(RiskKind::SideEffect, Risk::Medium, "more indexes make writes slower and take room");
        risks.restart(case.state().replicas);
        let then = (latency.p95_decayed - gain.ms).max(0.0);
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Performance,
            title: format!("Database index {from} → {to}: p95 {} → {}", millis(latency.p95_decayed), millis(then)),
            description: format!(
                "Index its queries further ({from} → {to}). The database takes {} of a request on average, {} of its p95.",
                millis(db.mean),
                percent(share)
            ),
            recommended,
            freed_replicas: None,
            performance: gain.percent,
            latency_ms: gain.ms,
            confidence: case.trust(&gain),
            evidence: vec![
                says(true, format!("p95 reaches {}, of which the database is {} on average", millis(latency.p95_decayed), millis(db.mean))),
                says(
                    2 * gain.kept >= gain.judged,
                    format!("the database was a tenth of p95 or more on {} of {} days", gain.kept, gain.judged),
                ),
                says(false, format!("that {} of its time remains is assumed: its history knows one level only", percent(left))),
                case.data_evidence(),
            ],
            replays: Vec::new(),
            risks,
            cure: false,
        }))
    }
}
