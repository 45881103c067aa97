//! What can be wrong with a query string, with enough detail for every front door's error format.

use std::borrow::Cow;
use std::fmt;

use bedplate_core::Problem;
use bedplate_core::problem::LIMIT_EXCEEDED;

use crate::problems::QUERY_SYNTAX;

/// A query string that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub kind: Kind,
    /// The key of the parameter at fault, decoded.
    pub parameter: Box<str>,
    /// What is wrong and what would be right; for people.
    pub message: Box<str>,
    /// Characters before the fault in [`Error::input`].
    pub position: usize,
    /// A few characters from the fault on; empty at the end of the input.
    pub near: Box<str>,
    /// The key or the value that was being read.
    pub input: Box<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Percent-encoding or UTF-8.
    Encoding,
    /// The grammar; `expecting` completes "expecting …".
    Syntax { subject: Subject, expecting: Box<str> },
    /// One of [`Limits`](crate::limits::Limits).
    Limit,
    /// A filter, order or limit for a relation that the select list does not embed.
    NotEmbedded { name: Box<str> },
    /// A parameter given twice that may stand once.
    Repeated,
    /// `limit` or `offset` is not a whole number of zero or more.
    Range,
}

/// Which part of the grammar was being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Select,
    Order,
    Filter,
    LogicTree,
    /// The key of a filter or of an order or limit.
    TreePath,
    /// The key of an and/or.
    LogicPath,
    Columns,
    OnConflict,
    /// A parameter with a word as its value (`distinct`).
    Word,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.parameter, self.message)
    }
}

impl std::error::Error for Error {}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = if error.kind == Kind::Limit { &LIMIT_EXCEEDED } else { &QUERY_SYNTAX };
        let problem = Self::new(code).detail(error.to_string());
        problem.field(error.parameter.clone(), error.message.clone()).caused_by(error)
    }
}

/// A fault inside one key or value; becomes an [`Error`] where the parameter is known.
#[derive(Debug)]
pub(super) enum Fault {
    /// Byte offset of the unexpected, and what could have stood there.
    Unexpected { at: usize, expecting: Cow<'static, str> },
    /// No operator, or an unknown one, at the byte offset.
    Operator { at: usize },
    /// A bound on one request.
    Limit { what: &'static str, most: usize },
}

impl Fault {
    pub(super) fn at(at: usize, expecting: impl Into<Cow<'static, str>>) -> Self {
        Self::Unexpected { at, expecting: expecting.into() }
    }

    pub(super) fn into_error(self, parameter: &str, subject: Subject, input: &str) -> Error {
        match self {
            Self::Limit { what, most } => Error {
                kind: Kind::Limit,
                parameter: parameter.into(),
                message: format!("at most {most} {what} are allowed in one request").into(),
                position: 0,
                near: "".into(),
                input: "".into(),
            },
            Self::Unexpected { at, expecting } => {
                let (position, near) = place(input, at);
                let found = if near.is_empty() { "the end".to_owned() } else { format!("`{near}`") };
                let message =
                    format!("unexpected {found} after {position} characters, expecting {expecting}");
                syntax(parameter, subject, input, (position, near), message, expecting)
            }
            Self::Operator { at } => {
                let (position, near) = place(input, at);
                let word: String = near.chars().take_while(|c| !matches!(c, '.' | '(' | ',')).collect();
                let message = if near.is_empty() || word.len() == near.len() {
                    format!(
                        "`{near}` has no operator: write eq.{near} to compare for equality (operators: {OPERATORS})"
                    )
                } else {
                    format!(
                        "unknown operator `{word}` (operators: {OPERATORS}, each also with not. before it)"
                    )
                };
                syntax(parameter, subject, input, (position, near), message, "operator (eq, gt, ...)".into())
            }
        }
    }
}

/// Every operator of the grammar, for messages.
pub(super) const OPERATORS: &str = "eq, neq, gt, gte, lt, lte, like, ilike, match, imatch, in, is, isdistinct, \
                                    fts, plfts, phfts, wfts, cs, cd, ov, sl, sr, nxr, nxl, adj";

fn syntax(
    parameter: &str,
    subject: Subject,
    input: &str,
    (position, near): (usize, String),
    message: String,
    expecting: Cow<'static, str>,
) -> Error {
    Error {
        kind: Kind::Syntax { subject, expecting: expecting.as_ref().into() },
        parameter: parameter.into(),
        message: message.into(),
        position,
        near: near.into(),
        input: input.into(),
    }
}

/// Characters before a byte offset, and a few from there on.
fn place(input: &str, at: usize) -> (usize, String) {
    let (before, after) = input.split_at_checked(at).unwrap_or((input, ""));
    (before.chars().count(), after.chars().take(20).collect())
}

impl Error {
    pub(super) fn plain(kind: Kind, parameter: &str, input: &str, message: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            parameter: parameter.into(),
            message: message.into(),
            position: 0,
            near: input.chars().take(20).collect(),
            input: input.into(),
        }
    }
}
