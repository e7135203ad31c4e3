//! How likely a proposal keeps its promise.
//!
//! `confidence = (kept + 1) / (judged + 2) × (0.7 + 0.3·coverage) × (1 − 0.2·noise / (1 + noise)) × fit`
//!
//! `judged` are days of the service's own past on which the same rule, knowing only what came before, could be judged;
//! `kept` are those on which it held. Laplace's rule shrinks towards a coin toss: 13 of 13 days give 0.93, 2 of 2 give 0.75,
//! none gives 0.5. `coverage` is the share of samples that are there, `noise` what season leaves of the demand (standard deviation
//! over mean), `fit` how well a relation that the promise rests on explains the data, 1 where there is none.

use crate::features::Features;
use headroom_model::units::Confidence;

/// The formula above.
pub(crate) fn confidence(kept: usize, judged: usize, features: &Features, noise: f64, fit: f64) -> Confidence {
    let success = (kept.min(judged) as f64 + 1.0) / (judged as f64 + 2.0);
    let complete = 0.7 + 0.3 * features.coverage.clamp(0.0, 1.0);
    let noise = noise.max(0.0);
    let calm = 1.0 - 0.2 * noise / (1.0 + noise);
    Confidence::clamped(success * complete * calm * fit.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_noisier_or_broken_days_count_against_it() {
        let whole = Features { coverage: 1.0, ..Features::default() };
        let holes = Features { coverage: 0.5, ..Features::default() };
        let c = |k, n, f: &Features, noise| confidence(k, n, f, noise, 1.0).get();
        let best = c(13, 13, &whole, 0.1);
        assert!(best > 0.9);
        assert!(c(4, 4, &whole, 0.1) < best);
        assert!(c(10, 13, &whole, 0.1) < best);
        assert!(c(13, 13, &whole, 0.6) < best);
        assert!(c(13, 13, &holes, 0.1) < best);
        assert!(c(0, 0, &whole, f64::NAN) <= 0.5);
    }
}
