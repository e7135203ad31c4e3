//! Deploys of services: told by pipelines, or seen in clusters.

use crate::db::{Connection, Row, Sql, sql};
use crate::error::{Error, Result};
use crate::page::{Filter, KeyKind, Order, limit};
use crate::store::{Store, Tx};
use headroom_model::auth::Teams;
use headroom_model::deployment::{Deploy, Deployment};
use headroom_model::ids::{DeploymentId, ServiceId};
use headroom_model::time::{HOUR, Timestamp};
use headroom_model::view::{DeploymentQuery, PageOf};
use uuid::Uuid;

const ROW: &str = "SELECT d.id, s.service_name, d.version, d.commit_id, d.link, d.at, d.cluster_at, d.seen";
const FROM: &str = " FROM deployments d JOIN services s ON s.id = d.service_id";
const ORDERS: &[(&str, &str, KeyKind, bool)] = &[("newest", "d.at", KeyKind::Time, true)];

/// When a deploy was made, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployed {
    /// Wall time.
    pub at: Timestamp,
    /// Cluster time.
    pub cluster_at: Timestamp,
    /// Whether it was seen in the cluster, rather than told.
    pub seen: bool,
}

impl Tx {
    /// Keeps a deploy. One of the same version within an hour of the service's newest is that one: what is told and seen, or told
    /// twice, is kept once, and gains the commit and link that it lacked. Returns its id, and whether anything is new.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown service.
    pub async fn put_deployment(&mut self, service: ServiceId, deploy: &Deploy, when: Deployed) -> Result<(DeploymentId, bool)> {
        let (commit, link) = (deploy.commit.as_deref().unwrap_or_default(), deploy.link.as_deref().unwrap_or_default());
        if let Some(known) = self.known_deployment(service, &deploy.version, when.at).await? {
            let gained = sql("UPDATE deployments SET commit_id = CASE WHEN commit_id = '' THEN $2 ELSE commit_id END, \
                 link = CASE WHEN link = '' THEN $3 ELSE link END WHERE id = $1 \
                 AND ((commit_id = '' AND $2 <> '') OR (link = '' AND $3 <> ''))")
            .uuid(known.0)
            .text(commit)
            .text(link)
            .run(self.on())
            .await?;
            return Ok((known, gained > 0));
        }
        let id = Uuid::now_v7();
        sql("INSERT INTO deployments (id, service_id, version, commit_id, link, at, cluster_at, seen) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .uuid(id)
        .uuid(service.0)
        .text(&deploy.version)
        .text(commit)
        .text(link)
        .time(when.at)
        .time(when.cluster_at)
        .bool(when.seen)
        .run(self.on())
        .await
        .map_err(|fault| if fault.is_missing_reference() { Error::not_found("service", service) } else { fault })?;
        Ok((DeploymentId(id), true))
    }

    /// The deploy that one of this version at this time is: the same, or the newest within an hour if that is of the same version.
    async fn known_deployment(&mut self, service: ServiceId, version: &str, at: Timestamp) -> Result<Option<DeploymentId>> {
        let rows = sql("SELECT id, version, at FROM deployments WHERE service_id = $1 AND at >= $2 AND at <= $3 ORDER BY at DESC, id DESC")
            .uuid(service.0)
            .time(at.plus_secs(-HOUR))
            .time(at.plus_secs(HOUR))
            .all(self.on())
            .await?;
        let known: Vec<(Uuid, bool, Timestamp)> =
            rows.iter().map(|row| Ok((row.uuid("id")?, row.text("version")? == version, row.time("at")?))).collect::<Result<_>>()?;
        let same = known.iter().find(|(_, same, when)| *same && *when == at).or_else(|| known.first().filter(|(_, same, _)| *same));
        Ok(same.map(|(id, ..)| DeploymentId(*id)))
    }

    /// One deploy.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn deployment(&mut self, id: DeploymentId) -> Result<Deployment> {
        let row = Sql::built(format!("{ROW}{FROM} WHERE d.id = $1"), Vec::new()).uuid(id.0).maybe(self.on()).await?;
        row.as_ref().map(deployment).transpose()?.ok_or_else(|| Error::not_found("deployment", id))
    }

    /// The newest deploys of a service as this transaction sees them, newest first.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn deployments_of(&mut self, service: ServiceId, most: u32) -> Result<Vec<Deployment>> {
        of(self.on(), service, most).await
    }
}

impl Store {
    /// One page of deploys, the newest first.
    ///
    /// # Errors
    /// [`Error::BadCursor`].
    pub async fn deployments(&self, query: &DeploymentQuery, teams: &Teams) -> Result<PageOf<Deployment>> {
        let order = Order::parse("", "newest", "d.id", ORDERS)?;
        let mut filter = Filter::default();
        filter.within("s.team", teams);
        filter.exactly("s.service_name = ?", &query.service_name);
        let mut page = filter.clone();
        order.after(&mut page, &query.cursor)?;
        let most = limit(query.limit);
        let on = &mut self.read().await?;
        let total = filter.sql(&format!("SELECT COUNT(*) AS n{FROM}"), "").one(on).await?.int("n")?;
        let mut rows = page.sql(&format!("{ROW}{}{FROM}", order.columns()), &order.tail(most)).all(on).await?;
        let next_cursor = order.cut(&mut rows, most)?;
        Ok(PageOf { items: rows.iter().map(deployment).collect::<Result<_>>()?, total: total.unsigned_abs(), next_cursor })
    }

    /// The newest deploys of a service, newest first.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn deployments_of(&self, service: ServiceId, most: u32) -> Result<Vec<Deployment>> {
        of(&mut self.read().await?, service, most).await
    }
}

async fn of(on: &mut Connection, service: ServiceId, most: u32) -> Result<Vec<Deployment>> {
    let mut filter = Filter::default();
    filter.and("d.service_id = ?", [crate::page::uuid(service.0)]);
    let rows = filter.sql(&format!("{ROW}{FROM}"), &format!(" ORDER BY d.at DESC, d.id DESC LIMIT {most}")).all(on).await?;
    rows.iter().map(deployment).collect()
}

fn deployment(row: &Row) -> Result<Deployment> {
    let said = |column| Ok::<_, Error>(Some(row.text(column)?).filter(|text| !text.is_empty()));
    Ok(Deployment {
        id: DeploymentId(row.uuid("id")?),
        service_name: row.text("service_name")?,
        version: row.text("version")?,
        commit: said("commit_id")?,
        link: said("link")?,
        at: row.time("at")?,
        cluster_at: row.time("cluster_at")?,
        seen: row.bool("seen")?,
    })
}
