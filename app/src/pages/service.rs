//! One service: use against what is asked for, latency, traffic, what was found, what was changed, what it calls.

use super::grounds::grounds;
use super::query;
use super::recommendations::analyse_button;
use super::service_deploys::deploys;
use super::service_insights::{among_its_like, anomalies, days_ahead};
use super::service_propose::ProposeForm;
use crate::api::act::{Analyze, Propose};
use crate::api::{ChartView, Entry, read};
use crate::components::bar::headroom_bar;
use crate::components::chart::Chart;
use crate::components::figure::Figure;
use crate::components::icon::{Icon, icon};
use crate::components::notice::{Notice, note};
use crate::components::panel::{Shape, empty, load, load_page};
use crate::components::spark::spark;
use crate::components::status::{of_change, of_judgement, of_recommendation, of_verdict, risk, status};
use crate::components::table::saving;
use crate::form::Outcome;
use crate::format;
use crate::link;
use crate::live::Live;
use headroom_model::metric::Metric;
use headroom_model::recommendation::Finding;
use headroom_model::time::Span;
use headroom_model::view::{ChangeRow, RecommendationRow, ServicePage};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

const RANGES: [&str; 4] = ["1d", "3d", "7d", "14d"];

/// The page.
#[component]
pub fn ServiceDetail() -> impl IntoView {
    let (live, entry) = (expect_context::<Live>(), expect_context::<Entry>());
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|p| p.get("name")).map(|n| link::decode(&n)).unwrap_or_default());
    let (range, at) = (query("range"), query("at"));
    let (analyze, propose) = (ServerAction::<Analyze>::new(), ServerAction::<Propose>::new());
    let (analyzed, proposed) = (Outcome::of("analyze", analyze), Outcome::of("propose", propose));
    let acted = move || analyze.version().get() + propose.version().get();
    let data = Resource::new_blocking(
        move || (name.get(), live.rev(&["samples", "recommendations", "changes", "jobs", "deployments"]), acted()),
        |(name, _, _)| read::service(name),
    );
    let charts = Resource::new_blocking(
        move || (name.get(), range.get(), live.rev(&["samples", "changes", "deployments"])),
        |(name, range, _)| read::service_charts(name, range.parse().unwrap_or(Span::days(7))),
    );
    let insights = Resource::new_blocking(
        move || (name.get(), at.get(), live.rev(&["samples", "changes", "deployments", "jobs"])),
        |(name, at, _)| read::insights(name, at.parse().ok()),
    );
    view! {
        <Notice outcome=analyzed />
        {load_page(data, move |p: ServicePage| {
            let title = p.row.service_name.clone();
            view! {
                <Title text=title />
                {head(&p, analyze, analyzed, &entry)}
                {held(&p)}
                {figures(&p)}
                <div class="two">
                    <div>
                        {charts_panel(charts, &p, &range.get())}
                        {anomalies(insights, &p.row.service_name, &range.get())}
                        {days_ahead(insights)}
                        {proposals(&p.recommendations, &p)}
                        {p.grounds.iter().map(grounds).collect_view()}
                        {changes(&p.changes)}
                    </div>
                    <div>
                        {findings(&p)}
                        {among_its_like(insights)}
                        {parameters(&p)}
                        {deploys(&p)}
                        {calls(&p)}
                    </div>
                </div>
                <ProposeForm page=p.clone() action=propose outcome=proposed entry=entry.clone() />
            }
        })}
    }
}

fn head(p: &ServicePage, analyze: ServerAction<Analyze>, analyzed: Outcome, entry: &Entry) -> impl IntoView + use<> {
    let r = &p.row;
    let replicas = r.replicas.map(|n| format!(" · {}", format::count(u64::from(n), "replica", "replicas"))).unwrap_or_default();
    let cost = r.cost_month.map(|m| format!(" · {m} a month")).unwrap_or_default();
    let analysed = p.analysed_at.map_or_else(|| " · not analysed yet".to_owned(), |at| format!(" · analysed {}", format::ago(at, p.now)));
    view! {
        <div class="head">
            <div>
                <h1 class="mono">{r.service_name.clone()}</h1>
                <p class="lead">
                    {format!("{} in {} · team ", p.service.key.kind, r.namespace)}
                    <a class="text-link" href=link::with("/services", &[("team", &r.team)])>{r.team.clone()}</a>
                    {format!("{replicas}{cost}{analysed} · ")}
                    {status(of_verdict(r.verdict))}
                </p>
            </div>
            <div class="acts">{analyse_button(analyze, analyzed, &r.service_name, entry)}<a class="btn" href="#propose">{icon(Icon::Pencil)}"Propose own values"</a></div>
        </div>
    }
}

fn held(p: &ServicePage) -> impl IntoView + use<> {
    let change = p.held_by.and_then(|id| p.changes.iter().find(|c| c.id == id));
    let managed = p.service.managed.refusal().map(|why| note("", Icon::Info, "Recommend only".to_owned(), why.to_owned()));
    let held = change.map(|c| {
        let href = format!("/recommendations/{}", c.recommendation_id);
        view! {
            <div class="note warn" role="status">
                {icon(Icon::Eye)}
                <div><b>{format!("{} has this service in hand: {}", c.id.short(), c.title)}</b><p>{c.state.plain()}". No other change can start until it ends. "<a class="text-link" href=href>"Look at it"</a></p></div>
            </div>
        }
    });
    view! { {managed}{held} }
}

fn figures(p: &ServicePage) -> impl IntoView + use<> {
    let latest = |m: Metric| p.latest.get(&m).map(|l| l.value);
    let bar = |bar: Option<&headroom_model::recommendation::UseBar>, limit: Option<f64>| {
        let Some(bar) = bar else { return (format::UNKNOWN.to_owned(), "no samples yet".to_owned()) };
        match bar.request.or(limit) {
            Some(whole) if whole > 0.0 => (format::share(bar.peak / whole), format::of(bar.metric, bar.peak, whole)),
            _ => (format::value(bar.metric, bar.peak), "peak; no request to compare it with".to_owned()),
        }
    };
    let (cpu, cpu_detail) = bar(p.row.cpu.as_ref(), None);
    let (memory, memory_detail) = bar(p.row.memory.as_ref(), None);
    let throttled = latest(Metric::CpuThrottled).map(|v| format!(" · throttled {}", format::share(v))).unwrap_or_default();
    let kills = latest(Metric::OomKills)
        .filter(|v| *v > 0.0)
        .map(|v| format!(" · {} OOM kills in the newest interval", format::number(v)))
        .unwrap_or_default();
    let text = |m: Metric| latest(m).map_or_else(|| (format::UNKNOWN.to_owned(), ""), |v| format::value_and_unit(m, v));
    let (latency, latency_unit) = text(Metric::LatencyP99);
    let (requests, requests_unit) = text(Metric::RequestRate);
    let age = p
        .newest_sample
        .map_or_else(|| "no samples yet".to_owned(), |at| format!("newest sample {} old", format::short(p.now.secs_since(at))));
    let errors = latest(Metric::ErrorRatio).map_or_else(String::new, |v| format!("errors {} · ", format::share(v)));
    let p95 = latest(Metric::LatencyP95).map_or_else(String::new, |v| format!("p95 {} · ", format::value(Metric::LatencyP95, v)));
    view! {
        <dl class="figs">
            <Figure title="CPU, peak of request" value=cpu detail=format!("{cpu_detail}{throttled}") how="The largest 5-minute mean per replica in the analysis window, over the request summed over containers." />
            <Figure title="Memory, peak of request" value=memory detail=format!("{memory_detail}{kills}") how="The largest working set per replica in the analysis window, over the request summed over containers." />
            <Figure title="Latency p99" value=latency unit=latency_unit detail=format!("{p95}{age}") />
            <Figure title="Requests" value=requests unit=requests_unit detail=format!("{errors}{age}") />
        </dl>
    }
}

fn charts_panel(charts: Resource<Result<Vec<ChartView>, crate::AppError>>, p: &ServicePage, range: &str) -> impl IntoView + use<> {
    let base = link::service(&p.row.service_name);
    let range = if RANGES.contains(&range) { range.to_owned() } else { "7d".to_owned() };
    let tabs = RANGES.map(|r| {
        let word = format!("{} d", r.trim_end_matches('d'));
        view! { <a href=format!("{base}?range={r}") aria-current=(r == range).then_some("true")>{word}</a> }
    });
    view! {
        <section class="panel">
            <header><h2>"Use, latency, traffic"</h2><div class="right"><span class="seg">{tabs.collect_view()}</span></div></header>
            <div class="in stack loose">
                {load(charts, "The charts", Shape::Chart, |charts| {
                    let shown: Vec<_> = charts.into_iter().filter(|c| !c.empty).collect();
                    if shown.is_empty() {
                        return empty(Icon::Clock, "No samples in this range", "Samples appear with the next reading of the cluster.", None);
                    }
                    let one = |(i, chart): (usize, ChartView)| {
                        let size = if i == 0 { "chart-host" } else { "chart-host short" };
                        view! { <div><h3>{chart.title.clone()}</h3><Chart chart size /></div> }
                    };
                    shown.into_iter().enumerate().map(one).collect_view().into_any()
                })}
            </div>
            <footer>"Per replica. Dashed is what is asked for, blue what is proposed; upright lines are changes, in amber anomalies, in grey deploys. Times are the cluster's, in UTC."</footer>
        </section>
    }
}

fn proposals(rows: &[RecommendationRow], p: &ServicePage) -> impl IntoView + use<> {
    let why = p.no_action.clone().unwrap_or_else(|| "The next analysis looks again.".to_owned());
    let row = |r: &RecommendationRow| {
        view! {
            <tr>
                <td class="lead-cell"><a class="strong" href=format!("/recommendations/{}", r.id)>{r.title.clone()}</a></td>
                <td data-label="Use">{headroom_bar(r.bar.as_ref(), false, false)}</td>
                <td class="n" data-label="Saves a month">{saving(r.saving_month)}</td>
                <td class="n" data-label="Confidence">{format::share(r.expected.confidence.get())}</td>
                <td data-label="Risk">{risk(r.risk)}</td>
                <td data-label="Status">{status(of_recommendation(r.state, r.substate))}</td>
            </tr>
        }
    };
    let body = if rows.is_empty() {
        empty(Icon::Done, "Nothing to recommend", why, None)
    } else {
        view! {
            <div class="table-wrap" tabindex="0" role="region" aria-label="Recommendations">
                <table class="cards">
                    <thead>
                        <tr>
                            <th scope="col">"Change"</th><th scope="col">"Use against request"</th><th scope="col" class="n">"Saves a month"</th>
                            <th scope="col" class="n">"Confidence"</th><th scope="col">"Risk"</th><th scope="col">"Status"</th>
                        </tr>
                    </thead>
                    <tbody>{rows.iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! { <section class="panel"><header><h2>"Recommendations"</h2></header>{body}</section> }
}

fn changes(rows: &[ChangeRow]) -> impl IntoView + use<> {
    let row = |c: &ChangeRow| {
        let by = c.approved_by.last().cloned().unwrap_or_else(|| c.requested_by.clone());
        view! {
            <tr>
                <td class="mono lead-cell"><a href=format!("/recommendations/{}", c.recommendation_id)>{c.id.short()}</a></td>
                <td class="wrap" data-label="What">{c.title.clone()}</td>
                <td data-label="By">{by}</td>
                <td class="n" data-label="Promised">{format::money(c.promised_month)}</td>
                <td class="n" data-label="Achieved">{format::money(c.achieved_month)}</td>
                <td data-label="Outcome">{status(of_change(c.state))}</td>
                <td data-label="Verdict">{c.effect.as_ref().map(|e| view! { <span title=e.summary.clone()>{status(of_judgement(e.judgement))}</span> })}</td>
            </tr>
        }
    };
    let body = if rows.is_empty() {
        empty(Icon::Changes, "No changes yet", "What is applied here is marked in the charts and kept with what it did.", None)
    } else {
        view! {
            <div class="table-wrap" tabindex="0" role="region" aria-label="Changes">
                <table class="cards">
                    <thead>
                        <tr>
                            <th scope="col">"Change"</th><th scope="col">"What"</th><th scope="col">"By"</th><th scope="col" class="n">"Promised"</th>
                            <th scope="col" class="n">"Achieved"</th><th scope="col">"Outcome"</th><th scope="col">"Verdict"</th>
                        </tr>
                    </thead>
                    <tbody>{rows.iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! { <section class="panel"><header><h2>"Changes"</h2></header>{body}</section> }
}

fn findings(p: &ServicePage) -> impl IntoView + use<> {
    let row = |f: &Finding| {
        let (glyph, tone, word) = of_verdict(f.verdict);
        let label = if f.bottleneck { view! { <span class="tag bad">"bottleneck"</span> }.into_any() } else { ().into_any() };
        view! {
            <li>
                <span class=format!("st {tone}")>{icon(glyph)}<span class="sr">{word}</span></span>
                <div class="grow"><div class="strong">{f.resource.clone()}" "{label}</div><div class="faint small">{f.text.clone()}</div></div>
            </li>
        }
    };
    let body = if p.findings.is_empty() {
        empty(
            Icon::Help,
            "Not analysed yet",
            p.no_action.clone().unwrap_or_else(|| "An analysis says what limits it and what it wastes.".to_owned()),
            None,
        )
    } else {
        view! { <ul class="rows">{p.findings.iter().map(row).collect_view()}</ul> }.into_any()
    };
    view! { <section class="panel"><header><h2>"Findings"</h2></header>{body}</section> }
}

fn parameters(p: &ServicePage) -> impl IntoView + use<> {
    let row = |(field, value): (String, String)| {
        let since =
            p.changes.iter().find(|c| c.applied_at.is_some() && c.rolled_back_at.is_none() && c.changes.iter().any(|f| f.field == field));
        let since = since.map(|c| format!("since {}", c.id.short()));
        view! { <li><div class="grow"><div class="mono">{field}</div><div class="faint small">{since}</div></div><b class="end num">{value}</b></li> }
    };
    let fields = p.service.state.fields();
    let body = if fields.is_empty() {
        empty(
            Icon::Help,
            "Nothing is known of its size",
            "It was imported without requests, so there is nothing to compare its use with.",
            None,
        )
    } else {
        view! { <ul class="rows">{fields.into_iter().map(row).collect_view()}</ul> }.into_any()
    };
    view! { <section class="panel"><header><h2>"Parameters"</h2></header>{body}</section> }
}

fn calls(p: &ServicePage) -> impl IntoView + use<> {
    let row = |r: &headroom_model::view::ServiceRow| {
        let p99 = r.latency_p99_ms.map_or_else(|| format::UNKNOWN.to_owned(), |v| format::value(Metric::LatencyP99, v));
        view! {
            <li>
                <a class="grow strong" href=link::service(&r.service_name)>{r.service_name.clone()}</a>
                {spark(&r.spark, format!("CPU use of {} over the last 24 hours", r.service_name))}
                <span class="num">{p99}</span>
            </li>
        }
    };
    (!p.calls.is_empty()).then(|| view! {
        <section class="panel"><header><h2>"Calls"</h2><div class="right">"CPU over 24 h, p99"</div></header><ul class="rows">{p.calls.iter().map(row).collect_view()}</ul></section>
    })
}
