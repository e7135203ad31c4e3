//! An engineer submits a recommendation: its exact plan waits for another person's approval.

use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::change::{Change, Substate};
use headroom_model::ids::{ChangeId, RecommendationId};
use headroom_model::plan::Plan;
use headroom_model::recommendation::RecommendationState;
use uuid::Uuid;

impl Headroom {
    /// Makes the plan of a recommendation and asks for approval.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the engineer's role; [`Error::Refused`] where Headroom does not write;
    /// [`Error::Conflict`] if the recommendation is not open, is out of date, or another change holds the service.
    #[boxed]
    pub async fn submit(&self, ctx: &OpContext, id: RecommendationId) -> Result<Change> {
        self.require_on(ctx, Permission::Submit, id).await?;
        let recommendation = self.store.recommendation(id).await?.ok_or_else(|| Error::not_found("recommendation", id))?;
        let service = self
            .store
            .service(recommendation.service_id)
            .await?
            .ok_or_else(|| Error::not_found("service", &recommendation.service_name))?;
        if let Some(refusal) = service.managed.refusal() {
            return Err(Error::Refused(refusal.to_owned()));
        }
        only_open(recommendation.state)?;
        let policy = self.policy_of(&service).await?;
        let plan = Plan {
            service_id: service.id,
            target: service.key.clone(),
            uid: service.uid.clone(),
            changes: recommendation.changes.clone(),
            policy_hash: policy.plan_hash(),
        };
        if let Some(drift) = plan.drift(&service.state).first() {
            let found = drift.found.as_deref().unwrap_or("not set");
            return Err(Error::Conflict(format!(
                "this recommendation is out of date: {} is {found} now. Analyse the service again",
                drift.field
            )));
        }
        plan.apply_to(&service.state)?;
        let change = Change {
            id: ChangeId(Uuid::now_v7()),
            recommendation_id: id,
            service_id: service.id,
            service_name: recommendation.service_name.clone(),
            team: service.team.clone(),
            plan_hash: plan.hash(),
            plan,
            state: Substate::PendingApproval,
            requested_by: ctx.actor.clone(),
            approvals: Vec::new(),
            approvals_required: policy.approvals_required,
            reason: None,
            version: 1,
            submitted_at: ctx.now.wall,
            expires_at: ctx.now.cluster.plus_secs(policy.approval_expiry.secs()),
            not_before: ctx.now.cluster,
            apply_requested_by: None,
            break_glass: None,
            applied_at: None,
            verified_at: None,
            rolled_back_at: None,
            effect: None,
            promised_month: recommendation.proposal.saving_month,
        };
        let mut tx = self.store.begin().await?;
        // Somebody may have put it aside since it was read.
        only_open(tx.recommendation_for_update(id).await?.state)?;
        tx.insert_change(&change).await?;
        tx.set_recommendation_state(id, RecommendationState::Submitted, None).await?;
        let mut entry = event(ctx, "change.submitted", "change", change.id);
        entry.service_id = Some(service.id.to_string());
        entry.after = Some(serde_json::json!({ "state": change.state, "plan_hash": change.plan_hash, "changes": change.plan.changes }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("changes");
        self.announce("recommendations");
        Ok(change)
    }
}

fn only_open(state: RecommendationState) -> Result<()> {
    if state == RecommendationState::Open {
        return Ok(());
    }
    Err(Error::Conflict(format!("this recommendation is {}: only an open one can be submitted", state.plain().to_lowercase())))
}
