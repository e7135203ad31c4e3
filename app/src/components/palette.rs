//! ⌘K: find or do anything. Without JavaScript the same control leads to the list of services, which can be searched.

use super::icon::{Icon, icon};
use crate::api::read;
use crate::link;
use headroom_model::view::ServiceQuery;
use leptos::ev;
use leptos::html::{Dialog, Input};
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

/// Pages by name.
const PAGES: [(&str, &str, Icon); 10] = [
    ("Overview", "/", Icon::Overview),
    ("Recommendations: open", "/recommendations", Icon::Recommendations),
    ("Recommendations: waiting for approval", "/recommendations?view=waiting", Icon::Clock),
    ("Changes", "/changes", Icon::Changes),
    ("Benchmarks", "/benchmarks", Icon::Benchmarks),
    ("Services", "/services", Icon::Services),
    ("Audit", "/audit", Icon::Audit),
    ("Policy", "/settings", Icon::Policy),
    ("Users", "/settings/users", Icon::Users),
    ("API tokens", "/settings/tokens", Icon::Key),
];

/// One line of the palette.
#[derive(Clone, PartialEq)]
struct Entry {
    word: String,
    href: String,
    glyph: Icon,
}

fn pages(text: &str) -> Vec<Entry> {
    let text = text.to_lowercase();
    let fits = |p: &&(&str, &str, Icon)| p.0.to_lowercase().contains(&text);
    PAGES
        .iter()
        .filter(fits)
        .map(|(word, href, glyph)| Entry { word: (*word).to_owned(), href: (*href).to_owned(), glyph: *glyph })
        .collect()
}

/// The button in the top bar, and the dialog.
#[component]
pub fn Palette() -> impl IntoView {
    let (dialog, input) = (NodeRef::<Dialog>::new(), NodeRef::<Input>::new());
    let (text, set_text) = signal(String::new());
    let (opened, set_opened) = signal(false);
    let at = RwSignal::new(0usize);
    let found = RwSignal::new(Vec::<String>::new());
    // An effect, which only browsers run: a resource read here would hold back the whole page on the server.
    Effect::new(move || {
        let (q, opened) = (text.get(), opened.get());
        if !opened {
            return;
        }
        leptos::task::spawn_local(async move {
            let page = read::services(ServiceQuery { q: q.clone(), limit: 8, ..ServiceQuery::default() }).await;
            // An answer to what was typed before comes too late.
            if text.try_get_untracked() == Some(q) {
                found.set(page.map(|p| p.items.into_iter().map(|s| s.service_name).collect()).unwrap_or_default());
            }
        });
    });
    let entries = Memo::new(move |_| {
        let mut all = pages(&text.get());
        all.extend(found.get().into_iter().map(|name| Entry { href: link::service(&name), word: name, glyph: Icon::Services }));
        all
    });
    let open = move || {
        if let Some(dialog) = dialog.get_untracked().filter(|d| !d.open()) {
            set_opened.set(true);
            let _ = dialog.show_modal();
        }
    };
    let navigate = use_navigate();
    let go = move |href: String| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
        navigate(&href, leptos_router::NavigateOptions::default());
    };
    listen(open);
    let on_key = {
        let go = go.clone();
        move |event: ev::KeyboardEvent| {
            let last = entries.with_untracked(Vec::len).saturating_sub(1);
            match event.key().as_str() {
                "ArrowDown" => at.update(|i| *i = (*i + 1).min(last)),
                "ArrowUp" => at.update(|i| *i = i.saturating_sub(1)),
                "Enter" => {
                    if let Some(entry) = entries.with_untracked(|e| e.get(at.get_untracked()).cloned()) {
                        go(entry.href);
                    }
                }
                _ => return,
            }
            event.prevent_default();
        }
    };
    let item = move |(i, entry): (usize, Entry)| {
        let (go, href) = (go.clone(), entry.href.clone());
        view! {
            <li role="option" id=format!("palette-{i}") aria-selected=move || if at.get() == i { "true" } else { "false" } on:click=move |_| go(href.clone())>
                {icon(entry.glyph)}
                <span class="grow">{entry.word}</span>
            </li>
        }
    };
    view! {
        <a class="find" href="/services" on:click=move |e| { e.prevent_default(); open(); }>
            {icon(Icon::Search)}<span>"Find or do anything"</span><kbd>"⌘K"</kbd>
        </a>
        <dialog class="palette" node_ref=dialog aria-label="Find or do anything">
            <input
                class="palette-input"
                node_ref=input
                role="combobox"
                aria-label="Find a page or a service"
                aria-expanded="true"
                aria-controls="palette-list"
                aria-activedescendant=move || format!("palette-{}", at.get())
                autocomplete="off"
                on:input=move |e| { set_text.set(event_target_value(&e)); at.set(0); }
                on:keydown=on_key
            />
            <ul class="palette-list" id="palette-list" role="listbox" aria-label="Results">
                {move || entries.get().into_iter().enumerate().map(item.clone()).collect_view()}
            </ul>
        </dialog>
    }
}

/// ⌘K or Ctrl+K, anywhere.
fn listen(open: impl Fn() + Copy + 'static) {
    Effect::new(move || {
        let handle = window_event_listener(ev::keydown, move |event| {
            if (event.meta_key() || event.ctrl_key()) && event.key().eq_ignore_ascii_case("k") {
                event.prevent_default();
                open();
            }
        });
        on_cleanup(move || handle.remove());
    });
}
