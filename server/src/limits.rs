//! How many requests are answered: a second's worth per user and per address, more after a pause. What is beyond gets 429 and is told
//! when to come again.

use crate::address::{address, network};
use crate::config;
use crate::problem::Refusal;
use crate::state::AppState;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use http::{HeaderName, HeaderValue, header};
use std::num::NonZeroU32;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Requests counted in memory, per process.
pub struct Limits {
    users: DefaultKeyedRateLimiter<String>,
    addresses: DefaultKeyedRateLimiter<String>,
    per_user: HeaderValue,
}

impl Limits {
    /// None were asked yet.
    #[must_use]
    pub fn new(limits: config::Limits) -> Self {
        let limiter = |each: NonZeroU32| DefaultKeyedRateLimiter::keyed(Quota::per_second(each));
        let policy = format!("\"user\";q={};w=1", limits.per_user);
        Self {
            users: limiter(limits.per_user),
            addresses: limiter(limits.per_address),
            per_user: HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("\"user\"")),
        }
    }

    /// Counts a request of a user.
    ///
    /// # Errors
    /// The answer, when it is one too many.
    pub fn user(&self, name: &str) -> Result<(), Box<Response>> {
        counted(&self.users, name)
    }

    /// The limit that a program may want to know of (draft-ietf-httpapi-ratelimit-headers).
    pub fn announce(&self, response: &mut Response) {
        response.headers_mut().insert(POLICY, self.per_user.clone());
    }

    /// Forgets who has not asked for a while, so that memory does not grow with every address that ever came.
    pub fn forget(&self) {
        self.users.retain_recent();
        self.addresses.retain_recent();
    }
}

fn counted(limiter: &DefaultKeyedRateLimiter<String>, key: &str) -> Result<(), Box<Response>> {
    let Err(early) = limiter.check_key(&key.to_owned()) else { return Ok(()) };
    let seconds = early.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
    let detail = format!("these are more requests a second than are answered: wait {seconds} s, then go on more slowly");
    let mut response = Refusal::new("too-many", detail).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Err(Box::new(response))
}

/// Counts every request by where it comes from, before anything is done for it.
pub async fn by_address(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let from = address(request.headers(), request.extensions(), state.config.trusted_proxy);
    match counted(&state.limits.addresses, &network(&from)) {
        Ok(()) => next.run(request).await,
        Err(refusal) => *refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_their_own_second() {
        let each = NonZeroU32::new(3).unwrap();
        let limits = Limits::new(config::Limits { per_user: each, per_address: each });
        for _ in 0..3 {
            assert!(limits.user("ann").is_ok());
        }
        let refused = limits.user("ann").unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
        assert!(limits.user("bob").is_ok());
    }
}
