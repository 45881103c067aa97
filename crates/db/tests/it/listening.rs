//! LISTEN: what arrives, and that the hub comes back.

use std::time::Duration;

use bedplate_db::listen::{Event, Hub, Subscription};

use crate::fixture::*;

async fn next(subscription: &mut Subscription) -> Event {
    tokio::time::timeout(Duration::from_secs(20), subscription.next()).await.expect("an event").unwrap()
}

fn notified(payload: &str) -> Event {
    Event::Notified { payload: payload.into() }
}

#[tokio::test]
async fn notifications_reach_their_subscribers_and_a_lost_connection_says_read_again() {
    let f = Fixture::new().await;
    let admin = f.database.superuser().await;
    let hub = Hub::new(f.connector());
    let mut odd = hub.subscribe("Odd \"name\"").unwrap();
    let mut plain = hub.subscribe("plain").unwrap();
    assert_eq!(next(&mut odd).await, Event::Resync);
    assert_eq!(next(&mut plain).await, Event::Resync);
    let send = "select pg_notify($1, $2)";
    admin.execute(send, &[&"Odd \"name\"", &"one"]).await.unwrap();
    admin.execute(send, &[&"plain", &"two"]).await.unwrap();
    assert_eq!(next(&mut odd).await, notified("one"));
    assert_eq!(next(&mut plain).await, notified("two"));

    // Who comes later is told to read too.
    let mut late = hub.subscribe("plain").unwrap();
    assert_eq!(next(&mut late).await, Event::Resync);
    assert_eq!(next(&mut plain).await, Event::Resync);

    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = $1 \
                and datname = current_database()";
    assert!(admin.query_one(kill, &[&LOGIN]).await.unwrap().get::<_, i64>(0) >= 1);
    for subscription in [&mut odd, &mut plain, &mut late] {
        assert_eq!(next(subscription).await, Event::Resync);
    }
    admin.execute(send, &[&"plain", &"three"]).await.unwrap();
    assert_eq!(next(&mut plain).await, notified("three"));
    assert_eq!(next(&mut late).await, notified("three"));

    drop(hub);
    assert_eq!(plain.next().await, None);
}

#[tokio::test]
async fn a_slow_subscriber_is_told_to_read_again() {
    let f = Fixture::new().await;
    let hub = Hub::new(f.connector());
    let mut slow = hub.subscribe("c").unwrap();
    let mut quick = hub.subscribe("c").unwrap();
    assert_eq!(next(&mut quick).await, Event::Resync);
    let many = "select count(pg_notify('c', i::text)) from generate_series(1, 3000) i";
    f.database.superuser().await.query(many, &[]).await.unwrap();
    while next(&mut quick).await != notified("3000") {}
    let mut last = Event::Resync;
    let mut resyncs = 0;
    while last != notified("3000") {
        last = next(&mut slow).await;
        resyncs += usize::from(last == Event::Resync);
    }
    assert!(resyncs >= 1);
}

#[tokio::test]
async fn names_that_postgresql_would_cut_are_refused() {
    let f = Fixture::new().await;
    let hub = Hub::new(f.connector());
    for name in ["", "a\0b", &"x".repeat(64)] {
        assert!(hub.subscribe(name).is_err());
    }
}
