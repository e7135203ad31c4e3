//! Classes of services that behave alike, found whenever the fleet is analysed, and how each service does among its like.

use crate::analyze::Analysed;
use crate::read::services::idle;
use crate::{Error, Headroom, Result};
use headroom_engine::classes::{Classes, Like, Membership, Peer, Rank, Traits, of_traits};
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::units::Currency;
use headroom_model::view::{Comparison, Measure, ServiceClass};

/// Where k-means starts: the same fleet gives the same classes.
const SEED: u64 = 1;
/// Seconds in a month of 730 hours, as prices are.
const MONTH: f64 = 730.0 * 3600.0;

/// What classes need to know of a fleet, gathered as it is analysed piece by piece.
#[derive(Default)]
pub(crate) struct Gathered {
    services: Vec<ServiceId>,
    traits: Vec<Option<Traits>>,
    peers: Vec<Peer>,
    currency: Option<Currency>,
}

impl Gathered {
    pub(crate) fn add(&mut self, some: &[Analysed]) {
        for one in some {
            self.services.push(one.service.id);
            self.traits.push(Traits::of(&one.analysis.features));
            self.peers.push(peer(one));
            self.currency = self.currency.or(one.analysis.cost_month.map(|m| m.currency));
        }
    }

    /// The class of each service; `None` for one without measurements, and for all of a fleet that is too small.
    fn classes(self) -> Vec<(ServiceId, Option<ServiceClass>)> {
        let Ok(found) = of_traits(self.traits, SEED) else { return self.services.into_iter().map(|id| (id, None)).collect() };
        let like: Vec<Like> = (0..found.classes.len()).map(|class| Like::of(&members(&found, &self.peers, class))).collect();
        let class = |i: usize| {
            let member = found.members[i]?;
            let class = &found.classes[member.class];
            let standing = like[member.class].compare(&self.peers[i]);
            let measures = [
                (Measure::Slack, standing.slack),
                (Measure::CostPerMillion, standing.cost_per_request),
                (Measure::Throttled, standing.throttled),
            ];
            Some(ServiceClass {
                name: class.name.clone(),
                members: u32::try_from(class.members).unwrap_or(u32::MAX),
                classes: u32::try_from(found.classes.len()).unwrap_or(u32::MAX),
                fit: member.fit,
                standing: measures.into_iter().filter_map(|(m, rank)| Some(comparison(m, rank?, self.currency))).collect(),
            })
        };
        self.services.iter().enumerate().map(|(i, id)| (*id, class(i))).collect()
    }
}

impl Headroom {
    /// Finds the classes of a fleet and notes each service's.
    pub(crate) async fn keep_classes(&self, gathered: Gathered) -> Result<()> {
        let classes =
            tokio::task::spawn_blocking(move || gathered.classes()).await.map_err(|e| Error::Internal(format!("classes broke: {e}")))?;
        let mut tx = self.store.begin().await?;
        tx.put_classes(&classes).await?;
        Ok(tx.commit().await?)
    }
}

fn members(found: &Classes, peers: &[Peer], class: usize) -> Vec<Peer> {
    let within = |(member, _): &(&Option<Membership>, &Peer)| member.is_some_and(|m| m.class == class);
    found.members.iter().zip(peers).filter(within).map(|(_, peer)| peer.clone()).collect()
}

fn peer(one: &Analysed) -> Peer {
    let mean = |metric| one.analysis.features.get(metric).map(|p| p.mean);
    let millions = mean(Metric::RequestRate).map(|rate| rate * MONTH / 1e6).filter(|m| *m > 0.0);
    Peer {
        slack: idle(&one.analysis.bars),
        cost_per_request: one.analysis.cost_month.zip(millions).map(|(cost, millions)| cost.units() / millions),
        throttled: mean(Metric::CpuThrottled),
        provider: one.service.key.cluster.clone(),
        workload: one.service.key.kind.clone(),
    }
}

fn comparison(measure: Measure, rank: Rank, currency: Option<Currency>) -> Comparison {
    Comparison {
        measure,
        value: rank.value,
        median: rank.median,
        percentile: rank.percentile,
        peers: u32::try_from(rank.peers).unwrap_or(u32::MAX),
        currency: currency.filter(|_| measure == Measure::CostPerMillion),
        by_cluster: rank.by_provider,
        by_kind: rank.by_workload,
    }
}
