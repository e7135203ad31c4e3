//! Promised against achieved money.

use crate::db::sql;
use crate::error::{Error, Result};
use crate::page::Filter;
use crate::store::{Store, Tx};
use headroom_model::auth::Teams;
use headroom_model::ids::{ChangeId, ServiceId};
use headroom_model::time::Timestamp;
use headroom_model::units::Money;

/// The money of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The change.
    pub change_id: ChangeId,
    /// The service.
    pub service_id: ServiceId,
    /// What it was to save a month.
    pub promised_month: Money,
    /// What it saves a month as measured; `None` until then, and for an inconclusive verdict.
    pub achieved_month: Option<Money>,
    /// Whether it is still in force: not rolled back, not reverted by someone else.
    pub in_force: bool,
    /// Cluster time from which it counts.
    pub at: Timestamp,
}

impl Tx {
    /// Stores the money of a change, or replaces it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown change.
    pub async fn put_ledger(&mut self, entry: &LedgerEntry) -> Result<()> {
        let done =
            sql("INSERT INTO ledger (change_id, cluster, team, service_id, promised_micros, achieved_micros, currency, in_force, at) \
             SELECT id, cluster, team, $2, $3, $4, $5, $6, $7 FROM changes WHERE id = $1 \
             ON CONFLICT (change_id) DO UPDATE SET promised_micros = excluded.promised_micros, achieved_micros = excluded.achieved_micros, \
             currency = excluded.currency, in_force = excluded.in_force, at = excluded.at")
            .uuid(entry.change_id.0)
            .uuid(entry.service_id.0)
            .int(entry.promised_month.micros)
            .int(entry.achieved_month.map(|m| m.micros))
            .text(entry.promised_month.currency.code())
            .bool(entry.in_force)
            .time(entry.at)
            .run(self.on())
            .await?;
        if done == 0 { Err(Error::not_found("change", entry.change_id)) } else { Ok(()) }
    }
}

impl Store {
    /// These teams' ledger, oldest first.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn ledger(&self, teams: &Teams) -> Result<Vec<LedgerEntry>> {
        let mut filter = Filter::default();
        filter.within("team", teams);
        let rows = filter.sql("SELECT * FROM ledger", " ORDER BY at, change_id").all(&mut self.read().await?).await?;
        rows.iter()
            .map(|row| {
                Ok(LedgerEntry {
                    change_id: ChangeId(row.uuid("change_id")?),
                    service_id: ServiceId(row.uuid("service_id")?),
                    promised_month: row.sum("promised_micros", "currency")?,
                    achieved_month: row.money("achieved_micros", "currency")?,
                    in_force: row.bool("in_force")?,
                    at: row.time("at")?,
                })
            })
            .collect()
    }

    /// Promised and achieved savings a month that are in force, cumulative over cluster time: (seconds since the epoch, promised,
    /// achieved) in units of the currency. An entry without a measured saving counts in neither.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn ledger_curve(&self, teams: &Teams) -> Result<Vec<(i64, f64, f64)>> {
        let (mut promised, mut achieved) = (0.0, 0.0);
        let counted = self.ledger(teams).await?.into_iter().filter(|e| e.in_force);
        Ok(counted
            .filter_map(|entry| {
                achieved += entry.achieved_month?.units();
                promised += entry.promised_month.units();
                Some((entry.at.secs(), promised, achieved))
            })
            .collect())
    }
}
