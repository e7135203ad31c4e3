//! What each change promised and what came of it: the record from which confidence is calibrated.

use crate::db::{Row, sql};
use crate::error::{Error, Result};
use crate::page::Filter;
use crate::store::{Store, Tx};
use headroom_model::effect::Effect;
use headroom_model::ids::{ChangeId, RecommendationId, ServiceId};
use headroom_model::job::OptimizationType;
use headroom_model::recommendation::ExpectedImprovement;
use headroom_model::time::Timestamp;
use headroom_model::units::{Confidence, Money};

/// Promised and measured, of one change.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The change.
    pub change_id: ChangeId,
    /// What it carried out.
    pub recommendation_id: RecommendationId,
    /// The service.
    pub service_id: ServiceId,
    /// The strategy that proposed it; `person` for an own value.
    pub strategy: String,
    /// What it was to improve.
    pub optimization_type: OptimizationType,
    /// How likely it was to keep its promise, 0 to 1.
    pub confidence: f64,
    /// What was promised.
    pub promised: ExpectedImprovement,
    /// What it was to save a month.
    pub promised_month: Option<Money>,
    /// What was measured.
    pub measured: Option<Effect>,
    /// What it saves a month as measured.
    pub achieved_month: Option<Money>,
    /// Whether the promise was kept; `None` while inconclusive.
    pub kept: Option<bool>,
    /// Cluster time of the verdict.
    pub at: Timestamp,
}

/// What was said and what came true of one strategy's judged changes; inconclusive ones do not count.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackRecord {
    /// The strategy.
    pub strategy: String,
    /// Changes that were judged.
    pub judged: u32,
    /// Of those, with the promise kept.
    pub kept: u32,
}

/// What was said and what came true of one judged change.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The strategy that proposed it.
    pub strategy: String,
    /// How sure it was before earlier outcomes corrected it, 0 to 1; where that was not kept, how sure it was.
    pub said: f64,
    /// Whether the promise was kept.
    pub kept: bool,
}

impl Tx {
    /// Stores the outcome of a change, or replaces it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown change.
    pub async fn put_outcome(&mut self, outcome: &Outcome) -> Result<()> {
        let currency = outcome.promised_month.or(outcome.achieved_month).map(|m| m.currency.code().to_owned());
        let done =
            sql("INSERT INTO outcomes (change_id, recommendation_id, cluster, team, service_id, strategy, optimization_type, confidence, \
             promised, measured, promised_micros, achieved_micros, currency, kept, at) \
             SELECT id, $2, cluster, team, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM changes WHERE id = $1 \
             ON CONFLICT (change_id) DO UPDATE SET measured = excluded.measured, achieved_micros = excluded.achieved_micros, \
             currency = excluded.currency, kept = excluded.kept, at = excluded.at")
            .uuid(outcome.change_id.0)
            .uuid(outcome.recommendation_id.0)
            .uuid(outcome.service_id.0)
            .text(&outcome.strategy)
            .text(outcome.optimization_type.as_str())
            .real(outcome.confidence)
            .json(&outcome.promised)
            .json(&outcome.measured)
            .int(outcome.promised_month.map(|m| m.micros))
            .int(outcome.achieved_month.map(|m| m.micros))
            .maybe_text(currency)
            .bool(outcome.kept)
            .time(outcome.at)
            .run(self.on())
            .await?;
        if done == 0 { Err(Error::not_found("change", outcome.change_id)) } else { Ok(()) }
    }
}

impl Store {
    /// Outcomes of one strategy, or of all, oldest first.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn outcomes(&self, strategy: Option<&str>) -> Result<Vec<Outcome>> {
        let mut filter = Filter::default();
        filter.exactly("strategy = ?", strategy.unwrap_or_default());
        let rows = filter.sql("SELECT * FROM outcomes", " ORDER BY at, change_id").all(&mut self.read().await?).await?;
        rows.iter().map(outcome).collect()
    }

    /// Of how many judged changes of each strategy the promise was kept, by name; inconclusive ones do not count.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn track_records(&self) -> Result<Vec<TrackRecord>> {
        let rows = sql("SELECT strategy, COUNT(*) AS judged, SUM(CASE WHEN kept THEN 1 ELSE 0 END) AS kept \
             FROM outcomes WHERE kept IS NOT NULL GROUP BY strategy ORDER BY strategy")
        .all(&mut self.read().await?)
        .await?;
        let record =
            |row: &Row| Ok(TrackRecord { strategy: row.text("strategy")?, judged: row.count("judged")?, kept: row.count("kept")? });
        rows.iter().map(record).collect()
    }

    /// The newest judged changes, at most `most`, newest first: what the next confidence is calibrated by.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn judged(&self, most: u32) -> Result<Vec<Judged>> {
        let rows =
            sql("SELECT strategy, confidence, promised, kept FROM outcomes WHERE kept IS NOT NULL ORDER BY at DESC, change_id LIMIT $1")
                .int(i64::from(most))
                .all(&mut self.read().await?)
                .await?;
        let judged = |row: &Row| {
            let promised: ExpectedImprovement = row.json("promised")?;
            let said = promised.uncorrected.map_or(row.real("confidence")?, Confidence::get);
            Ok(Judged { strategy: row.text("strategy")?, said, kept: row.maybe_bool("kept")?.unwrap_or_default() })
        };
        rows.iter().map(judged).collect()
    }
}

fn outcome(row: &Row) -> Result<Outcome> {
    Ok(Outcome {
        change_id: ChangeId(row.uuid("change_id")?),
        recommendation_id: RecommendationId(row.uuid("recommendation_id")?),
        service_id: ServiceId(row.uuid("service_id")?),
        strategy: row.text("strategy")?,
        optimization_type: row.word("optimization_type")?,
        confidence: row.real("confidence")?,
        promised: row.json("promised")?,
        promised_month: row.money("promised_micros", "currency")?,
        measured: row.json("measured")?,
        achieved_month: row.money("achieved_micros", "currency")?,
        kept: row.maybe_bool("kept")?,
        at: row.time("at")?,
    })
}
