//! One benchmark: its newest run against its baseline, its runs, the level between steps, and what came shortly before each step.

use super::benchmarks::step;
use crate::api::{ChartView, read};
use crate::components::chart::Chart;
use crate::components::figure::Figure;
use crate::components::icon::Icon;
use crate::components::notice::note;
use crate::components::panel::{Shape, empty, load, load_page};
use crate::format;
use crate::link;
use crate::live::Live;
use headroom_model::benchmark::{AgainstBaseline, BenchmarkStep, Comparison, Verdict};
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
    let data = Resource::new_blocking(move || (id.get(), live.rev(&["benchmarks", "deployments"])), |(id, _)| read::benchmark(id));
    let chart = Resource::new_blocking(move || (id.get(), live.rev(&["benchmarks", "deployments"])), |(id, _)| read::benchmark_chart(id));
    view! {
        {load_page(data, move |page: BenchmarkPage| {
            let title = page.row.name.clone();
            view! {
                <Title text=title />
                {head(&page)}
                {newest(&page)}
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

/// The newest run against the runs before it.
fn newest(page: &BenchmarkPage) -> AnyView {
    let Some(against) = &page.against else {
        let why = if page.steps.is_empty() { "It is the only one so far." } else { "It is the first since the level stepped." };
        return note("", Icon::Info, "Nothing to compare the newest run with yet".to_owned(), why.to_owned()).into_any();
    };
    let unit = page.row.unit.clone();
    let before = format!("median of {}; baseline {}", values(against.new_values), format::number(against.baseline_median));
    let runs = if against.runs == 1 {
        format!("the baseline is the run of {}", format::time(against.to))
    } else {
        format!("the baseline is the {} runs from {} to {}", against.runs, format::time(against.from), format::time(against.to))
    };
    let (word, tone, why) = verdict(against);
    view! {
        <dl class="figs">
            <Figure title="Newest run" value=format::number(against.new_median) unit=unit detail=before
                how=format!("The baseline is made of {} of up to ten runs before it, back to the last step of the level.", values(against.baseline_values)) />
            {against.comparison.map(|c| shift(&c))}
            <Figure title="Against the baseline" value=word tone=tone detail=format!("{why}; {runs}")
                how="Better or worse where chance alone would show such values at most once in a hundred times, and the shift matters. It tells this run from those; that the level is another, a step tells." />
        </dl>
    }
    .into_any()
}

fn shift(c: &Comparison) -> impl IntoView + use<> {
    let interval = format!("99 % sure: {} to {}", format::signed_percent(c.low_percent), format::signed_percent(c.high_percent));
    let above = format!("{}: of two values, the new one is the larger in {}", size(c.cliffs_delta), format::share(c.chance_above));
    view! {
        <Figure title="Shift" value=format::signed_percent(c.shift_percent) detail=interval
            how="The middle of all differences between a new and an old value, in percent of the baseline's median (Hodges–Lehmann)." />
        <Figure title="Effect size" value=format::number(c.cliffs_delta) detail=above
            how="Cliff's delta: how much more often a new value is above an old one than below. 1 is always, 0 as often, −1 never." />
    }
}

/// How large a Cliff's delta is. Source: Romano et al., Appropriate statistics for ordinal level data, 2006.
fn size(delta: f64) -> &'static str {
    match delta.abs() {
        d if d < 0.147 => "negligible",
        d if d < 0.33 => "small",
        d if d < 0.474 => "medium",
        _ => "large",
    }
}

/// What the comparison says, its tone, and why.
fn verdict(a: &AgainstBaseline) -> (&'static str, &'static str, String) {
    let matters = format::percent(a.matters_percent);
    let few = a.new_values.min(a.baseline_values) < 4;
    match a.comparison.map(|c| c.verdict) {
        Some(Verdict::Faster) => ("Better", "good", format!("by more than noise and {matters}")),
        Some(Verdict::Slower) => ("Worse", "bad", format!("by more than noise and {matters}")),
        Some(Verdict::Same) => ("The same", "", format!("within {matters}, for sure")),
        Some(Verdict::Unclear) if few => ("Cannot be told", "", "fewer than four values exclude nothing".to_owned()),
        Some(Verdict::Unclear) => ("Cannot be told", "", "neither surely another nor surely the same".to_owned()),
        None => ("Cannot be told", "", "the baseline's median is 0".to_owned()),
    }
}

fn values(n: u32) -> String {
    format::count(u64::from(n), "value", "values")
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
            <footer>"Shortly before: of the changes and deploys of the service within three days before the step, the nearest. A pipeline tells of deploys at POST /api/v1/deployments; a version label in the cluster does, too."</footer>
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
