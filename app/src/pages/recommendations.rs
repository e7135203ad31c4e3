//! The inbox: what is proposed, what waits, what is under way, what is done; several can be submitted at once.

use super::{query, query_number};
use crate::api::act::{Analyze, Cancel, SubmitMany};
use crate::api::{Entry, read};
use crate::components::bar::{headroom_bar, legend};
use crate::components::fields::OnceKey;
use crate::components::icon::{Icon, icon};
use crate::components::keys::typing;
use crate::components::notice::{Notice, newest};
use crate::components::panel::{Shape, empty, load};
use crate::components::status::{of_job, of_recommendation, risk, status};
use crate::components::table::{choose, pages, saving, sortable};
use crate::form::Outcome;
use crate::format;
use crate::link;
use crate::live::{Live, keep_places};
use headroom_model::auth::Permission;
use headroom_model::ids::RecommendationId;
use headroom_model::job::{OptimizationStatus, OptimizationType};
use headroom_model::recommendation::{RecommendationState, Risk};
use headroom_model::view::{JobRow, PageOf, RecommendationQuery, RecommendationRow};
use leptos::ev;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos_meta::Title;

const VIEWS: [(&str, &str); 4] = [("open", "Open"), ("waiting", "Waiting for approval"), ("progress", "In progress"), ("done", "Done")];

fn address(q: &RecommendationQuery, key: &str, value: &str) -> String {
    let pick = |name: &str, now: &str| if name == key { value.to_owned() } else { now.to_owned() };
    let parts = [
        ("view", pick("view", &q.view)),
        ("type", pick("type", &q.optimization_type)),
        ("team", pick("team", &q.team)),
        ("risk", pick("risk", &q.risk)),
        ("status", pick("status", &q.status)),
        ("sort", pick("sort", &q.sort)),
    ];
    link::with("/recommendations", &parts.each_ref().map(|(k, v)| (*k, v.as_str())))
}

/// The page.
#[component]
pub fn RecommendationsPage() -> impl IntoView {
    let (live, entry) = (expect_context::<Live>(), expect_context::<Entry>());
    let (submit, analyze) = (ServerAction::<SubmitMany>::new(), ServerAction::<Analyze>::new());
    let cancel = ServerAction::<Cancel>::new();
    let (submitted, analyzed) = (Outcome::of("submit_many", submit), Outcome::of("analyze", analyze));
    let cancelled = Outcome::of("cancel", cancel);
    let (view, kind, team, level) = (query("view"), query("type"), query("team"), query("risk"));
    let (state, sort, cursor, from) = (query("status"), query("sort"), query("cursor"), query_number("from"));
    let asked = Memo::new(move |_| RecommendationQuery {
        view: view.get(),
        optimization_type: kind.get(),
        team: team.get(),
        risk: level.get(),
        status: state.get(),
        sort: sort.get(),
        cursor: cursor.get(),
        ..RecommendationQuery::default()
    });
    let done = move || submit.version().get();
    let data = Resource::new_blocking(
        move || (asked.get(), live.rev(&["recommendations", "changes"]), done()),
        |(query, _, _)| {
            read::recommendations(RecommendationQuery {
                view: if query.view.is_empty() { "open".to_owned() } else { query.view.clone() },
                ..query
            })
        },
    );
    let teams = Resource::new_blocking(|| (), |()| read::teams());
    let jobs = Resource::new_blocking(move || (live.rev(&["jobs"]), analyze.version().get(), cancel.version().get()), |_| read::jobs());
    let seen = StoredValue::new((RecommendationQuery::default(), Vec::<RecommendationId>::new()));
    let selected = RwSignal::new(0usize);
    let said = newest([submit.version(), analyze.version(), cancel.version()]);
    let (may_submit, may_cancel) = (entry.may(Permission::Submit), entry.may(Permission::Analyze));
    rows_by_keyboard();
    view! {
        <Title text="Recommendations" />
        <div class="head">
            <div><h1>"Recommendations"</h1>{load(data, "The count", Shape::Figures, move |p| lead(&asked.get(), p.total))}</div>
            <div class="acts">{analyse_button(analyze, analyzed, "fleet", &entry)}</div>
        </div>
        <Show when=move || said(0)><Notice outcome=submitted /></Show>
        <Show when=move || said(1)><Notice outcome=analyzed /></Show>
        <div class="filters">{filters(asked, teams)}</div>
        <ActionForm action=submit attr:id="batch" on:change=move |_| selected.set(mark_selected())>
            <OnceKey outcome=submitted />
            <section class="panel">
                {load(data, "The recommendations", Shape::Rows, move |page: PageOf<RecommendationRow>| {
                    let asked = asked.get();
                    if page.items.is_empty() {
                        return none(&asked);
                    }
                    let places = seen.with_value(|s| if s.0 == asked { s.1.clone() } else { Vec::new() });
                    let rows = keep_places(&places, page.items, |r| r.id);
                    seen.set_value((asked.clone(), rows.iter().map(|r| r.id).collect()));
                    let may_select = may_submit && selectable(&asked);
                    list(&asked, rows, page.total, page.next_cursor, from.get(), may_select).into_any()
                })}
            </section>
        </ActionForm>
        <Show when=move || said(2)><Notice outcome=cancelled /></Show>
        {load(jobs, "The analyses", Shape::Rows, move |jobs| analyses(&jobs, may_cancel.then_some((cancel, cancelled))))}
        {move || (may_submit && selectable(&asked.get())).then(|| view! {
            <div class="bar">
                <b>{move || match selected.get() { 0 => "Nothing selected".to_owned(), n => format!("{n} selected") }}</b>
                <span class="muted hide-s">"Each becomes a change of its own, which someone else approves."</span>
                <div class="right"><button class="btn go" type="submit" form="batch" aria-busy=move || submitted.pending.get().then_some("true")>{icon(Icon::Send)}"Submit selected"</button></div>
            </div>
        })}
    }
}

/// Whether the view shows what can be submitted.
fn selectable(asked: &RecommendationQuery) -> bool {
    matches!(asked.view.as_str(), "" | "open")
}

fn lead(asked: &RecommendationQuery, total: u64) -> impl IntoView + use<> {
    let what = match (asked.view.as_str(), total) {
        ("waiting", 1) => "waits for an approver.",
        ("waiting", _) => "wait for an approver.",
        ("progress", 1) => "is being carried out or watched.",
        ("progress", _) => "are being carried out or watched.",
        ("done", 1) => "is done.",
        ("done", _) => "are done.",
        (_, 1) => "is open, with its evidence, its plan line by line, and a way back.",
        _ => "are open: each with its evidence, its plan line by line, and a way back.",
    };
    view! { <p class="lead">{format!("{} {what}", headroom_model::units::thousands(total))}</p> }
}

/// The button that starts an analysis; disabled, with the reason, for those who may not.
pub fn analyse_button(action: ServerAction<Analyze>, outcome: Outcome, what: &str, entry: &Entry) -> impl IntoView + use<> {
    let (why_not, what) = (entry.why_not(Permission::Analyze), what.to_owned());
    let disabled = why_not.is_some();
    view! {
        <ActionForm action=action>
            <OnceKey outcome=outcome />
            <input type="hidden" name="service_name" value=what />
            <button class="btn" type="submit" disabled=disabled title=why_not aria-busy=move || outcome.pending.get().then_some("true")>{icon(Icon::Play)}"Analyse now"</button>
        </ActionForm>
    }
}

fn filters(asked: Memo<RecommendationQuery>, teams: Resource<Result<Vec<String>, crate::AppError>>) -> impl IntoView + use<> {
    load(teams, "The teams", Shape::Figures, move |teams| {
        let asked = asked.get();
        let current = if asked.view.is_empty() { "open" } else { asked.view.as_str() };
        let tab = |(key, word): (&'static str, &'static str)| {
            view! { <a href=address(&RecommendationQuery { view: key.to_owned(), ..RecommendationQuery::default() }, "", "") aria-current=(key == current).then_some("true")>{word}</a> }
        };
        let teams = teams.into_iter().map(|t| (t.clone(), t)).collect();
        let kinds = OptimizationType::ALL.iter().map(|t| (t.as_str().to_owned(), t.plain().to_owned())).collect();
        let risks = Risk::ALL.iter().map(|r| (r.as_str().to_owned(), r.plain().to_owned())).collect();
        let states = OptimizationStatus::ALL.iter().map(|s| (s.as_str().to_owned(), s.plain().to_owned())).collect();
        view! {
            <span class="seg">{VIEWS.map(tab).collect_view()}</span>
            {choose("Type", &asked.optimization_type, kinds, |v| address(&asked, "type", v))}
            {choose("Team", &asked.team, teams, |v| address(&asked, "team", v))}
            {choose("Risk", &asked.risk, risks, |v| address(&asked, "risk", v))}
            {choose("Status", &asked.status, states, |v| address(&asked, "status", v))}
            <span class="faint small hide-s"><kbd>"J"</kbd>" "<kbd>"K"</kbd>" move "<kbd>"X"</kbd>" select "<kbd>"?"</kbd>" all keys"</span>
        }
    })
}

fn none(asked: &RecommendationQuery) -> AnyView {
    let filtered = !(asked.team.is_empty() && asked.risk.is_empty() && asked.optimization_type.is_empty() && asked.status.is_empty());
    if filtered {
        return empty(
            Icon::Search,
            "Nothing fits these filters",
            "There are others in this view.",
            Some(("/recommendations", "Clear the filters")),
        );
    }
    match asked.view.as_str() {
        "waiting" => empty(
            Icon::Done,
            "Nothing waits for approval",
            "What engineers submit appears here.",
            Some(("/recommendations", "See what is open")),
        ),
        "progress" => empty(
            Icon::Done,
            "Nothing is under way",
            "Approved changes appear here while they are applied and watched.",
            Some(("/changes", "See all changes")),
        ),
        "done" => empty(
            Icon::Clock,
            "Nothing is done yet",
            "Changes appear here once they are verified or rolled back.",
            Some(("/recommendations", "See what is open")),
        ),
        _ => empty(
            Icon::Done,
            "Nothing to recommend",
            "Every service is the right size, or has too little data yet; each service says which. Analyses run by themselves.",
            Some(("/services", "See the services")),
        ),
    }
}

fn list(
    asked: &RecommendationQuery,
    rows: Vec<RecommendationRow>,
    total: u64,
    next: Option<String>,
    from: u64,
    may_select: bool,
) -> impl IntoView + use<> {
    let shown = rows.len() as u64;
    let sort = |key: &str| address(asked, "sort", key);
    let order = if asked.sort.is_empty() { "-priority" } else { asked.sort.as_str() };
    let base = address(asked, "", "");
    let joint = if base.contains('?') { '&' } else { '?' };
    let onward = next.map(|c| format!("{base}{joint}cursor={}&from={}", link::encode(&c), from + shown));
    let first = (!asked.cursor.is_empty()).then(|| base.clone());
    view! {
        <div class="table-wrap" tabindex="0" role="region" aria-label="Recommendations">
            <table class="cards">
                <thead>
                    <tr>
                        {may_select.then(|| view! { <th class="tick" scope="col"><span class="sr">"Select"</span></th> })}
                        {sortable("Service", "service", order, false, sort)}
                        <th scope="col">"Change"</th>
                        <th scope="col">"Use against request"</th>
                        {sortable("Saves a month", "saving", order, true, sort)}
                        {sortable("Confidence", "confidence", order, true, sort)}
                        <th scope="col">"Risk"</th>
                        <th scope="col">"Status"</th>
                    </tr>
                </thead>
                <tbody>{rows.iter().map(|r| row(r, may_select)).collect_view()}</tbody>
            </table>
        </div>
        <footer class="row-x">{pages(from, shown, total, first, onward)}{legend()}</footer>
    }
}

fn row(r: &RecommendationRow, may_select: bool) -> impl IntoView + use<> {
    let href = format!("/recommendations/{}", r.id);
    let open = r.state == RecommendationState::Open;
    let applied = r.status == OptimizationStatus::Applied;
    let tick = may_select.then(|| {
        let label = format!("Select {}: {}", r.service_name, r.title);
        view! { <td class="tick">{open.then(|| view! { <input type="checkbox" class="check" name="ids[]" value=r.id.to_string() aria-label=label /> })}</td> }
    });
    view! {
        <tr>
            {tick}
            <td class="lead-cell"><a class="strong" href=href>{r.service_name.clone()}</a>" "<span class="sub">{r.namespace.clone()}</span></td>
            <td data-label="Change">{r.title.clone()}</td>
            <td data-label="Use against request">{headroom_bar(r.bar.as_ref(), applied, false)}</td>
            <td class="n" data-label="Saves a month">{saving(r.saving_month)}</td>
            <td class="n" data-label="Confidence">{format::share(r.expected.confidence.get())}</td>
            <td data-label="Risk">{risk(r.risk)}</td>
            <td data-label="Status">{status(of_recommendation(r.state, r.substate))}</td>
        </tr>
    }
}

/// The newest analyses; one that has not ended can be cancelled by who may.
fn analyses(jobs: &[JobRow], cancel: Option<(ServerAction<Cancel>, Outcome)>) -> impl IntoView + use<> {
    let row = |j: &JobRow| {
        let cancel = cancel.filter(|_| !j.state.ended()).map(|(action, outcome)| cancel_button(action, outcome, j));
        let found = j.reason.clone().unwrap_or_else(|| format::count(u64::from(j.recommendations), "recommendation", "recommendations"));
        view! {
            <tr>
                <td class="mono lead-cell">{j.id.short()}</td>
                <td data-label="Covered">{j.service_name.clone()}</td>
                <td data-label="State">{status(of_job(j.state))}</td>
                <td class="wrap" data-label="Found">{found}</td>
                <td class="n" data-label="Begun">{format::time(j.created_at)}</td>
                <td>{cancel}</td>
            </tr>
        }
    };
    let rows = jobs.iter().take(6).map(row).collect_view();
    (!jobs.is_empty()).then(|| view! {
        <section class="panel">
            <header><h2>"Newest analyses"</h2></header>
            <div class="table-wrap" tabindex="0" role="region" aria-label="Newest analyses">
                <table class="cards dense">
                    <thead><tr><th scope="col">"Analysis"</th><th scope="col">"Covered"</th><th scope="col">"State"</th><th scope="col">"Found"</th><th scope="col" class="n">"Begun, UTC"</th><th scope="col"><span class="sr">"Actions"</span></th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    })
}

fn cancel_button(action: ServerAction<Cancel>, outcome: Outcome, job: &JobRow) -> impl IntoView + use<> {
    let (id, label) = (job.id.to_string(), format!("Cancel the analysis {}", job.id.short()));
    view! {
        <ActionForm action=action>
            <OnceKey outcome />
            <input type="hidden" name="id" value=id />
            <button class="btn small" type="submit" aria-label=label>"Cancel"</button>
        </ActionForm>
    }
}

fn elements(selector: &str) -> Vec<web_sys::Element> {
    let Ok(list) = document().query_selector_all(selector) else { return Vec::new() };
    (0..list.length()).filter_map(|i| list.item(i)?.dyn_into().ok()).collect()
}

/// Tints the rows whose box is ticked; returns how many there are.
fn mark_selected() -> usize {
    let boxes = elements("#batch tbody input.check");
    let ticked = |b: &web_sys::Element| b.dyn_ref::<web_sys::HtmlInputElement>().is_some_and(web_sys::HtmlInputElement::checked);
    for b in &boxes {
        if let Ok(Some(row)) = b.closest("tr") {
            let _ = row.class_list().toggle_with_force("on", ticked(b));
        }
    }
    boxes.iter().filter(|b| ticked(b)).count()
}

/// J and K move through the rows, X selects, Enter opens.
fn rows_by_keyboard() {
    let at = StoredValue::new(None::<usize>);
    let move_to = move |rows: &[web_sys::Element], to: usize| {
        for (i, row) in rows.iter().enumerate() {
            let _ = row.class_list().toggle_with_force("at", i == to);
        }
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        rows[to].scroll_into_view_with_scroll_into_view_options(&options);
        at.set_value(Some(to));
    };
    Effect::new(move || {
        let handle = window_event_listener(ev::keydown, move |event| {
            let rows = elements("#batch tbody tr");
            if typing(&event) || rows.is_empty() {
                return;
            }
            let now = at.get_value().map(|i| i.min(rows.len() - 1));
            let press = |selector: &str| {
                let element = now.and_then(|i| rows[i].query_selector(selector).ok().flatten());
                if let Some(element) = element.and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok()) {
                    element.click();
                }
            };
            match event.key().as_str() {
                "j" => move_to(&rows, now.map_or(0, |i| (i + 1).min(rows.len() - 1))),
                "k" => move_to(&rows, now.map_or(0, |i| i.saturating_sub(1))),
                "x" => press("input.check"),
                "Enter" if event.target().is_some_and(|t| t.dyn_into::<web_sys::HtmlBodyElement>().is_ok()) => press("a.strong"),
                _ => {}
            }
        });
        on_cleanup(move || handle.remove());
    });
}
