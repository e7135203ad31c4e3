//! What a cluster has room for: the bounds of containers, the largest node, and what a quota leaves.

use crate::service::ResourceState;
use crate::units::{Bytes, Cores};
use serde::{Deserialize, Serialize};

/// What one service may ask for where it runs. `None` is unbounded, or not known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Room {
    /// The namespace whose bounds and quota these are.
    pub namespace: String,
    /// Least and largest CPU request or limit of a container (Kubernetes: `LimitRange`).
    pub least_cpu: Option<Cores>,
    /// The largest.
    pub most_cpu: Option<Cores>,
    /// Least and largest memory request or limit of a container.
    pub least_memory: Option<Bytes>,
    /// The largest.
    pub most_memory: Option<Bytes>,
    /// CPU that the largest node which may run it offers to a replica.
    pub node_cpu: Option<Cores>,
    /// Memory of it.
    pub node_memory: Option<Bytes>,
    /// CPU that all its replicas may request together, at the autoscaler's maximum: the quota less what others request.
    pub quota_cpu: Option<Cores>,
    /// Memory of it.
    pub quota_memory: Option<Bytes>,
}

impl Room {
    /// Why there is no room for `next` where `now` is in force, in words; `None` where there is. A container is held against its bounds when
    /// anything of it changes, node and quota when more is asked for.
    #[must_use]
    pub fn refusal(&self, now: &ResourceState, next: &ResourceState) -> Option<String> {
        self.containers(now, next).or_else(|| self.node(now, next)).or_else(|| self.quota(now, next))
    }

    /// Most replicas of these requests that the quota leaves; as many as one likes where there is none.
    #[must_use]
    pub fn replicas(&self, cpu: f64, memory: f64) -> u32 {
        let fit = |quota: Option<f64>, each: f64| quota.filter(|_| each > 0.0).map_or(f64::INFINITY, |q| (q / each * (1.0 + 1e-9)).floor());
        let cpu = fit(self.quota_cpu.map(Cores::get), cpu);
        cpu.min(fit(self.quota_memory.map(Bytes::as_f64), memory)).min(f64::from(u32::MAX)) as u32
    }

    fn containers(&self, now: &ResourceState, next: &ResourceState) -> Option<String> {
        let changed = next.containers.iter().filter(|(name, c)| now.containers.get(*name) != Some(*c));
        changed.into_iter().find_map(|(name, c)| {
            let namespace = &self.namespace;
            let outside = |what: &str, value: String, bounds: String| {
                format!("the LimitRange of {namespace} allows a container {bounds} of {what}, {name} would have {value}")
            };
            let cpu = |value: Option<Cores>| {
                let v = value.filter(|v| self.most_cpu.is_some_and(|m| *v > m) || self.least_cpu.is_some_and(|m| *v < m))?;
                Some(outside("CPU", v.to_string(), bounds(self.least_cpu, self.most_cpu)))
            };
            let memory = |value: Option<Bytes>| {
                let v = value.filter(|v| self.most_memory.is_some_and(|m| *v > m) || self.least_memory.is_some_and(|m| *v < m))?;
                Some(outside("memory", v.to_string(), bounds(self.least_memory, self.most_memory)))
            };
            cpu(c.cpu_request).or_else(|| cpu(c.cpu_limit)).or_else(|| memory(c.memory_request)).or_else(|| memory(c.memory_limit))
        })
    }

    fn node(&self, now: &ResourceState, next: &ResourceState) -> Option<String> {
        let cpu = next.cpu_request().filter(|v| now.cpu_request().is_none_or(|old| *v > old));
        let memory = next.memory_request().filter(|v| now.memory_request().is_none_or(|old| *v > old));
        let line = |what: &str, value: String, offers: String| {
            format!("no node is large enough: a replica would ask for {value} of {what}, the largest offers {offers}")
        };
        let cpu = cpu.zip(self.node_cpu).filter(|(v, node)| v > node).map(|(v, node)| line("CPU", v.to_string(), node.to_string()));
        cpu.or_else(|| {
            memory.zip(self.node_memory).filter(|(v, node)| v > node).map(|(v, node)| line("memory", v.to_string(), node.to_string()))
        })
    }

    fn quota(&self, now: &ResourceState, next: &ResourceState) -> Option<String> {
        let (before, after) = (requested(now), requested(next));
        let line = |what: &str, value: String, left: String| {
            format!("the quota of {} leaves {left} of {what} to all its replicas, {value} would be asked for", self.namespace)
        };
        let cpu = self.quota_cpu.filter(|q| after.0 > before.0 && after.0 > q.get() * (1.0 + 1e-9));
        let memory = self.quota_memory.filter(|q| after.1 > before.1 && after.1 > q.as_f64());
        cpu.map(|q| line("CPU", Cores::ceil_milli(after.0).to_string(), q.to_string()))
            .or_else(|| memory.map(|q| line("memory", Bytes::ceil_mib(after.1).to_string(), q.to_string())))
    }
}

/// (cores, bytes) that a state requests over its replicas, at its autoscaler's maximum.
fn requested(state: &ResourceState) -> (f64, f64) {
    let n = f64::from(state.autoscaler.map_or(state.replicas.unwrap_or(1), |a| a.max));
    (n * state.cpu_request().map_or(0.0, Cores::get), n * state.memory_request().map_or(0.0, Bytes::as_f64))
}

fn bounds<T: ToString>(least: Option<T>, most: Option<T>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{} to {}", least.to_string(), most.to_string()),
        (Some(least), None) => format!("{} or more", least.to_string()),
        (None, most) => format!("up to {}", most.map_or_else(|| "any amount".to_owned(), |m| m.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Container;

    fn room() -> Room {
        Room {
            namespace: "shop".into(),
            least_cpu: Some("50m".parse().unwrap()),
            most_cpu: Some("4".parse().unwrap()),
            most_memory: Some("8Gi".parse().unwrap()),
            node_cpu: Some("6".parse().unwrap()),
            node_memory: Some("12Gi".parse().unwrap()),
            quota_cpu: Some("10".parse().unwrap()),
            quota_memory: Some("20Gi".parse().unwrap()),
            ..Room::default()
        }
    }

    fn state(containers: u32, cpu: &str, memory: &str, replicas: u32) -> ResourceState {
        let one = Container { cpu_request: cpu.parse().ok(), memory_request: memory.parse().ok(), ..Container::default() };
        let containers = (0..containers).map(|i| (format!("c{i}"), one)).collect();
        ResourceState { containers, replicas: Some(replicas), ..ResourceState::default() }
    }

    #[test]
    fn every_bound_has_its_words_and_what_fits_has_none() {
        let now = state(1, "1", "1Gi", 2);
        let cases = [
            (state(1, "4", "8Gi", 2), None),
            (state(1, "20m", "1Gi", 2), Some("the LimitRange of shop allows a container 50m to 4 of CPU, c0 would have 20m")),
            (state(1, "4100m", "1Gi", 2), Some("c0 would have 4100m")),
            (state(1, "1", "9Gi", 2), Some("the LimitRange of shop allows a container up to 8Gi of memory, c0 would have 9Gi")),
            (state(2, "3500m", "1Gi", 1), Some("no node is large enough: a replica would ask for 7 of CPU, the largest offers 6")),
            (state(2, "1", "7Gi", 1), Some("14Gi of memory, the largest offers 12Gi")),
            (state(1, "1", "1Gi", 11), Some("the quota of shop leaves 10 of CPU to all its replicas, 11 would be asked for")),
            (state(1, "1", "3Gi", 7), Some("the quota of shop leaves 20Gi of memory to all its replicas, 21Gi would be asked for")),
        ];
        for (next, expected) in cases {
            let said = room().refusal(&now, &next);
            match expected {
                None => assert_eq!(said, None),
                Some(words) => assert!(said.as_ref().is_some_and(|s| s.contains(words)), "{words}: {said:?}"),
            }
        }
        assert_eq!(Room::default().refusal(&now, &state(9, "90", "900Gi", 900)), None, "what is not known bounds nothing");
    }

    #[test]
    fn what_is_too_large_already_may_stay_or_shrink() {
        let now = state(1, "5", "16Gi", 9);
        assert_eq!(room().refusal(&now, &now), None);
        assert_eq!(room().refusal(&now, &state(1, "4", "8Gi", 9)), None, "still above the quota, but less than before");
        assert!(room().refusal(&now, &state(1, "5", "16Gi", 10)).is_some());
    }

    #[test]
    fn the_quota_leaves_whole_replicas() {
        assert_eq!(room().replicas(1.0, 1e9), 10);
        assert_eq!(room().replicas(0.1, 5.0 * 1_073_741_824.0), 4);
        assert_eq!(Room::default().replicas(1.0, 1.0), u32::MAX);
    }
}
