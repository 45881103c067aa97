//! Running a pipeline: send, hand out rows, and say how it ended.

use bedplate_core::Problem;
use postgres_protocol::escape::escape_literal;

use super::connection::{Connection, IDLE};
use super::encode::{Ending, Layout, Shape};
use super::statements::Name;
use super::wire::{Row, affected};
use super::{Call, CallOutcome, Context, End, Mode, Outcome, RowSink};
use crate::error::{DbError, Error};

/// After a sink has failed, so many more bytes are read in its request's time before the rest is cancelled.
const PATIENCE: usize = 256 * 1024;

/// What one pass over the pipeline's answers has brought.
pub(super) struct Pass<'s> {
    layout: Layout,
    sink: &'s mut dyn RowSink,
    /// How many Executes have ended.
    executed: usize,
    outcome: Outcome,
    /// The sink has seen something.
    delivered: bool,
    /// The server has begun with the pipeline.
    begun: bool,
    refused: Option<Problem>,
    drained_since: usize,
    error: Option<DbError>,
}

impl<'s> Pass<'s> {
    pub(super) fn new(layout: Layout, sink: &'s mut dyn RowSink) -> Self {
        let mut outcome = Outcome::default();
        outcome.calls.resize(layout.calls, CallOutcome::default());
        Self {
            layout,
            sink,
            executed: 0,
            outcome,
            delivered: false,
            begun: false,
            refused: None,
            drained_since: 0,
            error: None,
        }
    }

    /// The call that is being answered, if it is one.
    fn call(&self) -> Option<usize> {
        self.executed.checked_sub(self.layout.first_call).filter(|call| *call < self.layout.calls)
    }

    fn row(&mut self, body: &[u8]) -> Result<(), Error> {
        let Some(call) = self.call() else { return Ok(()) };
        if self.refused.is_some() {
            self.drained_since += body.len();
            return Ok(());
        }
        self.delivered = true;
        self.outcome.calls[call].rows += 1;
        if let Err(problem) = self.sink.row(call, Row::parse(body)?) {
            self.refused = Some(problem);
        }
        Ok(())
    }

    fn complete(&mut self, tag: &[u8]) {
        if let Some(call) = self.call() {
            let affected = affected(tag);
            self.outcome.calls[call].affected = affected;
            if self.refused.is_none() {
                self.delivered = true;
                self.sink.complete(call, affected);
            }
        }
        self.executed += 1;
    }
}

/// What a failed attempt leaves behind.
pub(super) struct Failure {
    pub(super) error: Error,
    delivered: bool,
}

impl Connection {
    /// One pipeline from BEGIN (or nothing) to its end. A stale prepared statement is prepared anew and everything
    /// run once more: the first attempt was rolled back.
    pub(crate) async fn run(
        &mut self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        end: End,
        sink: &mut dyn RowSink,
    ) -> Result<Outcome, Error> {
        let mut retried = false;
        loop {
            match self.attempt(context, calls, Shape::Whole(end), sink).await {
                Ok(outcome) => return Ok(outcome),
                Err(failure) => {
                    self.rollback().await?;
                    if retried || !self.may_retry(&failure, sink) {
                        return Err(self.explain(failure.error, is_read_only(context, end)));
                    }
                    retried = true;
                    self.forget(context, calls);
                }
            }
        }
    }

    /// BEGIN, the calls, then the check decides between COMMIT and ROLLBACK.
    pub(crate) async fn run_checked(
        &mut self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        mode: Mode,
        sink: &mut dyn RowSink,
        check: impl FnOnce(&Outcome) -> Result<(), Problem>,
    ) -> Result<Outcome, Error> {
        let mut retried = false;
        let outcome = loop {
            match self.attempt(context, calls, Shape::Open(mode), sink).await {
                Ok(outcome) => break outcome,
                Err(failure) => {
                    self.rollback().await?;
                    if retried || !self.may_retry(&failure, sink) {
                        return Err(self.explain(failure.error, is_read_only(context, End::Commit(mode))));
                    }
                    retried = true;
                    self.forget(context, calls);
                }
            }
        };
        if let Err(problem) = check(&outcome) {
            self.rollback().await?;
            return Err(Error::Sink(problem));
        }
        self.end(Ending::Commit).await?;
        Ok(outcome)
    }

    /// What the bare session is like between requests: `current_user`, `role`, then the settings named. A clean one
    /// answers the login role, `none`, and for settings that only requests make empty texts.
    pub(crate) async fn inspect(&mut self, settings: &[&str]) -> Result<Vec<String>, Error> {
        self.check_usable()?;
        let mut sql = String::from("select current_user, current_setting('role')");
        for name in settings {
            sql.push_str(", current_setting(");
            sql.push_str(&escape_literal(name));
            sql.push_str(", true)");
        }
        self.out.query(&sql).map_err(Error::protocol)?;
        self.outstanding += 1;
        let mut texts = Texts::default();
        let pass = Pass::new(Layout { first_call: 0, calls: 1 }, &mut texts);
        self.answers(pass).await.map_err(|failure| failure.error)?;
        Ok(texts.0)
    }

    /// Ends the transaction that [`Shape::Open`] began.
    pub(super) async fn end(&mut self, ending: Ending) -> Result<(), Error> {
        let calls = self.encode_end(ending)?;
        let mut nobody = Nobody;
        let pass = Pass::new(Layout { first_call: 0, calls }, &mut nobody);
        match self.answers(pass).await {
            Ok(_) if self.status == IDLE => Ok(()),
            Ok(_) => Err(Error::protocol("still in a transaction after its end")),
            Err(failure) => {
                self.rollback().await?;
                Err(failure.error)
            }
        }
    }

    pub(super) fn check_usable(&self) -> Result<(), Error> {
        match self.discard_reason() {
            Some(why) => Err(Error::Unavailable(format!("the connection was given up: {why}"))),
            None if self.is_clean() => Ok(()),
            None => Err(Error::Misuse("the lease was used again after a run that did not end")),
        }
    }

    pub(super) async fn attempt(
        &mut self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        shape: Shape,
        sink: &mut dyn RowSink,
    ) -> Result<Outcome, Failure> {
        let encoded = self.check_usable().and_then(|()| self.encode(context, calls, shape));
        match encoded {
            Ok(layout) => self.answers(Pass::new(layout, sink)).await,
            Err(error) => Err(Failure { error, delivered: false }),
        }
    }

    /// Reads up to ReadyForQuery; only then it counts as done.
    pub(super) async fn answers(&mut self, mut pass: Pass<'_>) -> Result<Outcome, Failure> {
        let read = self.read_answers(&mut pass).await;
        if matches!(read, Err(Error::Protocol(_))) {
            self.discard("protocol violation");
        }
        let delivered = pass.delivered;
        // The server answers the first message of a pipeline before it runs anything; a pooler may have lost that answer.
        let unused = !pass.begun && !self.pooler;
        let error = match (read, pass.error, pass.refused) {
            (_, Some(db), _) if db.is_fatal() && unused => Error::Unused(db.to_string()),
            // Whether the session's end came before or after a commit cannot be told.
            (_, Some(db), _) if db.is_fatal() => Error::Lost(db.to_string()),
            (Err(e), None, None) => e,
            (_, Some(db), _) => db.into(),
            (_, None, Some(problem)) => Error::Sink(problem),
            (Ok(()), None, None) => return Ok(pass.outcome),
        };
        Err(Failure { error, delivered })
    }

    async fn read_answers(&mut self, pass: &mut Pass<'_>) -> Result<(), Error> {
        while self.outstanding > 0 {
            let Some(frame) = self.input.next()? else {
                if pass.drained_since > PATIENCE {
                    // The lease hands the connection over to be cancelled and drained.
                    return Ok(());
                }
                self.exchange().await?;
                continue;
            };
            pass.begun |= !matches!(frame.tag, b'E' | b'N' | b'S' | b'A');
            match frame.tag {
                b'D' => pass.row(self.input.body(&frame))?,
                b'C' => pass.complete(self.input.body(&frame)),
                b'I' => pass.complete(b""),
                // BindComplete, CloseComplete, NoData.
                // RowDescription comes with simple queries only.
                b'2' | b'3' | b'n' | b'T' => {}
                b'1' => self.statements.parsed(),
                b'Z' => self.ready(&frame),
                b'E' => {
                    let error = DbError::parse(self.input.body(&frame));
                    if error.is_fatal() {
                        self.discard("ended by the server");
                    }
                    pass.error.get_or_insert(error);
                }
                b'N' | b'S' | b'A' => self.take_async(&frame),
                tag => {
                    self.discard("unexpected message");
                    return Err(Error::protocol(format!("an unexpected message '{}'", char::from(tag))));
                }
            }
        }
        Ok(())
    }

    fn may_retry(&self, failure: &Failure, sink: &mut dyn RowSink) -> bool {
        let stale = matches!(&failure.error, Error::Db(e) if e.is_stale_statement());
        stale && self.is_clean() && (!failure.delivered || sink.restart())
    }

    /// Prepare everything that this pipeline uses anew.
    fn forget(&mut self, context: &Context<'_>, calls: &[Call<'_>]) {
        let name = self.statements.context(context.settings);
        self.statements.invalidate(name);
        for call in calls {
            self.statements.invalidate(Name::Call(call.statement.id));
        }
        for name in [Name::Commit, Name::Rollback, Name::CheckConstraints] {
            self.statements.invalidate(name);
        }
        for mode in 0..6 {
            self.statements.invalidate(Name::Begin(mode));
        }
    }

    /// 25006 where nobody asked for a read-only transaction: the server turned into, or is, one for reads.
    pub(super) fn explain(&mut self, error: Error, read_only: bool) -> Error {
        match error {
            Error::Db(e) if e.code == "25006" && !read_only => {
                self.discard("the server only takes reads");
                Error::ReadOnlyServer(e)
            }
            other => other,
        }
    }
}

fn is_read_only(context: &Context<'_>, end: End) -> bool {
    context.is_read_only()
        || match end {
            End::Implicit => false,
            End::Commit(mode) | End::Rollback(mode) => mode.read_only,
        }
}

/// For pipelines whose rows nobody wants.
pub(crate) struct Nobody;

impl RowSink for Nobody {
    fn row(&mut self, _call: usize, _row: Row<'_>) -> Result<(), Problem> {
        Ok(())
    }
}

/// Keeps the columns as text.
#[derive(Default)]
struct Texts(Vec<String>);

impl RowSink for Texts {
    fn row(&mut self, _call: usize, row: Row<'_>) -> Result<(), Problem> {
        self.0.extend(row.columns().map(|c| String::from_utf8_lossy(c.unwrap_or_default()).into_owned()));
        Ok(())
    }
}
