//! The audit chain and the outbox. Every entry's hash covers the hash before it and the entry's canonical bytes (RFC 8785).
//!
//! These bytes are the event and, since the second form of entries, the cluster and the team of its service: they decide who sees the
//! entry. Chains that an earlier Headroom began go on in the new form; none goes back to the old one.

use crate::db::{Connection, Row, Value, beginning, containing, sql};
use crate::error::{Error, Result};
use crate::page::{Filter, limit, text};
use crate::store::{Store, Tx};
use headroom_model::auth::Teams;
use headroom_model::event::Event;
use headroom_model::time::Timestamp;
use headroom_model::view::{AuditQuery, AuditRow, PageOf};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// What the first entry is chained to.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The form of entries that are written now. Entries of the first form do not name theirs.
const FORM: u8 = 2;
/// Entries verified per read.
const BATCH: i64 = 1000;

/// The end of the chain: exported, it betrays a chain that was shortened or rewritten since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of the newest entry.
    pub seq: i64,
    /// Its hash, hexadecimal.
    pub hash: String,
}

/// What a check of the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// Entries that were checked.
    pub entries: u64,
    /// The end of the chain; `None` while it is empty.
    pub head: Option<AuditHead>,
    /// Entries about a service that an earlier Headroom wrote, whose team and cluster are not under the hash.
    pub unplaced: u64,
    /// The first fault, if there is one.
    pub fault: Option<AuditFault>,
}

/// Where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFault {
    /// The entry.
    pub seq: i64,
    /// What is wrong with it.
    pub what: String,
}

fn chained(prev_hash: &str, body: &str) -> String {
    hex::encode(Sha256::new().chain_update(prev_hash).chain_update(body).finalize())
}

/// Whose an entry is, as its hashed bytes say it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Place {
    form: u8,
    cluster: Option<String>,
    team: Option<String>,
}

impl Place {
    /// That of a service now; of nobody without one.
    async fn of(service: Option<uuid::Uuid>, on: &mut Connection) -> Result<Self> {
        let row = match service {
            Some(id) => sql("SELECT cluster, team FROM services WHERE id = $1").uuid(id).maybe(on).await?,
            None => None,
        };
        let Some(row) = row else { return Ok(Self { form: FORM, ..Self::default() }) };
        Ok(Self { form: FORM, cluster: Some(row.text("cluster")?), team: Some(row.text("team")?) })
    }
}

/// The bytes of an entry that are hashed.
fn content(event: &Event, place: &Place) -> Result<String> {
    let corrupt = |fault: serde_json::Error| Error::Corrupt { what: "event".into(), fault: fault.to_string() };
    let mut value = serde_json::to_value(event).map_err(corrupt)?;
    value["form"] = place.form.into();
    value["cluster"] = place.cluster.clone().into();
    value["team"] = place.team.clone().into();
    serde_json_canonicalizer::to_string(&value).map_err(corrupt)
}

fn canonical(event: &Event) -> Result<String> {
    serde_json_canonicalizer::to_string(event).map_err(|fault| Error::Corrupt { what: "event".into(), fault: fault.to_string() })
}

impl Tx {
    /// Chains an event to the audit log and puts it in the outbox; returns its number.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn record(&mut self, event: &Event) -> Result<i64> {
        let service = event.service_id.as_deref().and_then(|id| id.parse().ok());
        let place = Place::of(service, self.on()).await?;
        let body = content(event, &place)?;
        let newest = sql("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").maybe(self.on()).await?;
        let (seq, prev_hash) = match newest {
            Some(row) => (row.int("seq")? + 1, row.text("hash")?),
            None => (1, GENESIS.to_owned()),
        };
        sql("INSERT INTO audit (seq, prev_hash, hash, name, actor, subject_kind, subject, service_id, cluster, team, reason, wall_at, \
             cluster_at, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)")
        .int(seq)
        .text(&prev_hash)
        .text(chained(&prev_hash, &body))
        .text(&event.name)
        .text(&event.actor)
        .text(&event.subject_kind)
        .text(&event.subject)
        .maybe_text(event.service_id.as_deref())
        .maybe_text(place.cluster)
        .maybe_text(place.team)
        .maybe_text(event.reason.as_deref())
        .time(event.at.wall)
        .time(event.at.cluster)
        .text(body)
        .run(self.on())
        .await?;
        let outgoing = canonical(event)?;
        sql("INSERT INTO outbox (seq, event, at) VALUES ($1, $2, $3)").int(seq).text(outgoing).time(event.at.wall).run(self.on()).await?;
        self.effect = Some(format!("{} {}", event.subject_kind, event.subject));
        Ok(seq)
    }

    /// Marks outbox entries as published. `at` is wall time.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn published(&mut self, seqs: &[i64], at: Timestamp) -> Result<()> {
        for seq in seqs {
            sql("UPDATE outbox SET published_at = $2 WHERE seq = $1").int(*seq).time(at).run(self.on()).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Outbox entries that nobody has published, oldest first.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn unpublished(&self, limit: u32) -> Result<Vec<(i64, Event)>> {
        let rows = sql("SELECT seq, event FROM outbox WHERE published_at IS NULL ORDER BY seq LIMIT $1").int(i64::from(limit));
        rows.all(&mut self.read().await?).await?.iter().map(|row| Ok((row.int("seq")?, row.json_text("event")?))).collect()
    }

    /// One page of the audit log, newest first: what these teams' services went through, and what `reader` did.
    ///
    /// # Errors
    /// [`Error::BadCursor`].
    pub async fn audit_rows(&self, query: &AuditQuery, reader: &str, teams: &Teams) -> Result<PageOf<AuditRow>> {
        let mut filter = filter(query);
        if let Some(names) = teams.names() {
            let names = names.into_iter().map(str::to_owned).collect();
            filter.and("(team AMONG ? OR actor = ?)", [Value::Texts(names), text(reader)]);
        }
        let mut page = filter.clone();
        if !query.cursor.is_empty() {
            let before: i64 = query.cursor.strip_prefix("before-").and_then(|n| n.parse().ok()).ok_or(Error::BadCursor)?;
            page.and("seq < ?", [Value::Int(Some(before))]);
        }
        let limit = limit(query.limit);
        let on = &mut self.read().await?;
        // The chain has no gaps: the number of its end says how long it is.
        let count = if filter.is_empty() { "SELECT COALESCE(MAX(seq), 0) AS n FROM audit" } else { "SELECT COUNT(*) AS n FROM audit" };
        let total = if query.uncounted { 0 } else { filter.sql(count, "").one(on).await?.int("n")? };
        let mut rows =
            page.sql("SELECT seq, prev_hash, hash, body FROM audit", &format!(" ORDER BY seq DESC LIMIT {}", limit + 1)).all(on).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let items = with_links(on, &rows).await?;
        let next_cursor = items.last().filter(|_| more).map(|row| format!("before-{}", row.seq));
        Ok(PageOf { items, total: total.unsigned_abs(), next_cursor })
    }

    /// What was recorded about these subjects under these names (none: any), newest first, at most `most`.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Corrupt`].
    pub async fn events_about(&self, subjects: &[String], names: &[&str], most: u32) -> Result<Vec<AuditRow>> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let mut filter = Filter::default();
        filter.and("subject AMONG ?", [Value::Texts(subjects.to_vec())]);
        if !names.is_empty() {
            filter.one_of("name", names);
        }
        let on = &mut self.read().await?;
        let rows = filter.sql("SELECT seq, prev_hash, hash, body FROM audit", &format!(" ORDER BY seq DESC LIMIT {most}")).all(on).await?;
        with_links(on, &rows).await
    }

    /// Checks the whole chain: numbers without a gap, every hash, every searchable column against the hashed bytes, and the end against
    /// one that was exported earlier.
    ///
    /// # Errors
    /// [`Error::Database`]. A broken chain is not an error but a [`AuditReport::fault`].
    pub async fn verify_audit(&self, known: Option<&AuditHead>) -> Result<AuditReport> {
        let on = &mut self.read().await?;
        let mut report = AuditReport { entries: 0, head: None, unplaced: 0, fault: None };
        let mut form = 0;
        let mut met_known = known.is_none();
        loop {
            let after = report.head.as_ref().map_or(0, |head| head.seq);
            let rows = sql("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2").int(after).int(BATCH).all(on).await?;
            for row in &rows {
                let seq = row.int("seq")?;
                let checked = checked(row, report.head.as_ref(), form).unwrap_or_else(|fault| Err(fault.to_string()));
                let hash = match checked {
                    Ok(place) => {
                        form = place.form;
                        report.unplaced += u64::from(form < FORM && row.maybe_text("service_id")?.is_some());
                        row.text("hash")?
                    }
                    Err(what) => {
                        report.fault = Some(AuditFault { seq, what });
                        return Ok(report);
                    }
                };
                met_known |= known.is_some_and(|k| k.seq == seq && k.hash == hash);
                report.entries += 1;
                report.head = Some(AuditHead { seq, hash });
            }
            if (rows.len() as i64) < BATCH {
                break;
            }
        }
        if let Some(known) = known.filter(|_| !met_known) {
            let what = "the exported end of the chain is not in it: entries were removed or rewritten".to_owned();
            report.fault = Some(AuditFault { seq: known.seq, what });
        }
        Ok(report)
    }
}

/// An entry that follows `before` and one of this form: whose it is, or what is wrong with it.
fn checked(row: &Row, before: Option<&AuditHead>, form: u8) -> Result<std::result::Result<Place, String>> {
    let expected = before.map_or(1, |head| head.seq + 1);
    let prev = before.map_or(GENESIS, |head| head.hash.as_str());
    let seq = row.int("seq")?;
    if seq != expected {
        return Ok(Err(format!("entry {expected} is missing")));
    }
    let body = row.text("body")?;
    if row.text("prev_hash")? != prev || row.text("hash")? != chained(prev, &body) {
        return Ok(Err("its hash does not follow from its content and the entry before it".to_owned()));
    }
    let (Ok(event), Ok(place)) = (serde_json::from_str::<Event>(&body), serde_json::from_str::<Place>(&body)) else {
        return Ok(Err("its content cannot be read".to_owned()));
    };
    if place.form < form {
        return Ok(Err("it is of an older form than the entry before it".to_owned()));
    }
    let same = same_event(row, &event)? && same_place(row, &place)?;
    Ok(if same { Ok(place) } else { Err("a searchable column differs from its hashed content".to_owned()) })
}

fn same_event(row: &Row, event: &Event) -> Result<bool> {
    Ok(row.text("name")? == event.name
        && row.text("actor")? == event.actor
        && row.text("subject_kind")? == event.subject_kind
        && row.text("subject")? == event.subject
        && row.maybe_text("service_id")? == event.service_id
        && row.maybe_text("reason")? == event.reason
        && row.time("wall_at")? == event.at.wall
        && row.time("cluster_at")? == event.at.cluster)
}

/// Of an entry of the first form, all that is known is that one about no service is nobody's.
fn same_place(row: &Row, place: &Place) -> Result<bool> {
    let (cluster, team) = (row.maybe_text("cluster")?, row.maybe_text("team")?);
    if place.form < FORM && row.maybe_text("service_id")?.is_some() {
        return Ok(true);
    }
    Ok(cluster == place.cluster && team == place.team)
}

fn filter(query: &AuditQuery) -> Filter {
    let mut filter = Filter::default();
    let part = query.q.trim();
    if !part.is_empty() {
        let pattern = text(containing(part));
        filter.and(
            "(LOWER(name) LIKE ? ESCAPE '\\' OR LOWER(actor) LIKE ? ESCAPE '\\' OR LOWER(subject) LIKE ? ESCAPE '\\' \
             OR LOWER(COALESCE(reason, '')) LIKE ? ESCAPE '\\')",
            [pattern.clone(), pattern.clone(), pattern.clone(), pattern],
        );
    }
    filter.exactly("actor = ?", &query.actor);
    if !query.event.is_empty() {
        filter.and("LOWER(name) LIKE ? ESCAPE '\\'", [text(beginning(&query.event))]);
    }
    filter
}

/// Entries with the page where each can be seen. Changes are shown on their recommendation's page.
async fn with_links(on: &mut Connection, rows: &[Row]) -> Result<Vec<AuditRow>> {
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        entries.push(AuditRow {
            seq: row.int("seq")?,
            event: row.json_text("body")?,
            prev_hash: row.text("prev_hash")?,
            hash: row.text("hash")?,
            hashed: row.text("body")?,
            link: None,
        });
    }
    let changes =
        look_up(on, &entries, "change", "SELECT id, CAST(recommendation_id AS TEXT) AS target FROM changes WHERE id AMONG $1").await?;
    let services = look_up(on, &entries, "service", "SELECT id, service_name AS target FROM services WHERE id AMONG $1").await?;
    for entry in &mut entries {
        let subject = &entry.event.subject;
        entry.link = match entry.event.subject_kind.as_str() {
            "recommendation" => Some(format!("/recommendations/{subject}")),
            "change" => changes.get(subject).map(|id| format!("/recommendations/{id}")),
            "service" => services.get(subject).map(|name| format!("/services/{name}")),
            "policy" | "user" => Some("/settings".to_owned()),
            _ => None,
        };
    }
    Ok(entries)
}

async fn look_up(on: &mut Connection, entries: &[AuditRow], kind: &str, statement: &'static str) -> Result<HashMap<String, String>> {
    let mut ids: Vec<uuid::Uuid> =
        entries.iter().filter(|e| e.event.subject_kind == kind).filter_map(|e| e.event.subject.parse().ok()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut found = HashMap::new();
    for row in sql(statement).uuids(ids).all(on).await? {
        found.insert(row.uuid("id")?.to_string(), row.text("target")?);
    }
    Ok(found)
}
