//! The replicas of one service: starting, warming up, leaking, being killed, being replaced, being scaled.

use super::noise::{Noise, Stream};
use super::profile::{Granted, Profile};
use headroom_model::service::Autoscaler;
use serde::{Deserialize, Serialize};

/// Seconds from creation until a replica serves.
const START: f64 = 25.0;
/// Longest pause between two starts of a crashing replica, seconds.
const LONGEST_BACKOFF: f64 = 300.0;
/// Time constant with which caches and heaps fill, seconds.
const WARM_UP: f64 = 900.0;
/// Bytes per database connection and per worker.
const PER_CONNECTION: f64 = 3.0 * 1_048_576.0;
const PER_WORKER: f64 = 1.5 * 1_048_576.0;
/// The autoscaler goes down only to its largest wish of this many seconds.
const STABILISATION: i64 = 300;

/// One replica.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Replica {
    /// Leaked bytes.
    pub leak: f64,
    /// How full heap and cache are, 0 to 1.
    pub warm: f64,
    /// Seconds until it serves.
    pub down: f64,
    /// Kills in a row.
    pub crashes: u8,
    /// Still to be replaced by the roll-out under way.
    pub stale: bool,
}

/// All replicas and their autoscaler.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Replicas {
    /// Each one.
    pub each: Vec<Replica>,
    /// The autoscaler's recent wishes: (time, replicas).
    pub wishes: Vec<(i64, u32)>,
}

/// What happened to the replicas in a tick.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tick {
    /// Replicas that served, weighted by time.
    pub serving: f64,
    /// Mean warmth of those, 0 to 1.
    pub warm: f64,
    /// Replicas that started in this tick.
    pub started: f64,
}

/// Memory of the replicas in a tick.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MemoryUse {
    /// Mean working set, bytes; `NaN` without a running replica.
    pub working_set: f64,
    /// Replicas killed.
    pub kills: u32,
}

impl Replicas {
    /// `n` warm replicas whose leaks are a little apart.
    #[must_use]
    pub fn warm(n: u32, profile: &Profile, noise: Noise, service: usize) -> Self {
        let one = |i: u32| {
            let spread = noise.unit(service, Stream::Replica(i as u16), 0);
            Replica { leak: profile.leak_per_hour * 6.0 * (0.8 + 0.4 * spread), warm: 1.0, ..Replica::default() }
        };
        Self { each: (0..n).map(one).collect(), wishes: Vec::new() }
    }

    /// Marks all for replacement: a roll-out begins.
    pub fn roll(&mut self) {
        self.each.iter_mut().for_each(|r| r.stale = true);
    }

    /// Whether all run the state in force and serve.
    #[must_use]
    pub fn ready(&self, wanted: u32) -> bool {
        self.each.len() == wanted as usize && self.each.iter().all(|r| !r.stale && r.down <= 0.0)
    }

    /// Carries scaling and roll-out forward and lets `dt` seconds pass.
    pub fn advance(&mut self, wanted: u32, dt: f64) -> Tick {
        self.each.truncate(wanted as usize);
        while self.each.len() < wanted as usize {
            self.each.push(Replica { down: START, ..Replica::default() });
        }
        let mut started = 0.0;
        let budget = ((self.each.len() as f64 / 4.0).max(1.0) * (dt / 60.0).max(1.0)).ceil() as usize;
        for replica in self.each.iter_mut().filter(|r| r.stale).take(budget) {
            *replica = Replica { down: START, ..Replica::default() };
            started += 1.0;
        }
        let (mut serving, mut warmth) = (0.0, 0.0);
        for replica in &mut self.each {
            let up = (dt - replica.down).max(0.0);
            replica.down = (replica.down - dt).max(0.0);
            serving += up / dt;
            replica.warm += (1.0 - replica.warm) * (1.0 - (-up / WARM_UP).exp());
            warmth += replica.warm * up / dt;
        }
        Tick { serving, warm: if serving > 0.0 { warmth / serving } else { 0.0 }, started }
    }

    #[expect(clippy::too_many_arguments, reason = "one step of one tick; a struct would only rename the list")]
    /// Working sets at `rate` requests per second and replica; kills what passes the limit.
    pub fn memory(&mut self, p: &Profile, g: &Granted, rate: f64, t: i64, dt: f64, noise: Noise, service: usize) -> MemoryUse {
        let fixed = p.memory_base + finite(g.pool_size) * PER_CONNECTION + finite(g.workers) * PER_WORKER;
        let wobble = 1.0 + 0.012 * noise.smooth(service, Stream::Memory, t, 2700) + 0.006 * noise.normal(service, Stream::Memory, t);
        let (mut sum, mut running, mut kills) = (0.0, 0.0, 0);
        for (i, replica) in self.each.iter_mut().enumerate() {
            if replica.down >= dt {
                continue;
            }
            replica.leak += p.leak_per_hour * dt / 3600.0;
            let load = p.memory_per_rate * rate;
            let set = (fixed * (0.7 + 0.3 * replica.warm) + load) * wobble + g.cache_size * replica.warm + replica.leak;
            let peak = set * (1.015 + 0.012 * noise.normal(service, Stream::Replica(i as u16), t));
            sum += set.min(g.memory_limit);
            running += 1.0;
            if peak > g.memory_limit {
                kills += 1;
                let backoff = (START * f64::from(1u32 << replica.crashes.min(6))).min(LONGEST_BACKOFF);
                *replica = Replica { down: backoff, crashes: replica.crashes.saturating_add(1), ..Replica::default() };
            } else if replica.warm > 0.6 {
                replica.crashes = 0;
            }
        }
        MemoryUse { working_set: if running > 0.0 { sum / running } else { f64::NAN }, kills }
    }

    /// The autoscaler's decision at `t`: at most double or four more at once, down only after five quiet minutes.
    pub fn autoscale(&mut self, a: Autoscaler, now: u32, use_percent: f64, t: i64) -> u32 {
        let ratio = use_percent / f64::from(a.target_cpu_percent.max(1));
        let wish = if !ratio.is_finite() || (ratio - 1.0).abs() <= 0.1 { now } else { (f64::from(now) * ratio).ceil() as u32 };
        let wish = wish.clamp(a.min, a.max.max(a.min));
        self.wishes.retain(|(at, _)| *at > t - STABILISATION);
        self.wishes.push((t, wish));
        if wish > now {
            wish.min((now * 2).max(now + 4))
        } else {
            self.wishes.iter().map(|(_, n)| *n).max().unwrap_or(wish).min(now.max(a.min))
        }
    }
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roll_out_takes_one_quarter_at_a_time() {
        let mut r = Replicas { each: vec![Replica { warm: 1.0, ..Replica::default() }; 8], wishes: Vec::new() };
        r.roll();
        let first = r.advance(8, 60.0);
        assert!(first.serving < 8.0 && first.serving > 6.5, "{first:?}");
        assert!(!r.ready(8));
        for _ in 0..4 {
            r.advance(8, 60.0);
        }
        assert!(r.ready(8));
    }

    #[test]
    fn the_autoscaler_rises_at_once_and_falls_late() {
        let a = Autoscaler { min: 2, max: 10, target_cpu_percent: 60 };
        let mut r = Replicas::default();
        assert_eq!(r.autoscale(a, 3, 120.0, 0), 6);
        assert_eq!(r.autoscale(a, 6, 62.0, 60), 6, "within tolerance");
        assert_eq!(r.autoscale(a, 6, 10.0, 120), 6, "held by the wishes of the last five minutes");
        assert_eq!(r.autoscale(a, 6, 10.0, 900), 2);
    }
}
