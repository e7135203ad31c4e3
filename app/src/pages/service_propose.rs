//! A person's own values for a service: the same evidence, replay, approval and guards as any other proposal.

use crate::api::Entry;
use crate::api::act::Propose;
use crate::components::fields::{Field, FormError, OnceKey, TextField};
use crate::components::icon::{Icon, icon};
use crate::form::Outcome;
use headroom_model::auth::Permission;
use headroom_model::service::{Parameter, ResourceState};
use headroom_model::view::ServicePage;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// What a field takes, in words.
#[must_use]
pub fn hint(state: &ResourceState, field: &str) -> String {
    match field.split('.').collect::<Vec<_>>().as_slice() {
        [.., "cpu"] => "cores: 500m, 1.5".to_owned(),
        [.., "memory"] | ["volume"] => "bytes: 800Mi, 1Gi".to_owned(),
        ["replicas"] | ["autoscaler", "min" | "max"] => "a whole number".to_owned(),
        ["autoscaler", _] => "percent of the request".to_owned(),
        ["parameters", name] => match state.parameters.get(*name) {
            Some(Parameter::Bytes(_)) => "bytes: 256Mi, 1Gi".to_owned(),
            Some(Parameter::Choice { allowed, .. }) => format!("one of {}", allowed.join(", ")),
            _ => "a whole number".to_owned(),
        },
        _ => String::new(),
    }
}

/// The form, with what is asked for now in its fields.
#[component]
pub fn ProposeForm(
    /// The service.
    page: ServicePage,
    /// What sends the form.
    action: ServerAction<Propose>,
    /// What became of it.
    outcome: Outcome,
    /// Who is here.
    entry: Entry,
) -> impl IntoView {
    let state = page.service.state.clone();
    let fields = state.fields();
    let known: Vec<String> = fields.keys().cloned().chain(["reason".to_owned()]).collect();
    let inner = if let Some(why_not) = entry.why_not(Permission::Propose) {
        view! { <p class="faint">{why_not}</p> }.into_any()
    } else if fields.is_empty() {
        view! { <p class="faint">"Nothing is known of what this service asks for, so there is nothing to change."</p> }.into_any()
    } else {
        let field = move |(path, value): (String, String)| {
            let hint = hint(&state, &path);
            view! { <Field outcome name=format!("fields[{path}]") field=path.clone() label=path.clone() value=value hint=hint class="input mono" /> }
        };
        let (inputs, name) = (fields.into_iter().map(field).collect_view(), page.row.service_name.clone());
        view! {
            <ActionForm action=action attr:class="form">
                <OnceKey outcome />
                <input type="hidden" name="service_name" value=name />
                <div class="fields">{inputs}</div>
                <TextField outcome name="reason" label="Why" id="reason" />
                <FormError outcome fields=known />
                <div class="acts">
                    <button class="btn go" type="submit" aria-busy=move || outcome.pending.get().then_some("true")>{icon(Icon::Pencil)}"Propose these values"</button>
                </div>
            </ActionForm>
        }
        .into_any()
    };
    view! {
        <section class="panel" id="propose">
            <header><h2>"Propose own values"</h2><div class="right">"replayed, approved and guarded like any other proposal"</div></header>
            <div class="in">{inner}</div>
        </section>
    }
}
