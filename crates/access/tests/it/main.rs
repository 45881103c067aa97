//! Access decisions on catalogs of a real database.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod gate;
mod matrix;
mod report;

use bedplate_access::{Config, Rules};
use bedplate_query::catalog::introspect::{self, Answer};
use bedplate_query::catalog::{Catalog, FunctionId, RelationId, RoleId, assemble};
use bedplate_query::gate::{Denial, Gate, Verb};
use bedplate_testkit::Database;
use tokio_postgres::SimpleQueryMessage;

/// Roles belong to the whole server, which other tests use too.
const ROLES: &str = "
    select pg_advisory_lock(726302);
    do $$ begin
        if not exists (select from pg_roles where rolname = 'access_service') then
            create role access_anon; create role access_staff; create role access_user in role access_staff;
            create role access_service bypassrls;
        end if;
    end $$;
    select pg_advisory_unlock(726302);";

/// A database, read once.
struct World {
    catalog: Catalog,
    rules: Rules,
}

impl World {
    async fn new(sql: &str) -> Self {
        Self::with(sql, Config::default()).await
    }

    async fn with(sql: &str, config: Config) -> Self {
        let database = Database::empty().await;
        let client = database.superuser().await;
        client.batch_execute(ROLES).await.unwrap();
        client.batch_execute(sql).await.unwrap();
        let mut answer = Answer::default();
        for message in client.simple_query(introspect::script()).await.unwrap() {
            match message {
                SimpleQueryMessage::RowDescription(_) => answer.begin(),
                SimpleQueryMessage::Row(row) => answer.push((0..row.len()).map(|at| row.get(at))),
                _ => {}
            }
        }
        Self { catalog: assemble(&answer, &["public"]).unwrap(), rules: Rules::new(config) }
    }

    fn role(&self, name: &str) -> RoleId {
        self.catalog.find_role(&format!("access_{name}")).unwrap()
    }

    fn roles(&self) -> Vec<RoleId> {
        ["anon", "user", "service"].map(|name| self.role(name)).to_vec()
    }

    fn relation(&self, name: &str) -> RelationId {
        self.catalog.find_any_relation("public", name).unwrap()
    }

    fn function(&self, name: &str) -> FunctionId {
        self.catalog.find_functions(None, name)[0]
    }

    fn ask(&self, role: &str, relation: &str, verb: Verb) -> Result<(), Denial> {
        self.rules.relation(&self.catalog, self.role(role), self.relation(relation), verb)
    }

    /// `yes`, `hidden` or `forbidden` for select, insert, update, delete.
    fn verdicts(&self, role: &str, relation: &str) -> [&'static str; 4] {
        [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete].map(|verb| {
            match self.ask(role, relation, verb) {
                Ok(()) => "yes",
                Err(Denial::Hidden(_)) => "hidden",
                Err(Denial::Forbidden(_)) => "forbidden",
            }
        })
    }

    fn calls(&self, role: &str, function: &str) -> bool {
        self.rules.function(&self.catalog, self.role(role), self.function(function)).is_ok()
    }
}
