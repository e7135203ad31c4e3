//! The headroom bar: use (p50 to p99, and the peak) against the request (dashed) and the proposal (solid).

use crate::format;
use headroom_model::recommendation::UseBar;
use leptos::prelude::*;

/// Where the picture's scale begins.
pub const LEFT: f64 = 4.0;
const WIDTH: f64 = 140.0;

/// Places of the marks, in pixels of a picture 148 wide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Marks {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest value.
    pub peak: f64,
    /// What is asked for.
    pub request: Option<f64>,
    /// What is proposed.
    pub proposed: Option<f64>,
}

/// Where the marks of a bar stand.
#[must_use]
pub fn place(bar: &UseBar) -> Marks {
    let largest = [bar.p99, bar.peak, bar.request.unwrap_or(0.0), bar.proposed.unwrap_or(0.0)]
        .into_iter()
        .filter(|v| v.is_finite())
        .fold(0.0, f64::max);
    let scale = if largest > 0.0 { WIDTH / (largest * 1.06) } else { 0.0 };
    let x = |v: f64| ((LEFT + v.max(0.0) * scale) * 10.0).round() / 10.0;
    Marks { p50: x(bar.p50), p99: x(bar.p99), peak: x(bar.peak), request: bar.request.map(x), proposed: bar.proposed.map(x) }
}

/// What the picture says, in words.
#[must_use]
pub fn words(bar: &UseBar, applied: bool) -> String {
    let value = |v| format::value(bar.metric, v);
    let mut text = format!("{}: p50 {}, p99 {}, peak {}", format::metric(bar.metric), value(bar.p50), value(bar.p99), value(bar.peak));
    text += &bar.request.map_or_else(|| "; no request".to_owned(), |r| format!("; request {}", value(r)));
    if let Some(p) = bar.proposed {
        text += &format!("; {} {}", if applied { "applied" } else { "proposed" }, value(p));
    }
    text
}

/// The headroom bar of a resource; `applied` turns the proposal green. Nothing known is an empty cell with a dash.
#[must_use]
pub fn headroom_bar(bar: Option<&UseBar>, applied: bool, wide: bool) -> AnyView {
    let Some(bar) = bar else { return view! { <span class="faint">{format::UNKNOWN}</span> }.into_any() };
    let m = place(bar);
    let mark = if applied { "done" } else { "prop" };
    view! {
        <svg class=if wide { "hb wide" } else { "hb" } viewBox="0 0 148 22" role="img" aria-label=words(bar, applied)>
            <line class="track" x1="4" x2="144" y1="11" y2="11" />
            <rect class="span" x=m.p50 y="7.5" width=(m.p99 - m.p50).max(1.0) height="7" rx="2" />
            <rect class="p50" x=m.p50 - 0.5 y="7.5" width="1.5" height="7" />
            <line class="tail" x1=m.p99 x2=m.peak y1="11" y2="11" />
            {m.request.map(|x| view! { <line class="ask" x1=x x2=x y1="3" y2="19" /> })}
            {m.proposed.map(|x| view! { <line class=mark x1=x x2=x y1="2" y2="20" /> })}
        </svg>
    }
    .into_any()
}

/// The one legend of all headroom bars.
#[must_use]
pub fn legend() -> impl IntoView + use<> {
    view! {
        <span class="legend">
            <span class="band"><i class="key box"></i>"p50 to p99 of use"</span>
            <span class="ask"><i class="key dash"></i>"request"</span>
            <span class="prop"><i class="key"></i>"proposed"</span>
        </span>
    }
}
