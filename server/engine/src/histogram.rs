//! Decaying histograms with exponential buckets, mergeable, as the Kubernetes VPA recommender keeps them.
//!
//! Buckets are the leading bits of a float: 64 to a power of two, so a bucket is 0.8 to 1.6 % wide and finding it
//! takes a shift. Source of the idea of decay: kubernetes/autoscaler, vertical-pod-autoscaler/pkg/recommender/util.

/// Bits of the mantissa that a bucket keeps.
const KEPT: u32 = 6;
const SHIFT: u32 = 23 - KEPT;
/// Values below this (a millionth) share the first bucket.
const LEAST: f32 = 1.0 / (1 << 20) as f32;

/// Weighted counts over exponential buckets; grows to the range of its values.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Histogram {
    first: u32,
    weights: Vec<f64>,
    total: f64,
}

fn bucket(value: f32) -> u32 {
    value.max(LEAST).to_bits() >> SHIFT
}

fn edge(bucket: u32) -> f64 {
    f64::from(f32::from_bits(bucket << SHIFT))
}

impl Histogram {
    /// Adds values with one weight each; gaps are left out.
    pub fn add_all(&mut self, values: &[f32], weight: f64) {
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for v in values {
            low = low.min(*v);
            high = high.max(*v);
        }
        if low > high {
            return;
        }
        self.reach(bucket(low), bucket(high));
        let mut count = 0u32;
        for v in values.iter().filter(|v| !v.is_nan()) {
            self.weights[(bucket(*v) - self.first) as usize] += weight;
            count += 1;
        }
        self.total += weight * f64::from(count);
    }

    /// Adds (value, how many), ascending, with one weight each.
    pub fn add_counted(&mut self, counted: &[(f32, u32)], weight: f64) {
        let (Some(low), Some(high)) = (counted.first(), counted.last()) else { return };
        self.reach(bucket(low.0), bucket(high.0));
        for (value, count) in counted {
            let weight = weight * f64::from(*count);
            self.weights[(bucket(*value) - self.first) as usize] += weight;
            self.total += weight;
        }
    }

    /// Multiplies every weight, as time passing does.
    pub fn scale(&mut self, factor: f64) {
        self.weights.iter_mut().for_each(|w| *w *= factor);
        self.total *= factor;
    }

    fn reach(&mut self, low: u32, high: u32) {
        if self.weights.is_empty() {
            self.first = low;
            self.weights = vec![0.0; (high - low + 1) as usize];
            return;
        }
        if low < self.first {
            let more = (self.first - low) as usize;
            self.weights.splice(0..0, std::iter::repeat_n(0.0, more));
            self.first = low;
        }
        let needed = (high - self.first + 1) as usize;
        if needed > self.weights.len() {
            self.weights.resize(needed, 0.0);
        }
    }

    /// The value below which a share `q` of the weight lies, interpolated inside its bucket; `None` without weight.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.search(q, self.total, |_, w| w)
    }

    /// The same with every bucket weighted by its load (weight × value), as Autopilot's load-weighted percentile.
    pub fn load_quantile(&self, q: f64) -> Option<f64> {
        let load = |i: usize, w: f64| w * edge(self.first + i as u32 + 1);
        let total = self.weights.iter().enumerate().map(|(i, w)| load(i, *w)).sum();
        self.search(q, total, load)
    }

    fn search(&self, q: f64, total: f64, weight: impl Fn(usize, f64) -> f64) -> Option<f64> {
        if total.is_nan() || total <= 0.0 {
            return None;
        }
        let target = q.clamp(0.0, 1.0) * total;
        let mut sum = 0.0;
        let mut last = 0;
        for (i, raw) in self.weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            let w = weight(i, *raw);
            last = i;
            if sum + w >= target {
                return Some(self.inside(i, (target - sum) / w));
            }
            sum += w;
        }
        Some(self.inside(last, 1.0))
    }

    fn inside(&self, i: usize, share: f64) -> f64 {
        let b = self.first + i as u32;
        let low = if b == bucket(LEAST) { 0.0 } else { edge(b) };
        low + (edge(b + 1) - low) * share.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_bucket_of_the_truth() {
        let values: Vec<f32> = (1..=10_000).map(|i| i as f32 * 0.37).collect();
        let mut h = Histogram::default();
        h.add_all(&values, 1.0);
        for q in [0.01, 0.5, 0.9, 0.99, 1.0] {
            let truth = q * 3700.0;
            let got = h.quantile(q).unwrap();
            assert!((got / truth - 1.0).abs() < 0.016, "{q}: {got} for {truth}");
        }
    }

    #[test]
    fn old_weight_fades() {
        let mut h = Histogram::default();
        h.add_all(&[10.0; 100], 1.0);
        h.scale(0.01);
        h.add_all(&[1.0; 10], 1.0);
        assert!(h.quantile(0.9).unwrap() < 1.1);
        assert!(h.quantile(0.95).unwrap() > 9.0);
    }

    #[test]
    fn load_weighting_prefers_busy_times() {
        let mut h = Histogram::default();
        h.add_all(&[0.1; 95], 1.0);
        h.add_all(&[10.0; 5], 1.0);
        assert!(h.quantile(0.9).unwrap() < 0.2);
        assert!(h.load_quantile(0.5).unwrap() > 9.0);
    }

    #[test]
    fn adding_one_by_one_equals_adding_all() {
        let values = [3.0f32, 0.0, 1e9, 0.5, f32::NAN];
        let (mut one, mut all) = (Histogram::default(), Histogram::default());
        values.iter().for_each(|v| one.add_all(&[*v], 2.0));
        all.add_all(&values, 2.0);
        assert_eq!(one.quantile(0.6), all.quantile(0.6));
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!(one.quantile(0.1).map(|v| v < 1e-6), Some(true));
    }
}
