//! Keeps what an analysis found: the list's row of every service, new recommendations, and the end of those they replace.

use crate::analyze::Analysed;
use crate::cancel::going_on;
use crate::read::services::summary;
use crate::{Headroom, Result, event};
use headroom_model::auth::OpContext;
use headroom_model::event::Event;
use headroom_model::ids::{RecommendationId, ServiceId};
use headroom_model::job::Job;
use headroom_model::plan::{FieldChange, Plan};
use headroom_model::recommendation::{Proposal, Recommendation, RecommendationState};
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// A proposal whose values are all this close to those of an open one is the same proposal: what people look at keeps its place.
const SAME: f64 = 0.1;
/// Cluster seconds after which a proposal that was dismissed without a time may be made again.
const FORGOTTEN_SECS: i64 = 30 * 86_400;
/// Most recommendations that a job lists.
const LISTED: usize = 1000;

impl Headroom {
    /// Saves the results of some services in one transaction. Returns what was found and is open now, new or from an earlier analysis.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`] when the analysis was cancelled; nothing is kept then.
    pub(crate) async fn keep(
        &self,
        ctx: &OpContext,
        job: &mut Job,
        analysed: &[Analysed],
        names: &BTreeMap<ServiceId, String>,
    ) -> Result<Vec<Recommendation>> {
        let ids: Vec<_> = analysed.iter().map(|a| a.service.id).collect();
        let known = self.store.standing_recommendations(&ids).await?;
        let mut made = Vec::new();
        let mut standing_ids: HashSet<RecommendationId> = HashSet::new();
        let mut tx = self.store.begin().await?;
        going_on(tx.job(job.id).await?)?;
        for one in analysed {
            let name = names.get(&one.service.id).cloned().unwrap_or_else(|| one.service.key.name.clone());
            let mine: Vec<&Recommendation> = known.iter().filter(|r| r.service_id == one.service.id).collect();
            let mut kept: Vec<RecommendationId> = Vec::new();
            for proposal in &one.analysis.proposals {
                let changes = Plan::difference(&one.service.state, &proposal.recommended);
                match standing(&mine, proposal, &changes, ctx) {
                    Some(old) if old.state == RecommendationState::Dismissed => {}
                    Some(old) => kept.push(old.id),
                    None => made.push(recommendation(ctx, job, one, &name, proposal, changes)),
                }
            }
            standing_ids.extend(&kept);
            job.recommendations.extend(kept.iter().copied().take(LISTED.saturating_sub(job.recommendations.len())));
            let replaced = mine.iter().filter(|r| {
                r.state == RecommendationState::Open
                    && r.proposed_by == "engine"
                    && job.optimization_types.contains(&r.proposal.optimization_type)
                    && !kept.contains(&r.id)
            });
            for old in replaced {
                let newer = made.iter().find(|n| n.service_id == old.service_id && n.proposal.strategy == old.proposal.strategy);
                let why = newer.map_or_else(
                    || "a newer analysis no longer proposes it".to_owned(),
                    |n| format!("replaced by {}: {}", n.id.short(), n.proposal.title),
                );
                tx.set_recommendation_state(old.id, RecommendationState::Superseded, Some(&why)).await?;
                tx.record(&superseded(ctx, old, why)).await?;
            }
        }
        tx.put_summaries(&analysed.iter().map(summary).collect::<Vec<_>>()).await?;
        job.recommendations.extend(made.iter().map(|r| r.id).take(LISTED.saturating_sub(job.recommendations.len())));
        for new in &made {
            tx.put_recommendation(new).await?;
            let mut entry = event(ctx, "recommendation.generated", "recommendation", new.id);
            entry.service_id = Some(new.service_id.to_string());
            entry.after = Some(serde_json::json!({
                "recommendation_id": new.id, "service_name": new.service_name, "optimization_type": new.proposal.optimization_type,
                "description": new.proposal.description, "current_state": new.current.api_view(),
                "recommended_state": new.proposal.recommended.api_view(), "expected_improvement": new.proposal.expected,
            }));
            tx.record(&entry).await?;
        }
        tx.commit().await?;
        let still = known.into_iter().filter(|r| r.state == RecommendationState::Open && standing_ids.contains(&r.id));
        Ok(made.into_iter().chain(still).collect())
    }
}

/// The end of a recommendation that nobody has taken up.
fn superseded(ctx: &OpContext, old: &Recommendation, why: String) -> Event {
    Event {
        service_id: Some(old.service_id.to_string()),
        reason: Some(why),
        ..event(ctx, "recommendation.superseded", "recommendation", old.id)
    }
}

/// The open or submitted recommendation that already says the same, or one that a person has put aside.
fn standing<'a>(mine: &[&'a Recommendation], proposal: &Proposal, changes: &[FieldChange], ctx: &OpContext) -> Option<&'a Recommendation> {
    mine.iter().copied().find(|old| {
        let same_strategy = old.proposal.strategy == proposal.strategy;
        let same_fields = old.changes.len() == changes.len() && old.changes.iter().zip(changes).all(|(a, b)| a.field == b.field);
        match old.state {
            RecommendationState::Submitted => same_strategy || overlap(&old.changes, changes),
            RecommendationState::Open => same_strategy && same_fields && old.changes.iter().zip(changes).all(|(a, b)| close(a, b)),
            // One that was put aside until a time is open again by itself then.
            RecommendationState::Dismissed => {
                same_strategy && (old.dismissed_until.is_some() || ctx.now.cluster.secs_since(old.data_until) < FORGOTTEN_SECS)
            }
            RecommendationState::Superseded => false,
        }
    })
}

fn overlap(a: &[FieldChange], b: &[FieldChange]) -> bool {
    a.iter().any(|x| b.iter().any(|y| x.field == y.field))
}

fn close(a: &FieldChange, b: &FieldChange) -> bool {
    if a.from != b.from {
        return false;
    }
    let number = |v: &Option<String>| v.as_deref().and_then(|v| headroom_model::quantity::parse(v).ok());
    match (number(&a.to), number(&b.to)) {
        (Some(x), Some(y)) => (x - y).abs() <= SAME * x.abs().max(y.abs()),
        _ => a.to == b.to,
    }
}

fn recommendation(
    ctx: &OpContext,
    job: &Job,
    one: &Analysed,
    name: &str,
    proposal: &Proposal,
    changes: Vec<FieldChange>,
) -> Recommendation {
    Recommendation {
        id: RecommendationId(Uuid::now_v7()),
        job_id: job.id,
        service_id: one.service.id,
        service_name: name.to_owned(),
        team: one.service.team.clone(),
        current: one.service.state.clone(),
        proposal: proposal.clone(),
        changes,
        state: RecommendationState::Open,
        reason: None,
        dismissed_until: None,
        proposed_by: "engine".to_owned(),
        created_at: ctx.now.wall,
        data_until: one.known.now,
        window: job.analysis_period,
    }
}
