use crate::kit::{ready, sqlstate, text};
use bedplate_migrate::system;
use bedplate_testkit::Database;
use futures_util::future::join_all;

#[tokio::test]
async fn an_owner_made_by_bootstrap_gets_everything_and_is_no_superuser() {
    let ready = ready().await;
    assert_eq!(
        text(&ready.owner, "select rolsuper from pg_roles where rolname = current_user").await,
        "false"
    );
    let tables = "select string_agg(n.nspname || '.' || c.relname, ' ' order by 1) from pg_class c join pg_namespace n \
        on n.oid = c.relnamespace where n.nspname in ('auth', 'storage') and c.relkind = 'r' and c.relrowsecurity";
    let tables = text(&ready.owner, &tables.replace("order by 1", "order by n.nspname, c.relname")).await;
    for wanted in [
        "auth.users",
        "auth.identities",
        "auth.sessions",
        "auth.refresh_tokens",
        "auth.mfa_factors",
        "auth.flow_state",
        "auth.one_time_tokens",
        "auth.audit_log_entries",
        "storage.buckets",
        "storage.objects",
        "storage.s3_multipart_uploads_parts",
        "storage.migrations",
    ] {
        assert!(tables.split(' ').any(|t| t == wanted), "{wanted} is missing or has no RLS: {tables}");
    }
    assert_eq!(
        text(&ready.owner, "select rolbypassrls from pg_roles where rolname = 'service_role'").await,
        "true"
    );
    assert_eq!(text(&ready.owner, "select count(*) from bedplate.system_migrations where ours").await, "9");
    assert_eq!(text(&ready.owner, "current_setting('search_path')").await, "\"$user\", public, extensions");
}

#[tokio::test]
async fn installing_again_changes_nothing_and_finds_no_gap() {
    let mut ready = ready().await;
    let before = text(&ready.owner, "select txid_current()::bigint").await.parse::<u64>().unwrap();
    let report = system::install(Some(&mut ready.admin), &mut ready.owner).await.unwrap();
    assert!(report.installed.is_empty());
    assert_eq!(report.limitations, []);
    assert!(before > 0);
    let seen = "select count(*) from pg_event_trigger where evtname like 'bedplate_%'";
    assert_eq!(text(&ready.owner, seen).await, "2");
}

#[tokio::test]
async fn a_superuser_can_be_the_owner() {
    let database = Database::empty().await;
    let mut owner = database.superuser().await;
    let report = system::install(None, &mut owner).await.unwrap();
    assert_eq!(report.installed.len(), 9);
    assert_eq!(report.limitations, []);
    assert_eq!(
        sqlstate(&owner, "select extensions.crypt('a', extensions.gen_salt('bf')), auth.uid()").await,
        "00000"
    );
}

#[tokio::test]
async fn an_owner_on_a_cloud_database_gets_what_can_be_had_and_hears_what_cannot() {
    let database = Database::empty().await;
    let admin = database.superuser().await;
    let name = format!("cloud_{}", database.name());
    admin
        .batch_execute(&format!(
            "create role {name} login createrole; alter database {} owner to {name}",
            database.name()
        ))
        .await
        .unwrap();
    let mut owner = database.connect(&name).await;
    let report = system::install(None, &mut owner).await.unwrap();
    assert_eq!(report.installed.len(), 9);
    let gaps: Vec<_> = report.limitations.iter().map(|l| l.code).collect();
    // What else is missing depends on what other databases of this cluster have made before.
    assert!(gaps.contains(&"reload_events"), "{gaps:?}");
    assert!(report.limitations.iter().all(|l| !l.why.is_empty() && !l.fix.is_empty()));
    // What apps do with it works all the same, in a session that begins with the database's new settings.
    let owner = database.connect(&name).await;
    for sql in [
        "create table t (id int, owner uuid references auth.users); alter table t enable row level security",
        "create policy p on storage.objects for select to authenticated using (owner = (select auth.uid()))",
        "create function f() returns trigger language plpgsql as 'begin return new; end'; \
         create trigger t after insert on auth.users for each row execute function f()",
        "alter publication supabase_realtime add table t",
        "insert into auth.users (id, email, encrypted_password) values (gen_random_uuid(), 'a@b.c', crypt('x', gen_salt('bf')))",
        "set role authenticated; select auth.uid(); reset role",
        "alter table t owner to postgres",
    ] {
        assert_eq!(sqlstate(&owner, sql).await, "00000", "{sql}");
    }
    // What the fix says: a superuser for one run.
    admin.batch_execute(&format!("alter role {name} superuser")).await.unwrap();
    let mut owner = database.connect(&name).await;
    let report = system::install(None, &mut owner).await.unwrap();
    admin.batch_execute(&format!("alter role {name} nosuperuser")).await.unwrap();
    assert!(report.limitations.iter().all(|l| l.code != "reload_events"), "{:?}", report.limitations);
    assert_eq!(sqlstate(&database.connect(&name).await, "create table later ()").await, "00000");
}

#[tokio::test]
async fn databases_of_one_cluster_can_be_installed_at_the_same_time() {
    let install = || async {
        let database = Database::empty().await;
        let mut admin = database.superuser().await;
        system::bootstrap(&mut admin, "postgres").await.unwrap();
        let mut owner = database.connect("postgres").await;
        let mut second = database.connect("postgres").await;
        let (a, b) =
            tokio::join!(system::install(Some(&mut admin), &mut owner), system::install(None, &mut second));
        (a.unwrap(), b.unwrap(), database)
    };
    for (a, b, _database) in join_all((0..3).map(|_| install())).await {
        assert_eq!(a.installed.len() + b.installed.len(), 9);
    }
}

#[tokio::test]
async fn a_schema_of_another_system_is_left_alone() {
    let database = Database::empty().await;
    let mut owner = database.superuser().await;
    owner.batch_execute("create schema auth; create table auth.users (id text)").await.unwrap();
    let report = system::install(None, &mut owner).await.unwrap();
    assert!(!report.installed.contains(&"0002_auth"));
    assert!(report.installed.contains(&"0004_auth_functions"));
    assert!(report.limitations.iter().any(|l| l.code == "foreign_schema" && l.what.contains("0002_auth")));
    assert_eq!(
        text(
            &owner,
            "select count(*) from pg_attribute where attrelid = 'auth.users'::regclass and attnum > 0"
        )
        .await,
        "1"
    );
}

#[tokio::test]
async fn the_identity_functions_read_both_forms_of_claims_and_are_inlined() {
    let ready = ready().await;
    let id = "8c6a9f9e-0d5e-4a7b-9a38-1d3fe12ba3a1";
    let owner = &ready.owner;
    assert_eq!(text(owner, "auth.uid()").await, "");
    assert_eq!(text(owner, "auth.jwt()").await, "");
    owner
        .execute(
            "select set_config('request.jwt.claims', $1, false)",
            &[&format!(r#"{{"sub": "{id}", "role": "authenticated", "email": "a@b.c", "x": [1]}}"#)],
        )
        .await
        .unwrap();
    assert_eq!(text(owner, "auth.uid()").await, id);
    assert_eq!(text(owner, "auth.role()").await, "authenticated");
    assert_eq!(text(owner, "auth.email()").await, "a@b.c");
    assert_eq!(text(owner, "auth.jwt() -> 'x' -> 0").await, "1");
    owner.batch_execute("set request.jwt.claim.role = 'anon'").await.unwrap();
    assert_eq!(text(owner, "auth.role()").await, "authenticated", "what every request sets comes first");
    owner.batch_execute("set request.jwt.claims = ''").await.unwrap();
    assert_eq!(text(owner, "auth.role()").await, "anon");
    owner
        .batch_execute(
            "create table t (id uuid primary key, who text); insert into t select gen_random_uuid(), 'x' from generate_series(1, 2000); \
             analyze t; alter table t enable row level security; create policy p on t for select to authenticated \
             using (id = auth.uid()); set role authenticated",
        )
        .await
        .unwrap();
    let rows = owner.query("explain (verbose) select * from t", &[]).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let plan = plan.join("\n");
    assert!(plan.contains("Index Cond") && plan.contains("request.jwt.claim.sub"), "{plan}");
    assert!(!plan.contains("auth.uid") && !plan.contains("InitPlan") && !plan.contains("SubPlan"), "{plan}");
}

#[tokio::test]
async fn seeds_of_apps_fill_the_accounts() {
    let ready = ready().await;
    let seed = "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, \
        recovery_sent_at, last_sign_in_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at, \
        confirmation_token, email_change, email_change_token_new, recovery_token) \
        select '00000000-0000-0000-0000-000000000000', uuid_generate_v4(), 'authenticated', 'authenticated', \
        'user' || n || '@example.com', crypt('password123', gen_salt('bf')), now(), now(), now(), \
        '{\"provider\":\"email\",\"providers\":[\"email\"]}', '{}', now(), now(), '', '', '', '' from generate_series(1, 3) n; \
        insert into auth.identities (id, user_id, provider_id, identity_data, provider, last_sign_in_at, created_at, updated_at) \
        select uuid_generate_v4(), id, id, format('{\"sub\":\"%s\",\"email\":\"%s\"}', id, email)::jsonb, 'email', now(), now(), now() \
        from auth.users; insert into storage.buckets (id, name, public) values ('avatars', 'avatars', true) on conflict (id) do nothing";
    assert_eq!(sqlstate(&ready.owner, seed).await, "00000");
    assert_eq!(
        text(&ready.owner, "select count(*) from auth.users where confirmed_at is not null").await,
        "3"
    );
    assert_eq!(text(&ready.owner, "select min(email) from auth.identities").await, "user1@example.com");
    let twin = "insert into auth.users (id, email) values (gen_random_uuid(), 'user1@example.com')";
    assert_eq!(sqlstate(&ready.owner, twin).await, "23505");
    let hidden = "set role anon; select * from auth.users";
    assert_eq!(sqlstate(&ready.owner, hidden).await, "42501");
}

#[tokio::test]
async fn grants_in_public_are_supabases_and_the_owner_may_do_what_apps_do() {
    let ready = ready().await;
    let owner = &ready.owner;
    owner
        .batch_execute(
            "create table t (id serial); create function f() returns int language sql as 'select 1'",
        )
        .await
        .unwrap();
    for role in ["anon", "authenticated", "service_role"] {
        assert_eq!(text(owner, &format!("has_table_privilege('{role}', 't', 'insert') and has_sequence_privilege('{role}', 't_id_seq', 'usage') and has_function_privilege('{role}', 'f()', 'execute')")).await, "true");
    }
    for sql in [
        "alter publication supabase_realtime add table t",
        "create policy a on storage.objects for all to authenticated using (bucket_id = 'x' and (storage.foldername(name))[1] = auth.uid()::text)",
        "alter table storage.objects enable row level security",
        "create policy b on realtime.messages for select to authenticated using (realtime.topic() like 'room:%' and extension in ('broadcast', 'presence'))",
        "alter role authenticator set pgrst.db_schemas = 'public, private'; notify pgrst, 'reload config'",
        "alter role authenticated set statement_timeout = '8s'",
        "set session_replication_role = replica; reset session_replication_role",
        "create role app_reader; grant app_reader to authenticator; drop role app_reader",
        "alter default privileges for role postgres in schema public grant all on tables to postgres, anon",
        "grant all on table auth.users to supabase_auth_admin; grant usage on schema public to postgres, dashboard_user",
        "alter function auth.uid() owner to supabase_auth_admin; alter function auth.uid() owner to postgres",
        "create schema private authorization postgres; comment on schema public is 'standard public schema'",
    ] {
        assert_eq!(sqlstate(owner, sql).await, "00000", "{sql}");
    }
    owner.batch_execute("alter role authenticator reset pgrst.db_schemas").await.unwrap();
}

#[tokio::test]
async fn realtime_messages_go_into_the_partition_of_the_day() {
    let ready = ready().await;
    let owner = &ready.owner;
    owner
        .batch_execute(
            "create table room (id int); create function tell() returns trigger language plpgsql security definer as $$ begin \
             perform realtime.broadcast_changes('room:' || new.id, tg_op, tg_op, tg_table_name, tg_table_schema, new, old); return new; end $$; \
             create trigger tell after insert or update on room for each row execute function tell(); \
             insert into room values (7); select realtime.send('{\"a\": 1}', 'e', 'topic', false); \
             select realtime.send_binary('\\x01', 'e', 'topic')",
        )
        .await
        .unwrap();
    let found = "select string_agg(topic || ' ' || event || ' ' || private, ', ' order by inserted_at, topic) from realtime.messages";
    assert_eq!(text(owner, found).await, "room:7 INSERT true, topic e false, topic e true");
    assert_eq!(
        text(owner, "select payload -> 'record' ->> 'id' from realtime.messages where topic = 'room:7'")
            .await,
        "7"
    );
    assert_eq!(text(owner, "select payload ? 'id' from realtime.messages where not private").await, "true");
    assert_eq!(text(owner, "select count(distinct tableoid) from realtime.messages").await, "1");
    // A partition that nobody made is made when it is needed.
    owner
        .batch_execute(
            "do $$ declare p text; begin for p in select inhrelid::regclass from pg_inherits where inhparent = 'realtime.messages'::regclass \
             loop execute 'drop table ' || p; end loop; end $$; select realtime.send('{}', 'again', 't')",
        )
        .await
        .unwrap();
    assert_eq!(text(owner, "select count(*) from realtime.messages").await, "1");
    assert_eq!(sqlstate(owner, "select realtime.ensure_partition('2020-01-01')").await, "22023");
}

#[tokio::test]
async fn ddl_tells_the_servers_to_reload_and_temporary_objects_do_not() {
    let ready = ready().await;
    let (listener, mut connection) =
        ready.database.config("postgres").connect(tokio_postgres::NoTls).await.unwrap();
    let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        use futures_util::{StreamExt, stream::poll_fn};
        let mut messages = poll_fn(move |cx| connection.poll_message(cx));
        while let Some(Ok(message)) = messages.next().await {
            if let tokio_postgres::AsyncMessage::Notification(n) = message {
                heard.send(format!("{} {}", n.channel(), n.payload())).unwrap();
            }
        }
    });
    listener.batch_execute("listen bedplate; listen done").await.unwrap();
    // The runner tells the servers itself, for databases without event triggers.
    ready
        .admin
        .batch_execute("alter event trigger bedplate_ddl disable; alter event trigger bedplate_drop disable")
        .await
        .unwrap();
    let mut ready = ready;
    let files = crate::kit::Files::new(&[("20260101000000_a.sql", "select 1")]);
    crate::kit::up(&mut ready, &files).await.unwrap();
    let next = tokio::time::timeout(std::time::Duration::from_secs(10), hear.recv()).await.unwrap().unwrap();
    assert_eq!(next, "bedplate reload");
    ready
        .admin
        .batch_execute("alter event trigger bedplate_ddl enable; alter event trigger bedplate_drop enable")
        .await
        .unwrap();
    let cases = [
        ("create temp table x (id int); drop table x", false),
        ("insert into storage.buckets (id, name) values ('b', 'b')", false),
        ("create table t (id int)", true),
        ("grant select on t to anon", true),
        ("alter table t enable row level security; create policy p on t using (true)", true),
        ("comment on table t is 'x'", true),
        ("drop policy p on t", true),
        ("create view v as select 1", true),
        ("drop table t", true),
    ];
    for (sql, reload) in cases {
        ready.owner.batch_execute(&format!("{sql}; notify done")).await.unwrap();
        let mut got = Vec::new();
        loop {
            let next =
                tokio::time::timeout(std::time::Duration::from_secs(10), hear.recv()).await.unwrap().unwrap();
            if next.starts_with("done") {
                break;
            }
            got.push(next);
        }
        assert_eq!(got, if reload { vec!["bedplate reload".to_owned()] } else { Vec::new() }, "{sql}");
    }
}

/// What apps and their seeds rely on: names, order, types and NOT NULL (`!`) of every column.
#[tokio::test]
async fn tables_have_the_columns_that_apps_know() {
    let ready = ready().await;
    let sql = "select string_agg(line, E'\\n' order by line collate \"C\") from (
        select format('%s.%s %s', n.nspname, c.relname, string_agg(format('%s:%s%s', a.attname,
            format_type(a.atttypid, a.atttypmod), case when a.attnotnull then '!' else '' end), ' ' order by a.attnum)) as line
        from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('auth', 'storage', 'realtime') and c.relkind in ('r', 'p') and not c.relispartition
            and a.attnum > 0 and not a.attisdropped
        group by n.nspname, c.relname) t";
    ready.owner.batch_execute("set search_path = ''").await.unwrap();
    let found = text(&ready.owner, sql).await;
    for (found, expected) in found.lines().zip(include_str!("columns.txt").lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.lines().count(), include_str!("columns.txt").lines().count());
}
