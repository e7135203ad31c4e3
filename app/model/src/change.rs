//! The state machine of a change: pure, every edge in one table.

use crate::effect::Effect;
use crate::ids::{ChangeId, RecommendationId, ServiceId};
use crate::job::{OptimizationStatus, words};
use crate::plan::{Plan, PlanHash};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

words! {
    /// The fine state of a change (`substate` in interfaces).
    Substate, "a substate" {
        /// Waiting for a person.
        PendingApproval = "PENDING_APPROVAL", "Waiting for approval";
        /// Approved, to be scheduled.
        Approved = "APPROVED", "Approved";
        /// Refused by an approver.
        Rejected = "REJECTED", "Rejected";
        /// Sent back with a wish.
        ChangesRequested = "CHANGES_REQUESTED", "Changes requested";
        /// Taken back by its requester.
        Withdrawn = "WITHDRAWN", "Withdrawn";
        /// Nobody decided in time.
        Expired = "EXPIRED", "Expired";
        /// The target is no longer what the plan was made from.
        Stale = "STALE", "Out of date";
        /// Waits for its time.
        Scheduled = "SCHEDULED", "Scheduled";
        /// Waits for the end of a freeze.
        HeldByFreeze = "HELD_BY_FREEZE", "Held by freeze";
        /// Being checked against the target.
        Preflight = "PREFLIGHT", "Checking";
        /// The check said no.
        PreflightFailed = "PREFLIGHT_FAILED", "Check failed";
        /// Being written.
        Applying = "APPLYING", "Applying";
        /// Written or not: the target has to be read.
        OutcomeUnknown = "OUTCOME_UNKNOWN", "Outcome unknown";
        /// Written, being watched.
        Observing = "OBSERVING", "Observing";
        /// Verified.
        Applied = "APPLIED", "Verified";
        /// Someone else reverted it.
        Drifted = "DRIFTED", "Reverted by someone else";
        /// Savings measured, guards disarmed.
        Closed = "CLOSED", "Closed";
        /// Nothing was written.
        Failed = "FAILED", "Failed";
        /// Written in part.
        Partial = "PARTIAL", "Partly applied";
        /// Stopping, to be taken back.
        Aborting = "ABORTING", "Stopping";
        /// A person asked for it to be taken back.
        RollbackRequested = "ROLLBACK_REQUESTED", "Roll-back asked for";
        /// Being taken back.
        RollingBack = "ROLLING_BACK", "Rolling back";
        /// Taken back.
        RolledBack = "ROLLED_BACK", "Rolled back";
        /// Could not be taken back: a person is needed.
        RollbackFailed = "ROLLBACK_FAILED", "Roll-back failed";
    }
}

impl Substate {
    /// The states that may follow: the one table of the state machine.
    #[must_use]
    pub const fn next(self) -> &'static [Self] {
        use Substate as S;
        match self {
            S::PendingApproval => &[S::Approved, S::Rejected, S::ChangesRequested, S::Withdrawn, S::Expired, S::Stale],
            S::Approved => &[S::Scheduled, S::HeldByFreeze, S::Preflight, S::Stale, S::Withdrawn, S::Expired],
            S::Scheduled | S::HeldByFreeze => &[S::Scheduled, S::HeldByFreeze, S::Preflight, S::Stale, S::Withdrawn, S::Expired],
            S::Preflight => &[S::Applying, S::HeldByFreeze, S::Stale, S::PreflightFailed, S::Aborting],
            S::Applying => &[S::Observing, S::OutcomeUnknown, S::Failed, S::Partial, S::Aborting],
            S::OutcomeUnknown => &[S::Applying, S::Observing, S::Failed, S::Partial, S::Aborting],
            S::Observing => &[S::Applied, S::Drifted, S::Aborting],
            S::Applied => &[S::Drifted, S::RollbackRequested, S::Closed],
            S::Partial => &[S::RollingBack],
            S::RollbackFailed => &[S::RollingBack],
            S::RollbackRequested | S::Aborting => &[S::RollingBack],
            S::RollingBack => &[S::RolledBack, S::RollbackFailed],
            S::Rejected
            | S::ChangesRequested
            | S::Withdrawn
            | S::Expired
            | S::Stale
            | S::PreflightFailed
            | S::Failed
            | S::Drifted
            | S::Closed
            | S::RolledBack => &[],
        }
    }
    /// Whether `to` may follow.
    #[must_use]
    pub fn allows(self, to: Self) -> bool {
        self.next().contains(&to)
    }
    /// Whether a worker has it in hand or must take it up: a restart resumes these.
    #[must_use]
    pub const fn active(self) -> bool {
        use Substate as S;
        matches!(self, S::Preflight | S::Applying | S::OutcomeUnknown | S::Observing | S::Aborting | S::RollbackRequested | S::RollingBack)
    }
    /// Whether it waits for a decision or for its time: nothing has been asked of the target yet.
    #[must_use]
    pub const fn waits(self) -> bool {
        use Substate as S;
        matches!(self, S::PendingApproval | S::Approved | S::Scheduled | S::HeldByFreeze)
    }
    /// Whether it holds its target: no other change of the service may start.
    #[must_use]
    pub const fn holds_target(self) -> bool {
        use Substate as S;
        self.active() || self.waits() || matches!(self, S::Partial | S::RollbackFailed)
    }
    /// Whether the change ended without a trace, so that its recommendation is open again.
    #[must_use]
    pub const fn reopens(self) -> bool {
        use Substate as S;
        matches!(self, S::Rejected | S::ChangesRequested | S::Withdrawn | S::Expired | S::Stale | S::PreflightFailed)
    }
    /// The coarse view, as interfaces show it.
    #[must_use]
    pub const fn status(self) -> OptimizationStatus {
        use Substate as S;
        match self {
            S::Preflight | S::Applying | S::OutcomeUnknown | S::Observing | S::Aborting | S::RollbackRequested | S::RollingBack => {
                OptimizationStatus::Applying
            }
            S::Applied | S::Drifted | S::Closed => OptimizationStatus::Applied,
            S::Failed | S::Partial | S::RollbackFailed => OptimizationStatus::Failed,
            S::RolledBack => OptimizationStatus::RolledBack,
            _ => OptimizationStatus::RecommendationsReady,
        }
    }
    /// What somebody who wanted something else of it can do now, in words.
    #[must_use]
    pub const fn way_on(self) -> &'static str {
        use Substate as S;
        match self {
            S::PendingApproval => "an approver decides on it first",
            S::Approved => "apply it or withdraw it",
            S::Scheduled => "it begins by itself at its time, unless it is withdrawn",
            S::HeldByFreeze => "it begins by itself after the freeze, unless it is withdrawn",
            S::Applied => "roll it back, or leave it",
            S::Partial | S::RollbackFailed => "roll it back",
            _ if self.reopens() => "submit the recommendation again if it is still wanted",
            _ if self.active() => "wait until Headroom is done with it, or stop it with a roll-back",
            _ => "it is at its end, and what is new comes with the next analysis",
        }
    }
    /// Whether a roll-back may be asked for now.
    #[must_use]
    pub const fn can_roll_back(self) -> bool {
        use Substate as S;
        matches!(self, S::Preflight | S::Applying | S::OutcomeUnknown | S::Observing | S::Applied | S::Partial | S::RollbackFailed)
    }
}

/// One approval of the exact plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The approver's name; `policy` where policy approved.
    pub by: String,
    /// The hash that the approver saw.
    pub plan_hash: PlanHash,
    /// Wall time.
    pub at: Timestamp,
}

/// The lifting of freezes and change windows for one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakGlass {
    /// Who did it.
    pub by: String,
    /// Why it could not wait.
    pub reason: String,
    /// Wall time.
    pub at: Timestamp,
}

/// The carrying-out of one recommendation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// What it carries out.
    pub recommendation_id: RecommendationId,
    /// The service.
    pub service_id: ServiceId,
    /// The service's name in interfaces.
    pub service_name: String,
    /// The owner.
    pub team: String,
    /// Exactly what is written.
    pub plan: Plan,
    /// What approvals are bound to.
    pub plan_hash: PlanHash,
    /// Where it stands.
    pub state: Substate,
    /// Who submitted it.
    pub requested_by: String,
    /// Approvals of this plan.
    pub approvals: Vec<Approval>,
    /// How many it needs, by the policy that it was submitted under.
    #[serde(default = "one")]
    pub approvals_required: u32,
    /// Why it ended or was taken back, in words.
    pub reason: Option<String>,
    /// Grows by one with every transition: what optimistic locking compares.
    pub version: u64,
    /// Wall time.
    pub submitted_at: Timestamp,
    /// Cluster time at which it expires, unless it has begun.
    pub expires_at: Timestamp,
    /// Cluster time before which it is not applied.
    pub not_before: Timestamp,
    /// Whether somebody asked for it to be applied.
    pub apply_requested_by: Option<String>,
    /// Whether somebody lifted the freeze that held it.
    #[serde(default)]
    pub break_glass: Option<BreakGlass>,
    /// Cluster time of the write.
    pub applied_at: Option<Timestamp>,
    /// Cluster time of the end of the observation.
    pub verified_at: Option<Timestamp>,
    /// Cluster time of the roll-back.
    pub rolled_back_at: Option<Timestamp>,
    /// What was measured.
    pub effect: Option<Effect>,
    /// What it promised, for the ledger: micro-units a month.
    pub promised_month: Option<crate::units::Money>,
}

/// What was needed before policy could ask for more.
const fn one() -> u32 {
    1
}

/// Why a change refuses an act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The edge is not in the table.
    #[error("a change that is {} cannot become {}: {}", .from.plain().to_lowercase(), .to.plain().to_lowercase(), .from.way_on())]
    IllegalTransition {
        /// Where it stands.
        from: Substate,
        /// Where it was to go.
        to: Substate,
    },
    /// The plan is not the one that was seen.
    #[error("the plan has changed since you looked: you saw {seen}, it is now {now}. Read it again before you decide")]
    PlanMismatch {
        /// What the person saw.
        seen: String,
        /// What it is.
        now: String,
    },
    /// Four eyes.
    #[error("{0} submitted this change and cannot approve it: someone else has to")]
    OwnSubmission(String),
    /// One person counts once.
    #[error("{0} has approved this plan already: someone else has to")]
    ApprovedBefore(String),
    /// The time in which it had to be decided on, and started, is over.
    #[error("this change has expired: nobody {} in time. Submit it again if it is still wanted", if *.approved { "started it" } else { "decided" })]
    Expired {
        /// Whether it was approved before.
        approved: bool,
    },
    /// It has too few approvals of this plan.
    #[error("this plan has {have} of {need} approvals: an approver decides on it first")]
    NotApproved {
        /// How many count.
        have: u32,
        /// How many it needs.
        need: u32,
    },
}

impl Change {
    /// Moves to `to` if the table allows it, and counts the version up.
    ///
    /// # Errors
    /// [`Refusal::IllegalTransition`].
    pub fn advance(&mut self, to: Substate) -> Result<(), Refusal> {
        if !self.state.allows(to) {
            return Err(Refusal::IllegalTransition { from: self.state, to });
        }
        self.state = to;
        self.version += 1;
        Ok(())
    }

    /// Records an approval of exactly the plan that the approver saw; the last one that is needed moves the change on.
    ///
    /// # Errors
    /// [`Refusal`] for another plan, one's own submission, a second approval by one person, or a change that has moved on.
    pub fn approve(&mut self, by: &str, seen: &PlanHash, wall: Timestamp) -> Result<(), Refusal> {
        self.same_plan(seen)?;
        if self.requested_by == by {
            return Err(Refusal::OwnSubmission(by.to_owned()));
        }
        if !self.state.allows(Substate::Approved) {
            return Err(Refusal::IllegalTransition { from: self.state, to: Substate::Approved });
        }
        if self.approvals.iter().any(|a| a.by == by && a.plan_hash == *seen) {
            return Err(Refusal::ApprovedBefore(by.to_owned()));
        }
        self.approvals.push(Approval { by: by.to_owned(), plan_hash: seen.clone(), at: wall });
        if self.approvals_by_others() >= self.approvals_required {
            return self.advance(Substate::Approved);
        }
        self.version += 1;
        Ok(())
    }

    /// How many people other than the requester have approved this plan.
    #[must_use]
    pub fn approvals_by_others(&self) -> u32 {
        let people: BTreeSet<&str> =
            self.approvals.iter().filter(|a| a.plan_hash == self.plan_hash && a.by != self.requested_by).map(|a| a.by.as_str()).collect();
        u32::try_from(people.len()).unwrap_or(u32::MAX)
    }

    /// Whether `seen` is this change's plan.
    ///
    /// # Errors
    /// [`Refusal::PlanMismatch`].
    pub fn same_plan(&self, seen: &PlanHash) -> Result<(), Refusal> {
        if *seen == self.plan_hash {
            return Ok(());
        }
        Err(Refusal::PlanMismatch { seen: seen.short(), now: self.plan_hash.short() })
    }

    /// Whether there is time left, at `cluster` time, to decide on it and to start it.
    ///
    /// # Errors
    /// [`Refusal::Expired`].
    pub fn in_time(&self, cluster: Timestamp) -> Result<(), Refusal> {
        let late = self.state.waits() && cluster >= self.expires_at;
        if self.state != Substate::Expired && !late {
            return Ok(());
        }
        Err(Refusal::Expired { approved: self.approvals_by_others() >= self.approvals_required })
    }

    /// Checked again at apply: the plan still has its hash, and enough people other than the requester approved it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn approved_by_other(&self) -> Result<(), Refusal> {
        self.same_plan(&self.plan.hash())?;
        let (have, need) = (self.approvals_by_others(), self.approvals_required);
        if have >= need { Ok(()) } else { Err(Refusal::NotApproved { have, need }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::ServiceKey;
    use proptest::prelude::*;

    fn change(state: Substate) -> Change {
        let plan = Plan {
            service_id: ServiceId(uuid::Uuid::nil()),
            target: ServiceKey { cluster: "c".into(), namespace: "n".into(), kind: "Deployment".into(), name: "s".into() },
            uid: "u".into(),
            changes: Vec::new(),
            policy_hash: "p".into(),
        };
        Change {
            id: ChangeId(uuid::Uuid::nil()),
            recommendation_id: RecommendationId(uuid::Uuid::nil()),
            service_id: plan.service_id,
            service_name: "s".into(),
            team: "t".into(),
            plan_hash: plan.hash(),
            plan,
            state,
            requested_by: "engineer".into(),
            approvals: Vec::new(),
            approvals_required: 1,
            reason: None,
            version: 0,
            submitted_at: Timestamp::default(),
            expires_at: Timestamp::default(),
            not_before: Timestamp::default(),
            apply_requested_by: None,
            break_glass: None,
            applied_at: None,
            verified_at: None,
            rolled_back_at: None,
            effect: None,
            promised_month: None,
        }
    }

    #[test]
    fn an_approval_needs_another_person_and_the_same_plan() {
        let mut c = change(Substate::PendingApproval);
        let seen = c.plan_hash.clone();
        assert!(matches!(c.approve("engineer", &seen, Timestamp::default()), Err(Refusal::OwnSubmission(_))));
        let other = PlanHash::try_from("0".repeat(64)).unwrap();
        assert!(matches!(c.approve("approver", &other, Timestamp::default()), Err(Refusal::PlanMismatch { .. })));
        assert_eq!(c.state, Substate::PendingApproval);
        c.approve("approver", &seen, Timestamp::default()).unwrap();
        c.approved_by_other().unwrap();
        let again = c.approve("approver", &seen, Timestamp::default()).unwrap_err();
        assert_eq!(again.to_string(), "a change that is approved cannot become approved: apply it or withdraw it");
    }

    #[test]
    fn what_has_expired_says_what_it_waited_for() {
        let mut c = change(Substate::PendingApproval);
        c.expires_at = Timestamp::from_secs(10);
        assert_eq!(c.in_time(Timestamp::from_secs(9)), Ok(()));
        let late = |c: &Change| c.in_time(Timestamp::from_secs(10)).unwrap_err().to_string();
        assert!(late(&c).contains("nobody decided in time"), "{}", late(&c));
        c.approve("approver", &c.plan_hash.clone(), Timestamp::default()).unwrap();
        c.state = Substate::Expired;
        assert!(late(&c).contains("nobody started it in time"), "{}", late(&c));
    }

    #[test]
    fn two_approvals_are_two_people_s() {
        let mut c = Change { approvals_required: 2, ..change(Substate::PendingApproval) };
        let seen = c.plan_hash.clone();
        c.approve("ann", &seen, Timestamp::default()).unwrap();
        assert_eq!((c.state, c.version), (Substate::PendingApproval, 1));
        assert!(matches!(c.approve("ann", &seen, Timestamp::default()), Err(Refusal::ApprovedBefore(_))));
        assert!(matches!(c.approved_by_other(), Err(Refusal::NotApproved { have: 1, need: 2 })));
        c.approve("bob", &seen, Timestamp::default()).unwrap();
        assert_eq!(c.state, Substate::Approved);
        c.approved_by_other().unwrap();
    }

    #[test]
    fn a_plan_edited_after_approval_is_refused_at_apply() {
        let mut c = change(Substate::PendingApproval);
        let seen = c.plan_hash.clone();
        c.approve("approver", &seen, Timestamp::default()).unwrap();
        c.plan.uid = "another".into();
        assert!(matches!(c.approved_by_other(), Err(Refusal::PlanMismatch { .. })));
    }

    #[test]
    fn what_was_written_can_always_be_taken_back() {
        for state in Substate::ALL {
            if state.can_roll_back() {
                let direct =
                    state.next().iter().any(|n| matches!(n, Substate::RollingBack | Substate::RollbackRequested | Substate::Aborting));
                assert!(direct, "{state}");
            }
        }
    }

    proptest! {
        #[test]
        fn only_edges_of_the_table_are_taken(walk in proptest::collection::vec(0usize..Substate::ALL.len(), 1..40)) {
            let mut c = change(Substate::PendingApproval);
            for step in walk {
                let to = Substate::ALL[step];
                let (before, version) = (c.state, c.version);
                let allowed = before.next().contains(&to);
                prop_assert_eq!(c.advance(to).is_ok(), allowed);
                prop_assert_eq!(c.state, if allowed { to } else { before });
                prop_assert_eq!(c.version, version + u64::from(allowed));
            }
        }

        #[test]
        fn nothing_is_written_without_approval(walk in proptest::collection::vec(0usize..8, 1..40)) {
            let mut c = change(Substate::PendingApproval);
            let mut seen = vec![c.state];
            for step in walk {
                let next = c.state.next();
                if next.is_empty() { break; }
                c.advance(next[step % next.len()]).unwrap();
                seen.push(c.state);
            }
            if let Some(applying) = seen.iter().position(|s| *s == Substate::Applying) {
                prop_assert!(seen[..applying].contains(&Substate::Approved));
                prop_assert!(seen[..applying].contains(&Substate::Preflight));
            }
        }
    }
}
