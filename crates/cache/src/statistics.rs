//! What is counted, for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Whether it can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// In this process.
    Memory,
    Connected,
    /// Callers go on without it; it is tried again in the background.
    Unavailable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    pub state: State,
    /// Values found, and not found.
    pub hits: u64,
    pub misses: u64,
    /// Bytes of values and their keys (memory only).
    pub bytes: u64,
    /// Counters and buckets (memory only).
    pub states: u64,
    /// Calls that got no answer, those refused at once included (Redis only).
    pub failures: u64,
    /// Times that the circuit opened (Redis only).
    pub openings: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub hits: AtomicU64,
    pub misses: AtomicU64,
    pub failures: AtomicU64,
    pub openings: AtomicU64,
}

impl Counters {
    pub fn found(&self, found: bool) {
        if found { &self.hits } else { &self.misses }.fetch_add(1, Relaxed);
    }

    pub fn read(&self, state: State) -> Statistics {
        Statistics {
            state,
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
            bytes: 0,
            states: 0,
            failures: self.failures.load(Relaxed),
            openings: self.openings.load(Relaxed),
        }
    }
}
