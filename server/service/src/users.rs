//! Users and their API tokens, managed by an administrator.

use crate::identity::{OneTimeCode, fingerprint, one_time_code, secret};
use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission, Role};
use headroom_model::ids::UserId;
use headroom_model::time::Timestamp;
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
pub(crate) fn new_user(name: &str, role: Role, now: Timestamp) -> User {
    User { id: UserId(Uuid::now_v7()), name: name.to_owned(), role, locked: false, created_at: now, last_sign_in: None }
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

    /// Creates a user who signs in with a one-time code.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Invalid`] for the name; [`Error::Conflict`] if it is taken.
    #[boxed]
    pub async fn create_user(&self, ctx: &OpContext, name: &str, role: Role) -> Result<OneTimeCode> {
        ctx.require(Permission::ManageUsers)?;
        check_name(name)?;
        if self.store.user(name).await?.is_some() {
            return Err(Error::invalid("name", format!("there is a user named {name} already")));
        }
        let code = secret()?;
        let mut tx = self.store.begin().await?;
        let user = new_user(name, role, ctx.now.wall);
        tx.create_user(&user).await?;
        tx.put_code(&one_time_code(&code, Some(user.id), "sign_in", ctx.now.wall)).await?;
        let mut entry = event(ctx, "user.created", "user", name);
        entry.after = Some(serde_json::json!({ "role": role }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("users");
        Ok(OneTimeCode(code))
    }

    /// Gives a user a new one-time code; the password, sessions and tokens are void from now on.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`].
    #[boxed]
    pub async fn reset_user(&self, ctx: &OpContext, name: &str) -> Result<OneTimeCode> {
        ctx.require(Permission::ManageUsers)?;
        let user = self.store.user(name).await?.ok_or_else(|| Error::not_found("user", name))?;
        let code = secret()?;
        let mut tx = self.store.begin().await?;
        tx.clear_password(user.id).await?;
        tx.void_codes(user.id, ctx.now.wall).await?;
        tx.revoke_tokens_of(user.id, ctx.now.wall).await?;
        tx.delete_sessions_of(name).await?;
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
            tx.delete_sessions_of(name).await?;
        }
        tx.record(&event(ctx, if locked { "user.locked" } else { "user.unlocked" }, "user", name)).await?;
        tx.commit().await?;
        self.announce("users");
        Ok(())
    }

    /// Makes an API token; it is shown once. People make their own, an administrator anybody's.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`].
    #[boxed]
    pub async fn create_token(&self, ctx: &OpContext, user: &str, label: &str) -> Result<String> {
        if user != ctx.actor {
            ctx.require(Permission::ManageUsers)?;
        }
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
        })
        .await?;
        tx.record(&event(ctx, "token.created", "user", user)).await?;
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
