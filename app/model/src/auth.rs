//! Roles, permissions, and the context that every use case is given.

use crate::job::words;
use crate::time::Clocks;
use serde::{Deserialize, Serialize};
use std::fmt;

words! {
    /// What a person is to Headroom.
    Role, "a role" {
        /// Reads.
        Viewer = "viewer", "Viewer";
        /// Reads, with an eye on money.
        Manager = "manager", "Manager";
        /// Also analyses, proposes, submits, comments, withdraws.
        Engineer = "engineer", "Engineer";
        /// Also approves, rejects, applies, rolls back.
        Approver = "approver", "Approver";
        /// Manages users and policy, and does not approve.
        Administrator = "administrator", "Administrator";
    }
}

words! {
    /// Something that needs a role.
    Permission, "a permission" {
        /// See everything but secrets.
        Read = "read", "read";
        /// Start an analysis.
        Analyze = "analyze", "analyse";
        /// Propose own values.
        Propose = "propose", "propose values";
        /// Submit for approval, withdraw, dismiss.
        Submit = "submit", "submit";
        /// Comment.
        Comment = "comment", "comment";
        /// Approve or reject.
        Approve = "approve", "approve or reject";
        /// Start an approved change.
        Apply = "apply", "apply";
        /// Carry out an approved change in spite of a freeze.
        BreakGlass = "break_glass", "break the glass";
        /// Take a change back.
        RollBack = "roll_back", "roll back";
        /// Change policy.
        ManagePolicy = "manage_policy", "change policy";
        /// Create, lock and reset users and tokens.
        ManageUsers = "manage_users", "manage users";
    }
}

impl Permission {
    /// The roles that have it.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        use Role as R;
        match self {
            Self::Read => &[R::Viewer, R::Manager, R::Engineer, R::Approver, R::Administrator],
            Self::Analyze | Self::Propose | Self::Submit | Self::Comment => &[R::Engineer, R::Approver],
            Self::Approve | Self::Apply | Self::BreakGlass | Self::RollBack => &[R::Approver],
            Self::ManagePolicy | Self::ManageUsers => &[R::Administrator],
        }
    }
    /// The least role that has it, for the message of a refusal.
    #[must_use]
    pub const fn least_role(self) -> Role {
        self.roles()[0]
    }
}

impl Role {
    /// Whether this role has the permission.
    #[must_use]
    pub fn permits(self, permission: Permission) -> bool {
        permission.roles().contains(&self)
    }
}

/// A refused permission; says which role is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("to {} you need the role {}; {actor} has {role}", .permission.plain(), .permission.least_role())]
pub struct Forbidden {
    /// Who asked.
    pub actor: String,
    /// The role they have.
    pub role: Role,
    /// What they wanted.
    pub permission: Permission,
}

/// Who is asking, when, in which request: the first argument of every use case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpContext {
    /// The user's name; `headroom` for workers, `policy` where policy acts.
    pub actor: String,
    /// Their role; `None` for Headroom itself.
    pub role: Option<Role>,
    /// The request that caused it.
    pub request_id: String,
    /// Both clocks, read once at the edge.
    pub now: Clocks,
}

impl OpContext {
    /// Checks a permission. Headroom's own workers act on what people have decided and have none to check.
    ///
    /// # Errors
    /// [`Forbidden`] names the missing role.
    pub fn require(&self, permission: Permission) -> Result<(), Forbidden> {
        match self.role {
            Some(role) if !role.permits(permission) => Err(Forbidden { actor: self.actor.clone(), role, permission }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn administrators_do_not_approve_and_managers_read() {
        assert!(!Role::Administrator.permits(Permission::Approve));
        assert!(Role::Administrator.permits(Permission::ManagePolicy));
        assert!(Role::Manager.permits(Permission::Read));
        for permission in Permission::ALL.iter().filter(|p| **p != Permission::Read) {
            assert!(!Role::Manager.permits(*permission), "{permission}");
            assert!(!Role::Viewer.permits(*permission), "{permission}");
        }
        let refusal = Forbidden { actor: "ann".into(), role: Role::Engineer, permission: Permission::Approve };
        assert_eq!(refusal.to_string(), "to approve or reject you need the role approver; ann has engineer");
    }
}
