//! The WASM entry point: takes over the page that the server rendered, and nothing else.

// A page is one deeply nested type; the default limit of 128 is too low for it.
#![recursion_limit = "512"]

use wasm_bindgen::prelude::wasm_bindgen;

/// Makes the server-rendered page interactive; the page's start script calls this once, after the module is loaded.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(headroom_app::App);
}
