//! What the writer makes and `data` runs.

use std::sync::Arc;

use crate::output::{Format, Output};
use crate::request::ValueRef;

/// Where a parameter's text comes from when a cached statement is bound.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// A value of the request as text (a list becomes an array literal).
    Value(ValueRef),
    /// As `Value`, with `*` turned into `%` (like, ilike).
    Pattern(ValueRef),
    /// A JSON field of a body, converted to the text form of the type `plan` chose (see `pgtext`).
    Json(ValueRef, crate::pgtext::Target),
    /// The page limit, one more when the statement probes for more rows.
    Limit { value: ValueRef, plus_one: bool },
    /// Fixed when planned (a configured maximum, for example).
    Fixed(Arc<str>),
}

/// SQL text with its parameters and result formats.
#[derive(Debug, Clone, PartialEq)]
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
    /// One row, one bigint (binary int8), or `EXPLAIN (FORMAT JSON)` text for planned counts.
    pub count: Option<CountSql>,
    /// Whether this may write: which pool it runs on and whether it can be retried.
    pub writes: bool,
    /// SET LOCAL-like settings the operation asks for beyond the security context (function-level settings hoisted).
    pub settings: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
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
}

#[derive(Debug, Clone)]
pub struct CountSql {
    pub sql: Sql,
    pub kind: crate::request::Count,
}
