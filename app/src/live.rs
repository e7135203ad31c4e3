//! Live updates: small messages say what changed, pages fetch it anew, and the top bar says how old that is.

use headroom_model::view::LiveEvent;
use leptos::prelude::*;
use std::collections::BTreeMap;

/// What has changed since the page was loaded.
#[derive(Clone, Copy)]
pub struct Live {
    revs: RwSignal<BTreeMap<String, u64>>,
    /// Seconds since the newest message; `None` before the first.
    pub quiet: RwSignal<Option<u32>>,
}

/// New samples come every few seconds; pages look at them at most this often, seconds.
const SAMPLES_EVERY: u32 = 10;

impl Live {
    /// Nothing has changed yet.
    #[must_use]
    pub fn new() -> Self {
        Self { revs: RwSignal::default(), quiet: RwSignal::new(None) }
    }

    /// A number that grows when one of these topics changes: what a resource depends on.
    #[must_use]
    pub fn rev(self, topics: &[&str]) -> u64 {
        self.revs.with(|revs| topics.iter().filter_map(|t| revs.get(*t)).sum())
    }

    /// Listens until the page is left. On the server there is nothing to listen to.
    pub fn listen(self) {
        let newest = RwSignal::new(None::<LiveEvent>);
        let clock = RwSignal::new(0u32);
        let since = StoredValue::new(BTreeMap::<String, u32>::new());
        Effect::new(move || open_stream(move |event| newest.set(Some(event))));
        Effect::new(move || {
            let Some(event) = newest.get() else { return };
            let now = clock.get_untracked();
            self.quiet.set(Some(0));
            let recent = since.with_value(|s| s.get(&event.topic).is_some_and(|t| now - t < SAMPLES_EVERY));
            if event.topic == "samples" && recent {
                return;
            }
            since.update_value(|s| {
                s.insert(event.topic.clone(), now);
            });
            self.revs.update(|revs| {
                *revs.entry(event.topic).or_default() += 1;
            });
        });
        Effect::new(move || {
            let tick = move || {
                clock.update(|c| *c += 1);
                self.quiet.update(|q| *q = q.map(|s| s.saturating_add(1)));
            };
            if let Ok(handle) = set_interval_with_handle(tick, std::time::Duration::from_secs(1)) {
                on_cleanup(move || handle.clear());
            }
        });
    }
}

/// Opens the stream of messages; the browser opens it again when it breaks. Closed with the effect it was opened in.
#[cfg(not(feature = "ssr"))]
fn open_stream(heard: impl Fn(LiveEvent) + 'static) {
    use leptos::wasm_bindgen::JsCast;
    use leptos::wasm_bindgen::closure::Closure;

    let Ok(source) = web_sys::EventSource::new("/events") else { return };
    let on_message = Closure::<dyn Fn(web_sys::MessageEvent)>::new(move |message: web_sys::MessageEvent| {
        let event = message.data().as_string().and_then(|text| serde_json::from_str(&text).ok());
        if let Some(event) = event {
            heard(event);
        }
    });
    source.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    let kept = StoredValue::new_local((source, on_message));
    on_cleanup(move || {
        let _ = kept.try_with_value(|(source, _)| source.close());
    });
}

#[cfg(feature = "ssr")]
fn open_stream(_heard: impl Fn(LiveEvent) + 'static) {}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

/// Keeps rows where the reader saw them: known ids stay in their order, new ones follow at the end, gone ones leave.
pub fn keep_places<T, K: PartialEq>(seen: &[K], mut rows: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    rows.sort_by_key(|row| {
        let key = key(row);
        seen.iter().position(|s| *s == key).unwrap_or(usize::MAX)
    });
    rows
}
