//! Writing a pipeline: one buffer, sent in one write.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend;

use super::connection::Connection;
use super::statements::{Name, Statements};
use super::{Call, Context, End, Format, Isolation, Mode};
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
    /// BEGIN, context and calls; COMMIT or ROLLBACK follow by themselves.
    Open(Mode),
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

/// `set_config` for so many settings. `num_nulls` takes them all, in order, and answers with one small number;
/// selected one by one, every value (the claims, the headers) would be sent back.
fn context_sql(settings: usize, out: &mut String) {
    out.clear();
    out.push_str("select pg_catalog.num_nulls(");
    for i in 0..settings {
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(out, "{comma}pg_catalog.set_config(${},${},true)", 2 * i + 1, 2 * i + 2);
    }
    out.push(')');
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

    /// The COMMIT or ROLLBACK after [`Shape::Open`].
    pub(super) fn encode_end(&mut self, commit: bool) -> Result<(), Error> {
        let (name, sql) = if commit { (Name::Commit, COMMIT) } else { (Name::Rollback, ROLLBACK) };
        let mut writer = self.writer();
        let done = writer.step(name, sql, &[], &[]).map(|()| frontend::sync(writer.out));
        done.map_err(Error::protocol)?;
        self.outstanding += 1;
        Ok(())
    }

    fn writer(&mut self) -> Writer<'_> {
        Writer {
            out: &mut self.out,
            statements: &mut self.statements,
            name: &mut self.name,
            sql: &mut self.sql,
            named: !self.pooler,
        }
    }
}

type Param<'a> = Option<Cow<'a, [u8]>>;

struct Writer<'c> {
    out: &'c mut BytesMut,
    statements: &'c mut Statements,
    name: &'c mut String,
    sql: &'c mut String,
    named: bool,
}

impl Writer<'_> {
    fn pipeline(
        &mut self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        shape: Shape,
    ) -> Result<Layout, String> {
        self.close_given_up(calls)?;
        let mode = match shape {
            Shape::Whole(End::Implicit) => None,
            Shape::Whole(End::Commit(mode) | End::Rollback(mode)) | Shape::Open(mode) => Some(mode),
        };
        if let Some(mode) = mode {
            let (name, sql) = begin_sql(mode);
            self.step(name, sql, &[], &[])?;
        }
        self.context(context)?;
        for call in calls {
            let statement = call.statement;
            self.step(Name::Call(statement.id), &statement.sql, call.params, &statement.formats)?;
        }
        match shape {
            Shape::Whole(End::Commit(_)) => self.step(Name::Commit, COMMIT, &[], &[])?,
            Shape::Whole(End::Rollback(_)) => {
                self.step(Name::CheckConstraints, CHECK_CONSTRAINTS, &[], &[])?;
                self.step(Name::Rollback, ROLLBACK, &[], &[])?;
            }
            Shape::Whole(End::Implicit) | Shape::Open(_) => {}
        }
        frontend::sync(self.out);
        Ok(Layout { first_call: 1 + usize::from(mode.is_some()), calls: calls.len() })
    }

    /// First in the pipeline, so that no error can make the server skip it.
    fn close_given_up(&mut self, calls: &[Call<'_>]) -> Result<(), String> {
        if !self.named {
            return Ok(());
        }
        let names = calls.iter().map(|c| Name::Call(c.statement.id));
        let coming = names.filter(|name| !self.statements.has(*name)).count();
        for name in self.statements.take_closing(coming) {
            name.write(self.name);
            frontend::close(b'S', self.name, self.out).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn context(&mut self, context: &Context<'_>) -> Result<(), String> {
        let extra = if self.named { &[][..] } else { OUTPUT_BEYOND_POOLERS };
        let count = context.settings.len() + extra.len();
        let fresh = self.prepare_name(Name::Context(count));
        if fresh {
            context_sql(count, self.sql);
            frontend::parse(self.name, self.sql, [], self.out).map_err(|e| e.to_string())?;
        }
        let settings = context.settings.iter().chain(extra);
        let values = settings.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let put = |value: &[u8], out: &mut BytesMut| {
            out.extend_from_slice(value);
            Ok(IsNull::No)
        };
        frontend::bind("", self.name, [], values, put, [], self.out).map_err(bind_error)?;
        frontend::execute("", 0, self.out).map_err(|e| e.to_string())
    }

    /// Parse where needed, Bind, Execute.
    fn step(
        &mut self,
        name: Name,
        sql: &str,
        params: &[Param<'_>],
        formats: &[Format],
    ) -> Result<(), String> {
        if self.prepare_name(name) {
            frontend::parse(self.name, sql, [], self.out).map_err(|e| e.to_string())?;
        }
        let put = |value: &Param<'_>, out: &mut BytesMut| match value {
            None => Ok(IsNull::Yes),
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
        };
        let formats = formats.iter().map(|f| match f {
            Format::Text => 0,
            Format::Binary => 1,
        });
        frontend::bind("", self.name, [], params, put, formats, self.out).map_err(bind_error)?;
        frontend::execute("", 0, self.out).map_err(|e| e.to_string())
    }

    /// Sets the name to use and says whether a Parse must come first.
    fn prepare_name(&mut self, name: Name) -> bool {
        if !self.named {
            self.name.clear();
            return true;
        }
        name.write(self.name);
        self.statements.needs_parse(name)
    }
}

fn bind_error(e: frontend::BindError) -> String {
    match e {
        frontend::BindError::Conversion(e) => e.to_string(),
        frontend::BindError::Serialization(e) => e.to_string(),
    }
}
