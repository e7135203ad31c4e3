//! Brings in an observed cluster from a file: recommendations only, nothing to write to.

use crate::{Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_infra::import::Imported;
use headroom_model::auth::OpContext;
use headroom_model::time::Timestamp;

/// What an import brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportSummary {
    /// Services.
    pub services: usize,
    /// Samples that are not gaps.
    pub samples: usize,
    /// End of the newest sample.
    pub newest: Option<Timestamp>,
}

impl Headroom {
    /// Saves an observed cluster in one transaction: all of it, or nothing.
    ///
    /// # Errors
    /// [`crate::Error::Store`].
    #[boxed]
    pub async fn import(&self, ctx: &OpContext, cluster: &str, imported: &Imported) -> Result<ImportSummary> {
        let mut samples = 0;
        let mut newest = None;
        let services: Vec<_> = imported.services.iter().map(|s| s.service.clone()).collect();
        let mut tx = self.store.begin().await?;
        tx.put_inventory(cluster, &services, ctx.now.cluster).await?;
        for headroom_infra::import::ImportedService { service, history } in &imported.services {
            samples += history.metrics.values().map(headroom_model::series::Series::count).sum::<usize>();
            newest = newest.max(history.metrics.values().filter_map(|s| s.last().map(|(t, _)| t)).max());
            for (metric, series) in &history.metrics {
                tx.put_columns(cluster, series.start, series.step, &[(service.id, *metric, series.values.clone())]).await?;
            }
        }
        let mut entry = event(ctx, "cluster.imported", "cluster", cluster);
        entry.after = Some(serde_json::json!({ "services": services.len(), "samples": samples, "newest": newest }));
        tx.record(&entry).await?;
        tx.commit().await?;
        self.announce("samples");
        Ok(ImportSummary { services: services.len(), samples, newest })
    }
}
