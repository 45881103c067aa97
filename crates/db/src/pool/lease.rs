//! [`Lease`]: a connection on loan. Its drop decides what becomes of the connection.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bedplate_core::{Problem, Timer};

use super::state::Shared;
use crate::error::Error;
use crate::pipeline::{Call, Connection, Context, End, Mode, Nobody, Outcome, Row, RowSink};

/// How long a connection that was given up in the middle may take to become usable again.
const RECOVERY: Duration = Duration::from_secs(5);

/// A pooled connection. However it is dropped, in the middle of a run too, nothing of this request reaches the
/// next one: the run is cancelled in PostgreSQL, drained and rolled back first, or the connection is closed.
pub struct Lease {
    shared: Arc<Shared>,
    connection: Option<Box<Connection>>,
}

impl Lease {
    pub(super) fn new(shared: Arc<Shared>, connection: Box<Connection>) -> Self {
        Self { shared, connection: Some(connection) }
    }

    /// Takes the connection out without the effects of a drop.
    pub(super) fn into_connection(mut self) -> Option<Box<Connection>> {
        self.connection.take()
    }

    pub(super) async fn is_alive(&mut self) -> bool {
        match &mut self.connection {
            Some(connection) => {
                let alive = connection.is_alive().await;
                if !alive {
                    connection.retire("found dead when idle");
                }
                alive
            }
            None => false,
        }
    }

    pub(super) fn was_made_after(&self, since: Instant) -> bool {
        self.connection.as_ref().is_some_and(|c| c.created > since)
    }

    /// It is closed when the lease is dropped.
    pub(super) fn retire(&mut self, why: &'static str) {
        if let Some(connection) = &mut self.connection {
            connection.retire(why);
        }
    }

    /// The server process that serves it, for logs.
    pub fn process_id(&self) -> i32 {
        self.connection.as_ref().map_or(0, |c| c.process_id())
    }

    /// What the session is like without any context: `current_user`, `role`, then the settings named. For proving
    /// that nothing of a request has stayed.
    pub async fn inspect(&mut self, settings: &[&str]) -> Result<Vec<String>, Error> {
        match &mut self.connection {
            Some(connection) => connection.inspect(settings).await,
            None => Err(GONE),
        }
    }

    /// Runs the calls under the context in one pipeline. An `Ok` means that PostgreSQL has committed (or, for
    /// [`End::Rollback`], has rolled back after checking the constraints). Past the deadline the result is
    /// [`Error::Timeout`], and the run is cancelled when the lease is dropped. Dropping the future is safe.
    pub async fn run(
        &mut self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        end: End,
        sink: &mut dyn RowSink,
        deadline: Option<Instant>,
    ) -> Result<Outcome, Error> {
        let Some(connection) = &mut self.connection else { return Err(GONE) };
        let mut timer = connection.take_timer();
        let ran = {
            // Pinned here, where it is made: it is large.
            let run = pin!(connection.run(context, calls, end, sink));
            within(&mut timer, deadline, run).await
        };
        connection.keep_timer(timer);
        ran
    }

    /// BEGIN, context and calls in one pipeline; then `check` decides between COMMIT and ROLLBACK. A problem of
    /// the sink or of the check is returned as [`Error::Sink`], and nothing is committed.
    pub async fn run_checked(
        &mut self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        mode: Mode,
        sink: &mut dyn RowSink,
        check: impl FnOnce(&Outcome) -> Result<(), Problem> + Send,
        deadline: Option<Instant>,
    ) -> Result<Outcome, Error> {
        let Some(connection) = &mut self.connection else { return Err(GONE) };
        let mut timer = connection.take_timer();
        let ran = {
            let run = pin!(connection.run_checked(context, calls, mode, sink, check));
            within(&mut timer, deadline, run).await
        };
        connection.keep_timer(timer);
        ran
    }

    /// Opens a transaction of several pipelines: BEGIN, context and calls. [`Lease::proceed`] and [`Lease::finish`] follow.
    /// After an error, and when the lease is dropped before the end, it is rolled back.
    pub async fn open(
        &mut self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        mode: Mode,
        sink: &mut dyn RowSink,
        deadline: Option<Instant>,
    ) -> Result<Outcome, Error> {
        let Some(connection) = &mut self.connection else { return Err(GONE) };
        let mut timer = connection.take_timer();
        let ran = {
            let run = pin!(connection.open(context, calls, mode, sink));
            within(&mut timer, deadline, run).await
        };
        connection.keep_timer(timer);
        ran
    }

    /// More calls in the transaction that [`Lease::open`] began.
    pub async fn proceed(
        &mut self,
        calls: &[Call<'_>],
        sink: &mut dyn RowSink,
        deadline: Option<Instant>,
    ) -> Result<Outcome, Error> {
        let Some(connection) = &mut self.connection else { return Err(GONE) };
        let mut timer = connection.take_timer();
        let ran = {
            let run = pin!(connection.proceed(calls, sink));
            within(&mut timer, deadline, run).await
        };
        connection.keep_timer(timer);
        ran
    }

    /// Commits the open transaction; with `dry_run` its deferred constraints are checked and everything is undone. An `Ok`
    /// means that PostgreSQL has done so.
    pub async fn finish(&mut self, dry_run: bool, deadline: Option<Instant>) -> Result<(), Error> {
        let Some(connection) = &mut self.connection else { return Err(GONE) };
        let mut timer = connection.take_timer();
        let ran = {
            let run = pin!(connection.close_transaction(dry_run));
            within(&mut timer, deadline, run).await
        };
        connection.keep_timer(timer);
        ran
    }

    /// Runs the calls, whose rows are nobody's, and commits the open transaction, in one message. An `Ok` means that
    /// PostgreSQL has committed.
    pub async fn finish_with(&mut self, calls: &[Call<'_>], deadline: Option<Instant>) -> Result<(), Error> {
        let Some(connection) = &mut self.connection else { return Err(GONE) };
        let mut timer = connection.take_timer();
        let ran = {
            let mut nobody = Nobody;
            let run = pin!(connection.commit_with(calls, &mut nobody));
            within(&mut timer, deadline, run).await
        };
        connection.keep_timer(timer);
        ran
    }
}

const GONE: Error = Error::Misuse("the lease has no connection");

async fn within<T>(
    timer: &mut Timer,
    deadline: Option<Instant>,
    run: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match deadline {
        None => run.await,
        // Nothing is sent that is too late already.
        Some(deadline) if deadline <= Instant::now() => Err(Error::Timeout),
        Some(deadline) => timer.within(deadline, run).await.unwrap_or(Err(Error::Timeout)),
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if connection.discard_reason().is_some() || connection.is_clean() {
            return self.shared.give_back(connection);
        }
        let mut returning = Returning { shared: Arc::clone(&self.shared), connection: Some(connection) };
        self.shared.runtime.spawn(async move {
            if let Some(connection) = &mut returning.connection {
                connection.recover(RECOVERY).await;
            }
        });
    }
}

/// Gives the connection back whatever happens to the task that recovers it. One that is not clean is closed there.
struct Returning {
    shared: Arc<Shared>,
    connection: Option<Box<Connection>>,
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.shared.give_back(connection);
        }
    }
}

/// Passes everything on and remembers whether there was anything.
pub(super) struct Watched<'s> {
    sink: &'s mut dyn RowSink,
    touched: bool,
}

impl<'s> Watched<'s> {
    pub(super) fn new(sink: &'s mut dyn RowSink) -> Self {
        Self { sink, touched: false }
    }

    pub(super) fn can_restart(&mut self) -> bool {
        !self.touched || self.sink.restart()
    }
}

impl RowSink for Watched<'_> {
    fn row(&mut self, call: usize, row: Row<'_>) -> Result<(), Problem> {
        self.touched = true;
        self.sink.row(call, row)
    }

    fn complete(&mut self, call: usize, affected: u64) {
        self.touched = true;
        self.sink.complete(call, affected);
    }

    fn restart(&mut self) -> bool {
        let restarted = self.sink.restart();
        self.touched &= !restarted;
        restarted
    }
}
