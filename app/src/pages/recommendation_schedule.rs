//! The week ahead beside a recommendation: which hours want how many replicas, and the same as text for an autoscaler that can
//! follow it.

use crate::format;
use headroom_model::recommendation::Recommendation;
use headroom_model::schedule::{Entry, Predicted};
use headroom_model::service::ServiceKey;
use headroom_model::time::{DAY, Timestamp};
use leptos::prelude::*;

/// The schedule's panel; nothing where the proposal has none.
#[must_use]
pub fn panel(r: &Recommendation, target: &ServiceKey, now: Timestamp) -> Option<impl IntoView + use<>> {
    let predicted = r.proposal.schedule.as_ref()?;
    let saving = predicted.saving_month.map_or_else(String::new, |m| format!(", {m} a month less than its busiest hour's number all week"));
    let holidays = predicted.schedule.holidays.to_string();
    let holidays = (!holidays.is_empty()).then(|| format!("Sunday's hours also on {holidays}. "));
    Some(view! {
        <section class="panel">
            <header><h2>"The week ahead"</h2><div class="right">{format!("{} replicas on average{saving}", format::number(predicted.schedule.mean()))}</div></header>
            <div class="in"><p class="muted">{apart(predicted)}</p></div>
            <div class="table-wrap" tabindex="0" role="region" aria-label="Schedule of replicas">
                <table class="cards dense">
                    <thead>
                        <tr><th scope="col">"Days"</th><th scope="col">"Hours, UTC"</th><th scope="col" class="n">"Replicas"</th><th scope="col" class="n">"Confidence"</th></tr>
                    </thead>
                    <tbody>{predicted.schedule.entries.iter().map(row).collect_view()}</tbody>
                </table>
            </div>
            <div class="in"><details class="more"><summary>"For KEDA"</summary><pre class="code" tabindex="0">{predicted.keda(target, now.secs().div_euclid(DAY))}</pre></details></div>
            <footer>{holidays}"From "{predicted.method.clone()}"."</footer>
        </section>
    })
}

/// What is applied, and what is not.
fn apart(predicted: &Predicted) -> &'static str {
    if predicted.target_cpu_percent.is_some() {
        "The plan sets the autoscaler's bounds and target, which hold without a schedule. The schedule is not applied: it is a floor for an autoscaler that can follow one, and load can still go above it."
    } else {
        "The plan sets one number of replicas, which holds all week without a schedule. The schedule is not applied: it is for an autoscaler that can follow one."
    }
}

fn row(e: &Entry) -> impl IntoView + use<> {
    view! {
        <tr>
            <th scope="row">{e.days_in_words()}</th>
            <td data-label="Hours, UTC">{e.hours_in_words()}</td>
            <td class="n" data-label="Replicas">{e.replicas}</td>
            <td class="n" data-label="Confidence">{format::share(e.confidence)}</td>
        </tr>
    }
}
