//! The first page: what is spent, what was achieved, what is open, what needs a person.

use super::query;
use crate::api::read;
use crate::components::chart::Chart;
use crate::components::figure::Figure;
use crate::components::icon::{Icon, icon};
use crate::components::panel::{Shape, empty, load, load_page};
use crate::components::scatter::scatter;
use crate::components::spark::meter;
use crate::format;
use crate::live::Live;
use headroom_model::view::{Attention, Overview, TeamCost};
use leptos::prelude::*;
use leptos_meta::Title;

/// The page.
#[component]
pub fn OverviewPage() -> impl IntoView {
    let live = expect_context::<Live>();
    let data = Resource::new_blocking(move || live.rev(&["samples", "recommendations", "changes"]), |_| read::overview());
    let ledger = Resource::new_blocking(move || live.rev(&["changes"]), |_| read::ledger_chart());
    let resource = query("resource");
    view! {
        <Title text="Overview" />
        {load_page(data, move |o: Overview| {
            view! {
                {head(&o)}
                {figures(&o)}
                <div class="two">
                    <div>
                        <section class="panel">
                            <header>
                                <h2>"Promised against achieved"</h2>
                                <div class="right"><span class="legend"><span class="ask"><i class="key dash"></i>"promised"</span><span class="done"><i class="key"></i>"achieved"</span></span></div>
                            </header>
                            <div class="in">
                                {load(ledger, "The ledger", Shape::Chart, |chart| {
                                    if chart.empty {
                                        let why = "The ledger begins with the first change that was applied and measured.";
                                        empty(Icon::Clock, "Nothing measured yet", why, Some(("/recommendations", "See what is proposed")))
                                    } else {
                                        view! { <Chart chart /> }.into_any()
                                    }
                                })}
                            </div>
                            <footer>"Monthly rate of the changes in force. Achieved is priced from the state that is really there; inconclusive changes count as nothing."</footer>
                        </section>
                        {headroom_panel(&o, &resource.get())}
                    </div>
                    <div>{attention(&o.attention)}{teams(&o.team_costs)}</div>
                </div>
            }
        })}
    }
}

fn head(o: &Overview) -> impl IntoView + use<> {
    let clusters = if o.clusters.is_empty() { "No cluster".to_owned() } else { o.clusters.join(", ") };
    let analysed = o.analysed_at.map_or_else(|| "not analysed yet".to_owned(), |at| format!("analysed {}", format::ago(at, o.now)));
    let services = format::count(u64::from(o.services), "service", "services");
    let teams = format::count(u64::from(o.teams), "team", "teams");
    view! { <div class="head"><div><h1>"Overview"</h1><p class="lead">{format!("{clusters} · {services} in {teams} · {analysed}")}</p></div></div> }
}

fn figures(o: &Overview) -> impl IntoView + use<> {
    let unpriced = if o.unpriced > 0 { format!("{} without a request have no price · ", o.unpriced) } else { String::new() };
    let prices = format!("{unpriced}prices {} d old", o.prices_age_days);
    let kept = match o.promised_month.micros {
        0 => "nothing in force yet".to_owned(),
        1.. => {
            format!("{} of the {} that was promised", format::share(o.achieved_month.units() / o.promised_month.units()), o.promised_month)
        }
        // Cures may cost more than is given back.
        _ => format!("{} was promised: what was short asks for more than was given back", o.promised_month),
    };
    let share = if o.finished > 0 { format::share(f64::from(o.verified) / f64::from(o.finished)) } else { format::UNKNOWN.to_owned() };
    let outcome = if o.finished > 0 {
        format!("{} of {} · {} rolled back", o.verified, format::count(u64::from(o.finished), "change", "changes"), o.rolled_back)
    } else {
        "no change has finished yet".to_owned()
    };
    view! {
        <dl class="figs">
            <Figure title="Spend" value=o.spend_month.to_string() unit="a month" detail=prices
                how=format!("What all services ask for (requests × replicas, GPUs, volumes), at these prices: {}", o.prices) />
            <Figure title="Achieved" value=o.achieved_month.to_string() unit="a month" tone="good" detail=kept
                how="The cost before each verified change less the cost of the state that is in force now, summed over changes not rolled back." />
            <Figure title="Still open" value=o.open_month.to_string() unit="a month" detail=format::count(u64::from(o.open), "proposal", "proposals")
                how="The savings that open recommendations expect, summed. Cures that cost more are subtracted." />
            <Figure title="Kept its promise" value=share detail=outcome
                how="Changes verified as better or unchanged within their guards, of all that finished. Inconclusive ones count among the finished." />
        </dl>
    }
}

fn headroom_panel(o: &Overview, resource: &str) -> impl IntoView + use<> {
    let memory = resource == "memory";
    let (dots, word) = if memory { (&o.memory, "memory") } else { (&o.cpu, "CPU") };
    let tab = |href, word, on: bool| view! { <a href=href aria-current=on.then_some("true")>{word}</a> };
    view! {
        <section class="panel">
            <header>
                <h2>"Where the headroom is"</h2>
                <div class="right"><span class="seg">{tab("/", "CPU", !memory)}{tab("/?resource=memory", "Memory", memory)}</span></div>
            </header>
            <div class="in">{scatter(dots, word)}</div>
        </section>
    }
}

fn attention(items: &[Attention]) -> impl IntoView + use<> {
    let count = items.len();
    let row = |a: &Attention| {
        let (class, glyph) = match a.tone.as_str() {
            "bad" => ("st bad", Icon::Alert),
            "warn" => ("st warn", Icon::Eye),
            _ => ("st act", Icon::Clock),
        };
        let a = a.clone();
        view! {
            <li>
                <span class=class>{icon(glyph)}</span>
                <div class="grow"><div class="strong">{a.title}</div><div class="faint small">{a.detail}</div></div>
                <a class="end text-link" href=a.link>{a.act}</a>
            </li>
        }
    };
    let body = if items.is_empty() {
        empty(Icon::Done, "Nothing needs a person", "No service is starved, and no change waits or failed.", None)
    } else {
        view! { <ul class="rows">{items.iter().map(row).collect_view()}</ul> }.into_any()
    };
    view! { <section class="panel"><header><h2>"Needs a person"</h2><div class="right">{count}</div></header>{body}</section> }
}

fn teams(costs: &[TeamCost]) -> impl IntoView + use<> {
    let most = costs.iter().map(|t| t.cost_month.units()).fold(0.0, f64::max).max(1e-9);
    let row = |t: &TeamCost| {
        let href = crate::link::with("/services", &[("team", &t.team)]);
        view! {
            <li>
                <a class="grow" href=href>{t.team.clone()}</a>
                {meter(1.0 - t.idle, t.cost_month.units() / most)}
                <span class="end num">{t.cost_month.to_string()}" "<span class="faint">{format::share(t.idle)}</span></span>
            </li>
        }
    };
    view! {
        <section class="panel">
            <header><h2>"Teams"</h2><div class="right">"cost a month, and idle share"</div></header>
            <ul class="rows">{costs.iter().map(row).collect_view()}</ul>
        </section>
    }
}
