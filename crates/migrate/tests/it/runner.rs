use crate::kit::{Files, quick, ready, statement, text, up, up_with};
use bedplate_migrate::{Error, Event, Folder, Options, Policies, Seeds, State, down, plan, status};

const A: &str = "20260101000000_a.sql";
const B: &str = "20260102000000_b.sql";

#[tokio::test]
async fn files_are_applied_once_in_order_and_written_down_for_both_tools() {
    let mut ready = ready().await;
    let files = Files::new(&[
        (B, "insert into a values (2)"),
        (A, "create table a (id int); insert into a values (1);"),
    ]);
    let planned = plan(&ready.owner, &files.folder()).await.unwrap();
    assert_eq!(
        planned.iter().map(|p| (p.name.as_str(), p.statements)).collect::<Vec<_>>(),
        [("a", 2), ("b", 1)]
    );
    let report = up(&mut ready, &files).await.unwrap();
    assert_eq!(
        report.ran.iter().map(|r| r.version.as_str()).collect::<Vec<_>>(),
        ["20260101000000", "20260102000000"]
    );
    let again = up(&mut ready, &files).await.unwrap();
    assert!(again.ran.is_empty() && again.already == 2);
    assert_eq!(text(&ready.owner, "select string_agg(id::text, ',') from a").await, "1,2");
    assert_eq!(
        text(&ready.owner, "select tableowner from pg_tables where tablename = 'a'").await,
        "postgres"
    );
    assert_eq!(text(&ready.owner, "select statements[1] from supabase_migrations.schema_migrations where version = '20260101000000' and name = 'a'").await, "create table a (id int)");
    assert_eq!(text(&ready.owner, "select applied_by from bedplate.migrations limit 1").await, "postgres");
    assert!(plan(&ready.owner, &files.folder()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_failing_file_leaves_nothing_and_says_where() {
    let mut ready = ready().await;
    let files = Files::new(&[
        (A, "create table a (id int);"),
        (
            B,
            "-- a comment; with a semicolon\ncreate table b (id int);\n\n/* ü */ select id,\n  'é', nope\nfrom a;\n",
        ),
    ]);
    let error = statement(up(&mut ready, &files).await.unwrap_err());
    assert!(error.file.ends_with(B));
    assert_eq!((error.line, error.column), (5, 8));
    assert_eq!(error.statement, "select id,");
    assert_eq!(error.sqlstate, "42703");
    assert!(error.to_string().contains("20260102000000_b.sql:5:8: column \"nope\" does not exist"));
    assert_eq!(text(&ready.owner, "to_regclass('b')").await, "");
    assert_eq!(text(&ready.owner, "select count(*) from bedplate.migrations").await, "1");
    // A fault inside a function, and one that only COMMIT finds.
    files.write(B, "\ndo $$ begin\n perform 1/0;\nend $$;");
    let error = statement(up(&mut ready, &files).await.unwrap_err());
    assert_eq!((error.line, error.column, error.sqlstate.as_str()), (2, 1, "22012"));
    assert!(error.context.unwrap().contains("line 2"));
    files.write(B, "create table p (id int primary key); create table c (id int references p deferrable initially deferred); insert into c values (1);");
    let error = statement(up(&mut ready, &files).await.unwrap_err());
    assert_eq!((error.statement.as_str(), error.sqlstate.as_str()), ("commit", "23503"));
    files.write(B, "select 1;\nselect $$ never ends");
    let error = statement(up(&mut ready, &files).await.unwrap_err());
    assert_eq!((error.line, error.column), (2, 8));
    assert!(error.message.contains("never ends"));
    files.write(B, "\\i other.sql");
    assert!(statement(up(&mut ready, &files).await.unwrap_err()).message.contains("psql"));
    files.write(B, "select 1");
    assert_eq!(up(&mut ready, &files).await.unwrap().ran.len(), 1);
}

#[tokio::test]
async fn an_edited_file_an_old_file_and_a_lost_file_are_told_apart() {
    let mut ready = ready().await;
    let files = Files::new(&[(A, "select 1;\n"), (B, "select 2;\n")]);
    up(&mut ready, &files).await.unwrap();
    files.write(A, "select 1;\r\n");
    up(&mut ready, &files).await.unwrap();
    files.write(A, "select 1; -- edited\n");
    let error = up(&mut ready, &files).await.unwrap_err();
    assert!(matches!(&error, Error::Edited { first, more: 0 } if first.file.ends_with(A)));
    assert!(error.to_string().contains("restore the file"));
    files.write(A, "select 1;\n");
    files.write("20260101120000_late.sql", "create table late ()");
    let error = up(&mut ready, &files).await.unwrap_err();
    assert!(matches!(&error, Error::OutOfOrder { newest, .. } if newest == "20260102000000_b"), "{error}");
    let states = status(&ready.owner, &files.folder()).await.unwrap();
    assert!(matches!(states[1].state, State::OutOfOrder));
    let allowed = Options { allow_out_of_order: true, ..quick() };
    assert_eq!(up_with(&mut ready, &files, &allowed, &mut Vec::new()).await.unwrap().ran[0].name, "late");
    files.remove(B);
    let report = up(&mut ready, &files).await.unwrap();
    assert_eq!(report.missing, ["20260102000000_b"]);
    let states = status(&ready.owner, &files.folder()).await.unwrap();
    assert!(matches!(states[2].state, State::Missing { .. }));
}

#[tokio::test]
async fn an_unwritten_file_at_the_end_can_be_left_until_it_has_sql() {
    const C: &str = "20260103000000_c.sql";
    let mut ready = ready().await;
    let files = Files::new(&[(A, "-- nothing any more\n"), (B, "select 2;"), (C, "-- c\n\n")]);
    let holding = Options { hold_empty: true, ..quick() };
    let report = up_with(&mut ready, &files, &holding, &mut Vec::new()).await.unwrap();
    assert_eq!(report.ran.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(report.held.len() == 1 && report.held[0].ends_with(C), "{:?}", report.held);
    files.write(C, "create table c ();");
    let report = up_with(&mut ready, &files, &holding, &mut Vec::new()).await.unwrap();
    assert_eq!((report.ran.len(), report.held.len()), (1, 0));
    // Elsewhere it is a migration like any other.
    files.write("20260104000000_d.sql", "");
    assert_eq!(up(&mut ready, &files).await.unwrap().ran.len(), 1);
}

#[tokio::test]
async fn down_undoes_the_newest_and_refuses_before_it_begins() {
    let mut ready = ready().await;
    let files = Files::new(&[
        (A, "create table a (id int)"),
        ("20260101000000_a.down.sql", "drop table a"),
        (B, "create table b (id int)"),
    ]);
    up(&mut ready, &files).await.unwrap();
    let folder = files.folder();
    let error =
        down(&mut ready.owner, Some(&mut ready.admin), &folder, 2, &quick(), &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::NoDown { .. }));
    assert_eq!(text(&ready.owner, "to_regclass('b')").await, "b");
    files.write("20260102000000_b.down.sql", "drop table b");
    let folder = files.folder();
    let mut undone = Vec::new();
    let report = down(&mut ready.owner, Some(&mut ready.admin), &folder, 1, &quick(), &mut |event| {
        if let Event::Undone { file, .. } = event {
            undone.push(file);
        }
    })
    .await
    .unwrap();
    assert_eq!((report.ran[0].name.as_str(), undone.len()), ("b", 1));
    assert_eq!(text(&ready.owner, "to_regclass('b')").await, "");
    assert_eq!(text(&ready.owner, "select count(*) from supabase_migrations.schema_migrations").await, "1");
    assert_eq!(up(&mut ready, &files).await.unwrap().ran.len(), 1);
    down(&mut ready.owner, None, &folder, 99, &quick(), &mut |_| {}).await.unwrap();
    assert_eq!(text(&ready.owner, "select count(*) from bedplate.migrations").await, "0");
}

#[tokio::test]
async fn settings_and_roles_of_one_file_do_not_reach_the_next() {
    let mut ready = ready().await;
    let files = Files::new(&[
        (
            A,
            "set search_path = ''; select set_config('search_path', '', false); set check_function_bodies = off; \
             set lock_timeout = 0; set role authenticated; create temp table x (id int);",
        ),
        (
            B,
            "create table seen as select current_user::text as who, current_setting('search_path') as path, \
             current_setting('lock_timeout') as patience, current_setting('statement_timeout') as timeout;",
        ),
    ]);
    up(&mut ready, &files).await.unwrap();
    let seen = "select concat_ws('|', who, path, patience, timeout) from seen";
    assert_eq!(text(&ready.owner, seen).await, "postgres|public, extensions|150ms|0");
    // The connections come back as they were.
    assert_eq!(text(&ready.admin, "current_user").await, "supabase_admin");
    assert_eq!(text(&ready.admin, "session_user").await, "supabase_admin");
    assert_eq!(text(&ready.admin, "current_setting('lock_timeout')").await, "0");
}

#[tokio::test]
async fn files_with_their_own_transaction_and_dumps_with_rows_are_run() {
    let mut ready = ready().await;
    let files = Files::new(&[
        (
            A,
            "begin;\ncreate table a (id int, name text);\ncommit;\nbegin; insert into a values (0, 'zero'); end;",
        ),
        (
            B,
            "\\restrict x\nSET statement_timeout = 0;\nCOPY public.a (id, name) FROM stdin;\n1\tone; two\n2\t\\N\n\\.\n\nselect 1;\n\\unrestrict x\n",
        ),
        (
            "20260103000000_c.sql",
            "begin; insert into a values (9, 'x'); rollback; insert into a values (3, 'three');",
        ),
    ]);
    up(&mut ready, &files).await.unwrap();
    let rows = "select string_agg(id || coalesce(name, '-'), ',' order by id) from a";
    assert_eq!(text(&ready.owner, rows).await, "0zero,1one; two,2-,3three");
    files.write(
        "20260104000000_d.sql",
        "create table d (id int);\ncopy a from stdin;\nnot a number\tx\n\\.\n",
    );
    let error = statement(up(&mut ready, &files).await.unwrap_err());
    assert_eq!((error.line, error.sqlstate.as_str()), (2, "22P02"));
    assert!(error.context.unwrap().contains("line 1"));
    assert_eq!(text(&ready.owner, "to_regclass('d')").await, "");
}

#[tokio::test]
async fn a_database_that_supabases_tools_migrated_is_taken_over() {
    let mut ready = ready().await;
    ready
        .owner
        .batch_execute("create table a (id int); insert into supabase_migrations.schema_migrations (version, name) values ('20260101000000', 'a')")
        .await
        .unwrap();
    let files = Files::new(&[(A, "create table a (id int)"), (B, "create table b (id int)")]);
    let mut events = Vec::new();
    let report = up_with(&mut ready, &files, &quick(), &mut events).await.unwrap();
    assert_eq!((report.adopted, report.ran.len()), (1, 1));
    assert!(events.contains(&Event::Adopted { versions: vec!["20260101000000".to_owned()] }));
    let states = status(&ready.owner, &files.folder()).await.unwrap();
    assert!(
        matches!(states[0].state, State::Adopted { .. }) && matches!(states[1].state, State::Applied { .. })
    );
}

#[tokio::test]
async fn without_the_contract_nothing_runs() {
    let database = bedplate_testkit::Database::empty().await;
    let mut owner = database.superuser().await;
    let files = Files::new(&[(A, "select 1")]);
    let error =
        bedplate_migrate::up(&mut owner, None, &files.folder(), &quick(), &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::NotInstalled));
    assert!(matches!(status(&owner, &files.folder()).await, Err(Error::NotInstalled)));
}

#[tokio::test]
async fn a_value_added_to_an_enum_can_be_used_in_the_same_file() {
    let mut ready = ready().await;
    let files = Files::new(&[
        (
            A,
            "create type mood as enum ('ok'); create table a (m mood); alter type mood add value 'new'; insert into a values ('new');",
        ),
        (
            B,
            "alter type mood add value 'glad'; insert into a values ('glad'); alter type mood add value 'sad';",
        ),
    ]);
    let planned = plan(&ready.owner, &files.folder()).await.unwrap();
    assert_eq!(planned.iter().map(|p| p.one_transaction).collect::<Vec<_>>(), [false, false]);
    up(&mut ready, &files).await.unwrap();
    assert_eq!(text(&ready.owner, "select string_agg(m::text, ',') from a").await, "new,glad");
}

#[tokio::test]
async fn the_example_goes_up_down_and_up_again() {
    let mut ready = ready().await;
    let project = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/helpdesk"));
    let folder = Folder::read(&project.join("migrations")).unwrap();
    let policies = Policies::read(&project.join("policies")).unwrap();
    let seeds = Seeds::read(project, "dev").unwrap();
    let options = quick();
    for _ in 0..2 {
        let (owner, admin) = (&mut ready.owner, &mut ready.admin);
        let report = bedplate_migrate::up(owner, Some(admin), &folder, &options, &mut |_| {}).await.unwrap();
        assert_eq!(report.ran.len(), folder.migrations.len());
        let report = down(owner, Some(admin), &folder, 99, &options, &mut |_| {}).await.unwrap();
        assert_eq!(report.ran.len(), folder.migrations.len());
        assert_eq!(
            text(&ready.owner, "select count(*) from pg_tables where schemaname = 'public'").await,
            "0"
        );
    }
    let (owner, admin) = (&mut ready.owner, &mut ready.admin);
    bedplate_migrate::up(owner, Some(admin), &folder, &options, &mut |_| {}).await.unwrap();
    policies.apply(owner, Some(admin), true, &options, &mut |_| {}).await.unwrap();
    let seeded = seeds.apply(owner, Some(admin), false, &options, &mut |_| {}).await.unwrap();
    assert!(seeded.rows["auth.users"] >= 2 && seeded.rows["tickets"] >= 10, "{:?}", seeded.rows);
}

#[tokio::test]
async fn a_policy_in_the_way_is_named_with_the_way_out() {
    let mut ready = ready().await;
    let files = Files::new(&[
        (
            A,
            "create table a (id int); create table b (id int); create policy p on b using (exists (select from a));",
        ),
        (B, "drop table a;"),
    ]);
    let error = statement(up(&mut ready, &files).await.unwrap_err());
    assert!(error.detail.unwrap().contains("policy p on table b"));
    assert!(error.hint.unwrap().contains("drop policy if exists"));
    files.write(
        B,
        "create table c (id int); create policy p on c using (id > 0); alter table c alter id type bigint;",
    );
    let error = statement(up(&mut ready, &files).await.unwrap_err());
    assert!(error.hint.unwrap().contains("drop policy if exists"), "{}", error.message);
}
