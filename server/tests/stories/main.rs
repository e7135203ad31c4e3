//! Headroom as its users meet it: the real router over a real database, told as stories.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod anonymous;
mod app;
mod audit;
mod fleet;
mod forms;
mod functions;
mod limits;
mod looking;
#[path = "../../store/tests/contract/postgres.rs"]
mod postgres;
mod provider;
mod refusals;
mod requests;
mod roles;
mod second_factor;
mod sessions;
mod sign_in;
mod slow;
mod teams;
mod tls;
mod tokens;
