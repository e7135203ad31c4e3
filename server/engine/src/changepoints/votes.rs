//! Five two-sample tests, each with a vote. None is right about all noise: the first two take means and mind outliers, the others
//! take ranks and see different kinds of change.

use super::exchange::ranks;

/// A test votes for a change at this p-value or less, as in Mozilla's Perfherder.
const VOTES_AT: f64 = 0.005;

/// The Cramér–von Mises statistic that large samples of the same distribution pass with the chance [`VOTES_AT`].
const CRAMER_VON_MISES_AT: f64 = 0.869_385;

/// Which tests tell two samples apart at p ≤ 0.005. With fewer than two values on a side none does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Votes {
    /// Student's t: means, equal variances.
    pub student: bool,
    /// Welch's t: means, variances of their own.
    pub welch: bool,
    /// Mann–Whitney: which side tends to be larger.
    pub mann_whitney: bool,
    /// Kolmogorov–Smirnov: the largest distance between the distributions.
    pub kolmogorov_smirnov: bool,
    /// Cramér–von Mises: the whole distance between them.
    pub cramer_von_mises: bool,
}

impl Votes {
    /// Votes for a change, of all: `[0, 1]`.
    #[must_use]
    pub fn share(self) -> f64 {
        let votes = [self.student, self.welch, self.mann_whitney, self.kolmogorov_smirnov, self.cramer_von_mises];
        votes.iter().filter(|v| **v).count() as f64 / votes.len() as f64
    }
}

/// The votes on two samples of finite numbers. p-values are those of large samples, corrected for ties.
#[must_use]
pub fn votes(a: &[f64], b: &[f64]) -> Votes {
    if a.len() < 2 || b.len() < 2 {
        return Votes::default();
    }
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let ranks = ranks(&all);
    let (student, welch) = t_tests(a, b);
    Votes {
        student: student <= VOTES_AT,
        welch: welch <= VOTES_AT,
        mann_whitney: mann_whitney(&ranks, a.len()) <= VOTES_AT,
        kolmogorov_smirnov: kolmogorov_smirnov(&ranks, a.len()) <= VOTES_AT,
        cramer_von_mises: cramer_von_mises(&ranks, a.len()) >= CRAMER_VON_MISES_AT,
    }
}

/// Two-sided p-values of Student's and of Welch's t. Samples without spread differ for certain if their means do.
fn t_tests(a: &[f64], b: &[f64]) -> (f64, f64) {
    let ((n, mean_a, var_a), (m, mean_b, var_b)) = (moments(a), moments(b));
    let apart = mean_a - mean_b;
    if var_a + var_b <= 0.0 {
        let p = f64::from(u8::from(apart == 0.0));
        return (p, p);
    }
    let pooled = ((n - 1.0) * var_a + (m - 1.0) * var_b) / (n + m - 2.0);
    let (ea, eb) = (var_a / n, var_b / m);
    let freedom = (ea + eb).powi(2) / (ea * ea / (n - 1.0) + eb * eb / (m - 1.0));
    let p = |t: f64, freedom: f64| student_tails(t, freedom);
    (p(apart / (pooled * (1.0 / n + 1.0 / m)).sqrt(), n + m - 2.0), p(apart / (ea + eb).sqrt(), freedom))
}

/// How many, their mean, and their variance (over n − 1).
fn moments(v: &[f64]) -> (f64, f64, f64) {
    let n = v.len() as f64;
    let mean = v.iter().sum::<f64>() / n;
    (n, mean, v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0))
}

/// Two-sided p-value of the rank sum of the first `n` ranks, normal approximation with the ties' own variance.
pub(crate) fn mann_whitney(ranks: &[f64], n: usize) -> f64 {
    let (all, n) = (ranks.len() as f64, n as f64);
    let middle = (all - 1.0) / 2.0;
    let spread: f64 = ranks.iter().map(|r| (r - middle).powi(2)).sum();
    let sum: f64 = ranks.iter().take(n as usize).map(|r| r - middle).sum();
    let variance = n * (all - n) / (all * (all - 1.0)) * spread;
    if variance > 0.0 { (2.0 * normal_tail(sum.abs() / variance.sqrt())).min(1.0) } else { 1.0 }
}

/// p-value of the largest distance between the two distributions (Kolmogorov's limit).
fn kolmogorov_smirnov(ranks: &[f64], n: usize) -> f64 {
    let (left, right) = (n as f64, (ranks.len() - n) as f64);
    let mut order: Vec<usize> = (0..ranks.len()).collect();
    order.sort_unstable_by(|a, b| ranks[*a].total_cmp(&ranks[*b]));
    let (mut distance, mut largest) = (0.0_f64, 0.0_f64);
    for (i, at) in order.iter().enumerate() {
        distance += if *at < n { 1.0 / left } else { -1.0 / right };
        if order.get(i + 1).is_none_or(|next| ranks[*next] > ranks[*at]) {
            largest = largest.max(distance.abs());
        }
    }
    let x = largest * (left * right / (left + right)).sqrt();
    if x < 0.2 {
        return 1.0;
    }
    let term = |k: f64| (-2.0 * k * k * x * x).exp();
    (2.0 * (1..=100).map(f64::from).map(|k| if k % 2.0 == 1.0 { term(k) } else { -term(k) }).sum::<f64>()).clamp(0.0, 1.0)
}

/// The two-sample statistic, moved and scaled to the mean and variance of its limit.
/// Source: Anderson, On the distribution of the two-sample Cramér–von Mises criterion, 1962.
fn cramer_von_mises(ranks: &[f64], n: usize) -> f64 {
    let part = |ranks: &[f64]| {
        let mut sorted = ranks.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.iter().enumerate().map(|(i, r)| (r - i as f64).powi(2)).sum::<f64>() * ranks.len() as f64
    };
    let (a, b) = (n as f64, (ranks.len() - n) as f64);
    let (all, product) = (a + b, a * b);
    let t = (part(&ranks[..n]) + part(&ranks[n..])) / (product * all) - (4.0 * product - 1.0) / (6.0 * all);
    let mean = (1.0 + 1.0 / all) / 6.0;
    let variance = (all + 1.0) * (4.0 * product * all - 3.0 * (a * a + b * b) - 2.0 * product) / (45.0 * all * all * 4.0 * product);
    1.0 / 6.0 + (t - mean) / (45.0 * variance).sqrt()
}

/// The chance that a normal number is above `z`, relative error under 2e-7.
/// Source: Press et al., Numerical Recipes, `erfcc`.
pub(crate) fn normal_tail(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * x);
    let terms = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let series = terms.iter().rev().fold(0.0, |sum, c| sum * t + c);
    let tail = 0.5 * t * (-x * x + series).exp();
    if z < 0.0 { 1.0 - tail } else { tail }
}

/// The chance that Student's t with so many degrees of freedom is at least as far from zero, by its incomplete beta function.
/// Source: Press et al., Numerical Recipes, `betai` and `betacf` (Lentz's continued fraction).
fn student_tails(t: f64, freedom: f64) -> f64 {
    let (a, b, x) = (freedom / 2.0, 0.5, freedom / (freedom + t * t));
    if x.is_nan() || x >= 1.0 {
        return 1.0;
    }
    if x <= 0.0 {
        return 0.0;
    }
    let front = (log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    let p = if x < (a + 1.0) / (a + b + 2.0) { front * fraction(a, b, x) / a } else { 1.0 - front * fraction(b, a, 1.0 - x) / b };
    p.clamp(0.0, 1.0)
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let held = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / held(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in (1..200).map(f64::from) {
        for step in
            [m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)), -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))]
        {
            d = 1.0 / held(1.0 + step * d);
            c = held(1.0 + step / c);
            h *= d * c;
        }
        if (d * c - 1.0).abs() < 1e-12 {
            break;
        }
    }
    h
}

/// The logarithm of the gamma function of a positive number. Source: Lanczos, as in Numerical Recipes, `gammln`.
fn log_gamma(x: f64) -> f64 {
    let terms = [
        76.180_091_729_471_46,
        -86.505_320_329_416_77,
        24.014_098_240_830_91,
        -1.231_739_572_450_155,
        0.001_208_650_973_866_179,
        -0.000_005_395_239_384_953,
    ];
    let near = x + 5.5;
    let series = terms.iter().enumerate().fold(1.000_000_000_190_015, |sum, (i, c)| sum + c / (x + 1.0 + i as f64));
    (x + 0.5) * near.ln() - near + (std::f64::consts::TAU.sqrt() * series / x).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 10] = [1.02, 0.95, 0.99, 1.0, 1.12, 1.0, 1.01, 0.98, 1.01, 0.96];
    const B: [f64; 7] = [0.5, 0.51, 0.48, 0.48, 0.55, 1.2, 0.99];

    /// The numbers are scipy's, with asymptotic p-values and no continuity correction.
    #[test]
    fn p_values_are_those_of_scipy() {
        let all: Vec<f64> = A.iter().chain(&B).copied().collect();
        let ranks = ranks(&all);
        let (student, welch) = t_tests(&A, &B);
        assert!((student - 0.003_036_240_8).abs() < 1e-8, "{student}");
        assert!((welch - 0.024_985_470_6).abs() < 1e-8, "{welch}");
        assert!((mann_whitney(&ranks, 10) - 0.035_435_469).abs() < 1e-6);
        let t = cramer_von_mises(&ranks, 10);
        assert!((0.58..0.75).contains(&t), "p = 0.0175 lies between 0.025 (0.58) and 0.01 (0.74): {t}");
        let ks = kolmogorov_smirnov(&ranks, 10);
        assert!((ks - 0.029_924).abs() < 1e-3, "{ks}");
    }

    #[test]
    fn tails_are_those_of_tables() {
        assert!((normal_tail(1.959_964) - 0.025).abs() < 1e-7);
        assert!((normal_tail(-1.0) - 0.841_344_75).abs() < 1e-7);
        assert!((student_tails(2.228_139, 10.0) - 0.05).abs() < 1e-6);
        assert!((student_tails(63.656_741, 1.0) - 0.01).abs() < 1e-6);
        assert_eq!((student_tails(0.0, 5.0), student_tails(f64::INFINITY, 5.0)), (1.0, 0.0));
    }

    #[test]
    fn equal_samples_get_no_vote_and_distant_ones_all() {
        assert_eq!(votes(&[1.0; 9], &[1.0; 9]).share(), 0.0);
        assert_eq!(votes(&[1.0; 9], &[2.0; 9]).share(), 1.0);
        assert_eq!(votes(&[1.0], &[2.0; 9]).share(), 0.0);
    }

    #[test]
    fn one_outlier_moves_no_rank_test() {
        let quiet: Vec<f64> = (0..30).map(|i| f64::from(i % 7)).collect();
        let mut loud = quiet.clone();
        loud[3] = 1e9;
        let votes = votes(&quiet, &loud);
        assert!(!votes.mann_whitney && !votes.kolmogorov_smirnov && !votes.cramer_von_mises);
    }
}
