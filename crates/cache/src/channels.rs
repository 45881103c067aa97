//! Who in this process is subscribed to what.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, broadcast};

/// Messages a slow subscriber may lag behind before it is told to look for itself.
const BACKLOG: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// From here on messages arrive, and earlier ones may have been missed: read the state now. The first event of every
    /// subscription, and again after each interruption and when a subscriber was too slow.
    Resync,
    Message(Bytes),
}

/// The messages of one channel.
pub struct Subscription(broadcast::Receiver<Event>);

impl Subscription {
    /// The next event; `None` when the cache has gone. Safe to drop.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Event::Resync),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[derive(Default)]
pub(crate) struct Channels {
    channels: Mutex<HashMap<String, Channel>>,
    /// There is a channel that is not active yet.
    pub news: Notify,
}

struct Channel {
    events: broadcast::Sender<Event>,
    /// Messages arrive.
    active: bool,
}

impl Channels {
    fn channels(&self) -> MutexGuard<'_, HashMap<String, Channel>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `active`: messages arrive without further ado.
    pub fn subscribe(&self, name: &str, active: bool) -> Subscription {
        let mut channels = self.channels();
        let channel = channels
            .entry(name.to_owned())
            .or_insert_with(|| Channel { events: broadcast::channel(BACKLOG).0, active });
        let receiver = channel.events.subscribe();
        if channel.active {
            // For the newcomer; the others look once more than needed.
            let _ = channel.events.send(Event::Resync);
        } else {
            self.news.notify_one();
        }
        Subscription(receiver)
    }

    pub fn deliver(&self, name: &str, message: Bytes) {
        if let Some(channel) = self.channels().get(name) {
            let _ = channel.events.send(Event::Message(message));
        }
    }

    pub fn inactive(&self) -> Vec<String> {
        self.channels().iter().filter(|(_, c)| !c.active).map(|(name, _)| name.clone()).collect()
    }

    pub fn activated(&self, name: &str) {
        if let Some(channel) = self.channels().get_mut(name) {
            channel.active = true;
            let _ = channel.events.send(Event::Resync);
        }
    }

    pub fn disconnected(&self) {
        for channel in self.channels().values_mut() {
            channel.active = false;
        }
    }

    /// Forgets channels without subscribers; the names of those that were active.
    pub fn abandoned(&self) -> Vec<String> {
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
