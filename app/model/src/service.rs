//! Services and the state that can be changed.

use crate::ids::ServiceId;
use crate::units::{Bytes, Cores};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a service *is*: (cluster, namespace, kind, name).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceKey {
    /// The cluster's name.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `Job`…
    pub kind: String,
    /// The workload's name.
    pub name: String,
}

impl fmt::Display for ServiceKey {
    /// `cluster:namespace:name`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.cluster, self.namespace, self.name)
    }
}

/// A workload with what is known of it now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Headroom's own id, stable while the key is.
    pub id: ServiceId,
    /// What it is.
    pub key: ServiceKey,
    /// The target's own unique id: another one means another object.
    pub uid: String,
    /// The team that owns it.
    pub team: String,
    /// `production`, `staging`, `development`… (a policy scope).
    pub environment: String,
    /// Labels as the cluster has them.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What is asked for now; `None` for an imported service whose size nobody told.
    pub state: ResourceState,
    /// Names of services that it calls, in the same cluster.
    #[serde(default)]
    pub calls: Vec<String>,
    /// Who may write to it.
    pub managed: Managed,
}

/// The label in which a cluster says what version of a service runs, one of those that Kubernetes recommends.
pub const VERSION_LABEL: &str = "app.kubernetes.io/version";

impl Service {
    /// The version that runs, where the cluster says.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.labels.get(VERSION_LABEL).map(String::as_str).filter(|version| !version.trim().is_empty())
    }
}

/// Who may write to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Managed {
    /// Headroom may change it through the cluster's API.
    Direct,
    /// A Git repository is the truth: live edits would be reverted, so changes are exported as a patch.
    Git,
    /// Observed from a file: recommendations only.
    Observed,
}

impl Managed {
    /// Why Headroom does not apply here, and what to do instead; `None` where it does.
    #[must_use]
    pub fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Direct => None,
            Self::Git => Some("this service is managed from Git, where a live edit would be reverted: take the patch and commit it"),
            Self::Observed => Some("this service was imported from a file: Headroom can recommend, but has nothing to write to"),
        }
    }
}

/// Requests, limits, replicas, parameters: what plans patch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ResourceState {
    /// Per container and replica. Empty for an imported service whose size nobody told.
    #[serde(default)]
    pub containers: BTreeMap<String, Container>,
    /// Replicas asked for.
    pub replicas: Option<u32>,
    /// The horizontal autoscaler, if there is one.
    #[serde(default)]
    pub autoscaler: Option<Autoscaler>,
    /// Size of the persistent volume, if there is one.
    #[serde(default)]
    pub volume: Option<Bytes>,
    /// Tunable parameters by name.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
}

/// What one container of each replica asks for.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Container {
    /// CPU request.
    pub cpu_request: Option<Cores>,
    /// CPU limit.
    pub cpu_limit: Option<Cores>,
    /// Memory request.
    pub memory_request: Option<Bytes>,
    /// Memory limit.
    pub memory_limit: Option<Bytes>,
    /// Whole GPUs.
    #[serde(default)]
    pub gpus: u32,
}

/// A horizontal autoscaler.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Autoscaler {
    /// Fewest replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// Target of CPU use as a share of the request, percent.
    pub target_cpu_percent: u32,
}

/// A tunable parameter's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// A size, such as `cache_size`.
    Bytes(Bytes),
    /// A number of things, such as `pool_size`.
    Count(u32),
    /// One of the given words, such as `balancing`.
    Choice {
        /// The one in force.
        value: String,
        /// All that are allowed.
        allowed: Vec<String>,
    },
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::Count(count) => count.fmt(f),
            Self::Choice { value, .. } => f.write_str(value),
        }
    }
}

/// Why a field could not be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {fault}")]
pub struct FieldError {
    /// The field's path.
    pub field: String,
    /// What is wrong, and what would be right.
    pub fault: String,
}

fn fault(field: &str, fault: impl fmt::Display) -> FieldError {
    FieldError { field: field.to_owned(), fault: fault.to_string() }
}

impl ResourceState {
    /// CPU request per replica, summed over containers; `None` when no container has one.
    #[must_use]
    pub fn cpu_request(&self) -> Option<Cores> {
        self.sum(|c| c.cpu_request.map(Cores::get)).map(|v| Cores::new(v).unwrap_or_default())
    }
    /// CPU limit per replica; `None` unless every container has one.
    #[must_use]
    pub fn cpu_limit(&self) -> Option<Cores> {
        self.all(|c| c.cpu_limit.map(Cores::get)).map(|v| Cores::new(v).unwrap_or_default())
    }
    /// Memory request per replica, summed over containers; `None` when no container has one.
    #[must_use]
    pub fn memory_request(&self) -> Option<Bytes> {
        self.sum(|c| c.memory_request.map(Bytes::as_f64)).map(|v| Bytes::new(v as u64))
    }
    /// Memory limit per replica; `None` unless every container has one.
    #[must_use]
    pub fn memory_limit(&self) -> Option<Bytes> {
        self.all(|c| c.memory_limit.map(Bytes::as_f64)).map(|v| Bytes::new(v as u64))
    }
    /// GPUs per replica.
    #[must_use]
    pub fn gpus(&self) -> u32 {
        self.containers.values().map(|c| c.gpus).sum()
    }
    fn sum(&self, get: impl Fn(&Container) -> Option<f64>) -> Option<f64> {
        self.containers.values().filter_map(get).reduce(|a, b| a + b)
    }
    fn all(&self, get: impl Fn(&Container) -> Option<f64>) -> Option<f64> {
        self.containers.values().map(get).try_fold(0.0, |sum, v| Some(sum + v?)).filter(|_| !self.containers.is_empty())
    }

    /// Every field with its value, in a stable order. Paths: `containers.NAME.requests.cpu` (`.requests.memory`, `.limits.cpu`,
    /// `.limits.memory`, `.gpus`), `replicas`, `autoscaler.{min,max,target_cpu_percent}`, `volume`, `parameters.NAME`.
    #[must_use]
    pub fn fields(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let mut put = |path: String, value: Option<String>| {
            if let Some(value) = value {
                out.insert(path, value);
            }
        };
        for (name, c) in &self.containers {
            put(format!("containers.{name}.requests.cpu"), c.cpu_request.map(|v| v.to_string()));
            put(format!("containers.{name}.requests.memory"), c.memory_request.map(|v| v.to_string()));
            put(format!("containers.{name}.limits.cpu"), c.cpu_limit.map(|v| v.to_string()));
            put(format!("containers.{name}.limits.memory"), c.memory_limit.map(|v| v.to_string()));
            put(format!("containers.{name}.gpus"), (c.gpus > 0).then(|| c.gpus.to_string()));
        }
        put("replicas".into(), self.replicas.map(|v| v.to_string()));
        if let Some(a) = self.autoscaler {
            put("autoscaler.min".into(), Some(a.min.to_string()));
            put("autoscaler.max".into(), Some(a.max.to_string()));
            put("autoscaler.target_cpu_percent".into(), Some(a.target_cpu_percent.to_string()));
        }
        put("volume".into(), self.volume.map(|v| v.to_string()));
        for (name, value) in &self.parameters {
            put(format!("parameters.{name}"), Some(value.to_string()));
        }
        out
    }

    /// Sets one field from its wire form; `None` removes a request or limit.
    ///
    /// # Errors
    /// [`FieldError`] for a field that the service does not have, or a value that is not allowed there.
    pub fn set(&mut self, path: &str, value: Option<&str>) -> Result<(), FieldError> {
        let parts: Vec<&str> = path.split('.').collect();
        match parts.as_slice() {
            ["containers", name, rest @ ..] => {
                let container =
                    self.containers.get_mut(*name).ok_or_else(|| fault(path, format!("the service has no container named {name:?}")))?;
                set_container(container, path, rest, value)
            }
            ["replicas"] => {
                self.replicas = Some(whole(path, value, 0, 10_000)?);
                Ok(())
            }
            ["autoscaler", part] => {
                let a = self.autoscaler.as_mut().ok_or_else(|| fault(path, "the service has no autoscaler"))?;
                match *part {
                    "min" => a.min = whole(path, value, 1, 10_000)?,
                    "max" => a.max = whole(path, value, 1, 10_000)?,
                    "target_cpu_percent" => a.target_cpu_percent = whole(path, value, 1, 1000)?,
                    _ => return Err(fault(path, "an autoscaler has min, max and target_cpu_percent")),
                }
                Ok(())
            }
            ["volume"] => {
                let value = value.ok_or_else(|| fault(path, "a volume's size cannot be removed"))?;
                self.volume = Some(value.parse().map_err(|e| fault(path, e))?);
                Ok(())
            }
            ["parameters", name] => {
                let parameter =
                    self.parameters.get_mut(*name).ok_or_else(|| fault(path, format!("the service has no parameter named {name:?}")))?;
                set_parameter(parameter, path, value)
            }
            _ => Err(fault(path, "there is no such field")),
        }
    }

    /// Rules that hold between fields: a request may not pass its limit, an autoscaler's minimum not its maximum.
    ///
    /// # Errors
    /// [`FieldError`] names the first field that breaks one.
    pub fn check(&self) -> Result<(), FieldError> {
        for (name, c) in &self.containers {
            if let (Some(request), Some(limit)) = (c.cpu_request, c.cpu_limit)
                && request > limit
            {
                return Err(fault(&format!("containers.{name}.requests.cpu"), format!("the request {request} is above the limit {limit}")));
            }
            if let (Some(request), Some(limit)) = (c.memory_request, c.memory_limit)
                && request > limit
            {
                return Err(fault(
                    &format!("containers.{name}.requests.memory"),
                    format!("the request {request} is above the limit {limit}"),
                ));
            }
        }
        match self.autoscaler {
            Some(a) if a.min > a.max => Err(fault("autoscaler.min", format!("the minimum {} is above the maximum {}", a.min, a.max))),
            _ => Ok(()),
        }
    }

    /// The shape interfaces show: flat values per replica beside `containers{}`, quantities as text, unknown as null.
    #[must_use]
    pub fn api_view(&self) -> serde_json::Value {
        let mut view = serde_json::json!({
            "cpu_request": self.cpu_request(), "cpu_limit": self.cpu_limit(),
            "memory_request": self.memory_request(), "memory_limit": self.memory_limit(),
            "replicas": self.replicas, "containers": self.containers,
        });
        if let Some(object) = view.as_object_mut() {
            if let Some(autoscaler) = self.autoscaler {
                object.insert("autoscaler".into(), serde_json::json!(autoscaler));
            }
            if let Some(volume) = self.volume {
                object.insert("volume".into(), serde_json::json!(volume));
            }
            let parameters: BTreeMap<&String, String> = self.parameters.iter().map(|(k, v)| (k, v.to_string())).collect();
            object.insert("parameters".into(), serde_json::json!(parameters));
        }
        view
    }
}

fn set_container(container: &mut Container, path: &str, rest: &[&str], value: Option<&str>) -> Result<(), FieldError> {
    let cores = || value.map(|v| v.parse::<Cores>().map_err(|e| fault(path, e))).transpose();
    let bytes = || value.map(|v| v.parse::<Bytes>().map_err(|e| fault(path, e))).transpose();
    match rest {
        ["requests", "cpu"] => container.cpu_request = cores()?,
        ["requests", "memory"] => container.memory_request = bytes()?,
        ["limits", "cpu"] => container.cpu_limit = cores()?,
        ["limits", "memory"] => container.memory_limit = bytes()?,
        ["gpus"] => container.gpus = whole(path, value, 0, 1024)?,
        _ => return Err(fault(path, "a container has requests.cpu, requests.memory, limits.cpu, limits.memory and gpus")),
    }
    Ok(())
}

fn set_parameter(parameter: &mut Parameter, path: &str, value: Option<&str>) -> Result<(), FieldError> {
    let text = value.ok_or_else(|| fault(path, "a parameter cannot be removed"))?;
    match parameter {
        Parameter::Bytes(bytes) => *bytes = text.parse().map_err(|e| fault(path, e))?,
        Parameter::Count(count) => *count = whole(path, value, 1, 1_000_000)?,
        Parameter::Choice { value, allowed } => {
            if !allowed.iter().any(|a| a == text) {
                return Err(fault(path, format!("{text:?} is not allowed: choose one of {}", allowed.join(", "))));
            }
            text.clone_into(value);
        }
    }
    Ok(())
}

fn whole(path: &str, value: Option<&str>, min: u32, max: u32) -> Result<u32, FieldError> {
    let text = value.ok_or_else(|| fault(path, "a value is needed"))?;
    text.trim()
        .parse()
        .ok()
        .filter(|v| (min..=max).contains(v))
        .ok_or_else(|| fault(path, format!("{text:?} is not allowed: write a whole number from {min} to {max}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> ResourceState {
        let container = Container {
            cpu_request: Some("500m".parse().unwrap()),
            memory_request: Some("1Gi".parse().unwrap()),
            memory_limit: Some("2Gi".parse().unwrap()),
            ..Container::default()
        };
        ResourceState {
            containers: [
                ("api".to_owned(), container),
                ("sidecar".to_owned(), Container { cpu_request: Some("100m".parse().unwrap()), ..Container::default() }),
            ]
            .into(),
            replicas: Some(3),
            autoscaler: Some(Autoscaler { min: 2, max: 6, target_cpu_percent: 70 }),
            parameters: [(
                "balancing".to_owned(),
                Parameter::Choice { value: "round_robin".into(), allowed: vec!["round_robin".into(), "least_requests".into()] },
            )]
            .into(),
            ..ResourceState::default()
        }
    }

    #[test]
    fn every_field_reads_back() {
        let original = state();
        let mut copy = original.clone();
        for (path, value) in original.fields() {
            copy.set(&path, Some(&value)).unwrap();
        }
        assert_eq!(copy, original);
        assert_eq!(original.cpu_request().unwrap().to_string(), "600m");
        assert_eq!(original.memory_limit(), None);
    }

    #[test]
    fn a_wrong_field_or_value_is_named() {
        let mut s = state();
        for (path, value, part) in [
            ("containers.web.requests.cpu", "1", "no container"),
            ("containers.api.requests.cpu", "1 core", "suffix"),
            ("replicas", "-1", "whole number"),
            ("parameters.balancing", "random", "choose one of"),
            ("parameters.x", "1", "no parameter"),
            ("nonsense", "1", "no such field"),
        ] {
            let error = s.set(path, Some(value)).unwrap_err();
            assert_eq!(error.field, path);
            assert!(error.fault.contains(part), "{error}");
        }
        s.set("containers.api.requests.memory", Some("3Gi")).unwrap();
        assert!(s.check().unwrap_err().fault.contains("above the limit"));
    }

    #[test]
    fn the_api_shows_flat_values_and_null_for_unknown() {
        let view = state().api_view();
        assert_eq!(view["cpu_request"], "600m");
        assert_eq!(view["memory_request"], "1Gi");
        assert_eq!(view["replicas"], 3);
        assert!(ResourceState::default().api_view()["cpu_request"].is_null());
    }
}
