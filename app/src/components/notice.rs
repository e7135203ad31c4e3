//! What a form did, or why it did not.

use super::icon::{Icon, icon};
use crate::form::Outcome;
use headroom_model::problem::Problem;
use leptos::prelude::*;

/// The outcome of a form, said at the top of the page.
#[component]
pub fn Notice(
    /// What became of the form.
    outcome: Outcome,
) -> impl IntoView {
    move || {
        let problem = outcome.problem.get().map(|p| {
            view! {
                <div class="note bad" role="alert">
                    {icon(Icon::Alert)}
                    <div><b>{p.title.clone()}</b><p>{p.detail.clone()}</p>{request(&p)}</div>
                </div>
            }
        });
        let done = outcome.done.get().filter(|d| !d.text.is_empty()).map(|d| {
            view! {
                <div class="note good" role="status">
                    {icon(Icon::Done)}
                    <div><b>{d.text}</b>{d.secret.map(|s| view! { <div class="codebox"><code>{s}</code></div> })}</div>
                </div>
            }
        });
        view! { {problem}{done} }
    }
}

/// Of several forms on a page, whether what became of one is still the newest: what was said before is over. Before any was answered
/// here, each says what happened to it before the page was loaded.
pub fn newest<const N: usize>(answers: [RwSignal<usize>; N]) -> impl Fn(usize) -> bool + Copy + Send + Sync + 'static {
    // How often each was answered, and which was answered last.
    let last = Memo::new(move |before: Option<&([usize; N], Option<usize>)>| {
        let now = answers.map(|count| count.get());
        let last = before.and_then(|(then, last)| (0..N).find(|i| now[*i] != then[*i]).or(*last));
        (now, last)
    });
    move |form| last.with(|(_, last)| last.is_none_or(|last| last == form))
}

/// The request that a problem belongs to, where the log says more than the page: for what broke, and for what was refused for want of
/// a permission.
#[must_use]
pub fn request(problem: &Problem) -> Option<impl IntoView + use<>> {
    let logged = problem.status == 403 || problem.status >= 500;
    problem.request_id.clone().filter(|_| logged).map(|id| view! { <p class="hint">"Request "<code>{id}</code></p> })
}

/// A message in the page.
#[must_use]
pub fn note(tone: &'static str, glyph: Icon, title: String, text: String) -> impl IntoView + use<> {
    view! {
        <div class=format!("note {tone}") role="status">
            {icon(glyph)}
            <div><b>{title}</b>{(!text.is_empty()).then(|| view! { <p>{text}</p> })}</div>
        </div>
    }
}
