//! Answers that are made while they are sent.

use std::time::Duration;

use bedplate_http::{Access, App, Response, Route, handler_fn};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};

use crate::server::{Server, config, eventually, start, web};

fn server() -> Server {
    let mut config = config();
    config.timeouts.request = Duration::from_millis(100);
    let pieces = |pattern, fail: bool, end: bool| {
        let handler = handler_fn(move |_, _| async move {
            let body = stream::unfold(0, move |n| async move {
                tokio::time::sleep(Duration::from_millis(40)).await;
                match n {
                    5 if fail => Some((Err(std::io::Error::other("broke")), n + 1)),
                    5 if end => None,
                    n => Some((Ok(Bytes::from(format!("{n};"))), n + 1)),
                }
            });
            Ok(Response::stream(StatusCode::OK, "text/event-stream", body))
        });
        Route::new(&[Method::GET], pattern, "test.stream", Access::Public, handler)
    };
    start(App::builder(config).routes([
        pieces("/whole", false, true),
        pieces("/broken", true, true),
        pieces("/endless", false, false),
    ]))
}

#[tokio::test]
async fn a_stream_may_take_longer_than_the_deadline() {
    let server = server();
    let answer = server.get("/whole").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"0;1;2;3;4;"[..]));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let text = server.metrics.render();
    assert!(text.contains("bedplate_http_requests_total{class=\"test.stream\",status=\"2xx\"} 1"), "{text}");
    let head = server.send(Request::head(server.url("/whole")), "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn a_stream_that_fails_is_not_taken_for_whole() {
    let server = server();
    let request = Request::get(server.url("/broken")).body(Full::<Bytes>::default()).unwrap();
    let answer = web().request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.into_body().collect().await.is_err());
    eventually("nothing in flight", || server.metrics.in_flight() == 0).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_client() {
    let server = server();
    let request = Request::get(server.url("/endless")).body(Full::<Bytes>::default()).unwrap();
    let answer = web().request(request).await.unwrap();
    assert_eq!(server.metrics.in_flight(), 1);
    drop(answer);
    eventually("nothing in flight", || server.metrics.in_flight() == 0).await;
}
