//! `headroom metrics`: the catalogue.

use super::print;
use crate::error::Failure;
use headroom_model::metric::Metric;
use std::fmt::Write as _;

/// Lists every metric.
///
/// # Errors
/// [`Failure`] when standard output cannot be written to.
pub fn list() -> Result<(), Failure> {
    let mut text = format!("{:<34} {:<16} {:<8} {:<11} AGGREGATION\n", "NAME", "UNIT", "KIND", "SCOPE");
    for m in Metric::ALL {
        let (unit, kind, scope) = (format!("{:?}", m.unit()), format!("{:?}", m.kind()), format!("{:?}", m.scope()));
        let _ = writeln!(text, "{:<34} {unit:<16} {kind:<8} {scope:<11} {:?}", m.name(), m.aggregation());
    }
    print(&text)
}
