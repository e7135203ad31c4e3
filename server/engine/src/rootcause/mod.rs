//! Root cause: which service began the trouble that all of them show.
//!
//! Three kinds of evidence, each a rise measured by the metric's own usual spread ([`Evidence`]): a service's own resources
//! (the strongest, because they are its own); its callers waiting longer for their calls, as far as their pattern fits this callee
//! and no other ([`Graph`]); and its own latency, as far as it is not inherited from what it calls. Nothing is learnt from labels.

mod evidence;
mod graph;

pub use evidence::{Evidence, Kind};
pub use graph::Graph;

use evidence::Rise;
use std::collections::{BTreeMap, BTreeSet};

/// The least spread of a metric, as a share of the largest usual value that any service has for it.
const PEER_FLOOR: f64 = 0.001;
/// A callee with this share of its caller's calls moves half of what it could in the caller's waiting time.
const HALF_VISIBLE: f64 = 0.1;
/// What a pattern that does not fit costs, and what inherited slowness costs.
const MISFIT: f64 = 0.5;
const INHERITED: f64 = 0.5;
/// How much a callee that gets few calls is held for less likely than one that gets many.
const RARELY_CALLED: f64 = 0.1;
/// Weights of being blamed by callers, of a second kind of evidence that agrees, and of own slowness beside other evidence or alone.
const BLAMED: f64 = 0.8;
const SECOND: f64 = 0.3;
const SLOW: f64 = 0.15;
const SLOW_ALONE: f64 = 0.3;

/// A service and how likely it began the trouble, compared with the others.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Suspect {
    /// The service.
    pub service: String,
    /// 0 for no evidence; comparable within one ranking.
    pub score: f64,
    /// The metric that speaks most against it: its own, or its callers' waiting time; `None` without evidence.
    pub metric: Option<String>,
    /// Why, in words.
    pub reason: String,
}

/// The strongest rise of one kind of metric of one service.
type Strongest<'a> = BTreeMap<(&'a str, Kind), (&'a str, Rise)>;

/// What speaks against a service, each in ln(1 + usual spreads).
#[derive(Debug, Clone, Copy, Default)]
struct Charges {
    resource: f64,
    blamed: f64,
    slow: f64,
}

impl Charges {
    fn score(self) -> f64 {
        let both = SECOND * self.resource.min(self.blamed) + SLOW * self.slow.min(self.resource.max(self.blamed));
        self.resource.max(BLAMED * self.blamed).max(SLOW_ALONE * self.slow) + both
    }
}

/// All services of the evidence and the graph, the most suspicious first; those alike in the order of their names.
#[must_use]
pub fn rank(evidence: &[Evidence], graph: &Graph) -> Vec<Suspect> {
    let strongest = strongest(evidence);
    let services: BTreeSet<&str> =
        evidence.iter().map(|e| e.service.as_str()).chain(graph.callers()).chain(graph.callers().flat_map(|c| graph.callees(c))).collect();
    let mut suspects: Vec<Suspect> = services
        .iter()
        .map(|service| {
            let charges = charges(service, &strongest, graph);
            let (metric, reason) = reason(service, charges, &strongest, graph);
            Suspect { service: (*service).to_owned(), score: charges.score(), metric, reason }
        })
        .collect();
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score));
    suspects
}

fn strongest(evidence: &[Evidence]) -> Strongest<'_> {
    let mut peers: BTreeMap<&str, f64> = BTreeMap::new();
    for e in evidence {
        if let Some(rise) = e.rise(0.0) {
            let largest = peers.entry(&e.metric).or_default();
            *largest = largest.max(rise.usual.abs());
        }
    }
    let mut strongest: Strongest<'_> = BTreeMap::new();
    for e in evidence {
        let floor = PEER_FLOOR * peers.get(e.metric.as_str()).copied().unwrap_or_default();
        let Some(rise) = e.rise(floor) else { continue };
        let best = strongest.entry((e.service.as_str(), e.kind)).or_insert((&e.metric, rise));
        if rise.times > best.1.times {
            *best = (&e.metric, rise);
        }
    }
    strongest
}

fn strength(strongest: &Strongest<'_>, service: &str, kind: Kind) -> f64 {
    strongest.get(&(service, kind)).map_or(0.0, |(_, rise)| rise.strength())
}

fn beyond_noise(strongest: &Strongest<'_>, service: &str, kind: Kind) -> f64 {
    strongest.get(&(service, kind)).map_or(0.0, |(_, rise)| rise.beyond_noise())
}

/// How much longer a service waits for what it calls: as it says itself, else as slow as the slowest that it calls.
fn waiting(strongest: &Strongest<'_>, graph: &Graph, service: &str) -> f64 {
    if graph.callees(service).next().is_none() {
        return 0.0;
    }
    match strongest.get(&(service, Kind::ClientLatency)) {
        Some((_, rise)) => rise.strength(),
        None => graph.callees(service).map(|c| strength(strongest, c, Kind::Latency)).fold(0.0, f64::max),
    }
}

fn charges(service: &str, strongest: &Strongest<'_>, graph: &Graph) -> Charges {
    let latency = beyond_noise(strongest, service, Kind::Latency);
    let inherited = latency.min(waiting(strongest, graph, service));
    Charges {
        resource: beyond_noise(strongest, service, Kind::Resource),
        blamed: (blame(service, strongest, graph) - INHERITED * inherited).max(0.0),
        slow: latency - inherited,
    }
}

/// How well the callers' waiting fits a delay of this callee: the pattern of who would see it (callers that send it a good
/// share of their calls) is scaled to what was seen, and what it leaves unexplained elsewhere is taken off.
fn blame(service: &str, strongest: &Strongest<'_>, graph: &Graph) -> f64 {
    let seen: Vec<(f64, f64)> = graph
        .callers()
        .filter(|caller| *caller != service && strongest.contains_key(&(*caller, Kind::ClientLatency)))
        .map(|caller| {
            let share = graph.share(caller, service);
            (share / (share + HALF_VISIBLE), strength(strongest, caller, Kind::ClientLatency))
        })
        .collect();
    let energy: f64 = seen.iter().map(|(v, _)| v * v).sum();
    if energy <= 0.0 {
        return 0.0;
    }
    let delay = seen.iter().map(|(v, l)| v * l).sum::<f64>() / energy;
    let explained = delay * energy.sqrt();
    let misfit = seen.iter().map(|(v, l)| (l - delay * v).powi(2)).sum::<f64>().sqrt();
    let most_visible = seen.iter().map(|s| s.0).fold(0.0, f64::max);
    (explained - MISFIT * misfit + RARELY_CALLED * explained.min(1.0) * most_visible.max(1e-3).ln()).max(0.0)
}

fn reason(service: &str, charges: Charges, strongest: &Strongest<'_>, graph: &Graph) -> (Option<String>, String) {
    let told = |kind: Kind| strongest.get(&(service, kind)).filter(|(_, rise)| rise.times > 0.0);
    let rose = |metric: &str, rise: &Rise| {
        format!("{metric} rose from {} to {}, {:.1} times its usual spread", short(rise.usual), short(rise.now), rise.times)
    };
    let blamed = BLAMED * charges.blamed;
    if charges.resource > 0.0
        && charges.resource >= blamed
        && let Some((metric, rise)) = told(Kind::Resource)
    {
        return (Some((*metric).to_owned()), rose(metric, rise));
    }
    if blamed > 0.0 && blamed >= SLOW_ALONE * charges.slow {
        let callers = graph.callers().filter(|c| graph.share(c, service) > 0.0);
        let loudest = callers
            .filter_map(|c| strongest.get(&(c, Kind::ClientLatency)).map(|s| (c, s)))
            .max_by(|a, b| a.1.1.times.total_cmp(&b.1.1.times));
        if let Some((caller, (metric, rise))) = loudest {
            return (Some((*metric).to_owned()), format!("its caller {caller} waits longer: {}", rose(metric, rise)));
        }
    }
    match told(Kind::Latency) {
        Some((metric, rise)) if charges.slow > 0.0 => {
            (Some((*metric).to_owned()), format!("{}, more than what it calls explains", rose(metric, rise)))
        }
        _ => (None, "nothing of it rose beyond what others explain".to_owned()),
    }
}

/// A number to three significant digits.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (2 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests;
