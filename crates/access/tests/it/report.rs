//! Findings, and the SQL that mends them: it is run, and the finding is gone.

use bedplate_access::report::Kind;
use bedplate_access::{Config, Finding, Severity, report};

use super::World;

fn findings(world: &World) -> Vec<Finding> {
    report(&world.rules, &world.catalog, &world.roles())
}

/// The fix as SQL: what is commented out for the developer to decide is taken as it stands.
fn decided(finding: &Finding) -> String {
    let fix = finding.fix.clone().unwrap_or_default();
    let lines = fix.lines().filter(|line| !line.contains("for example") && !line.contains("bedplate.toml"));
    lines.map(|line| line.trim_start_matches("-- ")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn each_fix_mends_its_finding() {
    let sql = "
        create schema auth; grant usage on schema auth to access_anon, access_user;
        create function auth.uid() returns uuid language sql stable as 'select null::uuid';
        create table public.bare (id int, user_id uuid);
        grant select on public.bare to access_user;
        create table public.unreached (id int);
        alter table public.unreached enable row level security;
        create table public.idle (id int);
        alter table public.idle enable row level security;
        create policy p on public.idle for select to access_user using (true);
        create table public.\"Slow\" (id int, \"Owner\" uuid);
        alter table public.\"Slow\" enable row level security;
        create policy \"my rows\" on public.\"Slow\" to access_user using (\"Owner\" = auth.uid())
            with check (\"Owner\" = auth.uid() and id > 0);
        grant select on public.\"Slow\" to access_user;
        create view public.owners as select * from public.\"Slow\";
        grant select on public.owners to access_user;
        create function public.f(a int, b text) returns int language sql as 'select 1';";
    let world = World::new(sql).await;
    let found = findings(&world);
    let seen: Vec<_> = found.iter().map(|f| (f.object.as_str(), f.kind)).collect();
    assert_eq!(
        seen,
        [
            ("public.bare", Kind::RlsOff),
            ("public.f(integer, text)", Kind::FunctionPublic),
            ("public.idle", Kind::PolicyWithoutGrant),
            ("public.owners", Kind::View),
            ("public.unreached", Kind::NoPolicy),
            ("public.\"Slow\"", Kind::SlowPolicy),
        ]
    );
    assert!(found[0].fix.as_ref().unwrap().contains("using (user_id = (select auth.uid()))"));
    let fixes: Vec<String> = found.iter().map(decided).collect();
    let mended = World::new(&format!("{sql}\n{}", fixes.join("\n"))).await;
    assert_eq!(findings(&mended), []);
}

#[tokio::test]
async fn what_is_listed_must_be_there_and_protected() {
    let config = Config {
        exposed: ["bare", "fine", "public.gone", "silent", "f"].into_iter().collect(),
        views: ["public.no_such_view"].into_iter().collect(),
        functions: ["no_such_function"].into_iter().collect(),
        ..Config::default()
    };
    let world = World::with(
        "create table public.bare (id int); grant select on public.bare to access_anon;
         create table public.fine (id int); alter table public.fine enable row level security;
         create policy p on public.fine using (true); grant select on public.fine to access_anon;
         create table public.silent (id int); alter table public.silent enable row level security;
         create function public.f() returns int language sql as 'select 1';",
        config,
    )
    .await;
    let errors: Vec<_> = findings(&world)
        .into_iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| (f.object, f.kind))
        .collect();
    let expected = [
        ("bare", Kind::ExposedUnprotected),
        ("f", Kind::ExposedUnprotected),
        ("no_such_function", Kind::Missing),
        ("public.gone", Kind::Missing),
        ("public.no_such_view", Kind::Missing),
        ("silent", Kind::ExposedUnprotected),
    ];
    assert_eq!(errors, expected.map(|(object, kind)| (object.to_owned(), kind)));
}

#[tokio::test]
async fn waived_rls_and_shut_schemas_are_told() {
    let config = Config { require_rls: false, ..Config::default() };
    let world = World::with(
        "create table public.legacy (id int); grant select on public.legacy to access_anon, access_user;
         revoke usage on schema public from public; grant usage on schema public to access_user;",
        config,
    )
    .await;
    let found = findings(&world);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].object.as_str(), found[0].kind), ("public", Kind::SchemaUsage));
    assert_eq!(found[0].fix.as_deref(), Some("grant usage on schema public to access_anon;"));
    assert_eq!(found[1].kind, Kind::RlsNotRequired);
    assert!(found[1].message.starts_with("open: all rows are served to access_anon, access_user"));
}
