//! `?`: every shortcut.

use leptos::ev;
use leptos::html::Dialog;
use leptos::prelude::*;

const KEYS: [(&str, &str); 7] = [
    ("⌘K", "find a page or a service"),
    ("J", "next row of a list"),
    ("K", "previous row"),
    ("X", "select the row"),
    ("Enter", "open the row"),
    ("?", "this list"),
    ("Esc", "close"),
];

/// Whether a key goes into a field rather than to the page.
#[must_use]
pub fn typing(event: &ev::KeyboardEvent) -> bool {
    use leptos::wasm_bindgen::JsCast;
    let target = event.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
    let in_field = target.is_some_and(|e| {
        matches!(e.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT") && e.get_attribute("type").as_deref() != Some("checkbox")
    });
    in_field || event.meta_key() || event.ctrl_key() || event.alt_key()
}

/// The list of shortcuts, opened by `?`.
#[component]
pub fn KeysDialog() -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    Effect::new(move || {
        let handle = window_event_listener(ev::keydown, move |event| {
            if event.key() == "?"
                && !typing(&event)
                && let Some(dialog) = dialog.get_untracked().filter(|d| !d.open())
            {
                let _ = dialog.show_modal();
            }
        });
        on_cleanup(move || handle.remove());
    });
    view! {
        <dialog class="sheet" node_ref=dialog aria-labelledby="keys-title">
            <form method="dialog">
                <h2 id="keys-title">"Keys"</h2>
                <dl class="keys">{KEYS.map(|(key, what)| view! { <dt><kbd>{key}</kbd></dt><dd>{what}</dd> }).collect_view()}</dl>
                <div class="acts"><button class="btn" type="submit">"Close"</button></div>
            </form>
        </dialog>
    }
}
