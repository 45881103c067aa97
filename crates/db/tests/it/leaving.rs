//! Requests that are given up in the middle, and that nothing of one request reaches the next.

use std::time::{Duration, Instant};

use bedplate_core::Problem;
use bedplate_db::{Call, Context, End, Error, Mode, Pool};
use rand::RngExt as _;

use crate::fixture::*;

#[tokio::test]
async fn dropping_the_future_ends_the_query_in_postgresql_and_saves_the_connection() {
    let f = Fixture::new().await;
    let pool = f.pool(1);
    for end in [End::Implicit, End::Commit(Mode::default())] {
        let task = tokio::spawn({
            let pool = pool.clone();
            async move {
                let sleep = statement("select 'dropped', pg_sleep(600)");
                let calls = [Call { statement: &sleep, params: &[] }];
                let settings = settings_of(ROLES[1]);
                let mut kept = Kept::default();
                pool.run(&Context { settings: &settings }, &calls, end, &mut kept, None).await
            }
        });
        eventually("the query runs", || async { f.running("select 'dropped'%").await == 1 }).await;
        task.abort();
        eventually("the query ends", || async { f.running("select 'dropped'%").await == 0 }).await;
        let mut lease = pool.acquire(None).await.unwrap();
        assert_eq!(ask(&mut lease, ROLES[0], "select current_user").await.unwrap(), ROLES[0]);
    }
    assert_eq!(pool.metrics().created, 1, "the connection was saved");
}

#[tokio::test]
async fn past_the_deadline_the_query_is_cancelled() {
    let f = Fixture::new().await;
    let pool = f.pool(1);
    let sleep = statement("select 'late', pg_sleep(600)");
    let calls = [Call { statement: &sleep, params: &[] }];
    let context = Context { settings: &settings_of(ROLES[1]) };
    let started = Instant::now();
    let deadline = Some(started + Duration::from_millis(200));
    let late = pool.run(&context, &calls, End::Implicit, &mut Kept::default(), deadline).await;
    assert!(matches!(late, Err(Error::Timeout)), "{late:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(Problem::from(late.unwrap_err()).status(), 504);
    eventually("the query ends", || async { f.running("select 'late'%").await == 0 }).await;
    // A deadline that has passed already sends nothing.
    let late = pool.run(&context, &calls, End::Implicit, &mut Kept::default(), Some(started)).await;
    assert!(matches!(late, Err(Error::Timeout)));
    assert_eq!(pool.metrics().created, 1);
}

#[tokio::test]
async fn the_roles_statement_timeout_holds() {
    let f = Fixture::new().await;
    let pool = f.pool(1);
    let sleep = statement("select pg_sleep(600)");
    let calls = [Call { statement: &sleep, params: &[] }];
    let settings = [("role", ROLES[0]), ("statement_timeout", "100ms")];
    let context = Context { settings: &settings };
    for end in [End::Implicit, End::Commit(Mode::default())] {
        let started = Instant::now();
        let slow = pool.run(&context, &calls, end, &mut Kept::default(), None).await.unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(10));
        assert_eq!(slow.db().unwrap().code, "57014");
        assert_eq!(Problem::from(slow).status(), 504);
    }
    let mut lease = pool.acquire(None).await.unwrap();
    assert_eq!(ask(&mut lease, ROLES[0], "show statement_timeout").await.unwrap(), "0");
}

#[tokio::test]
async fn a_sink_that_has_enough_of_a_long_answer_does_not_wait_for_its_end() {
    let f = Fixture::new().await;
    let pool = f.pool(1);
    let endless = statement("select 'endless', repeat('x', 1000), generate_series(1, 1000000000)");
    let calls = [Call { statement: &endless, params: &[] }];
    let mut choosy = Kept { refuse_at: Some(5), ..Kept::default() };
    let context = Context { settings: &settings_of(ROLES[1]) };
    let refused = pool.read(&context, &calls, End::Implicit, &mut choosy, None).await;
    assert!(matches!(refused, Err(Error::Sink(_))));
    assert_eq!(choosy.rows.len(), 5);
    eventually("the query ends", || async { f.running("select 'endless'%").await == 0 }).await;
    let mut lease = pool.acquire(None).await.unwrap();
    assert_eq!(ask(&mut lease, ROLES[1], "select 1").await.unwrap(), "1");
}

#[tokio::test]
async fn a_setting_made_for_the_session_costs_the_connection() {
    let f = Fixture::new().await;
    let pool = f.pool(1);
    let zone = statement("select set_config('TimeZone', 'Asia/Tokyo', false)");
    let mut lease = pool.acquire(None).await.unwrap();
    run_all(&mut lease, ROLES[1], &[&zone], End::Implicit, &mut Kept::default()).await.unwrap();
    drop(lease);
    let mut lease = pool.acquire(None).await.unwrap();
    assert_eq!(ask(&mut lease, ROLES[1], "show timezone").await.unwrap(), "UTC");
    assert_eq!(pool.metrics().closed.get("a session setting was changed"), Some(&1));
    // For the transaction only it is harmless.
    let zone = statement("select set_config('TimeZone', 'Asia/Tokyo', true)");
    for end in [End::Implicit, End::Commit(Mode::default())] {
        run_all(&mut lease, ROLES[1], &[&zone], end, &mut Kept::default()).await.unwrap();
    }
    let context = Context { settings: &settings_of(ROLES[1]) };
    let calls = [Call { statement: &zone, params: &[] }];
    let mut kept = Kept::default();
    lease.run_checked(&context, &calls, Mode::default(), &mut kept, |_| Ok(()), None).await.unwrap();
    drop(lease);
    assert_eq!(pool.metrics().size, 1);
}

/// V-28: three roles, errors, timeouts, refusals and disconnects at random points; no row of another role ever
/// comes back, and afterwards no connection holds a role or a claim.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v28_a_role_never_reaches_the_next_request() {
    const WORKERS: usize = 9;
    const REQUESTS: usize = 340;
    let f = Fixture::new().await;
    let pool = f.pool(4);
    let shapes = Shapes::new();
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let (pool, shapes) = (pool.clone(), shapes.clone());
        workers.spawn(async move {
            let mut answers = 0;
            for _ in 0..REQUESTS {
                let role = ROLES[worker % 3];
                let choice = rand::rng().random_range(0..8);
                let leave_after = Duration::from_micros(rand::rng().random_range(0..4000));
                let request = shapes.request(&pool, role, choice);
                if choice < 5 {
                    answers += request.await;
                } else {
                    // The client disconnects: the future is dropped wherever it is.
                    answers += tokio::time::timeout(leave_after, request).await.unwrap_or(0);
                }
            }
            answers
        });
    }
    let mut answers = 0;
    while let Some(done) = workers.join_next().await {
        answers += done.unwrap();
    }
    assert!(answers > WORKERS * REQUESTS / 4, "too few came through: {answers}");
    eventually("all connections are back", || async {
        let m = pool.metrics();
        m.idle == m.size && m.connecting == 0
    })
    .await;
    let mut leases = Vec::new();
    for _ in 0..pool.metrics().size.max(1) {
        leases.push(pool.acquire(None).await.unwrap());
    }
    for lease in &mut leases {
        let state = lease.inspect(&["request.sub", "request.jwt.claims"]).await.unwrap();
        assert_eq!(state, [LOGIN, "none", "", ""]);
        assert_eq!(
            ask(lease, ROLES[0], "select count(*) from parents where id < 0").await.map_or(0, |_| 1),
            0
        );
    }
    let m = pool.metrics();
    assert!(m.size <= 4 && m.waiting == 0, "{m:?}");
    assert_eq!(f.running("%pg_sleep%").await, 0);
}

/// The statements that V-28 mixes.
#[derive(Clone)]
struct Shapes {
    /// Per role: a statement belongs to one role.
    mine: [bedplate_db::Statement; 3],
    fail: bedplate_db::Statement,
    sleep: bedplate_db::Statement,
    orphan: bedplate_db::Statement,
}

impl Shapes {
    fn new() -> Self {
        let mine = || {
            statement(
                "select current_user, current_setting('request.sub', true), min(owner), max(owner) from notes",
            )
        };
        Self {
            mine: [mine(), mine(), mine()],
            fail: statement("select 1 / (count(*) - 10) from notes"),
            sleep: statement("select pg_sleep(0.002)"),
            orphan: statement("insert into children values (pg_backend_pid(), 404)"),
        }
    }

    /// One request; 1 if it came to its rows, which then are its own.
    async fn request(&self, pool: &Pool, role: &'static str, choice: i32) -> usize {
        let mine = &self.mine[ROLES.iter().position(|r| *r == role).unwrap()];
        let call = |statement| Call { statement, params: &[] };
        let settings = settings_of(role);
        let context = Context { settings: &settings };
        let mut kept = Kept::default();
        let soon = Some(Instant::now() + Duration::from_millis(2));
        let result = match choice {
            0 => pool.read(&context, &[call(mine)], End::Implicit, &mut kept, None).await,
            1 => pool.run(&context, &[call(mine), call(&self.fail)], End::Implicit, &mut kept, None).await,
            2 => {
                let mode = Mode::default();
                pool.run(&context, &[call(&self.orphan), call(mine)], End::Commit(mode), &mut kept, None)
                    .await
            }
            3 => pool.run(&context, &[call(mine), call(&self.sleep)], End::Implicit, &mut kept, soon).await,
            4 | 5 => match pool.acquire(None).await {
                Ok(mut lease) => {
                    let calls = [call(mine), call(&self.sleep)];
                    let check = |_: &_| Err(Problem::internal_error("refused"));
                    lease.run_checked(&context, &calls, Mode::default(), &mut kept, check, None).await
                }
                Err(e) => Err(e),
            },
            6 => {
                let mode = Mode::default();
                pool.run(&context, &[call(&self.sleep), call(mine)], End::Rollback(mode), &mut kept, None)
                    .await
            }
            _ => pool.read(&context, &[call(mine), call(&self.sleep)], End::Implicit, &mut kept, None).await,
        };
        for row in kept.rows.iter().filter(|(_, row)| row.len() == 4) {
            let texts: Vec<_> =
                row.1.iter().map(|c| std::str::from_utf8(c.as_ref().unwrap()).unwrap()).collect();
            assert_eq!(texts, [role; 4]);
        }
        if let Err(e) = &result {
            let expected = matches!(e, Error::Timeout | Error::Sink(_) | Error::PoolTimeout(_))
                || e.db().is_some_and(|db| ["22012", "23503", "42501", "23505"].contains(&db.code.as_str()));
            assert!(expected, "{choice}: {e}");
        }
        usize::from(kept.rows.iter().any(|(_, row)| row.len() == 4))
    }
}
