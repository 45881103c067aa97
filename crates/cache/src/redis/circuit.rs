//! The connection, and what happens when it fails. The first call that fails or gets no answer in time takes the connection
//! away from all; a task makes a new one, and gives it out when it answers. The same task asks an idle connection now and
//! then, so that a Redis that has gone is usually noticed before a request does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rand::RngExt as _;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::statistics::Counters;

const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// A connection that answered.
pub(super) struct Live {
    connection: MultiplexedConnection,
    number: u64,
}

impl Live {
    pub fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }
}

pub(super) struct Circuit {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    live: ArcSwapOption<Live>,
    opened: Notify,
    connections: AtomicU64,
    counters: Arc<Counters>,
}

impl Circuit {
    pub fn new(client: Client, limit: Duration, counters: Arc<Counters>) -> Arc<Self> {
        let shared = Arc::new(Shared {
            live: ArcSwapOption::empty(),
            opened: Notify::new(),
            connections: AtomicU64::new(0),
            counters,
        });
        let task = tokio::spawn(keep_connected(Arc::clone(&shared), client, limit));
        Arc::new(Self { shared, task })
    }

    /// The connection, unless the circuit is open.
    pub fn live(&self) -> Option<Arc<Live>> {
        self.shared.live.load_full()
    }

    pub fn open(&self, failed: &Arc<Live>, why: &str) {
        self.shared.open(failed, why);
    }
}

impl Drop for Circuit {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// Of many calls that fail with one connection, the first one opens.
    fn open(&self, failed: &Arc<Live>, why: &str) {
        let before = self.live.compare_and_swap(failed, None);
        if before.as_ref().is_some_and(|live| live.number == failed.number) {
            self.counters.openings.fetch_add(1, Relaxed);
            tracing::warn!(error = why, "Redis does not answer; going on without it until it does");
            self.opened.notify_one();
        }
    }

    fn close(&self, connection: MultiplexedConnection) {
        let number = self.connections.fetch_add(1, Relaxed);
        self.live.store(Some(Arc::new(Live { connection, number })));
        tracing::info!("connected to Redis");
    }
}

async fn keep_connected(shared: Arc<Shared>, client: Client, limit: Duration) {
    let mut pause = FIRST_PAUSE;
    loop {
        match connect(&client, limit).await {
            Ok(connection) => {
                pause = FIRST_PAUSE;
                shared.close(connection);
                watch(&shared, limit).await;
            }
            Err(why) => {
                tracing::debug!(error = why, "Redis cannot be reached");
                let jittered = pause.mul_f64(rand::rng().random_range(0.75..1.0));
                sleep(jittered).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// A connection that has answered as fast as calls need it.
async fn connect(client: &Client, limit: Duration) -> Result<MultiplexedConnection, String> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_LIMIT)).set_response_timeout(None);
    let made = timeout(CONNECT_LIMIT, client.get_multiplexed_async_connection_with_config(&config)).await;
    let mut connection = made.map_err(|_| "no connection in time")?.map_err(|error| error.to_string())?;
    match timeout(limit, ping(&mut connection)).await {
        Ok(Ok(())) => Ok(connection),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {limit:?}")),
    }
}

async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    redis::cmd("PING").query_async::<()>(connection).await
}

/// Until the circuit opens.
async fn watch(shared: &Shared, limit: Duration) {
    loop {
        let Some(live) = shared.live.load_full() else { return };
        tokio::select! {
            () = shared.opened.notified() => {}
            () = sleep(PING_INTERVAL) => match timeout(limit, ping(&mut live.connection())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => shared.open(&live, &error.to_string()),
                Err(_) => shared.open(&live, &format!("no answer within {limit:?}")),
            },
        }
    }
}
