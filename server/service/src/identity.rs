//! Who somebody is: one-time codes, passwords, API tokens. Secrets are kept as hashes only.

use crate::{Error, Headroom, Result, event};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission, Person, Role, Teams};
use headroom_model::ids::UserId;
use headroom_model::time::{Clocks, Timestamp};
use headroom_store::{TokenUser, User};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use zxcvbn::{Score, zxcvbn};

/// Wall seconds between two notes of a token's last use: a busy token does not write at every request.
const TOUCH_SECS: i64 = 60;
/// How long a one-time code is good for, wall seconds.
const CODE_SECS: i64 = 24 * 3600;
/// Shortest and longest password, in characters.
const PASSWORD: std::ops::RangeInclusive<usize> = 12..=128;
/// Hashing takes 19 MiB each: no more than this many at once.
static HASHING: Semaphore = Semaphore::const_new(2);

/// A secret that is shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeCode(pub String);

/// A user as a session finds them, at every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who they are.
    pub person: Person,
    /// Whether they are locked out.
    pub locked: bool,
    /// Whether they have set up a second factor: signing in takes it then.
    pub second_factor: bool,
}

/// What an identity provider says of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided {
    /// Who they are there, for ever: the issuer and their id.
    pub subject: String,
    /// What they are called.
    pub name: String,
    /// The role that their groups have.
    pub role: Role,
    /// The teams that their groups are.
    pub teams: Teams,
}

/// 256 random bits as text.
pub(crate) fn secret() -> Result<String> {
    let mut bytes = [0u8; 32];
    SysRng.try_fill_bytes(&mut bytes).map_err(|e| Error::Internal(format!("the system gives no random numbers: {e}")))?;
    Ok(hex::encode(bytes))
}

/// What is stored of a random secret: it has 256 bits, so one round of SHA-256 is enough.
pub(crate) fn fingerprint(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// argon2id with 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).expect("the parameters are within argon2's limits"))
}

/// Hashes a password off the async threads, a bounded number at once.
pub(crate) async fn hash_password(password: String) -> Result<String> {
    let _turn = HASHING.acquire().await.map_err(|e| Error::Internal(e.to_string()))?;
    tokio::task::spawn_blocking(move || hasher().hash_password(password.as_bytes()).map(|h| h.to_string()))
        .await
        .map_err(|e| Error::Internal(e.to_string()))?
        .map_err(|e| Error::Internal(format!("the password could not be hashed: {e}")))
}

async fn verify_password(password: String, hash: String) -> Result<bool> {
    let _turn = HASHING.acquire().await.map_err(|e| Error::Internal(e.to_string()))?;
    tokio::task::spawn_blocking(move || PasswordHash::new(&hash).is_ok_and(|h| hasher().verify_password(password.as_bytes(), &h).is_ok()))
        .await
        .map_err(|e| Error::Internal(e.to_string()))
}

/// Checks a new password: its length, that the name is not in it, and that it is not easily guessed. That is estimated from lists of
/// common passwords, words and names, and from patterns, all of them built in: nothing is asked of anybody.
pub(crate) fn check_password(name: &str, password: &str) -> Result<()> {
    let length = password.chars().count();
    if !PASSWORD.contains(&length) {
        return Err(Error::invalid(
            "password",
            format!("a password has {} to {} characters; this one has {length}", PASSWORD.start(), PASSWORD.end()),
        ));
    }
    if password.to_lowercase().contains(&name.to_lowercase()) {
        return Err(Error::invalid("password", "a password must not contain your name"));
    }
    if zxcvbn(password, &[name, "headroom"]).score() < Score::Three {
        return Err(Error::invalid(
            "password",
            "this password is among the first that a guesser tries: take several words that do not belong together",
        ));
    }
    Ok(())
}

impl Headroom {
    /// Whose one-time code this is, without using it up; `None` for one that is unknown, used or too old.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn sign_in_code_user(&self, code: &str) -> Result<Option<String>> {
        let Some(code) = self.store.code(&fingerprint(code), (self.wall)()).await? else { return Ok(None) };
        let Some(id) = code.user_id else { return Ok(None) };
        Ok(self.store.user_by_id(id).await?.map(|u| u.name))
    }

    /// Uses a one-time code up.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for one that is unknown, used or too old, or of a locked user.
    #[boxed]
    pub async fn sign_in_with_code(&self, code: &str, request_id: &str) -> Result<Person> {
        let now = self.clocks();
        let mut tx = self.store.begin().await?;
        let Some(id) = tx.use_code(&fingerprint(code), now.wall).await?.and_then(|c| c.user_id) else {
            return Err(Error::Unauthenticated(
                "this code is unknown, was used before, or is too old: ask an administrator for a new one".into(),
            ));
        };
        let signed_in = allowed(self.store.user_by_id(id).await?)?;
        tx.signed_in(id, now.wall).await?;
        tx.record(&event(&context(&signed_in, now, request_id), "session.signed_in_with_code", "session", &signed_in.name)).await?;
        tx.commit().await?;
        Ok(signed_in)
    }

    /// Checks a name and a password. Takes the same time whether the name exists or not.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], with the same words for a wrong name and a wrong password.
    #[boxed]
    pub async fn sign_in_with_password(&self, name: &str, password: &str, request_id: &str) -> Result<Person> {
        const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let wrong = || Error::Unauthenticated("name and password do not match".to_owned());
        let now = self.clocks();
        let user = self.store.user(name).await?;
        let hash = match &user {
            Some(user) => self.store.password_hash(user.id).await?,
            None => None,
        };
        let known = hash.is_some();
        let id = user.as_ref().map(|u| u.id);
        let matches = password.chars().count() <= *PASSWORD.end()
            && verify_password(password.to_owned(), hash.unwrap_or_else(|| DECOY.to_owned())).await?;
        let signed_in = if known && matches { allowed(user).map_err(|_| wrong()) } else { Err(wrong()) };
        let mut tx = self.store.begin().await?;
        match &signed_in {
            Ok(who) => {
                if let Some(id) = id {
                    tx.signed_in(id, now.wall).await?;
                }
                tx.record(&event(&context(who, now, request_id), "session.signed_in", "session", name)).await?;
            }
            Err(_) => {
                let nobody = OpContext::own("anonymous", request_id.to_owned(), now);
                let subject: String = name.chars().take(100).collect();
                tx.record(&event(&nobody, "session.refused", "session", subject)).await?;
            }
        }
        tx.commit().await?;
        signed_in
    }

    /// A user, for sessions: read at every request, so that a lock, another role or other teams act at once.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn user(&self, name: &str) -> Result<Option<Known>> {
        let Some((user, second_factor)) = self.store.user_with_factor(name).await? else { return Ok(None) };
        Ok(Some(Known { locked: user.locked, second_factor, person: person(user) }))
    }

    /// Who a bearer token belongs to, and what it is for; `None` for one that is unknown, revoked, expired or of a locked user.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn token_user(&self, bearer: &str) -> Result<Option<(Person, Option<Vec<Permission>>)>> {
        let now = (self.wall)();
        let Some(TokenUser { token, scope, user }) = self.store.token_user(&fingerprint(bearer), now).await? else { return Ok(None) };
        if self
            .token_used
            .lock()
            .expect("nobody panics while holding it")
            .insert(token, now)
            .is_none_or(|at| now.secs_since(at) >= TOUCH_SECS)
        {
            let mut tx = self.store.begin().await?;
            tx.touch_token(token, now).await?;
            tx.commit().await?;
        }
        Ok(Some((person(user), scope)))
    }

    /// Sets the actor's own password. Their other sessions end with it: `session` is the one that goes on.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `current` is not the password that they have, or the new one is too short, too long, holds the name or is
    /// easily guessed; [`Error::Refused`] for those whom an identity provider signs in.
    #[boxed]
    pub async fn set_password(&self, ctx: &OpContext, current: &str, password: &str, session: &str) -> Result<()> {
        let user = self.store.user(&ctx.actor).await?.ok_or_else(|| Error::not_found("user", &ctx.actor))?;
        if user.subject.is_some() {
            return Err(Error::Refused("your identity provider signs you in: set your password there".to_owned()));
        }
        if let Some(hash) = self.store.password_hash(user.id).await?
            && !verify_password(current.chars().take(*PASSWORD.end()).collect(), hash).await?
        {
            return Err(Error::invalid("current", "this is not the password that you have"));
        }
        check_password(&ctx.actor, password)?;
        let hash = hash_password(password.to_owned()).await?;
        let mut tx = self.store.begin().await?;
        tx.set_password_hash(user.id, &hash, ctx.now.wall).await?;
        tx.delete_sessions_of(&ctx.actor, Some(session)).await?;
        tx.record(&event(ctx, "user.password_set", "user", &ctx.actor)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Signs somebody in whom an identity provider vouches for. Their first time makes the user; role and teams are the provider's, every
    /// time.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] if they are locked here, or their name is somebody else's.
    #[boxed]
    pub async fn sign_in_provided(&self, provided: &Provided, request_id: &str) -> Result<Person> {
        let now = self.clocks();
        let who = Person { name: provided.name.clone(), role: provided.role, teams: provided.teams.clone() };
        let mut tx = self.store.begin().await?;
        let (id, who) = match self.store.user_by_subject(&provided.subject).await? {
            Some(user) => {
                let known = allowed(Some(user.clone()))?;
                tx.set_role(&known.name, who.role, &who.teams).await?;
                let now_is = Person { name: known.name.clone(), ..who };
                if now_is != known {
                    let mut entry = event(&OpContext::own("headroom", request_id.to_owned(), now), "user.role_set", "user", &known.name);
                    entry.before = Some(serde_json::json!({ "role": known.role, "teams": known.teams }));
                    entry.after = Some(serde_json::json!({ "role": now_is.role, "teams": now_is.teams }));
                    entry.reason = Some("what the identity provider says".to_owned());
                    tx.record(&entry).await?;
                }
                (user.id, now_is)
            }
            None => {
                crate::users::check_name(&who.name)
                    .map_err(|e| Error::Unauthenticated(format!("the identity provider calls you {:?}: {e}", who.name)))?;
                if self.store.user(&who.name).await?.is_some() {
                    return Err(Error::Unauthenticated(format!(
                        "there is another user named {} here, who signs in without the identity provider: ask an administrator",
                        who.name
                    )));
                }
                let user = User { subject: Some(provided.subject.clone()), ..crate::users::new_user(&who, now.wall) };
                tx.create_user(&user).await?;
                let mut entry = event(&OpContext::own("headroom", request_id.to_owned(), now), "user.created", "user", &who.name);
                entry.after = Some(serde_json::json!({ "role": who.role, "teams": who.teams, "subject": provided.subject }));
                tx.record(&entry).await?;
                (user.id, who)
            }
        };
        tx.signed_in(id, now.wall).await?;
        tx.record(&event(&context(&who, now, request_id), "session.signed_in_with_provider", "session", &who.name)).await?;
        tx.commit().await?;
        Ok(who)
    }

    /// Whether there is no administrator yet.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn needs_first_run(&self) -> Result<bool> {
        Ok(self.store.user_count().await? == 0)
    }

    /// Makes the code that the first-run page asks for.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn first_run_code(&self) -> Result<OneTimeCode> {
        let code = secret()?;
        let now = (self.wall)();
        let mut tx = self.store.begin().await?;
        tx.put_code(&one_time_code(&code, None, FIRST_RUN, now)).await?;
        tx.commit().await?;
        Ok(OneTimeCode(code))
    }

    /// Creates the first administrator.
    ///
    /// # Errors
    /// [`Error::Refused`] when there are users already; [`Error::Unauthenticated`] for a wrong code; [`Error::Invalid`] for name or password.
    #[boxed]
    pub async fn first_run(&self, code: &str, name: &str, password: &str, request_id: &str) -> Result<Person> {
        if !self.needs_first_run().await? {
            return Err(Error::Refused("Headroom has users already: sign in, or ask an administrator".to_owned()));
        }
        crate::users::check_name(name)?;
        check_password(name, password)?;
        let hash = hash_password(password.to_owned()).await?;
        let now = self.clocks();
        let mut tx = self.store.begin().await?;
        if tx.user_count().await? > 0 || tx.use_code(&fingerprint(code), now.wall).await?.is_none_or(|c| c.purpose != FIRST_RUN) {
            return Err(Error::Invalid {
                field: "code".into(),
                fault: "this is not the code in Headroom's log: copy it from there".into(),
            });
        }
        let signed_in = Person { name: name.to_owned(), role: Role::Administrator, teams: Teams::ALL };
        let user = crate::users::new_user(&signed_in, now.wall);
        tx.create_user(&user).await?;
        tx.set_password_hash(user.id, &hash, now.wall).await?;
        let mut entry = event(&context(&signed_in, now, request_id), "user.created", "user", name);
        entry.after = Some(serde_json::json!({ "role": Role::Administrator }));
        tx.record(&entry).await?;
        tx.commit().await?;
        Ok(signed_in)
    }
}

/// What the code of the first run is for.
const FIRST_RUN: &str = "first_run";

/// What is stored of a one-time code made now.
pub(crate) fn one_time_code(code: &str, user: Option<UserId>, purpose: &str, now: Timestamp) -> headroom_store::OneTimeCode {
    headroom_store::OneTimeCode {
        hash: fingerprint(code),
        user_id: user,
        purpose: purpose.to_owned(),
        expires_at: now.plus_secs(CODE_SECS),
    }
}

/// A user who is there and not locked.
fn allowed(user: Option<User>) -> Result<Person> {
    match user {
        Some(user) if !user.locked => Ok(person(user)),
        Some(_) => Err(Error::Unauthenticated("this user is locked: ask an administrator".to_owned())),
        None => Err(Error::Unauthenticated("there is no such user any more".to_owned())),
    }
}

fn person(user: User) -> Person {
    Person { name: user.name, role: user.role, teams: user.teams }
}

fn context(who: &Person, now: Clocks, request_id: &str) -> OpContext {
    OpContext::of(who.clone(), request_id.to_owned(), now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_verifies_only_itself() {
        let hash = hash_password("correct horse battery".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify_password("correct horse battery".to_owned(), hash.clone()).await.unwrap());
        assert!(!verify_password("correct horse batterz".to_owned(), hash).await.unwrap());
    }

    #[test]
    fn passwords_have_limits() {
        assert!(check_password("ann", "short").is_err());
        assert!(check_password("ann", &"x".repeat(129)).is_err());
        assert!(check_password("ann", "my name is Ann, truly").is_err());
        for common in ["password1234", "qwertyuiop12", "aaaaaaaaaaaa", "headroom1234", "abcdefghijkl", "iloveyou1234"] {
            assert!(check_password("ann", common).is_err(), "{common}");
        }
        for good in ["correct horse battery", "a long enough secret", "xK4#pQ9!vT2m", "Tr0ub4dor&3 lamp"] {
            assert!(check_password("ann", good).is_ok(), "{good}");
        }
    }

    #[test]
    fn secrets_differ_and_are_not_kept() {
        let (a, b) = (secret().unwrap(), secret().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), 64);
        assert_ne!(fingerprint(&a), a);
    }
}
