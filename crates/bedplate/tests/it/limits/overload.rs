//! More than the server can do: what is refused, what goes on.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::{metric, server};
use crate::api::server::{ALICE, Answer, Server, send, user};

/// What takes long here waits for a lock that the test holds: as long as the test wants, on a machine of any speed.
const NAP: &str = "
    create function public.nap() returns int language sql stable as
        $$ select 1 from (select pg_advisory_xact_lock_shared(7)) as held $$;
    create function public.sleep() returns int language sql stable as $$ select 1 from pg_sleep(600) $$;
    revoke execute on function public.nap(), public.sleep() from public;
    grant execute on function public.nap(), public.sleep() to authenticated;
    create view public.slow with (security_invoker = true) as
        select pg_advisory_xact_lock_shared(7)::text as nothing, 1 as id;
    grant select on public.slow to authenticated;";
/// Nothing ends by itself while the lock is held.
const PATIENT: [&str; 2] = ["budgets.roles.authenticated.time=10m", "server.request_deadline=10m"];

/// The lock that naps wait for.
struct Held(tokio_postgres::Client);

impl Held {
    async fn new(server: &Server) -> Self {
        let owner = server.db.connect("postgres").await;
        owner.execute("select pg_advisory_lock(7)", &[]).await.unwrap();
        Self(owner)
    }

    /// Until so many statements wait for it.
    async fn waited_for_by(&self, count: i64) {
        let sql = "select count(*) from pg_locks where locktype = 'advisory' and not granted \
                   and database = (select oid from pg_database where datname = current_database())";
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let waiting: i64 = self.0.query(sql, &[]).await.unwrap()[0].get(0);
            if waiting >= count {
                return assert_eq!(waiting, count);
            }
            assert!(Instant::now() < end, "{waiting} of {count} statements came to the database");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn release(self) {
        self.0.execute("select pg_advisory_unlock(7)", &[]).await.unwrap();
    }
}

/// The next answers, which must all have this status; other tasks go on.
async fn next(tasks: &mut JoinSet<Answer>, count: usize, status: u16) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..count {
        let answer = tasks.join_next().await.unwrap().unwrap();
        assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
        answers.push(answer);
    }
    answers
}

/// Asks in the background.
fn ask(tasks: &mut JoinSet<Answer>, server: &Server, path: &str) {
    let (address, path) = (server.address.clone(), path.to_owned());
    let authorization = format!("Bearer {}", user(ALICE));
    tasks.spawn(async move { send(&address, "GET", &path, &[("authorization", &authorization)], b"").await });
}

/// Answered, whatever else is going on.
async fn answers(address: &str, path: &str, status: u16) {
    for _ in 0..20 {
        let answer = send(address, "GET", path, &[], b"").await;
        assert_eq!(answer.status, status, "{path}: {}", String::from_utf8_lossy(&answer.body));
    }
}

/// requests hold every connection for longer than others may wait.
#[tokio::test]
async fn r08_an_exhausted_pool_refuses_the_excess_and_health_does_not_notice() {
    let settings = ["database.pool_read=4", "database.pool_write=4", "database.pool_wait=500ms"];
    let server = server(&[&settings[..], &PATIENT].concat(), NAP).await;
    let held = Held::new(&server).await;
    let mut naps = JoinSet::new();
    for _ in 0..20 {
        ask(&mut naps, &server, "/api/v1/rpc/nap");
    }
    for refused in next(&mut naps, 16, 503).await {
        assert!(refused.headers.contains_key("retry-after"), "{:?}", refused.headers);
    }
    held.waited_for_by(4).await;
    for address in [&server.address, &server.admin] {
        for path in ["/health/live", "/health/ready"] {
            answers(address, path, 200).await;
        }
    }
    held.release().await;
    next(&mut naps, 4, 200).await;
    assert_eq!(server.get("/api/v1/tickets?limit=1", Some(&user(ALICE))).await.status, 200);
}

/// slow statements end at their role's limit, or with their client, and leave the rest alone.
#[tokio::test]
async fn r09_slow_statements_are_cancelled_at_the_limit_and_when_the_client_is_gone() {
    let settings = ["budgets.roles.authenticated.time=1s", "database.pool_read=6", "database.pool_wait=10s"];
    let server = server(&settings, NAP).await;
    let mut naps = JoinSet::new();
    for _ in 0..6 {
        ask(&mut naps, &server, "/api/v1/rpc/sleep");
    }
    next(&mut naps, 6, 504).await;

    let server = super::server(&PATIENT, NAP).await;
    let owner = server.db.connect("postgres").await;
    let running = async || {
        let sql = "select count(*) from pg_stat_activity where state = 'active' and query like '%sleep%' \
                   and datname = current_database() and pid <> pg_backend_pid()";
        owner.query(sql, &[]).await.unwrap()[0].get::<_, i64>(0)
    };
    for _ in 0..4 {
        ask(&mut naps, &server, "/api/v1/rpc/sleep");
    }
    let end = Instant::now() + Duration::from_mins(1);
    while running().await < 4 {
        assert!(Instant::now() < end, "they never ran");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    naps.abort_all();
    let gone = Instant::now();
    while running().await > 0 {
        assert!(gone.elapsed() < Duration::from_mins(1), "statements of clients that are gone go on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.get("/api/v1/tickets?limit=1", Some(&user(ALICE))).await.status, 200);
}

/// R-15, api-v1: past the limit of requests in work the answer is 503 at once, and what watches the server is answered.
#[tokio::test]
async fn overload_is_shed_early_and_health_and_metrics_answer() {
    let settings = ["server.max_in_flight=5", "database.pool_read=20"];
    let server = server(&[&settings[..], &PATIENT].concat(), NAP).await;
    let held = Held::new(&server).await;
    let mut naps = JoinSet::new();
    for _ in 0..5 {
        ask(&mut naps, &server, "/api/v1/rpc/nap");
    }
    held.waited_for_by(5).await;
    for _ in 0..10 {
        let answer = server.get("/api/v1/tickets?limit=1", Some(&user(ALICE))).await;
        assert_eq!((answer.status, answer.code()), (503, "overloaded".to_owned()));
        assert_eq!(answer.headers["retry-after"], "1");
    }
    answers(&server.address, "/health/live", 200).await;
    answers(&server.address, "/health/ready", 200).await;
    answers(&server.admin, "/metrics", 200).await;
    assert!(metric(&server, "bedplate_http_requests_shed_total").await >= 10.0);
    held.release().await;
    next(&mut naps, 5, 200).await;
}

/// what costs more than others do runs a few at a time; lists do not wait for it.
#[tokio::test]
async fn a37_counting_and_exporting_leave_connections_for_the_rest() {
    let settings = ["database.pool_read=4", "budgets.expensive_at_once=2", "database.pool_wait=500ms"];
    let server = server(&[&settings[..], &PATIENT].concat(), NAP).await;
    let held = Held::new(&server).await;
    let mut counts = JoinSet::new();
    for _ in 0..8 {
        ask(&mut counts, &server, "/api/v1/slow?count=exact&limit=1");
    }
    for refused in next(&mut counts, 6, 503).await {
        assert!(refused.json()["detail"].as_str().unwrap().contains("count, aggregate or export"));
        assert_eq!(refused.headers["retry-after"], "1");
    }
    held.waited_for_by(2).await;
    let token = user(ALICE);
    for _ in 0..10 {
        assert_eq!(
            server.get("/api/v1/tickets?limit=1", Some(&token)).await.status,
            200,
            "two of four are free"
        );
    }
    assert!(metric(&server, "bedplate_budget_refusals_total{budget=\"expensive_at_once\"}").await >= 6.0);
    held.release().await;
    next(&mut counts, 2, 200).await;
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
