//! Changes: one per service at a time, written with optimistic locking.

use crate::db::{Connection, Row, Sql, sql};
use crate::error::{Error, Result};
use crate::page::{Filter, KeyKind, Order, limit, uuid};
use crate::recommendations::{follow_change, in_progress};
use crate::store::{Store, Tx};
use headroom_model::auth::Teams;
use headroom_model::change::{Change, Substate};
use headroom_model::ids::{ChangeId, RecommendationId, ServiceId};
use headroom_model::view::{ChangeQuery, ChangeRow, PageOf};
use std::collections::HashMap;

const ROW: &str = "SELECT c.body, s.service_name, r.title, o.achieved_micros, o.currency";
const FROM: &str = " FROM changes c JOIN services s ON s.id = c.service_id \
    JOIN optimization_recommendations r ON r.id = c.recommendation_id LEFT JOIN ledger o ON o.change_id = c.id";
const ORDERS: &[(&str, &str, KeyKind, bool)] = &[("submitted", "c.submitted_at", KeyKind::Time, true)];

impl Tx {
    /// Stores a new change.
    ///
    /// # Errors
    /// [`Error::TargetBusy`] if another change holds the service; [`Error::NotFound`] for an unknown recommendation or service;
    /// [`Error::Taken`] for an id that is there.
    pub async fn insert_change(&mut self, change: &Change) -> Result<()> {
        let statement = sql("INSERT INTO changes (id, recommendation_id, cluster, team, service_id, state, holds_target, requested_by, \
             plan_hash, version, submitted_at, expires_at, applied_at, rolled_back_at, judgement, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)")
        .uuid(change.id.0)
        .uuid(change.recommendation_id.0)
        .text(&change.plan.target.cluster)
        .text(&change.team)
        .uuid(change.service_id.0);
        self.free_for(change).await?;
        match bind_moving(statement, change).attempt(self.on()).await {
            Ok(_) => follow_change(self.on(), change).await,
            Err(fault) if fault.is_missing_reference() => Err(Error::not_found("recommendation", change.recommendation_id)),
            Err(fault) if fault.is_unique_violation() => Err(Error::Taken { what: "change", name: change.id.to_string() }),
            Err(fault) => Err(fault),
        }
    }

    /// A change as this transaction sees it; nobody else writes until the transaction ends.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn change_for_update(&mut self, id: ChangeId) -> Result<Change> {
        by_id(self.on(), id).await?.ok_or_else(|| Error::not_found("change", id))
    }

    /// The newest change of a recommendation as this transaction sees it.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn latest_change(&mut self, id: RecommendationId) -> Result<Option<Change>> {
        latest(self.on(), id).await
    }

    /// Writes a change that was read at `expected_version`.
    ///
    /// # Errors
    /// [`Error::Stale`] if someone wrote it since; [`Error::TargetBusy`] if it would hold a service that another change holds;
    /// [`Error::NotFound`].
    pub async fn save_change(&mut self, change: &Change, expected_version: u64) -> Result<()> {
        let found = self.change_for_update(change.id).await?.version;
        if found != expected_version {
            return Err(Error::Stale { what: "change", id: change.id.to_string(), expected: expected_version, found });
        }
        self.free_for(change).await?;
        let statement = sql("UPDATE changes SET state = $2, holds_target = $3, requested_by = $4, plan_hash = $5, version = $6, \
             submitted_at = $7, expires_at = $8, applied_at = $9, rolled_back_at = $10, judgement = $11, body = $12 WHERE id = $1")
        .uuid(change.id.0);
        bind_moving(statement, change).run(self.on()).await?;
        self.follow_if_newest(change).await
    }

    /// An older change of the same recommendation does not overwrite the view of the newest.
    async fn follow_if_newest(&mut self, change: &Change) -> Result<()> {
        match latest(self.on(), change.recommendation_id).await? {
            Some(newest) if newest.id != change.id => Ok(()),
            _ => follow_change(self.on(), change).await,
        }
    }

    /// Whether this change may hold its service. Nobody else writes meanwhile, so that what is free now stays so.
    async fn free_for(&mut self, change: &Change) -> Result<()> {
        if !change.state.holds_target() {
            return Ok(());
        }
        match holder(self.on(), change.service_id).await? {
            Some(by) if by != change.id => Err(Error::TargetBusy { by }),
            _ => Ok(()),
        }
    }
}

/// Binds what moves with the state: state, holds_target, requested_by, plan_hash, version, four times, judgement, body.
fn bind_moving(statement: Sql, change: &Change) -> Sql {
    statement
        .text(change.state.as_str())
        .bool(change.state.holds_target())
        .text(&change.requested_by)
        .text(change.plan_hash.as_str())
        .int(version(change.version))
        .time(change.submitted_at)
        .time(change.expires_at)
        .time(change.applied_at)
        .time(change.rolled_back_at)
        .maybe_text(change.effect.as_ref().map(|effect| effect.judgement.as_str()))
        .json(change)
}

fn version(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

async fn by_id(on: &mut Connection, id: ChangeId) -> Result<Option<Change>> {
    let row = sql("SELECT body FROM changes WHERE id = $1").uuid(id.0).maybe(on).await?;
    row.map(|row| row.json("body")).transpose()
}

async fn latest(on: &mut Connection, id: RecommendationId) -> Result<Option<Change>> {
    let row = sql("SELECT body FROM changes WHERE recommendation_id = $1 ORDER BY submitted_at DESC, id DESC LIMIT 1").uuid(id.0);
    row.maybe(on).await?.map(|row| row.json("body")).transpose()
}

async fn holder(on: &mut Connection, service: ServiceId) -> Result<Option<ChangeId>> {
    let row = sql("SELECT id FROM changes WHERE service_id = $1 AND holds_target").uuid(service.0).maybe(on).await?;
    row.map(|row| row.uuid("id").map(ChangeId)).transpose()
}

impl Store {
    /// One change.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn change(&self, id: ChangeId) -> Result<Option<Change>> {
        by_id(&mut self.read().await?, id).await
    }

    /// The newest change of a recommendation.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn latest_change(&self, id: RecommendationId) -> Result<Option<Change>> {
        latest(&mut self.read().await?, id).await
    }

    /// The newest change of each of these recommendations that has one, in one statement.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn latest_changes(&self, ids: &[RecommendationId]) -> Result<HashMap<RecommendationId, Change>> {
        let rows = sql("SELECT c.body FROM changes c WHERE c.recommendation_id AMONG $1 AND NOT EXISTS (SELECT 1 FROM changes n \
             WHERE n.recommendation_id = c.recommendation_id AND (n.submitted_at, n.id) > (c.submitted_at, c.id))");
        let found = rows.uuids(ids.iter().map(|id| id.0)).all(&mut self.read().await?).await?;
        found.iter().map(|row| row.json::<Change>("body").map(|c| (c.recommendation_id, c))).collect()
    }

    /// All changes that these recommendations ever had.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn change_ids(&self, ids: &[RecommendationId]) -> Result<Vec<(RecommendationId, ChangeId)>> {
        let rows = sql("SELECT id, recommendation_id FROM changes WHERE recommendation_id AMONG $1").uuids(ids.iter().map(|id| id.0));
        let found = rows.all(&mut self.read().await?).await?;
        found.iter().map(|row| Ok((RecommendationId(row.uuid("recommendation_id")?), ChangeId(row.uuid("id")?)))).collect()
    }

    /// The change that holds a service, if one does.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn held_by(&self, service: ServiceId) -> Result<Option<ChangeId>> {
        holder(&mut self.read().await?, service).await
    }

    /// Every change in one of these states, oldest first.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn changes_in(&self, states: &[Substate]) -> Result<Vec<Change>> {
        let mut filter = Filter::default();
        filter.one_of("state", states);
        let rows = filter.sql("SELECT body FROM changes", " ORDER BY submitted_at, id").all(&mut self.read().await?).await?;
        rows.iter().map(|row| row.json("body")).collect()
    }

    /// One page of the list of changes, newest first. `view`: `active` (approved or under way), `waiting`, `done`, empty or `all`.
    /// `progress` is left to the caller, who knows the policy and the time.
    ///
    /// # Errors
    /// [`Error::BadCursor`], [`Error::BadFilter`].
    pub async fn change_rows(&self, query: &ChangeQuery, teams: &Teams) -> Result<PageOf<ChangeRow>> {
        let order = Order::parse("", "submitted", "c.id", ORDERS)?;
        let filter = filter(query, teams)?;
        let mut page = filter.clone();
        order.after(&mut page, &query.cursor)?;
        let limit = limit(query.limit);
        let on = &mut self.read().await?;
        let total = if query.uncounted { 0 } else { filter.sql(&format!("SELECT COUNT(*) AS n{FROM}"), "").one(on).await?.int("n")? };
        let mut rows = page.sql(&format!("{ROW}{}{FROM}", order.columns()), &order.tail(limit)).all(on).await?;
        let next_cursor = order.cut(&mut rows, limit)?;
        Ok(PageOf { items: rows.iter().map(change_row).collect::<Result<_>>()?, total: total.unsigned_abs(), next_cursor })
    }

    /// The changes of a service, newest first, at most `most`.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn changes_of(&self, service: ServiceId, most: u32) -> Result<Vec<ChangeRow>> {
        let mut filter = Filter::default();
        filter.and("c.service_id = ?", [uuid(service.0)]);
        let order = format!(" ORDER BY c.submitted_at DESC, c.id DESC LIMIT {most}");
        let rows = filter.sql(&format!("{ROW}{FROM}"), &order).all(&mut self.read().await?).await?;
        rows.iter().map(change_row).collect()
    }
}

fn filter(query: &ChangeQuery, teams: &Teams) -> Result<Filter> {
    let mut filter = Filter::default();
    match query.view.as_str() {
        "" | "all" => {}
        "active" => filter.one_of("c.state", &in_progress()),
        "waiting" => filter.and("c.state = 'PENDING_APPROVAL'", []),
        "done" => filter.and("NOT c.holds_target", []),
        other => {
            let allowed = "active, waiting, done, all".to_owned();
            return Err(Error::BadFilter { field: "view", value: other.to_owned(), allowed });
        }
    }
    filter.exactly("s.service_name = ?", &query.service_name);
    filter.exactly("c.team = ?", &query.team);
    filter.within("c.team", teams);
    Ok(filter)
}

fn change_row(row: &Row) -> Result<ChangeRow> {
    let change: Change = row.json("body")?;
    Ok(ChangeRow {
        id: change.id,
        recommendation_id: change.recommendation_id,
        service_name: row.text("service_name")?,
        team: change.team,
        title: row.text("title")?,
        changes: change.plan.changes,
        state: change.state,
        requested_by: change.requested_by,
        approved_by: change.approvals.into_iter().map(|a| a.by).collect(),
        promised_month: change.promised_month,
        achieved_month: row.money("achieved_micros", "currency")?,
        effect: change.effect,
        reason: change.reason,
        submitted_at: change.submitted_at,
        applied_at: change.applied_at,
        rolled_back_at: change.rolled_back_at,
        progress: None,
    })
}
