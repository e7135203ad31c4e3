//! One benchmark: its runs, the level between steps, and what came shortly before each step.

use super::benchmarks::step;
use crate::api::{ChartView, read};
use crate::components::chart::Chart;
use crate::components::icon::Icon;
use crate::components::panel::{Shape, empty, load, load_page};
use crate::format;
use crate::link;
use crate::live::Live;
use headroom_model::benchmark::BenchmarkStep;
use headroom_model::view::{BenchmarkPage, BenchmarkPoint};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

/// Runs in the table; the chart has them all.
const SHOWN: usize = 50;

/// The page.
#[component]
pub fn BenchmarkDetail() -> impl IntoView {
    let live = expect_context::<Live>();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|p| p.get("id")).unwrap_or_default());
    let data = Resource::new_blocking(move || (id.get(), live.rev(&["benchmarks"])), |(id, _)| read::benchmark(id));
    let chart = Resource::new_blocking(move || (id.get(), live.rev(&["benchmarks"])), |(id, _)| read::benchmark_chart(id));
    view! {
        {load_page(data, move |page: BenchmarkPage| {
            let title = page.row.name.clone();
            view! {
                <Title text=title />
                {head(&page)}
                <section class="panel">
                    <header><h2>"Runs"</h2></header>
                    {load(chart, "The chart", Shape::Chart, |chart: ChartView| view! { <Chart chart /> })}
                </section>
                {steps(&page)}
                {runs(&page)}
            }
        })}
    }
}

fn head(page: &BenchmarkPage) -> impl IntoView + use<> {
    let row = &page.row;
    let service = row.service_name.clone().map(|name| view! { " measures "<a href=link::service(&name)>{name.clone()}</a> });
    let way = if row.higher_is_better { "more is better" } else { "less is better" };
    let runs = format::count(row.runs, "run", "runs");
    view! {
        <div class="head">
            <div>
                <h1>{row.name.clone()}</h1>
                <p class="lead">{row.suite.clone()}{service}", in "{row.unit.clone()}", "{way}", "{runs}", the newest of "{format::time(row.latest_at)}</p>
            </div>
        </div>
    }
}

fn steps(page: &BenchmarkPage) -> impl IntoView + use<> {
    let unit = page.row.unit.clone();
    let rows = page.steps.iter().rev().map(|s| step_row(s, &unit)).collect_view();
    let body = if page.steps.is_empty() {
        let why = "No run and no group of runs differs from those before by more than they differ among themselves.";
        empty(Icon::Benchmarks, "One level so far", why, None)
    } else {
        view! {
            <div class="table-wrap" tabindex="0" role="region" aria-label="Steps">
                <table class="cards">
                    <thead>
                        <tr>
                            <th scope="col">"From, UTC"</th><th scope="col">"Commit"</th><th scope="col" class="n">"Before"</th><th scope="col" class="n">"After"</th>
                            <th scope="col" class="n">"Step"</th><th scope="col" class="n">"By chance"</th><th scope="col">"Shortly before"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! { <section class="panel"><header><h2>"Steps"</h2></header>{body}</section> }
}

fn step_row(s: &BenchmarkStep, unit: &str) -> impl IntoView + use<> {
    let chance = if s.p_value < 0.0001 { "below 0.01 %".to_owned() } else { format::share(s.p_value) };
    view! {
        <tr>
            <td class="lead-cell">{format::time(s.at)}</td>
            <td class="mono" data-label="Commit">{commit(s.commit.as_deref())}</td>
            <td class="n" data-label="Before">{format!("{} {unit}", format::number(s.before))}</td>
            <td class="n" data-label="After">{format!("{} {unit}", format::number(s.after))}</td>
            <td class="n" data-label="Step">{step(s)}</td>
            <td class="n" data-label="By chance">{chance}</td>
            <td class="wrap" data-label="Shortly before">{s.cause.clone().unwrap_or_else(|| format::UNKNOWN.to_owned())}</td>
        </tr>
    }
}

fn runs(page: &BenchmarkPage) -> impl IntoView + use<> {
    let unit = page.row.unit.clone();
    let rows = page.points.iter().rev().take(SHOWN).map(|p| run_row(p, &unit)).collect_view();
    view! {
        <section class="panel">
            <header><h2>"Newest runs"</h2></header>
            <div class="table-wrap" tabindex="0" role="region" aria-label="Newest runs">
                <table class="cards dense">
                    <thead>
                        <tr>
                            <th scope="col">"At, UTC"</th><th scope="col">"Commit"</th><th scope="col" class="n">"Middle"</th>
                            <th scope="col" class="n">"Smallest"</th><th scope="col" class="n">"Largest"</th><th scope="col" class="n">"Values"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
}

fn run_row(p: &BenchmarkPoint, unit: &str) -> impl IntoView + use<> {
    view! {
        <tr>
            <td class="lead-cell">{format::time(p.at)}</td>
            <td class="mono" data-label="Commit">{commit(p.commit.as_deref())}</td>
            <td class="n" data-label="Middle">{format!("{} {unit}", format::number(p.centre))}</td>
            <td class="n" data-label="Smallest">{format::number(p.range.0)}</td>
            <td class="n" data-label="Largest">{format::number(p.range.1)}</td>
            <td class="n" data-label="Values">{p.values}</td>
        </tr>
    }
}

/// A commit as people say it: its first twelve characters.
fn commit(commit: Option<&str>) -> String {
    commit.map_or_else(|| format::UNKNOWN.to_owned(), |c| c.chars().take(12).collect())
}
