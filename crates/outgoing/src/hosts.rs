//! What is kept of each host: how many calls it may have at once, and its breaker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::Error;
use crate::breaker::{Breaker, Verdict};
use crate::config::Config;
use crate::target::Target;

/// Hosts that are remembered. Users may name hosts, and must not fill the memory with them.
const MOST: usize = 1_024;

pub(crate) struct Hosts {
    known: Mutex<HashMap<(String, u16), Arc<Host>>>,
    all: Arc<Semaphore>,
    per_host: usize,
    failures: u32,
    pause: Duration,
}

struct Host {
    calls: Arc<Semaphore>,
    breaker: Mutex<Breaker>,
    used: Mutex<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leave to call a host. Tells the breaker what came of it; dropped without a word, it tells that nothing is known.
pub(crate) struct Pass {
    host: Arc<Host>,
    told: bool,
    _places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Pass {
    pub fn tell(&mut self, verdict: Verdict) {
        if !std::mem::replace(&mut self.told, true) {
            lock(&self.host.breaker).tell(verdict, Instant::now());
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.tell(Verdict::Unknown);
    }
}

impl Hosts {
    pub fn new(config: &Config) -> Self {
        Self {
            known: Mutex::default(),
            all: Arc::new(Semaphore::new(config.in_flight.max(1))),
            per_host: config.per_host.max(1),
            failures: config.failures,
            pause: config.pause,
        }
    }

    /// Waits for a place, at most `patience`.
    pub async fn enter(&self, target: &Target, patience: Duration) -> Result<Pass, Error> {
        let host = self.host(target);
        let places = async {
            let own = Arc::clone(&host.calls).acquire_owned().await;
            let common = Arc::clone(&self.all).acquire_owned().await;
            own.ok().zip(common.ok()).ok_or(Error::Busy)
        };
        let places = tokio::time::timeout(patience, places).await.map_err(|_| Error::Busy)??;
        // Asked last: the place may have been waited for while the host failed.
        let admitted = lock(&host.breaker).admit(Instant::now());
        admitted.map_err(|retry_after| Error::Open { host: target.host().to_owned(), retry_after })?;
        Ok(Pass { host, told: false, _places: places })
    }

    fn host(&self, target: &Target) -> Arc<Host> {
        let mut known = lock(&self.known);
        let key = (target.host().to_owned(), target.port());
        if let Some(host) = known.get(&key) {
            *lock(&host.used) = Instant::now();
            return Arc::clone(host);
        }
        if known.len() >= MOST {
            forget(&mut known);
        }
        let host = Arc::new(Host {
            calls: Arc::new(Semaphore::new(self.per_host)),
            breaker: Mutex::new(Breaker::new(self.failures, self.pause)),
            used: Mutex::new(Instant::now()),
        });
        known.insert(key, Arc::clone(&host));
        host
    }

    /// Hosts whose breaker is open or half open.
    pub fn open(&self) -> usize {
        lock(&self.known).values().filter(|host| !lock(&host.breaker).is_closed()).count()
    }
}

/// Makes room: the one that was used longest ago, of those that nothing is lost with where there is one.
fn forget(known: &mut HashMap<(String, u16), Arc<Host>>) {
    let oldest = known
        .iter()
        .min_by_key(|(_, host)| {
            let busy = Arc::strong_count(host) > 1;
            (busy, !lock(&host.breaker).is_closed(), *lock(&host.used))
        })
        .map(|(key, _)| key.clone());
    if let Some(key) = oldest {
        known.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hosts_that_anybody_names_do_not_fill_the_memory_and_a_failing_one_is_not_forgotten_first() {
        let hosts = Hosts::new(&Config { failures: 1, ..Config::default() });
        let at = |n: usize| Target::foreign(&format!("https://h{n}.example")).unwrap();
        let mut pass = hosts.enter(&at(0), Duration::ZERO).await.unwrap();
        pass.tell(Verdict::Failed);
        drop(pass);
        for n in 1..3 * MOST {
            drop(hosts.enter(&at(n), Duration::ZERO).await.unwrap());
        }
        assert_eq!(lock(&hosts.known).len(), MOST);
        assert_eq!(hosts.open(), 1);
        assert!(matches!(hosts.enter(&at(0), Duration::ZERO).await, Err(Error::Open { .. })));
    }

    #[tokio::test]
    async fn one_host_cannot_take_all_places() {
        let hosts = Hosts::new(&Config { per_host: 1, in_flight: 2, ..Config::default() });
        let at = |name: &str| Target::foreign(&format!("https://{name}.example")).unwrap();
        let _held = hosts.enter(&at("a"), Duration::ZERO).await.unwrap();
        assert!(matches!(hosts.enter(&at("a"), Duration::from_millis(1)).await, Err(Error::Busy)));
        let _other = hosts.enter(&at("b"), Duration::ZERO).await.unwrap();
        assert!(matches!(hosts.enter(&at("c"), Duration::from_millis(1)).await, Err(Error::Busy)));
    }
}
