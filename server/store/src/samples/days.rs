//! What is kept of closed days of services, so that an analysis does not read their samples again. Samples that are written to a day
//! let go of what was kept of it.

use super::{GROUP, INSERT_ROWS};
use crate::db::{Row, Sql, Value, sql, tuples};
use crate::error::Result;
use crate::store::{Store, Tx};
use headroom_model::ids::ServiceId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A closed day of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceDay {
    /// The service.
    pub service: ServiceId,
    /// Days since 1970.
    pub day: i64,
    /// Another one whenever samples of the day were written.
    pub version: i64,
    /// What was kept of it, in a form that is the keeper's; `None` where nothing was since.
    pub sketch: Option<Vec<u8>>,
}

impl Tx {
    /// Keeps something of days. A day whose samples were written to since its version was read keeps nothing: what is known of it is old.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database).
    pub async fn keep_days(&mut self, days: &[ServiceDay]) -> Result<()> {
        // In one order, so that two who keep the same days wait for each other in turn.
        let mut days: Vec<&ServiceDay> = days.iter().filter(|day| day.sketch.is_some()).collect();
        days.sort_unstable_by_key(|day| (day.service, day.day));
        for some in days.chunks(INSERT_ROWS) {
            let text = format!(
                "INSERT INTO service_days (service_id, day, version, sketch) VALUES {} ON CONFLICT (service_id, day) \
                 DO UPDATE SET sketch = excluded.sketch WHERE service_days.version = excluded.version",
                tuples(some.len(), 4)
            );
            let mut args = Vec::with_capacity(some.len() * 4);
            for day in some {
                args.extend([Value::Uuid(Some(day.service.0)), Value::Int(Some(day.day)), Value::Int(Some(day.version))]);
                args.push(Value::Blob(day.sketch.clone()));
            }
            Sql::built(text, args).run(self.on()).await?;
        }
        Ok(())
    }

    /// Lets go of what was kept of the days of these series: their samples have changed.
    pub(super) async fn let_go(&mut self, chunks: impl Iterator<Item = (i64, i64)>) -> Result<()> {
        let mut by_day: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        chunks.for_each(|(series, day)| by_day.entry(day).or_default().push(series));
        for (day, series) in by_day {
            sql("INSERT INTO service_days (service_id, day, version) \
                 SELECT DISTINCT service_id, CAST($1 AS BIGINT), 1 FROM series WHERE id AMONG $2 ORDER BY service_id \
                 ON CONFLICT (service_id, day) DO UPDATE SET version = service_days.version + 1, sketch = NULL")
            .int(day)
            .ints(series)
            .run(self.on())
            .await?;
        }
        Ok(())
    }
}

impl Store {
    /// The closed days of services that have samples, from one day to another (both included, days since 1970), by service and day.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database), [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn service_days(&self, services: &[ServiceId], from: i64, to: i64) -> Result<Vec<ServiceDay>> {
        let rows = sql("SELECT service_id, day, version, sketch FROM service_days WHERE service_id AMONG $1 AND day >= $2 AND day <= $3 \
             ORDER BY service_id, day");
        let rows = rows.uuids(services.iter().map(|s| s.0)).int(from).int(to).all(&mut self.read().await?).await?;
        let day = |row: &Row| {
            Ok(ServiceDay {
                service: ServiceId(row.uuid("service_id")?),
                day: row.int("day")?,
                version: row.int("version")?,
                sketch: row.maybe_blob("sketch")?.map(<[u8]>::to_vec),
            })
        };
        rows.iter().map(day).collect()
    }

    /// Since when each of these services may have samples that are not in closed days, seconds since the epoch, `from` at the earliest; a service without
    /// any is left out.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database), [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn open_since(&self, services: &[ServiceId], from: i64) -> Result<HashMap<ServiceId, i64>> {
        self.learn_series().await?;
        let series = self.series().of(services, None);
        let groups: BTreeSet<i64> = series.values().flatten().map(|(id, _)| id / GROUP).collect();
        let rows =
            sql("SELECT series_group, MIN(at) AS at FROM sample_head WHERE series_group AMONG $1 AND at >= $2 GROUP BY series_group");
        let rows = rows.ints(groups.into_iter().collect()).int(from).all(&mut self.read().await?).await?;
        let open: HashMap<i64, i64> = rows.iter().map(|row| Ok((row.int("series_group")?, row.int("at")?))).collect::<Result<_>>()?;
        let since = |ids: &[(i64, _)]| ids.iter().filter_map(|(id, _)| open.get(&(id / GROUP)).copied()).min();
        Ok(series.iter().filter_map(|(service, ids)| Some((*service, since(ids)?))).collect())
    }
}
