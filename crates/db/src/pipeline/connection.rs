//! [`Connection`]: a logged-in session with its buffers, and how it gets back into a known state.

use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context as Cx, Poll};
use std::time::{Duration, Instant};

use bedplate_core::Timer;
use rand::RngExt as _;
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::output::Output;
use super::statements::Statements;
use super::wire::{Frame, Input, parameter_status};
use crate::error::{DbError, Error};
use crate::startup::{self, Session};
use crate::target::{Host, SessionAttrs};
use crate::transport::{Connector, Failures, Peer, Pulse, Stream};

/// Reported parameters that must be as they were at login when a transaction is over; otherwise something set them
/// for the session, and the next user would see it.
const GUARDED: &[&str] = &[
    "client_encoding",
    "DateStyle",
    "TimeZone",
    "IntervalStyle",
    "standard_conforming_strings",
    "session_authorization",
    "is_superuser",
    "default_transaction_read_only",
    "in_hot_standby",
    "search_path",
];

/// ReadyForQuery's "idle, not in a transaction".
pub(super) const IDLE: u8 = b'I';

/// Between cancel requests while a given-up query still runs.
const CANCEL_INTERVAL: Duration = Duration::from_millis(500);

pub(crate) struct Connection {
    stream: Stream,
    connector: Connector,
    peer: Peer,
    process_id: i32,
    secret_key: i32,
    pub(crate) created: Instant,
    lifetime_factor: f64,
    pub(super) pooler: bool,
    pub(super) out: Output,
    unflushed: bool,
    pub(super) input: Input,
    pub(super) statements: Statements,
    /// Syncs sent whose ReadyForQuery has not come.
    pub(super) outstanding: u32,
    /// Of the last ReadyForQuery.
    pub(super) status: u8,
    /// Why it must not be used again.
    discard: Option<&'static str>,
    baseline: Vec<Option<String>>,
    /// One bit for each of [`GUARDED`] that differs from the baseline.
    drifted: u16,
    /// For the deadlines of one run after another.
    timer: Timer,
}

impl Connection {
    /// Connects to the first host that will do, each within the target's timeout.
    pub(crate) async fn connect(connector: &Connector) -> Result<Self, Error> {
        let limit = connector.target().connect_timeout;
        let mut failures = Failures::default();
        for (host, wanted) in connector.candidates() {
            match tokio::time::timeout(limit, Self::connect_to(connector, &host, wanted)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(e)) => failures.add(host, e),
                Err(_) => {
                    let text = format!("{host} did not answer within {limit:?}");
                    failures.add(host, Error::Unavailable(text));
                }
            }
        }
        Err(failures.into_error())
    }

    async fn connect_to(connector: &Connector, host: &Host, wanted: SessionAttrs) -> Result<Self, Error> {
        let (stream, peer) = connector.open(host).await?;
        let session = startup::login(stream, host, connector.target()).await?;
        startup::check_session_attrs(wanted, host, |name| session.parameters.get(name).map(String::as_str))?;
        Ok(Self::from_session(connector.clone(), peer, session))
    }

    fn from_session(connector: Connector, peer: Peer, session: Session) -> Self {
        Self {
            stream: session.stream,
            pooler: connector.target().pooler,
            connector,
            peer,
            process_id: session.process_id,
            secret_key: session.secret_key,
            created: Instant::now(),
            lifetime_factor: rand::rng().random_range(0.9..1.1),
            out: Output::new(),
            unflushed: false,
            input: Input::new(),
            statements: Statements::default(),
            outstanding: 0,
            status: IDLE,
            discard: None,
            baseline: GUARDED.iter().map(|name| session.parameters.get(*name).cloned()).collect(),
            drifted: 0,
            timer: Timer::default(),
        }
    }

    /// The server process behind it (behind a pooler: what the pooler says).
    pub(crate) fn process_id(&self) -> i32 {
        self.process_id
    }

    pub(crate) fn take_timer(&mut self) -> Timer {
        std::mem::take(&mut self.timer)
    }

    pub(crate) fn keep_timer(&mut self, timer: Timer) {
        self.timer = timer;
    }

    /// Never use it again, because of this.
    pub(super) fn discard(&mut self, why: &'static str) {
        self.discard.get_or_insert(why);
    }

    pub(crate) fn discard_reason(&self) -> Option<&'static str> {
        self.discard
    }

    /// [`Connection::discard`] for the pool.
    pub(crate) fn retire(&mut self, why: &'static str) {
        self.discard(why);
    }

    /// The limit for this connection: up to a tenth more or less, so that connections made together do not end
    /// together.
    pub(crate) fn lifetime(&self, limit: Duration) -> Duration {
        limit.mul_f64(self.lifetime_factor)
    }

    /// Whether nothing has come from the server since it became idle.
    pub(crate) fn is_quiet(&self) -> bool {
        self.stream.pulse() == Pulse::Quiet
    }

    /// Nothing outstanding, no transaction open, nothing of the session changed.
    pub(crate) fn is_clean(&self) -> bool {
        self.discard.is_none()
            && self.outstanding == 0
            && self.status == IDLE
            && self.drifted == 0
            && self.out.is_empty()
    }

    /// Before an idle connection is used again: one system call normally. Takes notices, and finds out whether the
    /// server has ended the session meanwhile.
    pub(crate) async fn is_alive(&mut self) -> bool {
        match self.stream.pulse() {
            Pulse::Quiet => true,
            Pulse::Closed => false,
            // The bytes are there, so this does not wait; a TLS record without content (a session ticket) is no
            // reason to hold up a request either.
            Pulse::Bytes => {
                let _ = tokio::time::timeout(Duration::from_millis(20), self.absorb()).await;
                self.is_clean() && self.stream.pulse() == Pulse::Quiet
            }
        }
    }

    async fn absorb(&mut self) {
        if self.exchange().await.is_err() {
            self.discard("broken while idle");
        }
        loop {
            match self.input.next() {
                Ok(Some(frame)) if matches!(frame.tag, b'N' | b'S' | b'A') => self.take_async(&frame),
                Ok(None) if self.input.is_drained() => return,
                // An error, half a message or an answer to nothing.
                _ => return self.discard("ended by the server while idle"),
            }
        }
    }

    /// Sends what is to be sent and waits for bytes. Reads also while writing is held up: the server may be unable
    /// to take more before its answers are taken. Safe to drop: no byte is lost.
    pub(super) async fn exchange(&mut self) -> Result<(), Error> {
        self.input.make_room();
        let read = std::future::poll_fn(|cx| self.poll_exchange(cx)).await;
        match read {
            Ok(0) => {
                self.discard("closed by the server");
                Err(Error::Lost("the server closed the connection".to_owned()))
            }
            Ok(_) => Ok(()),
            Err(e) => {
                self.discard("broken");
                Err(Error::Lost(e.to_string()))
            }
        }
    }

    fn poll_exchange(&mut self, cx: &mut Cx<'_>) -> Poll<io::Result<usize>> {
        while !self.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, self.out.pending()) {
                Poll::Ready(Ok(n)) if n > 0 => {
                    self.out.advance(n);
                    self.unflushed = true;
                }
                Poll::Ready(_) => {
                    // Read on: the server's last words say why.
                    self.out.clear();
                    self.discard("broken while writing");
                }
                Poll::Pending => break,
            }
        }
        if self.out.is_empty() && self.unflushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => self.discard("broken while writing"),
                Poll::Pending => {}
            }
        }
        pin!(self.stream.read_buf(&mut self.input.buffer)).poll(cx)
    }

    /// Messages that may come at any time.
    pub(super) fn take_async(&mut self, frame: &Frame) {
        let body = self.input.body(frame);
        match frame.tag {
            b'N' => tracing::debug!(notice = %DbError::parse(body), "notice from PostgreSQL"),
            b'S' => {
                let Some((name, value)) = parameter_status(body) else { return };
                if let Some(i) = GUARDED.iter().position(|guarded| *guarded == name) {
                    // Not reported at login (by a pooler): the first report is what to compare with.
                    let baseline = self.baseline[i].get_or_insert_with(|| value.to_owned());
                    let differs = baseline != value;
                    self.drifted = self.drifted & !(1 << i) | u16::from(differs) << i;
                }
            }
            _ => {}
        }
    }

    /// ReadyForQuery.
    pub(super) fn ready(&mut self, frame: &Frame) {
        self.status = self.input.body(frame).first().copied().unwrap_or(0);
        self.outstanding = self.outstanding.saturating_sub(1);
        if self.outstanding == 0 {
            self.statements.settle();
            self.input.shrink();
        }
        if self.status == IDLE && self.drifted != 0 {
            self.discard("a session setting was changed");
        }
    }

    /// Reads up to the last outstanding ReadyForQuery and throws away what comes.
    pub(super) async fn drain(&mut self) -> Result<(), Error> {
        while self.outstanding > 0 {
            let Some(frame) = self.input.next()? else {
                self.exchange().await?;
                continue;
            };
            match frame.tag {
                b'1' => self.statements.parsed(),
                b'Z' => self.ready(&frame),
                b'E' if DbError::parse(self.input.body(&frame)).is_fatal() => {
                    self.discard("ended by the server");
                }
                b'G' | b'H' | b'W' => {
                    self.discard("COPY");
                    return Err(Error::protocol("COPY is not offered here"));
                }
                _ => self.take_async(&frame),
            }
        }
        Ok(())
    }

    /// Ends an open transaction, after everything is drained.
    pub(super) async fn rollback(&mut self) -> Result<(), Error> {
        if self.status == IDLE || self.discard.is_some() {
            return Ok(());
        }
        self.out.query("rollback").map_err(Error::protocol)?;
        self.outstanding += 1;
        self.drain().await
    }

    /// After a request was given up in the middle: cancels it in PostgreSQL, reads the rest, ends the transaction.
    /// Returns whether the connection can be used again; takes about `limit` at most.
    pub(crate) async fn recover(&mut self, limit: Duration) -> bool {
        let recovered = tokio::time::timeout(limit, async {
            self.cancel_and_drain().await?;
            self.rollback().await?;
            // The cancel's signal may have arrived after the query's end. It is dealt with when the server takes
            // the next message, so give it one that nobody waits for.
            self.out.sync();
            self.outstanding += 1;
            self.drain().await
        });
        match recovered.await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => self.discard("broken"),
            Err(_) => self.discard("not recovered in time"),
        }
        self.is_clean()
    }

    /// A cancel request ends what runs when it arrives and does nothing to what comes after; a pipeline may have
    /// more to come, or not even have left us whole. So it is repeated until the last answer is there.
    async fn cancel_and_drain(&mut self) -> Result<(), Error> {
        let mut late = false;
        while self.discard.is_none() && self.outstanding > 0 {
            let cancel = self.connector.cancel(&self.peer, self.process_id, self.secret_key);
            match tokio::time::timeout(CANCEL_INTERVAL, cancel).await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => tracing::debug!(error = %e, "a cancel request could not be sent"),
                // Whenever it is taken, it must not hit a later request.
                Err(_) => late = true,
            }
            if let Ok(drained) = tokio::time::timeout(CANCEL_INTERVAL, self.drain()).await {
                if late {
                    self.discard("a cancel request was not taken in time");
                }
                return drained;
            }
        }
        Ok(())
    }

    /// Says goodbye, so that the server does not log a lost connection. Best effort, without waiting.
    pub(crate) fn close(mut self) {
        if self.discard.is_none() {
            self.out.terminate();
            let mut cx = Cx::from_waker(std::task::Waker::noop());
            let _ = Pin::new(&mut self.stream).poll_write(&mut cx, self.out.pending());
            let _ = Pin::new(&mut self.stream).poll_flush(&mut cx);
        }
    }
}
