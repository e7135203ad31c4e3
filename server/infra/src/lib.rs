//! The outside world behind traits: clusters that can be read and written ([`Infrastructure`]), sources of samples
//! ([`MetricsSource`]), files that people bring ([`import`]), and the simulated cluster ([`simulator`]).

pub mod import;
pub mod infrastructure;
pub mod metrics;
pub mod simulator;

pub use infrastructure::{Error, Infrastructure, Live, Mutation, Preview, Purpose, Result, Written, service_id};
pub use metrics::{Frames, MetricsSource};
