//! The services: filtered, sorted and paged on the server, everything in the address.

use super::{query, query_number};
use crate::api::read;
use crate::components::bar::{headroom_bar, legend};
use crate::components::icon::{Icon, icon};
use crate::components::panel::{Shape, empty, load};
use crate::components::spark::spark;
use crate::components::status::{of_verdict, status};
use crate::components::table::{choose, pages, saving, service_name, sortable};
use crate::format;
use crate::link;
use crate::live::{Live, keep_places};
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::recommendation::Verdict;
use headroom_model::view::{PageOf, ServiceQuery, ServiceRow};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;

/// The address of the list with one value replaced; every filter begins at the first page.
#[must_use]
pub fn address(q: &ServiceQuery, key: &str, value: &str) -> String {
    let pick = |name: &str, now: &str| if name == key { value.to_owned() } else { now.to_owned() };
    let parts = [
        ("q", pick("q", &q.q)),
        ("team", pick("team", &q.team)),
        ("verdict", pick("verdict", &q.verdict)),
        ("sort", pick("sort", &q.sort)),
    ];
    link::with("/services", &parts.each_ref().map(|(k, v)| (*k, v.as_str())))
}

/// The page.
#[component]
pub fn ServicesPage() -> impl IntoView {
    let live = expect_context::<Live>();
    let (q, team, verdict, sort, cursor, from) =
        (query("q"), query("team"), query("verdict"), query("sort"), query("cursor"), query_number("from"));
    let asked = Memo::new(move |_| ServiceQuery {
        q: q.get(),
        team: team.get(),
        verdict: verdict.get(),
        sort: sort.get(),
        cursor: cursor.get(),
        ..ServiceQuery::default()
    });
    let data = Resource::new_blocking(move || (asked.get(), live.rev(&["samples", "recommendations"])), |(query, _)| read::services(query));
    let teams = Resource::new_blocking(|| (), |()| read::teams());
    let seen = StoredValue::new((ServiceQuery::default(), Vec::<ServiceId>::new()));
    view! {
        <Title text="Services" />
        <div class="head"><div><h1>"Services"</h1><p class="lead">"What each one uses against what it asks for."</p></div></div>
        <div class="filters">
            <Form method="GET" action="/services" attr:class="row-x" attr:role="search">
                <label class="sr" for="q">"Name"</label>
                <input class="input" id="q" name="q" type="search" placeholder="Find by name" value=move || q.get() />
                <input type="hidden" name="team" value=move || team.get() />
                <input type="hidden" name="verdict" value=move || verdict.get() />
                <input type="hidden" name="sort" value=move || sort.get() />
                <button class="btn" type="submit">{icon(Icon::Search)}"Find"</button>
            </Form>
            {load(teams, "The teams", Shape::Figures, move |teams| {
                let asked = asked.get();
                let teams = teams.into_iter().map(|t| (t.clone(), t)).collect();
                let verdicts = Verdict::ALL.iter().map(|v| (v.as_str().to_owned(), v.plain().to_owned())).collect();
                view! {
                    {choose("Team", &asked.team, teams, |v| address(&asked, "team", v))}
                    {choose("Verdict", &asked.verdict, verdicts, |v| address(&asked, "verdict", v))}
                }
            })}
        </div>
        <section class="panel">
            {load(data, "The services", Shape::Rows, move |page: PageOf<ServiceRow>| {
                let asked = asked.get();
                if page.items.is_empty() {
                    return none(&asked);
                }
                let places = seen.with_value(|s| if s.0 == asked { s.1.clone() } else { Vec::new() });
                let rows = keep_places(&places, page.items, |r| r.id);
                seen.set_value((asked.clone(), rows.iter().map(|r| r.id).collect()));
                list(&asked, rows, page.total, page.next_cursor, from.get()).into_any()
            })}
        </section>
    }
}

fn none(asked: &ServiceQuery) -> AnyView {
    if *asked == ServiceQuery::default() {
        let why = "Headroom has not read a cluster yet. Connect one in the configuration, or bring in a file: headroom import FILE.";
        return empty(Icon::Services, "No services", why, None);
    }
    empty(Icon::Search, "No service fits", "Nothing has this name, team and verdict at once.", Some(("/services", "Clear the filters")))
}

fn list(asked: &ServiceQuery, rows: Vec<ServiceRow>, total: u64, next: Option<String>, from: u64) -> impl IntoView + use<> {
    let shown = rows.len() as u64;
    let sort = |key: &str| address(asked, "sort", key);
    let order = if asked.sort.is_empty() { "name" } else { asked.sort.as_str() };
    let onward = next.map(|cursor| {
        let base = address(asked, "", "");
        let joint = if base.contains('?') { '&' } else { '?' };
        format!("{base}{joint}cursor={}&from={}", link::encode(&cursor), from + shown)
    });
    let first = (!asked.cursor.is_empty()).then(|| address(asked, "", ""));
    view! {
        <div class="table-wrap" tabindex="0" role="region" aria-label="Services">
            <table class="cards">
                <thead>
                    <tr>
                        {sortable("Service", "name", order, false, sort)}
                        <th scope="col">"Team"</th>
                        <th scope="col">"Verdict"</th>
                        <th scope="col">"CPU against request"</th>
                        <th scope="col">"Memory against request"</th>
                        <th scope="col" class="roomy">"CPU, 24 h"</th>
                        {sortable("p99", "latency", order, true, sort)}
                        {sortable("Requests", "requests", order, true, sort)}
                        {sortable("Cost a month", "cost", order, true, sort)}
                        {sortable("Could save", "saving", order, true, sort)}
                    </tr>
                </thead>
                <tbody>{rows.iter().map(row).collect_view()}</tbody>
            </table>
        </div>
        <footer class="row-x">{pages(from, shown, total, first, onward)}{legend()}</footer>
    }
}

fn row(r: &ServiceRow) -> impl IntoView + use<> {
    let value = |metric, v: Option<f64>| v.map_or_else(|| format::UNKNOWN.to_owned(), |v| format::value(metric, v));
    view! {
        <tr>
            <td class="lead-cell">{service_name(&r.service_name, &r.namespace)}</td>
            <td data-label="Team">{r.team.clone()}</td>
            <td data-label="Verdict">{status(of_verdict(r.verdict))}</td>
            <td data-label="CPU">{headroom_bar(r.cpu.as_ref(), false, false)}</td>
            <td data-label="Memory">{headroom_bar(r.memory.as_ref(), false, false)}</td>
            <td class="roomy" data-label="CPU, 24 h">{spark(&r.spark, format!("CPU use of {} over the last 24 hours", r.service_name))}</td>
            <td class="n" data-label="p99">{value(Metric::LatencyP99, r.latency_p99_ms)}</td>
            <td class="n" data-label="Requests">{value(Metric::RequestRate, r.request_rate)}</td>
            <td class="n" data-label="Cost a month">{format::money(r.cost_month)}</td>
            <td class="n" data-label="Could save">{saving(r.saving_month)}</td>
        </tr>
    }
}
