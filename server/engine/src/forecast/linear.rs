//! Least squares with a penalty, on sums that grow row by row.

/// The sums of a ridge regression: `xx` is the upper triangle of Σ w·x·xᵀ (width × width), `xy` is Σ w·x·y.
#[derive(Debug, Clone)]
pub(super) struct Ridge {
    width: usize,
    xx: Vec<f64>,
    xy: Vec<f64>,
}

impl Ridge {
    pub fn new(width: usize) -> Self {
        Self { width, xx: vec![0.0; width * width], xy: vec![0.0; width] }
    }

    /// Adds a row: `x` has one value per column.
    pub fn add(&mut self, x: &[f64], y: f64, weight: f64) {
        for (i, a) in x.iter().enumerate() {
            let a = a * weight;
            self.xy[i] += a * y;
            let row = &mut self.xx[i * self.width + i..(i + 1) * self.width];
            for (sum, b) in row.iter_mut().zip(&x[i..]) {
                *sum += a * b;
            }
        }
    }

    /// The coefficients; `None` when the columns do not determine them. `penalty` is a share of each column's own sum of squares;
    /// the last column (the constant) is free.
    pub fn solve(&self, penalty: f64) -> Option<Vec<f64>> {
        let p = self.width;
        let mut a = self.xx.clone();
        let mut b = self.xy.clone();
        for i in 0..p {
            let share = if i + 1 == p { 1e-9 } else { penalty };
            a[i * p + i] += share * self.xx[i * p + i] + f64::MIN_POSITIVE;
        }
        cholesky(&mut a, &mut b, p).then_some(b)
    }
}

/// Solves `a·x = b` in place (`a` symmetric, its upper triangle given); `false` when `a` is not positive definite.
fn cholesky(a: &mut [f64], b: &mut [f64], p: usize) -> bool {
    for i in 0..p {
        for k in 0..i {
            let f = a[k * p + i];
            for j in i..p {
                a[i * p + j] -= f * a[k * p + j];
            }
        }
        let d = a[i * p + i];
        if d.is_nan() || d <= 0.0 {
            return false;
        }
        let root = d.sqrt();
        a[i * p + i..(i + 1) * p].iter_mut().for_each(|v| *v /= root);
    }
    for i in 0..p {
        for k in 0..i {
            b[i] -= a[k * p + i] * b[k];
        }
        b[i] /= a[i * p + i];
    }
    for i in (0..p).rev() {
        for k in i + 1..p {
            b[i] -= a[i * p + k] * b[k];
        }
        b[i] /= a[i * p + i];
    }
    b.iter().all(|v| v.is_finite())
}
