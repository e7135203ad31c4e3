//! Slows down guessing: attempts to sign in are counted per name and per address, before they are checked.

use crate::address::network;
use headroom_model::time::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Failures that a name may have from one address within [`WINDOW`] before it has to wait.
const PER_PAIR: u32 = 8;
/// Failures that a name may have from everywhere: high, so that nobody locks others out with a handful of bad guesses.
const PER_NAME: u32 = 200;
/// Failures that an address may have: several people may sit behind one.
const PER_ADDRESS: u32 = 40;
/// Seconds after which failures are forgotten.
const WINDOW: i64 = 600;
/// Keys kept at most; beyond it all are forgotten, which no patient guesser gains from.
const CAPACITY: usize = 20_000;
/// How long an attempt waits for others that are being checked, while it is open whether they fail.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy)]
struct Tries {
    failed: u32,
    /// Being checked: each may turn out to be a failure.
    open: u32,
    /// When the first that failed began.
    since: Timestamp,
}

/// Attempts to sign in, in memory: a restart forgives.
#[derive(Debug, Default)]
pub struct Throttle {
    tries: Mutex<HashMap<String, Tries>>,
    /// An attempt has ended.
    ended: Notify,
}

/// One attempt that is being checked. It has failed, unless it is said to have done otherwise.
#[derive(Debug)]
#[must_use]
pub struct Attempt<'t> {
    throttle: &'t Throttle,
    keys: [(String, u32); 3],
    now: Timestamp,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Failed,
    Succeeded,
    NotAGuess,
}

/// Whether an attempt may begin.
enum Turn {
    Now,
    /// When others have ended.
    Later,
    Never,
}

impl Throttle {
    /// Begins an attempt of this name from this address; `None` where it has to wait. As many may be checked at once as may fail: what
    /// is beyond waits for them, so that guesses that come together are not more than those that come one after the other.
    pub async fn attempt(&self, name: &str, address: &str, now: Timestamp) -> Option<Attempt<'_>> {
        let keys = keys(name, address);
        let begun = async {
            loop {
                let mut ended = std::pin::pin!(self.ended.notified());
                // Before the look, so that no end is missed between the two.
                ended.as_mut().enable();
                match self.turn(&keys, now) {
                    Turn::Now => return true,
                    Turn::Later => ended.await,
                    Turn::Never => return false,
                }
            }
        };
        let begun = tokio::time::timeout(PATIENCE, begun).await.unwrap_or(false);
        begun.then(|| Attempt { throttle: self, keys, now, outcome: Outcome::Failed })
    }

    /// Counts an attempt under every key, or under none.
    fn turn(&self, keys: &[(String, u32); 3], now: Timestamp) -> Turn {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut tries, now);
        let mut wait = false;
        for (key, most) in keys {
            let Some(known) = tries.get_mut(key) else { continue };
            if now.secs_since(known.since) >= WINDOW {
                known.failed = 0;
            }
            if known.failed >= *most {
                return Turn::Never;
            }
            wait |= known.failed + known.open >= *most;
        }
        if wait {
            return Turn::Later;
        }
        for (key, _) in keys {
            tries.entry(key.clone()).or_insert(Tries { failed: 0, open: 0, since: now }).open += 1;
        }
        Turn::Now
    }

    fn ended(&self, keys: &[(String, u32); 3], now: Timestamp, outcome: Outcome) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        for (i, (key, _)) in keys.iter().enumerate() {
            let Some(known) = tries.get_mut(key) else { continue };
            known.open = known.open.saturating_sub(1);
            match outcome {
                Outcome::Failed => {
                    if known.failed == 0 {
                        known.since = now;
                    }
                    known.failed += 1;
                }
                // Whoever got in from there is no guesser of this name; what else was tried from there still counts.
                Outcome::Succeeded if i == 0 => known.failed = 0,
                Outcome::Succeeded | Outcome::NotAGuess => {}
            }
            if known.open == 0 && known.failed == 0 {
                tries.remove(key);
            }
        }
        drop(tries);
        self.ended.notify_waiters();
    }
}

impl Attempt<'_> {
    /// It was right: earlier failures of this name from this address are forgotten.
    pub fn succeeded(mut self) {
        self.outcome = Outcome::Succeeded;
    }

    /// It was neither right nor wrong: it counts for nothing.
    pub fn not_a_guess(mut self) {
        self.outcome = Outcome::NotAGuess;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.throttle.ended(&self.keys, self.now, self.outcome);
    }
}

fn make_room(tries: &mut HashMap<String, Tries>, now: Timestamp) {
    if tries.len() + 3 > CAPACITY {
        tries.retain(|_, t| t.open > 0 || now.secs_since(t.since) < WINDOW);
        if tries.len() + 3 > CAPACITY {
            tries.clear();
        }
    }
}

fn keys(name: &str, address: &str) -> [(String, u32); 3] {
    let name = name.trim().to_lowercase().chars().take(100).collect::<String>();
    let address = network(address);
    [(format!("{name} from {address}"), PER_PAIR), (format!("from {address}"), PER_ADDRESS), (format!("name {name}"), PER_NAME)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    async fn fails(throttle: &Throttle, name: &str, address: &str, now: Timestamp) -> bool {
        throttle.attempt(name, address, now).await.map(drop).is_some()
    }

    #[tokio::test]
    async fn a_name_waits_after_too_many_failures_and_others_do_not() {
        let (throttle, now) = (Throttle::default(), Timestamp::from_secs(1000));
        for _ in 0..PER_PAIR {
            assert!(fails(&throttle, "ann", "10.0.0.1", now).await);
        }
        assert!(throttle.attempt("Ann ", "10.0.0.1", now.plus_secs(10)).await.is_none());
        throttle.attempt("ann", "10.0.0.2", now).await.expect("a guesser elsewhere does not lock her out").succeeded();
        throttle.attempt("bob", "10.0.0.1", now).await.unwrap().succeeded();
        assert!(throttle.attempt("ann", "10.0.0.1", now).await.is_none(), "and who got in elsewhere does not set the guesser free");
        throttle.attempt("ann", "10.0.0.1", now.plus_secs(WINDOW)).await.unwrap().succeeded();
    }

    #[tokio::test]
    async fn success_forgives_and_what_is_no_guess_is_not_counted() {
        let (throttle, now) = (Throttle::default(), Timestamp::from_secs(1000));
        for _ in 0..5 {
            for _ in 1..PER_PAIR {
                assert!(fails(&throttle, "ann", "10.0.0.1", now).await);
            }
            throttle.attempt("ann", "10.0.0.1", now).await.unwrap().succeeded();
        }
        for _ in 0..100 {
            throttle.attempt("eve", "10.0.0.3", now).await.unwrap().not_a_guess();
        }
        assert!(!throttle.tries.lock().unwrap().contains_key("eve from 10.0.0.3"), "nothing is kept of it");
    }

    #[tokio::test]
    async fn an_address_that_tries_many_names_waits() {
        let (throttle, now) = (Throttle::default(), Timestamp::from_secs(1000));
        for i in 0..PER_ADDRESS {
            assert!(fails(&throttle, &format!("user{i}"), &format!("2001:db8::{i:x}"), now).await);
        }
        assert!(throttle.attempt("new", "2001:db8::ffff", now).await.is_none(), "a network is one address");
        throttle.attempt("new", "2001:db8:0:1::1", now).await.unwrap().succeeded();
    }

    /// A hundred checks that end when all of them have had time to begin.
    async fn at_once(right: bool) -> u32 {
        let (throttle, checked) = (Arc::new(Throttle::default()), Arc::new(AtomicU32::new(0)));
        let tries = (0..100).map(|_| {
            let (throttle, checked) = (Arc::clone(&throttle), Arc::clone(&checked));
            tokio::spawn(async move {
                let Some(attempt) = throttle.attempt("ann", "10.0.0.1", Timestamp::from_secs(1000)).await else { return };
                checked.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
                if right {
                    attempt.succeeded();
                }
            })
        });
        futures::future::join_all(tries.collect::<Vec<_>>()).await;
        checked.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn guesses_that_come_together_are_no_more_than_those_that_come_one_by_one() {
        assert_eq!(at_once(false).await, PER_PAIR);
        assert_eq!(at_once(true).await, 100, "and who knows the password only waits for a moment");
    }
}
