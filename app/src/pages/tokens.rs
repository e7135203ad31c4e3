//! API tokens: make one, see it once, revoke it.

use super::settings::{elsewhere, subnav};
use crate::api::Entry;
use crate::api::admin::{self, CreateToken, RevokeToken};
use crate::components::fields::{Field, OnceKey};
use crate::components::icon::{Icon, icon};
use crate::components::notice::Notice;
use crate::components::panel::{empty, load_page};
use crate::form::Outcome;
use crate::format;
use crate::live::Live;
use headroom_model::auth::Permission;
use headroom_model::view::TokenRow;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

/// The page.
#[component]
pub fn TokensPage() -> impl IntoView {
    let (live, entry) = (expect_context::<Live>(), expect_context::<Entry>());
    let (create, revoke) = (ServerAction::<CreateToken>::new(), ServerAction::<RevokeToken>::new());
    let (created, revoked) = (Outcome::of("create_token", create), Outcome::of("revoke_token", revoke));
    let data = Resource::new_blocking(move || (live.rev(&["users"]), create.version().get() + revoke.version().get()), |_| admin::tokens());
    view! {
        <Title text="API tokens" />
        <div class="head"><div><h1>"Settings"</h1><p class="lead">"A token acts as its user, within its scope, until it ends. Only its hash is kept."</p></div></div>
        {subnav("/settings/tokens")}
        <Notice outcome=created /><Notice outcome=revoked />
        {load_page(data, move |rows: Vec<TokenRow>| list(&rows, revoke, revoked))}
        {create_form(create, created, &entry)}
    }
}

fn list(rows: &[TokenRow], revoke: ServerAction<RevokeToken>, revoked: Outcome) -> AnyView {
    if rows.is_empty() {
        return view! { <section class="panel">{empty(Icon::Key, "No tokens", "Programs that use the REST interface sign in with a token.", None)}</section> }.into_any();
    }
    let row = |t: &TokenRow| {
        let (label, id) = (format!("Revoke {}", t.label), t.id.to_string());
        let used = t.last_used.map_or_else(|| "never".to_owned(), format::time);
        view! {
            <tr>
                <td class="lead-cell strong">{t.label.clone()}</td>
                <td data-label="Acts as">{t.user.clone()}</td>
                <td data-label="May">{may(t.scope.as_deref())}</td>
                <td class="n" data-label="Made">{format::time(t.created_at)}</td>
                <td class="n" data-label="Ends">{t.expires_at.map_or_else(|| "never".to_owned(), format::time)}</td>
                <td class="n" data-label="Last used">{used}</td>
                <td>
                    <ActionForm action=revoke>
                        <OnceKey outcome=revoked />
                        <input type="hidden" name="id" value=id />
                        <button class="btn small no" type="submit" aria-label=label>"Revoke"</button>
                    </ActionForm>
                </td>
            </tr>
        }
    };
    view! {
        <section class="panel">
            <header><h2>"Tokens"</h2></header>
            <div class="table-wrap" tabindex="0" role="region" aria-label="Tokens">
                <table class="cards">
                    <thead><tr><th scope="col">"For"</th><th scope="col">"Acts as"</th><th scope="col">"May"</th><th scope="col" class="n">"Made, UTC"</th><th scope="col" class="n">"Ends"</th>
                            <th scope="col" class="n">"Last used"</th><th scope="col"><span class="sr">"Actions"</span></th></tr></thead>
                    <tbody>{rows.iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// What a token may do, in words.
fn may(scope: Option<&[Permission]>) -> String {
    scope.map_or_else(|| "all that its user may".to_owned(), |scope| scope.iter().map(|p| p.plain()).collect::<Vec<_>>().join(", "))
}

/// Days that a token may live, as the form offers them.
const DAYS: [u32; 4] = [7, 30, 90, 365];

fn create_form(action: ServerAction<CreateToken>, outcome: Outcome, entry: &Entry) -> impl IntoView + use<> {
    let me = entry.user.clone();
    let user = if entry.may(Permission::ManageUsers) {
        view! { <Field outcome name="user".to_owned() id="token-user" label="Acts as" value=me autocomplete="off" /> }.into_any()
    } else {
        view! { <input type="hidden" name="user" value=me /> }.into_any()
    };
    let chosen = outcome.typed("days", "90");
    let days =
        DAYS.map(|d| view! { <option value=d.to_string() selected=d.to_string() == chosen>{format!("{d} days")}</option> }).collect_view();
    // An administrator makes tokens for others, who may what the administrator may not.
    let everybodys = entry.may(Permission::ManageUsers);
    let offered: Vec<Permission> = Permission::ALL.iter().copied().filter(|p| everybodys || entry.may(*p)).collect();
    let choice = |value: &'static str, text: String, checked: bool| {
        view! { <label class="choice"><input type="checkbox" name="scope[]" value=value checked=checked />" "<span>{text}</span></label> }
    };
    let choices = offered.into_iter().map(|p| choice(p.as_str(), p.plain().to_owned(), p == Permission::Read)).collect_view();
    let fault = Memo::new(move |_| outcome.fault("scope"));
    view! {
        <section class="panel">
            <header><h2>"Make a token"</h2></header>
            <div class="in">
                <ActionForm action=action attr:class="form">
                    <OnceKey outcome />
                    <div class="fields">
                        <Field outcome name="label".to_owned() id="token-label" label="What for" hint="such as: deploy pipeline" autocomplete="off" />
                        {user}
                        <div class="field"><label for="token-days">"Lives"</label><select class="input" id="token-days" name="days">{days}</select></div>
                    </div>
                    <fieldset class="field" aria-describedby="token-scope-err">
                        <legend>"May"</legend>
                        <div class="choices">{choices}{choice("all", "all that its user may".to_owned(), false)}</div>
                        {move || fault.get().map(|text| view! { <p class="field-error" id="token-scope-err">{icon(Icon::Alert)}{text}</p> })}
                    </fieldset>
                    {elsewhere(outcome)}
                    <div class="acts"><button class="btn go" type="submit">{icon(Icon::Key)}"Make a token"</button></div>
                </ActionForm>
            </div>
        </section>
    }
}
