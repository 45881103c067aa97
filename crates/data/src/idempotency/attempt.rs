//! [`Attempt`]: one try of a request with a key. Its transaction stays open from the claim, which rides in front of the write,
//! until the answer is there to be kept with it.

use std::cmp::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bedplate_core::Problem;
use bedplate_db::{Call, Context, Error, Lease, Mode, Outcome, Row, RowSink, Statement};

use super::claim::Claim;
use super::record::{self, Params, Refusal};
use crate::tell::Teller;

/// Handed to the request's handler, which passes it on with what it runs
/// ([`RunOptions::within`](crate::RunOptions::within)).
pub struct Attempt {
    claim: Claim,
    begin: Statement,
    params: Params,
    /// Connections have to be younger than this: an earlier attempt had one that broke.
    pub(crate) since: Option<Instant>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}

enum State {
    /// Nothing was run yet.
    New,
    /// The transaction is being used, or was given up.
    Taken,
    /// The claim and the write are done, and wait for the answer.
    Held(Box<Held>),
    Failed(Failure),
}

/// An open transaction, and who is told what becomes of it.
pub(crate) struct Held {
    pub lease: Lease,
    pub teller: Teller,
    /// A dry run: everything is undone, and no answer is kept.
    pub dry_run: bool,
}

/// Why an attempt ended without an answer, as far as it decides what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The key has an answer.
    Known,
    /// Somebody else is at it.
    Running,
    TooMany,
    /// Rolled back, and may go well when it is done again: a collision, or a statement that was out of date.
    Collided,
    /// The connection broke. Whatever was committed has its record.
    Broken,
    Final,
}

impl Failure {
    pub fn of(error: &Error) -> Self {
        match (Refusal::of(error), error) {
            (Refusal::Known, _) => Self::Known,
            (Refusal::Running, _) => Self::Running,
            (Refusal::TooMany, _) => Self::TooMany,
            (Refusal::Other, error) if error.is_conflict() || error.is_stale() => Self::Collided,
            (Refusal::Other, Error::Lost(_) | Error::Unused(_)) => Self::Broken,
            (Refusal::Other, _) => Self::Final,
        }
    }
}

/// The sink of the calls around the claim.
struct Around<'s> {
    claim: usize,
    sink: &'s mut dyn RowSink,
}

impl Around<'_> {
    /// The number that the call has without the claim.
    fn number(&self, call: usize) -> Option<usize> {
        match call.cmp(&self.claim) {
            Ordering::Less => Some(call),
            Ordering::Equal => None,
            Ordering::Greater => Some(call - 1),
        }
    }
}

impl RowSink for Around<'_> {
    fn row(&mut self, call: usize, row: Row<'_>) -> Result<(), Problem> {
        match self.number(call) {
            Some(call) => self.sink.row(call, row),
            None => Ok(()),
        }
    }

    fn complete(&mut self, call: usize, affected: u64) {
        if let Some(call) = self.number(call) {
            self.sink.complete(call, affected);
        }
    }

    fn restart(&mut self) -> bool {
        self.sink.restart()
    }
}

impl Attempt {
    pub(crate) fn new(claim: Claim, begin: Statement, since: Option<Instant>) -> Self {
        let params = record::id(&claim);
        Self { claim, begin, params, since, state: Mutex::new(State::New) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Held for one assignment only.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Opens the transaction: BEGIN, the context and the calls in one message, with the claim behind the first `before` of
    /// them. There is one transaction, and so one opening: what has several parts keeps them together in a
    /// [`Transaction`](crate::Transaction).
    pub(crate) async fn open(
        &self,
        lease: &mut Lease,
        context: &Context<'_>,
        calls: &[Call<'_>],
        before: usize,
        mode: Mode,
        sink: &mut dyn RowSink,
        deadline: Option<Instant>,
    ) -> Result<Outcome, Error> {
        if !matches!(std::mem::replace(&mut *self.lock(), State::Taken), State::New) {
            return Err(Error::Misuse("a request with an idempotency key ran twice in one attempt"));
        }
        let claim = Call { statement: &self.begin, params: &self.params };
        let mut all = calls.to_vec();
        all.insert(before, claim);
        let mut around = Around { claim: before, sink };
        let opened = lease.open(context, &all, mode, &mut around, deadline).await;
        let mut outcome = opened.inspect_err(|error| self.fail(error))?;
        outcome.calls.remove(before);
        Ok(outcome)
    }

    /// Everything went well so far; the answer decides.
    pub(crate) fn hold(&self, held: Held) {
        *self.lock() = State::Held(Box::new(held));
    }

    pub(crate) fn fail(&self, error: &Error) {
        *self.lock() = State::Failed(Failure::of(error));
    }

    /// The transaction to be ended; `None` when the request never came to the database.
    pub(crate) fn release(&self) -> Result<Option<Box<Held>>, Problem> {
        match std::mem::replace(&mut *self.lock(), State::Taken) {
            State::Held(held) => Ok(Some(held)),
            State::New => Ok(None),
            State::Taken | State::Failed(_) => {
                Err(Problem::internal_error("an answer came from a transaction that had failed"))
            }
        }
    }

    pub(crate) fn failure(&self) -> Failure {
        match *self.lock() {
            State::Failed(failure) => failure,
            _ => Failure::Final,
        }
    }
}
