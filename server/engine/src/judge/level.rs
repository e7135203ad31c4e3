//! How far a level moved at one moment, when levels also move by themselves.
//!
//! Cells of a service (its samples, summarised) are a level plus what was measured beside it plus noise. The noise has three parts: one that
//! forgets at once, one that forgets within hours, one that drifts over days; a change of level is estimated by generalised least squares
//! under them. So where a series drifts, only what lies next to the moment counts, and where it merely scatters, all of it does. How
//! the noise divides is not known from two days: every division of [`divisions`] is tried, and each counts by how well it explains the series
//! (restricted likelihood), so that not knowing widens the interval.
//!
//! Sources: Harvey, "Forecasting, structural time series models and the Kalman filter" (1989), sections 3.4 and 7.6 (intervention);
//! Patterson and Thompson, "Recovery of inter-block information" (Biometrika 58, 1971) for the restricted likelihood.

/// Hours after which the slow part has forgotten all but 37 %: four days, so that over two of them it is close to a random walk.
const SLOW_HOURS: f64 = 96.0;
/// A standard deviation that readings have at least, on the scale of comparison, and how many cells' worth of belief it gets.
const FLOOR: (f64, f64) = (1e-3, 2.0);
/// Harmonics of the day that a level may follow where its usual hours are not known.
const HARMONICS: usize = 3;
/// Variances that the first of them may have, as shares of the noise's; the later ones have less by the square of their number.
const DAILY: [f64; 4] = [0.0, 0.3, 3.0, 30.0];
/// Hours that cells must span for a day's shape to be told from a step.
const SPAN: f64 = 36.0;
/// Most columns: level, step, two that were measured beside it, the harmonics, and the values.
const COLUMNS: usize = 5 + 2 * HARMONICS;

/// One cell: what was seen when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// Hours, any origin; rising from cell to cell.
    pub hours: f64,
    /// On the scale of comparison.
    pub value: f64,
    /// Whether it lies after the moment.
    pub after: bool,
    /// What was measured beside it (load, what the hour of the day usually brings), on the same scale.
    pub beside: [Option<f64>; 2],
}

/// An estimate with its standard error, both on the scale of comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub effect: f64,
    pub error: f64,
    /// How many cells on a side it rests on: as many as would give this error if they only scattered as neighbours do. About 1 of
    /// a level that wanders, where little more than what lies next to the moment counts.
    pub cells: f64,
}

/// What is estimated: a step at the moment, or the level as such (of a difference between two groups).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What {
    Step,
    Level,
}

/// How the variance of the noise divides; the parts add up to 1.
#[derive(Debug, Clone, Copy)]
struct Division {
    white: f64,
    fast: f64,
    slow: f64,
    /// Hours after which the fast part has forgotten all but 37 %.
    fast_hours: f64,
}

fn divisions() -> impl Iterator<Item = Division> {
    [0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.998].into_iter().flat_map(|white| {
        [0.5, 1.0, 3.0, 8.0, 24.0].into_iter().flat_map(move |fast_hours| {
            [0.0, 0.4, 0.8].into_iter().map(move |slow| Division {
                white,
                fast: (1.0 - white) * (1.0 - slow),
                slow: (1.0 - white) * slow,
                fast_hours,
            })
        })
    })
}

/// Estimates `what`. `None` with fewer than 3 cells on a side that is needed, or when nothing is finite.
pub(super) fn estimate(cells: &[Cell], what: What) -> Option<Estimate> {
    let after = cells.iter().filter(|c| c.after).count();
    let before = cells.len() - after;
    if after < 3 || (what == What::Step && before < 3) {
        return None;
    }
    let design = Design::new(cells, what)?;
    let fits: Vec<Fit> = divisions().flat_map(|d| design.fit(&d)).collect();
    let best = fits.iter().map(|f| f.likelihood).fold(f64::NEG_INFINITY, f64::max);
    let (mut sum, mut mean, mut square) = (0.0, 0.0, 0.0);
    for fit in &fits {
        let weight = (fit.likelihood - best).exp();
        sum += weight;
        mean += weight * fit.effect;
        square += weight * (fit.error.powi(2) + fit.effect.powi(2));
    }
    let (mean, square) = (mean / sum, square / sum);
    let error = (square - mean * mean).max(0.0).sqrt();
    (mean.is_finite() && error.is_finite()).then_some(Estimate {
        effect: mean,
        error,
        cells: between_neighbours(cells) / (error * error).max(f64::MIN_POSITIVE),
    })
}

/// The mean squared difference of neighbours on one side.
fn between_neighbours(cells: &[Cell]) -> f64 {
    let squares = || cells.windows(2).filter(|c| c[0].after == c[1].after).map(|c| (c[1].value - c[0].value).powi(2));
    squares().sum::<f64>() / squares().count().max(1) as f64
}

/// An estimate under one division of the noise.
struct Fit {
    /// Log of the restricted likelihood.
    likelihood: f64,
    effect: f64,
    error: f64,
}

/// Rows of the regression: columns first, the value last.
struct Design {
    rows: Vec<[f64; COLUMNS]>,
    hours: Vec<f64>,
    columns: usize,
    /// Which column is asked for.
    asked: usize,
    /// Columns, the last of all, that are harmonics of the day.
    daily: usize,
    /// Weight of the belief about each measured column: its coefficient is about 0.5 ± 0.5 (a load) or 1 ± 0.5 (the season).
    belief: [(f64, f64); 2],
}

impl Design {
    fn new(cells: &[Cell], what: What) -> Option<Self> {
        let used: Vec<usize> = (0..2).filter(|k| cells.iter().all(|c| c.beside[*k].is_some())).collect();
        let mean = |k: usize| cells.iter().filter_map(|c| c.beside[k]).sum::<f64>() / cells.len() as f64;
        let means: Vec<f64> = used.iter().map(|k| mean(*k)).collect();
        let first = usize::from(what == What::Step);
        let span = cells.last()?.hours - cells.first()?.hours;
        let daily = if used.contains(&1) || span < SPAN || what != What::Step { 0 } else { 2 * HARMONICS };
        let columns = 1 + first + used.len() + daily;
        let origin = cells.iter().map(|c| c.value).sum::<f64>() / cells.len() as f64;
        let rows: Vec<[f64; COLUMNS]> = cells
            .iter()
            .map(|c| {
                let mut row = [0.0; COLUMNS];
                row[0] = 1.0;
                if what == What::Step {
                    row[1] = f64::from(u8::from(c.after));
                }
                for (i, k) in used.iter().enumerate() {
                    row[1 + first + i] = c.beside[*k].unwrap_or(0.0) - means[i];
                }
                for (i, cell) in row[columns - daily..columns].iter_mut().enumerate() {
                    let turn = std::f64::consts::TAU * (1 + i / 2) as f64 * c.hours / 24.0;
                    *cell = if i % 2 == 0 { turn.sin() } else { turn.cos() };
                }
                row[columns] = c.value - if what == What::Step { origin } else { 0.0 };
                row
            })
            .collect();
        let variance = rows.iter().map(|r| r[columns].powi(2)).sum::<f64>() / rows.len() as f64;
        let precision = (variance + FLOOR.0.powi(2)) / 0.25;
        let mut belief = [(0.0, 0.0); 2];
        for (i, k) in used.iter().enumerate() {
            belief[i] = (if *k == 0 { 0.5 } else { 1.0 }, precision);
        }
        let finite = rows.iter().flatten().all(|v| v.is_finite());
        finite.then(|| Self { rows, hours: cells.iter().map(|c| c.hours).collect(), columns, asked: first, daily, belief })
    }

    /// The estimates under one division of the noise, for every size of the day's shape.
    fn fit(&self, division: &Division) -> Vec<Fit> {
        let (mut gram, log_det) = self.whiten(division);
        let (p, n) = (self.columns, self.rows.len() as f64);
        for (i, (about, precision)) in self.belief.iter().enumerate().filter(|b| b.1.1 > 0.0) {
            let at = self.asked + 1 + i;
            gram[at][at] += precision;
            gram[at][p] += precision * about;
            gram[p][p] += precision * about * about;
        }
        let sizes = if self.daily == 0 { &DAILY[..1] } else { &DAILY[..] };
        sizes.iter().filter_map(|size| self.fit_daily(gram, log_det, n, *size)).collect()
    }

    fn fit_daily(&self, mut gram: [[f64; COLUMNS]; COLUMNS], log_det: f64, n: f64, size: f64) -> Option<Fit> {
        let p = self.columns;
        let mut log_prior = 0.0;
        for i in 0..self.daily {
            let k = (1 + i / 2) as f64;
            let precision = k * k / size.max(1e-9);
            gram[p - self.daily + i][p - self.daily + i] += precision;
            log_prior += precision.ln();
        }
        let solved = solve(&gram, p)?;
        let free = n - (p - self.daily) as f64;
        let scale = (solved.rest.max(0.0) + FLOOR.1 * FLOOR.0.powi(2)) / (free + FLOOR.1);
        let likelihood = -0.5 * (log_det + solved.log_det - log_prior + free * scale.ln());
        let effect = solved.coefficients[self.asked];
        let error = (scale * solved.inverse[self.asked]).sqrt();
        (likelihood.is_finite() && effect.is_finite() && error.is_finite()).then_some(Fit { likelihood, effect, error })
    }

    /// The Kalman filter over all columns at once: their weighted products, and the log of the determinant of the covariance.
    fn whiten(&self, d: &Division) -> ([[f64; COLUMNS]; COLUMNS], f64) {
        let width = self.columns + 1;
        let mut gram = [[0.0; COLUMNS]; COLUMNS];
        let mut state = [[0.0; 2]; COLUMNS];
        let (mut p11, mut p12, mut p22) = (d.fast, 0.0, d.slow);
        let mut log_det = 0.0;
        let mut last = f64::NAN;
        let mut phi = (1.0, 1.0);
        let mut lag = f64::NAN;
        for (row, hours) in self.rows.iter().zip(&self.hours) {
            let passed = hours - last;
            if passed.is_finite() {
                if passed != lag {
                    lag = passed;
                    phi = ((-passed / d.fast_hours).exp(), (-passed / SLOW_HOURS).exp());
                }
                p11 = phi.0 * phi.0 * p11 + d.fast * (1.0 - phi.0 * phi.0);
                p12 *= phi.0 * phi.1;
                p22 = phi.1 * phi.1 * p22 + d.slow * (1.0 - phi.1 * phi.1);
                for s in &mut state[..width] {
                    *s = [s[0] * phi.0, s[1] * phi.1];
                }
            }
            last = *hours;
            let (c1, c2) = (p11 + p12, p12 + p22);
            let spread = c1 + c2 + d.white;
            let (k1, k2) = (c1 / spread, c2 / spread);
            let mut news = [0.0; COLUMNS];
            for (i, s) in state[..width].iter_mut().enumerate() {
                news[i] = row[i] - s[0] - s[1];
                *s = [s[0] + k1 * news[i], s[1] + k2 * news[i]];
            }
            p11 -= k1 * c1;
            p12 -= k1 * c2;
            p22 -= k2 * c2;
            log_det += spread.ln();
            for i in 0..width {
                for j in i..width {
                    gram[i][j] += news[i] * news[j] / spread;
                }
            }
        }
        (gram, log_det)
    }
}

struct Solved {
    coefficients: [f64; COLUMNS],
    /// Diagonal of the inverse.
    inverse: [f64; COLUMNS],
    log_det: f64,
    /// Sum of squares that is left.
    rest: f64,
}

/// Solves normal equations by Cholesky's decomposition; the upper triangle of `gram` is given, its column `p` is the right-hand side.
fn solve(gram: &[[f64; COLUMNS]; COLUMNS], p: usize) -> Option<Solved> {
    let mut lower = [[0.0; COLUMNS]; COLUMNS];
    for i in 0..p {
        for j in 0..=i {
            let sum: f64 = gram[j][i] - (0..j).map(|k| lower[i][k] * lower[j][k]).sum::<f64>();
            if i == j {
                if sum <= 1e-12 * gram[i][i].max(f64::MIN_POSITIVE) {
                    return None;
                }
                lower[i][i] = sum.sqrt();
            } else {
                lower[i][j] = sum / lower[j][j];
            }
        }
    }
    let forward = |right: &dyn Fn(usize) -> f64| {
        let mut z = [0.0; COLUMNS];
        for i in 0..p {
            z[i] = (right(i) - (0..i).map(|k| lower[i][k] * z[k]).sum::<f64>()) / lower[i][i];
        }
        z
    };
    let z = forward(&|i| gram[i][p]);
    let mut coefficients = [0.0; COLUMNS];
    for i in (0..p).rev() {
        coefficients[i] = (z[i] - (i + 1..p).map(|k| lower[k][i] * coefficients[k]).sum::<f64>()) / lower[i][i];
    }
    let mut inverse = [0.0; COLUMNS];
    for (at, out) in inverse.iter_mut().enumerate().take(p) {
        let column = forward(&|i| f64::from(u8::from(i == at)));
        *out = column[..p].iter().map(|v| v * v).sum();
    }
    let log_det = 2.0 * (0..p).map(|i| lower[i][i].ln()).sum::<f64>();
    let rest = gram[p][p] - z[..p].iter().map(|v| v * v).sum::<f64>();
    Some(Solved { coefficients, inverse, log_det, rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Generalised least squares with the covariance written out, by elimination.
    fn dense(cells: &[Cell], d: &Division) -> f64 {
        let n = cells.len();
        let covariance = |i: usize, j: usize| {
            let apart = (cells[i].hours - cells[j].hours).abs();
            d.fast * (-apart / d.fast_hours).exp() + d.slow * (-apart / SLOW_HOURS).exp() + if i == j { d.white } else { 0.0 }
        };
        let columns = |i: usize| [1.0, f64::from(u8::from(cells[i].after)), cells[i].value];
        let mut rows: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| covariance(i, j)).chain(columns(i)).collect()).collect();
        for i in 0..n {
            let pivot = rows[i].clone();
            for (_, row) in rows.iter_mut().enumerate().filter(|r| r.0 != i) {
                let factor = row[i] / pivot[i];
                row.iter_mut().zip(&pivot).for_each(|(x, p)| *x -= factor * p);
            }
        }
        let solved = |i: usize, k: usize| rows[i][n + k] / rows[i][i];
        let product = |a: usize, b: usize| (0..n).map(|i| columns(i)[a] * solved(i, b)).sum::<f64>();
        let (x, y, z) = (product(0, 0), product(0, 1), product(1, 1));
        (x * product(1, 2) - y * product(0, 2)) / (x * z - y * y)
    }

    #[test]
    fn the_filter_is_generalised_least_squares() {
        let value = |i: usize| (i as f64 * 1.7).sin() + if i > 6 { 0.5 } else { 0.0 };
        // With a hole in the middle.
        let at = |i: usize| if i < 4 { i as f64 * 0.25 } else { i as f64 * 0.25 + 3.0 };
        let cells: Vec<Cell> = (0..14).map(|i| Cell { hours: at(i), value: value(i), after: i > 6, beside: [None, None] }).collect();
        let design = Design::new(&cells, What::Step).unwrap();
        for division in divisions().step_by(7) {
            let found = design.fit(&division)[0].effect;
            assert!((found - dense(&cells, &division)).abs() < 1e-9, "{division:?}");
        }
    }

    #[test]
    fn white_noise_has_the_error_of_two_means() {
        let value = |i: usize| ((i * 7919 % 1009) as f64 / 1009.0 - 0.5) * 0.2;
        let cells: Vec<Cell> =
            (0..200).map(|i| Cell { hours: i as f64 * 0.25, value: value(i), after: i >= 100, beside: [None, None] }).collect();
        let found = estimate(&cells, What::Step).unwrap();
        let expected = 0.2 / 12.0f64.sqrt() * (2.0f64 / 100.0).sqrt();
        assert!(found.error > 0.9 * expected && found.error < 2.0 * expected, "{found:?} {expected}");
    }
}
