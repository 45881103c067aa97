//! A bounded queue whose far end sends batches. Whoever puts something in never waits; what finds no room is counted.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// What became of what was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub sent: u64,
    /// No room, refused by the receiver, or the receiver could not be reached.
    pub dropped: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Tally {
    pub fn sent(&self, count: u64) {
        self.sent.fetch_add(count, Relaxed);
    }

    pub fn dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Relaxed);
    }

    pub fn counts(&self) -> Counts {
        Counts { sent: self.sent.load(Relaxed), dropped: self.dropped.load(Relaxed) }
    }
}

enum Message<T> {
    Item(T),
    Flush(oneshot::Sender<()>),
}

/// The near end. Cheap to clone.
pub(crate) struct Queue<T> {
    sender: mpsc::Sender<Message<T>>,
    pub tally: Arc<Tally>,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), tally: Arc::clone(&self.tally) }
    }
}

/// How much waits, and how much goes at once.
pub(crate) struct Sizes {
    pub waiting: usize,
    pub batch: usize,
    pub gather: Duration,
}

/// Done when everything that was put in before is on its way, or given up.
pub struct Flushed(oneshot::Receiver<()>);

impl Flushed {
    /// Waits, at most so long.
    pub async fn within(self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.0).await;
    }
}

impl<T: Send + 'static> Queue<T> {
    /// Starts the task of the far end; it ends with the last near end. `send` counts what it sent and what it lost.
    pub fn start<F>(sizes: Sizes, mut send: impl FnMut(Vec<T>, Arc<Tally>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let (sender, mut receiver) = mpsc::channel(sizes.waiting);
        let tally = Arc::new(Tally::default());
        let shared = Arc::clone(&tally);
        tokio::spawn(async move {
            while let Some(first) = receiver.recv().await {
                let (batch, flush) = gather(first, &mut receiver, &sizes).await;
                if !batch.is_empty() {
                    send(batch, Arc::clone(&shared)).await;
                }
                if let Some(flush) = flush {
                    let _ = flush.send(());
                }
            }
        });
        Self { sender, tally }
    }

    pub fn put(&self, item: T) {
        if self.sender.try_send(Message::Item(item)).is_err() {
            self.tally.dropped(1);
        }
    }

    pub fn flush(&self) -> Flushed {
        let (sender, receiver) = oneshot::channel();
        let queue = self.sender.clone();
        tokio::spawn(async move {
            let _ = queue.send(Message::Flush(sender)).await;
        });
        Flushed(receiver)
    }
}

/// What comes within the time, up to a batch; a flush ends it early.
async fn gather<T>(
    first: Message<T>,
    receiver: &mut mpsc::Receiver<Message<T>>,
    sizes: &Sizes,
) -> (Vec<T>, Option<oneshot::Sender<()>>) {
    let until = Instant::now() + sizes.gather;
    let mut batch = Vec::new();
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Item(item) => batch.push(item),
            Message::Flush(flush) => return (batch, Some(flush)),
        }
        if batch.len() >= sizes.batch {
            break;
        }
        next = timeout_at(until, receiver.recv()).await.ok().flatten();
    }
    (batch, None)
}
