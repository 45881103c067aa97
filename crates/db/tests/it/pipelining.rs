//! What goes in and comes out of one pipeline.

use std::time::{Duration, Instant};

use bedplate_core::Problem;
use bedplate_db::{Call, Context, End, Error, Isolation, Mode};

use crate::fixture::*;

#[tokio::test]
async fn rows_of_several_calls_in_text_and_binary_under_the_role() {
    let f = Fixture::new().await;
    let mut lease = f.pool(1).acquire(None).await.unwrap();
    let mine = statement("select id, body, price, null from notes where id > $1::int order by id limit 2");
    let number = binary("select 258::int4, current_user::text");
    let params = [value("10")];
    let calls = [Call { statement: &mine, params: &params }, Call { statement: &number, params: &[] }];
    for role in ROLES {
        let settings = settings_of(role);
        // Twice: the second time everything is prepared.
        for _ in 0..2 {
            let mut kept = Kept::default();
            let context = Context { settings: &settings };
            let outcome = lease.run(&context, &calls, End::Implicit, &mut kept, None).await.unwrap();
            let first = ROLES.iter().zip([12, 13, 11]).find(|(r, _)| **r == role).unwrap().1;
            let ids: Vec<_> =
                kept.text(0).iter().map(|r| (r[0].clone(), r[1].clone(), r[3].clone())).collect();
            let row = |id: i32| (id.to_string(), format!("body {id}"), "-".to_owned());
            assert_eq!(ids, [row(first), row(first + 3)]);
            assert!(kept.text(0).iter().all(|r| r[2].len() > 15), "numeric is exact");
            assert_eq!(kept.rows[2].1, [Some(vec![0, 0, 1, 2]), Some(role.as_bytes().to_vec())]);
            assert_eq!(kept.completed, [(0, 2), (1, 1)]);
            assert_eq!(
                outcome.calls.iter().map(|c| (c.rows, c.affected)).collect::<Vec<_>>(),
                [(2, 2), (1, 1)]
            );
        }
    }
}

#[tokio::test]
async fn values_never_become_sql_and_null_is_null() {
    let f = Fixture::new().await;
    let mut lease = f.pool(1).acquire(None).await.unwrap();
    let echo = statement("select $1::text, $2::text");
    for text in ["'; drop table notes; --", "", "a\nb\\c\"d'é🦀"] {
        let params = [value(text), None];
        let mut kept = Kept::default();
        let context = Context { settings: &settings_of(ROLES[1]) };
        let calls = [Call { statement: &echo, params: &params }];
        lease.run(&context, &calls, End::Implicit, &mut kept, None).await.unwrap();
        assert_eq!(kept.text(0), [[text, "-"]]);
    }
}

#[tokio::test]
async fn output_is_what_to_json_relies_on_whatever_the_database_says() {
    let f = Fixture::new().await;
    let name = f.database.name();
    let sql = format!(
        "alter database {name} set timezone = 'Asia/Tokyo'; alter database {name} set datestyle = 'SQL, DMY';
         alter database {name} set intervalstyle = 'iso_8601'; alter database {name} set extra_float_digits = -3;
         alter database {name} set bytea_output = 'escape'"
    );
    f.database.superuser().await.batch_execute(&sql).await.unwrap();
    for pooler in [false, true] {
        let connector = bedplate_db::Connector::new(f.target().with_pooler(pooler)).unwrap();
        let pool = bedplate_db::Pool::new("test", connector, settings(1));
        let mut lease = pool.acquire(None).await.unwrap();
        let mut kept = Kept::default();
        let all = statement(
            "select '2026-02-03T04:05:06+09'::timestamptz, '1 day 02:00'::interval, 0.1::float8 + 0.2, 'a\\000'::bytea",
        );
        run_all(&mut lease, ROLES[0], &[&all], End::Implicit, &mut kept).await.unwrap();
        let expected = ["2026-02-02 19:05:06+00", "1 day 02:00:00", "0.30000000000000004", "\\x6100"];
        assert_eq!(kept.text(0), [expected], "pooler: {pooler}");
    }
}

#[tokio::test]
async fn an_error_in_the_middle_undoes_everything_and_leaves_the_connection_usable() {
    let f = Fixture::new().await;
    let pool = f.pool(1);
    let insert = statement("insert into notes (id, owner) values (1000, 'dbtest_user')");
    let fail = statement("select 1 / (select count(*) from notes where id < 0)");
    for end in [End::Implicit, End::Commit(Mode::default()), End::Rollback(Mode::default())] {
        let mut lease = pool.acquire(None).await.unwrap();
        let mut kept = Kept::default();
        let error =
            run_all(&mut lease, ROLES[1], &[&insert, &fail, &insert], end, &mut kept).await.unwrap_err();
        assert_eq!(error.db().unwrap().code, "22012");
        assert_eq!(kept.completed, [(0, 1)], "it had been delivered, but is not reported as done");
        assert_eq!(
            ask(&mut lease, ROLES[1], "select count(*) from notes where id = 1000").await.unwrap(),
            "0"
        );
    }
    assert_eq!(pool.metrics().created, 1);
    assert!(pool.metrics().closed.is_empty());
}

#[tokio::test]
async fn what_fails_at_commit_is_reported_as_failure() {
    let f = Fixture::new().await;
    let mut lease = f.pool(1).acquire(None).await.unwrap();
    let orphan = statement("insert into children values (1, 404) returning id");
    for end in [End::Implicit, End::Commit(Mode::default()), End::Rollback(Mode::default())] {
        let mut kept = Kept::default();
        let error = run_all(&mut lease, ROLES[1], &[&orphan], end, &mut kept).await.unwrap_err();
        assert_eq!(kept.text(0), [["1"]], "the row came before the commit");
        let db = error.db().unwrap();
        assert_eq!((db.code.as_str(), db.table.as_deref()), ("23503", Some("children")));
        assert_eq!(db.constraint.as_deref(), Some("children_parent_fkey"));
        assert_eq!(Problem::from(error).status(), 422);
    }
    let context = Context { settings: &settings_of(ROLES[1]) };
    let calls = [Call { statement: &orphan, params: &[] }];
    let mut kept = Kept::default();
    let checked = lease.run_checked(&context, &calls, Mode::default(), &mut kept, |_| Ok(()), None).await;
    assert_eq!(checked.unwrap_err().db().unwrap().code, "23503");
    assert_eq!(ask(&mut lease, ROLES[1], "select count(*) from children").await.unwrap(), "0");
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_a_commit_does() {
    let f = Fixture::new().await;
    let mut lease = f.pool(1).acquire(None).await.unwrap();
    let insert = statement("insert into parents select generate_series(1, 5)");
    let serializable = Mode { isolation: Isolation::Serializable, read_only: false };
    for (end, count) in [(End::Rollback(serializable), "0"), (End::Commit(serializable), "5")] {
        let mut kept = Kept::default();
        let outcome = run_all(&mut lease, ROLES[1], &[&insert], end, &mut kept).await.unwrap();
        assert_eq!(outcome.calls[0].affected, 5);
        assert_eq!(ask(&mut lease, ROLES[1], "select count(*) from parents").await.unwrap(), count);
    }
    let level = statement(
        "select current_setting('transaction_isolation'), current_setting('transaction_read_only')",
    );
    let mut kept = Kept::default();
    let end = End::Commit(Mode { isolation: Isolation::RepeatableRead, read_only: true });
    run_all(&mut lease, ROLES[1], &[&level], end, &mut kept).await.unwrap();
    assert_eq!(kept.text(0), [["repeatable read", "on"]]);
}

#[tokio::test]
async fn the_check_decides_between_commit_and_rollback() {
    let f = Fixture::new().await;
    let mut lease = f.pool(1).acquire(None).await.unwrap();
    let insert = statement("insert into parents select generate_series(1, 5) returning id");
    let context = Context { settings: &settings_of(ROLES[1]) };
    let calls = [Call { statement: &insert, params: &[] }];
    let count = "select count(*) from parents";

    let mut kept = Kept::default();
    let refused = lease
        .run_checked(
            &context,
            &calls,
            Mode::default(),
            &mut kept,
            |outcome| {
                assert_eq!(outcome.calls[0].rows, 5);
                Err(Problem::internal_error("too many"))
            },
            None,
        )
        .await;
    assert!(matches!(refused, Err(Error::Sink(_))));
    assert_eq!(ask(&mut lease, ROLES[1], count).await.unwrap(), "0");

    let mut choosy = Kept { refuse_at: Some(3), ..Kept::default() };
    let refused = lease.run_checked(&context, &calls, Mode::default(), &mut choosy, |_| Ok(()), None).await;
    assert!(matches!(refused, Err(Error::Sink(_))));
    assert_eq!(choosy.rows.len(), 3);
    assert_eq!(ask(&mut lease, ROLES[1], count).await.unwrap(), "0");

    let mut kept = Kept::default();
    lease.run_checked(&context, &calls, Mode::default(), &mut kept, |_| Ok(()), None).await.unwrap();
    assert_eq!(ask(&mut lease, ROLES[1], count).await.unwrap(), "5");
}

#[tokio::test]
async fn a_read_only_transaction_refuses_writes() {
    let f = Fixture::new().await;
    let pool = f.pool(1);
    let insert = statement("insert into parents values (1)");
    let calls = [Call { statement: &insert, params: &[] }];
    let settings = [("role", ROLES[1]), ("transaction_read_only", "on")];
    let mut lease = pool.acquire(None).await.unwrap();
    let mut kept = Kept::default();
    let error = lease
        .run(&Context { settings: &settings }, &calls, End::Implicit, &mut kept, None)
        .await
        .unwrap_err();
    assert_eq!(Problem::from(error).status(), 405);
    assert_eq!(
        ask(&mut lease, ROLES[1], "select current_setting('transaction_read_only')").await.unwrap(),
        "off"
    );
}

#[tokio::test]
async fn a_context_without_a_role_is_refused_before_anything_is_sent() {
    let f = Fixture::new().await;
    let mut lease = f.pool(1).acquire(None).await.unwrap();
    let who = statement("select current_user");
    let calls = [Call { statement: &who, params: &[] }];
    for settings in [
        &[][..],
        &[("request.sub", "x")],
        &[("role", "")],
        &[("role", "none")],
        &[("role", "NONE")],
        &[("request.sub", "x"), ("role", "dbtest_user")],
    ] {
        let mut kept = Kept::default();
        let refused = lease.run(&Context { settings }, &calls, End::Implicit, &mut kept, None).await;
        assert!(matches!(refused, Err(Error::Misuse(_))), "{settings:?}");
    }
    assert_eq!(ask(&mut lease, ROLES[2], "select current_user").await.unwrap(), ROLES[2]);
    let unknown = ask(&mut lease, "dbtest_nobody", "select 1").await.unwrap_err();
    assert_eq!(unknown.db().unwrap().code, "22023");
}

#[tokio::test]
async fn large_parameters_and_large_answers_in_one_pipeline_do_not_block_each_other() {
    let f = Fixture::new().await;
    let mut lease = f.pool(1).acquire(None).await.unwrap();
    let many = statement("select repeat('x', 1000) from generate_series(1, 20000)");
    let length = statement("select length($1::text)::text");
    let big = "y".repeat(20_000_000);
    let params = [value(&big)];
    let calls = [Call { statement: &many, params: &[] }, Call { statement: &length, params: &params }];
    let mut kept = Kept::default();
    let context = Context { settings: &settings_of(ROLES[0]) };
    let deadline = Some(Instant::now() + Duration::from_mins(1));
    lease.run(&context, &calls, End::Implicit, &mut kept, deadline).await.unwrap();
    assert_eq!(kept.rows.len(), 20_001);
    assert_eq!(kept.text(1), [["20000000"]]);
}

#[tokio::test]
async fn a_statement_whose_result_changed_is_prepared_anew() {
    let f = Fixture::new().await;
    let pool = f.pool(1);
    let mut lease = pool.acquire(None).await.unwrap();
    let first = statement("select 1");
    let all = statement("select * from parents");
    let mut restarts = 0;
    for (ddl, columns) in
        [("", 1), ("alter table parents add a int default 7", 2), ("alter table parents drop a", 1)]
    {
        f.database.superuser().await.batch_execute(ddl).await.unwrap();
        let fill = statement("insert into parents values (1) on conflict do nothing");
        run_all(&mut lease, ROLES[1], &[&fill], End::Implicit, &mut Kept::default()).await.unwrap();
        for end in [End::Implicit, End::Commit(Mode::default())] {
            let mut kept = Kept::default();
            run_all(&mut lease, ROLES[1], &[&first, &all], end, &mut kept).await.unwrap();
            assert_eq!(kept.text(0), [["1"]], "rows of the failed attempt are dropped");
            assert_eq!(kept.text(1)[0].len(), columns, "{ddl}");
            restarts += kept.restarts;
        }
    }
    assert_eq!(restarts, 2, "one for each change");
    assert_eq!(pool.metrics().created, 1);
}

#[tokio::test]
async fn statements_that_the_server_has_forgotten_are_prepared_anew() {
    let f = Fixture::new().await;
    let mut lease = f.pool(1).acquire(None).await.unwrap();
    let one = statement("select 1");
    let forget = statement("deallocate all");
    for end in [End::Implicit, End::Commit(Mode::default()), End::Rollback(Mode::default())] {
        let mut kept = Kept::default();
        run_all(&mut lease, ROLES[1], &[&one], end, &mut kept).await.unwrap();
        run_all(&mut lease, ROLES[1], &[&forget], End::Implicit, &mut Kept::default()).await.unwrap();
        let mut kept = Kept::default();
        run_all(&mut lease, ROLES[1], &[&one], end, &mut kept).await.unwrap();
        assert_eq!(kept.one(), "1");
    }
}

#[tokio::test]
async fn a_connection_keeps_a_bounded_number_of_statements() {
    let f = Fixture::new().await;
    let mut lease = f.pool(1).acquire(None).await.unwrap();
    let statements: Vec<_> = (0..500).map(|i| statement(&format!("select {i}"))).collect();
    for (i, s) in statements.iter().enumerate() {
        let mut kept = Kept::default();
        run_all(&mut lease, ROLES[0], &[s], End::Implicit, &mut kept).await.unwrap();
        assert_eq!(kept.one(), i.to_string());
    }
    let count = ask(&mut lease, ROLES[0], "select count(*)::int from pg_prepared_statements").await.unwrap();
    assert!((300..=402).contains(&count.parse::<i32>().unwrap()), "{count}");
    let mut kept = Kept::default();
    run_all(&mut lease, ROLES[0], &[&statements[0], &statements[499]], End::Implicit, &mut kept)
        .await
        .unwrap();
    assert_eq!((kept.text(0), kept.text(1)), (vec![vec!["0".to_owned()]], vec![vec!["499".to_owned()]]));
}

#[tokio::test]
async fn behind_a_pooler_nothing_is_prepared_by_name() {
    let f = Fixture::new().await;
    let connector = bedplate_db::Connector::new(f.target().with_pooler(true)).unwrap();
    let mut lease = bedplate_db::Pool::new("test", connector, settings(1)).acquire(None).await.unwrap();
    let mine = statement("select count(*) from notes");
    for role in ROLES {
        for end in [End::Implicit, End::Commit(Mode::default()), End::Rollback(Mode::default())] {
            let mut kept = Kept::default();
            run_all(&mut lease, role, &[&mine, &mine], end, &mut kept).await.unwrap();
            assert_eq!(
                (kept.text(0), kept.text(1)),
                (vec![vec!["10".to_owned()]], vec![vec!["10".to_owned()]])
            );
        }
    }
    let prepared = "select count(*) from pg_prepared_statements where name <> ''";
    assert_eq!(ask(&mut lease, ROLES[0], prepared).await.unwrap(), "0");
}
