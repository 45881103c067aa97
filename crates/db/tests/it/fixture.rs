//! A database with three roles that see different rows, and sinks that keep what they get.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bedplate_core::Problem;
use bedplate_db::{
    Call, Connector, Context, End, Error, Format, Lease, Outcome, Pool, Row, RowSink, Statement, Target, pool,
};
use bedplate_testkit::Database;

/// Roles are shared by all databases of the test server, so they are made once and never changed.
pub const LOGIN: &str = "dbtest_login";
pub const ROLES: [&str; 3] = ["dbtest_anon", "dbtest_user", "dbtest_service"];

const SCHEMA: &str = "
do $$ begin
  perform pg_advisory_xact_lock(83001);
  if not exists (select from pg_roles where rolname = 'dbtest_login') then
    create role dbtest_anon; create role dbtest_user; create role dbtest_service;
    create role dbtest_login login noinherit in role dbtest_anon, dbtest_user, dbtest_service;
  end if;
end $$;
create table notes (id int primary key, owner text not null, body text, price numeric);
alter table notes enable row level security;
create policy own on notes using (owner = current_setting('request.sub', true));
grant select, insert, update, delete on notes to dbtest_anon, dbtest_user, dbtest_service;
insert into notes select i, (array['dbtest_anon', 'dbtest_user', 'dbtest_service'])[1 + i % 3], 'body ' || i, i / 7.0
  from generate_series(1, 30) i;
create table parents (id int primary key);
create table children (id int primary key, parent int references parents deferrable initially deferred);
grant all on parents, children to dbtest_user;
";

pub struct Fixture {
    pub database: Database,
}

impl Fixture {
    pub async fn new() -> Self {
        let database = Database::from_template("db_crate_1", |config| async move {
            let client = bedplate_testkit::connect(&config).await;
            client.batch_execute(SCHEMA).await.unwrap();
        })
        .await;
        Self { database }
    }

    pub fn target(&self) -> Target {
        Target::socket(self.database.socket_dir(), 5432, LOGIN, self.database.name())
    }

    pub fn connector(&self) -> Connector {
        Connector::new(self.target()).unwrap()
    }

    pub fn pool(&self, max: usize) -> Pool {
        Pool::new("test", self.connector(), settings(max))
    }

    /// How many other sessions in this database run something that matches.
    pub async fn running(&self, pattern: &str) -> i64 {
        let sql = "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' \
                   and pid <> pg_backend_pid() and query like $1";
        self.database.superuser().await.query_one(sql, &[&pattern]).await.unwrap().get(0)
    }
}

pub fn settings(max: usize) -> pool::Settings {
    pool::Settings {
        max,
        min: 0,
        wait: Duration::from_secs(3),
        idle: Duration::from_secs(30),
        lifetime: Duration::from_mins(30),
    }
}

/// Keeps every column of every row.
#[derive(Debug, Default)]
pub struct Kept {
    pub rows: Vec<(usize, Vec<Option<Vec<u8>>>)>,
    pub completed: Vec<(usize, u64)>,
    pub restarts: usize,
    /// Refuses from this row on.
    pub refuse_at: Option<usize>,
}

impl RowSink for Kept {
    fn row(&mut self, call: usize, row: Row<'_>) -> Result<(), Problem> {
        if self.refuse_at.is_some_and(|at| self.rows.len() >= at) {
            return Err(Problem::internal_error("enough"));
        }
        self.rows.push((call, row.columns().map(|c| c.map(<[u8]>::to_vec)).collect()));
        Ok(())
    }

    fn complete(&mut self, call: usize, affected: u64) {
        self.completed.push((call, affected));
    }

    fn restart(&mut self) -> bool {
        self.rows.clear();
        self.completed.clear();
        self.restarts += 1;
        true
    }
}

impl Kept {
    /// The columns of one call as text, NULL as `-`.
    pub fn text(&self, call: usize) -> Vec<Vec<String>> {
        let column = |c: &Option<Vec<u8>>| match c {
            None => "-".to_owned(),
            Some(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        };
        self.rows.iter().filter(|(of, _)| *of == call).map(|(_, r)| r.iter().map(column).collect()).collect()
    }

    pub fn one(&self) -> String {
        assert_eq!(self.rows.len(), 1);
        self.text(self.rows[0].0)[0][0].clone()
    }
}

pub fn statement(sql: &str) -> Statement {
    Statement::new(sql, Arc::from([]))
}

pub fn binary(sql: &str) -> Statement {
    Statement::new(sql, Arc::from([Format::Binary]))
}

#[allow(clippy::unnecessary_wraps, reason = "what a parameter is")]
pub fn value(text: &str) -> Option<Cow<'_, [u8]>> {
    Some(Cow::Borrowed(text.as_bytes()))
}

/// The settings of a request under a role that owns its rows.
pub fn settings_of(role: &str) -> [(&str, &str); 2] {
    [("role", role), ("request.sub", role)]
}

/// Runs calls without parameters under a role.
pub async fn run_all(
    lease: &mut Lease,
    role: &str,
    statements: &[&Statement],
    end: End,
    sink: &mut Kept,
) -> Result<Outcome, Error> {
    let calls: Vec<_> = statements.iter().map(|s| Call { statement: s, params: &[] }).collect();
    lease.run(&Context { settings: &settings_of(role) }, &calls, end, sink, None).await
}

/// One value of one statement under a role.
pub async fn ask(lease: &mut Lease, role: &str, sql: &str) -> Result<String, Error> {
    let mut kept = Kept::default();
    run_all(lease, role, &[&statement(sql)], End::Implicit, &mut kept).await?;
    Ok(kept.one())
}

/// Polls until it holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
