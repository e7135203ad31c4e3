//! What a person can do to a recommendation and its change: the action bar and the comment form. What a role may not do is shown
//! disabled with the reason, or not at all where it is never theirs.

use crate::api::Entry;
use crate::api::act::{Apply, Approve, BreakGlass, Comment, Dismiss, Reject, Reopen, RequestChanges, RollBack, Submit, Withdraw};
use crate::components::fields::{Field, FormError, OnceKey, TextField};
use crate::components::icon::{Icon, icon};
use crate::components::notice::{Notice, newest};
use crate::components::status::{of_recommendation, status};
use crate::form::Outcome;
use crate::format;
use headroom_model::auth::Permission;
use headroom_model::change::Substate;
use headroom_model::recommendation::RecommendationState;
use headroom_model::view::{ChangeAct, ChangePage, RecommendationPage};
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The actions of the page, each with its outcome.
#[derive(Clone, Copy)]
pub struct Acts {
    submit: (ServerAction<Submit>, Outcome),
    approve: (ServerAction<Approve>, Outcome),
    request_changes: (ServerAction<RequestChanges>, Outcome),
    reject: (ServerAction<Reject>, Outcome),
    withdraw: (ServerAction<Withdraw>, Outcome),
    apply: (ServerAction<Apply>, Outcome),
    break_glass: (ServerAction<BreakGlass>, Outcome),
    roll_back: (ServerAction<RollBack>, Outcome),
    dismiss: (ServerAction<Dismiss>, Outcome),
    reopen: (ServerAction<Reopen>, Outcome),
    comment: (ServerAction<Comment>, Outcome),
}

macro_rules! act {
    ($name:literal) => {{
        let action = ServerAction::new();
        (action, Outcome::of($name, action))
    }};
}

impl Acts {
    /// No action has been taken yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            submit: act!("submit"),
            approve: act!("approve"),
            request_changes: act!("request_changes"),
            reject: act!("reject"),
            withdraw: act!("withdraw"),
            apply: act!("apply"),
            break_glass: act!("break_glass"),
            roll_back: act!("roll_back"),
            dismiss: act!("dismiss"),
            reopen: act!("reopen"),
            comment: act!("comment"),
        }
    }

    /// Grows with every answer: what the page depends on.
    #[must_use]
    pub fn version(self) -> usize {
        self.said().iter().map(|(answers, _)| answers.get()).sum::<usize>() + self.comment.0.version().get()
    }

    /// What is said at the top of the page: what became of the newest act. Forms with a field have their own messages beside it.
    pub fn notice(self) -> impl IntoView {
        let said = self.said();
        let shown = newest(said.map(|(answers, _)| answers));
        let one = |(i, (_, outcome)): (usize, (RwSignal<usize>, Outcome))| view! { <Show when=move || shown(i)><Notice outcome /></Show> };
        said.into_iter().enumerate().map(one).collect_view()
    }

    /// Every act whose outcome is said at the top, and how often it was answered.
    fn said(self) -> [(RwSignal<usize>, Outcome); 10] {
        let Self { submit, approve, request_changes, reject, withdraw, apply, break_glass, roll_back, dismiss, reopen, comment: _ } = self;
        [
            (submit.0.version(), submit.1),
            (approve.0.version(), approve.1),
            (request_changes.0.version(), request_changes.1),
            (reject.0.version(), reject.1),
            (withdraw.0.version(), withdraw.1),
            (apply.0.version(), apply.1),
            (break_glass.0.version(), break_glass.1),
            (roll_back.0.version(), roll_back.1),
            (dismiss.0.version(), dismiss.1),
            (reopen.0.version(), reopen.1),
        ]
    }
}

impl Default for Acts {
    fn default() -> Self {
        Self::new()
    }
}

/// Why this person may not approve: their role, or their own submission.
fn approve_refusal(change: &ChangePage, entry: &Entry) -> Option<String> {
    let own = change.requested_by == entry.user;
    let mine = change.approvals.iter().any(|a| a.by == entry.user);
    entry
        .why_not(Permission::Approve)
        .or_else(|| own.then(|| "You submitted this: someone else has to approve it.".to_owned()))
        .or_else(|| mine.then(|| format!("You approved it; {} of {} have.", change.approvals.len(), change.approvals_required)))
}

/// The bar at the foot of the page.
#[must_use]
pub fn action_bar(p: &RecommendationPage, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    let can = |act: ChangeAct| p.change.as_ref().filter(|c| c.can.contains(&act));
    let id = p.recommendation.id.to_string();
    let open = p.recommendation.state == RecommendationState::Open;
    let buttons = view! {
        {open.then(|| dismiss(&id, acts, entry))}
        {(p.recommendation.state == RecommendationState::Dismissed).then(|| reopen(&id, acts, entry))}
        {(open && p.refusal.is_none()).then(|| submit(&id, acts, entry))}
        {can(ChangeAct::Withdraw).map(|_| withdraw(&id, acts))}
        {can(ChangeAct::RequestChanges).map(|_| request_changes(&id, acts, entry))}
        {can(ChangeAct::Reject).map(|_| reject(&id, acts, entry))}
        {can(ChangeAct::Approve).map(|c| approve(&id, c, acts, entry))}
        {can(ChangeAct::RollBack).map(|c| roll_back(&id, c, acts, entry))}
        {can(ChangeAct::Apply).map(|c| schedule(&id, c, acts, entry))}
        {can(ChangeAct::Apply).map(|c| apply(&id, c, acts, entry))}
        {can(ChangeAct::BreakGlass).map(|_| break_glass(&id, acts, entry))}
    };
    view! {
        <div class="bar">
            <span class="hide-s">{status(of_recommendation(p.recommendation.state, p.row.substate))}</span>
            <span class="muted hide-s">{situation(p, entry)}</span>
            <div class="right">{buttons}</div>
        </div>
    }
}

/// What happens next, in a sentence.
fn situation(p: &RecommendationPage, entry: &Entry) -> String {
    let Some(change) = p.change.as_ref().filter(|_| p.recommendation.state == RecommendationState::Submitted) else {
        return match (p.recommendation.state, &p.refusal) {
            (RecommendationState::Open, None) => {
                entry.why_not(Permission::Submit).unwrap_or_else(|| "Submit it, and someone else can approve the plan.".to_owned())
            }
            (RecommendationState::Open, Some(_)) => "Headroom does not write to this service: take the patch.".to_owned(),
            _ => put_aside(p),
        };
    };
    match change.state {
        Substate::PendingApproval => {
            approve_refusal(change, entry).unwrap_or_else(|| format!("Plan {} waits for you.", change.plan_hash.short()))
        }
        Substate::Approved => entry.why_not(Permission::Apply).unwrap_or_else(|| "Approved. It can be applied.".to_owned()),
        Substate::Scheduled => format!("It is carried out at {}, cluster time.", format::time(change.not_before)),
        Substate::HeldByFreeze => "It is carried out by itself when the freeze ends.".to_owned(),
        Substate::Observing => {
            change.observing_until.map_or_else(String::new, |t| format!("Watched until {}, cluster time.", format::time(t)))
        }
        Substate::Partial => "A part is written, the rest is not. A roll-back takes back what was written.".to_owned(),
        Substate::Applied => format!("The guards stay armed for {}.", format::duration(p.guard_period.secs())),
        _ => String::new(),
    }
}

/// Why a recommendation was put aside or replaced, and until when.
fn put_aside(p: &RecommendationPage) -> String {
    let reason = p.recommendation.reason.clone().unwrap_or_default();
    let until = p.recommendation.dismissed_until.map(|t| format!(" (open again at {}, cluster time)", format::time(t)));
    reason + &until.unwrap_or_default()
}

/// Whether a form is on its way, for assistive technology.
fn busy(outcome: Outcome) -> impl Fn() -> Option<&'static str> + Copy + Send + Sync + 'static {
    move || outcome.pending.get().then_some("true")
}

fn submit(id: &str, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    let (action, outcome) = acts.submit;
    let (id, why_not) = (id.to_owned(), entry.why_not(Permission::Submit));
    view! {
        <ActionForm action=action>
            <OnceKey outcome />
            <input type="hidden" name="id" value=id />
            <button class="btn go" type="submit" disabled=why_not.is_some() title=why_not aria-busy=busy(outcome)>{icon(Icon::Send)}"Submit for approval"</button>
        </ActionForm>
    }
}

fn reopen(id: &str, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    let (action, outcome) = acts.reopen;
    let (id, why_not) = (id.to_owned(), entry.why_not(Permission::Submit));
    view! {
        <ActionForm action=action>
            <OnceKey outcome />
            <input type="hidden" name="id" value=id />
            <button class="btn" type="submit" disabled=why_not.is_some() title=why_not aria-busy=busy(outcome)>{icon(Icon::Undo)}"Open again"</button>
        </ActionForm>
    }
}

fn withdraw(id: &str, acts: Acts) -> impl IntoView + use<> {
    let (action, outcome) = acts.withdraw;
    let id = id.to_owned();
    view! {
        <ActionForm action=action>
            <OnceKey outcome />
            <input type="hidden" name="id" value=id />
            <button class="btn" type="submit" aria-busy=busy(outcome)>"Withdraw"</button>
        </ActionForm>
    }
}

fn approve(id: &str, change: &ChangePage, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    let (action, outcome) = acts.approve;
    let (id, hash, why_not) = (id.to_owned(), change.plan_hash.to_string(), approve_refusal(change, entry));
    view! {
        <ActionForm action=action>
            <OnceKey outcome />
            <input type="hidden" name="id" value=id />
            <input type="hidden" name="plan_hash" value=hash />
            <button class="btn go" type="submit" disabled=why_not.is_some() title=why_not aria-busy=busy(outcome)>{icon(Icon::Check)}"Approve this plan"</button>
        </ActionForm>
    }
}

fn apply(id: &str, change: &ChangePage, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    let (action, outcome) = acts.apply;
    let (id, hash, why_not) = (id.to_owned(), change.plan_hash.to_string(), entry.why_not(Permission::Apply));
    view! {
        <ActionForm action=action>
            <OnceKey outcome />
            <input type="hidden" name="id" value=id />
            <input type="hidden" name="plan_hash" value=hash />
            <button class="btn go" type="submit" disabled=why_not.is_some() title=why_not aria-busy=busy(outcome)>{icon(Icon::Play)}"Apply"</button>
        </ActionForm>
    }
}

/// The same at a time of one's choice.
fn schedule(id: &str, change: &ChangePage, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    let (action, outcome) = acts.apply;
    let (id, hash) = (id.to_owned(), change.plan_hash.to_string());
    let refused = outcome.problem.get_untracked().is_some();
    entry.why_not(Permission::Apply).is_none().then(|| {
        view! {
            <details open=refused>
                <summary class="btn">{icon(Icon::Clock)}"Schedule"</summary>
                <div class="in">
                    <ActionForm action=action attr:class="form">
                        <OnceKey outcome />
                        <input type="hidden" name="id" value=id />
                        <input type="hidden" name="plan_hash" value=hash />
                        <div class="field">
                            <label for="not-before">"Not before, cluster time, UTC"</label>
                            <input class="input" id="not-before" type="datetime-local" name="not_before" required=true />
                        </div>
                        <FormError outcome fields=Vec::new() />
                        <button class="btn go" type="submit" aria-busy=busy(outcome)>"Apply then"</button>
                    </ActionForm>
                </div>
            </details>
        }
    })
}

/// A button that asks for a reason first. It opens without JavaScript, too, and stays open when the reason was refused.
macro_rules! with_reason {
    ($id:expr, $act:expr, $word:literal, $confirm:literal, $label:literal, $class:literal, $solid:literal, $why_not:expr, $glyph:expr, $key:literal) => {{
        let (action, outcome) = $act;
        let (id, why_not): (String, Option<String>) = ($id.to_owned(), $why_not);
        if why_not.is_some() {
            view! { <button class=$class type="button" disabled=true title=why_not>{icon($glyph)}$word</button> }.into_any()
        } else {
            let refused = outcome.problem.get_untracked().is_some();
            view! {
                <details open=refused>
                    <summary class=$class>{icon($glyph)}$word</summary>
                    <div class="in">
                        <ActionForm action=action attr:class="form">
                            <OnceKey outcome />
                            <input type="hidden" name="id" value=id />
                            <TextField outcome name="reason" label=$label id=concat!("reason-", $key) required=true />
                            <FormError outcome fields=vec!["reason".to_owned()] />
                            <button class=$solid type="submit" aria-busy=busy(outcome)>$confirm</button>
                        </ActionForm>
                    </div>
                </details>
            }
            .into_any()
        }
    }};
}

fn request_changes(id: &str, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    with_reason!(
        id,
        acts.request_changes,
        "Request changes",
        "Send it back",
        "What should be different?",
        "btn",
        "btn",
        entry.why_not(Permission::Approve),
        Icon::Undo,
        "request-changes"
    )
}

fn reject(id: &str, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    with_reason!(
        id,
        acts.reject,
        "Reject",
        "Reject the plan",
        "Why is it rejected?",
        "btn no",
        "btn no solid",
        entry.why_not(Permission::Approve),
        Icon::Close,
        "reject"
    )
}

fn break_glass(id: &str, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    with_reason!(
        id,
        acts.break_glass,
        "Break the glass",
        "Carry it out now",
        "Why can it not wait?",
        "btn no",
        "btn no solid",
        entry.why_not(Permission::BreakGlass),
        Icon::Alert,
        "break-glass"
    )
}

fn dismiss(id: &str, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    let (action, outcome) = acts.dismiss;
    let (id, why_not) = (id.to_owned(), entry.why_not(Permission::Submit));
    if why_not.is_some() {
        return view! { <button class="btn" type="button" disabled=true title=why_not>{icon(Icon::Slash)}"Dismiss"</button> }.into_any();
    }
    let refused = outcome.problem.get_untracked().is_some();
    view! {
        <details open=refused>
            <summary class="btn">{icon(Icon::Slash)}"Dismiss"</summary>
            <div class="in">
                <ActionForm action=action attr:class="form">
                    <OnceKey outcome />
                    <input type="hidden" name="id" value=id />
                    <TextField outcome name="reason" label="Why is it put aside?" id="reason-dismiss" required=true />
                    <Field outcome name="until".to_owned() id="dismiss-until" label="Until, cluster time, UTC" kind="datetime-local"
                        hint="Left empty, it stays away until somebody opens it." />
                    <FormError outcome fields=vec!["reason".to_owned(), "until".to_owned()] />
                    <button class="btn" type="submit" aria-busy=busy(outcome)>"Dismiss it"</button>
                </ActionForm>
            </div>
        </details>
    }
    .into_any()
}

fn roll_back(id: &str, change: &ChangePage, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    let word_not = entry.why_not(Permission::RollBack);
    // Stopping what runs and taking back what is there are one act; the state decides what it does.
    let _ = change;
    with_reason!(
        id,
        acts.roll_back,
        "Roll back",
        "Roll back now",
        "Why is it rolled back?",
        "btn no",
        "btn no solid",
        word_not,
        Icon::Undo,
        "roll-back"
    )
}

/// The form at the end of the discussion.
#[must_use]
pub fn comment_form(p: &RecommendationPage, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    let (action, outcome) = acts.comment;
    if let Some(why_not) = entry.why_not(Permission::Comment) {
        return view! { <p class="faint small">{why_not}</p> }.into_any();
    }
    let id = p.recommendation.id.to_string();
    view! {
        <ActionForm action=action attr:class="form">
            <OnceKey outcome />
            <input type="hidden" name="id" value=id />
            <TextField outcome name="text" label="Your comment" id="comment" required=true />
            <FormError outcome fields=vec!["text".to_owned()] />
            <div class="acts"><button class="btn" type="submit" aria-busy=busy(outcome)>{icon(Icon::Comment)}"Comment"</button></div>
        </ActionForm>
    }
    .into_any()
}
