//! Exponential smoothing: a level, a damped trend, a profile per season and an error that fades, each corrected by every new value.
//!
//! Taylor's double seasonal method (Journal of the Operational Research Society 2003) with the damped trend of Gardner and McKenzie.

use super::{Past, Paths};

/// How fast each part learns, in `[0, 1]`.
#[derive(Debug, Clone, Copy)]
struct Rates {
    level: f64,
    trend: f64,
    /// What is left of the trend after a step.
    damping: f64,
    /// What is left of an error after a step.
    echo: f64,
    seasons: [f64; 2],
}

#[derive(Clone)]
struct State {
    level: f64,
    trend: f64,
    error: f64,
    /// Per season its profile and the phase of the next value.
    profiles: Vec<(Vec<f64>, usize)>,
}

impl State {
    /// From the first two longest seasons (of what is there): means per phase, without the slope between them.
    fn new(y: &[f64], seasons: &[usize]) -> Self {
        let long = seasons.iter().copied().max().unwrap_or(1).clamp(1, y.len());
        let n = (2 * long).min(y.len());
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len().max(1) as f64;
        let slope = if n == 2 * long && long > 1 { (mean(&y[long..n]) - mean(&y[..long])) / long as f64 } else { 0.0 };
        let middle = (n - 1) as f64 / 2.0;
        let centre = mean(&y[..n]);
        let mut rest: Vec<f64> = y[..n].iter().enumerate().map(|(t, v)| v - centre - slope * (t as f64 - middle)).collect();
        let profiles = seasons.iter().map(|m| (phase_means(&mut rest, *m), 0)).collect();
        Self { level: if long > 1 { centre - slope * middle } else { y[0] }, trend: 0.0, error: 0.0, profiles }
    }

    fn update(&mut self, value: f64, rates: &Rates) -> f64 {
        let seasonal: f64 = self.profiles.iter().map(|(p, i)| p[*i]).sum();
        let drift = rates.damping * self.trend;
        let plain = value - self.level - drift - seasonal;
        let e = plain - rates.echo * self.error;
        self.error = plain;
        self.level += drift + rates.level * e;
        self.trend = drift + rates.trend * e;
        for ((profile, i), rate) in self.profiles.iter_mut().zip(&rates.seasons) {
            profile[*i] += rate * e;
            *i = if *i + 1 == profile.len() { 0 } else { *i + 1 };
        }
        e
    }

    fn path(&self, horizon: usize, rates: &Rates) -> Vec<f64> {
        let (mut level, mut trend, mut error) = (self.level, self.trend, self.error);
        let ahead = |h: usize| {
            trend *= rates.damping;
            level += trend;
            error *= rates.echo;
            level + error + self.profiles.iter().map(|(p, i)| p[(i + h) % p.len()]).sum::<f64>()
        };
        (0..horizon).map(ahead).collect()
    }
}

/// Means per phase, taken out of the values.
fn phase_means(values: &mut [f64], season: usize) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0f64); season];
    for (t, v) in values.iter().enumerate() {
        sums[t % season].0 += v;
        sums[t % season].1 += 1.0;
    }
    let means: Vec<f64> = sums.iter().map(|(s, n)| s / n.max(1.0)).collect();
    values.iter_mut().enumerate().for_each(|(t, v)| *v -= means[t % season]);
    means
}

/// The mean error one step ahead, after the first longest season.
fn loss(y: &[f64], start: &State, rates: &Rates, skip: usize) -> f64 {
    let mut state = start.clone();
    y.iter().enumerate().map(|(t, v)| (t, state.update(*v, rates).abs())).filter(|(t, _)| *t >= skip).map(|(_, e)| e).sum()
}

/// One coordinate after the other, in ever smaller strides.
fn fit(y: &[f64], start: &State, seasons: &[usize]) -> Rates {
    let skip = seasons.iter().copied().max().unwrap_or(1).min(y.len() / 2);
    let mut best = Rates { level: 0.1, trend: 0.001, damping: 0.95, echo: if seasons.is_empty() { 0.0 } else { 0.7 }, seasons: [0.1; 2] };
    let mut least = loss(y, start, &best, skip);
    for stride in [4.0, 2.0, 2.0, 1.4] {
        for part in 0..3 + seasons.len() {
            for factor in [1.0 / stride, stride] {
                let mut rates = best;
                match part {
                    0 => rates.level = (rates.level * factor).min(1.0),
                    1 => rates.trend = (rates.trend * factor).min(0.5),
                    2 if seasons.is_empty() => rates.damping = 1.0 - ((1.0 - rates.damping) * factor).clamp(0.005, 0.3),
                    2 => rates.echo = 1.0 - ((1.0 - rates.echo) * factor).min(1.0),
                    _ => rates.seasons[part - 3] = (rates.seasons[part - 3] * factor).min(1.0),
                }
                let now = loss(y, start, &rates, skip);
                if now < least {
                    (least, best) = (now, rates);
                }
            }
        }
    }
    best
}

/// Forecasts from each origin, with rates fitted before the first; `None` with less than two of the longest season before it.
pub(super) fn roll(past: &Past<'_>, origins: &[usize], horizon: usize) -> Option<Paths> {
    let first = *origins.first()?;
    let seasons = &past.seasons[..past.seasons.len().min(2)];
    if first < 2 * seasons.iter().copied().max().unwrap_or(2) {
        return None;
    }
    let mut state = State::new(&past.values[..first], seasons);
    let rates = fit(&past.values[..first], &state, seasons);
    let mut done = 0;
    let mut path = |origin: &usize| {
        past.values[done..*origin].iter().for_each(|v| {
            state.update(*v, &rates);
        });
        done = *origin;
        state.path(horizon, &rates)
    };
    Some(origins.iter().map(&mut path).collect())
}
