//! Clusters that can be read and written.

use crate::outgoing::NotAllowed;
use async_trait::async_trait;
use headroom_model::ids::{ChangeId, ServiceId};
use headroom_model::plan::{Drift, FieldChange, Plan};
use headroom_model::room::Room;
use headroom_model::service::{ResourceState, Service, ServiceKey};
use headroom_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What went wrong with a cluster or a source of samples.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection, or the target is too busy to take the call (429): nothing was done. Try again later.
    #[error("the cluster cannot be reached: {0}. Nothing was done; it is tried again")]
    Unreachable(String),
    /// Requests may not go there: nothing was done.
    #[error("the cluster is not asked: {0}")]
    NotAllowed(#[from] NotAllowed),
    /// No usable answer came (timeout, connection lost after sending, 5xx on a write): whether it was done is unknown.
    /// Ask [`Infrastructure::mutations`] before anything else.
    #[error("the cluster gave no answer: whether the write happened is unknown until the target is read")]
    Timeout,
    /// The target is not what the plan was made from; nothing was written.
    #[error("the target has changed since the plan was made: {reason}. Nothing was written; analyse the service again")]
    Conflict {
        /// What differs, in words.
        reason: String,
        /// The fields whose value differs; empty when the object itself is another one.
        drift: Vec<Drift>,
    },
    /// There is no such service.
    #[error("the cluster has no {0}; it may have been deleted or renamed")]
    NotFound(String),
    /// The target understood and refused; trying again will seldom help.
    #[error("the cluster refused: {0}")]
    Refused(String),
    /// The answer was not understood.
    #[error("the cluster's answer was not understood: {0}")]
    Protocol(String),
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether it is certain that the object which answered was not written.
    #[must_use]
    pub const fn nothing_written(&self) -> bool {
        !matches!(self, Self::Timeout | Self::Protocol(_))
    }
    /// Whether the same call may succeed later without anyone doing anything.
    #[must_use]
    pub const fn transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::NotAllowed(_) | Self::Timeout)
    }
}

/// A service as it is in the cluster right now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// The target's own unique id.
    pub uid: String,
    /// What is in force.
    pub state: ResourceState,
    /// Per field path, the change that wrote it last; absent where someone else did or nobody has.
    pub marks: BTreeMap<String, ChangeId>,
    /// Whether every replica runs with this state and serves.
    pub ready: bool,
}

/// The answer to a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Preview {
    /// Why the plan would be refused, in words; empty when it would be accepted.
    pub problems: Vec<String>,
}

/// Why a write is made: each change writes each field at most once for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Carrying out the plan.
    Apply,
    /// Restoring what was before.
    Restore,
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// Cluster time of the write; of the one that was made when it is repeated.
    pub at: Timestamp,
    /// The state right after the write.
    pub state: ResourceState,
    /// Whether this very write had been made before, so that this call changed nothing.
    pub repeated: bool,
}

/// One write that the target recorded for a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutation {
    /// The change that wrote.
    pub change: ChangeId,
    /// Why.
    pub purpose: Purpose,
    /// Cluster time.
    pub at: Timestamp,
    /// The service.
    pub key: ServiceKey,
    /// The object's unique id at that time.
    pub uid: String,
    /// What was written.
    pub changes: Vec<FieldChange>,
}

/// A cluster we can read and write.
#[async_trait]
pub trait Infrastructure: Send + Sync {
    /// The cluster's name, the first part of its services' keys.
    fn name(&self) -> &str;
    /// Cluster time now.
    async fn clock(&self) -> Result<Timestamp>;
    /// Every service, with ids from [`service_id`].
    async fn inventory(&self) -> Result<Vec<Service>>;
    /// What there is room for, by service; a service that is left out is unbounded, or its bounds are not known.
    async fn rooms(&self) -> Result<BTreeMap<ServiceId, Room>>;
    /// One service as it is now.
    async fn read(&self, key: &ServiceKey) -> Result<Live>;
    /// A dry run: quota, largest node, LimitRange, identity, unknown fields.
    async fn preview(&self, plan: &Plan) -> Result<Preview>;
    /// Writes `changes` (the plan's own, or those that restore) to the plan's target.
    ///
    /// Idempotent by (`change`, `purpose`, field): what was written before is not written again. A workload and its autoscaler are two
    /// objects: when the second refuses, the first may have been written. [`Infrastructure::mutations`] says so.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the uid or a base value (`from`) differs, [`Error::Refused`] when an object takes no such write,
    /// [`Error::Timeout`] when the outcome is unknown.
    async fn apply(&self, change: ChangeId, plan: &Plan, changes: &[FieldChange], purpose: Purpose) -> Result<Written>;
    /// Makes the target take no [`Purpose::Apply`] of a change any more, so that one which is still on its way comes to nothing. What was
    /// written before stays, and may be restored. Idempotent.
    async fn shut_out(&self, change: ChangeId, target: &ServiceKey) -> Result<()>;
    /// What the target recorded for a change, oldest first: read it before every retry.
    async fn mutations(&self, change: ChangeId) -> Result<Vec<Mutation>>;
}

/// The namespace of [`service_id`].
const SERVICE_IDS: Uuid = Uuid::from_u128(0x6f2c_1d4e_7a53_5b1c_9e0d_3a8f_b7c4_2e61);

/// The id of a service: UUID version 5 over its key, the same on every machine and after every restart.
#[must_use]
pub fn service_id(key: &ServiceKey) -> ServiceId {
    let name = [&key.cluster, &key.namespace, &key.kind, &key.name].map(String::as_str).join("\0");
    ServiceId(Uuid::new_v5(&SERVICE_IDS, name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &str, name: &str) -> ServiceKey {
        ServiceKey { cluster: "c".into(), namespace: namespace.into(), kind: "Deployment".into(), name: name.into() }
    }

    #[test]
    fn ids_are_stable_and_parts_do_not_run_together() {
        assert_eq!(service_id(&key("a", "b")), service_id(&key("a", "b")));
        assert_ne!(service_id(&key("ab", "c")), service_id(&key("a", "bc")));
        assert_eq!(service_id(&key("a", "b")).0.get_version_num(), 5);
        assert_eq!(service_id(&key("a", "b")).to_string(), "b1c50e87-b0b1-5aea-a6e4-0eb3293bd46a");
    }

    #[test]
    fn only_a_lost_answer_leaves_the_outcome_open() {
        assert!(!Error::Timeout.nothing_written());
        assert!(Error::Unreachable("refused".into()).nothing_written());
        assert!(Error::Conflict { reason: "uid".into(), drift: Vec::new() }.nothing_written());
        assert!(!Error::Refused("quota".into()).transient());
    }
}
