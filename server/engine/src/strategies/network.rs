//! Network: how much goes in and out, and how uneven it is. A finding only: nobody asks for bandwidth.

use super::{Case, Strategy};
use crate::words::{bytes, number};
use headroom_model::metric::Metric;
use headroom_model::recommendation::{Finding, Proposal, Verdict};

/// Reports network use.
pub struct Network;

impl Strategy for Network {
    fn name(&self) -> &'static str {
        "network"
    }

    fn applies_to(&self, case: &Case) -> bool {
        [Metric::NetworkReceive, Metric::NetworkTransmit].iter().any(|m| case.profile(*m).is_some())
    }

    fn findings(&self, case: &Case) -> Vec<Finding> {
        let lines: Vec<String> = [(Metric::NetworkReceive, "in"), (Metric::NetworkTransmit, "out")]
            .into_iter()
            .filter_map(|(m, way)| {
                let p = case.profile(m)?;
                let burst = if p.p50 > 0.0 { format!(", peak {}× the median", number(p.peak / p.p50, 1)) } else { String::new() };
                Some(format!("{}/s {way} at the 95th percentile{burst}", bytes(p.p95)))
            })
            .collect();
        let text = format!("Network per replica: {}", lines.join("; "));
        vec![Finding { resource: "network".to_owned(), verdict: Verdict::Optimal, text, bottleneck: false }]
    }

    fn propose(&self, _: &Case) -> Option<Proposal> {
        None
    }
}
