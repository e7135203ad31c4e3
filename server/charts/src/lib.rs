//! One [`ChartModel`](headroom_model::chart::ChartModel), two renderers: [`svg`] with plotters for first paint, exports and pages
//! without JavaScript, [`echarts`] with charming for the browser. Both show the same points, which a test holds.
//! Colours are the style sheet's tokens, so that one picture serves both themes.

mod colour;
mod options;
mod picture;
mod scale;

pub use options::echarts;
pub use picture::{Size, svg};

/// A sparkline as SVG, 96 × 22, gaps left open: CSS class `spark`. Decorative; whoever shows it says in words what it shows.
#[must_use]
pub fn spark(points: &[Option<f32>]) -> String {
    format!(
        r#"<svg class="spark" viewBox="0 0 96 22" preserveAspectRatio="none" aria-hidden="true" xmlns="http://www.w3.org/2000/svg"><path d="{}"/></svg>"#,
        headroom_model::chart::spark_path(points, 96.0, 22.0)
    )
}

#[cfg(test)]
mod tests;
