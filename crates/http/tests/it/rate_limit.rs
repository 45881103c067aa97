//! Rate limits from outside. Quotas are of an hour, so that nothing is earned while a test runs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bedplate_core::problem::UNAUTHENTICATED;
use bedplate_core::{Principal, PrincipalKind, Problem};
use bedplate_http::rate_limit::{Kinds, Quota, RateLimits, RoleLimits, SharedCounts, Taken};
use bedplate_http::{
    Access, App, Authentication, Authenticator, Builder, Health, Mount, Response, Shutdown, handler_fn,
    health_routes,
};
use http::{HeaderMap, Request, StatusCode};

use crate::server::{Answer, Server, config, ok, start};

const HOUR: u32 = 3600;

/// `user NAME`, `role NAME` (no subject) and `key` are good, nothing is anonymous, all else is refused.
struct Names;

impl Authenticator for Names {
    fn authenticate<'a>(&'a self, headers: &'a HeaderMap, _client: IpAddr) -> Authentication<'a> {
        let anonymous = Principal::anonymous("anon");
        let Some(value) = headers.get("authorization") else {
            return Authentication::Ready(Ok(Arc::new(anonymous)));
        };
        let user = Principal { kind: PrincipalKind::User, ..Principal::anonymous("authenticated") };
        let principal = match value.to_str().unwrap().split_once(' ') {
            Some(("user", name)) => Principal { subject: Some(name.into()), ..user },
            Some(("role", name)) => Principal { role: name.into(), ..user },
            Some(("key", _)) => {
                Principal { kind: PrincipalKind::Service, ..Principal::anonymous("service_role") }
            }
            _ => return Authentication::Ready(Err(Problem::new(&UNAUTHENTICATED).detail("bad token"))),
        };
        Authentication::Ready(Ok(Arc::new(principal)))
    }
}

fn quota(requests: u32) -> Option<Quota> {
    Quota::new(requests, HOUR)
}

fn app(limits: RateLimits) -> Builder {
    let mut config = config();
    config.rate_limits = Some(RateLimits { callers: 1_000, ..limits });
    let answer = handler_fn(|_, _| async { Ok(Response::text(StatusCode::OK, "done")) });
    let door = Mount::new("/door", &["door"], Access::Key, answer).calls_below("rpc");
    App::builder(config).routes([ok()]).mount(door).authenticator(Arc::new(Names))
}

fn server(limits: RateLimits) -> Server {
    start(app(limits))
}

async fn call(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request, "").await
}

async fn get(server: &Server, who: &str) -> Answer {
    let headers: &[(&str, &str)] = if who.is_empty() { &[] } else { &[("authorization", who)] };
    call(server, "GET", "/door/things", headers).await
}

#[tokio::test]
async fn p09_the_quota_passes_exactly_and_every_answer_tells_what_is_left() {
    let server = server(RateLimits { address: quota(3), ..RateLimits::default() });
    for (left, reset) in [(2, 1200), (1, 2400), (0, 1200)] {
        let answer = get(&server, "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), "\"address\";q=3;w=3600");
        assert_eq!(answer.header("ratelimit"), format!("\"address\";r={left};t={reset}"));
        assert!(!answer.headers.contains_key("retry-after"));
    }
    for _ in 0..3 {
        let answer = get(&server, "").await;
        let problem = answer.problem(429, "quota_exceeded");
        assert_eq!(problem["details"]["address"][0], "at most 3 requests in 3600 s");
        assert_eq!(answer.header("ratelimit"), "\"address\";r=0;t=1200");
        assert_eq!(answer.header("ratelimit-policy"), "\"address\";q=3;w=3600");
        assert_eq!(answer.header("retry-after"), "1200", "not earlier than t");
    }
    let metrics = server.metrics.render();
    assert!(metrics.contains("bedplate_rate_limit_refusals_total{policy=\"address\"} 3"), "{metrics}");
}

#[tokio::test]
async fn users_do_not_share_with_each_other_or_with_their_address() {
    let limits = RateLimits { address: quota(1), user: quota(2), ..RateLimits::default() };
    let server = server(limits);
    for user in ["user ann", "user bob"] {
        assert_eq!(get(&server, user).await.header("ratelimit"), "\"user\";r=1;t=1800");
        assert_eq!(get(&server, user).await.header("ratelimit"), "\"user\";r=0;t=1800");
        get(&server, user).await.problem(429, "quota_exceeded");
    }
    assert_eq!(get(&server, "").await.status, 200);
    get(&server, "").await.problem(429, "quota_exceeded");
    // No limit is set for service keys, and nothing is said of one.
    for _ in 0..5 {
        let answer = get(&server, "key of the backend").await;
        assert_eq!((answer.status, answer.headers.contains_key("ratelimit")), (200, false));
    }
}

/// V-16: nothing that a caller can choose gives it a count of its own.
#[tokio::test]
async fn v16_rotating_headers_paths_and_methods_does_not_reset_a_limit() {
    let server = server(RateLimits { address: quota(1), user: quota(1), ..RateLimits::default() });
    for who in ["", "user ann", "role without-a-subject"] {
        for n in 0..20 {
            let forwarded = format!("203.0.113.{n}");
            let standard = format!("for={forwarded};proto=https");
            let id = format!("id-{n}");
            let mut headers = vec![
                ("x-forwarded-for", forwarded.as_str()),
                ("x-real-ip", forwarded.as_str()),
                ("forwarded", standard.as_str()),
                ("user-agent", id.as_str()),
                ("x-request-id", id.as_str()),
                ("apikey", id.as_str()),
            ];
            if !who.is_empty() {
                headers.push(("authorization", who));
            }
            let method = ["GET", "POST", "DELETE", "HEAD"][n % 4];
            let answer = call(&server, method, &format!("/door/t{n}?x={n}"), &headers).await;
            assert_eq!(answer.status, if n == 0 { 200 } else { 429 }, "{who:?} {n}");
        }
    }
}

#[tokio::test]
async fn a14_behind_a_proxy_each_client_has_a_limit_and_cannot_choose_another() {
    let mut config = config();
    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    config.rate_limits = Some(RateLimits { address: quota(1), callers: 100, ..RateLimits::default() });
    let server = start(App::builder(config).routes([ok()]));
    let from = async |hops: &str, extra: &[(&str, &str)]| {
        let headers = [&[("x-forwarded-for", hops)], extra].concat();
        call(&server, "GET", "/ok", &headers).await.status
    };
    assert_eq!(from("203.0.113.1", &[]).await, 200);
    assert_eq!(from("203.0.113.2", &[]).await, 200);
    assert_eq!(from("203.0.113.1", &[]).await, 429);
    for n in 0..5 {
        // What the proxy appended stands at the right; what comes before it is the client's word.
        assert_eq!(from(&format!("198.51.100.{n}, 203.0.113.1"), &[]).await, 429);
        let standard = format!("for=198.51.100.{n}");
        assert_eq!(from("203.0.113.1", &[("forwarded", &standard)]).await, 429);
    }
    assert_eq!(from("2001:db8:1:2::1", &[]).await, 200);
    assert_eq!(from("2001:db8:1:2:ffff::9", &[]).await, 429, "one customer's network");
    assert_eq!(from("2001:db8:1:3::1", &[]).await, 200);
}

/// V-16, V-17: guesses cost their address, right or wrong, and past the limit none is looked at.
#[tokio::test]
async fn refused_credentials_are_counted_and_then_not_looked_at() {
    let limits =
        RateLimits { failures: quota(3), address: quota(50), user: quota(50), ..RateLimits::default() };
    let server = server(limits);
    for n in 0..3 {
        get(&server, &format!("guess {n}")).await.problem(401, "unauthenticated");
    }
    let answer = get(&server, "guess 4").await;
    answer.problem(429, "quota_exceeded");
    assert_eq!(answer.header("ratelimit-policy"), "\"failures\";q=3;w=3600");
    assert_eq!(answer.header("retry-after"), "1200");
    // The right one neither: else guessing on would pay.
    get(&server, "user ann").await.problem(429, "quota_exceeded");
    // Who guesses nothing is served.
    assert_eq!(get(&server, "").await.status, 200);
}

#[tokio::test]
async fn what_needs_no_caller_counts_by_address_and_health_does_not_count() {
    let health = health_routes(Arc::new(Health::new(Shutdown::default())));
    let server = start(app(RateLimits { address: quota(3), ..RateLimits::default() }).routes(health));
    assert_eq!(call(&server, "GET", "/ok", &[]).await.status, 200);
    call(&server, "GET", "/nowhere", &[]).await.problem(404, "not_found");
    call(&server, "DELETE", "/ok", &[]).await.problem(405, "method_not_allowed");
    for path in ["/ok", "/nowhere", "/door/things"] {
        call(&server, "GET", path, &[]).await.problem(429, "quota_exceeded");
    }
    for _ in 0..5 {
        let answer = call(&server, "GET", "/health/live", &[]).await;
        assert_eq!((answer.status, answer.headers.contains_key("ratelimit")), (200, false));
    }
}

#[tokio::test]
async fn kinds_of_requests_have_limits_besides_the_callers() {
    let kinds = Kinds { writes: quota(2), rpc: quota(1), ..Kinds::default() };
    let server = server(RateLimits { user: quota(4), kinds, ..RateLimits::default() });
    let ann = [("authorization", "user ann")];
    let answer = call(&server, "POST", "/door/things", &ann).await;
    assert_eq!(answer.header("ratelimit-policy"), "\"writes\";q=2;w=3600, \"user\";q=4;w=3600");
    assert_eq!(answer.header("ratelimit"), "\"writes\";r=1;t=1800, \"user\";r=3;t=900");
    assert_eq!(call(&server, "GET", "/door/rpc/f", &ann).await.status, 200);
    let answer = call(&server, "POST", "/door/rpc/f", &ann).await;
    let problem = answer.problem(429, "quota_exceeded");
    assert_eq!(problem["details"].as_object().unwrap().keys().collect::<Vec<_>>(), ["rpc"]);
    assert_eq!(answer.header("ratelimit"), "\"rpc\";r=0;t=3600, \"user\";r=2;t=1800", "refused: not counted");
    assert_eq!(call(&server, "PUT", "/door/things", &ann).await.status, 200);
    call(&server, "PATCH", "/door/things", &ann).await.problem(429, "quota_exceeded");
    assert_eq!(call(&server, "GET", "/door/things", &ann).await.header("ratelimit"), "\"user\";r=0;t=900");
    let answer = call(&server, "GET", "/door/rpc/f", &ann).await;
    let problem = answer.problem(429, "quota_exceeded");
    assert_eq!(problem["details"].as_object().unwrap().len(), 2, "both are reached");
    assert_eq!(answer.header("retry-after"), "3600", "the later of the two");
}

#[tokio::test]
async fn a_role_may_have_limits_of_its_own() {
    let of_role = RoleLimits { requests: Some(quota(1)), ..RoleLimits::default() };
    let roles = vec![("robot".to_owned(), of_role)];
    let server = server(RateLimits { user: quota(5), roles, ..RateLimits::default() });
    assert_eq!(get(&server, "role robot").await.status, 200);
    assert_eq!(get(&server, "role robot").await.status, 429);
    assert_eq!(get(&server, "role clerk").await.header("ratelimit"), "\"user\";r=4;t=720");
}

/// Counts of all nodes, in a map; they can be taken away.
#[derive(Default)]
struct Central {
    used: Mutex<HashMap<String, u32>>,
    away: AtomicBool,
}

impl SharedCounts for Central {
    fn take<'a>(&'a self, key: &'a str, quota: Quota) -> bedplate_http::BoxFuture<'a, Option<Taken>> {
        Box::pin(async move {
            if self.away.load(Relaxed) {
                return None;
            }
            assert!(!key.contains("ann"), "{key} tells who it is");
            let mut used = self.used.lock().unwrap();
            let used = used.entry(key.to_owned()).or_default();
            let allowed = *used < quota.requests();
            *used += u32::from(allowed);
            let remaining = quota.requests() - *used;
            Some(Taken { allowed, remaining, reset: Duration::from_secs(7) })
        })
    }
}

#[tokio::test]
async fn r11_nodes_share_one_count_and_each_holds_alone_when_it_is_away() {
    let central = Arc::new(Central::default());
    let shared: Arc<dyn SharedCounts> = central.clone();
    let node =
        || server(RateLimits { user: quota(5), shared: Some(Arc::clone(&shared)), ..RateLimits::default() });
    let (one, two) = (node(), node());
    let mut left = Vec::new();
    for n in 0..8 {
        let answer = get(if n % 2 == 0 { &one } else { &two }, "user ann").await;
        left.push((answer.status, answer.header("ratelimit").to_owned()));
    }
    let told = |status, remaining| (status, format!("\"user\";r={remaining};t=7"));
    let expected: Vec<_> =
        [4, 3, 2, 1, 0].map(|n| told(200, n)).into_iter().chain([0, 0, 0].map(|n| told(429, n))).collect();
    assert_eq!(left, expected);
    central.away.store(true, Relaxed);
    // The first node has let three through, and the second two: each lets through what its own count has left.
    for (node, own) in [(&one, 2), (&two, 3)] {
        for n in 0..own + 3 {
            let status = get(node, "user ann").await.status;
            assert_eq!(status, if n < own { 200 } else { 429 }, "{n}");
        }
        assert!(node.metrics.render().contains(&format!("bedplate_rate_limit_counted_alone_total {own}")));
    }
}
