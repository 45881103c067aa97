//! The orderly end: nothing that was sent goes unanswered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bedplate_http::{Access, App, Health, Phase, Response, Route, Shutdown, handler_fn, health_routes};
use http::{Method, Request, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::server::{config, eventually, ok, plain, read_one, read_to_close, start, web2};

fn slow(millis: u64) -> Route {
    let handler = handler_fn(move |_, _| async move {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(Response::text(StatusCode::OK, "done"))
    });
    Route::new(&[Method::GET], "/slow", "test.slow", Access::Public, handler)
}

/// Sends requests as a well-behaved client does: over a kept connection, a new one when told to close. Every
/// request that was sent must be answered; only connecting may fail.
async fn client(address: std::net::SocketAddr, answered: Arc<AtomicU32>, stop: Arc<AtomicBool>) {
    while !stop.load(Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address).await else { return };
        loop {
            stream.write_all(b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
            let answer = read_one(&mut stream).await.expect("every request that was sent is answered");
            assert_eq!(answer.status, 200);
            answered.fetch_add(1, Relaxed);
            if answer.header("connection") == "close" {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_of_a_busy_client_fails() {
    for round in 0..5 {
        let mut config = config();
        config.timeouts.pre_drain = Duration::from_millis(if round % 2 == 0 { 0 } else { 60 });
        config.timeouts.idle_drain = Duration::from_millis(500);
        let server = start(App::builder(config).routes([ok()]));
        let (answered, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let clients: Vec<_> = (0..16)
            .map(|_| tokio::spawn(client(server.address, Arc::clone(&answered), Arc::clone(&stop))))
            .collect();
        eventually("some traffic", || answered.load(Relaxed) > 500).await;
        server.shutdown.begin();
        server.running.await.unwrap();
        stop.store(true, Relaxed);
        for client in clients {
            client.await.expect("no request failed");
        }
        assert!(TcpStream::connect(server.address).await.is_err());
        assert_eq!(server.metrics.in_flight(), 0);
    }
}

#[tokio::test]
async fn what_is_in_flight_is_finished_and_the_port_is_closed_meanwhile() {
    let server = start(App::builder(config()).routes([slow(400)]));
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    eventually("in flight", || server.metrics.in_flight() == 1).await;
    server.shutdown.begin();
    server.shutdown.reached(Phase::Stopping).await;
    assert!(TcpStream::connect(server.address).await.is_err());
    let answers = read_to_close(&mut stream).await;
    assert_eq!((answers[0].status, answers[0].header("connection")), (200, "close"));
    server.running.await.unwrap();
}

#[tokio::test]
async fn http2_streams_are_finished_and_new_ones_refused() {
    let server = start(App::builder(config()).routes([slow(300)]));
    let (web, url) = (web2(), server.url("/slow"));
    let pending = tokio::spawn({
        let (web, url) = (web.clone(), url.clone());
        async move { web.request(Request::get(url).body(http_body_util::Full::default()).unwrap()).await }
    });
    eventually("in flight", || server.metrics.in_flight() == 1).await;
    server.shutdown.begin();
    assert_eq!(pending.await.unwrap().expect("finished").status(), 200);
    server.running.await.unwrap();
    assert!(web.request(Request::get(url).body(http_body_util::Full::default()).unwrap()).await.is_err());
}

/// The client still had the request in its own queue when the connection closed: the server never saw it.
fn is_unsent(error: &hyper_util::client::legacy::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<hyper::Error>());
    cause.is_some_and(hyper::Error::is_canceled)
}

/// Over HTTP/2 a client learns by GOAWAY which requests were not taken and may be sent again elsewhere (RFC 9113
/// §6.8). What the server took, it answered: both count the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_of_a_busy_http2_client_fails() {
    let mut config = config();
    config.timeouts.pre_drain = Duration::from_millis(100);
    let server = start(App::builder(config).routes([ok(), slow(20)]));
    let answered = Arc::new(AtomicU32::new(0));
    let clients: Vec<_> = (0..8)
        .map(|n| {
            let (web, url) = (web2(), server.url(if n % 2 == 0 { "/ok" } else { "/slow" }));
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                loop {
                    let request = Request::get(&url).body(http_body_util::Full::default()).unwrap();
                    match web.request(request).await {
                        Ok(answer) => assert_eq!(answer.status(), 200),
                        Err(error) if format!("{error:?}").contains("GoAway(b\"\", NO_ERROR, Remote)") => {
                            continue;
                        }
                        Err(error) if is_unsent(&error) => continue,
                        Err(error) => break assert!(error.is_connect(), "{error:?}"),
                    }
                    answered.fetch_add(1, Relaxed);
                }
            })
        })
        .collect();
    eventually("some traffic", || answered.load(Relaxed) > 300).await;
    server.shutdown.begin();
    server.running.await.unwrap();
    for client in clients {
        client.await.expect("no request failed");
    }
    let text = server.metrics.render();
    let counts = text.lines().filter_map(|line| line.strip_prefix("bedplate_http_requests_total{"));
    let served: u32 = counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()).sum();
    assert_eq!(served, answered.load(Relaxed));
}

#[tokio::test]
async fn readiness_goes_first_and_requests_are_served_until_the_port_closes() {
    let shutdown = Shutdown::default();
    let health = Arc::new(Health::new(shutdown.clone()));
    let mut config = config();
    config.timeouts.pre_drain = Duration::from_secs(30);
    let app = App::builder(config).routes(health_routes(health)).routes([ok()]).shutdown(shutdown.clone());
    let server = start(app);
    assert_eq!(server.get("/health/ready").await.status, 200);
    shutdown.begin();
    server.get("/health/ready").await.problem(503, "shutting_down");
    let answer = server.get("/ok").await;
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
    shutdown.force();
    server.running.await.unwrap();
}

#[tokio::test]
async fn the_grace_time_is_the_limit_and_force_is_at_once() {
    let mut config = config();
    config.timeouts.grace = Duration::from_millis(200);
    let server = start(App::builder(config).routes([slow(60_000)]));
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    eventually("in flight", || server.metrics.in_flight() == 1).await;
    let begun = Instant::now();
    server.shutdown.begin();
    server.running.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(server.metrics.in_flight(), 0);

    let server = start(App::builder(crate::server::config()).routes([slow(60_000)]));
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    eventually("in flight", || server.metrics.in_flight() == 1).await;
    server.shutdown.begin();
    server.shutdown.force();
    server.running.await.unwrap();
    assert_eq!(server.metrics.connections(), 0);
}

#[tokio::test]
async fn an_idle_server_stops_soon() {
    let server = plain();
    let mut idle = server.connect().await;
    idle.write_all(b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(read_one(&mut idle).await.is_some());
    let silent = server.connect().await;
    eventually("both are in", || server.metrics.connections() == 2).await;
    let begun = Instant::now();
    server.shutdown.begin();
    server.running.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    drop(silent);
}
