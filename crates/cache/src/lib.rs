//! What the nodes of one deployment share beside the database: values with a time to live, counters, steps of a rate
//! limiter, locks, messages. [`Memory`] serves one process and never fails; [`Redis`] serves all nodes and may be down,
//! which its callers learn at once ([`Unavailable`]) and go on without it. One suite of tests holds for both
//! (`tests/it/conformance.rs`).
//!
//! Nothing here is the only copy of anything: whoever uses it must be right when it is empty.

mod channels;
mod flight;
pub mod gcra;
pub mod memory;
pub mod redis;
mod statistics;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use self::redis::Redis;
pub use channels::{Event, Subscription};
pub use flight::{Flight, Lead, Turn};
pub use gcra::{Rate, Taken};
pub use memory::Memory;
pub use statistics::{State, Statistics};

/// Redis cannot be used right now. What was asked for may or may not have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared cache is not available")]
pub struct Unavailable;

/// A lock that this process holds until it is released or its time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    pub name: String,
    /// Who holds it.
    pub(crate) owner: u128,
    /// Higher than that of every holder before. Who writes under the lock gives it along, and the store that is written
    /// to refuses lower ones: a holder whose time is over may not know it yet.
    pub fence: u64,
}

/// One of the two kinds.
#[derive(Clone)]
pub enum Cache {
    Memory(Arc<Memory>),
    Redis(Arc<Redis>),
}

impl Cache {
    /// The value under a key, unless its time is over.
    pub async fn find(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.find(key)),
            Self::Redis(redis) => redis.find(key).await,
        }
    }

    /// Keeps a value for at most `ttl`; it may be dropped earlier when room is needed.
    pub async fn set(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), Unavailable> {
        match self {
            Self::Memory(memory) => {
                memory.set(key, value, ttl);
                Ok(())
            }
            Self::Redis(redis) => redis.set(key, &value, ttl).await,
        }
    }

    /// Whether there was a value.
    pub async fn delete(&self, key: &str) -> Result<bool, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.delete(key)),
            Self::Redis(redis) => redis.delete(key).await,
        }
    }

    /// Adds to a counter and gives its new value. A counter begins at 0 and ends `ttl` after its first increment.
    pub async fn increment(&self, key: &str, by: i64, ttl: Duration) -> Result<i64, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.increment(key, by, ttl)),
            Self::Redis(redis) => redis.increment(key, by, ttl).await,
        }
    }

    /// Takes `cost` tokens from the bucket of `key`, all or none.
    pub async fn take(&self, key: &str, rate: Rate, cost: u32) -> Result<Taken, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.take(key, rate, cost)),
            Self::Redis(redis) => redis.take(key, rate, cost).await,
        }
    }

    /// The lock, or `None` when somebody holds it. It saves double work; what must be right relies on [`Lock::fence`] or on
    /// a lock of the database.
    pub async fn lock(&self, name: &str, ttl: Duration) -> Result<Option<Lock>, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.lock(name, ttl)),
            Self::Redis(redis) => redis.lock(name, ttl).await,
        }
    }

    /// Holds on to a lock for `ttl` from now. `false`: it is no longer ours.
    pub async fn extend(&self, lock: &Lock, ttl: Duration) -> Result<bool, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.extend(lock, ttl)),
            Self::Redis(redis) => redis.extend(lock, ttl).await,
        }
    }

    /// Gives a lock back. `false`: it was no longer ours.
    pub async fn release(&self, lock: &Lock) -> Result<bool, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.release(lock)),
            Self::Redis(redis) => redis.release(lock).await,
        }
    }

    /// Sends a message to whoever is subscribed now.
    pub async fn publish(&self, channel: &str, message: Bytes) -> Result<(), Unavailable> {
        match self {
            Self::Memory(memory) => {
                memory.publish(channel, message);
                Ok(())
            }
            Self::Redis(redis) => redis.publish(channel, &message).await,
        }
    }

    /// The messages of a channel from the first [`Event::Resync`] on.
    pub fn subscribe(&self, channel: &str) -> Subscription {
        match self {
            Self::Memory(memory) => memory.subscribe(channel),
            Self::Redis(redis) => redis.subscribe(channel),
        }
    }

    pub fn statistics(&self) -> Statistics {
        match self {
            Self::Memory(memory) => memory.statistics(),
            Self::Redis(redis) => redis.statistics(),
        }
    }

    pub fn state(&self) -> State {
        self.statistics().state
    }
}
