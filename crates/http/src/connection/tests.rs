//! Times, in a clock that goes on by itself when nothing else does: slow clients in the head, in the body,
//! in reading the answer and in doing nothing, and answers that take long.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::*;
use crate::config::Config;
use crate::handler::{Handler, handler_fn};
use crate::response::Response;
use crate::routes::{Access, Route};

const GET_OK: &[u8] = b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n";

fn config() -> Config {
    let mut config = Config::default();
    config.timeouts.head = Duration::from_secs(3);
    config.timeouts.keep_alive = Duration::from_secs(7);
    config.timeouts.body_gap = Duration::from_secs(2);
    config.timeouts.write_idle = Duration::from_secs(5);
    config.timeouts.request = Duration::from_secs(20);
    config
}

fn get(path: &'static str, handler: impl Handler) -> Route {
    Route::new(&[Method::GET], path, "test", Access::Public, handler)
}

fn routes() -> Vec<Route> {
    vec![
        get("/ok", handler_fn(|_, _| async { Ok(Response::text(StatusCode::OK, "ok")) })),
        get("/big", handler_fn(|_, _| async { Ok(Response::text(StatusCode::OK, vec![b'x'; 1 << 20])) })),
        get(
            "/slow",
            handler_fn(|_, _| async {
                sleep(Duration::from_secs(15)).await;
                Ok(Response::text(StatusCode::OK, "slow"))
            }),
        ),
        get(
            "/stream",
            handler_fn(|_, _| async {
                let pieces = stream::unfold(0, |n| async move {
                    sleep(Duration::from_secs(6)).await;
                    (n < 5).then(|| (Ok::<_, std::io::Error>(Bytes::from(format!("{n};"))), n + 1))
                });
                Ok(Response::stream(StatusCode::OK, "text/event-stream", pieces))
            }),
        ),
        Route::new(
            &[Method::POST],
            "/echo",
            "test",
            Access::Public,
            handler_fn(|_, request: crate::Request| async move {
                Ok(Response::text(StatusCode::OK, request.body.collect().await?))
            }),
        ),
    ]
}

/// A client's end, and the connection's task. The pipe holds as much as a small socket buffer.
fn connect(config: Config) -> (DuplexStream, JoinHandle<()>) {
    let app = App::builder(config).routes(routes()).build().expect("the route table");
    let (client, server) = tokio::io::duplex(16 << 10);
    let connection = Connection::new(app, IpAddr::V4(Ipv4Addr::LOCALHOST));
    (client, tokio::spawn(serve(server, connection)))
}

/// What comes until the server closes, and after how many whole seconds it does.
async fn to_the_end(client: &mut DuplexStream) -> (String, u64) {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await.unwrap();
    (String::from_utf8(bytes).unwrap(), begun.elapsed().as_secs())
}

async fn one_answer(client: &mut DuplexStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\nok") {
        assert_ne!(client.read_buf(&mut bytes).await.unwrap(), 0, "closed");
    }
    String::from_utf8(bytes).unwrap()
}

#[track_caller]
fn assert_late(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_gets_408() {
    let (mut client, _task) = connect(config());
    client.write_all(b"GET /ok HTTP/1.1\r\nHos").await.unwrap();
    let (answer, after) = to_the_end(&mut client).await;
    assert_late(&answer);
    assert_eq!(after, 3);
}

/// The time is for the head as a whole.
#[tokio::test(start_paused = true)]
async fn dripping_does_not_help() {
    let (client, _task) = connect(config());
    let (mut read, mut write) = tokio::io::split(client);
    let begun = Instant::now();
    write.write_all(b"GET /ok HTTP/1.1\r\n").await.unwrap();
    let drip = tokio::spawn(async move {
        while write.write_all(b"a: b\r\n").await.is_ok() {
            sleep(Duration::from_millis(200)).await;
        }
    });
    let mut answer = [0; 12];
    read.read_exact(&mut answer).await.unwrap();
    assert_eq!((&answer, begun.elapsed().as_secs()), (b"HTTP/1.1 408", 3));
    drip.abort();
}

#[tokio::test(start_paused = true)]
async fn silent_and_idle_connections_end() {
    let (mut client, _task) = connect(config());
    assert_eq!(to_the_end(&mut client).await, (String::new(), 3), "silent");
    let (mut client, _task) = connect(config());
    for _ in 0..2 {
        client.write_all(GET_OK).await.unwrap();
        assert!(one_answer(&mut client).await.starts_with("HTTP/1.1 200 "));
        // Longer than a head may take, shorter than a connection may idle.
        sleep(Duration::from_secs(6)).await;
    }
    assert_eq!(to_the_end(&mut client).await, (String::new(), 1), "idle for 7 s");
}

/// The next head on a kept connection has its own, shorter time.
#[tokio::test(start_paused = true)]
async fn a_slow_second_head_gets_408() {
    let (mut client, _task) = connect(config());
    client.write_all(GET_OK).await.unwrap();
    one_answer(&mut client).await;
    client.write_all(b"GET ").await.unwrap();
    let (answer, after) = to_the_end(&mut client).await;
    assert_late(&answer);
    assert_eq!(after, 3);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_gets_408() {
    let (mut client, _task) = connect(config());
    client.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345").await.unwrap();
    let (answer, after) = to_the_end(&mut client).await;
    assert_late(&answer);
    assert_eq!((after, answer.matches("HTTP/1.1 ").count()), (2, 1), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_off() {
    let (mut client, task) = connect(config());
    client.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let begun = Instant::now();
    task.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_is_not_an_idle_connection() {
    let (mut client, _task) = connect(config());
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let (answer, after) = to_the_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(after, 15);
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_is_not_an_idle_http2_connection() {
    let (client, _task) = connect(config());
    let (mut sender, driver) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client)).await.unwrap();
    tokio::spawn(driver);
    let request = Request::get("http://x/slow").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
}

/// The deadline is for the handler; what it streams may take longer, and longer than a connection may idle.
#[tokio::test(start_paused = true)]
async fn a_stream_may_take_longer_than_the_deadline() {
    let (client, _task) = connect(config());
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(driver);
    let request =
        Request::get("/stream").header("host", "x").body(http_body_util::Empty::<Bytes>::new()).unwrap();
    let begun = Instant::now();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "0;1;2;3;4;");
    assert_eq!(begun.elapsed().as_secs(), 36);
}
