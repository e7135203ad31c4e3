//! Brings in what clusters have: their clock, their services, and the samples since the last look.

use crate::{Cluster, Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_infra::Frames;
use headroom_model::ids::ServiceId;
use headroom_model::metric::Metric;
use headroom_model::time::{DAY, Timestamp};
use std::sync::atomic::Ordering;

/// How far back the first look reaches.
const FIRST_DAYS: i64 = 14;

impl Headroom {
    /// Looks at every cluster once: clock, inventory, samples.
    ///
    /// # Errors
    /// [`crate::Error::Infra`] of a cluster that does not answer; the others are still looked at.
    #[boxed]
    pub async fn ingest(&self) -> Result<()> {
        let mut failed = None;
        for cluster in &self.clusters {
            if let Err(error) = self.ingest_one(cluster).await {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Reads the clusters' clocks only: what a process does that another one looks for.
    pub(crate) async fn keep_time(&self) -> Result<()> {
        for cluster in &self.clusters {
            self.cluster_time.store(cluster.infrastructure.clock().await?.micros(), Ordering::Relaxed);
        }
        Ok(())
    }

    async fn ingest_one(&self, cluster: &Cluster) -> Result<()> {
        let now = cluster.infrastructure.clock().await?;
        self.cluster_time.store(now.micros(), Ordering::Relaxed);
        self.refresh_inventory_of(cluster).await?;
        let step = i64::from(cluster.metrics.step().max(1));
        let newest = self.newest_sample(cluster.name()).await?;
        let mut from = newest.map_or_else(|| now.secs() - FIRST_DAYS * DAY, |t| t.secs() + step);
        from -= from.rem_euclid(step);
        let mut fresh = false;
        while from + step <= now.secs() {
            let midnight = (from.div_euclid(DAY) + 1) * DAY;
            let to = midnight.min(now.secs() - now.secs().rem_euclid(step));
            let frames = cluster.metrics.range(from, to).await?;
            if frames.rows() == 0 {
                break;
            }
            let end = frames.end();
            self.keep_frames(cluster, frames, to == midnight && from % DAY == 0).await?;
            fresh = true;
            from = end;
        }
        if fresh {
            self.store.compact(cluster.name(), now.secs()).await?;
            self.announce("samples");
        }
        Ok(())
    }

    /// The begin of the newest interval that a cluster has samples of.
    pub(crate) async fn newest_sample(&self, cluster: &str) -> Result<Option<Timestamp>> {
        Ok(self.store.newest_sample(Some(cluster)).await?.map(Timestamp::from_secs))
    }

    async fn keep_frames(&self, cluster: &Cluster, frames: Frames, whole_day: bool) -> Result<()> {
        let mut tx = self.store.begin().await?;
        if whole_day {
            tx.put_columns(cluster.name(), frames.from, frames.step, &frames.columns).await?;
        } else {
            for row in 0..frames.rows() {
                let at = frames.from + row as i64 * i64::from(frames.step);
                let values: Vec<(ServiceId, Metric, f32)> =
                    frames.columns.iter().map(|(s, m, v)| (*s, *m, v[row])).filter(|(_, _, v)| !v.is_nan()).collect();
                tx.append_frame(cluster.name(), at, frames.step, &values).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    async fn refresh_inventory_of(&self, cluster: &Cluster) -> Result<()> {
        let services = cluster.infrastructure.inventory().await?;
        let mut tx = self.store.begin().await?;
        let found = tx.put_inventory(cluster.name(), &services, (self.wall)()).await?;
        self.saw_deployments(&mut tx, cluster, &found.deployed).await?;
        tx.commit().await?;
        if !found.deployed.is_empty() {
            self.announce("deployments");
        }
        Ok(())
    }

    /// Reads the services of every cluster anew, right after a write.
    pub(crate) async fn refresh_inventory(&self) -> Result<()> {
        for cluster in &self.clusters {
            self.refresh_inventory_of(cluster).await?;
        }
        Ok(())
    }
}
