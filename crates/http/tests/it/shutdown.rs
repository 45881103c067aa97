//! The orderly end: nothing that was sent goes unanswered.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bedplate_http::{Access, App, Health, Phase, Response, Route, Shutdown, handler_fn, health_routes};
use http::{Method, Request, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::frames::{Fate, Wire};
use crate::server::{config, eventually, ok, plain, read_one, read_to_close, start, web2};

/// Answers when the gate is opened.
fn held(gate: &Arc<Semaphore>) -> Route {
    let gate = Arc::clone(gate);
    let handler = handler_fn(move |_, _| {
        let gate = Arc::clone(&gate);
        async move {
            let _open = gate.acquire().await;
            Ok(Response::text(StatusCode::OK, "done"))
        }
    });
    Route::new(&[Method::GET], "/held", "test.held", Access::Public, handler)
}

fn gate() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
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
    for pre_drain in [0, 60] {
        let mut config = config();
        config.timeouts.pre_drain = Duration::from_millis(pre_drain);
        // Not waited for, since all clients go on at once; a busy machine must not make one of them idle.
        config.timeouts.idle_drain = Duration::from_secs(10);
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
    let gate = gate();
    let server = start(App::builder(config()).routes([held(&gate)]));
    let mut stream = server.connect().await;
    stream.write_all(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    eventually("in flight", || server.metrics.in_flight() == 1).await;
    server.shutdown.begin();
    server.shutdown.reached(Phase::Stopping).await;
    assert!(TcpStream::connect(server.address).await.is_err());
    gate.add_permits(1);
    let answers = read_to_close(&mut stream).await;
    assert_eq!((answers[0].status, answers[0].header("connection")), (200, "close"));
    server.running.await.unwrap();
}

#[tokio::test]
async fn http2_streams_are_finished_and_new_ones_refused() {
    let gate = gate();
    let server = start(App::builder(config()).routes([held(&gate)]));
    let (web, url) = (web2(), server.url("/held"));
    let pending = tokio::spawn({
        let (web, url) = (web.clone(), url.clone());
        async move { web.request(Request::get(url).body(http_body_util::Full::default()).unwrap()).await }
    });
    eventually("in flight", || server.metrics.in_flight() == 1).await;
    server.shutdown.begin();
    server.shutdown.reached(Phase::Stopping).await;
    gate.add_permits(1);
    assert_eq!(pending.await.unwrap().expect("finished").status(), 200);
    server.running.await.unwrap();
    assert!(web.request(Request::get(url).body(http_body_util::Full::default()).unwrap()).await.is_err());
}

/// Notes in the handler which requests ran, `/ran/{id}` at once and `/ran-slow/{id}` after 20 ms.
fn noting(ran: &Arc<Mutex<Vec<String>>>) -> [Route; 2] {
    [("/ran/{id}", 0), ("/ran-slow/{id}", 20)].map(|(pattern, millis)| {
        let ran = Arc::clone(ran);
        let handler = handler_fn(move |_, request: bedplate_http::Request| {
            ran.lock().unwrap().push(request.path().to_owned());
            async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok(Response::text(StatusCode::OK, "done"))
            }
        });
        Route::new(&[Method::GET], pattern, "test.ran", Access::Public, handler)
    })
}

/// A client that opens no stream after GOAWAY loses nothing: the server first announces the end without naming a
/// last stream, and names it when the client is known to have heard (RFC 9113 §6.8). What the clients sent, what
/// ran and what was answered are the same requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_of_a_busy_http2_client_fails() {
    let mut config = config();
    config.timeouts.pre_drain = Duration::from_millis(100);
    // As above: only a machine that is busy with something else makes these clients idle.
    config.timeouts.idle_drain = Duration::from_secs(10);
    let ran = Arc::default();
    let server = start(App::builder(config).routes(noting(&ran)));
    let (address, answers) = (server.address, Arc::new(AtomicU32::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                let (mut all, mut sent) = (Fate::default(), 0);
                let pattern = if client % 2 == 0 { "/ran" } else { "/ran-slow" };
                while let Ok(wire) = Wire::connect(address).await {
                    let path = || {
                        sent += 1;
                        format!("{pattern}/{client}-{sent}")
                    };
                    let answered = || _ = answers.fetch_add(1, Relaxed);
                    let fate = wire.get_until_told_to_go(4, path, answered).await.expect("no reset");
                    all.answered.extend(fate.answered);
                    all.lost.extend(fate.lost);
                }
                all
            })
        })
        .collect();
    eventually("some traffic", || answers.load(Relaxed) > 300).await;
    server.shutdown.begin();
    server.running.await.unwrap();
    let mut answered = Vec::new();
    for client in clients {
        let fate = client.await.unwrap();
        assert!(fate.lost.is_empty(), "not answered: {:?}", fate.lost);
        answered.extend(fate.answered);
    }
    let mut ran = std::mem::take(&mut *ran.lock().unwrap());
    answered.sort_unstable();
    ran.sort_unstable();
    assert_eq!(ran, answered);
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
    let server = start(App::builder(config).routes([held(&gate())]));
    let mut stream = server.connect().await;
    stream.write_all(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    eventually("in flight", || server.metrics.in_flight() == 1).await;
    let begun = Instant::now();
    server.shutdown.begin();
    server.running.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(server.metrics.in_flight(), 0);

    let server = start(App::builder(crate::server::config()).routes([held(&gate())]));
    let mut stream = server.connect().await;
    stream.write_all(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
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
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(silent);
}
