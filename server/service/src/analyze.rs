//! Analyses one service, a team or the fleet: on demand and on a schedule. Asking makes a job; a worker does it.

use crate::cancel::going_on;
use crate::classes::Gathered;
use crate::days::Known;
use crate::worker::analyze_work;
use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_engine::predict::PREDICTED;
use headroom_engine::rightsize::Fleet;
use headroom_engine::rightsize::record::{Records, Told};
use headroom_engine::{Analysis, Input, Reason, predict_fleet};
use headroom_model::auth::{OpContext, Permission};
use headroom_model::fault::chain;
use headroom_model::ids::{JobId, ServiceId};
use headroom_model::job::{Job, JobScope, JobState, OptimizationType, Prediction};
use headroom_model::policy::Policy;
use headroom_model::room::Room;
use headroom_model::series::ServiceHistory;
use headroom_model::service::Service;
use headroom_model::time::{Span, Timestamp};
use headroom_model::view::AnalyzeRequest;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Services analysed at once: bounds memory whatever the fleet's size.
const BATCH: usize = 256;
/// The newest outcomes that confidence is calibrated by.
const REMEMBERED: u32 = 5000;
/// How far predictions reach.
const HORIZON: Span = Span::days(1);
/// Requested by the schedule, not by a person.
pub(crate) const SCHEDULE: &str = "schedule";

/// One service with what its analysis was made from and found.
pub(crate) struct Analysed {
    pub(crate) service: Service,
    pub(crate) policy: Policy,
    pub(crate) analysis: Analysis,
    pub(crate) known: Known,
}

/// What is known beyond one service: how large the others are, what came of earlier proposals, and what its cluster has room for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Around {
    pub(crate) fleet: Fleet,
    pub(crate) records: Arc<Records>,
    pub(crate) rooms: Arc<BTreeMap<ServiceId, Room>>,
}

impl Headroom {
    /// Asks for an analysis; a worker does it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the engineer's role; [`Error::NotFound`] for an unknown service or team;
    /// [`Error::Invalid`] for a period out of limits.
    #[boxed]
    pub async fn analyze(&self, ctx: &OpContext, request: &AnalyzeRequest) -> Result<Job> {
        ctx.require(Permission::Analyze)?;
        let scope = self.scope_of(ctx, &request.service_name).await?;
        let policy = match &scope {
            JobScope::Service(id) => {
                self.policy_of(&self.store.service(*id).await?.ok_or_else(|| Error::not_found("service", id))?).await?
            }
            _ => self.fleet_policy().await?,
        };
        let period = request.analysis_period.unwrap_or(policy.analysis_window);
        if !(3600..=90 * 86_400).contains(&period.secs()) {
            return Err(Error::invalid("analysis_period", format!("{period} is not allowed: from 1h to 90d")));
        }
        let mut types = request.optimization_types.clone();
        types.sort_unstable();
        types.dedup();
        if types.is_empty() {
            types = OptimizationType::ALL.to_vec();
        } else {
            types = request.optimization_types.clone();
        }
        let job = Job {
            id: JobId(Uuid::now_v7()),
            service_name: request.service_name.clone(),
            scope,
            optimization_types: types,
            analysis_period: period,
            include_predictions: request.include_predictions,
            auto_apply: request.auto_apply,
            state: JobState::Queued,
            reason: None,
            auto_apply_refused: None,
            requested_by: ctx.actor.clone(),
            created_at: ctx.now.wall,
            completed_at: None,
            predictions: Vec::new(),
            recommendations: Vec::new(),
        };
        self.queue(ctx, &job).await?;
        Ok(job)
    }

    /// Starts the analysis that policy's interval asks for.
    pub(crate) async fn analyze_on_schedule(&self, ctx: &OpContext) -> Result<()> {
        let policy = self.fleet_policy().await?;
        let job = Job {
            id: JobId(Uuid::now_v7()),
            scope: JobScope::Fleet,
            service_name: "fleet".to_owned(),
            optimization_types: OptimizationType::ALL.to_vec(),
            analysis_period: policy.analysis_window,
            include_predictions: false,
            auto_apply: policy.auto_implementation,
            state: JobState::Queued,
            reason: None,
            auto_apply_refused: None,
            requested_by: SCHEDULE.to_owned(),
            created_at: ctx.now.wall,
            completed_at: None,
            predictions: Vec::new(),
            recommendations: Vec::new(),
        };
        self.queue(ctx, &job).await
    }

    async fn queue(&self, ctx: &OpContext, job: &Job) -> Result<()> {
        let mut tx = self.store.begin().await?;
        tx.put_job(job).await?;
        tx.enqueue(&analyze_work(job.id, ctx.now.wall)).await?;
        let mut entry = event(ctx, "job.queued", "job", job.id);
        entry.after = Some(serde_json::json!({ "service_name": job.service_name, "optimization_types": job.optimization_types }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("jobs");
        Ok(())
    }

    async fn scope_of(&self, ctx: &OpContext, name: &str) -> Result<JobScope> {
        if name.is_empty() {
            return Err(Error::invalid("service_name", "name a service, team:NAME or fleet"));
        }
        if name == "fleet" {
            ctx.require_for_all(Permission::Analyze)?;
            return Ok(JobScope::Fleet);
        }
        if let Some(team) = name.strip_prefix("team:") {
            let known = self.store.teams().await?.iter().any(|t| t == team && ctx.teams.include(t));
            return if known { Ok(JobScope::Team(team.to_owned())) } else { Err(Error::not_found("team", team)) };
        }
        let service = self.service_seen(ctx, name).await?;
        Ok(JobScope::Service(service.id))
    }

    /// Does a job: what a worker calls.
    pub(crate) async fn do_job(self: &Arc<Self>, id: JobId) -> Result<()> {
        let ctx = self.own_context(format!("work-{}", id.short()));
        let Some(mut job) = self.begin_job(&ctx, id).await? else { return Ok(()) };
        let limit = self.fleet_policy().await?.max_analysis_duration;
        let done =
            tokio::time::timeout(std::time::Duration::from_secs(limit.secs().max(1) as u64), self.work_through(&ctx, &mut job)).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error @ (Error::Store(_) | Error::Infra(_)))) => return Err(error),
            Ok(Err(error)) => fail(&mut job, error.to_string()),
            Err(_) => fail(&mut job, format!("it took longer than max_analysis_duration ({limit})")),
        }
        job.completed_at = Some((self.wall)());
        let ctx = self.own_context(ctx.request_id);
        let mut tx = self.store.begin().await?;
        if going_on(tx.job(id).await?).is_err() {
            return Ok(());
        }
        tx.put_job(&job).await?;
        let mut entry = event(&ctx, &format!("job.{}", job.state.as_str().to_lowercase()), "job", job.id);
        entry.reason.clone_from(&job.reason);
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("jobs");
        self.announce("recommendations");
        Ok(())
    }

    /// Takes a job in hand, unless it has ended. One that is taken up again after a crash was noted before.
    async fn begin_job(&self, ctx: &OpContext, id: JobId) -> Result<Option<Job>> {
        let mut tx = self.store.begin().await?;
        let Ok(mut job) = going_on(tx.job(id).await?) else { return Ok(None) };
        if job.state == JobState::Queued {
            job.state = JobState::Analyzing;
            tx.put_job(&job).await?;
            tx.record(&event(ctx, "job.analyzing", "job", id)).await?;
            tx.commit().await?;
            self.announce("jobs");
        }
        Ok(Some(job))
    }

    async fn work_through(self: &Arc<Self>, ctx: &OpContext, job: &mut Job) -> Result<()> {
        let services: Vec<Service> = match &job.scope {
            JobScope::Service(id) => self.store.service(*id).await?.into_iter().collect(),
            JobScope::Team(team) => self.store.services_of_team(team).await?,
            JobScope::Fleet => self.store.all_services().await?,
        };
        let services = self.store.in_storage_order(services);
        let policies = self.policy_patches().await?;
        let around = self.around().await?;
        let names = self.store.service_names().await?;
        let mut found = 0;
        let mut gathered = matches!(job.scope, JobScope::Fleet).then(Gathered::default);
        let mut reasons: Vec<Reason> = Vec::new();
        for batch in services.chunks(BATCH) {
            going_on(self.store.job(job.id).await?)?;
            let (analysed, predictions) = self.analyse_batch(ctx, job, batch.to_vec(), &policies, &around).await?;
            job.predictions.extend(predictions);
            if let Some(gathered) = &mut gathered {
                gathered.add(&analysed);
            }
            let open = self.keep(ctx, job, &analysed, &names).await?;
            if job.auto_apply {
                going_on(self.store.job(job.id).await?)?;
                self.auto_apply(ctx, job, &analysed, &open).await?;
            }
            found += open.len();
            reasons.extend(analysed.into_iter().filter_map(|a| a.analysis.reason));
        }
        if let Some(gathered) = gathered {
            self.keep_classes(gathered).await?;
        }
        if job.auto_apply && found == 0 && job.auto_apply_refused.is_none() {
            job.auto_apply_refused = Some("there is no open recommendation to apply".to_owned());
        }
        let short = |r: &&Reason| matches!(r, Reason::InsufficientData(_));
        job.reason = match (services.len(), reasons.len()) {
            (0, _) => Some("there are no services yet: connect a cluster or import a file".to_owned()),
            (1, _) => reasons.first().map(words),
            (n, 0) => Some(format!("{n} services analysed")),
            (n, r) => {
                let unclear = reasons.iter().filter(short).count();
                Some(format!("{n} services analysed: {} without a proposal, {unclear} of them for want of data", r))
            }
        };
        job.state = if found > 0 || !job.recommendations.is_empty() {
            JobState::RecommendationsReady
        } else if !reasons.is_empty() && reasons.iter().all(|r| matches!(r, Reason::InsufficientData(_))) {
            JobState::InsufficientData
        } else {
            JobState::NoAction
        };
        Ok(())
    }

    /// What store and clusters know beyond one service. A cluster that does not say what it has room for is asked again by every dry run.
    pub(crate) async fn around(&self) -> Result<Around> {
        let typical = self.store.typical_peaks().await?;
        let judged = self.store.judged(REMEMBERED).await?;
        let records: Records = judged.into_iter().map(|j| (j.strategy, Told { said: j.said, kept: j.kept, weight: 1.0 })).collect();
        let mut rooms = BTreeMap::new();
        for cluster in &self.clusters {
            match cluster.infrastructure.rooms().await {
                Ok(found) => rooms.extend(found),
                Err(error) => {
                    tracing::warn!(cluster = %cluster.name(), error = %chain(&error), "what it has room for is not known to this analysis")
                }
            }
        }
        let fleet = Fleet { cpu: typical.cpu, memory: typical.memory };
        Ok(Around { fleet, records: Arc::new(records), rooms: Arc::new(rooms) })
    }

    /// Loads and analyses some services, with predictions where the job asks for them: one ordered scan, then all cores.
    async fn analyse_batch(
        self: &Arc<Self>,
        ctx: &OpContext,
        job: &Job,
        services: Vec<Service>,
        patches: &crate::policies::Patches,
        around: &Around,
    ) -> Result<(Vec<Analysed>, Vec<Prediction>)> {
        let ends = self.ends(ctx, &services).await?;
        let end = |service: &Service| ends.get(&service.key.cluster).copied().unwrap_or(ctx.now.cluster);
        let ending: Vec<(&Service, Timestamp)> = services.iter().map(|service| (service, end(service))).collect();
        let known = self.known(&ending, job.analysis_period).await?;
        let samples =
            if job.include_predictions { self.predicted_by(&services, &known, job.analysis_period).await? } else { BTreeMap::new() };
        let patched = |service: Service| (patches.policy_of(&service), service);
        let all: Vec<(Policy, Service, Known)> = services.into_iter().map(patched).zip(known).map(|((p, s), k)| (p, s, k)).collect();
        let this = Arc::clone(self);
        let (types, around) = (job.optimization_types.clone(), around.clone());
        tokio::task::spawn_blocking(move || {
            // Before the first analysis of all, what is at hand stands for the fleet.
            let fleet = if around.fleet == Fleet::default() { Fleet::of(all.iter().map(|a| a.2.days.as_slice())) } else { around.fleet };
            let records = Some(&*around.records);
            let (prices, types) = (&this.prices, types.as_slice());
            let input = |(policy, service, known)| {
                let (service, known): (&Service, &Known) = (service, known);
                Input {
                    service,
                    days: &known.days,
                    policy,
                    prices,
                    types,
                    now: known.now,
                    fleet,
                    records,
                    room: around.rooms.get(&service.id),
                }
            };
            let inputs: Vec<Input> = all.iter().map(|(policy, service, known)| input((policy, service, known))).collect();
            let analyses = headroom_engine::analyze_fleet(&inputs);
            drop(inputs);
            let looks: Vec<_> = all.iter().filter_map(|(_, s, k)| Some((s.key.name.as_str(), samples.get(&s.id)?, k.now))).collect();
            let predictions = predict_fleet(&looks, HORIZON);
            let analysed = |((policy, service, known), analysis)| Analysed { service, policy, analysis, known };
            (all.into_iter().zip(analyses).map(analysed).collect(), predictions)
        })
        .await
        .map_err(|e| Error::Internal(format!("the analysis broke: {e}")))
    }

    /// The samples that predictions are made of: of every metric that is predicted, in the window of each service.
    async fn predicted_by(&self, services: &[Service], known: &[Known], period: Span) -> Result<BTreeMap<ServiceId, ServiceHistory>> {
        let ids: Vec<ServiceId> = services.iter().map(|s| s.id).collect();
        let ends = || known.iter().map(|k| k.now.secs());
        let (from, to) = (ends().min().unwrap_or(0) - period.secs(), ends().max().unwrap_or(0) + 1);
        let mut samples = self.store.history(&ids, Some(&PREDICTED), from, to).await?;
        for (id, known) in ids.iter().zip(known) {
            if let Some(history) = samples.get_mut(id) {
                *history = history.slice(known.now.secs() - period.secs(), known.now.secs() + 1);
            }
        }
        Ok(samples)
    }

    /// The end of every cluster's samples: now for a watched one, the newest sample for an imported one.
    async fn ends(&self, ctx: &OpContext, services: &[Service]) -> Result<BTreeMap<String, Timestamp>> {
        let mut ends = BTreeMap::new();
        for service in services {
            if !ends.contains_key(&service.key.cluster) {
                let watched = self.clusters.iter().any(|c| c.name() == service.key.cluster);
                let end = if watched { None } else { self.newest_sample(&service.key.cluster).await? };
                ends.insert(service.key.cluster.clone(), end.map_or(ctx.now.cluster, |t| t.plus_secs(300)));
            }
        }
        Ok(ends)
    }
}

/// Why there is no proposal, in words.
pub(crate) fn words(reason: &Reason) -> String {
    match reason {
        Reason::NoAction(why) | Reason::InsufficientData(why) => why.clone(),
    }
}

fn fail(job: &mut Job, why: String) {
    job.state = JobState::Failed;
    job.reason = Some(why);
}
