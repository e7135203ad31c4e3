//! Where the headroom is: every service by peak share of its request and by what it costs.

use crate::link;
use headroom_model::view::HeadroomDot;
use leptos::prelude::*;

/// Where the axis of shares begins and ends, in pixels.
pub const X: (f64, f64) = (48.0, 846.0);
/// Where the axis of costs begins and ends, in pixels.
pub const Y: (f64, f64) = (216.0, 14.0);
/// The axis ends here: 120 % of the request.
const WIDEST: f64 = 1.2;
/// More dots than this are a cloud that nobody reads.
const MOST: usize = 600;
/// From here to 95 % of the request is the right size.
const RIGHT: (f64, f64) = (0.70, 0.95);

/// The place of a share of the request.
#[must_use]
pub fn x(share: f64) -> f64 {
    round(X.0 + share.clamp(0.0, WIDEST) / WIDEST * (X.1 - X.0))
}

/// The place of a cost on an axis between these powers of ten.
#[must_use]
pub fn y(cost: f64, low: f64, high: f64) -> f64 {
    let share = (cost.max(low).log10() - low.log10()) / (high.log10() - low.log10()).max(0.1);
    round(Y.0 + share.clamp(0.0, 1.0) * (Y.1 - Y.0))
}

fn round(v: f64) -> f64 {
    (v * 10.0).round() / 10.0
}

/// The powers of ten that hold every cost.
#[must_use]
pub fn decades(dots: &[HeadroomDot]) -> Vec<f64> {
    let costs = || dots.iter().map(|d| d.cost_month).filter(|c| *c > 0.0);
    let (low, high) = (costs().fold(f64::INFINITY, f64::min), costs().fold(1.0, f64::max));
    let first = if low.is_finite() { low.log10().floor() as i32 } else { 0 };
    let last = (high.log10().ceil() as i32).max(first + 1);
    (first..=last).map(|p| 10f64.powi(p)).collect()
}

/// The picture, with a link on each dot.
#[must_use]
pub fn scatter(dots: &[HeadroomDot], what: &str) -> AnyView {
    if dots.is_empty() {
        return view! { <p class="muted">"No service has both a request and a price for this resource yet."</p> }.into_any();
    }
    let grid = decades(dots);
    let (low, high) = (grid[0], grid[grid.len() - 1]);
    let idle = dots.iter().filter(|d| d.peak_share < 0.5).count();
    let over = dots.iter().filter(|d| d.peak_share > 1.0).count();
    let label = format!(
        "{} services by peak {what} use over request and by cost a month; {idle} use under half of what they ask for, {over} use more",
        dots.len()
    );
    let lines = grid.iter().map(|v| {
        let at = y(*v, low, high);
        let text = if *v >= 1000.0 { format!("{:.0}k", v / 1000.0) } else { crate::format::number(*v).trim_end_matches(".00").to_owned() };
        view! { <line class="grid" x1=X.0 x2=X.1 y1=at y2=at /><text x="40" y=at + 4.0 text-anchor="end">{text}</text> }
    });
    let shares = (0..=6).map(|i| view! { <text x=x(f64::from(i) * 0.2) y="234" text-anchor="middle">{format!("{} %", i * 20)}</text> });
    let dot = |d: &HeadroomDot| {
        let colour = match d.peak_share {
            s if s > 1.0 => "var(--bad)",
            s if s > RIGHT.1 => "var(--warn)",
            s if s >= RIGHT.0 => "var(--good)",
            s if s >= 0.5 => "var(--use)",
            _ => "var(--accent)",
        };
        let text = format!("{}: peak {} of the request", d.service_name, crate::format::share(d.peak_share));
        view! {
            <g>
                <a href=link::service(&d.service_name) aria-label=text.clone()>
                    <circle cx=x(d.peak_share) cy=y(d.cost_month, low, high) r="3.5" fill=colour opacity="0.8"><title>{text.clone()}</title></circle>
                </a>
            </g>
        }
    };
    view! {
        <svg class="chart" viewBox="0 0 860 254" role="group" aria-label=label>
            <rect x=x(RIGHT.0) y="10" width=x(RIGHT.1) - x(RIGHT.0) height="206" fill="var(--good)" opacity="0.09" />
            <text class="done" x=x(f64::midpoint(RIGHT.0, RIGHT.1)) y="24" text-anchor="middle">"right size"</text>
            {lines.collect_view()}
            {shares.collect_view()}
            <text x=x(0.6) y="250" text-anchor="middle">"peak use as a share of the request · cost a month upwards"</text>
            <line class="axis" x1=x(1.0) x2=x(1.0) y1="14" y2="216" stroke-dasharray="3 3" />
            {dots.iter().take(MOST).map(dot).collect_view()}
        </svg>
    }
    .into_any()
}
