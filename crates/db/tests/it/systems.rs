//! The system pool.

use std::time::Duration;

use bedplate_db::{Error, system};

use crate::fixture::*;

#[tokio::test]
async fn a_system_connection_comes_back_clean() {
    let f = Fixture::new().await;
    let target =
        f.target().with_user("supabase_admin", None).with_parameter("search_path", "\"a b\\c\", public");
    let connector = bedplate_db::Connector::new(target).unwrap();
    let pool = system::Pool::new(connector, 1, Duration::from_secs(5));
    let client = pool.get().await.unwrap();
    let first =
        client.query_one("select pg_backend_pid(), current_setting('search_path')", &[]).await.unwrap();
    assert_eq!(first.get::<_, String>(1), "\"a b\\c\", public");
    client
        .batch_execute("set role dbtest_user; set work_mem = '1MB'; select pg_advisory_lock(1)")
        .await
        .unwrap();
    drop(client);

    let client = pool.get().await.unwrap();
    let sql = "select pg_backend_pid(), current_user::text, current_setting('work_mem'), \
               (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), first.get::<_, i32>(0), "the same session");
    assert_eq!(
        (row.get::<_, String>(1).as_str(), row.get::<_, String>(2).as_str()),
        ("supabase_admin", "4MB")
    );
    assert_eq!(row.get::<_, i64>(3), 0);
    drop(client);
    // An open transaction is not handed on, nor a failed one.
    for left_open in ["begin; select 1", "begin; select 1/0"] {
        let client = pool.get().await.unwrap_or_else(|e| panic!("{e}"));
        let before = pid(&client).await;
        let _ = client.batch_execute(left_open).await;
        drop(client);
        assert_ne!(pid(&pool.get().await.unwrap()).await, before, "{left_open}");
    }
}

#[tokio::test]
async fn the_system_pool_waits_and_heals() {
    let f = Fixture::new().await;
    let pool = system::Pool::new(f.connector(), 1, Duration::from_millis(100));
    let held = pool.get().await.unwrap();
    assert!(matches!(pool.get().await.err(), Some(Error::PoolTimeout(_))));
    let pid: i32 = held.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    drop(held);
    f.database.superuser().await.query("select pg_terminate_backend($1)", &[&pid]).await.unwrap();
    eventually("a live one", || async {
        match pool.get().await {
            Ok(client) => client.query_one("select 1", &[]).await.is_ok(),
            Err(_) => false,
        }
    })
    .await;
    pool.close();
    assert!(matches!(pool.get().await.err(), Some(Error::Unavailable(_))));
}

async fn pid(client: &system::Pooled) -> i32 {
    client.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0)
}
