use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::problem::UNAUTHENTICATED;
use bedplate_core::{Principal, PrincipalKind, Problem};
use bedplate_http::{Access, App, Authentication, Authenticator, Config, Response, Route, Stage, handler_fn};
use http::{HeaderMap, Method, Request, StatusCode};

use crate::server::{config, echo, plain, start};

#[tokio::test]
async fn request_ids_are_kept_when_harmless_and_made_otherwise() {
    let server = plain();
    let sent = |id: &'static str| Request::get(server.url("/ok")).header("x-request-id", id);
    assert_eq!(server.send(sent("abc-1.2_3"), "").await.header("x-request-id"), "abc-1.2_3");
    for bad in ["a b", "<script>", "é"] {
        let answer = server.send(sent(bad), "").await;
        assert_eq!(answer.header("x-request-id").len(), 36, "{bad}");
    }
    let (one, two) = (server.get("/ok").await, server.get("/ok").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

#[tokio::test]
async fn a_trace_is_continued() {
    let server = plain();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let echo = server.send(Request::get(server.url("/echo")).header("traceparent", parent), "").await.json();
    assert_eq!(echo["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    let echo = server.send(Request::get(server.url("/echo")).header("traceparent", "00-x"), "").await.json();
    assert_eq!(echo["trace_id"].as_str().unwrap().len(), 32);
}

#[tokio::test]
async fn a10_every_answer_has_the_security_headers() {
    let server = plain();
    let malformed = server.raw("GET / HTTP/1.1\r\n\r\n").await.remove(0);
    let mut answers = vec![malformed];
    for path in ["/ok", "/nowhere", "/panic", "/echo/%00"] {
        answers.push(server.get(path).await);
    }
    answers.push(server.send(Request::delete(server.url("/ok")), "").await);
    for answer in answers {
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert!(!answer.header("x-request-id").is_empty());
        assert!(!answer.header("date").is_empty());
        assert!(!answer.headers.contains_key("server"));
        assert!(!answer.headers.contains_key("strict-transport-security"));
    }
}

/// `good` at once, `slow` after a fetch, none is anonymous, all else is refused.
struct Tokens;

impl Authenticator for Tokens {
    fn authenticate<'a>(&'a self, headers: &'a HeaderMap, _client: IpAddr) -> Authentication<'a> {
        let user = || {
            Ok(Arc::new(Principal {
                kind: PrincipalKind::User,
                subject: Some("u1".into()),
                ..Principal::anonymous("authenticated")
            }))
        };
        match headers.get("authorization").map(|value| value.as_bytes()) {
            None => Authentication::Ready(Ok(Arc::new(Principal::anonymous("anon")))),
            Some(b"Bearer good") => Authentication::Ready(user()),
            Some(b"Bearer slow") => Authentication::Pending(Box::pin(async move {
                tokio::task::yield_now().await;
                user()
            })),
            Some(b"Bearer never") => Authentication::Pending(Box::pin(std::future::pending())),
            Some(_) => Authentication::Ready(Err(Problem::new(&UNAUTHENTICATED).detail("bad token"))),
        }
    }
}

#[tokio::test]
async fn authentication_comes_before_the_handler_and_only_where_it_is_wanted() {
    let who = handler_fn(|context: bedplate_http::RequestContext, _| async move {
        Ok(Response::text(StatusCode::OK, context.ctx.principal.role.to_string()))
    });
    let mine = Route::new(&[Method::GET], "/mine", "test.mine", Access::SignedIn, who);
    let mut config = config();
    config.timeouts.request = Duration::from_millis(300);
    let app = App::builder(config).routes([crate::server::ok(), mine]).mount(echo());
    let server = start(app.authenticator(Arc::new(Tokens)));
    let with = |path: &str, token: &str| {
        Request::get(server.url(path)).header("authorization", format!("Bearer {token}"))
    };
    assert_eq!(server.get("/echo").await.json()["role"], "anon");
    assert_eq!(server.send(with("/echo", "good"), "").await.json()["role"], "authenticated");
    assert_eq!(server.send(with("/echo", "slow"), "").await.json()["role"], "authenticated");
    let answer = server.send(with("/echo", "bad"), "").await;
    answer.problem(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    server.send(with("/echo", "never"), "").await.problem(504, "timeout");
    server.get("/mine").await.problem(401, "unauthenticated");
    assert_eq!(server.send(with("/mine", "good"), "").await.body, "authenticated");
    // A public route does not even look.
    assert_eq!(server.send(with("/ok", "bad"), "").await.status, 200);
    // What SQL gets to see has no credentials.
    let echo =
        server.send(with("/echo", "good").header("x-api-key", "k3y").header("x-b", "1"), "").await.json();
    let seen: serde_json::Value = serde_json::from_str(echo["sql_headers"].as_str().unwrap()).unwrap();
    assert_eq!(seen["x-b"], "1");
    assert!(seen.get("authorization").is_none() && seen.get("x-api-key").is_none(), "{seen}");
}

#[tokio::test]
async fn a14_only_configured_proxies_are_believed() {
    let forward = |server: &crate::server::Server| {
        Request::get(server.url("/echo"))
            .header("x-forwarded-for", "6.6.6.6, 203.0.113.7")
            .header("x-forwarded-proto", "https")
    };
    let server = plain();
    let echo = server.send(forward(&server), "").await.json();
    assert_eq!((&echo["client"], &echo["forwarded"]), (&"127.0.0.1".into(), &false.into()));

    let mut config = config();
    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = start(App::builder(config).mount(echo_mount()));
    let answer = server.send(forward(&server), "").await;
    assert_eq!(answer.json()["client"], "203.0.113.7");
    assert_eq!(answer.json()["secure"], true);
    assert_eq!(answer.header("strict-transport-security"), "max-age=63072000; includeSubDomains");
}

/// answers that no handler makes, and those without a body.
#[tokio::test]
async fn a10_redirects_refusals_and_answers_from_caches_have_them_too() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("docs")).unwrap();
    std::fs::write(folder.path().join("docs/index.html"), "<p>page</p>").unwrap();
    let files = bedplate_http::StaticFiles::new(folder.path()).unwrap();
    let mut config = config();
    config.limits.body_bytes = 10;
    config.rate_limits = Some(bedplate_http::rate_limit::RateLimits {
        address: bedplate_http::rate_limit::Quota::new(6, 3600),
        callers: 100,
        ..Default::default()
    });
    let app = App::builder(config).routes(crate::server::routes()).mount(echo());
    let server = start(app.mount(bedplate_http::Mount::new("/files", &["files"], Access::Public, files)));
    let page = server.get("/files/docs/").await;
    let tag = page.header("etag").to_owned();
    let kept = Request::get(server.url("/files/docs/")).header("if-none-match", tag);
    let mut answers = vec![
        (200, page),
        (308, server.get("/files/docs").await),
        (304, server.send(kept, "").await),
        (413, server.send(Request::post(server.url("/echo")), "more than ten bytes").await),
        (500, server.get("/panic").await),
        (204, server.send(Request::options(server.url("/ok")), "").await),
    ];
    answers.push((429, server.get("/nowhere").await));
    answers.push((
        431,
        server.raw(format!("GET / HTTP/1.1\r\nHost: x\r\na: {}\r\n\r\n", "x".repeat(70_000))).await.remove(0),
    ));
    for (status, answer) in answers {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{status}");
        for name in
            ["content-security-policy", "cache-control", "cross-origin-resource-policy", "x-request-id"]
        {
            assert!(!answer.header(name).is_empty(), "{name} of {status}");
        }
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{status}");
        assert!(!answer.headers.contains_key("server"), "{status}");
    }
}

/// HSTS where clients come by TLS, which the configuration knows.
#[tokio::test]
async fn a10_behind_tls_every_answer_says_so() {
    let mut config = config();
    config.https = true;
    let server = start(App::builder(config).routes(crate::server::routes()));
    let malformed = server.raw("GET / HTTP/1.1\r\n\r\n").await.remove(0);
    let mut answers = vec![malformed];
    for path in ["/ok", "/nowhere", "/panic"] {
        answers.push(server.get(path).await);
    }
    for answer in answers {
        assert_eq!(answer.header("strict-transport-security"), "max-age=63072000; includeSubDomains");
    }
}

/// The guard of the admin listener: any address, and no name that was not listed.
#[tokio::test]
async fn a_listener_that_is_called_by_address_is_not_called_by_foreign_names() {
    let mut config = config();
    config.allowed_hosts = Some(vec!["metrics.internal".to_owned()]);
    config.allow_addresses = true;
    let server = start(App::builder(config).routes([crate::server::ok()]));
    let with = |host: &'static str| Request::get(server.url("/ok")).header("host", host);
    for host in ["10.0.0.7:54322", "[fd00::7]:54322", "localhost", "metrics.internal.:1", "127.0.0.1"] {
        assert_eq!(server.send(with(host), "").await.status, 200, "{host}");
    }
    for host in ["evil.example", "10.0.0.7.evil.example", "metrics.internal.evil.example", "2130706433"] {
        let answer = server.send(with(host), "").await;
        answer.problem(403, "host_not_allowed");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

/// RFC 9113 §8.3.1: one request has one host, wherever it is written.
#[tokio::test]
async fn a_request_for_two_hosts_is_refused() {
    let server = start(App::builder(Config::dev()).routes([crate::server::ok()]));
    let absolute = |host: &str| {
        format!("GET http://localhost:1/ok HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    };
    assert_eq!(server.raw(absolute("localhost:1")).await[0].status, 200);
    for host in ["evil.example", "localhost:2", "localhost"] {
        server.raw(absolute(host)).await[0].problem(400, "malformed_http");
    }
    // HTTP/2: `:authority` is the URL's, and the Host header is whatever the client adds.
    let web = crate::server::web2();
    let with = |host: &str| Request::get(server.url("/ok")).header("host", host);
    let same = server.address.to_string();
    assert_eq!(server.send_with(&web, with(&same), "").await.status, 200);
    for host in ["evil.example", "localhost"] {
        server.send_with(&web, with(host), "").await.problem(400, "malformed_http");
    }
}

fn echo_mount() -> bedplate_http::Mount {
    echo()
}

#[tokio::test]
async fn dev_says_where_the_time_went_and_production_does_not() {
    let staged = || {
        let handler = handler_fn(|context: bedplate_http::RequestContext, _| async move {
            context.report.add(Stage::Plan, Duration::from_micros(1500));
            context.report.add(Stage::Database, Duration::from_micros(250));
            Ok(Response::empty(StatusCode::NO_CONTENT))
        });
        Route::new(&[Method::GET], "/staged", "test.staged", Access::Public, handler)
    };
    let dev = start(App::builder(Config::dev()).routes([staged()]));
    let answer = dev.get("/staged").await;
    let timing = answer.header("server-timing");
    assert!(timing.starts_with("plan;dur=1.500, db;dur=0.250, total;dur="), "{timing}");
    let production = start(App::builder(Config::production()).routes([staged()]));
    assert!(!production.get("/staged").await.headers.contains_key("server-timing"));
}

#[tokio::test]
async fn dev_answers_only_to_local_names_and_local_pages() {
    let server = start(App::builder(Config::dev()).routes([crate::server::ok()]));
    assert_eq!(server.get("/ok").await.status, 200);
    let with = |name: &'static str, value: &'static str| Request::get(server.url("/ok")).header(name, value);
    assert_eq!(server.send(with("host", "localhost:1"), "").await.status, 200);
    assert_eq!(server.send(with("origin", "http://localhost:5173"), "").await.status, 200);
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "localhost.evil.example"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        server.send(with(name, value), "").await.problem(403, "host_not_allowed");
    }
}

#[tokio::test]
async fn the_class_a_front_door_names_is_counted() {
    let server = plain();
    server.get("/echo").await;
    server.get("/ok").await;
    server.get("/nowhere").await;
    let text = server.metrics.render();
    for line in [
        "bedplate_http_requests_total{class=\"echo.named\",status=\"2xx\"} 1",
        "bedplate_http_requests_total{class=\"test.ok\",status=\"2xx\"} 1",
        "bedplate_http_requests_total{class=\"unrouted\",status=\"4xx\"} 1",
        "bedplate_http_request_duration_seconds_count{class=\"test.ok\"} 1",
        "bedplate_http_request_duration_seconds_bucket{le=\"+Inf\",class=\"test.ok\"} 1",
        "bedplate_http_requests_in_flight 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}
