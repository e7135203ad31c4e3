//! A sparkline: the shape of the last day, gaps left open.

use headroom_model::chart::spark_path;
use leptos::prelude::*;

/// A sparkline, 96 × 22; `label` says what it shows.
#[must_use]
pub fn spark(points: &[Option<f32>], label: String) -> AnyView {
    if points.iter().flatten().next().is_none() {
        return view! { <span class="faint">{crate::format::UNKNOWN}</span> }.into_any();
    }
    view! {
        <svg class="spark" viewBox="0 0 96 22" preserveAspectRatio="none" role="img" aria-label=label>
            <path d=spark_path(points, 96.0, 22.0) />
        </svg>
    }
    .into_any()
}

/// A share as a small bar: the part in ink, the whole behind it. `scale` is the length of the whole, 0 to 1.
#[must_use]
pub fn meter(part: f64, scale: f64) -> impl IntoView + use<> {
    let whole = (104.0 * scale.clamp(0.0, 1.0)).max(2.0).round();
    view! {
        <svg class="meter" viewBox="0 0 104 8" preserveAspectRatio="none" aria-hidden="true">
            <rect class="all" width=whole height="8" rx="2" />
            <rect class="part" width=(whole * part.clamp(0.0, 1.0)).round() height="8" rx="2" />
        </svg>
    }
}
