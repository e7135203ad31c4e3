//! One file per page.

pub mod account;
pub mod audit;
pub mod benchmark;
pub mod benchmarks;
pub mod changes;
pub mod first_run;
pub mod grounds;
pub mod not_found;
pub mod overview;
pub mod recommendation;
pub mod recommendation_acts;
pub mod recommendation_schedule;
pub mod recommendations;
pub mod second_factor;
pub mod service;
pub mod service_deploys;
pub mod service_insights;
pub mod service_propose;
pub mod services;
pub mod settings;
pub mod sign_in;
pub mod tokens;
pub mod users;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// A value of the address's query as a signal, empty if it is not there.
#[must_use]
pub fn query(key: &'static str) -> Memo<String> {
    let map = use_query_map();
    Memo::new(move |_| map.with(|m| m.get(key)).unwrap_or_default())
}

/// A number of the query, 0 if it is not there.
#[must_use]
pub fn query_number(key: &'static str) -> Memo<u64> {
    let text = query(key);
    Memo::new(move |_| text.with(|t| t.parse().unwrap_or(0)))
}
