//! Forms that work with and without JavaScript: what became of them, and what was typed.

use crate::api::{Done, Entry};
use crate::error::AppError;
use headroom_model::problem::Problem;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_location;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The outcome of a form that was sent without JavaScript, on its way to the next page.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Flash {
    /// The form's name.
    pub form: String,
    /// The page it is for.
    pub path: String,
    /// What was done.
    pub done: Option<Done>,
    /// Why it was not.
    pub problem: Option<Problem>,
    /// What was typed, by field.
    pub typed: BTreeMap<String, String>,
}

/// What became of one form.
#[derive(Clone, Copy)]
pub struct Outcome {
    /// What was done.
    pub done: Signal<Option<Done>>,
    /// Why it was not.
    pub problem: Signal<Option<Problem>>,
    /// Whether it is on its way.
    pub pending: Signal<bool>,
    /// A key under which this form is done once; a new one after every answer.
    pub key: Signal<String>,
    typed: StoredValue<BTreeMap<String, String>>,
}

impl Outcome {
    /// Follows an action, beginning with what happened to the form of this name before the page was loaded.
    pub fn of<F>(form: &'static str, action: ServerAction<F>) -> Self
    where
        F: ServerFn<Output = Done, Error = AppError> + Clone + Send + Sync + 'static,
    {
        let entry = expect_context::<Entry>();
        let path = use_location().pathname.get_untracked();
        let flash = entry.flash.filter(|f| f.form == form && f.path == path).unwrap_or_default();
        let (value, version) = (action.value(), action.version());
        let typed = StoredValue::new(flash.typed);
        let (before_done, before_problem) = (flash.done, flash.problem);
        let done = Signal::derive(move || value.get().map_or_else(|| before_done.clone(), |v| v.ok()));
        let problem = Signal::derive(move || value.get().map_or_else(|| before_problem.clone(), |v| v.err().map(|e| e.0)));
        let key = Signal::derive(move || format!("{}-{form}-{}", entry.key, version.get()));
        Self { done, problem, pending: action.pending().into(), key, typed }
    }

    /// What stands in a field at first: what was typed before, else `otherwise`.
    #[must_use]
    pub fn typed(&self, field: &str, otherwise: &str) -> String {
        self.typed.with_value(|t| t.get(field).cloned()).unwrap_or_else(|| otherwise.to_owned())
    }

    /// The message beside a field.
    #[must_use]
    pub fn fault(&self, field: &str) -> Option<String> {
        self.problem.get().filter(|p| p.field.as_deref() == Some(field)).map(|p| p.detail)
    }
}
