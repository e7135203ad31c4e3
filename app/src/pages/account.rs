//! One's own account: password, second factor, and where one is signed in.

use super::query;
use super::second_factor::{begin_form, code_form, fault, shown};
use crate::api::Entry;
use crate::api::account::{self, EndOtherSessions, EndSession};
use crate::components::fields::OnceKey;
use crate::components::icon::{Icon, icon};
use crate::components::notice::{Notice, note};
use crate::components::panel::load_page;
use crate::form::Outcome;
use crate::format;
use headroom_model::view::{Account, SessionRow};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

/// The page. Password and second factor go to the server directly, which starts a new session id with them.
#[component]
pub fn AccountPage() -> impl IntoView {
    let entry = expect_context::<Entry>();
    let (end, others) = (ServerAction::<EndSession>::new(), ServerAction::<EndOtherSessions>::new());
    let (ended, others_ended) = (Outcome::of("end_session", end), Outcome::of("end_other_sessions", others));
    let data = Resource::new_blocking(move || end.version().get() + others.version().get(), |_| account::account());
    let done = query("done");
    let said = move || match done.get().as_str() {
        "password" => Some("Your password is set. Your other browsers are signed out."),
        "second-factor" => Some("Your second factor is set up."),
        "removed" => Some("Your second factor is removed."),
        _ => None,
    };
    let user = entry.user.clone();
    view! {
        <Title text="Your account" />
        <div class="head"><div><h1>"Your account"</h1><p class="lead">{entry.user}" · "{entry.role.plain()}</p></div></div>
        {move || said().map(|text| note("good", Icon::Done, text.to_owned(), String::new()))}
        <Notice outcome=ended /><Notice outcome=others_ended />
        {load_page(data, move |account: Account| {
            view! {
                {if account.from_provider { provider().into_any() } else { password(user.clone(), account.has_password).into_any() }}
                {second_factor(&account)}
                {sessions(&account.sessions, (end, ended), (others, others_ended))}
            }
        })}
    }
}

fn provider() -> impl IntoView {
    view! {
        <section class="panel">
            <header><h2>"Password"</h2></header>
            <div class="in"><p class="muted">"Your identity provider signs you in, and decides your role and teams."</p></div>
        </section>
    }
}

/// The password form.
fn password(user: String, has_one: bool) -> impl IntoView {
    let (error, field) = (query("error"), query("field"));
    let refused = move |name: &'static str| !error.get().is_empty() && field.get() == name;
    let wait = move || error.get() == "wait";
    let beside = move |name: &'static str, text: &'static str| {
        let text = if wait() { "Too many failures: wait ten minutes, then try again." } else { text };
        refused(name).then(|| view! { <p class="field-error" id=format!("{name}-err")>{icon(Icon::Alert)}{text}</p> })
    };
    let current = has_one.then(|| view! {
        <div class="field">
            <label for="current">"Current password"</label>
            <input class="input" id="current" name="current" type="password" required=true maxlength="128" autocomplete="current-password" aria-describedby="current-err" aria-invalid=move || refused("current").then_some("true") />
            {move || beside("current", "This is not the password that you have.")}
        </div>
    });
    view! {
        <section class="panel">
            <header><h2>"Password"</h2></header>
            <div class="in">
                <form class="form" method="post" action="/account/password">
                    <input type="hidden" name="username" value=user autocomplete="username" />
                    <div class="fields">
                        {current}
                        <div class="field">
                            <label for="password">"New password"</label>
                            <input
                                class="input"
                                id="password"
                                name="password"
                                type="password"
                                required=true
                                minlength="12"
                                maxlength="128"
                                autocomplete="new-password"
                                aria-describedby="password-hint password-err"
                                aria-invalid=move || refused("password").then_some("true")
                            />
                            <p class="hint" id="password-hint">"12 to 128 characters; your other browsers are signed out"</p>
                            {move || beside("password", "This password was not accepted: it is too short or too long, holds your name, or is easily guessed.")}
                        </div>
                    </div>
                    <div class="acts"><button class="btn go" type="submit">"Set password"</button></div>
                </form>
            </div>
        </section>
    }
}

fn second_factor(account: &Account) -> impl IntoView + use<> {
    let (error, field) = (query("error"), query("field"));
    let next = Memo::new(|_| "/account".to_owned());
    let refused = move || (field.get() == "code").then(|| fault(&error.get())).flatten();
    let state = match (account.second_factor, account.from_provider) {
        (true, _) => view! { <span class="st good">{icon(Icon::Done)}"Set up"</span> }.into_any(),
        (false, true) => view! { <span class="st">"At your identity provider"</span> }.into_any(),
        (false, false) => view! { <span class="st">"Not set up"</span> }.into_any(),
    };
    let demo = account.demo.then(|| view! { <p class="muted">"The demonstration asks nobody for one. With headroom serve, approvers and administrators need it."</p> });
    let form = match &account.pending {
        Some(enrolment) => view! { {shown(enrolment)}{code_form("/second-factor", "Set up", next)} }.into_any(),
        None if account.second_factor => view! {
            <form class="form inline" method="post" action="/account/second-factor/remove">
                <div class="field">
                    <label for="code">"Code"</label>
                    <input class="input mono" id="code" name="code" inputmode="numeric" maxlength="10" required=true autocomplete="one-time-code" aria-describedby="code-hint code-err" aria-invalid=move || refused().is_some().then_some("true") />
                    <p class="hint" id="code-hint">"of your authenticator, to remove it: for a new phone, or for good"</p>
                    {move || refused().map(|text| view! { <p class="field-error" id="code-err">{icon(Icon::Alert)}{text}</p> })}
                </div>
                <button class="btn no" type="submit">"Remove"</button>
            </form>
        }
        .into_any(),
        None => begin_form(next).into_any(),
    };
    view! {
        <section class="panel">
            <header><h2>"Second factor"</h2><div class="right">{state}</div></header>
            <div class="in stack">{demo}{form}</div>
        </section>
    }
}

fn sessions(
    rows: &[SessionRow],
    (end, ended): (ServerAction<EndSession>, Outcome),
    (others, others_ended): (ServerAction<EndOtherSessions>, Outcome),
) -> impl IntoView + use<> {
    let row = |s: &SessionRow| {
        let agent = if s.agent.is_empty() { "unknown".to_owned() } else { browser(&s.agent) };
        let (id, title, label) = (s.id.clone(), s.agent.clone(), format!("Sign out {agent} at {}", s.address));
        let act = if s.current {
            view! { <span class="st good">{icon(Icon::Done)}"This one"</span> }.into_any()
        } else {
            view! { <ActionForm action=end><OnceKey outcome=ended /><input type="hidden" name="id" value=id /><button class="btn small no" type="submit" aria-label=label>"Sign out"</button></ActionForm> }.into_any()
        };
        view! {
            <tr>
                <td class="lead-cell strong" title=title>{agent}</td>
                <td data-label="From" class="mono">{s.address.clone()}</td>
                <td class="n" data-label="Since">{format::time(s.created_at)}</td>
                <td class="n" data-label="Last seen">{format::time(s.seen_at)}</td>
                <td>{act}</td>
            </tr>
        }
    };
    let others = (rows.len() > 1).then(|| {
        view! { <div class="right"><ActionForm action=others><OnceKey outcome=others_ended /><button class="btn small no" type="submit">"Sign out the others"</button></ActionForm></div> }
    });
    view! {
        <section class="panel">
            <header><h2>"Where you are signed in"</h2>{others}</header>
            <div class="table-wrap" tabindex="0" role="region" aria-label="Where you are signed in">
                <table class="cards">
                    <thead><tr><th scope="col">"Browser"</th><th scope="col">"From"</th><th scope="col" class="n">"Since, UTC"</th><th scope="col" class="n">"Last seen, UTC"</th><th scope="col"><span class="sr">"Actions"</span></th></tr></thead>
                    <tbody>{rows.iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        </section>
    }
}

/// The browser's and the system's name out of what a browser says of itself; the whole of it where neither is known.
#[must_use]
pub fn browser(agent: &str) -> String {
    // The order matters: most browsers also name those that they want to be taken for.
    let named = |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let browsers =
        [("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"), ("curl/", "curl")];
    let systems =
        [("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux")];
    match (named(&browsers), named(&systems)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => agent.chars().take(40).collect(),
    }
}
