//! Pools of request connections: a narrow one for reads, a wider one for writes (PostgreSQL commits concurrent
//! writers together, so writes gain from more connections), and the rules that keep them healthy.
//!
//! A connection is lent as a [`Lease`] and comes back through its drop: clean ones to the next in the queue, ones
//! given up in the middle through a task that cancels and drains them, broken ones not at all.

mod gate;
mod lease;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::pipeline::{Call, Context, End, Outcome, RowSink};
use crate::transport::Connector;

pub use lease::Lease;
use state::Shared;

/// Limits of one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Connections at most, those being made and being recovered included.
    pub max: usize,
    /// Connections kept ready even when idle.
    pub min: usize,
    /// How long a request waits for a connection, making one included.
    pub wait: Duration,
    /// Idle connections beyond `min` are closed after this.
    pub idle: Duration,
    /// Every connection is replaced after this, give or take a tenth, so that they do not all go at once.
    pub lifetime: Duration,
}

impl Settings {
    const WAIT: Duration = Duration::from_secs(3);
    const IDLE: Duration = Duration::from_secs(30);
    const LIFETIME: Duration = Duration::from_mins(30);

    fn sized(max: usize) -> Self {
        Self { max, min: 2, wait: Self::WAIT, idle: Self::IDLE, lifetime: Self::LIFETIME }
    }

    /// For reads: four connections per core, 10 to 20.
    pub fn reads(cores: usize) -> Self {
        Self::sized((4 * cores).clamp(10, 20))
    }

    /// For writes: eight per core, 16 to 32.
    pub fn writes(cores: usize) -> Self {
        Self::sized((8 * cores).clamp(16, 32))
    }
}

/// What a pool is doing and has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Connections that exist: idle, lent or being recovered.
    pub size: usize,
    pub idle: usize,
    pub connecting: usize,
    /// Requests in the queue.
    pub waiting: usize,
    /// Leases given out.
    pub acquired: u64,
    /// Time that requests waited for their lease, summed.
    pub waited: Duration,
    /// Requests that got none within the limit.
    pub timeouts: u64,
    /// Requests that got none because the server is down.
    pub refused: u64,
    pub created: u64,
    pub connect_failures: u64,
    /// Connections closed, by reason.
    pub closed: BTreeMap<&'static str, u64>,
    /// Why the last attempt to connect failed, until one succeeds.
    pub down: Option<String>,
}

/// A pool of connections to one target. Cheap to clone; [`Pool::close`] ends it.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

impl Pool {
    /// Starts with no connection; the first ones are being made in the background. Must be called within a tokio
    /// runtime. `name` appears in logs.
    pub fn new(name: &'static str, connector: Connector, settings: Settings) -> Self {
        let shared = Arc::new(Shared::new(name, connector, settings));
        state::maintain(&shared);
        Self(shared)
    }

    /// A connection, first come first served. [`Error::PoolTimeout`] after the wait limit, [`Error::Timeout`] when
    /// the deadline comes first, [`Error::Unavailable`] at once while the server is down.
    pub async fn acquire(&self, deadline: Option<Instant>) -> Result<Lease, Error> {
        let started = Instant::now();
        loop {
            match self.0.take()? {
                state::Taken::Idle(mut lease) => {
                    if lease.is_alive().await {
                        return Ok(lease);
                    }
                    // Its drop makes room; try the next one.
                    self.0.was_dead();
                }
                state::Taken::Queued(mut place, mut timer) => {
                    let limit = started + self.0.settings.wait;
                    let until = deadline.map_or(limit, |d| d.min(limit));
                    return match timer.within(until, &mut place).await {
                        Some(Ok(granted)) => self.0.granted(granted, started, timer),
                        Some(Err(_)) => Err(Error::Unavailable("the pool is closed".to_owned())),
                        None => {
                            drop(place);
                            self.0.timed_out();
                            Err(if until < limit {
                                Error::Timeout
                            } else {
                                Error::PoolTimeout(self.0.settings.wait)
                            })
                        }
                    };
                }
            }
        }
    }

    /// As [`Pool::acquire`], but a connection that was made after `since`, where that is said. Older ones are closed: what broke
    /// one of them may have broken all.
    pub async fn acquire_after(
        &self,
        since: Option<Instant>,
        deadline: Option<Instant>,
    ) -> Result<Lease, Error> {
        loop {
            let mut lease = self.acquire(deadline).await?;
            if since.is_none_or(|since| lease.was_made_after(since)) {
                return Ok(lease);
            }
            lease.retire("older than one that broke");
        }
    }

    /// Acquires and runs. Nothing is retried; see [`Pool::read`].
    pub async fn run(
        &self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        end: End,
        sink: &mut dyn RowSink,
        deadline: Option<Instant>,
    ) -> Result<Outcome, Error> {
        self.acquire(deadline).await?.run(context, calls, end, sink, deadline).await
    }

    /// Like [`Pool::run`], for calls that only read: when the connection breaks, they are run once more on a fresh
    /// one, unless the sink has received something that it cannot drop.
    pub async fn read(
        &self,
        context: &Context<'_>,
        calls: &[Call<'_>],
        end: End,
        sink: &mut dyn RowSink,
        deadline: Option<Instant>,
    ) -> Result<Outcome, Error> {
        let mut watched = lease::Watched::new(sink);
        match self.run(context, calls, end, &mut watched, deadline).await {
            Err(Error::Lost(why) | Error::Unused(why)) if watched.can_restart() => {
                tracing::debug!(pool = self.0.name, why, "reading again on another connection");
                let mut lease = self.acquire_after(Some(Instant::now()), deadline).await?;
                lease.run(context, calls, end, sink, deadline).await
            }
            other => other,
        }
    }

    pub fn metrics(&self) -> Metrics {
        self.0.metrics()
    }

    /// No more leases; idle connections are closed now, lent ones when they come back.
    pub fn close(&self) {
        self.0.close();
    }
}

/// The pools of one server.
#[derive(Clone)]
pub struct Pools {
    pub read: Pool,
    pub write: Pool,
}

impl Pools {
    /// Both lead to the same target. Must be called within a tokio runtime.
    pub fn new(connector: Connector, read: Settings, write: Settings) -> Self {
        Self { read: Pool::new("read", connector.clone(), read), write: Pool::new("write", connector, write) }
    }

    pub fn close(&self) {
        self.read.close();
        self.write.close();
    }
}
