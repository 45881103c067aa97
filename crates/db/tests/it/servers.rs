//! Against servers of our own: TLS, authentication, several hosts, restarts, and a server that is down.

use std::time::{Duration, Instant};

use bedplate_core::Problem;
use bedplate_db::{Call, Connector, Context, End, Error, Pool, Target, system};

use crate::fixture::{Kept, ask, eventually, settings, settings_of, statement, value};
use crate::server::{Certificates, PASSWORD, Server};

const PASSWORD_IN_URL: &str = "s3cret%20pass%3Aword";

/// Logs in over both kinds of connection and returns what both agree on.
async fn log_in(url: &str) -> Result<(), String> {
    let connector =
        Connector::new(Target::parse(url).map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    let system = system::connect(&connector).await.map(|_| ()).map_err(|e| e.to_string());
    let request = match Pool::new("test", connector, settings(1)).acquire(None).await {
        Ok(mut lease) => ask(&mut lease, "app_user", "select 1").await.map(|_| ()).map_err(|e| e.to_string()),
        Err(e) => Err(e.to_string()),
    };
    assert_eq!(system.is_ok(), request.is_ok(), "{system:?} {request:?}");
    for text in [&system, &request].into_iter().filter_map(|r| r.as_ref().err()) {
        assert!(!text.contains("s3cret"), "{text}");
    }
    request
}

#[tokio::test]
async fn each_sslmode_checks_what_it_says() {
    let hba = "hostssl all all 127.0.0.1/32 scram-sha-256";
    let named = Server::start("", hba, Some(&Certificates::made_out_to("localhost"))).with_logins().await;
    let other = Server::start("", hba, Some(&Certificates::made_out_to("db.example"))).with_logins().await;
    let url = |server: &Server, rest: &str| {
        format!("postgres://app:{PASSWORD_IN_URL}@localhost:{}/postgres?{rest}", server.port)
    };
    let own = |server: &Server, mode: &str| {
        url(server, &format!("sslmode={mode}&sslrootcert={}", server.authority()))
    };

    for mode in ["verify-full", "verify-ca", "require"] {
        log_in(&own(&named, mode)).await.unwrap();
    }
    let error = log_in(&own(&other, "verify-full")).await.unwrap_err();
    assert!(error.contains("TLS with localhost"), "{error}");
    log_in(&own(&other, "verify-ca")).await.unwrap();

    let foreign = format!("sslmode=verify-ca&sslrootcert={}", other.authority());
    let error = log_in(&url(&named, &foreign)).await.unwrap_err();
    assert!(error.contains("sslrootcert"), "{error}");
    log_in(&url(&named, "sslmode=require")).await.unwrap();
    log_in(&url(&named, "sslmode=prefer")).await.unwrap();
    let error = log_in(&url(&named, "sslmode=disable")).await.unwrap_err();
    assert!(error.contains("28000"), "hostssl only: {error}");
    let error = log_in(&url(&named, "sslmode=verify-full&sslrootcert=/nowhere/ca.pem")).await.unwrap_err();
    assert!(error.contains("/nowhere/ca.pem"), "{error}");
}

#[tokio::test]
async fn passwords_are_only_given_in_safe_ways() {
    let hba = "host scram all 127.0.0.1/32 scram-sha-256\nhost md5 all 127.0.0.1/32 md5\n\
               hostssl clear all 127.0.0.1/32 password\nhostnossl clear all 127.0.0.1/32 password";
    let server = Server::start("", hba, Some(&Certificates::made_out_to("localhost"))).with_logins().await;
    for name in ["scram", "md5", "clear"] {
        server.admin().await.batch_execute(&format!("create database {name}")).await.unwrap();
    }
    let port = server.port;
    let url = |user: &str, password: &str, rest: &str| {
        format!("postgres://{user}:{password}@localhost:{port}/{rest}")
    };

    log_in(&url("app", PASSWORD_IN_URL, "scram")).await.unwrap();
    log_in(&url("app", PASSWORD_IN_URL, "scram?sslmode=require")).await.unwrap();
    let error = log_in(&url("app", "wrong", "scram")).await.unwrap_err();
    assert!(error.contains("28P01"), "{error}");
    let error = log_in(&format!("postgres://app@localhost:{port}/scram")).await.unwrap_err();
    assert!(error.contains("password"), "{error}");
    // MD5 to this machine only, which this is.
    log_in(&url("old", PASSWORD_IN_URL, "md5")).await.unwrap();
    // The same server under an address that does not say so: any other machine could be meant.
    let elsewhere = format!("postgres://old:{PASSWORD_IN_URL}@0.0.0.0:{port}/md5?sslmode=disable");
    let error = log_in(&elsewhere).await.unwrap_err();
    assert!(error.contains("MD5") && error.contains("scram-sha-256"), "{error}");
    log_in(&url("app", PASSWORD_IN_URL, "clear?sslmode=require")).await.unwrap();
    let error = log_in(&url("app", PASSWORD_IN_URL, "clear?sslmode=disable")).await.unwrap_err();
    assert!(error.contains("clear-text") && error.contains("scram-sha-256"), "{error}");
    assert_eq!(PASSWORD.len(), 16);
}

#[tokio::test]
async fn of_several_hosts_the_one_that_takes_writes_is_used() {
    let hba = "host all all 127.0.0.1/32 trust";
    let replica = Server::start("default_transaction_read_only = on", hba, None);
    let primary = Server::start("", hba, None);
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let hosts = format!("127.0.0.1:{dead},127.0.0.1:{},127.0.0.1:{}", replica.port, primary.port);
    for (attrs, port) in [
        ("any", Some(replica.port)),
        ("read-only", Some(replica.port)),
        ("read-write", Some(primary.port)),
        ("primary", Some(replica.port)),
        ("prefer-standby", Some(replica.port)),
        ("standby", None),
    ] {
        let url = format!("postgres://postgres@{hosts}/postgres?target_session_attrs={attrs}");
        let connector = Connector::new(Target::parse(&url).unwrap()).unwrap();
        let pool = Pool::new("test", connector.clone(), settings(1));
        match port {
            Some(port) => {
                let mut lease = pool.acquire(None).await.unwrap();
                assert_eq!(
                    ask(&mut lease, "postgres", "show port").await.unwrap(),
                    port.to_string(),
                    "{attrs}"
                );
                let client = system::connect(&connector).await.unwrap();
                let seen: String = client.query_one("show port", &[]).await.unwrap().get(0);
                assert_eq!(seen, port.to_string(), "{attrs}");
            }
            None => {
                let error = pool.acquire(None).await.err().unwrap().to_string();
                assert!(error.contains(&dead.to_string()) && error.contains("is not a standby"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_only_takes_reads_is_noticed_and_left() {
    let server = Server::start("", "", None);
    let target = Target::socket(server.socket_dir(), server.port, "postgres", "postgres");
    let pool = Pool::new("test", Connector::new(target).unwrap(), settings(1));
    drop(pool.acquire(None).await.unwrap());
    server.admin().await.batch_execute("alter system set default_transaction_read_only = on").await.unwrap();
    server.admin().await.batch_execute("select pg_reload_conf()").await.unwrap();
    // A session takes the reload with its next command, and says so with the answer.
    eventually("the old connection is given up", || async {
        let mut lease = pool.acquire(None).await.unwrap();
        ask(&mut lease, "postgres", "select 1").await.unwrap();
        pool.metrics().created > 1
    })
    .await;
    let mut lease = pool.acquire(None).await.unwrap();
    let error = ask(&mut lease, "postgres", "create table t ()").await.unwrap_err();
    assert!(matches!(error, Error::ReadOnlyServer(_)), "{error}");
    let problem = Problem::from(error);
    assert_eq!((problem.status(), problem.code().name), (503, "database_read_only"));
    drop(lease);
    assert_eq!(pool.metrics().closed.get("the server only takes reads"), Some(&1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_of_the_server_heal_without_a_stale_connection_reaching_anybody() {
    let server = Server::start("", "", None);
    let target = Target::socket(server.socket_dir(), server.port, "postgres", "postgres");
    let pool = Pool::new("test", Connector::new(target).unwrap(), settings(4));
    for mode in ["fast", "immediate"] {
        // Warm, then gone while idle.
        let leases = [pool.acquire(None).await.unwrap(), pool.acquire(None).await.unwrap()];
        drop(leases);
        server.down(mode);
        let started = Instant::now();
        let mut refusals = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let pool = pool.clone();
            refusals.spawn(async move { pool.acquire(None).await.err() });
        }
        while let Some(refused) = refusals.join_next().await {
            let error = refused.unwrap().expect("the server is down");
            assert!(matches!(error, Error::Unavailable(_)), "{error}");
            let problem = Problem::from(error);
            assert_eq!((problem.status(), problem.retry_after_value()), (503, Some(Duration::from_secs(1))));
        }
        assert!(started.elapsed() < Duration::from_secs(2), "they hear at once: {:?}", started.elapsed());
        let m = pool.metrics();
        assert!(m.connect_failures < 30 && m.size == 0 && m.down.is_some(), "{m:?}");
        server.up();
        let started = Instant::now();
        eventually("it heals by itself", || async {
            pool.metrics().down.is_none() || pool.acquire(None).await.is_ok()
        })
        .await;
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        for _ in 0..20 {
            let mut lease = pool.acquire(None).await.unwrap();
            assert_eq!(ask(&mut lease, "postgres", "select 1").await.unwrap(), "1");
        }
    }
}

#[tokio::test]
async fn a_host_that_never_answers_holds_nobody_longer_than_the_wait_limit() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@{}/d?connect_timeout=1", listener.local_addr().unwrap());
    let connector = Connector::new(Target::parse(&url).unwrap()).unwrap();
    let wait = Duration::from_millis(100);
    let pool = Pool::new("test", connector.clone(), bedplate_db::pool::Settings { wait, ..settings(5) });
    assert!(matches!(pool.acquire(None).await.err(), Some(Error::PoolTimeout(_))));
    eventually("the attempt ends", || async { pool.metrics().down.is_some() }).await;
    let started = Instant::now();
    for _ in 0..50 {
        assert!(pool.acquire(None).await.is_err());
    }
    assert!(started.elapsed() < Duration::from_secs(3), "one attempt at a time, the others hear at once");
    assert!(pool.metrics().connecting <= 1, "{:?}", pool.metrics());
    let error = system::connect(&connector).await.err().unwrap().to_string();
    assert!(error.contains("did not answer within 1s"), "{error}");
    drop(listener);
}

/// A backend that hangs for good, as behind a network that swallows everything.
#[tokio::test]
async fn a_backend_that_never_answers_costs_its_connection_only() {
    let server = Server::start("", "", None);
    let target = Target::socket(server.socket_dir(), server.port, "postgres", "postgres");
    let pool = Pool::new("test", Connector::new(target).unwrap(), settings(2));
    let mut lease = pool.acquire(None).await.unwrap();
    let frozen = rustix::process::Pid::from_raw(lease.process_id()).unwrap();
    rustix::process::kill_process(frozen, rustix::process::Signal::STOP).unwrap();
    let one = statement("select 1");
    let calls = [Call { statement: &one, params: &[] }];
    let context = Context { settings: &settings_of("postgres") };
    let deadline = Some(Instant::now() + Duration::from_millis(100));
    let late = lease.run(&context, &calls, End::Implicit, &mut Kept::default(), deadline).await;
    assert!(matches!(late, Err(Error::Timeout)));
    let again = lease.run(&context, &calls, End::Implicit, &mut Kept::default(), None).await;
    assert!(matches!(again, Err(Error::Misuse(_))), "the lease cannot be used again");
    drop(lease);
    let mut other = pool.acquire(None).await.unwrap();
    assert_eq!(ask(&mut other, "postgres", "select 1").await.unwrap(), "1");
    eventually("it is given up", || async { pool.metrics().size == 1 }).await;
    assert_eq!(pool.metrics().closed.get("not recovered in time"), Some(&1));
    rustix::process::kill_process(frozen, rustix::process::Signal::CONT).unwrap();
}

/// R-04 in small: what was acknowledged is there once, whatever happens to the server meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_lost_or_doubled_over_restarts() {
    let server = Server::start("", "", None);
    server.admin().await.batch_execute("create table acks (id int)").await.unwrap();
    let target = Target::socket(server.socket_dir(), server.port, "postgres", "postgres");
    let pool = Pool::new("test", Connector::new(target).unwrap(), settings(8));
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let insert = statement("insert into acks values ($1::text::int)");
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (pool, stop, insert) = (pool.clone(), stop.clone(), insert.clone());
        writers.spawn(async move {
            let (mut acked, mut unknown, mut id) = (Vec::new(), Vec::new(), writer * 1_000_000);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                id += 1;
                let text = id.to_string();
                let params = [value(&text)];
                let calls = [Call { statement: &insert, params: &params }];
                let context = Context { settings: &settings_of("postgres") };
                match pool.run(&context, &calls, End::Implicit, &mut Kept::default(), None).await {
                    Ok(_) => acked.push(id),
                    Err(Error::Lost(_)) => unknown.push(id),
                    Err(Error::Unavailable(_) | Error::Unused(_)) => {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    Err(e) => panic!("{e}"),
                }
            }
            (acked, unknown)
        });
    }
    for mode in ["fast", "immediate", "fast"] {
        let before = pool.metrics().acquired;
        eventually("writes flow", || async { pool.metrics().acquired > before + 200 }).await;
        tokio::task::block_in_place(|| {
            server.down(mode);
            server.up();
        });
    }
    let before = pool.metrics().acquired;
    eventually("writes flow again", || async { pool.metrics().acquired > before + 200 }).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let (mut acked, mut unknown) = (Vec::new(), Vec::new());
    while let Some(done) = writers.join_next().await {
        let (a, u) = done.unwrap();
        acked.extend(a);
        unknown.extend(u);
    }
    let rows = server.admin().await.query("select id from acks order by id", &[]).await.unwrap();
    let stored: Vec<i32> = rows.iter().map(|r| r.get(0)).collect();
    assert!(stored.windows(2).all(|w| w[0] < w[1]), "something is there twice");
    assert!(acked.len() > 500);
    for id in &acked {
        assert!(stored.binary_search(id).is_ok(), "{id} was acknowledged and is not there");
    }
    let known: std::collections::BTreeSet<_> = acked.iter().chain(&unknown).collect();
    assert!(stored.iter().all(|id| known.contains(id)), "something is there that was refused");
    let m = pool.metrics();
    assert!(m.size <= 8 && m.waiting == 0 && m.down.is_none(), "{m:?}");
}
