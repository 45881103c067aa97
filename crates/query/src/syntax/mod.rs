//! The query-string grammar shared by the front doors (PostgREST's), parsed into the IR, and printed back.
//!
//! Extensions over PostgREST, where [`Options::extensions`] allows them: columns of embedded relations inside and/or
//! trees (`or=(author.name.eq.x,title.eq.y)`), `distinct=true`, and `having=(n.gt.5)` over aggregates. Looser than PostgREST everywhere: nested and
//! quoted braces in trees, line breaks as blanks, `::type[]`. Stricter, unless [`Options::postgrest`]: nothing that is left
//! over is ignored.
//!
//! A key that would be a keyword names a column when it is quoted: `"order"=eq.1`. `emb=is.null` arrives as a test on
//! a column named `emb`, and `rel(count)` as a column named `count`; the planner, which knows the columns, decides.

mod budget;
mod decode;
mod error;
mod filter;
mod key;
mod list;
mod logic;
mod order;
mod print;
mod scan;
mod select;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use decode::{Pair, Pairs, pairs};
pub use error::{Error, Kind, Subject};
pub use print::{fingerprint, operator_name, print};

use crate::limits::Limits;
use crate::request::{Name, Node, Values};

/// Whose rules hold where the front doors differ.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// PostgREST's leniency: a `%` without hex digits stays, keys without `=` are ignored, of a repeated `select`,
    /// `order`, `columns` or `on_conflict` the first counts and of a repeated `limit` or `offset` the last; `columns`
    /// and `on_conflict` are read; text behind a select list, tree or list of values is not looked at; a limit or offset
    /// that is no number does not count, a negative offset is none; `in.("")` is the empty list. Without it a repetition is
    /// an error (ASVS 15.3.7), and so is the rest.
    pub postgrest: bool,
    /// The extensions of the grammar.
    pub extensions: bool,
    /// Values without an operator are kept as leftovers: arguments of a function called by GET.
    pub arguments: bool,
    /// Keys that belong to the front door (`cursor`, `page`, …); left over, unread.
    pub reserved: fn(&str) -> bool,
}

impl Options {
    pub const NATIVE: Self =
        Self { postgrest: false, extensions: true, arguments: false, reserved: |_| false };
    pub const POSTGREST: Self =
        Self { postgrest: true, extensions: false, arguments: false, reserved: |_| false };
}

/// What a query string asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed<'q> {
    pub node: Node,
    pub values: Values,
    /// `columns=`, without repetitions (PostgREST only).
    pub columns: Option<Vec<Name>>,
    /// `on_conflict=` (PostgREST only).
    pub on_conflict: Option<Vec<Name>>,
    /// Reserved keys and arguments, in the order written.
    pub leftovers: Vec<(Cow<'q, str>, Cow<'q, str>)>,
}

/// Reads the part of a URL behind `?`.
pub fn parse<'q>(query: &'q str, limits: &Limits, options: &Options) -> Result<Parsed<'q>, Error> {
    parse_pairs(pairs(query, options.postgrest)?, limits, options)
}

/// Reads pairs that are already decoded.
pub fn parse_pairs<'q>(pairs: Pairs<'q>, limits: &Limits, options: &Options) -> Result<Parsed<'q>, Error> {
    let mut reader = key::Reader::new(limits, options);
    reader.select(&pairs)?;
    for (key, value) in pairs {
        reader.pair(key, value)?;
    }
    Ok(reader.finish())
}

/// A comma list of names (`a,"b c"`), without repetitions: PostgREST's `columns` and `on_conflict`.
pub fn names(parameter: &str, subject: Subject, text: &str, limits: &Limits) -> Result<Vec<Name>, Error> {
    key::names(text, limits, false).map_err(|fault| fault.into_error(parameter, subject, text))
}
