//! Small robust statistics. All take finite numbers and answer `None` where there are too few.

/// The `q`-quantile (0 to 1), linear between order statistics; reorders its input.
pub(crate) fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let at = q.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let (low, share) = (at.floor() as usize, at.fract());
    let (_, a, rest) = values.select_nth_unstable_by(low, f64::total_cmp);
    let a = *a;
    let b = rest.iter().copied().fold(f64::INFINITY, f64::min);
    Some(if share == 0.0 || b.is_infinite() { a } else { a + (b - a) * share })
}

/// The median; reorders its input.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The mean without a share `cut` of the values at either end; reorders its input.
pub(crate) fn trimmed_mean(values: &mut [f64], cut: f64) -> Option<f64> {
    let drop = (values.len() as f64 * cut) as usize;
    let n = values.len() - 2 * drop;
    if n == 0 {
        return None;
    }
    let mut part = &mut values[..];
    if drop > 0 {
        part = part.select_nth_unstable_by(drop - 1, f64::total_cmp).2;
        part = part.select_nth_unstable_by(n, f64::total_cmp).0;
    }
    Some(part.iter().sum::<f64>() / n as f64)
}

/// A robust standard deviation: 1.4826 × the median distance from the median.
pub(crate) fn robust_sd(values: &[f64]) -> Option<f64> {
    let mut v = values.to_vec();
    let centre = median(&mut v)?;
    v.iter_mut().for_each(|x| *x = (*x - centre).abs());
    median(&mut v).map(|m| 1.4826 * m)
}

/// The Theil–Sen slope: the median slope over all pairs (of at most 60 points, evenly taken), and the share of pairs that rise.
pub(crate) fn theil_sen(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let stride = points.len().div_ceil(60).max(1);
    let p: Vec<(f64, f64)> = points.iter().copied().step_by(stride).collect();
    let mut slopes = Vec::with_capacity(p.len() * p.len() / 2);
    for (i, a) in p.iter().enumerate() {
        slopes.extend(p[i + 1..].iter().filter(|b| b.0 > a.0).map(|b| (b.1 - a.1) / (b.0 - a.0)));
    }
    let rising = slopes.iter().filter(|s| **s > 0.0).count() as f64 / slopes.len().max(1) as f64;
    median(&mut slopes).map(|s| (s, rising))
}

/// Least squares of `y = a + b·x + c·z`: `(b, share of the variance of y that is explained)`. Without spread in `z` it is left out.
pub(crate) fn slope_given(rows: &[(f64, f64, f64)]) -> Option<(f64, f64)> {
    let n = rows.len() as f64;
    if rows.len() < 8 {
        return None;
    }
    let mean = |get: fn(&(f64, f64, f64)) -> f64| rows.iter().map(get).sum::<f64>() / n;
    let (mx, mz, my) = (mean(|r| r.0), mean(|r| r.1), mean(|r| r.2));
    let (mut xx, mut zz, mut xz, mut xy, mut zy, mut yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (x, z, y) in rows {
        let (x, z, y) = (x - mx, z - mz, y - my);
        xx += x * x;
        zz += z * z;
        xz += x * z;
        xy += x * y;
        zy += z * y;
        yy += y * y;
    }
    if xx <= 1e-12 * n * mx * mx || xx <= 0.0 || yy <= 0.0 {
        return None;
    }
    let free = xx - if zz > 0.0 { xz * xz / zz } else { 0.0 };
    let (b, c) = if zz > 0.0 && free > 0.02 * xx {
        let b = (xy - xz * zy / zz) / free;
        (b, (zy - b * xz) / zz)
    } else {
        (xy / xx, 0.0)
    };
    let explained = ((b * xy + c * zy) / yy).clamp(0.0, 1.0);
    (b.is_finite() && explained.is_finite()).then_some((b, explained))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0, 4.0], 0.5), Some(2.5));
        assert_eq!(quantile(&mut [5.0], 0.9), Some(5.0));
        assert_eq!(quantile(&mut [], 0.9), None);
        assert_eq!(trimmed_mean(&mut [9e9, 1.0, 2.0, 3.0, -9e9], 0.2), Some(2.0));
        assert_eq!(trimmed_mean(&mut [4.0], 0.2), Some(4.0));
        assert_eq!(trimmed_mean(&mut [], 0.2), None);
    }

    #[test]
    fn slopes_are_robust() {
        let mut line: Vec<(f64, f64)> = (0..40).map(|i| (f64::from(i), 3.0 * f64::from(i))).collect();
        line[7].1 = 9e9;
        let (slope, rising) = theil_sen(&line).unwrap();
        assert!((slope - 3.0).abs() < 1e-9 && rising > 0.9);
        assert_eq!(theil_sen(&[(1.0, 2.0)]), None);
    }

    #[test]
    fn the_second_cause_is_held_constant() {
        let rows: Vec<(f64, f64, f64)> = (0..100)
            .map(|i| {
                let (x, z) = (f64::from(i % 10), f64::from(i / 10) + f64::from(i % 10) * 0.5);
                (x, z, 5.0 + 2.0 * x + 7.0 * z)
            })
            .collect();
        let (b, explained) = slope_given(&rows).unwrap();
        assert!((b - 2.0).abs() < 1e-6, "{b}");
        assert!(explained > 0.999);
        assert!(slope_given(&[(1.0, 1.0, 1.0); 20]).is_none());
    }
}
