//! Where something stands: a shape, a word and a tint, always the three together.

use super::icon::{Icon, icon};
use headroom_model::change::Substate;
use headroom_model::effect::Judgement;
use headroom_model::job::JobState;
use headroom_model::recommendation::{RecommendationState, Risk, Verdict};
use leptos::prelude::*;

/// A status: its icon, its tone (`good`, `warn`, `bad`, `act` or none) and its word.
pub type Status = (Icon, &'static str, &'static str);

/// A status for people.
#[must_use]
pub fn status((glyph, tone, word): Status) -> impl IntoView + use<> {
    view! { <span class=format!("st {tone}")>{icon(glyph)}{word}</span> }
}

/// Where a change stands.
#[must_use]
pub fn of_change(state: Substate) -> Status {
    use Substate as S;
    let (glyph, tone) = match state {
        S::PendingApproval => (Icon::Clock, "act"),
        S::Approved => (Icon::Check, "act"),
        S::Scheduled => (Icon::Scheduled, "act"),
        S::HeldByFreeze => (Icon::Frozen, "warn"),
        S::Preflight | S::Applying => (Icon::Loader, "act"),
        S::OutcomeUnknown | S::Drifted => (Icon::Alert, "warn"),
        S::Observing => (Icon::Eye, "warn"),
        S::Applied | S::Closed => (Icon::Done, "good"),
        S::RolledBack => (Icon::Undo, "bad"),
        S::Aborting | S::RollbackRequested | S::RollingBack => (Icon::Undo, "warn"),
        S::Rejected | S::PreflightFailed | S::Failed | S::Partial | S::RollbackFailed => (Icon::Failed, "bad"),
        S::ChangesRequested => (Icon::Comment, "warn"),
        S::Withdrawn => (Icon::Slash, ""),
        S::Expired | S::Stale => (Icon::Expired, ""),
    };
    (glyph, tone, state.plain())
}

/// Where a recommendation stands: its change speaks while it carries one.
#[must_use]
pub fn of_recommendation(state: RecommendationState, change: Option<Substate>) -> Status {
    match (state, change) {
        (RecommendationState::Submitted, Some(change)) => of_change(change),
        (RecommendationState::Open | RecommendationState::Submitted, _) => (Icon::New, "", RecommendationState::Open.plain()),
        (RecommendationState::Dismissed | RecommendationState::Superseded, _) => (Icon::Slash, "", state.plain()),
    }
}

/// What was found about a service.
#[must_use]
pub fn of_verdict(verdict: Verdict) -> Status {
    let (glyph, tone) = match verdict {
        Verdict::Over => (Icon::Sparkles, "act"),
        Verdict::Under => (Icon::Alert, "bad"),
        Verdict::Optimal => (Icon::Done, "good"),
        Verdict::NoRequest => (Icon::Slash, ""),
        Verdict::NotEnoughData => (Icon::Help, ""),
    };
    (glyph, tone, verdict.plain())
}

/// What an observation concluded.
#[must_use]
pub fn of_judgement(judgement: Judgement) -> Status {
    let (glyph, tone) = match judgement {
        Judgement::Better | Judgement::Same => (Icon::Done, "good"),
        Judgement::Worse => (Icon::Undo, "bad"),
        Judgement::Inconclusive => (Icon::Help, "warn"),
    };
    (glyph, tone, judgement.plain())
}

/// How an analysis stands.
#[must_use]
pub fn of_job(state: JobState) -> Status {
    let (glyph, tone) = match state {
        JobState::Queued => (Icon::Clock, ""),
        JobState::Analyzing => (Icon::Loader, "act"),
        JobState::RecommendationsReady => (Icon::Sparkles, "act"),
        JobState::NoAction => (Icon::Done, "good"),
        JobState::InsufficientData => (Icon::Help, ""),
        JobState::Failed => (Icon::Failed, "bad"),
        JobState::Cancelled => (Icon::Slash, ""),
    };
    (glyph, tone, state.plain())
}

/// A risk as a small label.
#[must_use]
pub fn risk(risk: Risk) -> impl IntoView + use<> {
    let tone = match risk {
        Risk::Low => "tag",
        Risk::Medium => "tag warn",
        Risk::High => "tag bad",
    };
    view! { <span class=tone>{risk.plain()}</span> }
}
