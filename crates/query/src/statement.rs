//! What the writer makes and `data` runs.

use std::borrow::Cow;
use std::sync::Arc;

use bedplate_core::{Problem, problem};

use crate::media::Media;
use crate::output::{Format, Output};
use crate::pgtext;
use crate::request::{Value, ValueRef, Values};

/// Where a parameter's text comes from when a cached statement is bound.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// A value of the request as text (a list becomes an array literal).
    Value(ValueRef),
    /// As `Value`, with `*` turned into `%` (like, ilike).
    Pattern(ValueRef),
    /// A JSON field of a body, converted to the text form of the type `plan` chose (see `pgtext`).
    Json(ValueRef, pgtext::Target),
    /// As `Json` with an array target, for a variadic argument: one value alone is a list of one.
    Items(ValueRef, pgtext::Target),
    /// As `Json`; of several texts the last (a repeated key of a query string).
    Last(ValueRef, pgtext::Target),
    /// The page limit, `max` at most, one more when the statement probes for more rows.
    Limit { value: ValueRef, max: Option<u64>, plus_one: bool },
    /// Fixed when planned (a configured maximum, for example).
    Fixed(Arc<str>),
}

/// SQL text with its parameters and result formats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sql {
    pub text: Arc<str>,
    pub params: Vec<Param>,
    pub formats: Arc<[Format]>,
}

/// The statements of one operation, run in one pipeline and one transaction, cached by (catalog version, role,
/// operation).
#[derive(Debug, Clone)]
pub struct Planned {
    /// Checks before the main statement, each answering one boolean-less row when it holds: a parent of a nested
    /// path exists and is visible. No row: 404.
    pub guards: Vec<Sql>,
    pub main: Main,
    /// How many rows there are without the page.
    pub count: Option<CountSql>,
    /// Whether this may write: which pool it runs on and whether it can be retried.
    pub writes: bool,
    /// SET LOCAL-like settings the operation asks for beyond the security context (function-level settings hoisted).
    pub settings: Vec<(String, String)>,
}

#[derive(Debug, Clone, Default)]
pub struct Main {
    pub sql: Sql,
    pub output: Output,
    /// Result columns (text format) with the order keys, behind the output's columns; for cursors.
    pub order_columns: Vec<u16>,
    /// The order as resolved, in canonical form (`created_at.desc.nullslast,id.asc.nullslast`), for binding cursors.
    pub order: Arc<str>,
    /// Rows come in reverse and must be turned round.
    pub reversed: bool,
    /// Result columns (text format) with the primary key, for `Location` and single-resource answers.
    pub key_columns: Vec<u16>,
    /// Functions that return one value or one row, not a set.
    pub single: bool,
    /// Upserts: a boolean (binary), whether the row was inserted; false where it was updated. Absent where PostgreSQL
    /// does not tell (views, partitioned tables, roles without SELECT on the whole table).
    pub inserted_column: Option<u16>,
    /// Writes whose answer may leave rows out: how many were written (binary int8). Where it is absent, the command tag
    /// or the number of rows tells.
    pub affected_column: Option<u16>,
    /// Function calls that count: how many rows there are without the page (binary int8).
    pub total_column: Option<u16>,
    /// Where a row comes even if there is nothing to answer (so that its other columns are told): whether it is one of the
    /// answer (binary boolean; NULL: it is not).
    pub present_column: Option<u16>,
    /// Answers that PostgreSQL puts together ([`Output::Body`]): of how many rows (binary int8).
    pub rows_column: Option<u16>,
    /// What the answer is.
    pub media: Media,
}

impl Main {
    /// The statement's plan is answered; there are no rows to count.
    pub fn is_plan(&self) -> bool {
        self.output == Output::Lines
    }

    /// Whether the answer is one JSON value that stands without brackets.
    pub fn is_single(&self) -> bool {
        self.single || matches!(self.media, Media::Object { .. })
    }
}

#[derive(Debug, Clone)]
pub struct CountSql {
    /// Exact: one bigint (binary int8). Planned: the text of `EXPLAIN (FORMAT JSON)`; `Plan Rows` of its root is the
    /// count. Estimated: as exact, but no further than one more than the page maximum.
    pub sql: Sql,
    pub kind: crate::request::Count,
    /// Estimated: the EXPLAIN to run when `sql` reached its bound, or there is none; the larger number counts.
    pub estimate: Option<Sql>,
}

impl Sql {
    /// The parameters in text format; `None` is NULL.
    ///
    /// # Errors
    /// A JSON value of a body whose shape does not fit its column, or a value with a NUL byte, which PostgreSQL's text
    /// cannot hold.
    pub fn bind<'v>(&'v self, values: &'v Values) -> Result<Vec<Option<Cow<'v, [u8]>>>, Problem> {
        self.params.iter().map(|param| param.bind(values)).collect()
    }
}

impl Param {
    fn bind<'v>(&'v self, values: &'v Values) -> Result<Option<Cow<'v, [u8]>>, Problem> {
        let text = match self {
            Self::Fixed(text) => Some(Cow::Borrowed(&**text)),
            Self::Value(value) => plain(values.get(*value)),
            Self::Pattern(value) => pattern(values.get(*value)),
            Self::Json(value, target) => match values.get(*value) {
                Value::Json(json) => pgtext::from_json(json, target)?,
                other => plain(other),
            },
            Self::Items(value, target) => match values.get(*value) {
                Value::Json(json) if !json.trim_start().starts_with(['[', 'n']) => {
                    let array = format!("[{json}]");
                    pgtext::from_json(&array, target)?.map(|text| Cow::Owned(text.into_owned()))
                }
                Value::Json(json) => pgtext::from_json(json, target)?,
                Value::Text(text) => Some(Cow::Owned(pgtext::list(&[Some(text.clone())]))),
                other => plain(other),
            },
            Self::Last(value, target) => match values.get(*value) {
                Value::Json(json) => pgtext::from_json(json, target)?,
                Value::List(items) => items.last().and_then(|item| item.as_deref()).map(Cow::Borrowed),
                other => plain(other),
            },
            Self::Limit { value, max, plus_one } => {
                Some(Cow::Owned(limit(values.get(*value), *max, *plus_one)))
            }
        };
        match text {
            Some(text) if memchr::memchr(0, text.as_bytes()).is_some() => {
                Err(Problem::new(&problem::MALFORMED)
                    .detail("A value holds a NUL character, which text cannot"))
            }
            Some(Cow::Borrowed(text)) => Ok(Some(Cow::Borrowed(text.as_bytes()))),
            Some(Cow::Owned(text)) => Ok(Some(Cow::Owned(text.into_bytes()))),
            None => Ok(None),
        }
    }
}

fn plain(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) => Some(Cow::Borrowed(text)),
        Value::List(items) => Some(Cow::Owned(pgtext::list(items))),
        Value::Json(json) => Some(Cow::Borrowed(json)),
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        Value::Null => None,
    }
}

fn pattern(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) if text.contains('*') => Some(Cow::Owned(text.replace('*', "%"))),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(|item| item.as_ref().map(|i| i.replace('*', "%"))).collect();
            Some(Cow::Owned(pgtext::list(&items)))
        }
        other => plain(other),
    }
}

/// What is no whole number is passed on, for PostgreSQL to refuse.
fn limit(value: &Value, max: Option<u64>, plus_one: bool) -> String {
    let asked = match value {
        Value::Int(number) => *number,
        other => match plain(other).and_then(|text| text.parse().ok()) {
            Some(number) => number,
            None => return plain(other).unwrap_or_default().into_owned(),
        },
    };
    let most = max.map_or(i64::MAX, |max| i64::try_from(max).unwrap_or(i64::MAX));
    asked.min(most).saturating_add(i64::from(plus_one)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pgtext::Target;

    fn bound(param: Param, value: Value) -> Option<String> {
        let sql = Sql { text: "".into(), params: vec![param], formats: [].into() };
        let values = Values(vec![value]);
        let bound = sql.bind(&values).unwrap().remove(0);
        bound.map(|bytes| String::from_utf8(bytes.into_owned()).unwrap())
    }

    const FIRST: ValueRef = ValueRef(0);

    #[test]
    fn values_become_text() {
        assert_eq!(bound(Param::Value(FIRST), Value::Text("a*".into())).unwrap(), "a*");
        assert_eq!(bound(Param::Value(FIRST), Value::Int(-3)).unwrap(), "-3");
        assert_eq!(bound(Param::Value(FIRST), Value::Null), None);
        let list = Value::List(vec![Some("a\"b\\".into()), None, Some(String::new()), Some("NULL".into())]);
        assert_eq!(bound(Param::Value(FIRST), list).unwrap(), r#"{"a\"b\\",NULL,"","NULL"}"#);
        assert_eq!(bound(Param::Fixed("x".into()), Value::Null).unwrap(), "x");
    }

    #[test]
    fn patterns_have_percent_signs() {
        assert_eq!(bound(Param::Pattern(FIRST), Value::Text("*a_*".into())).unwrap(), "%a_%");
        let list = Value::List(vec![Some("*b".into()), None]);
        assert_eq!(bound(Param::Pattern(FIRST), list).unwrap(), "{%b,NULL}");
    }

    #[test]
    fn limits_are_capped_and_probed() {
        let limit = |max, plus_one| Param::Limit { value: FIRST, max, plus_one };
        assert_eq!(bound(limit(Some(100), true), Value::Int(20)).unwrap(), "21");
        assert_eq!(bound(limit(Some(100), true), Value::Int(1_000_000)).unwrap(), "101");
        assert_eq!(bound(limit(None, false), Value::Int(i64::MAX)).unwrap(), i64::MAX.to_string());
        assert_eq!(bound(limit(None, true), Value::Int(i64::MAX)).unwrap(), i64::MAX.to_string());
        assert_eq!(bound(limit(Some(7), false), Value::Text("9".into())).unwrap(), "7");
        assert_eq!(bound(limit(Some(7), false), Value::Text("x".into())).unwrap(), "x");
    }

    #[test]
    fn json_null_is_null_and_texts_of_a_query_string_pass() {
        let json = |text: &str| Value::Json(text.into());
        assert_eq!(bound(Param::Json(FIRST, Target::Json), json(" null ")), None);
        assert_eq!(bound(Param::Json(FIRST, Target::Scalar), json("null")), None);
        assert_eq!(bound(Param::Json(FIRST, Target::Json), json("\"null\"")).unwrap(), "\"null\"");
        assert_eq!(bound(Param::Json(FIRST, Target::Scalar), json("\"x\"")).unwrap(), "x");
        assert_eq!(bound(Param::Json(FIRST, Target::Scalar), Value::Text("x".into())).unwrap(), "x");
    }
}
