//! Deploys: from a moment on, another version of a service runs.

use crate::benchmark::name;
use crate::ids::DeploymentId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest link, characters.
const LONGEST_LINK: usize = 2000;
/// Characters of a version, and of a commit, that people are shown.
const SHOWN: usize = 32;
const SHOWN_COMMIT: usize = 12;

/// A deploy as a pipeline tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deploy {
    /// What runs from then on: a version or an image.
    pub version: String,
    /// When, wall time; now without.
    pub at: Option<Timestamp>,
    /// The commit that it was built from.
    pub commit: Option<String>,
    /// Where more is told of it, such as the pipeline's run: `https://…` or `http://…`.
    pub link: Option<String>,
}

impl Deploy {
    /// Whether it can be kept; `now` is wall time.
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub fn check(&self, now: Timestamp) -> Result<(), (&'static str, String)> {
        name("version", &self.version)?;
        if let Some(commit) = &self.commit {
            name("commit", commit)?;
        }
        if let Some(link) = &self.link {
            let whole = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://")).is_some_and(|rest| !rest.is_empty());
            if !whole || link.chars().count() > LONGEST_LINK || link.chars().any(|c| c.is_control() || c.is_whitespace()) {
                return Err((
                    "link",
                    format!("write an address that begins with https:// or http://, of at most {LONGEST_LINK} characters"),
                ));
            }
        }
        match self.at.filter(|at| !at.has_come(now)) {
            Some(at) => Err(("at", format!("{at} has not come yet, or is before 1970: tell of a deploy once it was made"))),
            None => Ok(()),
        }
    }
}

/// A deploy as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The service's name in interfaces.
    pub service_name: String,
    /// What runs from then on: a version or an image.
    pub version: String,
    /// The commit that it was built from.
    pub commit: Option<String>,
    /// Where more is told of it.
    pub link: Option<String>,
    /// Wall time.
    pub at: Timestamp,
    /// Cluster time.
    pub cluster_at: Timestamp,
    /// Whether it was first seen in the cluster, rather than told.
    pub seen: bool,
}

impl Deployment {
    /// The version as charts and tables name it: of an image what follows its last `/`, and not all of a digest.
    #[must_use]
    pub fn short_version(&self) -> String {
        let last = self.version.rsplit('/').next().unwrap_or_default();
        let last = last
            .split_once("@sha256:")
            .map_or_else(|| last.to_owned(), |(image, digest)| format!("{image}@{}", first(digest, SHOWN_COMMIT)));
        if last.chars().count() > SHOWN { format!("{}…", first(&last, SHOWN - 1)) } else { last }
    }

    /// What happened, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let commit = self.short_commit().map_or_else(String::new, |c| format!(", commit {c}"));
        format!("{} deployed{commit}", self.short_version())
    }

    /// As many characters of the commit as name it.
    #[must_use]
    pub fn short_commit(&self) -> Option<String> {
        self.commit.as_deref().map(|c| first(c, SHOWN_COMMIT))
    }
}

fn first(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(version: &str, commit: Option<&str>) -> Deployment {
        Deployment {
            id: DeploymentId(uuid::Uuid::nil()),
            service_name: "quotes".into(),
            version: version.into(),
            commit: commit.map(str::to_owned),
            link: None,
            at: Timestamp::from_secs(0),
            cluster_at: Timestamp::from_secs(0),
            seen: false,
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_field() {
        let now = Timestamp::from_secs(1000);
        let good = Deploy { version: "1.2".into(), link: Some("https://ci/7".into()), at: Some(now), ..Deploy::default() };
        assert_eq!(good.check(now), Ok(()));
        assert_eq!(Deploy { version: " ".into(), ..good.clone() }.check(now).unwrap_err().0, "version");
        assert_eq!(Deploy { commit: Some("a\nb".into()), ..good.clone() }.check(now).unwrap_err().0, "commit");
        for link in ["javascript:alert(1)", "https://", "https://a b", "ci/7"] {
            assert_eq!(Deploy { link: Some(link.into()), ..good.clone() }.check(now).unwrap_err().0, "link", "{link}");
        }
        for secs in [-1, 2000] {
            assert_eq!(Deploy { at: Some(Timestamp::from_secs(secs)), ..good.clone() }.check(now).unwrap_err().0, "at");
        }
    }

    #[test]
    fn an_image_is_named_by_its_end() {
        assert_eq!(deployment("1.4.2", Some("0123456789abcdef")).words(), "1.4.2 deployed, commit 0123456789ab");
        assert_eq!(deployment("registry:5000/shop/quotes:1.4.2", None).words(), "quotes:1.4.2 deployed");
        assert_eq!(deployment("shop/quotes@sha256:0123456789abcdef", None).short_version(), "quotes@0123456789ab");
        assert_eq!(deployment(&"x".repeat(40), None).short_version().chars().count(), 32);
    }
}
