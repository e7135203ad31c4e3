//! Benchmarks, their runs and the steps in their level.

use crate::db::{Row, sql};
use crate::error::{Error, Result};
use crate::page::{Filter, KeyKind, Order, limit};
use crate::store::{Store, Tx};
use headroom_model::auth::Teams;
use headroom_model::benchmark::{BenchmarkRun, BenchmarkStep};
use headroom_model::ids::{BenchmarkId, ServiceId};
use headroom_model::time::Timestamp;
use headroom_model::view::{BenchmarkPoint, BenchmarkQuery, BenchmarkRow, PageOf};
use uuid::Uuid;

/// What a benchmark is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchmarkKey {
    /// Who owns it.
    pub team: String,
    /// Its suite.
    pub suite: String,
    /// Its name in the suite.
    pub name: String,
    /// What is measured.
    pub unit: String,
}

const ROW: &str =
    "SELECT b.id, b.team, b.suite, b.name, b.unit, b.higher_is_better, b.runs, b.latest, b.latest_at, b.steps, s.service_name";
const FROM: &str = " FROM benchmarks b LEFT JOIN services s ON s.id = b.service_id";
const ORDERS: &[(&str, &str, KeyKind, bool)] = &[
    ("changed", "b.changed_at", KeyKind::Time, true),
    ("name", "b.name", KeyKind::Text, false),
    ("latest", "b.latest_at", KeyKind::Time, true),
];

impl Tx {
    /// The benchmark of this name, made now with this direction if there is none, and the direction that it has; its service is that of
    /// the newest import.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown service.
    pub async fn benchmark(
        &mut self,
        key: &BenchmarkKey,
        higher_is_better: bool,
        service: Option<ServiceId>,
    ) -> Result<(BenchmarkId, bool)> {
        let epoch = Timestamp::from_secs(0);
        let none: [BenchmarkStep; 0] = [];
        let row =
            sql("INSERT INTO benchmarks (id, team, suite, name, unit, higher_is_better, service_id, runs, latest, latest_at, changed_at, \
             worse, steps) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0.0, $8, $8, NULL, $9) \
             ON CONFLICT (team, suite, name, unit) DO UPDATE SET \
             service_id = COALESCE(excluded.service_id, benchmarks.service_id) RETURNING id, higher_is_better")
            .uuid(Uuid::now_v7())
            .text(&key.team)
            .text(&key.suite)
            .text(&key.name)
            .text(&key.unit)
            .bool(higher_is_better)
            .uuid(service.map(|id| id.0))
            .time(epoch)
            .json(&none)
            .one(self.on())
            .await
            .map_err(|fault| match service {
                Some(id) if fault.is_missing_reference() => Error::not_found("service", id),
                _ => fault,
            })?;
        Ok((BenchmarkId(row.uuid("id")?), row.bool("higher_is_better")?))
    }

    /// Keeps a run, in the place of an earlier one of the same time and commit.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn put_benchmark_run(&mut self, id: BenchmarkId, run: &BenchmarkRun, at: Timestamp) -> Result<()> {
        sql("INSERT INTO benchmark_runs (id, benchmark_id, at, commit_id, centre, measured) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (benchmark_id, at, commit_id) DO UPDATE SET centre = excluded.centre, measured = excluded.measured")
        .uuid(Uuid::now_v7())
        .uuid(id.0)
        .time(at)
        .text(run.commit.as_deref().unwrap_or_default())
        .real(run.centre())
        .json(&run.values)
        .run(self.on())
        .await
        .map(drop)
    }

    /// The newest runs of a benchmark as this transaction sees them, oldest first.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub async fn benchmark_points(&mut self, id: BenchmarkId, most: u32) -> Result<Vec<BenchmarkPoint>> {
        points(self.on(), id, most).await
    }

    /// The benchmarks of a service whose level has stepped, with their steps.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub async fn stepped_benchmarks(&mut self, service: ServiceId) -> Result<Vec<(BenchmarkId, Vec<BenchmarkStep>)>> {
        let rows = sql("SELECT id, steps FROM benchmarks WHERE service_id = $1 AND worse IS NOT NULL ORDER BY id").uuid(service.0);
        rows.all(self.on()).await?.iter().map(|row| Ok((BenchmarkId(row.uuid("id")?), row.json("steps")?))).collect()
    }

    /// Notes what was found in a benchmark's runs.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn put_benchmark_steps(&mut self, id: BenchmarkId, steps: &[BenchmarkStep]) -> Result<()> {
        let newest = |what: &str| {
            format!("(SELECT r.{what} FROM benchmark_runs r WHERE r.benchmark_id = $1 ORDER BY r.at DESC, r.commit_id DESC LIMIT 1)")
        };
        let text = format!(
            "UPDATE benchmarks SET runs = (SELECT COUNT(*) FROM benchmark_runs r WHERE r.benchmark_id = $1), latest = {}, latest_at = {}, \
             changed_at = $2, worse = $3, steps = $4 WHERE id = $1",
            newest("centre"),
            newest("at"),
        );
        let last = steps.last();
        let done = crate::db::Sql::built(text, Vec::new())
            .uuid(id.0)
            // What has never stepped comes after all that has.
            .time(last.map_or(Timestamp::from_secs(0), |s| s.at))
            .bool(last.map(|s| s.worse))
            .json(&steps)
            .run(self.on())
            .await?;
        if done == 0 { Err(Error::not_found("benchmark", id)) } else { Ok(()) }
    }
}

impl Store {
    /// One page of the list of benchmarks.
    ///
    /// # Errors
    /// [`Error::BadCursor`], [`Error::BadFilter`].
    pub async fn benchmark_rows(&self, query: &BenchmarkQuery, teams: &Teams) -> Result<PageOf<BenchmarkRow>> {
        let order = Order::parse(&query.sort, "changed", "b.id", ORDERS)?;
        let mut filter = Filter::default();
        match query.view.as_str() {
            "" => {}
            "worse" => filter.and("b.worse = TRUE", []),
            "better" => filter.and("b.worse = FALSE", []),
            other => return Err(Error::BadFilter { field: "view", value: other.to_owned(), allowed: "worse, better".to_owned() }),
        }
        filter.within("b.team", teams);
        filter.exactly("b.suite = ?", &query.suite);
        filter.exactly("s.service_name = ?", &query.service_name);
        if !query.search.is_empty() {
            filter.and("LOWER(b.name) LIKE ? ESCAPE '\\'", [crate::page::text(crate::db::containing(&query.search))]);
        }
        let mut page = filter.clone();
        order.after(&mut page, &query.cursor)?;
        let most = limit(query.limit);
        let on = &mut self.read().await?;
        let total = filter.sql(&format!("SELECT COUNT(*) AS n{FROM}"), "").one(on).await?.int("n")?;
        let mut rows = page.sql(&format!("{ROW}{}{FROM}", order.columns()), &order.tail(most)).all(on).await?;
        let next_cursor = order.cut(&mut rows, most)?;
        Ok(PageOf { items: rows.iter().map(benchmark_row).collect::<Result<_>>()?, total: total.unsigned_abs(), next_cursor })
    }

    /// These benchmarks, by name.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub async fn benchmark_rows_of(&self, ids: &[BenchmarkId]) -> Result<Vec<BenchmarkRow>> {
        let ids = crate::db::Value::Uuids(ids.iter().map(|id| id.0).collect());
        let mut filter = Filter::default();
        filter.and("b.id AMONG ?", [ids]);
        let rows = filter.sql(&format!("{ROW}{FROM}"), " ORDER BY b.suite, b.name, b.id").all(&mut self.read().await?).await?;
        rows.iter().map(benchmark_row).collect()
    }

    /// One benchmark with its steps.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub async fn benchmark_row(&self, id: BenchmarkId, teams: &Teams) -> Result<Option<(BenchmarkRow, Vec<BenchmarkStep>)>> {
        let mut filter = Filter::default();
        filter.and("b.id = ?", [crate::page::uuid(id.0)]);
        filter.within("b.team", teams);
        let row = filter.sql(&format!("{ROW}{FROM}"), "").maybe(&mut self.read().await?).await?;
        row.map(|row| Ok((benchmark_row(&row)?, row.json("steps")?))).transpose()
    }

    /// The service that a benchmark measures, if one was named.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn benchmark_service(&self, id: BenchmarkId) -> Result<Option<ServiceId>> {
        let row = sql("SELECT service_id FROM benchmarks WHERE id = $1").uuid(id.0).maybe(&mut self.read().await?).await?;
        Ok(row.map(|row| row.maybe_uuid("service_id")).transpose()?.flatten().map(ServiceId))
    }

    /// The newest runs of a benchmark, oldest first.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub async fn benchmark_runs(&self, id: BenchmarkId, most: u32) -> Result<Vec<BenchmarkPoint>> {
        points(&mut self.read().await?, id, most).await
    }

    /// The newest runs of a benchmark, from an instant on if one is given, oldest first, each with all of its values.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub async fn benchmark_values(&self, id: BenchmarkId, since: Option<Timestamp>, most: u32) -> Result<Vec<(Timestamp, Vec<f64>)>> {
        let mut filter = Filter::default();
        filter.and("benchmark_id = ?", [crate::page::uuid(id.0)]);
        if let Some(since) = since {
            filter.and("at >= ?", [crate::page::time(since)]);
        }
        let newest = format!(" ORDER BY at DESC, commit_id DESC LIMIT {most}");
        let rows = filter.sql("SELECT at, measured FROM benchmark_runs", &newest).all(&mut self.read().await?).await?;
        rows.iter().rev().map(|row| Ok((row.time("at")?, row.json("measured")?))).collect()
    }

    /// The suites there are, by name.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn benchmark_suites(&self, teams: &Teams) -> Result<Vec<String>> {
        let mut filter = Filter::default();
        filter.within("b.team", teams);
        let rows = filter.sql("SELECT DISTINCT b.suite AS suite FROM benchmarks b", " ORDER BY suite").all(&mut self.read().await?).await?;
        rows.iter().map(|row| row.text("suite")).collect()
    }
}

async fn points(on: &mut crate::db::Connection, id: BenchmarkId, most: u32) -> Result<Vec<BenchmarkPoint>> {
    let rows =
        sql("SELECT at, commit_id, centre, measured FROM benchmark_runs WHERE benchmark_id = $1 ORDER BY at DESC, commit_id DESC LIMIT $2")
            .uuid(id.0)
            .int(i64::from(most))
            .all(on)
            .await?;
    rows.iter().rev().map(point).collect()
}

fn point(row: &Row) -> Result<BenchmarkPoint> {
    let measured: Vec<f64> = row.json("measured")?;
    let least = measured.iter().copied().fold(f64::INFINITY, f64::min);
    let most = measured.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Ok(BenchmarkPoint {
        at: row.time("at")?,
        commit: Some(row.text("commit_id")?).filter(|c| !c.is_empty()),
        centre: row.real("centre")?,
        range: (least, most),
        values: u32::try_from(measured.len()).unwrap_or(u32::MAX),
    })
}

fn benchmark_row(row: &Row) -> Result<BenchmarkRow> {
    let steps: Vec<BenchmarkStep> = row.json("steps")?;
    Ok(BenchmarkRow {
        id: BenchmarkId(row.uuid("id")?),
        suite: row.text("suite")?,
        name: row.text("name")?,
        unit: row.text("unit")?,
        higher_is_better: row.bool("higher_is_better")?,
        service_name: row.maybe_text("service_name")?,
        team: row.text("team")?,
        runs: row.int("runs")?.unsigned_abs(),
        latest: row.real("latest")?,
        latest_at: row.time("latest_at")?,
        step: steps.into_iter().next_back(),
    })
}
