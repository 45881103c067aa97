//! Answers that are made while they are sent.

use std::sync::Arc;

use bedplate_http::{Access, App, Response, Route, handler_fn};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::sync::Semaphore;

use crate::server::{Server, config, eventually, start, web};

/// What comes after the five pieces of a stream.
#[derive(Clone, Copy)]
enum Then {
    Ends,
    Fails,
    Waits,
}

/// The pieces are made once `gate` is open.
fn server(gate: &Arc<Semaphore>) -> Server {
    let pieces = |pattern, then| {
        let gate = Arc::clone(gate);
        let handler = handler_fn(move |_, _| {
            let gate = Arc::clone(&gate);
            async move {
                let body = stream::unfold(0, move |n| {
                    let gate = Arc::clone(&gate);
                    async move {
                        let _open = gate.acquire().await;
                        match (n, then) {
                            (5, Then::Ends) => None,
                            (5, Then::Fails) => Some((Err(std::io::Error::other("broke")), n + 1)),
                            (5, Then::Waits) => std::future::pending().await,
                            _ => Some((Ok(Bytes::from(format!("{n};"))), n + 1)),
                        }
                    }
                });
                Ok(Response::stream(StatusCode::OK, "text/event-stream", body))
            }
        });
        Route::new(&[Method::GET], pattern, "test.stream", Access::Public, handler)
    };
    start(App::builder(config()).routes([
        pieces("/whole", Then::Ends),
        pieces("/broken", Then::Fails),
        pieces("/endless", Then::Waits),
    ]))
}

async fn ask(server: &Server, path: &str) -> http::Response<hyper::body::Incoming> {
    let request = Request::get(server.url(path)).body(Full::<Bytes>::default()).unwrap();
    web().request(request).await.unwrap()
}

#[tokio::test]
async fn a_stream_is_sent_as_it_is_made() {
    let gate = Arc::new(Semaphore::new(0));
    let server = server(&gate);
    // The head is here before there is any body.
    let answer = ask(&server, "/whole").await;
    assert_eq!((answer.status(), server.metrics.in_flight()), (StatusCode::OK, 1));
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    gate.add_permits(1);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "0;1;2;3;4;");
    let text = server.metrics.render();
    assert!(text.contains("bedplate_http_requests_total{class=\"test.stream\",status=\"2xx\"} 1"), "{text}");
    let head = server.send(Request::head(server.url("/whole")), "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn a_stream_that_fails_is_not_taken_for_whole() {
    let gate = Arc::new(Semaphore::new(0));
    let server = server(&gate);
    let answer = ask(&server, "/broken").await;
    assert_eq!(answer.status(), 200);
    gate.add_permits(1);
    assert!(answer.into_body().collect().await.is_err());
    eventually("nothing in flight", || server.metrics.in_flight() == 0).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_client() {
    let server = server(&Arc::new(Semaphore::new(1)));
    let answer = ask(&server, "/endless").await;
    assert_eq!(server.metrics.in_flight(), 1);
    drop(answer);
    eventually("nothing in flight", || server.metrics.in_flight() == 0).await;
}
