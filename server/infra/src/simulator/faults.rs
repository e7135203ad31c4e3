//! Faults on order: the next calls go wrong in a named way, so that recovery can be watched.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The write happens, the answer never comes.
    TimeoutAfterCommit,
    /// Nothing happens, and no answer comes.
    Timeout,
    /// 409, nothing happens.
    Conflict,
    /// 429, nothing happens.
    TooManyRequests,
    /// 500, nothing happens.
    ServerError,
    /// The write happens, the answer is a 500.
    ServerErrorAfterCommit,
    /// The connection is cut, nothing happens.
    Reset,
    /// The write happens, then the connection is cut.
    ResetAfterCommit,
    /// No answer comes, and the write happens seconds later, as of a request that was held up on its way.
    LateCommit,
    /// The write happens, and its answer comes seconds later.
    SlowAnswer,
    /// A write to the autoscaler is refused (422); what goes to the workload is written before that. Without fields of the autoscaler
    /// nothing goes wrong.
    AutoscalerRefused,
}

impl FaultKind {
    /// Every kind that meets a write as a whole, and after which it is known at once whether it happened.
    pub const ALL: [Self; 8] = [
        Self::TimeoutAfterCommit,
        Self::Timeout,
        Self::Conflict,
        Self::TooManyRequests,
        Self::ServerError,
        Self::ServerErrorAfterCommit,
        Self::Reset,
        Self::ResetAfterCommit,
    ];
    /// Whether the write happens all the same.
    #[must_use]
    pub const fn commits(self) -> bool {
        matches!(self, Self::TimeoutAfterCommit | Self::ServerErrorAfterCommit | Self::ResetAfterCommit)
    }
}

/// A fault for the next calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// For how many calls.
    pub calls: u32,
    /// Whether only writes count and fail; otherwise every call to read or write does.
    pub apply_only: bool,
}

/// The faults that are still to come, in order.
#[derive(Debug, Default)]
pub struct Faults(VecDeque<Fault>);

impl Faults {
    /// Adds one; `calls: 0` takes all pending ones away.
    pub fn inject(&mut self, fault: Fault) {
        if fault.calls == 0 { self.0.clear() } else { self.0.push_back(fault) }
    }
    /// What is to go wrong with this call, if anything.
    pub fn next(&mut self, apply: bool) -> Option<FaultKind> {
        let i = self.0.iter().position(|f| apply || !f.apply_only)?;
        let fault = &mut self.0[i];
        fault.calls -= 1;
        let kind = fault.kind;
        if fault.calls == 0 {
            self.0.remove(i);
        }
        Some(kind)
    }
}
