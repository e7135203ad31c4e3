//! Changes under way and done, with what they promised and what they did.

use super::{query, query_number};
use crate::api::read;
use crate::components::icon::Icon;
use crate::components::panel::{Shape, empty, load};
use crate::components::status::{of_change, of_judgement, status};
use crate::components::table::{choose, pages};
use crate::format;
use crate::link;
use crate::live::{Live, keep_places};
use headroom_model::ids::ChangeId;
use headroom_model::view::{ChangeQuery, ChangeRow, PageOf};
use leptos::prelude::*;
use leptos_meta::Title;

const VIEWS: [(&str, &str); 4] = [("", "All"), ("active", "Under way"), ("waiting", "Waiting"), ("done", "Done")];

fn address(q: &ChangeQuery, key: &str, value: &str) -> String {
    let pick = |name: &str, now: &str| if name == key { value.to_owned() } else { now.to_owned() };
    let parts = [("view", pick("view", &q.view)), ("team", pick("team", &q.team)), ("service", pick("service", &q.service_name))];
    link::with("/changes", &parts.each_ref().map(|(k, v)| (*k, v.as_str())))
}

/// The page.
#[component]
pub fn ChangesPage() -> impl IntoView {
    let live = expect_context::<Live>();
    let (view, team, service, cursor, from) = (query("view"), query("team"), query("service"), query("cursor"), query_number("from"));
    let asked = Memo::new(move |_| ChangeQuery {
        view: view.get(),
        team: team.get(),
        service_name: service.get(),
        cursor: cursor.get(),
        ..ChangeQuery::default()
    });
    // Progress moves with every sample.
    let data = Resource::new_blocking(move || (asked.get(), live.rev(&["changes", "samples"])), |(query, _)| read::changes(query));
    let teams = Resource::new_blocking(|| (), |()| read::teams());
    let seen = StoredValue::new((ChangeQuery::default(), Vec::<ChangeId>::new()));
    view! {
        <Title text="Changes" />
        <div class="head"><div><h1>"Changes"</h1><p class="lead">"What was carried out, by whom, and what it really did."</p></div></div>
        <div class="filters">
            {load(teams, "The teams", Shape::Figures, move |teams| {
                let asked = asked.get();
                let tab = |(key, word): (&'static str, &'static str)| view! { <a href=address(&asked, "view", key) aria-current=(key == asked.view).then_some("true")>{word}</a> };
                let teams = teams.into_iter().map(|t| (t.clone(), t)).collect();
                view! { <span class="seg">{VIEWS.map(tab).collect_view()}</span>{choose("Team", &asked.team, teams, |v| address(&asked, "team", v))} }
            })}
        </div>
        <section class="panel">
            {load(data, "The changes", Shape::Rows, move |page: PageOf<ChangeRow>| {
                let asked = asked.get();
                if page.items.is_empty() {
                    return empty(Icon::Changes, "No changes here", "A change begins when somebody submits a recommendation.", Some(("/recommendations", "See the recommendations")));
                }
                let places = seen.with_value(|s| if s.0 == asked { s.1.clone() } else { Vec::new() });
                let rows = keep_places(&places, page.items, |r| r.id);
                seen.set_value((asked.clone(), rows.iter().map(|r| r.id).collect()));
                list(&asked, &rows, page.total, page.next_cursor, from.get()).into_any()
            })}
        </section>
    }
}

fn list(asked: &ChangeQuery, rows: &[ChangeRow], total: u64, next: Option<String>, from: u64) -> impl IntoView + use<> {
    let shown = rows.len() as u64;
    let base = address(asked, "", "");
    let joint = if base.contains('?') { '&' } else { '?' };
    let onward = next.map(|c| format!("{base}{joint}cursor={}&from={}", link::encode(&c), from + shown));
    let first = (!asked.cursor.is_empty()).then(|| base.clone());
    view! {
        <div class="table-wrap" tabindex="0" role="region" aria-label="Changes">
            <table class="cards">
                <thead>
                    <tr>
                        <th scope="col">"Change"</th><th scope="col">"Service"</th><th scope="col">"What"</th><th scope="col">"By"</th><th scope="col">"State"</th>
                        <th scope="col">"Verdict"</th><th scope="col" class="n">"Promised"</th><th scope="col" class="n">"Achieved"</th><th scope="col" class="n">"Applied, UTC"</th>
                    </tr>
                </thead>
                <tbody>{rows.iter().map(row).collect_view()}</tbody>
            </table>
        </div>
        <footer>{pages(from, shown, total, first, onward)}</footer>
    }
}

fn row(c: &ChangeRow) -> impl IntoView + use<> {
    let by = match c.approved_by.as_slice() {
        [] => c.requested_by.clone(),
        approved => format!("{}, approved by {}", c.requested_by, approved.join(", ")),
    };
    let verdict = match (c.progress, &c.effect, &c.reason) {
        (Some(done), _, _) => {
            let percent = (done.clamp(0.0, 1.0) * 100.0).round();
            view! { <progress class="progress" value=percent max="100" aria-label=format!("Observation of {}", c.id.short())>{format!("{percent} %")}</progress> }.into_any()
        }
        (None, Some(effect), _) => view! { <span title=effect.summary.clone()>{status(of_judgement(effect.judgement))}</span> }.into_any(),
        (None, None, Some(reason)) => view! { <span>{reason.clone()}</span> }.into_any(),
        (None, None, None) => view! { <span class="faint">{format::UNKNOWN}</span> }.into_any(),
    };
    view! {
        <tr>
            <td class="mono lead-cell"><a href=format!("/recommendations/{}", c.recommendation_id)>{c.id.short()}</a></td>
            <td data-label="Service"><a class="strong" href=link::service(&c.service_name)>{c.service_name.clone()}</a></td>
            <td class="wrap" data-label="What">{c.title.clone()}</td>
            <td class="wrap" data-label="By">{by}</td>
            <td data-label="State">{status(of_change(c.state))}</td>
            <td class="wrap" data-label="Verdict">{verdict}</td>
            <td class="n" data-label="Promised">{format::money(c.promised_month)}</td>
            <td class="n" data-label="Achieved">{format::money(c.achieved_month)}</td>
            <td class="n" data-label="Applied">{c.applied_at.map_or_else(|| format::UNKNOWN.to_owned(), format::time)}</td>
        </tr>
    }
}
