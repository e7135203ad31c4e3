//! What is worked out of a service's samples and kept until there are newer ones: a page that is looked at often costs its work once.

use crate::Result;
use headroom_model::fault::chain;
use headroom_model::ids::ServiceId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// Services that are kept; then it begins anew.
const MOST: usize = 256;
/// Seconds of samples by which an answer may lag behind, while a newer one is worked out.
const LAG: i64 = 7200;

/// Of each service the newest that was worked out, with the time of the samples that it is from, seconds since the epoch.
pub(crate) struct Kept<T> {
    of: Mutex<HashMap<ServiceId, (i64, Arc<T>)>>,
    /// One at a time: however many look, no more than one core works for them.
    turn: Arc<Semaphore>,
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { of: Mutex::default(), turn: Arc::new(Semaphore::new(1)) })
    }

    /// What is known as of a time. What was worked out of somewhat older samples is answered with at once, and renewed behind the
    /// answer; anything else is waited for.
    pub(crate) async fn get(
        self: &Arc<Self>,
        service: ServiceId,
        at: i64,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<Arc<T>> {
        if let Some((from, old)) = self.find(service).filter(|(from, _)| at - from <= LAG) {
            if from < at {
                self.renew(service, at, work);
            }
            return Ok(old);
        }
        let _turn = self.turn.acquire().await.ok();
        // Meanwhile another may have worked it out.
        match self.find(service).filter(|(from, _)| *from >= at) {
            Some((_, found)) => Ok(found),
            None => Ok(self.keep(service, at, work.await?)),
        }
    }

    fn renew(self: &Arc<Self>, service: ServiceId, at: i64, work: impl Future<Output = Result<T>> + Send + 'static) {
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else { return };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            match work.await {
                Ok(new) => drop(this.keep(service, at, new)),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), %service, "what is kept of a service was not renewed; the next look tries again")
                }
            }
            drop(turn);
        });
    }

    fn keep(&self, service: ServiceId, at: i64, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let mut of = self.lock();
        if of.len() >= MOST {
            of.clear();
        }
        of.insert(service, (at, Arc::clone(&value)));
        value
    }

    fn find(&self, service: ServiceId) -> Option<(i64, Arc<T>)> {
        self.lock().get(&service).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServiceId, (i64, Arc<T>)>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[tokio::test]
    async fn what_is_somewhat_older_is_answered_with_and_renewed() {
        let kept = Kept::new();
        let service = ServiceId(Uuid::from_u128(1));
        let get = async |at, value: u32| *kept.get(service, at, async move { Ok(value) }).await.unwrap();
        assert_eq!(get(0, 1).await, 1);
        assert_eq!(get(0, 2).await, 1, "of the same samples it is worked out once");
        assert_eq!(get(300, 3).await, 1);
        let renewed = async {
            while get(300, 4).await == 1 {
                tokio::task::yield_now().await;
            }
        };
        renewed.await;
        assert_eq!(get(300, 5).await, 3);
        assert_eq!(get(300 + LAG + 1, 6).await, 6, "what lags behind too far is waited for");
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let kept = Kept::new();
        let service = ServiceId(Uuid::from_u128(1));
        let failed = kept.get(service, 0, async { Err(crate::Error::Internal("it broke".into())) }).await;
        assert!(failed.is_err());
        assert_eq!(*kept.get(service, 0, async { Ok(1) }).await.unwrap(), 1);
    }
}
