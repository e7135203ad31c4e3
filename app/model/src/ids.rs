//! Identifiers. UUIDs are version 7, made on the server; public ids are texts of at most 100 characters.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// A service: a workload in a cluster.
    ServiceId
);
id!(
    /// One analysis.
    JobId
);
id!(
    /// One immutable proposal.
    RecommendationId
);
id!(
    /// The carrying-out of one recommendation.
    ChangeId
);
id!(
    /// A person or a program that signs in.
    UserId
);
id!(
    /// A benchmark: one thing that is measured again and again.
    BenchmarkId
);
id!(
    /// A deploy: another version of a service began to run.
    DeploymentId
);

impl ChangeId {
    /// The short form for people, `CHG-3f9a1c`: the last six hexadecimal digits.
    #[must_use]
    pub fn short(self) -> String {
        format!("CHG-{}", &self.0.simple().to_string()[26..])
    }
}

impl RecommendationId {
    /// The short form for people, `REC-3f9a1c`.
    #[must_use]
    pub fn short(self) -> String {
        format!("REC-{}", &self.0.simple().to_string()[26..])
    }
}

impl BenchmarkId {
    /// The short form for people, `BM-3f9a1c`.
    #[must_use]
    pub fn short(self) -> String {
        format!("BM-{}", &self.0.simple().to_string()[26..])
    }
}

impl JobId {
    /// The short form for people, `A-3f9a1c`.
    #[must_use]
    pub fn short(self) -> String {
        format!("A-{}", &self.0.simple().to_string()[26..])
    }
}
