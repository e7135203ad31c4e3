//! New requests and limits for all containers of a replica: distributed as today, rounded up, a request never above its limit.

use headroom_model::service::{Container, ResourceState};
use headroom_model::units::{Bytes, Cores, MIB};

/// Rounds up to a step people would choose: 5m below 100m, 10m below one core, 50m below four, then 100m and 500m.
pub(crate) fn round_cores(cores: f64) -> f64 {
    let step = match cores {
        c if c < 0.1 => 0.005,
        c if c < 1.0 => 0.01,
        c if c < 4.0 => 0.05,
        c if c < 16.0 => 0.1,
        _ => 0.5,
    };
    ((cores / step - 1e-6).ceil() * step).max(0.01)
}

/// Rounds up to 8 MiB below 256 MiB, 16 below 1 GiB, 64 below 4, 256 below 16, then 512 MiB; at least 32 MiB.
pub(crate) fn round_bytes(bytes: f64) -> f64 {
    let mib = bytes / MIB as f64;
    let step = match mib {
        m if m < 256.0 => 8.0,
        m if m < 1024.0 => 16.0,
        m if m < 4096.0 => 64.0,
        m if m < 16_384.0 => 256.0,
        _ => 512.0,
    };
    ((mib / step - 1e-6).ceil() * step).max(32.0) * MIB as f64
}

/// A state whose replicas ask for `total` cores together. Containers keep their shares; without any request the containers share it
/// evenly, and a service without containers gets one by its name. Limits stay where a request is cut and are raised only as far as
/// the request needs (a quarter above it, or equal where they were equal).
pub(crate) fn scale_cpu(state: &ResourceState, name: &str, total: f64) -> ResourceState {
    let mut next = with_container(state, name);
    let now = state.cpu_request().map_or(0.0, |c| c.get());
    let even = total / next.containers.len().max(1) as f64;
    for c in next.containers.values_mut() {
        let Some(new) = share(c.cpu_request.map(|v| v.get()), now, total, even) else { continue };
        let new = Cores::ceil_milli(new);
        if let Some(limit) = c.cpu_limit {
            let limit = scaled_limit(c.cpu_request.map_or(0.0, |v| v.get()), limit.get(), new.get());
            c.cpu_limit = Some(Cores::ceil_milli(limit).max_with(new));
        }
        c.cpu_request = Some(new);
    }
    next
}

/// A state whose replicas ask for `total` bytes together, with limits of at least `limit` bytes together where there are limits.
pub(crate) fn scale_memory(state: &ResourceState, name: &str, total: f64, limit: f64) -> ResourceState {
    let mut next = with_container(state, name);
    let now = state.memory_request().map_or(0.0, |b| b.as_f64());
    let even = total / next.containers.len().max(1) as f64;
    for c in next.containers.values_mut() {
        let Some(new) = share(c.memory_request.map(Bytes::as_f64), now, total, even) else { continue };
        let new = Bytes::ceil_mib(new);
        if let Some(old) = c.memory_limit {
            let needed = limit * new.as_f64() / total.max(1.0);
            let request = c.memory_request.map_or(0.0, Bytes::as_f64);
            let kept = if request > 0.0 { old.as_f64() * new.as_f64() / request } else { old.as_f64() };
            let wanted = kept.clamp(needed.min(old.as_f64()), old.as_f64()).max(needed);
            c.memory_limit = Some(Bytes::ceil_mib(wanted).max(new));
        }
        c.memory_request = Some(new);
    }
    next
}

fn with_container(state: &ResourceState, name: &str) -> ResourceState {
    let mut next = state.clone();
    if next.containers.is_empty() {
        next.containers.insert(name.to_owned(), Container::default());
    }
    next
}

/// The part of one container: in proportion to what it asks for now, evenly when nobody asks, none when only others do.
fn share(asks: Option<f64>, all: f64, total: f64, even: f64) -> Option<f64> {
    if all > 0.0 { asks.map(|a| total * a / all) } else { Some(even) }
}

fn scaled_limit(request: f64, limit: f64, new: f64) -> f64 {
    if request <= 0.0 {
        return limit.max(new);
    }
    if new < request {
        // The request is what costs; a lower limit would only throttle.
        limit
    } else if limit <= request * 1.001 {
        new
    } else {
        limit.max(new * 1.25)
    }
}

trait MaxWith {
    fn max_with(self, other: Self) -> Self;
}

impl MaxWith for Cores {
    fn max_with(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(request: &str, limit: &str) -> Container {
        Container {
            cpu_request: Some(request.parse().unwrap()),
            cpu_limit: (!limit.is_empty()).then(|| limit.parse().unwrap()),
            memory_request: Some("1Gi".parse().unwrap()),
            memory_limit: Some("2Gi".parse().unwrap()),
            gpus: 0,
        }
    }

    fn two() -> ResourceState {
        ResourceState {
            containers: [("a".into(), container("3", "6")), ("b".into(), container("1", ""))].into(),
            ..ResourceState::default()
        }
    }

    #[test]
    fn containers_keep_their_shares_and_a_cut_keeps_the_limit() {
        let half = scale_cpu(&two(), "x", 2.0);
        let (a, b) = (&half.containers["a"], &half.containers["b"]);
        assert_eq!((a.cpu_request.unwrap().to_string(), a.cpu_limit.unwrap().to_string()), ("1500m".into(), "6".into()));
        assert_eq!((b.cpu_request.unwrap().to_string(), b.cpu_limit), ("500m".into(), None));
        for total in [0.01, 1.0, 3.9, 5.0, 40.0] {
            scale_cpu(&two(), "x", total).check().unwrap();
            scale_memory(&two(), "x", total * 1e9, total * 1.1e9).check().unwrap();
        }
    }

    #[test]
    fn memory_limits_never_fall_below_the_need() {
        let cut = scale_memory(&two(), "x", 1e9, 3e9);
        assert!(cut.memory_limit().unwrap().as_f64() >= 3e9);
        let raised = scale_memory(&two(), "x", 6e9, 6e9);
        assert!(raised.memory_limit().unwrap() >= raised.memory_request().unwrap());
    }

    #[test]
    fn a_service_without_containers_gets_one() {
        let fresh = scale_memory(&scale_cpu(&ResourceState::default(), "vm", 0.62), "vm", 1e9, 1e9);
        assert_eq!(fresh.cpu_request().unwrap().to_string(), "620m");
        assert_eq!(fresh.containers["vm"].memory_limit, None);
    }

    #[test]
    fn rounds_up_to_plain_steps() {
        assert_eq!(round_cores(1.96), 2.0);
        assert!((round_cores(0.921) - 0.93).abs() < 1e-9);
        assert_eq!(round_bytes(5.4 * 1024.0 * MIB as f64), 5.5 * 1024.0 * MIB as f64);
    }
}
