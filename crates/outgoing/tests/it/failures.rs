//! Hosts that are slow, down or failing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bedplate_outgoing::{Client, Config, Error, Limits, OUTCOMES, Request, Target};

use crate::server::{Server, answer, ok};

fn target(server: &Server) -> Target {
    Target::configured(&server.url("/")).unwrap()
}

#[tokio::test]
async fn r13_a_read_is_repeated_and_a_write_is_not() {
    let server = Server::start(|_, n| if n < 2 { answer(503, "", "") } else { ok("back") }).await;
    let client = Client::default();
    assert_eq!(client.send(Request::get("test", target(&server))).await.unwrap().status, 200);
    assert_eq!(server.heads().len(), 3);

    let failing = Server::start(|_, _| answer(503, "", "")).await;
    assert_eq!(client.send(Request::post("test", target(&failing), "x")).await.unwrap().status, 503);
    assert_eq!(failing.heads().len(), 1);
    let repeatable = Request::post("test", target(&failing), "x").repeatable();
    assert_eq!(client.send(repeatable).await.unwrap().status, 503, "the last answer is what there is");
    assert_eq!(failing.heads().len(), 4);
    // A connection that breaks before its answer.
    let broken = Server::start(|_, n| if n == 0 { Some(Vec::new()) } else { ok("x") }).await;
    assert_eq!(client.send(Request::get("test", target(&broken))).await.unwrap().status, 200);
    let broken = Server::start(|_, _| Some(Vec::new())).await;
    let outcome = client.send(Request::post("test", target(&broken), "x")).await.map(|_| ());
    assert!(matches!(outcome, Err(Error::Broken(_))), "{outcome:?}");
    assert_eq!(broken.heads().len(), 1, "a write may have been done");
}

#[tokio::test]
async fn r13_retry_after_is_waited_for_and_not_beyond_the_time_there_is() {
    let server =
        Server::start(|_, n| if n == 0 { answer(429, "retry-after: 1\r\n", "") } else { ok("x") }).await;
    let begun = Instant::now();
    let client = Client::default();
    assert_eq!(client.send(Request::get("test", target(&server))).await.unwrap().status, 200);
    assert!(begun.elapsed() >= Duration::from_secs(1));

    let later = Server::start(|_, _| answer(503, "retry-after: 3600\r\n", "")).await;
    let begun = Instant::now();
    assert_eq!(client.send(Request::get("test", target(&later))).await.unwrap().status, 503);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(later.heads().len(), 1);
}

#[tokio::test]
async fn r13_a_host_that_does_not_answer_costs_its_limit_and_no_more() {
    let silent = Server::start(|_, _| None).await;
    let limits = Limits {
        first_byte: Duration::from_millis(200),
        total: Duration::from_millis(500),
        ..Limits::default()
    };
    let begun = Instant::now();
    let outcome =
        Client::default().send(Request::get("test", target(&silent)).limits(limits)).await.map(|_| ());
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    assert!((0.2..2.0).contains(&begun.elapsed().as_secs_f64()));
    let half = Server::start(|_, _| Some(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nhalf".to_vec())).await;
    let outcome =
        Client::default().send(Request::get("test", target(&half)).limits(limits)).await.map(|_| ());
    assert!(matches!(outcome, Err(Error::Timeout { what: "complete answer", .. })), "{outcome:?}");
}

#[tokio::test]
async fn r13_the_breaker_opens_after_five_failures_and_closes_with_the_first_success() {
    let healthy = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&healthy);
    let server = Server::start(
        move |_, _| if told.load(Ordering::SeqCst) == 0 { answer(500, "", "") } else { ok("x") },
    )
    .await;
    let client = Client::new(Config { pause: Duration::from_millis(300), ..Config::default() });
    let call = || client.send(Request::get("test", target(&server)));
    for _ in 0..5 {
        assert_eq!(call().await.unwrap().status, 500);
    }
    for _ in 0..20 {
        assert!(matches!(call().await, Err(Error::Open { .. })));
    }
    assert_eq!(server.heads().len(), 5, "nobody comes while it is open");
    assert_eq!(client.statistics().open_breakers, 1);
    // Other hosts are not concerned.
    let other = Server::start(|_, _| ok("x")).await;
    assert_eq!(client.send(Request::get("test", target(&other))).await.unwrap().status, 200);

    healthy.store(1, Ordering::SeqCst);
    let until = Instant::now() + Duration::from_secs(5);
    while call().await.is_err() {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.heads().len(), 6, "one probe");
    assert_eq!(call().await.unwrap().status, 200);
    assert_eq!(client.statistics().open_breakers, 0);
}

#[tokio::test]
async fn calls_to_one_host_wait_for_each_other() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counting, highest) = (Arc::clone(&now), Arc::clone(&most));
    let server = Server::start(move |_, _| {
        let n = counting.fetch_add(1, Ordering::SeqCst) + 1;
        highest.fetch_max(n, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        counting.fetch_sub(1, Ordering::SeqCst);
        ok("x")
    })
    .await;
    let client = Client::new(Config { per_host: 2, ..Config::default() });
    let calls = (0..20).map(|_| {
        let (client, request) = (client.clone(), Request::get("test", target(&server)));
        tokio::spawn(async move { client.send(request).await.unwrap().status })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert!(server.connections() <= 2 && most.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn what_calls_come_to_is_counted_by_class() {
    let server = Server::start(|_, n| if n == 0 { ok("x") } else { answer(404, "", "") }).await;
    let client = Client::default();
    for _ in 0..2 {
        client.send(Request::get("first", target(&server))).await.unwrap();
    }
    let refused = Target::foreign("http://10.0.0.1/").unwrap();
    client.send(Request::get("second", refused)).await.unwrap_err();
    let statistics = client.statistics();
    let count = |class: usize, outcome: &str| {
        statistics.classes[class].outcomes[OUTCOMES.iter().position(|name| *name == outcome).unwrap()]
    };
    assert_eq!(statistics.classes.iter().map(|class| class.class).collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!((count(0, "2xx"), count(0, "4xx"), count(1, "refused")), (1, 1, 1));
    assert!(statistics.classes.iter().all(|class| class.under_way == 0));
}
