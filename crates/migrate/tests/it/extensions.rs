use crate::kit::{Files, ready, sqlstate, statement, text, up, up_alone};
use bedplate_migrate::provided_extensions;

fn one(sql: &str) -> Files {
    Files::new(&[("20260101000000_x.sql", sql)])
}

#[tokio::test]
async fn what_the_server_has_lands_in_extensions_and_needs_no_superuser_in_the_app() {
    let mut ready = ready().await;
    let files = one(
        "create extension if not exists pgcrypto; create extension \"uuid-ossp\"; create extension citext;\n\
         create extension if not exists moddatetime schema extensions;\n\
         create extension if not exists \"pg_stat_statements\" with schema \"extensions\"; create extension pg_trgm with schema public;\n\
         create extension postgres_fdw; create server s foreign data wrapper postgres_fdw;\n\
         comment on extension moddatetime is 'x';\n\
         create table t (id uuid default uuid_generate_v4(), name citext, updated_at timestamptz, hash text default encode(digest('a', 'sha256'), 'hex'), k bytea default gen_random_bytes(8));\n\
         create trigger handle_updated_at before update on t for each row execute procedure moddatetime (updated_at);",
    );
    up(&mut ready, &files).await.unwrap();
    let found = "select string_agg(extname || ' ' || extnamespace::regnamespace, ', ' order by extname) from pg_extension where extname <> 'plpgsql'";
    assert_eq!(
        text(&ready.owner, found).await,
        "citext extensions, moddatetime extensions, pg_stat_statements extensions, pg_trgm public, pgcrypto extensions, postgres_fdw extensions, uuid-ossp extensions"
    );
    assert_eq!(
        text(&ready.owner, "select tableowner from pg_tables where tablename = 't'").await,
        "postgres"
    );
}

#[tokio::test]
async fn a_failing_file_takes_its_extensions_back_and_the_rest_runs_as_the_owner() {
    let mut ready = ready().await;
    let files = one(
        "create extension moddatetime; create table t as select current_user::text as who, session_user::text as session; select nope;",
    );
    assert_eq!(statement(up(&mut ready, &files).await.unwrap_err()).sqlstate, "42703");
    assert_eq!(
        text(&ready.owner, "select count(*) from pg_extension where extname = 'moddatetime'").await,
        "0"
    );
    let files = one(
        "create extension moddatetime; create table t as select current_user::text as who, session_user::text as session;",
    );
    up(&mut ready, &files).await.unwrap();
    assert_eq!(text(&ready.owner, "select who || session from t").await, "postgrespostgres");
}

#[tokio::test]
async fn without_a_superuser_the_error_has_the_statement_to_run() {
    let mut ready = ready().await;
    let error =
        statement(up_alone(&mut ready, &one("select 1;\ncreate extension moddatetime;")).await.unwrap_err());
    assert_eq!((error.line, error.sqlstate.as_str()), (2, "42501"));
    assert!(
        error.hint.unwrap().contains("create extension if not exists \"moddatetime\" schema extensions;")
    );
    up_alone(&mut ready, &one("create extension citext")).await.unwrap();
}

#[tokio::test]
async fn a_missing_extension_names_the_package() {
    let mut ready = ready().await;
    let major = text(&ready.owner, "current_setting('server_version_num')::int / 10000").await;
    let error = statement(up(&mut ready, &one("create extension if not exists plv8;")).await.unwrap_err());
    assert_eq!((error.line, error.sqlstate.as_str()), (1, "0A000"));
    assert!(error.message.contains("plv8"), "{}", error.message);
    assert!(error.hint.unwrap().contains(&format!("postgresql-{major}-plv8")));
    let error = statement(up(&mut ready, &one("create extension no_such_thing;")).await.unwrap_err());
    assert!(error.hint.unwrap().contains("pg_net"));
}

/// One call of each function that apps use.
const CALLS: &[(&str, &[&str])] = &[
    (
        "pg_net",
        &[
            "net.http_get('http://x')",
            "net.http_post(url := 'http://x', body := '{}'::jsonb)",
            "net.http_delete('http://x')",
            "net.http_collect_response(1)",
        ],
    ),
    (
        "pg_cron",
        &[
            "cron.schedule('0 * * * *', 'select 1')",
            "cron.schedule('job', '0 * * * *', $$select 1$$)",
            "cron.unschedule('job')",
            "cron.unschedule(1)",
            "cron.alter_job(1, active := false)",
        ],
    ),
    (
        "supabase_vault",
        &[
            "vault.create_secret('s', 'name')",
            "vault.update_secret(gen_random_uuid(), 's')",
            "(select decrypted_secret from vault.decrypted_secrets limit 1)",
        ],
    ),
    ("pg_graphql", &["graphql.resolve('{ a }')", "graphql_public.graphql(query := '{ a }')"]),
    ("pgsodium", &["pgsodium.create_key()", "pgsodium.crypto_aead_det_encrypt('a', 'b', gen_random_uuid())"]),
    ("hypopg", &["hypopg_create_index('x')"]),
    ("index_advisor", &["index_advisor('select 1')"]),
    ("plpgsql_check", &["plpgsql_check_function('pg_catalog.now()')"]),
    ("pg_tle", &["pgtle.install_extension('a', '1', 'b', 'c')"]),
    ("http", &["http_get('http://x')", "http_post('http://x', 'a', 'text/plain')"]),
];

#[tokio::test]
async fn what_is_not_offered_can_be_created_and_refuses_to_be_called() {
    let mut ready = ready().await;
    for (name, calls) in CALLS {
        let available = text(
            &ready.owner,
            &format!("select exists (select from pg_available_extensions where name = '{name}')"),
        )
        .await;
        if available == "true" {
            continue;
        }
        let files = Files::new(&[]);
        files.write(&format!("202601010000{:02}_x.sql", CALLS.iter().position(|c| c.0 == *name).unwrap()),
            &format!("drop extension if exists {name}; create extension if not exists {name} with schema extensions; create extension if not exists {name}; comment on extension {name} is 'x'; drop extension if exists {name}, citext;"));
        up(&mut ready, &files).await.unwrap();
        for call in *calls {
            let error = ready.owner.batch_execute(&format!("select {call}")).await.unwrap_err();
            let db = error.as_db_error().unwrap();
            assert_eq!(db.code().code(), "0A000", "{call}: {}", db.message());
            assert!(db.message().contains("not offered") && db.hint().is_some(), "{call}");
        }
        assert_eq!(
            text(
                &ready.owner,
                &format!("select works from bedplate.provided_extensions where name = '{name}'")
            )
            .await,
            "false"
        );
    }
    assert_eq!(
        sqlstate(&ready.owner, "insert into cron.job (schedule, command) values ('* * * * *', 'x')").await,
        "0A000"
    );
    assert_eq!(sqlstate(&ready.owner, "insert into vault.secrets (secret) values ('x')").await, "0A000");
    assert!(
        provided_extensions()
            .all(|name| ["pgjwt", "pgmq", "wrappers"].contains(&name)
                || CALLS.iter().any(|call| call.0 == name))
    );
}

#[tokio::test]
async fn pgjwt_signs_and_verifies() {
    let mut ready = ready().await;
    up(&mut ready, &one("create extension if not exists pgjwt with schema extensions")).await.unwrap();
    let owner = &ready.owner;
    // The example that every JWT library knows.
    assert_eq!(
        text(owner, "sign('{\"sub\":\"1234567890\",\"name\":\"John Doe\",\"admin\":true}', 'secret')").await,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiYWRtaW4iOnRydWV9.TJVA95OrM7E2cBab30RMHrHDcEfxjoYZgeFONFh7HgQ"
    );
    for (sql, valid) in [
        ("sign('{\"a\":1}', 'k'), 'k'", "true"),
        ("sign('{\"a\":1}', 'k'), 'other'", "false"),
        ("sign('{\"a\":1}', 'k', 'HS512'), 'k', 'HS512'", "true"),
        ("sign('{\"a\":1}', 'k', 'HS512'), 'k', 'HS256'", "false"),
        ("sign('{\"exp\":1}', 'k'), 'k'", "false"),
        ("sign('{\"exp\":99999999999, \"nbf\":1}', 'k'), 'k'", "true"),
        ("sign('{\"nbf\":99999999999}', 'k'), 'k'", "false"),
        ("replace(sign('{\"a\":1}', 'k'), 'eyJhIjox', 'eyJhIjoy'), 'k'", "false"),
    ] {
        assert_eq!(text(owner, &format!("select valid from verify({sql})")).await, valid, "{sql}");
    }
    assert_eq!(sqlstate(owner, "select sign('{}', 'k', 'none')").await, "22023");
}

#[tokio::test]
async fn event_triggers_and_custom_settings_of_apps_go_through_the_superuser() {
    let mut ready = ready().await;
    let database = ready.database.name().to_owned();
    let files = one(&format!(
        "create function watch() returns event_trigger language plpgsql as 'begin end'; \
         create event trigger watch_it on ddl_command_end execute function watch(); \
         alter database {database} set \"app.settings.my_key\" = 'value'; \
         create role r_{database}; alter role r_{database} set pgrst.db_schemas = 'public'; drop role r_{database};"
    ));
    up(&mut ready, &files).await.unwrap();
    let again = ready.database.connect("postgres").await;
    assert_eq!(text(&again, "current_setting('app.settings.my_key')").await, "value");
    assert_eq!(text(&again, "select count(*) from pg_event_trigger where evtname = 'watch_it'").await, "1");
}

#[tokio::test]
async fn pgmq_queues_hide_deliver_archive_and_delete() {
    let mut ready = ready().await;
    let files = one(
        "create extension if not exists pgmq; select pgmq.create('Orders'); select pgmq.create('Orders');\n\
         select pgmq.send('Orders', '{\"n\": 1}'); select * from pgmq.send_batch('Orders', array['{\"n\": 2}', '{\"n\": 3}']::jsonb[]);\n\
         select pgmq.send('Orders', '{\"n\": 4}', 3600);",
    );
    up(&mut ready, &files).await.unwrap();
    let owner = &ready.owner;
    assert_eq!(
        text(owner, "select string_agg(message ->> 'n', ',') from pgmq.read('Orders', 3600, 2)").await,
        "1,2"
    );
    assert_eq!(
        text(owner, "select string_agg(message ->> 'n', ',') from pgmq.read('Orders', 3600, 9)").await,
        "3"
    );
    assert_eq!(text(owner, "select count(*) from pgmq.read_with_poll('Orders', 1, 1, 0)").await, "0");
    assert_eq!(text(owner, "select read_ct from pgmq.set_vt('Orders', 1, 0)").await, "1");
    assert_eq!(text(owner, "select msg_id from pgmq.pop('Orders')").await, "1");
    assert_eq!(text(owner, "pgmq.archive('Orders', 2)").await, "true");
    assert_eq!(text(owner, "pgmq.delete('Orders', 2)").await, "false");
    assert_eq!(
        text(owner, "select string_agg(d::text, ',') from pgmq.delete('Orders', array[3, 99]) d").await,
        "3"
    );
    assert_eq!(text(owner, "select message ->> 'n' from pgmq.a_orders").await, "2");
    let metrics = "select concat_ws(' ', queue_length, total_messages, queue_visible_length) from pgmq.metrics('Orders')";
    assert_eq!(text(owner, metrics).await, "1 4 0");
    assert_eq!(text(owner, "select count(*) from pgmq.metrics_all()").await, "1");
    assert_eq!(text(owner, "pgmq.purge_queue('Orders')").await, "1");
    assert_eq!(text(owner, "pgmq.drop_queue('Orders')").await, "true");
    assert_eq!(text(owner, "pgmq.drop_queue('Orders')").await, "false");
    assert_eq!(text(owner, "select count(*) from pgmq.list_queues()").await, "0");
    for bad in ["pgmq.create('a;b')", "pgmq.create('')", "pgmq.create(repeat('x', 48))"] {
        assert_eq!(sqlstate(owner, &format!("select {bad}")).await, "22023", "{bad}");
    }
    assert_eq!(sqlstate(owner, "select pgmq.create_partitioned('p')").await, "0A000");
}
