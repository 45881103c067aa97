//! More than the server can do: what is refused, what goes on.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::{metric, server};
use crate::api::server::{ALICE, Answer, Server, send, user};

const NAP: &str = "
    create function public.nap(seconds float8) returns int language sql stable as $$ select 1 from pg_sleep(seconds) $$;
    revoke execute on function public.nap(float8) from public;
    grant execute on function public.nap(float8) to authenticated;
    create view public.slow with (security_invoker = true) as select pg_sleep(3)::text as nothing, 1 as id;
    grant select on public.slow to authenticated;";

/// Asks in the background.
fn ask(tasks: &mut JoinSet<Answer>, server: &Server, path: &str) {
    let (address, path) = (server.address.clone(), path.to_owned());
    let authorization = format!("Bearer {}", user(ALICE));
    tasks.spawn(async move { send(&address, "GET", &path, &[("authorization", &authorization)], b"").await });
}

/// Waits until so many requests are being worked on, beside the one that asks for the metrics.
async fn in_flight(server: &Server, at_least: f64) {
    let end = Instant::now() + Duration::from_secs(20);
    while metric(server, "bedplate_http_requests_in_flight").await < at_least + 1.0 {
        assert!(Instant::now() < end, "never {at_least} in flight");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The slowest of twenty answers.
async fn slowest(address: &str, path: &str, status: u16) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let started = Instant::now();
        let answer = send(address, "GET", path, &[], b"").await;
        assert_eq!(answer.status, status, "{path}: {}", String::from_utf8_lossy(&answer.body));
        slowest = slowest.max(started.elapsed());
    }
    slowest
}

/// requests hold every connection for longer than others may wait.
#[tokio::test]
async fn r08_an_exhausted_pool_refuses_the_excess_in_time_and_health_does_not_notice() {
    let settings = ["database.pool_read=4", "database.pool_write=4", "database.pool_wait=1s"];
    let server = server(&settings, NAP).await;
    let mut naps = JoinSet::new();
    for _ in 0..20 {
        ask(&mut naps, &server, "/api/v1/rpc/nap?seconds=4");
    }
    in_flight(&server, 20.0).await;
    let bound = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 200 });
    for address in [&server.address, &server.admin] {
        for path in ["/health/live", "/health/ready"] {
            let slowest = slowest(address, path, 200).await;
            assert!(slowest < bound, "{path} took {slowest:?}");
        }
    }
    let (mut done, mut refused) = (0, 0);
    while let Some(answer) = naps.join_next().await {
        let answer = answer.unwrap();
        match answer.status {
            200 => done += 1,
            503 => {
                assert!(answer.headers.contains_key("retry-after"), "{:?}", answer.headers);
                refused += 1;
            }
            other => panic!("{other}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
    assert_eq!((done, refused), (4, 16));
    assert_eq!(server.get("/api/v1/tickets?limit=1", Some(&user(ALICE))).await.status, 200);
}

/// slow statements end at their role's limit, or with their client, and leave the rest alone.
#[tokio::test]
async fn r09_slow_statements_are_cancelled_at_the_limit_and_when_the_client_is_gone() {
    let settings = ["budgets.roles.authenticated.time=1s", "database.pool_read=6", "database.pool_wait=10s"];
    let server = server(&settings, NAP).await;
    let mut naps = JoinSet::new();
    let started = Instant::now();
    for _ in 0..6 {
        ask(&mut naps, &server, "/api/v1/rpc/nap?seconds=60");
    }
    while let Some(answer) = naps.join_next().await {
        assert_eq!(answer.unwrap().status, 504);
    }
    // The limit and half a second; a build for tests on a busy machine gets some more.
    let bound = Duration::from_millis(if cfg!(debug_assertions) { 4_000 } else { 1_500 });
    assert!(started.elapsed() < bound, "{:?}", started.elapsed());

    let server = super::server(&["budgets.roles.authenticated.time=60s"], NAP).await;
    let owner = server.db.connect("postgres").await;
    let running = async || {
        let sql = "select count(*) from pg_stat_activity where state = 'active' and query like '%nap%' \
                   and datname = current_database() and pid <> pg_backend_pid()";
        owner.query(sql, &[]).await.unwrap()[0].get::<_, i64>(0)
    };
    for _ in 0..4 {
        ask(&mut naps, &server, "/api/v1/rpc/nap?seconds=60");
    }
    let end = Instant::now() + Duration::from_secs(20);
    while running().await < 4 {
        assert!(Instant::now() < end, "they never ran");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    naps.abort_all();
    let gone = Instant::now();
    while running().await > 0 {
        assert!(gone.elapsed() < Duration::from_secs(10), "statements of clients that are gone go on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let bound = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 2 });
    assert!(gone.elapsed() < bound, "{:?}", gone.elapsed());
    assert_eq!(server.get("/api/v1/tickets?limit=1", Some(&user(ALICE))).await.status, 200);
}

/// R-15, api-v1: past the limit of requests in work the answer is 503 at once, and what watches the server is answered.
#[tokio::test]
async fn overload_is_shed_early_and_health_and_metrics_answer() {
    let server = server(&["server.max_in_flight=5", "database.pool_read=20"], NAP).await;
    let mut naps = JoinSet::new();
    for _ in 0..5 {
        ask(&mut naps, &server, "/api/v1/rpc/nap?seconds=6");
    }
    in_flight(&server, 5.0).await;
    for _ in 0..10 {
        let started = Instant::now();
        let answer = server.get("/api/v1/tickets?limit=1", Some(&user(ALICE))).await;
        assert_eq!((answer.status, answer.code()), (503, "overloaded".to_owned()));
        assert_eq!(answer.headers["retry-after"], "1");
        assert!(started.elapsed() < Duration::from_secs(1), "at once");
    }
    slowest(&server.address, "/health/live", 200).await;
    slowest(&server.address, "/health/ready", 200).await;
    slowest(&server.admin, "/metrics", 200).await;
    assert!(metric(&server, "bedplate_http_requests_shed_total").await >= 10.0);
    while let Some(answer) = naps.join_next().await {
        assert_eq!(answer.unwrap().status, 200);
    }
}

/// what costs more than others do runs a few at a time; lists do not wait for it.
#[tokio::test]
async fn a37_counting_and_exporting_leave_connections_for_the_rest() {
    let settings = ["database.pool_read=4", "budgets.expensive_at_once=2", "database.pool_wait=1s"];
    let server = server(&settings, NAP).await;
    let mut counts = JoinSet::new();
    for _ in 0..8 {
        ask(&mut counts, &server, "/api/v1/slow?count=exact&limit=1");
    }
    in_flight(&server, 8.0).await;
    let token = user(ALICE);
    for _ in 0..10 {
        let started = Instant::now();
        assert_eq!(server.get("/api/v1/tickets?limit=1", Some(&token)).await.status, 200);
        assert!(started.elapsed() < Duration::from_secs(2), "two of four connections are free");
    }
    let mut statuses = Vec::new();
    while let Some(answer) = counts.join_next().await {
        let answer = answer.unwrap();
        if answer.status == 503 {
            assert!(answer.json()["detail"].as_str().unwrap().contains("count, aggregate or export"));
            assert_eq!(answer.headers["retry-after"], "1");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 6, "{statuses:?}");
    assert!(metric(&server, "bedplate_budget_refusals_total{budget=\"expensive_at_once\"}").await >= 6.0);
}

/// R-15, B-04: one address may hold so many connections. This machine's own are exempt, so it takes another address.
#[tokio::test]
async fn b04_connections_of_one_address_are_bounded() {
    let Some(own) = own_address() else {
        // Without a network there is only loopback; the unit test of the listener's door covers the rule.
        return;
    };
    let server = server(&["server.host=0.0.0.0", "server.connections_per_address=3"], "").await;
    let port = server.address.rsplit_once(':').unwrap().1.to_owned();
    let address = format!("{own}:{port}");
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(tokio::net::TcpStream::connect(&address).await.unwrap());
    }
    // It is told before it says anything.
    let mut told = String::new();
    tokio::net::TcpStream::connect(&address).await.unwrap().read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("from this address"), "{told}");
    assert!(told.contains("retry-after: 1"), "{told}");
    assert_eq!(send(&format!("127.0.0.1:{port}"), "GET", "/health/live", &[], b"").await.status, 200);
    drop(held);
    let end = Instant::now() + Duration::from_secs(10);
    let opened = async || {
        let mut stream = tokio::net::TcpStream::connect(&address).await.ok()?;
        stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.ok()?;
        let mut told = String::new();
        stream.read_to_string(&mut told).await.ok()?;
        told.starts_with("HTTP/1.1 200 ").then_some(())
    };
    while opened().await.is_none() {
        assert!(Instant::now() < end, "what was closed counts no more");
    }
    let name = "bedplate_http_connections_refused_total{limit=\"address\"}";
    assert!(metric(&server, name).await >= 1.0);
}

/// An address of this machine that is not loopback. Nothing is sent.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
