//! Headroom as its users meet it: the real router over a real database, told as stories.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod anonymous;
mod app;
mod requests;
mod roles;
mod sign_in;
