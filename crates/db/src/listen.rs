//! [`Hub`]: one connection that LISTENs for everybody, and comes back by itself. Notifications sent while it was
//! away are lost by nature, so subscribers are told to read again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postgres_protocol::escape::escape_identifier;
use rand::RngExt as _;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio_postgres::AsyncMessage;

use crate::error::Error;
use crate::system::{self, Driver};
use crate::transport::Connector;

/// Events a slow subscriber may lag behind before it is told to read again.
const BACKLOG: usize = 1024;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A connection that is only listened on would not notice a peer that vanished without a word.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_LIMIT: Duration = Duration::from_secs(5);
/// PostgreSQL cuts longer identifiers (NAMEDATALEN − 1), and notifications would carry the cut name.
const LONGEST_CHANNEL: usize = 63;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// LISTEN is in effect from here on, and notifications before it may have been missed: read the state now.
    /// The first event of every subscription, and again after each reconnect and when a subscriber was too slow.
    Resync,
    Notified {
        payload: Arc<str>,
    },
}

/// Listens until it is dropped.
pub struct Hub {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    channels: Mutex<HashMap<String, Channel>>,
    /// There is a channel to LISTEN on.
    news: Notify,
}

struct Channel {
    events: broadcast::Sender<Event>,
    /// LISTEN has been issued on the present connection.
    active: bool,
}

/// The events of one channel.
pub struct Subscription(broadcast::Receiver<Event>);

impl Subscription {
    /// The next event; `None` when the hub has gone. Safe to drop.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Event::Resync),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Hub {
    /// Connects in the background, at once and whenever the connection is lost. Must be called within a tokio
    /// runtime. The target must not lead through a transaction pooler: LISTEN needs a session of its own.
    pub fn new(connector: Connector) -> Self {
        let shared = Arc::new(Shared { channels: Mutex::default(), news: Notify::new() });
        let task = tokio::spawn(keep_listening(Arc::clone(&shared), connector));
        Self { shared, task }
    }

    pub fn subscribe(&self, channel: &str) -> Result<Subscription, Error> {
        if channel.is_empty() || channel.len() > LONGEST_CHANNEL || channel.contains('\0') {
            return Err(Error::Misuse("a channel's name has 1 to 63 bytes and no NUL"));
        }
        let mut channels = self.shared.channels();
        let entry = channels
            .entry(channel.to_owned())
            .or_insert_with(|| Channel { events: broadcast::channel(BACKLOG).0, active: false });
        let receiver = entry.events.subscribe();
        if entry.active {
            // For the newcomer; the others read once more than needed.
            let _ = entry.events.send(Event::Resync);
        } else {
            self.shared.news.notify_one();
        }
        Ok(Subscription(receiver))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.channels().clear();
    }
}

impl Shared {
    fn channels(&self) -> MutexGuard<'_, HashMap<String, Channel>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disconnected(&self) {
        for channel in self.channels().values_mut() {
            channel.active = false;
        }
    }

    fn inactive(&self) -> Vec<String> {
        self.channels().iter().filter(|(_, c)| !c.active).map(|(name, _)| name.clone()).collect()
    }

    fn activated(&self, name: &str) {
        if let Some(channel) = self.channels().get_mut(name) {
            channel.active = true;
            let _ = channel.events.send(Event::Resync);
        }
    }

    fn notified(&self, name: &str, payload: &str) {
        if let Some(channel) = self.channels().get(name) {
            let _ = channel.events.send(Event::Notified { payload: payload.into() });
        }
    }

    /// Forgets channels without subscribers.
    fn abandoned(&self) -> Vec<String> {
        let mut gone = Vec::new();
        self.channels().retain(|name, channel| {
            let keep = channel.events.receiver_count() > 0;
            if !keep && channel.active {
                gone.push(name.clone());
            }
            keep
        });
        gone
    }
}

async fn keep_listening(shared: Arc<Shared>, connector: Connector) {
    let mut pause = FIRST_PAUSE;
    loop {
        match system::connect_parts(&connector).await {
            Ok((client, driver)) => {
                pause = FIRST_PAUSE;
                let why = listen(&shared, &client, driver).await;
                shared.disconnected();
                tracing::warn!(error = why, "the LISTEN connection was lost; connecting again");
            }
            Err(e) => {
                tracing::debug!(error = %e, "the LISTEN connection cannot be made");
                let jittered = pause.mul_f64(rand::rng().random_range(0.75..1.0));
                tokio::time::sleep(jittered).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Runs one connection until it ends; the answer is why it did.
async fn listen(shared: &Shared, client: &tokio_postgres::Client, driver: Driver) -> String {
    let (sender, mut notifications) = mpsc::unbounded_channel();
    let mut driving = AbortOnDrop(tokio::spawn(drive(driver, sender)));
    let mut ping = tokio::time::interval(PING_INTERVAL);
    loop {
        if let Err(why) = activate(shared, client).await {
            return why;
        }
        tokio::select! {
            notification = notifications.recv() => match notification {
                Some(n) => shared.notified(n.channel(), n.payload()),
                None => return match (&mut driving.0).await {
                    Ok(why) => why,
                    Err(e) => e.to_string(),
                },
            },
            () = shared.news.notified() => {}
            _ = ping.tick() => {
                let gone: Vec<_> = shared.abandoned().iter().map(|c| escape_identifier(c)).collect();
                let gone = gone.iter().fold(String::new(), |sql, c| sql + "unlisten " + c + ";");
                match tokio::time::timeout(PING_LIMIT, client.batch_execute(&gone)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(e)) => return Error::from(e).to_string(),
                    Err(_) => return format!("no answer within {PING_LIMIT:?}"),
                }
            }
        }
    }
}

async fn activate(shared: &Shared, client: &tokio_postgres::Client) -> Result<(), String> {
    for name in shared.inactive() {
        let sql = format!("listen {}", escape_identifier(&name));
        match tokio::time::timeout(PING_LIMIT, client.batch_execute(&sql)).await {
            Ok(Ok(())) => shared.activated(&name),
            Ok(Err(e)) => return Err(Error::from(e).to_string()),
            Err(_) => return Err(format!("no answer within {PING_LIMIT:?}")),
        }
    }
    Ok(())
}

async fn drive(mut driver: Driver, sender: mpsc::UnboundedSender<tokio_postgres::Notification>) -> String {
    loop {
        match std::future::poll_fn(|cx| driver.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(n))) => {
                if sender.send(n).is_err() {
                    return "no longer wanted".to_owned();
                }
            }
            Some(Ok(_)) => {}
            Some(Err(e)) => return Error::from(e).to_string(),
            None => return "closed".to_owned(),
        }
    }
}

struct AbortOnDrop(JoinHandle<String>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
