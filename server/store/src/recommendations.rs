//! Recommendations. What was proposed never changes; their state does, and the view of their newest change beside it.

use crate::db::{Connection, Row, Sql, sql};
use crate::error::{Error, Result};
use crate::page::{Filter, KeyKind, Order, limit, text, uuid, word};
use crate::store::{Store, Tx};
use headroom_model::auth::Teams;
use headroom_model::change::{Change, Substate};
use headroom_model::ids::{JobId, RecommendationId, ServiceId};
use headroom_model::job::{OptimizationStatus, OptimizationType};
use headroom_model::recommendation::{Recommendation, RecommendationState, Risk, UseBar};
use headroom_model::time::Timestamp;
use headroom_model::view::{PageOf, RecommendationQuery, RecommendationRow};
use std::collections::HashMap;

const ROW: &str = "SELECT r.id, s.service_name, s.namespace, r.team, r.optimization_type, r.title, r.bar, r.saving_micros, r.currency, \
    r.expected_improvement, r.risk, r.state, r.substate, r.status, r.restarts_pods, r.created_at";
const FROM: &str = " FROM optimization_recommendations r JOIN services s ON s.id = r.service_id";

const ORDERS: &[(&str, &str, KeyKind, bool)] = &[
    ("priority", "r.priority", KeyKind::Real, true),
    ("saving", "r.saving_micros", KeyKind::MaybeInt, true),
    ("confidence", "r.confidence", KeyKind::Real, true),
    ("service", "s.service_name", KeyKind::Text, false),
    ("created", "r.created_at", KeyKind::Time, true),
];

impl Tx {
    /// Stores a new recommendation.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a service that is not known, [`Error::Taken`] for an id that is there.
    pub async fn put_recommendation(&mut self, recommendation: &Recommendation) -> Result<()> {
        let r = recommendation;
        let done = sql("INSERT INTO optimization_recommendations (id, recommendation_id, job_id, cluster, team, service_id, service_name, \
             optimization_type, strategy, proposed_by, state, status, applied, risk, saving_micros, currency, confidence, priority, created_at, \
             title, reason, restarts_pods, bar, expected_improvement, description, current_state, recommended_state, body) \
             SELECT $1, $2, $3, cluster, $4, id, $6, $7, $8, $9, $10, $11, FALSE, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, \
             $24, $25, $26 FROM services WHERE id = $5")
        .uuid(r.id.0)
        .text(r.id.to_string())
        .text(r.job_id.to_string())
        .text(&r.team)
        .uuid(r.service_id.0)
        .service_name(&r.service_name)
        .text(r.proposal.optimization_type.as_str())
        .text(&r.proposal.strategy)
        .text(&r.proposed_by)
        .text(r.state.as_str())
        .text(OptimizationStatus::RecommendationsReady.as_str())
        .text(r.proposal.risk.level.as_str())
        .money(r.proposal.saving_month)
        .real(r.proposal.expected.confidence.get())
        .real(r.proposal.priority)
        .time(r.created_at)
        .text(&r.proposal.title)
        .maybe_text(r.reason.as_deref())
        .bool(restarts_pods(r))
        .json(&changed_bar(r))
        .json(&r.proposal.expected)
        .text(&r.proposal.description)
        .json(&r.current.api_view())
        .json(&r.proposal.recommended.api_view())
        .json(r)
        .attempt(self.on())
        .await;
        match done {
            Ok(0) => Err(Error::not_found("service", r.service_id)),
            Err(fault) if fault.is_unique_violation() => Err(Error::Taken { what: "recommendation", name: r.id.to_string() }),
            other => other.map(drop),
        }
    }

    /// A recommendation as this transaction sees it; nobody else writes until it ends.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn recommendation_for_update(&mut self, id: RecommendationId) -> Result<Recommendation> {
        by_id(self.on(), id).await?.ok_or_else(|| Error::not_found("recommendation", id))
    }

    /// Moves a recommendation to a state, and keeps why.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_recommendation_state(&mut self, id: RecommendationId, state: RecommendationState, reason: Option<&str>) -> Result<()> {
        self.move_recommendation(id, state, reason, None).await
    }

    /// Puts a recommendation aside, with why, and until when if that is known (cluster time).
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn dismiss_recommendation(&mut self, id: RecommendationId, reason: &str, until: Option<Timestamp>) -> Result<()> {
        self.move_recommendation(id, RecommendationState::Dismissed, Some(reason), until).await
    }

    async fn move_recommendation(
        &mut self,
        id: RecommendationId,
        state: RecommendationState,
        reason: Option<&str>,
        until: Option<Timestamp>,
    ) -> Result<()> {
        let mut recommendation = self.recommendation_for_update(id).await?;
        recommendation.state = state;
        recommendation.reason = reason.map(str::to_owned);
        recommendation.dismissed_until = until;
        sql("UPDATE optimization_recommendations SET state = $2, reason = $3, body = $4 WHERE id = $1")
            .uuid(id.0)
            .text(state.as_str())
            .maybe_text(reason)
            .json(&recommendation)
            .run(self.on())
            .await
            .map(drop)
    }

    /// Marks the service's open recommendations of these types (none: of any) as superseded, and says which they were. What a person
    /// proposed stays.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn supersede(&mut self, service: ServiceId, types: &[OptimizationType], reason: &str) -> Result<Vec<RecommendationId>> {
        let mut filter = Filter::default();
        filter.and("service_id = ? AND state = 'OPEN' AND proposed_by = 'engine'", [uuid(service.0)]);
        if !types.is_empty() {
            filter.one_of("optimization_type", types);
        }
        let rows = filter.sql("SELECT id FROM optimization_recommendations", " ORDER BY id").all(self.on()).await?;
        let ids: Vec<RecommendationId> = rows.iter().map(|row| row.uuid("id").map(RecommendationId)).collect::<Result<_>>()?;
        for id in &ids {
            self.set_recommendation_state(*id, RecommendationState::Superseded, Some(reason)).await?;
        }
        Ok(ids)
    }

    /// How many of people's proposals are open for a service.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn own_open(&mut self, service: ServiceId) -> Result<u32> {
        let counted = sql(
            "SELECT COUNT(*) AS n FROM optimization_recommendations WHERE service_id = $1 AND state = 'OPEN' AND proposed_by <> 'engine'",
        );
        let n = counted.uuid(service.0).one(self.on()).await?.int("n")?;
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }
}

/// Keeps the view of a recommendation's newest change in step with the change, in the transaction that writes it.
pub(crate) async fn follow_change(on: &mut Connection, change: &Change) -> Result<()> {
    sql("UPDATE optimization_recommendations SET change_id = $2, substate = $3, status = $4, applied = $5 WHERE id = $1")
        .uuid(change.recommendation_id.0)
        .uuid(change.id.0)
        .text(change.state.as_str())
        .text(change.state.status().as_str())
        .bool(change.applied_at.is_some() && change.rolled_back_at.is_none())
        .run(on)
        .await
        .map(drop)
}

impl Store {
    /// One recommendation.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn recommendation(&self, id: RecommendationId) -> Result<Option<Recommendation>> {
        by_id(&mut self.read().await?, id).await
    }

    /// Several, in one statement; unknown ones are left out.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn recommendations(&self, ids: &[RecommendationId]) -> Result<HashMap<RecommendationId, Recommendation>> {
        let rows = sql("SELECT body FROM optimization_recommendations WHERE id AMONG $1").uuids(ids.iter().map(|id| id.0));
        let found = rows.all(&mut self.read().await?).await?;
        found.iter().map(|row| row.json::<Recommendation>("body").map(|r| (r.id, r))).collect()
    }

    /// Its row in lists.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn recommendation_row(&self, id: RecommendationId) -> Result<Option<RecommendationRow>> {
        Ok(self.recommendation_rows_by_id(&[id]).await?.pop())
    }

    /// The rows of several, in no order.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn recommendation_rows_by_id(&self, ids: &[RecommendationId]) -> Result<Vec<RecommendationRow>> {
        let statement = format!("{ROW}{FROM} WHERE r.id AMONG $1");
        let rows = Sql::built(statement, Vec::new()).uuids(ids.iter().map(|id| id.0)).all(&mut self.read().await?).await?;
        rows.iter().map(recommendation_row).collect()
    }

    /// One page of the list of recommendations. `view`: `open`, `waiting` (on an approver), `progress` (approved or under way), `done`
    /// (dismissed or ended with an effect), `all` or empty.
    ///
    /// # Errors
    /// [`Error::BadCursor`], [`Error::BadFilter`].
    pub async fn recommendation_rows(&self, query: &RecommendationQuery, teams: &Teams) -> Result<PageOf<RecommendationRow>> {
        let order = Order::parse(&query.sort, "priority", "r.id", ORDERS)?;
        let filter = filter(query, teams)?;
        let mut page = filter.clone();
        order.after(&mut page, &query.cursor)?;
        let limit = limit(query.limit);
        let on = &mut self.read().await?;
        // Counted without the services where nothing is asked of them: an index holds the rest.
        let counted = if query.service_name.is_empty() { " FROM optimization_recommendations r" } else { FROM };
        let total = if query.uncounted { 0 } else { filter.sql(&format!("SELECT COUNT(*) AS n{counted}"), "").one(on).await?.int("n")? };
        let mut rows = page.sql(&format!("{ROW}{}{FROM}", order.columns()), &order.tail(limit)).all(on).await?;
        let next_cursor = order.cut(&mut rows, limit)?;
        Ok(PageOf { items: rows.iter().map(recommendation_row).collect::<Result<_>>()?, total: total.unsigned_abs(), next_cursor })
    }

    /// Whose a recommendation is.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn team_of(&self, id: RecommendationId) -> Result<Option<String>> {
        let row = sql("SELECT team FROM optimization_recommendations WHERE id = $1").uuid(id.0).maybe(&mut self.read().await?).await?;
        row.map(|row| row.text("team")).transpose()
    }

    /// The open recommendations of a service as rows, most urgent first, at most `most`.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn recommendation_rows_of(&self, service: ServiceId, most: u32) -> Result<Vec<RecommendationRow>> {
        let mut filter = Filter::default();
        filter.and("r.service_id = ? AND r.state = 'OPEN'", [uuid(service.0)]);
        let order = format!(" ORDER BY r.priority DESC, r.id LIMIT {most}");
        let rows = filter.sql(&format!("{ROW}{FROM}"), &order).all(&mut self.read().await?).await?;
        rows.iter().map(recommendation_row).collect()
    }

    /// What an analysis proposed, most urgent first.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn recommendations_of_job(&self, job: JobId) -> Result<Vec<Recommendation>> {
        let rows = sql("SELECT body FROM optimization_recommendations WHERE job_id = $1 ORDER BY priority DESC, id").text(job.to_string());
        rows.all(&mut self.read().await?).await?.iter().map(|row| row.json("body")).collect()
    }

    /// What stands for these services: open, submitted or dismissed; a few statements for any number of services.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn standing_recommendations(&self, services: &[ServiceId]) -> Result<Vec<Recommendation>> {
        let rows = sql("SELECT body FROM optimization_recommendations WHERE state <> 'SUPERSEDED' AND service_id AMONG $1 ORDER BY id");
        let rows = rows.uuids(services.iter().map(|id| id.0)).all(&mut self.read().await?).await?;
        rows.iter().map(|row| row.json("body")).collect()
    }

    /// What was dismissed until a time that has come, by cluster time.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn recommendations_due(&self, now: Timestamp) -> Result<Vec<RecommendationId>> {
        let rows =
            sql("SELECT id FROM optimization_recommendations WHERE state = 'DISMISSED' AND body ->> 'dismissed_until' <= $1 ORDER BY id");
        let rows = rows.text(now.to_string()).all(&mut self.read().await?).await?;
        rows.iter().map(|row| row.uuid("id").map(RecommendationId)).collect()
    }
}

async fn by_id(on: &mut Connection, id: RecommendationId) -> Result<Option<Recommendation>> {
    let row = sql("SELECT body FROM optimization_recommendations WHERE id = $1").uuid(id.0).maybe(on).await?;
    row.map(|row| row.json("body")).transpose()
}

fn filter(query: &RecommendationQuery, teams: &Teams) -> Result<Filter> {
    let mut filter = Filter::default();
    match query.view.as_str() {
        "" | "all" => {}
        "open" => filter.and("r.state = 'OPEN'", []),
        "waiting" => filter.and("r.substate = 'PENDING_APPROVAL'", []),
        "progress" => filter.one_of("r.substate", &in_progress()),
        "done" => filter.and("(r.state = 'DISMISSED' OR r.substate IN ('APPLIED', 'DRIFTED', 'CLOSED', 'FAILED', 'ROLLED_BACK'))", []),
        other => {
            let allowed = "open, waiting, progress, done, all".to_owned();
            return Err(Error::BadFilter { field: "view", value: other.to_owned(), allowed });
        }
    }
    filter.exactly("s.service_name = ?", &query.service_name);
    filter.exactly("r.team = ?", &query.team);
    filter.within("r.team", teams);
    if !query.optimization_type.is_empty() {
        let kind = word("optimization_type", &query.optimization_type, OptimizationType::ALL)?;
        filter.and("r.optimization_type = ?", [text(kind)]);
    }
    if !query.status.is_empty() {
        filter.and("r.status = ?", [text(word("status", &query.status, OptimizationStatus::ALL)?)]);
    }
    if !query.risk.is_empty() {
        filter.and("r.risk = ?", [text(word("risk", &query.risk, Risk::ALL)?)]);
    }
    Ok(filter)
}

/// Approved or under way: what holds its target and no longer waits for a person.
pub(crate) fn in_progress() -> Vec<Substate> {
    Substate::ALL.iter().copied().filter(|s| s.holds_target() && *s != Substate::PendingApproval).collect()
}

fn recommendation_row(row: &Row) -> Result<RecommendationRow> {
    Ok(RecommendationRow {
        id: RecommendationId(row.uuid("id")?),
        service_name: row.text("service_name")?,
        namespace: row.text("namespace")?,
        team: row.text("team")?,
        optimization_type: row.word("optimization_type")?,
        title: row.text("title")?,
        bar: row.json("bar")?,
        saving_month: row.money("saving_micros", "currency")?,
        expected: row.json("expected_improvement")?,
        risk: row.word("risk")?,
        state: row.word("state")?,
        substate: row.maybe_word("substate")?,
        status: row.word("status")?,
        restarts_pods: row.bool("restarts_pods")?,
        created_at: row.time("created_at")?,
    })
}

/// The bar of the resource that the proposal changes most visibly: the first with a proposed value, else the first.
fn changed_bar(recommendation: &Recommendation) -> Option<&UseBar> {
    let bars = &recommendation.proposal.bars;
    bars.iter().find(|bar| bar.proposed.is_some() && bar.proposed != bar.request).or_else(|| bars.first())
}

/// Whether pods are replaced; the same rule as `Plan::restarts_pods`, before there is a plan.
fn restarts_pods(recommendation: &Recommendation) -> bool {
    recommendation.changes.iter().any(|c| c.field.starts_with("containers.") || c.field.starts_with("parameters."))
}
