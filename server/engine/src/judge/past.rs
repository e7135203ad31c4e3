//! What a service's own past says of a change, where enough of it is known.
//!
//! Every sample is compared with what earlier ones at like load and like hour say it should have been ([`like`](super::like)); the centre of
//! these residuals over the window, less their centre over the day before, is the effect. How far that statistic moves when nothing was changed is
//! measured, not assumed: it is computed over all earlier windows of the same length (an A/A distribution), which carries autocorrelation, drift
//! and odd hours with it. Sure is four robust standard deviations of that distribution and a quarter beyond its extreme.

use super::WARM_UP;
use super::cells::Windows;
use super::like::{Past, centre};
use super::rule::{Evidence, Scale};
use crate::samples::Samples;
use crate::stats;
use headroom_model::metric::Metric;
use headroom_model::series::Series;
use headroom_model::time::{DAY, HOUR};

/// Robust standard deviations of the A/A distribution that an effect must pass.
const SIGMAS: f64 = 4.0;
/// How far beyond the extremes of the A/A distribution, as a factor.
const BEYOND: f64 = 1.25;
/// Fewest A/A windows that make a distribution.
const FEW_WINDOWS: usize = 24;
/// A/A windows per length: how much they overlap.
const OVERLAP: i64 = 4;
/// Finest step that is compared; finer samples are merged.
const STEP: i64 = 300;
/// Fewest samples after the change.
const FEW: usize = 3;

/// The evidence; `None` when too little is known before, or comparable after.
pub(super) fn evidence(windows: &Windows<'_>, metric: Metric) -> Option<Evidence> {
    let scale = windows.scale;
    let (old, new) = (coarse(windows.before, metric)?, coarse(windows.after, metric)?);
    let load = |s: &Samples| coarse(s, Metric::RequestRate);
    let loads = windows.load.and_then(|(old, new)| load(old).zip(load(new)));
    let (old_load, new_load) = loads.as_ref().map(|(o, n)| (o, n)).unzip();
    let step = new.step.max(old.step);
    let start = new.points().next()?.0;
    // Cheap to know in advance: so many windows do not fit.
    let length = new.points().last()?.0 + step - start - WARM_UP;
    if old.span_hours() * HOUR as f64 <= (FEW_WINDOWS as i64 * length.max(step) / OVERLAP) as f64 {
        return None;
    }
    let past = Past::new(&old, old_load, scale);
    let now: Vec<Residual> = residuals(&past, &new, new_load, scale, |_| start).into_iter().filter(|r| r.0 >= start + WARM_UP).collect();
    if now.len() < FEW.max(new.count / 4) {
        return None;
    }
    // Half a day apart from what it is compared with, so that an odd hour does not explain itself.
    let history = residuals(&past, &old, old_load, scale, |t| t - DAY / 2);
    let (from, to) = (now[0].0, now[now.len() - 1].0 + step);
    let effect = middle(&now, from, to, 1, scale)? - bias(&history, start, step, scale);
    let mut nulls = placebo(&history, to - from, now.len(), step, scale);
    let mut seen: Vec<f64> = now.iter().filter_map(|(t, _)| scale.seen(new.at(*t)?)).collect();
    let after = centre(scale, &mut seen)?;
    (nulls.len() >= FEW_WINDOWS).then(|| told(effect, after, &mut nulls))
}

/// The evidence from an effect, the level after the change and the effects over earlier windows.
fn told(effect: f64, after: f64, nulls: &mut [f64]) -> Evidence {
    let sd = stats::robust_sd(nulls).unwrap_or(0.0);
    let mut at = |q: f64| stats::quantile(nulls, q).unwrap_or(0.0);
    let (least, low, drift, high, most) = (at(0.0), at(0.025), at(0.5), at(0.975), at(1.0));
    Evidence {
        effect,
        error: sd,
        interval: (effect - high.max(0.0), effect - low.min(0.0)),
        beyond: ((SIGMAS * sd - drift).max(BEYOND * least.abs()), (SIGMAS * sd + drift).max(BEYOND * most.abs())),
        after,
    }
}

/// Samples in steps of at least [`STEP`].
fn coarse(s: &Samples, metric: Metric) -> Option<Samples> {
    let n = usize::try_from(STEP / s.step).unwrap_or(1);
    if n < 2 {
        return Some(s.clone());
    }
    let series = Series { start: s.start, step: u32::try_from(s.step).ok()?, values: s.values.clone() };
    Samples::clean(&series.coarsen(n, metric.aggregation()), metric)
}

/// How far a sample lies from what was expected, with its time.
type Residual = (i64, f64);

/// The residuals of all samples that something earlier than `until` their time is comparable with.
fn residuals(past: &Past, values: &Samples, load: Option<&Samples>, scale: Scale, until: impl Fn(i64) -> i64) -> Vec<Residual> {
    let residual = |(t, v)| {
        let expected = past.expected(t, load.and_then(|l| l.at(t)), until(t))?;
        Some((t, scale.seen(v)? - expected))
    };
    values.points().filter_map(residual).collect()
}

/// The centre of residuals in `[from, to)`; `None` with fewer than `least`.
fn middle(residuals: &[Residual], from: i64, to: i64, least: usize, scale: Scale) -> Option<f64> {
    let at = |time: i64| residuals.partition_point(|r| r.0 < time);
    let mut window: Vec<f64> = residuals[at(from)..at(to)].iter().map(|r| r.1).collect();
    if window.len() < least.max(1) { None } else { centre(scale, &mut window) }
}

/// The bias of the day before: what the past already got wrong when the change came.
fn bias(residuals: &[Residual], until: i64, step: i64, scale: Scale) -> f64 {
    middle(residuals, until - DAY, until, (DAY / step / 4) as usize, scale).unwrap_or(0.0)
}

/// The effect over earlier windows of the same length.
fn placebo(residuals: &[Residual], length: i64, count: usize, step: i64, scale: Scale) -> Vec<f64> {
    let (Some(first), Some(last)) = (residuals.first(), residuals.last()) else { return Vec::new() };
    let stride = (length / OVERLAP).max(step);
    let mut out = Vec::new();
    // The first days have little past to be compared with: where there is a week, three of them only teach.
    let mut at = first.0 + if last.0 - first.0 > 6 * DAY { 3 * DAY } else { DAY };
    while at + length <= last.0 + step {
        if let Some(centre) = middle(residuals, at, at + length, (count * 7 / 10).max(1), scale) {
            out.push(centre - bias(residuals, at, step, scale));
        }
        at += stride;
    }
    out
}
