//! Which number stands for which metric of which service. Known by heart, because every sample asks.

use crate::db::{Connection, sql};
use crate::error::{Error, Result};
use crate::store::Tx;
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};

/// A metric of a service.
pub(crate) type SeriesKey = (ServiceId, Metric);

/// The numbers of all committed series.
#[derive(Debug, Default)]
pub(crate) struct SeriesIds(RwLock<HashMap<SeriesKey, i64>>);

impl SeriesIds {
    pub(crate) fn learn(&self, series: HashMap<SeriesKey, i64>) {
        if !series.is_empty() {
            self.0.write().unwrap_or_else(PoisonError::into_inner).extend(series);
        }
    }

    /// The largest number known: what another process has added since is above it.
    pub(crate) fn newest(&self) -> i64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().copied().max().unwrap_or(0)
    }

    fn get(&self, key: &SeriesKey) -> Option<i64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    /// What each number measures.
    pub(crate) fn metrics(&self) -> HashMap<i64, Metric> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().map(|((_, metric), id)| (*id, *metric)).collect()
    }

    /// The smallest number of each service's series.
    pub(crate) fn first_of_each(&self) -> HashMap<ServiceId, i64> {
        let mut first: HashMap<ServiceId, i64> = HashMap::new();
        for ((service, _), id) in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            first.entry(*service).and_modify(|least| *least = (*least).min(*id)).or_insert(*id);
        }
        first
    }

    /// The series of these services (none: of all) and metrics (none: all), by service.
    pub(crate) fn of(&self, services: &[ServiceId], metrics: Option<&[Metric]>) -> BTreeMap<ServiceId, Vec<(i64, Metric)>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut out: BTreeMap<ServiceId, Vec<(i64, Metric)>> = BTreeMap::new();
        if services.is_empty() {
            for ((service, metric), id) in known.iter().filter(|((_, metric), _)| metrics.is_none_or(|wanted| wanted.contains(metric))) {
                out.entry(*service).or_default().push((*id, *metric));
            }
        } else {
            for service in services {
                for metric in metrics.unwrap_or(Metric::ALL) {
                    if let Some(id) = known.get(&(*service, *metric)) {
                        out.entry(*service).or_default().push((*id, *metric));
                    }
                }
            }
        }
        out
    }
}

/// Every series in the database with a number above `known`.
pub(crate) async fn load(on: &mut Connection, known: i64) -> Result<HashMap<SeriesKey, i64>> {
    let rows = sql("SELECT id, service_id, metric FROM series WHERE id > $1").int(known).all(on).await?;
    rows.iter().map(|row| Ok(((ServiceId(row.uuid("service_id")?), row.word("metric")?), row.int("id")?))).collect()
}

impl Tx {
    /// The number of a series, given now if it has none.
    pub(crate) async fn series_id(&mut self, cluster: &str, key: SeriesKey) -> Result<i64> {
        if let Some(id) = self.series.get(&key).or_else(|| self.new_series.get(&key).copied()) {
            return Ok(id);
        }
        let row = sql("INSERT INTO series (cluster, service_id, metric) VALUES ($1, $2, $3) \
             ON CONFLICT (service_id, metric) DO UPDATE SET cluster = excluded.cluster RETURNING id")
        .text(cluster)
        .uuid(key.0.0)
        .text(key.1.name())
        .one(self.on())
        .await
        .map_err(|fault| if fault.is_missing_reference() { Error::not_found("service", key.0) } else { fault })?;
        let id = row.int("id")?;
        self.new_series.insert(key, id);
        Ok(id)
    }
}
