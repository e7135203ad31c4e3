//! The stepper: the six stations of a change, and where it stands.

use crate::format;
use headroom_model::change::Substate;
use headroom_model::view::RecommendationPage;
use leptos::prelude::*;

/// One station: its class, its word, one line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stage {
    class: &'static str,
    word: &'static str,
    line: String,
}

/// How many stations lie behind a change in this state, and the class of the one it stands at.
#[must_use]
pub fn progress(state: Substate) -> (usize, &'static str) {
    use Substate as S;
    match state {
        S::PendingApproval => (2, "now"),
        S::Rejected | S::Expired | S::Stale => (2, "failed"),
        S::ChangesRequested => (2, "held"),
        S::Withdrawn => (1, "now"),
        S::Approved | S::Scheduled | S::Preflight | S::Applying => (3, "now"),
        S::HeldByFreeze | S::OutcomeUnknown => (3, "held"),
        S::PreflightFailed | S::Failed | S::Partial => (3, "failed"),
        S::Observing => (4, "now"),
        S::Aborting | S::RollbackRequested | S::RollingBack => (4, "held"),
        S::RolledBack | S::RollbackFailed => (4, "failed"),
        S::Drifted => (5, "held"),
        S::Applied | S::Closed => (6, "done"),
    }
}

fn stages(page: &RecommendationPage) -> Vec<Stage> {
    let by = match page.recommendation.proposed_by.as_str() {
        "engine" => "by the engine".to_owned(),
        name => format!("by {name}"),
    };
    let change = page.change.as_ref();
    let (behind, class) = change.map_or((1, "now"), |c| progress(c.state));
    let state = change.map(|c| c.state);
    let at = |i: usize, otherwise: String| match state {
        Some(state) if behind == i => state.plain().to_owned(),
        _ => otherwise,
    };
    let approval = change.and_then(|c| c.approvals.last()).map(|a| format!("by {}", a.by));
    let lines = [
        format!("{by}, {}", format::time(page.recommendation.created_at)),
        change.map_or_else(|| "to be submitted".to_owned(), |c| at(1, format!("by {}", c.requested_by))),
        at(2, approval.unwrap_or_else(|| "someone else has to".to_owned())),
        at(3, change.and_then(|c| c.applied_at).map_or_else(|| "after approval".to_owned(), format::time)),
        at(4, format!("{} against guards", format::duration(page.observation.secs()))),
        at(5, change.and_then(|c| c.verified_at).map_or_else(|| "the ledger keeps it".to_owned(), format::time)),
    ];
    let words = ["Proposed", "Submitted", "Approval", "Apply", "Observe", "Verified"];
    let one = |(i, (word, line)): (usize, (&'static str, String))| {
        let class = if i < behind {
            "done"
        } else if i == behind {
            class
        } else {
            ""
        };
        let word = if i == 4 && class != "done" && matches!(state, Some(Substate::RolledBack)) { "Rolled back" } else { word };
        Stage { class, word, line }
    };
    words.into_iter().zip(lines).enumerate().map(one).collect()
}

/// The stepper of a recommendation.
#[must_use]
pub fn stepper(page: &RecommendationPage) -> impl IntoView + use<> {
    let item = |s: Stage| {
        let current = matches!(s.class, "now" | "held" | "failed").then_some("step");
        view! { <li class=s.class aria-current=current><b>{s.word}</b>{s.line}</li> }
    };
    view! { <ol class="stages" aria-label="Where it stands">{stages(page).into_iter().map(item).collect_view()}</ol> }
}
