//! The outside world behind traits: clusters that can be read and written ([`Infrastructure`]), sources of samples
//! ([`MetricsSource`]), files that people bring ([`import`]), and the simulated cluster ([`simulator`]).

pub mod import;
pub mod infrastructure;
pub mod metrics;
pub mod outgoing;
pub mod rows;
pub mod simulator;

pub use infrastructure::{Error, Infrastructure, Live, Mutation, Preview, Purpose, Result, Written, service_id};
pub use metrics::{Frames, MetricsSource};
pub use outgoing::Allowed;

/// Chooses what TLS is made of in this process: ring, which the database's driver uses as well. An HTTP client that is made before is a
/// fault, so whoever makes one calls this first; a second call does nothing.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
