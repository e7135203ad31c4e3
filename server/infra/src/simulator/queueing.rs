//! The simulator's own equations of waiting, throttling and tails. The engine has others: a promise that is checked against the
//! equation it was made from would prove nothing.

/// The three quantiles of latency that are published.
pub const QUANTILES: [f64; 3] = [0.50, 0.95, 0.99];
/// Standard normal quantiles of [`QUANTILES`].
const Z: [f64; 3] = [0.0, 1.645, 2.326];
/// Beyond this load the steady-state formulas are not asked; a backlog grows instead.
const DENSEST: f64 = 0.97;

/// A queue in front of `servers`, after Sakasegawa's approximation of M/M/c (1977).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Waiting {
    /// Share of arrivals that wait.
    pub share: f64,
    /// Mean wait of those, milliseconds.
    pub length: f64,
}

impl Waiting {
    /// `load` is arrivals × service time / servers; `burstiness` scales the wait for arrivals more uneven than Poisson.
    #[must_use]
    pub fn new(load: f64, servers: f64, service_ms: f64, burstiness: f64) -> Self {
        if !servers.is_finite() || service_ms <= 0.0 || load <= 0.0 {
            return Self::default();
        }
        let (load, servers) = (load.min(DENSEST), servers.max(1.0));
        let share = load.powf((2.0 * (servers + 1.0)).sqrt() - 1.0);
        Self { share, length: burstiness * service_ms / (servers * (1.0 - load)) }
    }
    /// Mean wait over all arrivals, milliseconds.
    #[must_use]
    pub fn mean(self) -> f64 {
        self.share * self.length
    }
    /// About the quantile of the wait over all arrivals, milliseconds: exponential among those who wait, smooth at the edge.
    #[must_use]
    pub fn quantile(self, q: f64) -> f64 {
        if self.share <= 0.0 {
            return 0.0;
        }
        self.length * (1.0 + self.share / (1.0 - q)).ln() * (self.share / (1.0 - q)).min(1.0)
    }
}

/// Share of 100 ms scheduling periods in which demand passes the limit.
///
/// `busy`: mean cores wanted; `per_period`: requests per period; `request_cores`: cores one request takes in a period;
/// demand within a period is taken as logistic around its mean.
#[must_use]
pub fn throttled(busy: f64, limit: f64, idle: f64, per_period: f64, request_cores: f64) -> f64 {
    if !limit.is_finite() {
        return 0.0;
    }
    let requests = (2.0 * per_period).sqrt() * request_cores.min(1.0);
    let spread = (requests * requests + (0.25 * idle).powi(2) + (0.1 * busy).powi(2)).sqrt().max(1e-6);
    let share = 1.0 / (1.0 + (-(busy - limit) / (0.5 * spread)).exp());
    if share < 5e-5 { 0.0 } else { share }
}

/// Milliseconds that throttling adds at each quantile: a stopped request stands until the next period, and tails feel it first.
#[must_use]
pub fn stall(throttled: f64) -> [f64; 3] {
    [1.1, 0.32, 0.11].map(|scale| 95.0 * (1.0 - (-throttled / scale).exp()))
}

/// Log-normal quantiles around a mean.
#[must_use]
pub fn tails(mean: f64, spread: f64) -> [f64; 3] {
    let median = mean * (-spread * spread / 2.0).exp();
    Z.map(|z| median * (spread * z).exp())
}

/// How much of a slow path shows at each quantile when a share of requests takes it.
#[must_use]
pub fn visible(share: f64) -> [f64; 3] {
    QUANTILES.map(|q| share / (share + (1.0 - q)).max(1e-12))
}

/// Share of requests slower than `timeout`, from the median and the 95th percentile (log-logistic tail).
#[must_use]
pub fn beyond(timeout: f64, p50: f64, p95: f64) -> f64 {
    if p50 <= 0.0 || timeout <= 0.0 {
        return 0.0;
    }
    let sigma = ((p95 / p50).max(1.01)).ln() / Z[1];
    1.0 / (1.0 + (1.702 * (timeout / p50).ln() / sigma).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_near_saturation_and_shrink_with_servers() {
        let at = |load, servers| Waiting::new(load, servers, 10.0, 1.0);
        assert!((at(0.5, 1.0).mean() - 10.0).abs() < 1e-9, "M/M/1 at one half waits one service time");
        assert!(at(0.9, 4.0).mean() > 5.0 * at(0.6, 4.0).mean());
        assert!(at(0.8, 16.0).mean() < at(0.8, 2.0).mean());
        assert!(at(5.0, 1.0).quantile(0.99).is_finite());
        assert_eq!(Waiting::new(0.5, f64::INFINITY, 10.0, 1.0).mean(), 0.0);
    }

    #[test]
    fn throttling_begins_before_the_mean_reaches_the_limit() {
        assert_eq!(throttled(0.5, f64::INFINITY, 0.1, 10.0, 0.1), 0.0);
        let (low, mid, high) =
            (throttled(0.2, 1.0, 0.05, 5.0, 0.04), throttled(0.8, 1.0, 0.05, 20.0, 0.04), throttled(1.1, 1.0, 0.05, 25.0, 0.04));
        assert!(low < 0.01 && mid > 0.02 && mid < 0.5 && high > 0.5, "{low} {mid} {high}");
        assert!(stall(0.1)[2] > stall(0.1)[1] && stall(0.1)[1] > stall(0.1)[0]);
    }

    #[test]
    fn a_slow_path_shows_in_the_tail_first() {
        let shown = visible(0.05);
        assert!(shown[0] < 0.1 && (shown[1] - 0.5).abs() < 1e-9 && shown[2] > 0.8);
        assert_eq!(visible(0.0), [0.0; 3]);
        assert!(beyond(1000.0, 20.0, 80.0) < 0.001 && beyond(100.0, 90.0, 300.0) > 0.3);
    }
}
