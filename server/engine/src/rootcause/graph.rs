//! Who calls whom, and how much of a caller's calls go where.

use std::collections::{BTreeMap, BTreeSet};

/// Rounds of the fit of call rates; a handful of callers converges long before.
const ROUNDS: usize = 300;

/// Calls between services with, for each, its share of the caller's calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    shares: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Graph {
    /// A graph from `(caller, callee)` pairs and the requests per second of services over time, `(time, value)` in seconds.
    ///
    /// How often a caller calls each callee per request of its own is fitted to the loads by least squares without negative
    /// rates: a callee's load is the sum of its callers' loads times their rates. Without loads every call counts the same.
    /// Calls of a service to itself are left out.
    #[must_use]
    pub fn new(calls: &[(String, String)], loads: &BTreeMap<String, BTreeMap<i64, f64>>) -> Self {
        let mut callers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (caller, callee) in calls.iter().filter(|(caller, callee)| caller != callee) {
            callers.entry(callee).or_default().insert(caller);
        }
        let mut shares: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        for (callee, callers) in callers {
            let callers: Vec<&str> = callers.into_iter().collect();
            let rates = rates(callee, &callers, loads).unwrap_or_else(|| vec![1.0; callers.len()]);
            for (caller, rate) in callers.iter().zip(rates) {
                shares.entry((*caller).to_owned()).or_default().insert(callee.to_owned(), rate);
            }
        }
        for callees in shares.values_mut() {
            let all: f64 = callees.values().sum();
            let even = 1.0 / callees.len() as f64;
            callees.values_mut().for_each(|rate| *rate = if all > 0.0 { *rate / all } else { even });
        }
        Self { shares }
    }

    /// The share of a caller's calls that go to a callee, 0 to 1.
    #[must_use]
    pub fn share(&self, caller: &str, callee: &str) -> f64 {
        self.shares.get(caller).and_then(|c| c.get(callee)).copied().unwrap_or(0.0)
    }

    /// Services that call others.
    pub(super) fn callers(&self) -> impl Iterator<Item = &str> {
        self.shares.keys().map(String::as_str)
    }

    /// What a service calls.
    pub(super) fn callees(&self, caller: &str) -> impl Iterator<Item = &str> {
        self.shares.get(caller).into_iter().flat_map(|c| c.keys().map(String::as_str))
    }
}

/// Calls to a callee per request of each caller; `None` where there are fewer common samples than twice the callers.
fn rates(callee: &str, callers: &[&str], loads: &BTreeMap<String, BTreeMap<i64, f64>>) -> Option<Vec<f64>> {
    let target = loads.get(callee)?;
    let inputs: Vec<&BTreeMap<i64, f64>> = callers.iter().map(|c| loads.get(*c)).collect::<Option<_>>()?;
    let rows: Vec<(Vec<f64>, f64)> = target
        .iter()
        .filter_map(|(time, y)| Some((inputs.iter().map(|i| i.get(time).copied()).collect::<Option<Vec<f64>>>()?, *y)))
        .filter(|(x, y)| y.is_finite() && x.iter().all(|v| v.is_finite()))
        .collect();
    (rows.len() >= 2 * callers.len()).then(|| least_squares(&rows, callers.len()))
}

/// Coefficients, none negative, of `y ≈ Σ x·c`, by cyclic coordinate descent.
fn least_squares(rows: &[(Vec<f64>, f64)], width: usize) -> Vec<f64> {
    let product = |i: usize, j: usize| rows.iter().map(|(x, _)| x[i] * x[j]).sum::<f64>();
    let gram: Vec<Vec<f64>> = (0..width).map(|i| (0..width).map(|j| product(i, j)).collect()).collect();
    let target: Vec<f64> = (0..width).map(|i| rows.iter().map(|(x, y)| x[i] * y).sum()).collect();
    let mut rates = vec![0.0; width];
    for _ in 0..ROUNDS {
        for i in 0..width {
            let others: f64 = (0..width).filter(|j| *j != i).map(|j| gram[i][j] * rates[j]).sum();
            let rate = (target[i] - others) / gram[i][i];
            rates[i] = if rate.is_finite() { rate.max(0.0) } else { 0.0 };
        }
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(calls: &[(&str, &str)]) -> Vec<(String, String)> {
        calls.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn rates_are_found_in_the_loads() {
        // Per request of its own, web calls cart once and stock twice; orders calls cart four times.
        let web: BTreeMap<i64, f64> = (0..60).map(|t| (t, 10.0 + (t % 7) as f64)).collect();
        let orders: BTreeMap<i64, f64> = (0..60).map(|t| (t, 1.0 + (t % 5) as f64)).collect();
        let of = |f: &dyn Fn(f64, f64) -> f64| web.iter().map(|(t, w)| (*t, f(*w, orders[t]))).collect::<BTreeMap<i64, f64>>();
        let (cart, stock) = (of(&|w, o| w + 4.0 * o), of(&|w, _| 2.0 * w));
        let loads = BTreeMap::from([("web", web.clone()), ("orders", orders.clone()), ("cart", cart), ("stock", stock)])
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect();
        let graph = Graph::new(&pairs(&[("web", "cart"), ("web", "stock"), ("orders", "cart"), ("web", "web")]), &loads);
        assert!((graph.share("web", "cart") - 1.0 / 3.0).abs() < 1e-3, "{graph:?}");
        assert!((graph.share("web", "stock") - 2.0 / 3.0).abs() < 1e-3);
        assert!((graph.share("orders", "cart") - 1.0).abs() < 1e-9);
        assert_eq!(graph.share("cart", "web"), 0.0);
    }

    #[test]
    fn without_loads_calls_count_the_same() {
        let graph = Graph::new(&pairs(&[("a", "b"), ("a", "c"), ("a", "b")]), &BTreeMap::new());
        assert_eq!((graph.share("a", "b"), graph.share("a", "c")), (0.5, 0.5));
        let idle = (0..9).map(|t| (t, 0.0)).collect::<BTreeMap<i64, f64>>();
        let loads = BTreeMap::from([("a".to_owned(), idle.clone()), ("b".to_owned(), idle)]);
        assert_eq!(Graph::new(&pairs(&[("a", "b")]), &loads).share("a", "b"), 1.0);
    }
}
