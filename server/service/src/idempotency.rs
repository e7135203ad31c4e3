//! The same request with the same key has the same answer; another request with that key is refused.

use crate::{Error, Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::OpContext;
use headroom_store::{Claim, Remembered};

impl Headroom {
    /// The answer that this actor's key was given before, as status and body; `request` names the request, such as a hash of method,
    /// path and body.
    ///
    /// # Errors
    /// [`Error::KeyReused`] if the key belongs to another request; [`Error::AnswerLost`] if this request had its effect, but no answer
    /// was kept; [`Error::Invalid`] for a key that is empty or too long.
    #[boxed]
    pub async fn replayed(&self, ctx: &OpContext, key: &str, request: &str) -> Result<Option<(u16, Vec<u8>)>> {
        if key.is_empty() || key.len() > 200 {
            return Err(Error::invalid("Idempotency-Key", "1 to 200 characters"));
        }
        match self.store.replayed(&ctx.actor, key, request).await? {
            None => Ok(None),
            Some(Remembered::Answer { status, body }) => Ok(Some((status, body))),
            Some(Remembered::Effect(on)) => Err(Error::AnswerLost(on)),
        }
    }

    /// Does the work of a request so that its key is claimed in the transaction of its effect. The claim is for [`Self::remember`].
    pub async fn claimed<F: Future>(&self, ctx: &OpContext, key: &str, request: &str, work: F) -> (F::Output, Claim) {
        let claim = Claim::new(&ctx.actor, key, request, ctx.now.wall);
        (claim.clone().during(work).await, claim)
    }

    /// Remembers the answer to a key. A server's own fault is not remembered: the request may be tried again. Whether this is the answer:
    /// where the same request came to another process at the same time, it is what [`Self::replayed`] says.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn remember(&self, claim: &Claim, status: u16, body: &[u8]) -> Result<bool> {
        if status >= 500 {
            return Ok(true);
        }
        let mut tx = self.store.begin().await?;
        let kept = tx.remember(claim, status, body).await?;
        tx.commit().await?;
        Ok(kept)
    }
}
