//! Headroom as its users meet it: the real router over a real database, told as stories.

mod anonymous;
mod app;
mod requests;
mod roles;
mod sign_in;
