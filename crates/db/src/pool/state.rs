//! What a pool knows, under one short lock. Connecting, closing and waiting happen outside of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use bedplate_core::Timer;
use rand::RngExt as _;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::gate::Gate;
use super::lease::Lease;
use super::{Metrics, Settings};
use crate::error::Error;
use crate::pipeline::Connection;
use crate::transport::Connector;

/// How often idle connections are looked at, and a server that is down is tried without any request.
const ROUND: Duration = Duration::from_secs(1);

/// Timers kept for the next to wait.
const KEPT_TIMERS: usize = 64;

/// What a waiting request gets.
pub(super) type Granted = Result<Lease, String>;

pub(super) enum Taken {
    /// To be checked before use.
    Idle(Lease),
    /// With a timer for the wait.
    Queued(oneshot::Receiver<Granted>, Timer),
}

pub(super) struct Shared {
    pub(super) name: &'static str,
    pub(super) settings: Settings,
    pub(super) runtime: Handle,
    connector: Connector,
    state: Mutex<State>,
}

struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

#[derive(Default)]
struct State {
    /// The most recently used last.
    idle: Vec<Idle>,
    /// Connections that exist, without those being made.
    size: usize,
    connecting: usize,
    waiters: VecDeque<oneshot::Sender<Granted>>,
    /// Of those who waited before.
    timers: Vec<Timer>,
    gate: Gate,
    closed: bool,
    acquired: u64,
    waited: Duration,
    timeouts: u64,
    refused: u64,
    created: u64,
    connect_failures: u64,
    closed_by_reason: BTreeMap<&'static str, u64>,
}

impl Shared {
    pub(super) fn new(name: &'static str, connector: Connector, settings: Settings) -> Self {
        let settings = Settings { max: settings.max.max(1), min: settings.min.min(settings.max), ..settings };
        Self { name, settings, runtime: Handle::current(), connector, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The lock is held for plain bookkeeping only, which a panic elsewhere does not leave half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle connection, or a place in the queue.
    pub(super) fn take(self: &Arc<Self>) -> Result<Taken, Error> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::Unavailable("the pool is closed".to_owned()));
        }
        if let Some(idle) = state.idle.pop() {
            state.acquired += 1;
            drop(state);
            return Ok(Taken::Idle(Lease::new(Arc::clone(self), idle.connection)));
        }
        if state.size == 0
            && let Some(why) = state.gate.closed(Instant::now())
        {
            let why = why.to_owned();
            state.refused += 1;
            return Err(Error::Unavailable(why));
        }
        let (sender, receiver) = oneshot::channel();
        state.waiters.push_back(sender);
        self.arrange(&mut state);
        let timer = state.timers.pop().unwrap_or_default();
        Ok(Taken::Queued(receiver, timer))
    }

    /// What [`Shared::take`] gave cannot be used.
    pub(super) fn was_dead(&self) {
        self.lock().acquired -= 1;
    }

    pub(super) fn granted(&self, granted: Granted, started: Instant, timer: Timer) -> Result<Lease, Error> {
        let mut state = self.lock();
        if state.timers.len() < KEPT_TIMERS {
            state.timers.push(timer);
        }
        match granted {
            Ok(lease) => {
                state.acquired += 1;
                state.waited += started.elapsed();
                Ok(lease)
            }
            Err(why) => {
                state.refused += 1;
                Err(Error::Unavailable(why))
            }
        }
    }

    pub(super) fn timed_out(&self) {
        let mut state = self.lock();
        state.timeouts += 1;
        state.waiters.retain(|w| !w.is_closed());
    }

    /// Starts as many connection attempts as the queue wants and the limits allow.
    fn arrange(self: &Arc<Self>, state: &mut State) {
        let warm = if state.waiters.is_empty() { self.settings.min.saturating_sub(state.size) } else { 0 };
        let wanted = state.waiters.len().max(warm);
        let now = Instant::now();
        while !state.closed
            && state.connecting < wanted
            && state.size + state.connecting < self.settings.max
            && state.gate.enter(now)
        {
            state.connecting += 1;
            let shared = Arc::clone(self);
            self.runtime.spawn(async move {
                // Made here and not before: a runtime that is shutting down drops the task within `spawn`, under
                // our lock, which the attempt's drop would wait for.
                let attempt = Attempt { shared, ended: false };
                let made = Connection::connect(&attempt.shared.connector).await;
                attempt.end(made);
            });
        }
    }

    fn connected(self: &Arc<Self>, made: Result<Connection, Error>) {
        let mut state = self.lock();
        state.connecting -= 1;
        match made {
            Ok(connection) => {
                state.size += 1;
                state.created += 1;
                if state.gate.succeeded() {
                    tracing::info!(pool = self.name, "PostgreSQL can be reached again");
                }
                drop(state);
                self.give_back(Box::new(connection));
                // For those still waiting: while the server was down there was only this one attempt.
                self.arrange(&mut self.lock());
            }
            Err(e) => {
                state.connect_failures += 1;
                let why = e.to_string();
                if state.gate.failed(why.clone(), Instant::now()) {
                    tracing::warn!(pool = self.name, error = why, "PostgreSQL cannot be reached");
                }
                give_up_if_hopeless(state, &why);
            }
        }
    }

    /// A connection comes back, or is new: to the first in the queue, to the idle ones, or away.
    pub(super) fn give_back(self: &Arc<Self>, connection: Box<Connection>) {
        if let Some(why) = connection.discard_reason() {
            return self.discard(connection, why);
        }
        if !connection.is_clean() {
            return self.discard(connection, "not clean");
        }
        let now = Instant::now();
        if now.duration_since(connection.created) >= connection.lifetime(self.settings.lifetime) {
            return self.discard(connection, "lifetime");
        }
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return self.discard(connection, "pool closed");
        }
        let mut connection = connection;
        while let Some(waiter) = state.waiters.pop_front() {
            match waiter.send(Ok(Lease::new(Arc::clone(self), connection))) {
                Ok(()) => return,
                // That request has gone. Taken out of the lease first: its drop would want this lock.
                Err(returned) => match returned.ok().and_then(Lease::into_connection) {
                    Some(back) => connection = back,
                    None => return,
                },
            }
        }
        state.idle.push(Idle { connection, since: now });
    }

    fn discard(self: &Arc<Self>, connection: Box<Connection>, why: &'static str) {
        connection.close();
        let mut state = self.lock();
        state.size -= 1;
        *state.closed_by_reason.entry(why).or_default() += 1;
        self.arrange(&mut state);
        if let Some(reason) = state.gate.why().map(str::to_owned) {
            give_up_if_hopeless(state, &reason);
        }
    }

    /// Closes what is idle too long, too old or dead, and keeps the minimum warm.
    fn tend(self: &Arc<Self>) {
        let mut leaving = Vec::new();
        {
            let mut state = self.lock();
            let now = Instant::now();
            let mut surplus = state.size.saturating_sub(self.settings.min);
            let mut at = 0;
            while at < state.idle.len() {
                let idle = &state.idle[at];
                let why = if !idle.connection.is_quiet() {
                    "found dead when idle"
                } else if idle.connection.created.elapsed()
                    >= idle.connection.lifetime(self.settings.lifetime)
                {
                    "lifetime"
                } else if surplus > 0 && now - idle.since >= self.settings.idle {
                    "idle"
                } else {
                    at += 1;
                    continue;
                };
                surplus = surplus.saturating_sub(1);
                leaving.push((state.idle.remove(at).connection, why));
            }
        }
        for (connection, why) in leaving {
            self.discard(connection, why);
        }
        self.arrange(&mut self.lock());
    }

    pub(super) fn close(self: &Arc<Self>) {
        let (idle, waiters) = {
            let mut state = self.lock();
            state.closed = true;
            (std::mem::take(&mut state.idle), std::mem::take(&mut state.waiters))
        };
        for waiter in waiters {
            let _ = waiter.send(Err("the pool is closed".to_owned()));
        }
        for idle in idle {
            self.discard(idle.connection, "pool closed");
        }
    }

    pub(super) fn metrics(&self) -> Metrics {
        let state = self.lock();
        Metrics {
            size: state.size,
            idle: state.idle.len(),
            connecting: state.connecting,
            waiting: state.waiters.iter().filter(|w| !w.is_closed()).count(),
            acquired: state.acquired,
            waited: state.waited,
            timeouts: state.timeouts,
            refused: state.refused,
            created: state.created,
            connect_failures: state.connect_failures,
            closed: state.closed_by_reason.clone(),
            down: state.gate.why().map(str::to_owned),
        }
    }
}

/// An attempt to connect that is counted as one until it ends, be it by a panic.
struct Attempt {
    shared: Arc<Shared>,
    ended: bool,
}

impl Attempt {
    fn end(mut self, made: Result<Connection, Error>) {
        self.ended = true;
        self.shared.connected(made);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.ended {
            self.shared
                .connected(Err(Error::Unavailable("the attempt to connect was broken off".to_owned())));
        }
    }
}

/// While connections are lent out, one of them will come back; otherwise there is nothing to wait for.
fn give_up_if_hopeless(mut state: MutexGuard<'_, State>, why: &str) {
    if state.size == 0 && state.connecting == 0 {
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        for waiter in waiters {
            let _ = waiter.send(Err(why.to_owned()));
        }
    }
}

/// Looks after the pool until it is dropped or closed.
pub(super) fn maintain(shared: &Arc<Shared>) {
    let runtime = shared.runtime.clone();
    let weak: Weak<Shared> = Arc::downgrade(shared);
    runtime.spawn(async move {
        loop {
            {
                let Some(shared) = weak.upgrade() else { return };
                if shared.lock().closed {
                    return;
                }
                shared.tend();
            }
            let jittered = ROUND.mul_f64(rand::rng().random_range(0.9..1.1));
            tokio::time::sleep(jittered).await;
        }
    });
}
