#![allow(clippy::unwrap_used, clippy::expect_used)]

mod conformance;
mod faults;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bedplate_cache::{Cache, Memory, Redis, State, memory, redis};
use bedplate_core::Secret;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

fn memory() -> Cache {
    Cache::Memory(Arc::new(Memory::new(memory::Config { bytes: 1024 * 1024, states: 10_000 })))
}

/// A client of a test's own Redis. The timeout is far longer than in production, so that a busy machine opens no circuit.
async fn connected(server: &bedplate_testkit::Redis, timeout: Duration) -> Cache {
    let config = redis::Config { url: Secret::new(server.url()), prefix: "test:".to_owned(), timeout };
    let cache = Cache::Redis(Arc::new(Redis::new(&config).unwrap()));
    until("connected", async || cache.state() == State::Connected).await;
    cache
}

/// Asks again and again until it is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "not {what} in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
