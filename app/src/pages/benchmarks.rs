//! Benchmarks: what pipelines measure again and again, and where its level has stepped.

use super::{query, query_number};
use crate::api::read;
use crate::components::icon::{Icon, icon};
use crate::components::panel::{Shape, empty, load};
use crate::components::table::{choose, pages, sortable};
use crate::format;
use crate::link;
use crate::live::Live;
use headroom_model::benchmark::BenchmarkStep;
use headroom_model::view::{BenchmarkQuery, BenchmarkRow, PageOf};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;

const VIEWS: [(&str, &str); 3] = [("", "All"), ("worse", "Worse"), ("better", "Better")];

fn address(q: &BenchmarkQuery, key: &str, value: &str) -> String {
    let pick = |name: &str, now: &str| if name == key { value.to_owned() } else { now.to_owned() };
    let parts = [("view", &q.view), ("suite", &q.suite), ("service", &q.service_name), ("q", &q.search), ("sort", &q.sort)];
    let parts = parts.map(|(name, now)| (name, pick(name, now)));
    link::with("/benchmarks", &parts.each_ref().map(|(k, v)| (*k, v.as_str())))
}

/// The page.
#[component]
pub fn BenchmarksPage() -> impl IntoView {
    let live = expect_context::<Live>();
    let (view, suite, service, q, sort) = (query("view"), query("suite"), query("service"), query("q"), query("sort"));
    let (cursor, from) = (query("cursor"), query_number("from"));
    let asked = Memo::new(move |_| BenchmarkQuery {
        view: view.get(),
        suite: suite.get(),
        service_name: service.get(),
        search: q.get(),
        sort: sort.get(),
        cursor: cursor.get(),
        ..BenchmarkQuery::default()
    });
    let data = Resource::new_blocking(move || (asked.get(), live.rev(&["benchmarks"])), |(query, _)| read::benchmarks(query));
    let suites = Resource::new_blocking(move || live.rev(&["benchmarks"]), |_| read::benchmark_suites());
    view! {
        <Title text="Benchmarks" />
        <div class="head"><div><h1>"Benchmarks"</h1><p class="lead">"What pipelines measure again and again. A step is where the level of the runs became another, not one odd run."</p></div></div>
        <div class="filters">
            {load(suites, "The suites", Shape::Figures, move |suites| {
                let asked = asked.get();
                let tab = |(key, word): (&'static str, &'static str)| view! { <a href=address(&asked, "view", key) aria-current=(key == asked.view).then_some("true")>{word}</a> };
                let suites = suites.into_iter().map(|s| (s.clone(), s)).collect();
                view! { <span class="seg">{VIEWS.map(tab).collect_view()}</span>{choose("Suite", &asked.suite, suites, |v| address(&asked, "suite", v))} }
            })}
            <Form method="GET" action="/benchmarks" attr:class="filters" attr:role="search">
                <label class="sr" for="q">"Search"</label>
                <input class="input" id="q" name="q" type="search" placeholder="Part of the name" value=move || q.get() />
                <button class="btn" type="submit">{icon(Icon::Search)}"Search"</button>
            </Form>
        </div>
        <section class="panel">
            {load(data, "The benchmarks", Shape::Rows, move |page: PageOf<BenchmarkRow>| {
                let asked = asked.get();
                if page.items.is_empty() {
                    let none = BenchmarkQuery { cursor: asked.cursor.clone(), ..BenchmarkQuery::default() } == asked;
                    return if none {
                        empty(Icon::Benchmarks, "No benchmarks yet", "Send runs to POST /api/v1/benchmarks/runs, or take in what criterion, hyperfine, k6, wrk, JMH or go test wrote: headroom benchmarks import FILE --suite NAME", None)
                    } else {
                        empty(Icon::Benchmarks, "No benchmark fits", "Nothing has these words and filters.", Some(("/benchmarks", "See all benchmarks")))
                    };
                }
                list(&asked, &page, from.get()).into_any()
            })}
        </section>
    }
}

fn list(asked: &BenchmarkQuery, page: &PageOf<BenchmarkRow>, from: u64) -> impl IntoView + use<> {
    let shown = page.items.len() as u64;
    let base = address(asked, "", "");
    let joint = if base.contains('?') { '&' } else { '?' };
    let onward = page.next_cursor.as_ref().map(|c| format!("{base}{joint}cursor={}&from={}", link::encode(c), from + shown));
    let first = (!asked.cursor.is_empty()).then(|| base.clone());
    let order = asked.sort.clone();
    view! {
        <div class="table-wrap" tabindex="0" role="region" aria-label="Benchmarks">
            <table class="cards">
                <thead>
                    <tr>
                        {sortable("Benchmark", "name", &order, false, |key| address(asked, "sort", key))}
                        <th scope="col">"Suite"</th><th scope="col">"Service"</th><th scope="col" class="n">"Runs"</th>
                        <th scope="col" class="n">"Latest"</th><th scope="col" class="n">"Step"</th><th scope="col" class="n">"Since, UTC"</th>
                    </tr>
                </thead>
                <tbody>{page.items.iter().map(|b| row(b, has_namesake(b, &page.items))).collect_view()}</tbody>
            </table>
        </div>
        <footer>{pages(from, shown, page.total, first, onward)}</footer>
    }
}

/// Whether another team has a benchmark of this name, so that only the team tells them apart.
fn has_namesake(b: &BenchmarkRow, all: &[BenchmarkRow]) -> bool {
    all.iter().any(|other| (&other.suite, &other.name) == (&b.suite, &b.name) && other.team != b.team)
}

fn row(b: &BenchmarkRow, with_team: bool) -> impl IntoView + use<> {
    let team = with_team.then(|| view! { " "<span class="sub">{b.team.clone()}</span> });
    let service = b.service_name.clone().map_or_else(
        || view! { <span class="faint">{format::UNKNOWN}</span> }.into_any(),
        |name| view! { <a href=link::service(&name)>{name.clone()}</a> }.into_any(),
    );
    let since = b.step.as_ref().map_or_else(|| format::UNKNOWN.to_owned(), |s| format::time(s.at));
    view! {
        <tr>
            <td class="lead-cell"><a class="strong" href=format!("/benchmarks/{}", b.id)>{b.name.clone()}</a>{team}</td>
            <td data-label="Suite">{b.suite.clone()}</td>
            <td data-label="Service">{service}</td>
            <td class="n" data-label="Runs">{b.runs}</td>
            <td class="n" data-label="Latest">{format!("{} {}", format::number(b.latest), b.unit)}</td>
            <td class="n" data-label="Step">{b.step.as_ref().map_or_else(|| format::UNKNOWN.into_any(), |s| step(s).into_any())}</td>
            <td class="n" data-label="Since">{since}</td>
        </tr>
    }
}

/// How far a level went, and which way.
pub(super) fn step(step: &BenchmarkStep) -> impl IntoView + use<> {
    let (tone, word) = if step.worse { ("bad", "worse") } else { ("good", "better") };
    let percent = step.percent.map_or_else(|| "from 0".to_owned(), format::signed_percent);
    view! { <span class=tone>{percent}" "<span class="sub">{word}</span></span> }
}
