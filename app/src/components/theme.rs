//! Light, dark, or what the system says; kept in a cookie, so that the first paint is right.

use super::icon::{Icon, icon};
use crate::api::act::SetTheme;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The theme menu. Without JavaScript the page comes back in the chosen theme.
#[component]
pub fn ThemeMenu() -> impl IntoView {
    let action = ServerAction::<SetTheme>::new();
    let at_once = |theme: &'static str| {
        move |_| {
            let Some(root) = document().document_element() else { return };
            let done = if theme.is_empty() { root.remove_attribute("data-theme") } else { root.set_attribute("data-theme", theme) };
            if done.is_err() {
                leptos::logging::warn!("the theme could not be set");
            }
        }
    };
    view! {
        <details class="menu">
            <summary class="btn ghost icon" aria-label="Theme">{icon(Icon::Theme)}</summary>
            <div class="menu-list">
                <ActionForm action=action>
                    <button type="submit" name="theme" value="light" on:click=at_once("light")>"Light"</button>
                    <button type="submit" name="theme" value="dark" on:click=at_once("dark")>"Dark"</button>
                    <button type="submit" name="theme" value="system" on:click=at_once("")>"As the system"</button>
                </ActionForm>
            </div>
        </details>
    }
}
