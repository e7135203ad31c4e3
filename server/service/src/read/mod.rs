//! Reading: what pages and interfaces show. One file per page.

mod audit;
pub(crate) mod changes;
pub mod charts;
mod frame;
pub(crate) mod insights;
mod jobs;
mod overview;
mod recommendation;
pub(crate) mod services;
mod tokens;
