//! The handle that callers hold.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::binaries::Version;
use crate::error::Error;
use crate::event::{Event, Events};
use crate::log::Log;
use crate::options::Options;
use crate::prepare::Ground;
use crate::socket;
use crate::supervisor::{Message, Supervisor};

/// What the server is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It answers queries.
    Running,
    /// It ended by itself and is started again; connections fail meanwhile.
    Restarting { attempt: u32, reason: String },
    /// It crashed too often and stays down.
    Failed { reason: String },
    /// It was stopped on purpose, and the folder is free for another process.
    Stopped,
}

/// A running private server. Call [`Cluster::stop`] to stop it in order; dropping the handle stops it too, without
/// waiting for it.
#[derive(Debug)]
pub struct Cluster {
    /// How long the start took, from the call until a query was answered.
    pub startup: Duration,
    socket_dir: PathBuf,
    data_dir: PathBuf,
    superuser: String,
    version: Version,
    created: bool,
    log: Log,
    state: watch::Receiver<State>,
    supervisor: mpsc::Sender<Message>,
}

/// Starts the server of a state folder, making the data folder when there is none, and waits until it answers a query.
///
/// Progress goes to `on_event`, which is called from several threads and also later, when a crashed server is started
/// again. Dropping the returned future stops what was begun.
pub async fn start(
    options: Options,
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Cluster, Error> {
    let events = Events::new(on_event);
    let ground = blocking(move || Ground::survey(options, events)).await?;
    let (ground, search) = blocking(move || {
        let search = ground.find_binaries()?;
        Ok((ground, search))
    })
    .await?;
    let binaries = match search.binaries {
        Some(binaries) => binaries,
        None => ground.download(search.others).await?,
    };
    let plan = blocking(move || ground.plan(binaries)).await?;

    let (state, watcher) = watch::channel(State::Stopped);
    let mut cluster = Cluster {
        startup: Duration::ZERO,
        socket_dir: plan.socket_dir.clone(),
        data_dir: plan.data.clone(),
        superuser: plan.options.superuser.clone(),
        version: plan.binaries.version,
        created: plan.is_new,
        log: plan.log.clone(),
        state: watcher,
        supervisor: mpsc::channel().0,
    };
    let (ready, outcome) = oneshot::channel();
    let (supervisor, inbox) = Supervisor::new(plan, state);
    // From here on, dropping `cluster` (also when this future is dropped) stops the server.
    cluster.supervisor = inbox;
    std::thread::Builder::new()
        .name("bedplate-pg".to_owned())
        .spawn(move || supervisor.run(ready))
        .map_err(Error::io("start a thread for", Path::new("postgres")))?;
    let started = outcome.await.unwrap_or(Err(Error::Cancelled))?;
    cluster.version = started.version;
    cluster.startup = started.took;
    Ok(cluster)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Error::Cancelled),
    }
}

impl Cluster {
    /// The private folder of the unix socket: the `host` of a connection.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The number in the socket's name: the `port` of a connection. No TCP port is open.
    pub fn port(&self) -> u16 {
        socket::PORT
    }

    /// The role to connect as; no password is needed.
    pub fn superuser(&self) -> &str {
        &self.superuser
    }

    /// Where the data is; outside the state folder only when [`Event::Placed`] said so.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// What the running server says it is, for example 15.18.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether this start made the data folder.
    pub fn created(&self) -> bool {
        self.created
    }

    /// The state, now and later.
    pub fn status(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// The last lines of the server's log, oldest first.
    pub fn log_tail(&self, lines: usize) -> Vec<String> {
        self.log.tail(0, lines)
    }

    /// Stops the server: a fast shutdown, harder when that takes too long. When this returns, the server is gone and
    /// the folder is free. Further calls do nothing.
    pub async fn stop(&self) {
        let _ = self.supervisor.send(Message::Stop);
        let mut state = self.state.clone();
        // An error means that the supervisor is gone, and the server with it.
        let _ = state.wait_for(|state| *state == State::Stopped).await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.supervisor.send(Message::Stop);
    }
}
