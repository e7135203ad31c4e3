//! The one place that knows the back ends: how a value is bound, how a column is read, what a statement is called in each.
//!
//! Statements are written once, in a dialect of the house: `$1` placeholders, forms that SQLite and PostgreSQL share, and three that
//! are put into the words of each here: `AMONG $1` (in a list that is one argument), `?` (the next argument, for rows by the hundred)
//! and `FOR UPDATE`, with or without `SKIP LOCKED`. SQLite keeps uuids and JSON as text and times as microseconds; PostgreSQL has
//! types of its own for them.
//!
//! What awaits the driver is `#[boxed]`: an `async fn` is compiled again, driver and all, in every crate that awaits it.

use crate::error::{Error, Result};
use async_recursion::async_recursion as boxed;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use headroom_model::time::Timestamp;
use headroom_model::units::{Currency, Money};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::types::{Json, JsonRawValue};
use sqlx::{Arguments, AssertSqlSafe, PgConnection, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, SqliteConnection, Transaction};
use std::borrow::Cow;
use std::str::FromStr;
use time::OffsetDateTime;
use uuid::Uuid;

/// A connection of either back end, in or out of a transaction.
#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    SqliteTx(Transaction<'static, Sqlite>),
    Postgres(PoolConnection<Postgres>),
    PostgresTx(Transaction<'static, Postgres>),
}

enum Driver<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Connection {
    fn driver(&mut self) -> Driver<'_> {
        match self {
            Self::Sqlite(c) => Driver::Sqlite(c),
            Self::SqliteTx(c) => Driver::Sqlite(c),
            Self::Postgres(c) => Driver::Postgres(c),
            Self::PostgresTx(c) => Driver::Postgres(c),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::PostgresTx(_))
    }

    #[boxed]
    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::SqliteTx(tx) => tx.commit().await?,
            Self::PostgresTx(tx) => tx.commit().await.map_err(|fault| Error::from(fault).at_commit())?,
            Self::Sqlite(_) | Self::Postgres(_) => {}
        }
        Ok(())
    }

    #[boxed]
    pub(crate) async fn roll_back(self) -> Result<()> {
        match self {
            Self::SqliteTx(tx) => tx.rollback().await?,
            Self::PostgresTx(tx) => tx.rollback().await?,
            Self::Sqlite(_) | Self::Postgres(_) => {}
        }
        Ok(())
    }
}

/// One argument of a statement. Options keep their type where they hold nothing: PostgreSQL needs it.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Int(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
    Bool(Option<bool>),
    Uuid(Option<Uuid>),
    Time(Option<Timestamp>),
    Json(String),
    Ints(Vec<i64>),
    Uuids(Vec<Uuid>),
    Texts(Vec<String>),
}

/// A statement with its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Sql {
    text: Cow<'static, str>,
    args: Vec<Value>,
}

/// A statement whose text is known when Headroom is built.
pub(crate) fn sql(text: &'static str) -> Sql {
    Sql { text: Cow::Borrowed(text), args: Vec::new() }
}

impl Sql {
    /// A statement put together from fixed pieces; everything that comes from outside is an argument.
    pub(crate) fn built(text: String, args: Vec<Value>) -> Self {
        Self { text: Cow::Owned(text), args }
    }
    pub(crate) fn arg(mut self, value: Value) -> Self {
        self.args.push(value);
        self
    }
    pub(crate) fn int(self, value: impl Into<Option<i64>>) -> Self {
        self.arg(Value::Int(value.into()))
    }
    pub(crate) fn real(self, value: impl Into<Option<f64>>) -> Self {
        self.arg(Value::Real(value.into()))
    }
    pub(crate) fn text(self, value: impl Into<String>) -> Self {
        self.arg(Value::Text(Some(value.into())))
    }
    /// The name of a service beside its id, at most 100 characters: a longer one, of cluster, namespace and name, is cut.
    pub(crate) fn service_name(self, name: &str) -> Self {
        self.text(name.chars().take(100).collect::<String>())
    }
    pub(crate) fn maybe_text(self, value: Option<impl Into<String>>) -> Self {
        self.arg(Value::Text(value.map(Into::into)))
    }
    pub(crate) fn blob(self, value: Vec<u8>) -> Self {
        self.arg(Value::Blob(Some(value)))
    }
    pub(crate) fn bool(self, value: impl Into<Option<bool>>) -> Self {
        self.arg(Value::Bool(value.into()))
    }
    pub(crate) fn uuid(self, value: impl Into<Option<Uuid>>) -> Self {
        self.arg(Value::Uuid(value.into()))
    }
    pub(crate) fn time(self, value: impl Into<Option<Timestamp>>) -> Self {
        self.arg(Value::Time(value.into()))
    }
    pub(crate) fn json<T: Serialize>(self, value: &T) -> Self {
        self.arg(Value::Json(to_json(value)))
    }
    /// The numbers of an `AMONG`.
    pub(crate) fn ints(self, values: Vec<i64>) -> Self {
        self.arg(Value::Ints(values))
    }
    /// The ids of an `AMONG`.
    pub(crate) fn uuids(self, values: impl IntoIterator<Item = Uuid>) -> Self {
        self.arg(Value::Uuids(values.into_iter().collect()))
    }
    /// The words of an `AMONG`.
    pub(crate) fn texts(self, values: Vec<String>) -> Self {
        self.arg(Value::Texts(values))
    }
    /// Micro-units, then the currency: two arguments.
    pub(crate) fn money(self, value: Option<Money>) -> Self {
        self.int(value.map(|m| m.micros)).maybe_text(value.map(|m| m.currency.code().to_owned()))
    }

    /// Runs it; the number of rows that it touched.
    #[boxed]
    pub(crate) async fn run(self, on: &mut Connection) -> Result<u64> {
        let kept = matches!(self.text, Cow::Borrowed(_));
        Ok(match on.driver() {
            Driver::Sqlite(on) => {
                let (text, args) = (safe(for_sqlite(self.text)), bind_sqlite(self.args)?);
                sqlx::query_with::<Sqlite, _>(text, args).persistent(kept).execute(on).await?.rows_affected()
            }
            Driver::Postgres(on) => {
                let (text, args) = (safe(for_postgres(self.text)), bind_postgres(self.args)?);
                sqlx::query_with::<Postgres, _>(text, args).persistent(kept).execute(on).await?.rows_affected()
            }
        })
    }
    /// Runs what the back end may refuse, such as a key that is taken; then nothing of it is left, and the transaction goes on.
    #[boxed]
    pub(crate) async fn attempt(self, on: &mut Connection) -> Result<u64> {
        if !matches!(on, Connection::PostgresTx(_)) {
            return self.run(on).await;
        }
        sql("SAVEPOINT attempt").run(on).await?;
        let done = self.run(on).await;
        if done.is_err() {
            sql("ROLLBACK TO SAVEPOINT attempt").run(on).await?;
        }
        sql("RELEASE SAVEPOINT attempt").run(on).await?;
        done
    }
    /// Every row, one after the other, for what does not fit into memory.
    pub(crate) fn stream(self, on: &mut Connection) -> Result<Rows<'_>> {
        Ok(match on.driver() {
            Driver::Sqlite(on) => {
                let (text, args) = (safe(for_sqlite(self.text)), bind_sqlite(self.args)?);
                Rows::Sqlite(sqlx::query_with::<Sqlite, _>(text, args).fetch(on))
            }
            Driver::Postgres(on) => {
                let (text, args) = (safe(for_postgres(self.text)), bind_postgres(self.args)?);
                Rows::Postgres(sqlx::query_with::<Postgres, _>(text, args).fetch(on))
            }
        })
    }
    /// Every row.
    #[boxed]
    pub(crate) async fn all(self, on: &mut Connection) -> Result<Vec<Row>> {
        let kept = matches!(self.text, Cow::Borrowed(_));
        Ok(match on.driver() {
            Driver::Sqlite(on) => {
                let (text, args) = (safe(for_sqlite(self.text)), bind_sqlite(self.args)?);
                let rows = sqlx::query_with::<Sqlite, _>(text, args).persistent(kept).fetch_all(on).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Driver::Postgres(on) => {
                let (text, args) = (safe(for_postgres(self.text)), bind_postgres(self.args)?);
                let rows = sqlx::query_with::<Postgres, _>(text, args).persistent(kept).fetch_all(on).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }
    /// The only row, if there is one.
    pub(crate) async fn maybe(self, on: &mut Connection) -> Result<Option<Row>> {
        Ok(self.all(on).await?.into_iter().next())
    }
    /// The only row of a statement that always has one.
    pub(crate) async fn one(self, on: &mut Connection) -> Result<Row> {
        self.maybe(on).await?.ok_or_else(|| Error::Database(sqlx::Error::RowNotFound))
    }
}

/// Rows on their way.
pub(crate) enum Rows<'c> {
    Sqlite(BoxStream<'c, sqlx::Result<SqliteRow>>),
    Postgres(BoxStream<'c, sqlx::Result<PgRow>>),
}

impl Rows<'_> {
    #[boxed]
    pub(crate) async fn next(&mut self) -> Result<Option<Row>> {
        Ok(match self {
            Self::Sqlite(rows) => rows.try_next().await?.map(Row::Sqlite),
            Self::Postgres(rows) => rows.try_next().await?.map(Row::Postgres),
        })
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Real,
    Text,
    Blob,
    Bool,
    Uuid,
    Time,
    Json,
}

impl Kind {
    /// By PostgreSQL's name of a type.
    pub(crate) fn of(name: &str) -> Result<Self> {
        Ok(match name {
            "bigint" => Self::Int,
            "double precision" => Self::Real,
            "text" | "character varying" => Self::Text,
            "bytea" => Self::Blob,
            "boolean" => Self::Bool,
            "uuid" => Self::Uuid,
            "timestamp with time zone" => Self::Time,
            "jsonb" => Self::Json,
            other => return Err(corrupt("schema", format!("{other} is not a type that Headroom uses"))),
        })
    }
}

/// Every text is put together from pieces of this crate; what comes from outside is an argument.
fn safe(text: Cow<'static, str>) -> SqlStr {
    match text {
        Cow::Borrowed(text) => text.into_sql_str(),
        Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
    }
}

const AMONG: &str = "AMONG $";
const SKIP_LOCKED: &str = " FOR UPDATE SKIP LOCKED";
const FOR_UPDATE: &str = " FOR UPDATE";

/// SQLite has one writer at a time: it needs no locks on rows.
fn for_sqlite(text: Cow<'static, str>) -> Cow<'static, str> {
    if !text.contains(AMONG) && !text.contains(FOR_UPDATE) {
        return text;
    }
    let unlocked = text.replace(SKIP_LOCKED, "").replace(FOR_UPDATE, "");
    Cow::Owned(each_among(&unlocked, |number| format!("IN (SELECT value FROM json_each(${number}))")))
}

fn for_postgres(text: Cow<'static, str>) -> Cow<'static, str> {
    if !text.contains(AMONG) && !text.contains('?') {
        return text;
    }
    let text = each_among(&text, |number| format!("= ANY(${number})"));
    let mut out = String::with_capacity(text.len() + 64);
    for (i, part) in text.split('?').enumerate() {
        if i > 0 {
            out.push_str(&format!("${i}"));
        }
        out.push_str(part);
    }
    Cow::Owned(out)
}

fn each_among(text: &str, put: impl Fn(&str) -> String) -> String {
    let mut parts = text.split(AMONG);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        out.push_str(&put(&part[..end]));
        out.push_str(&part[end..]);
    }
    out
}

/// Whether a text, or one inside a JSON, holds the character NUL.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::Text(Some(text)) => text.contains('\0'),
        // An escaped NUL, unless it is the backslash that is escaped.
        Value::Json(text) => text.match_indices("\\u0000").any(|(at, _)| {
            let before = text.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
            before % 2 == 0
        }),
        _ => false,
    }
}

fn bind_sqlite(values: Vec<Value>) -> Result<SqliteArguments> {
    let mut args = SqliteArguments::default();
    for value in values {
        if holds_nul(&value) {
            return Err(Error::Nul);
        }
        let bound = match value {
            Value::Int(v) => args.add(v),
            Value::Real(v) => args.add(v.filter(|v| v.is_finite())),
            Value::Text(v) => args.add(v),
            Value::Blob(v) => args.add(v),
            Value::Bool(v) => args.add(v),
            Value::Uuid(v) => args.add(v.map(|v| v.to_string())),
            Value::Time(v) => args.add(v.map(Timestamp::micros)),
            Value::Json(v) => args.add(v),
            Value::Ints(v) => args.add(to_json(&v)),
            Value::Uuids(v) => args.add(to_json(&v)),
            Value::Texts(v) => args.add(to_json(&v)),
        };
        bound.map_err(|e| Error::Database(sqlx::Error::Encode(e)))?;
    }
    Ok(args)
}

fn bind_postgres(values: Vec<Value>) -> Result<PgArguments> {
    let mut args = PgArguments::default();
    for value in values {
        if holds_nul(&value) {
            return Err(Error::Nul);
        }
        let bound = match value {
            Value::Int(v) => args.add(v),
            Value::Real(v) => args.add(v.filter(|v| v.is_finite())),
            Value::Text(v) => args.add(v),
            Value::Blob(v) => args.add(v),
            Value::Bool(v) => args.add(v),
            Value::Uuid(v) => args.add(v),
            Value::Time(v) => args.add(v.map(moment).transpose()?),
            Value::Json(v) => args.add(Json(JsonRawValue::from_string(v).map_err(|fault| corrupt("json", fault))?)),
            Value::Ints(v) => args.add(v),
            Value::Uuids(v) => args.add(v),
            Value::Texts(v) => args.add(v),
        };
        bound.map_err(|e| Error::Database(sqlx::Error::Encode(e)))?;
    }
    Ok(args)
}

fn moment(at: Timestamp) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.micros()) * 1000).map_err(|fault| corrupt("time", fault))
}

fn corrupt(what: &str, fault: impl ToString) -> Error {
    Error::Corrupt { what: what.to_owned(), fault: fault.to_string() }
}

/// Domain values as JSON text.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("domain types serialise to JSON: text keys, no foreign types")
}

/// A row, read by column name.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What both back ends read alike.
trait Common<'r>: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite> + sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres> {}
impl<'r, T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite> + sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>> Common<'r> for T {}

impl Row {
    fn get<'r, T: Common<'r>>(&'r self, column: &str) -> Result<T> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }
    pub(crate) fn int(&self, column: &str) -> Result<i64> {
        self.get(column)
    }
    pub(crate) fn maybe_int(&self, column: &str) -> Result<Option<i64>> {
        self.get(column)
    }
    /// A count: never negative.
    pub(crate) fn count(&self, column: &str) -> Result<u32> {
        Ok(u32::try_from(self.maybe_int(column)?.unwrap_or(0)).unwrap_or(0))
    }
    pub(crate) fn real(&self, column: &str) -> Result<f64> {
        self.get(column)
    }
    pub(crate) fn maybe_real(&self, column: &str) -> Result<Option<f64>> {
        self.get(column)
    }
    pub(crate) fn text(&self, column: &str) -> Result<String> {
        self.get(column)
    }
    pub(crate) fn maybe_text(&self, column: &str) -> Result<Option<String>> {
        self.get(column)
    }
    pub(crate) fn blob(&self, column: &str) -> Result<&[u8]> {
        self.get(column)
    }
    pub(crate) fn maybe_blob(&self, column: &str) -> Result<Option<&[u8]>> {
        self.get(column)
    }
    pub(crate) fn bool(&self, column: &str) -> Result<bool> {
        self.get(column)
    }
    pub(crate) fn maybe_bool(&self, column: &str) -> Result<Option<bool>> {
        self.get(column)
    }
    pub(crate) fn uuid(&self, column: &str) -> Result<Uuid> {
        match self {
            Self::Sqlite(_) => self.word(column),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
    pub(crate) fn maybe_uuid(&self, column: &str) -> Result<Option<Uuid>> {
        match self {
            Self::Sqlite(_) => self.maybe_word(column),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
    pub(crate) fn time(&self, column: &str) -> Result<Timestamp> {
        self.maybe_time(column)?.ok_or_else(|| corrupt(column, "there is no time"))
    }
    pub(crate) fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>> {
        let micros = match self {
            Self::Sqlite(row) => row.try_get::<Option<i64>, _>(column)?,
            Self::Postgres(row) => {
                let moment: Option<OffsetDateTime> = row.try_get(column)?;
                moment.map(|m| i64::try_from(m.unix_timestamp_nanos() / 1000).map_err(|fault| corrupt(column, fault))).transpose()?
            }
        };
        Ok(micros.map(Timestamp::from_micros))
    }
    /// A value with a name of its own: a state, a role, an id.
    pub(crate) fn word<T: FromStr>(&self, column: &str) -> Result<T>
    where
        T::Err: std::fmt::Display,
    {
        parse(column, self.get::<&str>(column)?)
    }
    pub(crate) fn maybe_word<T: FromStr>(&self, column: &str) -> Result<Option<T>>
    where
        T::Err: std::fmt::Display,
    {
        self.get::<Option<&str>>(column)?.map(|text| parse(column, text)).transpose()
    }
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(self.raw_json(column)?).map_err(|fault| corrupt(column, fault))
    }
    /// JSON in a text column, or nothing.
    pub(crate) fn maybe_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        self.maybe_text(column)?.map(|text| serde_json::from_str(&text).map_err(|fault| corrupt(column, fault))).transpose()
    }
    /// JSON that is kept as text on every back end, byte for byte.
    pub(crate) fn json_text<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(self.get::<&str>(column)?).map_err(|fault| corrupt(column, fault))
    }
    /// A column of any kind. Columns of JSON always hold something.
    pub(crate) fn value(&self, column: &str, kind: Kind) -> Result<Value> {
        Ok(match kind {
            Kind::Int => Value::Int(self.get(column)?),
            Kind::Real => Value::Real(self.get(column)?),
            Kind::Text => Value::Text(self.get(column)?),
            Kind::Blob => Value::Blob(self.get(column)?),
            Kind::Bool => Value::Bool(self.get(column)?),
            Kind::Uuid => Value::Uuid(self.maybe_uuid(column)?),
            Kind::Time => Value::Time(self.maybe_time(column)?),
            Kind::Json => Value::Json(self.raw_json(column)?.to_owned()),
        })
    }
    fn raw_json(&self, column: &str) -> Result<&str> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get::<&str, _>(column)?,
            Self::Postgres(row) => row.try_get::<&JsonRawValue, _>(column)?.get(),
        })
    }
    /// Micro-units in one column, the currency in another; `None` when there is no amount.
    pub(crate) fn money(&self, micros: &str, currency: &str) -> Result<Option<Money>> {
        let Some(micros) = self.maybe_int(micros)? else { return Ok(None) };
        Ok(Some(Money { micros, currency: parse_currency(self.maybe_text(currency)?)? }))
    }
    /// The same for an amount that is always there; without a currency it is the default's.
    pub(crate) fn sum(&self, micros: &str, currency: &str) -> Result<Money> {
        Ok(Money { micros: self.maybe_int(micros)?.unwrap_or(0), currency: parse_currency(self.maybe_text(currency)?)? })
    }
}

fn parse<T: FromStr>(column: &str, text: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|fault: T::Err| corrupt(column, fault))
}

fn parse_currency(code: Option<String>) -> Result<Currency> {
    code.map_or(Ok(Currency::default()), |code| Currency::try_from(code).map_err(|fault| corrupt("currency", fault)))
}

/// `(?, ?), (?, ?)` for `rows` rows of `width` arguments, in order. SQLite looks through all names for each that it meets, so
/// hundreds of arguments better have none.
pub(crate) fn tuples(rows: usize, width: usize) -> String {
    let row = format!("({})", vec!["?"; width].join(", "));
    vec![row; rows].join(", ")
}

/// A pattern that finds `part` anywhere, for `LIKE … ESCAPE '\'`, compared in lower case.
pub(crate) fn containing(part: &str) -> String {
    format!("%{}%", escaped(part))
}

/// A pattern that finds what begins with `part`.
pub(crate) fn beginning(part: &str) -> String {
    format!("{}%", escaped(part))
}

fn escaped(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for c in part.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_found_in_texts_and_in_json() {
        for (value, holds) in [
            (Value::Text(Some("a\0b".into())), true),
            (Value::Text(Some("a\\u0000".into())), false),
            (Value::Json(to_json(&"a\0b")), true),
            (Value::Json(to_json(&"a\\\0b")), true),
            (Value::Json(to_json(&"a\\u0000b")), false),
            (Value::Json(to_json(&"a\\\\u0000b")), false),
        ] {
            assert_eq!(holds_nul(&value), holds, "{value:?}");
        }
    }

    #[test]
    fn patterns_take_their_own_signs_literally() {
        assert_eq!(containing("50%_a\\B"), "%50\\%\\_a\\\\b%");
        assert_eq!(beginning("change."), "change.%");
    }

    #[test]
    fn each_back_end_gets_its_own_words() {
        let text = || Cow::Borrowed("SELECT a FROM t WHERE b AMONG $12 AND c = $1 FOR UPDATE SKIP LOCKED");
        assert_eq!(for_sqlite(text()), "SELECT a FROM t WHERE b IN (SELECT value FROM json_each($12)) AND c = $1");
        assert_eq!(for_postgres(text()), "SELECT a FROM t WHERE b = ANY($12) AND c = $1 FOR UPDATE SKIP LOCKED");
        let rows = format!("INSERT INTO t VALUES {}", tuples(2, 2));
        assert_eq!(for_sqlite(Cow::Owned(rows.clone())), "INSERT INTO t VALUES (?, ?), (?, ?)");
        assert_eq!(for_postgres(Cow::Owned(rows)), "INSERT INTO t VALUES ($1, $2), ($3, $4)");
    }
}
