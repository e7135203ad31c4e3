//! Lists: filters put together from fixed pieces, and pages by keyset, stable while rows are inserted.

use crate::db::{Row, Sql, Value};
use crate::error::{Error, Result};
use headroom_model::auth::Teams;
use headroom_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use uuid::Uuid;

/// Rows per page where nobody says otherwise, and at most.
const DEFAULT_LIMIT: u32 = 50;
const MOST: u32 = 200;

pub(crate) fn limit(asked: u32) -> u32 {
    if asked == 0 { DEFAULT_LIMIT } else { asked.min(MOST) }
}

/// Conditions joined by AND; `?` in a piece stands for its next argument.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    text: String,
    args: Vec<Value>,
}

impl Filter {
    /// Whether it lets everything through.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
    pub(crate) fn and(&mut self, piece: &str, args: impl IntoIterator<Item = Value>) {
        self.text.push_str(if self.text.is_empty() { " WHERE " } else { " AND " });
        let mut args = args.into_iter();
        for (i, part) in piece.split('?').enumerate() {
            if i > 0 {
                self.args.extend(args.next());
                self.text.push_str(&format!("${}", self.args.len()));
            }
            self.text.push_str(part);
        }
    }
    /// The same with one text argument, only if there is one.
    pub(crate) fn exactly(&mut self, piece: &str, value: &str) {
        if !value.is_empty() {
            self.and(piece, [text(value)]);
        }
    }
    /// Owned by one of these teams.
    pub(crate) fn within(&mut self, column: &str, teams: &Teams) {
        if let Some(names) = teams.names() {
            self.and(&format!("{column} AMONG ?"), [Value::Texts(names.into_iter().map(str::to_owned).collect())]);
        }
    }
    /// One of these words.
    pub(crate) fn one_of<T: Display>(&mut self, column: &str, words: &[T]) {
        let marks = vec!["?"; words.len()].join(", ");
        self.and(&format!("{column} IN ({marks})"), words.iter().map(text));
    }
    /// `before`, these conditions, `after`.
    pub(crate) fn sql(self, before: &str, after: &str) -> Sql {
        Sql::built(format!("{before}{}{after}", self.text), self.args)
    }
}

/// A text argument.
pub(crate) fn text(value: impl Display) -> Value {
    Value::Text(Some(value.to_string()))
}

/// An id as an argument.
pub(crate) fn uuid(value: Uuid) -> Value {
    Value::Uuid(Some(value))
}

/// A time as an argument.
pub(crate) fn time(value: Timestamp) -> Value {
    Value::Time(Some(value))
}

/// A word of a filter, or what it may be.
pub(crate) fn word<T: std::str::FromStr + Display>(field: &'static str, value: &str, all: &[T]) -> Result<T> {
    let allowed = || all.iter().map(T::to_string).collect::<Vec<_>>().join(", ");
    value.parse().map_err(|_| Error::BadFilter { field, value: value.to_owned(), allowed: allowed() })
}

/// What a list is ordered by. Every form has a value for every row, so that pages never lose one; of the kinds that `Maybe` begins some are
/// unknown, and no index serves them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyKind {
    Text,
    Real,
    Time,
    MaybeInt,
    MaybeReal,
}

/// An order: an SQL expression, its kind, and which way is natural. Ties are broken by `id`, ascending.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    expression: String,
    kind: KeyKind,
    descending: bool,
    id: &'static str,
    /// The order's name as asked for: a cursor belongs to it.
    name: String,
}

impl Order {
    /// `known` lists (word, expression, kind, largest first?). Unknown values of nullable expressions come last, either way round.
    pub(crate) fn parse(asked: &str, default: &str, id: &'static str, known: &[(&str, &str, KeyKind, bool)]) -> Result<Self> {
        let asked = if asked.is_empty() { default } else { asked };
        let (turned, word) = asked.strip_prefix('-').map_or((false, asked), |word| (true, word));
        let Some((_, expression, kind, natural)) = known.iter().find(|k| k.0 == word) else {
            let allowed = known.iter().map(|k| k.0).collect::<Vec<_>>().join(", ");
            return Err(Error::BadFilter { field: "sort", value: asked.to_owned(), allowed: format!("{allowed}, or one of them after -") });
        };
        let descending = *natural != turned;
        let last = match (kind, descending) {
            (KeyKind::Text | KeyKind::Real | KeyKind::Time, _) => None,
            (KeyKind::MaybeInt, true) => Some("-9223372036854775807"),
            (KeyKind::MaybeInt, false) => Some("9223372036854775807"),
            (KeyKind::MaybeReal, true) => Some("-1e300"),
            (KeyKind::MaybeReal, false) => Some("1e300"),
        };
        let expression = last.map_or_else(|| (*expression).to_owned(), |last| format!("COALESCE({expression}, {last})"));
        Ok(Self { expression, kind: *kind, descending, id, name: asked.to_owned() })
    }

    /// What a statement selects beside its columns.
    pub(crate) fn columns(&self) -> String {
        format!(", {} AS page_key, {} AS page_id", self.expression, self.id)
    }

    /// Its ORDER BY and LIMIT, one row more than the page: that one tells whether there is another page.
    pub(crate) fn tail(&self, limit: u32) -> String {
        let way = if self.descending { "DESC" } else { "ASC" };
        format!(" ORDER BY {} {way}, {} ASC LIMIT {}", self.expression, self.id, limit + 1)
    }

    /// Narrows to what comes after the cursor.
    pub(crate) fn after(&self, filter: &mut Filter, cursor: &str) -> Result<()> {
        if cursor.is_empty() {
            return Ok(());
        }
        let cursor = Cursor::read(cursor, &self.name)?;
        let key = match self.kind {
            KeyKind::Text => Value::Text(Some(cursor.key)),
            KeyKind::MaybeInt => Value::Int(Some(cursor.key.parse().map_err(|_| Error::BadCursor)?)),
            KeyKind::Real | KeyKind::MaybeReal => Value::Real(Some(f64::from_bits(cursor.key.parse().map_err(|_| Error::BadCursor)?))),
            KeyKind::Time => time(Timestamp::from_micros(cursor.key.parse().map_err(|_| Error::BadCursor)?)),
        };
        let (expression, id) = (&self.expression, self.id);
        let beyond = if self.descending { "<" } else { ">" };
        let piece = format!("({expression} {beyond} ? OR ({expression} = ? AND {id} > ?))");
        filter.and(&piece, [key.clone(), key, uuid(cursor.id)]);
        Ok(())
    }

    /// Cuts the surplus row off and makes the cursor of the next page from the last one kept.
    pub(crate) fn cut(&self, rows: &mut Vec<Row>, limit: u32) -> Result<Option<String>> {
        if rows.len() <= limit as usize {
            return Ok(None);
        }
        rows.truncate(limit as usize);
        let Some(last) = rows.last() else { return Ok(None) };
        let key = match self.kind {
            KeyKind::Text => last.text("page_key")?,
            KeyKind::MaybeInt => last.int("page_key")?.to_string(),
            KeyKind::Real | KeyKind::MaybeReal => last.real("page_key")?.to_bits().to_string(),
            KeyKind::Time => last.time("page_key")?.micros().to_string(),
        };
        Ok(Some(Cursor { order: self.name.clone(), key, id: last.uuid("page_id")? }.write()))
    }
}

/// Where a page ended.
#[derive(Serialize, Deserialize)]
struct Cursor {
    order: String,
    key: String,
    id: Uuid,
}

impl Cursor {
    fn write(&self) -> String {
        hex::encode(crate::db::to_json(self))
    }
    fn read(text: &str, order: &str) -> Result<Self> {
        let bytes = hex::decode(text).map_err(|_| Error::BadCursor)?;
        let cursor: Self = serde_json::from_slice(&bytes).map_err(|_| Error::BadCursor)?;
        if cursor.order == order { Ok(cursor) } else { Err(Error::BadCursor) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_numbered_in_order() {
        let mut filter = Filter::default();
        filter.exactly("a = ?", "x");
        filter.exactly("b = ?", "");
        filter.one_of("c", &["y", "z"]);
        assert_eq!(filter.text, " WHERE a = $1 AND c IN ($2, $3)");
        assert_eq!(filter.args.len(), 3);
    }

    #[test]
    fn cursors_belong_to_their_order() {
        let cursor = Cursor { order: "-name".into(), key: "k".into(), id: Uuid::nil() }.write();
        assert!(Cursor::read(&cursor, "-name").is_ok());
        for (text, order) in [(cursor.as_str(), "name"), ("zz", "-name"), ("00", "-name"), ("", "-name")] {
            assert!(matches!(Cursor::read(text, order), Err(Error::BadCursor)), "{text} {order}");
        }
    }

    #[test]
    fn an_unknown_order_is_refused_with_those_there_are() {
        let known = [("name", "s.name", KeyKind::Text, false), ("cost", "s.cost", KeyKind::MaybeInt, true)];
        assert!(Order::parse("", "name", "s.id", &known).is_ok());
        let fault = Order::parse("price", "name", "s.id", &known).unwrap_err().to_string();
        assert!(fault.contains("name, cost"), "{fault}");
    }
}
