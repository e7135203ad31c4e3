//! Regression of a series on its own past: short lags, the seasons' lags and what each phase of a season was on average.
//!
//! The autoregressive part of Doornik, Castle and Hendry's Card (“Card forecasts for M4”, International Journal of Forecasting 2020),
//! with smoothed seasonal profiles in the place of dummies. Coefficients are fitted anew at every origin from running sums.

use super::linear::Ridge;
use super::{Past, Paths};

/// Which columns a regression has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// Steps back whose values are columns.
    pub lags: Vec<usize>,
    /// Seasons (steps) whose smoothed profile is a column, with the share of the newest season in it.
    pub profiles: Vec<(usize, f64)>,
    /// Steps after which a row counts half.
    pub half_life: f64,
    /// Whether steps from value to value are regressed rather than values.
    pub steps: bool,
}

/// Of each column's mean square: little, so that a unit root stays one.
const PENALTY: f64 = 1e-4;
/// Weights are doubled no more often than this, so that sums of them stay finite.
const MOST_DOUBLED: f64 = 200.0;

struct Columns<'a> {
    shape: &'a Shape,
    y: Vec<f64>,
    profiles: Vec<Vec<f64>>,
}

impl<'a> Columns<'a> {
    fn new(shape: &'a Shape) -> Self {
        Self { shape, y: Vec::new(), profiles: vec![Vec::new(); shape.profiles.len()] }
    }

    fn push(&mut self, value: f64) {
        let t = self.y.len();
        for ((season, share), profile) in self.shape.profiles.iter().zip(&mut self.profiles) {
            let new = if t < *season { value } else { profile[t - season] + share * (value - profile[t - season]) };
            profile.push(new);
        }
        self.y.push(value);
    }

    fn truncate(&mut self, n: usize) {
        self.y.truncate(n);
        self.profiles.iter_mut().for_each(|p| p.truncate(n));
    }

    /// The first row whose columns are all known.
    fn first(&self) -> usize {
        let lag = self.shape.lags.iter().copied().max().unwrap_or(1);
        let season = self.shape.profiles.iter().map(|p| p.0).max().unwrap_or(0);
        lag.max(season) + 1
    }

    fn width(&self) -> usize {
        self.shape.lags.len() + 2 * self.shape.profiles.len() + 1
    }

    /// What the target is measured from.
    fn base(&self, t: usize, centre: f64) -> f64 {
        if self.shape.steps { self.y[t - 1] } else { centre }
    }

    fn row(&self, t: usize, centre: f64, out: &mut Vec<f64>) {
        out.clear();
        if self.shape.steps {
            out.extend(self.shape.lags.iter().map(|l| self.y[t - l] - self.y[t - l - 1]));
        } else {
            out.extend(self.shape.lags.iter().map(|l| self.y[t - l] - centre));
        }
        for ((season, _), profile) in self.shape.profiles.iter().zip(&self.profiles) {
            let (now, before) = (profile[t - season], profile[t - season - 1]);
            if self.shape.steps {
                out.extend([now - before, before - self.y[t - 1]]);
            } else {
                out.extend([now - centre, before - centre]);
            }
        }
        out.push(1.0);
    }
}

/// Forecasts from each origin, rows up to it; `None` where there are too few rows for the columns at the first.
pub(super) fn roll(past: &Past<'_>, shape: &Shape, origins: &[usize], horizon: usize) -> Option<Paths> {
    let mut columns = Columns::new(shape);
    let (width, first) = (columns.width(), columns.first());
    let start = *origins.first()?;
    if start < first + 2 * width {
        return None;
    }
    let centre = past.values[..start].iter().sum::<f64>() / start as f64;
    let mut ridge = Ridge::new(width);
    let mut x = Vec::with_capacity(width);
    let mut out = Vec::with_capacity(origins.len());
    for &origin in origins {
        for t in columns.y.len()..origin {
            if t >= first && past.real[t] {
                columns.row(t, centre, &mut x);
                // Rows are weighted up towards the end, rather than the sums down.
                let weight = ((t as f64 - start as f64) / shape.half_life).min(MOST_DOUBLED).exp2();
                ridge.add(&x, past.values[t] - columns.base(t, centre), weight);
            }
            columns.push(past.values[t]);
        }
        let b = ridge.solve(PENALTY)?;
        let (low, high) = past.believable(origin);
        for t in origin..origin + horizon {
            columns.row(t, centre, &mut x);
            let step: f64 = x.iter().zip(&b).map(|(a, b)| a * b).sum();
            columns.push((columns.base(t, centre) + step).clamp(low, high));
        }
        out.push(columns.y[origin..].to_vec());
        columns.truncate(origin);
    }
    Some(out)
}
