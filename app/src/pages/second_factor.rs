//! The second factor: set up with an authenticator, then asked for with every sign-in. Plain forms to the server.

use super::query;
use super::sign_in::form_fault;
use crate::api::account;
use crate::components::layout::brand;
use crate::components::panel::{Shape, load};
use crate::link;
use headroom_model::view::Enrolment;
use leptos::prelude::*;
use leptos_meta::Title;

/// What the server's word for a fault means.
#[must_use]
pub fn fault(word: &str) -> Option<&'static str> {
    match word {
        "" => None,
        "wait" => Some("Too many wrong codes: wait ten minutes, then try again."),
        _ => Some("This is not the code that the authenticator shows now, or it was used before: wait for the next one."),
    }
}

/// The page between the password and everything else.
#[component]
pub fn SecondFactor() -> impl IntoView {
    let data = Resource::new_blocking(|| (), |()| account::second_factor());
    let next = query("next");
    view! {
        <Title text="Second factor" />
        <main id="main" class="door">
            <div class="door-card">
                {brand()}
                <h1>"Second factor"</h1>
                {load(data, "The second factor", Shape::Rows, move |(known, pending)| step(known, pending, next))}
                <form method="post" action="/sign-out"><button class="btn ghost small" type="submit">"Sign out"</button></form>
            </div>
        </main>
    }
}

fn step(known: bool, pending: Option<Enrolment>, next: Memo<String>) -> AnyView {
    match pending {
        Some(enrolment) => view! { {shown(&enrolment)}{code_form("/second-factor", "Set up", next)} }.into_any(),
        None if known => view! {
            <p class="muted">"Enter the code of six digits that your authenticator shows for Headroom."</p>
            {code_form("/second-factor", "Sign in", next)}
        }
        .into_any(),
        None => view! {
            <p class="muted">"Who can change production proves who they are twice. You need an authenticator app; setting it up takes a minute."</p>
            {begin_form(next)}
        }
        .into_any(),
    }
}

/// Asks for a secret.
#[must_use]
pub fn begin_form(next: Memo<String>) -> impl IntoView + use<> {
    view! {
        <form class="form" method="post" action="/second-factor/new">
            <input type="hidden" name="next" value=move || link::local(&next.get()).to_owned() />
            <div class="acts"><button class="btn go" type="submit">"Set up an authenticator"</button></div>
        </form>
    }
}

/// The secret, for the authenticator's camera or its keyboard.
#[must_use]
pub fn shown(enrolment: &Enrolment) -> impl IntoView + use<> {
    let spaced: Vec<String> = enrolment.secret.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four).into_owned()).collect();
    view! {
        <p class="muted">"Point your authenticator at the picture, or type the key into it. Then enter the code that it shows."</p>
        <div class="qr" role="img" aria-label="The key as a picture, for the authenticator's camera" inner_html=enrolment.picture.clone()></div>
        <div class="codebox"><code>{spaced.join(" ")}</code></div>
    }
}

/// A code and what it is for.
#[must_use]
pub fn code_form(action: &'static str, word: &'static str, next: Memo<String>) -> impl IntoView + use<> {
    let error = query("error");
    let about_code = move || query("field").get() == "code" || !error.get().is_empty();
    view! {
        <form class="form" method="post" action=action>
            <input type="hidden" name="next" value=move || link::local(&next.get()).to_owned() />
            <div class="field">
                <label for="code">"Code"</label>
                <input
                    class="input mono"
                    id="code"
                    name="code"
                    inputmode="numeric"
                    pattern="[0-9 ]*"
                    maxlength="10"
                    required=true
                    autocomplete="one-time-code"
                    aria-describedby="form-fault"
                    aria-invalid=move || (!error.get().is_empty()).then_some("true")
                />
            </div>
            {move || form_fault(fault(&error.get()).filter(|_| about_code()))}
            <div class="acts"><button class="btn go" type="submit">{word}</button></div>
        </form>
    }
}
