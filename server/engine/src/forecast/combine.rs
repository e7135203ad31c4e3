//! The average of the methods, weighted by what each got wrong before.

use super::candidates::{self, Candidate};
use super::origins::Plan;
use super::{Past, Paths};

/// How strongly a smaller error counts: weights are errors to the power of minus this.
const POWER: f64 = 5.0;
/// Weights below this are left out.
const LEAST: f64 = 0.002;

/// Paths from every origin, and the methods' weights (sum 1), heaviest first.
pub(super) struct Mixed {
    pub paths: Paths,
    pub weights: Vec<(String, f64)>,
}

/// Averages what all methods forecast.
pub(super) fn mix(past: &Past<'_>, plan: &Plan) -> Mixed {
    let mut candidates = candidates::all(past, plan);
    if plan.earlier().is_empty() {
        // Nothing tells the methods apart: the simplest, which is the first.
        candidates.truncate(1);
    }
    let errors = errors(&candidates, past, plan);
    let mut parts: Vec<(f64, &Candidate)> = shares(&errors).into_iter().zip(&candidates).filter(|(w, _)| *w > 0.0).collect();
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut paths: Paths = plan.origins.iter().map(|_| vec![0.0; plan.horizon]).collect();
    for (i, (path, origin)) in paths.iter_mut().zip(&plan.origins).enumerate() {
        // What has no path from here yet leaves its weight to the others.
        let here: Vec<(f64, &[f64])> =
            parts.iter().filter_map(|(w, c)| Some((*w, c.paths.get(i.checked_sub(c.from)?)?.as_slice()))).collect();
        let all: f64 = here.iter().map(|(w, _)| w).sum();
        for (weight, own) in here {
            path.iter_mut().zip(own).for_each(|(sum, value)| *sum += weight / all * value);
        }
        let (low, high) = past.believable(*origin);
        path.iter_mut().for_each(|v| *v = v.clamp(low, high));
    }
    Mixed { paths, weights: parts.iter().map(|(w, c)| (c.name.clone(), *w)).collect() }
}

/// What each candidate got wrong. One that was tried from later origins only is measured by what the best of the others got wrong from
/// the same ones: some are harder than others.
fn errors(candidates: &[Candidate], past: &Past<'_>, plan: &Plan) -> Vec<f64> {
    let whole: Vec<f64> = candidates.iter().map(|c| error(c, c.from, past, plan)).collect();
    let best = (0..candidates.len()).filter(|i| candidates[*i].from == 0).min_by(|a, b| whole[*a].total_cmp(&whole[*b]));
    let harder = |from: usize| best.map_or(1.0, |b| whole[b] / error(&candidates[b], from, past, plan).max(f64::MIN_POSITIVE));
    candidates.iter().zip(&whole).map(|(c, e)| if c.from > 0 { e * harder(c.from) } else { *e }).collect()
}

/// The mean absolute error over all steps that are known after the earlier origins from the place `from` on; 1 without any.
fn error(candidate: &Candidate, from: usize, past: &Past<'_>, plan: &Plan) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (origin, path) in plan.earlier()[from..].iter().zip(&candidate.paths[from - candidate.from..]) {
        for (t, value) in (*origin..plan.end).zip(path).filter(|(t, _)| past.real[*t]) {
            sum += (past.values[t] - value).abs();
            count += 1.0;
        }
    }
    if count > 0.0 { sum / count } else { 1.0 }
}

fn shares(errors: &[f64]) -> Vec<f64> {
    let best = errors.iter().copied().fold(f64::INFINITY, f64::min);
    let weigh = |e: &f64| if best > 0.0 { (best / e).powf(POWER) } else { f64::from(u8::from(*e <= 0.0)) };
    let mut weights: Vec<f64> = errors.iter().map(weigh).collect();
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w = if *w < LEAST * total { 0.0 } else { *w });
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

/// A sentence that names the heaviest.
pub(super) fn words(weights: &[(String, f64)], origins: usize) -> String {
    if origins == 0 {
        return "last value: the series is too short to try anything".to_owned();
    }
    let first: Vec<String> = weights.iter().take(3).map(|(name, w)| format!("{name} {:.0} %", 100.0 * w)).collect();
    let more = weights.len().saturating_sub(3);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}, weighted by their errors from {origins} earlier origins", first.join(", "))
}
