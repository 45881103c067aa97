//! Planner and writer against a real database: what is written is snapshot, explained, run, and compared.

/// A snapshot without the expression that made it: the titles in it say what was asked.
macro_rules! snapshot {
    ($($value:tt)+) => {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!($($value)+) })
    };
}
use snapshot;

mod access;
mod calls;
mod cursors;
mod dialect;
mod dialect_writes;
mod embeds;
mod nested;
mod reads;
mod representations;
mod request;
mod twins;
mod values;
mod wire;
mod writes;

use std::hash::{BuildHasher, Hasher};

use bedplate_query::catalog::{Catalog, FunctionId, RelationId, RoleId};
use bedplate_query::encode::Encoder;
use bedplate_query::gate::{Denial, Gate, Verb};
use bedplate_query::limits::Limits;
use bedplate_query::output::Output;
use bedplate_query::plan;
use bedplate_query::statement::{Param, Planned, Sql};
use bedplate_query::{Request, Values};
use bedplate_testkit::Database;
use bytes::BytesMut;
use wire::{Answer, Wire};

use crate::catalog::load;

const SCHEMA: &str = include_str!("fixture.sql");

/// Roles are the server's, not the database's: other tests may be making them at this moment.
const ROLES: &str = "do $$ declare r text; begin foreach r in array array['query_reader', 'query_narrow'] loop \
     begin execute format('create role %I', r); exception when duplicate_object or unique_violation then null; end; \
     end loop; end $$";

/// Serves what is granted.
struct Grants {
    aggregates: bool,
    conceals: bool,
}

impl Gate for Grants {
    fn relation(&self, catalog: &Catalog, role: RoleId, id: RelationId, verb: Verb) -> Result<(), Denial> {
        if !catalog.is_resource(id) || !catalog.can(role, id, Verb::Select) {
            return Err(Denial::Hidden("not granted".into()));
        }
        if catalog.can(role, id, verb) { Ok(()) } else { Err(Denial::Forbidden("not granted".into())) }
    }

    fn function(&self, catalog: &Catalog, role: RoleId, id: FunctionId) -> Result<(), Denial> {
        if catalog.can_execute(role, id) { Ok(()) } else { Err(Denial::Hidden("not granted".into())) }
    }

    fn aggregates(&self, _: &Catalog, _: RoleId, _: RelationId) -> bool {
        self.aggregates
    }

    fn conceals(&self, _: &str) -> bool {
        self.conceals
    }
}

pub struct Fixture {
    catalog: Catalog,
    role: RoleId,
    gate: Grants,
    limits: Limits,
    wire: Wire,
    _database: Database,
}

/// What a request answered.
#[derive(Debug)]
pub struct Answered {
    pub json: serde_json::Value,
    pub text: String,
    pub answer: Answer,
    pub page: bedplate_query::encode::Page,
}

impl Fixture {
    pub async fn new() -> Self {
        Self::of("query_reader").await
    }

    pub async fn of(role: &str) -> Self {
        let mut hasher = foldhash::fast::FixedState::with_seed(7).build_hasher();
        hasher.write(SCHEMA.as_bytes());
        let key = format!("query_{:016x}", hasher.finish());
        let database = Database::from_template(&key, |config| async move {
            let client = bedplate_testkit::connect(&config).await;
            client.batch_execute(ROLES).await.unwrap();
            client.batch_execute(SCHEMA).await.unwrap();
        })
        .await;
        let catalog = load(&database.superuser().await, &["api"]).await;
        let mut wire = Wire::connect(&database, "supabase_admin");
        wire.simple(&format!("set role {role}"));
        let role = catalog.find_role(role).unwrap();
        let limits = Limits { page_max: 100, embed_rows_max: 1000, ..Limits::default() };
        Self {
            catalog,
            role,
            gate: Grants { aggregates: true, conceals: false },
            limits,
            wire,
            _database: database,
        }
    }

    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    pub fn plan(&self, request: &Request) -> Result<Planned, bedplate_core::Problem> {
        plan::plan(&self.catalog, self.role, &self.gate, &self.limits, &request.operation)
    }

    /// The problem's code name and hint.
    pub fn refused(&self, request: &Request) -> (String, Option<String>) {
        let problem = self.plan(request).unwrap_err();
        (problem.code().name.to_owned(), problem.hint_text().map(str::to_owned))
    }

    pub fn run(&mut self, request: &Request) -> Answered {
        let planned = self.plan(request).unwrap();
        self.execute(&planned, &request.values)
    }

    pub fn execute(&mut self, planned: &Planned, values: &Values) -> Answered {
        let probe = planned.main.sql.params.iter().find_map(|param| match param {
            Param::Limit { value, plus_one: true, .. } => match values.get(*value) {
                bedplate_query::Value::Int(limit) => Some(*limit as u64),
                _ => None,
            },
            _ => None,
        });
        let answer = self.wire.run(&planned.main.sql, values);
        let mut encoder = Encoder::new(&planned.main, probe);
        let mut out = BytesMut::new();
        for row in &answer.rows {
            encoder.row(row, &mut out).unwrap();
        }
        let page = encoder.finish(&mut out).unwrap();
        let text = format!("[{}]", String::from_utf8(out.to_vec()).unwrap());
        let json = if planned.main.output == Output::Nothing {
            serde_json::Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        Answered { json, text, answer, page }
    }

    /// Plans, explains all statements, and gives them as text for a snapshot.
    pub fn shape(&mut self, title: &str, request: &Request) -> String {
        let planned = self.plan(request).unwrap_or_else(|problem| panic!("{title}: {problem}"));
        let mut text = format!("{title}\n");
        for guard in &planned.guards {
            self.wire.explain(guard, &request.values);
            push(&mut text, "guard", guard);
        }
        self.wire.explain(&planned.main.sql, &request.values);
        push(&mut text, "", &planned.main.sql);
        if let Some(count) = &planned.count {
            for sql in [Some(&count.sql), count.estimate.as_ref()].into_iter().flatten() {
                if sql.text.starts_with("EXPLAIN") {
                    self.wire.run(sql, &request.values);
                } else {
                    self.wire.explain(sql, &request.values);
                }
                push(&mut text, "count", sql);
            }
        }
        if !planned.main.order.is_empty() {
            text.push_str(&format!("  order {}\n", planned.main.order));
        }
        text
    }

    /// A read's rows equal what a plain statement gives (one json a row, in order).
    pub fn same(&mut self, query: &str, naive: &str) {
        let found = self.run(&request::get(query));
        let sql = format!("select coalesce(json_agg(q.*), '[]') from ({naive}) q");
        let expected = self.wire.simple(&sql).text(0).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
        assert!(
            !found.json.as_array().unwrap().is_empty() || naive.contains("where false"),
            "{query} answers nothing"
        );
        assert_eq!(found.json, expected, "{query}");
    }
}

fn push(text: &mut String, what: &str, sql: &Sql) {
    let gap = if what.is_empty() { "" } else { " " };
    text.push_str(&format!("  {what}{gap}{}\n", sql.text));
}

/// Runs `shape` over lines of requests and joins the texts.
pub fn shapes(fixture: &mut Fixture, queries: &[&str]) -> String {
    let each: Vec<String> = queries.iter().map(|query| fixture.shape(query, &request::get(query))).collect();
    each.join("\n")
}
