//! Form fields, each with its label, hint and message; what was typed stays.

use super::icon::{Icon, icon};
use super::notice::request;
use crate::form::Outcome;
use leptos::prelude::*;

/// A text field. `name` is what is sent, `fault` the field that the server names when it refuses (the same, if empty).
#[component]
pub fn Field(
    /// What became of its form.
    outcome: Outcome,
    /// The name under which it is sent.
    name: String,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What stands in it at first.
    #[prop(into, optional)]
    value: String,
    /// What it takes.
    #[prop(into, optional)]
    hint: String,
    /// Its id on the page; made from the field without.
    #[prop(into, optional)]
    id: String,
    /// The field that the server names when it refuses; the name without.
    #[prop(into, optional)]
    field: String,
    /// The input's type.
    #[prop(default = "text")]
    kind: &'static str,
    /// Its class.
    #[prop(default = "input")]
    class: &'static str,
    /// Whether it must be filled in.
    #[prop(optional)]
    required: bool,
    /// What the browser may fill in.
    #[prop(into, optional)]
    autocomplete: Option<String>,
) -> impl IntoView {
    let field = if field.is_empty() { name.clone() } else { field };
    let id = if id.is_empty() { format!("f-{}", field.replace('.', "-")) } else { id };
    let (hint_id, fault_id) = (format!("{id}-hint"), format!("{id}-err"));
    let described = format!("{hint_id} {fault_id}");
    let typed = outcome.typed(&field, &value);
    let asked = field.clone();
    let fault = Memo::new(move |_| outcome.fault(&asked));
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                class=class
                id=id
                name=name
                type=kind
                value=typed
                required=required
                autocomplete=autocomplete
                aria-describedby=described
                aria-invalid=move || fault.get().is_some().then_some("true")
            />
            <p class="hint" id=hint_id>{hint}</p>
            {move || fault_text(fault.get(), fault_id.clone())}
        </div>
    }
}

/// A text of several lines: a reason or a comment.
#[component]
pub fn TextField(
    /// What became of its form.
    outcome: Outcome,
    /// The name under which it is sent, and which the server names when it refuses.
    name: &'static str,
    /// Its label.
    #[prop(into)]
    label: String,
    /// Its id on the page.
    #[prop(into)]
    id: String,
    /// Whether it must be filled in.
    #[prop(optional)]
    required: bool,
) -> impl IntoView {
    let fault_id = format!("{id}-err");
    let described = fault_id.clone();
    let fault = Memo::new(move |_| outcome.fault(name));
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <textarea
                class="input"
                id=id
                name=name
                rows="3"
                required=required
                aria-describedby=described
                aria-invalid=move || fault.get().is_some().then_some("true")
            >
                {outcome.typed(name, "")}
            </textarea>
            {move || fault_text(fault.get(), fault_id.clone())}
        </div>
    }
}

fn fault_text(fault: Option<String>, id: String) -> impl IntoView + use<> {
    fault.map(|text| view! { <p class="field-error" id=id>{icon(Icon::Alert)}{text}</p> })
}

/// The form's own message: a problem that belongs to none of `fields`.
#[component]
pub fn FormError(
    /// What became of the form.
    outcome: Outcome,
    /// The fields that say their own faults.
    #[prop(into, optional)]
    fields: Vec<String>,
) -> impl IntoView {
    move || {
        let elsewhere = |p: &headroom_model::problem::Problem| p.field.as_ref().is_none_or(|f| !fields.contains(f));
        let problem = outcome.problem.get().filter(elsewhere);
        problem.map(|p| view! { <div class="form-error" role="alert">{icon(Icon::Alert)}<div>{p.detail.clone()}{request(&p)}</div></div> })
    }
}

/// The hidden key under which a form is done once.
#[component]
pub fn OnceKey(
    /// What became of the form.
    outcome: Outcome,
) -> impl IntoView {
    view! { <input type="hidden" name="key" value=move || outcome.key.get() /> }
}
