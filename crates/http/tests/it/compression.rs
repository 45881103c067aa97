use std::io::Read;

use bedplate_http::{Access, App, Response, Route, handler_fn};
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, Method, Request, StatusCode};

use crate::server::{Server, config, start};

fn server() -> Server {
    let route = |pattern, response: fn() -> Response| {
        let handler = handler_fn(move |_, _| async move { Ok(response()) });
        Route::new(&[Method::GET], pattern, "test.data", Access::Public, handler)
    };
    start(App::builder(config()).routes([
        route("/big", || {
            Response::json(StatusCode::OK, text(10_000)).header(ETAG, HeaderValue::from_static("\"v1\""))
        }),
        route("/huge", || Response::json(StatusCode::OK, text(1_000_000))),
        route("/small", || Response::json(StatusCode::OK, "{}")),
        route("/image", || {
            Response::text(StatusCode::OK, text(10_000))
                .header(CONTENT_TYPE, HeaderValue::from_static("image/png"))
        }),
    ]))
}

fn text(len: usize) -> String {
    "[\"the same again\"]".chars().cycle().take(len).collect()
}

fn accepting(server: &Server, path: &str, accept: &'static str) -> http::request::Builder {
    Request::get(server.url(path)).header("accept-encoding", accept)
}

#[tokio::test]
async fn each_encoding_decodes_to_the_original() {
    let server = server();
    for (accept, coding) in [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip;q=0.5, br;q=0.9", "br")]
    {
        for (path, len) in [("/big", 10_000), ("/huge", 1_000_000)] {
            let answer = server.send(accepting(&server, path, accept), "").await;
            assert_eq!(answer.header("content-encoding"), coding, "{path}");
            assert_eq!(answer.header("vary"), "Accept-Encoding");
            assert!(answer.body.len() < len / 5);
            let mut plain = Vec::new();
            match coding {
                "gzip" => flate2::read::GzDecoder::new(&*answer.body).read_to_end(&mut plain).map(drop),
                "br" => brotli::Decompressor::new(&*answer.body, 4096).read_to_end(&mut plain).map(drop),
                _ => zstd::stream::copy_decode(&*answer.body, &mut plain),
            }
            .unwrap();
            assert_eq!(plain, text(len).into_bytes(), "{coding}");
        }
    }
}

#[tokio::test]
async fn what_gains_nothing_is_left_alone() {
    let server = server();
    for path in ["/small", "/image"] {
        let answer = server.send(accepting(&server, path, "gzip, br, zstd"), "").await;
        assert!(!answer.headers.contains_key("content-encoding"), "{path}");
        assert!(!answer.headers.contains_key("vary"), "{path}");
    }
    let answer = server.send(accepting(&server, "/big", "identity"), "").await;
    assert!(!answer.headers.contains_key("content-encoding"));
    assert_eq!(answer.header("vary"), "Accept-Encoding");
}

#[tokio::test]
async fn each_representation_has_its_own_strong_tag() {
    let server = server();
    let plain = server.get("/big").await;
    let gzip = server.send(accepting(&server, "/big", "gzip"), "").await;
    assert_eq!((plain.header("etag"), gzip.header("etag")), ("\"v1\"", "\"v1;gzip\""));
    assert!(bedplate_http::etag::matches_weakly(gzip.header("etag"), "\"v1\""));
    let head = Request::head(server.url("/big")).header("accept-encoding", "gzip");
    let head = server.send(head, "").await;
    assert_eq!(head.header("content-length"), gzip.body.len().to_string());
    assert_eq!(head.header("content-encoding"), "gzip");
}
