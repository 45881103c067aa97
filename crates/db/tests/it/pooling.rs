//! Waiting, healing and retiring.

use std::time::{Duration, Instant};

use bedplate_core::Problem;
use bedplate_db::{Call, Context, End, Error, Pool, pool};

use crate::fixture::*;

#[tokio::test]
async fn who_waits_too_long_is_told_to_come_back() {
    let f = Fixture::new().await;
    let pool =
        Pool::new("test", f.connector(), pool::Settings { wait: Duration::from_millis(150), ..settings(1) });
    let held = pool.acquire(None).await.unwrap();
    let started = Instant::now();
    let error = pool.acquire(None).await.err().unwrap();
    assert!(matches!(error, Error::PoolTimeout(_)));
    assert!(started.elapsed() >= Duration::from_millis(150) && started.elapsed() < Duration::from_secs(3));
    let problem = Problem::from(error);
    assert_eq!((problem.status(), problem.retry_after_value()), (503, Some(Duration::from_secs(1))));
    // The request's own deadline comes first.
    let soon = Some(Instant::now() + Duration::from_millis(20));
    assert!(matches!(pool.acquire(soon).await.err(), Some(Error::Timeout)));
    let m = pool.metrics();
    assert_eq!((m.size, m.idle, m.waiting, m.timeouts, m.acquired), (1, 0, 0, 2, 1));
    drop(held);
    assert!(pool.acquire(None).await.is_ok());
}

#[tokio::test]
async fn first_come_first_served() {
    let f = Fixture::new().await;
    let pool = f.pool(1);
    let held = pool.acquire(None).await.unwrap();
    let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = Vec::new();
    for i in 0..5 {
        let (pool, sender) = (pool.clone(), sender.clone());
        let waiting = i + 1;
        tasks.push(tokio::spawn({
            let pool = pool.clone();
            async move {
                let lease = pool.acquire(None).await.unwrap();
                sender.send(i).unwrap();
                drop(lease);
            }
        }));
        eventually("it waits", || async { pool.metrics().waiting == waiting }).await;
    }
    // One in the middle gives up; the others keep their order.
    tasks[2].abort();
    eventually("it left", || async { pool.metrics().waiting == 4 }).await;
    drop(held);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(order.recv().await.unwrap());
    }
    assert_eq!(seen, [0, 1, 3, 4]);
    assert_eq!(pool.metrics().created, 1);
}

#[tokio::test]
async fn killed_connections_do_not_reach_a_user() {
    let f = Fixture::new().await;
    let pool = f.pool(3);
    let admin = f.database.superuser().await;
    let leases = [
        pool.acquire(None).await.unwrap(),
        pool.acquire(None).await.unwrap(),
        pool.acquire(None).await.unwrap(),
    ];
    let pids: Vec<i32> = leases.iter().map(|l| l.process_id()).collect();
    drop(leases);
    let kill = "select count(pg_terminate_backend(pid)) from unnest($1::int[]) pid";
    assert_eq!(admin.query_one(kill, &[&pids]).await.unwrap().get::<_, i64>(0), 3);
    let gone = "select count(*) from pg_stat_activity where pid = any($1)";
    eventually("they are gone", || async {
        admin.query_one(gone, &[&pids]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
    for _ in 0..6 {
        let mut lease = pool.acquire(None).await.unwrap();
        assert_eq!(ask(&mut lease, ROLES[1], "select current_user").await.unwrap(), ROLES[1]);
    }
    assert_eq!(pool.metrics().closed.values().sum::<u64>(), 3, "{:?}", pool.metrics());
}

#[tokio::test]
async fn a_read_whose_connection_breaks_is_done_again_and_a_write_is_not() {
    let f = Fixture::new().await;
    let pool = f.pool(2);
    // Sleeps only until the sequence says that somebody was here before.
    f.database
        .superuser()
        .await
        .batch_execute("create sequence visits; grant all on sequence visits to dbtest_user")
        .await
        .unwrap();
    let slow = statement("select 'victim', case when nextval('visits') % 2 = 1 then pg_sleep(600) end");
    for read in [true, false] {
        let task = tokio::spawn({
            let (pool, slow) = (pool.clone(), slow.clone());
            async move {
                let settings = settings_of(ROLES[1]);
                let context = Context { settings: &settings };
                let calls = [Call { statement: &slow, params: &[] }];
                let mut kept = Kept::default();
                if read {
                    pool.read(&context, &calls, End::Implicit, &mut kept, None).await
                } else {
                    pool.run(&context, &calls, End::Implicit, &mut kept, None).await
                }
            }
        });
        eventually("it runs", || async { f.running("select 'victim'%").await == 1 }).await;
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity where query like 'select ''victim''%' \
                    and state = 'active' and datname = current_database()";
        f.database.superuser().await.query(kill, &[]).await.unwrap();
        let result = task.await.unwrap();
        if read {
            assert_eq!(result.unwrap().calls[0].rows, 1);
        } else {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::Lost(_)), "{error}");
            assert_eq!(Problem::from(error).code().name, "database_outcome_unknown");
        }
    }
}

#[tokio::test]
async fn old_and_idle_connections_are_replaced_and_the_minimum_stays_warm() {
    let f = Fixture::new().await;
    let short = pool::Settings { min: 1, idle: Duration::from_millis(10), ..settings(3) };
    let pool = Pool::new("test", f.connector(), short);
    eventually("one is warm", || async { pool.metrics().idle == 1 }).await;
    let leases = [pool.acquire(None).await.unwrap(), pool.acquire(None).await.unwrap()];
    drop(leases);
    eventually("only the minimum is left", || async { pool.metrics().size == 1 }).await;
    assert_eq!(pool.metrics().closed.get("idle"), Some(&1));

    let short = pool::Settings { lifetime: Duration::from_millis(20), ..settings(1) };
    let pool = Pool::new("test", f.connector(), short);
    let first = pool.acquire(None).await.unwrap().process_id();
    eventually("another connection", || async { pool.acquire(None).await.unwrap().process_id() != first })
        .await;
    assert!(pool.metrics().closed.get("lifetime").is_some_and(|n| *n > 0));
}

#[tokio::test]
async fn a_closed_pool_gives_nothing_and_lets_go_of_everything() {
    let f = Fixture::new().await;
    let pool = f.pool(2);
    let mut lease = pool.acquire(None).await.unwrap();
    drop(pool.acquire(None).await.unwrap());
    pool.close();
    assert!(matches!(pool.acquire(None).await.err(), Some(Error::Unavailable(_))));
    assert_eq!(ask(&mut lease, ROLES[1], "select 1").await.unwrap(), "1", "what is lent may finish");
    drop(lease);
    assert_eq!(pool.metrics().size, 0);
}

#[test]
fn the_end_of_the_runtime_blocks_nobody() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (fixture, pool, lease) = runtime.block_on(async {
        let f = Fixture::new().await;
        let pool = Pool::new("test", f.connector(), pool::Settings { min: 2, ..settings(2) });
        let mut lease = pool.acquire(None).await.unwrap();
        let sleep = statement("select pg_sleep(600)");
        let calls = [Call { statement: &sleep, params: &[] }];
        let context = Context { settings: &settings_of(ROLES[1]) };
        let soon = Some(Instant::now() + Duration::from_millis(50));
        let late = lease.run(&context, &calls, End::Implicit, &mut Kept::default(), soon).await;
        assert!(matches!(late, Err(Error::Timeout)));
        (f, pool, lease)
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    drop(lease);
    assert_eq!(pool.metrics().closed.get("not clean"), Some(&1));
    drop(pool);
    drop(fixture);
}
