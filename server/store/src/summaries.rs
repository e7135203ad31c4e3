//! What the newest analysis said of each service: what lists show, filter and sort by.

use crate::db::sql;
use crate::error::{Error, Result};
use crate::store::{Store, Tx};
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, UseBar, Verdict};
use headroom_model::time::Timestamp;
use headroom_model::units::Money;
use headroom_model::view::ServiceClass;

/// The newest analysis of a service, as far as lists need it.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSummary {
    /// The service.
    pub service_id: ServiceId,
    /// The worst verdict of its resources.
    pub verdict: Verdict,
    /// CPU against its request.
    pub cpu: Option<UseBar>,
    /// Memory against its request.
    pub memory: Option<UseBar>,
    /// Newest p99 latency, milliseconds.
    pub latency_p99_ms: Option<f64>,
    /// Newest requests per second.
    pub request_rate: Option<f64>,
    /// What it costs a month; `None` without a request to price.
    pub cost_month: Option<Money>,
    /// Share of that cost that is not used, 0 to 1.
    pub idle_share: Option<f64>,
    /// CPU use over the last 24 h, gaps as `None`.
    pub spark: Vec<Option<f32>>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Why there is no recommendation, when there is none.
    pub no_action: Option<String>,
    /// End of the window, cluster time.
    pub analysed_at: Timestamp,
}

/// Newest values, refreshed between analyses.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveNumbers {
    /// The service.
    pub service_id: ServiceId,
    /// Newest p99 latency, milliseconds.
    pub latency_p99_ms: Option<f64>,
    /// Newest requests per second.
    pub request_rate: Option<f64>,
    /// CPU use over the last 24 h, gaps as `None`.
    pub spark: Vec<Option<f32>>,
}

/// How large the services of all clusters typically are, per replica.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TypicalPeaks {
    /// Mean of their largest CPU use, cores.
    pub cpu: Option<f64>,
    /// Mean of their largest memory use, bytes.
    pub memory: Option<f64>,
}

/// Peak use as a share of the request; `None` without a request.
fn peak_share(bar: Option<&UseBar>) -> Option<f64> {
    let bar = bar?;
    bar.request.filter(|request| *request > 0.0).map(|request| bar.peak / request)
}

impl Tx {
    /// Replaces the summaries of these services.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a service that is not known.
    pub async fn put_summaries(&mut self, summaries: &[ServiceSummary]) -> Result<()> {
        for summary in summaries {
            let done = sql("INSERT INTO service_summary (service_id, cluster, team, verdict, cpu_peak_share, memory_peak_share, latency_p99_ms, \
                 request_rate, cost_micros, currency, idle_share, analysed_at, spark, cpu, memory, no_action, findings) \
                 SELECT id, cluster, team, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 FROM services WHERE id = $1 \
                 ON CONFLICT (service_id) DO UPDATE SET team = excluded.team, verdict = excluded.verdict, cpu_peak_share = excluded.cpu_peak_share, \
                 memory_peak_share = excluded.memory_peak_share, latency_p99_ms = excluded.latency_p99_ms, request_rate = excluded.request_rate, \
                 cost_micros = excluded.cost_micros, currency = excluded.currency, idle_share = excluded.idle_share, \
                 analysed_at = excluded.analysed_at, spark = excluded.spark, cpu = excluded.cpu, memory = excluded.memory, \
                 no_action = excluded.no_action, findings = excluded.findings")
            .uuid(summary.service_id.0)
            .text(summary.verdict.as_str())
            .real(peak_share(summary.cpu.as_ref()))
            .real(peak_share(summary.memory.as_ref()))
            .real(summary.latency_p99_ms)
            .real(summary.request_rate)
            .money(summary.cost_month)
            .real(summary.idle_share)
            .time(summary.analysed_at)
            .json(&summary.spark)
            .json(&summary.cpu)
            .json(&summary.memory)
            .maybe_text(summary.no_action.as_deref())
            .json(&summary.findings)
            .run(self.on())
            .await?;
            if done == 0 {
                return Err(Error::not_found("service", summary.service_id));
            }
        }
        Ok(())
    }

    /// Notes the class of services that have a summary, `None` for those that belong to none; others are passed over. A new summary
    /// leaves it: classes are found in a fleet, summaries service by service.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn put_classes(&mut self, classes: &[(ServiceId, Option<ServiceClass>)]) -> Result<()> {
        for (service, class) in classes {
            sql("UPDATE service_summary SET class = $2 WHERE service_id = $1")
                .uuid(service.0)
                .maybe_text(class.as_ref().map(crate::db::to_json))
                .run(self.on())
                .await?;
        }
        Ok(())
    }

    /// Refreshes the newest values of services that have a summary; others are passed over.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn put_live_numbers(&mut self, numbers: &[LiveNumbers]) -> Result<()> {
        for one in numbers {
            sql("UPDATE service_summary SET latency_p99_ms = $2, request_rate = $3, spark = $4 WHERE service_id = $1")
                .uuid(one.service_id.0)
                .real(one.latency_p99_ms)
                .real(one.request_rate)
                .json(&one.spark)
                .run(self.on())
                .await?;
        }
        Ok(())
    }
}

impl Store {
    /// The class of a service, if the newest analysis of a fleet found one.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn class_of(&self, id: ServiceId) -> Result<Option<ServiceClass>> {
        let row = sql("SELECT class FROM service_summary WHERE service_id = $1").uuid(id.0).maybe(&mut self.read().await?).await?;
        row.map_or(Ok(None), |row| row.maybe_json("class"))
    }

    /// What the newest analysis said of a service.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn summary(&self, id: ServiceId) -> Result<Option<ServiceSummary>> {
        let row = sql("SELECT * FROM service_summary WHERE service_id = $1").uuid(id.0).maybe(&mut self.read().await?).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(ServiceSummary {
            service_id: id,
            verdict: row.word("verdict")?,
            cpu: row.json("cpu")?,
            memory: row.json("memory")?,
            latency_p99_ms: row.maybe_real("latency_p99_ms")?,
            request_rate: row.maybe_real("request_rate")?,
            cost_month: row.money("cost_micros", "currency")?,
            idle_share: row.maybe_real("idle_share")?,
            spark: row.json("spark")?,
            findings: row.json("findings")?,
            no_action: row.maybe_text("no_action")?,
            analysed_at: row.time("analysed_at")?,
        }))
    }

    /// How large services typically are, as their newest analyses measured them.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn typical_peaks(&self) -> Result<TypicalPeaks> {
        let rows = sql("SELECT m.cpu, m.memory FROM service_summary m JOIN services s ON s.id = m.service_id WHERE s.gone_at IS NULL")
            .all(&mut self.read().await?)
            .await?;
        let mean = |column: &str, metric: Metric| -> Result<Option<f64>> {
            let (mut sum, mut n) = (0.0, 0u32);
            for row in &rows {
                let bar: Option<UseBar> = row.json(column)?;
                if let Some(bar) = bar.filter(|b| b.metric == metric) {
                    sum += bar.peak;
                    n += 1;
                }
            }
            Ok((n > 0).then(|| sum / f64::from(n)))
        };
        Ok(TypicalPeaks { cpu: mean("cpu", Metric::CpuUsage)?, memory: mean("memory", Metric::MemoryWorkingSet)? })
    }
}
