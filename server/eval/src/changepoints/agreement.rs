//! How well change-points agree with annotators.
//! Source: van den Burg and Williams, An evaluation of change point detection algorithms, 2020 (TCPDBench, `metrics.py`).

use std::collections::BTreeSet;

/// What each annotator marked.
pub type Annotations = Vec<Vec<usize>>;

/// Samples by which a change may be off.
const MARGIN: usize = 5;

/// Marks that a found change explains, each change used once.
fn hits(marks: &BTreeSet<usize>, found: &BTreeSet<usize>) -> f64 {
    let mut left = found.clone();
    let mut hits = 0.0;
    for mark in marks {
        let nearest = left.iter().copied().filter(|f| f.abs_diff(*mark) <= MARGIN).min_by_key(|f| f.abs_diff(*mark));
        if let Some(nearest) = nearest {
            left.remove(&nearest);
            hits += 1.0;
        }
    }
    hits
}

/// F1: precision against all annotators together, recall averaged over them; the trivial change at 0 counts.
pub fn f1(annotations: &Annotations, found: &[usize]) -> f64 {
    let with_zero = |marks: &[usize]| marks.iter().copied().chain([0]).collect::<BTreeSet<usize>>();
    let found = with_zero(found);
    let each: Vec<BTreeSet<usize>> = annotations.iter().map(|a| with_zero(a)).collect();
    let all: BTreeSet<usize> = each.iter().flatten().copied().collect();
    let precision = hits(&all, &found) / found.len() as f64;
    let recall = each.iter().map(|marks| hits(marks, &found) / marks.len() as f64).sum::<f64>() / each.len() as f64;
    2.0 * precision * recall / (precision + recall)
}

/// Cover: how well the best-fitting found segment covers each annotated one, weighted by length, averaged over annotators.
pub fn cover(annotations: &Annotations, found: &[usize], n: usize) -> f64 {
    let found = segments(found, n);
    let of_annotator = |marks: &Vec<usize>| {
        let covered = |s: &(usize, usize)| (s.1 - s.0) as f64 * found.iter().map(|f| jaccard(*s, *f)).fold(0.0, f64::max);
        segments(marks, n).iter().map(covered).sum::<f64>() / n as f64
    };
    annotations.iter().map(of_annotator).sum::<f64>() / annotations.len() as f64
}

fn segments(changes: &[usize], n: usize) -> Vec<(usize, usize)> {
    let edges: BTreeSet<usize> = changes.iter().copied().filter(|c| (1..n).contains(c)).chain([0, n]).collect();
    edges.iter().copied().zip(edges.iter().copied().skip(1)).collect()
}

fn jaccard(a: (usize, usize), b: (usize, usize)) -> f64 {
    let both = a.1.min(b.1).saturating_sub(a.0.max(b.0));
    both as f64 / (a.1 - a.0 + b.1 - b.0 - both) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: of {0, 10} and {0}, {0, 12} hits both of the union and 1 + 1 of the annotators' 2 + 1.
    #[test]
    fn by_hand() {
        let annotations = vec![vec![10], vec![]];
        assert_eq!(f1(&annotations, &[12]), 1.0);
        assert!((f1(&annotations, &[]) - 2.0 * 0.75 / 1.75).abs() < 1e-12);
        assert!((f1(&annotations, &[12, 40]) - 2.0 * (2.0 / 3.0) / (2.0 / 3.0 + 1.0)).abs() < 1e-12);
        assert!((cover(&annotations, &[], 20) - (0.5 + 1.0) / 2.0).abs() < 1e-12);
        assert!((cover(&annotations, &[10], 20) - (1.0 + 0.5) / 2.0).abs() < 1e-12);
    }
}
