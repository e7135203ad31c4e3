//! A figure in three lines: what it is, its value with unit, what makes it believable; and how it was calculated.

use leptos::prelude::*;

/// One figure of a `dl.figs`.
#[component]
pub fn Figure(
    /// What it is.
    #[prop(into)]
    title: String,
    /// Its value.
    #[prop(into)]
    value: String,
    /// Its unit.
    #[prop(into, optional)]
    unit: String,
    /// `good`, `bad` or nothing.
    #[prop(optional)]
    tone: &'static str,
    /// What makes it believable.
    #[prop(into, optional)]
    detail: String,
    /// How it was calculated.
    #[prop(into, optional)]
    how: String,
) -> impl IntoView {
    view! {
        <div class="fig">
            <dt>{title}</dt>
            <dd class=format!("v {tone}")>{value}{(!unit.is_empty()).then(|| view! { <small>" "{unit}</small> })}</dd>
            <dd class="d">{detail}</dd>
            {(!how.is_empty()).then(|| view! { <dd class="d"><details class="more"><summary>"How this is calculated"</summary><p>{how}</p></details></dd> })}
        </div>
    }
}
