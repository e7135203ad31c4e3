//! Changes from proposal to end, through the use cases, on real databases and the simulated cluster.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod at_once;
mod auto_apply;
mod benchmarks;
mod cancel;
mod clock_jumps;
mod deployments;
mod faults;
mod house;
mod insights;
mod no_op;
mod own_values;
mod partial;
mod state_machine;
mod the_loop;
