//! Server functions: doorways to the service. Each builds the context of the operation, calls one use case and maps its error.

pub mod account;
pub mod act;
pub mod admin;
pub mod json;
pub mod read;

use crate::form::Flash;
use headroom_model::auth::{Permission, Role};
use headroom_model::chart::ChartModel;
use headroom_model::view::Insights;
use serde::{Deserialize, Serialize};

/// What a form did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Done {
    /// A sentence.
    pub text: String,
    /// Where to go next.
    pub link: Option<String>,
    /// Something that is shown once: a code or a token.
    pub secret: Option<String>,
}

impl Done {
    /// Something was done, and the reader stays.
    #[must_use]
    pub fn said(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// What a page begins with: who is here, and what happened to the form that led here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The signed-in user.
    pub user: String,
    /// Their role.
    pub role: Role,
    /// Under which the page's forms are done once.
    pub key: String,
    /// The outcome of a form sent without JavaScript.
    pub flash: Option<Flash>,
}

impl Entry {
    /// Whether this person may do something.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.role.permits(permission)
    }
    /// Why they may not, in words; `None` if they may.
    #[must_use]
    pub fn why_not(&self, permission: Permission) -> Option<String> {
        (!self.may(permission))
            .then(|| format!("To {} you need the role {}; you have {}.", permission.plain(), permission.least_role(), self.role))
    }
}

/// A chart in both forms: a picture for now, options for the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartView {
    /// What it shows.
    pub title: String,
    /// The picture.
    pub svg: String,
    /// The options, JSON.
    pub options: String,
    /// Whether there is anything to see.
    pub empty: bool,
}

/// What is seen in a service beyond its size, each forecast with its chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InsightsView {
    /// In words and numbers, the forecasts without their steps.
    pub insights: Insights,
    /// In the order of the forecasts.
    pub charts: Vec<ChartView>,
}

impl ChartView {
    /// Draws a model both ways. `id` is unique on the page.
    #[cfg(feature = "ssr")]
    #[must_use]
    pub fn draw(model: &ChartModel, id: &str) -> Self {
        Self {
            title: model.title.clone(),
            svg: headroom_charts::svg(model, headroom_charts::Size::default(), id),
            options: headroom_charts::echarts(model).to_string(),
            empty: model.time_range().is_none(),
        }
    }
    /// Charts are drawn on the server only.
    #[cfg(not(feature = "ssr"))]
    #[must_use]
    pub fn draw(model: &ChartModel, _id: &str) -> Self {
        Self { title: model.title.clone(), svg: String::new(), options: String::new(), empty: true }
    }
}

#[cfg(feature = "ssr")]
fn draw_all(models: &[ChartModel], prefix: &str) -> Vec<ChartView> {
    models.iter().enumerate().map(|(i, m)| ChartView::draw(m, &format!("{prefix}{i}"))).collect()
}
