//! A service among its like: how its waste, its cost per request and its throttling compare with the class, and with each provider and
//! kind of workload in it.

use crate::stats;
use serde::Serialize;
use std::collections::BTreeMap;

/// What of a service is compared. `None` where it is not measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Peer {
    /// Share of what is requested that is not used, 0 to 1.
    pub slack: Option<f64>,
    /// Money per million requests.
    pub cost_per_request: Option<f64>,
    /// Share of scheduling periods that were throttled, 0 to 1.
    pub throttled: Option<f64>,
    /// Whose machines: a cloud, or the cluster's name.
    pub provider: String,
    /// What kind of work: Deployment, StatefulSet, CronJob…
    pub workload: String,
}

/// One measure of a service among its like. Less is better for all of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rank {
    /// The service's own value.
    pub value: f64,
    /// Share of like services in percent that have less, those with the same counted half: 90 = worse than nine of ten.
    pub percentile: f64,
    /// The median of like services.
    pub median: f64,
    /// How many like services the measure is known of.
    pub peers: usize,
    /// Medians by provider.
    pub by_provider: BTreeMap<String, f64>,
    /// Medians by kind of workload.
    pub by_workload: BTreeMap<String, f64>,
}

/// A service among its like; a measure is `None` where it is not known of the service or of fewer than three others.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Standing {
    /// Waste.
    pub slack: Option<Rank>,
    /// Money per million requests.
    pub cost_per_request: Option<Rank>,
    /// Throttling.
    pub throttled: Option<Rank>,
}

/// Fewest others that make a comparison.
const FEWEST: usize = 3;

/// Compares a service with the other members of its class (without itself).
#[must_use]
pub fn compare(service: &Peer, class: &[Peer]) -> Standing {
    Standing {
        slack: rank(service, class, |p| p.slack),
        cost_per_request: rank(service, class, |p| p.cost_per_request),
        throttled: rank(service, class, |p| p.throttled),
    }
}

fn rank(service: &Peer, class: &[Peer], measure: fn(&Peer) -> Option<f64>) -> Option<Rank> {
    let finite = |p: &Peer| measure(p).filter(|v| v.is_finite());
    let value = finite(service)?;
    let others: Vec<(f64, &Peer)> = class.iter().filter_map(|p| Some((finite(p)?, p))).collect();
    if others.len() < FEWEST {
        return None;
    }
    let less = others.iter().filter(|o| o.0 < value).count() as f64;
    let same = others.iter().filter(|o| o.0 == value).count() as f64;
    let median = stats::median(&mut others.iter().map(|o| o.0).collect::<Vec<_>>())?;
    let by = |name: fn(&Peer) -> &String| {
        let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (v, peer) in &others {
            groups.entry(name(peer).clone()).or_default().push(*v);
        }
        groups.into_iter().filter_map(|(k, mut v)| stats::median(&mut v).map(|m| (k, m))).collect()
    };
    Some(Rank {
        value,
        percentile: 100.0 * (less + same / 2.0) / others.len() as f64,
        median,
        peers: others.len(),
        by_provider: by(|p| &p.provider),
        by_workload: by(|p| &p.workload),
    })
}
