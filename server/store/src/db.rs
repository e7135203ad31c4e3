//! The one place that knows a back end: how a value is bound, how a column is read, how a transaction begins.
//!
//! Statements are written once, with `$1` placeholders and forms that SQLite and PostgreSQL share. SQLite keeps uuids and JSON as
//! text and times as microseconds; a back end with native types converts them here.
//!
//! What awaits the driver is `#[boxed]`: an `async fn` is compiled again, driver and all, in every crate that awaits it.

use crate::error::{Error, Result};
use async_recursion::async_recursion as boxed;
use headroom_model::time::Timestamp;
use headroom_model::units::{Currency, Money};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Row as _, Sqlite, SqliteConnection};
use std::borrow::Cow;
use std::str::FromStr;
use uuid::Uuid;

/// A connection, in or out of a transaction.
pub(crate) type Connection = SqliteConnection;

/// One argument of a statement. Options keep their type where they hold nothing: a typed back end needs it.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Int(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Blob(Vec<u8>),
    Bool(Option<bool>),
    Uuid(Option<Uuid>),
    Time(Option<Timestamp>),
    Json(String),
    /// A list, for [`among`].
    List(String),
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
    pub(crate) fn maybe_text(self, value: Option<impl Into<String>>) -> Self {
        self.arg(Value::Text(value.map(Into::into)))
    }
    pub(crate) fn blob(self, value: Vec<u8>) -> Self {
        self.arg(Value::Blob(value))
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
    /// The numbers that [`among`] looks through.
    pub(crate) fn ints(self, values: &[i64]) -> Self {
        self.arg(Value::List(to_json(&values)))
    }
    /// The ids that [`among`] looks through.
    pub(crate) fn uuids(self, values: impl IntoIterator<Item = Uuid>) -> Self {
        self.arg(Value::List(to_json(&values.into_iter().collect::<Vec<_>>())))
    }
    /// Micro-units, then the currency: two arguments.
    pub(crate) fn money(self, value: Option<Money>) -> Self {
        self.int(value.map(|m| m.micros)).maybe_text(value.map(|m| m.currency.code().to_owned()))
    }

    /// Runs it; the number of rows that it touched.
    #[boxed]
    pub(crate) async fn run(self, on: &mut Connection) -> Result<u64> {
        let args = bind(self.args)?;
        let done = match self.text {
            Cow::Borrowed(text) => sqlx::query_with::<Sqlite, _>(text, args).execute(on).await?,
            Cow::Owned(text) => sqlx::query_with::<Sqlite, _>(AssertSqlSafe(text), args).persistent(false).execute(on).await?,
        };
        Ok(done.rows_affected())
    }
    /// Every row.
    #[boxed]
    pub(crate) async fn all(self, on: &mut Connection) -> Result<Vec<Row>> {
        let args = bind(self.args)?;
        let rows = match self.text {
            Cow::Borrowed(text) => sqlx::query_with::<Sqlite, _>(text, args).fetch_all(on).await?,
            Cow::Owned(text) => sqlx::query_with::<Sqlite, _>(AssertSqlSafe(text), args).persistent(false).fetch_all(on).await?,
        };
        Ok(rows.into_iter().map(Row).collect())
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

fn bind(values: Vec<Value>) -> Result<SqliteArguments> {
    let mut args = SqliteArguments::default();
    for value in values {
        let bound = match value {
            Value::Int(v) => args.add(v),
            Value::Real(v) => args.add(v.filter(|v| v.is_finite())),
            Value::Text(v) => args.add(v),
            Value::Blob(v) => args.add(v),
            Value::Bool(v) => args.add(v),
            Value::Uuid(v) => args.add(v.map(|v| v.to_string())),
            Value::Time(v) => args.add(v.map(Timestamp::micros)),
            Value::Json(v) | Value::List(v) => args.add(v),
        };
        bound.map_err(|e| Error::Database(sqlx::Error::Encode(e)))?;
    }
    Ok(args)
}

/// Domain values as JSON text.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("domain types serialise to JSON: text keys, no foreign types")
}

/// A row, read by column name.
pub(crate) struct Row(SqliteRow);

impl Row {
    fn get<'r, T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>>(&'r self, column: &'static str) -> Result<T> {
        Ok(self.0.try_get(column)?)
    }
    pub(crate) fn int(&self, column: &'static str) -> Result<i64> {
        self.get(column)
    }
    pub(crate) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>> {
        self.get(column)
    }
    /// A count: never negative.
    pub(crate) fn count(&self, column: &'static str) -> Result<u32> {
        Ok(u32::try_from(self.maybe_int(column)?.unwrap_or(0)).unwrap_or(0))
    }
    pub(crate) fn real(&self, column: &'static str) -> Result<f64> {
        self.get(column)
    }
    pub(crate) fn maybe_real(&self, column: &'static str) -> Result<Option<f64>> {
        self.get(column)
    }
    pub(crate) fn text(&self, column: &'static str) -> Result<String> {
        self.get(column)
    }
    pub(crate) fn maybe_text(&self, column: &'static str) -> Result<Option<String>> {
        self.get(column)
    }
    pub(crate) fn blob(&self, column: &'static str) -> Result<&[u8]> {
        self.get(column)
    }
    pub(crate) fn bool(&self, column: &'static str) -> Result<bool> {
        self.get(column)
    }
    pub(crate) fn maybe_bool(&self, column: &'static str) -> Result<Option<bool>> {
        self.get(column)
    }
    pub(crate) fn uuid(&self, column: &'static str) -> Result<Uuid> {
        self.word(column)
    }
    pub(crate) fn maybe_uuid(&self, column: &'static str) -> Result<Option<Uuid>> {
        self.maybe_text(column)?.map(|text| parse(column, &text)).transpose()
    }
    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp> {
        Ok(Timestamp::from_micros(self.int(column)?))
    }
    pub(crate) fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>> {
        Ok(self.maybe_int(column)?.map(Timestamp::from_micros))
    }
    /// A value with a name of its own: a state, a role, an id.
    pub(crate) fn word<T: FromStr>(&self, column: &'static str) -> Result<T>
    where
        T::Err: std::fmt::Display,
    {
        parse(column, self.get::<&str>(column)?)
    }
    pub(crate) fn maybe_word<T: FromStr>(&self, column: &'static str) -> Result<Option<T>>
    where
        T::Err: std::fmt::Display,
    {
        self.get::<Option<&str>>(column)?.map(|text| parse(column, text)).transpose()
    }
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        serde_json::from_str(self.get::<&str>(column)?).map_err(|fault| Error::Corrupt { what: column, fault: fault.to_string() })
    }
    /// Micro-units in one column, the currency in another; `None` when there is no amount.
    pub(crate) fn money(&self, micros: &'static str, currency: &'static str) -> Result<Option<Money>> {
        let Some(micros) = self.maybe_int(micros)? else { return Ok(None) };
        Ok(Some(Money { micros, currency: parse_currency(self.maybe_text(currency)?)? }))
    }
    /// The same for an amount that is always there; without a currency it is the default's.
    pub(crate) fn sum(&self, micros: &'static str, currency: &'static str) -> Result<Money> {
        Ok(Money { micros: self.maybe_int(micros)?.unwrap_or(0), currency: parse_currency(self.maybe_text(currency)?)? })
    }
}

fn parse<T: FromStr>(column: &'static str, text: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|fault: T::Err| Error::Corrupt { what: column, fault: fault.to_string() })
}

fn parse_currency(code: Option<String>) -> Result<Currency> {
    code.map_or(Ok(Currency::default()), |code| Currency::try_from(code).map_err(|fault| Error::Corrupt { what: "currency", fault }))
}

/// A condition: that `column` is in a list, which is one argument (`$number`) however long it is.
pub(crate) fn among(column: &str, number: usize) -> String {
    format!("{column} IN (SELECT value FROM json_each(${number}))")
}

/// `(?, ?), (?, ?)` for `rows` rows of `width` arguments, in order. SQLite looks through all names for each that it meets, so
/// thousands of arguments better have none.
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
    fn patterns_take_their_own_signs_literally() {
        assert_eq!(containing("50%_a\\B"), "%50\\%\\_a\\\\b%");
        assert_eq!(beginning("change."), "change.%");
        assert_eq!(tuples(2, 2), "(?, ?), (?, ?)");
    }
}
