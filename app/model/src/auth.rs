//! Roles, permissions, teams, and the context that every use case is given.

use crate::job::words;
use crate::time::Clocks;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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

/// The teams whose services somebody sees and acts on: every team, or those that are named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Teams(Option<BTreeSet<String>>);

impl Teams {
    /// Every team, those to come among them.
    pub const ALL: Self = Self(None);

    /// These teams and no other; all of them if none is named.
    pub fn of<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        let names: BTreeSet<String> = names.into_iter().map(Into::into).filter(|name| !name.is_empty()).collect();
        Self((!names.is_empty()).then_some(names))
    }

    /// Whether this team is among them.
    #[must_use]
    pub fn include(&self, team: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(team))
    }

    /// Their names, in order; `None` for every team.
    #[must_use]
    pub fn names(&self) -> Option<Vec<&str>> {
        self.0.as_ref().map(|names| names.iter().map(String::as_str).collect())
    }

    /// In words.
    #[must_use]
    pub fn plain(&self) -> String {
        if self.0.is_none() { "every team".to_owned() } else { self.to_string() }
    }

    /// What somebody who has teams already is to have; `None` where nothing is said, so that they keep theirs.
    #[must_use]
    pub fn asked(text: &str) -> Option<Self> {
        let names = || text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names().next()?;
        Some(if names().any(|name| name == "*" || name == "every team") { Self::ALL } else { Self::of(names()) })
    }
}

/// As they are written in forms and on the command line: names with commas between them; nothing means every team, and so does `*`.
impl fmt::Display for Teams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().unwrap_or_default().join(", "))
    }
}

/// Reads what [`Teams`] displays.
impl std::str::FromStr for Teams {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::asked(text).unwrap_or(Self::ALL))
    }
}

/// Somebody who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Whose services they see and act on.
    pub teams: Teams,
}

/// A refused permission; says what is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// The role does not permit it.
    #[error("to {} you need the role {}; {actor} has {role}", .permission.plain(), .permission.least_role())]
    Role {
        /// Who asked.
        actor: String,
        /// The role they have.
        role: Role,
        /// What they wanted.
        permission: Permission,
    },
    /// The role would, the token's scope does not.
    #[error("this token may not {}: make one with the scope {permission}", .permission.plain())]
    Scope {
        /// What was wanted.
        permission: Permission,
    },
    /// It concerns every team, and the actor is not in every team.
    #[error("to {} for every team you must be in every team; {actor} is in {teams}", .permission.plain())]
    Teams {
        /// Who asked.
        actor: String,
        /// The teams they are in.
        teams: Teams,
        /// What they wanted.
        permission: Permission,
    },
}

/// Who is asking, when, in which request: the first argument of every use case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpContext {
    /// The user's name; `headroom` for workers, `policy` where policy acts.
    pub actor: String,
    /// Their role; `None` for Headroom itself.
    pub role: Option<Role>,
    /// Whose services they see and act on.
    pub teams: Teams,
    /// What the token that they sent is for; `None` where nothing narrows what their role permits.
    pub scope: Option<Vec<Permission>>,
    /// The request that caused it.
    pub request_id: String,
    /// Both clocks, read once at the edge.
    pub now: Clocks,
}

impl OpContext {
    /// The context of what a person does, with all that their role permits.
    #[must_use]
    pub fn of(person: Person, request_id: String, now: Clocks) -> Self {
        Self { actor: person.name, role: Some(person.role), teams: person.teams, scope: None, request_id, now }
    }

    /// The context of what Headroom does by itself, in the name of its workers or of policy.
    #[must_use]
    pub fn own(actor: &str, request_id: String, now: Clocks) -> Self {
        Self { actor: actor.to_owned(), role: None, teams: Teams::ALL, scope: None, request_id, now }
    }

    /// Checks a permission. Headroom's own workers act on what people have decided and have none to check.
    ///
    /// # Errors
    /// [`Forbidden`] names the missing role or scope.
    pub fn require(&self, permission: Permission) -> Result<(), Forbidden> {
        match self.role {
            Some(role) if !role.permits(permission) => Err(Forbidden::Role { actor: self.actor.clone(), role, permission }),
            _ if self.scope.as_ref().is_some_and(|scope| !scope.contains(&permission)) => Err(Forbidden::Scope { permission }),
            _ => Ok(()),
        }
    }

    /// Checks a permission for what concerns every team at once.
    ///
    /// # Errors
    /// [`Forbidden`] names what is missing.
    pub fn require_for_all(&self, permission: Permission) -> Result<(), Forbidden> {
        self.require(permission)?;
        match self.teams.names() {
            None => Ok(()),
            Some(_) => Err(Forbidden::Teams { actor: self.actor.clone(), teams: self.teams.clone(), permission }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn administrators_do_not_approve_and_managers_read() {
        assert!(!Role::Administrator.permits(Permission::Approve));
        assert!(Role::Administrator.permits(Permission::ManagePolicy));
        assert!(Role::Manager.permits(Permission::Read));
        for permission in Permission::ALL.iter().filter(|p| **p != Permission::Read) {
            assert!(!Role::Manager.permits(*permission), "{permission}");
            assert!(!Role::Viewer.permits(*permission), "{permission}");
        }
        let refusal = Forbidden::Role { actor: "ann".into(), role: Role::Engineer, permission: Permission::Approve };
        assert_eq!(refusal.to_string(), "to approve or reject you need the role approver; ann has engineer");
    }

    #[test]
    fn a_scope_narrows_what_a_role_permits_and_never_widens_it() {
        let person = Person { name: "ann".into(), role: Role::Engineer, teams: Teams::ALL };
        let now = Clocks { wall: Timestamp::from_secs(0), cluster: Timestamp::from_secs(0) };
        let narrow = OpContext { scope: Some(vec![Permission::Read, Permission::Approve]), ..OpContext::of(person, String::new(), now) };
        assert_eq!(narrow.require(Permission::Read), Ok(()));
        assert!(matches!(narrow.require(Permission::Approve), Err(Forbidden::Role { .. })));
        let refusal = narrow.require(Permission::Submit).unwrap_err();
        assert_eq!(refusal.to_string(), "this token may not submit: make one with the scope submit");
    }

    #[test]
    fn teams_are_all_or_those_that_are_named() {
        let read = |text: &str| text.parse::<Teams>().unwrap();
        assert_eq!((read(" , "), read(" * "), read("every team")), (Teams::ALL, Teams::ALL, Teams::ALL));
        assert_eq!((Teams::asked(" , "), Teams::asked("*")), (None, Some(Teams::ALL)));
        assert!(Teams::ALL.include("web"));
        let two = read("web,  payments,");
        assert!(two.include("web") && !two.include("search") && !two.include(""));
        assert_eq!((two.to_string().as_str(), read(&two.to_string())), ("payments, web", two.clone()));
        let person = Person { name: "ann".into(), role: Role::Engineer, teams: two };
        let now = Clocks { wall: Timestamp::from_secs(0), cluster: Timestamp::from_secs(0) };
        let refusal = OpContext::of(person, String::new(), now).require_for_all(Permission::Analyze).unwrap_err();
        assert_eq!(refusal.to_string(), "to analyse for every team you must be in every team; ann is in payments, web");
    }
}
