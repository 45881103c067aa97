//! What both kinds promise.

use std::time::Duration;

use bedplate_cache::{Cache, Event, Rate, Subscription};
use bytes::Bytes;

use crate::{PATIENCE, connected, memory, until};

const MINUTE: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(60);

/// One test for each promise, with both.
macro_rules! promises {
    ($($promise:ident),+ $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                super::$promise(super::memory()).await;
            })+
        }
        mod in_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let server = bedplate_testkit::Redis::start();
                super::$promise(super::connected(&server, super::PATIENCE).await).await;
            })+
        }
    };
}

promises! {
    values_are_kept_until_they_are_deleted,
    values_end_with_their_time,
    any_bytes_and_keys_are_kept_as_they_are,
    counters_count_exactly_and_end,
    buckets_give_no_more_than_they_hold,
    buckets_fill_again,
    kinds_do_not_get_into_each_others_way,
    locks_have_one_holder,
    locks_end_with_their_time,
    messages_reach_every_subscriber_in_order,
    statistics_tell_hits_and_misses,
}

async fn values_are_kept_until_they_are_deleted(cache: Cache) {
    assert_eq!(cache.find("k").await, Ok(None));
    cache.set("k", Bytes::from_static(b"one"), MINUTE).await.unwrap();
    cache.set("k", Bytes::from_static(b"two"), MINUTE).await.unwrap();
    assert_eq!(cache.find("k").await, Ok(Some(Bytes::from_static(b"two"))));
    assert_eq!(cache.find("K").await, Ok(None));
    assert_eq!(cache.delete("k").await, Ok(true));
    assert_eq!(cache.delete("k").await, Ok(false));
    assert_eq!(cache.find("k").await, Ok(None));
}

async fn values_end_with_their_time(cache: Cache) {
    cache.set("short", Bytes::from_static(b"x"), SHORT).await.unwrap();
    cache.set("long", Bytes::from_static(b"x"), MINUTE).await.unwrap();
    until("over", async || cache.find("short").await == Ok(None)).await;
    assert!(cache.find("long").await.unwrap().is_some());
    // A new value has a time of its own.
    cache.set("short", Bytes::from_static(b"y"), MINUTE).await.unwrap();
    assert!(cache.find("short").await.unwrap().is_some());
}

async fn any_bytes_and_keys_are_kept_as_they_are(cache: Cache) {
    let bytes = Bytes::from((0..=255).cycle().take(100_000).collect::<Vec<u8>>());
    for (key, value) in [("", bytes.clone()), ("a b\r\n\0{x}:*ü", bytes), ("empty", Bytes::new())] {
        // In memory a value may be too large for its share of the room; these are not.
        let value = value.slice(..value.len().min(40_000));
        cache.set(key, value.clone(), MINUTE).await.unwrap();
        assert_eq!(cache.find(key).await, Ok(Some(value)), "{key:?}");
    }
}

async fn counters_count_exactly_and_end(cache: Cache) {
    let adding: Vec<_> = (0..8)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    cache.increment("n", 2, MINUTE).await.unwrap();
                }
            })
        })
        .collect();
    for one in adding {
        one.await.unwrap();
    }
    assert_eq!(cache.increment("n", -1, MINUTE).await, Ok(799));
    // The time counts from the first increment, however often it is incremented.
    let mut last = 0;
    until("counted anew", async || {
        let now = cache.increment("short", 1, SHORT).await.unwrap();
        let anew = now == 1 && last > 0;
        last = now;
        anew
    })
    .await;
}

async fn buckets_give_no_more_than_they_hold(cache: Cache) {
    let rate = Rate::new(1, Duration::from_hours(1), 100);
    let taking: Vec<_> = (0..8)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move {
                let mut taken = 0;
                for _ in 0..40 {
                    taken += u32::from(cache.take("k", rate, 1).await.unwrap().allowed);
                }
                taken
            })
        })
        .collect();
    let mut taken = 0;
    for one in taking {
        taken += one.await.unwrap();
    }
    assert_eq!(taken, 100);
    let refused = cache.take("k", rate, 1).await.unwrap();
    assert!(!refused.allowed && refused.remaining == 0);
    assert!(refused.retry_after > Duration::from_mins(50) && refused.retry_after <= rate.interval());
    assert!(refused.reset > 99 * rate.interval() && refused.reset <= rate.window());
    let other = cache.take("other", rate, 30).await.unwrap();
    assert!(other.allowed && other.remaining == 70 && other.retry_after.is_zero());
    let too_many = cache.take("other", rate, 101).await.unwrap();
    assert!(!too_many.allowed && too_many.remaining == 70 && too_many.retry_after == Duration::MAX);
    assert_eq!(cache.take("fresh", rate, 0).await.unwrap().remaining, 100);
}

async fn buckets_fill_again(cache: Cache) {
    let rate = Rate::new(20, Duration::from_secs(1), 2);
    assert!(cache.take("k", rate, 2).await.unwrap().allowed);
    let refused = cache.take("k", rate, 2).await.unwrap();
    assert!(!refused.allowed && refused.retry_after <= Duration::from_millis(100));
    until("full again", async || cache.take("k", rate, 2).await.unwrap().allowed).await;
}

async fn kinds_do_not_get_into_each_others_way(cache: Cache) {
    let rate = Rate::new(1, MINUTE, 5);
    cache.set("k", Bytes::from_static(b"value"), MINUTE).await.unwrap();
    assert_eq!(cache.increment("k", 1, MINUTE).await, Ok(1));
    assert_eq!(cache.take("k", rate, 1).await.unwrap().remaining, 4);
    assert!(cache.lock("k", MINUTE).await.unwrap().is_some());
    assert_eq!(cache.find("k").await, Ok(Some(Bytes::from_static(b"value"))));
}

async fn locks_have_one_holder(cache: Cache) {
    let first = cache.lock("job", MINUTE).await.unwrap().unwrap();
    assert_eq!(cache.lock("job", MINUTE).await, Ok(None));
    assert_eq!(cache.extend(&first, MINUTE).await, Ok(true));
    assert_eq!(cache.release(&first).await, Ok(true));
    assert_eq!(cache.release(&first).await, Ok(false));
    assert_eq!(cache.extend(&first, MINUTE).await, Ok(false));
    let second = cache.lock("job", MINUTE).await.unwrap().unwrap();
    assert!(second.fence > first.fence);
    // Who held it before cannot take it away.
    assert_eq!(cache.release(&first).await, Ok(false));
    assert_eq!(cache.lock("job", MINUTE).await, Ok(None));
    let all: Vec<_> = (0..20)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.lock("crowd", MINUTE).await.unwrap().is_some() })
        })
        .collect();
    let mut holders = 0;
    for one in all {
        holders += usize::from(one.await.unwrap());
    }
    assert_eq!(holders, 1);
}

async fn locks_end_with_their_time(cache: Cache) {
    let first = cache.lock("job", SHORT).await.unwrap().unwrap();
    let mut second = None;
    until("free", async || {
        second = cache.lock("job", MINUTE).await.unwrap();
        second.is_some()
    })
    .await;
    assert!(second.unwrap().fence > first.fence);
    assert_eq!(cache.extend(&first, MINUTE).await, Ok(false));
    assert_eq!(cache.release(&first).await, Ok(false));
}

async fn next(subscription: &mut Subscription) -> Event {
    tokio::time::timeout(PATIENCE, subscription.next()).await.expect("an event").expect("a living cache")
}

async fn messages_reach_every_subscriber_in_order(cache: Cache) {
    let mut one = cache.subscribe("news");
    assert_eq!(next(&mut one).await, Event::Resync);
    let mut two = cache.subscribe("news");
    assert_eq!(next(&mut two).await, Event::Resync);
    let mut other = cache.subscribe("other");
    assert_eq!(next(&mut other).await, Event::Resync);
    for at in 0..10_u8 {
        cache.publish("news", Bytes::copy_from_slice(&[at, 0, 255])).await.unwrap();
    }
    cache.publish("other", Bytes::from_static(b"o")).await.unwrap();
    // For the second one's sake it was told to look once more.
    assert_eq!(next(&mut one).await, Event::Resync);
    for at in 0..10_u8 {
        let expected = Event::Message(Bytes::copy_from_slice(&[at, 0, 255]));
        assert_eq!(next(&mut one).await, expected);
        assert_eq!(next(&mut two).await, expected);
    }
    assert_eq!(next(&mut other).await, Event::Message(Bytes::from_static(b"o")));
}

async fn statistics_tell_hits_and_misses(cache: Cache) {
    cache.set("k", Bytes::from_static(b"x"), MINUTE).await.unwrap();
    cache.find("k").await.unwrap();
    cache.find("k").await.unwrap();
    cache.find("none").await.unwrap();
    let told = cache.statistics();
    assert_eq!((told.hits, told.misses, told.failures, told.openings), (2, 1, 0, 0));
}
