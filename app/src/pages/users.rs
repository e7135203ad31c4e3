//! Users: create, reset, lock.

use super::settings::{elsewhere, subnav};
use crate::api::Entry;
use crate::api::admin::{self, CreateUser, LockUser, ResetUser};
use crate::components::fields::Field;
use crate::components::icon::{Icon, icon};
use crate::components::notice::Notice;
use crate::components::panel::load_page;
use crate::form::Outcome;
use crate::format;
use crate::live::Live;
use headroom_model::auth::{Permission, Role};
use headroom_model::view::UserRow;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

/// The page.
#[component]
pub fn UsersPage() -> impl IntoView {
    let (live, entry) = (expect_context::<Live>(), expect_context::<Entry>());
    let (create, reset, lock) = (ServerAction::<CreateUser>::new(), ServerAction::<ResetUser>::new(), ServerAction::<LockUser>::new());
    let (created, was_reset, locked) =
        (Outcome::of("create_user", create), Outcome::of("reset_user", reset), Outcome::of("lock_user", lock));
    let acted = move || create.version().get() + reset.version().get() + lock.version().get();
    let data = Resource::new_blocking(move || (live.rev(&["users"]), acted()), |_| admin::users());
    let may = entry.may(Permission::ManageUsers);
    let me = entry.user;
    view! {
        <Title text="Users" />
        <div class="head"><div><h1>"Settings"</h1><p class="lead">"Who signs in, and as what. Nobody has a default password."</p></div></div>
        {subnav("/settings/users")}
        <Notice outcome=created /><Notice outcome=was_reset /><Notice outcome=locked />
        {load_page(data, move |rows: Vec<UserRow>| {
            let me = me.clone();
            view! {
                <section class="panel">
                    <header><h2>"Users"</h2></header>
                    <div class="table-wrap" tabindex="0" role="region" aria-label="Users">
                        <table class="cards">
                            <thead><tr><th scope="col">"Name"</th><th scope="col">"Role"</th><th scope="col">"Password"</th><th scope="col" class="n">"Last sign-in, UTC"</th><th scope="col">"State"</th><th scope="col"><span class="sr">"Actions"</span></th></tr></thead>
                            <tbody>{rows.iter().map(|u| row(u, may, &me, reset, lock)).collect_view()}</tbody>
                        </table>
                    </div>
                </section>
            }
        })}
        {may.then(|| create_form(create, created))}
    }
}

fn row(u: &UserRow, may: bool, me: &str, reset: ServerAction<ResetUser>, lock: ServerAction<LockUser>) -> impl IntoView + use<> {
    let (name, own, locked) = (u.name.clone(), u.name == me, u.locked);
    let state = if locked {
        view! { <span class="st bad">{icon(Icon::Failed)}"Locked"</span> }.into_any()
    } else {
        view! { <span class="st good">{icon(Icon::Done)}"Active"</span> }.into_any()
    };
    let acts = may.then(|| {
        let (again, other) = (name.clone(), name.clone());
        view! {
            <div class="row-x">
                <ActionForm action=reset><input type="hidden" name="name" value=again.clone() /><button class="btn small" type="submit" aria-label=format!("Reset {again}")>"Reset"</button></ActionForm>
                {(!own).then(|| view! {
                    <ActionForm action=lock>
                        <input type="hidden" name="name" value=other.clone() />
                        <input type="hidden" name="locked" value=(!locked).to_string() />
                        <button class="btn small" type="submit" aria-label=format!("{} {other}", if locked { "Unlock" } else { "Lock" })>{if locked { "Unlock" } else { "Lock" }}</button>
                    </ActionForm>
                })}
            </div>
        }
    });
    view! {
        <tr>
            <td class="lead-cell strong">{name.clone()}</td>
            <td data-label="Role">{u.role.plain()}</td>
            <td data-label="Password">{if u.has_password { "set" } else { "not set" }}</td>
            <td class="n" data-label="Last sign-in">{u.last_sign_in.map_or_else(|| "never".to_owned(), format::time)}</td>
            <td data-label="State">{state}</td>
            <td>{acts}</td>
        </tr>
    }
}

fn create_form(action: ServerAction<CreateUser>, outcome: Outcome) -> impl IntoView + use<> {
    let chosen = outcome.typed("role", Role::Engineer.as_str());
    let options =
        Role::ALL.iter().map(|r| view! { <option value=r.as_str() selected=r.as_str() == chosen>{r.plain()}</option> }).collect_view();
    view! {
        <section class="panel">
            <header><h2>"Create a user"</h2></header>
            <div class="in">
                <ActionForm action=action attr:class="form">
                    <div class="fields">
                        <Field outcome name="name".to_owned() id="new-name" label="Name" hint="letters, digits, dots, dashes" required=true autocomplete="off" />
                        <div class="field"><label for="new-role">"Role"</label><select class="input" id="new-role" name="role">{options}</select></div>
                    </div>
                    {elsewhere(outcome)}
                    <div class="acts"><button class="btn go" type="submit">{icon(Icon::Plus)}"Create"</button></div>
                </ActionForm>
            </div>
        </section>
    }
}
