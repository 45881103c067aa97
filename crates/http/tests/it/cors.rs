use bedplate_http::{App, Config};
use http::Request;

use crate::server::{Server, config, ok, plain, start};

async fn from(server: &Server, origin: &str) -> crate::server::Answer {
    server.send(Request::get(server.url("/ok")).header("origin", origin), "").await
}

fn listed() -> Server {
    let mut config = config();
    config.cors.origins = vec!["https://app.example.com".to_owned()];
    config.cors.credentials = true;
    start(App::builder(config).routes([ok()]))
}

#[tokio::test]
async fn a11_closed_by_default() {
    let server = plain();
    let answer = from(&server, "https://app.example.com").await;
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    let preflight = Request::options(server.url("/ok"))
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "PUT");
    assert!(!server.send(preflight, "").await.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a11_listed_origins_may_read_and_look_alikes_may_not() {
    let server = listed();
    let answer = from(&server, "https://app.example.com").await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert!(answer.header("access-control-expose-headers").contains("x-request-id"));
    assert_eq!(answer.header("vary"), "Origin");
    assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
    for bad in [
        "null",
        "https://app.example.com.evil.example",
        "https://evilapp.example.com",
        "http://app.example.com",
        "https://app.example.com:444",
        "https://APP.example.com",
    ] {
        let answer = from(&server, bad).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{bad}");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{bad}");
        assert_eq!(answer.header("vary"), "Origin");
    }
    // Errors can be read too.
    let answer = server
        .send(Request::get(server.url("/nowhere")).header("origin", "https://app.example.com"), "")
        .await;
    answer.problem(404, "not_found");
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com");
}

#[tokio::test]
async fn preflights_are_answered_before_anything_is_asked() {
    let server = listed();
    let preflight = |origin: &'static str| {
        Request::options(server.url("/ok"))
            .header("origin", origin)
            .header("access-control-request-method", "PATCH")
    };
    let answer = server.send(preflight("https://app.example.com"), "").await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com");
    assert!(answer.header("access-control-allow-methods").contains("PATCH"));
    assert!(answer.header("access-control-allow-headers").contains("authorization"));
    assert_eq!(answer.header("access-control-max-age"), "600");
    let answer = server.send(preflight("https://evil.example"), "").await;
    assert_eq!(answer.status, 204);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    assert!(!answer.headers.contains_key("access-control-allow-methods"));
}

#[tokio::test]
async fn dev_lets_localhost_in() {
    let server = start(App::builder(Config::dev()).routes([ok()]));
    let answer = from(&server, "http://localhost:5173").await;
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:5173");
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
}
