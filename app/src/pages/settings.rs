//! Policy: the rules in force, and what each scope sets.

use super::query;
use crate::api::Entry;
use crate::api::admin::{self, SetPolicy};
use crate::components::fields::{FormError, OnceKey};
use crate::components::icon::{Icon, icon};
use crate::components::notice::Notice;
use crate::components::panel::load_page;
use crate::form::Outcome;
use crate::format;
use crate::link;
use crate::live::Live;
use headroom_model::auth::Permission;
use headroom_model::policy::{Policy, PolicyPatch};
use headroom_model::view::PolicyRow;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

/// The tabs of the settings that somebody may open.
#[must_use]
pub fn subnav(current: &'static str) -> impl IntoView + use<> {
    let tab =
        |(href, word): (&'static str, &'static str)| view! { <a href=href aria-current=(href == current).then_some("page")>{word}</a> };
    let tabs = [("/settings", "Policy"), ("/settings/users", "Users"), ("/settings/tokens", "API tokens"), ("/account", "Your account")];
    let may = expect_context::<Entry>().may(Permission::ManageUsers);
    let tabs = tabs.into_iter().filter(|(href, _)| may || *href != "/settings/users").map(tab).collect_view();
    // On a phone there is no side bar that leads to the rest.
    let rest = [("/benchmarks", "Benchmarks"), ("/audit", "Audit")].map(|(href, word)| view! { <a class="only-s" href=href>{word}</a> });
    view! { <nav class="subnav" aria-label="Settings">{tabs}{rest.collect_view()}</nav> }
}

/// The values that a patch sets, as text.
fn set_values(patch: &PolicyPatch) -> std::collections::BTreeMap<String, String> {
    let values = Policy::default().overlaid(patch).values();
    let set = serde_json::to_value(patch).unwrap_or_default();
    values.into_iter().filter(|(k, _)| set.get(k).is_some()).collect()
}

/// The page.
#[component]
pub fn SettingsPage() -> impl IntoView {
    let (live, entry) = (expect_context::<Live>(), expect_context::<Entry>());
    let action = ServerAction::<SetPolicy>::new();
    let outcome = Outcome::of("set_policy", action);
    let data = Resource::new_blocking(move || (live.rev(&["policy"]), action.version().get()), |_| admin::policies());
    let scope = query("scope");
    // Whose rule was sent last: the message belongs beside it.
    let sent = RwSignal::new(outcome.typed("rule", ""));
    Effect::new(move || {
        if let Some(input) = action.input().get() {
            sent.set(input.rule);
        }
    });
    let form = RuleForm { action, outcome, sent };
    view! {
        <Title text="Policy" />
        <div class="head"><div><h1>"Settings"</h1><p class="lead">"The narrower scope wins: service over team over environment over fleet."</p></div></div>
        {subnav("/settings")}
        <Notice outcome />
        {load_page(data, move |rows: Vec<PolicyRow>| {
            let scope = Some(scope.get()).filter(|s| !s.is_empty()).unwrap_or_else(|| "fleet".to_owned());
            view! { {scopes(&rows, &scope)}{rules(&rows, scope, form, &entry)} }
        })}
    }
}

fn scopes(rows: &[PolicyRow], current: &str) -> impl IntoView + use<> {
    let mut all: Vec<(String, String)> = rows.iter().map(|r| (r.scope.clone(), r.label.clone())).collect();
    if !all.iter().any(|s| s.0 == "fleet") {
        all.insert(0, ("fleet".to_owned(), "Fleet".to_owned()));
    }
    if !all.iter().any(|s| s.0 == current) {
        all.push((current.to_owned(), current.to_owned()));
    }
    let tab = |(scope, label): (String, String)| {
        let on = (scope == current).then_some("true");
        view! { <a href=link::with("/settings", &[("scope", &scope)]) aria-current=on>{label}</a> }
    };
    view! {
        <div class="filters">
            <span class="seg">{all.into_iter().map(tab).collect_view()}</span>
            <form method="get" action="/settings" class="row-x">
                <label class="sr" for="scope">"Another scope"</label>
                <input class="input mono" id="scope" name="scope" placeholder="team:NAME, environment:NAME" />
                <button class="btn" type="submit">"Show scope"</button>
            </form>
        </div>
    }
}

fn rules(rows: &[PolicyRow], scope: String, form: RuleForm, entry: &Entry) -> impl IntoView + use<> {
    let find = |s: &str| rows.iter().find(|r| r.scope == s);
    let here = find(&scope);
    let set = here.map(|r| set_values(&r.patch)).unwrap_or_default();
    let fleet = find("fleet").filter(|_| scope != "fleet").map(|r| set_values(&r.patch)).unwrap_or_default();
    let defaults: std::collections::BTreeMap<String, String> = Policy::default().values().into_iter().collect();
    let why_not = entry.why_not(Permission::ManagePolicy);
    let changed = here.map(|r| format!("changed last by {}, {}", r.by, format::time(r.at)));
    let may = why_not.is_none();
    let row = |(key, meaning): &(&'static str, &'static str)| {
        let inherited = fleet.get(*key).or_else(|| defaults.get(*key)).cloned().unwrap_or_default();
        rule(&scope, key, meaning, set.get(*key).cloned(), inherited, form, may)
    };
    view! {
        <section class="panel">
            <header><h2>{format!("Rules of {scope}")}</h2><div class="right">{changed}</div></header>
            {why_not.map(|w| view! { <div class="in faint">{w}</div> })}
            <table class="settings"><tbody>{Policy::KEYS.iter().map(row).collect_view()}</tbody></table>
        </section>
    }
}

/// The one form that every rule has, and the rule it was sent for last.
#[derive(Clone, Copy)]
struct RuleForm {
    action: ServerAction<SetPolicy>,
    outcome: Outcome,
    sent: RwSignal<String>,
}

/// One rule: what it means, its value here, and a form to change it.
fn rule(
    scope: &str,
    key: &'static str,
    meaning: &'static str,
    set: Option<String>,
    inherited: String,
    form: RuleForm,
    may: bool,
) -> impl IntoView + use<> {
    let RuleForm { action, outcome, sent } = form;
    let id = format!("rule-{key}");
    let (fault_id, hint) =
        (format!("{id}-err"), if set.is_some() { format!("else {inherited}") } else { format!("inherited: {inherited}") });
    let kept = if outcome.typed("rule", "") == key && outcome.typed("scope", "") == scope {
        outcome.typed("value", "")
    } else {
        set.clone().unwrap_or_default()
    };
    let fault = Memo::new(move |_| (sent.get() == key).then(|| outcome.problem.get()).flatten().map(|p| p.detail));
    let scope = scope.to_owned();
    let (described, input_id) = (fault_id.clone(), id.clone());
    let control = if may {
        view! {
            <ActionForm action=action attr:class="form inline">
                <OnceKey outcome />
                <input type="hidden" name="scope" value=scope />
                <input type="hidden" name="rule" value=key />
                <div class="field">
                    <input class="input mono" id=input_id name="value" value=kept placeholder=inherited.clone() aria-describedby=described aria-invalid=move || fault.get().is_some().then_some("true") />
                    <p class="hint">{hint}</p>
                    {move || fault.get().map(|f| view! { <p class="field-error" id=fault_id.clone()>{icon(Icon::Alert)}{f}</p> })}
                </div>
                <button class="btn" type="submit" aria-label=format!("Set {key}")>"Set"</button>
            </ActionForm>
        }
        .into_any()
    } else {
        view! { <span class="mono">{set.unwrap_or(inherited)}</span> }.into_any()
    };
    let name = if may { view! { <label for=id>{key}</label> }.into_any() } else { key.into_any() };
    view! { <tr><th scope="row"><span class="mono">{name}</span><small>{meaning}</small></th><td>{control}</td></tr> }
}

/// Forms with a field say their own faults; this is for the rest.
#[must_use]
pub fn elsewhere(outcome: Outcome) -> impl IntoView + use<> {
    view! { <FormError outcome fields=["name", "role", "teams", "user", "label", "scope"].map(str::to_owned).to_vec() /> }
}
