//! The first administrator, created with the one-time code that the log printed.

use super::query;
use super::sign_in::form_fault;
use crate::components::icon::{Icon, icon};
use crate::components::layout::brand;
use leptos::prelude::*;
use leptos_meta::Title;

/// What is wrong, and the field it is about.
fn fault(error: &str, field: &str) -> Option<(&'static str, &'static str)> {
    match (error, field) {
        ("", _) => None,
        ("code", _) | (_, "code") => Some(("code", "This is not the code in the log, or it was used before.")),
        (_, "name") => Some(("name", "Use 1 to 64 letters, digits, dots, dashes or underscores.")),
        (_, "password") => Some(("password", "Use 12 to 128 characters that are not among the common passwords.")),
        ("wait", _) => Some(("", "Too many failures: wait a minute, then try again.")),
        _ => Some(("", "This was not accepted: check what you typed.")),
    }
}

/// The form.
#[component]
pub fn FirstRun() -> impl IntoView {
    let (error, field, name, code) = (query("error"), query("field"), query("name"), query("code"));
    let fault = Memo::new(move |_| fault(&error.get(), &field.get()));
    let beside = move |field: &'static str| {
        let text = fault.get().filter(|f| f.0 == field).map(|f| f.1);
        text.map(|t| view! { <p class="field-error" id=format!("{field}-err")>{icon(Icon::Alert)}{t}</p> })
    };
    let invalid = move |field: &'static str| fault.get().is_some_and(|f| f.0 == field).then_some("true");
    view! {
        <Title text="First run" />
        <main id="main" class="door">
            <div class="door-card">
                {brand()}
                <h1>"Create the administrator"</h1>
                <p class="muted">"Headroom has no users yet. The log of its first start shows a one-time code that proves you started it."</p>
                <form class="form" method="post" action="/first-run">
                    <div class="field">
                        <label for="code">"Code from the log"</label>
                        <input class="input mono" id="code" name="code" value=move || code.get() required=true autocomplete="one-time-code" aria-invalid=move || invalid("code") aria-describedby="code-err" />
                        {move || beside("code")}
                    </div>
                    <div class="field">
                        <label for="name">"Your name"</label>
                        <input class="input" id="name" name="name" value=move || name.get() required=true autocomplete="username" aria-invalid=move || invalid("name") aria-describedby="name-err" />
                        {move || beside("name")}
                    </div>
                    <div class="field">
                        <label for="password">"Password"</label>
                        <input class="input" id="password" name="password" type="password" required=true minlength="12" maxlength="128" autocomplete="new-password" aria-invalid=move || invalid("password") aria-describedby="password-hint password-err" />
                        <p class="hint" id="password-hint">"12 to 128 characters"</p>
                        {move || beside("password")}
                    </div>
                    {move || form_fault(fault.get().filter(|f| f.0.is_empty()).map(|f| f.1))}
                    <div class="acts"><button class="btn go" type="submit">"Create and sign in"</button></div>
                </form>
            </div>
        </main>
    }
}
