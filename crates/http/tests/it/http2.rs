use http::{Request, Version};
use http_body_util::{BodyExt, Full};

use bedplate_http::{Access, App, Response, Route, handler_fn};

use crate::server::{config, eventually, plain, start, web2};

#[tokio::test]
async fn prior_knowledge_is_served_like_http_1() {
    let server = plain();
    let web = web2();
    let answer = web.request(Request::get(server.url("/ok")).body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert!(answer.headers().contains_key("x-request-id"));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "{\"ok\":true}");

    let echo = server.send_with(&web, Request::post(server.url("/echo/a?b=c")), "hello").await.json();
    assert_eq!((&echo["body"], &echo["rest"], &echo["query"]), (&"hello".into(), &"a".into(), &"b=c".into()));
    let head = server.send_with(&web, Request::head(server.url("/ok")), "").await;
    assert_eq!((head.header("content-length"), head.body.len()), ("11", 0));
    server.send_with(&web, Request::get(server.url("/nowhere")), "").await.problem(404, "not_found");
    server.send_with(&web, Request::get(server.url("/panic")), "").await.problem(500, "internal_error");
}

#[tokio::test]
async fn its_heads_have_the_same_limits() {
    let mut config = config();
    config.limits.headers = 20;
    let server = start(App::builder(config).routes([crate::server::ok()]));
    let web = web2();
    let long = format!("/ok?{}", "x".repeat(9000));
    server.send_with(&web, Request::get(server.url(&long)), "").await.problem(414, "uri_too_long");
    let mut request = Request::get(server.url("/ok"));
    for n in 0..30 {
        request = request.header(format!("x-{n}"), "1");
    }
    server.send_with(&web, request, "").await.problem(431, "headers_too_large");
    let request = Request::get(server.url("/ok")).header("x-long", "y".repeat(40_000));
    server.send_with(&web, request, "").await.problem(431, "headers_too_large");
    assert_eq!(server.send_with(&web, Request::get(server.url("/ok")), "").await.status, 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let mut config = config();
    config.limits.body_bytes = 10;
    let server = start(App::builder(config).mount(crate::server::echo()));
    let answer = server.send_with(&web2(), Request::post(server.url("/echo")), "more than ten bytes").await;
    answer.problem(413, "body_too_large");
}

/// Rapid reset (CVE-2023-44487): streams opened only to be reset cost the client its connection.
#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let mut config = config();
    config.limits.h2_resets = 50;
    let wait = handler_fn(|_, _| async {
        std::future::pending::<()>().await;
        Ok(Response::empty(http::StatusCode::OK))
    });
    let wait = Route::new(&[http::Method::GET], "/wait", "test.wait", Access::Public, wait);
    let server = start(App::builder(config).routes([wait, crate::server::ok()]));
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    for sent in 0..60 {
        if sender.ready().await.is_err() {
            break;
        }
        let request = Request::get(server.url("/wait")).body(Full::<bytes::Bytes>::default()).unwrap();
        let answer = tokio::spawn(sender.send_request(request));
        eventually("the handler runs or the connection is gone", || {
            server.metrics.in_flight() == 1 || answer.is_finished()
        })
        .await;
        answer.abort();
        eventually("it is reset", || server.metrics.in_flight() == 0).await;
        assert!(sent <= 51, "still open");
    }
    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), connection).await;
    assert!(ended.is_ok(), "the connection is closed");
    assert_eq!(server.get("/ok").await.status, 200);
}
