//! The second factor: a secret shared with an authenticator, which makes a code of six digits from it and the time (RFC 6238).

use crate::{Error, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::OpContext;
use headroom_model::time::Timestamp;
use headroom_model::view::Enrolment;
use headroom_store::{SecondFactor, User};
use qrcode::QrCode;
use qrcode::render::svg::Color;
use rand::TryRng;
use rand::rngs::SysRng;
use totp_rs::{Builder, Secret, Totp};

impl Headroom {
    /// Makes a secret for the actor's authenticator. It counts for nothing until a first code proves that the authenticator has it.
    ///
    /// # Errors
    /// [`Error::Refused`] if a second factor is set up already.
    #[boxed]
    pub async fn enrol_second_factor(&self, ctx: &OpContext) -> Result<()> {
        let user = self.actor(ctx).await?;
        let mut bytes = [0u8; 20];
        SysRng.try_fill_bytes(&mut bytes).map_err(|e| Error::Internal(format!("the system gives no random numbers: {e}")))?;
        let mut tx = self.store.begin().await?;
        if tx.second_factor(user.id).await?.is_some_and(|factor| factor.confirmed_at.is_some()) {
            return Err(Error::Refused("a second factor is set up already: remove it first, with one of its codes".to_owned()));
        }
        let secret = Secret::from(bytes).to_base32();
        tx.put_second_factor(user.id, &SecondFactor { secret, created_at: ctx.now.wall, confirmed_at: None, last_step: 0 }).await?;
        tx.record(&event(ctx, "second_factor.enrolled", "user", &ctx.actor)).await?;
        Ok(tx.commit().await?)
    }

    /// The second factor that waits for its first code, as text and as a picture for the authenticator's camera.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown user.
    #[boxed]
    pub async fn pending_second_factor(&self, ctx: &OpContext) -> Result<Option<Enrolment>> {
        let user = self.actor(ctx).await?;
        let factor = self.store.second_factor(user.id).await?.filter(|factor| factor.confirmed_at.is_none());
        factor.map(|factor| enrolment(&user.name, factor.secret)).transpose()
    }

    /// Takes a code of the actor's authenticator, once. The first right one sets the second factor up.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong code, or one that was taken before; [`Error::Refused`] without a second factor.
    #[boxed]
    pub async fn pass_second_factor(&self, ctx: &OpContext, code: &str) -> Result<()> {
        self.with_code(ctx, code, None).await
    }

    /// Removes the actor's second factor, for a code of it. Their other sessions end with it, as what half of them had proved is no
    /// longer asked for: `session` is the one that goes on.
    ///
    /// # Errors
    /// Those of [`Headroom::pass_second_factor`].
    #[boxed]
    pub async fn remove_second_factor(&self, ctx: &OpContext, code: &str, session: &str) -> Result<()> {
        self.with_code(ctx, code, Some(session)).await
    }

    /// Takes a code; `remove` removes what it is of, and ends every session but this.
    async fn with_code(&self, ctx: &OpContext, code: &str, remove: Option<&str>) -> Result<()> {
        let user = self.actor(ctx).await?;
        let mut tx = self.store.begin().await?;
        let Some(factor) = tx.second_factor(user.id).await? else {
            return Err(Error::Refused("no second factor is set up".to_owned()));
        };
        let step = matching_step(&factor, code, ctx.now.wall)?;
        let name = match step {
            None => "second_factor.refused",
            Some(_) if remove.is_some() => "second_factor.removed",
            Some(_) if factor.confirmed_at.is_none() => "second_factor.set_up",
            Some(_) => "second_factor.passed",
        };
        match (step, remove) {
            (None, _) => {}
            (Some(_), Some(session)) => {
                tx.clear_second_factor(user.id).await?;
                tx.delete_sessions_of(&ctx.actor, Some(session)).await?;
            }
            (Some(last_step), None) => {
                let confirmed_at = factor.confirmed_at.or(Some(ctx.now.wall));
                tx.put_second_factor(user.id, &SecondFactor { last_step, confirmed_at, ..factor }).await?;
            }
        }
        tx.record(&event(ctx, name, "user", &ctx.actor)).await?;
        tx.commit().await?;
        match step {
            Some(_) => Ok(()),
            None => Err(Error::invalid(
                "code",
                "this is not the code that the authenticator shows now, or it was used before: wait for the next one",
            )),
        }
    }

    async fn actor(&self, ctx: &OpContext) -> Result<User> {
        self.store.user(&ctx.actor).await?.ok_or_else(|| Error::not_found("user", &ctx.actor))
    }
}

/// The time step whose code this is, of those next to now that no code was taken of yet.
fn matching_step(factor: &SecondFactor, code: &str, now: Timestamp) -> Result<Option<i64>> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let seconds = u64::try_from(now.secs()).unwrap_or_default();
    let step = totp(&factor.secret)?.check(&digits, seconds).and_then(|step| i64::try_from(step).ok());
    Ok(step.filter(|step| *step > factor.last_step))
}

fn totp(secret: &str) -> Result<Totp> {
    let secret = Secret::try_from_base32(secret).map_err(|e| Error::Internal(format!("a stored second factor cannot be read: {e:?}")))?;
    Builder::new().with_secret(secret).build().map_err(|e| Error::Internal(format!("a stored second factor cannot be used: {e:?}")))
}

/// What an authenticator reads: the Key URI Format that they share.
fn enrolment(user: &str, secret: String) -> Result<Enrolment> {
    let user = user.replace('@', "%40");
    let uri = format!("otpauth://totp/Headroom:{user}?secret={secret}&issuer=Headroom");
    let code = QrCode::new(uri).map_err(|e| Error::Internal(format!("the picture could not be drawn: {e}")))?;
    let picture = code.render::<Color<'_>>().min_dimensions(192, 192).build();
    let picture = picture.split_once("?>").map_or(picture.clone(), |(_, svg)| svg.to_owned());
    Ok(Enrolment { secret, picture })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the secret is "12345678901234567890"; the codes are the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard_and_count_once() {
        let secret = Secret::from(*b"12345678901234567890").to_base32();
        let factor =
            |last_step| SecondFactor { secret: secret.clone(), created_at: Timestamp::from_secs(0), confirmed_at: None, last_step };
        for (secs, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")] {
            let at = Timestamp::from_secs(secs);
            assert_eq!(matching_step(&factor(0), code, at).unwrap(), Some(secs / 30), "{code}");
            assert_eq!(matching_step(&factor(secs / 30), code, at).unwrap(), None, "{code} again");
            assert_eq!(matching_step(&factor(0), code, at.plus_secs(90)).unwrap(), None, "{code} late");
        }
        let at = Timestamp::from_secs(1_111_111_109);
        assert_eq!(matching_step(&factor(0), "081 804", at).unwrap(), Some(1_111_111_109 / 30), "as authenticators show it");
        for wrong in ["", "081805", "81804", "0818040", "x81804", "０８１８０４"] {
            assert_eq!(matching_step(&factor(0), wrong, at).unwrap(), None, "{wrong}");
        }
    }
}
