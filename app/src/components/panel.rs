//! Panels that load, fail and are empty without taking the page along.

use super::icon::{Icon, icon, sized};
use super::notice::request;
use crate::error::AppError;
use leptos::prelude::*;

/// What stands while something loads, of its final size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A chart.
    Chart,
    /// A row of figures.
    Figures,
    /// A table.
    Rows,
    /// A whole page.
    Page,
}

/// A placeholder of the final size.
#[must_use]
pub fn skeleton(shape: Shape) -> AnyView {
    let rows = || (0..8).map(|_| view! { <span class="skel row"></span> }).collect_view();
    let inner = match shape {
        Shape::Chart => view! { <span class="skel chart"></span> }.into_any(),
        Shape::Figures => view! { <span class="skel fig"></span> }.into_any(),
        Shape::Rows => rows().into_any(),
        Shape::Page => {
            view! { <span class="skel title"></span><span class="skel fig"></span><span class="skel chart"></span>{rows()} }.into_any()
        }
    };
    view! { <div class="stack" aria-busy="true"><span class="sr">"Loading"</span>{inner}</div> }.into_any()
}

/// What could not be shown, and what to do; the rest of the page stays.
#[must_use]
pub fn failed(what: &str, error: &AppError) -> AnyView {
    let (title, detail) = (format!("{what}: {}", error.0.title.to_lowercase()), error.0.detail.clone());
    view! {
        <div class="failed" role="alert">
            {icon(Icon::Alert)}
            <div><b>{title}</b><p>{detail}</p>{request(&error.0)}</div>
        </div>
    }
    .into_any()
}

/// Why there is nothing, and what to do.
#[must_use]
pub fn empty(glyph: Icon, title: impl Into<String>, why: impl Into<String>, next: Option<(&'static str, &'static str)>) -> AnyView {
    let (title, why) = (title.into(), why.into());
    view! {
        <div class="empty">
            {sized(glyph, "i l")}
            <h2>{title}</h2>
            <p>{why}</p>
            {next.map(|(href, word)| view! { <div class="acts"><a class="btn" href=href>{word}</a></div> })}
        </div>
    }
    .into_any()
}

/// Shows data once it is there, a placeholder before, and what failed instead if it fails.
pub fn load<T, V>(
    data: Resource<Result<T, AppError>>,
    what: &'static str,
    shape: Shape,
    view: impl Fn(T) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    view! {
        <Transition fallback=move || skeleton(shape)>
            {move || {
                let view = view.clone();
                Suspend::new(async move {
                    match data.await {
                        Ok(value) => view(value).into_any(),
                        Err(error) => failed(what, &error),
                    }
                })
            }}
        </Transition>
    }
}

/// The same for what the page is about: an unknown or forbidden thing gives the page that says so, with its status.
pub fn load_page<T, V>(data: Resource<Result<T, AppError>>, view: impl Fn(T) -> V + Clone + Send + Sync + 'static) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    view! {
        <Transition fallback=move || skeleton(Shape::Page)>
            {move || {
                let view = view.clone();
                Suspend::new(async move {
                    match data.await {
                        Ok(value) => view(value).into_any(),
                        Err(error) => refused(&error),
                    }
                })
            }}
        </Transition>
    }
}

/// The page in place of one that cannot be shown.
#[must_use]
pub fn refused(error: &AppError) -> AnyView {
    #[cfg(feature = "ssr")]
    if error.status() != 401 {
        crate::doorway::page_status(&error.0);
    }
    let problem = &error.0;
    let (glyph, title) = match problem.status {
        404 => (Icon::Help, "There is no such page".to_owned()),
        403 => (Icon::Shield, "You may not see this".to_owned()),
        401 => (Icon::Key, "Sign in first".to_owned()),
        _ => (Icon::Alert, problem.title.clone()),
    };
    let next = if problem.status == 401 { ("/sign-in", "Sign in") } else { ("/", "To the overview") };
    view! { <div class="panel">{heading_empty(glyph, title, problem.detail.clone(), next)}{request(problem).map(|id| view! { <div class="in">{id}</div> })}</div> }.into_any()
}

/// An empty page whose message is the page's own heading.
#[must_use]
pub fn heading_empty(glyph: Icon, title: String, why: String, next: (&'static str, &'static str)) -> AnyView {
    view! {
        <div class="empty">
            {sized(glyph, "i l")}
            <h1>{title}</h1>
            <p>{why}</p>
            <div class="acts"><a class="btn" href=next.0>{next.1}</a></div>
        </div>
    }
    .into_any()
}
