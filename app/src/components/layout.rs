//! The frame around every page: navigation, where you are, how old the data is, who you are.

use super::icon::{Icon, icon};
use super::keys::KeysDialog;
use super::palette::Palette;
use super::panel::{Shape, failed, skeleton};
use super::theme::ThemeMenu;
use crate::api::{Entry, read};
use crate::format;
use crate::live::Live;
use headroom_model::auth::Role;
use headroom_model::ids::{BenchmarkId, RecommendationId};
use headroom_model::view::Frame;
use leptos::context::Provider;
use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_location;

/// The frame. What is inside is rendered once it is known who is here.
#[component]
pub fn Layout(
    /// The page.
    children: ChildrenFn,
) -> impl IntoView {
    let live = Live::new();
    provide_context(live);
    live.listen();
    let entry = Resource::new_blocking(|| (), |()| read::entry());
    let frame = Resource::new_blocking(move || live.rev(&["samples", "recommendations", "changes"]), |_| read::frame());
    view! {
        <a class="skip" href="#main">"Skip to content"</a>
        <div class="shell">
            <aside class="side">
                {brand()}
                <Navigation frame />
                <div class="foot"><Cluster frame /></div>
            </aside>
            <div class="main">
                <Transition fallback=move || view! { <main id="main" class="body">{skeleton(Shape::Page)}</main> }>
                    {move || {
                        let children = children.clone();
                        Suspend::new(async move {
                            match entry.await {
                                Ok(entry) => inside(entry, frame, children).into_any(),
                                Err(error) => view! { <main id="main" class="body"><h1 class="sr">"Headroom"</h1>{failed("This page", &error)}</main> }.into_any(),
                            }
                        })
                    }}
                </Transition>
            </div>
        </div>
        <nav class="tabbar" aria-label="Main, short">
            <A href="/" exact=true>{icon(Icon::Overview)}"Overview"</A>
            <A href="/recommendations">{icon(Icon::Recommendations)}"Inbox"</A>
            <A href="/changes">{icon(Icon::Changes)}"Changes"</A>
            <A href="/services">{icon(Icon::Services)}"Services"</A>
            <A href="/settings">{icon(Icon::Menu)}"More"</A>
        </nav>
        <div class="toasts"><div id="start-failed" class="toast bad" role="alert" hidden>"The page could not be started. It still works; reload it for live figures."</div></div>
    }
}

fn inside(entry: Entry, frame: Resource<Result<Frame, crate::AppError>>, children: ChildrenFn) -> impl IntoView + use<> {
    let may_read_audit = entry.clone();
    view! {
        <Provider value=entry>
            <header class="top">
                <Crumbs />
                <div class="right">
                    <Palette />
                    <Age frame />
                    <ThemeMenu />
                    <Account entry=may_read_audit />
                </div>
            </header>
            <main id="main" class="body">{children()}</main>
            <KeysDialog />
        </Provider>
    }
}

/// The product's mark, with the way home.
#[must_use]
pub fn brand() -> impl IntoView + use<> {
    view! {
        <a class="brand" href="/">
            <svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
                <rect class="plate" x="2" y="3" width="20" height="18" rx="5" />
                <path class="use" d="M6 16h3l2-5 3 3 4-2" />
                <path class="ask" d="M6 7.5h12" />
            </svg>
            "Headroom"
        </a>
    }
}

type FrameData = Resource<Result<Frame, crate::AppError>>;

/// A figure of the frame; nothing while it is not known.
fn with_frame(frame: FrameData, show: fn(Frame) -> AnyView) -> impl IntoView + use<> {
    view! {
        <Transition>
            {move || Suspend::new(async move { frame.await.ok().map(show) })}
        </Transition>
    }
}

#[component]
fn Navigation(frame: FrameData) -> impl IntoView {
    let waiting = |f: Frame| {
        let class = if f.role == Some(Role::Approver) && f.waiting > 0 { "count hot" } else { "count" };
        (f.waiting > 0).then(|| view! { <span class=class>{f.waiting}</span> }).into_any()
    };
    let active = |f: Frame| (f.active_changes > 0).then(|| view! { <span class="count">{f.active_changes}</span> }).into_any();
    let services = |f: Frame| view! { <span class="count">{f.services}</span> }.into_any();
    view! {
        <nav class="nav" aria-label="Main">
            <A href="/" exact=true>{icon(Icon::Overview)}"Overview"</A>
            <A href="/recommendations">{icon(Icon::Recommendations)}"Recommendations"{with_frame(frame, waiting)}</A>
            <A href="/changes">{icon(Icon::Changes)}"Changes"{with_frame(frame, active)}</A>
            <A href="/services">{icon(Icon::Services)}"Services"{with_frame(frame, services)}</A>
            <div class="nav-title">"Record"</div>
            <A href="/benchmarks">{icon(Icon::Benchmarks)}"Benchmarks"</A>
            <A href="/audit">{icon(Icon::Audit)}"Audit"</A>
            <A href="/settings">{icon(Icon::Settings)}"Settings"</A>
        </nav>
    }
}

#[component]
fn Cluster(frame: FrameData) -> impl IntoView {
    with_frame(frame, |f| {
        let name = match f.clusters.as_slice() {
            [] => "No cluster yet".to_owned(),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
        let dot = if f.newest_sample.is_some() { "dot" } else { "dot off" };
        let line = format!("{}{}", format::count(u64::from(f.services), "service", "services"), if f.demo { " · simulated" } else { "" });
        view! { <div class="cluster"><span class=dot></span><div><div class="strong">{name}</div><div class="faint small">{line}</div></div></div> }.into_any()
    })
}

/// How old the newest data is: by the cluster's clock at first, then counted since the newest message.
#[component]
fn Age(frame: FrameData) -> impl IntoView {
    with_frame(frame, |f| {
        let live = expect_context::<Live>();
        let Some(newest) = f.newest_sample else {
            return view! { <span class="live late"><span class="dot off"></span>"no samples yet"</span> }.into_any();
        };
        let at_first = f.now.secs_since(newest);
        let age = move || live.quiet.get().map_or(at_first, i64::from);
        let late = move || live.quiet.get().is_some_and(|s| s > 60);
        let title = format!("Newest sample: {}, cluster time", format::exact(newest));
        view! {
            <span class="live" class:late=late title=title>
                <span class="dot" class:warn=late></span>
                {move || if late() { format!("quiet for {}", format::short(age())) } else { format!("live, {}", format::short(age())) }}
            </span>
        }
        .into_any()
    })
}

#[component]
fn Account(entry: Entry) -> impl IntoView {
    let initials = format::initials(&entry.user);
    let label = format!("{initials}: account of {}, {}", entry.user, entry.role);
    view! {
        <details class="menu">
            <summary class="avatar" aria-label=label>{initials}</summary>
            <div class="menu-list">
                <span class="muted small">{entry.user.clone()}" · "{entry.role.plain()}</span>
                <a href="/account">{icon(Icon::Key)}"Your account"</a>
                <a href="/settings/tokens">{icon(Icon::Key)}"API tokens"</a>
                <hr />
                <form method="post" action="/sign-out"><button type="submit">{icon(Icon::SignOut)}"Sign out"</button></form>
            </div>
        </details>
    }
}

/// Where you are, from the address.
#[component]
fn Crumbs() -> impl IntoView {
    let path = use_location().pathname;
    view! {
        <nav class="crumbs" aria-label="Where you are">
            {move || {
                let path = path.get();
                let mut parts = path.split('/').filter(|p| !p.is_empty());
                let (section, rest) = (parts.next().unwrap_or_default().to_owned(), parts.next().map(crate::link::decode));
                let name = section_name(&section);
                match rest {
                    None => view! { <b>{name}</b> }.into_any(),
                    Some(rest) => {
                        let rest = short(&section, rest);
                        view! { <a href=format!("/{section}")>{name}</a><span aria-hidden="true">"/"</span><b>{rest}</b> }.into_any()
                    }
                }
            }}
        </nav>
    }
}

/// What stands last in an address, as people say it.
fn short(section: &str, rest: String) -> String {
    match section {
        "recommendations" => rest.parse().map_or(rest, RecommendationId::short),
        "benchmarks" => rest.parse().map_or(rest, BenchmarkId::short),
        _ => rest,
    }
}

fn section_name(section: &str) -> String {
    let mut letters = section.chars();
    match letters.next() {
        None => "Overview".to_owned(),
        Some(first) => first.to_uppercase().chain(letters).collect(),
    }
}
