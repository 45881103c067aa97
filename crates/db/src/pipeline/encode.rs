//! Writing a pipeline: one buffer, sent in one write.

use std::borrow::Cow;
use std::fmt::Write as _;

use smallvec::SmallVec;

use super::connection::Connection;
use super::output::{Output, Unwritable, values};
use super::statements::{Name, Statements};
use super::{Call, Context, End, Isolation, Mode};
use crate::error::Error;
use crate::startup::OUTPUT_BEYOND_POOLERS;

/// Which of the pipeline's Executes are the calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) first_call: usize,
    pub(super) calls: usize,
}

/// What a pipeline is to hold besides context and calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Whole(End),
    /// BEGIN, context and calls; more calls, then COMMIT or ROLLBACK follow by themselves.
    Open(Mode),
}

/// How a transaction of several pipelines ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Commit,
    /// Deferred constraints are checked before everything is undone.
    DryRun,
}

const COMMIT: &str = "commit";
const ROLLBACK: &str = "rollback";
const CHECK_CONSTRAINTS: &str = "set constraints all immediate";

fn begin_sql(mode: Mode) -> (Name, &'static str) {
    let (number, sql) = match (mode.isolation, mode.read_only) {
        (Isolation::ReadCommitted, false) => (0, "begin isolation level read committed read write"),
        (Isolation::ReadCommitted, true) => (1, "begin isolation level read committed read only"),
        (Isolation::RepeatableRead, false) => (2, "begin isolation level repeatable read read write"),
        (Isolation::RepeatableRead, true) => (3, "begin isolation level repeatable read read only"),
        (Isolation::Serializable, false) => (4, "begin isolation level serializable read write"),
        (Isolation::Serializable, true) => (5, "begin isolation level serializable read only"),
    };
    (Name::Begin(number), sql)
}

/// `set_config` for these settings. `num_nulls` takes them all, in order, and answers with one small number; selected one by
/// one, every value (the claims, the headers) would be sent back.
fn context_sql(settings: &[(&str, &str)], with_names: bool) -> String {
    let mut sql = String::from("select pg_catalog.num_nulls(");
    for (i, (name, _)) in settings.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = if with_names {
            write!(sql, "{comma}pg_catalog.set_config('{name}',${},true)", i + 1)
        } else {
            write!(sql, "{comma}pg_catalog.set_config(${},${},true)", 2 * i + 1, 2 * i + 2)
        };
    }
    sql.push(')');
    sql
}

impl Connection {
    /// Puts the whole pipeline, Sync included, into the output buffer. On an error nothing is left in it.
    pub(super) fn encode(
        &mut self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        shape: Shape,
    ) -> Result<Layout, Error> {
        if !context.has_role() {
            return Err(Error::Misuse("a request's context must begin with a role"));
        }
        let layout = self.writer().pipeline(context, calls, shape);
        self.encoded(layout)
    }

    fn encoded(&mut self, layout: Result<Layout, &'static str>) -> Result<Layout, Error> {
        match layout {
            Ok(layout) => {
                self.outstanding += 1;
                Ok(layout)
            }
            Err(e) => {
                // Statements that were noted as sent or closed are not: prepare everything anew.
                self.out.clear();
                self.discard("a pipeline could not be written");
                Err(Error::protocol(e))
            }
        }
    }

    /// More calls after [`Shape::Open`], in the same transaction. On an error nothing is left in the buffer.
    pub(super) fn encode_more(&mut self, calls: &[Call<'_>]) -> Result<Layout, Error> {
        let layout = self.writer().more(calls);
        self.encoded(layout)
    }

    /// Calls and the COMMIT after [`Shape::Open`], in one message. On an error nothing is left in the buffer.
    pub(super) fn encode_last(&mut self, calls: &[Call<'_>]) -> Result<Layout, Error> {
        let layout = self.writer().last(calls);
        self.encoded(layout)
    }

    /// The end after [`Shape::Open`]. Returns how many statements it is.
    pub(super) fn encode_end(&mut self, ending: Ending) -> Result<usize, Error> {
        let statements: &[(Name, &str)] = match ending {
            Ending::Commit => &[(Name::Commit, COMMIT)],
            Ending::DryRun => &[(Name::CheckConstraints, CHECK_CONSTRAINTS), (Name::Rollback, ROLLBACK)],
        };
        let mut writer = self.writer();
        let done = statements.iter().try_for_each(|(name, sql)| writer.plain(*name, sql));
        done.map(|()| writer.out.sync()).map_err(Error::protocol)?;
        self.outstanding += 1;
        Ok(statements.len())
    }

    fn writer(&mut self) -> Writer<'_> {
        Writer { out: &mut self.out, statements: &mut self.statements, named: !self.pooler }
    }
}

struct Writer<'c> {
    out: &'c mut Output,
    statements: &'c mut Statements,
    named: bool,
}

impl Writer<'_> {
    fn pipeline(
        &mut self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        shape: Shape,
    ) -> Result<Layout, Unwritable> {
        self.close_given_up(calls)?;
        let mode = match shape {
            Shape::Whole(End::Implicit) => None,
            Shape::Whole(End::Commit(mode) | End::Rollback(mode)) | Shape::Open(mode) => Some(mode),
        };
        if let Some(mode) = mode {
            let (name, sql) = begin_sql(mode);
            self.plain(name, sql)?;
        }
        self.context(context)?;
        self.calls(calls)?;
        match shape {
            Shape::Whole(End::Commit(_)) => self.plain(Name::Commit, COMMIT)?,
            Shape::Whole(End::Rollback(_)) => {
                self.plain(Name::CheckConstraints, CHECK_CONSTRAINTS)?;
                self.plain(Name::Rollback, ROLLBACK)?;
            }
            Shape::Whole(End::Implicit) | Shape::Open(_) => {}
        }
        self.out.sync();
        Ok(Layout { first_call: 1 + usize::from(mode.is_some()), calls: calls.len() })
    }

    fn more(&mut self, calls: &[Call<'_>]) -> Result<Layout, Unwritable> {
        self.close_given_up(calls)?;
        self.calls(calls)?;
        self.out.sync();
        Ok(Layout { first_call: 0, calls: calls.len() })
    }

    fn last(&mut self, calls: &[Call<'_>]) -> Result<Layout, Unwritable> {
        self.close_given_up(calls)?;
        self.calls(calls)?;
        self.plain(Name::Commit, COMMIT)?;
        self.out.sync();
        Ok(Layout { first_call: 0, calls: calls.len() })
    }

    fn calls(&mut self, calls: &[Call<'_>]) -> Result<(), Unwritable> {
        for call in calls {
            let statement = call.statement;
            let name = self.prepare(Name::Call(statement.id), || Cow::Borrowed(&*statement.sql))?;
            self.out.bind(name, values(call), &statement.formats)?;
            self.out.execute();
        }
        Ok(())
    }

    /// First in the pipeline, so that no error can make the server skip it.
    fn close_given_up(&mut self, calls: &[Call<'_>]) -> Result<(), Unwritable> {
        if !self.named {
            return Ok(());
        }
        let names = calls.iter().map(|c| Name::Call(c.statement.id));
        let coming = names.filter(|name| !self.statements.has(*name)).count();
        for name in self.statements.take_closing(coming) {
            self.out.close(name)?;
        }
        Ok(())
    }

    fn context(&mut self, context: &Context<'_>) -> Result<(), Unwritable> {
        let all: SmallVec<[_; 16]>;
        let settings = if self.named {
            context.settings
        } else {
            all = context.settings.iter().chain(OUTPUT_BEYOND_POOLERS).copied().collect();
            &all
        };
        let name = self.statements.context(settings);
        let with_names = matches!(name, Name::Context(_));
        let name = self.prepare(name, || Cow::Owned(context_sql(settings, with_names)))?;
        if with_names {
            self.out.bind(name, settings.iter().map(|(_, value)| Some(value.as_bytes())), &[])?;
        } else {
            let both: Vec<_> = settings.iter().flat_map(|(name, value)| [name, value]).collect();
            self.out.bind(name, both.into_iter().map(|text| Some(text.as_bytes())), &[])?;
        }
        self.out.execute();
        Ok(())
    }

    /// A statement without parameters.
    fn plain(&mut self, name: Name, sql: &str) -> Result<(), Unwritable> {
        let name = self.prepare(name, || Cow::Borrowed(sql))?;
        self.out.bind(name, std::iter::empty(), &[])?;
        self.out.execute();
        Ok(())
    }

    /// The name to bind, and a Parse before it where one is needed.
    fn prepare<'s>(
        &mut self,
        name: Name,
        sql: impl FnOnce() -> Cow<'s, str>,
    ) -> Result<Option<Name>, Unwritable> {
        let name = self.named.then_some(name);
        if name.is_none_or(|name| self.statements.needs_parse(name)) {
            self.out.parse(name, &sql())?;
        }
        Ok(name)
    }
}
