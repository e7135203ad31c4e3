//! Storage: how full the volume is and when it will be full. A volume can grow, not shrink.

use super::case::says;
use super::{Case, Draft, Strategy};
use crate::features::Volume;
use crate::risk::Risks;
use crate::words::{bytes, bytes_step, number, percent};
use headroom_model::job::OptimizationType;
use headroom_model::recommendation::{Finding, Proposal, Risk, Verdict};
use headroom_model::units::{Bytes, GIB};

/// Watches the persistent volume.
pub struct Storage;

/// Fuller than this, or full within [`SOON`] days, is too small.
const FULL: f64 = 0.85;
const SOON: f64 = 14.0;
/// Emptier than this is too large.
const EMPTY: f64 = 0.2;
/// A new size holds this many days of growth at this share.
const AHEAD: f64 = 30.0;
const COMFORTABLE: f64 = 0.7;

fn verdict(v: &Volume) -> Verdict {
    let used = v.used / v.capacity;
    if used > FULL || v.days_to_full.is_some_and(|d| d < SOON) {
        Verdict::Under
    } else if used < EMPTY && v.days_to_full.is_none_or(|d| d > 365.0) {
        Verdict::Over
    } else {
        Verdict::Optimal
    }
}

impl Strategy for Storage {
    fn name(&self) -> &'static str {
        "storage"
    }

    fn applies_to(&self, case: &Case) -> bool {
        case.features.volume.is_some()
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let Some(v) = &case.features.volume else { return Vec::new() };
        let full = match v.days_to_full {
            Some(days) => format!(", full in {} days at {} a day", number(days, 0), bytes(v.growth_per_day)),
            None => ", not growing".to_owned(),
        };
        let verdict = verdict(v);
        let cannot = if verdict == Verdict::Over { "; a volume cannot be made smaller in place" } else { "" };
        let text = format!("Storage: {} of {} used ({}){full}{cannot}", bytes(v.used), bytes(v.capacity), percent(v.used / v.capacity));
        vec![Finding { resource: "storage".to_owned(), verdict, text, bottleneck: verdict == Verdict::Under }]
    }

    fn propose(&self, case: &Case) -> Option<Proposal> {
        let v = case.features.volume.as_ref().filter(|v| verdict(v) == Verdict::Under)?;
        let now = case.state().volume?;
        let wanted = (v.used + v.growth_per_day.max(0.0) * AHEAD) / COMFORTABLE;
        let gib = (wanted / GIB as f64).ceil().min(1e9);
        let size = Bytes::new((gib as u64).saturating_mul(GIB));
        if size <= now {
            return None;
        }
        let mut recommended = case.state().clone();
        recommended.volume = Some(size);
        let mut risks = Risks::default();
        risks.add(Risk::Low, "a volume grows in place and cannot be made smaller again");
        let days = case.features.days as usize;
        let title = match v.days_to_full {
            Some(d) => format!("Volume {}: full in {} days", bytes_step(now.as_f64(), size.as_f64()), number(d, 0)),
            None => format!("Volume {}: {} full", bytes_step(now.as_f64(), size.as_f64()), percent(v.used / v.capacity)),
        };
        Some(case.proposal(Draft {
            strategy: self.name(),
            kind: OptimizationType::Resource,
            title,
            description: format!(
                "Grow the volume from {} to {}: today's data and {AHEAD:.0} days of its growth then fill {} of it.",
                bytes(now.as_f64()),
                bytes(size.as_f64()),
                percent(COMFORTABLE)
            ),
            recommended,
            freed_replicas: None,
            performance: 0.0,
            latency_ms: 0.0,
            confidence: case.confidence(days, days, 0.0, 1.0),
            evidence: vec![
                says(true, format!("{} of {} are used", bytes(v.used), bytes(v.capacity))),
                says(v.days_to_full.is_some(), format!("it grows by {} a day", bytes(v.growth_per_day.max(0.0)))),
                case.data_evidence(),
            ],
            replays: Vec::new(),
            risks,
            cure: true,
        }))
    }
}
