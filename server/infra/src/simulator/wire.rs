//! What goes over the connection between the simulator and its client.

use crate::infrastructure::{Error, Purpose, Result};
use crate::metrics::Frames;
use headroom_model::ids::{ChangeId, ServiceId};
use headroom_model::metric::Metric;
use headroom_model::plan::{Drift, FieldChange, Plan};
use headroom_model::service::ServiceKey;
use headroom_model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClockAnswer {
    pub now: Timestamp,
    pub speed: f64,
    pub cluster: String,
}

/// A wanted speed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeedRequest {
    pub speed: f64,
}

/// A write.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    pub change: ChangeId,
    pub plan: Plan,
    pub changes: Vec<FieldChange>,
    pub purpose: Purpose,
}

/// The end of a change that has not written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutOutRequest {
    pub change: ChangeId,
    pub target: ServiceKey,
}

/// A write past Headroom.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditRequest {
    pub key: ServiceKey,
    #[serde(default)]
    pub changes: Vec<FieldChange>,
}

/// Another version of a service.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    pub key: ServiceKey,
    pub version: String,
}

/// Why a call failed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    pub message: String,
    #[serde(default)]
    pub drift: Vec<Drift>,
}

/// HTTP status and body of an error.
pub fn failure(error: &Error) -> (u16, Failure) {
    let (status, message, drift) = match error {
        Error::NotFound(what) => (404, what.clone(), Vec::new()),
        Error::Conflict { reason, drift } => (409, reason.clone(), drift.clone()),
        Error::Refused(why) => (422, why.clone(), Vec::new()),
        Error::Unreachable(why) => (429, why.clone(), Vec::new()),
        Error::NotAllowed(why) => (429, why.to_string(), Vec::new()),
        Error::Timeout => (504, "outcome unknown".into(), Vec::new()),
        Error::Protocol(why) => (500, why.clone(), Vec::new()),
    };
    (status, Failure { message, drift })
}

/// The error that a status means to the caller of a read or a write.
pub fn error(status: u16, failure: Failure, write: bool) -> Error {
    match status {
        404 => Error::NotFound(failure.message),
        409 => Error::Conflict { reason: failure.message, drift: failure.drift },
        400..=428 => Error::Refused(failure.message),
        429 => Error::Unreachable(failure.message),
        500.. if write => Error::Timeout,
        500.. => Error::Unreachable(failure.message),
        _ => Error::Protocol(format!("unexpected status {status}: {}", failure.message)),
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    step: u32,
    from: i64,
    rows: usize,
    columns: Vec<(ServiceId, Metric)>,
}

/// Frames as `length of head (u32) · head (JSON) · one column of f32 after the other`, little endian.
pub fn encode(frames: &Frames) -> Vec<u8> {
    let columns = frames.columns.iter().map(|(id, metric, _)| (*id, *metric)).collect();
    let head = Head { step: frames.step, from: frames.from, rows: frames.rows(), columns };
    let head = serde_json::to_vec(&head).expect("plain data serialises");
    let mut out = Vec::with_capacity(4 + head.len() + frames.columns.len() * frames.rows() * 4);
    out.extend_from_slice(&(head.len() as u32).to_le_bytes());
    out.extend_from_slice(&head);
    for (_, _, values) in &frames.columns {
        values.iter().for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
    }
    out
}

/// Frames back from bytes.
///
/// # Errors
/// [`Error::Protocol`] for anything [`encode`] does not write.
pub fn decode(bytes: &[u8]) -> Result<Frames> {
    let broken = |what: &str| Error::Protocol(format!("samples: {what}"));
    let (length, rest) = bytes.split_at_checked(4).ok_or_else(|| broken("too short"))?;
    let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
    let (head, values) = rest.split_at_checked(length).ok_or_else(|| broken("the head is cut off"))?;
    let head: Head = serde_json::from_slice(head).map_err(|e| broken(&e.to_string()))?;
    if Some(values.len()) != head.columns.len().checked_mul(head.rows).and_then(|n| n.checked_mul(4)) {
        return Err(broken("the values are cut off"));
    }
    let column = |i: usize| {
        let bytes = &values[i * head.rows * 4..(i + 1) * head.rows * 4];
        bytes.chunks_exact(4).map(|c| f32::from_le_bytes(c.try_into().expect("four bytes"))).collect()
    };
    let columns = head.columns.iter().enumerate().map(|(i, (id, metric))| (*id, *metric, column(i))).collect();
    Ok(Frames { step: head.step, from: head.from, columns })
}
