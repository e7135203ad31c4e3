//! Samples. The open day is an append-only head; closed days are compressed chunks, one per series and day.
//!
//! Every step has its own grid, aligned to the epoch. Where pieces of different steps meet, the coarsest one wins and finer samples
//! are merged into it by their metric's rule. The head is newer than a chunk of the same interval.

use crate::db::{Sql, Value, sql, tuples};
use crate::error::{Error, Result};
use crate::store::{Store, Tx};
pub use days::ServiceDay;
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::series::ServiceHistory;
use headroom_model::time::{DAY, HOUR, Timestamp};
use headroom_model::view::Latest;
use piece::Piece;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

mod days;
mod head;
mod piece;
mod read;

/// A metric of a service with one value per step; `NaN` is a gap.
pub type Column = (ServiceId, Metric, Vec<f32>);

/// Series per row of the head.
const GROUP: i64 = 1024;
/// Rows per bulk insert, and series per bulk read.
const INSERT_ROWS: usize = 200;

/// What compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compacted {
    /// Pieces of days that were closed: one per day and group of series.
    pub days: u32,
    /// Chunks that were written.
    pub chunks: u32,
}

impl Tx {
    /// Appends what one interval brought. `at`: seconds since the epoch of the interval's begin; `step`: its length in seconds. Gaps may
    /// be left out or `NaN`. A later value for the same interval replaces an earlier one.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown service or cluster.
    pub async fn append_frame(&mut self, cluster: &str, at: i64, step: u32, samples: &[(ServiceId, Metric, f32)]) -> Result<()> {
        let step = step.max(1);
        let at = piece::align(at, step);
        let mut groups: BTreeMap<i64, Vec<(i64, f32)>> = BTreeMap::new();
        for (service, metric, value) in samples.iter().filter(|s| !s.2.is_nan()) {
            let id = self.series_id(cluster, (*service, *metric)).await?;
            groups.entry(id / GROUP).or_default().push((id, *value));
        }
        for (group, values) in groups {
            sql("INSERT INTO sample_head (cluster, series_group, at, step, samples) VALUES ($1, $2, $3, $4, $5)")
                .text(cluster)
                .int(group)
                .int(at)
                .int(i64::from(step))
                .blob(head::encode(&values))
                .run(self.on())
                .await?;
        }
        self.newest_sample(cluster, at).await
    }

    /// Writes whole columns, such as imported history, straight into chunks. `from`: seconds since the epoch of the first value's begin;
    /// `step` in seconds. What is there already is merged; these values win, and gaps overwrite nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown service or cluster.
    pub async fn put_columns(&mut self, cluster: &str, from: i64, step: u32, columns: &[Column]) -> Result<()> {
        let step = step.max(1);
        let mut newest = None;
        for some in columns.chunks(INSERT_ROWS) {
            let mut pieces: Vec<(i64, Metric, Piece)> = Vec::new();
            for (service, metric, values) in some {
                let id = self.series_id(cluster, (*service, *metric)).await?;
                let piece = Piece { start: piece::align(from, step), step, values: values.clone() };
                newest = newest.max(piece.last_present());
                pieces.extend(piece.days().into_iter().map(|day| (id, *metric, day)));
            }
            self.put_chunks(pieces).await?;
        }
        match newest {
            Some(at) => self.newest_sample(cluster, at).await,
            None => Ok(()),
        }
    }

    /// Merges pieces of at most a day each into their chunks.
    async fn put_chunks(&mut self, pieces: Vec<(i64, Metric, Piece)>) -> Result<u32> {
        let mut merged: BTreeMap<(i64, i64), (Metric, Piece)> = self.chunks_of(&pieces).await?;
        for (id, metric, piece) in pieces {
            let day = piece.start.div_euclid(DAY);
            match merged.entry((id, day)) {
                std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert((metric, piece))),
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    let (_, before) = entry.get_mut();
                    *before = Piece::merged(&[before, &piece], metric.aggregation());
                }
            }
        }
        self.let_go(merged.keys().copied()).await?;
        let packed = on_all_cores(move || {
            let packed = merged.into_par_iter().map(|((id, day), (_, piece))| Ok((id, day, piece.start, piece.step, piece.packed()?)));
            packed.collect::<Result<Vec<_>>>()
        })
        .await??;
        for rows in packed.chunks(INSERT_ROWS) {
            let text = format!(
                "INSERT INTO sample_chunks (series_id, day, start, step, samples) VALUES {} \
                 ON CONFLICT (series_id, day) DO UPDATE SET start = excluded.start, step = excluded.step, samples = excluded.samples",
                tuples(rows.len(), 5)
            );
            let mut args = Vec::with_capacity(rows.len() * 5);
            for (id, day, start, step, bytes) in rows {
                args.extend([*id, *day, *start, i64::from(*step)].map(|v| Value::Int(Some(v))));
                args.push(Value::Blob(Some(bytes.clone())));
            }
            Sql::built(text, args).run(self.on()).await?;
        }
        Ok(u32::try_from(packed.len()).unwrap_or(u32::MAX))
    }

    /// The chunks that these pieces fall into, as they are.
    async fn chunks_of(&mut self, pieces: &[(i64, Metric, Piece)]) -> Result<BTreeMap<(i64, i64), (Metric, Piece)>> {
        let metrics: BTreeMap<i64, Metric> = pieces.iter().map(|(id, metric, _)| (*id, *metric)).collect();
        let days = || pieces.iter().map(|(_, _, piece)| piece.start.div_euclid(DAY));
        let (Some(first), Some(last)) = (days().min(), days().max()) else { return Ok(BTreeMap::new()) };
        let ids: Vec<i64> = metrics.keys().copied().collect();
        let mut found = BTreeMap::new();
        let rows =
            sql("SELECT series_id, day, start, step, samples FROM sample_chunks WHERE day >= $1 AND day <= $2 AND series_id AMONG $3");
        for row in rows.int(first).int(last).ints(ids).all(self.on()).await? {
            let (id, day) = (row.int("series_id")?, row.int("day")?);
            let piece = Piece::unpacked(row.int("start")?, row.int("step")?, row.blob("samples")?)?;
            found.insert((id, day), (metrics[&id], piece));
        }
        Ok(found)
    }

    async fn newest_sample(&mut self, cluster: &str, at: i64) -> Result<()> {
        let done = sql("UPDATE clusters SET newest_sample = CASE WHEN newest_sample > $2 THEN newest_sample ELSE $2 END WHERE name = $1")
            .text(cluster)
            .time(Timestamp::from_secs(at))
            .run(self.on())
            .await?;
        if done == 0 { Err(Error::not_found("cluster", cluster)) } else { Ok(()) }
    }
}

impl Store {
    /// Closes finished days of a cluster: moves them from the head into chunks, late samples into the chunks that are there. `now`:
    /// cluster time, seconds since the epoch. One short transaction per day and group of series, so that writers come between.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn compact(&self, cluster: &str, now: i64) -> Result<Compacted> {
        self.learn_series().await?;
        let today = now.div_euclid(DAY) * DAY;
        let open = sql("SELECT DISTINCT series_group, at / 86400 AS day FROM sample_head WHERE cluster = $1 AND at < $2 ORDER BY 2, 1")
            .text(cluster)
            .int(today)
            .all(&mut self.read().await?)
            .await?;
        let metrics = self.series().metrics();
        let mut done = Compacted::default();
        for row in &open {
            done.chunks += self.close_day(cluster, row.int("series_group")?, row.int("day")?, &metrics).await?;
            done.days += 1;
        }
        Ok(done)
    }

    async fn close_day(&self, cluster: &str, group: i64, day: i64, metrics: &HashMap<i64, Metric>) -> Result<u32> {
        let mut tx = self.begin().await?;
        // Taken out and read by one statement: what is appended meanwhile stays for the next time.
        let mut rows = sql("DELETE FROM sample_head WHERE cluster = $1 AND series_group = $2 AND at >= $3 AND at < $4 \
             RETURNING seq, at, step, samples")
        .text(cluster)
        .int(group)
        .int(day * DAY)
        .int((day + 1) * DAY)
        .all(tx.on())
        .await?;
        rows.sort_by_key(|row| row.int("seq").unwrap_or(i64::MAX));
        let mut day_of = head::Collected::default();
        for row in &rows {
            day_of.add(row.int("at")?, row.int("step")?, row.blob("samples")?, |id| metrics.get(&id).copied())?;
        }
        let written = tx.put_chunks(day_of.pieces()).await?;
        tx.commit().await?;
        Ok(written)
    }

    /// Forgets a cluster's samples before an instant, seconds since the epoch, in whole days; returns the rows that went.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn forget_samples_before(&self, cluster: &str, at: i64) -> Result<u64> {
        let day = at.div_euclid(DAY);
        let mut tx = self.begin().await?;
        let chunks = sql("DELETE FROM sample_chunks WHERE day < $1 AND series_id IN (SELECT id FROM series WHERE cluster = $2)")
            .int(day)
            .text(cluster)
            .run(tx.on())
            .await?;
        sql("DELETE FROM service_days WHERE day < $1 AND service_id IN (SELECT id FROM services WHERE cluster = $2)")
            .int(day)
            .text(cluster)
            .run(tx.on())
            .await?;
        let head = sql("DELETE FROM sample_head WHERE cluster = $1 AND at < $2").text(cluster).int(day * DAY).run(tx.on()).await?;
        tx.commit().await?;
        Ok(chunks + head)
    }

    /// The newest value of every metric of a service in the day before `to`, seconds since the epoch.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn latest(&self, service: ServiceId, to: i64) -> Result<BTreeMap<Metric, Latest>> {
        self.learn_series().await?;
        let known = self.series().of(&[service], None).get(&service).map_or(0, Vec::len);
        // An hour nearly always tells of every metric; only where it does not, the day is read.
        let newest = self.newest_of(service, to - HOUR, to).await?;
        if newest.len() < known { self.newest_of(service, to - DAY, to).await } else { Ok(newest) }
    }

    async fn newest_of(&self, service: ServiceId, from: i64, to: i64) -> Result<BTreeMap<Metric, Latest>> {
        let history: Option<ServiceHistory> = self.history(&[service], None, from, to).await?.remove(&service);
        let metrics = history.unwrap_or_default().metrics;
        Ok(metrics.into_iter().filter_map(|(metric, series)| series.last().map(|(at, value)| (metric, Latest { value, at }))).collect())
    }

    /// When the newest sample of a cluster (or of any) begins, cluster time in seconds since the epoch.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn newest_sample(&self, cluster: Option<&str>) -> Result<Option<i64>> {
        let clusters = self.clusters().await?;
        Ok(clusters
            .into_iter()
            .filter(|c| cluster.is_none_or(|name| c.name == name))
            .filter_map(|c| c.newest_sample)
            .max()
            .map(Timestamp::secs))
    }
}

/// Runs number work away from the threads that wait for the database.
async fn on_all_cores<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|fault| Error::Corrupt { what: "samples".into(), fault: fault.to_string() })
}
