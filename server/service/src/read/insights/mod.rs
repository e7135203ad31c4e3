//! What is seen in a service beyond its size: where it is heading, what was odd, what began it, how it does among its like. Worked out
//! when somebody looks, and kept until there are newer samples.

mod anomalies;
mod causes;
mod forecasts;

pub(crate) use forecasts::Drawn;

use crate::read::charts;
use crate::{Error, Headroom, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::auth::{OpContext, Permission};
use headroom_model::chart::ChartModel;
use headroom_model::ids::RecommendationId;
use headroom_model::metric::Metric;
use headroom_model::service::Service;
use headroom_model::time::{DAY, HOUR, Timestamp};
use headroom_model::view::{Anomaly, Insights};
use headroom_store::Store;
use std::sync::Arc;

/// Most anomalies that are told.
const TOLD: usize = 10;

impl Headroom {
    /// What is seen in a service, and the chart of each forecast in their order. Causes are of the anomaly that begins `at`, else of the
    /// newest of latency or errors.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown name; [`Error::Invalid`] for one that is ambiguous.
    #[boxed]
    pub async fn insights(&self, ctx: &OpContext, name: &str, at: Option<Timestamp>) -> Result<(Insights, Vec<ChartModel>)> {
        ctx.require(Permission::Read)?;
        let service = self.service_seen(ctx, name).await?;
        self.insights_of(ctx, service, at).await
    }

    /// The same of the service that a recommendation is for.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    #[boxed]
    pub async fn recommendation_insights(&self, ctx: &OpContext, id: RecommendationId) -> Result<Insights> {
        self.require_on(ctx, Permission::Read, id).await?;
        let recommendation = self.store.recommendation(id).await?.ok_or_else(|| Error::not_found("recommendation", id))?;
        let service = self.store.service(recommendation.service_id).await?.filter(|service| ctx.teams.include(&service.team));
        let service = service.ok_or_else(|| Error::not_found("service", recommendation.service_name))?;
        Ok(self.insights_of(ctx, service, None).await?.0)
    }

    async fn insights_of(&self, ctx: &OpContext, service: Service, at: Option<Timestamp>) -> Result<(Insights, Vec<ChartModel>)> {
        let newest = self.newest_sample(&service.key.cluster).await?.unwrap_or(ctx.now.cluster);
        let (forecasts, odd) = (self.forecasts_of(&service, newest).await?, self.anomalies_of(&service, newest).await?);
        let changes = self.store.changes_of(service.id, charts::MARKED).await?;
        let deployments = self.store.deployments_of(service.id, charts::MARKED).await?;
        let told = |a: &Anomaly| Anomaly { after: causes::shortly_before(&changes, &deployments, a.from), ..a.clone() };
        let picked = at.and_then(|at| odd.iter().find(|a| a.from == at));
        let picked = picked.or_else(|| odd.iter().find(|a| anomalies::SYMPTOMS.contains(&a.metric)));
        let causes = match picked {
            Some(anomaly) => Some(self.causes(ctx, &service, anomaly).await?),
            None => None,
        };
        let insights = Insights {
            service_name: self.store.service_name(service.id).await?.unwrap_or_else(|| service.key.name.clone()),
            forecasts: forecasts.iter().map(|f| f.forecast.clone()).collect(),
            since: newest.plus_secs(-anomalies::DAYS * DAY),
            anomalies: odd.iter().take(TOLD).map(told).collect(),
            causes,
            class: self.store.class_of(service.id).await?,
            now: ctx.now.cluster,
        };
        Ok((insights, forecasts.iter().map(|f| f.chart.clone()).collect()))
    }

    /// What is expected of a service's metrics, from the hours before its newest sample's.
    pub(crate) async fn forecasts_of(&self, service: &Service, newest: Timestamp) -> Result<Arc<Vec<Drawn>>> {
        let hour = newest.secs() - newest.secs().rem_euclid(HOUR);
        let (store, of) = (self.store.clone(), service.clone());
        let work = async move {
            let history = read(&store, &of, &forecasts::METRICS, hour - forecasts::PAST_DAYS * DAY, hour).await?;
            off_thread(move || forecasts::ahead(&history, &of)).await
        };
        self.forecasts.get(service.id, hour, work).await
    }

    /// What was odd in a service's metrics, newest first.
    pub(crate) async fn anomalies_of(&self, service: &Service, newest: Timestamp) -> Result<Arc<Vec<Anomaly>>> {
        let (store, of, to) = (self.store.clone(), service.clone(), newest.secs() + 1);
        let work = async move {
            let since = to - anomalies::DAYS * DAY;
            let history = read(&store, &of, &anomalies::METRICS, since - anomalies::LEARNT_DAYS * DAY, to).await?;
            off_thread(move || anomalies::found(&history, since)).await
        };
        self.anomalies.get(service.id, newest.secs(), work).await
    }
}

async fn read(store: &Store, of: &Service, metrics: &[Metric], from: i64, to: i64) -> Result<headroom_model::series::ServiceHistory> {
    Ok(store.history(&[of.id], Some(metrics), from, to).await?.remove(&of.id).unwrap_or_default())
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Internal(format!("looking ahead and back broke: {e}")))
}
