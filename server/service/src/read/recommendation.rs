//! The inbox of recommendations, and one recommendation whole.

use crate::policies::Patches;
use crate::read::charts;
use crate::read::insights::Drawn;
use crate::withdraw::stops;
use crate::{Error, Headroom, Result, diff};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::{Change, Substate};
use headroom_model::chart::ChartModel;
use headroom_model::ids::{RecommendationId, ServiceId};
use headroom_model::job::{OptimizationStatus, OptimizationType};
use headroom_model::metric::Metric;
use headroom_model::plan::Plan;
use headroom_model::policy::Policy;
use headroom_model::recommendation::{Recommendation, Risk};
use headroom_model::service::Service;
use headroom_model::view::{
    AuditRow, ChangeAct, ChangePage, NEWEST_TOLD, Outlook, PageOf, RecommendationPage, RecommendationQuery, RecommendationRow,
    TimelineEntry,
};
use std::collections::HashMap;

impl Headroom {
    /// A page of recommendations, filtered and sorted by the database.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the filter that is not known.
    #[boxed]
    pub async fn recommendations(&self, ctx: &OpContext, query: &RecommendationQuery) -> Result<PageOf<RecommendationRow>> {
        ctx.require(Permission::Read)?;
        check::<OptimizationType>("optimization_type", &query.optimization_type)?;
        check::<OptimizationStatus>("status", &query.status)?;
        check::<Risk>("risk", &query.risk)?;
        if !matches!(query.view.as_str(), "" | "open" | "waiting" | "progress" | "done" | "all") {
            return Err(Error::invalid("view", "open, waiting, progress, done or all"));
        }
        if !matches!(query.sort.trim_start_matches('-'), "" | "saving" | "confidence" | "service" | "priority" | "created") {
            return Err(Error::invalid("sort", "saving, confidence, service, priority or created"));
        }
        Ok(self.store.recommendation_rows(query, &ctx.teams).await?)
    }

    /// One recommendation, whole.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    #[boxed]
    pub async fn recommendation(&self, ctx: &OpContext, id: RecommendationId) -> Result<RecommendationPage> {
        let mut page = self.recommendation_pages(ctx, &[id]).await?.pop().ok_or_else(|| Error::not_found("recommendation", id))?;
        let changes = self.store.change_ids(&[id]).await?;
        let about: Vec<String> = std::iter::once(id.to_string()).chain(changes.into_iter().map(|(_, change)| change.to_string())).collect();
        page.timeline = self.store.events_about(&about, &[], NEWEST_TOLD as u32).await?.into_iter().map(entry).collect();
        page.comments = self.store.comments(id, NEWEST_TOLD as u32).await?;
        Ok(page)
    }

    /// Several recommendations in the order given, without what happened to them and what was said; unknown ones, and those of teams that the
    /// actor does not see, are left out. As many statements for a hundred as for one.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn recommendation_pages(&self, ctx: &OpContext, ids: &[RecommendationId]) -> Result<Vec<RecommendationPage>> {
        ctx.require(Permission::Read)?;
        let mut found = self.store.recommendations(ids).await?;
        found.retain(|_, r| ctx.teams.include(&r.team));
        let ids: Vec<RecommendationId> = ids.iter().copied().filter(|id| found.contains_key(id)).collect();
        let mut beside = self.beside(ctx, &found, &ids).await?;
        let whole = ids.into_iter().filter_map(|id| beside.page(found.remove(&id)?));
        Ok(whole.collect())
    }

    async fn beside<'c>(
        &self,
        ctx: &'c OpContext,
        found: &HashMap<RecommendationId, Recommendation>,
        ids: &[RecommendationId],
    ) -> Result<Beside<'c>> {
        let services: Vec<ServiceId> = found.values().map(|r| r.service_id).collect();
        Ok(Beside {
            ctx,
            services: self.store.services(&services).await?,
            patches: self.policy_patches().await?,
            changes: self.store.latest_changes(ids).await?,
            rows: self.store.recommendation_rows_by_id(ids).await?.into_iter().map(|row| (row.id, row)).collect(),
            records: self.store.track_records().await?.into_iter().map(|r| (r.strategy, (r.kept, r.judged))).collect(),
        })
    }

    /// The charts beside a recommendation: the resource it changes first, then latency.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    #[boxed]
    pub async fn recommendation_charts(&self, ctx: &OpContext, id: RecommendationId) -> Result<Vec<ChartModel>> {
        self.require_on(ctx, Permission::Read, id).await?;
        let recommendation = self.store.recommendation(id).await?.ok_or_else(|| Error::not_found("recommendation", id))?;
        let service = recommendation.service_id;
        let mut changes = self.store.changes_of(service, charts::MARKED).await?;
        changes.retain(|c| c.recommendation_id == id);
        let target = self.store.service(service).await?.ok_or_else(|| Error::not_found("service", service))?;
        let newest = self.newest_sample(&target.key.cluster).await?.unwrap_or(ctx.now.cluster);
        let to = if changes.iter().any(|c| c.applied_at.is_some()) {
            newest.secs() + 1
        } else {
            recommendation.data_until.secs().max(newest.secs()) + 1
        };
        let from = recommendation.data_until.secs() - recommendation.window.secs();
        let history = self.store.history(&[service], None, from, to).await?.remove(&service).unwrap_or_default();
        let proposed =
            |metrics: [Metric; 2]| recommendation.proposal.bars.iter().find(|b| metrics.contains(&b.metric)).and_then(|b| b.proposed);
        let touches = |part: &str| recommendation.changes.iter().any(|c| c.field.contains(part));
        let cpu = charts::cpu(&history, proposed([Metric::CpuUsage, Metric::CpuUtilization]), &changes);
        let memory = charts::memory(&history, proposed([Metric::MemoryWorkingSet, Metric::MemoryUtilization]), &changes);
        let forecasts = self.forecasts_of(&target, newest).await?;
        let mut all = if touches("memory") && !touches(".cpu") { vec![memory, cpu] } else { vec![cpu, memory] };
        let subject = [
            ("cache_size", Metric::CacheHitRatio, "Cache hit ratio"),
            ("pool_size", Metric::PoolWait, "Wait for a connection"),
            ("db_index", Metric::DatabaseTime, "Time in the database"),
            ("balancing", Metric::LoadImbalance, "Busiest replica over the mean"),
            ("gpus", Metric::GpuUtilization, "GPU use"),
            ("volume", Metric::VolumeUsed, "Volume used"),
        ];
        for (field, metric, title) in subject {
            if touches(field) && history.get(metric).is_some() {
                all.insert(0, charts::one(metric, title, &history, &changes));
            }
        }
        all.extend(expected(&forecasts, &recommendation, touches));
        if history.get(Metric::LatencyP95).is_some() {
            all.push(charts::latency(&history, &changes));
        }
        Ok(all)
    }
}

/// What is expected of the resource that a proposal touches, beside what it proposes; of requests where it touches none.
fn expected(forecasts: &[Drawn], recommendation: &Recommendation, touches: impl Fn(&str) -> bool) -> Option<ChartModel> {
    let metrics: &[Metric] = if touches("volume") {
        &[Metric::VolumeUsed]
    } else if touches(".cpu") {
        &[Metric::CpuUsage, Metric::CpuUtilization]
    } else if touches("memory") {
        &[Metric::MemoryWorkingSet, Metric::MemoryUtilization]
    } else {
        &[Metric::RequestRate]
    };
    let drawn = forecasts.iter().find(|d| metrics.contains(&d.forecast.metric))?;
    let Outlook::Ahead(_) = &drawn.forecast.outlook else { return None };
    let mut chart = drawn.chart.clone();
    chart.title = format!("{}, the days ahead", chart.title);
    let proposed = recommendation.proposal.bars.iter().find(|b| b.metric == drawn.forecast.metric).and_then(|b| b.proposed);
    if let Some(value) = proposed {
        chart.thresholds.push(charts::proposed(drawn.forecast.metric, value));
    }
    Some(chart)
}

fn check<T: std::str::FromStr<Err = String>>(field: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    text.parse::<T>().map(|_| ()).map_err(|e| Error::invalid(field, e))
}

fn change_page(ctx: &OpContext, change: &Change, policy: &Policy) -> ChangePage {
    let observing_until =
        change.applied_at.filter(|_| change.state == Substate::Observing).map(|at| at.plus_secs(policy.observation.secs()));
    ChangePage {
        id: change.id,
        state: change.state,
        plan_hash: change.plan_hash.clone(),
        version: change.version,
        requested_by: change.requested_by.clone(),
        approvals: change.approvals.clone(),
        approvals_required: change.approvals_required,
        reason: change.reason.clone(),
        effect: change.effect.clone(),
        expires_at: change.expires_at,
        not_before: change.not_before,
        applied_at: change.applied_at,
        observing_until,
        verified_at: change.verified_at,
        rolled_back_at: change.rolled_back_at,
        can: acts(ctx, change),
    }
}

/// What this actor may do with a change now.
fn acts(ctx: &OpContext, change: &Change) -> Vec<ChangeAct> {
    let may = |p: Permission| ctx.require(p).is_ok();
    let own = change.requested_by == ctx.actor;
    let approved = change.approvals.iter().any(|a| a.by == ctx.actor);
    let pending = change.state == Substate::PendingApproval;
    let startable = change.state == Substate::Approved && change.apply_requested_by.is_none();
    [
        (ChangeAct::Approve, pending && !own && !approved && may(Permission::Approve)),
        (ChangeAct::RequestChanges, pending && may(Permission::Approve)),
        (ChangeAct::Reject, pending && may(Permission::Approve)),
        (ChangeAct::Withdraw, change.state.allows(Substate::Withdrawn) && (own || stops(ctx, change)) && may(Permission::Submit)),
        (ChangeAct::Apply, startable && may(Permission::Apply)),
        (ChangeAct::BreakGlass, change.state == Substate::HeldByFreeze && may(Permission::BreakGlass)),
        (ChangeAct::RollBack, change.state.can_roll_back() && may(Permission::RollBack)),
    ]
    .into_iter()
    .filter(|(_, can)| *can)
    .map(|(act, _)| act)
    .collect()
}

/// What stands beside recommendations on their pages.
struct Beside<'c> {
    ctx: &'c OpContext,
    services: HashMap<ServiceId, Service>,
    patches: Patches,
    /// The newest of each.
    changes: HashMap<RecommendationId, Change>,
    rows: HashMap<RecommendationId, RecommendationRow>,
    /// Kept and judged, by strategy.
    records: HashMap<String, (u32, u32)>,
}

impl Beside<'_> {
    /// The page of one; `None` where it has been forgotten meanwhile.
    fn page(&mut self, recommendation: Recommendation) -> Option<RecommendationPage> {
        let id = recommendation.id;
        let service = self.services.get(&recommendation.service_id)?.clone();
        let policy = self.patches.policy_of(&service);
        let change = self.changes.remove(&id);
        let change = change.as_ref();
        let mut at_base = service.clone();
        at_base.state = recommendation.current.clone();
        let note = |_: &str| -> Option<String> { None };
        let plan = Plan {
            service_id: service.id,
            target: service.key.clone(),
            uid: service.uid.clone(),
            changes: recommendation.changes.clone(),
            policy_hash: String::new(),
        };
        // Once a change has begun, what differs from its base is its own doing.
        let undecided = change.is_none_or(|c| c.state.waits() || c.state.reopens());
        let mut row = self.rows.remove(&id)?;
        // Read in between, the change may have moved on: a page tells of one moment.
        row.substate = change.map(|c| c.state);
        row.status = change.map_or(OptimizationStatus::RecommendationsReady, |c| c.state.status());
        Some(RecommendationPage {
            row,
            diff: diff::render(&at_base, &recommendation.changes, note),
            drift: if undecided { plan.drift(&service.state) } else { Vec::new() },
            comments: Vec::new(),
            timeline: Vec::new(),
            rollback_threshold: policy.rollback_threshold,
            observation: policy.observation,
            guard_period: policy.guard_period,
            track_record: self.records.get(&recommendation.proposal.strategy).copied(),
            refusal: service.managed.refusal().map(str::to_owned),
            change: change.map(|c| change_page(self.ctx, c, &policy)),
            recommendation,
            service,
            now: self.ctx.now.cluster,
        })
    }
}

/// What happened, as a sentence a colleague would say.
fn entry(row: AuditRow) -> TimelineEntry {
    let event = row.event;
    let by = &event.actor;
    let text = match event.name.as_str() {
        "recommendation.generated" => "Proposed by the engine".to_owned(),
        "recommendation.proposed" => format!("Proposed by {by}"),
        "recommendation.commented" => format!("{by} said"),
        "recommendation.dismissed" => format!("Dismissed by {by}"),
        "recommendation.reopened" => format!("Opened again by {by}"),
        "change.submitted" => format!("Submitted by {by}"),
        "change.approved" => {
            let count = event.after.as_ref().and_then(|after| after["approvals"].as_str()).filter(|count| *count != "1 of 1");
            count.map_or_else(|| format!("Approved by {by}"), |count| format!("Approved by {by}, {count}"))
        }
        "change.changes_requested" => format!("Changes requested by {by}"),
        "change.rejected" => format!("Rejected by {by}"),
        "change.withdrawn" => format!("Withdrawn by {by}"),
        "change.apply_requested" => format!("Apply asked for by {by}"),
        "change.glass_broken" => format!("Freeze lifted for it by {by}"),
        "change.rollback_requested" => format!("Roll-back asked for by {by}"),
        "change.preflight" => "Checking the target".to_owned(),
        "change.applying" => "Writing".to_owned(),
        "change.observing" => "Written; now watched".to_owned(),
        "change.applied" => "Verified".to_owned(),
        "change.aborting" => "A guard broke, or a person stopped it".to_owned(),
        "change.rolling_back" => "Writing the old values back".to_owned(),
        "change.rolled_back" => "Rolled back".to_owned(),
        "change.outcome_unknown" => "What was written is not known; reading the cluster".to_owned(),
        other => {
            let word = other.split_once('.').map_or(other, |(_, word)| word);
            word.to_uppercase().parse().map_or_else(|_| word.replace('_', " "), |state: Substate| state.plain().to_owned())
        }
    };
    TimelineEntry { name: event.name, text, detail: event.reason, wall: event.at.wall, cluster: event.at.cluster }
}
