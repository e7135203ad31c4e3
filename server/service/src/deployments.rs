//! Deploys: pipelines tell of them, clusters show them; what stepped or went wrong after one is put down to it.

use crate::benchmarks::put_down;
use crate::{Cluster, Headroom, Result, event};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::deployment::{Deploy, Deployment};
use headroom_model::ids::ServiceId;
use headroom_model::view::{DeploymentQuery, PageOf};
use headroom_store::{Deployed, Tx};

/// The newest deploys of a service, among which the cause of what happened to it is looked for.
pub(crate) const LOOKED_AT: u32 = 1000;

impl Headroom {
    /// Keeps a deploy that somebody tells of. One that is known already, because it was told before or seen in the cluster, is the
    /// same one.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] without the engineer's role; [`crate::Error::NotFound`] for an unknown service;
    /// [`crate::Error::Invalid`] names the field.
    #[boxed]
    pub async fn record_deployment(&self, ctx: &OpContext, service_name: &str, deploy: &Deploy) -> Result<Deployment> {
        ctx.require(Permission::Analyze)?;
        // Pipelines fill in what they may not have.
        let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let deploy = &Deploy { commit: said(&deploy.commit), link: said(&deploy.link), ..deploy.clone() };
        deploy.check(ctx.now.wall).map_err(|(field, why)| crate::Error::invalid(field, why))?;
        let service = self.service_seen(ctx, service_name).await?.id;
        let at = deploy.at.unwrap_or(ctx.now.wall);
        let cluster_at = ctx.now.cluster.plus_secs(at.secs_since(ctx.now.wall));
        let mut tx = self.store.begin().await?;
        let id = self.keep_deployment(&mut tx, ctx, service, deploy, Deployed { at, cluster_at, seen: false }).await?;
        let kept = tx.deployment(id).await?;
        tx.commit().await?;
        self.announce("deployments");
        Ok(kept)
    }

    /// A page of deploys, the newest first.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for a cursor that is not known.
    #[boxed]
    pub async fn deployments(&self, ctx: &OpContext, query: &DeploymentQuery) -> Result<PageOf<Deployment>> {
        ctx.require(Permission::Read)?;
        Ok(self.store.deployments(query, &ctx.teams).await?)
    }

    /// Keeps what an inventory of a cluster showed: services that run another version than before.
    pub(crate) async fn saw_deployments(&self, tx: &mut Tx, cluster: &Cluster, seen: &[(ServiceId, String)]) -> Result<()> {
        let ctx = self.own_context(format!("inventory of {}", cluster.name()));
        for (service, version) in seen {
            let deploy = Deploy { version: version.clone(), ..Deploy::default() };
            let when = Deployed { at: ctx.now.wall, cluster_at: ctx.now.cluster, seen: true };
            self.keep_deployment(tx, &ctx, *service, &deploy, when).await?;
        }
        Ok(())
    }

    /// Keeps a deploy with its entry in the audit, and looks anew at what the steps of the service's benchmarks are put down to.
    async fn keep_deployment(
        &self,
        tx: &mut Tx,
        ctx: &OpContext,
        service: ServiceId,
        deploy: &Deploy,
        when: Deployed,
    ) -> Result<headroom_model::ids::DeploymentId> {
        let (id, new) = tx.put_deployment(service, deploy, when).await?;
        if !new {
            return Ok(id);
        }
        let stepped = tx.stepped_benchmarks(service).await?;
        if !stepped.is_empty() {
            let events = self.events_of(service, &tx.deployments_of(service, LOOKED_AT).await?).await?;
            for (benchmark, mut steps) in stepped {
                let points = tx.benchmark_points(benchmark, crate::benchmarks::LOOKED_AT).await?;
                steps.iter_mut().for_each(|step| step.cause = put_down(step.at, &points, &events));
                tx.put_benchmark_steps(benchmark, &steps).await?;
            }
        }
        let mut entry = event(ctx, "deployment.recorded", "deployment", id);
        entry.service_id = Some(service.to_string());
        entry.after = Some(serde_json::json!({
            "version": deploy.version, "commit": deploy.commit, "link": deploy.link, "at": when.at, "seen": when.seen
        }));
        tx.record(&entry).await?;
        Ok(id)
    }
}
