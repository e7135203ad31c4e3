//! `/benchmarks`: runs come in from pipelines, and go out with the steps in their level.

use crate::identity::Ctx;
use crate::problem::Refusal;
use crate::rest::extract::{Body, Id, Parameters, Rows};
use crate::rest::shapes::{List, ProblemAnswer};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use headroom_model::benchmark::{AgainstBaseline, BenchmarkRun, BenchmarkStep, Verdict};
use headroom_model::ids::BenchmarkId;
use headroom_model::time::Timestamp;
use headroom_model::view::{BenchmarkPage, BenchmarkPoint, BenchmarkQuery, BenchmarkRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Runs of one suite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Runs {
    /// What the benchmarks are part of, such as a repository's name.
    #[schema(example = "parser")]
    suite: String,
    /// The service that they measure, if there is one.
    #[serde(default)]
    service_name: String,
    /// At least one, and no two of one benchmark, unit, commit and time.
    #[schema(value_type = Vec<Run>)]
    runs: Vec<BenchmarkRun>,
}

/// One run of one benchmark.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the model's BenchmarkRun, which is what is read")]
pub struct Run {
    /// Its name in the suite.
    #[schema(example = "parse/large")]
    benchmark: String,
    /// What is measured.
    #[schema(example = "ns")]
    unit: String,
    /// Whether more is better, as of a throughput. Without, as the benchmark began: false for a new one. A benchmark keeps its direction,
    /// and a run that says the opposite is refused.
    higher_is_better: Option<bool>,
    /// What was measured, at least one number.
    values: Vec<f64>,
    /// The commit that was measured.
    commit: Option<String>,
    /// When, RFC 3339 or seconds since 1970, and not in the future; now without.
    #[schema(value_type = Option<String>)]
    at: Option<Timestamp>,
}

/// What was taken in.
#[derive(Serialize, ToSchema)]
pub struct Taken {
    /// Runs.
    runs: usize,
    /// The benchmarks that have new runs, each with its newest step.
    items: Vec<BenchmarkItem>,
}

/// Which benchmarks.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BenchmarkParameters {
    /// `worse` or `better`: where the newest step went; all without.
    view: String,
    /// Exact suite.
    suite: String,
    /// Exact service name.
    service_name: String,
    /// Part of the name.
    q: String,
    /// `changed` (newest step first), `name` or `latest`, the other way round after `-`.
    sort: String,
    /// Where to go on: a page's `next_cursor`.
    cursor: String,
    /// Rows per page, 1 to 200; 50 without.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Rows,
}

/// A benchmark.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BenchmarkItem {
    /// Its id.
    benchmark_id: String,
    /// Its suite.
    suite: String,
    /// Its name in the suite.
    name: String,
    /// What is measured.
    unit: String,
    /// Whether more is better.
    higher_is_better: bool,
    /// The service that it measures.
    service_name: Option<String>,
    /// Who owns it.
    team: String,
    /// How many runs are kept.
    runs: u64,
    /// The middle of the newest run.
    latest: f64,
    /// Wall time of the newest run.
    latest_at: String,
    /// The newest step in its level; null without one.
    #[schema(value_type = Option<Object>)]
    step: Option<BenchmarkStep>,
}

impl From<BenchmarkRow> for BenchmarkItem {
    fn from(row: BenchmarkRow) -> Self {
        Self {
            benchmark_id: row.id.to_string(),
            suite: row.suite,
            name: row.name,
            unit: row.unit,
            higher_is_better: row.higher_is_better,
            service_name: row.service_name,
            team: row.team,
            runs: row.runs,
            latest: row.latest,
            latest_at: row.latest_at.to_string(),
            step: row.step,
        }
    }
}

/// A benchmark with its runs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BenchmarkWhole {
    /// As in the list.
    #[serde(flatten)]
    item: BenchmarkItem,
    /// Every step in the level of these runs, oldest first.
    #[schema(value_type = Vec<Object>)]
    steps: Vec<BenchmarkStep>,
    /// The newest runs, oldest first.
    #[schema(value_type = Vec<Object>)]
    points: Vec<BenchmarkPoint>,
    /// The newest run against the runs before it; null where none came before it since the last step.
    baseline: Option<Baseline>,
}

impl From<BenchmarkPage> for BenchmarkWhole {
    fn from(page: BenchmarkPage) -> Self {
        Self { item: page.row.into(), steps: page.steps, points: page.points, baseline: page.against.map(Baseline::from) }
    }
}

/// The newest run against its baseline: the values of up to ten runs before it, none of them from before the last step.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Baseline {
    /// How many runs it is made of.
    runs: u32,
    /// Wall time of the first of them.
    from: String,
    /// Wall time of the last of them.
    to: String,
    /// How many values they have together.
    values: u32,
    /// The median of those.
    median: f64,
    /// How many values the newest run has.
    new_values: u32,
    /// The median of those.
    new_median: f64,
    /// Shifts of less than this many percent do not matter.
    threshold_percent: f64,
    /// The typical shift from baseline to newest run (Hodges–Lehmann), percent of the baseline's median; this and what follows is null
    /// where that median is 0.
    shift_percent: Option<f64>,
    /// Low end of its 99 % interval, percent.
    low_percent: Option<f64>,
    /// High end of its 99 % interval, percent.
    high_percent: Option<f64>,
    /// Cliff's delta, -1 to 1: how much more often a new value is above an old one than below.
    cliffs_delta: Option<f64>,
    /// How likely such values are where nothing has changed: Mann–Whitney, two-sided.
    p_value: Option<f64>,
    /// `faster` is better, `slower` is worse, `same`, or `unclear`: more values would tell.
    #[schema(value_type = String, example = "same")]
    verdict: Verdict,
}

impl From<AgainstBaseline> for Baseline {
    fn from(a: AgainstBaseline) -> Self {
        let found = a.comparison;
        Self {
            runs: a.runs,
            from: a.from.to_string(),
            to: a.to.to_string(),
            values: a.baseline_values,
            median: a.baseline_median,
            new_values: a.new_values,
            new_median: a.new_median,
            threshold_percent: a.matters_percent,
            shift_percent: found.map(|c| c.shift_percent),
            low_percent: found.map(|c| c.low_percent),
            high_percent: found.map(|c| c.high_percent),
            cliffs_delta: found.map(|c| c.cliffs_delta),
            p_value: found.map(|c| c.p_value),
            verdict: found.map_or(Verdict::Unclear, |c| c.verdict),
        }
    }
}

/// Take runs in
#[utoipa::path(post, path = "/benchmarks/runs", tag = "benchmarks", request_body = Runs, responses(
    (status = 200, description = "All were taken in", body = Taken),
    (status = "default", description = "A problem, and none was taken in", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn runs(State(state): State<AppState>, Ctx(ctx): Ctx, Body(sent): Body<Runs>) -> Result<Json<Taken>, Refusal> {
    let taken = state.headroom.import_benchmarks(&ctx, &sent.suite, &sent.service_name, &sent.runs).await?;
    Ok(Json(Taken { runs: sent.runs.len(), items: taken.into_iter().map(BenchmarkItem::from).collect() }))
}

/// List benchmarks
#[utoipa::path(get, path = "/benchmarks", tag = "benchmarks", params(BenchmarkParameters), responses(
    (status = 200, description = "A page of benchmarks", body = List<BenchmarkItem>),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn list(
    State(state): State<AppState>,
    Ctx(ctx): Ctx,
    Parameters(p): Parameters<BenchmarkParameters>,
) -> Result<Json<List<BenchmarkItem>>, Refusal> {
    let query = BenchmarkQuery {
        view: p.view,
        suite: p.suite,
        service_name: p.service_name,
        search: p.q,
        sort: p.sort,
        cursor: p.cursor,
        limit: p.limit.0,
    };
    Ok(Json(List::of(state.headroom.benchmarks(&ctx, &query).await?, BenchmarkItem::from)))
}

/// One benchmark with its newest runs
#[utoipa::path(get, path = "/benchmarks/{benchmark_id}", tag = "benchmarks", params(("benchmark_id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The benchmark", body = BenchmarkWhole),
    (status = "default", description = "A problem", body = ProblemAnswer, content_type = "application/problem+json")))]
pub async fn show(State(state): State<AppState>, Ctx(ctx): Ctx, Id(id): Id<BenchmarkId>) -> Result<Json<BenchmarkWhole>, Refusal> {
    Ok(Json(state.headroom.benchmark(&ctx, id).await?.into()))
}
