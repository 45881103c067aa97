//! Slow clients: in the head, in the body, in reading the answer, and in doing nothing.

use std::time::{Duration, Instant};

use bedplate_http::{Access, App, Config, Response, Route, handler_fn};
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{config, echo, eventually, ok, read_one, read_to_close, start};

fn hasty() -> Config {
    let mut config = config();
    config.timeouts.head = Duration::from_millis(150);
    config.timeouts.keep_alive = Duration::from_millis(400);
    config.timeouts.body_gap = Duration::from_millis(150);
    config.timeouts.write_idle = Duration::from_millis(150);
    config
}

#[tokio::test]
async fn a_slow_head_gets_408() {
    let server = start(App::builder(hasty()).routes([ok()]));
    let mut stream = server.connect().await;
    stream.write_all(b"GET /ok HTTP/1.1\r\nHos").await.unwrap();
    read_to_close(&mut stream).await[0].problem(408, "request_timeout");
    // Dripping does not help: the time is for the head as a whole.
    let mut stream = server.connect().await;
    let (mut read, mut write) = stream.split();
    let begun = Instant::now();
    let drip = async {
        write.write_all(b"GET /ok HTTP/1.1\r\n").await.ok();
        while write.write_all(b"a: b\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut bytes = Vec::new();
    tokio::select! {
        () = drip => {}
        _ = read.read_to_end(&mut bytes) => {}
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(bytes.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&bytes));
}

#[tokio::test]
async fn silent_and_idle_connections_end() {
    let server = start(App::builder(hasty()).routes([ok()]));
    assert!(read_to_close(&mut server.connect().await).await.is_empty());
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(read_one(&mut stream).await.unwrap().status, 200);
        // Longer than a head may take, shorter than a connection may idle.
        tokio::time::sleep(Duration::from_millis(220)).await;
    }
    let begun = Instant::now();
    assert!(read_to_close(&mut stream).await.is_empty());
    assert!(begun.elapsed() < Duration::from_secs(3));
    // The next head on a kept connection has its own, shorter time.
    let mut stream = server.connect().await;
    stream.write_all(b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\nGET ").await.unwrap();
    let answers = read_to_close(&mut stream).await;
    assert_eq!(answers[0].status, 200);
    answers[1].problem(408, "request_timeout");
}

#[tokio::test]
async fn a_slow_body_gets_408() {
    let server = start(App::builder(hasty()).mount(echo()));
    let mut stream = server.connect().await;
    stream.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345").await.unwrap();
    let answers = read_to_close(&mut stream).await;
    assert_eq!(answers.len(), 1);
    answers[0].problem(408, "request_timeout");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let big = handler_fn(|_, _| async { Ok(Response::text(StatusCode::OK, vec![b'x'; 32 << 20])) });
    let big = Route::new(&[Method::GET], "/big", "test.big", Access::Public, big);
    let server = start(App::builder(hasty()).routes([big]));
    let mut stream = server.connect().await;
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    eventually("it is served", || server.metrics.connections() == 1).await;
    eventually("it is cut off", || server.metrics.connections() == 0).await;
}

#[tokio::test]
async fn a_slow_handler_is_not_an_idle_connection() {
    let mut config = hasty();
    config.timeouts.keep_alive = Duration::from_millis(100);
    let slow = handler_fn(|_, _| async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        Ok(Response::empty(StatusCode::NO_CONTENT))
    });
    let slow = Route::new(&[Method::GET], "/slow", "test.slow", Access::Public, slow);
    let server = start(App::builder(config).routes([slow]));
    assert_eq!(server.get("/slow").await.status, 204);
    assert_eq!(
        server.send_with(&crate::server::web2(), http::Request::get(server.url("/slow")), "").await.status,
        204
    );
}

/// Slowloris: hundreds of clients that begin and do not go on do not keep others waiting, and are gone soon.
#[tokio::test]
async fn slow_clients_do_not_keep_others_waiting() {
    let mut config = hasty();
    config.timeouts.head = Duration::from_millis(700);
    config.timeouts.body_gap = Duration::from_millis(700);
    let server = start(App::builder(config).routes([ok()]).mount(echo()));
    let mut slow = Vec::new();
    for n in 0..300 {
        let mut stream = server.connect().await;
        let begun: &[u8] = match n % 3 {
            0 => b"GET /ok HTTP/1.1\r\nHost: x\r\nA:",
            1 => b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
            _ => b"PRI * HTTP/2.0\r\n",
        };
        stream.write_all(begun).await.unwrap();
        slow.push(stream);
    }
    let begun = Instant::now();
    while server.metrics.connections() > 20 {
        assert_eq!(server.get("/ok").await.status, 200);
        assert!(begun.elapsed() < Duration::from_secs(10), "{} are still open", server.metrics.connections());
    }
    drop(slow);
}
