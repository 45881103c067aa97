//! What is served, table by table (security.md V-30: a table without RLS or without a policy is not served).

use bedplate_access::{Config, explain, explain_function};
use bedplate_query::gate::{Denial, Gate, Verb};

use super::World;

const HIDDEN: [&str; 4] = ["hidden"; 4];

#[tokio::test]
async fn a_table_needs_rls_a_policy_and_a_privilege() {
    let world = World::new(
        "create table public.bare (id int);
         create table public.silent (id int);
         create table public.ready (id int);
         create table public.ungranted (id int);
         create table public.staff_only (id int);
         create table public.strict (id int);
         grant all on public.bare, public.silent, public.ready, public.strict to access_anon, access_user, access_service;
         grant all on public.staff_only to access_staff;
         alter table public.silent enable row level security;
         alter table public.ready enable row level security;
         alter table public.ungranted enable row level security;
         alter table public.staff_only enable row level security;
         alter table public.strict enable row level security;
         create policy a on public.ready for select using (true);
         create policy b on public.ready for insert to access_user with check (true);
         create policy c on public.ungranted using (true);
         create policy d on public.staff_only to access_staff using (true);
         create policy e on public.strict as restrictive using (true);",
    )
    .await;
    assert_eq!(world.verdicts("anon", "bare"), HIDDEN);
    assert_eq!(world.verdicts("service", "bare"), ["yes"; 4]);
    assert_eq!(world.verdicts("anon", "silent"), HIDDEN);
    assert_eq!(world.verdicts("service", "silent"), ["yes"; 4]);
    assert_eq!(world.verdicts("anon", "ready"), ["yes", "forbidden", "forbidden", "forbidden"]);
    assert_eq!(world.verdicts("user", "ready"), ["yes", "yes", "forbidden", "forbidden"]);
    assert_eq!(world.verdicts("user", "ungranted"), HIDDEN);
    assert_eq!(world.verdicts("service", "ungranted"), HIDDEN);
    assert_eq!(world.verdicts("user", "staff_only"), ["yes"; 4]);
    assert_eq!(world.verdicts("anon", "staff_only"), HIDDEN);
    assert_eq!(world.verdicts("user", "strict"), HIDDEN, "restrictive policies let nobody in");
    let Err(Denial::Hidden(text)) = world.ask("anon", "bare", Verb::Select) else { panic!() };
    assert!(text.contains("alter table public.bare enable row level security"), "{text}");
    let Err(Denial::Forbidden(text)) = world.ask("anon", "ready", Verb::Insert) else { panic!() };
    assert!(text.contains("no policy lets access_anon insert"), "{text}");
}

#[tokio::test]
async fn rls_can_be_waived_by_schema_only() {
    let config = Config { require_rls_in: [("public".to_owned(), false)].into(), ..Config::default() };
    let sql = "create table public.legacy (id int); grant select on public.legacy to access_anon;";
    let world = World::with(sql, config).await;
    assert_eq!(world.verdicts("anon", "legacy"), ["yes", "forbidden", "forbidden", "forbidden"]);
    let config = Config { require_rls_in: [("other".to_owned(), false)].into(), ..Config::default() };
    assert_eq!(World::with(sql, config).await.verdicts("anon", "legacy"), HIDDEN);
}

#[tokio::test]
async fn other_schemas_partitions_and_schemas_without_usage_are_hidden() {
    let world = World::new(
        "create table public.log (id int) partition by list (id);
         create table public.log_1 partition of public.log for values in (1);
         alter table public.log enable row level security;
         alter table public.log_1 enable row level security;
         create policy p on public.log using (true);
         create policy p on public.log_1 using (true);
         grant select on public.log, public.log_1 to access_anon, access_user;
         revoke usage on schema public from public;
         grant usage on schema public to access_anon;
         create schema private; create table private.t (id int); grant usage on schema private to access_anon;
         alter table private.t enable row level security; create policy p on private.t using (true);
         grant select on private.t to access_anon;",
    )
    .await;
    assert_eq!(world.verdicts("anon", "log")[0], "yes");
    assert_eq!(world.verdicts("user", "log"), HIDDEN);
    assert_eq!(world.verdicts("anon", "log_1"), HIDDEN);
    let private = world.catalog.find_any_relation("private", "t").unwrap();
    let answer = world.rules.relation(&world.catalog, world.role("anon"), private, Verb::Select);
    assert!(matches!(answer, Err(Denial::Hidden(_))));
}

#[tokio::test]
async fn views_run_with_the_callers_rights_or_are_listed() {
    let sql = "
        create table public.safe (id int);
        alter table public.safe enable row level security;
        create policy p on public.safe using (true);
        create table public.bare (id int);
        create view public.owners as select * from public.safe;
        create view public.invoker with (security_invoker = true) as select * from public.safe;
        create view public.over with (security_invoker = true) as select count(*) from public.invoker;
        create view public.leak with (security_invoker = true) as select * from public.bare;
        create view public.deep_leak with (security_invoker = true) as select 1 as one from public.leak;
        create view public.through_owners with (security_invoker = true) as select * from public.owners;
        create materialized view public.stored as select * from public.safe;
        create extension if not exists file_fdw;
        create server files foreign data wrapper file_fdw;
        create foreign table public.foreigner (line text) server files options (filename '/dev/null');
        grant select on all tables in schema public to access_anon, access_service;";
    let world = World::new(sql).await;
    let selects = |world: &World, name| world.ask("anon", name, Verb::Select).is_ok();
    let all = ["owners", "invoker", "over", "leak", "deep_leak", "through_owners", "stored", "foreigner"];
    let served: Vec<_> = all.into_iter().filter(|name| selects(&world, name)).collect();
    assert_eq!(served, ["invoker", "over"]);
    assert!(all.iter().all(|name| world.ask("service", name, Verb::Select).is_ok()));
    let config = Config {
        views: ["public.owners", "stored"].into_iter().collect(),
        foreign_tables: ["public.foreigner"].into_iter().collect(),
        ..Config::default()
    };
    let world = World::with(sql, config).await;
    let served: Vec<_> = all.into_iter().filter(|name| selects(&world, name)).collect();
    assert_eq!(served, ["owners", "invoker", "over", "through_owners", "stored", "foreigner"]);
}

#[tokio::test]
async fn functions_are_granted_on_purpose_and_definers_listed() {
    let sql = "
        create function public.by_default() returns int language sql as 'select 1';
        create function public.to_public() returns int language sql as 'select 1';
        grant execute on function public.to_public() to public;
        create function public.granted() returns int language sql as 'select 1';
        grant execute on function public.granted() to access_staff;
        create function public.definer() returns int language sql security definer as 'select 1';
        grant execute on function public.definer() to access_user;
        create function public.poly(anyelement) returns anyelement language sql as 'select $1';
        grant execute on function public.poly(anyelement) to access_user;";
    let world = World::new(sql).await;
    let all = ["by_default", "to_public", "granted", "definer", "poly"];
    let called = |world: &World, role| all.into_iter().filter(|f| world.calls(role, f)).collect::<Vec<_>>();
    assert_eq!(called(&world, "user"), ["granted"]);
    assert!(called(&world, "anon").is_empty());
    assert_eq!(called(&world, "service"), ["by_default", "to_public", "granted", "definer"]);
    let config = Config { functions: ["public.definer"].into_iter().collect(), ..Config::default() };
    assert_eq!(called(&World::with(sql, config).await, "user"), ["granted", "definer"]);
}

#[tokio::test]
async fn aggregates_are_off_until_listed() {
    let sql = "create table public.a (id int); create table public.b (id int);";
    let config = Config { aggregates: ["b"].into_iter().collect(), ..Config::default() };
    let world = World::with(sql, config).await;
    let may = |name| world.rules.aggregates(&world.catalog, world.role("anon"), world.relation(name));
    assert!(!may("a") && may("b"));
}

#[tokio::test]
async fn every_decision_can_be_explained() {
    let world = World::new(
        "create table public.t (id int, note text);
         alter table public.t enable row level security;
         create policy mine on public.t for select to access_user using (id = 1);
         grant select (id) on public.t to access_user;
         create function public.f() returns int language sql as 'select 1';",
    )
    .await;
    let of = |role, verb| {
        explain(&world.rules, &world.catalog, world.role(role), world.relation("t"), verb).to_string()
    };
    assert_eq!(
        of("user", Verb::Select),
        "yes  public.t is a resource of a served schema\nyes  row-level security is on\n\
         yes  access_user may use the schema\nyes  access_user has select on it for these columns: id\n\
         yes  PostgreSQL asks for each row: \"mine\": (id = 1)\nserved"
    );
    let no = of("anon", Verb::Delete);
    assert!(
        no.ends_with("no   access_anon may not delete: grant delete on public.t to access_anon;\nnot served"),
        "{no}"
    );
    assert!(of("service", Verb::Select).contains("yes  access_service bypasses row-level security"));
    let function = explain_function(&world.rules, &world.catalog, world.role("user"), world.function("f"));
    assert!(
        !function.served
            && function.steps[0].text.contains("grant execute on function public.f() to access_user")
    );
}
