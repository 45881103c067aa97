use bedplate_http::{Access, App, Response, Route, handler_fn};
use http::{Method, Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{config, plain, start};

#[tokio::test]
async fn routes_answer_their_methods_and_say_which() {
    let server = plain();
    assert_eq!(server.get("/ok").await.json()["ok"], true);
    assert_eq!(server.get("/items/a%20b").await.body, "a%20b");

    let answer = server.send(Request::delete(server.url("/items/1")), "").await;
    answer.problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET, PUT, HEAD, OPTIONS");

    for method in ["TRACE", "CONNECT", "BREW"] {
        let answer =
            &server.raw(format!("{method} /ok HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await[0];
        answer.problem(405, "method_not_allowed");
    }
    let answer = server.send(Request::options(server.url("/items/1")), "").await;
    assert_eq!((answer.status, answer.header("allow")), (204, "GET, PUT, HEAD, OPTIONS"));
}

#[tokio::test]
async fn unknown_paths_are_problems_that_name_the_path() {
    let server = plain();
    let problem = server.get("/nowhere?token=s3cret").await.problem(404, "not_found");
    assert_eq!(problem["instance"], "/nowhere");
    server.get("/ok/").await.problem(404, "not_found");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = plain();
    let get = server.get("/ok").await;
    let head = server.send(Request::head(server.url("/ok")), "").await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    assert_eq!(head.header("content-type"), get.header("content-type"));
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn a_front_door_gets_everything_below_its_prefix() {
    let server = plain();
    for (path, rest) in [("/echo", ""), ("/echo/", ""), ("/echo/a/b", "a/b"), ("/echo/a%2Fb/", "a%2Fb/")] {
        let echo = server.get(&format!("{path}?x=1&y=%20")).await.json();
        assert_eq!(echo["rest"], rest, "{path}");
        assert_eq!(echo["query"], "x=1&y=%20");
    }
    let echo = server.get("/echo/a%2Fb/%C3%A9").await.json();
    assert_eq!(echo["segments"], serde_json::json!(["a/b", "é"]));
    let echo = server.send(Request::builder().method("BREW").uri(server.url("/echo/pot")), "").await.json();
    assert_eq!(echo["method"], "BREW");
    server.get("/echoes").await.problem(404, "not_found");
    for bad in ["/echo/%c0%af", "/echo/%", "/echo/%00"] {
        server.get(bad).await.problem(400, "malformed_request");
    }
}

#[tokio::test]
async fn a_response_may_choose_the_words_of_its_status() {
    let handler = handler_fn(|_, _| async {
        Ok(Response::empty(StatusCode::PAYMENT_REQUIRED).reason("The bill is not paid"))
    });
    let route = Route::new(&[Method::GET], "/bill", "test.bill", Access::Public, handler);
    let server = start(App::builder(config()).routes(vec![route]));
    let mut stream = server.connect().await;
    stream.write_all(b"GET /bill HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 402 The bill is not paid\r\n"), "{answer}");
}
