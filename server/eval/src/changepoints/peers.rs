//! Peers with the settings TCPDBench calls default: a change of the mean of the standardised series under normal noise of variance
//! one, modified Bayes information criterion, at most five changes for binary segmentation.
//! Source: R package changepoint (Killick and Eckley, 2014), as called by TCPDBench.

/// Most changes that binary segmentation looks for.
const MOST: usize = 5;

struct Costs {
    sums: Vec<f64>,
    squares: Vec<f64>,
    price: f64,
}

impl Costs {
    fn new(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let (mut sums, mut squares) = (vec![0.0], vec![0.0]);
        for (i, v) in values.iter().enumerate() {
            let z = if deviation > 0.0 { (v - mean) / deviation } else { 0.0 };
            sums.push(sums[i] + z);
            squares.push(squares[i] + z * z);
        }
        Self { sums, squares, price: 3.0 * n.ln() }
    }

    fn of(&self, from: usize, to: usize) -> f64 {
        let (n, sum) = ((to - from) as f64, self.sums[to] - self.sums[from]);
        self.squares[to] - self.squares[from] - sum * sum / n + n.ln()
    }
}

/// Splits where it gains most, as long as it gains more than its price.
pub fn binary_segmentation(values: &[f64]) -> Vec<usize> {
    let costs = Costs::new(values);
    let mut edges = vec![0, values.len()];
    while edges.len() < MOST + 2 {
        let mut best = (costs.price, 0);
        for part in edges.windows(2) {
            for at in part[0] + 1..part[1] {
                let gain = costs.of(part[0], part[1]) - costs.of(part[0], at) - costs.of(at, part[1]);
                if gain > best.0 {
                    best = (gain, at);
                }
            }
        }
        if best.1 == 0 {
            break;
        }
        edges.push(best.1);
        edges.sort_unstable();
    }
    edges[1..edges.len() - 1].to_vec()
}

/// The exact optimum of the same costs, which PELT finds.
pub fn pelt(values: &[f64]) -> Vec<usize> {
    let costs = Costs::new(values);
    let n = values.len();
    let (mut best, mut last) = (vec![f64::INFINITY; n + 1], vec![0; n + 1]);
    best[0] = -costs.price;
    for to in 1..=n {
        for from in 0..to {
            let cost = best[from] + costs.of(from, to) + costs.price;
            if cost < best[to] {
                (best[to], last[to]) = (cost, from);
            }
        }
    }
    let mut cuts: Vec<usize> = std::iter::successors(Some(last[n]), |at| Some(last[*at])).take_while(|at| *at > 0).collect();
    cuts.reverse();
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_step_is_found_by_both() {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i % 3) + if i < 25 { 0.0 } else { 20.0 }).collect();
        assert_eq!((binary_segmentation(&values), pelt(&values)), (vec![25], vec![25]));
        assert_eq!(binary_segmentation(&[1.0; 40]), [] as [usize; 0]);
    }
}
