//! Exactly what will change, line by line, per object.

use headroom_model::plan::Drift;
use headroom_model::view::{DiffLine, DiffObject};
use leptos::prelude::*;

/// The plan. Nothing is hidden; a touched field that somebody else has changed since is marked.
#[must_use]
pub fn diff(objects: &[DiffObject]) -> impl IntoView + use<> {
    let objects = objects.to_vec();
    view! {
        <div class="diff" tabindex="0" role="region" aria-label="Plan, line by line">
            {objects.into_iter().map(|o| view! { <div class="path">{o.path}</div>{o.lines.into_iter().map(line).collect_view()} }).collect_view()}
        </div>
    }
}

fn line(line: DiffLine) -> impl IntoView + use<> {
    let (class, sign, word) = match (line.old, line.new) {
        (Some(_), None) => ("ln del", "−", "removed: "),
        (None, Some(_)) => ("ln add", "+", "added: "),
        _ => ("ln", " ", ""),
    };
    let at = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    view! {
        <div class=class>
            <span>{at(line.old)}</span>
            <span>{at(line.new)}</span>
            <span aria-hidden="true">{sign}</span>
            <span><span class="sr">{word}</span>{line.text}{line.note.map(|n| view! { <em>"# "{n}</em> })}</span>
        </div>
    }
}

/// Touched fields that are no longer as the plan expects.
#[must_use]
pub fn drift(drift: &[Drift]) -> impl IntoView + use<> {
    let text = |v: &Option<String>| v.clone().unwrap_or_else(|| "not set".to_owned());
    let lines: Vec<_> =
        drift.iter().map(|d| format!("{}: the plan expects {}, there is {}", d.field, text(&d.expected), text(&d.found))).collect();
    view! { <ul>{lines.into_iter().map(|l| view! { <li class="mono">{l}</li> }).collect_view()}</ul> }
}
