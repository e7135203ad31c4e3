//! Users: create, reset, lock.

use super::settings::{elsewhere, subnav};
use crate::api::Entry;
use crate::api::admin::{self, CreateUser, LockUser, ResetUser, SetRole};
use crate::components::fields::{Field, OnceKey};
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
    let set_role = ServerAction::<SetRole>::new();
    let role_set = Outcome::of("set_role", set_role);
    let acted = move || create.version().get() + reset.version().get() + lock.version().get() + set_role.version().get();
    let data = Resource::new_blocking(move || (live.rev(&["users"]), acted()), |_| admin::users());
    let may = entry.may(Permission::ManageUsers);
    let me = entry.user;
    view! {
        <Title text="Users" />
        <div class="head"><div><h1>"Settings"</h1><p class="lead">"Who signs in, and as what. Nobody has a default password."</p></div></div>
        {subnav("/settings/users")}
        <Notice outcome=created /><Notice outcome=was_reset /><Notice outcome=locked /><Notice outcome=role_set />
        {load_page(data, move |rows: Vec<UserRow>| {
            let me = me.clone();
            view! {
                <section class="panel">
                    <header><h2>"Users"</h2></header>
                    <div class="table-wrap" tabindex="0" role="region" aria-label="Users">
                        <table class="cards">
                            <thead><tr><th scope="col">"Name"</th><th scope="col">"Role"</th><th scope="col">"Teams"</th><th scope="col">"Signs in with"</th><th scope="col" class="n">"Last sign-in, UTC"</th><th scope="col">"State"</th><th scope="col"><span class="sr">"Actions"</span></th></tr></thead>
                            <tbody>{rows.iter().map(|u| row(u, may, &me, (reset, was_reset), (lock, locked))).collect_view()}</tbody>
                        </table>
                    </div>
                </section>
            }
        })}
        {may.then(|| view! { {create_form(create, created)}{role_form(set_role, role_set)} })}
    }
}

fn row(
    u: &UserRow,
    may: bool,
    me: &str,
    (reset, was_reset): (ServerAction<ResetUser>, Outcome),
    (lock, was_locked): (ServerAction<LockUser>, Outcome),
) -> impl IntoView + use<> {
    let (name, own, locked) = (u.name.clone(), u.name == me, u.locked);
    let state = if locked {
        view! { <span class="st bad">{icon(Icon::Failed)}"Locked"</span> }.into_any()
    } else {
        view! { <span class="st good">{icon(Icon::Done)}"Active"</span> }.into_any()
    };
    let from_provider = u.from_provider;
    let acts = may.then(|| {
        let (again, other) = (name.clone(), name.clone());
        view! {
            <div class="row-x">
                {(!from_provider).then(|| view! { <ActionForm action=reset><OnceKey outcome=was_reset /><input type="hidden" name="name" value=again.clone() /><button class="btn small" type="submit" aria-label=format!("Reset {again}")>"Reset"</button></ActionForm> })}
                {(!own).then(|| view! {
                    <ActionForm action=lock>
                        <OnceKey outcome=was_locked />
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
            <td data-label="Teams">{u.teams.plain()}</td>
            <td data-label="Signs in with">{signs_in_with(u)}</td>
            <td class="n" data-label="Last sign-in">{u.last_sign_in.map_or_else(|| "never".to_owned(), format::time)}</td>
            <td data-label="State">{state}</td>
            <td>{acts}</td>
        </tr>
    }
}

/// How somebody proves who they are.
fn signs_in_with(u: &UserRow) -> &'static str {
    match (u.from_provider, u.has_password, u.second_factor) {
        (true, ..) => "identity provider",
        (_, true, true) => "password and second factor",
        (_, true, false) => "password",
        (_, false, true) => "second factor, no password yet",
        (_, false, false) => "one-time code",
    }
}

/// The choice of a role.
fn roles(id: &'static str, outcome: Outcome) -> impl IntoView + use<> {
    let chosen = outcome.typed("role", Role::Engineer.as_str());
    let options =
        Role::ALL.iter().map(|r| view! { <option value=r.as_str() selected=r.as_str() == chosen>{r.plain()}</option> }).collect_view();
    view! { <div class="field"><label for=id>"Role"</label><select class="input" id=id name="role">{options}</select></div> }
}

/// What somebody may do from now on, and for whom.
fn role_form(action: ServerAction<SetRole>, outcome: Outcome) -> impl IntoView + use<> {
    view! {
        <section class="panel">
            <header><h2>"Change a role"</h2></header>
            <div class="in">
                <ActionForm action=action attr:class="form">
                    <OnceKey outcome />
                    <div class="fields">
                        <Field outcome name="name".to_owned() id="role-name" label="User" required=true autocomplete="off" />
                        {roles("role-role", outcome)}
                        <Field outcome name="teams".to_owned() id="role-teams" label="Teams" hint="with commas between; empty keeps theirs, * for every team" autocomplete="off" />
                    </div>
                    {elsewhere(outcome)}
                    <div class="acts"><button class="btn" type="submit">"Change"</button></div>
                </ActionForm>
            </div>
        </section>
    }
}

fn create_form(action: ServerAction<CreateUser>, outcome: Outcome) -> impl IntoView + use<> {
    view! {
        <section class="panel">
            <header><h2>"Create a user"</h2></header>
            <div class="in">
                <ActionForm action=action attr:class="form">
                    <OnceKey outcome />
                    <div class="fields">
                        <Field outcome name="name".to_owned() id="new-name" label="Name" hint="letters, digits, dots, dashes" required=true autocomplete="off" />
                        {roles("new-role", outcome)}
                        <Field outcome name="teams".to_owned() id="new-teams" label="Teams" hint="with commas between; empty for every team" autocomplete="off" />
                    </div>
                    {elsewhere(outcome)}
                    <div class="acts"><button class="btn go" type="submit">{icon(Icon::Plus)}"Create"</button></div>
                </ActionForm>
            </div>
        </section>
    }
}
