//! The connection that messages arrive on. Messages sent while it was away are lost by nature, so subscribers are told to
//! look for themselves.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, Value};
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout};

use crate::channels::Channels;

const LIMIT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A peer that vanished without a word is noticed so late at most.
const PING_INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct Listener {
    client: Client,
    prefix: String,
    channels: Arc<Channels>,
    task: OnceLock<JoinHandle<()>>,
}

impl Listener {
    pub fn new(client: Client, prefix: String, channels: Arc<Channels>) -> Self {
        Self { client, prefix, channels, task: OnceLock::new() }
    }

    /// Begins to listen, unless it does.
    pub fn start(&self) {
        self.task.get_or_init(|| {
            let (client, prefix) = (self.client.clone(), self.prefix.clone());
            tokio::spawn(keep_listening(client, prefix, Arc::clone(&self.channels)))
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

async fn keep_listening(client: Client, prefix: String, channels: Arc<Channels>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match timeout(LIMIT, client.get_async_pubsub()).await {
            Ok(Ok(pubsub)) => {
                pause = FIRST_PAUSE;
                let (sink, stream) = pubsub.split();
                listen(sink, stream, &prefix, &channels).await;
                channels.disconnected();
            }
            _ => {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Runs one connection until it ends.
async fn listen(mut sink: PubSubSink, mut stream: PubSubStream, prefix: &str, channels: &Channels) {
    let mut ping = interval(PING_INTERVAL);
    loop {
        for name in channels.inactive() {
            let Ok(Ok(())) = timeout(LIMIT, sink.subscribe(format!("{prefix}{name}"))).await else { return };
            channels.activated(&name);
        }
        tokio::select! {
            message = stream.next() => match message {
                Some(message) => {
                    if let Some(name) = message.get_channel_name().strip_prefix(prefix) {
                        channels.deliver(name, Bytes::copy_from_slice(message.get_payload_bytes()));
                    }
                }
                None => return,
            },
            () = channels.news.notified() => {}
            _ = ping.tick() => {
                for name in channels.abandoned() {
                    let left = timeout(LIMIT, sink.unsubscribe(format!("{prefix}{name}"))).await;
                    if !matches!(left, Ok(Ok(()))) {
                        return;
                    }
                }
                if !matches!(timeout(LIMIT, sink.ping::<Value>()).await, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}
