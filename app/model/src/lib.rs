//! The vocabulary that every part of Headroom shares: domain types, units, the state machine of a
//! change, policy, and the shapes that pages and interfaces show. No I/O; compiles to WASM.

pub mod auth;
pub mod benchmark;
pub mod change;
pub mod chart;
pub mod deployment;
pub mod effect;
pub mod event;
pub mod fault;
pub mod ids;
pub mod job;
pub mod metric;
pub mod plan;
pub mod policy;
pub mod problem;
pub mod quantity;
pub mod recommendation;
pub mod room;
pub mod schedule;
pub mod series;
pub mod service;
pub mod time;
pub mod units;
pub mod view;
pub mod windows;
