//! An engineer proposes own values for a service: the same replay, plan, approval and guards as the engine's proposals.

use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_engine::Input;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::ids::{JobId, RecommendationId};
use headroom_model::job::{Job, JobScope, JobState};
use headroom_model::plan::Plan;
use headroom_model::recommendation::{Recommendation, RecommendationState};
use headroom_model::service::Service;
use headroom_model::view::ProposeRequest;
use headroom_store::Tx;
use uuid::Uuid;

impl Headroom {
    /// Makes a recommendation from a person's own values, with its evidence and replay.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the engineer's role; [`Error::Invalid`] names the field that is wrong;
    /// [`Error::Refused`] where Headroom does not write, and where as many of people's proposals are open as the engine may have.
    #[boxed]
    pub async fn propose(&self, ctx: &OpContext, request: &ProposeRequest) -> Result<RecommendationId> {
        ctx.require(Permission::Propose)?;
        let service = self.service_seen(ctx, &request.service_name).await?;
        if let Some(refusal) = service.managed.refusal() {
            return Err(Error::Refused(refusal.to_owned()));
        }
        let mut wanted = service.state.clone();
        for (field, value) in &request.fields {
            wanted.set(field, Some(value.trim()).filter(|v| !v.is_empty()))?;
        }
        wanted.check()?;
        let changes = Plan::difference(&service.state, &wanted);
        let Some(first) = changes.first() else {
            return Err(Error::invalid("fields", "nothing differs from what is in force: change at least one value"));
        };
        tracing::debug!(service = %service.key, first = %first.field, fields = changes.len(), "own values are replayed");
        let policy = self.policy_of(&service).await?;
        let known = self.known(&[(&service, ctx.now.cluster)], policy.analysis_window).await?.pop().unwrap_or_default();
        let around = self.around().await?;
        let (subject, rules, prices, state) = (service.clone(), policy.clone(), self.prices.clone(), wanted);
        let mut proposal = tokio::task::spawn_blocking(move || {
            let (fleet, records, room) = (around.fleet, Some(&*around.records), around.rooms.get(&subject.id));
            let (days, now) = (known.days.as_slice(), known.now);
            let input = Input { service: &subject, days, policy: &rules, prices: &prices, types: &[], now, fleet, records, room };
            headroom_engine::evaluate_own(&input, &state)
        })
        .await
        .map_err(|e| Error::Internal(format!("the replay broke: {e}")))?;
        let reason = request.reason.trim().trim_end_matches('.');
        if !reason.is_empty() {
            proposal.description = format!("{} proposes: {reason}. {}", ctx.actor, proposal.description);
        }
        let job = Job {
            id: JobId(Uuid::now_v7()),
            scope: JobScope::Service(service.id),
            service_name: request.service_name.clone(),
            optimization_types: vec![proposal.optimization_type],
            analysis_period: policy.analysis_window,
            include_predictions: false,
            auto_apply: false,
            state: JobState::RecommendationsReady,
            reason: None,
            auto_apply_refused: None,
            requested_by: ctx.actor.clone(),
            created_at: ctx.now.wall,
            completed_at: Some(ctx.now.wall),
            predictions: Vec::new(),
            recommendations: Vec::new(),
        };
        let recommendation = Recommendation {
            id: RecommendationId(Uuid::now_v7()),
            job_id: job.id,
            service_id: service.id,
            service_name: request.service_name.clone(),
            team: service.team.clone(),
            current: service.state.clone(),
            proposal,
            changes,
            state: RecommendationState::Open,
            reason: None,
            dismissed_until: None,
            proposed_by: ctx.actor.clone(),
            created_at: ctx.now.wall,
            data_until: ctx.now.cluster,
            window: policy.analysis_window,
        };
        let job = Job { recommendations: vec![recommendation.id], ..job };
        let mut tx = self.store.begin().await?;
        room_for_own(&mut tx, &service, policy.max_recommendations).await?;
        tx.put_job(&job).await?;
        tx.put_recommendation(&recommendation).await?;
        let mut entry = event(ctx, "recommendation.proposed", "recommendation", recommendation.id);
        entry.service_id = Some(service.id.to_string());
        entry.reason = Some(request.reason.trim().to_owned()).filter(|r| !r.is_empty());
        entry.after = Some(serde_json::json!({ "changes": recommendation.changes }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("recommendations");
        Ok(recommendation.id)
    }
}

/// People have as many open proposals for a service as the engine.
async fn room_for_own(tx: &mut Tx, service: &Service, most: u32) -> Result<()> {
    if tx.own_open(service.id).await? < most {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "{most} proposals of people are open for {}, as many as policy allows (max_recommendations): submit one or put one aside first",
        service.key.name
    )))
}
