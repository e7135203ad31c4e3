//! Signing in: by name and password, or with a one-time code. Both are plain forms to the server.

use super::query;
use crate::api::account;
use crate::components::icon::{Icon, icon};
use crate::components::layout::brand;
use crate::link;
use leptos::prelude::*;
use leptos_meta::Title;

/// What the server's word for a fault means.
fn fault(word: &str) -> Option<&'static str> {
    match word {
        "" => None,
        "credentials" => Some("Name and password do not fit together. After five failures you have to wait a little."),
        "provider" => Some("The identity provider did not sign you in. Try again; if it stays, Headroom's log says why."),
        "no-role" => Some("You are in none of the groups that have a role here: ask an administrator."),
        "not-here" => {
            Some("Your identity provider knows you, but you cannot sign in here: you are locked, or your name is another user's.")
        }
        "code" => Some(
            "This code is not good: it was used before, is older than a day, or is not complete. An administrator can issue a new one.",
        ),
        "wait" => Some("Too many failures: wait a minute, then try again."),
        "invalid" => Some("This was not accepted: check what you typed."),
        _ => Some("Signing in did not work: try again."),
    }
}

/// A message above the buttons.
#[must_use]
pub fn form_fault(text: Option<&'static str>) -> impl IntoView + use<> {
    text.map(|t| view! { <p class="form-error" role="alert" id="form-fault">{icon(Icon::Alert)}{t}</p> })
}

/// Name and password.
#[component]
pub fn SignIn() -> impl IntoView {
    let (error, name, next) = (query("error"), query("name"), query("next"));
    let provider = Resource::new_blocking(|| (), |()| account::provider());
    let with_provider = move |label: String| {
        view! {
            <form class="form" method="post" action="/sign-in/provider">
                <input type="hidden" name="next" value=move || link::local(&next.get()).to_owned() />
                <div class="acts"><button class="btn" type="submit">{icon(Icon::Key)}{label}</button></div>
            </form>
        }
    };
    view! {
        <Title text="Sign in" />
        <main id="main" class="door">
            <div class="door-card">
                {brand()}
                <h1>"Sign in"</h1>
                <form class="form" method="post" action="/sign-in">
                    <input type="hidden" name="next" value=move || link::local(&next.get()).to_owned() />
                    <div class="field">
                        <label for="name">"Name"</label>
                        <input class="input" id="name" name="name" value=move || name.get() required=true autocomplete="username" autocapitalize="none" />
                    </div>
                    <div class="field">
                        <label for="password">"Password"</label>
                        <input
                            class="input"
                            id="password"
                            name="password"
                            type="password"
                            required=true
                            autocomplete="current-password"
                            aria-invalid=move || (error.get() == "credentials").then_some("true")
                            aria-describedby="form-fault"
                        />
                    </div>
                    {move || form_fault(fault(&error.get()))}
                    <div class="acts"><button class="btn go" type="submit">"Sign in"</button></div>
                </form>
                <Suspense>{move || Suspend::new(async move { provider.await.ok().flatten().map(with_provider) })}</Suspense>
                <p class="small faint">"With a one-time link, open the link. An administrator issues one; the demonstration prints one per role when it starts."</p>
            </div>
        </main>
    }
}

/// A one-time code: opening the link shows this page, pressing the button uses the code.
#[component]
pub fn SignInCode() -> impl IntoView {
    let (error, code, next) = (query("error"), query("code"), query("next"));
    view! {
        <Title text="Sign in" />
        <main id="main" class="door">
            <div class="door-card">
                {brand()}
                <h1>"Sign in with a one-time code"</h1>
                <p class="muted">"The code is used up when you press the button."</p>
                <form class="form" method="post" action="/sign-in/code">
                    <input type="hidden" name="next" value=move || link::local(&next.get()).to_owned() />
                    <div class="field">
                        <label for="code">"Code"</label>
                        <input class="input mono" id="code" name="code" value=move || code.get() required=true autocomplete="one-time-code" aria-describedby="form-fault" />
                    </div>
                    {move || form_fault(fault(&error.get()))}
                    <div class="acts"><button class="btn go" type="submit">"Sign in"</button></div>
                </form>
                <p class="small faint"><a class="text-link" href="/sign-in">"Sign in with name and password"</a></p>
            </div>
        </main>
    }
}
