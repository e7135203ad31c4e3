//! The exact plan of a change, and the hash an approval is bound to.

use crate::ids::ServiceId;
use crate::service::{FieldError, ResourceState, ServiceKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// One field, from its value now to its value after. `None` is "not set".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field's path, see [`ResourceState::fields`].
    pub field: String,
    /// The base value that the plan was made from.
    pub from: Option<String>,
    /// The value that the plan writes.
    pub to: Option<String>,
}

/// Exactly what will be written, to what, from which base, judged by which rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The service.
    pub service_id: ServiceId,
    /// The target's identity.
    pub target: ServiceKey,
    /// The target's own unique id.
    pub uid: String,
    /// The touched fields, sorted by path.
    pub changes: Vec<FieldChange>,
    /// Hash of the policy rules that this plan used, hexadecimal.
    pub policy_hash: String,
}

impl Plan {
    /// The differing fields between two states of one service, sorted by path.
    #[must_use]
    pub fn difference(current: &ResourceState, wanted: &ResourceState) -> Vec<FieldChange> {
        let (now, then) = (current.fields(), wanted.fields());
        let mut fields: Vec<&String> = now.keys().chain(then.keys()).collect();
        fields.sort();
        fields.dedup();
        fields
            .into_iter()
            .filter(|f| now.get(*f) != then.get(*f))
            .map(|f| FieldChange { field: f.clone(), from: now.get(f).cloned(), to: then.get(f).cloned() })
            .collect()
    }

    /// SHA-256 over the canonical bytes (RFC 8785) of the plan.
    #[must_use]
    pub fn hash(&self) -> PlanHash {
        PlanHash(canonical_hash(self))
    }

    /// Whether pods are replaced: container resources are part of the pod template.
    #[must_use]
    pub fn restarts_pods(&self) -> bool {
        self.changes.iter().any(|c| c.field.starts_with("containers.") || c.field.starts_with("parameters."))
    }

    /// The touched fields whose value in `live` is no longer the base value: the plan is stale if there are any.
    #[must_use]
    pub fn drift(&self, live: &ResourceState) -> Vec<Drift> {
        drift(&self.changes, live, |c| &c.from)
    }

    /// The touched fields that no longer hold what the plan wrote: someone else changed them since.
    #[must_use]
    pub fn overwritten(&self, live: &ResourceState) -> Vec<Drift> {
        drift(&self.changes, live, |c| &c.to)
    }

    /// `state` with the plan carried out.
    ///
    /// # Errors
    /// [`FieldError`] if the state does not have a touched field or refuses a value.
    pub fn apply_to(&self, state: &ResourceState) -> Result<ResourceState, FieldError> {
        let mut next = state.clone();
        for change in &self.changes {
            next.set(&change.field, change.to.as_deref())?;
        }
        next.check()?;
        Ok(next)
    }

    /// The changes that undo the plan, each from what the plan wrote to what was recorded before.
    #[must_use]
    pub fn inverse(&self) -> Vec<FieldChange> {
        self.changes.iter().map(|c| FieldChange { field: c.field.clone(), from: c.to.clone(), to: c.from.clone() }).collect()
    }
}

/// A field that does not hold what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The field's path.
    pub field: String,
    /// What was expected.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
}

fn drift(changes: &[FieldChange], live: &ResourceState, expected: impl Fn(&FieldChange) -> &Option<String>) -> Vec<Drift> {
    let fields = live.fields();
    changes
        .iter()
        .filter(|c| fields.get(&c.field) != expected(c).as_ref())
        .map(|c| Drift { field: c.field.clone(), expected: expected(c).clone(), found: fields.get(&c.field).cloned() })
        .collect()
}

/// SHA-256 of a value's canonical JSON (RFC 8785), hexadecimal.
///
/// # Panics
/// Never for types of this crate: they hold no maps with keys other than text, and no non-finite numbers.
#[must_use]
pub fn canonical_hash<T: Serialize>(value: &T) -> String {
    let bytes = serde_json_canonicalizer::to_vec(value).expect("domain types serialise to JSON");
    hex::encode(Sha256::digest(bytes))
}

/// The hash of an exact plan, 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanHash(String);

impl PlanHash {
    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// `7f3c·91ae`, for people.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}·{}", &self.0[..4], &self.0[4..8])
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PlanHash {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is not a plan hash: it has 64 hexadecimal digits, as the recommendation shows it"))
        }
    }
}

impl From<PlanHash> for String {
    fn from(value: PlanHash) -> Self {
        value.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Container;

    fn state(cpu: &str) -> ResourceState {
        let container = Container { cpu_request: Some(cpu.parse().unwrap()), ..Container::default() };
        ResourceState { containers: [("api".to_owned(), container)].into(), replicas: Some(2), ..ResourceState::default() }
    }

    fn plan() -> Plan {
        Plan {
            service_id: ServiceId(uuid::Uuid::nil()),
            target: ServiceKey { cluster: "c".into(), namespace: "n".into(), kind: "Deployment".into(), name: "s".into() },
            uid: "u".into(),
            changes: Plan::difference(&state("2"), &state("1")),
            policy_hash: "p".into(),
        }
    }

    #[test]
    fn difference_apply_and_inverse_agree() {
        let plan = plan();
        assert_eq!(plan.changes.len(), 1);
        let after = plan.apply_to(&state("2")).unwrap();
        assert_eq!(after, state("1"));
        let back = Plan { changes: plan.inverse(), ..plan.clone() };
        assert_eq!(back.apply_to(&after).unwrap(), state("2"));
        assert!(plan.restarts_pods());
    }

    #[test]
    fn any_difference_voids_the_hash() {
        let base = plan();
        let mut others = vec![base.clone(), base.clone(), base.clone(), base.clone()];
        others[0].uid = "v".into();
        others[1].policy_hash = "q".into();
        others[2].changes[0].from = Some("3".into());
        others[3].target.namespace = "m".into();
        for other in others {
            assert_ne!(other.hash(), base.hash());
        }
        assert_eq!(base.hash(), plan().hash());
    }

    #[test]
    fn staleness_looks_at_touched_fields_only() {
        let mut live = state("2");
        live.replicas = Some(9);
        assert!(plan().drift(&live).is_empty());
        live.set("containers.api.requests.cpu", Some("3")).unwrap();
        assert_eq!(plan().drift(&live)[0].found.as_deref(), Some("3"));
    }
}
