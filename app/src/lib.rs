//! What people see: pages, components and server functions.

use leptos::prelude::{ClassAttribute, ElementChild, GlobalAttributes, IntoView, component, view};

/// The whole page, the same on the server and in the browser.
#[component]
pub fn App() -> impl IntoView {
    view! { <main id="main" class="body"><h1>"Headroom"</h1></main> }
}
