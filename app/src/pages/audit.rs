//! Who did what, when, on both clocks: the hash-chained record, searchable.

use super::{query, query_number};
use crate::api::read;
use crate::components::icon::{Icon, icon};
use crate::components::panel::{Shape, empty, load};
use crate::components::table::pages;
use crate::format;
use crate::link;
use crate::live::Live;
use headroom_model::view::{AuditQuery, AuditRow, PageOf};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;

fn address(q: &AuditQuery) -> String {
    link::with("/audit", &[("q", &q.q), ("actor", &q.actor), ("event", &q.event)])
}

/// Where everything that is found can be taken away as a file.
fn export(form: &str, q: &AuditQuery) -> String {
    link::with(&format!("/audit/export.{form}"), &[("q", &q.q), ("actor", &q.actor), ("event", &q.event)])
}

/// The page.
#[component]
pub fn AuditPage() -> impl IntoView {
    let live = expect_context::<Live>();
    let (q, actor, event, cursor, from) = (query("q"), query("actor"), query("event"), query("cursor"), query_number("from"));
    let asked = Memo::new(move |_| AuditQuery {
        q: q.get(),
        actor: actor.get(),
        event: event.get(),
        cursor: cursor.get(),
        ..AuditQuery::default()
    });
    let data = Resource::new_blocking(move || (asked.get(), live.rev(&["changes", "policy", "users"])), |(query, _)| read::audit(query));
    view! {
        <Title text="Audit" />
        <div class="head"><div><h1>"Audit"</h1><p class="lead">"Every entry carries the hash of the one before it; headroom verify-audit checks the whole chain."</p></div></div>
        <Form method="GET" action="/audit" attr:class="filters" attr:role="search">
            <label class="sr" for="q">"Search"</label>
            <input class="input" id="q" name="q" type="search" placeholder="Event, actor, subject or reason" value=move || q.get() />
            <label class="sr" for="actor">"Actor"</label>
            <input class="input" id="actor" name="actor" placeholder="Actor" value=move || actor.get() />
            <label class="sr" for="event">"Event begins with"</label>
            <input class="input" id="event" name="event" placeholder="Event, such as change." value=move || event.get() />
            <button class="btn" type="submit">{icon(Icon::Search)}"Search"</button>
            <a class="btn" href=move || export("csv", &asked.get()) rel="external" download>"CSV"</a>
            <a class="btn" href=move || export("json", &asked.get()) rel="external" download>"JSON"</a>
        </Form>
        <section class="panel">
            {load(data, "The audit", Shape::Rows, move |page: PageOf<AuditRow>| {
                let asked = asked.get();
                if page.items.is_empty() {
                    return empty(Icon::Audit, "No entry fits", "Nothing was recorded with these words.", Some(("/audit", "See everything")));
                }
                list(&asked, &page, from.get()).into_any()
            })}
        </section>
    }
}

fn list(asked: &AuditQuery, page: &PageOf<AuditRow>, from: u64) -> impl IntoView + use<> {
    let shown = page.items.len() as u64;
    let base = address(asked);
    let joint = if base.contains('?') { '&' } else { '?' };
    let onward = page.next_cursor.as_ref().map(|c| format!("{base}{joint}cursor={}&from={}", link::encode(c), from + shown));
    let first = (!asked.cursor.is_empty()).then(|| base.clone());
    view! {
        <div class="table-wrap" tabindex="0" role="region" aria-label="Audit">
            <table class="cards dense">
                <thead>
                    <tr>
                        <th scope="col" class="n">"No."</th><th scope="col">"Event"</th><th scope="col">"Actor"</th><th scope="col">"About"</th><th scope="col">"Why"</th>
                        <th scope="col" class="n">"Wall, UTC"</th><th scope="col" class="n">"Cluster, UTC"</th><th scope="col">"Hash"</th>
                    </tr>
                </thead>
                <tbody>{page.items.iter().map(row).collect_view()}</tbody>
            </table>
        </div>
        <footer>{pages(from, shown, page.total, first, onward)}</footer>
    }
}

fn row(r: &AuditRow) -> impl IntoView + use<> {
    let e = r.event.clone();
    let subject: String = e.subject.chars().rev().take(6).collect::<Vec<_>>().into_iter().rev().collect();
    let subject =
        if e.subject.len() > 20 { format!("{} …{subject}", e.subject_kind) } else { format!("{} {}", e.subject_kind, e.subject) };
    let about = match r.link.clone() {
        Some(href) => view! { <a class="text-link" href=href>{subject}</a> }.into_any(),
        None => subject.into_any(),
    };
    view! {
        <tr>
            <td class="n" data-label="No.">{r.seq}</td>
            <td class="mono lead-cell">{e.name}</td>
            <td data-label="Actor">{e.actor}</td>
            <td data-label="About">{about}</td>
            <td class="wrap" data-label="Why">{e.reason.unwrap_or_default()}</td>
            <td class="n" data-label="Wall"><time datetime=e.at.wall.to_string() title=format::exact(e.at.wall)>{format::time(e.at.wall)}</time></td>
            <td class="n" data-label="Cluster"><time datetime=e.at.cluster.to_string() title=format::exact(e.at.cluster)>{format::time(e.at.cluster)}</time></td>
            <td class="mono" data-label="Hash" title=r.hash.clone()>{r.hash.chars().take(8).collect::<String>()}</td>
        </tr>
    }
}
