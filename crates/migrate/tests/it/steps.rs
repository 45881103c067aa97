use crate::kit::{Files, Ready, quick, ready, statement, text, up, up_with};
use bedplate_migrate::{Error, Event, State, down, status};

const FILE: &str = "20260101000000_a.sql";

#[tokio::test]
async fn statements_that_refuse_a_transaction_run_in_steps_without_being_asked() {
    let mut ready = ready().await;
    let files = Files::new(&[
        (
            FILE,
            "create table t (id int);\ninsert into t values (1);\ncreate unique index concurrently t_id on t (id);\nvacuum t;\nset search_path = '';\ninsert into public.t values (2);",
        ),
        ("20260101000000_a.down.sql", "drop index concurrently t_id; drop table t;"),
    ]);
    let mut events = Vec::new();
    up_with(&mut ready, &files, &quick(), &mut events).await.unwrap();
    assert!(events.iter().any(|e| matches!(e, Event::Started { one_transaction: false, statements: 6, .. })));
    assert_eq!(events.iter().filter(|e| matches!(e, Event::Step { .. })).count(), 6);
    assert_eq!(text(&ready.owner, "select count(*) from t").await, "2");
    assert_eq!(text(&ready.owner, "select count(*) from bedplate.migration_progress").await, "0");
    down(&mut ready.owner, Some(&mut ready.admin), &files.folder(), 1, &quick(), &mut |_| {}).await.unwrap();
    assert_eq!(text(&ready.owner, "select count(*) from bedplate.migrations").await, "0");
    assert_eq!(text(&ready.owner, "select count(*) from bedplate.migration_progress").await, "0");
}

#[tokio::test]
async fn a_failed_step_keeps_what_is_done_and_the_rest_may_be_mended() {
    let mut ready = ready().await;
    let files = Files::new(&[(
        FILE,
        "-- bedplate: no-transaction\ncreate table t (id int);\nset timezone = 'Asia/Tokyo';\nbegin; insert into t values (1); insert into t values (2); commit;\ninsert into t values (nope);",
    )]);
    let error = statement(up(&mut ready, &files).await.unwrap_err());
    assert_eq!((error.line, error.column), (5, 23));
    let states = status(&ready.owner, &files.folder()).await.unwrap();
    assert_eq!(states[0].state, State::Interrupted { done: 6 });
    // What has run may not change.
    files.write(FILE, "-- bedplate: no-transaction\ncreate table t (id bigint);\nset timezone = 'Asia/Tokyo';\nbegin; insert into t values (1); insert into t values (2); commit;\ninsert into t values (3);");
    assert!(matches!(up(&mut ready, &files).await, Err(Error::InterruptedEdited { done: 6, .. })));
    files.write(FILE, "-- bedplate: no-transaction\ncreate table t (id int);\nset timezone = 'Asia/Tokyo';\nbegin; insert into t values (1); insert into t values (2); commit;\ninsert into t values (3); create table zone as select current_setting('timezone') as name;");
    let mut events = Vec::new();
    up_with(&mut ready, &files, &quick(), &mut events).await.unwrap();
    assert!(events.iter().any(|e| matches!(e, Event::Resumed { done: 6, .. })));
    assert_eq!(text(&ready.owner, "select string_agg(id::text, ',') from t").await, "1,2,3");
    // Settings of finished steps hold for the rest.
    assert_eq!(text(&ready.owner, "select name from zone").await, "Asia/Tokyo");
}

#[tokio::test]
async fn what_a_file_sets_in_its_own_transaction_ends_with_it() {
    let mut ready = ready().await;
    let act = "begin; set local role authenticated; select set_config('request.jwt.claims', '{\"sub\":\"x\"}', true); insert into seen default values; end;";
    let files = Files::new(&[(
        FILE,
        &format!(
            "create table seen (who text default current_user, claims text default current_setting('request.jwt.claims', true));\ngrant insert on seen to authenticated;\n{act}\ninsert into seen default values;\n{act}"
        ),
    )]);
    up(&mut ready, &files).await.unwrap();
    let rows = "select string_agg(who || coalesce(claims, ''), ',' order by who) from seen";
    assert_eq!(
        text(&ready.owner, rows).await,
        r#"authenticated{"sub":"x"},authenticated{"sub":"x"},postgres"#
    );
    assert_eq!(text(&ready.owner, "select count(*) from bedplate.migrations").await, "1");
}

/// Kills the runner while it runs `victim`, which must be waiting for something.
async fn kill_during(ready: &Ready, files: &Files, marker: &str) {
    let folder = files.folder();
    let mut victim = ready.database.connect("postgres").await;
    let pid: i32 = victim.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let options = bedplate_migrate::Options { lock_timeout: std::time::Duration::from_mins(1), ..quick() };
    let mut ignore = |_| {};
    let kill = async {
        let busy = "select exists (select from pg_stat_activity where pid = $1 and query like $2 and wait_event is not null and state = 'active')";
        while !ready.admin.query_one(busy, &[&pid, &format!("%{marker}%")]).await.unwrap().get::<_, bool>(0) {
            tokio::task::yield_now().await;
        }
        ready.admin.execute("select pg_terminate_backend($1)", &[&pid]).await.unwrap();
    };
    let up = bedplate_migrate::up(&mut victim, None, &folder, &options, &mut ignore);
    let (result, ()) = tokio::join!(up, kill);
    assert!(result.is_err());
}

#[tokio::test]
async fn an_interrupted_concurrent_index_is_dropped_and_built_again() {
    let mut ready = ready().await;
    ready
        .owner
        .batch_execute("create table t (id int); insert into t select generate_series(1, 100)")
        .await
        .unwrap();
    let files = Files::new(&[(
        FILE,
        "insert into t values (0);\ncreate index concurrently if not exists t_id on t (id);\ninsert into t values (101);",
    )]);
    // A writer's open transaction keeps the index from becoming valid.
    let mut writer = ready.database.connect("postgres").await;
    let writing = writer.transaction().await.unwrap();
    writing.batch_execute("insert into t values (7)").await.unwrap();
    kill_during(&ready, &files, "create index concurrently").await;
    writing.rollback().await.unwrap();
    assert_eq!(
        text(&ready.owner, "select indisvalid from pg_index where indexrelid = 't_id'::regclass").await,
        "false"
    );
    assert_eq!(status(&ready.owner, &files.folder()).await.unwrap()[0].state, State::Interrupted { done: 1 });
    let mut events = Vec::new();
    up_with(&mut ready, &files, &quick(), &mut events).await.unwrap();
    assert!(
        events.iter().any(|e| matches!(e, Event::Notice { text, .. } if text.contains("unfinished index")))
    );
    assert_eq!(
        text(&ready.owner, "select indisvalid from pg_index where indexrelid = 't_id'::regclass").await,
        "true"
    );
    // Each insert has run once.
    assert_eq!(text(&ready.owner, "select count(*) from t").await, "102");
}

#[tokio::test]
async fn a_kill_at_any_statement_converges() {
    let mut ready = ready().await;
    let lines =
        [0, 1, 2, 3].map(|n| format!("select pg_advisory_xact_lock(99, {n}); insert into t values ({n});"));
    let sql = lines.join("\n");
    let files = Files::new(&[(
        FILE,
        &format!("-- bedplate: no-transaction\ncreate table t (id int unique);\n{sql}"),
    )]);
    let holder = ready.database.connect("postgres").await;
    for n in 0..4 {
        holder.batch_execute(&format!("select pg_advisory_lock(99, {n})")).await.unwrap();
        kill_during(&ready, &files, &format!("pg_advisory_xact_lock(99, {n})")).await;
        assert_eq!(text(&ready.owner, "select count(*) from t").await, n.to_string());
        holder.batch_execute(&format!("select pg_advisory_unlock(99, {n})")).await.unwrap();
    }
    up(&mut ready, &files).await.unwrap();
    assert_eq!(text(&ready.owner, "select count(*) from t").await, "4");
}

#[tokio::test]
async fn an_index_without_a_name_is_refused_in_words() {
    let mut ready = ready().await;
    let files = Files::new(&[(FILE, "create table t (id int); create index concurrently on t (id)")]);
    let error = statement(up(&mut ready, &files).await.unwrap_err());
    assert!(error.message.contains("no name") && error.hint.unwrap().contains("Name it"));
}

#[tokio::test]
async fn a_file_that_began_in_steps_goes_on_in_steps() {
    let mut ready = ready().await;
    let files = Files::new(&[(FILE, "-- bedplate: no-transaction\ncreate table t (id int);\nselect nope;")]);
    up(&mut ready, &files).await.unwrap_err();
    files.write(FILE, "create table t (id int);\ninsert into t values (1);");
    assert_eq!(up(&mut ready, &files).await.unwrap().ran[0].statements, 2);
    assert_eq!(text(&ready.owner, "select count(*) from t").await, "1");
}
