//! Repetitions at the worst moments: all at once, on several servers, after a kill -9 before and after the commit, after lost
//! connections and collisions (R-01, R-04).

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bedplate_testkit::Database;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use super::{PAYMENTS, SQL, assert_repeats, bearer, count, essence, headers, is_replayed, payments, start};
use crate::api::Answer;
use crate::api::server::{ALICE, BOB, HURRIED, Server, copy, drain, helpdesk, keys, ready, try_send, user};

/// One more server on the database of another.
struct Node {
    address: String,
    child: Child,
    _dir: tempfile::TempDir,
}

impl Node {
    async fn start(db: &Database, api_url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&helpdesk(), dir.path());
        let mut child = Command::new(env!("CARGO_BIN_EXE_bedplate"))
            .args(["serve", "--json", "--set", "server.port=0", "--set", "server.admin_port=0"])
            .args(["--set", "server.pre_drain=0s", "--set", "api.idempotency_wait=20s"])
            .args(HURRIED)
            .env("DATABASE_URL", db.url("postgres"))
            .envs(keys())
            .env("BEDPLATE_DATABASE__API_URL", api_url)
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (address, _) = ready(&mut child).await;
        drain(&mut child);
        Self { address, child, _dir: dir }
    }

    async fn beside(server: &Server) -> Self {
        Self::start(&server.db, &server.db.url("authenticator")).await
    }

    async fn kill(mut self) {
        // SIGKILL.
        self.child.kill().await.unwrap();
    }
}

async fn post(address: &str, path: &str, token: &str, key: &str) -> Option<Answer> {
    try_send(address, "POST", path, &headers(token, key), br#"{"amount":1}"#).await
}

/// As a client repeats a request: while it is told to, or not told anything.
async fn until_answered(address: &str, path: &str, token: &str, key: &str) -> Answer {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let answer = post(address, path, token, key).await;
        match answer {
            Some(answer) if !matches!(answer.status, 409 | 503) => return answer,
            _ => assert!(Instant::now() < deadline, "no answer"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn p_08_fifty_duplicates_at_once_on_two_servers_have_one_effect_and_one_answer() {
    let server = start().await;
    let nodes = [Node::beside(&server).await, Node::beside(&server).await];
    let alice = bearer(ALICE);
    for path in [PAYMENTS, "/rest/v1/payments", "/api/v1/rpc/pay_alone", "/api/v1/rpc/pay"] {
        let before = payments(&server).await;
        let sent = (0..50).map(|at| {
            let (address, alice) = (nodes[at % 2].address.clone(), alice.clone());
            tokio::spawn(async move { post(&address, path, &alice, "fifty").await.unwrap() })
        });
        let mut answers = Vec::new();
        for task in sent.collect::<Vec<_>>() {
            answers.push(task.await.unwrap());
        }
        let different: BTreeSet<_> = answers.iter().map(essence).collect();
        assert_eq!(different.len(), 1, "{path}: {different:?}");
        assert!((200..300).contains(&answers[0].status), "{path}: {:?}", essence(&answers[0]));
        assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1, "{path}");
        assert_eq!(payments(&server).await - before, 1, "{path}");
    }
}

#[tokio::test]
async fn p_08_who_does_not_wait_is_told_that_it_runs() {
    let impatient = |command: &mut Command| {
        command.env("BEDPLATE_API__IDEMPOTENCY_WAIT", "0s");
    };
    let server = Server::start_with(impatient, &format!("{SQL} {HELD}")).await;
    let other = Node::beside(&server).await;
    let alice = bearer(ALICE);
    let holder = hold(&server).await;
    let (address, token) = (server.address.clone(), alice.clone());
    let first = tokio::spawn(async move { post(&address, PAYMENTS, &token, "k").await.unwrap() });
    held(&server).await;
    let second = post(&server.address, PAYMENTS, &alice, "k").await.unwrap();
    assert_eq!((second.status, second.code()), (409, "idempotency_in_progress".to_owned()));
    assert_eq!(second.headers["retry-after"], "1");
    // Another server waits for it, and other keys for nobody.
    let (address, token) = (other.address.clone(), alice.clone());
    let third = tokio::spawn(async move { post(&address, PAYMENTS, &token, "k").await.unwrap() });
    drop(holder);
    let (first, third) = (first.await.unwrap(), third.await.unwrap());
    assert_repeats(&first, &third);
    assert_eq!(payments(&server).await, 1);
}

/// While somebody holds the lock, payments wait in the middle of being made.
const HELD: &str = "
    create function public.wait_for_leave() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock_shared(726); return new; end $$;
    create trigger held after insert on public.payments for each row execute function public.wait_for_leave();";

async fn hold(server: &Server) -> tokio_postgres::Client {
    let client = server.db.superuser().await;
    client.batch_execute("select pg_advisory_lock(726)").await.unwrap();
    client
}

/// Until a payment waits; the process that makes it.
async fn held(server: &Server) -> i32 {
    let sql = "select pid from pg_locks where locktype = 'advisory' and objid = 726 and not granted
        and database = (select oid from pg_database where datname = current_database())";
    let client = server.db.superuser().await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(row) = client.query(sql, &[]).await.unwrap().first() {
            return row.get(0);
        }
        assert!(Instant::now() < deadline, "nothing waits");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn r_01_killed_before_the_commit_nothing_was_done_and_a_retry_does_it_once() {
    let server = Server::start_with(|_| {}, &format!("{SQL} {HELD}")).await;
    let alice = bearer(ALICE);
    for (round, path) in [PAYMENTS, "/rest/v1/payments"].into_iter().enumerate() {
        let node = Node::beside(&server).await;
        let holder = hold(&server).await;
        let (address, token) = (node.address.clone(), alice.clone());
        let cut = tokio::spawn(async move { post(&address, path, &token, "k").await });
        held(&server).await;
        node.kill().await;
        assert!(cut.await.unwrap().is_none());
        drop(holder);
        let node = Node::beside(&server).await;
        let (first, again) = (
            until_answered(&node.address, path, &alice, "k").await,
            until_answered(&node.address, path, &alice, "k").await,
        );
        assert_eq!(first.status, 201);
        assert_repeats(&first, &again);
        assert_eq!(payments(&server).await, 1 + round as i64);
    }
}

/// Stands between a server and its database, on a socket of its own, and can keep back what follows a COMMIT.
struct Between {
    keep_back: Arc<AtomicBool>,
    kept_back: Arc<Notify>,
    dir: tempfile::TempDir,
}

impl Between {
    fn new(db: &Database) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(".s.PGSQL.5432")).unwrap();
        let (keep_back, kept_back) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let target = db.socket_dir().join(".s.PGSQL.5432");
        let (keep, kept) = (Arc::clone(&keep_back), Arc::clone(&kept_back));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&target).await.unwrap();
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
                let (keep, kept) = (Arc::clone(&keep), Arc::clone(&kept));
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 * 1024];
                    while let Ok(n @ 1..) = from_server.read(&mut buffer).await {
                        if keep.load(SeqCst) && buffer[..n].windows(7).any(|w| w == b"COMMIT\0") {
                            kept.notify_one();
                            while let Ok(1..) = from_server.read(&mut buffer).await {}
                            return;
                        }
                        if to_client.write_all(&buffer[..n]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { keep_back, kept_back, dir }
    }

    fn url(&self, db: &Database) -> String {
        let dir = self.dir.path().to_string_lossy().replace('/', "%2F");
        format!("postgres://authenticator@{dir}/{}", db.name())
    }
}

#[tokio::test]
async fn r_01_killed_between_the_commit_and_the_answer_a_retry_gets_the_first_answer() {
    let server = start().await;
    let alice = bearer(ALICE);
    for (round, path) in [PAYMENTS, "/rest/v1/payments?select=token"].into_iter().enumerate() {
        let between = Between::new(&server.db);
        let node = Node::start(&server.db, &between.url(&server.db)).await;
        between.keep_back.store(true, SeqCst);
        let (address, token) = (node.address.clone(), alice.clone());
        let cut = tokio::spawn(async move {
            let mut headers = headers(&token, "k");
            headers.push(("prefer", "return=representation"));
            try_send(&address, "POST", path, &headers, br#"{"amount":1}"#).await
        });
        tokio::time::timeout(Duration::from_secs(30), between.kept_back.notified()).await.unwrap();
        node.kill().await;
        assert!(cut.await.unwrap().is_none());
        assert_eq!(payments(&server).await, 1 + round as i64, "it was committed");
        let sql = "select token::text from public.payments order by id desc limit 1";
        let made: String = server.db.superuser().await.query_one(sql, &[]).await.unwrap().get(0);

        let mut headers = headers(&alice, "k");
        headers.push(("prefer", "return=representation"));
        let answer = server.send("POST", path, &headers, br#"{"amount":1}"#).await;
        assert!(answer.status == 201 && is_replayed(&answer), "{:?}", essence(&answer));
        assert!(String::from_utf8_lossy(&answer.body).contains(&made), "the answer that nobody got");
        assert_eq!(payments(&server).await, 1 + round as i64);
    }
}

#[tokio::test]
async fn r_04_a_connection_that_breaks_at_the_commit_is_no_failure_with_a_key() {
    let server = start().await;
    let between = Between::new(&server.db);
    let node = Node::start(&server.db, &between.url(&server.db)).await;
    between.keep_back.store(true, SeqCst);
    let alice = bearer(ALICE);
    let (address, token) = (node.address.clone(), alice.clone());
    let sent = tokio::spawn(async move { post(&address, PAYMENTS, &token, "k").await.unwrap() });
    tokio::time::timeout(Duration::from_secs(30), between.kept_back.notified()).await.unwrap();
    between.keep_back.store(false, SeqCst);
    assert_eq!(payments(&server).await, 1);
    // The reply to the commit never comes; then the connection ends. The server finds out by itself what became of it.
    end_sessions(&server).await;
    let answer = sent.await.unwrap();
    assert_eq!(answer.status, 201, "{:?}", essence(&answer));
    assert_eq!(payments(&server).await, 1);
    drop(node);
}

#[tokio::test]
async fn r_04_a_write_whose_session_ends_in_the_middle_is_done_again_with_a_key() {
    let server = Server::start_with(|_| {}, &format!("{SQL} {HELD}")).await;
    let alice = bearer(ALICE);
    let holder = hold(&server).await;
    let (address, token) = (server.address.clone(), alice.clone());
    let sent = tokio::spawn(async move { post(&address, PAYMENTS, &token, "k").await.unwrap() });
    let pid = held(&server).await;
    let client = server.db.superuser().await;
    client.execute("select pg_terminate_backend($1)", &[&pid]).await.unwrap();
    drop(holder);
    let answer = sent.await.unwrap();
    assert_eq!(answer.status, 201, "{:?}", essence(&answer));
    assert!(!is_replayed(&answer));
    assert_eq!(payments(&server).await, 1);
}

/// Ends all sessions of the API's login in the server's database.
async fn end_sessions(server: &Server) {
    let sql = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and usename = 'authenticator'";
    server.db.superuser().await.batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn r_04_connections_that_ended_while_idle_reach_nobody() {
    let server = start().await;
    let token = user(ALICE);
    for round in 0..5 {
        // Both pools have connections.
        let warm = (0..8).map(|_| server.call("POST", PAYMENTS, Some(&token), Some(json!({ "amount": 1 }))));
        for answer in futures_util::future::join_all(warm).await {
            assert_eq!(answer.status, 201);
        }
        assert_eq!(server.get(PAYMENTS, Some(&token)).await.status, 200);
        end_sessions(&server).await;
        let writes =
            (0..8).map(|_| server.call("POST", PAYMENTS, Some(&token), Some(json!({ "amount": 1 }))));
        let reads = (0..8).map(|_| server.get(PAYMENTS, Some(&token)));
        let (writes, reads) =
            tokio::join!(futures_util::future::join_all(writes), futures_util::future::join_all(reads));
        for answer in writes.iter().chain(&reads) {
            assert!(answer.status < 300, "round {round}: {:?}", essence(answer));
        }
    }
    assert_eq!(payments(&server).await, 80, "and none was done twice");
}

#[tokio::test]
async fn r_04_collisions_are_tried_again_and_given_up_in_the_end() {
    let server = start().await;
    let (alice, bob) = (bearer(ALICE), bearer(BOB));
    let reset = async || {
        let sql = "alter sequence public.tries restart; truncate public.payments, bedplate.idempotency_keys";
        server.db.superuser().await.batch_execute(sql).await.unwrap();
    };
    for path in ["/api/v1/rpc/pay_late", "/rest/v1/rpc/pay_late"] {
        for code in ["40001", "40P01"] {
            for key in [None, Some("k")] {
                let send = async |failures: i32| {
                    let body = json!({ "amount": 1, "failures": failures, "code": code }).to_string();
                    let mut headers = headers(&alice, key.unwrap_or("\"\""));
                    headers.retain(|(name, _)| *name != "idempotency-key" || key.is_some());
                    server.send("POST", path, &headers, body.as_bytes()).await
                };
                reset().await;
                let answer = send(2).await;
                assert_eq!(answer.status, 200, "{path} {code} {key:?}: {:?}", essence(&answer));
                assert_eq!(payments(&server).await, 1);
                reset().await;
                let answer = send(1000).await;
                assert!(matches!(answer.status, 409 | 500), "{path} {code} {key:?}: {}", answer.status);
                assert_eq!(payments(&server).await, 0);
                assert_eq!(count(&server, "bedplate.idempotency_keys").await, 0);
            }
        }
    }
    // What is no collision is not tried again.
    reset().await;
    let body = br#"{"amount":1,"failures":1,"code":"23514"}"#;
    let answer = server.send("POST", "/api/v1/rpc/pay_late", &headers(&bob, "k"), body).await;
    assert_eq!(answer.status, 422);
}

#[tokio::test]
async fn r_01_killed_at_random_under_load_every_request_has_one_effect_and_its_first_answer() {
    const CLIENTS: usize = 6;
    const KILLS: usize = 4;
    let server = start().await;
    let alice = bearer(ALICE);
    let mut known: Vec<(String, &str, Option<Answer>)> = Vec::new();
    for round in 0..KILLS {
        let node = Node::beside(&server).await;
        let clients = (0..CLIENTS).map(|client| {
            let (address, alice) = (node.address.clone(), alice.clone());
            let path = if client % 2 == 0 { PAYMENTS } else { "/rest/v1/payments?select=token" };
            tokio::spawn(async move {
                let mut sent = Vec::new();
                for at in 0.. {
                    let key = format!("{round}-{client}-{at}");
                    let answer = post(&address, path, &alice, &key).await;
                    let cut = answer.is_none();
                    sent.push((key, path, answer));
                    if cut {
                        return sent;
                    }
                }
                sent
            })
        });
        let clients: Vec<_> = clients.collect();
        tokio::time::sleep(Duration::from_millis(120 + 90 * round as u64)).await;
        node.kill().await;
        for client in clients {
            known.extend(client.await.unwrap());
        }
    }
    let acknowledged = known.iter().filter(|(_, _, answer)| answer.is_some()).count();
    assert!(acknowledged > 0, "the load was real");
    for (key, path, first) in &known {
        let again = until_answered(&server.address, path, &alice, key).await;
        assert_eq!(again.status, 201, "{key}");
        if let Some(first) = first {
            assert_eq!(essence(first), essence(&again), "{key}: the first answer");
        }
    }
    assert_eq!(payments(&server).await, known.len() as i64, "one effect each");
}
