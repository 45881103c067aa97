use crate::kit::{Files, quick, ready, text, up_with};
use bedplate_migrate::{Error, Event, Options};
use std::time::Duration;

const SQL: &str = "create table t (id int); select pg_sleep(0.05); insert into t values (1);";

#[tokio::test]
async fn five_nodes_at_once_apply_each_file_once() {
    let ready = ready().await;
    let files = Files::new(&[
        ("20260101000000_a.sql", SQL),
        ("20260101000001_b.sql", "insert into t values (2)"),
        ("20260101000002_c.sql", "create index concurrently on_t on t (id);"),
    ]);
    let mut nodes = Vec::new();
    for node in 0..5 {
        let folder = files.folder();
        let mut owner = ready.database.connect("postgres").await;
        let mut admin = ready.database.superuser().await;
        nodes.push(tokio::spawn(async move {
            let mut waited = 0;
            let mut count = |event| waited += usize::from(matches!(event, Event::Waiting { .. }));
            // Some have a superuser's connection, some have not.
            let admin = (node % 2 == 0).then_some(&mut admin);
            let report =
                bedplate_migrate::up(&mut owner, admin, &folder, &quick(), &mut count).await.unwrap();
            (report.ran.len(), waited)
        }));
    }
    let mut ran = 0;
    for node in nodes {
        ran += node.await.unwrap().0;
    }
    assert_eq!(ran, 3);
    assert_eq!(text(&ready.owner, "select string_agg(id::text, ',') from t").await, "1,2");
}

#[tokio::test]
async fn a_waiting_node_says_for_whom_and_goes_on_when_the_holder_dies() {
    let mut ready = ready().await;
    let holder = ready.database.connect("postgres").await;
    holder
        .batch_execute("set application_name = 'the other node'; select pg_advisory_lock(4274391, 2)")
        .await
        .unwrap();
    let files = Files::new(&[("20260101000000_a.sql", SQL)]);
    let hurry = Options { wait_for_others: Duration::from_millis(1), ..quick() };
    let error = up_with(&mut ready, &files, &hurry, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(&error, Error::Busy { holder, .. } if holder.contains("the other node")), "{error}");
    let pid: i32 = holder.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let killer = ready.database.superuser().await;
    let folder = files.folder();
    let mut waiting = Vec::new();
    let (told, mut tell) = tokio::sync::mpsc::unbounded_channel();
    let mut on_event = |event: Event| {
        if let Event::Waiting { holder, .. } = &event {
            told.send(holder.clone()).unwrap();
        }
        waiting.push(event);
    };
    let options = quick();
    let kill = async {
        assert!(tell.recv().await.unwrap().contains("the other node"));
        killer.execute("select pg_terminate_backend($1)", &[&pid]).await.unwrap();
    };
    let up = bedplate_migrate::up(&mut ready.owner, Some(&mut ready.admin), &folder, &options, &mut on_event);
    let (report, ()) = tokio::join!(up, kill);
    assert_eq!(report.unwrap().ran.len(), 1);
}

#[tokio::test]
async fn a_lock_that_does_not_come_undoes_the_file_and_it_is_tried_again() {
    let mut ready = ready().await;
    ready.owner.batch_execute("create table t (id int)").await.unwrap();
    let mut reader = ready.database.connect("postgres").await;
    let reading = reader.transaction().await.unwrap();
    reading.batch_execute("select * from t").await.unwrap();
    let files =
        Files::new(&[("20260101000000_a.sql", "create table u (id int); alter table t add column x int;")]);
    let few = Options { lock_attempts: 2, ..quick() };
    let error = up_with(&mut ready, &files, &few, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, Error::Locked { attempts: 2, .. }), "{error}");
    assert_eq!(text(&ready.admin, "select coalesce(to_regclass('u')::text, 'nothing')").await, "nothing");

    let (told, mut tell) = tokio::sync::mpsc::unbounded_channel();
    let folder = files.folder();
    let options = quick();
    let mut on_event = |event: Event| {
        if let Event::LockRetry { attempt, .. } = event {
            told.send(attempt).unwrap();
        }
    };
    let release = async {
        assert_eq!(tell.recv().await.unwrap(), 1);
        reading.rollback().await.unwrap();
    };
    let up = bedplate_migrate::up(&mut ready.owner, Some(&mut ready.admin), &folder, &options, &mut on_event);
    let (report, ()) = tokio::join!(up, release);
    assert_eq!(report.unwrap().ran.len(), 1);
}

#[tokio::test]
async fn a_runner_killed_in_the_middle_of_a_file_leaves_nothing_of_it() {
    let mut ready = ready().await;
    let files = Files::new(&[("20260101000000_a.sql", "create table t (id int); select pg_sleep(600);")]);
    let folder = files.folder();
    let mut victim = ready.database.connect("postgres").await;
    let pid: i32 = victim.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let options = quick();
    let mut ignore = |_| {};
    let kill = async {
        let busy =
            "select exists (select from pg_stat_activity where pid = $1 and query like '%pg_sleep(600)%')";
        while !ready.admin.query_one(busy, &[&pid]).await.unwrap().get::<_, bool>(0) {
            tokio::task::yield_now().await;
        }
        ready.admin.execute("select pg_terminate_backend($1)", &[&pid]).await.unwrap();
    };
    let up = bedplate_migrate::up(&mut victim, None, &folder, &options, &mut ignore);
    let (result, ()) = tokio::join!(up, kill);
    assert!(result.is_err());
    assert_eq!(text(&ready.owner, "select coalesce(to_regclass('t')::text, 'nothing')").await, "nothing");
    files.write("20260101000000_a.sql", SQL);
    assert_eq!(crate::kit::up(&mut ready, &files).await.unwrap().ran.len(), 1);
}

#[tokio::test]
async fn connections_to_different_databases_are_refused() {
    let mut ready = ready().await;
    let other = bedplate_testkit::Database::empty().await;
    ready.admin = other.superuser().await;
    let files = Files::new(&[("20260101000000_a.sql", SQL)]);
    let error = crate::kit::up(&mut ready, &files).await.unwrap_err();
    assert!(error.to_string().contains(other.name()), "{error}");
}

#[tokio::test]
async fn a_runner_that_vanishes_in_a_long_statement_frees_the_lock() {
    let mut ready = ready().await;
    let files = Files::new(&[("20260101000000_a.sql", "create table t (id int); select pg_sleep(600);")]);
    let folder = files.folder();
    let (mut victim, connection) =
        ready.database.config("postgres").connect(tokio_postgres::NoTls).await.unwrap();
    let wire = tokio::spawn(connection);
    let pid: i32 = victim.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let runner = tokio::spawn(async move {
        bedplate_migrate::up(&mut victim, None, &folder, &quick(), &mut |_| {}).await.map(|_| ())
    });
    let busy = "select exists (select from pg_stat_activity where pid = $1 and query like '%pg_sleep(600)%')";
    while !ready.admin.query_one(busy, &[&pid]).await.unwrap().get::<_, bool>(0) {
        tokio::task::yield_now().await;
    }
    // As kill -9 does it: the socket closes, nobody says goodbye.
    wire.abort();
    assert!(runner.await.unwrap().is_err());
    files.write("20260101000000_a.sql", SQL);
    let patient = Options { wait_for_others: Duration::from_secs(10), ..quick() };
    let report = up_with(&mut ready, &files, &patient, &mut Vec::new()).await.unwrap();
    assert_eq!(report.ran.len(), 1);
}
