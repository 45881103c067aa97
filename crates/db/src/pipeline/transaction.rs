//! Transactions of several pipelines, where later statements need what earlier ones answered. One pipeline is one message to
//! PostgreSQL and one wait; a transaction that is given up in the middle is rolled back when its lease is dropped.

use super::connection::{Connection, IDLE};
use super::encode::{Ending, Shape};
use super::run::{Failure, Pass};
use super::{Call, Context, Mode, Outcome, RowSink};
use crate::error::Error;

/// ReadyForQuery's "in a transaction", which has not failed.
const OPEN: u8 = b'T';

impl Connection {
    /// BEGIN, context and calls; the transaction stays open. After an error it is rolled back.
    pub(crate) async fn open(
        &mut self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        mode: Mode,
        sink: &mut dyn RowSink,
    ) -> Result<Outcome, Error> {
        let read_only = mode.read_only || context.is_read_only();
        match self.attempt(context, calls, Shape::Open(mode), sink).await {
            Ok(outcome) => Ok(outcome),
            Err(failure) => Err(self.give_up(failure, read_only).await),
        }
    }

    /// More calls in the open transaction. After an error it is rolled back.
    pub(crate) async fn proceed(
        &mut self,
        calls: &[Call<'_>],
        sink: &mut dyn RowSink,
    ) -> Result<Outcome, Error> {
        self.check_open()?;
        let layout = self.encode_more(calls)?;
        match self.answers(Pass::new(layout, sink)).await {
            Ok(outcome) => Ok(outcome),
            // That the transaction itself takes no writes was said when it was opened.
            Err(failure) => Err(self.give_up(failure, true).await),
        }
    }

    /// COMMIT, or with `dry_run` a check of the deferred constraints and ROLLBACK.
    pub(crate) async fn close_transaction(&mut self, dry_run: bool) -> Result<(), Error> {
        self.check_open()?;
        self.end(if dry_run { Ending::DryRun } else { Ending::Commit }).await
    }

    /// The calls, then COMMIT, in one message. After an error nothing is committed, unless the error says that it does not
    /// know.
    pub(crate) async fn commit_with(
        &mut self,
        calls: &[Call<'_>],
        sink: &mut dyn RowSink,
    ) -> Result<(), Error> {
        self.check_open()?;
        let layout = self.encode_last(calls)?;
        match self.answers(Pass::new(layout, sink)).await {
            Ok(_) if self.status == IDLE => Ok(()),
            Ok(_) => Err(Error::protocol("still in a transaction after its end")),
            Err(failure) => Err(self.give_up(failure, true).await),
        }
    }

    fn check_open(&self) -> Result<(), Error> {
        match self.discard_reason() {
            Some(why) => Err(Error::Unavailable(format!("the connection was given up: {why}"))),
            None if self.status == OPEN && self.outstanding == 0 && self.out.is_empty() => Ok(()),
            None => Err(Error::Misuse("there is no open transaction to go on with")),
        }
    }

    /// Rolls back, unless answers are outstanding that the lease has to cancel. A statement that was prepared for another
    /// state of the schema may not be the only one, so all are prepared anew.
    async fn give_up(&mut self, failure: Failure, read_only: bool) -> Error {
        if failure.error.is_stale() {
            self.statements.invalidate_all();
        }
        if self.outstanding == 0
            && let Err(error) = self.rollback().await
        {
            return error;
        }
        self.explain(failure.error, read_only)
    }
}
