//! Keeping the catalog fresh.

use std::sync::Arc;
use std::time::Duration;

use bedplate_data::catalog::{Loader, Options};
use bedplate_db::listen::Hub;
use bedplate_db::{Connector, Target};
use bedplate_query::catalog::Catalog;
use bedplate_testkit::Database;
use tokio::time::timeout;

const SUPERUSER: &str = "supabase_admin";
/// Generous: the machine may be busy.
const LIMIT: Duration = Duration::from_secs(20);

fn connector(database: &Database) -> Connector {
    Connector::new(Target::socket(database.socket_dir(), 5432, SUPERUSER, database.name())).unwrap()
}

/// Never polls.
fn options() -> Options {
    Options { poll: Duration::ZERO, ..Options::default() }
}

fn has(catalog: &Catalog, table: &str) -> bool {
    catalog.find_relation(None, table).is_some()
}

async fn until(loader: &Loader, what: &str, done: impl Fn(&Arc<Catalog>) -> bool) -> Arc<Catalog> {
    let mut news = loader.subscribe();
    let found = timeout(LIMIT, news.wait_for(|catalog| done(catalog))).await;
    Arc::clone(&found.unwrap_or_else(|_| panic!("{what} did not happen")).unwrap())
}

#[tokio::test]
async fn ddl_with_a_notification_makes_a_new_snapshot() {
    let database = Database::empty().await;
    let client = database.superuser().await;
    client.batch_execute("create table public.first (id int)").await.unwrap();
    let connector = connector(&database);
    let hub = Hub::new(connector.clone());
    let loader = Loader::start(connector, Some(&hub), options()).await.unwrap();
    let first = loader.current();
    assert!(first.version == 1 && has(&first, "first"));
    for (table, notify) in [
        ("second", "notify bedplate, 'reload'"),
        ("third", "notify pgrst, 'reload schema'"),
        ("fourth", "notify pgrst"),
    ] {
        client.batch_execute(&format!("create table public.{table} (id int); {notify}")).await.unwrap();
        let seen = until(&loader, table, |catalog| has(catalog, table)).await;
        assert!(seen.version > first.version);
    }
    assert!(!has(&first, "second"), "who holds the old snapshot keeps it");
    let statistics = loader.statistics();
    assert!(statistics.loads >= 4 && statistics.failures == 0);
    assert!(statistics.timings.queries > Duration::ZERO && statistics.timings.assemble > Duration::ZERO);
}

#[tokio::test]
async fn a_load_without_news_keeps_the_version_and_tells_nobody() {
    let database = Database::empty().await;
    let client = database.superuser().await;
    client.batch_execute("create table public.t (id int); insert into public.t select 1").await.unwrap();
    let loader = Loader::start(connector(&database), None, options()).await.unwrap();
    let mut news = loader.subscribe();
    let before = loader.current();
    client.batch_execute("analyze public.t").await.unwrap();
    let after = loader.reload().await.unwrap();
    // Other tests make roles on the same server meanwhile, which is news.
    if after.roles.len() == before.roles.len() {
        assert_eq!(after.version, before.version);
        assert!(Arc::ptr_eq(&before, &after) && !news.has_changed().unwrap());
        assert_eq!(loader.statistics().unchanged, 1);
    }
    client.batch_execute("create policy p on public.t using (true)").await.unwrap();
    let third = loader.reload().await.unwrap();
    assert!(third.version > after.version && news.has_changed().unwrap());
    assert_eq!(news.borrow_and_update().relations[0].policies.len(), 1);
}

#[tokio::test]
async fn a_burst_of_ddl_costs_few_loads() {
    let database = Database::empty().await;
    let client = database.superuser().await;
    let connector = connector(&database);
    let hub = Hub::new(connector.clone());
    let slow = Options { quiet: Duration::from_millis(300), patience: Duration::from_secs(3), ..options() };
    let loader = Loader::start(connector, Some(&hub), slow).await.unwrap();
    client.batch_execute("create table public.marker (id int); notify bedplate, 'reload'").await.unwrap();
    until(&loader, "the first table", |catalog| has(catalog, "marker")).await;
    let before = loader.statistics().loads;
    for n in 0..100 {
        let sql = format!("create table public.burst_{n} (id int); notify bedplate, 'reload'");
        client.batch_execute(&sql).await.unwrap();
    }
    until(&loader, "the last table", |catalog| has(catalog, "burst_99")).await;
    let loads = loader.statistics().loads - before;
    assert!(loads <= 10, "{loads} loads");
}

#[tokio::test]
async fn polling_finds_what_no_notification_told() {
    let database = Database::empty().await;
    let client = database.superuser().await;
    client.batch_execute("create table public.t (id int)").await.unwrap();
    let poll = Options { poll: Duration::from_millis(30), ..Options::default() };
    let loader = Loader::start(connector(&database), None, poll).await.unwrap();
    client.batch_execute("alter table public.t enable row level security").await.unwrap();
    until(&loader, "row-level security", |c| c.relations[0].rls_enabled).await;
    client.batch_execute("grant select (id) on public.t to pg_monitor").await.unwrap();
    until(&loader, "the grant", |c| !c.relations[0].columns[0].grants.roles.is_empty()).await;
    client.batch_execute("comment on column public.t.id is 'Key'").await.unwrap();
    until(&loader, "the comment", |c| c.relations[0].columns[0].comment.is_some()).await;
    client.batch_execute("alter table public.t alter column id set default 7").await.unwrap();
    until(&loader, "the default", |c| c.relations[0].columns[0].default.is_some()).await;
    client.batch_execute("create function public.f() returns int language sql as 'select 1'").await.unwrap();
    until(&loader, "the function", |c| !c.functions.is_empty()).await;
    client.batch_execute("drop table public.t").await.unwrap();
    until(&loader, "the drop", |c| c.relations.is_empty()).await;
}

#[tokio::test]
async fn a_failed_load_keeps_the_old_snapshot_and_is_tried_again() {
    let database = Database::empty().await;
    let client = database.superuser().await;
    client.batch_execute("create table public.t (id int)").await.unwrap();
    let poll = Options { poll: Duration::from_millis(30), ..Options::default() };
    let loader = Loader::start(connector(&database), None, poll).await.unwrap();
    let mut elsewhere = database.config(SUPERUSER);
    let elsewhere = bedplate_testkit::connect(elsewhere.dbname("postgres")).await;
    let name = database.name();
    client.batch_execute("create table public.later (id int)").await.unwrap();
    let shut = format!(
        "alter database {name} allow_connections false;
         select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
    );
    elsewhere.batch_execute(&shut).await.unwrap();
    let deadline = tokio::time::Instant::now() + LIMIT;
    while loader.statistics().failures == 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(loader.statistics().failures > 0);
    assert!(has(&loader.current(), "t"));
    assert!(loader.reload().await.is_err());
    assert!(has(&loader.current(), "t"));
    elsewhere.batch_execute(&format!("alter database {name} allow_connections true")).await.unwrap();
    until(&loader, "recovery", |catalog| has(catalog, "later")).await;
}

#[tokio::test]
async fn other_schemas_can_be_served_from_then_on() {
    let database = Database::empty().await;
    let client = database.superuser().await;
    client.batch_execute("create schema api; create table api.t (id int)").await.unwrap();
    let loader = Loader::start(connector(&database), None, options()).await.unwrap();
    assert!(!has(&loader.current(), "t"));
    loader.set_schemas(vec!["api".to_owned(), "public".to_owned()]);
    until(&loader, "the schema", |catalog| has(catalog, "t")).await;
}

#[tokio::test]
async fn without_a_database_there_is_no_start() {
    let target = Target::socket("/nonexistent", 5432, SUPERUSER, "none");
    let problem = Loader::start(Connector::new(target).unwrap(), None, options()).await.err().unwrap();
    assert_eq!(problem.status(), 503);
}
