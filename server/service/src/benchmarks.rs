//! Benchmarks: takes runs in, and notes where their level has stepped.

use crate::read::charts;
use crate::{Error, Headroom, Result, deployments, event};
use async_recursion::async_recursion as boxed;
use headroom_engine::benchmarks::{Event, Regression, Run, Verdict, attribute, compare, regressions};
use headroom_model::auth::{OpContext, Permission, Teams};
use headroom_model::benchmark::{self, AgainstBaseline, BenchmarkRun, BenchmarkStep};
use headroom_model::chart::{ChartBand, ChartModel, ChartSeries, Ink, Mark};
use headroom_model::deployment::Deployment;
use headroom_model::ids::{BenchmarkId, ServiceId};
use headroom_model::time::Timestamp;
use headroom_model::view::{AuditRow, BenchmarkPage, BenchmarkPoint, BenchmarkQuery, BenchmarkRow, ChangeRow, PageOf};
use headroom_store::BenchmarkKey;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Most runs of one import.
const MOST_RUNS: usize = 10_000;
/// The newest runs of a benchmark, among which steps are looked for.
pub(crate) const LOOKED_AT: u32 = 1000;
/// What the audit says where a change was written to its target, and where it was taken back.
const WRITTEN: &str = "change.observing";
const TAKEN_BACK: &str = "change.rolled_back";
/// The runs before the newest one that it is compared with.
const BASELINE: u32 = 10;
/// Who owns a benchmark that belongs to no service.
const NO_TEAM: &str = "unowned";
/// Steps and shifts of less than this many percent are not told.
const MATTERS: f64 = 1.0;
/// Seconds within which a change or deploy of the service may have made a benchmark step.
const REACH: i64 = 3 * 86_400;

impl Headroom {
    /// Keeps runs of benchmarks, all of them or none, and looks for steps in the level of each benchmark that has new ones. A run of the
    /// same time and commit replaces one that was kept earlier. `service_name` may be empty. A benchmark keeps the direction that it began
    /// with, since all its steps are judged by it. Returns the benchmarks that have new runs.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the engineer's role; [`Error::NotFound`] for an unknown service; [`Error::Invalid`] names the field.
    #[boxed]
    pub async fn import_benchmarks(
        &self,
        ctx: &OpContext,
        suite: &str,
        service_name: &str,
        runs: &[BenchmarkRun],
    ) -> Result<Vec<BenchmarkRow>> {
        ctx.require(Permission::Analyze)?;
        benchmark::name("suite", suite).map_err(|(field, why)| Error::invalid(field, why))?;
        if runs.is_empty() || runs.len() > MOST_RUNS {
            return Err(Error::invalid("runs", format!("{} runs are not allowed: send 1 to {MOST_RUNS}", runs.len())));
        }
        for run in runs {
            let fault = |field, why| Error::invalid(field, format!("benchmark {:?}: {why}", run.benchmark));
            run.check().map_err(|(field, why)| fault(field, why))?;
            if let Some(at) = run.at.filter(|at| !at.has_come(ctx.now.wall)) {
                return Err(fault("at", format!("{at} has not come yet, or is before 1970: send a run once it was measured")));
            }
        }
        once_each(runs, ctx.now.wall)?;
        let directions = directions(runs)?;
        let service = if service_name.is_empty() { None } else { Some(self.service_seen(ctx, service_name).await?) };
        if service.is_none() && ctx.teams != Teams::ALL {
            return Err(Error::invalid("service_name", "say which service it belongs to: you see some teams only"));
        }
        let events = match &service {
            Some(of) => self.events_of(of.id, &self.store.deployments_of(of.id, deployments::LOOKED_AT).await?).await?,
            None => Vec::new(),
        };
        let team = service.as_ref().map_or(NO_TEAM, |s| s.team.as_str());
        let mut tx = self.store.begin().await?;
        let mut touched = BTreeSet::new();
        for run in runs {
            let key = BenchmarkKey { team: team.into(), suite: suite.into(), name: run.benchmark.clone(), unit: run.unit.clone() };
            let said = directions.get(&(run.benchmark.as_str(), run.unit.as_str())).copied();
            let (id, kept) = tx.benchmark(&key, said.unwrap_or_default(), service.as_ref().map(|s| s.id)).await?;
            if said.is_some_and(|said| said != kept) {
                return Err(turned(run, kept, "is kept"));
            }
            tx.put_benchmark_run(id, run, run.at.unwrap_or(ctx.now.wall)).await?;
            touched.insert((id, kept));
        }
        for (id, higher_is_better) in &touched {
            let points = tx.benchmark_points(*id, LOOKED_AT).await?;
            tx.put_benchmark_steps(*id, &steps(&points, *higher_is_better, &events)).await?;
        }
        let mut entry = event(ctx, "benchmarks.imported", "benchmarks", suite);
        entry.service_id = service.map(|s| s.id.to_string());
        entry.after = Some(serde_json::json!({ "runs": runs.len(), "benchmarks": touched.len() }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("benchmarks");
        let ids: Vec<BenchmarkId> = touched.into_iter().map(|(id, _)| id).collect();
        Ok(self.store.benchmark_rows_of(&ids).await?)
    }

    /// What may have made a benchmark step: deploys, and changes that were carried out on its service. Runs have times of the wall's
    /// clock, while a change knows the cluster's, which may run faster: when it was written and taken back is told by the audit, which
    /// has both.
    pub(crate) async fn events_of(&self, service: ServiceId, deployments: &[Deployment]) -> Result<Vec<Event>> {
        let changes = self.store.changes_of(service, LOOKED_AT).await?.into_iter().map(|change| (change.id.to_string(), change));
        let written: HashMap<String, ChangeRow> = changes.filter(|(_, c)| c.applied_at.or(c.rolled_back_at).is_some()).collect();
        let ids: Vec<String> = written.keys().cloned().collect();
        let event = |entry: AuditRow| {
            let change = written.get(&entry.event.subject)?;
            let name = match entry.event.name.as_str() {
                WRITTEN => format!("{} {}", change.id.short(), change.title),
                TAKEN_BACK => format!("{} rolled back", change.id.short()),
                _ => return None,
            };
            Some(Event { time: entry.event.at.wall.secs(), name })
        };
        let done = self.store.events_about(&ids, &[WRITTEN, TAKEN_BACK], 2 * LOOKED_AT).await?.into_iter().filter_map(event);
        let deployed = deployments.iter().map(|d| Event { time: d.at.secs(), name: d.words() });
        Ok(done.chain(deployed).collect())
    }

    /// A page of benchmarks, the one that stepped last first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor, view or order that is not known.
    #[boxed]
    pub async fn benchmarks(&self, ctx: &OpContext, query: &BenchmarkQuery) -> Result<PageOf<BenchmarkRow>> {
        ctx.require(Permission::Read)?;
        Ok(self.store.benchmark_rows(query, &ctx.teams).await?)
    }

    /// The suites there are.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn benchmark_suites(&self, ctx: &OpContext) -> Result<Vec<String>> {
        ctx.require(Permission::Read)?;
        Ok(self.store.benchmark_suites(&ctx.teams).await?)
    }

    /// One benchmark, whole.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    #[boxed]
    pub async fn benchmark(&self, ctx: &OpContext, id: BenchmarkId) -> Result<BenchmarkPage> {
        let mut page = self.runs_of(ctx, id).await?;
        let since = page.steps.last().map(|step| step.at);
        let runs = self.store.benchmark_values(id, since, BASELINE + 1).await?;
        page.against = against(&runs, page.row.higher_is_better);
        Ok(page)
    }

    async fn runs_of(&self, ctx: &OpContext, id: BenchmarkId) -> Result<BenchmarkPage> {
        ctx.require(Permission::Read)?;
        let (row, steps) = self.store.benchmark_row(id, &ctx.teams).await?.ok_or_else(|| Error::not_found("benchmark", id))?;
        Ok(BenchmarkPage { row, steps, points: self.store.benchmark_runs(id, LOOKED_AT).await?, against: None })
    }

    /// A benchmark's runs with their range, the level between steps, and the steps and its service's deploys marked.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    #[boxed]
    pub async fn benchmark_chart(&self, ctx: &OpContext, id: BenchmarkId) -> Result<ChartModel> {
        let page = self.runs_of(ctx, id).await?;
        let deployments = match self.store.benchmark_service(id).await? {
            Some(service) => self.store.deployments_of(service, charts::MARKED).await?,
            None => Vec::new(),
        };
        Ok(chart(&page, &deployments))
    }
}

/// Refuses runs of one benchmark, unit, commit and time: only one of them would be kept.
fn once_each(runs: &[BenchmarkRun], now: Timestamp) -> Result<()> {
    let mut seen = HashSet::new();
    for run in runs {
        let at = run.at.unwrap_or(now);
        if !seen.insert((&run.benchmark, &run.unit, run.commit.as_deref().unwrap_or_default(), at)) {
            let why = format!("benchmark {:?} has two runs in {} of {at} and one commit: give each its time", run.benchmark, run.unit);
            return Err(Error::invalid("runs", why));
        }
    }
    Ok(())
}

/// The directions that runs say, by benchmark and unit; refuses two of one benchmark.
fn directions(runs: &[BenchmarkRun]) -> Result<HashMap<(&str, &str), bool>> {
    let mut said = HashMap::new();
    for run in runs {
        let Some(higher) = run.higher_is_better else { continue };
        if *said.entry((run.benchmark.as_str(), run.unit.as_str())).or_insert(higher) != higher {
            return Err(turned(run, !higher, "has another run here"));
        }
    }
    Ok(said)
}

/// A run that says the opposite of what its benchmark is known by.
fn turned(run: &BenchmarkRun, known: bool, how: &str) -> Error {
    let why = format!(
        "benchmark {:?} in {} {how} with higher_is_better {known}: leave it out of this one, or give what is measured another name",
        run.benchmark, run.unit
    );
    Error::invalid("higher_is_better", why)
}

/// The last of some runs against the values of all before it; `None` without one before it.
fn against(runs: &[(Timestamp, Vec<f64>)], higher_is_better: bool) -> Option<AgainstBaseline> {
    let ((_, new), before) = runs.split_last()?;
    let (first, last) = (before.first()?, before.last()?);
    let baseline: Vec<f64> = before.iter().flat_map(|(_, values)| values).copied().collect();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Some(AgainstBaseline {
        runs: count(before.len()),
        from: first.0,
        to: last.0,
        baseline_values: count(baseline.len()),
        baseline_median: benchmark::middle(&baseline),
        new_values: count(new.len()),
        new_median: benchmark::middle(new),
        matters_percent: MATTERS,
        comparison: compare(&baseline, new, higher_is_better, MATTERS),
    })
}

/// The steps among a benchmark's runs, oldest first.
fn steps(points: &[BenchmarkPoint], higher_is_better: bool, events: &[Event]) -> Vec<BenchmarkStep> {
    let run = |p: &BenchmarkPoint| Run {
        benchmark: String::new(),
        unit: String::new(),
        higher_is_better: Some(higher_is_better),
        values: vec![p.centre],
        commit: p.commit.clone(),
        time: Some(p.at.secs()),
    };
    let runs: Vec<Run> = points.iter().map(run).collect();
    let step = |r: Regression| BenchmarkStep {
        at: points[r.change.index].at,
        commit: r.commit,
        before: r.change.before,
        after: r.change.after,
        percent: r.change.change_percent,
        p_value: r.change.p_value,
        worse: r.verdict == Verdict::Slower,
        cause: put_down(points[r.change.index].at, points, events),
    };
    regressions(&runs, MATTERS, &[], REACH).into_iter().filter(|r| r.verdict != Verdict::Unclear).map(step).collect()
}

/// What a step is put down to: of what was done no later than the first run of the new level, which began at `at`, the nearest in time.
pub(crate) fn put_down(at: Timestamp, points: &[BenchmarkPoint], events: &[Event]) -> Option<String> {
    let first = points.iter().position(|p| p.at == at)?;
    let last_before = points.get(first.checked_sub(1)?)?.at;
    let earlier: Vec<Event> = events.iter().filter(|e| e.time <= at.secs()).cloned().collect();
    attribute(last_before.secs(), at.secs(), &earlier, REACH).map(|found| found.event.name)
}

fn chart(page: &BenchmarkPage, deployments: &[Deployment]) -> ChartModel {
    let mut level = Vec::new();
    let (mut steps, mut now) = (page.steps.iter().peekable(), page.steps.first().map(|s| s.before));
    for point in &page.points {
        while let Some(step) = steps.next_if(|step| step.at <= point.at) {
            now = Some(step.after);
        }
        level.push((point.at.secs(), now));
    }
    let runs = page.points.iter().map(|p| (p.at.secs(), Some(p.centre))).collect();
    let mut series = vec![ChartSeries { label: "runs".into(), ink: Ink::Use, steps: false, points: runs }];
    if !page.steps.is_empty() {
        series.push(ChartSeries { label: "level".into(), ink: Ink::Data1, steps: true, points: level });
    }
    let range = page.points.iter().map(|p| (p.at.secs(), p.range.0, p.range.1)).collect();
    let mark = |step: &BenchmarkStep| Mark {
        label: step.percent.map_or_else(|| "stepped".to_owned(), |p| format!("{p:+.1} %")),
        ink: if step.worse { Ink::Bad } else { Ink::Applied },
        at: step.at.secs(),
    };
    let mut model = ChartModel {
        title: page.row.name.clone(),
        unit: page.row.unit.clone(),
        series,
        bands: vec![ChartBand { label: "range".into(), ink: Ink::Use, points: range }],
        thresholds: Vec::new(),
        marks: page.steps.iter().map(mark).collect(),
    };
    charts::mark_deployments(&mut model, deployments.iter().map(|d| (d.at, d.short_version())));
    model
}
