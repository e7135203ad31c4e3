//! Which metrics a service has, by what it is made of.

use super::profile::Profile;
use super::world::{DETAILED, World};
use super::{physics, trace};
use headroom_model::metric::Metric;

const _: () = assert!(physics::METRICS == Metric::ALL.len());

/// The metrics of each service of a world.
#[must_use]
pub fn metrics(world: &World) -> Vec<Vec<Metric>> {
    let core = world.specs.len() > DETAILED;
    let of = |profile: &Profile| {
        let all = match profile.trace.and_then(|n| world.traces.get(n)) {
            Some(trace) => trace::published(trace),
            None => Metric::ALL.iter().copied().filter(|m| has(profile, *m)).collect(),
        };
        all.into_iter().filter(|m| !core || Metric::CORE.contains(m)).collect()
    };
    world.specs.iter().map(|s| of(&s.profile)).collect()
}

fn has(profile: &Profile, metric: Metric) -> bool {
    match metric {
        // What is asked for of GPUs is told by the state.
        Metric::CpuUtilization | Metric::MemoryUtilization | Metric::Gpus => false,
        Metric::VolumeUsed | Metric::VolumeCapacity => profile.volume.is_some(),
        Metric::CacheHitRatio => profile.cache.is_some(),
        Metric::PoolWait | Metric::DatabaseTime => profile.database.is_some(),
        Metric::GpuUtilization | Metric::GpuMemoryUsed | Metric::InputTokens | Metric::OutputTokens => profile.gpu.is_some(),
        _ => true,
    }
}
