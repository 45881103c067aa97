//! [`Loader`]: holds the newest snapshot and replaces it in the background.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bedplate_core::{Problem, Result};
use bedplate_db::Connector;
use bedplate_db::listen::Hub;
use bedplate_db::system::{self, Client};
use bedplate_query::catalog::Catalog;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::follow;
use super::read::{Timings, fingerprint, read};

#[derive(Debug, Clone)]
pub struct Options {
    /// The schemas that front doors serve, in order of preference.
    pub schemas: Vec<String>,
    /// The channels on which changes are told.
    pub channels: Vec<String>,
    /// How often the database is asked whether DDL happened unnoticed: its event triggers may be missing (they need a
    /// superuser), and LISTEN does not work through a transaction pooler. Zero: never.
    pub poll: Duration,
    /// How long DDL must be quiet before it is read, so that a migration is read once.
    pub quiet: Duration,
    /// The longest that unquiet DDL delays a load.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            schemas: vec!["public".to_owned()],
            channels: vec!["bedplate".to_owned(), "pgrst".to_owned()],
            poll: Duration::from_secs(10),
            quiet: Duration::from_millis(50),
            patience: Duration::from_millis(500),
        }
    }
}

/// What the loader did so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Statistics {
    /// Loads that succeeded.
    pub loads: u64,
    /// Of these, how many found nothing new.
    pub unchanged: u64,
    /// Loads, and looks whether there is something to load, that failed.
    pub failures: u64,
    /// Of the last load that succeeded.
    pub timings: Timings,
}

/// Keeps the catalog fresh until it is dropped.
pub struct Loader {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

pub(super) struct Shared {
    connector: Connector,
    schemas: Mutex<Arc<[String]>>,
    /// What follows is done by one load at a time.
    turn: tokio::sync::Mutex<Turn>,
    newest: watch::Sender<Arc<Catalog>>,
    /// Something asks for a load.
    pub(super) wanted: Notify,
    statistics: Mutex<Statistics>,
    version: AtomicU64,
}

#[derive(Default)]
struct Turn {
    client: Option<Client>,
    content: u64,
    /// The state of the database's catalogs before the last load.
    fingerprint: String,
}

impl Loader {
    /// Loads the catalog and then follows what `hub` hears on the channels (payload empty or
    /// `reload …`), what polling finds, and [`Loader::reload`]. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the first load fails: without a catalog there is nothing to serve.
    pub async fn start(connector: Connector, hub: Option<&Hub>, options: Options) -> Result<Self> {
        let shared = Arc::new(Shared {
            connector,
            schemas: Mutex::new(options.schemas.clone().into()),
            turn: tokio::sync::Mutex::default(),
            newest: watch::Sender::new(Arc::default()),
            wanted: Notify::new(),
            statistics: Mutex::default(),
            version: AtomicU64::new(0),
        });
        let subscriptions = match hub {
            Some(hub) => options.channels.iter().map(|name| hub.subscribe(name)).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        shared.load().await?;
        let task = tokio::spawn(follow::run(Arc::clone(&shared), subscriptions, options));
        Ok(Self { shared, task })
    }

    /// The newest snapshot.
    pub fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.shared.newest.borrow())
    }

    /// Hears of each new snapshot; the present one counts as seen.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Catalog>> {
        self.shared.newest.subscribe()
    }

    /// Loads now and answers the snapshot that has all DDL committed before the call.
    ///
    /// # Errors
    /// When the load fails; the old snapshot stays.
    pub async fn reload(&self) -> Result<Arc<Catalog>> {
        self.shared.load().await?;
        Ok(self.current())
    }

    /// Serves other schemas, from the next load on, which is started.
    pub fn set_schemas(&self, schemas: Vec<String>) {
        *lock(&self.shared.schemas) = schemas.into();
        self.shared.wanted.notify_one();
    }

    pub fn statistics(&self) -> Statistics {
        *lock(&self.shared.statistics)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// One load. Replaces the snapshot only when there is something new in it.
    pub(super) async fn load(&self) -> Result<()> {
        let mut turn = self.turn.lock().await;
        let result = self.load_in(&mut turn).await;
        if result.is_err() {
            lock(&self.statistics).failures += 1;
        }
        result
    }

    async fn load_in(&self, turn: &mut Turn) -> Result<()> {
        let client = self.client(turn).await?;
        // Before the load: DDL in between is found by the next look, not missed.
        let fingerprint = fingerprint(&client).await?;
        let schemas = Arc::clone(&lock(&self.schemas));
        let loaded = read(&client, Arc::clone(&schemas)).await?;
        turn.client = Some(client);
        turn.fingerprint = fingerprint;
        let known = self.newest.borrow().version > 0
            && turn.content == loaded.content
            && same(&self.newest.borrow().schemas, &schemas);
        {
            let mut statistics = lock(&self.statistics);
            statistics.loads += 1;
            statistics.unchanged += u64::from(known);
            statistics.timings = loaded.timings;
        }
        if known {
            return Ok(());
        }
        turn.content = loaded.content;
        let mut catalog = loaded.catalog;
        catalog.version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::info!(
            version = catalog.version,
            relations = catalog.relations.len(),
            functions = catalog.functions.len(),
            queries_ms = loaded.timings.queries.as_secs_f64() * 1e3,
            assemble_ms = loaded.timings.assemble.as_secs_f64() * 1e3,
            "catalog loaded"
        );
        self.newest.send_replace(Arc::new(catalog));
        Ok(())
    }

    /// Loads if DDL happened since the last load.
    pub(super) async fn load_if_stale(&self) -> Result<()> {
        match self.is_fresh().await {
            Ok(true) => Ok(()),
            Ok(false) => self.load().await,
            Err(problem) => {
                lock(&self.statistics).failures += 1;
                Err(problem)
            }
        }
    }

    async fn is_fresh(&self) -> Result<bool> {
        let mut turn = self.turn.lock().await;
        let client = self.client(&mut turn).await?;
        let now = fingerprint(&client).await?;
        turn.client = Some(client);
        Ok(now == turn.fingerprint)
    }

    /// The connection of the last load if it is still good. It is taken out, so that a failure or a caller that goes
    /// away half-way does not leave a broken one behind.
    async fn client(&self, turn: &mut Turn) -> Result<Client> {
        match turn.client.take() {
            Some(client) if !client.is_closed() => Ok(client),
            _ => system::connect(&self.connector).await.map_err(Problem::from),
        }
    }
}

fn same(served: &[bedplate_query::ident::Ident], schemas: &[String]) -> bool {
    served.iter().map(|s| s.as_str()).eq(schemas.iter().map(String::as_str))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
