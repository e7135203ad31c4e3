//! An address that leads nowhere.

use crate::components::icon::Icon;
use crate::components::layout::brand;
use crate::components::panel::heading_empty;
use leptos::prelude::*;
use leptos_meta::Title;

/// The page for every other address; its status is 404.
#[component]
pub fn NotFound() -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::doorway::set_status(404);
    let why = "The address is mistyped, or what was there is gone. Services and recommendations can be searched by name.".to_owned();
    view! {
        <Title text="Not found" />
        <header class="top">{brand()}</header>
        <main id="main" class="body">
            <div class="panel">{heading_empty(Icon::Help, "There is no such page".to_owned(), why, ("/services", "Search the services"))}</div>
        </main>
    }
}
