//! Relations, columns, types, functions, roles.

use bedplate_query::catalog::*;
use bedplate_query::gate::Verb;

use super::{catalog_of, names, relation};

#[tokio::test]
async fn tables_with_keys_columns_and_comments() {
    let catalog = catalog_of(
        "create domain public.slug as varchar(20) not null default 'x' check (value ~ '^[a-z]+$');
         create type public.mood as enum ('sad', 'ok');
         create table public.users (
             id bigint generated always as identity primary key, dropped int, name varchar(80) not null,
             slug public.slug, mood public.mood[] , nick char(3),
             upper_name text generated always as (upper(name)) stored, created_at timestamptz default now(),
             unique (name, slug));
         alter table public.users drop column dropped;
         create unique index nick_partial on public.users (nick) where nick <> 'x';
         create unique index nick_lower on public.users (lower(nick));
         create unique index nick_plain on public.users (nick) include (name) nulls not distinct;
         comment on table public.users is 'People';
         comment on column public.users.nick is 'Short';
         alter table public.users enable row level security;
         create policy mine on public.users as restrictive for update using (true) with check (id > 0);",
    )
    .await;
    let id = relation(&catalog, "users");
    let users = catalog.relation(id);
    assert_eq!(names(&catalog, id, &users.primary_key), ["id"]);
    assert_eq!(users.comment.as_deref(), Some("People"));
    let uniques: Vec<_> =
        users.uniques.iter().map(|u| (u.name.as_str(), u.is_constraint, u.nulls_not_distinct)).collect();
    assert_eq!(uniques, [("nick_plain", false, true), ("users_name_slug_key", true, false)]);
    assert_eq!(names(&catalog, id, &users.uniques[0].columns), ["nick"]);
    let column = |name| catalog.column(id, catalog.find_column(id, name).unwrap());
    assert_eq!(column("id").identity, Identity::Always);
    assert!(column("upper_name").generated && column("upper_name").default.is_none());
    assert_eq!(column("name").max_length, Some(80));
    assert_eq!(&*column("name").type_name, "character varying(80)");
    assert_eq!((column("slug").max_length, column("slug").not_null), (Some(20), true));
    assert_eq!(column("slug").default.as_deref(), Some("'x'::character varying"));
    assert_eq!(column("created_at").default.as_deref(), Some("now()"));
    assert_eq!(column("nick").comment.as_deref(), Some("Short"));
    let array = catalog.type_of(column("mood").type_oid).unwrap();
    let TypeKind::Array(element) = array.kind else { panic!("{array:?}") };
    let TypeKind::Enum(labels) = &catalog.type_of(element).unwrap().kind else { panic!() };
    assert_eq!(labels.iter().map(|l| &**l).collect::<Vec<_>>(), ["sad", "ok"]);
    assert_eq!(&*catalog.type_of(element).unwrap().sql_name, "public.mood");
    let policy = &users.policies[0];
    assert!(users.rls_enabled && !policy.permissive && policy.roles.is_empty());
    assert_eq!((policy.verb, policy.check.as_deref()), (Some(Verb::Update), Some("(id > 0)")));
    assert!(catalog.find_relation(Some("pg_catalog"), "pg_class").is_none());
}

#[tokio::test]
async fn composites_ranges_partitions_and_row_types() {
    let catalog = catalog_of(
        "create type public.address as (street text, zip int);
         create table public.log (at date not null, who public.address, during tstzrange, many int4multirange)
             partition by range (at);
         create table public.log_2026 partition of public.log for values from ('2026-01-01') to ('2027-01-01');
         create function public.stamp() returns trigger language plpgsql as 'begin return new; end';
         create trigger stamp before insert on public.log_2026 for each row execute function public.stamp();
         create table public.plain (id int, whole public.log);",
    )
    .await;
    let id = relation(&catalog, "log");
    let log = catalog.relation(id);
    assert_eq!(log.kind, RelationKind::Partitioned);
    assert!(log.before_insert && !log.before_update, "a trigger of a partition counts for the parent");
    assert!(catalog.find_relation(None, "log_2026").is_none());
    assert!(catalog.relation(catalog.find_any_relation("public", "log_2026").unwrap()).is_partition);
    let kind = |relation: RelationId, name| {
        let column = catalog.column(relation, catalog.find_column(relation, name).unwrap());
        &catalog.type_of(column.type_oid).unwrap().kind
    };
    let TypeKind::Composite(fields) = kind(id, "who") else { panic!() };
    assert_eq!(
        fields.iter().map(|(n, oid)| (n.as_str(), *oid)).collect::<Vec<_>>(),
        [("street", 25), ("zip", 23)]
    );
    assert!(matches!(kind(id, "during"), TypeKind::Range(1184)));
    assert!(matches!(kind(id, "many"), TypeKind::Multirange(3904)));
    let plain = relation(&catalog, "plain");
    assert!(matches!(kind(plain, "whole"), TypeKind::Composite(fields) if fields.len() == 4));
    // A row type that nothing refers to is not kept.
    assert!(catalog.type_of(catalog.relation(plain).row_type).is_none());
    assert_eq!(catalog.row_types.get(&log.row_type), Some(&id));
    assert!(catalog.find_functions(None, "stamp").is_empty(), "trigger functions cannot be called");
}

#[tokio::test]
async fn functions_with_their_arguments_results_and_grants() {
    let catalog = catalog_of(
        "create table public.t (id int primary key);
         create function public.f(a int, b text default 'x', variadic c int[] default '{}') returns setof public.t
             language sql stable security definer rows 7 set search_path = '' set \"Work_Mem\" = '4MB'
             as 'select * from public.t';
         create function public.g(a int) returns int language sql immutable as 'select 1';
         create function public.g(a text, out x int, out y text) language sql as 'select 1, a';
         create function public.h() returns table (n int) language sql as 'select 1';
         create function public.v() returns void language sql as '';
         create function public.r() returns record language sql as 'select 1, 2';
         create procedure public.p() language sql as '';
         comment on function public.v() is 'Nothing';
         revoke execute on function public.v() from public;
         grant execute on function public.v() to pg_monitor;",
    )
    .await;
    let only = |name| {
        let [id] = catalog.find_functions(None, name) else { panic!("{name}") };
        catalog.function(*id)
    };
    let f = only("f");
    let arguments: Vec<_> =
        f.arguments.iter().map(|a| (&*a.name, &*a.type_name, a.has_default, a.variadic)).collect();
    assert_eq!(
        arguments,
        [("a", "integer", false, false), ("b", "text", true, false), ("c", "integer[]", true, true)]
    );
    assert!(f.variadic && f.security_definer && f.public_execute);
    assert_eq!(f.volatility, Volatility::Stable);
    assert_eq!(
        f.settings.iter().map(|(k, v)| (&**k, &**v)).collect::<Vec<_>>(),
        [("search_path", "\"\""), ("work_mem", "4MB")]
    );
    let t = relation(&catalog, "t");
    assert_eq!(
        f.returns,
        Returns::Row { type_oid: catalog.relation(t).row_type, relation: Some(t), set: true }
    );
    assert_eq!(catalog.find_functions(None, "g").len(), 2);
    let out = catalog.function(catalog.find_functions(None, "g")[1]);
    let Returns::Table { columns, set: false } = &out.returns else { panic!("{:?}", out.returns) };
    assert_eq!(columns.iter().map(|(n, oid)| (n.as_str(), *oid)).collect::<Vec<_>>(), [("x", 23), ("y", 25)]);
    assert_eq!(out.arguments.len(), 1);
    assert!(matches!(only("h").returns, Returns::Table { set: true, .. }));
    assert_eq!(only("v").returns, Returns::Void);
    assert_eq!(only("v").comment.as_deref(), Some("Nothing"));
    assert_eq!(only("r").returns, Returns::Scalar { type_oid: 2249, set: false });
    assert!(catalog.find_functions(None, "p").is_empty());
    let [v] = catalog.find_functions(None, "v") else { panic!() };
    let monitor = catalog.find_role("pg_monitor").unwrap();
    let other = catalog.find_role("pg_signal_backend").unwrap();
    assert!(!catalog.function(*v).public_execute);
    assert!(catalog.can_execute(monitor, *v) && catalog.is_granted_execute(monitor, *v));
    assert!(!catalog.can_execute(other, *v));
    let g = catalog.find_functions(None, "g")[0];
    assert!(catalog.can_execute(other, g) && !catalog.is_granted_execute(other, g));
}

#[tokio::test]
async fn privileges_by_table_column_schema_membership_and_public() {
    let database = bedplate_testkit::Database::empty().await;
    let client = database.superuser().await;
    // Roles belong to the whole server: named after the database.
    let role = |kind: &str| format!("{}_{kind}", database.name());
    let (group, member, noinherit, columns) =
        (role("group"), role("member"), role("noinherit"), role("columns"));
    let sql = format!(
        "create role {group}; create role {member} in role {group}; create role {noinherit} noinherit in role {group};
         create role {columns};
         create schema private;
         create table public.t (id int, secret text);
         create table public.open (id int);
         revoke all on schema public from public;
         grant usage on schema public to {group};
         grant select, insert on public.t to {group};
         grant select (id), update (id) on public.t to {columns};
         grant select on public.open to public;
         alter role {member} set statement_timeout = '5s';
         alter role {member} in database {db} set statement_timeout = '3s';",
        db = database.name()
    );
    client.batch_execute(&sql).await.unwrap();
    let catalog = super::load(&client, &["public"]).await;
    let drop = format!(
        "drop table public.t, public.open; revoke all on schema public from {group};
         drop role {member}, {noinherit}, {columns}, {group}"
    );
    client.batch_execute(&drop).await.unwrap();
    let id = |name: &str| catalog.find_role(name).unwrap();
    let (t, open) = (relation(&catalog, "t"), relation(&catalog, "open"));
    let secret = catalog.find_column(t, "secret").unwrap();
    let key = catalog.find_column(t, "id").unwrap();
    assert!(catalog.can(id(&member), t, Verb::Insert) && !catalog.can(id(&member), t, Verb::Delete));
    assert!(!catalog.can(id(&noinherit), t, Verb::Select));
    assert!(catalog.role(id(&noinherit)).unwrap().can_set.contains(&id(&group)));
    assert!(catalog.can(id(&columns), t, Verb::Select) && !catalog.can_whole(id(&columns), t, Verb::Select));
    assert!(catalog.can_column(id(&columns), t, key, Verb::Update));
    assert!(!catalog.can_column(id(&columns), t, secret, Verb::Select));
    assert!(catalog.can_column(id(&member), t, secret, Verb::Select));
    assert!(catalog.can(id(&columns), open, Verb::Select) && !catalog.can(id(&columns), open, Verb::Update));
    assert!(catalog.can_use_schema(id(&member), "public") && !catalog.can_use_schema(id(&columns), "public"));
    assert!(!catalog.can_use_schema(id(&member), "private"));
    let superuser = id("supabase_admin");
    assert!(catalog.can(superuser, t, Verb::Delete) && catalog.is_owner(superuser, t));
    assert!(catalog.can(id("pg_read_all_data"), t, Verb::Select));
    assert!(!catalog.can(id("pg_read_all_data"), t, Verb::Update));
    let settings = &catalog.role(id(&member)).unwrap().settings;
    assert_eq!(settings.iter().map(|(k, v)| (&**k, &**v)).collect::<Vec<_>>(), [("statement_timeout", "3s")]);
}

#[tokio::test]
async fn the_fingerprint_notices_ddl_and_nothing_else() {
    let database = bedplate_testkit::Database::empty().await;
    let client = database.superuser().await;
    client.batch_execute("create table public.t (id int primary key, note text)").await.unwrap();
    let look = async || {
        let row = client.query_one(introspect::FINGERPRINT, &[]).await.unwrap();
        let text: String = row.get(0);
        // The last three are about roles, which other tests make meanwhile.
        text.rsplitn(4, ',').last().unwrap().to_owned()
    };
    let mut known = look().await;
    for quiet in [
        "insert into public.t select n from generate_series(1, 1000) n",
        "vacuum analyze public.t",
        "create temp table gone (id int primary key default 1 check (id > 0), note text)",
        "drop table gone",
    ] {
        client.batch_execute(quiet).await.unwrap();
        assert_eq!(look().await, known, "{quiet}");
    }
    for ddl in [
        "alter table public.t alter column note set default 'x'",
        "alter table public.t alter column note type varchar(9)",
        "alter table public.t add check (id > 0)",
        "grant select (note) on public.t to pg_monitor",
        "comment on table public.t is 'x'",
        "create unique index on public.t (id, note)",
        "create policy p on public.t using (true)",
        "alter policy p on public.t using (false)",
        "create view public.v as select id from public.t",
        "create or replace view public.v as select id, note from public.t",
        "create type public.mood as enum ('a')",
        "alter type public.mood add value 'b'",
        "create function public.f() returns int language sql as 'select 1'",
        "revoke execute on function public.f() from public",
        "grant usage on schema public to pg_monitor",
        "create schema other",
        "drop view public.v",
    ] {
        client.batch_execute(ddl).await.unwrap();
        let now = look().await;
        assert_ne!(now, known, "{ddl}");
        known = now;
    }
}

#[tokio::test]
async fn a_plain_role_can_read_the_whole_catalog() {
    let database = bedplate_testkit::Database::empty().await;
    let admin = database.superuser().await;
    let role = format!("{}_plain", database.name());
    let sql = format!(
        "create role {role} login; create schema hidden; create table hidden.t (id int primary key);
         revoke all on schema hidden from public; create table public.t (id int references hidden.t);
         create view public.v as select id from public.t"
    );
    admin.batch_execute(&sql).await.unwrap();
    let catalog = {
        let client = database.connect(&role).await;
        super::load(&client, &["public"]).await
    };
    admin.batch_execute(&format!("drop role {role}")).await.unwrap();
    let t = relation(&catalog, "t");
    let key = &catalog.relation(t).foreign_keys[0];
    assert_eq!(catalog.relation(key.target).schema.as_str(), "hidden");
    assert_eq!(catalog.relationships(t).len(), 0);
    assert!(!catalog.can_use_schema(catalog.find_role(&role).unwrap(), "hidden"));
}
