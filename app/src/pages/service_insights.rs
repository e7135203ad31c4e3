//! What is seen in a service beyond its size: what was odd and what began it, the days ahead, how it does among its like.

use crate::api::{ChartView, InsightsView};
use crate::components::chart::Chart;
use crate::components::icon::Icon;
use crate::components::panel::{Shape, empty, load};
use crate::components::spark::meter;
use crate::format;
use crate::link;
use headroom_model::metric::Metric;
use headroom_model::units::Money;
use headroom_model::view::{Ahead, Anomaly, Causes, Comparison, Forecast, Insights, Measure, Outlook, RunsOut, ServiceClass, Suspect};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// What the panels show, once it is there.
pub type Data = Resource<Result<InsightsView, crate::AppError>>;

/// When something was odd, and what began the one that is looked at.
pub fn anomalies(data: Data, service: &str, range: &str) -> impl IntoView + use<> {
    let (service, range) = (service.to_owned(), range.to_owned());
    view! {
        <section class="panel" id="anomalies">
            <header><h2>"Anomalies"</h2><div class="right">"latency, errors, CPU, memory, requests; each sample judged by those before it"</div></header>
            {load(data, "The anomalies", Shape::Rows, move |view| odd(&view.insights, &service, &range))}
        </section>
    }
}

fn odd(insights: &Insights, service: &str, range: &str) -> AnyView {
    if insights.anomalies.is_empty() {
        let why = format!("No sample since {} was unlike those before it.", format::time(insights.since));
        return empty(Icon::Done, "Nothing odd", why, None);
    }
    let picked = insights.causes.as_ref().map(|c| (c.metric, c.at));
    let row = |a: &Anomaly| {
        let (at, on) = (a.from.secs().to_string(), picked == Some((a.metric, a.from)));
        let href = format!("{}#causes", link::with(&link::service(service), &[("range", range), ("at", &at)]));
        view! {
            <tr class=on.then_some("on")>
                <td class="lead-cell"><a class="strong" href=href>{format::metric(a.metric)}</a>" "<span class="sub">{format::time(a.from)}</span></td>
                <td class="n" data-label="Observed">{format::value(a.metric, a.observed)}</td>
                <td class="n" data-label="Usual">{format::value(a.metric, a.usual)}</td>
                <td class="n" data-label="Lasted">{format::duration(a.to.secs_since(a.from))}</td>
                <td class="n" data-label="Score">{format::number(a.score)}</td>
                <td class="wrap" data-label="Shortly before">{a.after.clone()}</td>
            </tr>
        }
    };
    view! {
        <div class="table-wrap" tabindex="0" role="region" aria-label="Anomalies">
            <table class="cards">
                <thead>
                    <tr>
                        <th scope="col">"What and when, UTC"</th><th scope="col" class="n">"Observed"</th><th scope="col" class="n">"Usual"</th>
                        <th scope="col" class="n">"Lasted"</th><th scope="col" class="n">"Score"</th><th scope="col">"Shortly before"</th>
                    </tr>
                </thead>
                <tbody>{insights.anomalies.iter().map(row).collect_view()}</tbody>
            </table>
        </div>
        {insights.causes.as_ref().map(causes)}
    }
    .into_any()
}

fn causes(c: &Causes) -> impl IntoView + use<> {
    let most = c.suspects.iter().map(|s| s.score).fold(0.0, f64::max);
    let one = |s: &Suspect| {
        let after = s.after.clone().map(|what| view! { <div class="small">{format!("Shortly before, {what}")}</div> });
        view! {
            <li>
                <div class="grow"><a class="strong" href=link::service(&s.service_name)>{s.service_name.clone()}</a><div class="faint small">{s.reason.clone()}</div>{after}</div>
                <span class="end">{meter(1.0, s.score / most)}<span class="sr">{format!("evidence {}", format::number(s.score))}</span></span>
            </li>
        }
    };
    let body = if c.suspects.is_empty() {
        view! { <p class="in muted">"Nothing rose when it began, neither here nor in what it calls."</p> }.into_any()
    } else {
        view! { <ol class="rows">{c.suspects.iter().map(one).collect_view()}</ol> }.into_any()
    };
    let seen = format::count(u64::from(c.looked_at), "service", "services");
    view! {
        <header id="causes"><h3>"What began it"</h3><div class="right">{format!("{} of {} · {seen} looked at, the most suspicious first", format::metric(c.metric), format::time(c.at))}</div></header>
        {body}
    }
}

/// What is expected of the next days.
pub fn days_ahead(data: Data) -> impl IntoView {
    view! {
        <section class="panel">
            <header><h2>"The days ahead"</h2><div class="right">"hourly means; the tint is where 95 of 100 are expected"</div></header>
            <div class="in stack loose">
                {load(data, "The forecast", Shape::Chart, |view: InsightsView| {
                    if view.charts.is_empty() {
                        return empty(Icon::Clock, "Nothing to look ahead at", "There are no samples of CPU, memory, requests or a volume yet.", None);
                    }
                    let InsightsView { insights, charts } = view;
                    insights.forecasts.into_iter().zip(charts).map(|(f, chart)| forecast(&f, chart)).collect_view().into_any()
                })}
            </div>
        </section>
    }
}

fn forecast(f: &Forecast, chart: ChartView) -> impl IntoView + use<> {
    let title = chart.title.clone();
    let body = match &f.outlook {
        Outlook::Refused(why) => view! { <p class="muted">{format!("No forecast: {why}.")}</p> }.into_any(),
        Outlook::Ahead(ahead) => view! {
            <p class="muted">{expected(f.metric, ahead)}</p>
            <Chart chart size="chart-host short" />
            <details class="more"><summary>"How this is calculated"</summary><p>{method(f.metric, ahead)}</p></details>
        }
        .into_any(),
    };
    view! { <div class="stack"><h3>{title}</h3>{body}</div> }
}

/// What is expected, in a sentence or two.
#[must_use]
pub fn expected(metric: Metric, a: &Ahead) -> String {
    let value = |v| format::value(metric, v);
    let peak = format!(
        "Highest around {}, at {} (95 %: {} to {}); the days before it was {}.",
        format::time(a.peak.at),
        value(a.peak.mean),
        value(a.peak.lo95),
        value(a.peak.hi95),
        value(a.peak_before)
    );
    a.runs_out.as_ref().map_or(peak.clone(), |r| format!("{peak} {}", fills(metric, r)))
}

fn fills(metric: Metric, r: &RunsOut) -> String {
    let (full, until) = (format::value(metric, r.capacity), format::time(r.looked_until));
    match (r.earliest, r.likely, r.latest) {
        (_, Some(likely), latest) => {
            let from = format::time(r.earliest.unwrap_or(likely));
            let to = latest.map_or_else(|| format!("after {until}"), format::time);
            format!("It reaches {full} around {} (95 %: {from} to {to}).", format::time(likely))
        }
        (Some(earliest), None, _) => format!("It is not expected to reach {full} by {until}, but may from {} on.", format::time(earliest)),
        (None, None, _) => format!("It stays below {full} until {until}."),
    }
}

fn method(metric: Metric, a: &Ahead) -> String {
    let error = a.error.map_or_else(String::new, |e| format!(", where they were off by {} on average", format::value(metric, e)));
    format!("{}{error}. The interval is as wide as those errors were.", a.method)
}

/// The class of a service, and how it does in it.
pub fn among_its_like(data: Data) -> impl IntoView {
    view! {
        <section class="panel">
            <header><h2>"Among its like"</h2></header>
            {load(data, "The comparison", Shape::Rows, |view: InsightsView| match &view.insights.class {
                Some(class) => like(class).into_any(),
                None => empty(Icon::Services, "No classes yet", "An analysis of the fleet finds them, from eight services on.", None),
            })}
        </section>
    }
}

fn like(class: &ServiceClass) -> impl IntoView + use<> {
    let others = format::count(u64::from(class.members.saturating_sub(1)), "service behaves", "services behave");
    let fit = if class.classes > 1 {
        format!(" It fits this class of {} to {}.", class.classes, format::share(class.fit))
    } else {
        String::new()
    };
    view! {
        <div class="in"><p class="muted"><b>{class.name.clone()}</b>{format!(": {others} like it.{fit}")}</p></div>
        <ul class="rows">{class.standing.iter().map(compared).collect_view()}</ul>
    }
}

fn compared(c: &Comparison) -> impl IntoView + use<> {
    let title = match c.measure {
        Measure::Slack => "Asked for and not used",
        Measure::CostPerMillion => "Cost of a million requests",
        Measure::Throttled => "Throttled time",
    };
    let value = |v: f64| match (c.measure, c.currency) {
        (Measure::CostPerMillion, Some(currency)) => Money::from_units(v, currency).to_string(),
        (Measure::CostPerMillion, None) => format::number(v),
        _ => format::share(v),
    };
    let groups = |groups: &BTreeMap<String, f64>| {
        let each: Vec<String> = groups.iter().map(|(name, v)| format!("{name} {}", value(*v))).collect();
        (groups.len() > 1).then(|| view! { <div class="faint small">{each.join(", ")}</div> })
    };
    let place = format!("median of {} like it {}; {} of them have less", c.peers, value(c.median), format::percent(c.percentile));
    view! {
        <li>
            <div class="grow"><div>{title}</div><div class="faint small">{place}</div>{groups(&c.by_kind)}{groups(&c.by_cluster)}</div>
            <b class="end num">{value(c.value)}</b>
        </li>
    }
}
