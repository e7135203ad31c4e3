//! Reading histories: a bounded number of series per statement, in the order in which they are stored.

use super::piece::{Piece, align};
use super::{GROUP, head, on_all_cores};
use crate::db::sql;
use crate::error::Result;
use crate::store::Store;
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::service::Service;
use headroom_model::time::DAY;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A service's series: their numbers and metrics.
type Wanted = (ServiceId, Vec<(i64, Metric)>);

/// A chunk as it is stored.
struct Packed {
    start: i64,
    step: i64,
    bytes: Vec<u8>,
}

impl Store {
    /// These services in the order in which their samples are stored: what reads a fleet piece by piece then reads every page once.
    #[must_use]
    pub fn in_storage_order(&self, mut services: Vec<Service>) -> Vec<Service> {
        let first = self.series().first_of_each();
        services.sort_by_key(|service| first.get(&service.id).copied().unwrap_or(i64::MAX));
        services
    }

    /// The histories of these services (none: of all) in `[from, to)`, seconds since the epoch, for these metrics (`None`: all). All
    /// series of a service share one grid, cut to the time from which to which anything is known of it; a service without a sample is
    /// left out.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database), [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn history(
        &self,
        services: &[ServiceId],
        metrics: Option<&[Metric]>,
        from: i64,
        to: i64,
    ) -> Result<BTreeMap<ServiceId, ServiceHistory>> {
        let mut out = BTreeMap::new();
        self.for_each_history(services, metrics, from, to, 256, |some| out.extend(some)).await?;
        Ok(out)
    }

    /// The same, handed over in batches of at most `batch` services, so that a fleet's history is never in memory at once.
    ///
    /// # Errors
    /// [`Error::Database`](crate::Error::Database), [`Error::Corrupt`](crate::Error::Corrupt).
    pub async fn for_each_history(
        &self,
        services: &[ServiceId],
        metrics: Option<&[Metric]>,
        from: i64,
        to: i64,
        batch: usize,
        mut each: impl FnMut(Vec<(ServiceId, ServiceHistory)>) + Send,
    ) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        self.learn_series().await?;
        let mut wanted: Vec<Wanted> = self.series().of(services, metrics).into_iter().collect();
        // In the order of storage, so that each batch reads neighbouring pages.
        wanted.sort_unstable_by_key(|(_, series)| series.iter().map(|s| s.0).min());
        for some in wanted.chunks(batch.max(1)) {
            // The head first: compaction between the two reads then shows a sample twice, never not at all.
            let fresh = self.head(some, from, to).await?;
            let packed = self.chunks(some, from, to).await?;
            let some = some.to_vec();
            let ready = on_all_cores(move || assemble(&some, packed, fresh, from, to)).await??;
            if !ready.is_empty() {
                each(ready);
            }
        }
        Ok(())
    }

    async fn chunks(&self, wanted: &[Wanted], from: i64, to: i64) -> Result<HashMap<i64, Vec<Packed>>> {
        let mut ids: Vec<i64> = wanted.iter().flat_map(|(_, series)| series.iter().map(|s| s.0)).collect();
        ids.sort_unstable();
        let (first, last) = (from.div_euclid(DAY), (to - 1).div_euclid(DAY));
        let on = &mut self.read().await?;
        let mut out: HashMap<i64, Vec<Packed>> = HashMap::with_capacity(ids.len());
        let rows = sql("SELECT series_id, start, step, samples FROM sample_chunks WHERE series_id AMONG $3 AND day >= $1 AND day <= $2 \
             ORDER BY series_id, day");
        for row in rows.int(first).int(last).ints(ids).all(on).await? {
            let packed = Packed { start: row.int("start")?, step: row.int("step")?, bytes: row.blob("samples")?.to_vec() };
            out.entry(row.int("series_id")?).or_default().push(packed);
        }
        Ok(out)
    }

    async fn head(&self, wanted: &[Wanted], from: i64, to: i64) -> Result<HashMap<i64, Vec<Piece>>> {
        let metrics: HashMap<i64, Metric> = wanted.iter().flat_map(|(_, series)| series.iter().copied()).collect();
        let groups: BTreeSet<i64> = metrics.keys().map(|id| id / GROUP).collect();
        // A row holds the series of many services; those of one have neighbouring numbers, and a comparison is cheaper than a look-up.
        let numbers = metrics.keys().min().copied().unwrap_or(0)..=metrics.keys().max().copied().unwrap_or(0);
        let wanted = |id| if numbers.contains(&id) { metrics.get(&id).copied() } else { None };
        let on = &mut self.read().await?;
        let mut collected = head::Collected::default();
        let rows = sql("SELECT at, step, samples FROM sample_head WHERE series_group AMONG $3 AND at >= $1 AND at < $2 ORDER BY seq");
        let groups: Vec<i64> = groups.into_iter().collect();
        for row in rows.int(from).int(to).ints(groups).all(on).await? {
            collected.add(row.int("at")?, row.int("step")?, row.blob("samples")?, wanted)?;
        }
        let mut out: HashMap<i64, Vec<Piece>> = HashMap::new();
        for (id, _, piece) in collected.pieces() {
            out.entry(id).or_default().push(piece);
        }
        Ok(out)
    }
}

fn assemble(
    wanted: &[Wanted],
    packed: HashMap<i64, Vec<Packed>>,
    fresh: HashMap<i64, Vec<Piece>>,
    from: i64,
    to: i64,
) -> Result<Vec<(ServiceId, ServiceHistory)>> {
    let histories = wanted.par_iter().map(|(service, series)| {
        let mut by_metric = Vec::with_capacity(series.len());
        for (id, metric) in series {
            let mut pieces = Vec::new();
            for chunk in packed.get(id).into_iter().flatten() {
                pieces.push(Piece::unpacked(chunk.start, chunk.step, &chunk.bytes)?);
            }
            pieces.extend(fresh.get(id).into_iter().flatten().cloned());
            by_metric.push((*metric, pieces));
        }
        Ok(on_one_grid(&by_metric, from, to).map(|history| (*service, history)))
    });
    let all: Result<Vec<Option<_>>> = histories.collect();
    Ok(all?.into_iter().flatten().collect())
}

/// All metrics of a service on the coarsest of their grids, from the first to the last sample in `[from, to)`.
fn on_one_grid(by_metric: &[(Metric, Vec<Piece>)], from: i64, to: i64) -> Option<ServiceHistory> {
    let mut extent: Option<(i64, i64)> = None;
    let mut step = 1;
    for piece in by_metric.iter().flat_map(|(_, pieces)| pieces) {
        let inside = |i: &usize| !piece.values[*i].is_nan() && (from..to).contains(&piece.at(*i));
        let first = (0..piece.values.len()).find(inside);
        let last = (0..piece.values.len()).rev().find(inside);
        if let (Some(first), Some(last)) = (first, last) {
            let (a, b) = (piece.at(first), piece.at(last));
            extent = Some(extent.map_or((a, b), |(x, y)| (x.min(a), y.max(b))));
            step = step.max(piece.step);
        }
    }
    let (first, last) = extent?;
    let mut metrics = BTreeMap::new();
    for (metric, pieces) in by_metric {
        let mut grid = Piece::gaps(align(first, step), step, align(last, step));
        for piece in pieces {
            grid.lay(piece, metric.aggregation(), from, to);
        }
        if grid.first_present().is_some() {
            metrics.insert(*metric, Series { start: grid.start, step, values: grid.values });
        }
    }
    Some(ServiceHistory { metrics })
}
