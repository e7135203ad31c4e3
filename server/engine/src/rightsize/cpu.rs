//! CPU requests, each decided for the next day by what it costs to hold it against what it costs to be short.
//!
//! From the days so far a [forecast](super::demand) says which share of the next day's samples will lie above a value. Holding a value
//! costs its cores; a sample above it costs a price that is the same for the whole fleet. So large services, where a core saved is dear,
//! run closer to their peaks than small ones, whose head-room costs next to nothing, and a value is changed only when that saves more than
//! a change is worth. The costs of waste, overrun and change are those of Autopilot's learner (Rzadca et al., `EuroSys` 2020, section
//! 3.3); the search over decays and margins is replaced by the forecast.

use super::demand::{Demand, Exceedance};
use super::{Day, Held, Recommender, hold};

/// What a sample above the value costs, in daily peaks of a typical service held for a day.
const OVERRUN: f64 = 400.0 / 288.0;
/// Demand that grows unforeseen is met, too: by so much…
const GROWTH: f64 = 1.5;
/// … at this price, in the same unit as [`OVERRUN`].
const GROWN_OVERRUN: f64 = 10.0 / 288.0;
/// The largest share of samples that may be expected above a value before the price rises tenfold.
const MOST: f64 = 0.1;
/// A change is made when it saves this share of the cost…
const CHANGE: f64 = 0.01;
/// … and so many cores, or so much of a machine.
const LEAST_CHANGE: f64 = 0.05;
/// How far prices follow the size of the fleet's typical service: 0 not at all, 1 in proportion.
const FOLLOWS_SIZE: f64 = 0.75;

/// Learns the CPU of the services of one file.
pub(super) struct Learner {
    share: bool,
    workloads: Vec<usize>,
    services: Vec<Demand>,
    /// Per workload of several services: all of them as one.
    together: Vec<Option<Demand>>,
    held: Vec<Option<f64>>,
    fleet: Fleet,
}

/// What a day's peak is over all services and days so far.
#[derive(Default)]
struct Fleet {
    /// Where it was told rather than learnt from the services at hand.
    told: Option<f64>,
    sum: f64,
    days: f64,
}

impl Fleet {
    fn learn(&mut self, peak: f64) {
        self.sum += peak;
        self.days += 1.0;
    }

    /// What a typical service's peak is taken for, in the unit of the metric. A share's unit is a machine, whatever its size.
    fn price(&self, share: bool) -> f64 {
        let size = self.told.unwrap_or(self.sum / self.days);
        if share || size.is_nan() || size <= 0.0 { 1.0 } else { size.powf(FOLLOWS_SIZE) }
    }
}

impl Learner {
    /// `workloads`: the number of each service's workload; `share`: the unit is a share of a machine; `size`: the daily peak of the
    /// fleet's typical service, learnt from the services themselves where it is not known.
    pub fn new(workloads: &[usize], share: bool, size: Option<f64>) -> Self {
        let mut members = vec![0u32; workloads.len()];
        workloads.iter().for_each(|w| members[*w] += 1);
        Self {
            share,
            workloads: workloads.to_vec(),
            services: vec![Demand::new(share); workloads.len()],
            together: members.iter().map(|n| (*n > 1).then(|| Demand::new(share))).collect(),
            held: vec![None; workloads.len()],
            fleet: Fleet { told: size, ..Fleet::default() },
        }
    }

    /// What to hold, from what is known of the service or, before its first day, of its workload.
    fn value(&self, service: usize) -> Option<f64> {
        let own = &self.services[service];
        let known = if own.is_known() { own } else { self.together[self.workloads[service]].as_ref()? };
        let tomorrow = known.exceedance()?;
        let price = self.fleet.price(self.share) * known.per_day();
        let cost = Cost { price, grown: Exceedance::buckets(GROWTH), tomorrow: &tomorrow };
        let (best, least) = cost.best();
        let keeps = |held: &f64| cost.of(*held) <= least * (1.0 + CHANGE) + LEAST_CHANGE;
        Some(self.held[service].filter(keeps).unwrap_or(best))
    }
}

/// What holding a value for a day costs, in the unit of the metric.
struct Cost<'a> {
    price: f64,
    grown: usize,
    tomorrow: &'a Exceedance,
}

impl Cost<'_> {
    fn at(&self, i: usize, value: f64) -> f64 {
        let (above, grown) = (self.tomorrow.above(i, 0), self.tomorrow.above(i, self.grown));
        let overrun = OVERRUN * (above + 10.0 * (above - MOST).max(0.0)) + GROWN_OVERRUN * grown;
        value + self.price * overrun
    }

    /// Of a value that may not be on the grid: as of the next smaller one that is.
    fn of(&self, value: f64) -> f64 {
        self.tomorrow.at_most(value).map_or(f64::INFINITY, |i| self.at(i, value))
    }

    /// The value that costs least, and its cost.
    fn best(&self) -> (f64, f64) {
        let costs = (0..self.tomorrow.len()).map(|i| self.tomorrow.value(i)).enumerate().map(|(i, v)| (v, self.at(i, v)));
        costs.fold((0.0, f64::INFINITY), |best, new| if new.1 < best.1 { new } else { best })
    }
}

impl Recommender for Learner {
    fn decide(&mut self, service: usize, day: i64, out: &mut Vec<Held>) {
        if let Some(value) = self.value(service) {
            self.held[service] = Some(value);
            hold(day, value, out);
        }
    }

    fn learn(&mut self, service: usize, day: &Day<'_>) {
        self.services[service].learn(day);
        if let Some(together) = &mut self.together[self.workloads[service]] {
            together.learn(day);
        }
        self.fleet.learn(f64::from(day.peak()));
    }
}

#[cfg(test)]
mod tests {
    use crate::rightsize::testing::{START, noise, series};
    use crate::rightsize::{Held, Method, Usage, replay};
    use headroom_model::metric::Metric;
    use headroom_model::series::Series;

    fn held(fleet: &[(Option<&str>, Series)]) -> Vec<Vec<Held>> {
        let usage: Vec<Usage<'_>> = fleet.iter().map(|(workload, series)| Usage { workload: *workload, series }).collect();
        replay(Metric::CpuUsage, &usage, Method::Headroom)
    }

    #[test]
    fn a_steady_service_gets_head_room_and_keeps_its_value() {
        let held = held(&[(None, series(14, |i| 1.0 + 0.1 * noise(i)))]).remove(0);
        assert_eq!(held.len(), 13);
        let changes = held.windows(2).filter(|w| w[0].value != w[1].value).count();
        assert!(changes <= 2, "{held:?}");
        assert!(held.iter().all(|h| h.value > 1.1 && h.value < 3.0), "{held:?}");
    }

    #[test]
    fn more_is_held_the_day_after_a_step_up() {
        let held = held(&[(None, series(10, |i| if i < 5 * 288 { 1.0 } else { 4.0 }))]).remove(0);
        assert_eq!(held[5].from, START + 6 * 86_400);
        assert!(held[4].value < 4.0 && held[5].value > 4.0, "{held:?}");
    }

    #[test]
    fn a_new_pod_is_served_by_what_its_workload_taught() {
        let late = Series { start: START + 5 * 86_400, ..series(2, |_| 2.0) };
        let held = held(&[(Some("api"), series(7, |_| 2.0)), (Some("api"), late.clone()), (None, late)]);
        assert_eq!(held[1][0].from, START + 5 * 86_400);
        assert!(held[1][0].value > 2.0);
        assert_eq!(held[2][0].from, START + 6 * 86_400);
    }

    #[test]
    fn small_services_get_more_room_than_large_ones() {
        let shape = |size: f32| series(10, move |i| size * (1.0 + 0.3 * noise(i)));
        let held = held(&[(None, shape(8.0)), (None, shape(0.2))]);
        let (large, small) = (held[0][8].value / 8.0, held[1][8].value / 0.2);
        assert!(small > 1.1 * large, "{small} {large}");
    }
}
