//! What may go wrong: one level per dimension, the highest counts, each with its reason in words.

use crate::words;
use headroom_model::recommendation::{Risk, RiskKind, RiskNote, RiskOf};

/// Collects dimensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Risks {
    found: Vec<RiskOf>,
}

impl Risks {
    /// Notes a risk.
    pub fn add(&mut self, kind: RiskKind, level: Risk, reason: impl Into<String>) {
        self.found.push(RiskOf { kind, level, reason: reason.into() });
    }

    /// How much is taken away of something, as a share.
    pub fn cut(&mut self, what: &str, share: f64) {
        if share > 0.75 {
            self.add(RiskKind::Step, Risk::High, format!("{what} falls by {}, a large step at once", words::percent(share)));
        } else if share > 0.5 {
            self.add(RiskKind::Step, Risk::Medium, format!("{what} falls by {}", words::percent(share)));
        }
    }

    /// Time that would have been throttled, against what policy allows.
    pub fn throttled(&mut self, share: f64, worst_day: f64, allowed: f64) {
        if share > allowed {
            self.add(
                RiskKind::Shortage,
                Risk::High,
                format!("{} of samples were above it, policy allows {}", words::percent(share), words::percent(allowed)),
            );
        } else if worst_day > 2.0 * allowed {
            self.add(RiskKind::Shortage, Risk::Medium, format!("on its worst day {} of samples were above it", words::percent(worst_day)));
        }
    }

    /// How few days it rests on.
    pub fn history(&mut self, days: u32) {
        if days < 3 {
            self.add(RiskKind::Data, Risk::High, format!("it rests on {} of data only", words::many(u64::from(days), "full day")));
        } else if days < 7 {
            self.add(RiskKind::Data, Risk::Medium, format!("it rests on {}, less than a week", words::many(u64::from(days), "full day")));
        }
    }

    /// What a restart means for a service of that many replicas.
    pub fn restart(&mut self, replicas: Option<u32>) {
        match replicas {
            Some(1) | None => self.add(RiskKind::Restart, Risk::Medium, "restarts its only replica"),
            Some(n) => self.add(RiskKind::Restart, Risk::Low, format!("restarts {n} pods, one at a time")),
        }
    }

    /// The overall note: dimensions, gravest first.
    pub fn note(mut self) -> RiskNote {
        self.found.sort_by_key(|f| std::cmp::Reverse(f.level));
        let level = self.found.first().map_or(Risk::Low, |f| f.level);
        RiskNote { level, reasons: self.found.iter().map(|f| f.reason.clone()).collect(), dimensions: self.found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_dimension_counts() {
        let mut risks = Risks::default();
        risks.restart(Some(6));
        assert_eq!(risks.clone().note().level, Risk::Low);
        risks.cut("CPU", 0.6);
        assert_eq!(risks.clone().note().level, Risk::Medium);
        risks.throttled(0.03, 0.1, 0.01);
        let note = risks.note();
        assert_eq!(note.level, Risk::High);
        assert!(note.reasons[0].contains("3 %"), "{note:?}");
        let kinds: Vec<RiskKind> = note.dimensions.iter().map(|d| d.kind).collect();
        assert_eq!(kinds, [RiskKind::Shortage, RiskKind::Step, RiskKind::Restart]);
    }
}
