//! Clusters and the services in them.

use crate::db::{Connection, Row, Sql, Value, containing, sql};
use crate::error::{Error, Result};
use crate::page::{Filter, KeyKind, Order, limit, text};
use crate::store::{Store, Tx};
use headroom_model::auth::Teams;
use headroom_model::ids::ServiceId;
use headroom_model::recommendation::Verdict;
use headroom_model::service::{Managed, Service, ServiceKey};
use headroom_model::time::Timestamp;
use headroom_model::view::{PageOf, ServiceQuery, ServiceRow};
use std::collections::{BTreeMap, HashMap};

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// `simulated`, `kubernetes` or `imported`.
    pub kind: String,
    /// Wall time.
    pub created_at: Timestamp,
    /// Cluster time of the newest sample; kept by the samples, not by [`Tx::put_cluster`].
    pub newest_sample: Option<Timestamp>,
}

/// What an inventory changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// Services that were not there before.
    pub added: u32,
    /// Services that differ.
    pub changed: u32,
    /// Services that are there no more.
    pub gone: u32,
    /// Services that run another version than before, which the cluster says now and said then.
    pub deployed: Vec<(ServiceId, String)>,
}

/// The columns that [`service_row`] reads.
const ROW: &str = "SELECT s.id, s.service_name, s.namespace, s.team, s.managed, s.replicas, m.verdict, m.cpu, m.memory, \
    m.latency_p99_ms, m.request_rate, m.cost_micros, m.currency, m.spark, \
    (SELECT COUNT(*) FROM optimization_recommendations r WHERE r.service_id = s.id AND r.state = 'OPEN') AS open_count, \
    (SELECT CAST(SUM(r.saving_micros) AS BIGINT) FROM optimization_recommendations r WHERE r.service_id = s.id AND r.state = 'OPEN') AS saving_micros";
const FROM: &str = " FROM services s LEFT JOIN service_summary m ON m.service_id = s.id";

/// What the list can be ordered by.
const ORDERS: &[(&str, &str, KeyKind, bool)] = &[
    ("name", "s.service_name", KeyKind::Text, false),
    ("cost", "m.cost_micros", KeyKind::MaybeInt, true),
    ("cpu", "m.cpu_peak_share", KeyKind::MaybeReal, true),
    ("memory", "m.memory_peak_share", KeyKind::MaybeReal, true),
    ("latency", "m.latency_p99_ms", KeyKind::MaybeReal, true),
    ("requests", "m.request_rate", KeyKind::MaybeReal, true),
    (
        "saving",
        "(SELECT CAST(SUM(r.saving_micros) AS BIGINT) FROM optimization_recommendations r WHERE r.service_id = s.id AND r.state = 'OPEN')",
        KeyKind::MaybeInt,
        true,
    ),
];

impl Tx {
    /// Makes a cluster known, or changes its kind.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn put_cluster(&mut self, cluster: &Cluster) -> Result<()> {
        sql("INSERT INTO clusters (name, kind, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET kind = excluded.kind")
            .text(&cluster.name)
            .text(&cluster.kind)
            .time(cluster.created_at)
            .run(self.on())
            .await
            .map(drop)
    }

    /// Replaces what is known of a whole cluster: services that are missing are marked as gone, and names are made unambiguous again.
    /// A cluster that is not known yet becomes one of the kind `kubernetes`. `now` is wall time.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn put_inventory(&mut self, cluster: &str, services: &[Service], now: Timestamp) -> Result<Inventory> {
        sql("INSERT INTO clusters (name, kind, created_at) VALUES ($1, 'kubernetes', $2) ON CONFLICT (name) DO NOTHING")
            .text(cluster)
            .time(now)
            .run(self.on())
            .await?;
        let known = sql("SELECT id, body, gone_at FROM services WHERE cluster = $1").text(cluster).all(self.on()).await?;
        let mut before: HashMap<ServiceId, (Service, bool)> = HashMap::with_capacity(known.len());
        for row in &known {
            before.insert(ServiceId(row.uuid("id")?), (row.json("body")?, row.maybe_time("gone_at")?.is_some()));
        }
        let mut counts = Inventory::default();
        for service in services {
            match before.remove(&service.id) {
                Some((same, false)) if same == *service => continue,
                Some((old, false)) => {
                    counts.changed += 1;
                    if let (Some(was), Some(is)) = (old.version(), service.version())
                        && was != is
                    {
                        counts.deployed.push((service.id, is.to_owned()));
                    }
                }
                _ => counts.added += 1,
            }
            upsert(self.on(), service, now).await?;
        }
        for (id, _) in before.into_iter().filter(|(_, (_, gone))| !gone) {
            sql("UPDATE services SET gone_at = $1 WHERE id = $2").time(now).uuid(id.0).run(self.on()).await?;
            counts.gone += 1;
        }
        if counts.added + counts.gone > 0 {
            name_services(self.on()).await?;
        }
        Ok(counts)
    }

    /// Stores one service as it is now, such as after a write to it. `now` is wall time.
    ///
    /// # Errors
    /// [`Error::NotFound`] if its cluster is not known.
    pub async fn put_service(&mut self, service: &Service, now: Timestamp) -> Result<()> {
        upsert(self.on(), service, now).await?;
        name_services(self.on()).await
    }
}

async fn upsert(on: &mut Connection, service: &Service, now: Timestamp) -> Result<()> {
    let ServiceKey { cluster, namespace, kind, name } = &service.key;
    let done = sql(
        "INSERT INTO services (id, cluster, namespace, kind, name, service_name, team, environment, managed, replicas, seen_at, body) \
         VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (id) DO UPDATE SET team = excluded.team, environment = excluded.environment, managed = excluded.managed, \
         replicas = excluded.replicas, seen_at = excluded.seen_at, gone_at = NULL, body = excluded.body",
    )
    .uuid(service.id.0)
    .text(cluster)
    .text(namespace)
    .text(kind)
    .text(name)
    .text(&service.team)
    .text(&service.environment)
    .text(managed_word(service.managed))
    .int(service.state.replicas.map(i64::from))
    .time(now)
    .json(service)
    .attempt(on)
    .await;
    match done {
        Err(fault) if fault.is_missing_reference() => Err(Error::not_found("cluster", cluster)),
        other => other.map(drop),
    }
}

/// The name in interfaces: bare where unique, else `cluster:namespace:name`, with the kind where even that is not unique.
async fn name_services(on: &mut Connection) -> Result<()> {
    sql("UPDATE services SET service_name = named.full_name FROM (\
           SELECT s.id, CASE \
             WHEN (SELECT COUNT(*) FROM services o WHERE o.name = s.name AND o.gone_at IS NULL AND o.id <> s.id) = 0 THEN s.name \
             WHEN (SELECT COUNT(*) FROM services o WHERE o.name = s.name AND o.cluster = s.cluster AND o.namespace = s.namespace \
                   AND o.gone_at IS NULL AND o.id <> s.id) = 0 THEN s.cluster || ':' || s.namespace || ':' || s.name \
             ELSE s.cluster || ':' || s.namespace || ':' || s.kind || ':' || s.name END AS full_name FROM services s) AS named \
         WHERE named.id = services.id AND services.service_name <> named.full_name")
    .run(on)
    .await
    .map(drop)
}

impl Store {
    /// Every cluster, by name.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn clusters(&self) -> Result<Vec<Cluster>> {
        let rows = sql("SELECT name, kind, created_at, newest_sample FROM clusters ORDER BY name").all(&mut self.read().await?).await?;
        rows.iter()
            .map(|row| {
                Ok(Cluster {
                    name: row.text("name")?,
                    kind: row.text("kind")?,
                    created_at: row.time("created_at")?,
                    newest_sample: row.maybe_time("newest_sample")?,
                })
            })
            .collect()
    }

    /// A service, also one that is gone.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn service(&self, id: ServiceId) -> Result<Option<Service>> {
        let row = sql("SELECT body FROM services WHERE id = $1").uuid(id.0).maybe(&mut self.read().await?).await?;
        row.map(|row| row.json("body")).transpose()
    }

    /// Several, in one statement; unknown ones are left out.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn services(&self, ids: &[ServiceId]) -> Result<HashMap<ServiceId, Service>> {
        let rows = sql("SELECT body FROM services WHERE id AMONG $1").uuids(ids.iter().map(|id| id.0));
        Ok(bodies(rows.all(&mut self.read().await?).await?)?.into_iter().map(|s| (s.id, s)).collect())
    }

    /// The services of these names in a cluster, as far as `teams` own them.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn services_called(&self, cluster: &str, names: &[String], teams: &Teams) -> Result<Vec<ServiceId>> {
        let mut filter = Filter::default();
        filter.and("gone_at IS NULL AND cluster = ? AND name AMONG ?", [text(cluster), Value::Texts(names.to_vec())]);
        filter.within("team", teams);
        let rows = filter.sql("SELECT id FROM services", "").all(&mut self.read().await?).await?;
        rows.iter().map(|row| row.uuid("id").map(ServiceId)).collect()
    }

    /// The service of this name: bare where unique, `cluster:namespace:name`, `cluster:namespace:kind:name`, or its id.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::AmbiguousName`] lists the full names.
    pub async fn service_named(&self, name: &str) -> Result<Service> {
        if let Ok(id) = name.parse::<ServiceId>() {
            return self.service(id).await?.ok_or_else(|| Error::not_found("service", name));
        }
        let parts: Vec<&str> = name.split(':').collect();
        let columns: &[&str] = match parts.len() {
            1 => &["name"],
            3 => &["cluster", "namespace", "name"],
            4 => &["cluster", "namespace", "kind", "name"],
            _ => return Err(Error::not_found("service", name)),
        };
        let mut filter = Filter::default();
        filter.and("gone_at IS NULL", []);
        for (column, part) in columns.iter().zip(parts) {
            filter.and(&format!("{column} = ?"), [text(part)]);
        }
        let rows = filter.sql("SELECT body, service_name FROM services", " ORDER BY service_name").all(&mut self.read().await?).await?;
        match rows.as_slice() {
            [] => Err(Error::not_found("service", name)),
            [row] => row.json("body"),
            several => {
                let candidates = several.iter().map(|row| row.text("service_name")).collect::<Result<_>>()?;
                Err(Error::AmbiguousName { name: name.to_owned(), candidates })
            }
        }
    }

    /// The name of a service in interfaces.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn service_name(&self, id: ServiceId) -> Result<Option<String>> {
        let row = sql("SELECT service_name FROM services WHERE id = $1").uuid(id.0).maybe(&mut self.read().await?).await?;
        row.map(|row| row.text("service_name")).transpose()
    }

    /// The names of all services in interfaces.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn service_names(&self) -> Result<BTreeMap<ServiceId, String>> {
        let rows = sql("SELECT id, service_name FROM services WHERE gone_at IS NULL").all(&mut self.read().await?).await?;
        rows.iter().map(|row| Ok((ServiceId(row.uuid("id")?), row.text("service_name")?))).collect()
    }

    /// Every service that is there, by name.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn all_services(&self) -> Result<Vec<Service>> {
        bodies(sql("SELECT body FROM services WHERE gone_at IS NULL ORDER BY service_name").all(&mut self.read().await?).await?)
    }

    /// A team's services, by name.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn services_of_team(&self, team: &str) -> Result<Vec<Service>> {
        let rows = sql("SELECT body FROM services WHERE gone_at IS NULL AND team = $1 ORDER BY service_name").text(team);
        bodies(rows.all(&mut self.read().await?).await?)
    }

    /// One page of the list of services.
    ///
    /// # Errors
    /// [`Error::BadCursor`], [`Error::BadFilter`].
    pub async fn service_rows(&self, query: &ServiceQuery, teams: &Teams) -> Result<PageOf<ServiceRow>> {
        let order = Order::parse(&query.sort, "name", "s.id", ORDERS)?;
        let filter = filter(query, teams)?;
        let mut page = filter.clone();
        order.after(&mut page, &query.cursor)?;
        let limit = limit(query.limit);
        let on = &mut self.read().await?;
        let total = filter.sql(&format!("SELECT COUNT(*) AS n{FROM}"), "").one(on).await?.int("n")?;
        let mut rows = page.sql(&format!("{ROW}{}{FROM}", order.columns()), &order.tail(limit)).all(on).await?;
        let next_cursor = order.cut(&mut rows, limit)?;
        let items = rows.iter().map(service_row).collect::<Result<_>>()?;
        Ok(PageOf { items, total: total.unsigned_abs(), next_cursor })
    }

    /// The rows of these services, in the order of their names; ids that are not there are left out.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn service_rows_by_id(&self, ids: &[ServiceId]) -> Result<Vec<ServiceRow>> {
        let statement = format!("{ROW}{FROM} WHERE s.id AMONG $1 ORDER BY s.service_name");
        let rows = Sql::built(statement, Vec::new()).uuids(ids.iter().map(|id| id.0)).all(&mut self.read().await?).await?;
        rows.iter().map(service_row).collect()
    }

    /// Every team that owns a service.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn teams(&self) -> Result<Vec<String>> {
        let rows =
            sql("SELECT DISTINCT team AS word FROM services WHERE gone_at IS NULL ORDER BY team").all(&mut self.read().await?).await?;
        rows.iter().map(|row| row.text("word")).collect()
    }

    /// Every namespace with a service in it.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn namespaces(&self) -> Result<Vec<String>> {
        let rows = sql("SELECT DISTINCT namespace AS word FROM services WHERE gone_at IS NULL ORDER BY namespace");
        rows.all(&mut self.read().await?).await?.iter().map(|row| row.text("word")).collect()
    }
}

fn bodies(rows: Vec<Row>) -> Result<Vec<Service>> {
    rows.iter().map(|row| row.json("body")).collect()
}

fn filter(query: &ServiceQuery, teams: &Teams) -> Result<Filter> {
    let mut filter = Filter::default();
    filter.and("s.gone_at IS NULL", []);
    if !query.q.trim().is_empty() {
        filter.and("LOWER(s.service_name) LIKE ? ESCAPE '\\'", [text(containing(query.q.trim()))]);
    }
    filter.exactly("s.team = ?", &query.team);
    filter.within("s.team", teams);
    filter.exactly("s.namespace = ?", &query.namespace);
    if !query.verdict.is_empty() {
        let verdict: Verdict = crate::page::word("verdict", &query.verdict, Verdict::ALL)?;
        filter.and("COALESCE(m.verdict, 'not_enough_data') = ?", [text(verdict)]);
    }
    Ok(filter)
}

fn service_row(row: &Row) -> Result<ServiceRow> {
    let analysed = row.maybe_text("verdict")?.is_some();
    let cost = row.money("cost_micros", "currency")?;
    Ok(ServiceRow {
        id: ServiceId(row.uuid("id")?),
        service_name: row.text("service_name")?,
        namespace: row.text("namespace")?,
        team: row.text("team")?,
        managed: managed(&row.text("managed")?)?,
        verdict: row.maybe_word("verdict")?.unwrap_or(Verdict::NotEnoughData),
        cpu: if analysed { row.json("cpu")? } else { None },
        memory: if analysed { row.json("memory")? } else { None },
        replicas: row.maybe_int("replicas")?.and_then(|v| u32::try_from(v).ok()),
        latency_p99_ms: row.maybe_real("latency_p99_ms")?,
        request_rate: row.maybe_real("request_rate")?,
        cost_month: cost,
        saving_month: row.money("saving_micros", "currency")?,
        open: row.count("open_count")?,
        spark: if analysed { row.json("spark")? } else { Vec::new() },
    })
}

const fn managed_word(managed: Managed) -> &'static str {
    match managed {
        Managed::Direct => "direct",
        Managed::Git => "git",
        Managed::Observed => "observed",
    }
}

fn managed(word: &str) -> Result<Managed> {
    match word {
        "direct" => Ok(Managed::Direct),
        "git" => Ok(Managed::Git),
        "observed" => Ok(Managed::Observed),
        other => Err(Error::Corrupt { what: "managed".into(), fault: format!("{other:?} is not a way of managing") }),
    }
}
