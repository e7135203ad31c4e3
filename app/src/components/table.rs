//! Pieces of tables: sortable headers, pages, filters that live in the address.

use super::icon::{Icon, icon};
use crate::{format, link};
use leptos::prelude::*;

/// A sortable column's header. `order` is the order in force: the column's key, with `-` before it when the largest comes first.
#[must_use]
pub fn sortable(word: &'static str, key: &'static str, order: &str, numeric: bool, address: impl Fn(&str) -> String) -> AnyView {
    let (down, up) = (order.strip_prefix('-') == Some(key), order == key);
    // Figures begin with the largest, names with the first.
    let next = match (down, up) {
        (true, _) => key.to_owned(),
        (_, true) => format!("-{key}"),
        _ if numeric => format!("-{key}"),
        _ => key.to_owned(),
    };
    let sorted = if down {
        Some("descending")
    } else if up {
        Some("ascending")
    } else {
        None
    };
    let arrow = if down {
        " ↓"
    } else if up {
        " ↑"
    } else {
        ""
    };
    view! { <th scope="col" class=numeric.then_some("n") aria-sort=sorted><a href=address(&next)>{word}<span aria-hidden="true">{arrow}</span></a></th> }.into_any()
}

/// Where a list stands, and the way on. `from` is the number of rows before this page.
#[must_use]
pub fn pages(from: u64, shown: u64, total: u64, first: Option<String>, next: Option<String>) -> impl IntoView + use<> {
    let range = if shown == 0 { "0".to_owned() } else { format!("{}–{}", from + 1, from + shown) };
    view! {
        <nav class="pages" aria-label="Pages">
            <span>{range}" of "{headroom_model::units::thousands(total)}</span>
            <span class="end">
                {first.map(|href| view! { <a class="btn small" href=href rel="prev">"First page"</a> })}
                {next.map(|href| view! { <a class="btn small" href=href rel="next">"Next"</a> })}
            </span>
        </nav>
    }
}

/// A filter as a menu of links; the chosen one is a chip that can be cleared. `choices` are (value, word).
#[must_use]
pub fn choose(word: &'static str, chosen: &str, choices: Vec<(String, String)>, address: impl Fn(&str) -> String) -> AnyView {
    if let Some((_, name)) = choices.iter().find(|(v, _)| v == chosen && !v.is_empty()) {
        let label = format!("Clear the filter {word}: {name}");
        return view! { <a class="chip on" href=address("") aria-label=label>{format!("{word}: {name}")}{icon(Icon::Close)}</a> }
            .into_any();
    }
    let links = choices.into_iter().map(|(value, name)| view! { <a href=address(&value)>{name}</a> }).collect_view();
    view! {
        <details class="menu">
            <summary class="chip">{icon(Icon::Plus)}{word}</summary>
            <div class="menu-list">{links}</div>
        </details>
    }
    .into_any()
}

/// A link to a service, as it stands first in a row.
#[must_use]
pub fn service_name(name: &str, namespace: &str) -> impl IntoView + use<> {
    let (href, name, namespace) = (link::service(name), name.to_owned(), namespace.to_owned());
    view! { <a class="strong" href=href>{name}</a>" "<span class="sub">{namespace}</span> }
}

/// A span of money saved: green when it saves, red with a minus when it costs.
#[must_use]
pub fn saving(amount: Option<headroom_model::units::Money>) -> impl IntoView + use<> {
    let tone = if amount.is_some_and(|m| m.micros < 0) { "bad" } else { "" };
    view! { <span class=tone>{format::money(amount)}</span> }
}
