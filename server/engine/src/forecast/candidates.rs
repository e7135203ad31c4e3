//! The methods that are tried.

use super::origins::Plan;
use super::regression::{self, Shape};
use super::{Past, Paths, decomposition, smoothing};

/// A way to forecast.
#[derive(Debug, Clone, PartialEq)]
enum Method {
    /// The value of a season ago (1: the last value).
    Naive(usize),
    Regression(Shape),
    Smoothing,
    Theta,
}

/// What a method forecast.
pub(super) struct Candidate {
    pub name: String,
    /// One for each origin of the plan from `from` on.
    pub paths: Paths,
    /// The place of the first origin that it had enough before.
    pub from: usize,
}

impl Method {
    fn roll(&self, past: &Past<'_>, origins: &[usize], horizon: usize) -> Option<Paths> {
        match self {
            Self::Naive(season) => naive(past, *season, origins, horizon),
            Self::Regression(shape) => regression::roll(past, shape, origins, horizon),
            Self::Smoothing => smoothing::roll(past, origins, horizon),
            Self::Theta => decomposition::roll(past, origins, horizon),
        }
    }
}

fn naive(past: &Past<'_>, season: usize, origins: &[usize], horizon: usize) -> Option<Paths> {
    let path = |o: &usize| (0..horizon).map(|h| past.values[o - season + h % season]).collect();
    (*origins.first()? >= season).then(|| origins.iter().map(path).collect())
}

/// Steps after which a regression that follows the present forgets half.
const RECENT: f64 = 300.0;
/// And one that does not.
const NEVER: f64 = 1e9;

fn methods(seasons: &[usize]) -> Vec<(String, Method)> {
    let mut out = vec![("last value".to_owned(), Method::Naive(1))];
    out.extend(seasons.iter().map(|m| (format!("value {m} steps ago"), Method::Naive(*m))));
    out.push(("smoothing".to_owned(), Method::Smoothing));
    out.push(("theta".to_owned(), Method::Theta));
    let long = long_lags(seasons);
    let lags = |half_life, steps| Shape { lags: long.clone(), profiles: Vec::new(), half_life, steps };
    out.push(("lags".to_owned(), Method::Regression(lags(NEVER, false))));
    out.push(("recent lags".to_owned(), Method::Regression(lags(RECENT, false))));
    out.push(("steps".to_owned(), Method::Regression(lags(NEVER, true))));
    let Some(m) = seasons.first() else { return out };
    let shares: Vec<(usize, f64)> = match seasons {
        [m] => vec![(*m, 0.3)],
        _ => seasons.iter().take(2).zip([0.2, 0.5]).map(|(m, share)| (*m, share)).collect(),
    };
    let profiles = |half_life, steps| Shape { lags: vec![1, 2, *m, m + 1], profiles: shares.clone(), half_life, steps };
    out.push(("profiles".to_owned(), Method::Regression(profiles(NEVER, false))));
    out.push(("recent profiles".to_owned(), Method::Regression(profiles(RECENT, false))));
    out.push(("profiled steps".to_owned(), Method::Regression(profiles(NEVER, true))));
    out
}

/// The newest values, and those about each season ago.
fn long_lags(seasons: &[usize]) -> Vec<usize> {
    let mut lags = if seasons.is_empty() { vec![1, 2, 3, 4, 5] } else { vec![1, 2, 3] };
    for m in seasons.iter().take(2) {
        lags.extend([m - 1, *m, m + 1]);
    }
    match seasons {
        [] => {}
        [m] => lags.push(2 * m),
        // Whole days up to a week, and a day more.
        [m, w, ..] => lags.extend((2..(w / m).min(8)).map(|k| k * m).chain([w + m])),
    }
    lags.retain(|l| *l > 0);
    lags.sort_unstable();
    lags.dedup();
    lags
}

/// What every method forecast, those with too short a past or no finite answer left out.
pub(super) fn all(past: &Past<'_>, plan: &Plan) -> Vec<Candidate> {
    let mut out = tried(past, plan, 0, methods(past.seasons));
    if let Some(young) = plan.young {
        let seasons = [past.seasons, &[young.season]].concat();
        let mut more = methods(&seasons);
        more.retain(|(_, method)| !matches!(method, Method::Naive(m) if *m != young.season));
        let seasonal = more.iter_mut().filter(|(_, method)| !matches!(method, Method::Naive(_)));
        seasonal.for_each(|(name, _)| *name += &format!(" by {}", young.season));
        out.extend(tried(&Past { seasons: &seasons, ..*past }, plan, young.from, more));
    }
    out
}

/// What these methods forecast from the origins from the place `from` on. Positive series are also forecast in their logarithm, where what
/// grows together is added.
fn tried(past: &Past<'_>, plan: &Plan, from: usize, methods: Vec<(String, Method)>) -> Vec<Candidate> {
    let origins = &plan.origins[from..];
    let positive = past.values.iter().all(|v| *v > 0.0);
    let logarithms: Vec<f64> = if positive { past.values.iter().map(|v| v.ln()).collect() } else { Vec::new() };
    let logged = Past { values: &logarithms, ..*past };
    let mut out = Vec::new();
    for (name, method) in methods {
        if positive && !matches!(method, Method::Naive(_)) {
            let mut paths = method.roll(&logged, origins, plan.horizon);
            paths.iter_mut().flatten().flatten().for_each(|v| *v = v.exp());
            out.extend(paths.map(|paths| Candidate { name: format!("log {name}"), paths, from }));
        }
        let paths = method.roll(past, origins, plan.horizon);
        out.extend(paths.map(|paths| Candidate { name, paths, from }));
    }
    let ranges: Vec<(f64, f64)> = origins.iter().map(|o| past.believable(*o)).collect();
    for (path, (low, high)) in out.iter_mut().flat_map(|c| c.paths.iter_mut().zip(&ranges)) {
        // Also pulls back what a logarithm let grow without bound; not-a-number stays.
        path.iter_mut().for_each(|v| *v = v.clamp(*low, *high));
    }
    out.retain(|c| c.paths.iter().flatten().all(|v| v.is_finite()));
    out
}
