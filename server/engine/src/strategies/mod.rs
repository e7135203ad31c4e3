//! Strategies: each looks at one kind of waste or pain, and proposes at most one change.

mod cache;
mod case;
mod connection_pool;
mod cpu;
mod database;
mod gain;
mod gpu;
mod joint;
mod latency;
mod load_balancing;
mod memory;
mod network;
mod resize;
mod storage;

pub use case::Case;
pub(crate) use case::{Cut, Demand, Draft, plain_type, says};
pub(crate) use resize::{scale_cpu, scale_memory};

use headroom_model::recommendation::{Finding, Proposal};

/// One kind of advice.
pub trait Strategy: Sync {
    /// Its name, stable, in lower case.
    fn name(&self) -> &'static str;
    /// Whether the service has what this strategy looks at.
    fn applies_to(&self, case: &Case) -> bool;
    /// What it sees, whether or not it proposes something.
    fn findings(&self, _case: &Case) -> Vec<Finding> {
        Vec::new()
    }
    /// What it proposes, before the thresholds of policy.
    fn propose(&self, case: &Case) -> Option<Proposal>;
    /// Both, for strategies that work out the same things for either.
    fn look(&self, case: &Case) -> (Vec<Finding>, Option<Proposal>) {
        (self.findings(case), self.propose(case))
    }
}

/// Every strategy, in the order in which findings are shown.
pub const ALL: &[&dyn Strategy] = &[
    &cpu::Cpu,
    &memory::Memory,
    &joint::Joint,
    &gpu::Gpu,
    &storage::Storage,
    &network::Network,
    &cache::Cache,
    &database::Database,
    &connection_pool::ConnectionPool,
    &load_balancing::LoadBalancing,
    &latency::Latency,
];
