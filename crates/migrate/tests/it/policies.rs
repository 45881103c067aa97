use crate::kit::{Files, Ready, quick, ready, statement, text};
use bedplate_migrate::{Error, Policies, PoliciesReport, SeedReport, Seeded, Seeds};

async fn apply(ready: &mut Ready, files: &Files, migrated: bool) -> Result<PoliciesReport, Error> {
    let policies = Policies::read(files.path()).unwrap();
    policies.apply(&mut ready.owner, Some(&mut ready.admin), migrated, &quick(), &mut |_| {}).await
}

async fn seed(ready: &mut Ready, files: &Files, force: bool) -> Result<SeedReport, Error> {
    let seeds = Seeds::read(files.path(), "dev").unwrap();
    seeds.apply(&mut ready.owner, Some(&mut ready.admin), force, &quick(), &mut |_| {}).await
}

const POLICY: &str = "alter table t enable row level security; drop policy if exists p on t; create policy p on t using (true);";

#[tokio::test]
async fn policies_run_when_they_or_the_schema_changed_and_all_together() {
    let mut ready = ready().await;
    ready.owner.batch_execute("create table t (id int); create table runs (n serial)").await.unwrap();
    let files = Files::new(&[("b.sql", POLICY), ("a.sql", "insert into runs default values;")]);
    assert!(apply(&mut ready, &files, false).await.unwrap().applied);
    assert!(!apply(&mut ready, &files, false).await.unwrap().applied);
    assert!(apply(&mut ready, &files, true).await.unwrap().applied);
    assert_eq!(text(&ready.owner, "select count(*) from runs").await, "2");
    files.write("c.sql", "insert into runs default values;\ncreate policy p on t using (false);");
    let error = statement(apply(&mut ready, &files, false).await.unwrap_err());
    assert!(error.file.ends_with("c.sql"));
    assert_eq!((error.line, error.sqlstate.as_str()), (2, "42710"));
    assert!(error.hint.unwrap().contains("drop policy if exists"));
    assert_eq!(text(&ready.owner, "select count(*) from runs").await, "2");
    files.remove("c.sql");
    assert!(!apply(&mut ready, &files, false).await.unwrap().applied);
    files.write("c.sql", "vacuum t");
    let error = statement(apply(&mut ready, &files, false).await.unwrap_err());
    assert!(error.hint.unwrap().contains("into a migration"));
    let none = Files::new(&[]);
    assert!(apply(&mut ready, &none, false).await.unwrap().applied, "taking files away is a change");
}

#[tokio::test]
async fn seeds_run_once_and_say_what_they_wrote() {
    let mut ready = ready().await;
    ready.owner.batch_execute("create table public.orgs (id int); create table t (id int)").await.unwrap();
    let files = Files::new(&[
        (
            "seed.sql",
            "insert into public.orgs select generate_series(1, 2); insert into auth.users (id, email, encrypted_password) values (gen_random_uuid(), 'bob@x.y', crypt('p', gen_salt('bf')));",
        ),
        ("seed.dev.sql", "insert into t values (1); insert into t values (2);"),
        ("seed.production.sql", "select nope"),
    ]);
    let report = seed(&mut ready, &files, false).await.unwrap();
    let rows: Vec<_> = report.rows.iter().map(|(table, count)| format!("{count} {table}")).collect();
    assert_eq!(rows, ["1 auth.users", "2 orgs", "2 t"]);
    let again = seed(&mut ready, &files, false).await.unwrap();
    assert!(again.files.iter().all(|(_, state)| *state == Seeded::Before) && again.rows.is_empty());
    files.write(
        "seed.dev.sql",
        "insert into t values (3); select 1 / (select count(*) from t where id = 99);",
    );
    let edited = seed(&mut ready, &files, false).await.unwrap();
    assert_eq!(edited.files[1], ("seed.dev.sql".to_owned(), Seeded::BeforeAndEdited));
    // Forced, the first file would write bob twice; nothing of it stays.
    let error = statement(seed(&mut ready, &files, true).await.unwrap_err());
    assert_eq!(error.sqlstate, "23505");
    assert_eq!(text(&ready.owner, "select count(*) from orgs").await, "2");
}
