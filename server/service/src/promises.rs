//! Promised against measured, per strategy: how far the engine's word can be trusted.

use crate::{Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::metric::Metric;
use std::collections::BTreeMap;

/// One strategy's promises and what became of them.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PromiseRow {
    /// The strategy.
    pub strategy: String,
    /// Changes that ended their observation.
    pub changes: u32,
    /// Of those, kept.
    pub kept: u32,
    /// Of those, rolled back.
    pub rolled_back: u32,
    /// Mean confidence that was stated, 0 to 1.
    pub confidence: f64,
    /// Promised a month, units of the currency, over changes with a measured saving.
    pub promised: f64,
    /// Achieved a month, over the same changes.
    pub achieved: f64,
    /// Mean promised reduction of p95 latency, milliseconds, over changes with a measured p95.
    pub promised_latency_ms: f64,
    /// Mean measured reduction of p95 latency, milliseconds, over the same changes.
    pub measured_latency_ms: f64,
}

impl Headroom {
    /// Promised against measured, by strategy.
    ///
    /// # Errors
    /// [`crate::Error::Store`].
    #[boxed]
    pub async fn promises(&self, ctx: &OpContext) -> Result<Vec<PromiseRow>> {
        ctx.require(Permission::Read)?;
        let mut rows: BTreeMap<String, (PromiseRow, u32)> = BTreeMap::new();
        for outcome in self.store.outcomes(None).await? {
            let (row, measured) = rows.entry(outcome.strategy.clone()).or_insert_with(|| (empty(&outcome.strategy), 0));
            row.changes += 1;
            row.kept += u32::from(outcome.kept == Some(true));
            row.rolled_back += u32::from(outcome.achieved_month.is_none() && outcome.kept == Some(false));
            row.confidence += outcome.confidence;
            if let (Some(promised), Some(achieved)) = (outcome.promised_month, outcome.achieved_month) {
                row.promised += promised.units();
                row.achieved += achieved.units();
            }
            let p95 = outcome.measured.as_ref().and_then(|e| e.metrics.iter().find(|m| m.metric == Metric::LatencyP95));
            if let Some(p95) = p95 {
                row.promised_latency_ms += outcome.promised.latency_reduction_ms;
                row.measured_latency_ms += p95.before - p95.after;
                *measured += 1;
            }
        }
        Ok(rows
            .into_values()
            .map(|(mut row, measured)| {
                row.confidence /= f64::from(row.changes.max(1));
                row.promised_latency_ms /= f64::from(measured.max(1));
                row.measured_latency_ms /= f64::from(measured.max(1));
                row
            })
            .collect())
    }
}

fn empty(strategy: &str) -> PromiseRow {
    PromiseRow {
        strategy: strategy.to_owned(),
        changes: 0,
        kept: 0,
        rolled_back: 0,
        confidence: 0.0,
        promised: 0.0,
        achieved: 0.0,
        promised_latency_ms: 0.0,
        measured_latency_ms: 0.0,
    }
}
