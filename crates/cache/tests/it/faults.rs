//! R-11 (reliability.md), as far as it is this crate's: Redis killed, paused, not there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bedplate_cache::{Cache, Event, Rate, Redis, State, Unavailable, redis};
use bedplate_core::Secret;
use bytes::Bytes;

use crate::{PATIENCE, connected, until};

const MINUTE: Duration = Duration::from_mins(1);
const LIMIT: Duration = Duration::from_millis(250);
/// What thousands of calls cost that are refused because the circuit is open: far below the sum of their limits, on a
/// machine of any speed.
const AT_ONCE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_paused_redis_costs_its_limit_once_and_comes_back() {
    let server = bedplate_testkit::Redis::start();
    let cache = connected(&server, LIMIT).await;
    cache.set("k", Bytes::from_static(b"x"), MINUTE).await.unwrap();
    server.pause();
    let begun = Instant::now();
    assert_eq!(cache.find("k").await, Err(Unavailable));
    assert!(begun.elapsed() < LIMIT + AT_ONCE, "{:?}", begun.elapsed());
    let begun = Instant::now();
    for _ in 0..1000 {
        assert_eq!(cache.find("k").await, Err(Unavailable));
        assert!(cache.take("k", Rate::new(1, MINUTE, 1), 1).await.is_err());
    }
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert_eq!(cache.state(), State::Unavailable);
    assert_eq!(cache.statistics().openings, 1);
    assert_eq!(cache.statistics().failures, 2001);
    server.resume();
    until("connected", async || cache.state() == State::Connected).await;
    assert_eq!(cache.find("k").await, Ok(Some(Bytes::from_static(b"x"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_killed_redis_is_left_out_and_taken_up_again() {
    let mut server = bedplate_testkit::Redis::start();
    let cache = connected(&server, PATIENCE).await;
    cache.set("k", Bytes::from_static(b"x"), MINUTE).await.unwrap();
    let mut news = cache.subscribe("news");
    assert_eq!(news.next().await, Some(Event::Resync));
    server.kill();
    // A closed connection is no timeout: it is noticed at once.
    let begun = Instant::now();
    until("unavailable", async || cache.find("k").await == Err(Unavailable)).await;
    assert!(begun.elapsed() < PATIENCE / 2);
    server.start_again();
    until("connected", async || cache.state() == State::Connected).await;
    // What it held is gone, scripts included.
    assert_eq!(cache.find("k").await, Ok(None));
    assert!(cache.take("k", Rate::new(1, MINUTE, 1), 1).await.unwrap().allowed);
    // The subscriber is told that it may have missed something, and hears again.
    assert_eq!(tokio::time::timeout(PATIENCE, news.next()).await, Ok(Some(Event::Resync)));
    cache.publish("news", Bytes::from_static(b"m")).await.unwrap();
    assert_eq!(
        tokio::time::timeout(PATIENCE, news.next()).await,
        Ok(Some(Event::Message(Bytes::from_static(b"m"))))
    );
}

/// An idle node learns of it without a call of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_redis_that_pauses_while_nobody_asks_is_noticed() {
    let server = bedplate_testkit::Redis::start();
    let cache = connected(&server, LIMIT).await;
    server.pause();
    until("unavailable", async || cache.state() == State::Unavailable).await;
    server.resume();
    until("connected", async || cache.state() == State::Connected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_there_yet_costs_nothing() {
    for url in ["redis://127.0.0.1:1", "rediss://127.0.0.1:1", "unix:///nowhere/redis.sock"] {
        let config = redis::Config { url: Secret::new(url), prefix: String::new(), timeout: MINUTE };
        let cache = Cache::Redis(Arc::new(Redis::new(&config).unwrap()));
        let begun = Instant::now();
        assert_eq!(cache.find("k").await, Err(Unavailable));
        assert!(begun.elapsed() < AT_ONCE);
    }
}

/// One command that Redis refuses says nothing against the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_command_opens_no_circuit() {
    let server = bedplate_testkit::Redis::start();
    let cache = connected(&server, PATIENCE).await;
    cache.set("count:n", Bytes::from_static(b"not a number"), MINUTE).await.unwrap();
    assert_eq!(cache.increment("n", 1, MINUTE).await, Err(Unavailable));
    assert_eq!(cache.state(), State::Connected);
    assert!(cache.find("count:n").await.unwrap().is_some());
}
