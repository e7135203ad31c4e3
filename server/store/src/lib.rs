//! Durable state: every read and every transaction that Headroom makes.
//!
//! Reads are methods of [`Store`]. Writes happen in a [`Tx`] from [`Store::begin`]: what was done, its audit entry and its outbox event
//! are committed together or not at all. Statements are shared by the back ends; `db.rs` is the one place that knows which one it is.

mod audit;
mod backup;
mod benchmarks;
mod boundary;
mod changes;
mod comments;
mod db;
mod deployments;
mod error;
mod idempotency;
mod jobs;
mod ledger;
mod outcomes;
mod overview;
mod page;
mod policies;
mod recommendations;
mod samples;
mod seal;
mod second_factors;
mod series;
mod services;
mod sessions;
mod store;
mod summaries;
mod together;
mod tokens;
mod users;
mod work;

pub use audit::{AuditFault, AuditHead, AuditReport};
pub use backup::BackupReport;
pub use benchmarks::BenchmarkKey;
pub use boundary::Boundary;
pub use deployments::Deployed;
pub use error::{Error, Result};
pub use idempotency::{Claim, Remembered};
pub use ledger::LedgerEntry;
pub use outcomes::{Judged, Outcome, TrackRecord};
pub use overview::{Counts, OverviewNumbers};
pub use samples::{Column, Compacted, ServiceDay};
pub use second_factors::SecondFactor;
pub use services::{Cluster, Inventory};
pub use sessions::SessionRecord;
pub use store::{Store, StoreConfig, Tx};
pub use summaries::{LiveNumbers, ServiceSummary, TypicalPeaks};
pub use together::{Ears, Leadership};
pub use tokens::{ApiToken, OneTimeCode, TokenUser};
pub use users::User;
pub use work::{Leased, OpenWork, Work};
