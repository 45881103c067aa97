//! Browsers: whose pages may call, and what their scripts may read.

use super::Plain;

const PREFLIGHT: [(&str, &str); 3] = [
    ("origin", "https://app.example.com"),
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "X-Client-Info, Foo"),
];

#[tokio::test]
async fn any_origin_where_that_is_said_and_none_otherwise() {
    let open = Plain::start("", "server_cors_allowed_origins = [\"*\"]").await;
    let preflight = open.send("OPTIONS", "/items", &PREFLIGHT, b"").await;
    assert_eq!(preflight.status, 200);
    assert_eq!(preflight.headers["access-control-allow-origin"], "*");
    let allowed = &preflight.headers["access-control-allow-headers"];
    assert_eq!(allowed, "Authorization, X-Client-Info, Foo, Accept, Accept-Language, Content-Language");
    assert!(!preflight.headers.contains_key("access-control-allow-credentials"));
    let refused = open.send("GET", "/secrets", &PREFLIGHT[..1], b"").await;
    assert_eq!(refused.headers["access-control-allow-origin"], "*", "errors can be read as well");
    let closed = Plain::start("", "").await;
    let answer = closed.send("GET", "/items", &PREFLIGHT[..1], b"").await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn listed_origins_only() {
    let listed = Plain::start("", "server_cors_allowed_origins = [\"https://app.example.com\"]").await;
    let answer = listed.send("GET", "/items", &PREFLIGHT[..1], b"").await;
    assert_eq!(answer.headers["access-control-allow-origin"], "https://app.example.com");
    let other =
        listed.send("GET", "/items", &[("origin", "https://app.example.com.evil.example")], b"").await;
    assert!(!other.headers.contains_key("access-control-allow-origin"));
}
