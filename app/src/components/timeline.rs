//! What happened, newest first.

use super::icon::{Icon, icon};
use crate::format;
use headroom_model::view::{Comment, TimelineEntry};
use leptos::prelude::*;

fn look(name: &str) -> (Icon, &'static str) {
    let verb = name.rsplit('.').next().unwrap_or(name);
    match verb {
        "submitted" => (Icon::Send, ""),
        "approved" => (Icon::Check, "act"),
        "applied" | "verified" | "closed" => (Icon::Done, "good"),
        "applying" | "preflight" | "started" => (Icon::Loader, "act"),
        "observing" => (Icon::Eye, "warn"),
        "commented" => (Icon::Comment, ""),
        "created" | "proposed" => (Icon::Sparkles, ""),
        v if v.contains("roll") || v.contains("abort") => (Icon::Undo, "bad"),
        v if v.contains("fail") || v == "rejected" => (Icon::Failed, "bad"),
        v if v.contains("expired") || v.contains("stale") => (Icon::Expired, "warn"),
        _ => (Icon::Info, ""),
    }
}

/// The timeline of a recommendation and its changes.
#[must_use]
pub fn timeline(entries: &[TimelineEntry]) -> impl IntoView + use<> {
    let entry = |e: TimelineEntry| {
        let (glyph, tone) = look(&e.name);
        view! {
            <li>
                <span class=format!("ic {tone}")>{icon(glyph)}</span>
                <div>
                    {e.text}
                    {e.detail.map(|d| view! { <div class="muted">"“"{d}"”"</div> })}
                    <div class="faint small"><time datetime=e.wall.to_string() title=format!("cluster time {}", format::exact(e.cluster))>{format::time(e.wall)}</time></div>
                </div>
            </li>
        }
    };
    view! { <ol class="timeline">{entries.iter().cloned().map(entry).collect_view()}</ol> }
}

/// What was said, oldest first.
#[must_use]
pub fn thread(comments: &[Comment]) -> impl IntoView + use<> {
    let one = |c: Comment| {
        view! {
            <li class="comment">
                <span class="avatar" aria-hidden="true">{format::initials(&c.by)}</span>
                <div>
                    <div class="by"><b>{c.by}</b>" "<time class="faint small" datetime=c.at.to_string()>{format::time(c.at)}</time></div>
                    <p>{c.text}</p>
                </div>
            </li>
        }
    };
    view! { <ol class="thread">{comments.iter().cloned().map(one).collect_view()}</ol> }
}
