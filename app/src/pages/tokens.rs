//! API tokens: make one, see it once, revoke it.

use super::settings::{elsewhere, subnav};
use crate::api::Entry;
use crate::api::admin::{self, CreateToken, RevokeToken};
use crate::components::fields::Field;
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
        <div class="head"><div><h1>"Settings"</h1><p class="lead">"A token acts as its user. Only its hash is kept."</p></div></div>
        {subnav("/settings/tokens")}
        <Notice outcome=created /><Notice outcome=revoked />
        {load_page(data, move |rows: Vec<TokenRow>| list(&rows, revoke))}
        {create_form(create, created, &entry)}
    }
}

fn list(rows: &[TokenRow], revoke: ServerAction<RevokeToken>) -> AnyView {
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
                <td class="n" data-label="Made">{format::time(t.created_at)}</td>
                <td class="n" data-label="Last used">{used}</td>
                <td>
                    <ActionForm action=revoke>
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
                    <thead><tr><th scope="col">"For"</th><th scope="col">"Acts as"</th><th scope="col" class="n">"Made, UTC"</th>
                            <th scope="col" class="n">"Last used"</th><th scope="col"><span class="sr">"Actions"</span></th></tr></thead>
                    <tbody>{rows.iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn create_form(action: ServerAction<CreateToken>, outcome: Outcome, entry: &Entry) -> impl IntoView + use<> {
    let me = entry.user.clone();
    let user = if entry.may(Permission::ManageUsers) {
        view! { <Field outcome name="user".to_owned() id="token-user" label="Acts as" value=me autocomplete="off" /> }.into_any()
    } else {
        view! { <input type="hidden" name="user" value=me /> }.into_any()
    };
    view! {
        <section class="panel">
            <header><h2>"Make a token"</h2></header>
            <div class="in">
                <ActionForm action=action attr:class="form">
                    <div class="fields">
                        <Field outcome name="label".to_owned() id="token-label" label="What for" hint="such as: deploy pipeline" autocomplete="off" />
                        {user}
                    </div>
                    {elsewhere(outcome)}
                    <div class="acts"><button class="btn go" type="submit">{icon(Icon::Key)}"Make a token"</button></div>
                </ActionForm>
            </div>
        </section>
    }
}
