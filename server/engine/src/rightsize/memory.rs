//! Memory limits: the margin is spent where a clean day is cheapest.
//!
//! A day on which usage passes the limit counts the same for a small service and a large one, a byte held costs the same
//! too. So a day past the limit gets a price, [`PRICE`] times the mean size of the file's services, and each service holds
//! the value with the least sum of bytes held and price × chance ([`outlook::Outlook`]) of passing it. Small services get
//! room for many times their usual movement, large ones for little more than what they have used; a fall of a large service
//! is followed after a day, that of a small one only when its return has become unlikely. A value is kept until another
//! saves [`SWITCH`] of it, as in Autopilot's learner (Rzadca et al., EuroSys 2020: cost of over-run, waste and change).

mod outlook;

use super::{Day, Held, Recommender, hold};
use outlook::{Outlook, Seen};

/// What one day past the limit costs, in mean sizes of a service held for a day. Chosen on the OpenShift containers for half
/// a per cent of days past the limit; twice or half of it moves that share by about a tenth of a per cent.
const PRICE: f64 = 14.0;
/// A value is changed only when that saves more than this share of it.
const SWITCH: f64 = 0.1;
/// The largest chance of passing the limit at which any service is held.
const MOST: f64 = 0.36;
/// Days that are remembered.
const DAYS: usize = 14;

/// What is known of one service.
#[derive(Debug, Clone, Default)]
struct Known {
    /// Newest last.
    seen: Vec<Seen>,
    held: Option<f64>,
}

/// Learns the memory of the services of one file.
pub(super) struct Learner {
    known: Vec<Known>,
    workloads: Vec<usize>,
    /// Members of each workload, by its number.
    members: Vec<Vec<usize>>,
    /// The mean size of a service, where it was told rather than learnt from the services at hand.
    told: Option<f64>,
    /// The mean of all services' newest peaks, and the day for which it was taken.
    size: Option<(i64, f64)>,
}

impl Learner {
    /// `workloads`: the number of each service's workload; `size`: the mean size of a service of the fleet, learnt from the services
    /// themselves where it is not known.
    pub fn new(workloads: &[usize], size: Option<f64>) -> Self {
        let mut members = vec![Vec::new(); workloads.len()];
        workloads.iter().enumerate().for_each(|(service, workload)| members[*workload].push(service));
        Self { known: vec![Known::default(); workloads.len()], workloads: workloads.to_vec(), members, told: size, size: None }
    }

    /// The mean size of the services known so far.
    fn size(&mut self, day: i64) -> f64 {
        if let Some(size) = self.told.or_else(|| self.size.filter(|s| s.0 == day).map(|s| s.1)) {
            return size;
        }
        let (sum, n) = self.known.iter().filter_map(|k| k.seen.last()).fold((0.0, 0.0), |(sum, n), s| (sum + s.peak, n + 1.0));
        let size = if n > 0.0 { sum / n } else { 0.0 };
        self.size = Some((day, size));
        size
    }

    /// The largest days of the other services of its workload.
    fn siblings(&self, service: usize) -> Vec<f64> {
        let others = self.members[self.workloads[service]].iter().filter(|other| **other != service);
        others.filter_map(|other| self.known[*other].seen.iter().map(|s| s.peak).reduce(f64::max)).collect()
    }

    /// What to hold on a day; `None` where nothing is known. Where workload siblings are known, they stand in for a first day.
    fn value(&mut self, service: usize, day: i64) -> Option<f64> {
        let size = self.size(day);
        let siblings = self.siblings(service);
        let outlook = Outlook::new(&self.known[service].seen, &siblings, day, size)?;
        let price = PRICE * size;
        let cost = |value: f64, chance: f64| value + price * chance;
        let (best, chance) = outlook
            .candidates()
            .map(|value| (value, outlook.chance_above(value)))
            .filter(|(_, chance)| *chance <= MOST)
            .min_by(|a, b| cost(a.0, a.1).total_cmp(&cost(b.0, b.1)))?;
        let kept = self.known[service].held.filter(|held| {
            let now = outlook.chance_above(*held);
            now <= MOST && cost(*held, now) <= cost(best, chance) + SWITCH * held
        });
        let value = kept.unwrap_or(best);
        self.known[service].held = Some(value);
        Some(value)
    }
}

impl Recommender for Learner {
    fn decide(&mut self, service: usize, day: i64, out: &mut Vec<Held>) {
        if let Some(value) = self.value(service, day) {
            hold(day, value, out);
        }
    }

    fn learn(&mut self, service: usize, day: &Day<'_>) {
        let (peak, last) = (f64::from(day.peak()), f64::from(day.newest()));
        let Some(median) = day.quantile(0.5) else { return };
        let seen = &mut self.known[service].seen;
        if seen.len() == DAYS {
            seen.remove(0);
        }
        seen.push(Seen { day: day.day, peak, median, last });
    }
}

#[cfg(test)]
mod tests;
