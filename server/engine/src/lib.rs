//! Numbers in, findings out. Pure: no I/O, no clock, no randomness that was not given.
//!
//! Days of a [`ServiceHistory`](headroom_model::series::ServiceHistory), kept as [`sketch`]es, and a policy become [`Features`], findings and
//! proposals ([`analyze`]), each proposal with its replay, risk and confidence from the service's own data, or the
//! [`Reason`] why there is none. [`judge`] compares after with before; [`predict`] looks ahead; [`prices`] turns
//! states into money.

mod analysis;
pub mod anomalies;
pub mod benchmarks;
pub mod changepoints;
pub mod classes;
pub mod features;
pub mod forecast;
pub mod heap;
mod histogram;
pub mod judge;

mod own;
pub mod predict;
pub mod prices;
mod replay;
pub mod rightsize;
mod risk;
pub mod rootcause;
mod samples;
pub mod sketch;
mod stats;
pub mod strategies;
mod words;

pub use analysis::{Analysis, Input, Reason, analyze, analyze_fleet};
pub use features::Features;
pub use own::evaluate_own;
pub use predict::{predict, predict_fleet};
pub use sketch::DaySketch;
