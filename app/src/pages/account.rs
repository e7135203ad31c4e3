//! One's own password.

use super::query;
use crate::api::Entry;
use crate::components::icon::{Icon, icon};
use crate::components::notice::note;
use leptos::prelude::*;
use leptos_meta::Title;

/// The password form. It goes to the server directly, which starts a new session id with it.
#[component]
pub fn AccountPage() -> impl IntoView {
    let entry = expect_context::<Entry>();
    let (error, done) = (query("error"), query("done"));
    let refused = move || !error.get().is_empty();
    view! {
        <Title text="Your account" />
        <div class="head"><div><h1>"Your account"</h1><p class="lead">{entry.user.clone()}" · "{entry.role.plain()}</p></div></div>
        {move || (done.get() == "password").then(|| note("good", Icon::Done, "Your password is set.".to_owned(), String::new()))}
        <section class="panel">
            <header><h2>"Password"</h2></header>
            <div class="in">
                <form class="form" method="post" action="/account/password">
                    <input type="hidden" name="next" value="/account" />
                    <input type="hidden" name="username" value=entry.user autocomplete="username" />
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
                            aria-invalid=move || refused().then_some("true")
                        />
                        <p class="hint" id="password-hint">"12 to 128 characters, not one of the common ones"</p>
                        {move || refused().then(|| view! { <p class="field-error" id="password-err">{icon(Icon::Alert)}"This password was not accepted: it is too short, too long or too common."</p> })}
                    </div>
                    <div class="acts"><button class="btn go" type="submit">"Set password"</button></div>
                </form>
            </div>
        </section>
    }
}
