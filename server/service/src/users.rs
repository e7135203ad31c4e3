//! Users and their API tokens, managed by an administrator.

use crate::identity::{OneTimeCode, fingerprint, one_time_code, secret};
use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission, Person, Role, Teams};
use headroom_model::ids::UserId;
use headroom_model::time::{DAY, Timestamp};
use headroom_model::view::UserRow;
use headroom_store::{ApiToken, User};
use uuid::Uuid;

/// A name is 1 to 64 letters, digits, dots, dashes, underscores or at signs, and none that Headroom uses for itself.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
        return Err(Error::invalid("name", "a name has 1 to 64 letters, digits, dots, dashes, underscores or @"));
    }
    if matches!(name, "headroom" | "policy" | "anonymous" | "engine" | "schedule") {
        return Err(Error::invalid("name", format!("{name} is a name that Headroom uses for itself")));
    }
    Ok(())
}

/// A user who has never signed in.
pub(crate) fn new_user(who: &Person, now: Timestamp) -> User {
    User {
        id: UserId(Uuid::now_v7()),
        name: who.name.clone(),
        role: who.role,
        teams: who.teams.clone(),
        subject: None,
        locked: false,
        created_at: now,
        last_sign_in: None,
    }
}

/// The longest that a token lives, days.
const LONGEST_TOKEN: u32 = 366;

/// An API token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What it is called.
    pub label: String,
    /// What it may do; everything that its user's role permits without.
    pub scope: Option<Vec<Permission>>,
    /// How long it lives.
    pub days: u32,
}

impl Headroom {
    /// All users, by name.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the administrator's role.
    #[boxed]
    pub async fn users(&self, ctx: &OpContext) -> Result<Vec<UserRow>> {
        ctx.require(Permission::ManageUsers)?;
        Ok(self.store.user_rows().await?)
    }

    /// Teams that somebody of this role may be kept to. An administrator's rules are for everybody, so they see everybody's services.
    async fn check_teams(&self, role: Role, teams: &Teams) -> Result<()> {
        let Some(names) = teams.names() else { return Ok(()) };
        if role == Role::Administrator {
            return Err(Error::invalid("teams", "an administrator is in every team: leave this empty"));
        }
        let known = self.store.teams().await?;
        // Before the first cluster is looked at, nobody can know its teams.
        match names.iter().find(|name| !known.is_empty() && !known.iter().any(|team| team == *name)) {
            Some(unknown) => Err(Error::invalid("teams", format!("there is no team {unknown:?}; there are {}", known.join(", ")))),
            None => Ok(()),
        }
    }

    /// Creates a user who signs in with a one-time code.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Invalid`] for the name, if it is taken, or for a team that is not there.
    #[boxed]
    pub async fn create_user(&self, ctx: &OpContext, name: &str, role: Role, teams: &Teams) -> Result<OneTimeCode> {
        ctx.require(Permission::ManageUsers)?;
        check_name(name)?;
        self.check_teams(role, teams).await?;
        if self.store.user(name).await?.is_some() {
            return Err(Error::invalid("name", format!("there is a user named {name} already")));
        }
        let code = secret()?;
        let mut tx = self.store.begin().await?;
        let user = new_user(&Person { name: name.to_owned(), role, teams: teams.clone() }, ctx.now.wall);
        tx.create_user(&user).await?;
        tx.put_code(&one_time_code(&code, Some(user.id), "sign_in", ctx.now.wall)).await?;
        let mut entry = event(ctx, "user.created", "user", name);
        entry.after = Some(serde_json::json!({ "role": role, "teams": teams }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("users");
        Ok(OneTimeCode(code))
    }

    /// Changes what a user may do, and whose services they see; it acts at once. Without `teams` they keep those that they have, but an
    /// administrator is in every team. Returns their teams.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Invalid`] for a team that is not there; [`Error::Refused`] for oneself, and
    /// for those whose role an identity provider decides.
    #[boxed]
    pub async fn set_role(&self, ctx: &OpContext, name: &str, role: Role, teams: Option<&Teams>) -> Result<Teams> {
        ctx.require(Permission::ManageUsers)?;
        if name == ctx.actor {
            return Err(Error::Refused("you cannot change your own role: another administrator can".to_owned()));
        }
        let user = self.store.user(name).await?.ok_or_else(|| Error::not_found("user", name))?;
        if user.subject.is_some() {
            return Err(Error::Refused(format!("the identity provider decides what {name} may do: change their groups there")));
        }
        let teams = match teams {
            Some(asked) => {
                self.check_teams(role, asked).await?;
                asked.clone()
            }
            None if role == Role::Administrator => Teams::ALL,
            None => user.teams.clone(),
        };
        let mut tx = self.store.begin().await?;
        tx.set_role(name, role, &teams).await?;
        let mut entry = event(ctx, "user.role_set", "user", name);
        entry.before = Some(serde_json::json!({ "role": user.role, "teams": user.teams }));
        entry.after = Some(serde_json::json!({ "role": role, "teams": teams }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("users");
        Ok(teams)
    }

    /// Gives a user a new one-time code; password, second factor, sessions and tokens are void from now on.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Refused`] for those whom an identity provider signs in.
    #[boxed]
    pub async fn reset_user(&self, ctx: &OpContext, name: &str) -> Result<OneTimeCode> {
        ctx.require(Permission::ManageUsers)?;
        let user = self.store.user(name).await?.ok_or_else(|| Error::not_found("user", name))?;
        if user.subject.is_some() {
            return Err(Error::Refused(format!("an identity provider signs {name} in: reset them there, or lock them here")));
        }
        let code = secret()?;
        let mut tx = self.store.begin().await?;
        tx.clear_password(user.id).await?;
        tx.clear_second_factor(user.id).await?;
        tx.void_codes(user.id, ctx.now.wall).await?;
        tx.revoke_tokens_of(user.id, ctx.now.wall).await?;
        tx.delete_sessions_of(name, None).await?;
        tx.put_code(&one_time_code(&code, Some(user.id), "reset", ctx.now.wall)).await?;
        tx.record(&event(ctx, "user.reset", "user", name)).await?;
        tx.commit().await?;
        self.announce("users");
        Ok(OneTimeCode(code))
    }

    /// A further one-time code for a user, without voiding anything: for the links that a demonstration prints at every start.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`].
    #[boxed]
    pub async fn issue_code(&self, ctx: &OpContext, name: &str) -> Result<OneTimeCode> {
        ctx.require(Permission::ManageUsers)?;
        let user = self.store.user(name).await?.ok_or_else(|| Error::not_found("user", name))?;
        let code = secret()?;
        let mut tx = self.store.begin().await?;
        tx.put_code(&one_time_code(&code, Some(user.id), "sign_in", ctx.now.wall)).await?;
        tx.record(&event(ctx, "user.code_issued", "user", name)).await?;
        tx.commit().await?;
        Ok(OneTimeCode(code))
    }

    /// Locks or unlocks a user. A locked user's sessions and tokens stop working at once.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Refused`] for oneself.
    #[boxed]
    pub async fn lock_user(&self, ctx: &OpContext, name: &str, locked: bool) -> Result<()> {
        ctx.require(Permission::ManageUsers)?;
        if name == ctx.actor && locked {
            return Err(Error::Refused("you cannot lock yourself: another administrator can".to_owned()));
        }
        self.store.user(name).await?.ok_or_else(|| Error::not_found("user", name))?;
        let mut tx = self.store.begin().await?;
        tx.set_locked(name, locked).await?;
        if locked {
            tx.delete_sessions_of(name, None).await?;
        }
        tx.record(&event(ctx, if locked { "user.locked" } else { "user.unlocked" }, "user", name)).await?;
        tx.commit().await?;
        self.announce("users");
        Ok(())
    }

    /// Makes an API token; it is shown once. People make their own, an administrator anybody's. Without a scope it may do what its user
    /// may; it never may more.
    ///
    /// # Errors
    /// [`Error::Forbidden`], also for a token that would make a wider one; [`Error::NotFound`]; [`Error::Invalid`] for an empty scope or
    /// days out of limits.
    #[boxed]
    pub async fn create_token(&self, ctx: &OpContext, user: &str, wanted: &NewToken) -> Result<String> {
        if user != ctx.actor {
            ctx.require(Permission::ManageUsers)?;
        }
        if wanted.scope.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::invalid("scope", "choose at least one thing that the token may do"));
        }
        if !(1..=LONGEST_TOKEN).contains(&wanted.days) {
            return Err(Error::invalid("days", format!("a token lives from 1 to {LONGEST_TOKEN} days")));
        }
        let label = &wanted.label;
        let owner = self.store.user(user).await?.ok_or_else(|| Error::not_found("user", user))?;
        let token = format!("hr_{}", secret()?);
        let label: String = label.trim().chars().take(100).collect();
        let mut tx = self.store.begin().await?;
        tx.put_token(&ApiToken {
            id: Uuid::now_v7(),
            hash: fingerprint(&token),
            user_id: owner.id,
            name: if label.is_empty() { "token".to_owned() } else { label },
            created_at: ctx.now.wall,
            last_used: None,
            revoked_at: None,
            scope: wanted.scope.clone(),
            expires_at: Some(ctx.now.wall.plus_secs(i64::from(wanted.days) * DAY)),
        })
        .await?;
        let mut entry = event(ctx, "token.created", "user", user);
        entry.after = Some(serde_json::json!({ "scope": wanted.scope, "days": wanted.days }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("users");
        Ok(token)
    }

    /// Revokes an API token. People revoke their own, an administrator anybody's.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`].
    #[boxed]
    pub async fn revoke_token(&self, ctx: &OpContext, id: Uuid) -> Result<()> {
        let all = self.store.tokens().await?;
        let (_, user) = all.into_iter().find(|(token, _)| token.id == id).ok_or_else(|| Error::not_found("token", id))?;
        if user != ctx.actor {
            ctx.require(Permission::ManageUsers)?;
        }
        let mut tx = self.store.begin().await?;
        tx.revoke_token(id, ctx.now.wall).await?;
        tx.record(&event(ctx, "token.revoked", "user", &user)).await?;
        tx.commit().await?;
        self.announce("users");
        Ok(())
    }
}
