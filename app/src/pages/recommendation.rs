//! One recommendation, read top to bottom as an argument: what, where it stands, what it is worth, the evidence, exactly what will
//! change, what others would have done, why, what if it goes wrong, who said what, what else is known of the service.

use super::grounds::{drivers, is_memory, replay};
use super::recommendation_acts::{Acts, action_bar, comment_form};
use super::service_insights::{self, among_its_like, anomalies};
use crate::api::{ChartView, Entry, read};
use crate::components::chart::Chart;
use crate::components::diff::{diff, drift};
use crate::components::figure::Figure;
use crate::components::icon::{Icon, icon};
use crate::components::notice::note;
use crate::components::panel::{Shape, load, load_page};
use crate::components::stages::stepper;
use crate::components::status::of_judgement;
use crate::components::timeline::{thread, timeline};
use crate::format;
use crate::link;
use crate::live::Live;
use headroom_model::effect::{Effect as Measured, Judgement, MetricEffect};
use headroom_model::job::OptimizationStatus;
use headroom_model::recommendation::{Evidence, Proposal, RecommendationState, ReplayRow, Risk, RiskOf};
use headroom_model::view::{DiffObject, NEWEST_TOLD, RecommendationPage};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

/// The page.
#[component]
pub fn RecommendationDetail() -> impl IntoView {
    let (live, entry) = (expect_context::<Live>(), expect_context::<Entry>());
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|p| p.get("id")).unwrap_or_default());
    let acts = Acts::new();
    let data = Resource::new_blocking(
        move || (id.get(), live.rev(&["recommendations", "changes"]), acts.version()),
        |(id, _, _)| read::recommendation(id),
    );
    let charts = Resource::new_blocking(
        move || (id.get(), live.rev(&["changes"])),
        |(id, _)| async move { read::recommendation_charts(crate::api::act::parse_id(&id)?).await },
    );
    // Not with every sample: what somebody reads before deciding keeps its place.
    let insights = Resource::new_blocking(
        move || (id.get(), live.rev(&["changes", "jobs"])),
        |(id, _)| async move { read::recommendation_insights(crate::api::act::parse_id(&id)?).await },
    );
    view! {
        {acts.notice()}
        {load_page(data, move |p: RecommendationPage| page(&p, charts, insights, acts, &entry))}
    }
}

fn page(
    p: &RecommendationPage,
    charts: Resource<Result<Vec<ChartView>, crate::AppError>>,
    insights: service_insights::Data,
    acts: Acts,
    entry: &Entry,
) -> impl IntoView + use<> {
    let title = format!("{}: {}", p.row.service_name, p.row.title);
    let effect = p.change.as_ref().and_then(|c| c.effect.clone());
    let in_force = p.row.status == OptimizationStatus::Applied;
    view! {
        <Title text=title />
        {head(p)}
        {warnings(p)}
        {stepper(p)}
        {figures(p)}
        {effect.map(|e| measured(&e, in_force))}
        <div class="two">
            <div>
                {load(charts, "The chart", Shape::Chart, chart_panels)}
                {plan(p)}
                {super::recommendation_schedule::panel(&p.recommendation, &p.service.key, p.now)}
                {p.recommendation.proposal.replays.iter().map(replay).collect_view()}
            </div>
            <div>{why(p)}{if_wrong(p)}{discussion(p, acts, entry)}{events(p)}</div>
        </div>
        <h2>"What else is known of this service"</h2>
        <div class="two">
            <div>{anomalies(insights, &p.row.service_name, "7d")}</div>
            <div>{among_its_like(insights)}</div>
        </div>
        {action_bar(p, acts, entry)}
    }
}

fn head(p: &RecommendationPage) -> impl IntoView + use<> {
    let r = &p.recommendation;
    let by = if r.proposed_by == "engine" { "proposed by the engine".to_owned() } else { format!("proposed by {}", r.proposed_by) };
    let from = format!(
        "{by} {} from {} of samples, until {}",
        format::time(r.created_at),
        format::duration(r.window.secs()),
        format::time(r.data_until)
    );
    view! {
        <div class="head">
            <div>
                <h1><a class="mono" href=link::service(&p.row.service_name)>{p.row.service_name.clone()}</a>": "{p.row.title.clone()}</h1>
                <p class="lead">
                    {r.id.short()}" · "{p.row.optimization_type.plain()}" · team "
                    <a class="text-link" href=link::with("/services", &[("team", &r.team)])>{r.team.clone()}</a>
                    " · "{from}
                </p>
            </div>
        </div>
    }
}

/// What to commit where a Git repository is the truth: the touched objects after the change, one YAML document each.
#[must_use]
pub fn patch(diff: &[DiffObject]) -> String {
    let document = |object: &DiffObject| {
        let after = object.lines.iter().filter(|line| line.new.is_some());
        after.fold(format!("# {}\n", object.path), |text, line| text + &line.text + "\n") + "---\n"
    };
    diff.iter().map(document).collect()
}

fn warnings(p: &RecommendationPage) -> impl IntoView + use<> {
    let stale = (!p.drift.is_empty()).then(|| {
        view! {
            <div class="note warn" role="status">
                {icon(Icon::Alert)}
                <div><b>"The service has changed since this plan was made"</b><p>"An approval would be refused; the next analysis makes a new plan."</p>{drift(&p.drift)}</div>
            </div>
        }
    });
    let refusal = p.refusal.clone().map(|why| {
        view! {
            {note("", Icon::Info, "Headroom does not apply here".to_owned(), why)}
            <details class="more panel"><summary>"The patch to commit"</summary><pre class="code" tabindex="0">{patch(&p.diff)}</pre></details>
        }
    });
    let ended = p.change.as_ref().and_then(|c| c.reason.clone().filter(|r| !r.is_empty()).map(|r| (c.state, r)));
    let ended = ended.map(|(state, reason)| {
        let (glyph, tone, word) = crate::components::status::of_change(state);
        note(if tone == "act" { "" } else { tone }, glyph, word.to_owned(), reason)
    });
    view! { {stale}{refusal}{ended} }
}

fn figures(p: &RecommendationPage) -> impl IntoView + use<> {
    let proposal = &p.recommendation.proposal;
    let e = &proposal.expected;
    let costs = proposal.saving_month.is_some_and(|m| m.micros < 0);
    let saving = match (costs, e.cost_reduction_percent) {
        (true, _) if proposal.cure => "a cure may cost more".to_owned(),
        (_, Some(percent)) => format!("{} of what the service costs", format::percent(percent)),
        _ => "no request to price it against".to_owned(),
    };
    let record = p.track_record.map_or_else(
        || "no change of this kind has finished yet".to_owned(),
        |(kept, of)| format!("{kept} of {of} like this kept their promise"),
    );
    let restarts = if p.row.restarts_pods {
        p.service
            .state
            .replicas
            .map_or_else(|| "restarts its pods".to_owned(), |n| format!("restarts {}", format::count(u64::from(n), "pod", "pods")))
    } else {
        "restarts nothing".to_owned()
    };
    let ended = matches!(p.row.status, OptimizationStatus::RolledBack | OptimizationStatus::Failed)
        || matches!(p.recommendation.state, RecommendationState::Dismissed | RecommendationState::Superseded);
    let (money, tone) = match (costs, ended) {
        (true, false) => ("Costs", "bad"),
        (true, true) => ("Would have cost", ""),
        (false, false) => ("Saves", "good"),
        (false, true) => ("Would have saved", ""),
    };
    let slower = if e.latency_reduction_ms < 0.0 { "+" } else { "" };
    let performance = (e.performance_gain_percent.abs() >= 0.05 || e.latency_reduction_ms.abs() >= 0.05).then(|| {
        view! {
            <Figure title="Performance" value=format::signed_percent(e.performance_gain_percent) detail=format!("p95 latency {slower}{} ms", format::number(-e.latency_reduction_ms))
                how="Predicted from this service's own use: throttled time, kills and waiting that the change removes." />
        }
    });
    view! {
        <dl class="figs">
            <Figure title=money value=format::money(proposal.saving_month) unit="a month" tone=tone detail=saving
                how="What is asked for now less what the plan asks for, over all replicas, at the price book's rates for a month of 730 hours." />
            <Figure title="Confidence" value=format::share(e.confidence.get()) detail=record
                how="From this service's own samples: how many days there are, how alike they are, how many samples are missing; and how earlier changes of this kind turned out." />
            {replayed(proposal)}
            {performance}
            <Figure title="Risk" value=p.row.risk.plain() detail=restarts how=proposal.risk.reasons.join(" · ") />
        </dl>
    }
}

/// The replayed fault of our proposal beside today's: throttled time, or days above the memory limit. What is killed never gets above
/// its limit between two samples: of today's kills a replay knows nothing, while the evidence counts them.
fn replayed(proposal: &Proposal) -> Option<AnyView> {
    let replay = proposal.replays.first().filter(|r| !(proposal.cure && is_memory(r.metric)))?;
    let find = |policy: &str| replay.rows.iter().find(|r| r.policy == policy);
    let (ours, today) = (find("headroom").or_else(|| find("proposed"))?, find("today"));
    let memory = is_memory(replay.metric);
    let show = |r: &ReplayRow| if memory { format::count(u64::from(r.breached_days), "day", "days") } else { format::share(r.breached) };
    let title = if memory { "Days above the limit, replayed" } else { "Throttled time, replayed" };
    let was = today.map(|t| format!("today {}", show(t))).unwrap_or_default();
    let days = format::duration(replay.to.secs_since(replay.from));
    Some(view! { <Figure title value=show(ours) detail=was how=format!("The proposal, laid over the service's own last {days}: the share of samples that would have passed it.") /> }.into_any())
}

fn chart_panels(charts: Vec<ChartView>) -> impl IntoView + use<> {
    let panel = |(i, chart): (usize, ChartView)| {
        let size = if i == 0 { "chart-host" } else { "chart-host short" };
        view! { <section class="panel"><header><h2>{chart.title.clone()}</h2></header><div class="in"><Chart chart size /></div></section> }
    };
    charts.into_iter().filter(|c| !c.empty).enumerate().map(panel).collect_view()
}

fn plan(p: &RecommendationPage) -> impl IntoView + use<> {
    let fields = format::count(p.recommendation.changes.len() as u64, "field", "fields");
    let objects = format::count(p.diff.len() as u64, "object", "objects");
    let restarts = if p.row.restarts_pods { "restarts pods: yes" } else { "restarts pods: no" };
    let hash = p.change.as_ref().map(|c| view! { <span class="plan-hash mono">"plan "{c.plan_hash.short()}</span> });
    view! {
        <section class="panel">
            <header><h2>"Exactly what will change"</h2><div class="right"><span class="tag">{restarts}</span><span>{fields}", "{objects}</span>{hash}</div></header>
            {diff(&p.diff)}
            <footer>{icon(Icon::Shield)}" An approval holds for this plan alone: target, base values and rules. Any difference voids it."</footer>
        </section>
    }
}

fn why(p: &RecommendationPage) -> impl IntoView + use<> {
    let line = |e: &Evidence| {
        let (tone, glyph, word) = if e.supports { ("st good", Icon::Done, "for it: ") } else { ("st warn", Icon::Alert, "take care: ") };
        view! { <li><span class=tone>{icon(glyph)}<span class="sr">{word}</span></span><span class="grow">{e.text.clone()}</span></li> }
    };
    let proposal = &p.recommendation.proposal;
    view! {
        <section class="panel">
            <header><h2>"Why"</h2></header>
            <div class="in"><p class="muted">{proposal.description.clone()}</p></div>
            <ul class="rows why">{proposal.evidence.iter().map(line).collect_view()}</ul>
            {drivers(&proposal.confidence_drivers)}
        </section>
    }
}

fn if_wrong(p: &RecommendationPage) -> impl IntoView + use<> {
    let risk = |r: &RiskOf| {
        let tone = match r.level {
            Risk::Low => "muted",
            Risk::Medium => "warn",
            Risk::High => "bad",
        };
        view! { <li><span class="grow">{r.kind.plain()}": "{r.reason.clone()}</span><span class=tone>{r.level.plain()}</span></li> }
    };
    let risks = p.recommendation.proposal.risk.dimensions.iter().map(risk).collect::<Vec<_>>();
    let waiting = p.change.as_ref().filter(|c| c.state.waits());
    let expires = waiting.map(|c| view! { <dt>"Expires unless begun"</dt><dd>{format::time(c.expires_at)}</dd> });
    view! {
        <section class="panel">
            <header><h2>"If it goes wrong"</h2></header>
            {(!risks.is_empty()).then(|| view! { <ul class="rows">{risks}</ul> })}
            <div class="in">
                <dl class="facts">
                    <dt>"Guards"</dt><dd>"latency, errors, throttling, kills"</dd>
                    <dt>"Rolls back by itself at"</dt><dd>{format::percent(p.rollback_threshold.abs())}" worse"</dd>
                    <dt>"Watched for"</dt><dd>{format::duration(p.observation.secs())}</dd>
                    <dt>"Guards stay armed for"</dt><dd>{format::duration(p.guard_period.secs())}</dd>
                    {expires}
                </dl>
                <p class="faint small">"The recorded values are written back, only where the fields are still ours. Times are the cluster's."</p>
            </div>
        </section>
    }
}

fn discussion(p: &RecommendationPage, acts: Acts, entry: &Entry) -> impl IntoView + use<> {
    let said = if p.comments.is_empty() {
        view! { <p class="faint">"Nobody has said anything yet."</p> }.into_any()
    } else {
        thread(&p.comments).into_any()
    };
    view! {
        <section class="panel">
            <header><h2>"Discussion"</h2></header>
            <div class="in stack loose">{newest_only(p, p.comments.len())}{said}{comment_form(p, acts, entry)}</div>
        </section>
    }
}

fn events(p: &RecommendationPage) -> impl IntoView + use<> {
    view! {
        <section class="panel">
            <header><h2>"Timeline"</h2><div class="right">"UTC"</div></header>
            <div class="in">{timeline(&p.timeline)}{newest_only(p, p.timeline.len())}</div>
        </section>
    }
}

/// Where the rest is, of what is shown only in part.
fn newest_only(p: &RecommendationPage, shown: usize) -> Option<impl IntoView + use<>> {
    let address = link::with("/audit", &[("q", &p.recommendation.id.to_string())]);
    (shown >= NEWEST_TOLD)
        .then(|| view! { <p class="faint small">{format!("The newest {NEWEST_TOLD}; ")}<a href=address>"the audit"</a>" has all."</p> })
}

/// What was measured after the change, against the same service before.
fn measured(e: &Measured, in_force: bool) -> impl IntoView + use<> {
    let (glyph, tone, word) = of_judgement(e.judgement);
    let class = format!("verdict {tone}");
    let row = |m: &MetricEffect| {
        let tone = match m.judgement {
            Judgement::Better => "n good",
            Judgement::Worse => "n bad",
            _ => "n",
        };
        view! {
            <tr>
                <th scope="row">{format::metric(m.metric)}</th>
                <td class="n" data-label="Before">{format::value(m.metric, m.before)}</td>
                <td class="n" data-label="After">{format::value(m.metric, m.after)}</td>
                <td class=tone data-label="Change">{format::signed_percent(m.change_percent)}</td>
                <td class="n" data-label="95 % interval">{format::signed_percent(m.lo95)}" to "{format::signed_percent(m.hi95)}</td>
                <td data-label="Judged">{m.judgement.plain()}{m.guard.then_some(", guard")}</td>
            </tr>
        }
    };
    let achieved = e.achieved_month.filter(|_| in_force).map(|m| format!(" Achieved: {m} a month."));
    view! {
        <section class="panel">
            <header><h2>"What it did"</h2><div class="right">{format!("{} samples, {} to {}", e.samples, format::time(e.from), format::time(e.to))}</div></header>
            <div class="in"><p class=class>{icon(glyph)}<span>{word}": "{e.summary.clone()}"."{achieved}</span></p></div>
            <div class="table-wrap" tabindex="0" role="region" aria-label="Measured effect">
                <table class="cards dense effects">
                    <thead>
                        <tr>
                            <th scope="col">"Metric"</th><th scope="col" class="n">"Before"</th><th scope="col" class="n">"After"</th><th scope="col" class="n">"Change"</th>
                            <th scope="col" class="n">"95 % interval"</th><th scope="col">"Judged"</th>
                        </tr>
                    </thead>
                    <tbody>{e.metrics.iter().map(row).collect_view()}</tbody>
                </table>
            </div>
            <footer>"Before and after are compared at like load and like hour of the same service."</footer>
        </section>
    }
}
