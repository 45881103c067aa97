//! [`Memory`]: the cache of one process. Synchronous, bounded, never fails.

mod states;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quick_cache::sync::Cache as Values;
use quick_cache::{OptionsBuilder, Weighter};

use crate::channels::{Channels, Subscription};
use crate::gcra::{Rate, Taken};
use crate::statistics::{Counters, State, Statistics};
use crate::{Lock, gcra};

use states::{Locks, States};

/// What an entry costs beside its key and value, about.
const ENTRY_BYTES: u64 = 128;
/// An assumption that sizes tables only.
const USUAL_VALUE_BYTES: usize = 2 * 1024;

#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Most bytes of values with their keys. A value of more than a sixteenth of it is not kept.
    pub bytes: usize,
    /// Most counters and buckets. When there are more, those that were not used for longest are forgotten.
    pub states: usize,
}

pub struct Memory {
    values: Values<Box<str>, Value, Weigh, foldhash::fast::RandomState>,
    counts: States<Count>,
    buckets: States<u64>,
    locks: Mutex<Locks>,
    channels: Channels,
    counters: Counters,
    /// Its clock counts microseconds from here; buckets that were never used are at 0, which must be past.
    started: Instant,
}

#[derive(Clone)]
struct Value {
    bytes: Bytes,
    until: Instant,
}

#[derive(Clone, Copy)]
struct Count {
    value: i64,
    until: u64,
}

#[derive(Clone)]
struct Weigh;

impl Weighter<Box<str>, Value> for Weigh {
    fn weight(&self, key: &Box<str>, value: &Value) -> u64 {
        key.len() as u64 + value.bytes.len() as u64 + ENTRY_BYTES
    }
}

impl Memory {
    pub fn new(config: Config) -> Self {
        let usual = (config.bytes / USUAL_VALUE_BYTES).max(64);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(usual)
            .weight_capacity(config.bytes as u64)
            .shards(8)
            .build();
        let values = match options {
            Ok(options) => Values::with_options(
                options,
                Weigh,
                foldhash::fast::RandomState::default(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
            // All that is asked for is given.
            Err(_) => Values::with(
                usual,
                config.bytes as u64,
                Weigh,
                foldhash::fast::RandomState::default(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
        };
        Self {
            values,
            counts: States::new(config.states),
            buckets: States::new(config.states),
            locks: Mutex::default(),
            channels: Channels::default(),
            counters: Counters::default(),
            started: Instant::now(),
        }
    }

    fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    fn at(&self, when: Instant) -> u64 {
        when.duration_since(self.started).as_micros() as u64
    }

    fn in_future(&self, ttl: Duration) -> u64 {
        self.now().saturating_add(u64::try_from(ttl.as_micros()).unwrap_or(u64::MAX))
    }

    pub fn find(&self, key: &str) -> Option<Bytes> {
        let found = self.values.get(key).filter(|value| value.until > Instant::now());
        self.counters.found(found.is_some());
        found.map(|value| value.bytes)
    }

    pub fn set(&self, key: &str, value: Bytes, ttl: Duration) {
        let until = Instant::now().checked_add(ttl).unwrap_or_else(|| Instant::now() + FOREVER);
        self.values.insert(key.into(), Value { bytes: value, until });
    }

    pub fn delete(&self, key: &str) -> bool {
        self.values.remove(key).is_some_and(|(_, value)| value.until > Instant::now())
    }

    /// As [`crate::Cache::increment`].
    pub fn increment(&self, key: &str, by: i64, ttl: Duration) -> i64 {
        let now = self.now();
        let until = self.in_future(ttl);
        self.counts.update(key, Count { value: 0, until }, |count| {
            if count.until <= now {
                *count = Count { value: 0, until };
            }
            count.value = count.value.saturating_add(by);
            count.value
        })
    }

    /// As [`crate::Cache::take`]. Allocates only for a key that is new.
    pub fn take(&self, key: &str, rate: Rate, cost: u32) -> Taken {
        let now = self.now();
        self.buckets.update(key, 0, |full_at| {
            let (next, taken) = gcra::step(*full_at, now, rate, cost);
            *full_at = next;
            taken
        })
    }

    pub fn lock(&self, name: &str, ttl: Duration) -> Option<Lock> {
        let (now, until) = (self.now(), self.in_future(ttl));
        self.locks.lock().unwrap_or_else(PoisonError::into_inner).lock(name, now, until)
    }

    pub fn extend(&self, lock: &Lock, ttl: Duration) -> bool {
        let (now, until) = (self.now(), self.in_future(ttl));
        self.locks.lock().unwrap_or_else(PoisonError::into_inner).extend(lock, now, until)
    }

    pub fn release(&self, lock: &Lock) -> bool {
        let now = self.now();
        self.locks.lock().unwrap_or_else(PoisonError::into_inner).release(lock, now)
    }

    pub fn publish(&self, channel: &str, message: Bytes) {
        self.channels.deliver(channel, message);
    }

    pub fn subscribe(&self, channel: &str) -> Subscription {
        self.channels.abandoned();
        self.channels.subscribe(channel, true)
    }

    pub fn statistics(&self) -> Statistics {
        Statistics {
            bytes: self.values.weight(),
            states: (self.counts.len() + self.buckets.len()) as u64,
            ..self.counters.read(State::Memory)
        }
    }
}

/// For times to live that no clock can hold.
const FOREVER: Duration = Duration::from_hours(100 * 365 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(bytes: usize, states: usize) -> Memory {
        Memory::new(Config { bytes, states })
    }

    #[test]
    fn values_are_bounded_by_bytes() {
        let memory = memory(64 * 1024, 16);
        let value = Bytes::from(vec![0; 1000]);
        for at in 0..1000 {
            memory.set(&format!("k{at}"), value.clone(), Duration::from_mins(1));
        }
        let bytes = memory.statistics().bytes;
        assert!(bytes > 16 * 1024 && bytes <= 64 * 1024, "{bytes}");
        memory.set("large", Bytes::from(vec![0; 1024 * 1024]), Duration::from_mins(1));
        assert!(memory.find("large").is_none());
        assert!(memory.statistics().bytes <= 64 * 1024);
    }

    #[test]
    fn states_are_bounded_and_those_in_use_stay() {
        let memory = memory(1024, 1024);
        let rate = Rate::new(1, Duration::from_hours(1), 1);
        assert!(memory.take("mine", rate, 1).allowed);
        for at in 0..100_000 {
            memory.take(&format!("k{at}"), rate, 1);
            if at % 8 == 0 {
                assert!(!memory.take("mine", rate, 1).allowed, "forgotten after {at}");
            }
        }
        assert!(memory.statistics().states <= 1024 + 64, "{}", memory.statistics().states);
    }

    #[test]
    fn many_threads_take_no_more_than_there_is() {
        let memory = memory(1024, 1024);
        let rate = Rate::new(1, Duration::from_hours(1), 100);
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..100).filter(|_| memory.take("k", rate, 1).allowed).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 100);
    }
}
