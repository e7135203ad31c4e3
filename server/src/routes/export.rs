//! `/audit/export.csv` and `/audit/export.json`: every entry that a search finds, newest first, as a file. Streamed page by page, so
//! that a long chain needs no memory. What is taken away is noted in the chain itself: the one look that leaves something, a note of it.

use crate::identity::{self, Caller};
use crate::problem::Refusal;
use crate::rest::extract::Parameters;
use crate::rest::shapes::AuditItem;
use crate::state::AppState;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{StreamExt, stream};
use headroom_model::auth::OpContext;
use headroom_model::view::AuditQuery;
use headroom_service::Headroom;
use http::header;
use serde::Deserialize;
use std::sync::Arc;

/// Entries per read.
const PAGE: u32 = 200;
const COLUMNS: [&str; 14] = [
    "seq",
    "event",
    "actor",
    "wall",
    "cluster",
    "subject_kind",
    "subject",
    "reason",
    "before",
    "after",
    "request_id",
    "prev_hash",
    "hashed",
    "hash",
];

/// The routes.
pub fn router() -> Router<AppState> {
    Router::new().route("/audit/export.csv", get(csv)).route("/audit/export.json", get(json))
}

/// What the search of the audit page asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
    q: String,
    actor: String,
    event: String,
}

async fn csv(State(state): State<AppState>, Parameters(search): Parameters<Search>, request: Request) -> Result<Response, Refusal> {
    let ctx = signed_in(&state, &request)?;
    export(state, ctx, search, Form::Csv).await
}

async fn json(State(state): State<AppState>, Parameters(search): Parameters<Search>, request: Request) -> Result<Response, Refusal> {
    let ctx = signed_in(&state, &request)?;
    export(state, ctx, search, Form::Json).await
}

fn signed_in(state: &AppState, request: &Request) -> Result<OpContext, Refusal> {
    let caller = request.extensions().get::<Caller>().cloned();
    let Caller(person) = caller.ok_or_else(|| Refusal::new("unauthenticated", "sign in to take the audit chain with you"))?;
    Ok(identity::context(state, request.extensions(), person))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Json,
}

impl Form {
    fn head(self) -> String {
        match self {
            Self::Csv => line(COLUMNS),
            Self::Json => "[".to_owned(),
        }
    }
    fn entry(self, item: &AuditItem, first: bool) -> String {
        match self {
            Self::Csv => record(item),
            Self::Json => {
                let comma = if first { "\n" } else { ",\n" };
                format!("{comma}{}", serde_json::to_string(item).unwrap_or_default())
            }
        }
    }
    const fn tail(self) -> &'static str {
        match self {
            Self::Csv => "",
            Self::Json => "\n]\n",
        }
    }
}

/// How far the file is written.
enum Place {
    At { cursor: String, begun: bool },
    Done,
}

async fn export(state: AppState, ctx: OpContext, search: Search, form: Form) -> Result<Response, Refusal> {
    let query = AuditQuery { q: search.q, actor: search.actor, event: search.event, limit: PAGE, uncounted: true, ..AuditQuery::default() };
    state.headroom.audit_exported(&ctx, &query, if form == Form::Csv { "csv" } else { "json" }).await?;
    // The first page is read before the answer begins: what is refused is refused with a status.
    let first = page(&state.headroom, &ctx, &query, form, "", false).await?;
    let headroom = Arc::clone(&state.headroom);
    let rest = stream::try_unfold(first.1, move |place| {
        let (headroom, ctx, query) = (Arc::clone(&headroom), ctx.clone(), query.clone());
        async move {
            let Place::At { cursor, begun } = place else { return Ok::<_, std::io::Error>(None) };
            let next = page(&headroom, &ctx, &query, form, &cursor, begun).await;
            next.map(Some).map_err(|_| std::io::Error::other("the audit chain could not be read to its end"))
        }
    });
    let body = Body::from_stream(stream::once(async move { Ok(first.0) }).chain(rest));
    let (kind, name) = match form {
        Form::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"headroom-audit.csv\""),
        Form::Json => ("application/json", "attachment; filename=\"headroom-audit.json\""),
    };
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], body).into_response())
}

/// The text of one page of entries, and where the next begins.
async fn page(
    headroom: &Headroom,
    ctx: &OpContext,
    query: &AuditQuery,
    form: Form,
    cursor: &str,
    begun: bool,
) -> Result<(String, Place), headroom_service::Error> {
    let rows = headroom.audit(ctx, &AuditQuery { cursor: cursor.to_owned(), ..query.clone() }).await?;
    let mut text = if begun { String::new() } else { form.head() };
    let mut first = !begun;
    for item in rows.items.into_iter().map(AuditItem::from) {
        text += &form.entry(&item, first);
        first = false;
    }
    Ok(match rows.next_cursor {
        Some(cursor) => (text, Place::At { cursor, begun: true }),
        None => (text + form.tail(), Place::Done),
    })
}

fn record(item: &AuditItem) -> String {
    let value = |v: &Option<serde_json::Value>| v.as_ref().map(ToString::to_string).unwrap_or_default();
    line([
        item.seq.to_string().as_str(),
        &item.event,
        &item.actor,
        &item.wall,
        &item.cluster,
        &item.subject_kind,
        &item.subject,
        item.reason.as_deref().unwrap_or_default(),
        &value(&item.before),
        &value(&item.after),
        &item.request_id,
        &item.prev_hash,
        &item.hashed,
        &item.hash,
    ])
}

fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    cells.into_iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n"
}

/// A cell of RFC 4180. What a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        assert_eq!(line(["a", "b,c", "say \"so\"", "two\nlines"]), "a,\"b,c\",\"say \"\"so\"\"\",\"two\nlines\"\r\n");
        for formula in ["=1+1", "+1", "-1", "@sum(a)", "\tx"] {
            assert!(cell(formula).trim_start_matches('"').starts_with('\''), "{formula}");
        }
        assert_eq!(cell("=\"a\""), "\"'=\"\"a\"\"\"");
    }
}
