//! What a metric did when the trouble began: its rise, measured by its own usual spread.

use crate::stats::{median, quantile};

/// Seconds of a long look back, of the time just before, and of the time after; or so many steps of a slow source.
const BEFORE: (i64, i64) = (3600, 20);
const JUST_BEFORE: (i64, i64) = (300, 3);
const AFTER: (i64, i64) = (240, 3);
/// A rise is measured by the usual spread plus this share of the usual value: a metric that hardly ever moves is not
/// thereby more suspicious.
const RELATIVE_SPREAD: f64 = 0.1;
/// A median moves by about so many usual spreads without any cause.
const NOISE: f64 = 0.5;

/// What a metric tells about a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// CPU, memory, disks, sockets: what a service uses itself. A rise can be a cause.
    Resource,
    /// How long the service takes, or how often it fails: a symptom of it or of what it calls.
    Latency,
    /// How long the service waits for what it calls: a symptom of its callees.
    ClientLatency,
    /// Requests.
    Load,
    /// Anything else, of the machine below among it: not looked at.
    Other,
}

impl Kind {
    /// The kind by the words in a metric's name.
    #[must_use]
    pub fn of(metric: &str) -> Self {
        let name = metric.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|w| name.contains(w));
        let word = |words: &[&str]| name.split(|c: char| !c.is_alphanumeric()).any(|t| words.contains(&t));
        if name.starts_with("node") {
            Self::Other
        } else if has(&["latency", "duration", "response_time"]) || word(&["lat"]) {
            if has(&["client", "outgoing", "upstream"]) { Self::ClientLatency } else { Self::Latency }
        } else if has(&["error", "fail", "5xx"]) {
            Self::Latency
        } else if has(&["cpu", "memory", "heap", "disk", "socket", "thrott"]) || word(&["mem", "io", "fs"]) {
            Self::Resource
        } else if has(&["workload", "request", "throughput"]) || word(&["ops", "lod", "load", "rps", "qps"]) {
            Self::Load
        } else {
            Self::Other
        }
    }
}

/// One metric of one service around the moment; finite values in any order.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Whose metric it is.
    pub service: String,
    /// Its name.
    pub metric: String,
    /// What it tells.
    pub kind: Kind,
    /// Values of the reference: an hour before, or a phase without fault.
    pub before: Vec<f64>,
    /// Values just before; empty where the reference is a phase of its own.
    pub just_before: Vec<f64>,
    /// Values after.
    pub after: Vec<f64>,
    /// The least spread that is believed, in the metric's unit; 0 where nothing is known of it. A share that is usually zero has none
    /// of its own.
    pub least: f64,
}

impl Evidence {
    /// A metric whose time with the fault and time without were recorded apart. Values that are not finite are left out.
    #[must_use]
    pub fn of_phases(service: &str, metric: &str, normal: &[f64], anomalous: &[f64]) -> Self {
        let finite = |values: &[f64]| values.iter().copied().filter(|v| v.is_finite()).collect();
        Self {
            service: service.to_owned(),
            metric: metric.to_owned(),
            kind: Kind::of(metric),
            before: finite(normal),
            just_before: Vec::new(),
            after: finite(anomalous),
            least: 0.0,
        }
    }

    /// A metric around the moment `at`: `(time, value)` in any order, seconds since the epoch, `step` seconds apart.
    #[must_use]
    pub fn at(service: &str, metric: &str, samples: &[(i64, f64)], step: i64, at: i64) -> Self {
        let within =
            |from: i64, to: i64| samples.iter().filter(|(t, v)| (from..to).contains(t) && v.is_finite()).map(|s| s.1).collect::<Vec<f64>>();
        let seconds = |(least, steps): (i64, i64)| least.max(steps.saturating_mul(step));
        Self {
            service: service.to_owned(),
            metric: metric.to_owned(),
            kind: Kind::of(metric),
            before: within(at.saturating_sub(seconds(BEFORE)), at),
            just_before: within(at.saturating_sub(seconds(JUST_BEFORE)), at),
            after: within(at, at.saturating_add(seconds(AFTER)).saturating_add(1)),
            least: 0.0,
        }
    }

    /// How far it rose, by its usual spread; `None` without two values before and one after.
    ///
    /// The median after is compared with the median of the reference and with that of the time just before, and the smaller
    /// rise counts: what was high already is not news, and neither is the end of a dip. `floor` is the least spread, in the
    /// metric's unit. The robust form of BARO (Pham et al., FSE 2024), with a spread that does not vanish.
    pub(super) fn rise(&self, floor: f64) -> Option<Rise> {
        if self.before.len() < 2 {
            return None;
        }
        let mut before = self.before.clone();
        let usual = median(&mut before)?;
        let between = quantile(&mut before, 0.75)? - quantile(&mut before, 0.25)?;
        let now = median(&mut self.after.clone())?;
        let from = median(&mut self.just_before.clone()).map_or(usual, |j| j.max(usual));
        let spread = (between / 1.35 + RELATIVE_SPREAD * usual.abs()).max(floor).max(self.least).max(f64::MIN_POSITIVE);
        let times = (now - from) / spread;
        times.is_finite().then_some(Rise { usual, now, times: times.max(0.0) })
    }
}

/// A rise of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rise {
    /// The median of the reference.
    pub usual: f64,
    /// The median after.
    pub now: f64,
    /// The rise in usual spreads; 0 for a fall.
    pub times: f64,
}

impl Rise {
    /// ln(1 + rise in usual spreads).
    pub fn strength(&self) -> f64 {
        self.times.ln_1p()
    }

    /// The same of what is beyond noise.
    pub fn beyond_noise(&self) -> f64 {
        (self.times - NOISE).max(0.0).ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_kind() {
        for (name, kind) in [
            ("cpu_usage_rate_percent", Kind::Resource),
            ("mem", Kind::Resource),
            ("lat_99", Kind::Latency),
            ("server_latency_p90_seconds", Kind::Latency),
            ("PodClientLatencyP90(s)", Kind::ClientLatency),
            ("lod", Kind::Load),
            ("workload_ops", Kind::Load),
            ("node_cpu_usage_rate_percent", Kind::Other),
            ("network_receive_bytes", Kind::Other),
            ("error_rate", Kind::Latency),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn a_rise_is_measured_by_the_usual_spread() {
        let normal: Vec<f64> = (0..=100).map(f64::from).collect();
        let rise = Evidence::of_phases("a", "cpu", &normal, &[150.0; 5]).rise(0.0).unwrap();
        assert_eq!((rise.usual, rise.now), (50.0, 150.0));
        let spreads = 100.0_f64 / (50.0 / 1.35 + 5.0);
        assert!((rise.strength() - spreads.ln_1p()).abs() < 1e-12);
        assert!((rise.beyond_noise() - (spreads - 0.5).ln_1p()).abs() < 1e-12);
        assert_eq!(Evidence::of_phases("a", "cpu", &normal, &[1.0]).rise(0.0).unwrap().times, 0.0);
        assert!(Evidence::of_phases("a", "cpu", &[1.0, f64::NAN], &[1.0]).rise(0.0).is_none());
        assert!(Evidence::of_phases("a", "cpu", &[1.0, 2.0], &[]).rise(0.0).is_none());
    }

    #[test]
    fn what_was_high_already_is_not_news() {
        let high: Vec<(i64, f64)> = (0..120).map(|i| (i * 60, if i >= 52 { 90.0 } else { 10.0 })).collect();
        let at = |minute: i64| Evidence::at("a", "cpu", &high, 60, minute * 60).rise(0.0).unwrap().strength();
        assert!(at(52) > 4.0);
        assert_eq!(at(60), 0.0);
    }
}
