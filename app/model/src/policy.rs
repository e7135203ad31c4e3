//! Policy: the rules that can be changed at run time, per fleet, environment, team and service.

use crate::job::OptimizationType;
use crate::schedule::Holidays;
use crate::time::Span;
use crate::windows::ChangeWindows;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a rule applies; the narrower scope wins: service over team over environment over fleet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "scope", content = "name")]
pub enum Scope {
    /// Everything.
    Fleet,
    /// One environment, such as `production`.
    Environment(String),
    /// One team.
    Team(String),
    /// One service, by id.
    Service(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fleet => f.write_str("fleet"),
            Self::Environment(name) => write!(f, "environment:{name}"),
            Self::Team(name) => write!(f, "team:{name}"),
            Self::Service(name) => write!(f, "service:{name}"),
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "fleet" => Ok(Self::Fleet),
            Some(("environment", name)) if !name.is_empty() => Ok(Self::Environment(name.to_owned())),
            Some(("team", name)) if !name.is_empty() => Ok(Self::Team(name.to_owned())),
            Some(("service", name)) if !name.is_empty() => Ok(Self::Service(name.to_owned())),
            _ => Err(format!("{text:?} is not a scope: write fleet, environment:NAME, team:NAME or service:ID")),
        }
    }
}

// One list holds key, type, default and meaning; the structs and the settings page follow from it.
macro_rules! policies {
    ($($key:ident: $type:ty = $default:expr, $meaning:literal;)*) => {
        /// The rules in force for one service.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Policy { $(#[doc = $meaning] pub $key: $type,)* }

        impl Default for Policy {
            fn default() -> Self { Self { $($key: $default,)* } }
        }

        /// The rules that one scope sets; the others are inherited.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct PolicyPatch { $(#[doc = $meaning] #[serde(skip_serializing_if = "Option::is_none")] pub $key: Option<$type>,)* }

        impl Policy {
            /// Every key with what it means, in order of the page.
            pub const KEYS: &'static [(&'static str, &'static str)] = &[$((stringify!($key), $meaning)),*];

            /// These rules with those of a narrower scope laid over them.
            #[must_use]
            pub fn overlaid(mut self, patch: &PolicyPatch) -> Self {
                let wider = self.change_windows.clone();
                $(if let Some(value) = &patch.$key { self.$key = value.clone(); })*
                // A freeze is not a value that a narrower scope may choose differently.
                self.change_windows = patch.change_windows.as_ref().map_or(wider.clone(), |own| own.within(&wider));
                self
            }
        }
    };
}

policies! {
    analysis_interval: Span = Span::hours(1), "How often services are analysed by themselves, in cluster time.";
    analysis_window: Span = Span::days(14), "How much history an analysis looks at.";
    min_data_points: u32 = 200, "Fewest samples for a recommendation.";
    max_analysis_duration: Span = Span(900), "An analysis that takes longer is stopped and marked as failed.";
    recommendation_threshold: f64 = 5.0, "Least improvement in percent (of cost, performance or latency, whichever is largest).";
    confidence_threshold: f64 = 0.7, "Least confidence, 0 to 1.";
    max_recommendations: u32 = 10, "Most open recommendations per service, the engine's and as many of people.";
    cpu_percentile: f64 = 95.0, "A CPU request is never less than this percentile of recent use, with cpu_margin on top; more where its days ask for it.";
    cpu_margin: f64 = 0.15, "Share on top of cpu_percentile, below which no CPU request is proposed.";
    memory_margin: f64 = 0.15, "Share on top of the memory peak, below which no memory size is proposed.";
    max_throttled_ratio: f64 = 0.01, "Largest share of time that a proposal may be predicted to throttle.";
    latency_objective_ms: f64 = 0.0, "p95 latency that scaling has to keep in busy times, in milliseconds; 0: as good as the service has shown.";
    holidays: Holidays = Holidays::default(), "Days without work, such as 2026-12-25, 2026-12-26: a schedule of replicas takes them for Sundays.";
    auto_implementation: bool = false, "Apply low-risk recommendations of the allowed types without a person; policy is then the recorded approver.";
    auto_implementation_types: Vec<OptimizationType> = Vec::new(), "The types that may be applied without a person.";
    change_windows: ChangeWindows = ChangeWindows::default(), "When changes may be carried out; empty: always. A freeze outweighs a window, and a wider scope's freezes hold in a narrower one; roll-backs are always allowed.";
    implementation_delay: Span = Span(0), "How long an approved change waits before it is applied, in cluster time.";
    rollback_threshold: f64 = -10.0, "Change of a guard metric in percent at which a change is rolled back (negative: worse).";
    observation: Span = Span::hours(2), "How long a change is watched before its verdict, in cluster time.";
    observation_max: Span = Span::hours(24), "How long an inconclusive observation may be extended.";
    observation_min_samples: u32 = 12, "Fewest samples for a verdict.";
    guard_period: Span = Span::days(7), "How long the guards stay armed after a change is verified.";
    approvals_required: u32 = 1, "How many people other than the requester must approve a change.";
    approval_expiry: Span = Span::days(7), "How long a submitted change waits for approval, and an approved one for its beginning, before it expires.";
    enable_optimization_alerts: bool = true, "Tell people about recommendations, rollbacks and failures.";
}

/// A rule that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {fault}")]
pub struct PolicyError {
    /// The key.
    pub key: String,
    /// What is wrong, and what would be right.
    pub fault: String,
}

impl Policy {
    /// Checks every rule's limits.
    ///
    /// # Errors
    /// [`PolicyError`] names the first key that is out of its limits.
    pub fn check(&self) -> Result<(), PolicyError> {
        let limits: [(&str, f64, f64, f64); 16] = [
            ("analysis_interval", self.analysis_interval.0 as f64, 60.0, 30.0 * 86_400.0),
            ("analysis_window", self.analysis_window.0 as f64, 3_600.0, 90.0 * 86_400.0),
            ("max_analysis_duration", self.max_analysis_duration.0 as f64, 1.0, 86_400.0),
            ("recommendation_threshold", self.recommendation_threshold, 0.0, 100.0),
            ("confidence_threshold", self.confidence_threshold, 0.0, 1.0),
            ("max_recommendations", f64::from(self.max_recommendations), 1.0, 1000.0),
            ("cpu_percentile", self.cpu_percentile, 1.0, 100.0),
            ("cpu_margin", self.cpu_margin, 0.0, 10.0),
            ("memory_margin", self.memory_margin, 0.0, 10.0),
            ("max_throttled_ratio", self.max_throttled_ratio, 0.0, 1.0),
            ("latency_objective_ms", self.latency_objective_ms, 0.0, 3_600_000.0),
            ("rollback_threshold", self.rollback_threshold, -100.0, -0.1),
            ("observation", self.observation.0 as f64, 60.0, 30.0 * 86_400.0),
            ("observation_max", self.observation_max.0 as f64, self.observation.0 as f64, 30.0 * 86_400.0),
            ("observation_min_samples", f64::from(self.observation_min_samples), 1.0, 100_000.0),
            ("approvals_required", f64::from(self.approvals_required), 1.0, 5.0),
        ];
        for (key, value, min, max) in limits {
            if !(min..=max).contains(&value) {
                return Err(PolicyError { key: key.to_owned(), fault: format!("{value} is not allowed: from {min} to {max}") });
            }
        }
        Ok(())
    }

    /// The policy of a service from the patches of its scopes, widest first.
    #[must_use]
    pub fn resolved<'a>(patches: impl IntoIterator<Item = &'a PolicyPatch>) -> Self {
        patches.into_iter().fold(Self::default(), |policy, patch| policy.overlaid(patch))
    }

    /// Hash of the rules that bind a plan: changing one of them voids approvals given under it.
    #[must_use]
    pub fn plan_hash(&self) -> String {
        crate::plan::canonical_hash(&(
            self.auto_implementation,
            &self.auto_implementation_types,
            self.implementation_delay,
            self.rollback_threshold,
            self.observation,
            self.observation_max,
            self.observation_min_samples,
            self.guard_period,
            self.approvals_required,
        ))
    }

    /// Every key with its value as text, for pages and forms.
    #[must_use]
    pub fn values(&self) -> Vec<(String, String)> {
        let object = serde_json::to_value(self).expect("a policy is plain data");
        Self::KEYS
            .iter()
            .map(|(key, _)| {
                let text = match &object[*key] {
                    serde_json::Value::String(s) => s.clone(),
                    serde_json::Value::Array(a) => a.iter().filter_map(|v| v.as_str()).collect::<Vec<_>>().join(","),
                    other => other.to_string(),
                };
                ((*key).to_owned(), text)
            })
            .collect()
    }
}

impl PolicyPatch {
    /// Sets one rule from text, as a form sends it; empty text inherits it again.
    ///
    /// # Errors
    /// [`PolicyError`] for an unknown key or a value that does not fit.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), PolicyError> {
        let error = |fault: String| PolicyError { key: key.to_owned(), fault };
        if !Policy::KEYS.iter().any(|(k, _)| *k == key) {
            return Err(error("there is no such rule".to_owned()));
        }
        let mut object = serde_json::to_value(&*self).expect("a patch is plain data");
        let text = text.trim();
        let value = if text.is_empty() {
            serde_json::Value::Null
        } else if key == "auto_implementation_types" {
            text.split(',').map(|t| t.trim().into()).filter(|t: &serde_json::Value| *t != "").collect()
        } else {
            serde_json::from_str(text).ok().filter(|v: &serde_json::Value| !v.is_object() && !v.is_array()).unwrap_or_else(|| text.into())
        };
        let attempts = [value, text.into()];
        let mut why = String::new();
        for attempt in attempts {
            object[key] = attempt;
            match serde_json::from_value::<Self>(object.clone()) {
                Ok(patch) => {
                    Policy::default().overlaid(&patch).check().or_else(|e| if e.key == key { Err(e) } else { Ok(()) })?;
                    *self = patch;
                    return Ok(());
                }
                Err(error) => why = error.to_string(),
            }
        }
        let expected = serde_json::to_value(Policy::default()).expect("a policy is plain data")[key].to_string();
        // An empty default is no example; the types that have one say themselves how they are written.
        Err(error(if expected == "\"\"" { why } else { format!("{text:?} does not fit: write it like {expected}") }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_scope_wins() {
        let fleet = PolicyPatch { confidence_threshold: Some(0.8), max_recommendations: Some(5), ..PolicyPatch::default() };
        let team = PolicyPatch { confidence_threshold: Some(0.9), ..PolicyPatch::default() };
        let policy = Policy::resolved([&fleet, &team]);
        assert_eq!((policy.confidence_threshold, policy.max_recommendations, policy.min_data_points), (0.9, 5, 200));
    }

    #[test]
    fn rules_are_set_from_text_and_refused_by_name() {
        let mut patch = PolicyPatch::default();
        patch.set("analysis_interval", "30m").unwrap();
        patch.set("confidence_threshold", "0.9").unwrap();
        patch.set("auto_implementation", "true").unwrap();
        patch.set("auto_implementation_types", "COST_OPTIMIZATION, SCALING_OPTIMIZATION").unwrap();
        patch.set("implementation_delay", "0").unwrap();
        patch.set("latency_objective_ms", "250").unwrap();
        patch.set("holidays", "2026-12-25, 2026-12-26").unwrap();
        assert_eq!(patch.holidays.as_ref().map(|h| h.days().len()), Some(2));
        patch.set("change_windows", "deny 0 18 * * 5 for 62h in Europe/Berlin").unwrap();
        assert_eq!(patch.change_windows.as_ref().map(|w| w.0.len()), Some(1));
        assert_eq!(patch.analysis_interval, Some(Span(1800)));
        assert_eq!(patch.auto_implementation_types.as_ref().unwrap().len(), 2);
        patch.set("confidence_threshold", "").unwrap();
        assert_eq!(patch.confidence_threshold, None);
        for (key, value) in [
            ("confidence_threshold", "1.5"),
            ("rollback_threshold", "10"),
            ("analysis_interval", "soon"),
            ("nonsense", "1"),
            ("change_windows", "on Fridays"),
            ("holidays", "2026-02-30"),
            ("latency_objective_ms", "-5"),
            ("auto_implementation", "maybe"),
        ] {
            assert_eq!(patch.set(key, value).unwrap_err().key, key);
        }
        assert!(patch.set("holidays", "2026-02-30").unwrap_err().fault.contains("\"2026-02-30\" is not a date"));
    }

    #[test]
    fn scopes_read_back() {
        for text in ["fleet", "environment:production", "team:trading-data", "service:x"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        assert!("planet:earth".parse::<Scope>().is_err());
    }
}
