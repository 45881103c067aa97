//! [`Redis`]: what all nodes share. Redis (or Valkey) may be down, slow or gone at any time: a call is answered within the
//! configured time, and after one that was not, calls fail at once until a connection answers again (`circuit.rs`).

mod circuit;
mod listener;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bedplate_core::Secret;
use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Client, ConnectionAddr, FromRedisValue, IntoConnectionInfo, RedisError, RedisResult, Script};

use crate::channels::{Channels, Subscription};
use crate::gcra::{Rate, Taken};
use crate::statistics::{Counters, State, Statistics};
use crate::{Lock, Unavailable};

use circuit::Circuit;
use listener::Listener;

/// A fence is remembered this long, for the case that the clock of Redis is set back.
const KEEP_FENCE: Duration = Duration::from_hours(24);

#[derive(Debug, Clone)]
pub struct Config {
    /// `redis://[user[:password]@]host[:port][/db]`, `rediss://` for TLS, `unix:///path`.
    pub url: Secret,
    /// Before every key and channel, so that several deployments may share one Redis.
    pub prefix: String,
    /// How long a call may take before the circuit opens.
    pub timeout: Duration,
}

/// What is wrong with an address. It does not tell the address, which holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    #[error("it is not of the form redis://[user[:password]@]host[:port][/db], rediss://… or unix:///path")]
    Malformed,
    #[error("TLS without checking the server's certificate is not offered: remove #insecure")]
    Insecure,
}

pub struct Redis {
    circuit: Arc<Circuit>,
    scripts: Scripts,
    prefix: String,
    timeout: Duration,
    channels: Arc<Channels>,
    listener: Listener,
    counters: Arc<Counters>,
}

struct Scripts {
    take: Script,
    increment: Script,
    lock: Script,
    extend: Script,
    release: Script,
}

impl Redis {
    /// Connects in the background, now and whenever the connection is lost. Must be called within a tokio runtime.
    pub fn new(config: &Config) -> Result<Self, InvalidUrl> {
        let client = client(config.url.expose())?;
        let counters = Arc::new(Counters::default());
        let channels = Arc::new(Channels::default());
        Ok(Self {
            circuit: Circuit::new(client.clone(), config.timeout, Arc::clone(&counters)),
            scripts: Scripts {
                take: Script::new(include_str!("../lua/take.lua")),
                increment: Script::new(include_str!("../lua/increment.lua")),
                lock: Script::new(include_str!("../lua/lock.lua")),
                extend: Script::new(include_str!("../lua/extend.lua")),
                release: Script::new(include_str!("../lua/release.lua")),
            },
            prefix: config.prefix.clone(),
            timeout: config.timeout,
            listener: Listener::new(client, config.prefix.clone(), Arc::clone(&channels)),
            channels,
            counters,
        })
    }

    /// One call: fails at once while the circuit is open, and opens it when there is no answer in time.
    async fn call<T, W>(&self, work: impl FnOnce(MultiplexedConnection) -> W) -> Result<T, Unavailable>
    where
        T: FromRedisValue,
        W: Future<Output = RedisResult<T>>,
    {
        let Some(live) = self.circuit.live() else {
            self.counters.failures.fetch_add(1, Relaxed);
            return Err(Unavailable);
        };
        let fault = match tokio::time::timeout(self.timeout, work(live.connection())).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => breaks(&error).then(|| error.to_string()),
            Err(_) => Some(format!("no answer within {:?}", self.timeout)),
        };
        self.counters.failures.fetch_add(1, Relaxed);
        if let Some(why) = fault {
            self.circuit.open(&live, &why);
        }
        Err(Unavailable)
    }

    fn key(&self, kind: &str, key: &str) -> String {
        format!("{}{kind}{key}", self.prefix)
    }

    pub async fn find(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        let key = self.key("", key);
        let get = |mut connection: MultiplexedConnection| async move {
            redis::cmd("GET").arg(key).query_async::<Option<Vec<u8>>>(&mut connection).await
        };
        let found = self.call(get).await?;
        self.counters.found(found.is_some());
        Ok(found.map(Bytes::from))
    }

    pub async fn set(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), Unavailable> {
        let key = self.key("", key);
        let set = |mut connection: MultiplexedConnection| async move {
            let mut command = redis::cmd("SET");
            command.arg(key).arg(value).arg("PX").arg(millis(ttl));
            command.query_async::<()>(&mut connection).await
        };
        self.call(set).await
    }

    pub async fn delete(&self, key: &str) -> Result<bool, Unavailable> {
        let key = self.key("", key);
        let delete = |mut connection: MultiplexedConnection| async move {
            redis::cmd("DEL").arg(key).query_async::<bool>(&mut connection).await
        };
        self.call(delete).await
    }

    pub async fn increment(&self, key: &str, by: i64, ttl: Duration) -> Result<i64, Unavailable> {
        let mut call = self.scripts.increment.key(self.key("count:", key));
        call.arg(by).arg(millis(ttl));
        self.call(|mut connection| async move { call.invoke_async(&mut connection).await }).await
    }

    pub async fn take(&self, key: &str, rate: Rate, cost: u32) -> Result<Taken, Unavailable> {
        let mut call = self.scripts.take.key(self.key("bucket:", key));
        call.arg(rate.interval_micros()).arg(rate.burst()).arg(cost);
        let take = |mut connection: MultiplexedConnection| async move {
            call.invoke_async::<(bool, u64, u64)>(&mut connection).await
        };
        let (allowed, ahead, wait) = self.call(take).await?;
        Ok(Taken::new(rate, cost, allowed, ahead, wait))
    }

    pub async fn lock(&self, name: &str, ttl: Duration) -> Result<Option<Lock>, Unavailable> {
        let owner: u128 = rand::random();
        let mut call = self.scripts.lock.key(self.lock_key(name));
        // In braces, so that both keys are on one node of a Redis Cluster.
        call.key(format!("{}fence:{{{name}}}", self.prefix));
        call.arg(holder(owner)).arg(millis(ttl)).arg(millis(KEEP_FENCE.max(ttl)));
        let lock = |mut connection: MultiplexedConnection| async move {
            call.invoke_async::<u64>(&mut connection).await
        };
        let fence = self.call(lock).await?;
        Ok((fence > 0).then(|| Lock { name: name.to_owned(), owner, fence }))
    }

    fn lock_key(&self, name: &str) -> String {
        format!("{}lock:{{{name}}}", self.prefix)
    }

    pub async fn extend(&self, lock: &Lock, ttl: Duration) -> Result<bool, Unavailable> {
        let mut call = self.scripts.extend.key(self.lock_key(&lock.name));
        call.arg(holder(lock.owner)).arg(millis(ttl));
        self.call(|mut connection| async move { call.invoke_async(&mut connection).await }).await
    }

    pub async fn release(&self, lock: &Lock) -> Result<bool, Unavailable> {
        let mut call = self.scripts.release.key(self.lock_key(&lock.name));
        call.arg(holder(lock.owner));
        self.call(|mut connection| async move { call.invoke_async(&mut connection).await }).await
    }

    pub async fn publish(&self, channel: &str, message: &[u8]) -> Result<(), Unavailable> {
        let channel = self.key("", channel);
        let publish = |mut connection: MultiplexedConnection| async move {
            redis::cmd("PUBLISH").arg(channel).arg(message).query_async::<()>(&mut connection).await
        };
        self.call(publish).await
    }

    /// The first subscription makes a connection of its own.
    pub fn subscribe(&self, channel: &str) -> Subscription {
        let subscription = self.channels.subscribe(channel, false);
        self.listener.start();
        subscription
    }

    pub fn statistics(&self) -> Statistics {
        let state = if self.circuit.live().is_some() { State::Connected } else { State::Unavailable };
        self.counters.read(state)
    }
}

fn client(url: &str) -> Result<Client, InvalidUrl> {
    let info = url.into_connection_info().map_err(|_| InvalidUrl::Malformed)?;
    if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
        return Err(InvalidUrl::Insecure);
    }
    Client::open(info).map_err(|_| InvalidUrl::Malformed)
}

/// Whether an error tells that this Redis is of no use now, rather than that one command was refused.
fn breaks(error: &RedisError) -> bool {
    match error.code() {
        Some(code) => {
            matches!(
                code,
                "LOADING" | "MASTERDOWN" | "READONLY" | "NOAUTH" | "NOPERM" | "BUSY" | "CLUSTERDOWN"
            )
        }
        None => true,
    }
}

fn holder(owner: u128) -> String {
    format!("{owner:032x}")
}

/// Redis refuses a time to live of 0, and ones beyond what its clock can hold.
fn millis(ttl: Duration) -> u64 {
    const LONGEST: u64 = 100 * 365 * 86_400 * 1000;
    u64::try_from(ttl.as_millis()).unwrap_or(LONGEST).clamp(1, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_without_telling_them() {
        for url in ["redis://localhost", "redis://:pw@h:1/2", "rediss://u:pw@h", "unix:///run/redis.sock"] {
            assert!(client(url).is_ok(), "{url}");
        }
        for url in ["", "localhost:6379", "http://h", "redis://h/x"] {
            assert_eq!(client(url).err(), Some(InvalidUrl::Malformed), "{url}");
        }
        assert_eq!(client("rediss://:pw@h/#insecure").err(), Some(InvalidUrl::Insecure));
    }
}
