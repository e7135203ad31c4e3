//! Analyses and the API's names for what they look for.

use crate::ids::JobId;
use crate::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal, $plain:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// The name in interfaces and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $word),* } }
            /// The name for people.
            #[must_use]
            pub const fn plain(self) -> &'static str { match self { $(Self::$variant => $plain),* } }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text)
                    .ok_or_else(|| format!("{text:?} is not {}: use {}", $what, Self::ALL.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(", ")))
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What a recommendation improves.
    OptimizationType, "an optimization type" {
        /// Requests, limits, storage, network.
        Resource = "RESOURCE_OPTIMIZATION", "Resources";
        /// Caches, pools, balancing and other parameters.
        Performance = "PERFORMANCE_TUNING", "Performance";
        /// Replicas and autoscalers.
        Scaling = "SCALING_OPTIMIZATION", "Scaling";
        /// Money.
        Cost = "COST_OPTIMIZATION", "Cost";
        /// Response times.
        Latency = "LATENCY_OPTIMIZATION", "Latency";
    }
}

words! {
    /// The coarse status of a job or recommendation, as interfaces show it.
    OptimizationStatus, "a status" {
        /// Being worked out.
        Analyzing = "ANALYZING", "Analysing";
        /// There to be judged.
        RecommendationsReady = "RECOMMENDATIONS_READY", "Ready";
        /// Being carried out or watched.
        Applying = "APPLYING", "Applying";
        /// Carried out and verified.
        Applied = "APPLIED", "Applied";
        /// Did not work.
        Failed = "FAILED", "Failed";
        /// Taken back.
        RolledBack = "ROLLED_BACK", "Rolled back";
    }
}

words! {
    /// The fine state of an analysis.
    JobState, "a job state" {
        /// Waiting for a worker.
        Queued = "QUEUED", "Queued";
        /// In a worker's hands.
        Analyzing = "ANALYZING", "Analysing";
        /// Recommendations were made.
        RecommendationsReady = "RECOMMENDATIONS_READY", "Done";
        /// Nothing to recommend, and why.
        NoAction = "NO_ACTION", "Nothing to do";
        /// Too little is known, and what is missing.
        InsufficientData = "INSUFFICIENT_DATA", "Not enough data";
        /// The analysis itself broke.
        Failed = "FAILED", "Failed";
        /// Stopped by a person.
        Cancelled = "CANCELLED", "Cancelled";
    }
}

impl JobState {
    /// The coarse view.
    #[must_use]
    pub const fn status(self) -> OptimizationStatus {
        match self {
            Self::Queued | Self::Analyzing => OptimizationStatus::Analyzing,
            Self::RecommendationsReady | Self::NoAction | Self::InsufficientData => OptimizationStatus::RecommendationsReady,
            Self::Failed | Self::Cancelled => OptimizationStatus::Failed,
        }
    }
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Analyzing)
    }
}

/// What an analysis covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "scope", content = "name")]
pub enum JobScope {
    /// One service, by id.
    Service(crate::ids::ServiceId),
    /// A team's services.
    Team(String),
    /// Every service.
    Fleet,
}

/// One analysis of one service, a team or the fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it covers.
    pub scope: JobScope,
    /// The service's name, `team:NAME` or `fleet`.
    pub service_name: String,
    /// What it looks for, at least one.
    pub optimization_types: Vec<OptimizationType>,
    /// The window.
    pub analysis_period: Span,
    /// Whether predictions were asked for.
    pub include_predictions: bool,
    /// Whether low-risk results are to be applied, where policy allows.
    pub auto_apply: bool,
    /// Its state.
    pub state: JobState,
    /// Why there is nothing to recommend, or what broke.
    pub reason: Option<String>,
    /// Why `auto_apply` was not honoured.
    #[serde(default)]
    pub auto_apply_refused: Option<String>,
    /// Who asked; `schedule` for the analyses that Headroom starts by itself.
    pub requested_by: String,
    /// Wall time.
    pub created_at: Timestamp,
    /// Wall time.
    pub completed_at: Option<Timestamp>,
    /// Predictions, if they were asked for.
    #[serde(default)]
    pub predictions: Vec<Prediction>,
    /// The recommendations that it made, or found standing; at most a thousand.
    #[serde(default)]
    pub recommendations: Vec<crate::ids::RecommendationId>,
}

/// A forecast value with its 95 % interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The service's name.
    pub service_name: String,
    /// The metric.
    pub metric: crate::metric::Metric,
    /// The interval's begin, cluster time.
    pub time: Timestamp,
    /// Expected value, in the metric's unit.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub lo95: f64,
    /// Upper end of the 95 % interval.
    pub hi95: f64,
}
