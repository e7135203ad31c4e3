//! What a recommendation stands on: the same days replayed with it and with what others would have asked for, and what drives its
//! confidence.

use crate::format;
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Driver, Replay, ReplayRow};
use headroom_model::view::Grounds;
use leptos::prelude::*;

/// Whether it is memory that was replayed.
pub fn is_memory(metric: Metric) -> bool {
    matches!(metric, Metric::MemoryWorkingSet | Metric::MemoryUtilization)
}

/// One replay, in a panel of its own.
pub fn replay(r: &Replay) -> impl IntoView + use<> {
    view! {
        <section class="panel">
            <header><h2>{title(r)}</h2><div class="right">"what each policy would have asked for, and what it would have done"</div></header>
            {table(r, format!("Replay of {}", format::metric(r.metric)))}
        </section>
    }
}

/// All that one recommendation stands on, in a panel of its own.
pub fn grounds(g: &Grounds) -> impl IntoView + use<> {
    let one = |r: &Replay| {
        let label = format!("Replay of {} for {}", format::metric(r.metric), g.title);
        view! { <header><h3>{title(r)}</h3></header>{table(r, label)} }
    };
    let shown = !(g.replays.is_empty() && g.drivers.is_empty());
    shown.then(|| {
        view! {
            <section class="panel">
                <header><h2>"Behind "<a href=format!("/recommendations/{}", g.id)>{g.title.clone()}</a></h2></header>
                {g.replays.iter().map(one).collect_view()}
                {drivers(&g.drivers)}
            </section>
        }
    })
}

/// What raises and what lowers the confidence, if the analysis said so.
pub fn drivers(drivers: &[Driver]) -> impl IntoView + use<> {
    let line = |d: &Driver| {
        let tone = if d.effect < 0.0 { "num warn" } else { "num good" };
        view! { <li><span class="grow">{d.text.clone()}</span><span class=tone>{format::points(d.effect)}</span></li> }
    };
    (!drivers.is_empty()).then(|| {
        view! {
            <footer>"What drives the confidence, in percentage points"</footer>
            <ul class="rows" aria-label="What drives the confidence">{drivers.iter().map(line).collect_view()}</ul>
        }
    })
}

fn title(r: &Replay) -> String {
    let what = if is_memory(r.metric) { "Memory" } else { "CPU" };
    format!("{what}: the same {}, replayed", format::duration(r.to.secs_since(r.from)))
}

fn table(r: &Replay, label: String) -> impl IntoView + use<> {
    let metric = r.metric;
    let (asked, fault, worst) = heads(metric);
    view! {
        <div class="table-wrap" tabindex="0" role="region" aria-label=label>
            <table class="cards replay">
                <thead>
                    <tr>
                        <th scope="col">"Policy"</th><th scope="col" class="n">{asked}</th><th scope="col" class="n">"Slack"</th><th scope="col" class="n">{fault}</th>
                        <th scope="col" class="n">{worst}</th><th scope="col" class="n">"Changes a week"</th><th scope="col" class="n">"Cost a month"</th>
                    </tr>
                </thead>
                <tbody>{r.rows.iter().map(|r| row(metric, r)).collect_view()}</tbody>
            </table>
        </div>
    }
}

/// What was asked for, and how its faults are counted.
fn heads(metric: Metric) -> (&'static str, &'static str, &'static str) {
    if is_memory(metric) { ("Memory limit", "Above it", "Days above") } else { ("CPU asked", "Throttled", "Worst day") }
}

fn row(metric: Metric, row: &ReplayRow) -> impl IntoView + use<> {
    let (memory, (asked, fault, worst)) = (is_memory(metric), heads(metric));
    let bad = if row.breached > 0.01 || (memory && row.breached_days > 0) { "n bad" } else { "n" };
    let last = if memory { row.breached_days.to_string() } else { format::share(row.worst_day) };
    view! {
        <tr class=matches!(row.policy.as_str(), "headroom" | "proposed").then_some("on")>
            <th scope="row">{policy(&row.policy).to_owned()}</th>
            <td class="n" data-label=asked>{format::value(metric, row.asked)}</td>
            <td class="n" data-label="Slack">{format::share(row.slack)}</td>
            <td class=bad data-label=fault>{format::share(row.breached)}</td>
            <td class=bad data-label=worst>{last}</td>
            <td class="n" data-label="Changes a week">{format::number(row.changes_per_week)}</td>
            <td class="n" data-label="Cost a month">{format::money(row.cost_month)}</td>
        </tr>
    }
}

/// The policies' names for people.
fn policy(name: &str) -> &str {
    match name {
        "headroom" => "Headroom",
        "proposed" => "These values",
        "today" => "Today",
        "daily" => "Headroom, day by day",
        "vpa" => "VPA",
        "krr" => "KRR",
        "autopilot" => "Autopilot window",
        "aws" => "AWS style",
        other => other,
    }
}
