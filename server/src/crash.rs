//! Crash points, for tests: `HEADROOM_CRASH_AT` makes the process kill itself (SIGKILL) at a moment of its choice.
//!
//! The moments are `before` and `after` each `commit` of a transaction and each call to a cluster (`clock`, `inventory`, `read`,
//! `preview`, `apply`, `restore`, `shut-out`, `mutations`). `HEADROOM_CRASH_AT=40` is the fortieth of all, `HEADROOM_CRASH_AT="after apply 1"` the
//! first of its name.

use crate::error::Failure;
use async_trait::async_trait;
use headroom_infra::{Infrastructure, Live, Mutation, Preview, Purpose, Result, Written};
use headroom_model::ids::{ChangeId, ServiceId};
use headroom_model::plan::{FieldChange, Plan};
use headroom_model::room::Room;
use headroom_model::service::{Service, ServiceKey};
use headroom_model::time::Timestamp;
use headroom_store::Boundary;
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The variable.
pub const VARIABLE: &str = "HEADROOM_CRASH_AT";

/// The moments as the environment wants them watched; none where it says nothing.
///
/// # Errors
/// [`Failure::BadInput`] for what is no moment.
pub fn from_environment() -> std::result::Result<Option<Boundary>, Failure> {
    let Ok(text) = std::env::var(VARIABLE) else { return Ok(None) };
    let (name, number) = text.rsplit_once(' ').unwrap_or(("", &text));
    match number.parse::<u64>() {
        Ok(number @ 1..) => Ok(Some(at(name.to_owned(), number))),
        _ => Err(Failure::BadInput(format!("{VARIABLE}: {text:?} is not a moment: write 40, or after apply 1"))),
    }
}

fn at(name: String, number: u64) -> Boundary {
    let passed = AtomicU64::new(0);
    Boundary::told(move |moment| {
        if (name.is_empty() || name == moment) && passed.fetch_add(1, Ordering::Relaxed) + 1 == number {
            eprintln!("crash point: {moment}");
            kill();
        }
    })
}

/// Becomes a shell that kills itself: every thread ends with the first step, and nothing of this process is tidied up.
fn kill() -> ! {
    let error = Command::new("/bin/sh").args(["-c", "kill -KILL $$"]).exec();
    eprintln!("the process could not kill itself: {error}");
    std::process::abort()
}

/// A cluster whose calls are moments.
pub struct Watched {
    inner: Arc<dyn Infrastructure>,
    boundary: Boundary,
}

impl Watched {
    /// The same cluster, watched.
    #[must_use]
    pub fn new(inner: Arc<dyn Infrastructure>, boundary: Boundary) -> Self {
        Self { inner, boundary }
    }

    async fn call<T>(&self, name: &str, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.boundary.pass(&format!("before {name}"));
        let answer = call.await;
        self.boundary.pass(&format!("after {name}"));
        answer
    }
}

#[async_trait]
impl Infrastructure for Watched {
    fn name(&self) -> &str {
        self.inner.name()
    }
    async fn clock(&self) -> Result<Timestamp> {
        self.call("clock", self.inner.clock()).await
    }
    async fn inventory(&self) -> Result<Vec<Service>> {
        self.call("inventory", self.inner.inventory()).await
    }
    async fn rooms(&self) -> Result<BTreeMap<ServiceId, Room>> {
        self.call("rooms", self.inner.rooms()).await
    }
    async fn read(&self, key: &ServiceKey) -> Result<Live> {
        self.call("read", self.inner.read(key)).await
    }
    async fn preview(&self, plan: &Plan) -> Result<Preview> {
        self.call("preview", self.inner.preview(plan)).await
    }
    async fn apply(&self, change: ChangeId, plan: &Plan, changes: &[FieldChange], purpose: Purpose) -> Result<Written> {
        let name = match purpose {
            Purpose::Apply => "apply",
            Purpose::Restore => "restore",
        };
        self.call(name, self.inner.apply(change, plan, changes, purpose)).await
    }
    async fn shut_out(&self, change: ChangeId, target: &ServiceKey) -> Result<()> {
        self.call("shut-out", self.inner.shut_out(change, target)).await
    }
    async fn mutations(&self, change: ChangeId) -> Result<Vec<Mutation>> {
        self.call("mutations", self.inner.mutations(change)).await
    }
}
