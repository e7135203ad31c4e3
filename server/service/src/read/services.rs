//! The list of services, and one service whole.

use crate::analyze::{Analysed, words};
use crate::days::Known;
use crate::read::changes::progress;
use crate::read::charts;
use crate::{Error, Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_engine::sketch;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::chart::ChartModel;
use headroom_model::ids::RecommendationId;
use headroom_model::metric::{Aggregation, Metric};
use headroom_model::recommendation::UseBar;
use headroom_model::time::{DAY, Span, Timestamp};
use headroom_model::view::{Grounds, PageOf, ServicePage, ServiceQuery, ServiceRow};
use headroom_store::ServiceSummary;

/// Points of a spark line: one for every half hour of a day.
const SPARK: usize = 48;
/// Changes, and open recommendations, that a service's page shows.
const NEWEST: u32 = 50;
/// Deploys that it shows.
const DEPLOYS: u32 = 10;

/// What lists show of a service, from its newest analysis.
pub(crate) fn summary(one: &Analysed) -> ServiceSummary {
    let latest = |metric| sketch::newest(&one.known.days, metric);
    let bar = |metrics: [Metric; 2]| one.analysis.bars.iter().find(|b| metrics.contains(&b.metric)).cloned();
    let cpu = bar([Metric::CpuUsage, Metric::CpuUtilization]);
    let memory = bar([Metric::MemoryWorkingSet, Metric::MemoryUtilization]);
    ServiceSummary {
        service_id: one.service.id,
        verdict: one.analysis.verdict,
        idle_share: idle(&one.analysis.bars),
        cpu,
        memory,
        latency_p99_ms: latest(Metric::LatencyP99),
        request_rate: latest(Metric::RequestRate),
        cost_month: one.analysis.cost_month,
        spark: spark(&one.known),
        findings: one.analysis.findings.clone(),
        no_action: one.analysis.reason.as_ref().map(words),
        analysed_at: one.known.now,
    }
}

/// Share of what is asked for that the median leaves unused, the mean over the resources that have a request.
pub(crate) fn idle(bars: &[UseBar]) -> Option<f64> {
    let unused: Vec<f64> = bars.iter().filter_map(|b| b.request.filter(|r| *r > 0.0).map(|r| (1.0 - b.p50 / r).clamp(0.0, 1.0))).collect();
    (!unused.is_empty()).then(|| unused.iter().sum::<f64>() / unused.len() as f64)
}

fn spark(known: &Known) -> Vec<Option<f32>> {
    let cpu = [Metric::CpuUsage, Metric::CpuUtilization].into_iter().find_map(|metric| sketch::quarters(&known.days, metric));
    let Some(series) = cpu else { return Vec::new() };
    let day = series.slice(known.now.secs() - DAY, known.now.secs() + 1);
    let coarse = day.coarsen(day.values.len().div_ceil(SPARK).max(1), Aggregation::Mean);
    coarse.values.iter().map(|v| (!v.is_nan()).then_some(*v)).collect()
}

impl Headroom {
    /// A page of services, filtered and sorted by the database.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor, sort or verdict that is not known.
    #[boxed]
    pub async fn services(&self, ctx: &OpContext, query: &ServiceQuery) -> Result<PageOf<ServiceRow>> {
        ctx.require(Permission::Read)?;
        if !query.verdict.is_empty() {
            query.verdict.parse::<headroom_model::recommendation::Verdict>().map_err(|e| Error::invalid("verdict", e))?;
        }
        let order = query.sort.trim_start_matches('-');
        if !matches!(order, "" | "name" | "cost" | "cpu" | "memory" | "latency" | "requests" | "saving") {
            return Err(Error::invalid(
                "sort",
                format!("{order:?} is not a column to sort by: name, cost, cpu, memory, latency, requests or saving"),
            ));
        }
        Ok(self.store.service_rows(query, &ctx.teams).await?)
    }

    /// One service, whole.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown name; [`Error::Invalid`] for one that is ambiguous.
    #[boxed]
    pub async fn service(&self, ctx: &OpContext, name: &str) -> Result<ServicePage> {
        ctx.require(Permission::Read)?;
        let service = self.service_seen(ctx, name).await?;
        let row = self.store.service_rows_by_id(&[service.id]).await?.pop().ok_or_else(|| Error::not_found("service", name))?;
        let summary = self.store.summary(service.id).await?;
        let newest = self.newest_sample(&service.key.cluster).await?;
        let end = newest.unwrap_or(ctx.now.cluster).secs() + 1;
        let policy = self.policy_of(&service).await?;
        let mut changes = self.store.changes_of(service.id, NEWEST).await?;
        for change in &mut changes {
            change.progress = progress(change, &policy, ctx.now.cluster);
        }
        let recommendations = self.store.recommendation_rows_of(service.id, NEWEST).await?;
        let ids: Vec<RecommendationId> = recommendations.iter().map(|r| r.id).collect();
        let mut whole = self.store.recommendations(&ids).await?;
        let called = self.store.services_called(&service.key.cluster, &service.calls, &ctx.teams).await?;
        Ok(ServicePage {
            row,
            latest: self.store.latest(service.id, end).await?,
            findings: summary.as_ref().map(|s| s.findings.clone()).unwrap_or_default(),
            no_action: summary.as_ref().and_then(|s| s.no_action.clone()),
            analysed_at: summary.as_ref().map(|s| s.analysed_at),
            recommendations,
            grounds: ids.iter().filter_map(|id| whole.remove(id)).map(Grounds::from).collect(),
            held_by: self.store.held_by(service.id).await?,
            changes,
            deployments: self.store.deployments_of(service.id, DEPLOYS).await?,
            calls: self.store.service_rows_by_id(&called).await?,
            service,
            newest_sample: newest,
            now: ctx.now.cluster,
        })
    }

    /// The charts of a service over a time range that ends with its newest sample: CPU, memory, latency, requests.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown name.
    #[boxed]
    pub async fn service_charts(&self, ctx: &OpContext, name: &str, range: Span) -> Result<Vec<ChartModel>> {
        ctx.require(Permission::Read)?;
        let service = self.service_seen(ctx, name).await?;
        let summary = self.store.summary(service.id).await?;
        let bar = |metrics: [Metric; 2]| {
            summary
                .as_ref()
                .and_then(|s| [&s.cpu, &s.memory].into_iter().flatten().find(|b| metrics.contains(&b.metric)))
                .and_then(|b| b.proposed)
        };
        let end = self.newest_sample(&service.key.cluster).await?.unwrap_or(ctx.now.cluster).secs() + 1;
        let from = end - range.secs().clamp(3600, 90 * DAY);
        let history = self.store.history(&[service.id], None, from, end).await?.remove(&service.id).unwrap_or_default();
        let changes = self.store.changes_of(service.id, charts::MARKED).await?;
        let (cpu, memory) = ([Metric::CpuUsage, Metric::CpuUtilization], [Metric::MemoryWorkingSet, Metric::MemoryUtilization]);
        let drawn: [(ChartModel, &[Metric]); 4] = [
            (charts::cpu(&history, bar(cpu), &changes), &cpu),
            (charts::memory(&history, bar(memory), &changes), &memory),
            (charts::latency(&history, &changes), &[Metric::LatencyP95, Metric::LatencyP99]),
            (charts::traffic(&history, &changes), &[Metric::RequestRate, Metric::ErrorRatio]),
        ];
        let deployments = self.store.deployments_of(service.id, charts::MARKED).await?;
        let odd = self.anomalies_of(&service, Timestamp::from_secs(end - 1)).await?;
        let marked = |(mut chart, metrics): (ChartModel, &[Metric])| {
            charts::mark_anomalies(&mut chart, &odd, metrics);
            charts::mark_deployments(&mut chart, deployments.iter().map(|d| (d.cluster_at, d.short_version())));
            chart
        };
        Ok(drawn.map(marked).into())
    }
}
