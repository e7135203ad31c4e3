//! A service among its like: how its waste, its cost per request and its throttling compare with the class, and with each provider and
//! kind of workload in it.

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

/// Fewest others that make a comparison, and fewest members of a group whose median is told: fewer would be told one by one.
const FEWEST: usize = 3;

/// The members of a class, put in order once, so that comparing each with all others takes no look at all others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Like {
    slack: Sorted,
    cost_per_request: Sorted,
    throttled: Sorted,
}

/// A measure of the members that have it, ascending, as a whole and in groups.
#[derive(Debug, Clone, PartialEq, Default)]
struct Sorted {
    all: Vec<f64>,
    by_provider: BTreeMap<String, Vec<f64>>,
    by_workload: BTreeMap<String, Vec<f64>>,
}

impl Like {
    /// All members of a class.
    #[must_use]
    pub fn of(members: &[Peer]) -> Self {
        Self {
            slack: Sorted::of(members, |p| p.slack),
            cost_per_request: Sorted::of(members, |p| p.cost_per_request),
            throttled: Sorted::of(members, |p| p.throttled),
        }
    }

    /// Compares a member with the others.
    #[must_use]
    pub fn compare(&self, member: &Peer) -> Standing {
        Standing {
            slack: self.slack.rank(member.slack, member),
            cost_per_request: self.cost_per_request.rank(member.cost_per_request, member),
            throttled: self.throttled.rank(member.throttled, member),
        }
    }
}

impl Sorted {
    fn of(members: &[Peer], measure: fn(&Peer) -> Option<f64>) -> Self {
        let mut sorted = Self::default();
        for (peer, value) in members.iter().filter_map(|p| Some((p, measure(p).filter(|v| v.is_finite())?))) {
            sorted.all.push(value);
            sorted.by_provider.entry(peer.provider.clone()).or_default().push(value);
            sorted.by_workload.entry(peer.workload.clone()).or_default().push(value);
        }
        let groups = sorted.by_provider.values_mut().chain(sorted.by_workload.values_mut());
        groups.chain(std::iter::once(&mut sorted.all)).for_each(|v| v.sort_unstable_by(f64::total_cmp));
        sorted
    }

    fn rank(&self, value: Option<f64>, member: &Peer) -> Option<Rank> {
        let value = value.filter(|v| v.is_finite())?;
        let others = self.all.len().checked_sub(1).filter(|n| *n >= FEWEST)?;
        let less = self.all.partition_point(|v| *v < value);
        let same = self.all.partition_point(|v| *v <= value).checked_sub(less + 1)?;
        let medians = |groups: &BTreeMap<String, Vec<f64>>, own: &str| {
            let one = |(name, values): (&String, &Vec<f64>)| Some((name.clone(), median(values, (name == own).then_some(value))?));
            groups.iter().filter_map(one).collect()
        };
        Some(Rank {
            value,
            percentile: 100.0 * (less as f64 + same as f64 / 2.0) / others as f64,
            median: median(&self.all, Some(value))?,
            peers: others,
            by_provider: medians(&self.by_provider, &member.provider),
            by_workload: medians(&self.by_workload, &member.workload),
        })
    }
}

/// The median of ascending values, one of them left out; `None` where too few are left.
fn median(values: &[f64], without: Option<f64>) -> Option<f64> {
    let gap = without.map_or(values.len(), |own| values.partition_point(|v| *v < own));
    let left = values.len() - usize::from(without.is_some());
    let at = |i: usize| values[i + usize::from(i >= gap)];
    (left >= FEWEST).then(|| f64::midpoint(at((left - 1) / 2), at(left / 2)))
}
