//! The request pipeline: security context and statements in one write, one Sync, rows straight from the read
//! buffer. The task of the request reads the socket itself; there is no task per connection and no channel.
//!
//! Success is reported only at ReadyForQuery: rows and even CommandComplete arrive before the commit, and deferred
//! constraints or serialization failures may still refuse it.

mod connection;
mod encode;
mod output;
mod run;
mod statements;
mod transaction;
mod wire;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bedplate_core::Problem;
use smallvec::SmallVec;

pub(crate) use connection::Connection;
pub(crate) use run::Nobody;
pub use wire::{Columns, Row};

/// How a result column is sent (protocol documentation, "Formats and Format Codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Text,
    Binary,
}

/// One SQL statement, to be prepared on each connection that meets it. It belongs to one catalog version, one role
/// and one shape: PostgreSQL plans anew at each change of role under row security, so a statement that two roles
/// share costs twice.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Unique in this process; from [`Statement::new`].
    pub id: u64,
    /// Exactly one statement. Parameters are `$1` …, their types inferred or cast in the text.
    pub sql: Arc<str>,
    /// Of each result column; none means all text, one stands for all.
    pub formats: Arc<[Format]>,
}

impl Statement {
    pub fn new(sql: impl Into<Arc<str>>, formats: impl Into<Arc<[Format]>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), sql: sql.into(), formats: formats.into() }
    }
}

/// A statement with the values of its parameters, in text format; `None` is NULL.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub statement: &'a Statement,
    pub params: &'a [Option<Cow<'a, [u8]>>],
}

/// What holds for the transaction before the first statement, and ends with it (`set_config(…, true)`).
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Names and values. The first must be `role` with the name of a role: a context without one is refused, so
    /// that nothing runs as the login role by oversight.
    pub settings: &'a [(&'a str, &'a str)],
}

impl Context<'_> {
    /// Whether the role is set, and really changes the role.
    fn has_role(&self) -> bool {
        self.settings.first().is_some_and(|(name, value)| {
            *name == "role" && !value.is_empty() && !value.eq_ignore_ascii_case("none")
        })
    }

    fn is_read_only(&self) -> bool {
        self.settings.iter().any(|(name, value)| *name == "transaction_read_only" && *value == "on")
    }
}

/// Takes the rows of a pipeline as they arrive.
///
/// An error from [`row`](RowSink::row) stops the delivery, and the rest is drained or cancelled. What it means for
/// the transaction: with [`Lease::run_checked`](crate::Lease::run_checked) and [`End::Rollback`] nothing is
/// committed. With [`End::Implicit`] and [`End::Commit`] the server may commit all the same, because the commit is
/// already on its way: there, only let a sink fail that receives reads.
pub trait RowSink: Send {
    /// A row of the call with this index.
    fn row(&mut self, call: usize, row: Row<'_>) -> Result<(), Problem>;

    /// The call has ended, with the count of its command tag: rows written or, for a SELECT, returned. Not yet
    /// committed.
    fn complete(&mut self, call: usize, affected: u64) {
        let _ = (call, affected);
    }

    /// The same calls are about to be run again, after nothing of them took effect: drop what was received. `false`
    /// (the default) if that cannot be done, which ends the run with the error instead.
    fn restart(&mut self) -> bool {
        false
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    #[default]
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// How an explicit transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mode {
    pub isolation: Isolation,
    /// Writes fail with SQLSTATE 25006. An implicit transaction gets the same from the setting
    /// `transaction_read_only` = `on` in its context, without a BEGIN.
    pub read_only: bool,
}

/// How a pipeline ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// One Sync: PostgreSQL's implicit transaction around everything. The cheapest, and read committed.
    Implicit,
    /// BEGIN and COMMIT in the same pipeline.
    Commit(Mode),
    /// A dry run: constraints are checked, then everything is undone.
    Rollback(Mode),
}

/// What one call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallOutcome {
    /// Rows that came back.
    pub rows: u64,
    /// The count of the command tag; equals `rows` for a SELECT.
    pub affected: u64,
}

/// What a pipeline did, call by call. Handed out when PostgreSQL has committed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    pub calls: SmallVec<[CallOutcome; 4]>,
}
