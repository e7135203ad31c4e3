//! Slows down guessing: failed sign-ins are counted per name and per address.

use headroom_model::time::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

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

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    since: Timestamp,
}

/// Failed sign-ins, in memory: a restart forgives.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<HashMap<String, Failures>>);

impl Throttle {
    /// Seconds to wait before this name may try again from this address; `None` when it may.
    #[must_use]
    pub fn wait(&self, name: &str, address: &str, now: Timestamp) -> Option<i64> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |(key, most): (String, u32)| {
            let f = failures.get(&key).filter(|f| f.count >= most)?;
            Some(WINDOW - now.secs_since(f.since)).filter(|s| *s > 0)
        };
        keys(name, address).into_iter().filter_map(wait).max()
    }

    /// Counts a failure.
    pub fn failed(&self, name: &str, address: &str, now: Timestamp) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() + 3 > CAPACITY {
            failures.retain(|_, f| now.secs_since(f.since) < WINDOW);
            if failures.len() + 3 > CAPACITY {
                failures.clear();
            }
        }
        for (key, _) in keys(name, address) {
            let entry = failures.entry(key).or_insert(Failures { count: 0, since: now });
            if now.secs_since(entry.since) >= WINDOW {
                *entry = Failures { count: 0, since: now };
            }
            entry.count += 1;
        }
    }

    /// Forgets the failures of a name that has signed in from an address.
    pub fn succeeded(&self, name: &str, address: &str) {
        let [(pair, _), ..] = keys(name, address);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&pair);
    }
}

fn keys(name: &str, address: &str) -> [(String, u32); 3] {
    let name = name.trim().to_lowercase().chars().take(100).collect::<String>();
    [(format!("{name} from {address}"), PER_PAIR), (format!("from {address}"), PER_ADDRESS), (format!("name {name}"), PER_NAME)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_waits_after_too_many_failures_and_others_do_not() {
        let (throttle, now) = (Throttle::default(), Timestamp::from_secs(1000));
        for _ in 0..PER_PAIR {
            assert_eq!(throttle.wait("ann", "10.0.0.1", now), None);
            throttle.failed("ann", "10.0.0.1", now);
        }
        assert_eq!(throttle.wait("Ann ", "10.0.0.1", now.plus_secs(10)), Some(WINDOW - 10));
        assert_eq!(throttle.wait("ann", "10.0.0.2", now), None, "a guesser elsewhere does not lock her out");
        assert_eq!(throttle.wait("bob", "10.0.0.1", now), None);
        assert_eq!(throttle.wait("ann", "10.0.0.1", now.plus_secs(WINDOW)), None);
        throttle.succeeded("ann", "10.0.0.1");
        assert_eq!(throttle.wait("ann", "10.0.0.1", now), None);
    }

    #[test]
    fn an_address_that_tries_many_names_waits() {
        let (throttle, now) = (Throttle::default(), Timestamp::from_secs(1000));
        for i in 0..PER_ADDRESS {
            throttle.failed(&format!("user{i}"), "10.0.0.9", now);
        }
        assert_eq!(throttle.wait("new", "10.0.0.9", now), Some(WINDOW));
        assert_eq!(throttle.wait("new", "10.0.0.8", now), None);
    }
}
