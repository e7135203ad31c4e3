//! What pages read.

#![expect(missing_docs, reason = "the macro makes a struct of the arguments, whose fields cannot be documented; the functions are")]

use super::json::Json;
use super::{ChartView, Entry, InsightsView};
use crate::error::AppError;
use headroom_model::ids::RecommendationId;
use headroom_model::time::Span;
use headroom_model::view::{
    AuditQuery, AuditRow, BenchmarkPage, BenchmarkQuery, BenchmarkRow, ChangeQuery, ChangeRow, Frame, JobRow, Overview, PageOf,
    RecommendationPage, RecommendationQuery, RecommendationRow, ServicePage, ServiceQuery, ServiceRow,
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use crate::doorway::{self, doorway};

/// Who is here, and what the last form did.
#[server(name = ReadEntry, prefix = "/fn", endpoint = "entry", input = Json, output = Json)]
pub async fn entry() -> Result<Entry, AppError> {
    let door = doorway().await?;
    let role = door.ctx.role.ok_or_else(|| AppError::new("unauthenticated", "sign in first"))?;
    Ok(Entry { user: door.ctx.actor, role, key: doorway::fresh_key(), flash: doorway::take_flash() })
}

/// The counts and ages around every page.
#[server(name = ReadFrame, prefix = "/fn", endpoint = "frame", input = Json, output = Json)]
pub async fn frame() -> Result<Frame, AppError> {
    let door = doorway().await?;
    Ok(door.service.frame(&door.ctx).await?)
}

/// The first page.
#[server(name = ReadOverview, prefix = "/fn", endpoint = "overview", input = Json, output = Json)]
pub async fn overview() -> Result<Overview, AppError> {
    let door = doorway().await?;
    Ok(door.service.overview(&door.ctx).await?)
}

/// Promised against achieved, as a chart.
#[server(prefix = "/fn", endpoint = "overview/ledger", input = Json, output = Json)]
pub async fn ledger_chart() -> Result<ChartView, AppError> {
    use headroom_model::chart::{ChartModel, ChartSeries, Ink};
    let door = doorway().await?;
    let page = door.service.overview(&door.ctx).await?;
    let line = |label: &str, ink, pick: fn(&(i64, f64, f64)) -> f64| ChartSeries {
        label: label.to_owned(),
        ink,
        steps: true,
        points: page.ledger.iter().map(|p| (p.0, Some(pick(p)))).collect(),
    };
    let model = ChartModel {
        title: "Promised against achieved".to_owned(),
        unit: format!("{} a month", page.spend_month.currency.code()),
        series: vec![line("promised", Ink::Asked, |p| p.1), line("achieved", Ink::Applied, |p| p.2)],
        ..ChartModel::default()
    };
    Ok(ChartView::draw(&model, "ledger"))
}

/// A page of services.
#[server(prefix = "/fn", endpoint = "services", input = Json, output = Json)]
pub async fn services(query: ServiceQuery) -> Result<PageOf<ServiceRow>, AppError> {
    let door = doorway().await?;
    Ok(door.service.services(&door.ctx, &query).await?)
}

/// One service.
#[server(prefix = "/fn", endpoint = "service", input = Json, output = Json)]
pub async fn service(name: String) -> Result<ServicePage, AppError> {
    let door = doorway().await?;
    Ok(door.service.service(&door.ctx, &name).await?)
}

/// Its charts over the last `range`.
#[server(prefix = "/fn", endpoint = "service/charts", input = Json, output = Json)]
pub async fn service_charts(name: String, range: Span) -> Result<Vec<ChartView>, AppError> {
    let door = doorway().await?;
    Ok(super::draw_all(&door.service.service_charts(&door.ctx, &name, range).await?, "s"))
}

/// What is seen in one service beyond its size. `at` is the begin of an anomaly whose causes are wanted, seconds since the epoch.
#[server(prefix = "/fn", endpoint = "service/insights", input = Json, output = Json)]
pub async fn insights(name: String, at: Option<i64>) -> Result<InsightsView, AppError> {
    use headroom_model::{time::Timestamp, view::Outlook};
    let door = doorway().await?;
    let (mut insights, charts) = door.service.insights(&door.ctx, &name, at.map(Timestamp::from_secs)).await?;
    for forecast in &mut insights.forecasts {
        // They are in the chart.
        if let Outlook::Ahead(ahead) = &mut forecast.outlook {
            ahead.steps.clear();
        }
    }
    Ok(InsightsView { insights, charts: super::draw_all(&charts, "f") })
}

/// What is seen in the service of a recommendation beyond its size, without its forecasts: they are among the recommendation's charts.
#[server(prefix = "/fn", endpoint = "recommendation/insights", input = Json, output = Json)]
pub async fn recommendation_insights(id: RecommendationId) -> Result<InsightsView, AppError> {
    let door = doorway().await?;
    let mut insights = door.service.recommendation_insights(&door.ctx, id).await?;
    insights.forecasts.clear();
    Ok(InsightsView { insights, charts: Vec::new() })
}

/// A page of recommendations.
#[server(prefix = "/fn", endpoint = "recommendations", input = Json, output = Json)]
pub async fn recommendations(query: RecommendationQuery) -> Result<PageOf<RecommendationRow>, AppError> {
    let door = doorway().await?;
    Ok(door.service.recommendations(&door.ctx, &query).await?)
}

/// One recommendation.
#[server(prefix = "/fn", endpoint = "recommendation", input = Json, output = Json)]
pub async fn recommendation(id: String) -> Result<RecommendationPage, AppError> {
    let door = doorway().await?;
    Ok(door.service.recommendation(&door.ctx, super::act::parse_id(&id)?).await?)
}

/// Its charts.
#[server(prefix = "/fn", endpoint = "recommendation/charts", input = Json, output = Json)]
pub async fn recommendation_charts(id: RecommendationId) -> Result<Vec<ChartView>, AppError> {
    let door = doorway().await?;
    Ok(super::draw_all(&door.service.recommendation_charts(&door.ctx, id).await?, "r"))
}

/// A page of changes.
#[server(prefix = "/fn", endpoint = "changes", input = Json, output = Json)]
pub async fn changes(query: ChangeQuery) -> Result<PageOf<ChangeRow>, AppError> {
    let door = doorway().await?;
    Ok(door.service.changes(&door.ctx, &query).await?)
}

/// A page of the audit.
#[server(prefix = "/fn", endpoint = "audit", input = Json, output = Json)]
pub async fn audit(query: AuditQuery) -> Result<PageOf<AuditRow>, AppError> {
    let door = doorway().await?;
    Ok(door.service.audit(&door.ctx, &query).await?)
}

/// A page of benchmarks.
#[server(prefix = "/fn", endpoint = "benchmarks", input = Json, output = Json)]
pub async fn benchmarks(query: BenchmarkQuery) -> Result<PageOf<BenchmarkRow>, AppError> {
    let door = doorway().await?;
    Ok(door.service.benchmarks(&door.ctx, &query).await?)
}

/// The suites that benchmarks are part of.
#[server(prefix = "/fn", endpoint = "benchmarks/suites", input = Json, output = Json)]
pub async fn benchmark_suites() -> Result<Vec<String>, AppError> {
    let door = doorway().await?;
    Ok(door.service.benchmark_suites(&door.ctx).await?)
}

/// One benchmark.
#[server(prefix = "/fn", endpoint = "benchmark", input = Json, output = Json)]
pub async fn benchmark(id: String) -> Result<BenchmarkPage, AppError> {
    let door = doorway().await?;
    Ok(door.service.benchmark(&door.ctx, benchmark_id(&id)?).await?)
}

#[cfg(feature = "ssr")]
fn benchmark_id(id: &str) -> Result<headroom_model::ids::BenchmarkId, AppError> {
    id.parse().map_err(|_| AppError::new("not-found", format!("there is no benchmark {id:?}")))
}

/// Its chart.
#[server(prefix = "/fn", endpoint = "benchmark/chart", input = Json, output = Json)]
pub async fn benchmark_chart(id: String) -> Result<ChartView, AppError> {
    let door = doorway().await?;
    Ok(ChartView::draw(&door.service.benchmark_chart(&door.ctx, benchmark_id(&id)?).await?, "b"))
}

/// The newest analyses.
#[server(prefix = "/fn", endpoint = "jobs", input = Json, output = Json)]
pub async fn jobs() -> Result<Vec<JobRow>, AppError> {
    let door = doorway().await?;
    Ok(door.service.jobs(&door.ctx).await?)
}

/// The teams' names.
#[server(prefix = "/fn", endpoint = "teams", input = Json, output = Json)]
pub async fn teams() -> Result<Vec<String>, AppError> {
    let door = doorway().await?;
    Ok(door.service.teams(&door.ctx).await?)
}
