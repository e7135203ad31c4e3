//! `headroom promises`: how far the engine's word could be trusted, by strategy.

use super::database::existing;
use super::print;
use crate::cli;
use crate::error::Failure;
use headroom_service::PromiseRow;
use std::fmt::Write as _;

/// Prints a table over every change whose observation has ended.
///
/// # Errors
/// [`Failure`] when there is no database.
pub async fn run(database: &cli::Database) -> Result<(), Failure> {
    let headroom = existing(database).await?;
    let rows = headroom.promises(&headroom.own_context("headroom promises")).await?;
    headroom.store().close().await;
    print(&table(&rows))
}

fn table(rows: &[PromiseRow]) -> String {
    if rows.is_empty() {
        return "no change has ended its observation yet: apply one, and look again after it was verified\n".to_owned();
    }
    let mut text = format!(
        "{:<22} {:>7} {:>5} {:>11} {:>10} {:>12} {:>12} {:>7} {:>13} {:>13}\n",
        "STRATEGY", "CHANGES", "KEPT", "ROLLED BACK", "CONFIDENCE", "PROMISED/MO", "MEASURED/MO", "ERROR", "P95 PROMISED", "P95 MEASURED"
    );
    for r in rows {
        let _ = writeln!(
            text,
            "{:<22} {:>7} {:>5} {:>11} {:>10.2} {:>12.2} {:>12.2} {:>7} {:>10.1} ms {:>10.1} ms",
            r.strategy,
            r.changes,
            r.kept,
            r.rolled_back,
            r.confidence,
            r.promised,
            r.achieved,
            error(r.promised, r.achieved),
            r.promised_latency_ms,
            r.measured_latency_ms
        );
    }
    let sum = |pick: fn(&PromiseRow) -> f64| rows.iter().map(pick).sum::<f64>();
    let (promised, achieved) = (sum(|r| r.promised), sum(|r| r.achieved));
    let changes: u32 = rows.iter().map(|r| r.changes).sum();
    let _ = writeln!(text, "{:<22} {changes:>7} {:>41.2} {achieved:>12.2} {:>7}", "all", promised, error(promised, achieved));
    text
}

/// Achieved over promised, as a difference in percent of the promise.
fn error(promised: f64, achieved: f64) -> String {
    if promised.abs() < 0.005 { "–".to_owned() } else { format!("{:+.1}%", 100.0 * (achieved - promised) / promised.abs()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_a_share_of_the_promise() {
        assert_eq!(error(200.0, 190.0), "-5.0%");
        assert_eq!(error(-100.0, -90.0), "+10.0%");
        assert_eq!(error(0.0, 3.0), "–");
        assert!(table(&[]).contains("no change has ended"));
    }
}
